//! Posts on a terminal, in colour or plain.

mod edited;

use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};
use futures_util::future::{BoxFuture, FutureExt as _};
use unicode_width::UnicodeWidthStr as _;

use self::edited::{ShownPosts, edited};
use super::{Act, Platform, PostedMessage, Receipt, Scope, SendError, Work};
use crate::post::About;
use crate::post::story::{Content, IssuePost, Line, Post, Tone};

/// The widest layout; longer lines are hard to read.
const WIDTH_MAX: usize = 100;
const WIDTH_MIN: usize = 40;

const STRONG: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// The terminal as a platform. Printed text cannot change, so an edit prints the changed lines of the post. If the post was
/// printed by an earlier process, an edit prints one line, and only if the state is new. The receipt is the last printed state.
#[derive(Debug, Default)]
pub struct Terminal {
    /// The columns of every post; `None` for those of the terminal.
    width: Option<usize>,
    shown: Mutex<ShownPosts>,
}

impl Terminal {
    /// A terminal whose posts have this many columns.
    pub fn with_width(width: usize) -> Self {
        let width = Some(width.clamp(WIDTH_MIN, WIDTH_MAX));
        Self {
            width,
            shown: Mutex::default(),
        }
    }

    /// The text for a delivery; `None` if there is nothing to print.
    pub fn text(&self, act: &Act) -> Option<String> {
        let width = self.width.unwrap_or_else(width);
        match act {
            Act::Send { content, .. } => {
                self.remember(content);
                Some(render(content, width))
            }
            Act::Edit { content, receipt } => match (self.remember(content), content) {
                (Some(before), Content::Story(post)) => edited(&before, post, width),
                (None, _) if standing(content) != receipt.message => moved(content, width),
                (_, _) => None,
            },
            Act::Remove { .. } => None,
        }
    }

    fn remember(&self, content: &Content) -> Option<Post> {
        match content {
            Content::Story(post) => {
                let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
                shown.replace(post)
            }
            Content::Line(_)
            | Content::Digest(_)
            | Content::Issue(_)
            | Content::Suggestion(_)
            | Content::Notice { .. } => None,
        }
    }

    /// Prints a delivery. Returns the text, too, if there was something to print.
    ///
    /// # Errors
    ///
    /// When the terminal cannot be written to.
    pub async fn show(&self, work: &Work) -> Result<(Receipt, Option<String>), SendError> {
        let message = match &work.act {
            Act::Send { content, .. } | Act::Edit { content, .. } => standing(content),
            Act::Remove { receipt } => receipt.message.clone(),
        };
        let text = self.text(&work.act);
        if let Some(text) = text.clone() {
            // On another thread: a reader that stopped reading blocks the write.
            let written = tokio::task::spawn_blocking(move || {
                let mut out = anstream::stdout().lock();
                writeln!(out, "{text}")?;
                out.flush()
            });
            let written = written.await.map_err(std::io::Error::other);
            written.flatten().map_err(|error| SendError::Never {
                scope: Scope::Platform,
                why: format!("the terminal cannot be written to: {error}"),
            })?;
        }
        let thread = None;
        Ok((Receipt { message, thread }, text))
    }
}

fn standing(content: &Content) -> String {
    match content {
        Content::Story(post) => post.state.clone(),
        Content::Line(line) => line.what.clone(),
        Content::Digest(_)
        | Content::Issue(_)
        | Content::Suggestion(_)
        | Content::Notice { .. } => String::new(),
    }
}

impl Platform for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn dedupes_for(&self, _: &str) -> Duration {
        Duration::MAX
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move { Ok(self.show(work).await?.0) }.boxed()
    }

    /// Printed text cannot be read again.
    fn find<'a>(&'a self, _: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async { Ok(None) }.boxed()
    }

    /// The terminal may be another one now.
    fn standing<'a>(
        &'a self,
        _: &'a str,
        _: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

/// The width for posts: the terminal's within limits; 100 if there is no terminal.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH_MAX, |(width, _)| {
        usize::from(width.0).clamp(WIDTH_MIN, WIDTH_MAX)
    })
}

/// Lays out content over `width` columns with ANSI styles. The writer removes the styles if necessary.
pub fn render(content: &Content, width: usize) -> String {
    match content {
        Content::Story(post) => story(post, width),
        Content::Line(line) => barred(line.tone, &one_line(line, width)),
        Content::Digest(digest) => {
            let mut lines = vec![format!("{STRONG}{}{STRONG:#}", digest.title)];
            lines.extend(digest.lines.iter().flat_map(|line| listed(line, width)));
            barred(Tone::Reading, &lines)
        }
        Content::Issue(post) => issue(post, width),
        Content::Suggestion(suggested) => {
            let mut lines = vec![format!("{STRONG}Suggestion {}{STRONG:#}", suggested.number)];
            for part in [
                &suggested.link,
                &suggested.note,
                &suggested.known,
                &suggested.decided,
            ] {
                lines.extend(wrap(part, width.saturating_sub(2)));
            }
            barred(Tone::New, &lines)
        }
        Content::Notice { title, text, .. } => {
            let mut lines = vec![format!("{STRONG}{title}{STRONG:#}")];
            lines.extend(wrap(text, width.saturating_sub(2)));
            barred(Tone::Ended, &lines)
        }
    }
}

/// The line printed for an edit, if the post is not known.
fn moved(content: &Content, width: usize) -> Option<String> {
    match content {
        Content::Story(post) => {
            let line = Line {
                what: post.state.clone(),
                title: post.title.clone(),
                tone: post.tone,
                ..Line::default()
            };
            Some(barred(post.tone, &one_line(&line, width)))
        }
        Content::Line(_)
        | Content::Digest(_)
        | Content::Issue(_)
        | Content::Suggestion(_)
        | Content::Notice { .. } => None,
    }
}

fn one_line(line: &Line, width: usize) -> Vec<String> {
    let mut lines = wrap(&words(line), width.saturating_sub(2));
    lines.extend(line.link.iter().map(|link| format!("{DIM}{link}{DIM:#}")));
    lines
}

/// A line of a list: with its author and summary.
fn listed(line: &Line, width: usize) -> Vec<String> {
    let room = width.saturating_sub(2);
    let text = match line.author.is_empty() {
        true => words(line),
        false => format!("{} · {}", words(line), line.author),
    };
    let mut lines = wrap(&text, room);
    let summary = wrap(&line.summary, room);
    lines.extend(summary.iter().map(|row| format!("{DIM}{row}{DIM:#}")));
    lines.extend(line.link.iter().map(|link| format!("{DIM}{link}{DIM:#}")));
    lines
}

fn words(line: &Line) -> String {
    match line.what.is_empty() {
        true => line.title.clone(),
        false => format!("{}: {}", line.what, line.title),
    }
}

/// A newsletter: the introduction, and lines under headings.
fn issue(post: &IssuePost, width: usize) -> String {
    let inner = width.saturating_sub(2);
    let mut lines = vec![format!("{STRONG}{}{STRONG:#}", post.title)];
    for paragraph in post.lead.lines() {
        lines.extend(wrap(paragraph, inner));
    }
    for part in &post.parts {
        lines.push(String::new());
        lines.push(format!("{STRONG}{}{STRONG:#}", part.heading));
        for line in &part.lines {
            let mut first = "- ";
            for row in listed(line, inner) {
                lines.push(format!("{first}{row}"));
                first = "  ";
            }
        }
    }
    if post.left_out > 0 {
        lines.push(String::new());
        lines.push(format!("{DIM}and {} more{DIM:#}", post.left_out));
    }
    lines.extend(post.link.iter().map(|link| format!("{DIM}{link}{DIM:#}")));
    barred(Tone::Reading, &lines)
}

fn barred(tone: Tone, lines: &[String]) -> String {
    let colour = Style::new().fg_color(Some(tone_colour(tone).into()));
    let bar = |line: &String| format!("{colour}▏{colour:#} {line}\n");
    lines.iter().map(bar).collect()
}

fn story(post: &Post, width: usize) -> String {
    let colour = Style::new().fg_color(Some(colour(post.about).into()));
    let bar = format!("{colour}▌{colour:#} ");
    let inner = width.saturating_sub(2);
    let mut lines = Vec::new();

    let mut label = vec![post.about.word().to_uppercase()];
    let tells_tree = post.tree.is_empty() || post.state.ends_with(&format!(" {}", post.tree));
    label.extend((!tells_tree).then(|| post.tree.clone()));
    // Every story starts in one of these states, so they are not shown.
    let goes_without_saying = ["posted", "published", "open"].contains(&post.state.as_str());
    label.extend((!goes_without_saying).then(|| post.state.clone()));
    label.extend(post.notes.iter().cloned());
    let label = label.join(" · ");
    let date = post.at.format("%a %-d %b %Y").to_string();
    let room = inner.saturating_sub(label.width() + date.width());
    if room > 0 {
        lines.push(format!(
            "{colour}{label}{colour:#}{}{DIM}{date}{DIM:#}",
            " ".repeat(room)
        ));
    } else {
        lines.extend(
            wrap(&label, inner)
                .into_iter()
                .map(|line| format!("{colour}{line}{colour:#}")),
        );
        lines.push(format!("{DIM}{date}{DIM:#}"));
    }
    lines.extend(
        wrap(&post.title, inner)
            .into_iter()
            .map(|line| format!("{STRONG}{line}{STRONG:#}")),
    );
    let by = [post.author.clone(), post.feeds.join(", ")];
    let by = by
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" · ");
    lines.extend(
        wrap(&by, inner)
            .into_iter()
            .map(|line| format!("{DIM}{line}{DIM:#}")),
    );
    let digits = post
        .parts
        .iter()
        .map(|(number, _)| number.len())
        .max()
        .unwrap_or(0);
    for (number, title) in &post.parts {
        let indent = " ".repeat(digits + 4);
        let wrapped = wrap(title, inner.saturating_sub(digits + 4));
        for (row, line) in wrapped.iter().enumerate() {
            lines.push(match row {
                0 => format!("  {DIM}{number:>digits$}{DIM:#}  {line}"),
                _ => format!("{indent}{line}"),
            });
        }
    }
    if post.parts_left_out > 0 {
        lines.push(format!("  {DIM}and {} more{DIM:#}", post.parts_left_out));
    }
    lines.extend(wrap(&post.summary, inner));
    if !post.change.is_empty() {
        lines.extend(wrap(&format!("Changed: {}", post.change), inner));
    }
    for quiet in [&post.reviews, &post.checks, &post.steps.join(" → ")] {
        lines.extend(
            wrap(quiet, inner)
                .into_iter()
                .map(|line| format!("{DIM}{line}{DIM:#}")),
        );
    }
    lines.extend(
        post.link
            .iter()
            .map(|link| format!("{colour}{link}{colour:#}")),
    );

    let mut text = String::new();
    for line in lines {
        text.push_str(&bar);
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    match text.is_empty() {
        true => Vec::new(),
        false => wrap_words(text, width),
    }
}

/// Wraps a text, which becomes at least one line. Links and identifiers stay whole, so that they can be copied.
pub fn wrap_words(text: &str, columns: usize) -> Vec<String> {
    let options = textwrap::Options::new(columns.max(1))
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

fn tone_colour(tone: Tone) -> AnsiColor {
    match tone {
        Tone::New => AnsiColor::Blue,
        Tone::Discussed => AnsiColor::Cyan,
        Tone::Applied => AnsiColor::Green,
        Tone::Mainline => AnsiColor::Magenta,
        Tone::Ended => AnsiColor::BrightBlack,
        Tone::Reading => AnsiColor::Yellow,
    }
}

fn colour(about: About) -> AnsiColor {
    match about {
        About::Series => AnsiColor::Blue,
        About::Patch => AnsiColor::Cyan,
        About::Pull => AnsiColor::Magenta,
        About::Thread => AnsiColor::White,
        About::Commit => AnsiColor::Green,
        About::Article => AnsiColor::Yellow,
        About::Release => AnsiColor::BrightMagenta,
        About::Video => AnsiColor::Red,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::*;

    #[test]
    fn a_series_reads_well_without_colour() {
        let post = Post {
            mark: "abc".to_owned(),
            about: About::Series,
            state: "applied to bpf-next".to_owned(),
            tone: Tone::Applied,
            parts_left_out: 1,
            change: "It works now.".to_owned(),
            checks: "AI review: 1 finding (1 high)".to_owned(),
            reviews: String::new(),
            steps: vec!["v1 1 Jan".to_owned(), "applied 3 Jan".to_owned()],
            commit: None,
            page: None,
            tree: "bpf-next".to_owned(),
            title: "Let programs do a thing that they could not do before, in a rather long title"
                .to_owned(),
            author: "A. Author".to_owned(),
            at: Utc
                .with_ymd_and_hms(2025, 1, 3, 9, 0, 0)
                .single()
                .expect("a time"),
            feeds: vec!["bpf".to_owned(), "netdev".to_owned()],
            notes: vec!["v2".to_owned(), "2 patches".to_owned()],
            parts: vec![
                (
                    "1/2".to_owned(),
                    "bpf: Add bpf_do_a_thing() kfunc and teach the verifier about it".to_owned(),
                ),
                ("2/2".to_owned(), "selftests/bpf: Try it".to_owned()),
            ],
            summary: "This series adds a thing.".to_owned(),
            link: Some("https://lore.kernel.org/bpf/20250103.1@example.org/".to_owned()),
        };
        let text =
            anstream::adapter::strip_str(&render(&Content::Story(Box::new(post)), 60)).to_string();
        insta::assert_snapshot!(text, @r"
        ▌ SERIES · applied to bpf-next · v2 · 2 patches
        ▌ Fri 3 Jan 2025
        ▌ Let programs do a thing that they could not do before, in
        ▌ a rather long title
        ▌ A. Author · bpf, netdev
        ▌   1/2  bpf: Add bpf_do_a_thing() kfunc and teach the
        ▌        verifier about it
        ▌   2/2  selftests/bpf: Try it
        ▌   and 1 more
        ▌ This series adds a thing.
        ▌ Changed: It works now.
        ▌ AI review: 1 finding (1 high)
        ▌ v1 1 Jan → applied 3 Jan
        ▌ https://lore.kernel.org/bpf/20250103.1@example.org/
        ");
        assert!(text.lines().all(|line| line.width() <= 60));
    }
}

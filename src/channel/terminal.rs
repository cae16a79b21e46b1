//! Posts on a terminal, in colour or plain.

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};
use futures_util::future::{BoxFuture, FutureExt as _};
use unicode_width::UnicodeWidthStr as _;

use super::{Act, Platform, PostedMessage, Receipt, Scope, SendError, Work};
use crate::post::About;
use crate::post::story::{Content, IssuePost, Line, Post, Tone};

/// The widest layout; longer lines are hard to read.
const WIDTH_MAX: usize = 100;
const WIDTH_MIN: usize = 40;

const STRONG: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// The most posts that are remembered, to show what an edit changed; a post has a few kilobytes.
const SHOWN_MAX: usize = 200;

/// The terminal as a platform. Printed text cannot change, so an edit prints the changed lines of the post. If the post was
/// printed by an earlier process, an edit prints one line, and only if the state is new. The receipt is the last printed state.
#[derive(Debug, Default)]
pub struct Terminal {
    /// The columns of every post; `None` for those of the terminal.
    width: Option<usize>,
    shown: Mutex<ShownPosts>,
}

/// The latest posts as they were printed, by their marks.
#[derive(Debug, Default)]
struct ShownPosts {
    by_mark: HashMap<String, Post>,
    /// The marks, oldest first.
    order: VecDeque<String>,
}

impl ShownPosts {
    /// Remembers a post; returns it as it was before.
    fn replace(&mut self, post: &Post) -> Option<Post> {
        let before = self.by_mark.insert(post.mark.clone(), post.clone());
        if before.is_none() {
            self.order.push_back(post.mark.clone());
            if self.order.len() > SHOWN_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.by_mark.remove(&oldest);
            }
        }
        before
    }
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
            lines.extend(digest.lines.iter().flat_map(|line| one_line(line, width)));
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

/// The lines of a post that an edit changed, below its title; `None` if a reader would see no difference.
fn edited(before: &Post, post: &Post, width: usize) -> Option<String> {
    let inner = width.saturating_sub(2);
    let mut changed: Vec<String> = Vec::new();
    // A new step names the state, so one of the two is enough.
    let is_step = before.steps != post.steps && !post.steps.is_empty();
    if before.state != post.state && !is_step {
        changed.push(format!("{} → {}", before.state, post.state));
    }
    let is_new = |note: &&String| !before.notes.contains(note) && **note != post.state;
    let notes: Vec<&str> = post
        .notes
        .iter()
        .filter(is_new)
        .map(String::as_str)
        .collect();
    // When the story began is above already.
    let notes: Vec<&str> = notes
        .into_iter()
        .filter(|note| !note.starts_with("first "))
        .collect();
    changed.extend((!notes.is_empty()).then(|| notes.join(" · ")));
    let line = |(number, title): &(String, String)| format!("{number}  {title}");
    let parts = |post: &Post| post.parts.iter().map(line).collect::<Vec<String>>();
    let (were, are) = (parts(before), parts(post));
    changed.extend(
        were.iter()
            .filter(|line| !are.contains(line))
            .map(|line| format!("− {line}")),
    );
    changed.extend(
        are.iter()
            .filter(|line| !were.contains(line))
            .map(|line| format!("+ {line}")),
    );
    if before.summary != post.summary && !post.summary.is_empty() {
        changed.push(post.summary.clone());
    }
    if before.change != post.change && !post.change.is_empty() {
        changed.push(format!("Changed: {}", post.change));
    }
    if before.checks != post.checks && !post.checks.is_empty() {
        changed.push(post.checks.clone());
    }
    changed.extend(is_step.then(|| post.steps.join(" → ")));
    let is_renamed = before.title != post.title;
    if changed.is_empty() && !is_renamed {
        return None;
    }
    let mut lines = Vec::new();
    let title = wrap(&format!("edited: {}", post.title), inner);
    lines.extend(title.iter().map(|line| format!("{STRONG}{line}{STRONG:#}")));
    if is_renamed {
        changed.insert(0, format!("title before: {}", before.title));
    }
    for change in &changed {
        let wrapped = wrap(change, inner.saturating_sub(2));
        lines.extend(wrapped.iter().map(|line| format!("  {line}")));
    }
    let link = post
        .link
        .iter()
        .filter(|link| before.link.as_ref() != Some(link));
    lines.extend(link.map(|link| format!("  {DIM}{link}{DIM:#}")));
    Some(barred(post.tone, &lines))
}

/// The line printed for an edit, if the post is not known.
fn moved(content: &Content, width: usize) -> Option<String> {
    match content {
        Content::Story(post) => {
            let line = Line {
                what: post.state.clone(),
                title: post.title.clone(),
                link: None,
                tone: post.tone,
                mark: String::new(),
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
    let text = match line.what.is_empty() {
        true => line.title.clone(),
        false => format!("{}: {}", line.what, line.title),
    };
    let mut lines = wrap(&text, width.saturating_sub(2));
    lines.extend(line.link.iter().map(|link| format!("{DIM}{link}{DIM:#}")));
    lines
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
            for row in one_line(line, inner) {
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
    for quiet in [&post.checks, &post.steps.join(" → ")] {
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
    if text.is_empty() {
        return Vec::new();
    }
    // Links and identifiers stay whole, so that they can be copied.
    let options = textwrap::Options::new(width)
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
            steps: vec!["v1 1 Jan".to_owned(), "applied 3 Jan".to_owned()],
            refs: Vec::new(),
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

    fn post(state: &str) -> Post {
        Post {
            mark: "abc".to_owned(),
            about: About::Series,
            state: state.to_owned(),
            tone: Tone::New,
            parts_left_out: 0,
            change: String::new(),
            checks: String::new(),
            steps: Vec::new(),
            refs: Vec::new(),
            tree: "bpf".to_owned(),
            title: "Do a thing".to_owned(),
            author: "A. Author".to_owned(),
            at: Utc
                .with_ymd_and_hms(2025, 1, 3, 9, 0, 0)
                .single()
                .expect("a time"),
            feeds: vec!["bpf".to_owned()],
            notes: vec!["2 patches".to_owned()],
            parts: vec![
                ("1/2".to_owned(), "bpf: Do it".to_owned()),
                ("2/2".to_owned(), "bpf: Try it".to_owned()),
            ],
            summary: "This does a thing.".to_owned(),
            link: Some("https://lore.kernel.org/bpf/1@example.org/".to_owned()),
        }
    }

    fn edit(terminal: &Terminal, post: &Post, said: &str) -> Option<String> {
        let act = Act::Edit {
            receipt: Receipt {
                message: said.to_owned(),
                thread: None,
            },
            content: Content::Story(Box::new(post.clone())),
        };
        let text = terminal.text(&act)?;
        Some(anstream::adapter::strip_str(&text).to_string())
    }

    #[test]
    fn an_edit_prints_the_changed_lines_only() {
        let terminal = Terminal::with_width(50);
        let first = post("posted");
        let send = Act::Send {
            content: Content::Story(Box::new(first.clone())),
            under: None,
        };
        terminal.text(&send).expect("a post");
        assert_eq!(edit(&terminal, &first, "posted"), None);
        let mut elsewhere = first.clone();
        elsewhere.feeds.push("netdev".to_owned());
        assert_eq!(edit(&terminal, &elsewhere, "posted"), None, "no news");
        let mut second = post("v2");
        second.notes = vec!["first 3 Jan".to_owned(), "2 patches".to_owned()];
        second.parts[1].1 = "selftests/bpf: Try it".to_owned();
        second.change = "The test is a self-test.".to_owned();
        second.checks = "AI review: 1 finding".to_owned();
        second.steps = vec!["v1 3 Jan".to_owned(), "v2 5 Jan".to_owned()];
        second.link = Some("https://lore.kernel.org/bpf/2@example.org/".to_owned());
        insta::assert_snapshot!(edit(&terminal, &second, "posted").expect("an edit"), @"
        ▏ edited: Do a thing
        ▏   − 2/2  bpf: Try it
        ▏   + 2/2  selftests/bpf: Try it
        ▏   Changed: The test is a self-test.
        ▏   AI review: 1 finding
        ▏   v1 3 Jan → v2 5 Jan
        ▏   https://lore.kernel.org/bpf/2@example.org/
        ");
        let mut renamed = second.clone();
        renamed.title = "Do another thing".to_owned();
        insta::assert_snapshot!(edit(&terminal, &renamed, "v2").expect("an edit"), @"
        ▏ edited: Do another thing
        ▏   title before: Do a thing
        ");
    }

    #[test]
    fn an_edit_of_an_unknown_post_is_one_line() {
        let terminal = Terminal::with_width(50);
        let applied = post("applied to bpf");
        let text = edit(&terminal, &applied, "posted").expect("an edit");
        assert_eq!(text, "▏ applied to bpf: Do a thing\n");
        let terminal = Terminal::with_width(50);
        assert_eq!(edit(&terminal, &applied, "applied to bpf"), None);
    }

    #[test]
    fn only_the_latest_posts_are_remembered() {
        let mut shown = ShownPosts::default();
        for number in 0..=SHOWN_MAX {
            let mut post = post("posted");
            post.mark = number.to_string();
            assert!(shown.replace(&post).is_none());
        }
        assert_eq!(
            (shown.by_mark.len(), shown.order.len()),
            (SHOWN_MAX, SHOWN_MAX)
        );
        assert!(!shown.by_mark.contains_key("0"));
    }
}

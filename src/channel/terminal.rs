//! Posts on a terminal: pleasant to read in colour, and just as well without.

use anstyle::{AnsiColor, Effects, Style};
use unicode_width::UnicodeWidthStr as _;

use crate::post::{About, Post};

/// The widest a post is laid out; longer lines tire the eye.
const WIDTH_MAX: usize = 100;
/// The narrowest.
const WIDTH_MIN: usize = 40;

/// The width to lay posts out for: the terminal's, within reason; 100 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(WIDTH_MAX, |(width, _)| {
        usize::from(width.0).clamp(WIDTH_MIN, WIDTH_MAX)
    })
}

/// Lays a post out over `width` columns, with ANSI styles; the writer leaves them out where they are not wanted.
pub fn render(post: &Post, width: usize) -> String {
    let colour = Style::new().fg_color(Some(colour(post.about).into()));
    let strong = Style::new().effects(Effects::BOLD);
    let dim = Style::new().effects(Effects::DIMMED);
    let bar = format!("{colour}▌{colour:#} ");
    let inner = width.saturating_sub(2);
    let mut lines = Vec::new();

    let mut label = vec![post.about.word().to_uppercase()];
    label.extend((!post.tree.is_empty()).then(|| post.tree.clone()));
    label.extend(post.notes.iter().cloned());
    let label = label.join(" · ");
    let date = post.at.format("%a %-d %b %Y").to_string();
    let room = inner.saturating_sub(label.width() + date.width());
    if room > 0 {
        lines.push(format!(
            "{colour}{label}{colour:#}{}{dim}{date}{dim:#}",
            " ".repeat(room)
        ));
    } else {
        lines.extend(
            wrap(&label, inner)
                .into_iter()
                .map(|line| format!("{colour}{line}{colour:#}")),
        );
        lines.push(format!("{dim}{date}{dim:#}"));
    }
    lines.extend(
        wrap(&post.title, inner)
            .into_iter()
            .map(|line| format!("{strong}{line}{strong:#}")),
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
            .map(|line| format!("{dim}{line}{dim:#}")),
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
                0 => format!("  {dim}{number:>digits$}{dim:#}  {line}"),
                _ => format!("{indent}{line}"),
            });
        }
    }
    lines.extend(wrap(&post.summary, inner));
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
    // Links and identifiers stay whole: a broken one cannot be copied.
    let options = textwrap::Options::new(width)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .word_separator(textwrap::WordSeparator::AsciiSpace);
    textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
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
            about: About::Series,
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
        let text = anstream::adapter::strip_str(&render(&post, 60)).to_string();
        insta::assert_snapshot!(text, @r"
        ▌ SERIES · bpf-next · v2 · 2 patches          Fri 3 Jan 2025
        ▌ Let programs do a thing that they could not do before, in
        ▌ a rather long title
        ▌ A. Author · bpf, netdev
        ▌   1/2  bpf: Add bpf_do_a_thing() kfunc and teach the
        ▌        verifier about it
        ▌   2/2  selftests/bpf: Try it
        ▌ This series adds a thing.
        ▌ https://lore.kernel.org/bpf/20250103.1@example.org/
        ");
        assert!(text.lines().all(|line| line.width() <= 60));
    }
}

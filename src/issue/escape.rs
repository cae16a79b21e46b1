//! Text in Markdown that is read as it is written, and can be nothing else.

use crate::post::plain;

/// A link with its text, or the text alone.
pub(super) fn link_to(text: &str, link: Option<&str>) -> String {
    match link.and_then(|link| url::Url::parse(link).ok()) {
        Some(url) => {
            // Characters that would end the target are percent-encoded.
            let url = String::from(url)
                .replace('(', "%28")
                .replace(')', "%29")
                .replace('<', "%3C")
                .replace('\\', "%5C");
            format!("[{}]({url})", escape(text))
        }
        None => escape(text),
    }
}

/// A code span, with enough backticks.
pub(super) fn code(text: &str) -> String {
    let text = plain(text);
    let runs = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(runs + 1);
    // Spaces alone are kept as they are; other spaces at both ends would lose one.
    let is_blank = text.trim().is_empty() && !text.is_empty();
    let is_padded = text.starts_with(' ') && text.ends_with(' ');
    match !is_blank
        && (text.starts_with('`') || text.ends_with('`') || text.is_empty() || is_padded)
    {
        true => format!("{fence} {text} {fence}"),
        false => format!("{fence}{text}{fence}"),
    }
}

/// Text that is read as it is written. Brackets stay as they are where they are balanced: `[PATCH bpf-next 0/4] …`.
pub(super) fn escape(text: &str) -> String {
    let text = plain(text);
    let are_brackets_plain = are_brackets_plain(&text);
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let acts = match c {
            '\\' | '`' | '*' | '<' => true,
            '[' | ']' => !are_brackets_plain,
            // Inside a word it means nothing.
            '_' => {
                !(is_word(before) && is_word(after)) || before == Some('_') || after == Some('_')
            }
            '&' => after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '#'),
            '!' => after == Some('['),
            '~' => after == Some('~') || before == Some('~'),
            '{' | '|' => true,
            '#' | '>' | '+' | '-' | '=' => at == 0,
            _ => false,
        };
        let is_number = at == number_end(&chars) && matches!(c, '.' | ')');
        if acts || is_number {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Where the digits end that a text begins with: `1.` would begin a list. Beyond the text where it begins with none.
fn number_end(chars: &[char]) -> usize {
    match chars.iter().take_while(|c| c.is_ascii_digit()).count() {
        0 => usize::MAX,
        digits => digits,
    }
}

/// Whether brackets are in pairs, and none begins a link for Markdown.
fn are_brackets_plain(text: &str) -> bool {
    if ["](", "][", "]:"].iter().any(|sign| text.contains(sign)) {
        return false;
    }
    let mut depth = 0_i32;
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::*;

    /// The visible text of Markdown, and the targets of its links.
    fn seen(markdown: &str) -> (String, Vec<String>) {
        let (mut text, mut links) = (String::new(), Vec::new());
        for event in Parser::new_ext(
            markdown,
            Options::all() & !Options::ENABLE_SMART_PUNCTUATION,
        ) {
            match event {
                Event::Text(said) | Event::Code(said) => text.push_str(&said),
                Event::Html(raw) | Event::InlineHtml(raw) => panic!("{raw} is HTML in {markdown}"),
                Event::Start(Tag::Link { dest_url, .. }) => links.push(dest_url.into_string()),
                Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph | TagEnd::Link) => {}
                other => panic!("{other:?} in {markdown}"),
            }
        }
        (text, links)
    }

    #[test]
    fn hostile_titles_are_read_as_they_are_written() {
        for title in [
            "[PATCH bpf-next v3 2/7] bpf: Use __sk_buff and *ptr of <linux/bpf.h>",
            "selftests/bpf: get rid of -D__x86_64__",
            "]( https://evil.example/) [x",
            "[a](https://evil.example/)",
            "[a][b] and [c]: https://evil.example/",
            "# heading",
            "- item",
            "1. item",
            "23) item",
            "`code` ``more``",
            "**bold** _em_ ~~gone~~ a_b_c",
            "<script>alert(1)</script> &amp; &#65; AT&T",
            "![img](https://evil.example/i.png)",
            "trailing backslash \\",
            "| a | b |",
            "{'{'} {{template}}",
            "> quoted",
            "https://evil.example/ \u{202e}",
        ] {
            let right = plain(title);
            let (text, links) = seen(&escape(title));
            assert_eq!(text.trim(), right.trim(), "{title}");
            assert!(links.is_empty(), "{title}: {links:?}");
            let url = "https://a.example/x_(y)?z=[1]";
            let (text, links) = seen(&link_to(title, Some(url)));
            assert_eq!(text.trim(), right.trim(), "{title} as a link");
            assert_eq!(links.len(), 1, "{title} as a link: {links:?}");
            assert!(links[0].starts_with("https://a.example/"), "{links:?}");
            let (text, _) = seen(&code(title));
            assert_eq!(text.trim(), right.trim(), "{title} as code");
        }
    }
}

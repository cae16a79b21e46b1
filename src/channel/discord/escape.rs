//! Escapes text, so that Discord shows it as it was written.

use crate::channel::text::link_at;

/// Escapes Discord's markdown, mentions, timestamps and emoji names. Web addresses stay as they are, so that they work.
pub fn escape(text: &str) -> String {
    escaped(text, true)
}

/// Escapes the label of a link, including addresses in it: Discord shows no link if its label contains one.
pub fn escape_label(text: &str) -> String {
    escaped(text, false)
}

fn escaped(text: &str, keeps_links: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut starts_line = true;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if keeps_links && let Some(link) = link_at(text, at) {
            out.push_str(&text[link.clone()]);
            at = link.end;
            starts_line = false;
            continue;
        }
        let rest = &text[at + c.len_utf8()..];
        if starts_line && c.is_ascii_digit() {
            let digits = text[at..].len() - text[at..].trim_start_matches(is_digit).len();
            out.push_str(&text[at..at + digits]);
            at += digits;
            if let Some(dot) = text[at..].chars().next().filter(|&c| c == '.' || c == ')') {
                out.extend(['\\', dot]);
                at += 1;
            }
            starts_line = false;
            continue;
        }
        let means_something = match c {
            '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '[' | ']' => true,
            '#' | '-' | '+' | '>' => starts_line,
            ':' => rest.starts_with("//") || names_an_emoji(rest),
            '@' => rest.starts_with("everyone") || rest.starts_with("here"),
            _ => false,
        };
        if means_something {
            out.push('\\');
        }
        out.push(c);
        at += c.len_utf8();
        starts_line = match c {
            '\n' | '\r' => true,
            c if c.is_whitespace() => starts_line,
            _ => false,
        };
    }
    out
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Whether `rest`, the text after a colon, completes an emoji's name: `tada:`.
fn names_an_emoji(rest: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-');
    let after = rest.trim_start_matches(is_of_name);
    after.len() < rest.len() && after.starts_with(':')
}

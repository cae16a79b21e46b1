//! Cutting text to a limit of code points, the unit of Discord's limits, and escaping it for Discord.

use std::ops::Range;

use url::Url;

/// Replaces the text that was cut off.
const ELLIPSIS: char = '…';
/// The longest grapheme cluster kept whole.
const CLUSTER_CHARS_MAX: usize = 16;

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

/// The web address at byte `at`, as Discord recognizes it. `None` if its host has unusual characters: Discord then
/// shows it as text with markdown.
fn link_at(text: &str, at: usize) -> Option<Range<usize>> {
    let here = &text[at..];
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| here.starts_with(scheme))?;
    let ends =
        |c: char| !c.is_ascii() || c.is_ascii_control() || c == ' ' || "<>\"`|\\[]{}^".contains(c);
    let mut link = &here[..here.find(ends).unwrap_or(here.len())];
    loop {
        let is_stray = match link.chars().next_back() {
            Some('.' | ',' | ':' | ';' | '\'' | '!' | '?') => true,
            Some(')') => link.matches('(').count() < link.matches(')').count(),
            _ => false,
        };
        if !is_stray {
            break;
        }
        link = &link[..link.len() - 1];
    }
    let host = link.get(scheme.len()..)?.split(['/', '?', '#']).next()?;
    let is_plain = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'));
    (is_plain && Url::parse(link).is_ok()).then(|| at..at + link.len())
}

/// Cuts a text to at most `max` code points, `…` included. It never cuts inside an address, an escape or a grapheme
/// cluster, and prefers the end of a word.
pub fn cut(text: &str, max: usize) -> String {
    if count(text) <= max {
        return text.to_owned();
    }
    let Some(room) = max.checked_sub(1) else {
        return String::new();
    };
    let (mut at, mut chars, mut word_end) = (0, 0, 0);
    while at < text.len() {
        let end = at + piece(&text[at..], text, at);
        let more = count(&text[at..end]);
        if chars + more > room {
            break;
        }
        if text[at..end].starts_with(char::is_whitespace) {
            word_end = at;
        }
        chars += more;
        at = end;
    }
    if text[at..].starts_with(char::is_whitespace) || word_end <= at / 2 {
        word_end = at;
    }
    format!("{}{ELLIPSIS}", text[..word_end].trim_end())
}

/// The number of code points.
pub fn count(text: &str) -> usize {
    text.chars().count()
}

/// The bytes of the indivisible piece of `text` at byte `at`, where `here` starts.
fn piece(here: &str, text: &str, at: usize) -> usize {
    if let Some(link) = link_at(text, at) {
        return link.len();
    }
    let mut chars = here.char_indices();
    let Some((_, first)) = chars.next() else {
        return 0;
    };
    let mut previous = first;
    if first == '\\'
        && let Some((_, second)) = chars.clone().next()
        && second.is_ascii_punctuation()
    {
        chars.next();
        previous = second;
    }
    let mut is_half_flag = is_flag_letter(first);
    for (taken, (at, c)) in chars.enumerate() {
        let is_flag = is_half_flag && is_flag_letter(c);
        is_half_flag = false;
        if taken >= CLUSTER_CHARS_MAX || !(is_flag || joins(c) || previous == '\u{200d}') {
            return at;
        }
        previous = c;
    }
    here.len()
}

fn is_flag_letter(c: char) -> bool {
    matches!(c, '\u{1f1e6}'..='\u{1f1ff}')
}

/// Whether a character extends the one before it: accents, vowel points, variations, skin tones, joiners. Covers the
/// blocks common in mails, not all of Unicode.
fn joins(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{900}'..='\u{903}'
        | '\u{93a}'..='\u{94f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}' | '\u{3099}'..='\u{309a}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

//! Cutting text to a number of code points, the unit of all limits here, without breaking addresses or characters.

use std::ops::Range;

use url::Url;

/// Replaces the text that was cut off.
const ELLIPSIS: char = '…';
/// The longest grapheme cluster kept whole.
const CLUSTER_CHARS_MAX: usize = 16;

/// The web address at byte `at`, as Discord recognizes it. `None` if its host has unusual characters: Discord then
/// shows it as text with markdown.
pub(super) fn link_at(text: &str, at: usize) -> Option<Range<usize>> {
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

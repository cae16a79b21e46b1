//! Words of messages about a configuration: values as they were found, and hints at the right ones.

use super::keys::{KEYS, TableName};

/// The most characters of a wrong value that a message repeats.
const FOUND_CHARS_MAX: usize = 40;

/// How similar (0 to 1) a known key must be to be suggested for an unknown one.
const LIKENESS_MIN: f64 = 0.8;

/// Quotes text, cut and escaped so that it cannot disturb a terminal.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

pub(super) fn printable(text: &str) -> String {
    shortened(text)
        .escape_debug()
        .to_string()
        .replace("\\'", "'")
}

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(FOUND_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The message for a key that this table does not have.
pub(super) fn unknown(within: TableName, key: &str) -> String {
    let elsewhere = KEYS.iter().find(|(_, known)| *known == key);
    if let Some((right, _)) = elsewhere {
        return format!("this key belongs {}", right.place());
    }
    let here = KEYS.iter().filter(|(place, _)| *place == within);
    let here: Vec<&str> = here.map(|(_, known)| *known).collect();
    match did_you_mean(key, here.iter().copied()) {
        hint if hint.is_empty() => format!("unknown key; expected one of {}", here.join(", ")),
        hint => format!("unknown key{hint}"),
    }
}

/// `; did you mean "this"?`, or nothing if no word is similar.
pub(super) fn did_you_mean<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> String {
    words
        .map(|word| (strsim::jaro_winkler(&text.to_lowercase(), word), word))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or_else(String::new, |(_, word)| {
            format!("; did you mean \"{word}\"?")
        })
}

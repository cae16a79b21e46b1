//! Makes URLs and servers' messages safe to show in errors.

use std::error::Error;

use url::Url;

use crate::item::prose;

/// The most characters of a URL that are shown.
const URL_CHARS_MAX: usize = 200;

/// The most characters of a system's or server's message that are shown.
const CAUSE_CHARS_MAX: usize = 160;

/// A URL for errors: without user, fragment and query, which may contain secrets.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    bare(&mut url);
    clean(url.as_str(), URL_CHARS_MAX)
}

/// Removes user, password and fragment, which are never sent and never shown.
pub(super) fn bare(url: &mut Url) {
    url.set_fragment(None);
    // Fails only where a URL cannot have a user, and then it has none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// One line of at most `chars_max` characters, without control characters and bidirectional overrides.
pub(super) fn clean(text: &str, chars_max: usize) -> String {
    let visible: String = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|&c| !c.is_control() && !prose::is_invisible(c))
        .collect();
    let line = visible.split(' ').filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    if line.chars().count() <= chars_max {
        return line;
    }
    let mut short: String = line.chars().take(chars_max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The innermost cause of an error; the outer layers only say that a request failed.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    clean(&innermost.to_string(), CAUSE_CHARS_MAX)
}

/// The first `T` in a chain of causes. It also looks inside IO errors, because their `source` skips the error that they wrap.
pub(super) fn find_cause<'a, T: Error + 'static>(
    error: &'a (dyn Error + 'static),
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://me:pw@example.org/a/b?token=secret#x").expect("well-formed");
        assert_eq!(shown(&url), "https://example.org/a/b");
        let long = Url::parse(&format!("https://example.org/{}", "a".repeat(900))).expect("same");
        assert_eq!(shown(&long).chars().count(), URL_CHARS_MAX);
    }

    #[test]
    fn a_servers_words_are_one_visible_line() {
        let check = |text: &str, want: &str| assert_eq!(clean(text, 12), want);
        check("a\r\n\tb  c", "a b c");
        check("\u{1b}[31mred", "[31mred");
        check("ab\u{202e}cd\u{200b}", "abcd");
        check("a long story told", "a long stor…");
    }
}

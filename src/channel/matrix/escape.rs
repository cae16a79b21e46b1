//! Text and links of strangers in Matrix' HTML.

use std::fmt::Write as _;

use url::Url;

use crate::channel::text::cut;
use crate::post::plain;

/// The most bytes of a link.
pub(super) const LINK_BYTES_MAX: usize = 1_000;

/// A web address; `None` for one that clients show as a mention of a person or a room.
pub(super) fn web_link(link: Option<&str>) -> Option<String> {
    let link = Url::parse(link?).ok()?;
    let is_pill = link.host_str() == Some("matrix.to");
    let is_web = matches!(link.scheme(), "http" | "https");
    (is_web && !is_pill && link.as_str().len() <= LINK_BYTES_MAX).then(|| link.into())
}

/// Plain text, cut to a number of characters, never inside an address.
pub(super) fn shown(text: &str, chars_max: usize) -> String {
    cut(plain(text).trim(), chars_max)
}

/// Escapes text for HTML. Words that clients would turn into a mention are marked as code, which clients leave alone.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for word in text.split_inclusive(char::is_whitespace) {
        let (word, space) = word.split_at(word.trim_end().len());
        match could_mention(word) {
            true => {
                let _ = write!(out, "<code>{}</code>", entities(word));
            }
            false => out.push_str(&entities(word)),
        }
        out.push_str(space);
    }
    out
}

/// Whether a word contains `@room`, the id of a person or a room, or a link to one.
fn could_mention(word: &str) -> bool {
    let names_somebody = |sigil: char| {
        let mut rests = word.match_indices(sigil).map(|(at, _)| &word[at + 1..]);
        rests.any(|rest| {
            let parts = rest.split_once(':');
            parts.is_some_and(|(name, invites)| {
                !name.is_empty() && invites.starts_with(|c: char| c.is_alphanumeric() || c == '[')
            })
        })
    };
    let lower = word.to_ascii_lowercase();
    lower.contains("@room")
        || lower.contains("matrix.to/")
        || lower.contains("matrix:")
        || ['@', '#', '!'].into_iter().any(names_somebody)
}

pub(super) fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

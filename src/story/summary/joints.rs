//! Where paragraphs begin, end, and go on: judged by a line and those beside it.

use super::lines::{is_attribution, is_quote};
use crate::item::prose::lines;

/// The lines without the indentation that all of them share, as `git log` adds it.
pub(super) fn dedented(text: &str) -> Vec<&str> {
    let shared = lines(text)
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    lines(text)
        .map(|line| line.get(shared..).unwrap_or_default().trim_end())
        .collect()
}

/// Whether a line names the author of the quote below it, on the next line or the one after.
pub(super) fn introduces_quote(line: &str, rest: &[&str]) -> bool {
    let mut below = rest.iter().filter(|line| !line.is_empty());
    let (next, second) = (below.next(), below.next());
    let is_next = next.is_some_and(|next| is_quote(next));
    let is_second = next.is_some_and(|next| next.ends_with(':'))
        && second.is_some_and(|second| is_quote(second));
    is_attribution(line) && (is_next || (is_second && line.starts_with("On ")))
}

/// Headings above the first description in a letter.
pub(super) fn is_start(line: &str) -> bool {
    let bare = line
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_ascii_lowercase();
    [
        "tl;dr",
        "tldr",
        "abstract",
        "summary",
        "overview",
        "introduction",
        "description",
        "intro",
    ]
    .contains(&bare.as_str())
}

/// Whether a paragraph continues a sentence from above text that was left out.
pub(super) fn resumes(lead: &str, interrupted: bool) -> bool {
    let mut words = lead.split(' ');
    let first = words.next().unwrap_or_default().trim_end_matches(',');
    let second = words.next().unwrap_or_default();
    let joins = [
        "and", "or", "but", "which", "where", "because", "though", "although",
    ];
    joins.contains(&first.to_ascii_lowercase().as_str())
        // Some never write capitals: `this series …` begins something all the same.
        || (interrupted
            && first.bytes().all(|b| b.is_ascii_lowercase())
            && !["this", "these", "the", "we", "it", "i", "to", "so"].contains(&first)
            && !(first == "in" && ["this", "these", "my", "our"].contains(&second)))
}

/// Whether a paragraph ends a sentence, or announces something.
pub(super) fn is_finished(lead: &str) -> bool {
    lead.trim_end_matches(['"', ')', '\'', '`'])
        .ends_with(['.', '!', '?', ':'])
}

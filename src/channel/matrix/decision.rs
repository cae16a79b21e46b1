//! The reactions by which editors decide about suggestions.

pub(super) const ACCEPT: &str = "👍";
pub(super) const DECLINE: &str = "👎";

/// The prefix of a suggestion's mark.
pub(super) const SUGGESTION: &str = "suggestion-";

/// The command for a reaction. Clients send the same emoji with and without a skin tone or a variation selector.
pub(super) fn decision(key: &str) -> Option<&'static str> {
    let plain: String = key
        .chars()
        .filter(|c| !matches!(c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'))
        .collect();
    match plain.as_str() {
        ACCEPT => Some("accept"),
        DECLINE => Some("decline"),
        _ => None,
    }
}

//! How an editor decides a suggestion by a reaction.

/// The reactions by which editors decide.
pub(super) const ACCEPT: &str = "👍";
pub(super) const DECLINE: &str = "👎";

/// What the marks of suggestions begin with.
pub(super) const SUGGESTION: &str = "suggestion-";

/// The command that a reaction stands for. Clients write the same hand with and without a tone or a variation.
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

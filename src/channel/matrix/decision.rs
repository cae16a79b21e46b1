//! The reactions that are commands: editors decide about suggestions, and everybody follows stories.

use crate::chat::Audience;

pub(super) const ACCEPT: &str = "👍";
pub(super) const DECLINE: &str = "👎";

/// The prefix of a suggestion's mark.
pub(super) const SUGGESTION: &str = "suggestion-";

/// Follows the story of a post.
pub(super) const FOLLOW: &str = "🔔";

/// A reaction as a command, without its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReactionCommand {
    pub(super) audience: Audience,
    pub(super) word: &'static str,
}

/// The command for a reaction. Clients send the same emoji with and without a skin tone or a variation selector.
pub(super) fn decision(key: &str) -> Option<ReactionCommand> {
    let plain: String = key
        .chars()
        .filter(|c| !matches!(c, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'))
        .collect();
    let (audience, word) = match plain.as_str() {
        ACCEPT => (Audience::Editors, "accept"),
        DECLINE => (Audience::Editors, "decline"),
        FOLLOW => (Audience::Readers, "follow"),
        _ => return None,
    };
    Some(ReactionCommand { audience, word })
}

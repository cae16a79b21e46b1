//! The links that a feed had for several of its entries, remembered: an entry that comes alone later, with such a link and a
//! new guid, is a new one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::item::{ItemKey, Linked, hex};

/// The most links that are remembered of a feed; the oldest are forgotten.
const LINKS_MAX: usize = 200;
/// Bytes of a digest that are kept of a link.
const DIGEST_BYTES: usize = 8;

/// The links, as digests, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Reused(Vec<String>);

impl Reused {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether several entries had this canonical link once.
    pub(super) fn has(&self, link: &str) -> bool {
        !self.is_empty() && self.0.contains(&digest(link))
    }

    /// Keeps what a document shows.
    pub(super) fn note(&mut self, shared: &HashMap<String, Linked>) {
        let mut new: Vec<String> = shared.keys().map(|link| digest(link)).collect();
        new.retain(|digest| !self.0.contains(digest));
        // The same document leaves the same behind.
        new.sort_unstable();
        self.0.append(&mut new);
        let over = self.0.len().saturating_sub(LINKS_MAX);
        self.0.drain(..over);
    }
}

fn digest(link: &str) -> String {
    hex(&ItemKey::link(link).digest()[..DIGEST_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_links_are_remembered_as_there_is_room_for() {
        let mut reused = Reused::default();
        for number in 0..=LINKS_MAX {
            reused.note(&HashMap::from([(
                format!("https://a.example/{number}"),
                Linked::Several,
            )]));
        }
        assert_eq!(reused.0.len(), LINKS_MAX);
        assert!(!reused.has("https://a.example/0"));
        assert!(reused.has("https://a.example/1") && reused.has("https://a.example/200"));
        let before = reused.clone();
        reused.note(&HashMap::from([(
            "https://a.example/7".to_owned(),
            Linked::Nothing,
        )]));
        assert_eq!(reused, before);
    }
}

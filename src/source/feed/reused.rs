//! Remembers links that several entries of a feed have had. A later entry with such a link and a new guid is a new entry.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::item::{ItemKey, Linked, hex};

/// The most links of one feed; the oldest are dropped.
const LINKS_MAX: usize = 200;
/// The bytes that are kept of a link's digest.
const DIGEST_BYTES: usize = 8;

/// The links, as digests, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ReusedLinks(Vec<String>);

impl ReusedLinks {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether several entries have had this canonical link.
    pub(super) fn has(&self, link: &str) -> bool {
        !self.is_empty() && self.0.contains(&digest(link))
    }

    /// Adds the shared links of a document.
    pub(super) fn note(&mut self, shared: &HashMap<String, Linked>) {
        let mut new: Vec<String> = shared.keys().map(|link| digest(link)).collect();
        new.retain(|digest| !self.0.contains(digest));
        // The same document must lead to the same cursor.
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
        let mut reused = ReusedLinks::default();
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

//! Addresses for readers that this program sets itself: the demo's feeds are copies, whose own addresses lead nowhere.

use std::collections::HashMap;

use crate::item::ItemData;
use crate::source::Page;

/// Addresses for readers by the Message-ID of a mail or the hash of a commit. No feed and no configuration can set one, so no
/// stranger can.
#[derive(Debug, Clone, Default)]
pub struct ReaderLinks(HashMap<String, String>);

impl FromIterator<(String, String)> for ReaderLinks {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(links: I) -> Self {
        Self(links.into_iter().collect())
    }
}

impl ReaderLinks {
    /// Gives the mails and commits of a page their addresses.
    pub(super) fn apply(&self, page: &mut Page) {
        if self.0.is_empty() {
            return;
        }
        for item in &mut page.items {
            let own = match &item.what {
                ItemData::Message { id, .. } => id.as_str(),
                ItemData::Commit { hash } => hash.as_str(),
                ItemData::Article { .. } | ItemData::Release { .. } | ItemData::Video { .. } => {
                    continue;
                }
            };
            if let Some(link) = self.0.get(own) {
                item.url = Some(link.clone());
            }
        }
    }
}

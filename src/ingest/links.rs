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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{CommitHash, Detail, Item, ItemKey, Linked, MessageId, Person};

    fn item(what: ItemData) -> Item {
        Item {
            what,
            title: "A title".to_owned(),
            author: Person::default(),
            url: None,
            at: None,
            written_at: None,
            text: String::new(),
            headers: Vec::new(),
            detail: Detail::Entry,
        }
    }

    #[test]
    fn mails_and_commits_get_the_links_that_are_set_for_them() {
        let hash = "85f68fe89832000000000000000000000000000a";
        let links: ReaderLinks = [
            ("1@x.example", "https://a.example/mail"),
            (hash, "https://a.example/commit"),
            ("https://b.example/", "https://a.example/article"),
        ]
        .map(|(id, link)| (id.to_owned(), link.to_owned()))
        .into_iter()
        .collect();
        let mail = |id| {
            item(ItemData::Message {
                id: MessageId::parse(id).expect("a Message-ID"),
                in_reply_to: None,
            })
        };
        let commit = item(ItemData::Commit {
            hash: CommitHash::parse(hash).expect("a hash"),
        });
        let article = item(ItemData::Article {
            key: ItemKey::link("https://b.example/"),
            linked: Linked::Own,
            paid: None,
        });
        let mut page = Page {
            items: vec![mail("1@x.example"), mail("2@x.example"), commit, article],
            ..Page::default()
        };
        links.apply(&mut page);
        let urls: Vec<Option<&str>> = page.items.iter().map(|item| item.url.as_deref()).collect();
        let (mail, commit) = ("https://a.example/mail", "https://a.example/commit");
        assert_eq!(urls, [Some(mail), None, Some(commit), None]);
    }
}

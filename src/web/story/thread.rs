//! Which patch of the newest version each answer is about.

use std::collections::HashMap;

use crate::item::{ItemKind, MessageId};
use crate::store::items::PageItem;
use crate::story::Story;
use crate::story::key::{self, JoinKey};
use crate::story::machine::Machines;

/// The most mails between an answer and the patch.
const DEPTH_MAX: usize = 32;

/// A person's answer to the newest version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PatchAnswer {
    /// The number of the answer in the database.
    pub(super) item: i64,
    /// The place of the patch; `None` for the cover letter.
    pub(super) patch: Option<usize>,
}

/// The answers of people to the newest version, oldest first.
pub(super) fn answered(story: &Story, items: &HashMap<String, PageItem>) -> Vec<PatchAnswer> {
    let Some(newest) = story.revisions.last() else {
        return Vec::new();
    };
    let mut targets: HashMap<JoinKey, Option<usize>> = HashMap::new();
    targets.extend(key_of_mail(&newest.root).map(|root| (root, None)));
    for (place, patch) in newest.patches.iter().enumerate() {
        targets.extend(key_of_mail(&patch.message_id).map(|key| (key, Some(place))));
    }
    let mails = items.values();
    let mails = mails.filter(|item| item.kind == ItemKind::Message);
    let mails: HashMap<JoinKey, &PageItem> = mails
        .filter_map(|item| Some((key_of_mail(&item.reference)?, item)))
        .collect();
    let machines = Machines::default();
    let mut answers: Vec<(i64, PatchAnswer)> = mails
        .iter()
        .filter(|(key, item)| !targets.contains_key(*key) && !machines.is_machine(&item.author))
        .filter_map(|(_, item)| {
            let patch = target(item, &mails, &targets)?;
            let answer = PatchAnswer {
                item: item.id,
                patch,
            };
            Some((item.at.timestamp(), answer))
        })
        .collect();
    answers.sort_by_key(|(at, answer)| (*at, answer.item));
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// The nearest patch, or cover letter, above a mail.
fn target(
    item: &PageItem,
    mails: &HashMap<JoinKey, &PageItem>,
    targets: &HashMap<JoinKey, Option<usize>>,
) -> Option<Option<usize>> {
    let mut above = item.parent;
    for _ in 0..DEPTH_MAX {
        let key = above?;
        if let Some(found) = targets.get(&key) {
            return Some(*found);
        }
        above = mails.get(&key)?.parent;
    }
    None
}

fn key_of_mail(id: &str) -> Option<JoinKey> {
    MessageId::parse(id).map(|id| key::mail(&id))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::item::Person;

    fn mail(id: i64, name: &str, parent: &str, email: &str) -> (String, PageItem) {
        let item = PageItem {
            id,
            kind: ItemKind::Message,
            reference: name.to_owned(),
            title: String::new(),
            author: Person {
                name: String::new(),
                email: email.to_owned(),
            },
            at: DateTime::from_timestamp(100 - id, 0).expect("a time"),
            link: None,
            parent: key_of_mail(parent),
            story: None,
        };
        (name.to_owned(), item)
    }

    #[test]
    fn an_answer_is_about_the_nearest_patch_above_it() {
        let patch = |number| json!({"number": number, "subject": "x", "message_id": format!("p{number}@x")});
        let at = "2025-01-01T00:00:00Z";
        let story: Story = serde_json::from_value(json!({
            "id": "a", "aliases": [], "kind": "series", "title": "x", "author": null, "url": null, "tree": null,
            "state": "posted", "score": 0, "relevant": true, "why": [], "first_at": at, "last_at": at, "feeds": [],
            "revisions": [{"version": 1, "posted_at": at, "root": "c@x", "cover": true, "total": 2,
                           "patches": [patch(1), patch(2)]}],
            "follow_ups": 0, "people": [], "events": [], "applied": [], "mainline": null, "stable": [], "fixes": [],
            "cves": [], "messages": [], "commits": [], "summary": [], "changes": {},
        }))
        .expect("a story");
        let items = HashMap::from([
            mail(1, "c@x", "", "a@x"),
            mail(2, "p1@x", "c@x", "a@x"),
            mail(3, "p2@x", "c@x", "a@x"),
            mail(4, "r@x", "p2@x", "b@x"),
            mail(5, "rr@x", "r@x", "a@x"),
            mail(6, "to-cover@x", "c@x", "b@x"),
            mail(7, "by-a-machine@x", "p1@x", "lkp@intel.com"),
            mail(8, "below-a-ghost@x", "ghost@x", "b@x"),
            // Two mails that answer each other.
            mail(9, "loop@x", "pool@x", "b@x"),
            mail(10, "pool@x", "loop@x", "b@x"),
        ]);
        let found = answered(&story, &items);
        let found: Vec<(i64, Option<usize>)> = found
            .iter()
            .map(|answer| (answer.item, answer.patch))
            .collect();
        assert_eq!(
            found,
            [(6, None), (5, Some(1)), (4, Some(1))],
            "oldest first"
        );
    }
}

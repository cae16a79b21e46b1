//! Which mails belong to a thread. An archive may send others as well: threads that it joined by their subjects, or anything.

use std::collections::{HashMap, HashSet};

use super::ThreadQuestion;
use crate::item::{Item, ItemData, MessageId};

/// The most mails above one mail that are read.
const ABOVE_MAX: usize = 100;

/// The Message-ID of a mail.
pub(super) fn id_of(item: &Item) -> Option<&MessageId> {
    match &item.what {
        ItemData::Message { id, .. } => Some(id),
        _ => None,
    }
}

/// The mails above a mail: the one that it answers, and its references.
pub(super) fn above(item: &Item) -> Vec<MessageId> {
    let mut above = Vec::new();
    if let ItemData::Message { in_reply_to, .. } = &item.what {
        above.extend(in_reply_to.clone());
    }
    let references = item
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("References"));
    let ids = references.flat_map(|(_, value)| value.split_ascii_whitespace());
    // The nearest ones are the last.
    let mut ids: Vec<MessageId> = ids.filter_map(MessageId::parse).collect();
    above.extend(ids.drain(ids.len().saturating_sub(ABOVE_MAX)..));
    above
}

/// A mail of an answer: its Message-ID, and those of the mails above it.
pub(super) type LinkedMail = (MessageId, Vec<MessageId>);

/// The places of those mails that belong to the thread: that are missing, or linked by references to a mail that is missing or
/// stored, perhaps over other mails of the answer.
pub(super) fn belonging(mails: &[LinkedMail], question: &ThreadQuestion) -> HashSet<usize> {
    let mut by_id: HashMap<&MessageId, Vec<usize>> = HashMap::new();
    for (place, (id, above)) in mails.iter().enumerate() {
        for linked in above.iter().chain([id]) {
            by_id.entry(linked).or_default().push(place);
        }
    }
    let known = question.known.iter().chain(&question.missing);
    let mut left: Vec<&MessageId> = known.chain([&question.mail]).collect();
    let mut met: HashSet<&MessageId> = left.iter().copied().collect();
    let mut belonging = HashSet::new();
    while let Some(id) = left.pop() {
        for &place in by_id.get(id).into_iter().flatten() {
            if belonging.insert(place) {
                let (own, above) = &mails[place];
                let linked = above.iter().chain([own]);
                left.extend(linked.filter(|linked| met.insert(linked)));
            }
        }
    }
    belonging
}

/// The mails that belong to the thread.
pub(super) fn of_thread(items: Vec<Item>, question: &ThreadQuestion) -> Vec<Item> {
    let linked: Vec<LinkedMail> = items
        .iter()
        .filter_map(|item| Some((id_of(item)?.clone(), above(item))))
        .collect();
    // Every item of an archive is a mail, so the places are those of the items.
    let belonging = belonging(&linked, question);
    let items = items.into_iter().enumerate();
    items
        .filter(|(place, _)| belonging.contains(place))
        .map(|(_, item)| item)
        .collect()
}

//! Readings of items that are not stored yet. They are made before the transaction, which every other writer waits for.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Reading;
use crate::item::{Item, ItemData};
use crate::story::StoredItem;
use crate::story::key;
use crate::story::machine::Machines;

/// Early readings of a page, by the positions of its items.
pub type EarlyReadings = HashMap<usize, EarlyReading>;

/// A reading of an item before it is stored: all that its own words say. It has no text, because its item has that.
#[derive(Debug)]
pub struct EarlyReading(Reading);

impl EarlyReading {
    /// Reads an item, and computes its keys and all that it mentions.
    pub fn of(item: &Item, machines: &Machines) -> Self {
        let mut reading = Reading::of(as_stored(item), machines);
        reading.keys();
        reading.mentions();
        reading.signed();
        reading.thanks();
        (reading.item.text, reading.item.headers) = (String::new(), Vec::new());
        Self(reading)
    }

    /// The reading of the same item, now that it is stored.
    pub fn stored(&self, item: StoredItem) -> Reading {
        let mut reading = self.0.clone();
        // Without a usable date of its own, an item has the time when it came, and some keys depend on the time.
        let sent_at = reading.sent_at();
        reading.item = item;
        if reading.sent_at() != sent_at {
            reading.keys = OnceLock::new();
        }
        reading
    }
}

/// Reads these items of a page.
pub fn read_early(
    items: &[Item],
    positions: impl Iterator<Item = usize>,
    machines: &Machines,
) -> EarlyReadings {
    let read = |position: usize| (position, EarlyReading::of(&items[position], machines));
    positions.map(read).collect()
}

/// An item as it would be stored, without all that only the database knows.
fn as_stored(item: &Item) -> StoredItem {
    let key = item.key();
    let (reference, parent) = match &item.what {
        ItemData::Commit { hash } => (hash.as_str(), None),
        ItemData::Message { id, in_reply_to } => (id.as_str(), in_reply_to.as_ref().map(key::mail)),
        ItemData::Article { .. } | ItemData::Release { .. } | ItemData::Video { .. } => {
            (key.as_str(), None)
        }
    };
    let at = item.at.unwrap_or_default();
    StoredItem {
        id: 0,
        kind: item.kind(),
        reference: reference.to_owned(),
        title: item.title.clone(),
        author: item.author.clone(),
        at,
        known_at: at,
        written_at: item.written_at,
        url: None,
        parent,
        paid: None,
        freed_at: None,
        feeds: Vec::new(),
        text: item.text.clone(),
        headers: item.headers.clone(),
    }
}

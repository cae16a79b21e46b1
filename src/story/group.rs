//! The items of one story, and the items of other stories that mention them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::key::JoinKey;
use super::reading::Reading;
use super::series::Posting;

/// The items of one story, oldest first, and the postings among them.
#[derive(Debug)]
pub struct Group<'a> {
    /// Its items.
    pub readings: Vec<&'a Reading>,
    /// Its postings; their mails are positions in `readings`.
    pub postings: Vec<Posting>,
    /// The posting that each mail is part of or an answer to; positions in `readings` and `postings`.
    pub owner: HashMap<usize, usize>,
    /// Stories that may be this one too, with the evidence. It is too weak to join them.
    pub near: BTreeSet<(JoinKey, &'static str)>,
}

/// Items of other stories that mention these: pull requests that list them, commits that fix them.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    readings: Vec<Reading>,
    /// Which of them mention a key.
    by_key: HashMap<JoinKey, Vec<usize>>,
}

impl Outside {
    /// Items that mention the folded ones, oldest first, with the outcome of pull requests among them.
    pub fn new(readings: Vec<Reading>) -> Self {
        let mut by_key: HashMap<JoinKey, Vec<usize>> = HashMap::new();
        for (at, reading) in readings.iter().enumerate() {
            for &key in reading.mentions() {
                by_key.entry(key).or_default().push(at);
            }
        }
        Self { readings, by_key }
    }

    /// All of them.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// The same, given away.
    pub fn into_readings(self) -> Vec<Reading> {
        self.readings
    }

    /// Those that speak of a group and are not in it, oldest first.
    pub fn of(&self, group: &Group<'_>) -> Vec<&Reading> {
        if self.by_key.is_empty() {
            return Vec::new();
        }
        let keys = group.readings.iter().flat_map(|reading| reading.keys());
        let speaking = keys.filter_map(|key| self.by_key.get(key)).flatten();
        let speaking: BTreeSet<usize> = speaking.copied().collect();
        if speaking.is_empty() {
            return Vec::new();
        }
        let own: HashSet<JoinKey> = group.readings.iter().map(|reading| reading.own).collect();
        let others = speaking.into_iter().map(|at| &self.readings[at]);
        others.filter(|other| !own.contains(&other.own)).collect()
    }
}

impl Group<'_> {
    /// A hash of the story's input: its items, their arrangement and the items that mention them (`mentioning`). The text of the
    /// items does not count, because it never changes.
    pub fn fingerprint(&self, mentioning: &[&Reading]) -> u64 {
        let mut hasher = DefaultHasher::new();
        for reading in self.readings.iter().chain(mentioning) {
            reading.item.id.hash(&mut hasher);
        }
        self.readings.len().hash(&mut hasher);
        for posting in &self.postings {
            let Posting {
                mails,
                cover,
                missing_root,
                version,
                total,
                at,
                rfc,
                resend,
                versioned,
                is_backport,
            } = posting;
            (mails, cover, missing_root, version, total, at).hash(&mut hasher);
            (rfc, resend, versioned, is_backport).hash(&mut hasher);
        }
        let owned = (0..self.readings.len()).map(|at| self.owner.get(&at));
        owned.for_each(|owner| owner.hash(&mut hasher));
        self.near.hash(&mut hasher);
        hasher.finish()
    }
}

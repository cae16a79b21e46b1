//! The fold: turns the items of a cluster into stories. Items with a common join key are in one cluster, so each cluster is
//! folded alone.

mod commits;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use self::commits::join_commits;
use super::key::Key;
use super::lineage;
use super::near;
use super::reading::{Reading, Role};
use super::series::{self, Place, Posting, Union};

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
    pub near: BTreeSet<(Key, &'static str)>,
}

/// Items of other stories that mention these: pull requests that list them, commits that fix them.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    readings: Vec<Reading>,
    /// Which of them mention a key.
    by_key: HashMap<Key, Vec<usize>>,
}

impl Outside {
    /// Items that mention the folded ones, oldest first, with the outcome of pull requests among them.
    pub fn new(readings: Vec<Reading>) -> Self {
        let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
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
        let own: HashSet<Key> = group.readings.iter().map(|reading| reading.own).collect();
        let others = speaking.into_iter().map(|at| &self.readings[at]);
        others.filter(|other| !own.contains(&other.own)).collect()
    }
}

impl Group<'_> {
    /// A hash of the story's input: its items, their arrangement and the items that mention them (`heard`). The text of the
    /// items does not count, because it never changes.
    pub fn print(&self, heard: &[&Reading]) -> u64 {
        let mut hasher = DefaultHasher::new();
        for reading in self.readings.iter().chain(heard) {
            reading.kept.id.hash(&mut hasher);
        }
        self.readings.len().hash(&mut hasher);
        for posting in &self.postings {
            let Posting {
                mails,
                cover,
                ghost,
                version,
                total,
                at,
                rfc,
                resend,
                versioned,
                is_backport,
            } = posting;
            (mails, cover, ghost, version, total, at).hash(&mut hasher);
            (rfc, resend, versioned, is_backport).hash(&mut hasher);
        }
        let owned = (0..self.readings.len()).map(|at| self.owner.get(&at));
        owned.for_each(|owner| owner.hash(&mut hasher));
        self.near.hash(&mut hasher);
        hasher.finish()
    }
}

/// Sorts readings for the fold: by time, then by name.
pub fn sort(readings: &mut [Reading]) {
    readings.sort_by(|a, b| (a.kept.at, &a.kept.reference).cmp(&(b.kept.at, &b.kept.reference)));
}

/// Groups a cluster's items, sorted by [`sort`], into stories.
pub fn groups(readings: &[Reading]) -> Vec<Group<'_>> {
    let place = Place::of(readings);
    let postings = series::postings(&place);
    let mut union = Union::new(readings.len());
    for posting in &postings {
        for &at in &posting.mails[1..] {
            union.join(posting.lead(), at);
        }
    }
    let mut owner: HashMap<usize, usize> = HashMap::new();
    for (p, posting) in postings.iter().enumerate() {
        owner.extend(posting.mails.iter().map(|&at| (at, p)));
    }
    join_answers(&place, &postings, &mut union, &mut owner);
    let mut lineages = lineage::lineages(&place, &postings, &owner);
    for (p, posting) in postings.iter().enumerate() {
        let first = postings[lineages.find(p)].lead();
        union.join(posting.lead(), first);
    }
    join_commits(&place, &postings, &mut union);
    let mut sets: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for at in 0..readings.len() {
        sets.entry(union.find(at)).or_default().0.push(at);
    }
    for (p, posting) in postings.iter().enumerate() {
        sets.entry(union.find(posting.lead()))
            .or_default()
            .1
            .push(p);
    }
    let mut groups: Vec<Group<'_>> = sets
        .into_values()
        .map(|(members, mine)| group(readings, &postings, &owner, members, mine))
        .collect();
    near::find_near(&mut groups);
    groups
}

fn group<'a>(
    readings: &'a [Reading],
    postings: &[Posting],
    owner: &HashMap<usize, usize>,
    members: Vec<usize>,
    mut mine: Vec<usize>,
) -> Group<'a> {
    let here: HashMap<usize, usize> = members
        .iter()
        .enumerate()
        .map(|(new, &old)| (old, new))
        .collect();
    // Versions of the same second are ordered by their numbers.
    mine.sort_by_key(|&p| (postings[p].at, postings[p].version, postings[p].lead()));
    let moved: HashMap<usize, usize> = mine
        .iter()
        .enumerate()
        .map(|(new, &old)| (old, new))
        .collect();
    Group {
        postings: mine
            .iter()
            .map(|&p| {
                let mut posting = postings[p].clone();
                posting.mails = posting.mails.iter().map(|at| here[at]).collect();
                posting.cover = posting.cover.map(|at| here[&at]);
                posting
            })
            .collect(),
        owner: members
            .iter()
            .filter_map(|at| Some((here[at], *moved.get(owner.get(at)?)?)))
            .collect(),
        readings: members.iter().map(|&at| &readings[at]).collect(),
        near: BTreeSet::new(),
    }
}

/// Joins items that are no patches to their nearest present ancestor, or to other answers to the same missing mail.
fn join_answers(
    place: &Place<'_>,
    postings: &[Posting],
    union: &mut Union,
    owner: &mut HashMap<usize, usize>,
) {
    let readings = place.readings;
    // A missing mail that parts answer is their cover letter. Any other is known by its answers.
    let mut ghosts: HashMap<Key, usize> = HashMap::new();
    for posting in postings {
        if let Some(ghost) = posting.ghost {
            ghosts.entry(ghost).or_insert_with(|| posting.lead());
        }
    }
    for (at, reading) in readings.iter().enumerate() {
        if !matches!(reading.role, Role::Talk | Role::Machine | Role::Pull) {
            continue;
        }
        let is_request = reading.role == Role::Pull;
        if let Some(over) = place.nearest_above(at) {
            if !is_request {
                union.join(at, over);
            }
            continue;
        }
        for &ghost in reading.above.iter().filter(|_| !is_request) {
            match ghosts.get(&ghost) {
                Some(&other) => union.join(at, other),
                None => {
                    ghosts.insert(ghost, at);
                }
            }
        }
    }
    join_owners(place, &ghosts, owner);
}

/// Finds the posting that a mail answers: climbs to the first mail that is part of one. No mail is visited twice.
fn join_owners(place: &Place<'_>, ghosts: &HashMap<Key, usize>, owner: &mut HashMap<usize, usize>) {
    let readings = place.readings;
    let mut over_nothing = vec![false; readings.len()];
    let mut climbed_from = vec![usize::MAX; readings.len()];
    for start in 0..readings.len() {
        let (mut path, mut at) = (Vec::new(), start);
        let found = loop {
            if let Some(&posting) = owner.get(&at) {
                break Some(posting);
            }
            if over_nothing[at] {
                break None;
            }
            path.push(at);
            // Mails that answer each other in a circle are climbed once.
            climbed_from[at] = start;
            match place.nearest_above(at) {
                Some(over) if climbed_from[over] != start && readings[at].role != Role::Pull => {
                    at = over;
                }
                Some(_) | None => {
                    let ghost = readings[at].above.iter().find_map(|key| ghosts.get(key));
                    break ghost.and_then(|lead| owner.get(lead)).copied();
                }
            }
        };
        match found {
            Some(posting) => owner.extend(path.into_iter().map(|at| (at, posting))),
            None => path.into_iter().for_each(|at| over_nothing[at] = true),
        }
    }
}

//! The fold: turns the items of a cluster into stories. Items with a common join key are in one cluster, so each cluster is
//! folded alone.

mod commits;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::commits::join_commits;
use super::group::Group;
use super::key::JoinKey;
use super::lineage;
use super::near;
use super::reading::{Reading, Role};
use super::series::{self, ClusterIndex, DisjointSets, Posting};

/// Sorts readings for the fold: by time, then by name.
pub fn sort(readings: &mut [Reading]) {
    readings.sort_by(|a, b| (a.item.at, &a.item.reference).cmp(&(b.item.at, &b.item.reference)));
}

/// Groups a cluster's items, sorted by [`sort`], into stories.
pub fn groups(readings: &[Reading]) -> Vec<Group<'_>> {
    let index = ClusterIndex::of(readings);
    let postings = series::postings(&index);
    let mut union = DisjointSets::new(readings.len());
    for posting in &postings {
        for &at in &posting.mails[1..] {
            union.join(posting.lead(), at);
        }
    }
    let mut owner: HashMap<usize, usize> = HashMap::new();
    for (p, posting) in postings.iter().enumerate() {
        owner.extend(posting.mails.iter().map(|&at| (at, p)));
    }
    join_answers(&index, &postings, &mut union, &mut owner);
    let mut lineages = lineage::lineages(&index, &postings, &owner);
    for (p, posting) in postings.iter().enumerate() {
        let first = postings[lineages.find(p)].lead();
        union.join(posting.lead(), first);
    }
    join_commits(&index, &postings, &mut union);
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
    index: &ClusterIndex<'_>,
    postings: &[Posting],
    union: &mut DisjointSets,
    owner: &mut HashMap<usize, usize>,
) {
    let readings = index.readings;
    // A missing mail that parts answer is their cover letter. Any other is known by its answers.
    let mut missing: HashMap<JoinKey, usize> = HashMap::new();
    for posting in postings {
        if let Some(missing_root) = posting.missing_root {
            missing
                .entry(missing_root)
                .or_insert_with(|| posting.lead());
        }
    }
    for (at, reading) in readings.iter().enumerate() {
        if !matches!(reading.role, Role::Talk | Role::Machine | Role::Pull) {
            continue;
        }
        let is_request = reading.role == Role::Pull;
        if let Some(over) = index.nearest_above(at) {
            if !is_request {
                union.join(at, over);
            }
            continue;
        }
        for &missing_root in reading.above.iter().filter(|_| !is_request) {
            match missing.get(&missing_root) {
                Some(&other) => union.join(at, other),
                None => {
                    missing.insert(missing_root, at);
                }
            }
        }
    }
    join_owners(index, &missing, owner);
}

/// Finds the posting that a mail answers: climbs to the first mail that is part of one. No mail is visited twice.
fn join_owners(
    index: &ClusterIndex<'_>,
    missing: &HashMap<JoinKey, usize>,
    owner: &mut HashMap<usize, usize>,
) {
    let readings = index.readings;
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
            match index.nearest_above(at) {
                Some(over) if climbed_from[over] != start && readings[at].role != Role::Pull => {
                    at = over;
                }
                Some(_) | None => {
                    let missing_root = readings[at].above.iter().find_map(|key| missing.get(key));
                    break missing_root.and_then(|lead| owner.get(lead)).copied();
                }
            }
        };
        match found {
            Some(posting) => owner.extend(path.into_iter().map(|at| (at, posting))),
            None => path.into_iter().for_each(|at| over_nothing[at] = true),
        }
    }
}

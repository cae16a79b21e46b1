//! Stories that may be one but were not joined. They are shown so that a person can decide.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::group::Group;
use super::key::JoinKey;
use super::reading::Role;

/// Of many patches with one author and title, so many before and after each one are noted: a longer list helps nobody.
const NAMESAKES_MAX: usize = 4;

/// Notes which groups may be one without enough to say so: patches of one author and title, and patches that their
/// author sent as an answer in another's thread.
pub(super) fn find_near(groups: &mut [Group<'_>]) {
    let mut titled: BTreeMap<JoinKey, BTreeSet<usize>> = BTreeMap::new();
    let mut at: HashMap<JoinKey, usize> = HashMap::new();
    for (number, group) in groups.iter().enumerate() {
        at.extend(group.readings.iter().map(|reading| (reading.own, number)));
        for lead in group
            .postings
            .iter()
            .map(|posting| group.readings[posting.lead()])
        {
            for &title in lead.titled() {
                titled.entry(title).or_default().insert(number);
            }
        }
    }
    let mut near: Vec<(usize, usize, &'static str)> = Vec::new();
    for together in titled.values() {
        let together: Vec<usize> = together.iter().copied().collect();
        for (at, &a) in together.iter().enumerate() {
            let later = together[at + 1..].iter().take(NAMESAKES_MAX);
            for &b in later {
                near.push((a, b, "the same author and title"));
                near.push((b, a, "the same author and title"));
            }
        }
    }
    let senders: Vec<HashSet<&str>> = groups.iter().map(senders).collect();
    for (number, group) in groups.iter().enumerate() {
        for lead in group
            .postings
            .iter()
            .map(|posting| group.readings[posting.lead()])
        {
            let over = lead
                .above
                .iter()
                .find_map(|key| at.get(key))
                .copied()
                .filter(|&over| over != number);
            let is_own = |over: &usize| {
                let mut authors = lead.authors.iter();
                authors.any(|author| senders[*over].contains(author.as_str()))
            };
            if let Some(over) = over.filter(is_own) {
                near.push((number, over, "sent by its author in its thread"));
                near.push((over, number, "sent by its author in its thread"));
            }
        }
    }
    for (number, other, why) in near {
        let own = groups[other].readings[0].own;
        groups[number].near.insert((own, why));
    }
}

/// The senders of a group's patches.
fn senders<'a>(group: &Group<'a>) -> HashSet<&'a str> {
    let readings = group.readings.iter().copied();
    let patches = readings.filter(|reading| reading.role == Role::Patch);
    patches
        .flat_map(|reading| reading.authors.iter().map(String::as_str))
        .collect()
}

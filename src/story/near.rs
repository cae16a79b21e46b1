//! What may be one story and was not joined: told, so that a person can decide.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fold::Group;
use super::key::{self, Key};
use super::reading::Role;

/// Notes which groups may be one without enough to say so: patches of one author and title, and patches that their
/// author sent as an answer in another's thread.
pub(super) fn find_near(groups: &mut [Group<'_>]) {
    let mut titled: BTreeMap<Key, BTreeSet<usize>> = BTreeMap::new();
    let mut at: HashMap<Key, usize> = HashMap::new();
    for (number, group) in groups.iter().enumerate() {
        at.extend(group.readings.iter().map(|reading| (reading.own, number)));
        for lead in group
            .postings
            .iter()
            .map(|posting| group.readings[posting.lead()])
        {
            for author in &lead.authors {
                titled
                    .entry(key::titled(author, &lead.subject.title))
                    .or_default()
                    .insert(number);
            }
        }
    }
    let mut near: Vec<(usize, usize, &'static str)> = Vec::new();
    for together in titled.values() {
        let pairs = together
            .iter()
            .flat_map(|&a| together.iter().map(move |&b| (a, b)));
        near.extend(
            pairs
                .filter(|(a, b)| a != b)
                .map(|(a, b)| (a, b, "the same author and title")),
        );
    }
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
            let is_own = over.is_some_and(|over| {
                groups[over]
                    .readings
                    .iter()
                    .any(|reading| reading.role == Role::Patch && reading.same_author(lead))
            });
            if let Some(over) = over.filter(|_| is_own) {
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

//! The parts of a story that follow from its items alone: who speaks for it, names, revisions, texts.

use std::collections::{BTreeMap, BTreeSet};

use crate::item::Kind;
use crate::story::fold::Group;
use crate::story::key::{self, clean_name};
use crate::story::reading::{self, Reading, Role};
use crate::story::series::Posting;
use crate::story::{Carrier, Patch, Revision, StoryKind, summary};

pub(super) fn kind_of(group: &Group<'_>) -> StoryKind {
    let has = |role: Role| group.readings.iter().any(|reading| reading.role == role);
    let lone = group
        .readings
        .iter()
        .find(|reading| reading.role == Role::Lone);
    if !group.postings.is_empty() || has(Role::Backport) {
        StoryKind::Series
    } else if has(Role::Pull) {
        StoryKind::Pull
    } else if has(Role::Commit) {
        StoryKind::Commit
    } else {
        match lone.map(|reading| reading.kept.kind) {
            Some(Kind::Article) => StoryKind::Article,
            Some(Kind::Release) => StoryKind::Release,
            Some(Kind::Video) => StoryKind::Video,
            Some(Kind::Message | Kind::Commit) | None => StoryKind::Thread,
        }
    }
}

/// The item that speaks for a story: the newest revision's lead, the request, the commit, the first mail by a person.
pub(super) fn lead_of<'a>(group: &Group<'a>) -> &'a Reading {
    if let Some(posting) = group.postings.last() {
        return group.readings[posting.lead()];
    }
    let by_role = |role: Role| group.readings.iter().find(|reading| reading.role == role);
    by_role(Role::Pull)
        .or_else(|| by_role(Role::Commit))
        .or_else(|| by_role(Role::Backport))
        .or_else(|| by_role(Role::Lone))
        .or_else(|| {
            group
                .readings
                .iter()
                .find(|reading| reading.role == Role::Talk)
        })
        .unwrap_or(&group.readings[0])
}

pub(super) fn title_of(reading: &Reading) -> String {
    match reading.subject.title.is_empty() {
        true => "(no subject)".to_owned(),
        false => reading.subject.title.clone(),
    }
}

/// Who wrote an item: whom a patch's first line names, else who sent it.
pub(super) fn author_of(reading: &Reading) -> String {
    let is_for_person = reading.machine.is_some();
    let named = (reading.role == Role::Patch && (!reading.subject.is_cover() || is_for_person))
        .then(|| reading::first_line_author(&reading.kept.text))
        .flatten();
    match named.filter(|person| !person.name.is_empty()) {
        Some(person) => clean_name(&person.name),
        None => name_of(reading),
    }
}

pub(super) fn name_of(reading: &Reading) -> String {
    let author = &reading.kept.author;
    let name = clean_name(&author.name);
    if name.is_empty() {
        author.email.clone()
    } else {
        name
    }
}

pub(super) fn names<'a>(feeds: impl Iterator<Item = &'a Carrier>) -> Vec<String> {
    let names: BTreeSet<&str> = feeds.map(|feed| feed.name.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

pub(super) fn references(group: &Group<'_>, kind: Kind) -> Vec<String> {
    let mine = group
        .readings
        .iter()
        .filter(|reading| reading.kept.kind == kind);
    mine.map(|reading| reading.kept.reference.clone()).collect()
}

/// The tree that a subject's tags name: the first word that is one.
pub(super) fn tree_tag(reading: &Reading) -> Option<String> {
    const TREES: [&str; 6] = ["bpf", "net", "next", "fixes", "for-", "sched_ext"];
    let tags = &reading.subject.trees;
    let is_tree = |tag: &&String| {
        let tag = tag.to_ascii_lowercase();
        TREES.iter().any(|tree| tag.contains(tree))
    };
    tags.iter().find(is_tree).or_else(|| tags.first()).cloned()
}

/// A tree's name without folder and `.git`.
pub(super) fn short_tree(tree: &str) -> String {
    let bare = tree.trim_end_matches('/').trim_end_matches(".git");
    bare.rsplit('/').next().unwrap_or(bare).to_owned()
}

pub(super) fn is_mainline_tree(tree: &str) -> bool {
    tree.contains("torvalds/")
}

/// Whether a tree that a sentence named is among those in which there are commits.
pub(super) fn is_confirmed(claimed: &str, confirmed: &[String]) -> bool {
    let mut words = claimed.trim_end_matches(".git").split('/');
    claimed.is_empty() && !confirmed.is_empty()
        || words.any(|word| confirmed.iter().any(|tree| tree.eq_ignore_ascii_case(word)))
}

/// A tree as notices name it: the last two parts of its address.
pub(super) fn repository(feed: &Carrier) -> String {
    let url = feed.url.as_deref().unwrap_or(&feed.name);
    let url = url
        .split(['?', '#'])
        .next()
        .unwrap_or(url)
        .trim_end_matches('/');
    let parts: Vec<&str> = url.rsplit('/').take(2).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

pub(super) fn number_of(group: &Group<'_>, posting: &Posting, commit: &Reading) -> Option<u32> {
    let title = key::normal(&commit.subject.title);
    let mail = posting
        .mails
        .iter()
        .find(|&&at| key::normal(&group.readings[at].subject.title) == title)?;
    Some(
        group.readings[*mail]
            .subject
            .part
            .map_or(1, |(number, _)| number),
    )
}

pub(super) fn revision(group: &Group<'_>, posting: &Posting) -> Revision {
    let lead = group.readings[posting.lead()];
    let patches = posting
        .mails
        .iter()
        .filter(|&&at| Some(at) != posting.cover);
    let mut patches: Vec<Patch> = patches
        .map(|&at| {
            let mail = group.readings[at];
            Patch {
                number: mail.subject.part.map_or(1, |(number, _)| number),
                subject: mail.subject.title.clone(),
                message_id: mail.kept.reference.clone(),
            }
        })
        .collect();
    // A part that was sent twice counts once.
    patches.dedup_by_key(|patch| patch.number);
    Revision {
        version: posting.version,
        posted_at: posting.at,
        root: lead.kept.reference.clone(),
        cover: posting.cover.is_some(),
        total: posting.total,
        patches,
    }
}

/// The text that a summary is made from.
pub(super) fn telling_text<'a>(group: &Group<'a>, lead: &'a Reading) -> &'a str {
    let is_bare = group
        .postings
        .last()
        .is_some_and(|posting| posting.cover.is_none() && posting.total > 1);
    let merge = group.readings.iter().find(|reading| reading.is_merge());
    match merge.filter(|_| is_bare) {
        Some(merge) => &merge.kept.text,
        None => &lead.kept.text,
    }
}

pub(super) fn changes(group: &Group<'_>) -> BTreeMap<String, String> {
    let mut changes = BTreeMap::new();
    for posting in group.postings.iter().filter(|posting| posting.version > 1) {
        let said = posting
            .mails
            .iter()
            .take(2)
            .find_map(|&at| summary::change(&group.readings[at].kept.text, posting.version));
        if let Some(said) = said {
            changes.insert(format!("v{}", posting.version), said);
        }
    }
    changes
}

/// What the newest revision, or else the commits, say they mend.
pub(super) fn fixes(group: &Group<'_>) -> Vec<String> {
    let newest: Vec<&Reading> = match group.postings.last() {
        Some(posting) => posting.mails.iter().map(|&at| group.readings[at]).collect(),
        None => {
            let commits = group.readings.iter().copied();
            commits
                .filter(|reading| reading.role == Role::Commit)
                .collect()
        }
    };
    let fixes: BTreeSet<String> = newest
        .iter()
        .flat_map(|reading| reading::mended(&reading.kept.text))
        .collect();
    fixes.into_iter().collect()
}

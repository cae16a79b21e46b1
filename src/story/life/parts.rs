//! The parts of a story that follow from its items alone: author, names, revisions, texts.

use std::collections::{BTreeMap, BTreeSet};

use crate::item::{ItemKind, Person};
use crate::story::bot;
use crate::story::group::Group;
use crate::story::key::{self, clean_name};
use crate::story::reading::{self, Reading, Role};
use crate::story::series::Posting;
use crate::story::{Carrier, Patch, Revision, StoryKind};

use super::effort::{main_posting, separate_parts, separate_parts_note};

/// The prefix of the title of a missing patch that has answers.
pub(super) const NOT_HERE: &str = "Replies to a patch that is not here: ";

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
        match lone.map(|reading| reading.item.kind) {
            Some(ItemKind::Article) => StoryKind::Article,
            Some(ItemKind::Release) => StoryKind::Release,
            Some(ItemKind::Video) => StoryKind::Video,
            Some(ItemKind::Message | ItemKind::Commit) | None => StoryKind::Thread,
        }
    }
}

/// The item that speaks for a story: the lead of the newest revision of the whole effort, the request, the commit, the
/// first mail by a person.
pub(super) fn lead_of<'a>(group: &Group<'a>) -> &'a Reading {
    if let Some(main) = main_posting(group) {
        return group.readings[group.postings[main].lead()];
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
    let title = if reading.subject.title.is_empty() {
        "(no subject)"
    } else {
        reading.subject.title.as_str()
    };
    if answers_missing(reading) {
        format!("{NOT_HERE}{title}")
    } else {
        title.to_owned()
    }
}

/// Whether an item that speaks for a story is an answer to a patch: that patch is not here.
fn answers_missing(lead: &Reading) -> bool {
    matches!(lead.role, Role::Talk | Role::Machine) && lead.subject.reply && lead.subject.patch
}

/// Whether the item that speaks for a story is a reply, or a later part of a series without a cover letter.
pub(super) fn lacks_beginning(group: &Group<'_>, kind: StoryKind, lead: &Reading) -> bool {
    if let Some(main) = main_posting(group) {
        let is_later = lead.subject.part.is_some_and(|(number, _)| number > 1);
        return group.postings[main].cover.is_none() && is_later;
    }
    let is_mail = matches!(lead.role, Role::Talk | Role::Machine);
    kind == StoryKind::Thread && is_mail && lead.subject.reply
}

/// The author of an item: the person on a patch's or a cover letter's first line, or the sender.
pub(super) fn author_of(reading: &Reading) -> String {
    match first_line_person(reading) {
        Some(person) => clean_name(&person.name),
        None => name_of(reading),
    }
}

/// The address of the same person; empty if it is not known.
pub(super) fn author_address(reading: &Reading) -> String {
    let person = first_line_person(reading);
    let person = person.as_ref().unwrap_or(&reading.item.author);
    let mut known = key::identities(person).into_iter();
    known.find(|known| known.contains('@')).unwrap_or_default()
}

fn first_line_person(reading: &Reading) -> Option<Person> {
    matches!(reading.role, Role::Patch | Role::Backport)
        .then(|| reading::first_line_author(&reading.item.text))
        .flatten()
        .filter(|person| !person.name.is_empty())
}

/// The author of a story that an item speaks for; none is known where that item only answers a patch that is not here.
pub(super) fn named_author(lead: &Reading) -> Option<String> {
    Some(author_of(lead)).filter(|author| !author.is_empty() && !answers_missing(lead))
}

pub(super) fn name_of(reading: &Reading) -> String {
    let author = &reading.item.author;
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

pub(super) fn references(group: &Group<'_>, kind: ItemKind) -> Vec<String> {
    let mine = group
        .readings
        .iter()
        .filter(|reading| reading.item.kind == kind);
    mine.map(|reading| reading.item.reference.clone()).collect()
}

/// The tree that a subject's tags name: the first word that is one, else the first that may be one.
pub(super) fn tree_tag(reading: &Reading) -> Option<String> {
    let tags = &reading.subject.trees;
    let sure = tags.iter().find(|tag| bot::is_tree(tag));
    sure.or_else(|| {
        tags.iter()
            .find(|tag| bot::may_be_tree(tag) && !is_list(reading, tag))
    })
    .cloned()
}

/// Whether a tag is the name of a list that carries the mail.
fn is_list(reading: &Reading, tag: &str) -> bool {
    reading.item.feeds.iter().any(|feed| {
        let url = feed.url.as_deref().unwrap_or_default();
        let last = url.trim_end_matches('/').rsplit('/').next();
        feed.name.eq_ignore_ascii_case(tag)
            || last.is_some_and(|last| last.eq_ignore_ascii_case(tag))
    })
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
                message_id: mail.item.reference.clone(),
            }
        })
        .collect();
    // A part that was sent twice counts once.
    patches.dedup_by_key(|patch| patch.number);
    Revision {
        version: posting.version,
        posted_at: posting.at,
        root: lead.item.reference.clone(),
        cover: posting.cover.is_some(),
        total: posting.total,
        patches,
    }
}

/// The text that a summary is made from.
pub(super) fn summary_source<'a>(group: &Group<'a>, lead: &'a Reading) -> &'a str {
    let main = main_posting(group).map(|main| &group.postings[main]);
    let is_bare = main.is_some_and(|posting| posting.cover.is_none() && posting.total > 1);
    let merge = group.readings.iter().find(|reading| reading.is_merge());
    match merge.filter(|_| is_bare) {
        Some(merge) => &merge.item.text,
        None => &lead.item.text,
    }
}

/// The changes by revision. A note says if parts of the effort continue separately in it.
pub(super) fn changes(group: &Group<'_>) -> BTreeMap<String, String> {
    let mut changes = BTreeMap::new();
    for posting in group.postings.iter().filter(|posting| posting.version > 1) {
        let said = posting
            .mails
            .iter()
            .take(2)
            .find_map(|&at| group.readings[at].change(posting.version));
        if let Some(said) = said {
            changes.insert(format!("v{}", posting.version), said);
        }
    }
    let main = main_posting(group).unwrap_or_default();
    for p in main + 1..group.postings.len() {
        if let Some(numbers) = separate_parts(group, main, p) {
            let said = separate_parts_note(&numbers, group.postings[main].total);
            let key = format!("v{}", group.postings[p].version);
            let with = match changes.get(&key) {
                Some(other) if *other != said && !other.starts_with(&said) => {
                    format!("{said} {other}")
                }
                Some(_) | None => said,
            };
            changes.insert(key, with);
        }
    }
    changes
}

/// The commits that the newest revision, or otherwise the commits, say they fix.
pub(super) fn fixes(group: &Group<'_>) -> Vec<String> {
    let main = main_posting(group).map(|main| &group.postings[main]);
    let newest: Vec<&Reading> = match main {
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
        .flat_map(|reading| reading::mended(&reading.item.text))
        .collect();
    fixes.into_iter().collect()
}

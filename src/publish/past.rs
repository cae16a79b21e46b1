//! Stories as they were known at the beginning and at the end of a period. They are folded again from the items known then, so
//! later items change nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::fold::{outside, read_item};
use crate::issue::{Commit, Mail, Passage, Period, is_applied, is_mainline};
use crate::item::trailer::commit_in_link;
use crate::item::{ItemKind, prose};
use crate::store::Tx;
use crate::store::mutes::{self, Mutes};
use crate::store::stories;
use crate::story::fold::{groups, sort};
use crate::story::group::{Group, Outside};
use crate::story::key::JoinKey;
use crate::story::reading::{Reading, Role};
use crate::story::relevance::FoldRules;
use crate::story::series::DisjointSets;
use crate::story::{Story, bot, life};

/// The stories that moved in a period, or hang on one of these items; none that a maintainer muted or took back.
pub(super) async fn passages(
    tx: &mut Tx,
    period: Period,
    chosen: &[i64],
    words: &FoldRules,
) -> anyhow::Result<Vec<Passage>> {
    let (from, to) = (period.from.timestamp(), period.to.timestamp());
    let moved = stories::clusters_between(tx, from, to).await?;
    let mut clusters: BTreeSet<i64> = moved.into_iter().collect();
    clusters.extend(stories::clusters_of_items(tx, chosen).await?.into_values());
    let clusters: Vec<i64> = clusters.into_iter().collect();
    let members = stories::members_of_clusters(tx, &clusters, &[]).await?;
    let readings: Vec<Reading> = members
        .into_iter()
        .map(|member| read_item(member.item, words))
        .collect();
    let around = outside(tx, readings.iter(), words).await?;
    let mut known = ItemsThen { readings, around };
    let mutes = mutes::mutes(tx).await?;

    known.forget_from(period.to);
    let mentioned = known.mentioned_since(period.from);
    let may_have_moved = |reading: &Reading| {
        is_since(reading, period.from)
            // It may have become free.
            || reading.item.paid.is_some()
            || chosen.contains(&reading.item.id)
            || (!mentioned.is_empty() && !mentioned.is_disjoint(reading.keys()))
    };
    let after = known.stories(words, may_have_moved);
    let mut passages: Vec<(Passage, Vec<JoinKey>)> = after
        .into_iter()
        .filter_map(|story| passage(story, &mutes))
        .collect();

    known.forget_from(period.from);
    let own: HashSet<JoinKey> = passages
        .iter()
        .flat_map(|(_, keys)| keys)
        .copied()
        .collect();
    let before = known.stories(words, |reading| own.contains(&reading.own));
    let mut by_key: HashMap<JoinKey, usize> = HashMap::new();
    for (place, story) in before.iter().enumerate() {
        by_key.extend(story.keys.iter().map(|key| (*key, place)));
    }
    for (passage, keys) in &mut passages {
        let mut places: Vec<usize> = Vec::new();
        for place in keys.iter().filter_map(|key| by_key.get(key)) {
            if !places.contains(place) {
                places.push(*place);
            }
        }
        passage.before = joined(places.iter().map(|&place| &before[place].story));
    }
    Ok(passages.into_iter().map(|(passage, _)| passage).collect())
}

/// Merges stories that are one by now: the result has reached every state that any of them had.
fn joined<'a>(mut stories: impl Iterator<Item = &'a Story>) -> Option<Story> {
    let reached = |story: &Story| (is_mainline(story), is_applied(story));
    let mut first = stories.next()?.clone();
    for other in stories {
        if reached(other) > reached(&first) {
            first.state = other.state;
        }
        first.revisions.extend(other.revisions.iter().cloned());
        first.events.extend(other.events.iter().cloned());
    }
    Some(first)
}

/// Whether an item, or its sighting in another feed, became known since then.
fn is_since(reading: &Reading, from: DateTime<Utc>) -> bool {
    let is_seen = |at: Option<i64>| at.is_some_and(|at| at >= from.timestamp());
    reading.item.known_at >= from
        || reading.item.freed_at.is_some_and(|at| at >= from)
        || reading.item.feeds.iter().any(|feed| is_seen(feed.seen_at))
}

/// The items that were known at some time.
struct ItemsThen {
    /// The items of the clusters.
    readings: Vec<Reading>,
    /// Items outside that mention them.
    around: Outside,
}

impl ItemsThen {
    /// Removes everything that became known at `to` or later.
    fn forget_from(&mut self, to: DateTime<Utc>) {
        let mut around = std::mem::take(&mut self.around).into_readings();
        for known in [&mut self.readings, &mut around] {
            known.retain(|reading| reading.item.known_at < to);
            for reading in known {
                let is_seen = |at: Option<i64>| at.is_none_or(|at| at < to.timestamp());
                reading.item.feeds.retain(|feed| is_seen(feed.seen_at));
                reading.item.freed_at = reading.item.freed_at.filter(|&at| at < to);
            }
        }
        self.around = Outside::new(around);
    }

    /// The items that were mentioned since then. An answer to a pull request decides its outcome, so all mentions count.
    fn mentioned_since(&self, from: DateTime<Utc>) -> BTreeSet<JoinKey> {
        let around = self.around.readings();
        match around.iter().any(|reading| is_since(reading, from)) {
            true => around.iter().flat_map(Reading::mentions).copied().collect(),
            false => BTreeSet::new(),
        }
    }

    /// Builds the stories that have a wanted item. Building is the expensive part, so the others are skipped.
    fn stories(
        &mut self,
        words: &FoldRules,
        is_wanted: impl Fn(&Reading) -> bool,
    ) -> Vec<PastStory> {
        let mut stories = Vec::new();
        for mut cluster in clusters(std::mem::take(&mut self.readings)) {
            // Most of a cluster may have joined later, and need not be grouped.
            if cluster.iter().any(&is_wanted) {
                sort(&mut cluster);
                for group in groups(&cluster) {
                    if group.readings.iter().any(|reading| is_wanted(reading)) {
                        stories.push(PastStory::build(&group, &self.around, words));
                    }
                }
            }
            self.readings.append(&mut cluster);
        }
        stories
    }
}

/// A story, and the items that it was built from.
struct PastStory {
    story: Story,
    items: Vec<i64>,
    /// The own keys of its items, the earliest first.
    keys: Vec<JoinKey>,
    mails: BTreeMap<String, Mail>,
    commits: BTreeMap<String, Commit>,
    links: BTreeMap<String, String>,
}

impl PastStory {
    fn build(group: &Group<'_>, around: &Outside, words: &FoldRules) -> Self {
        let of = |kind: ItemKind| {
            let readings = group.readings.iter();
            readings.filter(move |reading| reading.item.kind == kind)
        };
        Self {
            story: life::build(group, around, words),
            items: group
                .readings
                .iter()
                .map(|reading| reading.item.id)
                .collect(),
            keys: group.readings.iter().map(|reading| reading.own).collect(),
            mails: of(ItemKind::Message).map(|reading| mail(reading)).collect(),
            commits: of(ItemKind::Commit)
                .map(|reading| commit(reading))
                .collect(),
            links: of(ItemKind::Message)
                .flat_map(|reading| links(reading))
                .collect(),
        }
    }
}

/// The clusters of these items, without the join keys of later ones.
fn clusters(readings: Vec<Reading>) -> Vec<Vec<Reading>> {
    let mut union = DisjointSets::new(readings.len());
    let mut first: HashMap<JoinKey, usize> = HashMap::new();
    for (at, reading) in readings.iter().enumerate() {
        for key in reading.keys() {
            union.join(at, *first.entry(*key).or_insert(at));
        }
    }
    let mut clusters: BTreeMap<usize, Vec<Reading>> = BTreeMap::new();
    for (at, reading) in readings.into_iter().enumerate() {
        clusters.entry(union.find(at)).or_default().push(reading);
    }
    clusters.into_values().collect()
}

fn mail(reading: &Reading) -> (String, Mail) {
    let item = &reading.item;
    let mail = Mail::shown(&item.title, item.url.as_deref());
    (item.reference.clone(), mail)
}

fn commit(reading: &Reading) -> (String, Commit) {
    let item = &reading.item;
    let on = item.at.date_naive();
    let commit = Commit::shown(&item.reference, &item.title, on, item.url.as_deref());
    (item.reference.clone(), commit)
}

/// Where commits are read, as a notice that lists them says.
fn links(reading: &Reading) -> Vec<(String, String)> {
    let item = &reading.item;
    let is_notice = match reading.role {
        Role::Machine => bot::applied(item).is_some(),
        Role::Talk => bot::thanks(item).is_some(),
        Role::Patch | Role::Backport | Role::Pull | Role::Commit | Role::Lone => false,
    };
    if !is_notice {
        return Vec::new();
    }
    let lines = prose::lines(&item.text).map(str::trim);
    lines
        .filter(|line| line.starts_with("https://"))
        .filter_map(|line| Some((commit_in_link(line)?.to_owned(), line.to_owned())))
        .collect()
}

fn passage(past: PastStory, mutes: &Mutes) -> Option<(Passage, Vec<JoinKey>)> {
    if mutes.silences(&past.items) || mutes.bars(&past.story) {
        return None;
    }
    let passage = Passage {
        before: None,
        after: past.story,
        items: past.items,
        mails: past.mails,
        commits: past.commits,
        links: past.links,
    };
    Some((passage, past.keys))
}

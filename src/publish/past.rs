//! Stories as they were known at the beginning and at the end of a period: folded anew from what was known then, so that
//! what came later changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::ingest::fold::{outside, read};
use crate::issue::{Commit, Mail, Passage, Period};
use crate::item::Kind;
use crate::item::prose;
use crate::post::{is_for_readers, plain};
use crate::store::Tx;
use crate::store::mutes::{self, Mutes};
use crate::store::stories;
use crate::story::fold::{Group, Outside, groups, sort};
use crate::story::key::Key;
use crate::story::reading::{Reading, mentions};
use crate::story::relevance::Words;
use crate::story::{State, Story, life};

/// Digits of a hash that a person reads.
const HASH_DIGITS: usize = 12;
const TITLE_CHARS_MAX: usize = 240;

/// The stories that moved in a period, or hang on one of these items; none that a maintainer muted or took back.
///
/// # Errors
///
/// When the database fails.
pub(super) async fn passages(
    tx: &mut Tx,
    period: Period,
    chosen: &[i64],
    words: &Words,
) -> anyhow::Result<Vec<Passage>> {
    let (from, to) = (period.from.timestamp(), period.to.timestamp());
    let moved = stories::clusters_between(tx, from, to).await?;
    let mut clusters: BTreeSet<i64> = moved.into_iter().collect();
    clusters.extend(stories::clusters_of_items(tx, chosen).await?.into_values());
    let clusters: Vec<i64> = clusters.into_iter().collect();
    let members = stories::members_of_clusters(tx, &clusters).await?;
    let readings: Vec<Reading> = members
        .into_iter()
        .map(|member| read(member.kept))
        .collect();
    let around = outside(tx, readings.iter()).await?;
    let mut known = Known { readings, around };
    let mutes = mutes::mutes(tx).await?;

    known.forget_from(period.to);
    let spoken_of = known.spoken_of_since(period.from);
    let may_have_moved = |reading: &Reading| {
        is_since(reading, period.from)
            // It may have become free.
            || reading.kept.paid.is_some()
            || chosen.contains(&reading.kept.id)
            || (!spoken_of.is_empty() && !spoken_of.is_disjoint(&reading.keys()))
    };
    let after = known.told(words, may_have_moved);
    let mut passages: Vec<(Passage, Vec<Key>)> = after
        .into_iter()
        .filter_map(|told| passage(told, &mutes))
        .collect();

    known.forget_from(period.from);
    let own: HashSet<Key> = passages
        .iter()
        .flat_map(|(_, keys)| keys)
        .copied()
        .collect();
    let before = known.told(words, |reading| own.contains(&reading.own));
    let mut by_key: HashMap<Key, usize> = HashMap::new();
    for (place, told) in before.iter().enumerate() {
        by_key.extend(told.keys.iter().map(|key| (*key, place)));
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

/// Stories that became one since: what any of them had reached was told.
fn joined<'a>(mut stories: impl Iterator<Item = &'a Story>) -> Option<Story> {
    let reached = |story: &Story| match story.state {
        State::Mainline | State::Stable => 2,
        State::Applied | State::PartlyApplied | State::Pulled => 1,
        State::Posted
        | State::Discussed
        | State::Superseded
        | State::Withdrawn
        | State::Rejected
        | State::Open
        | State::Paid
        | State::Free
        | State::Published => 0,
    };
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

/// Whether an item, or that a feed shows it, became known since then.
fn is_since(reading: &Reading, from: DateTime<Utc>) -> bool {
    let is_seen = |at: Option<i64>| at.is_some_and(|at| at >= from.timestamp());
    reading.kept.known_at >= from || reading.kept.feeds.iter().any(|feed| is_seen(feed.seen_at))
}

/// What was known at some moment.
struct Known {
    /// The items of the clusters.
    readings: Vec<Reading>,
    /// What speaks of them.
    around: Outside,
}

impl Known {
    /// Forgets what became known at a moment or later.
    fn forget_from(&mut self, to: DateTime<Utc>) {
        for known in [&mut self.readings, &mut self.around.readings] {
            known.retain(|reading| reading.kept.known_at < to);
            for reading in known {
                let is_seen = |at: Option<i64>| at.is_none_or(|at| at < to.timestamp());
                reading.kept.feeds.retain(|feed| is_seen(feed.seen_at));
            }
        }
    }

    /// What was spoken of, if anybody spoke since then. What becomes of a pull request is said by an answer to it, so all
    /// that is spoken of counts.
    fn spoken_of_since(&self, from: DateTime<Utc>) -> BTreeSet<Key> {
        let around = &self.around.readings;
        match around.iter().any(|reading| is_since(reading, from)) {
            true => around.iter().flat_map(mentions).collect(),
            false => BTreeSet::new(),
        }
    }

    /// The stories with an item that is asked for. Telling is what takes the time; the others are told by nobody.
    fn told(&mut self, words: &Words, is_asked_for: impl Fn(&Reading) -> bool) -> Vec<Told> {
        let mut told = Vec::new();
        for mut cluster in clusters(std::mem::take(&mut self.readings)) {
            sort(&mut cluster);
            for group in groups(&cluster) {
                if group.readings.iter().any(|reading| is_asked_for(reading)) {
                    told.push(tell(&group, &self.around, words));
                }
            }
            self.readings.append(&mut cluster);
        }
        told
    }
}

/// A story, and what it was told from.
struct Told {
    story: Story,
    items: Vec<i64>,
    /// The own keys of its items, the earliest first.
    keys: Vec<Key>,
    mails: BTreeMap<String, Mail>,
    commits: BTreeMap<String, Commit>,
}

fn tell(group: &Group<'_>, around: &Outside, words: &Words) -> Told {
    let of = |kind: Kind| {
        let readings = group.readings.iter();
        readings.filter(move |reading| reading.kept.kind == kind)
    };
    Told {
        story: life::tell(group, around, words),
        items: group
            .readings
            .iter()
            .map(|reading| reading.kept.id)
            .collect(),
        keys: group.readings.iter().map(|reading| reading.own).collect(),
        mails: of(Kind::Message).map(|reading| mail(reading)).collect(),
        commits: of(Kind::Commit).map(|reading| commit(reading)).collect(),
    }
}

/// What join keys tie together of these, and of nothing that came later.
fn clusters(readings: Vec<Reading>) -> Vec<Vec<Reading>> {
    let mut of: Vec<usize> = (0..readings.len()).collect();
    fn root(of: &mut [usize], mut at: usize) -> usize {
        while of[at] != at {
            of[at] = of[of[at]];
            at = of[at];
        }
        at
    }
    let mut first: HashMap<Key, usize> = HashMap::new();
    for (at, reading) in readings.iter().enumerate() {
        for key in reading.keys() {
            let other = *first.entry(key).or_insert(at);
            let (a, b) = (root(&mut of, at), root(&mut of, other));
            of[a.max(b)] = a.min(b);
        }
    }
    let mut clusters: BTreeMap<usize, Vec<Reading>> = BTreeMap::new();
    for (at, reading) in readings.into_iter().enumerate() {
        let root = root(&mut of, at);
        clusters.entry(root).or_default().push(reading);
    }
    clusters.into_values().collect()
}

fn mail(reading: &Reading) -> (String, Mail) {
    let link = reading.kept.url.clone().filter(|link| is_for_readers(link));
    let mail = Mail {
        title: prose::shorten(&plain(&reading.kept.title), TITLE_CHARS_MAX),
        link,
    };
    (reading.kept.reference.clone(), mail)
}

fn commit(reading: &Reading) -> (String, Commit) {
    let hash = &reading.kept.reference;
    let link = reading.kept.url.clone().filter(|link| is_for_readers(link));
    let commit = Commit {
        digits: plain(hash).chars().take(HASH_DIGITS).collect(),
        subject: prose::shorten(&plain(&reading.kept.title), TITLE_CHARS_MAX),
        on: reading.kept.at.date_naive(),
        link,
    };
    (hash.clone(), commit)
}

fn passage(told: Told, mutes: &Mutes) -> Option<(Passage, Vec<Key>)> {
    if mutes.silences(&told.items) || mutes.bars(&told.story) {
        return None;
    }
    let passage = Passage {
        before: None,
        after: told.story,
        items: told.items,
        mails: told.mails,
        commits: told.commits,
    };
    Some((passage, told.keys))
}

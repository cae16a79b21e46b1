//! Stories as they were known at the beginning and at the end of a period: folded anew from what was known then, so that
//! what came later changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::ingest::fold::{outside, read};
use crate::issue::{Commit, Mail, Passage, Period};
use crate::item::Kind;
use crate::item::prose;
use crate::post::{is_for_readers, plain};
use crate::store::Tx;
use crate::store::mutes::{self, Mutes};
use crate::store::stories;
use crate::story::fold::{Outside, groups, sort};
use crate::story::key::Key;
use crate::story::reading::Reading;
use crate::story::relevance::Words;
use crate::story::{Story, life};

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
    let mut clusters: BTreeSet<i64> = stories::clusters_between(tx, from, to)
        .await?
        .into_iter()
        .collect();
    clusters.extend(stories::clusters_of_items(tx, chosen).await?.into_values());
    let clusters: Vec<i64> = clusters.into_iter().collect();
    let mut by_cluster: BTreeMap<i64, Vec<Reading>> = BTreeMap::new();
    for member in stories::members_of_clusters(tx, &clusters).await? {
        let reading = read(member.kept);
        by_cluster.entry(member.cluster).or_default().push(reading);
    }
    let mut around = outside(tx, by_cluster.values().flatten()).await?.readings;
    let mutes = mutes::mutes(tx).await?;
    let mut readings: Vec<Reading> = by_cluster.into_values().flatten().collect();
    let after = told(&mut readings, &mut around, period.to, words);
    let passages = after.into_iter().filter_map(|told| passage(told, &mutes));
    let mut passages: Vec<(Passage, Vec<Key>)> = passages.collect();
    let was_known = |reading: &Reading| reading.kept.known_at < period.from;
    if readings.iter().any(was_known) {
        let before = told(&mut readings, &mut around, period.from, words);
        let mut by_key: HashMap<Key, usize> = HashMap::new();
        for (place, told) in before.iter().enumerate() {
            by_key.extend(told.keys.iter().map(|key| (*key, place)));
        }
        for (passage, keys) in &mut passages {
            // The one that its id came from, else the first of those that it was joined from.
            let place = keys.iter().find_map(|key| by_key.get(key));
            passage.before = place.map(|&place| before[place].story.clone());
        }
    }
    Ok(passages.into_iter().map(|(passage, _)| passage).collect())
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

/// The stories of what was known before a moment. What was not known then is gone from `readings` and `around`.
fn told(
    readings: &mut Vec<Reading>,
    around: &mut Vec<Reading>,
    to: DateTime<Utc>,
    words: &Words,
) -> Vec<Told> {
    for known in [&mut *readings, &mut *around] {
        known.retain(|reading| reading.kept.known_at < to);
        for reading in known {
            let is_seen = |at: Option<i64>| at.is_none_or(|at| at < to.timestamp());
            reading.kept.feeds.retain(|feed| is_seen(feed.seen_at));
        }
    }
    let outside = Outside {
        readings: around.clone(),
    };
    let mut told = Vec::new();
    for mut cluster in clusters(readings) {
        sort(&mut cluster);
        for group in groups(&cluster) {
            let of = |kind: Kind| {
                let readings = group.readings.iter();
                readings.filter(move |reading| reading.kept.kind == kind)
            };
            told.push(Told {
                story: life::tell(&group, &outside, words),
                items: group
                    .readings
                    .iter()
                    .map(|reading| reading.kept.id)
                    .collect(),
                keys: group.readings.iter().map(|reading| reading.own).collect(),
                mails: of(Kind::Message).map(|reading| mail(reading)).collect(),
                commits: of(Kind::Commit).map(|reading| commit(reading)).collect(),
            });
        }
    }
    told
}

/// What join keys tied together of these, and of nothing that came later.
fn clusters(readings: &[Reading]) -> Vec<Vec<Reading>> {
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
    for (at, reading) in readings.iter().enumerate() {
        let root = root(&mut of, at);
        clusters.entry(root).or_default().push(reading.clone());
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

//! Folding in the loop: which clusters new items touch, and what becomes of their stories. What a story is, `story`
//! decides.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context as _;

use crate::item::Kind;
use crate::source;
use crate::store::Tx;
use crate::store::items::AtHand;
use crate::store::stories::{self, After, Before, Member};
use crate::story::fold::{Outside, groups, sort};
use crate::story::key::Key;
use crate::story::reading::{Reading, mentions};
use crate::story::relevance::Words;
use crate::story::{Kept, Story, bot, life};

/// Items refolded at once; more would have to lie in memory together.
const REFOLD_BATCH: usize = 2_000;

/// A story that is new or changed.
#[derive(Debug)]
pub struct Moved {
    /// As it stands now.
    pub story: Story,
    /// Its items, the earliest first.
    pub items: Vec<i64>,
    /// What it was, packed; `None` where no story had its id.
    pub before: Option<Vec<u8>>,
}

/// Folds new and changed items into stories. Gives the stories that are new or changed. What is at hand is as it was
/// stored.
///
/// # Errors
///
/// When the database fails.
pub async fn fold_items(
    tx: &mut Tx,
    items: &[i64],
    at_hand: &AtHand<'_>,
    words: &Words,
) -> anyhow::Result<Vec<Moved>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    // New and changed at once: two entries of a page may be one item.
    let items: BTreeSet<i64> = items.iter().copied().collect();
    let items: Vec<i64> = items.into_iter().collect();
    let joined = join_clusters(tx, &items, at_hand).await?;
    tell_clusters(tx, &joined.touched, joined.readings, words).await
}

/// Makes all stories anew from the stored items.
///
/// # Errors
///
/// When the database fails.
pub async fn refold(
    tx: &mut Tx,
    items: &[i64],
    words: &Words,
    mut told: impl FnMut(usize),
) -> anyhow::Result<()> {
    stories::clear(tx).await?;
    let mut touched = BTreeSet::new();
    for batch in items.chunks(REFOLD_BATCH) {
        touched.extend(join_clusters(tx, batch, &AtHand::new()).await?.touched);
    }
    // Clusters that were joined by a later batch stand under the number that they have now.
    let touched: Vec<i64> = touched.into_iter().collect();
    for batch in touched.chunks(REFOLD_BATCH / 4) {
        tell_clusters(tx, &batch.iter().copied().collect(), Vec::new(), words).await?;
        told(batch.len());
    }
    stories::forget_needless_aliases(tx).await?;
    Ok(())
}

/// What joining items to clusters gave.
struct JoinedItems {
    /// The clusters whose stories may have changed.
    touched: BTreeSet<i64>,
    /// The items, read, each with its cluster.
    readings: Vec<(i64, Reading)>,
}

/// Puts items into clusters by their join keys.
async fn join_clusters(
    tx: &mut Tx,
    items: &[i64],
    at_hand: &AtHand<'_>,
) -> anyhow::Result<JoinedItems> {
    stories::add_members(tx, items).await?;
    let members = stories::members_by_number(tx, items, at_hand).await?;
    let readings: Vec<(i64, Reading)> = members
        .into_iter()
        .map(|member| (member.cluster, read(member.kept)))
        .collect();
    let keys: Vec<&BTreeSet<Key>> = readings.iter().map(|(_, reading)| reading.keys()).collect();
    let all: Vec<Key> = keys
        .iter()
        .copied()
        .flatten()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut known = stories::clusters_of_keys(tx, &all).await?;
    let mut joined = Joined::default();
    let mut put = Vec::new();
    for ((cluster, reading), keys) in readings.iter().zip(&keys) {
        for key in *keys {
            match known.get(key) {
                Some(other) => joined.join(*cluster, *other),
                None => {
                    known.insert(*key, *cluster);
                    put.push((*key, reading.kept.id));
                }
            }
        }
    }
    stories::put_keys(tx, &put).await?;
    stories::move_clusters(tx, &joined.moves()).await?;

    // Whom these items speak of, and whom the pull requests speak of of which these say that they were merged.
    let mut spoken = BTreeSet::new();
    let mut put = Vec::new();
    for (_, reading) in &readings {
        for key in mentions(reading) {
            put.push((key, reading.kept.id));
            spoken.insert(key);
        }
    }
    // What was spoken of before and is no more is told anew too.
    spoken.extend(stories::put_mentions(tx, items, &put).await?);
    let mut touched: BTreeSet<i64> = readings
        .iter()
        .map(|(cluster, _)| joined.find(*cluster))
        .collect();
    let merged: Vec<i64> = readings
        .iter()
        .filter(|(_, reading)| bot::pull_merged(&reading.kept).is_some())
        .map(|(cluster, _)| joined.find(*cluster))
        .collect();
    if !merged.is_empty() {
        for member in stories::members_of_clusters(tx, &merged, &[]).await? {
            spoken.extend(mentions(&read(member.kept)));
        }
    }
    let spoken: Vec<Key> = spoken.into_iter().collect();
    touched.extend(stories::clusters_of_keys(tx, &spoken).await?.into_values());
    let readings = readings.into_iter();
    let readings = readings
        .map(|(cluster, reading)| (joined.find(cluster), reading))
        .collect();
    Ok(JoinedItems { touched, readings })
}

/// Clusters that become one; the smallest number stays.
#[derive(Default)]
struct Joined(BTreeMap<i64, i64>);

impl Joined {
    fn find(&self, cluster: i64) -> i64 {
        let mut cluster = cluster;
        while let Some(&to) = self.0.get(&cluster) {
            cluster = to;
        }
        cluster
    }

    fn join(&mut self, a: i64, b: i64) {
        let (a, b) = (self.find(a), self.find(b));
        if a != b {
            self.0.insert(a.max(b), a.min(b));
        }
    }

    fn moves(&self) -> Vec<(i64, i64)> {
        self.0.keys().map(|&from| (from, self.find(from))).collect()
    }
}

/// Every id that the story of an item has, had, or could have: each of its items gives it one.
pub(super) async fn ids_of_story(tx: &mut Tx, item: i64) -> anyhow::Result<Vec<String>> {
    let items = stories::items_beside(tx, item).await?;
    let members = stories::members_by_number(tx, &items, &AtHand::new()).await?;
    let own = |member: Member| life::id_of(read(member.kept).own);
    Ok(members.into_iter().map(own).collect())
}

/// Reads an item; where it says nothing of its own address, its feeds tell.
pub(crate) fn read(mut kept: Kept) -> Reading {
    if kept.url.is_none() {
        kept.url = kept.feeds.iter().find_map(|feed| {
            let base = url::Url::parse(feed.url.as_deref()?).ok()?;
            source::item_url(kept.kind, &base, &kept.reference)
        });
    }
    Reading::of(kept)
}

/// Tells the stories of these clusters anew, and stores those that differ from what they were. `read_before` are those of
/// their items that were read already, with their clusters.
async fn tell_clusters(
    tx: &mut Tx,
    clusters: &BTreeSet<i64>,
    read_before: Vec<(i64, Reading)>,
    words: &Words,
) -> anyhow::Result<Vec<Moved>> {
    let asked: Vec<i64> = clusters.iter().copied().collect();
    let mut by_cluster: BTreeMap<i64, Vec<Reading>> = BTreeMap::new();
    let known: Vec<i64> = read_before
        .iter()
        .map(|(_, reading)| reading.kept.id)
        .collect();
    for Member { cluster, kept } in stories::members_of_clusters(tx, &asked, &known).await? {
        by_cluster.entry(cluster).or_default().push(read(kept));
    }
    for (cluster, reading) in read_before {
        by_cluster.entry(cluster).or_default().push(reading);
    }
    let outside = outside(tx, by_cluster.values().flatten()).await?;
    let mut before: HashMap<String, Before> = stories::stories_of_clusters(tx, &asked)
        .await?
        .into_iter()
        .map(|before| (before.id.clone(), before))
        .collect();
    let mut told: Vec<(i64, Story, Vec<i64>)> = Vec::new();
    for (cluster, readings) in &mut by_cluster {
        sort(readings);
        for group in groups(readings) {
            let items = group
                .readings
                .iter()
                .map(|reading| reading.kept.id)
                .collect();
            told.push((*cluster, life::tell(&group, &outside, words), items));
        }
    }
    let mut next = stories::next_number(tx).await?;
    let mut changed: Vec<(After<'_>, Vec<u8>)> = Vec::new();
    let mut was = Vec::new();
    for (cluster, story, items) in &told {
        let packed = stories::pack(story)?;
        let known = before.remove(&story.id);
        let is_same = known
            .as_ref()
            .is_some_and(|known| known.told == packed && known.cluster == *cluster);
        if is_same {
            continue;
        }
        let number = known.as_ref().map_or_else(
            || {
                next += 1;
                next - 1
            },
            |known| known.number,
        );
        let is_new = known.is_none();
        was.push(known.map(|known| known.told));
        changed.push((
            After {
                number,
                is_new,
                cluster: *cluster,
                items: items.clone(),
                story,
            },
            packed,
        ));
    }
    let gone: Vec<Before> = before.into_values().collect();
    stories::remove_stories(tx, &gone).await?;
    stories::put_stories(tx, &changed)
        .await
        .context("storing what was folded")?;
    let moved = changed
        .into_iter()
        .zip(was)
        .map(|((after, _), before)| Moved {
            story: after.story.clone(),
            items: after.items,
            before,
        });
    Ok(moved.collect())
}

/// What speaks of these items, and what became of the pull requests among it.
pub(crate) async fn outside<'a>(
    tx: &mut Tx,
    readings: impl Iterator<Item = &'a Reading>,
) -> anyhow::Result<Outside> {
    let keys: BTreeSet<Key> = readings.flat_map(Reading::keys).copied().collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    let speaking = stories::items_that_mention(tx, &keys).await?;
    if speaking.is_empty() {
        return Ok(Outside::default());
    }
    let members = stories::members_by_number(tx, &speaking, &AtHand::new()).await?;
    let requests: BTreeSet<i64> = members
        .iter()
        .filter(|member| member.kept.kind == Kind::Message)
        .map(|member| member.cluster)
        .collect();
    let mut readings: BTreeMap<i64, Reading> = BTreeMap::new();
    for member in members {
        readings.insert(member.kept.id, read(member.kept));
    }
    let requests: Vec<i64> = requests.into_iter().collect();
    for member in stories::members_of_clusters(tx, &requests, &[]).await? {
        readings
            .entry(member.kept.id)
            .or_insert_with(|| read(member.kept));
    }
    let mut readings: Vec<Reading> = readings.into_values().collect();
    sort(&mut readings);
    Ok(Outside { readings })
}

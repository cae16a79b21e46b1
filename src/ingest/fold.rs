//! Folds new items into stories: finds the clusters that they touch, and stores the changed stories. The rules are in `story`.

mod join;
mod kept;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Context as _;

use self::join::{JoinedItems, join_clusters, sources_of};
use self::kept::{Cluster, KeptClusters};
use crate::item::ItemKind;
use crate::source;
use crate::store::Tx;
use crate::store::items::LoadedItems;
use crate::store::stories::{self, Member, StoredStory, StoryUpdate};
use crate::story::fold::{groups, sort};
use crate::story::group::Outside;
use crate::story::key::JoinKey;
use crate::story::reading::Reading;
use crate::story::relevance::FoldRules;
use crate::story::{StoredItem, Story, life};

pub(super) use self::kept::rest;

/// The most bytes of clusters that stay in memory between folds …
const KEPT_BYTES_MAX: usize = 24 * 1024 * 1024;
/// … and between those of an import.
const IMPORTED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Items refolded at once; more would have to lie in memory together.
const REFOLD_BATCH: usize = 2_000;

/// A story that is new or changed.
#[derive(Debug)]
pub struct Moved {
    /// As it stands now.
    pub story: Story,
    /// Its items, the earliest first.
    pub items: Vec<i64>,
    /// Those of them that only report a machine's verdict on other items; they are not news.
    pub quiet: Vec<i64>,
    /// The previous story, packed; `None` if no story had its id.
    pub before: Option<Vec<u8>>,
}

/// Folds new and changed items into stories; returns the stories that are new or changed. `items` are as they were stored.
pub async fn fold_items(
    tx: &mut Tx,
    items: &[i64],
    at_hand: &LoadedItems<'_>,
    words: &FoldRules,
) -> anyhow::Result<Vec<Moved>> {
    fold_keeping(tx, items, at_hand, words, KEPT_BYTES_MAX).await
}

/// The same for an import of many mails by a process that does nothing else. It keeps more clusters in memory.
pub async fn fold_imported(
    tx: &mut Tx,
    items: &[i64],
    at_hand: &LoadedItems<'_>,
    words: &FoldRules,
) -> anyhow::Result<Vec<Moved>> {
    fold_keeping(tx, items, at_hand, words, IMPORTED_BYTES_MAX).await
}

async fn fold_keeping(
    tx: &mut Tx,
    items: &[i64],
    at_hand: &LoadedItems<'_>,
    words: &FoldRules,
    bytes_max: usize,
) -> anyhow::Result<Vec<Moved>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    // New and changed at once: two entries of a page may be one item.
    let items: BTreeSet<i64> = items.iter().copied().collect();
    let items: Vec<i64> = items.into_iter().collect();
    let mut kept = KeptClusters::take(tx, words).await?;
    let joined = join_clusters(tx, &items, at_hand, words).await?;
    let mut folding = gather(tx, &mut kept, joined, words).await?;
    let moved = tell_clusters(tx, &mut folding, words).await?;
    for (number, cluster) in folding.clusters {
        kept.put(number, cluster, bytes_max);
    }
    kept.put_cache(tx, bytes_max).await?;
    Ok(moved)
}

/// Makes all stories anew from the stored items.
pub async fn refold(
    tx: &mut Tx,
    items: &[i64],
    words: &FoldRules,
    mut told: impl FnMut(usize),
) -> anyhow::Result<()> {
    tx.drop_cache();
    stories::clear(tx).await?;
    let mut touched = BTreeSet::new();
    for batch in items.chunks(REFOLD_BATCH) {
        let mut joined = join_clusters(tx, batch, &LoadedItems::new(), words).await?;
        stories::move_clusters(tx, &joined.union.moves()).await?;
        touched.extend(joined.touched);
    }
    // Clusters that were joined by a later batch stand under the number that they have now.
    let touched: Vec<i64> = touched.into_iter().collect();
    for batch in touched.chunks(REFOLD_BATCH / 4) {
        let joined = JoinedItems {
            touched: batch.iter().copied().collect(),
            ..JoinedItems::default()
        };
        let mut none = KeptClusters::none(words);
        let mut folding = gather(tx, &mut none, joined, words).await?;
        tell_clusters(tx, &mut folding, words).await?;
        told(batch.len());
    }
    stories::forget_needless_aliases(tx).await?;
    Ok(())
}

/// Clusters as they are folded.
struct Folding {
    clusters: BTreeMap<i64, Cluster>,
    /// Items outside the cluster that mention its items.
    outside: Outside,
    /// Items that are new or changed, and items outside of which others are.
    stirred: HashSet<i64>,
}

/// Reads the clusters that are touched, as far as they are not kept, and makes those one that were joined.
async fn gather(
    tx: &mut Tx,
    kept: &mut KeptClusters,
    joined: JoinedItems,
    words: &FoldRules,
) -> anyhow::Result<Folding> {
    let JoinedItems {
        touched,
        mut union,
        readings,
        speaking,
    } = joined;
    let mut stirred: HashSet<i64> = readings.iter().map(|(_, r)| r.item.id).collect();
    let sources = union.sources();
    let mut clusters: BTreeMap<i64, Cluster> = BTreeMap::new();
    let mut unread = Vec::new();
    for &number in &touched {
        let cluster = clusters.entry(number).or_default();
        for part in sources_of(&sources, number) {
            match kept.remove(part) {
                Some(part) => cluster.absorb(part),
                None => unread.push(part),
            }
        }
        cluster
            .readings
            .retain(|reading| !stirred.contains(&reading.item.id));
    }
    let known: Vec<i64> = stirred.iter().copied().collect();
    let members = stories::members_of_clusters(tx, &unread, &known).await?;
    stories::move_clusters(tx, &union.moves()).await?;
    let members = members.into_iter();
    let fresh = members.map(|member| (member.cluster, read(member.item, words)));
    let mut by_key: HashMap<JoinKey, i64> = HashMap::new();
    for (cluster, reading) in fresh.chain(readings) {
        let number = union.find(cluster);
        by_key.extend(reading.keys().iter().map(|key| (*key, number)));
        if let Some(cluster) = clusters.get_mut(&number) {
            cluster.readings.push(reading);
        }
    }
    // The database knows every mention of stored items but those that these items make.
    let keys: Vec<JoinKey> = by_key.keys().copied().collect();
    let found = stories::items_that_mention(tx, &keys).await?;
    let found = found.into_iter().map(|(key, item)| (by_key[&key], item));
    for (number, item) in found.chain(speaking) {
        if let Some(cluster) = clusters.get_mut(&number) {
            cluster.speaking.insert(item);
        }
    }
    let speaking: BTreeSet<i64> = clusters
        .values()
        .flat_map(|c| &c.speaking)
        .copied()
        .collect();
    let (outside, requests) = read_outside(tx, speaking, words).await?;
    let asked = requests
        .into_iter()
        .filter(|(_, cluster)| touched.contains(cluster));
    stirred.extend(asked.map(|(item, _)| item));
    for cluster in clusters.values_mut() {
        sort(&mut cluster.readings);
    }
    Ok(Folding {
        clusters,
        outside,
        stirred,
    })
}

/// Every id that the story of an item has, had or could have. Each of its items provides one.
pub(super) async fn ids_of_story(tx: &mut Tx, item: i64) -> anyhow::Result<Vec<String>> {
    let items = stories::items_beside(tx, item).await?;
    let members = stories::members_by_number(tx, &items, &LoadedItems::new()).await?;
    // The table of machines does not change the names of an item.
    let words = FoldRules::default();
    let own = |member: Member| life::id_of(read(member.item, &words).own);
    Ok(members.into_iter().map(own).collect())
}

/// Reads an item. If the item has no address of its own, its feed provides it.
pub(crate) fn read(mut item: StoredItem, words: &FoldRules) -> Reading {
    if item.url.is_none() {
        item.url = item.feeds.iter().find_map(|feed| {
            let base = url::Url::parse(feed.url.as_deref()?).ok()?;
            source::item_url(item.kind, &base, &item.reference)
        });
    }
    Reading::of(item, &words.machines)
}

/// Builds the stories of changed clusters anew, and stores those that differ.
async fn tell_clusters(
    tx: &mut Tx,
    folding: &mut Folding,
    words: &FoldRules,
) -> anyhow::Result<Vec<Moved>> {
    let asked: Vec<i64> = folding.clusters.keys().copied().collect();
    let mut before: HashMap<String, StoredStory> = stories::stories_of_clusters(tx, &asked)
        .await?
        .into_iter()
        .map(|before| (before.id.clone(), before))
        .collect();
    let mut told: Vec<BuiltStory> = Vec::new();
    for (number, cluster) in &mut folding.clusters {
        let mut prints = HashMap::new();
        for group in groups(&cluster.readings) {
            let first = group.readings[0];
            let mentioning = folding.outside.of(&group);
            let print = group.fingerprint(&mentioning);
            let known = before.remove(&life::id_of(first.own));
            let mut items = group.readings.iter().chain(&mentioning);
            let is_same = cluster.prints.get(&first.item.id) == Some(&print)
                && known.is_some()
                && !items.any(|reading| folding.stirred.contains(&reading.item.id));
            prints.insert(first.item.id, print);
            if !is_same {
                let quiet = group.readings.iter().filter(|reading| reading.is_quiet());
                told.push(BuiltStory {
                    quiet: quiet.map(|reading| reading.item.id).collect(),
                    cluster: *number,
                    items: group.readings.iter().map(|r| r.item.id).collect(),
                    story: life::build(&group, &folding.outside, words),
                    known,
                });
            }
        }
        cluster.prints = prints;
    }
    let gone: Vec<StoredStory> = before.into_values().collect();
    store_told(tx, &mut folding.clusters, told, &gone).await
}

/// A story as it was built.
struct BuiltStory {
    cluster: i64,
    /// Its items, the earliest first.
    items: Vec<i64>,
    /// Those of them that only report a machine's verdict.
    quiet: Vec<i64>,
    story: Story,
    /// The one that had its id.
    known: Option<StoredStory>,
}

/// Stores the stories that differ from their stored form.
async fn store_told(
    tx: &mut Tx,
    clusters: &mut BTreeMap<i64, Cluster>,
    told: Vec<BuiltStory>,
    gone: &[StoredStory],
) -> anyhow::Result<Vec<Moved>> {
    let known = told
        .iter()
        .filter_map(|told| Some(told.known.as_ref()?.number));
    let known: Vec<i64> = known.collect();
    let mut before = stories::packed_stories(tx, &known).await?;
    let mut next = stories::next_number(tx).await?;
    let mut changed: Vec<(StoryUpdate<'_>, Vec<u8>)> = Vec::new();
    let mut was = Vec::new();
    for told in &told {
        let packed = stories::pack(&told.story)?;
        let known = told.known.as_ref();
        let said = known.and_then(|known| before.remove(&known.number));
        let number = known.map_or_else(
            || {
                next += 1;
                next - 1
            },
            |known| known.number,
        );
        let placed = clusters
            .get_mut(&told.cluster)
            .map(|cluster| &mut cluster.stories);
        let unplaced = told.items.iter().copied();
        let unplaced: Vec<i64> = match placed {
            Some(placed) => unplaced
                .filter(|item| placed.insert(*item, number) != Some(number))
                .collect(),
            None => unplaced.collect(),
        };
        if said.as_ref() == Some(&packed) && known.is_some_and(|k| k.cluster == told.cluster) {
            continue;
        }
        was.push((said, told.quiet.clone()));
        changed.push((
            StoryUpdate {
                number,
                is_new: known.is_none(),
                cluster: told.cluster,
                items: told.items.clone(),
                unplaced,
                story: &told.story,
            },
            packed,
        ));
    }
    stories::remove_stories(tx, gone).await?;
    stories::put_stories(tx, &changed)
        .await
        .context("storing what was folded")?;
    let moved = changed
        .into_iter()
        .zip(was)
        .map(|((after, _), (before, quiet))| Moved {
            story: after.story.clone(),
            items: after.items,
            quiet,
            before,
        });
    Ok(moved.collect())
}

/// The items that mention these, and the outcome of pull requests among them.
pub(crate) async fn outside<'a>(
    tx: &mut Tx,
    readings: impl Iterator<Item = &'a Reading>,
    words: &FoldRules,
) -> anyhow::Result<Outside> {
    let keys: BTreeSet<JoinKey> = readings.flat_map(Reading::keys).copied().collect();
    let keys: Vec<JoinKey> = keys.into_iter().collect();
    let speaking = stories::items_that_mention(tx, &keys).await?;
    let speaking = speaking.into_iter().map(|(_, item)| item).collect();
    Ok(read_outside(tx, speaking, words).await?.0)
}

/// Reads these items with the clusters of pull requests among them, which hold their outcome.
async fn read_outside(
    tx: &mut Tx,
    speaking: BTreeSet<i64>,
    words: &FoldRules,
) -> anyhow::Result<(Outside, Vec<(i64, i64)>)> {
    if speaking.is_empty() {
        return Ok((Outside::default(), Vec::new()));
    }
    let speaking: Vec<i64> = speaking.into_iter().collect();
    let members = stories::members_by_number(tx, &speaking, &LoadedItems::new()).await?;
    let mails = members
        .iter()
        .filter(|member| member.item.kind == ItemKind::Message);
    let requests: Vec<(i64, i64)> = mails
        .map(|member| (member.item.id, member.cluster))
        .collect();
    let mut readings: BTreeMap<i64, Reading> = BTreeMap::new();
    for member in members {
        readings.insert(member.item.id, read(member.item, words));
    }
    let clusters: BTreeSet<i64> = requests.iter().map(|(_, cluster)| *cluster).collect();
    let clusters: Vec<i64> = clusters.into_iter().collect();
    let spoken: Vec<i64> = readings.keys().copied().collect();
    for member in stories::members_of_clusters(tx, &clusters, &spoken).await? {
        readings.insert(member.item.id, read(member.item, words));
    }
    let mut readings: Vec<Reading> = readings.into_values().collect();
    sort(&mut readings);
    Ok((Outside::new(readings), requests))
}

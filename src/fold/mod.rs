//! Folds new items into stories: finds the clusters that they touch, and stores the changed stories. The rules are in `story`.

mod cache;
mod join;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Context as _;

use self::cache::{Cluster, ClusterCache};
use self::join::{JoinedItems, join_clusters, sources_of};
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

pub(crate) use self::cache::drop_idle_cache;

/// The most bytes of clusters that are cached between folds …
const CACHE_BYTES_MAX: usize = 24 * 1024 * 1024;
/// … and between the folds of an import.
const IMPORT_CACHE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Items refolded at once; more would have to lie in memory together.
const REFOLD_BATCH: usize = 2_000;

/// A story that is new or changed.
#[derive(Debug)]
pub struct ChangedStory {
    /// As it stands now.
    pub story: Story,
    /// Its items, the earliest first.
    pub items: Vec<i64>,
    /// Those of them that only report a machine's verdict on other items; they are not news.
    pub quiet: Vec<i64>,
    /// The previous story, packed; `None` if no story had its id.
    pub before: Option<Vec<u8>>,
    /// Other stories that are part of it now, packed.
    pub joined: Vec<Vec<u8>>,
}

/// Folds new and changed items into stories; returns the stories that are new or changed. `loaded` has those of the items that
/// were just stored, so that they are not read again.
pub async fn fold_items(
    tx: &mut Tx,
    items: &[i64],
    loaded: &LoadedItems<'_>,
    rules: &FoldRules,
) -> anyhow::Result<Vec<ChangedStory>> {
    fold_cached(tx, items, loaded, rules, CACHE_BYTES_MAX).await
}

/// The same for an import of many mails by a process that does nothing else. It caches more clusters.
pub async fn fold_imported(
    tx: &mut Tx,
    items: &[i64],
    loaded: &LoadedItems<'_>,
    rules: &FoldRules,
) -> anyhow::Result<Vec<ChangedStory>> {
    fold_cached(tx, items, loaded, rules, IMPORT_CACHE_BYTES_MAX).await
}

async fn fold_cached(
    tx: &mut Tx,
    items: &[i64],
    loaded: &LoadedItems<'_>,
    rules: &FoldRules,
    bytes_max: usize,
) -> anyhow::Result<Vec<ChangedStory>> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    // Two entries of a page may be one item, which is new and changed at once.
    let items: Vec<i64> = BTreeSet::from_iter(items.iter().copied())
        .into_iter()
        .collect();
    let mut cache = ClusterCache::take(tx, rules).await?;
    let joined = join_clusters(tx, &items, loaded, rules).await?;
    let mut folding = gather(tx, &mut cache, joined, rules).await?;
    let changed = build_stories(tx, &mut folding, rules).await?;
    for (number, cluster) in folding.clusters {
        cache.put(number, cluster, bytes_max);
    }
    cache.save(tx, bytes_max).await?;
    Ok(changed)
}

/// Builds all stories again from the stored items. `on_batch` receives the number of clusters that were done since the last call.
pub async fn refold(
    tx: &mut Tx,
    items: &[i64],
    rules: &FoldRules,
    mut on_batch: impl FnMut(usize),
) -> anyhow::Result<()> {
    tx.drop_cache();
    stories::clear(tx).await?;
    let mut touched = BTreeSet::new();
    for batch in items.chunks(REFOLD_BATCH) {
        let mut joined = join_clusters(tx, batch, &LoadedItems::new(), rules).await?;
        stories::move_clusters(tx, &joined.union.moves()).await?;
        touched.extend(joined.touched);
    }
    // Clusters that a later batch joined stand under the number that they have now.
    let touched: Vec<i64> = touched.into_iter().collect();
    for batch in touched.chunks(REFOLD_BATCH / 4) {
        let joined = JoinedItems {
            touched: batch.iter().copied().collect(),
            ..JoinedItems::default()
        };
        let mut no_cache = ClusterCache::empty(rules);
        let mut folding = gather(tx, &mut no_cache, joined, rules).await?;
        build_stories(tx, &mut folding, rules).await?;
        on_batch(batch.len());
    }
    stories::forget_needless_aliases(tx).await?;
    Ok(())
}

/// The clusters of one fold.
struct Folding {
    clusters: BTreeMap<i64, Cluster>,
    /// Items outside the cluster that mention its items.
    outside: Outside,
    /// Items that are new or changed, and items outside if others of their cluster are.
    changed: HashSet<i64>,
}

/// Reads the touched clusters that are not cached, and merges those that were joined.
async fn gather(
    tx: &mut Tx,
    cache: &mut ClusterCache,
    joined: JoinedItems,
    rules: &FoldRules,
) -> anyhow::Result<Folding> {
    let (touched, mut union, readings) = (joined.touched, joined.union, joined.readings);
    let mut changed: HashSet<i64> = readings.iter().map(|(_, r)| r.item.id).collect();
    let sources = union.sources();
    let mut unread = Vec::new();
    let mut cached = |number: i64| {
        let mut cluster = Cluster::default();
        for part in sources_of(&sources, number) {
            match cache.remove(part) {
                Some(part) => cluster.absorb(part),
                None => unread.push(part),
            }
        }
        let is_old = |reading: &Reading| !changed.contains(&reading.item.id);
        cluster.readings.retain(is_old);
        (number, cluster)
    };
    let mut clusters: BTreeMap<i64, Cluster> = touched.iter().map(|&n| cached(n)).collect();
    let known: Vec<i64> = changed.iter().copied().collect();
    let members = stories::members_of_clusters(tx, &unread, &known).await?;
    stories::move_clusters(tx, &union.moves()).await?;
    let stored = members
        .into_iter()
        .map(|member| (member.cluster, read_item(member.item, rules)));
    let mut by_key: HashMap<JoinKey, i64> = HashMap::new();
    for (cluster, reading) in stored.chain(readings) {
        let number = union.find(cluster);
        by_key.extend(reading.keys().iter().map(|key| (*key, number)));
        if let Some(cluster) = clusters.get_mut(&number) {
            cluster.readings.push(reading);
        }
    }
    // The database has all mentions of stored items, except those by these items.
    let keys: Vec<JoinKey> = by_key.keys().copied().collect();
    let stored = stories::items_that_mention(tx, &keys).await?;
    let stored = stored.into_iter().map(|(key, item)| (by_key[&key], item));
    for (number, item) in stored.chain(joined.mentioning) {
        if let Some(cluster) = clusters.get_mut(&number) {
            cluster.mentioning.insert(item);
        }
    }
    let mentioning: BTreeSet<i64> = clusters
        .values()
        .flat_map(|c| &c.mentioning)
        .copied()
        .collect();
    let (outside, requests) = read_outside(tx, mentioning, rules).await?;
    let is_touched = |(_, cluster): &(i64, i64)| touched.contains(cluster);
    changed.extend(
        requests
            .into_iter()
            .filter(is_touched)
            .map(|(item, _)| item),
    );
    for cluster in clusters.values_mut() {
        sort(&mut cluster.readings);
    }
    Ok(Folding {
        clusters,
        outside,
        changed,
    })
}

/// Every id that the story of an item has, had or could have. Each of its items provides one.
pub(crate) async fn ids_of_story(tx: &mut Tx, item: i64) -> anyhow::Result<Vec<String>> {
    let items = stories::items_beside(tx, item).await?;
    let members = stories::members_by_number(tx, &items, &LoadedItems::new()).await?;
    // The table of machines does not change the names of an item.
    let rules = FoldRules::default();
    let own = |member: Member| life::id_of(read_item(member.item, &rules).own);
    Ok(members.into_iter().map(own).collect())
}

/// Reads an item.
pub(crate) fn read_item(item: StoredItem, rules: &FoldRules) -> Reading {
    Reading::of(with_address(item), &rules.machines)
}

/// If an item has no address of its own, its feed provides it.
fn with_address(mut item: StoredItem) -> StoredItem {
    let feeds = item.feeds.iter().map(|feed| feed.url.as_deref());
    item.url = source::page_of(item.kind, &item.reference, item.url.take(), feeds);
    item
}

/// Builds the stories of changed clusters, and stores those that differ.
async fn build_stories(
    tx: &mut Tx,
    folding: &mut Folding,
    rules: &FoldRules,
) -> anyhow::Result<Vec<ChangedStory>> {
    let numbers: Vec<i64> = folding.clusters.keys().copied().collect();
    let mut before: HashMap<String, StoredStory> = stories::stories_of_clusters(tx, &numbers)
        .await?
        .into_iter()
        .map(|before| (before.id.clone(), before))
        .collect();
    let mut built: Vec<BuiltStory> = Vec::new();
    for (number, cluster) in &mut folding.clusters {
        let mut fingerprints = HashMap::new();
        for group in groups(&cluster.readings) {
            let first = group.readings[0];
            let mentioning = folding.outside.of(&group);
            let fingerprint = group.fingerprint(&mentioning);
            let previous = before.remove(&life::id_of(first.own));
            let mut items = group.readings.iter().chain(&mentioning);
            let is_same = cluster.fingerprints.get(&first.item.id) == Some(&fingerprint)
                && previous.is_some()
                && !items.any(|reading| folding.changed.contains(&reading.item.id));
            fingerprints.insert(first.item.id, fingerprint);
            if !is_same {
                let quiet = group.readings.iter().filter(|reading| reading.is_quiet());
                built.push(BuiltStory {
                    quiet: quiet.map(|reading| reading.item.id).collect(),
                    cluster: *number,
                    items: group.readings.iter().map(|r| r.item.id).collect(),
                    story: life::build(&group, &folding.outside, rules),
                    previous,
                });
            }
        }
        cluster.fingerprints = fingerprints;
    }
    let gone: Vec<StoredStory> = before.into_values().collect();
    store_stories(tx, &mut folding.clusters, built, &gone).await
}

/// A story as it was built.
struct BuiltStory {
    cluster: i64,
    /// Its items, the earliest first.
    items: Vec<i64>,
    /// Those of them that only report a machine's verdict.
    quiet: Vec<i64>,
    story: Story,
    /// The stored story with its id.
    previous: Option<StoredStory>,
}

/// Stores the stories that differ from their stored form.
async fn store_stories(
    tx: &mut Tx,
    clusters: &mut BTreeMap<i64, Cluster>,
    built: Vec<BuiltStory>,
    gone: &[StoredStory],
) -> anyhow::Result<Vec<ChangedStory>> {
    let previous: Vec<i64> = built
        .iter()
        .filter_map(|built| Some(built.previous.as_ref()?.number))
        .collect();
    let mut packed_before = stories::packed_stories(tx, &previous).await?;
    let mut next = stories::next_number(tx).await?;
    let mut changed: Vec<(StoryUpdate<'_>, Vec<u8>)> = Vec::new();
    let mut was = Vec::new();
    for built in &built {
        let packed = stories::pack(&built.story)?;
        let previous = built.previous.as_ref();
        let before = previous.and_then(|previous| packed_before.remove(&previous.number));
        let number = previous.map_or_else(
            || {
                next += 1;
                next - 1
            },
            |previous| previous.number,
        );
        let items = built.items.iter().copied();
        let unplaced: Vec<i64> = match clusters.get_mut(&built.cluster) {
            Some(cluster) => items
                .filter(|item| cluster.stories.insert(*item, number) != Some(number))
                .collect(),
            None => items.collect(),
        };
        let is_in_place = previous.is_some_and(|previous| previous.cluster == built.cluster);
        if before.as_ref() == Some(&packed) && is_in_place {
            continue;
        }
        was.push((before, built.quiet.clone()));
        changed.push((
            StoryUpdate {
                number,
                is_new: previous.is_none(),
                cluster: built.cluster,
                items: built.items.clone(),
                unplaced,
                story: &built.story,
            },
            packed,
        ));
    }
    let mut joined = packed_by_item(tx, gone).await?;
    stories::remove_stories(tx, gone).await?;
    stories::put_stories(tx, &changed)
        .await
        .context("storing what was folded")?;
    let changed = changed
        .into_iter()
        .zip(was)
        .map(|((after, _), (before, quiet))| ChangedStory {
            joined: after
                .items
                .iter()
                .filter_map(|item| joined.remove(item))
                .collect(),
            story: after.story.clone(),
            items: after.items,
            quiet,
            before,
        });
    Ok(changed.collect())
}

/// Packed stories, by the items that gave their ids.
async fn packed_by_item(
    tx: &mut Tx,
    stories: &[StoredStory],
) -> anyhow::Result<HashMap<i64, Vec<u8>>> {
    let numbers: Vec<i64> = stories.iter().map(|story| story.number).collect();
    let mut packed = stories::packed_stories(tx, &numbers).await?;
    let by_item = stories
        .iter()
        .filter_map(|story| Some((story.item_id, packed.remove(&story.number)?)));
    Ok(by_item.collect())
}

/// The items that mention these, and the outcome of pull requests among them.
pub(crate) async fn outside<'a>(
    tx: &mut Tx,
    readings: impl Iterator<Item = &'a Reading>,
    rules: &FoldRules,
) -> anyhow::Result<Outside> {
    let found = stories::items_that_mention(tx, &distinct_keys(readings)).await?;
    let mentioning = found.into_iter().map(|(_, item)| item).collect();
    Ok(read_outside(tx, mentioning, rules).await?.0)
}

fn distinct_keys<'a>(readings: impl Iterator<Item = &'a Reading>) -> Vec<JoinKey> {
    let keys: BTreeSet<JoinKey> = readings.flat_map(Reading::keys).copied().collect();
    keys.into_iter().collect()
}

/// Reads these items with the clusters of pull requests among them, which hold their outcome.
async fn read_outside(
    tx: &mut Tx,
    mentioning: BTreeSet<i64>,
    rules: &FoldRules,
) -> anyhow::Result<(Outside, Vec<(i64, i64)>)> {
    if mentioning.is_empty() {
        return Ok((Outside::default(), Vec::new()));
    }
    let mentioning: Vec<i64> = mentioning.into_iter().collect();
    let members = stories::members_by_number(tx, &mentioning, &LoadedItems::new()).await?;
    let requests: Vec<(i64, i64)> = members
        .iter()
        .filter(|member| member.item.kind == ItemKind::Message)
        .map(|member| (member.item.id, member.cluster))
        .collect();
    let mut readings: BTreeMap<i64, Reading> = BTreeMap::new();
    for member in members {
        readings.insert(member.item.id, read_item(member.item, rules));
    }
    let clusters: Vec<i64> = BTreeSet::from_iter(requests.iter().map(|(_, cluster)| *cluster))
        .into_iter()
        .collect();
    let read: Vec<i64> = readings.keys().copied().collect();
    for member in stories::members_of_clusters(tx, &clusters, &read).await? {
        readings.insert(member.item.id, read_item(member.item, rules));
    }
    let mut readings: Vec<Reading> = readings.into_values().collect();
    sort(&mut readings);
    Ok((Outside::new(readings), requests))
}

//! The clusters that new and changed items join by their keys, and those that they mention.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{distinct_keys, read_item, with_address};
use crate::store::Tx;
use crate::store::items::LoadedItems;
use crate::store::stories;
use crate::story::bot;
use crate::story::key::JoinKey;
use crate::story::reading::Reading;
use crate::story::relevance::FoldRules;

/// The result of joining items to clusters.
#[derive(Default)]
pub(super) struct JoinedItems {
    /// The clusters with stories that may have changed, by their new numbers.
    pub(super) touched: BTreeSet<i64>,
    /// The clusters that become one.
    pub(super) union: ClusterUnion,
    /// The items, each with the cluster that it was in.
    pub(super) readings: Vec<(i64, Reading)>,
    /// Items that mention something in a cluster, by the number that it will have.
    pub(super) mentioning: Vec<(i64, i64)>,
}

/// Finds the clusters that items join by their keys, and those that they mention.
pub(super) async fn join_clusters(
    tx: &mut Tx,
    items: &[i64],
    loaded: &LoadedItems<'_>,
    rules: &FoldRules,
) -> anyhow::Result<JoinedItems> {
    stories::add_members(tx, items).await?;
    let members = stories::members_by_number(tx, items, loaded).await?;
    let readings: Vec<(i64, Reading)> = members
        .into_iter()
        .map(|member| {
            let reading = match loaded.get(&member.item.id) {
                Some(loaded) => loaded.reading.stored(with_address(member.item)),
                None => read_item(member.item, rules),
            };
            (member.cluster, reading)
        })
        .collect();
    let keys = distinct_keys(readings.iter().map(|(_, reading)| reading));
    let mut known = stories::clusters_of_keys(tx, &keys).await?;
    let mut union = ClusterUnion::default();
    let mut put = Vec::new();
    for (cluster, reading) in &readings {
        for key in reading.keys() {
            match known.get(key) {
                Some(other) => union.join(*cluster, *other),
                None => {
                    known.insert(*key, *cluster);
                    put.push((*key, reading.item.id));
                }
            }
        }
    }
    stories::put_keys(tx, &put).await?;
    let mut joined = JoinedItems {
        touched: readings
            .iter()
            .map(|(cluster, _)| union.find(*cluster))
            .collect(),
        union,
        readings,
        mentioning: Vec::new(),
    };
    joined.add_mentions(tx, rules).await?;
    Ok(joined)
}

impl JoinedItems {
    /// Finds the items that these mention, and the items mentioned by pull requests that these say were merged.
    async fn add_mentions(&mut self, tx: &mut Tx, rules: &FoldRules) -> anyhow::Result<()> {
        let mut mentioned: BTreeMap<JoinKey, Vec<i64>> = BTreeMap::new();
        let mut put = Vec::new();
        for (_, reading) in &self.readings {
            for key in reading.mentions() {
                put.push((*key, reading.item.id));
                mentioned.entry(*key).or_default().push(reading.item.id);
            }
        }
        let items: Vec<i64> = self.readings.iter().map(|(_, r)| r.item.id).collect();
        // An item that is no longer mentioned needs a new story as well.
        for key in stories::put_mentions(tx, &items, &put).await? {
            mentioned.entry(key).or_default();
        }
        let union = &mut self.union;
        let says_merged = |reading: &Reading| bot::pull_merged(&reading.item).is_some();
        let readings = self.readings.iter();
        let merged: BTreeSet<i64> = readings
            .filter(|(_, reading)| says_merged(reading))
            .map(|(cluster, _)| union.find(*cluster))
            .collect();
        if !merged.is_empty() {
            let sources = union.sources();
            let parts: Vec<i64> = merged
                .iter()
                .flat_map(|number| sources_of(&sources, *number))
                .collect();
            for member in stories::members_of_clusters(tx, &parts, &[]).await? {
                let number = member.item.id;
                for key in read_item(member.item, rules).mentions() {
                    mentioned.entry(*key).or_default().push(number);
                }
            }
        }
        let keys: Vec<JoinKey> = mentioned.keys().copied().collect();
        for (key, cluster) in stories::clusters_of_keys(tx, &keys).await? {
            let cluster = self.union.find(cluster);
            self.touched.insert(cluster);
            let mentioning = mentioned.get(&key).into_iter().flatten();
            self.mentioning
                .extend(mentioning.map(|item| (cluster, *item)));
        }
        Ok(())
    }
}

/// Clusters that become one; the smallest number stays.
#[derive(Default)]
pub(super) struct ClusterUnion(BTreeMap<i64, i64>);

impl ClusterUnion {
    pub(super) fn find(&mut self, cluster: i64) -> i64 {
        let mut root = cluster;
        while let Some(&to) = self.0.get(&root) {
            root = to;
        }
        // Shortens the way for the next search.
        let mut at = cluster;
        while let Some(to) = self.0.get_mut(&at).filter(|to| **to != root) {
            at = std::mem::replace(to, root);
        }
        root
    }

    fn join(&mut self, a: i64, b: i64) {
        let (a, b) = (self.find(a), self.find(b));
        if a != b {
            self.0.insert(a.max(b), a.min(b));
        }
    }

    pub(super) fn moves(&mut self) -> Vec<(i64, i64)> {
        let from: Vec<i64> = self.0.keys().copied().collect();
        from.into_iter()
            .map(|from| (from, self.find(from)))
            .collect()
    }

    /// The clusters that go into another one, by the number of that one.
    pub(super) fn sources(&mut self) -> HashMap<i64, Vec<i64>> {
        let mut sources: HashMap<i64, Vec<i64>> = HashMap::new();
        for (from, to) in self.moves() {
            sources.entry(to).or_default().push(from);
        }
        sources
    }
}

/// A cluster and those that go into it.
pub(super) fn sources_of(
    sources: &HashMap<i64, Vec<i64>>,
    number: i64,
) -> impl Iterator<Item = i64> {
    let more = sources.get(&number).into_iter().flatten().copied();
    std::iter::once(number).chain(more)
}

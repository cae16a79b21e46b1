//! Clusters that were folded recently stay in memory, so that one more mail does not read them again. They lie beside the
//! writer's connection, so a transaction that is not committed leaves none.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::store::Tx;
use crate::story::reading::Reading;
use crate::story::relevance::FoldRules;

/// Smaller clusters are not cached: they are read in no time, and most are never touched again.
const ITEMS_MIN: usize = 32;
/// After so long without a fold, the cache is dropped.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);

/// A cluster as it was folded last.
#[derive(Default)]
pub(super) struct Cluster {
    /// Its items, in the order of the fold.
    pub(super) readings: Vec<Reading>,
    /// Items of any cluster that mention one of these.
    pub(super) mentioning: BTreeSet<i64>,
    /// For the first item of each story: a hash of the story's input.
    pub(super) fingerprints: HashMap<i64, u64>,
    /// The stories that the items are in.
    pub(super) stories: HashMap<i64, i64>,
    bytes: usize,
    used: u64,
}

impl Cluster {
    /// Takes in a cluster that is part of this one now.
    pub(super) fn absorb(&mut self, other: Self) {
        if self.readings.is_empty() {
            *self = other;
            return;
        }
        self.readings.extend(other.readings);
        self.mentioning.extend(other.mentioning);
        self.fingerprints.extend(other.fingerprints);
        self.stories.extend(other.stories);
    }
}

/// Cached clusters, by number.
pub(super) struct ClusterCache {
    clusters: HashMap<i64, Cluster>,
    bytes: usize,
    folds: u64,
    /// The rules by which the stories were built.
    rules: FoldRules,
    used_at: Instant,
}

impl ClusterCache {
    /// Takes the cache that the last transactions left.
    pub(super) async fn take(tx: &mut Tx, rules: &FoldRules) -> anyhow::Result<Self> {
        let left: Option<Self> = tx.take_cache().await?;
        let fits = left.filter(|left| left.rules == *rules);
        let mut cache = fits.unwrap_or_else(|| Self::empty(rules));
        cache.folds += 1;
        cache.used_at = Instant::now();
        Ok(cache)
    }

    pub(super) fn empty(rules: &FoldRules) -> Self {
        Self {
            clusters: HashMap::new(),
            bytes: 0,
            folds: 0,
            rules: rules.clone(),
            used_at: Instant::now(),
        }
    }

    pub(super) fn remove(&mut self, number: i64) -> Option<Cluster> {
        let cluster = self.clusters.remove(&number)?;
        self.bytes -= cluster.bytes;
        Some(cluster)
    }

    /// Adds a cluster that was folded, unless it is too small or too large.
    pub(super) fn put(&mut self, number: i64, mut cluster: Cluster, bytes_max: usize) {
        cluster.bytes = cluster.readings.iter().map(Reading::bytes).sum();
        if cluster.readings.len() < ITEMS_MIN || cluster.bytes > bytes_max {
            return;
        }
        cluster.used = self.folds;
        self.bytes += cluster.bytes;
        self.clusters.insert(number, cluster);
    }

    /// Stores the cache beside the connection. Beyond the limit, the least recently used clusters go first.
    pub(super) async fn save(mut self, tx: &mut Tx, bytes_max: usize) -> anyhow::Result<()> {
        if self.bytes > bytes_max {
            let clusters = self.clusters.iter();
            let mut oldest: Vec<(u64, i64)> = clusters.map(|(at, c)| (c.used, -*at)).collect();
            oldest.sort_unstable();
            for (_, number) in oldest {
                if self.bytes > bytes_max {
                    self.remove(-number);
                }
            }
        }
        if self.clusters.is_empty() {
            return Ok(());
        }
        Ok(tx.put_cache(self).await?)
    }
}

/// Drops the cached clusters if nothing was folded for a while.
pub(crate) fn drop_idle_cache(tx: &mut Tx) {
    let is_idle = |cache: &ClusterCache| cache.used_at.elapsed() > IDLE_MAX;
    if tx.cache().is_some_and(is_idle) {
        tx.drop_cache();
    }
}

//! Clusters that were folded lately stay in memory, so that one more mail has none of them read again. They lie beside the
//! writer's connection: a transaction that is not committed leaves none.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::store::Tx;
use crate::story::reading::Reading;
use crate::story::relevance::FoldRules;

/// Smaller clusters are not kept: they are read in no time, and most are never touched again.
const ITEMS_MIN: usize = 32;
/// After so long without a fold all of them are dropped.
const QUIET: Duration = Duration::from_secs(15 * 60);

/// A cluster as it was folded last.
#[derive(Default)]
pub(super) struct Cluster {
    /// Its items, in the order that the fold goes by.
    pub(super) readings: Vec<Reading>,
    /// Items anywhere that mention one of these.
    pub(super) speaking: BTreeSet<i64>,
    /// For the first item of each story: a hash of the story's input.
    pub(super) prints: HashMap<i64, u64>,
    /// The stories that the items are in.
    pub(super) stories: HashMap<i64, i64>,
    bytes: usize,
    used: u64,
}

impl Cluster {
    /// Takes in another one that is part of this one now.
    pub(super) fn absorb(&mut self, other: Self) {
        if self.readings.is_empty() {
            *self = other;
            return;
        }
        self.readings.extend(other.readings);
        self.speaking.extend(other.speaking);
        self.prints.extend(other.prints);
        self.stories.extend(other.stories);
    }
}

/// The clusters that are kept, by their numbers.
pub(super) struct KeptClusters {
    clusters: HashMap<i64, Cluster>,
    bytes: usize,
    folds: u64,
    /// The words by which the stories were judged.
    words: FoldRules,
    used_at: Instant,
}

impl KeptClusters {
    /// Takes the clusters that the last transactions left.
    pub(super) async fn take(tx: &mut Tx, words: &FoldRules) -> anyhow::Result<Self> {
        let kept: Option<Self> = tx.take_cache().await?;
        let kept = kept.filter(|kept| kept.words == *words);
        let mut kept = kept.unwrap_or_else(|| Self::none(words));
        kept.folds += 1;
        kept.used_at = Instant::now();
        Ok(kept)
    }

    /// No cluster at all.
    pub(super) fn none(words: &FoldRules) -> Self {
        Self {
            clusters: HashMap::new(),
            bytes: 0,
            folds: 0,
            words: words.clone(),
            used_at: Instant::now(),
        }
    }

    /// Takes a cluster out.
    pub(super) fn remove(&mut self, number: i64) -> Option<Cluster> {
        let cluster = self.clusters.remove(&number)?;
        self.bytes -= cluster.bytes;
        Some(cluster)
    }

    /// Keeps a cluster that was folded, if it is worth that.
    pub(super) fn put(&mut self, number: i64, mut cluster: Cluster, bytes_max: usize) {
        cluster.bytes = cluster.readings.iter().map(Reading::bytes).sum();
        if cluster.readings.len() < ITEMS_MIN || cluster.bytes > bytes_max {
            return;
        }
        cluster.used = self.folds;
        self.bytes += cluster.bytes;
        self.clusters.insert(number, cluster);
    }

    /// Stores the clusters beside the connection. The least recently used go first if they exceed the bound.
    pub(super) async fn put_cache(mut self, tx: &mut Tx, bytes_max: usize) -> anyhow::Result<()> {
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

/// Drops the kept clusters if nothing was folded for a while.
pub(in crate::ingest) fn rest(tx: &mut Tx) {
    let is_quiet = |kept: &KeptClusters| kept.used_at.elapsed() > QUIET;
    if tx.cache().is_some_and(is_quiet) {
        tx.drop_cache();
    }
}

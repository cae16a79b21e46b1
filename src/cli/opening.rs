//! Opening the configuration and its database: alone, or beside a bpfnews that runs.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;

use crate::clock::SystemClock;
use crate::config::{Config, EffectiveConfig};
use crate::ingest::Ingest;
use crate::live;
use crate::store::Store;
use crate::store::feeds::{self, FeedRow};
use crate::store::lock::{Lock, LockAttempt};

/// Opens the configuration with its additions from chat, the database and the feeds, for work that may go on beside a running
/// bpfnews: reading, and storing items that come from no upstream. The database then agrees with the configuration that the
/// running process has read.
pub(super) async fn open(path: &Path) -> anyhow::Result<(Config, Arc<Ingest>)> {
    let file = EffectiveConfig::load(path)?;
    let store = Store::open(&file.config.database).await?;
    let config = live::with_additions(&file, &store).await?.config;
    let clock = Arc::new(SystemClock);
    let ingest = match Lock::try_take(&config.database, "list")? {
        LockAttempt::Ours(_lock) => Ingest::open(store, &config, clock).await?,
        LockAttempt::Theirs(_) => Ingest::beside(store, &config, clock).await?,
    };
    Ok((config, Arc::new(ingest)))
}

/// The same for work that only one process may do: polling and sending. The lock lasts as long as the returned guard.
pub(super) async fn open_alone(
    path: &Path,
    command: &str,
) -> anyhow::Result<(Config, Arc<Ingest>, Lock)> {
    let file = EffectiveConfig::load(path)?;
    let store = Store::open(&file.config.database).await?;
    let config = live::with_additions(&file, &store).await?.config;
    let lock = Lock::take(&config.database, command)?;
    let ingest = Ingest::open(store, &config, Arc::new(SystemClock)).await?;
    ingest.note_attempts(&config.database);
    Ok((config, Arc::new(ingest), lock))
}

/// The row of a configured feed.
pub(super) async fn feed_row(
    ingest: &Ingest,
    config: &Config,
    name: &str,
) -> anyhow::Result<FeedRow> {
    if !config.feeds.iter().any(|feed| feed.name == name) {
        return Err(unknown_feed(config, name));
    }
    let rows = feeds::list_feeds(ingest.store.read()).await?;
    rows.into_iter()
        .find(|row| row.name == name)
        .with_context(|| format!("the database does not hold {name}"))
}

pub(super) fn unknown_feed(config: &Config, name: &str) -> anyhow::Error {
    let names = config.feeds.iter().map(|feed| feed.name.as_str());
    let near = names
        .clone()
        .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    match near.filter(|near| strsim::jaro_winkler(near, name) > 0.75) {
        Some(near) => anyhow::anyhow!("no feed is called {name:?}; did you mean {near:?}?"),
        None => anyhow::anyhow!(
            "no feed is called {name:?}; there are: {}",
            names.collect::<Vec<_>>().join(", ")
        ),
    }
}

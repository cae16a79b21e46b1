//! Opening what reads: over a configuration, over another one while it runs, and beside a bpfnews that runs.

use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;

use super::look::places;
use super::waiting::Waiting;
use super::{Ingest, PAGES_AT_ONCE_MAX, READ_AT_ONCE_MAX, sample};
use crate::clock::Clock;
use crate::config::Config;
use crate::desk::{self, Desk};
use crate::source::fetch::Fetcher;
use crate::store::{Store, feeds, outbox, troubles};

impl Ingest {
    /// Opens the sources of a configuration and makes the database agree with it.
    ///
    /// # Errors
    ///
    /// When the database cannot be written, or no HTTP client can be made.
    pub async fn open(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let fetcher = Arc::new(Fetcher::new(&config.network)?);
        Self::in_step(store, config, clock, fetcher).await
    }

    /// The same over another configuration. The HTTP client stays while `[network]` does, with all that it knows of
    /// hosts.
    ///
    /// # Errors
    ///
    /// As [`Ingest::open`].
    pub async fn reopen(&self, config: &Config) -> anyhow::Result<Self> {
        let fetcher = match config.network == self.network {
            true => Arc::clone(&self.fetcher),
            false => Arc::new(Fetcher::new(&config.network)?),
        };
        Self::in_step(self.store.clone(), config, Arc::clone(&self.clock), fetcher).await
    }

    async fn in_step(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
        fetcher: Arc<Fetcher>,
    ) -> anyhow::Result<Self> {
        let mut tx = store.write().await?;
        let now = clock.now();
        feeds::sync_feeds(&mut tx, &config.feeds, now).await?;
        let desks = desk::open(&mut tx, &config.channels(), now).await?;
        sample::sample_new_channels(&mut tx, &desks, now).await?;
        troubles::forget_strangers(&mut tx).await?;
        tx.commit().await?;
        Ok(Self::over(store, config, clock, fetcher, desks))
    }

    /// The same beside a bpfnews that runs: the database is left as that one wants it.
    ///
    /// # Errors
    ///
    /// When the database cannot be read, or no HTTP client can be made.
    pub async fn beside(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let rows = outbox::channels(store.read().into()).await?;
        let desks = desk::desks(rows, &config.channels());
        let fetcher = Arc::new(Fetcher::new(&config.network)?);
        Ok(Self::over(store, config, clock, fetcher, desks))
    }

    fn over(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
        fetcher: Arc<Fetcher>,
        desks: Vec<Desk>,
    ) -> Self {
        let guarded = Arc::new(fetcher.narrowed(&config.network, &places(config)));
        let feeds = config
            .feeds
            .iter()
            .map(|feed| (feed.name.clone(), Arc::clone(feed)))
            .collect();
        Self {
            store,
            fetcher,
            guarded,
            clock,
            words: config.relevance.clone(),
            desks,
            feeds,
            network: config.network.clone(),
            from_chat: config.from_chat.clone(),
            pages: Semaphore::new(PAGES_AT_ONCE_MAX),
            readers: Semaphore::new(READ_AT_ONCE_MAX),
            waiting: Waiting::default(),
            last_poll: Mutex::default(),
        }
    }
}

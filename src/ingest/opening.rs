//! Builds the parts that read feeds: from a configuration, from a changed one while the program runs, or beside another process.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tokio::sync::Semaphore;
use tracing::warn;

use super::digest::LastPoll;
use super::links::ReaderLinks;
use super::look::places;
use super::reading::ReaderPool;
use super::waiting::Waiting;
use super::{Ingest, PAGES_AT_ONCE_MAX, READ_AT_ONCE_MAX, sample};
use crate::clock::Clock;
use crate::config::Config;
use crate::desk::{self, Desk};
use crate::source::fetch::Fetcher;
use crate::store::attempts::Attempts;
use crate::store::{Store, feeds, outbox, troubles};

/// State that outlives a change of the configuration. Polls that began before the change end on it.
#[derive(Default)]
pub(super) struct Lasting {
    desks: RwLock<Arc<[Desk]>>,
    pub(super) last_poll: Mutex<LastPoll>,
    pub(super) reading: ReaderPool,
    pub(super) attempts: OnceLock<Attempts>,
}

impl Lasting {
    /// Replaces the destinations; returns the previous ones.
    fn replace_desks(&self, desks: Arc<[Desk]>) -> Arc<[Desk]> {
        let mut now = self.desks.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut now, desks)
    }
}

impl Ingest {
    /// The destinations of the configuration in effect, which may be newer than the poll. Callers ask within the transaction
    /// that queues posts.
    pub fn desks(&self) -> Arc<[Desk]> {
        let now = self.lasting.desks.read();
        Arc::clone(&now.unwrap_or_else(PoisonError::into_inner))
    }

    /// Records beside the database which documents are being read. Only the process that polls does this.
    pub fn note_attempts(&self, database: &Path) {
        match Attempts::open(database, self.clock.now()) {
            // The first call wins.
            Ok(attempts) => drop(self.lasting.attempts.set(attempts)),
            Err(error) => warn!("{error:#}; a document over which bpfnews dies is read again"),
        }
    }

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
        Self::in_step(store, config, clock, fetcher, Arc::default()).await
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
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        Self::in_step(store, config, clock, fetcher, Arc::clone(&self.lasting)).await
    }

    async fn in_step(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
        fetcher: Arc<Fetcher>,
        lasting: Arc<Lasting>,
    ) -> anyhow::Result<Self> {
        let mut tx = store.write().await?;
        let now = clock.now();
        feeds::sync_feeds(&mut tx, &config.feeds, now).await?;
        let desks = desk::open(&mut tx, &config.channels(), now).await?;
        sample::sample_new_channels(&mut tx, &desks, now).await?;
        troubles::forget_removed_feeds(&mut tx).await?;
        // No other task writes until this ends, so every later commit queues posts for these destinations.
        let before = lasting.replace_desks(desks.into());
        if let Err(error) = tx.commit().await {
            lasting.replace_desks(before);
            return Err(error.into());
        }
        Ok(Self::over(store, config, clock, fetcher, lasting))
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
        let lasting = Arc::<Lasting>::default();
        lasting.replace_desks(desks.into());
        Ok(Self::over(store, config, clock, fetcher, lasting))
    }

    fn over(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
        fetcher: Arc<Fetcher>,
        lasting: Arc<Lasting>,
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
            feeds,
            network: config.network.clone(),
            from_chat: config.from_chat.clone(),
            pages: Semaphore::new(PAGES_AT_ONCE_MAX),
            readers: Semaphore::new(READ_AT_ONCE_MAX),
            waiting: Waiting::default(),
            lasting,
            links: ReaderLinks::default(),
        }
    }

    /// The same with these addresses for readers.
    #[must_use]
    pub fn with_links(self, links: ReaderLinks) -> Self {
        Self { links, ..self }
    }
}

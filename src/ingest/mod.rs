//! The poll loop: due feeds → source → items → stories → posts. One transaction commits a page with its feed's cursor.
//!
//! [`Ingest`] wires the parts of one configuration. A `Poll` reads one feed, a `FeedReader` makes its requests and reads the
//! answers, and a `GroupCommit` stores what polls that end at the same time have read.

mod backfill;
mod clock_repair;
mod feed_reader;
mod flood;
mod group_commit;
mod health;
mod links;
mod news;
mod outages;
mod poll;
mod poll_end;
mod reader_pool;
mod report;
mod shared_state;
mod slots;
mod subsystems;
mod threads;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

pub use self::links::ReaderLinks;
pub use self::report::Report;
pub(crate) use self::slots::{POLLS_AT_ONCE_MAX, READ_AT_ONCE_MAX};

use self::feed_reader::FeedReader;
use self::group_commit::GroupCommit;
use self::poll_end::PolledFeed;
use self::shared_state::SharedState;
use self::slots::PollSlots;
use crate::clock::Clock;
use crate::config::{Config, FeedConfig, FollowConfig, NetworkConfig};
use crate::destination::{self, Destination};
use crate::filter::Subsystems;
use crate::item::Item;
use crate::plan::{digest, follow, pulls, sample, standing};
use crate::source::fetch::Fetcher;
use crate::source::{FetchError, Page};
use crate::store::feeds::{self, FeedRow, Outcome};
use crate::store::installation::installation_id;
use crate::store::items::StoredPage;
use crate::store::{Store, outbox, troubles};

/// Polls the feeds of one configuration.
pub struct Ingest {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    feeds: HashMap<String, Arc<FeedConfig>>,
    network: NetworkConfig,
    reader: FeedReader,
    slots: PollSlots,
    commits: GroupCommit,
    shared: Arc<SharedState>,
    links: ReaderLinks,
    follow: FollowConfig,
}

/// How new items are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The first poll: all items are stored, and one is posted as a sample.
    Seed,
    /// New items are announced.
    Live,
    /// New items are only stored.
    History,
}

impl Ingest {
    /// Opens the feeds and channels of a configuration, and updates the database to it.
    ///
    /// # Errors
    ///
    /// Returns an error if the database cannot be written, or if no HTTP client can be created.
    pub async fn open(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let fetcher = fetcher_of(config)?;
        Self::over(store, config, clock, fetcher, Arc::default()).await
    }

    /// The same for another configuration. If `[network]` stays the same, so does the HTTP client, with the waits that servers
    /// asked for.
    ///
    /// # Errors
    ///
    /// As [`Ingest::open`].
    pub async fn reopen(&self, config: &Config) -> anyhow::Result<Self> {
        let fetcher = match config.network == self.network {
            true => Arc::clone(&self.reader.fetcher),
            false => fetcher_of(config)?,
        };
        let (store, clock) = (self.store.clone(), Arc::clone(&self.clock));
        Self::over(store, config, clock, fetcher, Arc::clone(&self.shared)).await
    }

    async fn over(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
        fetcher: Arc<Fetcher>,
        shared: Arc<SharedState>,
    ) -> anyhow::Result<Self> {
        let mut tx = store.write().await?;
        // Under the write lock: nobody stores a newer file meanwhile, and no commit sees the channels without their subsystems.
        subsystems::load(&store, &config.subsystems).await?;
        let now = clock.now();
        feeds::sync_feeds(&mut tx, &config.feeds, now).await?;
        let destinations =
            destination::sync(&mut tx, &config.channels(), config.home(), now).await?;
        sample::sample_new_channels(&mut tx, &destinations, now).await?;
        troubles::forget_removed_feeds(&mut tx).await?;
        // No other task writes until this ends, so every later commit queues posts for these destinations.
        let before = shared.replace_destinations(destinations.into());
        if let Err(error) = tx.commit().await {
            shared.replace_destinations(before);
            return Err(error.into());
        }
        let ingest = Self::with_parts(store, config, clock, fetcher, shared);
        if config.subsystems.feed().is_some() && !config.subsystems.is_empty() {
            subsystems::warn_of_unknown_names(&ingest);
        }
        Ok(ingest)
    }

    /// The same beside a running bpfnews. The database stays as the other process needs it.
    ///
    /// # Errors
    ///
    /// Returns an error if the database cannot be read, or if no HTTP client can be created.
    pub async fn beside(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let rows = outbox::channels(store.read().into()).await?;
        let shared = Arc::<SharedState>::default();
        let destinations = destination::with_rows(rows, &config.channels(), config.home());
        shared.replace_destinations(destinations.into());
        let fetcher = fetcher_of(config)?;
        subsystems::load(&store, &config.subsystems).await?;
        Ok(Self::with_parts(store, config, clock, fetcher, shared))
    }

    fn with_parts(
        store: Store,
        config: &Config,
        clock: Arc<dyn Clock>,
        fetcher: Arc<Fetcher>,
        shared: Arc<SharedState>,
    ) -> Self {
        shared.replace_subsystems(config.subsystems.clone());
        let feeds = config.feeds.iter();
        Self {
            feeds: feeds
                .map(|feed| (feed.name.clone(), Arc::clone(feed)))
                .collect(),
            network: config.network.clone(),
            reader: FeedReader::new(config, fetcher, Arc::clone(&clock), Arc::clone(&shared)),
            slots: PollSlots::default(),
            commits: GroupCommit::new(
                store.clone(),
                Arc::clone(&clock),
                config.relevance.clone(),
                config.network.threads_per_day_max > 0,
                Arc::clone(&shared),
            ),
            store,
            clock,
            shared,
            links: ReaderLinks::default(),
            follow: config.follow,
        }
    }

    /// The same with these addresses for readers.
    #[must_use]
    pub fn with_links(self, links: ReaderLinks) -> Self {
        Self { links, ..self }
    }

    /// Records beside the database which documents are being read. Only the process that polls does this.
    pub fn note_attempts(&self, database: &Path) {
        self.shared.note_attempts(database, self.clock.now());
    }

    /// Whether the configuration has this feed.
    pub fn reads(&self, feed: &str) -> bool {
        self.feeds.contains_key(feed)
    }

    /// The destinations of the configuration in effect, which may be newer than this one. Callers ask within the transaction
    /// that queues posts.
    pub fn destinations(&self) -> Arc<[Destination]> {
        self.shared.destinations()
    }

    /// Polls that wait for the commit of their page or their end.
    pub fn waiting(&self) -> usize {
        self.commits.waiting()
    }

    /// If the clock was set back, moves the stored times of the future back too. It comes first, because all other work depends
    /// on due times.
    pub async fn repair_clock(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        self.shared.last_poll.repair_clock(&self.store, now).await
    }

    /// After a restore, matches posts with the messages that were found in channels. It comes before the digests, so that no
    /// digest lists a story whose message still stands.
    pub async fn end_recalls(&self) -> anyhow::Result<()> {
        standing::end_recalls(&self.store, self.clock.now()).await
    }

    /// Makes the digests that are due, and the messages to people who follow something.
    pub async fn make_digests(&self) -> anyhow::Result<()> {
        digest::make_digests(&self.store, &self.destinations(), self.clock.now()).await?;
        follow::send_news(&self.store, self.follow, self.clock.now()).await
    }

    /// Warns channels of pull requests that wait, if they ask for that.
    pub async fn warn_of_pulls(&self) -> anyhow::Result<()> {
        pulls::warn(&self.store, &self.destinations(), self.clock.now()).await
    }

    /// When the next digest or message is due.
    pub async fn next_digest_at(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        let digest = digest::next_digest_at(&self.store, &self.destinations()).await?;
        let news = follow::next_news_at(&self.store, self.follow).await?;
        Ok([digest, news].into_iter().flatten().min())
    }

    /// Polls every feed that is due. `on_report` receives the report of each poll.
    pub async fn pass(
        &self,
        stop: &CancellationToken,
        mut on_report: impl FnMut(Report),
    ) -> anyhow::Result<()> {
        let due = feeds::due_feeds(self.store.read(), self.clock.now(), u32::MAX).await?;
        let polls = due
            .into_iter()
            .filter(|row| self.reads(&row.name))
            .map(|row| self.poll(row, stop));
        let mut polls = futures_util::stream::iter(polls).buffer_unordered(POLLS_AT_ONCE_MAX);
        while let Some(report) = polls.next().await {
            on_report(report?);
        }
        Ok(())
    }

    /// Polls a feed, whether or not it is due. Then it fetches the mails of an archive that stories lack, or the tree's file of
    /// subsystems. A failure of the feed is in the report; only a failure of our own is an error.
    pub async fn poll(&self, row: FeedRow, stop: &CancellationToken) -> anyhow::Result<Report> {
        let feed = self.feed(row)?;
        let report = threads::poll_and_complete(self, feed.clone(), stop).await?;
        if matches!(report.outcome, Outcome::Ok | Outcome::OkSoFar) {
            subsystems::refresh(self, &feed, stop).await?;
        }
        Ok(report)
    }

    /// The subsystems of the configuration in effect, which may be newer than this one.
    pub fn subsystems(&self) -> Subsystems {
        self.shared.subsystems()
    }

    /// Walks a feed back to `since`, and stores everything without announcing it. `on_progress` receives the share that is
    /// done, from 0 to 1, and the number of new items so far.
    ///
    /// # Errors
    ///
    /// Returns the error that ended the walk. The next call goes on from there.
    pub async fn backfill(
        &self,
        row: FeedRow,
        since: DateTime<Utc>,
        stop: &CancellationToken,
        on_progress: impl FnMut(f64, usize),
    ) -> anyhow::Result<Report> {
        backfill::backfill(self, row, since, stop, on_progress).await
    }

    /// Stores mails that were read from files, as an archive's. Posts are edited; none are opened.
    pub async fn import(&self, feed: i64, mails: &[Item]) -> anyhow::Result<StoredPage> {
        self.commits.import(feed, mails).await
    }

    /// Fetches a feed once without storing anything, and returns the page.
    ///
    /// # Errors
    ///
    /// Returns the error of the request, or of the page.
    pub async fn look(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        self.reader.look(feed).await
    }

    /// The same for a feed with an address from chat.
    ///
    /// # Errors
    ///
    /// Returns the error of the request, or of the page.
    pub async fn look_guarded(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        self.reader.look_guarded(feed).await
    }

    fn feed(&self, row: FeedRow) -> anyhow::Result<PolledFeed> {
        let Some(config) = self.feeds.get(&row.name) else {
            anyhow::bail!("the feed {} is not in the configuration", row.name);
        };
        Ok(PolledFeed {
            row: Arc::new(row),
            config: Arc::clone(config),
        })
    }
}

/// The HTTP client of a configuration.
fn fetcher_of(config: &Config) -> anyhow::Result<Arc<Fetcher>> {
    let id = config.network.installation_id;
    let id = id.then(|| installation_id(&config.database)).flatten();
    let fetcher = Fetcher::of_installation(&config.network, id.as_deref())?;
    Ok(Arc::new(fetcher))
}

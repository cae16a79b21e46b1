//! The loop that reads: due feeds → source → item → story → post; each page is in one transaction with its feed's cursor.

mod commit;
mod digest;
mod ending;
mod flood;
pub mod fold;
mod health;
mod history;
mod look;
mod matching;
mod news;
mod opening;
mod pause;
pub mod plan;
mod reading;
mod retract;
mod sample;
mod waiting;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info, info_span, warn};

use crate::clock::Clock;
use crate::config::{FeedConfig, NetworkConfig};
use crate::item::Item;
use crate::source::fetch::Fetcher;
use crate::source::{Answer, FetchError, Goal, Page, Source};
use crate::store::Store;
use crate::store::feeds::{self, FeedRow, Outcome};
use crate::store::items;
use crate::story::relevance::FoldRules;

pub use self::matching::meet_all;
pub use self::plan::restate;
pub use self::retract::{retract, take_back};

use self::commit::{CommittedPage, NotKept};
use self::opening::Lasting;
use self::waiting::{Ended, Left, ReadPage, Waiting};

/// Feeds read (or looked at) side by side; each host still gets one request at a time.
pub(crate) const READ_AT_ONCE_MAX: usize = 16;
/// Polls under way: those that read, and those that wait for a commit.
pub(crate) const POLLS_AT_ONCE_MAX: usize = 128;
/// Polls whose pages may be in memory: those that read, those about to read, and those that wait for a commit.
const PAGES_AT_ONCE_MAX: usize = 64;

/// Bytes of a page that waits for the disk while somebody else reads, for many of them may lie in memory at once.
const WAITS_BYTES_MAX: usize = 256 * 1024;

/// Failures in a row at the place that a feed moved to, after which the configured one is asked again.
const MOVED_FAILURES_MAX: i64 = 3;

/// Reads feeds.
pub struct Ingest {
    /// The database.
    pub store: Store,
    /// The HTTP client.
    pub fetcher: Arc<Fetcher>,
    /// The HTTP client for feeds that were added in chat.
    pub guarded: Arc<Fetcher>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The words that make a story relevant.
    pub words: FoldRules,
    feeds: HashMap<String, Arc<FeedConfig>>,
    network: NetworkConfig,
    from_chat: BTreeSet<String>,
    /// A poll that may have a page has one of these.
    pages: Semaphore,
    /// A poll that reads has one of these.
    readers: Semaphore,
    waiting: Waiting,
    lasting: Arc<Lasting>,
}

/// How one poll went.
#[derive(Debug, Clone)]
pub struct Report {
    /// The feed's name.
    pub feed: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Items that no feed had shown before.
    pub fresh: usize,
    /// Items that this feed had not shown before.
    pub sighted: u64,
    /// Posts opened.
    pub news: usize,
    /// Entries that could not be read.
    pub faults: usize,
    /// Requests made.
    pub requests: u32,
    /// How long until the feed is due again.
    pub rest: Duration,
}

impl Report {
    /// The report of a poll that has yet to do anything.
    fn of(row: &FeedRow) -> Self {
        Self {
            feed: row.name.clone(),
            outcome: Outcome::Ok,
            fresh: 0,
            sighted: 0,
            news: 0,
            faults: 0,
            requests: 0,
            rest: Duration::ZERO,
        }
    }

    fn add(&mut self, kept: &CommittedPage) {
        self.fresh += kept.fresh;
        self.sighted += kept.sighted;
        self.news += kept.news;
        self.faults += kept.faults;
    }

    fn end(&mut self, ended: &Ended) {
        self.outcome = ended.outcome.clone();
        self.rest = (ended.next_poll_at - ended.at).to_std().unwrap_or_default();
    }

    /// Whether it ended well and changed nothing that anyone waits for.
    pub fn is_quiet(&self) -> bool {
        self.outcome == Outcome::Ok && self.fresh == 0 && self.sighted == 0 && self.news == 0
    }

    /// Whether the next poll has more to fetch.
    pub fn is_cut_short(&self) -> bool {
        self.outcome == Outcome::OkSoFar
    }
}

/// How new items are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The first poll: remembered; its newest item is shown as a sample.
    Seed,
    /// New items are announced.
    Live,
    /// History: remembered.
    History,
}

impl Ingest {
    /// Whether the configuration has this feed.
    pub fn reads(&self, feed: &str) -> bool {
        self.feeds.contains_key(feed)
    }

    /// Polls every feed that is due. `told` receives the report of each poll.
    pub async fn pass(
        &self,
        stop: &CancellationToken,
        mut told: impl FnMut(Report),
    ) -> anyhow::Result<()> {
        let due = feeds::due_feeds(self.store.read(), self.clock.now(), u32::MAX).await?;
        let polls = due
            .into_iter()
            .filter(|row| self.feeds.contains_key(&row.name))
            .map(|row| self.poll(row, stop));
        let mut polls = futures_util::stream::iter(polls).buffer_unordered(POLLS_AT_ONCE_MAX);
        while let Some(report) = polls.next().await {
            told(report?);
        }
        Ok(())
    }

    /// Polls a feed, whether or not it is due. Faults of the feed are in the report.
    pub async fn poll(&self, row: FeedRow, stop: &CancellationToken) -> anyhow::Result<Report> {
        let span = info_span!("poll", feed.name = row.name);
        let started = Instant::now();
        let mut report = Report::of(&row);
        let turn = self.pages.acquire().await?;
        // Boxed, so that a poll which waits for its turn, or until the disk has how it ended, holds no room for how it reads.
        let row = Arc::new(row);
        let read = Box::pin(self.read(Arc::clone(&row), stop, &mut report));
        let read = AssertUnwindSafe(read.instrument(span.clone())).catch_unwind();
        let ended = match read.await {
            Ok(ended) => ended?,
            // The panic was logged. The pages stored before it stay.
            Err(_) => self.came_to_a_bad_end(&row),
        };
        drop(turn);
        if let Some(ended) = ended {
            self.end(ended, &mut report)
                .instrument(span.clone())
                .await?;
        }
        let _entered = span.enter();
        let took_ms = started.elapsed().as_millis();
        match &report.outcome {
            Outcome::Ok | Outcome::OkSoFar if report.fresh > 0 => info!(
                fresh = report.fresh,
                news = report.news,
                requests = report.requests,
                took_ms,
                "{}: {} new",
                report.feed,
                report.fresh
            ),
            Outcome::Ok | Outcome::OkSoFar => debug!(
                requests = report.requests,
                took_ms, "{}: nothing new", report.feed
            ),
            Outcome::Failed { state, why } => {
                warn!(state = state.word(), "{}: {why}", report.feed);
            }
            Outcome::Excused { why } => warn!("{}: not polled: {why}", report.feed),
        }
        Ok(report)
    }

    /// Reads what a feed has, and keeps it; gives how its poll ended, unless that is kept too or is not to be.
    async fn read(
        &self,
        row: Arc<FeedRow>,
        stop: &CancellationToken,
        report: &mut Report,
    ) -> anyhow::Result<Option<Ended>> {
        let Some(config) = self.feeds.get(&row.name) else {
            anyhow::bail!("the feed {} is not in the configuration", row.name);
        };
        let moved = row
            .moved_to
            .as_deref()
            .and_then(|moved| url::Url::parse(moved).ok());
        let source = match (moved, Source::open(config)) {
            (Some(url), Source::Feed(feed)) if row.failures < MOVED_FAILURES_MAX => {
                Source::Feed(feed.moved_to(url))
            }
            (_, source) => source,
        };
        let mut walk = source
            .begin(row.cursor.as_deref(), Goal::Poll, self.clock.now())
            .map_err(|why| anyhow::anyhow!("{}: {why}", row.name))?;
        let mode = if row.seeded_at.is_some() {
            Mode::Live
        } else {
            Mode::Seed
        };
        let mut reads = None;
        let mut leave_alone = Duration::ZERO;
        let mut cursor = row.cursor.clone();
        let may_be_quiet = mode == Mode::Live && row.is_well();
        let mut has_kept = false;
        let mut interim = 0;
        let mut next = walk.next();
        while let Some(request) = next {
            if reads.is_none() {
                reads = Some(self.readers.acquire().await?);
            }
            report.requests += 1;
            let answer = tokio::select! {
                // Boxed, so that a poll which waits for its turn or for the disk does not hold the room for it.
                answer = Box::pin(self.fetch(&row, &request)) => answer,
                () = stop.cancelled() => {
                    report.outcome = Outcome::Excused { why: "stopped while polling; the next poll goes on".to_owned() };
                    return Ok(None);
                }
            };
            if let Ok(Answer {
                fresh_for: Some(fresh_for),
                ..
            }) = &answer
            {
                leave_alone = leave_alone.max(if report.requests == 1 {
                    *fresh_for
                } else {
                    Duration::ZERO
                });
            }
            let moved_to = answer
                .as_ref()
                .ok()
                .and_then(|answer| answer.moved_to.clone());
            let (walked, read) = tokio::select! {
                read = self.read_answer(&row, &request, walk, answer) => read,
                () = stop.cancelled() => {
                    report.outcome = Outcome::Excused { why: "stopped while reading; the next poll goes on".to_owned() };
                    return Ok(None);
                }
            };
            walk = walked;
            match read {
                Ok(page) if page.is_interim => {
                    interim += 1;
                    next = walk.next();
                }
                Ok(mut page) => {
                    if mode == Mode::Live {
                        self.bound_flood(&row, config, &mut walk, &mut page).await?;
                    }
                    leave_alone = leave_alone.max(page.leave_alone_for.unwrap_or_default());
                    let moved_to = moved_to.map(String::from);
                    let is_first = report.requests == interim + 1;
                    let stays = moved_to.is_none() || moved_to == row.moved_to;
                    let mut learned = None;
                    if may_be_quiet && stays && self.is_known(&row, &page).await? {
                        let gaps = walk.learn(&HashSet::new(), &HashSet::new());
                        let (stands, goes_on) = (walk.cursor(), walk.is_cut_short());
                        has_kept |= walk.has_ended_detour();
                        if gaps.is_empty() && !goes_on && !has_kept {
                            // Nothing to keep but the cursor, and that goes with how the poll ended.
                            let how = Ok(false);
                            let ended = self.ended(&row, config, how, leave_alone, Some(stands));
                            return Ok(Some(ended));
                        }
                        // The cursor of an unchanged first page is stored with the next page. An unchanged cursor is not stored.
                        let is_idle = is_first || cursor.as_ref() == Some(&stands);
                        if gaps.is_empty() && goes_on && is_idle {
                            next = walk.next();
                            continue;
                        }
                        learned = Some(gaps);
                    }
                    has_kept = true;
                    let read = ReadPage {
                        row: Arc::clone(&row),
                        mode,
                        walk,
                        page,
                        learned,
                        moved_to,
                        cursor,
                        leave_alone,
                        is_first,
                        was_sampled: report.news > 0,
                    };
                    // While a page of the usual size waits for the disk, somebody else may read.
                    if read.page.items.iter().map(Item::bytes).sum::<usize>() <= WAITS_BYTES_MAX {
                        reads = None;
                    }
                    let kept = match self.commit(Left::Page(Box::new(read))).await {
                        Ok(Some(kept)) => kept,
                        Ok(None) => {
                            let why = "another poll of this feed came first".to_owned();
                            report.outcome = Outcome::Excused { why };
                            return Ok(None);
                        }
                        Err(error) => {
                            let Some(not_kept) = NotKept::of_page(&error) else {
                                return Err(error);
                            };
                            error!("{}: {error:#}", row.name);
                            let why = format!("what it shows cannot be kept: {}", not_kept.cause());
                            let how = Err(FetchError::Broken { why });
                            return Ok(Some(self.ended(&row, config, how, leave_alone, None)));
                        }
                    };
                    report.add(&kept);
                    if let Some(ended) = kept.ended {
                        report.end(&ended);
                        self.polled(ended.at);
                        return Ok(None);
                    }
                    (walk, cursor, next) = (kept.walk, Some(kept.cursor), kept.next);
                }
                Err(error) => {
                    let how = Err(error);
                    return Ok(Some(self.ended(&row, config, how, leave_alone, None)));
                }
            }
        }
        // Nothing is left to ask for, this time.
        let how = Ok(walk.is_cut_short());
        Ok(Some(self.ended(&row, config, how, leave_alone, None)))
    }

    /// Whether all items of a page are stored already, as in nearly every poll.
    async fn is_known(&self, row: &FeedRow, page: &Page) -> anyhow::Result<bool> {
        Ok(page.faults.is_empty()
            && page.warning.is_none()
            && page.detour.is_none()
            && (page.items.is_empty()
                || items::are_known(self.store.read(), row.id, &page.items).await?))
    }
}

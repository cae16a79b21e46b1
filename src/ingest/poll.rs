//! One poll of a feed, as a state machine: request, answer, page, commit, and the next request, until the poll is over.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::SemaphorePermit;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error, info, info_span};
use url::Url;

use super::flood::limit_new_items;
use super::group_commit::{CommitError, ReadPage};
use super::poll_end::{EndReason, PollEnd, PolledFeed};
use super::report::Report;
use super::{Ingest, Mode};
use crate::item::Item;
use crate::source::{FetchError, Goal, Page, Request, Source, Walk};
use crate::store::feeds::Outcome;
use crate::store::items;

/// The most bytes of a page that waits for the disk while another feed is read, for many such pages may be in memory.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// Consecutive failures at the new address of a feed after which the configured one is requested again.
const MOVED_FAILURES_MAX: i64 = 3;

const STOPPED_AT_REQUEST: &str = "stopped while polling; the next poll goes on";
const STOPPED_AT_READING: &str = "stopped while reading; the next poll goes on";
const OVERTAKEN: &str = "another poll of this feed came first";

/// A poll in progress.
struct Poll<'a> {
    ingest: &'a Ingest,
    feed: &'a PolledFeed,
    mode: Mode,
    /// The cursor as it is stored now.
    cursor: Option<String>,
    /// The shortest pause that the server or the document asked for.
    pause_min: Duration,
    /// Requests that only decided the next one.
    interim: u32,
    /// Whether a page was committed.
    has_committed: bool,
    reader_slot: Option<SemaphorePermit<'a>>,
    report: &'a mut Report,
}

/// The outcome of one answer.
enum PollStep {
    /// The walk goes on.
    Next(Box<Walking>),
    Over(PollFinish),
}

/// A walk, and the request that it makes next.
struct Walking {
    walk: Walk,
    next: Option<Request>,
}

/// What is left to store when a poll is over.
enum PollFinish {
    /// The end of the poll.
    Uncommitted(PollEnd),
    /// Nothing: the commit of the last page included the end.
    Committed(PollEnd),
    /// Nothing: the poll was interrupted, and the feed stays due.
    Abandoned(PollEnd),
}

/// Polls a feed. A failure of the feed is in the report; only a failure of our own is an error.
pub(super) async fn poll(
    ingest: &Ingest,
    feed: PolledFeed,
    stop: &CancellationToken,
) -> anyhow::Result<Report> {
    let span = info_span!("poll", feed.name = feed.row.name);
    let started = Instant::now();
    let mut report = Report::of(&feed.row);
    let page_slot = ingest.slots.pages.acquire().await?;
    // Boxed, so that a poll that waits for its slot, or for the commit of its end, needs no memory for reading.
    let read = Box::pin(Poll::new(ingest, &feed, &mut report).run(stop));
    let read = AssertUnwindSafe(read.instrument(span.clone())).catch_unwind();
    let finish = match read.await {
        Ok(finish) => finish?,
        // The panic was logged. The pages that were stored before it stay.
        Err(_) => {
            let why = "the poll crashed; the log has the reason".to_owned();
            let reason = EndReason::Error(FetchError::Broken { why });
            PollFinish::Uncommitted(PollEnd::new(&feed, reason, ingest.clock.now()))
        }
    };
    drop(page_slot);
    match finish {
        PollFinish::Uncommitted(end) => {
            report.end(&end);
            let commit = ingest.commits.commit_end(end, ingest.slots.any_reads());
            commit.instrument(span.clone()).await?;
        }
        PollFinish::Committed(end) | PollFinish::Abandoned(end) => report.end(&end),
    }
    span.in_scope(|| {
        ingest.shared.failures.note(&report.feed, &report.outcome);
        log(&report, started.elapsed());
    });
    Ok(report)
}

impl<'a> Poll<'a> {
    fn new(ingest: &'a Ingest, feed: &'a PolledFeed, report: &'a mut Report) -> Self {
        Self {
            ingest,
            feed,
            mode: match feed.row.seeded_at {
                Some(_) => Mode::Live,
                None => Mode::Seed,
            },
            cursor: feed.row.cursor.clone(),
            pause_min: Duration::ZERO,
            interim: 0,
            has_committed: false,
            reader_slot: None,
            report,
        }
    }

    /// Makes requests, reads their answers and commits their pages until the walk is over.
    async fn run(mut self, stop: &CancellationToken) -> anyhow::Result<PollFinish> {
        let mut walk = self.begin()?;
        let mut next = walk.next();
        while let Some(request) = next {
            if self.reader_slot.is_none() {
                self.reader_slot = Some(self.ingest.slots.readers.acquire().await?);
            }
            match self.step(walk, &request, stop).await? {
                PollStep::Next(walking) => Walking { walk, next } = *walking,
                PollStep::Over(finish) => return Ok(finish),
            }
        }
        let is_cut_short = walk.is_cut_short();
        Ok(self.walked(is_cut_short, None))
    }

    /// Begins the walk: at the address that the feed moved to, unless that failed too often.
    fn begin(&self) -> anyhow::Result<Walk> {
        let row = &self.feed.row;
        let moved_to = row.moved_to.as_deref().and_then(|url| Url::parse(url).ok());
        let source = match (moved_to, Source::open(&self.feed.config)) {
            (Some(url), Source::Feed(feed)) if row.failures < MOVED_FAILURES_MAX => {
                Source::Feed(feed.moved_to(url))
            }
            (_, source) => source,
        };
        source
            .begin(row.cursor.as_deref(), Goal::Poll, self.ingest.clock.now())
            .map_err(|why| anyhow::anyhow!("{}: {why}", row.name))
    }

    /// Makes a request, and handles its answer.
    async fn step(
        &mut self,
        walk: Walk,
        request: &Request,
        stop: &CancellationToken,
    ) -> anyhow::Result<PollStep> {
        let (row, reader) = (&self.feed.row, &self.ingest.reader);
        self.report.requests += 1;
        // Boxed, so that a poll that waits for the disk does not keep memory for a request.
        let answer = Box::pin(reader.fetch(row, request));
        let Some(answer) = stop.run_until_cancelled(answer).await else {
            return Ok(self.interrupted(STOPPED_AT_REQUEST));
        };
        let mut moved_to = None;
        if let Ok(answer) = &answer {
            moved_to = answer.moved_to.as_ref().map(Url::to_string);
            if let Some(fresh_for) = answer.fresh_for.filter(|_| self.is_first()) {
                self.pause_min = self.pause_min.max(fresh_for);
            }
        }
        let read = reader.read(row, request, walk, answer);
        match stop.run_until_cancelled(read).await {
            None => Ok(self.interrupted(STOPPED_AT_READING)),
            Some((mut walk, Ok(page))) if page.is_interim => {
                self.interim += 1;
                let next = walk.next();
                Ok(PollStep::Next(Box::new(Walking { walk, next })))
            }
            Some((walk, Ok(mut page))) => {
                self.ingest.links.apply(&mut page);
                self.take_page(walk, page, moved_to, stop).await
            }
            Some((_, Err(error))) => Ok(self.failed(error)),
        }
    }

    /// Handles a page: skips it if the walk has more and nothing is new, ends the poll if nothing is new, or reads its new items
    /// and commits it.
    async fn take_page(
        &mut self,
        mut walk: Walk,
        mut page: Page,
        moved_to: Option<String>,
        stop: &CancellationToken,
    ) -> anyhow::Result<PollStep> {
        if self.mode == Mode::Live {
            limit_new_items(&self.ingest.store, self.feed, &mut walk, &mut page).await?;
        }
        self.pause_min = self.pause_min.max(page.leave_alone_for.unwrap_or_default());
        let is_at_home = moved_to.is_none() || moved_to == self.feed.row.moved_to;
        let may_be_quiet = self.mode == Mode::Live && self.feed.row.is_well() && is_at_home;
        let mut learned = None;
        let feed = self.feed.row.id;
        let known = items::known_page(self.ingest.store.read(), feed, &page.items).await?;
        if may_be_quiet && !known.has_news && is_only_items(&page) {
            let gaps = walk.learn(&HashSet::new(), &HashSet::new());
            let (cursor, goes_on) = (walk.cursor(), walk.is_cut_short());
            let is_over = !goes_on && !walk.has_ended_detour();
            if gaps.is_empty() && is_over && !self.has_committed {
                return Ok(PollStep::Over(self.walked(false, Some(cursor))));
            }
            // The cursor of an unchanged first page is stored with the next page. An unchanged cursor is not stored.
            let is_idle = self.is_first() || self.cursor.as_ref() == Some(&cursor);
            if gaps.is_empty() && goes_on && is_idle {
                let next = walk.next();
                return Ok(PollStep::Next(Box::new(Walking { walk, next })));
            }
            learned = Some(gaps);
        }
        let early = self.ingest.reader.read_early(page, known.unknown);
        let (page, readings) = match stop.run_until_cancelled(early).await {
            None => return Ok(self.interrupted(STOPPED_AT_READING)),
            Some(Ok(read)) => read,
            Some(Err(error)) => return Ok(self.failed(error)),
        };
        let read = ReadPage {
            feed: self.feed.clone(),
            mode: self.mode,
            walk,
            page,
            readings,
            learned,
            moved_to,
            cursor: self.cursor.take(),
            pause_min: self.pause_min,
            was_sampled: self.report.news > 0,
        };
        self.commit(read).await
    }

    async fn commit(&mut self, read: ReadPage) -> anyhow::Result<PollStep> {
        self.has_committed = true;
        // While a page of the usual size waits for the disk, another feed may be read.
        if read.page.items.iter().map(Item::bytes).sum::<usize>() <= WAITING_BYTES_MAX {
            self.reader_slot = None;
        }
        let committed = match self.ingest.commits.commit_page(read).await {
            Ok(Some(committed)) => committed,
            Ok(None) => return Ok(self.interrupted(OVERTAKEN)),
            Err(error) => {
                let Some(own) = CommitError::of_page(&error) else {
                    return Err(error);
                };
                error!("{}: {error:#}", self.feed.row.name);
                let why = format!("what it shows cannot be kept: {}", own.cause());
                return Ok(self.failed(FetchError::Broken { why }));
            }
        };
        self.report.add(&committed);
        if let Some(end) = committed.end {
            return Ok(PollStep::Over(PollFinish::Committed(end)));
        }
        self.cursor = Some(committed.cursor);
        let (walk, next) = (committed.walk, committed.next);
        Ok(PollStep::Next(Box::new(Walking { walk, next })))
    }

    /// Whether the last request was the first, apart from those that only decide the next one.
    fn is_first(&self) -> bool {
        self.report.requests == self.interim + 1
    }

    fn walked(&self, is_cut_short: bool, quiet_cursor: Option<String>) -> PollFinish {
        PollFinish::Uncommitted(self.end(EndReason::Walked {
            is_cut_short,
            pause_min: self.pause_min,
            quiet_cursor,
        }))
    }

    fn failed(&self, error: FetchError) -> PollStep {
        PollStep::Over(PollFinish::Uncommitted(self.end(EndReason::Error(error))))
    }

    fn interrupted(&self, why: &'static str) -> PollStep {
        let end = self.end(EndReason::Interrupted(why));
        PollStep::Over(PollFinish::Abandoned(end))
    }

    fn end(&self, reason: EndReason) -> PollEnd {
        PollEnd::new(self.feed, reason, self.ingest.clock.now())
    }
}

/// Whether a page has nothing to store but its items.
fn is_only_items(page: &Page) -> bool {
    page.faults.is_empty() && page.warning.is_none() && page.detour.is_none()
}

fn log(report: &Report, took: Duration) {
    let (feed, took_ms) = (&report.feed, took.as_millis());
    match &report.outcome {
        Outcome::Ok | Outcome::OkSoFar if report.fresh > 0 => info!(
            fresh = report.fresh,
            news = report.news,
            requests = report.requests,
            took_ms,
            "{feed}: {} new",
            report.fresh
        ),
        Outcome::Ok | Outcome::OkSoFar => {
            debug!(requests = report.requests, took_ms, "{feed}: nothing new");
        }
        // `outages` logs failures by their causes.
        Outcome::Failed { why, .. } | Outcome::Excused { why } => debug!("{feed}: {why}"),
    }
}

//! The loop that reads: due feeds → source → item → post, each page in one transaction with the feed's cursor.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, info, info_span, warn};

use crate::clock::Clock;
use crate::config::{Config, FeedConfig, FeedKind};
use crate::item::{Item, ItemKey, What};
use crate::post;
use crate::source::fetch::Fetcher;
use crate::source::{Answer, FetchError, Gap, Goal, Page, Source, Walk};
use crate::store::feeds::{self, FeedRow, Outcome};
use crate::store::items::{self, Stored};
use crate::store::{Store, Tx, posts};

/// Feeds polled side by side; each host still gets one request at a time.
const POLLS_AT_ONCE_MAX: usize = 16;
/// The longest pause after failures: a feed that recovers is met within a day.
const BACK_OFF_MAX: TimeDelta = TimeDelta::days(1);
/// The least pause before a wall: whoever put it up does not want us to hurry.
const WALL_BACK_OFF_MIN: TimeDelta = TimeDelta::hours(1);
/// The pause before asking again for what is gone; maintainers may have moved it back.
const GONE_BACK_OFF: TimeDelta = TimeDelta::days(7);
/// The pause when our own network is down.
const OFFLINE_PAUSE: TimeDelta = TimeDelta::seconds(60);
/// The pause before a catch-up goes on.
const CUT_SHORT_PAUSE: TimeDelta = TimeDelta::seconds(10);
/// How long a series waits for its parts before it is shown as it is.
const SERIES_HOLD: TimeDelta = TimeDelta::minutes(10);
/// A commit that was made so long before the previous poll came by a merge from elsewhere and is no news here.
const MERGED_AGE_S: i64 = 7 * 86_400;

/// What reading needs.
pub struct Ingest {
    /// The database.
    pub store: Store,
    /// The HTTP client.
    pub fetcher: Fetcher,
    /// The time.
    pub clock: Arc<dyn Clock>,
    feeds: HashMap<String, (FeedConfig, Source)>,
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
    /// Posts opened or added to.
    pub news: usize,
    /// Entries that could not be read.
    pub faults: usize,
    /// Requests made.
    pub requests: u32,
    /// Whether there is more to fetch at the next poll.
    pub is_cut_short: bool,
}

/// Whether what comes is told, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The first poll: remembered; its newest item is shown as a sample.
    Seed,
    /// What is new is told.
    Live,
    /// History: remembered.
    History,
}

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
        let mut tx = store.write().await?;
        feeds::sync_feeds(&mut tx, &config.feeds, clock.now()).await?;
        tx.commit().await?;
        let feeds = config
            .feeds
            .iter()
            .map(|feed| (feed.name.clone(), (feed.clone(), Source::open(feed))))
            .collect();
        Ok(Self {
            store,
            fetcher: Fetcher::new(&config.network)?,
            clock,
            feeds,
        })
    }

    /// One pass: polls every feed that is due. `told` hears of each poll as it ends.
    pub async fn pass(
        &self,
        stop: &CancellationToken,
        mut told: impl FnMut(Report),
    ) -> anyhow::Result<()> {
        let due = feeds::due_feeds(self.store.read(), self.clock.now()).await?;
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

    /// Polls one feed, due or not.
    ///
    /// # Errors
    ///
    /// When the database fails; what the feed does wrong is in the report.
    pub async fn poll(&self, row: FeedRow, stop: &CancellationToken) -> anyhow::Result<Report> {
        let span = info_span!("poll", feed.name = row.name);
        let started = Instant::now();
        let report = self.poll_inner(row, stop).instrument(span.clone()).await?;
        let _entered = span.enter();
        let took_ms = started.elapsed().as_millis();
        match &report.outcome {
            Outcome::Ok if report.fresh > 0 => info!(
                fresh = report.fresh,
                news = report.news,
                requests = report.requests,
                took_ms,
                "{}: {} new",
                report.feed,
                report.fresh
            ),
            Outcome::Ok => debug!(
                requests = report.requests,
                took_ms, "{}: nothing new", report.feed
            ),
            Outcome::Failed { state, why } => warn!(state, "{}: {why}", report.feed),
            Outcome::Excused { why } => warn!("{}: not polled: {why}", report.feed),
        }
        Ok(report)
    }

    async fn poll_inner(&self, row: FeedRow, stop: &CancellationToken) -> anyhow::Result<Report> {
        let mut report = Report {
            feed: row.name.clone(),
            outcome: Outcome::Ok,
            fresh: 0,
            sighted: 0,
            news: 0,
            faults: 0,
            requests: 0,
            is_cut_short: false,
        };
        let Some((config, source)) = self.feeds.get(&row.name) else {
            anyhow::bail!("the feed {} is not in the configuration", row.name);
        };
        let moved = row
            .moved_to
            .as_deref()
            .and_then(|moved| url::Url::parse(moved).ok());
        let source = match (moved, source) {
            (Some(url), Source::Feed(feed)) => Source::Feed(feed.moved_to(url)),
            _ => source.clone(),
        };
        let mut walk = source
            .begin(row.cursor.as_deref(), Goal::Poll, self.clock.now())
            .map_err(|why| anyhow::anyhow!("{}: {why}", row.name))?;
        let mode = if row.seeded_at.is_some() {
            Mode::Live
        } else {
            Mode::Seed
        };
        let mut leave_alone = Duration::ZERO;
        let mut error = None;
        let mut cursor = row.cursor.clone();
        while let Some(request) = walk.next() {
            report.requests += 1;
            let answer = tokio::select! {
                answer = self.fetcher.fetch(&request) => answer,
                () = stop.cancelled() => {
                    report.outcome = Outcome::Excused { why: "stopped while polling; the next poll goes on".to_owned() };
                    return Ok(report);
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
            match walk.read(answer) {
                Ok(page) => {
                    leave_alone = leave_alone.max(page.leave_alone_for.unwrap_or_default());
                    let moved_to = moved_to.map(String::from);
                    let kept = self
                        .keep(
                            &row,
                            mode,
                            &mut walk,
                            &page,
                            moved_to,
                            &mut cursor,
                            &mut report,
                        )
                        .await?;
                    if !kept {
                        let why = "another poll of this feed came first".to_owned();
                        report.outcome = Outcome::Excused { why };
                        return Ok(report);
                    }
                }
                Err(e) => {
                    error = Some(e);
                    break;
                }
            }
        }
        report.is_cut_short = error.is_none() && walk.is_cut_short();
        self.settle(&row, config, error, leave_alone, &mut report)
            .await?;
        Ok(report)
    }

    /// Commits a page: items, posts, gaps and the cursor, together. `cursor` is where the walk began or was last saved;
    /// `false` and nothing kept where another poll has moved it since: a walk that does not know what was stored
    /// meanwhile would take that for the end of its way.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are what one transaction holds"
    )]
    async fn keep(
        &self,
        row: &FeedRow,
        mode: Mode,
        walk: &mut Walk,
        page: &Page,
        moved_to: Option<String>,
        cursor: &mut Option<String>,
        report: &mut Report,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let stored = items::put_items(&mut tx, row.id, &page.items, now).await?;
        let gaps: Vec<Gap> = walk.learn(&stored.fresh_keys, &stored.new_here);
        let telling = match mode {
            // A path of a tree that was not looked at before, and every page of a seed behind the one with the sample.
            Mode::Live if page.is_first => Mode::History,
            Mode::Seed if report.news > 0 => Mode::History,
            mode => mode,
        };
        report.news += tell(&mut tx, row, telling, &page.items, &stored, now).await?;
        feeds::record_gaps(&mut tx, row.id, &gaps, now).await?;
        feeds::record_faults(&mut tx, row.id, &page.faults, now).await?;
        if mode == Mode::Seed && report.requests == 1 {
            let floor_at = page
                .items
                .iter()
                .filter_map(|item| item.at)
                .min()
                .map(|at| at.timestamp());
            feeds::save_seed(&mut tx, row.id, floor_at, now).await?;
        }
        match mode {
            Mode::History => feeds::save_backfill(&mut tx, row.id, &walk.cursor()).await?,
            Mode::Seed | Mode::Live => {
                let next = walk.cursor();
                if !feeds::save_cursor(&mut tx, row.id, cursor.as_deref(), &next).await? {
                    return Ok(false);
                }
                *cursor = Some(next);
            }
        }
        if let Some(moved_to) = moved_to {
            feeds::save_move(&mut tx, row.id, &moved_to).await?;
        }
        tx.commit().await?;
        report.fresh += stored.fresh.len();
        report.sighted += stored.sighted;
        report.faults += page.faults.len();
        Ok(true)
    }

    async fn settle(
        &self,
        row: &FeedRow,
        config: &FeedConfig,
        error: Option<FetchError>,
        leave_alone: Duration,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let gap = TimeDelta::from_std(config.poll_gap).unwrap_or(BACK_OFF_MAX);
        let pause = match error {
            None if report.is_cut_short => CUT_SHORT_PAUSE.min(gap),
            None => with_jitter(
                gap.max(
                    TimeDelta::from_std(leave_alone)
                        .unwrap_or(gap)
                        .min(BACK_OFF_MAX),
                ),
            ),
            Some(error) => {
                let (outcome, pause) = judge(&error, gap, row.failures);
                report.outcome = outcome;
                pause
            }
        };
        let mut tx = self.store.write().await?;
        feeds::settle_poll(&mut tx, row.id, &report.outcome, now, now + pause).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Walks a feed back to `since`, remembering everything and telling nothing. `told` hears the share that is done
    /// (0 to 1) and the number of new items so far.
    ///
    /// # Errors
    ///
    /// What ended the walk; calling it again goes on from there.
    pub async fn backfill(
        &self,
        row: FeedRow,
        since: DateTime<Utc>,
        stop: &CancellationToken,
        mut told: impl FnMut(f64, usize),
    ) -> anyhow::Result<Report> {
        let Some((_, source)) = self.feeds.get(&row.name) else {
            anyhow::bail!("the feed {} is not in the configuration", row.name);
        };
        let mut walk = source
            .begin(
                row.backfill.as_deref(),
                Goal::Backfill { since },
                self.clock.now(),
            )
            .map_err(|why| anyhow::anyhow!("{}: {why}", row.name))?;
        let mut report = Report {
            feed: row.name.clone(),
            outcome: Outcome::Ok,
            fresh: 0,
            sighted: 0,
            news: 0,
            faults: 0,
            requests: 0,
            is_cut_short: false,
        };
        while let Some(request) = walk.next() {
            told(walk.progress(), report.fresh);
            report.requests += 1;
            let answer = tokio::select! {
                answer = self.fetcher.fetch(&request) => answer,
                () = stop.cancelled() => {
                    report.is_cut_short = true;
                    return Ok(report);
                }
            };
            let page = walk.read(answer).map_err(|e| {
                anyhow::anyhow!(
                    "{}: {e}\nWhat came so far is kept; the same command goes on from there.",
                    row.name
                )
            })?;
            let mode = Mode::History;
            self.keep(&row, mode, &mut walk, &page, None, &mut None, &mut report)
                .await?;
        }
        told(1.0, report.fresh);
        Ok(report)
    }

    /// Fetches a feed once without keeping anything, and says what it saw.
    ///
    /// # Errors
    ///
    /// Why it gave nothing.
    pub async fn look(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        let source = Source::open(feed);
        let mut walk = source
            .begin(None, Goal::Poll, self.clock.now())
            .map_err(|why| FetchError::Broken { why })?;
        let Some(request) = walk.next() else {
            return Ok(Page::default());
        };
        walk.read(self.fetcher.fetch(&request).await)
    }
}

/// Stores mails that were read from files, as an archive's.
pub async fn import(
    store: &Store,
    feed: i64,
    mails: &[Item],
    now: DateTime<Utc>,
) -> anyhow::Result<Stored> {
    let mut tx = store.write().await?;
    let stored = items::put_items(&mut tx, feed, mails, now).await?;
    tx.commit().await?;
    Ok(stored)
}

/// What an error means for the feed, and how long to wait.
fn judge(error: &FetchError, gap: TimeDelta, failures: i64) -> (Outcome, TimeDelta) {
    let why = error.to_string();
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or(20);
    let back_off = gap
        .checked_mul(1 << doublings)
        .unwrap_or(BACK_OFF_MAX)
        .min(BACK_OFF_MAX)
        .max(gap.min(BACK_OFF_MAX));
    let in_a_while = |pause: TimeDelta| with_jitter(pause).min(BACK_OFF_MAX);
    let backing_off = Outcome::Failed {
        state: "backing_off",
        why: why.clone(),
    };
    match error {
        FetchError::Later {
            after: Some(after), ..
        } => {
            let after = TimeDelta::from_std(*after).unwrap_or(BACK_OFF_MAX);
            (backing_off, after.max(with_jitter(gap)))
        }
        FetchError::Later { after: None, .. }
        | FetchError::Missing { .. }
        | FetchError::TooBig { .. }
        | FetchError::Broken { .. }
        | FetchError::Unreachable { .. } => (backing_off, in_a_while(back_off)),
        FetchError::Walled { .. } => (
            Outcome::Failed {
                state: "walled",
                why,
            },
            in_a_while(back_off.max(WALL_BACK_OFF_MIN)),
        ),
        FetchError::Gone { .. } => (Outcome::Failed { state: "gone", why }, GONE_BACK_OFF),
        FetchError::Offline { .. } => (Outcome::Excused { why }, OFFLINE_PAUSE),
        FetchError::Held { after, .. } => {
            let after = TimeDelta::from_std(*after).unwrap_or(BACK_OFF_MAX);
            (Outcome::Excused { why }, with_jitter(after))
        }
    }
}

/// Up to a tenth more, so that feeds of one host and bots of many people do not march in step.
fn with_jitter(pause: TimeDelta) -> TimeDelta {
    let tenth = (pause.num_milliseconds() / 10).max(1);
    pause + TimeDelta::milliseconds(fastrand::i64(0..tenth))
}

/// Opens posts for what is news; gives how many posts it touched.
async fn tell(
    tx: &mut Tx,
    row: &FeedRow,
    mode: Mode,
    page: &[Item],
    stored: &Stored,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let news: Vec<(usize, i64)> = match mode {
        Mode::History => return Ok(0),
        Mode::Seed | Mode::Live => stored
            .fresh
            .iter()
            .copied()
            .filter(|(position, _)| mode == Mode::Seed || is_news(row, page, stored, *position))
            .collect(),
    };
    let above = mails_above(tx, news.iter().map(|(position, _)| &page[*position])).await?;
    let mut rooted: Vec<(usize, i64, post::Root)> = Vec::new();
    for (position, id) in news {
        let item = &page[position];
        let digest = item.key().digest();
        let root = match &item.what {
            What::Message { in_reply_to, .. } => {
                let parent = in_reply_to
                    .as_ref()
                    .map(|parent| ItemKey::message(parent).digest().to_vec());
                post::root(&item.title, digest, parent, &above)
            }
            What::Commit { .. }
            | What::Article { .. }
            | What::Release { .. }
            | What::Video { .. } => Some(post::Root {
                digest: digest.to_vec(),
                is_ghost: false,
            }),
        };
        rooted.extend(root.map(|root| (position, id, root)));
    }
    if mode == Mode::Seed {
        let newest = rooted
            .iter()
            .max_by_key(|(position, _, _)| (page[*position].at, std::cmp::Reverse(*position)));
        let sample = newest.map(|(_, _, root)| root.digest.clone());
        rooted.retain(|(_, _, root)| Some(&root.digest) == sample.as_ref());
    }
    // Oldest first: that is the order in which they are read.
    rooted.sort_by_key(|(position, _, _)| (page[*position].at, std::cmp::Reverse(*position)));
    let mut touched = Vec::new();
    for (_, id, root) in &rooted {
        let is_sample = mode == Mode::Seed;
        let hold_to = now + SERIES_HOLD;
        let post = posts::put_in_post(tx, &root.digest, *id, is_sample, now, hold_to).await?;
        let touch = (post, root.is_ghost);
        if !touched.contains(&touch) {
            touched.push(touch);
        }
    }
    for (post, lacks_cover) in &touched {
        let titles = posts::titles_in_post(tx, *post).await?;
        let is_complete = !lacks_cover && post::is_complete(titles.iter().map(String::as_str));
        if mode == Mode::Seed || is_complete {
            posts::hasten_post(tx, *post, now).await?;
        }
    }
    Ok(touched.len())
}

/// Whether a new item is news, or only new to us: what is older than the feed's first poll slid back into its window,
/// what was committed long before it got here came by a merge, what resembles a commit that was here was rebased.
fn is_news(row: &FeedRow, page: &[Item], stored: &Stored, position: usize) -> bool {
    let item = &page[position];
    let at = item.at.map(|at| at.timestamp());
    match (&item.what, at) {
        (What::Commit { .. }, at) => {
            let merged = at
                .zip(row.last_ok_at)
                .is_some_and(|(at, last_ok_at)| at < last_ok_at - MERGED_AGE_S);
            !merged && !stored.twins.contains(&position)
        }
        (_, Some(at)) => row.floor_at.is_none_or(|floor_at| at >= floor_at),
        // Without dates a feed is taken to be newest first: what stands below all that is known is older than it.
        (_, None) => {
            let is_fresh = |other: usize| stored.fresh.iter().any(|(fresh, _)| *fresh == other);
            let below_the_known = (0..position).any(|other| !is_fresh(other));
            let above_some_known = (position + 1..page.len()).any(|other| !is_fresh(other));
            !below_the_known || above_some_known
        }
    }
}

/// The mails that these answer, and those above them, as far as they are here.
async fn mails_above<'a>(
    tx: &mut Tx,
    mails: impl Iterator<Item = &'a Item>,
) -> anyhow::Result<HashMap<Vec<u8>, post::Above>> {
    let mut above: HashMap<Vec<u8>, post::Above> = HashMap::new();
    let mut wanted: Vec<Vec<u8>> = mails
        .filter_map(|item| match &item.what {
            What::Message {
                in_reply_to: Some(parent),
                ..
            } => Some(ItemKey::message(parent).digest().to_vec()),
            _ => None,
        })
        .collect();
    for _ in 0..post::CLIMB_MAX {
        wanted.retain(|digest| !above.contains_key(digest));
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() {
            break;
        }
        let found = items::parents(tx, &wanted).await?;
        wanted = found
            .iter()
            .filter_map(|mail| mail.parent.clone())
            .collect();
        above.extend(found.into_iter().map(|mail| {
            (
                mail.digest,
                post::Above {
                    title: mail.title,
                    parent: mail.parent,
                },
            )
        }));
    }
    Ok(above)
}

/// Whether this kind of feed can be walked back.
pub fn can_be_walked_back(kind: &FeedKind) -> bool {
    matches!(kind, FeedKind::Tree { .. } | FeedKind::Archive { .. })
}

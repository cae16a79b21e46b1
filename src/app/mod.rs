//! The loops of `run`, and stopping in two steps.

mod disk;
pub mod letters;
pub mod platforms;
mod stop;
mod webhooks;

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use self::disk::Disk;
use self::platforms::Listener;
pub use self::platforms::Refused;
pub use self::stop::stop_on_signals;
use crate::config::PlatformKind;
use crate::deliver::{DeliveryLoop, Lane};
use crate::ingest::{Ingest, POLLS_AT_ONCE_MAX, Report};
use crate::live::Live;
use crate::mailing::Mailing;
use crate::publish::{Rules, schedule};
use crate::store::feeds::FeedRow;
use crate::store::{StorageProblem, feeds};

/// The longest sleep, so that a change of the clock is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// How long a stop waits for polls and deliveries under way.
const STOP_MAX: Duration = Duration::from_secs(6);
/// The shortest sleep, so that work that is due but blocked does not make the loop spin …
const SLEEP_MIN: Duration = Duration::from_millis(500);
/// … and the shortest before a poll.
const POLL_SLEEP_MIN: Duration = Duration::from_millis(10);
/// The gap between two full passes after polls with new items. One pass covers all polls that end within it.
const LOOK_GAP: Duration = Duration::from_millis(50);
/// Due feeds fetched from the database at once. There may be thousands, and each finished poll asks again. Feeds under
/// way are still due and come with every answer, so this must exceed [`POLLS_AT_ONCE_MAX`].
const DUE_AT_ONCE: u32 = 4 * POLLS_AT_ONCE_MAX as u32;

/// Polls and deliveries under way. They outlive the generation that started them.
#[derive(Default)]
struct UnderWay {
    /// Due feeds waiting for their turn, the longest due first.
    due: VecDeque<FeedRow>,
    /// Whether the database may have more due feeds than `due`.
    more_due: bool,
    polls: JoinSet<(String, anyhow::Result<Report>)>,
    in_flight: HashSet<String>,
    lanes: JoinSet<(Lane, anyhow::Result<()>)>,
    busy: HashSet<i64>,
}

impl UnderWay {
    /// Drops the list of due feeds, so that the next pass reads it again.
    fn forget_due(&mut self) {
        self.due.clear();
        self.more_due = true;
    }
}

/// Runs the bot until `stop` is cancelled: polls due feeds, delivers posts, and answers commands. SIGHUP reloads the
/// configuration.
///
/// # Errors
///
/// Returns an error if the database fails permanently, or [`Refused`] if a platform refuses the bot.
pub async fn run(
    live: &Live,
    listeners: Vec<(PlatformKind, Listener)>,
    mailing: Option<&Mailing>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("listening to SIGHUP")?;
    let mut listening = JoinSet::new();
    for (platform, listener) in listeners {
        listening.spawn(async move { (platform, listener.await) });
    }
    let (mut under_way, mut disk) = (UnderWay::default(), Disk::default());
    // The times of the last and the next full pass. A poll without news does not move the next one.
    let (mut looked_at, mut look_at) = (Instant::now(), Instant::now());
    while !stop.is_cancelled() {
        let now = live.now();
        let (ingest, delivery_loop) = (&now.ingest, &now.delivery_loop);
        let rules = Rules::of(&now.effective.config);
        if let Some(why) = delivery_loop.refusal() {
            stop.cancel();
            return Err(Refused(why).into());
        }
        let sleep = match disk.rest(live).await? {
            Some(rest) => rest,
            None if look_at > Instant::now()
                && !(under_way.due.is_empty() && under_way.more_due) =>
            {
                begin_due(ingest, &mut under_way, stop);
                look_at.saturating_duration_since(Instant::now())
            }
            None => {
                looked_at = Instant::now();
                let mailed = async {
                    match mailing {
                        Some(mailing) => mailing.pass(&live.store, live.clock.now()).await,
                        None => Ok(()),
                    }
                };
                let begun = async {
                    mailed.await?;
                    begin(ingest, delivery_loop, rules, &mut under_way, stop).await
                };
                match begun.await {
                    Ok(sleep) => sleep,
                    Err(error) => disk.met(live, error).await?,
                }
            }
        };
        let asleep_to = Instant::now() + sleep;
        look_at = Instant::now();
        let (polls, lanes) = (&mut under_way.polls, &mut under_way.lanes);
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = stop.cancelled() => {}
            // The set of polled feeds may have changed.
            () = live.changed() => under_way.forget_due(),
            _ = hangup.recv() => {
                under_way.forget_due();
                if let Err(error) = live.reload().await {
                    disk.met(live, error).await?;
                }
            }
            Some(ended) = listening.join_next(), if !listening.is_empty() => {
                let (platform, ended) = ended.context("a listener panicked")?;
                if let Err(error) = ended {
                    stop.cancel();
                    let why = format!("{} refuses the bot: {error}", platform.word());
                    return Err(Refused(why).into());
                }
            }
            Some(ended) = lanes.join_next(), if !lanes.is_empty() => {
                let (lane, ended) = ended.context("a delivery panicked")?;
                under_way.busy.retain(|channel| !lane.channels.contains(channel));
                if let Err(error) = ended
                    && let Err(error) = disk.met(live, error).await
                {
                    error!("delivery: {error:#}");
                }
            }
            Some(ended) = polls.join_next(), if !polls.is_empty() => {
                match ended {
                    Ok((name, report)) => {
                        under_way.in_flight.remove(&name);
                        match report {
                            Ok(report) if report.is_quiet() => {
                                look_at = asleep_to.min(Instant::now() + report.rest);
                            }
                            Ok(_) => look_at = asleep_to.min(looked_at + LOOK_GAP),
                            Err(error) => if let Err(error) = disk.met(live, error).await {
                                warn!("{name}: {error:#}");
                            }
                        }
                    }
                    Err(error) => error!("a poll panicked: {error}"),
                }
            }
        }
    }
    info!("stopping");
    // Work under way may finish, so that its outcome is known. The rest stays queued for the next start.
    let finish = async {
        while under_way.polls.join_next().await.is_some() {}
        while under_way.lanes.join_next().await.is_some() {}
        while listening.join_next().await.is_some() {}
    };
    let _ = tokio::time::timeout(STOP_MAX, finish).await;
    Ok(())
}

/// Starts everything that is due. Returns the time until the next thing is due.
async fn begin(
    ingest: &Arc<Ingest>,
    delivery_loop: &Arc<DeliveryLoop>,
    rules: Rules<'_>,
    under_way: &mut UnderWay,
    stop: &CancellationToken,
) -> anyhow::Result<Duration> {
    // In this order: the clock corrects due times, and a digest must not list stories whose messages still stand.
    ingest.repair_clock().await?;
    ingest.end_recalls().await?;
    ingest.make_digests().await?;
    ingest.warn_of_pulls().await?;
    let destinations = || ingest.destinations();
    let issue_at = schedule::pass(&ingest.store, destinations, rules, ingest.clock.now()).await?;
    // One moment for "due" and "due later", so that nothing falls between them.
    let now = ingest.clock.now();
    if under_way.due.is_empty() {
        let due = feeds::due_feeds(ingest.store.read(), now, DUE_AT_ONCE).await?;
        under_way.more_due = due.len() >= DUE_AT_ONCE as usize;
        let is_waiting = |row: &FeedRow| !under_way.in_flight.contains(&row.name);
        under_way.due = due.into_iter().filter(is_waiting).collect();
    } else {
        // More feeds may have become due since the list was read.
        under_way.more_due = true;
    }
    begin_due(ingest, under_way, stop);
    begin_lanes(delivery_loop, under_way).await?;
    until_next(ingest, delivery_loop, issue_at, &under_way.busy, now).await
}

/// Starts polls of waiting feeds, up to the limit.
fn begin_due(ingest: &Arc<Ingest>, under_way: &mut UnderWay, stop: &CancellationToken) {
    while under_way.in_flight.len() < POLLS_AT_ONCE_MAX {
        let Some(row) = under_way.due.pop_front() else {
            return;
        };
        // A newer generation may have feeds unknown to this one.
        if ingest.reads(&row.name) && under_way.in_flight.insert(row.name.clone()) {
            let (ingest, stop, name) = (Arc::clone(ingest), stop.clone(), row.name.clone());
            under_way.polls.spawn(async move {
                // Even a panic must remove the feed from `in_flight`.
                let polled = AssertUnwindSafe(ingest.poll(row, &stop)).catch_unwind();
                let report = polled
                    .await
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a poll panicked")));
                if report
                    .as_ref()
                    .is_err_and(|error| StorageProblem::of(error).is_none())
                {
                    // The feed is still due: wait, so that it is not polled again at once.
                    let _ = tokio::time::timeout(SLEEP_MAX, stop.cancelled()).await;
                }
                (name, report)
            });
        }
    }
}

async fn begin_lanes(
    delivery_loop: &Arc<DeliveryLoop>,
    under_way: &mut UnderWay,
) -> anyhow::Result<()> {
    for lane in delivery_loop.lanes().await? {
        let is_busy = |channel: &i64| under_way.busy.contains(channel);
        if lane.channels.iter().any(is_busy) {
            continue;
        }
        under_way.busy.extend(&lane.channels);
        let delivery_loop = Arc::clone(delivery_loop);
        under_way
            .lanes
            .spawn(async move { run_lane(&delivery_loop, lane).await });
    }
    Ok(())
}

/// Runs a lane. After a database error it waits before the lane may run again.
async fn run_lane(delivery_loop: &DeliveryLoop, lane: Lane) -> (Lane, anyhow::Result<()>) {
    let ended = delivery_loop.run_lane(&lane).await;
    if ended.is_err() {
        tokio::time::sleep(SLEEP_MIN * 2).await;
    }
    (lane, ended.map(|_| ()))
}

/// The time until something is due. `now` is the moment at which due feeds were read.
async fn until_next(
    ingest: &Ingest,
    delivery_loop: &DeliveryLoop,
    issue_at: Option<DateTime<Utc>>,
    busy: &HashSet<i64>,
    now: DateTime<Utc>,
) -> anyhow::Result<Duration> {
    // A feed due by now is under way or waiting: the end of a poll wakes the loop.
    let next_feed = feeds::next_due_after(ingest.store.read(), now)
        .await?
        .and_then(|at| DateTime::from_timestamp(at, 0));
    let next_work = [
        ingest.next_digest_at().await?,
        issue_at,
        // A busy lane wakes the loop when it ends.
        if busy.is_empty() {
            delivery_loop.next_at().await?
        } else {
            None
        },
    ];
    let wait = |at: DateTime<Utc>| (at - ingest.clock.now()).to_std().unwrap_or_default();
    let for_work = next_work.into_iter().flatten().min().map(wait);
    let for_work = for_work.map_or(SLEEP_MAX, |time| time.max(SLEEP_MIN));
    let for_feed = next_feed.map_or(SLEEP_MAX, |at| wait(at).max(POLL_SLEEP_MIN));
    Ok(for_work.min(for_feed).min(SLEEP_MAX))
}

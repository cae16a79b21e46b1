//! Wiring: the loops of `run`, and stopping in two steps.

pub mod platforms;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::DateTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::deliver::{Courier, Lane};
use crate::ingest::{Ingest, POLLS_AT_ONCE_MAX};
use crate::store::feeds;

/// The longest sleep, so that a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// How long a stop waits for deliveries that are under way.
const STOP_MAX: Duration = Duration::from_secs(20);
/// The shortest, so that a feed that is due but being polled does not make the loop spin.
const SLEEP_MIN: Duration = Duration::from_millis(500);

/// A token that SIGINT (Ctrl-C) or SIGTERM cancels; a second signal ends the process at once, which loses nothing that
/// was committed.
///
/// # Errors
///
/// When the signals cannot be listened to.
pub fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
    let token = stop.clone();
    tokio::spawn(async move {
        for is_second in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if is_second {
                std::process::exit(130);
            }
            token.cancel();
        }
    });
    Ok(stop)
}

/// Polls what is due and tells what is new until `stop` is cancelled.
///
/// # Errors
///
/// When the database fails, or a platform refuses the bot altogether.
pub async fn run(
    ingest: Arc<Ingest>,
    courier: Arc<Courier>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut polls = JoinSet::new();
    let mut in_flight: HashSet<String> = HashSet::new();
    let mut lanes = JoinSet::new();
    let mut busy: HashSet<i64> = HashSet::new();
    while !stop.is_cancelled() {
        let now = ingest.clock.now();
        for row in feeds::due_feeds(ingest.store.read(), now).await? {
            if in_flight.len() >= POLLS_AT_ONCE_MAX {
                break;
            }
            if in_flight.insert(row.name.clone()) {
                let (ingest, stop, name) = (Arc::clone(&ingest), stop.clone(), row.name.clone());
                polls.spawn(async move {
                    let report = ingest.poll(row, &stop).await;
                    if report.is_err() {
                        // What could not be settled is due still: it must not be asked for again at once.
                        let _ = tokio::time::timeout(SLEEP_MAX, stop.cancelled()).await;
                    }
                    (name, report)
                });
            }
        }
        ingest.make_digests().await?;
        if let Some(why) = courier.refusal() {
            stop.cancel();
            bail!("{why}");
        }
        for lane in courier.lanes().await? {
            if lane.channels.iter().any(|channel| busy.contains(channel)) {
                continue;
            }
            busy.extend(&lane.channels);
            let courier = Arc::clone(&courier);
            lanes.spawn(async move { run_lane(&courier, lane).await });
        }
        let sleep = until_next(&ingest, &courier, &busy).await?;
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = stop.cancelled() => {}
            Some(ended) = lanes.join_next(), if !lanes.is_empty() => {
                let lane = ended.context("a delivery came to a bad end")?;
                busy.retain(|channel| !lane.channels.contains(channel));
            }
            Some(ended) = polls.join_next(), if !polls.is_empty() => {
                match ended {
                    Ok((name, report)) => {
                        in_flight.remove(&name);
                        if let Err(error) = report {
                            warn!("{name}: {error:#}");
                        }
                    }
                    // Its feed stays among those in flight, so it rests until the next start; the others go on.
                    Err(error) => error!("a poll came to a bad end: {error}"),
                }
            }
        }
    }
    info!("stopping");
    while polls.join_next().await.is_some() {}
    // What is under way is let finish, so that its outcome is known; the rest is owed at the next start.
    let finish = async { while lanes.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(STOP_MAX, finish).await;
    Ok(())
}

/// Runs a lane; an error of the database is told, and the lane rests before it is tried again.
async fn run_lane(courier: &Courier, lane: Lane) -> Lane {
    if let Err(error) = courier.run_lane(&lane).await {
        error!("telling: {error:#}");
        tokio::time::sleep(SLEEP_MIN * 10).await;
    }
    lane
}

async fn until_next(
    ingest: &Ingest,
    courier: &Courier,
    busy: &HashSet<i64>,
) -> anyhow::Result<Duration> {
    let now = ingest.clock.now();
    let next_feed = feeds::next_due_at(ingest.store.read()).await?;
    let next = [
        next_feed.and_then(|at| DateTime::from_timestamp(at, 0)),
        ingest.next_digest_at().await?,
        // A lane that is busy ends by itself, and wakes the loop.
        if busy.is_empty() {
            courier.next_at().await?
        } else {
            None
        },
    ];
    let wait = next.into_iter().flatten().map(|at| at - now).min();
    let wait = wait.map_or(SLEEP_MAX, |wait| wait.to_std().unwrap_or_default());
    Ok(wait.clamp(SLEEP_MIN, SLEEP_MAX))
}

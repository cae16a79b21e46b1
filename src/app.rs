//! Wiring: the loops of `run`, and stopping in two steps.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::deliver;
use crate::ingest::{Ingest, POLLS_AT_ONCE_MAX};
use crate::post::Post;
use crate::store::{feeds, posts};

/// The longest sleep, so that a clock that was set is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(30);
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
/// When the database fails.
pub async fn run(
    ingest: Arc<Ingest>,
    stop: &CancellationToken,
    mut show: impl FnMut(&Post, bool) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut polls = JoinSet::new();
    let mut in_flight: HashSet<String> = HashSet::new();
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
        deliver::pass(&ingest.store, now, &mut show).await?;
        let sleep = until_next(&ingest).await?;
        tokio::select! {
            () = tokio::time::sleep(sleep) => {}
            () = stop.cancelled() => {}
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
    deliver::pass(&ingest.store, ingest.clock.now(), &mut show).await?;
    Ok(())
}

async fn until_next(ingest: &Ingest) -> anyhow::Result<Duration> {
    let now = ingest.clock.now().timestamp();
    let next = [
        feeds::next_due_at(ingest.store.read()).await?,
        posts::next_owed_at(ingest.store.read()).await?,
    ];
    let wait = next
        .into_iter()
        .flatten()
        .map(|at| at - now)
        .min()
        .unwrap_or(i64::MAX)
        .max(0);
    Ok(Duration::from_secs(wait.unsigned_abs()).clamp(SLEEP_MIN, SLEEP_MAX))
}

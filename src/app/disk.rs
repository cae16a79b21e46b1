//! Pauses the loops while the database cannot be written. Nothing is lost: items and deliveries count only after a
//! commit.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::destination::{for_maintainers, notify_maintainers};
use crate::live::Live;
use crate::post::story::Content;
use crate::store::{StorageProblem, troubles};

/// The first pause; each next one is twice as long.
const REST_MIN: Duration = Duration::from_secs(5);
const REST_MAX: Duration = Duration::from_mins(5);
/// Within this time a new failure continues the previous outage, so maintainers get no second notice.
const SAME_FOR: Duration = Duration::from_hours(1);

/// The state of the current outage, if any.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// The problem, and the time when it began.
    wrong: Option<(StorageProblem, chrono::DateTime<chrono::Utc>)>,
    /// The time of the next attempt to write.
    again_at: Option<Instant>,
    rest: Duration,
    /// Whether maintainers got a notice, so that they get one at the end too.
    was_reported: bool,
    ended_at: Option<Instant>,
}

impl Disk {
    /// Handles an error of the loops. Returns the pause if the error can pass.
    ///
    /// # Errors
    ///
    /// Returns the error itself if waiting does not help.
    pub(super) async fn met(
        &mut self,
        live: &Live,
        met: anyhow::Error,
    ) -> anyhow::Result<Duration> {
        let Some(trouble) = StorageProblem::of(&met) else {
            return Err(met);
        };
        if self.wrong.is_none() {
            self.wrong = Some((trouble, live.clock.now()));
            let is_same = self.ended_at.is_some_and(|at| at.elapsed() < SAME_FOR);
            if !is_same {
                self.rest = Duration::ZERO;
            }
            if trouble == StorageProblem::Busy || is_same {
                warn!("the database cannot be written and will be retried: {trouble} ({met:#})");
            } else {
                self.was_reported = true;
                let remedy = trouble.remedy();
                error!(
                    "the database cannot be written: {trouble} ({met:#}). Until it can, no feed is polled and nothing is \
                     posted. Nothing is lost, and bpfnews keeps retrying. Remedy: {remedy}"
                );
                notify(live, trouble).await;
            }
        }
        if self.again_at.is_none_or(|at| at <= Instant::now()) {
            self.rest = (self.rest * 2).clamp(REST_MIN, REST_MAX);
            self.again_at = Some(Instant::now() + self.rest);
        }
        Ok(self.left())
    }

    /// The rest of the pause. At its end, tries to write; `None` if the database works.
    pub(super) async fn rest(&mut self, live: &Live) -> anyhow::Result<Option<Duration>> {
        let Some((trouble, since)) = self.wrong else {
            return Ok(None);
        };
        if !self.left().is_zero() {
            return Ok(Some(self.left()));
        }
        if let Err(error) = self.try_to_end(live, trouble, since).await {
            return self.met(live, error).await.map(Some);
        }
        info!(
            "the database can be written again; it had been failing since {}",
            since.format("%F %T UTC")
        );
        (self.wrong, self.again_at, self.was_reported) = (None, None, false);
        self.ended_at = Some(Instant::now());
        Ok(None)
    }

    fn left(&self) -> Duration {
        let at = self.again_at.unwrap_or_else(Instant::now);
        at.saturating_duration_since(Instant::now())
    }

    async fn try_to_end(
        &self,
        live: &Live,
        trouble: StorageProblem,
        since: chrono::DateTime<chrono::Utc>,
    ) -> anyhow::Result<()> {
        let now = live.now();
        let mut tx = live.store.write().await?;
        troubles::try_to_write(&mut tx).await?;
        if self.was_reported {
            let text = format!(
                "It had been failing since {} UTC: {trouble}. Nothing was lost.",
                since.format("%Y-%m-%d %H:%M")
            );
            let title = "The database can be written again";
            let destinations = now.ingest.destinations();
            notify_maintainers(&mut tx, &destinations, title, &text, live.clock.now()).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Notifies maintainers directly, because the outbox cannot be written.
async fn notify(live: &Live, trouble: StorageProblem) {
    let now = live.now();
    let destinations = now.ingest.destinations();
    for destination in for_maintainers(&destinations) {
        let notice = Content::Notice {
            title: format!("The database cannot be written: {trouble}"),
            text: format!(
                "Until it can, no feed is polled and nothing is posted. Nothing is lost, and bpfnews keeps retrying. Remedy: {}.",
                trouble.remedy()
            ),
            mark: format!("n{:x}", fastrand::u64(..)),
        };
        let (platform, room) = (destination.config.platform, &destination.row.address);
        if let Err(why) = now.delivery_loop.post_once(platform, room, notice).await {
            warn!(
                "{}: the notice could not be posted: {}",
                destination.config.name, why.0
            );
        }
    }
}

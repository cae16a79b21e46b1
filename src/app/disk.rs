//! A database that cannot be written for a while: the loops rest, and go on when it can. Nothing is lost meanwhile, for
//! nothing is read or told that is not committed.

use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use crate::desk;
use crate::live::Live;
use crate::post::story::Content;
use crate::store::{StorageProblem, troubles};

/// The first rest; it doubles.
const REST_MIN: Duration = Duration::from_secs(5);
/// The longest.
const REST_MAX: Duration = Duration::from_mins(5);
/// Trouble that comes back so soon is the same trouble, and told no second time.
const SAME_FOR: Duration = Duration::from_hours(1);

/// How the database fares.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// What is wrong, and since when; `None`: nothing.
    wrong: Option<(StorageProblem, chrono::DateTime<chrono::Utc>)>,
    /// When it is tried again.
    again_at: Option<Instant>,
    rest: Duration,
    /// Whether maintainers hear of the end.
    was_told: bool,
    ended_at: Option<Instant>,
}

impl Disk {
    /// An error of the loops: where it is one that passes, how long they rest.
    ///
    /// # Errors
    ///
    /// The error itself, where it is another one.
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
                warn!("the database cannot be written, tried again: {trouble} ({met:#})");
            } else {
                self.was_told = true;
                let remedy = trouble.remedy();
                error!(
                    "the database cannot be written: {trouble} ({met:#}). Nothing is read or told meanwhile, and nothing \
                     is lost; it is tried again by itself. What to do: {remedy}"
                );
                tell(live, trouble).await;
            }
        }
        if self.again_at.is_none_or(|at| at <= Instant::now()) {
            self.rest = (self.rest * 2).clamp(REST_MIN, REST_MAX);
            self.again_at = Some(Instant::now() + self.rest);
        }
        Ok(self.left())
    }

    /// How long the loops rest still; `None` where the database is well, or is so again.
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
            "the database can be written again; it could not since {}",
            since.format("%F %T UTC")
        );
        (self.wrong, self.again_at, self.was_told) = (None, None, false);
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
        if self.was_told {
            let text = format!(
                "It could not since {} UTC: {trouble}. Nothing was lost.",
                since.format("%Y-%m-%d %H:%M")
            );
            let title = "The database can be written again";
            let desks = now.ingest.desks();
            desk::tell_maintainers(&mut tx, &desks, title, &text, live.clock.now()).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Tells maintainers at once: an outbox that cannot be written takes no notice.
async fn tell(live: &Live, trouble: StorageProblem) {
    let now = live.now();
    let desks = now.ingest.desks();
    let theirs = desks.iter().filter(|desk| desk.config.maintainers);
    for desk in theirs {
        let notice = Content::Notice {
            title: format!("The database cannot be written: {trouble}"),
            text: format!(
                "Nothing is read or told meanwhile, and nothing is lost; it is tried again by itself. What to do: {}.",
                trouble.remedy()
            ),
            mark: format!("n{:x}", fastrand::u64(..)),
        };
        let (platform, room) = (desk.config.platform, &desk.row.address);
        if let Err(why) = live.post_once(platform, room, notice).await {
            warn!("{}: could not be told: {}", desk.config.name, why.0);
        }
    }
}

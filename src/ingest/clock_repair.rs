//! Notices that the clock was set back, by the time of the last poll, and repairs the stored times.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tracing::warn;

use crate::store::{Store, ahead};

/// When a feed was polled last.
#[derive(Default)]
pub(super) struct LastPoll(Mutex<LastPollTime>);

#[derive(Debug, Default)]
struct LastPollTime {
    /// Unix seconds, as far as this process knows.
    at: i64,
    /// Whether the database was asked. The query scans all feeds, so it runs once.
    is_asked: bool,
}

impl LastPoll {
    /// Notes a poll whose end was committed.
    pub(super) fn note(&self, at: DateTime<Utc>) {
        let mut last = self.lock();
        last.at = last.at.max(at.timestamp());
    }

    /// If the last poll lies in the future, moves the times that were stored in the future back.
    pub(super) async fn repair_clock(
        &self,
        store: &Store,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let Some(by) = ahead::set_back_by(self.at(store).await?, now) else {
            return Ok(());
        };
        warn!("the clock was set back by {by} s; waiting work moves back too");
        let mut tx = store.write().await?;
        ahead::set_back(&mut tx, by, now).await?;
        tx.commit().await?;
        *self.lock() = LastPollTime::default();
        Ok(())
    }

    /// Unix seconds.
    async fn at(&self, store: &Store) -> anyhow::Result<i64> {
        if !self.lock().is_asked {
            let stored = ahead::last_poll_at(store.read()).await?;
            let mut last = self.lock();
            // A poll may have ended since.
            last.at = last.at.max(stored);
            last.is_asked = true;
        }
        Ok(self.lock().at)
    }

    fn lock(&self) -> MutexGuard<'_, LastPollTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

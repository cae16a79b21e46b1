//! Pausing feeds, and their health.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use crate::store::{Readers, Tx};

/// Pauses a feed, or lets it be polled again at once. Returns whether that changed anything.
pub async fn pause_feed(
    tx: &mut Tx,
    name: &str,
    paused_at: Option<DateTime<Utc>>,
) -> anyhow::Result<bool> {
    let paused_at = paused_at.map(|at| at.timestamp());
    let changed = sqlx::query!(
        "UPDATE feeds SET paused_at = $2, next_poll_at = iif($2 IS NULL, 0, next_poll_at)
         WHERE name = $1 AND (paused_at IS NULL) <> ($2 IS NULL)",
        name,
        paused_at
    )
    .execute(&mut **tx)
    .await
    .with_context(|| format!("pausing the feed {name}"))?;
    Ok(changed.rows_affected() == 1)
}

/// The health of the configured feeds, in figures that everybody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedHealth {
    pub feeds: i64,
    /// Feeds that failed in their last poll.
    pub failing: i64,
    pub paused: i64,
    /// Feeds that were never polled.
    pub new: i64,
    /// The time of the latest poll, unix seconds.
    pub last_polled_at: Option<i64>,
}

pub async fn health(readers: &Readers) -> anyhow::Result<FeedHealth> {
    sqlx::query_as!(
        FeedHealth,
        r#"SELECT COUNT(*) AS "feeds!: i64",
                  COALESCE(SUM(paused_at IS NULL AND state NOT IN ('ok', 'never')), 0) AS "failing!: i64",
                  COALESCE(SUM(paused_at IS NOT NULL), 0) AS "paused!: i64",
                  COALESCE(SUM(paused_at IS NULL AND state = 'never'), 0) AS "new!: i64",
                  MAX(last_polled_at) AS "last_polled_at: i64"
           FROM feeds WHERE configured = 1"#
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("asking how the feeds fare")
}

//! Which feeds are due, and what is kept of polls that brought nothing.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use sqlx::SqlitePool;

use super::FeedRow;
use crate::store::Tx;

/// At most so many of the configured feeds that are due, the longest due first.
pub async fn due_feeds(
    pool: &SqlitePool,
    now: DateTime<Utc>,
    most: u32,
) -> anyhow::Result<Vec<FeedRow>> {
    let now = now.timestamp();
    sqlx::query_as!(
        FeedRow,
        r#"SELECT id, name, kind, url, configured AS "configured: bool", state, seeded_at, floor_at, last_ok_at,
           next_poll_at, failures, last_error, moved_to, items, cursor, backfill, paused_at FROM feeds
           WHERE configured = 1 AND paused_at IS NULL AND next_poll_at <= $1 ORDER BY next_poll_at, id LIMIT $2"#,
        now,
        most
    )
    .fetch_all(pool)
    .await
    .context("asking which feeds are due")
}

/// When the next configured feed is due that is not due now, unix seconds.
pub async fn next_due_after(pool: &SqlitePool, now: DateTime<Utc>) -> anyhow::Result<Option<i64>> {
    let now = now.timestamp();
    let next = sqlx::query_scalar!(
        r#"SELECT MIN(next_poll_at) AS "at: i64" FROM feeds
           WHERE configured = 1 AND paused_at IS NULL AND next_poll_at > $1"#,
        now
    )
    .fetch_one(pool)
    .await
    .context("asking when the next feed is due")?;
    Ok(next)
}

/// When the configured feed is due that is due first, unix seconds; long ago where polling does not go on.
pub async fn next_due_at(pool: &SqlitePool) -> anyhow::Result<Option<i64>> {
    next_due_after(pool, DateTime::<Utc>::MIN_UTC).await
}

/// How a poll ended that went well and brought nothing.
#[derive(Debug, Clone)]
pub struct QuietPoll {
    /// The feed.
    pub feed: i64,
    /// Where polling stood.
    pub was: Option<String>,
    /// Where it stands.
    pub cursor: String,
    /// When it was polled.
    pub polled_at: DateTime<Utc>,
    /// When the next poll is due.
    pub next_poll_at: DateTime<Utc>,
}

/// Records polls that brought nothing, as [`super::Cursors`] and [`super::settle_poll`] would of feeds that were well
/// before. One that no longer stands where it stood is due still.
pub async fn settle_quiet_polls(tx: &mut Tx, polls: &[&QuietPoll]) -> anyhow::Result<()> {
    if polls.is_empty() {
        return Ok(());
    }
    let row = |poll: &QuietPoll| {
        let (polled_at, next_at) = (poll.polled_at.timestamp(), poll.next_poll_at.timestamp());
        serde_json::json!([poll.feed, poll.was, poll.cursor, polled_at, next_at])
    };
    let polls: Vec<_> = polls.iter().copied().map(row).collect();
    let polls = serde_json::to_string(&polls)?;
    sqlx::query!(
        "UPDATE feeds SET cursor = j.value ->> 2, last_polled_at = j.value ->> 3, last_ok_at = j.value ->> 3,
                          next_poll_at = j.value ->> 4
         FROM json_each($1) j WHERE feeds.id = j.value ->> 0 AND feeds.cursor IS j.value ->> 1",
        polls
    )
    .execute(&mut **tx)
    .await
    .context("settling polls that brought nothing")?;
    Ok(())
}

//! Queries for feeds that are due.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::state::{FeedRow, FeedState};
use crate::config::UpstreamKind;
use crate::store::Readers;

/// Configured feeds that are due, at most `most`, the longest overdue first.
pub async fn due_feeds(
    readers: &Readers,
    now: DateTime<Utc>,
    most: u32,
) -> anyhow::Result<Vec<FeedRow>> {
    let now = now.timestamp();
    sqlx::query_as!(
        FeedRow,
        r#"SELECT id, name, kind AS "kind: UpstreamKind", url, configured AS "configured: bool",
           state AS "state: FeedState", seeded_at, floor_at, last_ok_at,
           next_poll_at, failures, last_error, moved_to, items, cursor, backfill, paused_at FROM feeds
           WHERE configured = 1 AND paused_at IS NULL AND next_poll_at <= $1 ORDER BY next_poll_at, id LIMIT $2"#,
        now,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking which feeds are due")
}

/// When the next feed that is not due yet becomes due, unix seconds.
pub async fn next_due_after(readers: &Readers, now: DateTime<Utc>) -> anyhow::Result<Option<i64>> {
    let now = now.timestamp();
    let next = sqlx::query_scalar!(
        r#"SELECT MIN(next_poll_at) AS "at: i64" FROM feeds
           WHERE configured = 1 AND paused_at IS NULL AND next_poll_at > $1"#,
        now
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("asking when the next feed is due")?;
    Ok(next)
}

/// The earliest due time of any configured feed, unix seconds. It lies in the past if polling has stopped.
pub async fn next_due_at(readers: &Readers) -> anyhow::Result<Option<i64>> {
    next_due_after(readers, DateTime::<Utc>::MIN_UTC).await
}

//! Since when there are feeds, and which of them had their turn since some moment.

use crate::store::Readers;
use anyhow::Context as _;
use chrono::{DateTime, Utc};

/// Which feeds had their turn since some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// Whether any that is due was not polled since.
    pub are_waiting: bool,
    /// When the first was polled since, unix seconds.
    pub first_at: Option<i64>,
}

/// Which feeds had their turn since some moment.
pub async fn turns_since(
    readers: &Readers,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<Turns> {
    let (since, now) = (since.timestamp(), now.timestamp());
    sqlx::query_as!(
        Turns,
        r#"SELECT COALESCE(MAX(COALESCE(last_polled_at, 0) < $1 AND next_poll_at <= $2), 0) AS "are_waiting!: bool",
                  MIN(iif(last_polled_at >= $1, last_polled_at, NULL)) AS "first_at: i64"
           FROM feeds WHERE configured = 1 AND paused_at IS NULL AND url IS NOT NULL"#,
        since,
        now
    )
    .fetch_one(&mut *readers.turn().await?)
    .await
    .context("asking which feeds had their turn")
}

/// When the first feed was added, unix seconds.
pub async fn began_at(readers: &Readers) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!(r#"SELECT MIN(added_at) AS "at: i64" FROM feeds"#)
        .fetch_one(&mut *readers.turn().await?)
        .await
        .context("asking when it began")
}

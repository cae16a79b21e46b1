//! Queries about polling as a whole: when it began, which feeds were polled since a time, and which were not.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Database, Readers};

/// A shorter failure does not concern an issue.
const DAY_S: i64 = 86_400;

/// The polls since a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollTurns {
    /// Whether a feed that is due was not polled since.
    pub are_waiting: bool,
    /// The first poll since, unix seconds.
    pub first_at: Option<i64>,
}

pub async fn turns_since(
    readers: &Readers,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<PollTurns> {
    let (since, now) = (since.timestamp(), now.timestamp());
    sqlx::query_as!(
        PollTurns,
        r#"SELECT COALESCE(MAX(COALESCE(last_polled_at, 0) < $1 AND next_poll_at <= $2), 0) AS "are_waiting!: bool",
                  MIN(iif(last_polled_at >= $1, last_polled_at, NULL)) AS "first_at: i64"
           FROM feeds WHERE configured = 1 AND paused_at IS NULL AND url IS NOT NULL"#,
        since,
        now
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("asking which feeds had their turn")
}

pub async fn began_at(readers: &Readers) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!(r#"SELECT MIN(added_at) AS "at: i64" FROM feeds"#)
        .fetch_one(&mut *readers.acquire().await?)
        .await
        .context("asking when it began")
}

/// A feed that was not read up to the end of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadFeed {
    pub feed: String,
    /// The last successful poll, or when it was added; unix seconds.
    pub since: i64,
}

/// Configured feeds that were last read a day or more before `to`: they fail, are behind, or were not polled. Leaves
/// out feeds that were unread at the end of the previous issue (`before`, unix seconds) already, because maintainers
/// know them.
pub async fn unread(
    mut from: Database<'_>,
    to: i64,
    before: Option<i64>,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<UnreadFeed>> {
    let latest = to - DAY_S;
    let earliest = before.map_or(i64::MIN, |before| before - DAY_S);
    let now = now.timestamp();
    sqlx::query_as!(
        UnreadFeed,
        r#"SELECT name AS "feed!", COALESCE(last_ok_at, added_at) AS "since!: i64" FROM feeds
           WHERE configured = 1 AND paused_at IS NULL AND url IS NOT NULL
             AND COALESCE(last_ok_at, added_at) BETWEEN $2 + 1 AND $1
             AND NOT (state = 'ok' AND failures = 0 AND last_error IS NULL AND last_polled_at IS last_ok_at
                      AND next_poll_at > $3)
           ORDER BY 2, 1"#,
        latest,
        earliest,
        now
    )
    .fetch_all(&mut *from.acquire().await?)
    .await
    .context("asking which feeds were not read")
}

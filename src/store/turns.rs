//! Since when there are feeds, which of them had their turn since some moment, and which were not read.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Database, Readers};

/// A feed that fails for less is no matter for an issue.
const DAY_S: i64 = 86_400;

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

/// A feed that was not read up to the end of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub feed: String,
    /// Up to when it was read, or when it was added, unix seconds.
    pub since: i64,
}

/// The configured feeds that were not read for a day or more before `to`: they fail, are walled or gone, are behind, or had
/// no turn. Not those of which that was so at the end of the last issue already (`before`, unix seconds): a person knows.
pub async fn unread(
    mut from: Database<'_>,
    to: i64,
    before: Option<i64>,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Unread>> {
    let latest = to - DAY_S;
    let earliest = before.map_or(i64::MIN, |before| before - DAY_S);
    let now = now.timestamp();
    sqlx::query_as!(
        Unread,
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
    .fetch_all(&mut *from.turn().await?)
    .await
    .context("asking which feeds were not read")
}

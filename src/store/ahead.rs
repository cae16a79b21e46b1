//! Repairs times that a fast clock wrote. Once the clock is set right, these times lie in the future: nothing would
//! be polled or posted before then, and new items would pass for old ones.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};

/// Two readings of one clock may differ by this much.
const SLACK_S: i64 = 60;

/// The time of the latest poll of any feed, unix seconds; 0 if there was none. Scans all feeds.
pub async fn last_poll_at(readers: &Readers) -> anyhow::Result<i64> {
    sqlx::query_scalar!(r#"SELECT COALESCE(MAX(last_polled_at), 0) AS "at!: i64" FROM feeds"#)
        .fetch_one(&mut *readers.acquire().await?)
        .await
        .context("asking when a feed was polled last")
}

/// How many seconds the clock was set back since the last poll; `None` if it was not.
pub fn set_back_by(last_poll_at: i64, now: DateTime<Utc>) -> Option<i64> {
    let ahead = last_poll_at - now.timestamp();
    (ahead > SLACK_S).then_some(ahead)
}

/// Moves times that lie in the future back by `by` seconds. Waits keep their length; past events happened now at the
/// latest.
pub async fn set_back(tx: &mut Tx, by: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE feeds SET next_poll_at = iif(next_poll_at > $1, MAX(next_poll_at - $2, $1), next_poll_at),
                last_polled_at = MIN(last_polled_at, $1), last_ok_at = MIN(last_ok_at, $1),
                seeded_at = MIN(seeded_at, $1), failing_since = MIN(failing_since, $1), added_at = MIN(added_at, $1)",
        now,
        by
    )
    .execute(&mut **tx)
    .await
    .context("moving the times of feeds back")?;
    sqlx::query!(
        "UPDATE channels SET held_to = iif(held_to > $1, MAX(held_to - $2, $1), held_to),
                paused_at = MIN(paused_at, $1), added_at = MIN(added_at, $1), took_at = MIN(took_at, $1)",
        now,
        by
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("UPDATE posts SET opened_at = $1 WHERE opened_at > $1", now)
        .execute(&mut **tx)
        .await?;
    // Deliveries that were sent count towards the hour in which they were sent, however wrong the clock was.
    sqlx::query!(
        "UPDATE deliveries SET due_at = iif(state = 'owed', MAX(due_at - $2, $1), due_at - $2) WHERE due_at > $1",
        now,
        by
    )
    .execute(&mut **tx)
    .await
    .context("moving the times of deliveries back")?;
    sqlx::query!(
        "UPDATE deliveries SET first_tried_at = MIN(first_tried_at, $1), settled_at = MIN(settled_at, $1)
         WHERE first_tried_at > $1 OR settled_at > $1",
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE follow_news SET moved_at = $1 WHERE moved_at > $1",
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE wanted_mails SET due_at = iif(due_at > $1, MAX(due_at - $2, $1), due_at), wanted_at = MIN(wanted_at, $1)
         WHERE state = 'wanted'",
        now,
        by
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("UPDATE troubles SET since_at = $1 WHERE since_at > $1", now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

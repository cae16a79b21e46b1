//! Times that a clock wrote which ran ahead. Once it is set right, what they say is in the future: nothing would be polled
//! or told before then, and what is new would pass for old.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};

/// What two readings of one clock may differ by.
const SLACK_S: i64 = 60;

/// When a feed was polled last, unix seconds; 0: none was. It looks at all feeds.
pub async fn last_poll_at(readers: &Readers) -> anyhow::Result<i64> {
    sqlx::query_scalar!(r#"SELECT COALESCE(MAX(last_polled_at), 0) AS "at!: i64" FROM feeds"#)
        .fetch_one(&mut *readers.turn().await?)
        .await
        .context("asking when a feed was polled last")
}

/// How far the clock was set back since the last poll, in seconds; `None`: it was not.
pub fn set_back_by(last_poll_at: i64, now: DateTime<Utc>) -> Option<i64> {
    let ahead = last_poll_at - now.timestamp();
    (ahead > SLACK_S).then_some(ahead)
}

/// Moves what lies in the future back by so many seconds, at most to now: waits go on as they were, and what happened
/// happened by now.
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
    // Those that were sent count for the hour that they were sent in, whatever it was called.
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
    sqlx::query!("UPDATE troubles SET since_at = $1 WHERE since_at > $1", now)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

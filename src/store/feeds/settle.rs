//! Recording the results of polls.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::state::Outcome;
use crate::store::Tx;

#[derive(Debug)]
pub struct EndedPoll<'a> {
    pub feed: i64,
    /// The address that was polled. If the feed has another address by now, it is still due.
    pub url: Option<&'a str>,
    pub outcome: &'a Outcome,
    pub at: DateTime<Utc>,
    /// When the next poll is due.
    pub next_poll_at: DateTime<Utc>,
    /// The cursor before and after a successful poll of a healthy feed that brought nothing to store with it.
    pub cursor: Option<(Option<&'a str>, &'a str)>,
}

/// Records the results of polls.
pub async fn settle_polls(tx: &mut Tx, polls: &[EndedPoll<'_>]) -> anyhow::Result<()> {
    let (mut quiet, mut loud) = (Vec::new(), Vec::new());
    for poll in polls {
        match poll.cursor {
            Some((was, cursor)) => quiet.push(quiet_row(poll, was, cursor)),
            None => loud.push(loud_row(poll)),
        }
    }
    settle_quiet(tx, &quiet).await?;
    settle_loud(tx, &loud).await
}

/// Polls of feeds that were healthy and still are: nearly all polls, so only the changed columns are written. If the
/// cursor of a feed has moved in between, it is still due.
async fn settle_quiet(tx: &mut Tx, rows: &[Value]) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_string(rows)?;
    sqlx::query!(
        "WITH j (v) AS MATERIALIZED (SELECT value FROM json_each($1))
         UPDATE feeds SET last_polled_at = v ->> 1, last_ok_at = v ->> 1, next_poll_at = v ->> 2, cursor = v ->> 4
         FROM j WHERE feeds.id = v ->> 0 AND feeds.cursor IS v ->> 3 AND feeds.url IS v ->> 5",
        rows
    )
    .execute(&mut **tx)
    .await
    .context("settling quiet polls")?;
    Ok(())
}

async fn settle_loud(tx: &mut Tx, rows: &[Value]) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_string(rows)?;
    // A catch-up is judged by the time at which everything had been seen, so `last_ok_at` stays.
    sqlx::query!(
        "UPDATE feeds SET
             state = COALESCE(j.value ->> 'state', state),
             failures = CASE j.value ->> 'ended' WHEN 'failed' THEN failures + 1 WHEN 'excused' THEN failures ELSE 0 END,
             failing_since = CASE j.value ->> 'ended' WHEN 'failed' THEN COALESCE(failing_since, j.value ->> 'at')
                                                      WHEN 'excused' THEN failing_since END,
             last_error = j.value ->> 'why',
             last_polled_at = iif(j.value ->> 'ended' = 'excused', last_polled_at, j.value ->> 'at'),
             last_ok_at = CASE j.value ->> 'ended' WHEN 'well' THEN j.value ->> 'at'
                                                   WHEN 'so far' THEN COALESCE(last_ok_at, j.value ->> 'at')
                                                   ELSE last_ok_at END,
             next_poll_at = j.value ->> 'next'
         FROM json_each($1) j WHERE feeds.id = j.value ->> 'feed' AND feeds.url IS j.value ->> 'url'",
        rows
    )
    .execute(&mut **tx)
    .await
    .context("settling polls")?;
    Ok(())
}

fn quiet_row(poll: &EndedPoll<'_>, was: Option<&str>, cursor: &str) -> Value {
    let (at, next) = (poll.at.timestamp(), poll.next_poll_at.timestamp());
    json!([poll.feed, at, next, was, cursor, poll.url])
}

fn loud_row(poll: &EndedPoll<'_>) -> Value {
    let (ended, state, why) = match poll.outcome {
        Outcome::Ok => ("well", Some("ok"), None),
        Outcome::OkSoFar => ("so far", Some("ok"), None),
        Outcome::Failed { state, why } => ("failed", Some(state.word()), Some(why)),
        Outcome::Excused { why } => ("excused", None, Some(why)),
    };
    json!({
        "feed": poll.feed, "ended": ended, "state": state, "why": why, "at": poll.at.timestamp(),
        "next": poll.next_poll_at.timestamp(), "url": poll.url,
    })
}

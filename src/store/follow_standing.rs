//! After a restore: the news that people got before it, which the database does not know.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::Tx;

/// The separator in the mark of a line of news: a story's id, and its last step.
const STEP: char = '.';

/// The mark of a line of news: the story as of its last step (unix seconds).
pub fn mark(story: &str, last_at: DateTime<Utc>) -> String {
    format!("{story}{STEP}{:x}", last_at.timestamp())
}

/// The story's id and its last step in a mark; `None` if it is no mark of news.
pub fn read_mark(mark: &str) -> Option<(&str, i64)> {
    let (story, last_at) = mark.split_once(STEP)?;
    Some((story, i64::from_str_radix(last_at, 16).ok()?))
}

/// Stores the marks that were found in a person's room. The room was searched then.
pub async fn keep_told(
    tx: &mut Tx,
    recipient: i64,
    marks: &[String],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    for (story, last_at) in marks.iter().filter_map(|mark| read_mark(mark)) {
        sqlx::query!(
            "INSERT INTO follow_standing (recipient_id, story, last_at, found_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (recipient_id, story) DO UPDATE SET last_at = MAX(last_at, excluded.last_at)",
            recipient,
            story,
            last_at,
            now
        )
        .execute(&mut **tx)
        .await
        .context("storing what a person was told")?;
    }
    sqlx::query!(
        "UPDATE recipients SET recall_from = NULL WHERE id = $1",
        recipient
    )
    .execute(&mut **tx)
    .await
    .context("noting that a room was searched")?;
    Ok(())
}

/// The last step of each story that a person was told before a restore.
pub async fn told_before(tx: &mut Tx, recipient: i64) -> anyhow::Result<HashMap<String, i64>> {
    let rows = sqlx::query!(
        "SELECT story, last_at FROM follow_standing WHERE recipient_id = $1",
        recipient
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what a person was told")?;
    Ok(rows
        .into_iter()
        .map(|row| (row.story, row.last_at))
        .collect())
}

//! What stands in channels although this database does not know it, since it was put back to an older state.
//!
//! The rule: from a restore on, every channel is looked through once, from the time of the backup, before anything is
//! sent there. A post whose mark is found there, alone or on a list, takes over what stands, and an edit makes that true.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use sqlx::SqliteConnection;

use super::deliveries::PAUSED_FOR_S;
use super::posts::{BarePost, PostRow};
use crate::store::{Database, Readers, Tx};

/// Sends that were under way may be so much older than the backup, and clocks of servers may differ.
const MARGIN_S: i64 = 3600;

/// How long what was found waits for its story to come again; feeds are polled within days.
const MATCHED_FOR_S: i64 = 14 * 86_400;

/// A message that was found in a channel, or a story on a list that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingRow {
    pub mark: String,
    /// Where the message stands, JSON.
    pub receipt: String,
    /// The title of a list.
    pub title: String,
    /// The mark of the list that names it; `None`: a message of its own.
    pub listed_in: Option<String>,
}

/// Has every channel looked through from `now` on, or from the first attempt at something that is still owed.
pub(in crate::store) async fn recall_all(
    database: &mut SqliteConnection,
    now: i64,
) -> anyhow::Result<i64> {
    sqlx::query!("DELETE FROM standing")
        .execute(&mut *database)
        .await?;
    let tried_at = sqlx::query_scalar!(
        r#"SELECT MIN(first_tried_at) AS "at: i64" FROM deliveries WHERE state = 'owed'"#
    )
    .fetch_one(&mut *database)
    .await?;
    let from = tried_at.map_or(now, |at| at.min(now)) - MARGIN_S;
    sqlx::query!(
        "UPDATE channels SET recall_from = MIN(COALESCE(recall_from, $1), $1), recalled_at = NULL",
        from
    )
    .execute(&mut *database)
    .await
    .context("noting that channels must be looked through")?;
    Ok(from)
}

/// The same for a database that was put back; a copy that does not say of when it is, is of the last thing that it
/// knows. Gives from when on channels are looked through.
pub(in crate::store) async fn recall_restored(
    database: &mut SqliteConnection,
) -> anyhow::Result<i64> {
    let noted = sqlx::query_scalar!(
        r#"SELECT MIN(recall_from) AS "at: i64" FROM channels WHERE recalled_at IS NULL"#
    )
    .fetch_one(&mut *database)
    .await?;
    if let Some(from) = noted {
        return Ok(from);
    }
    let last = sqlx::query_scalar!(
        r#"SELECT MAX(COALESCE((SELECT MAX(last_polled_at) FROM feeds), 0),
                      COALESCE((SELECT MAX(settled_at) FROM deliveries), 0),
                      COALESCE((SELECT MAX(first_tried_at) FROM deliveries), 0)) AS "at!: i64""#
    )
    .fetch_one(&mut *database)
    .await
    .context("asking of when the backup is")?;
    recall_all(database, last).await
}

/// The configured channels that must be looked through, and from when on, unix seconds; those that are paused are tried
/// now and then.
pub async fn recalls(readers: &Readers, now: DateTime<Utc>) -> anyhow::Result<Vec<(i64, i64)>> {
    let tried_before = now.timestamp() - PAUSED_FOR_S;
    let rows = sqlx::query!(
        r#"SELECT id, recall_from AS "from!" FROM channels
           WHERE configured = 1 AND (paused_at IS NULL OR paused_at <= $1)
             AND recall_from IS NOT NULL AND recalled_at IS NULL"#,
        tried_before
    )
    .fetch_all(&mut *readers.turn().await?)
    .await
    .context("asking which channels must be looked through")?;
    Ok(rows.into_iter().map(|row| (row.id, row.from)).collect())
}

/// Keeps what was found in a channel, which was looked through now.
pub async fn keep_standing(
    tx: &mut Tx,
    channel: i64,
    found: &[StandingRow],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    for row in found {
        sqlx::query!(
            "INSERT INTO standing (channel_id, mark, receipt, title, listed_in, found_at) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (channel_id, mark) DO UPDATE SET receipt = excluded.receipt, title = excluded.title, listed_in = NULL
             WHERE standing.listed_in IS NOT NULL AND excluded.listed_in IS NULL",
            channel,
            row.mark,
            row.receipt,
            row.title,
            row.listed_in,
            now
        )
        .execute(&mut **tx)
        .await
        .context("keeping what stands in a channel")?;
    }
    sqlx::query!(
        "UPDATE channels SET recalled_at = $2 WHERE id = $1",
        channel,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The channels in which something stands that no post of ours stands for yet, and those that were looked through and
/// wait for that.
pub async fn channels_to_match(
    mut from: Database<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<i64>> {
    let found_after = now.timestamp() - MATCHED_FOR_S;
    sqlx::query_scalar!(
        r#"SELECT channel_id AS "id!" FROM standing WHERE taken = 0 AND found_at > $1
           UNION SELECT id FROM channels WHERE recalled_at IS NOT NULL"#,
        found_after
    )
    .fetch_all(&mut *from.turn().await?)
    .await
    .context("asking where something stands")
}

/// What stands in a channel and no post of ours stands for yet, by its mark.
pub async fn free_standing(
    tx: &mut Tx,
    channel: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<HashMap<String, StandingRow>> {
    let found_after = now.timestamp() - MATCHED_FOR_S;
    let rows = sqlx::query_as!(
        StandingRow,
        "SELECT mark, receipt, title, listed_in FROM standing WHERE channel_id = $1 AND taken = 0 AND found_at > $2",
        channel,
        found_after
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what stands in a channel")?;
    Ok(rows
        .into_iter()
        .map(|row| (row.mark.clone(), row))
        .collect())
}

/// A post of ours stands for it now.
pub async fn take_standing(tx: &mut Tx, channel: i64, mark: &str) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE standing SET taken = 1 WHERE channel_id = $1 AND mark = $2",
        channel,
        mark
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Whether a list names stories that no post of ours stands for yet. What the backup had on the list already is ours.
pub async fn lists_strangers(
    tx: &mut Tx,
    channel: i64,
    list: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let found_after = now.timestamp() - MATCHED_FOR_S;
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT 1 FROM standing s
               WHERE s.channel_id = $1 AND s.taken = 0 AND s.listed_in = $2 AND s.found_at > $3
                 AND NOT EXISTS (
                     SELECT 1 FROM posts p JOIN posts l ON l.id = p.digest_id
                     WHERE p.channel_id = $1 AND json_extract(p.content, '$.mark') = s.mark
                       AND json_extract(l.content, '$.mark') = $2)) AS "is!: bool""#,
        channel,
        list,
        found_after
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(found)
}

/// A post that stands nowhere yet, and the item that it hangs on (`None`: a list).
#[derive(Debug)]
pub struct Unsent {
    pub post: PostRow,
    pub item: Option<i64>,
}

/// The posts of a channel that stand nowhere yet.
pub async fn unsent_posts(tx: &mut Tx, channel: i64) -> anyhow::Result<Vec<Unsent>> {
    let rows = sqlx::query!(
        "SELECT id, channel_id, item_id, digest_id, state, content, milestone FROM posts
         WHERE channel_id = $1 AND receipt IS NULL AND digest_id IS NULL AND state IN ('open', 'waiting') ORDER BY id",
        channel
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what stands nowhere yet")?;
    let read = rows.into_iter().map(|row| {
        let post = BarePost {
            id: row.id,
            channel_id: row.channel_id,
            digest_id: row.digest_id,
            state: row.state,
            content: row.content,
            milestone: row.milestone,
        };
        Ok(Unsent {
            post: post.read()?,
            item: row.item_id,
        })
    });
    read.collect()
}

/// A post stands where the receipt says: its first message counts as sent, long ago.
pub async fn settle_as_sent(
    tx: &mut Tx,
    post: &PostRow,
    receipt: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (now, nonce) = (now.timestamp(), fastrand::i64(1..i64::MAX));
    sqlx::query!(
        "UPDATE posts SET receipt = $2 WHERE id = $1",
        post.id,
        receipt
    )
    .execute(&mut **tx)
    .await?;
    // One that was given up stays what it was; an edit asks for the latest.
    sqlx::query!(
        "UPDATE deliveries SET state = 'dead', why = 'it stood there already', settled_at = $2
         WHERE post_id = $1 AND verb = 'send' AND state = 'owed'",
        post.id,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE deliveries SET set_aside_at = NULL WHERE post_id = $1 AND verb = 'send' AND set_aside_at IS NOT NULL",
        post.id
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "INSERT INTO deliveries (id, channel_id, post_id, verb, nonce, due_at, state, settled_at)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM deliveries), $1, $2, 'send', $3, 0, 'done', $4)",
        post.channel_id,
        post.id,
        nonce,
        now
    )
    .execute(&mut **tx)
    .await
    .context("taking over what stands")?;
    Ok(())
}

/// What is owed in a channel beside the first messages of posts: answers and notices, with their marks.
pub async fn owed_marks(tx: &mut Tx, channel: i64) -> anyhow::Result<Vec<(i64, String)>> {
    let rows = sqlx::query!(
        r#"SELECT id, content ->> '$.mark' AS "mark: String" FROM deliveries
           WHERE channel_id = $1 AND state = 'owed' AND (verb = 'reply' OR (verb = 'send' AND post_id IS NULL))"#,
        channel
    )
    .fetch_all(&mut **tx)
    .await
    .context("reading what is owed in a channel")?;
    let marked = rows.into_iter().filter_map(|row| Some((row.id, row.mark?)));
    Ok(marked.collect())
}

/// A delivery was done, as what stands tells.
pub async fn settle_as_done(
    tx: &mut Tx,
    delivery: i64,
    receipt: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE deliveries SET state = 'done', why = NULL, content = NULL, receipt = $3, settled_at = $2 WHERE id = $1",
        delivery,
        now,
        receipt
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// All that stands in a channel that was looked through was matched: it may be sent to again.
pub async fn end_recall(tx: &mut Tx, channel: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE channels SET recall_from = NULL, recalled_at = NULL WHERE id = $1 AND recalled_at IS NOT NULL",
        channel
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The post of a list with this mark.
pub async fn list_by_mark(tx: &mut Tx, channel: i64, mark: &str) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM posts WHERE channel_id = $1 AND item_id IS NULL AND content ->> '$.mark' = $2"#,
        channel,
        mark
    )
    .fetch_optional(&mut **tx)
    .await
    .context("looking for a list")
}

//! Messages in channels that the database does not know, because an older copy of it was restored.
//!
//! After a restore, every channel is searched once, from the time of the backup on, before anything is sent there. If
//! the mark of a post is found, in a message of its own or on a list, the post takes over that message and edits it.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use sqlx::SqliteConnection;

use super::deliveries::PAUSED_FOR_S;
use super::posts::{BarePost, PostRow};
use crate::store::{Database, Readers, Tx};

/// Searches begin this much before the backup: sends may have been under way, and servers' clocks differ.
const MARGIN_S: i64 = 3600;

/// How long a found message waits for its story to return. Feeds are polled within days.
const MATCHED_FOR_S: i64 = 14 * 86_400;

/// A message that was found in a channel, or a story on a list that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingRow {
    pub mark: String,
    /// The location of the message, JSON.
    pub receipt: String,
    /// The title of a list.
    pub title: String,
    /// The mark of the list that contains it; `None` for a message of its own.
    pub listed_in: Option<String>,
}

/// Marks every channel to be searched, from `now` on or from the first attempt at a delivery that is still queued.
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
        "UPDATE channels SET recall_from = MIN(COALESCE(recall_from, $1), $1), recalled_at = NULL WHERE personal = 0",
        from
    )
    .execute(&mut *database)
    .await
    .context("noting that channels must be looked through")?;
    sqlx::query!(
        "UPDATE recipients SET recall_from = MIN(COALESCE(recall_from, $1), $1)",
        from
    )
    .execute(&mut *database)
    .await
    .context("noting that direct messages must be looked through")?;
    Ok(from)
}

/// Does the same for a restored database. A copy without a time of its own counts as old as its latest entry. Returns
/// the start of the search.
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

/// Configured channels that must be searched, and the start of each search, unix seconds. Paused channels are tried
/// now and then.
pub async fn recalls(readers: &Readers, now: DateTime<Utc>) -> anyhow::Result<Vec<(i64, i64)>> {
    let tried_before = now.timestamp() - PAUSED_FOR_S;
    let rows = sqlx::query!(
        r#"SELECT id, recall_from AS "from!" FROM channels
           WHERE configured = 1 AND (paused_at IS NULL OR paused_at <= $1)
             AND recall_from IS NOT NULL AND recalled_at IS NULL"#,
        tried_before
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking which channels must be looked through")?;
    Ok(rows.into_iter().map(|row| (row.id, row.from)).collect())
}

/// Stores the messages found in a channel, and that it was searched now.
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

/// Channels with messages that no post has taken over, and searched channels that wait for that.
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
    .fetch_all(&mut *from.acquire().await?)
    .await
    .context("asking where something stands")
}

/// Messages in a channel that no post has taken over, by mark.
pub async fn unmatched_standing(
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

/// Records that a post has taken over the message.
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

/// Whether a list contains stories that no post has taken over. Stories that the backup had on the list do not count.
pub async fn lists_unmatched(
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

/// A post without a message, and the item of its story (`None`: a list).
#[derive(Debug)]
pub struct Unsent {
    pub post: PostRow,
    pub item: Option<i64>,
}

/// The posts of a channel that have no message yet.
pub async fn unsent_posts(tx: &mut Tx, channel: i64) -> anyhow::Result<Vec<Unsent>> {
    let rows = sqlx::query!(
        "SELECT id, channel_id, item_id, digest_id, state, content, reached FROM posts
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
            reached: row.reached,
        };
        Ok(Unsent {
            post: post.read()?,
            item: row.item_id,
        })
    });
    read.collect()
}

/// Lets a post take over the message at `receipt`: its first message counts as sent, long ago.
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
    // A send that was given up stays so; an edit brings the latest content.
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

/// Queued deliveries of a channel other than the first messages of posts: answers and notices, with their marks.
pub async fn queued_marks(tx: &mut Tx, channel: i64) -> anyhow::Result<Vec<(i64, String)>> {
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

/// Settles a delivery whose message was found.
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

/// Ends the search of a channel once every message is matched: sends may continue.
pub async fn end_recall(tx: &mut Tx, channel: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE channels SET recall_from = NULL, recalled_at = NULL WHERE id = $1 AND recalled_at IS NOT NULL",
        channel
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The list with this mark.
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

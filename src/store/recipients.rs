//! The people who get messages of their own, by direct message or by mail. This is personal data: no other table has
//! their addresses, and nothing here is logged.
//!
//! Their messages are deliveries in the one channel that a platform has for them. A platform that refuses a person's messages
//! says nothing about others, so a refusal suspends that recipient only.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::outbox::{ChannelRow, Claimed};
use super::{Readers, Tx};
use crate::post::story::Content;

/// The address of every platform's channel for personal messages. No room has it.
const PERSONAL: &str = "direct";

/// The channel of a platform for personal messages. It is created if missing.
pub async fn personal_channel(
    tx: &mut Tx,
    platform: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<ChannelRow> {
    let (name, now) = (format!("direct messages ({platform})"), now.timestamp());
    sqlx::query!(
        "INSERT INTO channels (id, name, platform, address, added_at, personal)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM channels), $1, $2, $3, $4, 1)
         ON CONFLICT (platform, address) DO NOTHING",
        name,
        platform,
        PERSONAL,
        now
    )
    .execute(&mut **tx)
    .await
    .context("storing the channel of personal messages")?;
    sqlx::query_as!(
        ChannelRow,
        "SELECT id, name, platform, address, added_at, held_to, paused_at, paused_why
         FROM channels WHERE platform = $1 AND address = $2",
        platform,
        PERSONAL
    )
    .fetch_one(&mut **tx)
    .await
    .context("reading the channel of personal messages")
}

/// The receiver of personal messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientRow {
    pub id: i64,
    /// Unix seconds.
    pub added_at: i64,
    /// Why the platform refuses the person's messages, if it does.
    pub suspended_why: Option<String>,
}

/// The room of a request for messages. If direct messages are closed, the person is notified there.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskedIn<'a> {
    /// `None` if no room takes messages, as on the web.
    pub room: Option<&'a str>,
    /// The server of the room.
    pub community: Option<&'a str>,
}

/// Stores a recipient, or finds the one that is stored.
pub async fn add_recipient(
    tx: &mut Tx,
    platform: &str,
    address: &str,
    asked_in: AskedIn<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<RecipientRow> {
    let now = now.timestamp();
    sqlx::query_as!(
        RecipientRow,
        r#"INSERT INTO recipients (platform, address, asked_in, community, added_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (platform, address) DO UPDATE SET
             community = iif(excluded.asked_in IS NULL, community, excluded.community),
             asked_in = COALESCE(excluded.asked_in, asked_in)
           RETURNING id AS "id!: i64", added_at AS "added_at!: i64", suspended_why AS "suspended_why: String""#,
        platform,
        address,
        asked_in.room,
        asked_in.community,
        now
    )
    .fetch_one(&mut **tx)
    .await
    .context("storing a recipient")
}

pub async fn recipient(
    tx: &mut Tx,
    platform: &str,
    address: &str,
) -> anyhow::Result<Option<RecipientRow>> {
    sqlx::query_as!(
        RecipientRow,
        r#"SELECT id AS "id!", added_at, suspended_why FROM recipients WHERE platform = $1 AND address = $2"#,
        platform,
        address
    )
    .fetch_optional(&mut **tx)
    .await
    .context("looking for a recipient")
}

/// Whether a room is that of the direct messages to a person.
pub async fn is_own_room(
    readers: &Readers,
    platform: &str,
    address: &str,
    room: &str,
) -> anyhow::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM recipients WHERE platform = $1 AND address = $2 AND room = $3) AS "is!: bool""#,
        platform,
        address,
        room
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("asking whose room it is")
}

/// A message to one recipient.
#[derive(Debug)]
pub struct NewMessage<'a> {
    /// The platform's channel for personal messages.
    pub channel: i64,
    pub recipient: i64,
    pub content: &'a Content,
    /// A room of others, in which the message mentions the recipient; `None` means their own.
    pub room: Option<&'a str>,
    /// The post in that room below which the message goes.
    pub post: Option<i64>,
    pub due_at: DateTime<Utc>,
}

/// Queues a message. The caller checks that its recipient is not suspended.
pub async fn queue_message(tx: &mut Tx, new: &NewMessage<'_>) -> anyhow::Result<i64> {
    let content = serde_json::to_string(new.content)?;
    let (due_at, nonce) = (new.due_at.timestamp(), fastrand::i64(1..i64::MAX));
    let verb = match new.post {
        Some(_) => "reply",
        None => "send",
    };
    sqlx::query_scalar!(
        r#"INSERT INTO deliveries (id, channel_id, post_id, verb, content, nonce, due_at, recipient_id, room)
           VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM deliveries), $1, $2, $3, $4, $5, $6, $7, $8)
           RETURNING id AS "id!: i64""#,
        new.channel,
        new.post,
        verb,
        content,
        nonce,
        due_at,
        new.recipient,
        new.room
    )
    .fetch_one(&mut **tx)
    .await
    .context("queueing a message to a recipient")
}

/// Stores the room of a recipient's direct messages; `None` if it must be opened again.
pub async fn keep_room(tx: &mut Tx, recipient: i64, room: Option<&str>) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE recipients SET room = $2 WHERE id = $1",
        recipient,
        room
    )
    .execute(&mut **tx)
    .await
    .context("storing the room of direct messages")?;
    Ok(())
}

/// The consequence of a suspension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspension {
    /// The recipient was suspended before, or is gone.
    Before,
    /// It is new. The person asked for messages in this room.
    New { asked_in: Option<String> },
}

/// Suspends a recipient: its queue is given up, and nothing is queued until [`resume`].
pub async fn suspend(
    tx: &mut Tx,
    recipient: i64,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Suspension> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE deliveries SET state = 'dead', why = $2, content = NULL, settled_at = $3
         WHERE recipient_id = $1 AND state = 'owed'",
        recipient,
        why,
        now
    )
    .execute(&mut **tx)
    .await
    .context("giving up the messages of a recipient")?;
    let suspended = sqlx::query_scalar!(
        r#"UPDATE recipients SET suspended_at = $3, suspended_why = $2, room = NULL
           WHERE id = $1 AND suspended_at IS NULL RETURNING asked_in AS "asked_in: String""#,
        recipient,
        why,
        now
    )
    .fetch_optional(&mut **tx)
    .await
    .context("suspending a recipient")?;
    Ok(match suspended {
        Some(asked_in) => Suspension::New { asked_in },
        None => Suspension::Before,
    })
}

/// Ends a suspension, because the person asked for messages again.
pub async fn resume(tx: &mut Tx, recipient: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE recipients SET suspended_at = NULL, suspended_why = NULL WHERE id = $1 AND suspended_at IS NOT NULL",
        recipient
    )
    .execute(&mut **tx)
    .await
    .context("ending the suspension of a recipient")?;
    Ok(())
}

/// Sends a message directly that its room refused. Returns whether that is possible: not if an earlier attempt may have been
/// sent there.
pub async fn send_directly(
    tx: &mut Tx,
    claimed: &Claimed,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    if claimed.attempts > 1 || claimed.content.is_none() {
        return Ok(false);
    }
    let now = now.timestamp();
    let changed = sqlx::query!(
        "UPDATE deliveries SET room = NULL, post_id = NULL, verb = 'send', version = version + 1, attempts = 0,
                first_tried_at = NULL, last_tried_at = NULL, due_at = $3
         WHERE id = $1 AND version = $2 AND room IS NOT NULL",
        claimed.id,
        claimed.version,
        now
    )
    .execute(&mut **tx)
    .await
    .context("sending a message directly")?;
    Ok(changed.rows_affected() > 0)
}

/// The stored data of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasedRecipient {
    pub follows: u64,
    /// Messages that were sent or queued.
    pub messages: u64,
    /// News that waited for a message.
    pub news: u64,
}

/// Deletes a recipient and everything that leads to it.
pub async fn erase_recipient(tx: &mut Tx, recipient: i64) -> anyhow::Result<ErasedRecipient> {
    let from = |table: &str| format!("erasing what {table} has of a recipient");
    let messages = sqlx::query!("DELETE FROM deliveries WHERE recipient_id = $1", recipient)
        .execute(&mut **tx)
        .await
        .with_context(|| from("deliveries"))?;
    let news = sqlx::query!("DELETE FROM follow_news WHERE recipient_id = $1", recipient)
        .execute(&mut **tx)
        .await
        .with_context(|| from("follow_news"))?;
    sqlx::query!(
        "DELETE FROM follow_standing WHERE recipient_id = $1",
        recipient
    )
    .execute(&mut **tx)
    .await
    .with_context(|| from("follow_standing"))?;
    let follows = sqlx::query!("DELETE FROM follows WHERE recipient_id = $1", recipient)
        .execute(&mut **tx)
        .await
        .with_context(|| from("follows"))?;
    sqlx::query!("DELETE FROM recipients WHERE id = $1", recipient)
        .execute(&mut **tx)
        .await
        .context("erasing a recipient")?;
    Ok(ErasedRecipient {
        follows: follows.rows_affected(),
        messages: messages.rows_affected(),
        news: news.rows_affected(),
    })
}

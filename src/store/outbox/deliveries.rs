//! The queue of deliveries to channels, and their results.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::post::story::Content;
use crate::store::{Readers, Tx};

/// How long a channel that refused a post is left alone before one post is tried there.
pub(super) const PAUSED_FOR_S: i64 = 6 * 3600;

/// The action of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum Verb {
    /// Sends a post.
    Send,
    /// Sends a line below a post.
    Reply,
    /// Updates a sent post.
    Edit,
    /// Deletes a sent post.
    Remove,
}

impl Verb {
    /// The word in the database and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Reply => "reply",
            Self::Edit => "edit",
            Self::Remove => "remove",
        }
    }
}

/// The state of a delivery in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub(super) enum DeliveryState {
    #[sqlx(rename = "owed")]
    Queued,
    Done,
    Dead,
}

#[derive(Debug)]
pub struct NewDelivery<'a> {
    pub channel: i64,
    /// The post that it sends or changes; `None` for a notice.
    pub post: Option<i64>,
    pub verb: Verb,
    /// The content; `None` for a removal.
    pub content: Option<&'a Content>,
    /// The earliest time.
    pub due_at: DateTime<Utc>,
    /// Whether a reply goes to the thread of its post.
    pub in_thread: bool,
}

/// Queues a delivery. A post has at most one queued edit and one queued removal: another one replaces it.
pub async fn queue(tx: &mut Tx, new: &NewDelivery<'_>) -> anyhow::Result<()> {
    let content = new.content.map(serde_json::to_string).transpose()?;
    let (verb, due_at, nonce) = (
        new.verb.word(),
        new.due_at.timestamp(),
        fastrand::i64(1..i64::MAX),
    );
    sqlx::query!(
        "INSERT INTO deliveries (id, channel_id, post_id, verb, content, nonce, due_at, in_thread)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM deliveries), $1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (post_id, verb) WHERE state = 'owed' AND verb IN ('edit', 'remove')
         DO UPDATE SET content = excluded.content, version = version + 1, attempts = 0, first_tried_at = NULL",
        new.channel,
        new.post,
        verb,
        content,
        nonce,
        due_at,
        new.in_thread
    )
    .execute(&mut **tx)
    .await
    .context("owing a delivery")?;
    if let Some(post) = new.post {
        // A new delivery replaces the post's dead letter, so nobody needs to decide about that one.
        sqlx::query!(
            "UPDATE deliveries SET set_aside_at = NULL WHERE post_id = $1 AND verb = $2 AND verb <> 'reply'
               AND set_aside_at IS NOT NULL",
            post,
            verb
        )
        .execute(&mut **tx)
        .await
        .context("dropping a dead letter")?;
    }
    Ok(())
}

/// Whether the first message of a post was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendState {
    /// It was not tried yet, so its content may change.
    NotYet,
    /// It was sent, or an attempt may have sent it.
    Maybe,
    /// It will never be sent, or was removed.
    Never,
}

/// Whether the first message of a post was sent.
pub async fn was_sent(tx: &mut Tx, post: i64) -> anyhow::Result<SendState> {
    let row = sqlx::query!(
        r#"SELECT verb AS "verb!: Verb", state AS "state!: DeliveryState", attempts AS "attempts!" FROM deliveries
           WHERE post_id = $1 AND verb IN ('send', 'remove') ORDER BY id DESC LIMIT 1"#,
        post
    )
    .fetch_optional(&mut **tx)
    .await
    .context("asking whether a post was sent")?;
    Ok(match row {
        None => SendState::Never,
        // A post that was or will be removed counts as never sent. If its removal failed, it is still there.
        Some(row) if row.verb == Verb::Remove => match row.state {
            DeliveryState::Dead => SendState::Maybe,
            DeliveryState::Queued | DeliveryState::Done => SendState::Never,
        },
        Some(row) if row.state == DeliveryState::Queued && row.attempts == 0 => SendState::NotYet,
        Some(row) if row.state == DeliveryState::Dead => SendState::Never,
        Some(_) => SendState::Maybe,
    })
}

/// Changes the content of a send that was not tried yet, and makes it due at `due_at` at the latest.
pub async fn update_send(
    tx: &mut Tx,
    post: i64,
    content: &Content,
    due_at: Option<DateTime<Utc>>,
) -> anyhow::Result<()> {
    let content = serde_json::to_string(content)?;
    let due_at = due_at.map_or(i64::MAX, |at| at.timestamp());
    sqlx::query!(
        "UPDATE deliveries SET content = $2, version = version + 1, due_at = MIN(due_at, $3)
         WHERE post_id = $1 AND verb = 'send' AND state = 'owed' AND attempts = 0",
        post,
        content,
        due_at
    )
    .execute(&mut **tx)
    .await
    .context("changing a delivery")?;
    // An attempt that did not happen after all may have left an edit that is older than this content.
    sqlx::query!(
        "DELETE FROM deliveries WHERE post_id = $1 AND verb = 'edit' AND state = 'owed'",
        post
    )
    .execute(&mut **tx)
    .await
    .context("dropping an edit that the send makes needless")?;
    Ok(())
}

/// Cancels the post's queued deliveries, except a send that was tried.
pub async fn cancel_deliveries(
    tx: &mut Tx,
    post: i64,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE deliveries SET state = 'dead', why = $2, settled_at = $3
         WHERE post_id = $1 AND state = 'owed' AND (attempts = 0 OR verb <> 'send')",
        post,
        why,
        now
    )
    .execute(&mut **tx)
    .await
    .context("giving up deliveries")?;
    sqlx::query!(
        "UPDATE deliveries SET set_aside_at = NULL WHERE post_id = $1 AND set_aside_at IS NOT NULL",
        post
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many of a channel's posts are due after `from_at`.
pub async fn sends_since(tx: &mut Tx, channel: i64, from_at: DateTime<Utc>) -> anyhow::Result<i64> {
    let from_at = from_at.timestamp();
    sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "many!: i64" FROM deliveries
           WHERE channel_id = $1 AND verb = 'send' AND post_id IS NOT NULL AND due_at > $2"#,
        channel,
        from_at
    )
    .fetch_one(&mut **tx)
    .await
    .context("counting a channel's posts")
}

#[derive(Debug, Clone)]
pub struct Claimed {
    pub id: i64,
    pub channel: i64,
    /// The post that it sends or changes.
    pub post: Option<i64>,
    pub verb: Verb,
    pub content: Option<Content>,
    /// The idempotency key of its attempts, together with `version`.
    pub nonce: i64,
    /// Counts changes of the content.
    pub version: i64,
    /// Attempts, including this one.
    pub attempts: i64,
    /// The first attempt, unix seconds.
    pub first_tried_at: i64,
    /// The last earlier attempt whose result is unknown, with this content or an older one, unix seconds.
    pub tried_before_at: Option<i64>,
    /// Unix seconds.
    pub due_at: i64,
    /// Earlier attempts that failed.
    pub failures: i64,
    /// Failed attempts during which the channel accepted other deliveries.
    pub passed: i64,
    /// The location of the post's message, JSON.
    pub receipt: Option<String>,
    /// The recipient of a personal message.
    pub addressee: Option<Addressee>,
    /// Whether a reply goes to the thread of its post.
    pub in_thread: bool,
}

/// The recipient of a claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    pub recipient: i64,
    /// The person's id on the platform, or a mail address.
    pub address: String,
    /// The room of the person's direct messages, if it was opened before.
    pub room: Option<String>,
    /// A room of others, where the message mentions the person instead.
    pub elsewhere: Option<String>,
    /// After a restore, the person's room must be searched from this time on, unix seconds.
    pub recall_from: Option<i64>,
}

/// Claims the next delivery that is due in these channels, and counts the attempt on commit. Skips channels that must
/// be searched first. A post's other deliveries wait for its send, and for each other; only a reply, which may wait for the
/// end of quiet hours, holds up no edit. A recipient's deliveries wait for the earlier ones.
pub async fn claim_delivery(
    tx: &mut Tx,
    channels: &[i64],
    now: DateTime<Utc>,
) -> anyhow::Result<Option<Claimed>> {
    let channels = serde_json::to_string(channels)?;
    let now = now.timestamp();
    let next = sqlx::query!(
        r#"SELECT d.id AS "id!", d.last_tried_at FROM json_each($1) j CROSS JOIN channels c ON c.id = j.value
           JOIN deliveries d ON d.id =
             (SELECT o.id FROM deliveries o WHERE o.channel_id = c.id AND o.state = 'owed' AND o.due_at <= $2
                AND NOT EXISTS (SELECT 1 FROM deliveries s WHERE s.post_id = o.post_id AND s.id < o.id AND s.state = 'owed'
                                  AND (s.verb <> 'reply' OR o.verb = 'reply'))
                AND NOT EXISTS (SELECT 1 FROM deliveries s
                                WHERE s.recipient_id = o.recipient_id AND s.id < o.id AND s.state = 'owed')
              ORDER BY o.due_at, o.id LIMIT 1)
           WHERE c.recall_from IS NULL
           ORDER BY d.due_at, d.id LIMIT 1"#,
        channels,
        now
    );
    let next = next.fetch_optional(&mut **tx).await;
    let Some(next) = next.context("looking for a delivery that is due")? else {
        return Ok(None);
    };
    let row = sqlx::query!(
        r#"UPDATE deliveries SET attempts = attempts + 1, first_tried_at = COALESCE(first_tried_at, $2), last_tried_at = $2
           WHERE id = $1
           RETURNING id AS "id!: i64", channel_id AS "channel_id!: i64", post_id AS "post_id: i64", verb AS "verb!: Verb",
                     content AS "content: String", nonce AS "nonce!: i64", version AS "version!: i64",
                     attempts AS "attempts!: i64", first_tried_at AS "first_tried_at!: i64",
                     due_at AS "due_at!: i64", failures AS "failures!: i64", passed AS "passed!: i64",
                     in_thread AS "in_thread!: bool",
                     (SELECT receipt FROM posts p WHERE p.id = post_id) AS "receipt: String",
                     recipient_id AS "recipient_id: i64", room AS "room: String""#,
        next.id,
        now
    )
    .fetch_one(&mut **tx)
    .await
    .context("claiming a delivery")?;
    let addressee = match row.recipient_id {
        Some(recipient) => Some(addressee(tx, recipient, row.room).await?),
        None => None,
    };
    let content = row.content.as_deref().map(serde_json::from_str).transpose();
    Ok(Some(Claimed {
        id: row.id,
        channel: row.channel_id,
        post: row.post_id,
        verb: row.verb,
        content: content.with_context(|| format!("reading the delivery {}", row.id))?,
        nonce: row.nonce,
        version: row.version,
        attempts: row.attempts,
        first_tried_at: row.first_tried_at,
        tried_before_at: next.last_tried_at,
        due_at: row.due_at,
        failures: row.failures,
        passed: row.passed,
        receipt: row.receipt,
        addressee,
        in_thread: row.in_thread,
    }))
}

async fn addressee(
    tx: &mut Tx,
    recipient: i64,
    elsewhere: Option<String>,
) -> anyhow::Result<Addressee> {
    let row = sqlx::query!(
        "SELECT address, room, recall_from FROM recipients WHERE id = $1",
        recipient
    )
    .fetch_one(&mut **tx)
    .await
    .context("reading the recipient of a delivery")?;
    Ok(Addressee {
        recipient,
        address: row.address,
        room: row.room,
        elsewhere,
        recall_from: row.recall_from,
    })
}

/// When the next delivery of each configured channel is due, unix seconds. A paused channel is tried now and then. A
/// channel that must be searched is left out until that is done.
pub async fn next_deliveries(readers: &Readers) -> anyhow::Result<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT c.id AS "id!", MAX(c.held_to, d.due_at, COALESCE(c.paused_at + $1, 0)) AS "at!: i64"
           FROM channels c JOIN deliveries d ON d.id =
             (SELECT o.id FROM deliveries o WHERE o.channel_id = c.id AND o.state = 'owed'
                AND NOT EXISTS (SELECT 1 FROM deliveries s WHERE s.post_id = o.post_id AND s.id < o.id AND s.state = 'owed'
                                  AND (s.verb <> 'reply' OR o.verb = 'reply'))
                AND NOT EXISTS (SELECT 1 FROM deliveries s
                                WHERE s.recipient_id = o.recipient_id AND s.id < o.id AND s.state = 'owed')
              ORDER BY o.due_at, o.id LIMIT 1)
           WHERE c.configured = 1 AND c.recall_from IS NULL"#,
        PAUSED_FOR_S
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking what is owed")?;
    Ok(rows.into_iter().map(|row| (row.id, row.at)).collect())
}

//! Channels, their posts, and the queue of deliveries to them.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

mod deliveries;
mod letters;
mod posts;
mod replies;
mod retried;
mod settled;
mod standing;
mod states;

pub use self::deliveries::{
    Addressee, Claimed, NewDelivery, SendState, Verb, cancel_deliveries, claim_delivery,
    next_deliveries, queue, sends_since, update_send, was_sent,
};
pub use self::letters::{
    Letter, LetterDecision, LetterFate, decide_letters, letters, letters_aside, replace_channel,
    set_all_aside, set_aside_since,
};
pub use self::posts::{
    NewPost, PostRow, PostState, answers_below, items_with_posts, open_and_queue, open_post, post,
    posts_by_mark, posts_in_digest, posts_of_items, posts_of_landed, posts_of_pulls, queue_content,
    save_post, waiting_posts, waiting_since,
};
pub use self::replies::{untried_replies, update_reply};
pub use self::retried::{RetriedSend, retried_sends};
pub use self::settled::{Settled, has_others_due, put_back, settle_delivery, took_others_since};
pub use self::standing::{
    StandingRow, Unsent, channels_to_match, end_recall, keep_standing, list_by_mark,
    lists_unmatched, queued_marks, recalls, settle_as_done, settle_as_sent, take_standing,
    unmatched_standing, unsent_posts,
};
pub(in crate::store) use self::standing::{recall_all, recall_restored};
pub use self::states::{ChannelCondition, ChannelState, channel_states};

use super::{Database, Tx};
use crate::config::ChannelConfig;

/// A stored channel.
#[derive(Debug, Clone)]
pub struct ChannelRow {
    pub id: i64,
    pub name: String,
    pub platform: String,
    /// The id of the room on its platform.
    pub address: String,
    /// Unix seconds.
    pub added_at: i64,
    /// The end of the wait that the server asked for, unix seconds.
    pub held_to: i64,
    /// When the platform began to refuse it, unix seconds.
    pub paused_at: Option<i64>,
    pub paused_why: Option<String>,
}

/// Makes the table match the configuration. The room identifies a channel, so a renamed one stays the same. Paused
/// channels are tried again, and waits are cut to an hour in case the clock was set back.
pub async fn sync_channels(
    tx: &mut Tx,
    channels: &[ChannelConfig],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE channels SET configured = personal, paused_at = NULL, held_to = MIN(held_to, $1 + 3600)",
        now
    )
    .execute(&mut **tx)
    .await?;
    for channel in channels {
        let platform = channel.platform.word();
        sqlx::query!(
            "INSERT INTO channels (id, name, platform, address, added_at)
             VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM channels), $1, $2, $3, $4)
             ON CONFLICT (platform, address) DO UPDATE SET name = excluded.name, configured = 1",
            channel.name,
            platform,
            channel.address,
            now
        )
        .execute(&mut **tx)
        .await
        .with_context(|| format!("storing the channel {}", channel.name))?;
    }
    Ok(())
}

pub async fn channels(mut from: Database<'_>) -> anyhow::Result<Vec<ChannelRow>> {
    sqlx::query_as!(
        ChannelRow,
        r#"SELECT id, name, platform, address, added_at, held_to, paused_at, paused_why
           FROM channels WHERE configured = 1 AND personal = 0 ORDER BY id"#
    )
    .fetch_all(&mut *from.acquire().await?)
    .await
    .context("reading the channels")
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelPlace {
    pub name: String,
    pub platform: String,
    /// The id of the room on its platform.
    pub address: String,
    /// The server that the room belongs to, if known.
    pub community: Option<String>,
}

/// The rooms of the configured channels.
pub async fn places(mut from: Database<'_>) -> anyhow::Result<Vec<ChannelPlace>> {
    sqlx::query_as!(
        ChannelPlace,
        "SELECT name, platform, address, community FROM channels WHERE configured = 1 AND personal = 0 ORDER BY id"
    )
    .fetch_all(&mut *from.acquire().await?)
    .await
    .context("reading where the channels are")
}

/// Stores the server of a channel, as its platform reported it.
pub async fn learn_community(
    tx: &mut Tx,
    platform: &str,
    address: &str,
    community: &str,
) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE channels SET community = $3 WHERE platform = $1 AND address = $2",
        platform,
        address,
        community
    )
    .execute(&mut **tx)
    .await
    .context("keeping which server a channel belongs to")?;
    Ok(())
}

/// Makes a channel wait until `to`.
pub async fn hold_channel(tx: &mut Tx, channel: i64, to: DateTime<Utc>) -> anyhow::Result<()> {
    let to = to.timestamp();
    sqlx::query!(
        "UPDATE channels SET held_to = $2 WHERE id = $1",
        channel,
        to
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Pauses a channel that the platform refuses.
pub async fn pause_channel(
    tx: &mut Tx,
    channel: i64,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE channels SET paused_at = $2, paused_why = $3 WHERE id = $1",
        channel,
        now,
        why
    )
    .execute(&mut **tx)
    .await
    .context("pausing a channel")?;
    Ok(())
}

/// Clears the refusal of a channel that has recovered. Returns whether there was one.
pub async fn channel_recovered(tx: &mut Tx, channel: i64) -> anyhow::Result<bool> {
    let changed = sqlx::query!(
        "UPDATE channels SET paused_at = NULL, paused_why = NULL WHERE id = $1 AND paused_why IS NOT NULL",
        channel
    )
    .execute(&mut **tx)
    .await?;
    Ok(changed.rows_affected() > 0)
}

/// Tries a refused channel again now, because something changed there. The reason stays until a delivery succeeds.
pub async fn try_channel_again(tx: &mut Tx, channel: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE channels SET paused_at = NULL, held_to = 0 WHERE id = $1",
        channel
    )
    .execute(&mut **tx)
    .await
    .context("letting a channel be tried again")?;
    Ok(())
}

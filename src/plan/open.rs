//! Opens the post of a story in a channel.

use chrono::{DateTime, TimeDelta, Utc};

use super::announce::reached_keys;
use crate::config::ChannelMode;
use crate::destination::Destination;
use crate::post::story::Content;
use crate::store::Tx;
use crate::store::outbox::{self, NewDelivery, NewPost, PostState, Verb};
use crate::story::Story;

/// The time span that a channel's limit of messages counts.
pub(super) const CAP_SPAN: TimeDelta = TimeDelta::hours(1);

/// Opens a post, and queues its message unless it waits for a digest.
pub(super) async fn open_post(
    tx: &mut Tx,
    destination: &Destination,
    story: &Story,
    item: i64,
    content: Content,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let due_at = match destination.config.quiet {
        Some(quiet) => quiet.end_after(due_at),
        None => due_at,
    };
    let is_over = match destination.config.hourly_max {
        Some(most) => {
            outbox::sends_since(tx, destination.row.id, now - CAP_SPAN).await? >= i64::from(most)
        }
        None => false,
    };
    let state = match destination.config.mode {
        ChannelMode::Stories if !is_over => PostState::Open,
        ChannelMode::Stories | ChannelMode::Digest { .. } => PostState::Waiting,
    };
    let reached = reached_keys(story, None);
    let new = NewPost {
        channel: destination.row.id,
        item: Some(item),
        state,
        content: &content,
        reached: Some(&reached),
    };
    let post = outbox::open_post(tx, &new, now).await?;
    if state == PostState::Waiting {
        return Ok(());
    }
    let send = NewDelivery {
        channel: destination.row.id,
        post: Some(post),
        verb: Verb::Send,
        content: Some(&content),
        due_at,
        in_thread: false,
    };
    outbox::queue(tx, &send).await
}

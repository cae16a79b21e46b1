//! Retracts stories and posts: removes their messages from every channel, and edits the digests that list them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::content::update_digest;
use crate::store::Tx;
use crate::store::outbox::{self, NewDelivery, PostRow, PostState, SendState, Verb};

/// Why the deliveries of a retracted post are cancelled.
const WHY: &str = "it was retracted";

/// Retracts every post of the story with these items; returns their number. The caller records in the same transaction that the
/// story must not be posted again.
pub async fn retract(tx: &mut Tx, items: &[i64], now: DateTime<Utc>) -> anyhow::Result<usize> {
    let mut retracted = 0;
    let mut digests = BTreeSet::new();
    for mut post in outbox::posts_of_items(tx, items).await? {
        let was = std::mem::replace(&mut post.state, PostState::Retracted);
        match was {
            // A person deleted it there, or it was retracted before.
            PostState::Muted | PostState::Retracted => continue,
            PostState::Open | PostState::Waiting | PostState::Joined => {}
        }
        retracted += usize::from(was != PostState::Waiting);
        match post.digest_id {
            Some(digest) => {
                outbox::save_post(tx, &post).await?;
                digests.insert(digest);
            }
            None => remove_message(tx, &post, WHY, now).await?,
        }
    }
    for digest in digests {
        shorten_digest(tx, digest, WHY, now).await?;
    }
    Ok(retracted)
}

/// Removes the message of a post and the answers below it, or its line in a digest. A message that was not sent yet is
/// dropped.
pub(super) async fn remove_message(
    tx: &mut Tx,
    post: &PostRow,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    outbox::save_post(tx, post).await?;
    if let Some(digest) = post.digest_id {
        return shorten_digest(tx, digest, why, now).await;
    }
    outbox::cancel_deliveries(tx, post.id, why, now).await?;
    if outbox::was_sent(tx, post.id).await? == SendState::Maybe {
        queue_removal(tx, post.channel_id, post.id, now).await?;
    }
    for answer in outbox::answers_below(tx, post.id, now).await? {
        queue_removal(tx, post.channel_id, answer, now).await?;
    }
    Ok(())
}

/// Renders a digest without the stories that were removed; removes its message if none is left.
async fn shorten_digest(
    tx: &mut Tx,
    digest: i64,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let members = outbox::posts_in_digest(tx, digest).await?;
    if members.iter().any(|post| post.state == PostState::Open) {
        return update_digest(tx, digest, now).await;
    }
    let mut post = outbox::post(tx, digest).await?;
    post.state = PostState::Retracted;
    outbox::save_post(tx, &post).await?;
    outbox::cancel_deliveries(tx, digest, why, now).await?;
    if outbox::was_sent(tx, digest).await? == SendState::Maybe {
        queue_removal(tx, post.channel_id, digest, now).await?;
    }
    Ok(())
}

/// Retracts a post that belongs to no story; returns whether it was sent or queued.
pub(crate) async fn retract_post(
    tx: &mut Tx,
    post: &mut PostRow,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let was = std::mem::replace(&mut post.state, PostState::Retracted);
    if matches!(was, PostState::Muted | PostState::Retracted) {
        return Ok(false);
    }
    remove_message(tx, post, WHY, now).await?;
    Ok(true)
}

async fn queue_removal(
    tx: &mut Tx,
    channel: i64,
    post: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let removal = NewDelivery {
        channel,
        post: Some(post),
        verb: Verb::Remove,
        content: None,
        due_at: now,
        in_thread: false,
    };
    outbox::queue(tx, &removal).await
}

//! Retracts a story: removes its messages from every channel, and edits the digests that name it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::digest::list_anew;
use crate::store::Tx;
use crate::store::outbox::{self, NewDelivery, PostRow, PostState, SendState, Verb};

const WHY: &str = "it was taken back";

/// Retracts every post of the story with these items; returns their number. The caller records in the same transaction that the
/// story must not be posted again.
pub async fn retract(tx: &mut Tx, items: &[i64], now: DateTime<Utc>) -> anyhow::Result<usize> {
    let mut taken_back = 0;
    let mut lists = BTreeSet::new();
    for mut post in outbox::posts_of_items(tx, items).await? {
        let was = std::mem::replace(&mut post.state, PostState::Retracted);
        match was {
            // Somebody deleted it there, or it was taken back before.
            PostState::Muted | PostState::Retracted => continue,
            PostState::Open | PostState::Waiting | PostState::Joined => {}
        }
        taken_back += usize::from(was != PostState::Waiting);
        match post.digest_id {
            Some(list) => {
                outbox::save_post(tx, &post).await?;
                lists.insert(list);
            }
            None => take_away(tx, &post, WHY, now).await?,
        }
    }
    for list in lists {
        list_without(tx, list, WHY, now).await?;
    }
    Ok(taken_back)
}

/// Removes the message of a retracted post and the answers below it, or its line in a digest. A message that was not sent yet is
/// dropped.
pub(super) async fn take_away(
    tx: &mut Tx,
    post: &PostRow,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    outbox::save_post(tx, post).await?;
    if let Some(list) = post.digest_id {
        return list_without(tx, list, why, now).await;
    }
    outbox::cancel_deliveries(tx, post.id, why, now).await?;
    if outbox::was_sent(tx, post.id).await? == SendState::Maybe {
        remove(tx, post.channel_id, post.id, now).await?;
    }
    for answer in outbox::answers_below(tx, post.id, now).await? {
        remove(tx, post.channel_id, answer, now).await?;
    }
    Ok(())
}

/// Lets a list name those of its stories that still live.
async fn list_without(tx: &mut Tx, list: i64, why: &str, now: DateTime<Utc>) -> anyhow::Result<()> {
    let members = outbox::posts_in_digest(tx, list).await?;
    if members.iter().any(|post| post.state == PostState::Open) {
        return list_anew(tx, list, now).await;
    }
    // A list of nothing says nothing.
    let mut post = outbox::post(tx, list).await?;
    post.state = PostState::Retracted;
    outbox::save_post(tx, &post).await?;
    outbox::cancel_deliveries(tx, list, why, now).await?;
    if outbox::was_sent(tx, list).await? == SendState::Maybe {
        remove(tx, post.channel_id, list, now).await?;
    }
    Ok(())
}

/// Retracts a post without a story; returns whether it stood or waited to be sent.
pub async fn take_back(
    tx: &mut Tx,
    post: &mut PostRow,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let was = std::mem::replace(&mut post.state, PostState::Retracted);
    if matches!(was, PostState::Muted | PostState::Retracted) {
        return Ok(false);
    }
    take_away(tx, post, WHY, now).await?;
    Ok(true)
}

async fn remove(tx: &mut Tx, channel: i64, post: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let removal = NewDelivery {
        channel,
        post: Some(post),
        verb: Verb::Remove,
        content: None,
        due_at: now,
    };
    outbox::queue(tx, &removal).await
}

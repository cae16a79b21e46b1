//! Taking a story back: what stands of it is removed everywhere, and lists that name it are edited.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::digest::list_anew;
use crate::store::Tx;
use crate::store::outbox::{self, NewDelivery, PostRow, PostState, Sent, Verb};

const WHY: &str = "it was taken back";

/// Takes back every post of the story with these items; gives how many there were. That it is not told again is the
/// caller's to record, in the same transaction.
///
/// # Errors
///
/// When the database fails.
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
        outbox::save_post(tx, &post).await?;
        taken_back += usize::from(was != PostState::Waiting);
        if let Some(list) = post.digest_id {
            lists.insert(list);
            continue;
        }
        remove_all(tx, &post, now).await?;
    }
    for list in lists {
        let members = outbox::posts_in_digest(tx, list).await?;
        if members.iter().any(|post| post.state == PostState::Open) {
            list_anew(tx, list, now).await?;
            continue;
        }
        // A list of nothing says nothing.
        let mut post = outbox::post(tx, list).await?;
        post.state = PostState::Retracted;
        outbox::save_post(tx, &post).await?;
        outbox::forget_deliveries(tx, list, WHY, now).await?;
        if outbox::was_sent(tx, list).await? == Sent::Maybe {
            remove(tx, post.channel_id, list, now).await?;
        }
    }
    Ok(taken_back)
}

/// Takes back a post that is of no story; gives whether it stood, or waited to be sent.
///
/// # Errors
///
/// When the database fails.
pub async fn take_back(
    tx: &mut Tx,
    post: &mut PostRow,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let was = std::mem::replace(&mut post.state, PostState::Retracted);
    if matches!(was, PostState::Muted | PostState::Retracted) {
        return Ok(false);
    }
    outbox::save_post(tx, post).await?;
    remove_all(tx, post, now).await?;
    Ok(true)
}

/// Owes the removal of a post and of the answers below it; what was not tried yet is forgotten.
async fn remove_all(tx: &mut Tx, post: &PostRow, now: DateTime<Utc>) -> anyhow::Result<()> {
    outbox::forget_deliveries(tx, post.id, WHY, now).await?;
    if outbox::was_sent(tx, post.id).await? == Sent::Maybe {
        remove(tx, post.channel_id, post.id, now).await?;
    }
    for answer in outbox::answers_below(tx, post.id, now).await? {
        remove(tx, post.channel_id, answer, now).await?;
    }
    Ok(())
}

async fn remove(tx: &mut Tx, channel: i64, post: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let removal = NewDelivery {
        channel,
        post: Some(post),
        verb: Verb::Remove,
        content: None,
        due_at: now,
    };
    outbox::owe(tx, &removal).await
}

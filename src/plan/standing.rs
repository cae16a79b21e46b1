//! After a restore, matches posts with the messages that already stand in their channel, so that none is sent twice.
//! `store::outbox::standing` has the rule and the search.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::content::update_digest;
use crate::fold;
use crate::post::story::{Content, Digest};
use crate::store::outbox::{self, NewPost, PostRow, PostState, StandingRow, Unsent, Verb};
use crate::store::{Store, Tx};

/// Messages that stand in a channel and have no post yet, by mark.
type Standing = HashMap<String, StandingRow>;

/// Matches the posts of the channels that were looked through, and ends their recalls: deliveries go on there.
pub(crate) async fn end_recalls(store: &Store, now: DateTime<Utc>) -> anyhow::Result<()> {
    let channels = outbox::channels_to_match(store.read().into(), now).await?;
    if channels.is_empty() {
        return Ok(());
    }
    let mut tx = store.write().await?;
    for channel in channels {
        match_channel(&mut tx, channel, now).await?;
        outbox::end_recall(&mut tx, channel).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Matches posts that were just opened. It runs in the transaction that opened them.
pub(crate) async fn match_standing(tx: &mut Tx, now: DateTime<Utc>) -> anyhow::Result<()> {
    for channel in outbox::channels_to_match((&mut *tx).into(), now).await? {
        match_channel(tx, channel, now).await?;
    }
    Ok(())
}

async fn match_channel(tx: &mut Tx, channel: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut standing = outbox::unmatched_standing(tx, channel, now).await?;
    if standing.is_empty() {
        return Ok(());
    }
    let mut digests: HashMap<String, i64> = HashMap::new();
    for Unsent { mut post, item } in outbox::unsent_posts(tx, channel).await? {
        let Some(found) = find(tx, &mut standing, &post, item).await? else {
            continue;
        };
        outbox::take_standing(tx, channel, &found.mark).await?;
        match &found.listed_in {
            None => take_over(tx, post, &found, now).await?,
            Some(mark) => {
                let digest = match digests.get(mark) {
                    Some(digest) => *digest,
                    None => digest_of(tx, channel, mark, &found, now).await?,
                };
                digests.insert(mark.clone(), digest);
                outbox::cancel_deliveries(tx, post.id, "a digest lists it already", now).await?;
                (post.state, post.digest_id) = (PostState::Open, Some(digest));
                outbox::save_post(tx, &post).await?;
            }
        }
    }
    for digest in digests.into_values() {
        update_digest(tx, digest, now).await?;
    }
    for (delivery, mark) in outbox::queued_marks(tx, channel).await? {
        if let Some(found) = standing.remove(&mark) {
            outbox::take_standing(tx, channel, &mark).await?;
            outbox::settle_as_done(tx, delivery, &found.receipt, now).await?;
        }
    }
    Ok(())
}

/// Finds the message of a post by its mark, or by an id that its story had when some of its items were missing.
async fn find(
    tx: &mut Tx,
    standing: &mut Standing,
    post: &PostRow,
    item: Option<i64>,
) -> anyhow::Result<Option<StandingRow>> {
    if let Some(found) = standing.remove(post.content.mark()) {
        return Ok(Some(found));
    }
    let Some(item) = item else { return Ok(None) };
    let ids = fold::ids_of_story(tx, item).await?;
    Ok(ids.iter().find_map(|id| standing.remove(id)))
}

/// Assigns a standing message to a post, and queues an edit to its present text.
async fn take_over(
    tx: &mut Tx,
    mut post: PostRow,
    found: &StandingRow,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    post.state = PostState::Open;
    outbox::save_post(tx, &post).await?;
    outbox::settle_as_sent(tx, &post, &found.receipt, now).await?;
    outbox::queue_content(tx, &post, Verb::Edit, now).await
}

/// The post of a digest that stands. If this database does not have it, it is created.
async fn digest_of(
    tx: &mut Tx,
    channel: i64,
    mark: &str,
    found: &StandingRow,
    now: DateTime<Utc>,
) -> anyhow::Result<i64> {
    if let Some(known) = outbox::list_by_mark(tx, channel, mark).await? {
        return Ok(known);
    }
    let content = Content::Digest(Digest {
        title: found.title.clone(),
        lines: Vec::new(),
        mark: mark.to_owned(),
    });
    let new = NewPost {
        channel,
        item: None,
        state: PostState::Open,
        content: &content,
        reached: None,
    };
    let digest = outbox::open_post(tx, &new, now).await?;
    let post = outbox::post(tx, digest).await?;
    outbox::settle_as_sent(tx, &post, &found.receipt, now).await?;
    outbox::take_standing(tx, channel, mark).await?;
    Ok(digest)
}

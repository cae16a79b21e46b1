//! After a restore: matches posts with messages that already stand in their channel, so that none is sent twice.
//! `store::outbox::standing` has the rule and the search.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::digest::list_anew;
use super::{Ingest, fold};
use crate::post::story::{Content, Digest};
use crate::store::Tx;
use crate::store::outbox::{self, NewPost, PostRow, PostState, StandingRow, Unsent, Verb};

/// Messages that stand in a channel and have no post yet, by mark.
type Standing = HashMap<String, StandingRow>;

impl Ingest {
    /// Matches the channels that were looked through; they are sent to again from then on.
    pub(super) async fn end_recalls(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        let channels = outbox::channels_to_match(self.store.read().into(), now).await?;
        if channels.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        for channel in channels {
            meet(&mut tx, channel, now).await?;
            outbox::end_recall(&mut tx, channel).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Matches posts that were just opened. It runs in the transaction that opened them.
pub async fn meet_all(tx: &mut Tx, now: DateTime<Utc>) -> anyhow::Result<()> {
    for channel in outbox::channels_to_match((&mut *tx).into(), now).await? {
        meet(tx, channel, now).await?;
    }
    Ok(())
}

async fn meet(tx: &mut Tx, channel: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut standing = outbox::unmatched_standing(tx, channel, now).await?;
    if standing.is_empty() {
        return Ok(());
    }
    let mut lists: HashMap<String, i64> = HashMap::new();
    for Unsent { post, item } in outbox::unsent_posts(tx, channel).await? {
        let Some(found) = find(tx, &mut standing, &post, item).await? else {
            continue;
        };
        outbox::take_standing(tx, channel, &found.mark).await?;
        match &found.listed_in {
            None => take_over(tx, post, &found, now).await?,
            Some(mark) => {
                let list = match lists.get(mark) {
                    Some(list) => *list,
                    None => list_of(tx, channel, mark, &found, now).await?,
                };
                lists.insert(mark.clone(), list);
                outbox::cancel_deliveries(tx, post.id, "a list names it already", now).await?;
                let mut post = post;
                (post.state, post.digest_id) = (PostState::Open, Some(list));
                outbox::save_post(tx, &post).await?;
            }
        }
    }
    for list in lists.into_values() {
        list_anew(tx, list, now).await?;
    }
    for (delivery, mark) in outbox::queued_marks(tx, channel).await? {
        if let Some(found) = standing.remove(&mark) {
            outbox::take_standing(tx, channel, &mark).await?;
            outbox::settle_as_done(tx, delivery, &found.receipt, now).await?;
        }
    }
    Ok(())
}

/// Finds the message of a post by its mark, or by an id that its story had while some of its items were missing.
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

/// The post of a list that stands; made, if this database does not have it.
async fn list_of(
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
        milestone: None,
    };
    let list = outbox::open_post(tx, &new, now).await?;
    let post = outbox::post(tx, list).await?;
    outbox::settle_as_sent(tx, &post, &found.receipt, now).await?;
    outbox::take_standing(tx, channel, mark).await?;
    Ok(list)
}

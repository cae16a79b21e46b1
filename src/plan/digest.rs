//! Digests: several stories in one message, if the configuration asks for that or a channel has reached its hourly limit.

use chrono::{DateTime, Utc};

use super::content::line_of;
use super::open::CAP_SPAN;
use crate::config::{ChannelConfig, ChannelMode};
use crate::destination::Destination;
use crate::post::story::{Content, Digest};
use crate::store::outbox::{self, PostState};
use crate::store::{Store, Tx};

/// The most stories of one digest message; more make a second one.
const DIGEST_LINES_MAX: usize = 15;

/// Makes the digests that are due, each in a transaction of its own.
pub(crate) async fn make_digests(
    store: &Store,
    destinations: &[Destination],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for destination in destinations {
        if due_at(store, destination)
            .await?
            .is_some_and(|due| due <= now)
        {
            let mut tx = store.write().await?;
            make_digest(&mut tx, destination, now).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// When the next digest is due.
pub(crate) async fn next_digest_at(
    store: &Store,
    destinations: &[Destination],
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let mut next = None;
    for destination in destinations {
        let due = due_at(store, destination).await?;
        next = [next, due].into_iter().flatten().min();
    }
    Ok(next)
}

/// When the digest of a channel is due; `None` if no story waits for it.
async fn due_at(store: &Store, destination: &Destination) -> anyhow::Result<Option<DateTime<Utc>>> {
    let since = outbox::waiting_since(store.read(), destination.row.id).await?;
    let since = since.and_then(|since| DateTime::from_timestamp(since, 0));
    Ok(since.map(|since| due_after(&destination.config, since)))
}

/// When a digest is due for stories that wait since `since`.
fn due_after(config: &ChannelConfig, since: DateTime<Utc>) -> DateTime<Utc> {
    match config.mode {
        ChannelMode::Stories => since + CAP_SPAN,
        ChannelMode::Digest { when } => when.next_after(since),
    }
}

/// Makes the digest of a channel: one message for every fifteen stories.
async fn make_digest(
    tx: &mut Tx,
    destination: &Destination,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let waiting = outbox::waiting_posts(tx, destination.row.id).await?;
    let messages = waiting.len().div_ceil(DIGEST_LINES_MAX);
    let day = now.format("%-d %B %Y");
    for (place, posts) in waiting.chunks(DIGEST_LINES_MAX).enumerate() {
        let title = match (destination.config.mode, messages) {
            (ChannelMode::Stories, _) => "More in the last hour".to_owned(),
            (ChannelMode::Digest { .. }, 1) => format!("BPF news, {day}"),
            (ChannelMode::Digest { .. }, _) => {
                format!("BPF news, {day} ({} of {messages})", place + 1)
            }
        };
        let content = Content::Digest(Digest {
            title,
            lines: posts.iter().map(line_of).collect(),
            // Random, because a number could repeat after a restore. A restored bot finds the digest by the stories that it
            // lists.
            mark: format!("d{:x}", fastrand::u64(..)),
        });
        let due_at = destination
            .config
            .quiet
            .map_or(now, |quiet| quiet.end_after(now));
        let digest = outbox::open_and_queue(tx, destination.row.id, &content, due_at, now).await?;
        for post in posts {
            let mut post = post.clone();
            (post.state, post.digest_id) = (PostState::Open, Some(digest));
            outbox::save_post(tx, &post).await?;
        }
    }
    Ok(())
}

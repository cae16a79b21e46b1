//! Digests: several stories in one message, when a channel wants it so or has had its share of an hour.

use std::sync::{MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tracing::warn;

use super::Ingest;
use super::plan::{CAP_SPAN, say};
use crate::config::{ChannelConfig, ChannelMode};
use crate::desk::Desk;
use crate::post::story::{Content, Digest, Line, Tone};
use crate::store::outbox::{self, PostRow, PostState};
use crate::store::{Tx, ahead};

/// The most stories of one digest message; more make a second one.
const DIGEST_LINES_MAX: usize = 15;

/// When a feed was polled last.
#[derive(Debug, Default)]
pub(super) struct LastPoll {
    /// Unix seconds, as far as this process knows.
    at: i64,
    /// Whether the database was asked. The question covers all feeds, so it is asked once.
    is_asked: bool,
}

impl Ingest {
    /// Makes the digests that are due. First it repairs a clock that was set back and, after a restore, matches the posts that
    /// were found in channels.
    pub async fn make_digests(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        if let Some(by) = ahead::set_back_by(self.last_poll_at().await?, now) {
            warn!("the clock was set back by {by} s; what it had written ahead is moved back too");
            let mut tx = self.store.write().await?;
            ahead::set_back(&mut tx, by, now).await?;
            tx.commit().await?;
            *self.last_poll() = LastPoll::default();
        }
        self.end_recalls().await?;
        for desk in &*self.desks() {
            if self.digest_due(desk).await?.is_some_and(|due| due <= now) {
                let mut tx = self.store.write().await?;
                make_digest(&mut tx, desk, now).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// When a feed was polled last, unix seconds.
    async fn last_poll_at(&self) -> anyhow::Result<i64> {
        if !self.last_poll().is_asked {
            let stored = ahead::last_poll_at(self.store.read()).await?;
            let mut last = self.last_poll();
            // A poll may have ended since.
            last.at = last.at.max(stored);
            last.is_asked = true;
        }
        Ok(self.last_poll().at)
    }

    /// A poll ended, and says that it was at that moment.
    pub(super) fn polled(&self, at: DateTime<Utc>) {
        let mut last = self.last_poll();
        last.at = last.at.max(at.timestamp());
    }

    fn last_poll(&self) -> MutexGuard<'_, LastPoll> {
        let last = self.lasting.last_poll.lock();
        last.unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next digest is due.
    pub async fn next_digest_at(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        let mut next = None;
        for desk in &*self.desks() {
            let due = self.digest_due(desk).await?;
            next = [next, due].into_iter().flatten().min();
        }
        Ok(next)
    }

    async fn digest_due(&self, desk: &Desk) -> anyhow::Result<Option<DateTime<Utc>>> {
        let since = outbox::waiting_since(self.store.read(), desk.row.id).await?;
        let since = since.and_then(|since| DateTime::from_timestamp(since, 0));
        Ok(since.map(|since| digest_due(&desk.config, since)))
    }
}

/// When a digest is due for stories that wait since `since`.
fn digest_due(config: &ChannelConfig, since: DateTime<Utc>) -> DateTime<Utc> {
    match config.mode {
        ChannelMode::Stories => since + CAP_SPAN,
        ChannelMode::Digest { when } => when.next_after(since),
    }
}

/// Makes the digest of a channel: one message for every fifteen stories.
async fn make_digest(tx: &mut Tx, desk: &Desk, now: DateTime<Utc>) -> anyhow::Result<()> {
    let waiting = outbox::waiting_posts(tx, desk.row.id).await?;
    let messages = waiting.len().div_ceil(DIGEST_LINES_MAX);
    for (place, posts) in waiting.chunks(DIGEST_LINES_MAX).enumerate() {
        let title = match (desk.config.mode, messages) {
            (ChannelMode::Stories, _) => "More in the last hour".to_owned(),
            (ChannelMode::Digest { .. }, 1) => format!("BPF news, {}", now.format("%-d %B %Y")),
            (ChannelMode::Digest { .. }, _) => {
                format!(
                    "BPF news, {} ({} of {messages})",
                    now.format("%-d %B %Y"),
                    place + 1
                )
            }
        };
        let content = Content::Digest(Digest {
            title,
            lines: posts.iter().map(line_of).collect(),
            // Random, because a number could repeat after a restore. A restored bot finds the digest by the stories that it
            // lists.
            mark: format!("d{:x}", fastrand::u64(..)),
        });
        let due_at = desk.config.quiet.map_or(now, |quiet| quiet.end_after(now));
        let digest = outbox::open_and_queue(tx, desk.row.id, &content, due_at, now).await?;
        for post in posts {
            let mut post = post.clone();
            (post.state, post.digest_id) = (PostState::Open, Some(digest));
            outbox::save_post(tx, &post).await?;
        }
    }
    Ok(())
}

/// Renders a digest again from the present state of its stories.
pub(super) async fn list_anew(tx: &mut Tx, digest: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut post = outbox::post(tx, digest).await?;
    if post.state != PostState::Open {
        return Ok(());
    }
    let Content::Digest(mut listed) = post.content.clone() else {
        anyhow::bail!("the post {digest} lists stories, but is no digest");
    };
    // After a restore: a list is changed once all that it names is here again, or it would lose the rest.
    if outbox::lists_unmatched(tx, post.channel_id, &listed.mark, now).await? {
        return Ok(());
    }
    let members = outbox::posts_in_digest(tx, digest).await?;
    let shown = members.iter().filter(|post| post.state == PostState::Open);
    listed.lines = shown.map(line_of).collect();
    Box::pin(say(tx, &mut post, Content::Digest(listed), None, now)).await
}

fn line_of(post: &PostRow) -> Line {
    match &post.content {
        Content::Story(post) => Line {
            what: post.state.clone(),
            title: post.title.clone(),
            link: post.link.clone(),
            tone: post.tone,
            mark: post.mark.clone(),
        },
        Content::Line(line) => line.clone(),
        Content::Digest(_)
        | Content::Issue(_)
        | Content::Suggestion(_)
        | Content::Notice { .. } => Line {
            what: String::new(),
            title: String::new(),
            link: None,
            tone: Tone::New,
            mark: post.content.mark().to_owned(),
        },
    }
}

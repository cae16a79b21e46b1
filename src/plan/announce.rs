//! Announces the milestones of a story below its post: a message of its own for each, once.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::Occasion;
use crate::destination::Destination;
use crate::fold::ChangedStory;
use crate::post::milestone::{self, Milestone, MilestoneWay};
use crate::post::story::{self, Content};
use crate::store::Tx;
use crate::store::outbox::{self, NewDelivery, PostRow, SendState, Verb};
use crate::store::stories;
use crate::story::Story;

/// A mail that is older is no news any more, from any source.
const NEWS_MAX: TimeDelta = TimeDelta::days(7);

/// The keys of the milestones that the stories before a change had reached; `None` if there were none, so nothing is known.
pub(super) fn known_before(changed: &ChangedStory) -> anyhow::Result<Option<HashSet<String>>> {
    let mut known = None;
    for packed in changed.before.iter().chain(&changed.joined) {
        let keys = known.get_or_insert_with(HashSet::new);
        keys.extend(milestone::keys(&stories::unpack_story(packed)?));
    }
    Ok(known)
}

/// The keys of the milestones that a story has reached, for its post's row. `before` are those that the row has.
pub(super) fn reached_keys(story: &Story, before: Option<&str>) -> String {
    let before = before.unwrap_or_default().split_whitespace();
    let keys: BTreeSet<String> = before
        .map(str::to_owned)
        .chain(milestone::keys(story))
        .collect();
    Vec::from_iter(keys).join(" ")
}

/// Queues the messages about new milestones below a post. `noted` are the steps that the post's row had before this
/// change, and `known` those that the story had.
pub(super) async fn announce(
    tx: &mut Tx,
    destination: &Destination,
    post: &PostRow,
    story: &Story,
    noted: Option<&str>,
    known: Option<&HashSet<String>>,
    on: Occasion,
) -> anyhow::Result<()> {
    // Without either, all that the story reached may be history.
    if !on.is_live || (noted.is_none() && known.is_none()) {
        return Ok(());
    }
    let noted: HashSet<&str> = noted.unwrap_or_default().split_whitespace().collect();
    let is_known =
        |key: &str| noted.contains(key) || known.is_some_and(|known| known.contains(key));
    let ways = &destination.config.milestones;
    let news = milestone::to_announce(milestone::reached(story), ways, is_known, on.now - NEWS_MAX);
    for (milestone, way) in news {
        announce_one(tx, destination, post, story, milestone, way, on.now).await?;
    }
    Ok(())
}

/// Queues the message about one milestone below a post that was sent. A post that is still to be sent will show it.
pub(super) async fn announce_one(
    tx: &mut Tx,
    destination: &Destination,
    post: &PostRow,
    story: &Story,
    milestone: Milestone,
    way: MilestoneWay,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if outbox::was_sent(tx, post.id).await? != SendState::Maybe {
        return Ok(());
    }
    let mark = format!("{}-{}", post.content.mark(), milestone.key);
    let mut line = story::line(story, milestone.what, mark);
    line.link = milestone.link.or(line.link);
    let line = Content::Line(line);
    let quiet = destination.config.quiet;
    let reply = NewDelivery {
        channel: post.channel_id,
        post: Some(post.id),
        verb: Verb::Reply,
        content: Some(&line),
        due_at: quiet.map_or(now, |quiet| quiet.end_after(now)),
        in_thread: way == MilestoneWay::Thread,
    };
    outbox::queue(tx, &reply).await
}

//! Announces the milestones of a story below its post: a message of its own for each, once.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Occasion, SERIES_HOLD};
use crate::destination::Destination;
use crate::fold::ChangedStory;
use crate::post::milestone::{self, Milestone, MilestoneKind, MilestoneWay};
use crate::post::story::{self, Content, Line};
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
    update_revisions(tx, destination, post, story, on.now).await?;
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

/// Brings messages about revisions up to date that were not tried yet. The newest one is due if the mails of its revision are
/// there.
async fn update_revisions(
    tx: &mut Tx,
    destination: &Destination,
    post: &PostRow,
    story: &Story,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if !destination.config.milestones.announces_revisions() {
        return Ok(());
    }
    let mark = |key: &str| format!("{}-{key}", post.content.mark());
    let reached = milestone::reached(story);
    let revisions = reached
        .iter()
        .filter(|milestone| matches!(milestone.kind, MilestoneKind::Revision(_)));
    let revisions: HashMap<String, bool> = revisions
        .map(|milestone| (mark(&milestone.key), milestone.is_current))
        .collect();
    for (id, content) in outbox::untried_replies(tx, post.id).await? {
        let Content::Line(before) = content else {
            continue;
        };
        let Some(&is_newest) = revisions.get(&before.mark) else {
            continue;
        };
        let fresh = story::line(story, before.what.clone(), before.mark.clone());
        let (line, due_at) = match is_newest {
            true => (fresh, is_whole(story).then(|| due_at(destination, now))),
            false => {
                let title = fresh.title;
                (Line { title, ..before }, None)
            }
        };
        outbox::update_reply(tx, id, &Content::Line(line), due_at).await?;
    }
    Ok(())
}

/// Whether the mails of the newest revision are there. Its cover letter may be late, if the revisions before had one.
fn is_whole(story: &Story) -> bool {
    let newest = story.revisions.last();
    let has_cover = newest.is_none_or(|newest| newest.cover || newest.total <= 1);
    let had_cover = story.revisions.iter().any(|revision| revision.cover);
    !story::waits_for_parts(story) && (has_cover || !had_cover)
}

fn due_at(destination: &Destination, at: DateTime<Utc>) -> DateTime<Utc> {
    destination
        .config
        .quiet
        .map_or(at, |quiet| quiet.end_after(at))
}

/// Queues the message about one milestone below a post that was sent. A post that is still to be sent will show it. A revision
/// waits a while for its other mails, because its first one may have another title.
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
    let is_early = matches!(milestone.kind, MilestoneKind::Revision(_)) && !is_whole(story);
    let hold = if is_early {
        SERIES_HOLD
    } else {
        TimeDelta::zero()
    };
    let reply = NewDelivery {
        channel: post.channel_id,
        post: Some(post.id),
        verb: Verb::Reply,
        content: Some(&line),
        due_at: due_at(destination, now + hold),
        in_thread: way == MilestoneWay::Thread,
    };
    outbox::queue(tx, &reply).await
}

//! Plans the posts of channels after a fold: which open, which are edited, and when. It runs in the fold's transaction.
//!
//! A post opens when a route first takes a story that moved. It lives on if the route later refuses the story. A story has one
//! post in a channel. If two stories become one, the younger post is removed.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::digest::list_anew;
use super::fold::Moved;
use super::matching::meet_all;
use super::retract::take_away;
use super::sample::{SAMPLE_NOTE, Samples};
use crate::config::{ChannelMode, Milestones};
use crate::desk::Desk;
use crate::post::story::{self, Content};
use crate::store::Tx;
use crate::store::items;
use crate::store::mutes;
use crate::store::outbox::{self, NewDelivery, NewPost, PostRow, PostState, SendState, Verb};
use crate::store::stories;
use crate::story::{State, Story, StoryKind, life};

/// How long a series waits for its parts before it is shown as it is.
const SERIES_HOLD: TimeDelta = TimeDelta::minutes(10);
/// The span that a channel's cap counts.
pub(super) const CAP_SPAN: TimeDelta = TimeDelta::hours(1);

/// New items that are news, by their numbers.
pub(super) type News = BTreeMap<i64, Fresh>;

/// A new item that is news.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fresh {
    /// Its time.
    pub(super) at: DateTime<Utc>,
    /// The page that brought it, by its place among those that are kept together.
    pub(super) page: usize,
    /// Whether it is one of the stories of which a new feed shows a single sample.
    pub(super) is_sample: bool,
}

/// Opens and edits posts after a fold; returns the number of posts that each page opened.
pub(super) async fn plan(
    tx: &mut Tx,
    desks: &[Desk],
    mut moved: Vec<Moved>,
    news: &News,
    now: DateTime<Utc>,
) -> anyhow::Result<BTreeMap<usize, usize>> {
    // Oldest first: that is the order in which they are read.
    moved.sort_by_key(|moved| {
        let fresh = news_of(moved, news);
        let oldest = fresh.iter().map(|(_, fresh)| fresh.at).min();
        (oldest, moved.story.first_at)
    });
    let mut opened: BTreeMap<usize, usize> = BTreeMap::new();
    let mut samples = Samples::default();
    let mutes = mutes::mutes(tx).await?;
    // Most stories have no post, and need no question of their own.
    let items: Vec<i64> = moved
        .iter()
        .flat_map(|moved| &moved.items)
        .copied()
        .collect();
    let posted = outbox::items_with_posts(tx, &items).await?;
    for (place, moved) in moved.iter().enumerate() {
        if mutes.silences(&moved.items) {
            continue;
        }
        let mut posts: HashMap<i64, Vec<PostRow>> = HashMap::new();
        if moved.items.iter().any(|item| posted.contains(item)) {
            for post in outbox::posts_of_items(tx, &moved.items).await? {
                posts.entry(post.channel_id).or_default().push(post);
            }
        }
        let fresh = news_of(moved, news);
        let told = fresh.iter().map(|(_, fresh)| fresh);
        let told = told
            .filter(|fresh| !fresh.is_sample)
            .max_by_key(|fresh| fresh.at);
        for (number, desk) in desks.iter().enumerate() {
            if let Some(posts) = posts.remove(&desk.row.id) {
                keep_true(tx, desk, moved, posts, &fresh, now).await?;
                continue;
            }
            if fresh.is_empty() {
                continue;
            }
            if desk.config.maintainers || desk.config.route.takes(&moved.story).is_err() {
                continue;
            }
            if mutes.bars(&moved.story) {
                continue;
            }
            if is_only_an_answer(tx, moved).await? {
                continue;
            }
            match told {
                Some(told) => {
                    if moves(desk, moved)? {
                        open(tx, desk, moved, &fresh, now).await?;
                        *opened.entry(told.page).or_default() += 1;
                    }
                }
                None => {
                    let fresh = fresh.iter().map(|(_, fresh)| fresh);
                    fresh.for_each(|fresh| samples.offer(fresh, number, place));
                }
            }
        }
    }
    for (page, shown) in samples.show(tx, desks, &moved, now).await? {
        *opened.entry(page).or_default() += shown;
    }
    meet_all(tx, now).await?;
    Ok(opened)
}

/// Whether a thread begins with an answer to a mail from before the first poll, or to a missing patch. Such a thread opens no
/// post.
async fn is_only_an_answer(tx: &mut Tx, moved: &Moved) -> anyhow::Result<bool> {
    let is_thread = moved.story.kind == StoryKind::Thread;
    Ok(is_thread
        && (life::answers_missing_patch(&moved.story)
            || items::answer_missing_mails(tx, &moved.items[..1]).await?))
}

/// The news in a story. A machine's verdict edits posts but opens none.
fn news_of(moved: &Moved, news: &News) -> Vec<(i64, Fresh)> {
    let of = |item: &i64| news.get(item).map(|fresh| (*item, *fresh));
    let items = moved.items.iter();
    let loud = items.filter(|item| !moved.quiet.contains(item));
    loud.filter_map(of).collect()
}

/// Whether the change opens a post. An answer does not, if the story is older than the channel.
fn moves(desk: &Desk, moved: &Moved) -> anyhow::Result<bool> {
    if moved.story.first_at.timestamp() >= desk.row.added_at {
        return Ok(true);
    }
    let Some(before) = &moved.before else {
        return Ok(true);
    };
    let before = stories::unpack_story(before)?;
    let story = &moved.story;
    Ok(before.revisions.len() < story.revisions.len()
        || (before.state != story.state && story.state != State::Discussed))
}

/// Queues the edits that bring the posts of a story in one channel up to date.
async fn keep_true(
    tx: &mut Tx,
    desk: &Desk,
    moved: &Moved,
    posts: Vec<PostRow>,
    fresh: &[(i64, Fresh)],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let lives = |post: &&PostRow| matches!(post.state, PostState::Open | PostState::Waiting);
    let is_left_alone =
        |post: &PostRow| matches!(post.state, PostState::Muted | PostState::Retracted);
    let standing = posts
        .iter()
        .find(lives)
        .or_else(|| match posts.iter().any(is_left_alone) {
            true => None,
            // The story was part of another post, and is separate again.
            false => posts.first(),
        });
    let Some(standing) = standing.map(|post| post.id) else {
        return Ok(());
    };
    for mut post in posts {
        match (post.id == standing, post.state) {
            (true, _) => {
                let story = &moved.story;
                let reached = story::milestone(story);
                let content = Content::Story(Box::new(story::compose(story)));
                let is_new_milestone = reached.is_some() && reached != post.milestone.as_deref();
                post.milestone = reached.map(str::to_owned).or(post.milestone);
                let was_joined = post.state == PostState::Joined;
                let waits = story::waits_for_parts(story) || has_ghosts(tx, story, fresh).await?;
                if was_joined && !stands_again(tx, &mut post, now).await? {
                    // The post was removed when its story joined another.
                    owe_send(tx, &post, content, now).await?;
                    continue;
                }
                say(tx, &mut post, content, (!waits).then_some(now), now).await?;
                if is_new_milestone && desk.config.milestones != Milestones::Edit {
                    reply(tx, &post, story, reached.unwrap_or_default(), now).await?;
                }
            }
            (false, PostState::Open | PostState::Waiting) => {
                post.state = PostState::Joined;
                take_away(tx, &post, "its story is told by another post", now).await?;
            }
            (false, PostState::Joined | PostState::Muted | PostState::Retracted) => {}
        }
    }
    Ok(())
}

/// Revives a post that another one replaced; returns whether its message, or the list that names it, still stands.
async fn stands_again(tx: &mut Tx, post: &mut PostRow, now: DateTime<Utc>) -> anyhow::Result<bool> {
    post.state = PostState::Open;
    if let Some(list) = post.digest_id {
        if outbox::post(tx, list).await?.state == PostState::Open {
            outbox::save_post(tx, post).await?;
            list_anew(tx, list, now).await?;
            return Ok(true);
        }
        post.digest_id = None;
    }
    // A removal that was not tried yet is not needed any more.
    outbox::cancel_deliveries(tx, post.id, "its story is its own again", now).await?;
    Ok(outbox::was_sent(tx, post.id).await? == SendState::Maybe)
}

/// Sends a post after all.
async fn owe_send(
    tx: &mut Tx,
    post: &PostRow,
    content: Content,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut post = post.clone();
    post.content = content;
    outbox::save_post(tx, &post).await?;
    outbox::queue_content(tx, &post, Verb::Send, now).await
}

/// Lets a post that is of no story say something else.
pub async fn restate(
    tx: &mut Tx,
    post: i64,
    content: Content,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut post = outbox::post(tx, post).await?;
    match post.state {
        PostState::Open | PostState::Waiting | PostState::Joined => {
            say(tx, &mut post, content, None, now).await
        }
        PostState::Muted | PostState::Retracted => Ok(()),
    }
}

/// Lets a post say something else, wherever it stands in its life.
pub(super) async fn say(
    tx: &mut Tx,
    post: &mut PostRow,
    content: Content,
    hasten_to: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut content = content;
    // A sample that was not shown yet is still one.
    if let (Content::Story(was), Content::Story(is)) = (&post.content, &mut content)
        && was.notes.iter().any(|note| note == SAMPLE_NOTE)
        && outbox::was_sent(tx, post.id).await? == SendState::NotYet
    {
        is.notes.push(SAMPLE_NOTE.to_owned());
    }
    let is_same = post.content == content;
    post.content = content;
    outbox::save_post(tx, post).await?;
    if let Some(digest) = post.digest_id {
        return match is_same {
            true => Ok(()),
            false => list_anew(tx, digest, now).await,
        };
    }
    match outbox::was_sent(tx, post.id).await? {
        SendState::NotYet => outbox::update_send(tx, post.id, &post.content, hasten_to).await,
        SendState::Maybe if !is_same => outbox::queue_content(tx, post, Verb::Edit, now).await,
        SendState::Maybe | SendState::Never => Ok(()),
    }
}

async fn reply(
    tx: &mut Tx,
    post: &PostRow,
    story: &Story,
    milestone: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if outbox::was_sent(tx, post.id).await? != SendState::Maybe {
        return Ok(());
    }
    let mark = format!("{}-{milestone}", post.content.mark());
    let line = Content::Line(story::line(story, story::standing(story), mark));
    let reply = NewDelivery {
        channel: post.channel_id,
        post: Some(post.id),
        verb: Verb::Reply,
        content: Some(&line),
        due_at: now,
    };
    outbox::queue(tx, &reply).await
}

async fn open(
    tx: &mut Tx,
    desk: &Desk,
    moved: &Moved,
    fresh: &[(i64, Fresh)],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let story = &moved.story;
    let waits = story::waits_for_parts(story) || has_ghosts(tx, story, fresh).await?;
    let due_at = match waits {
        true => now + SERIES_HOLD,
        false => now,
    };
    let content = Content::Story(Box::new(story::compose(story)));
    put(tx, desk, story, moved.items[0], content, due_at, now).await
}

/// Opens a post, and queues its message unless it waits for a digest.
pub(super) async fn put(
    tx: &mut Tx,
    desk: &Desk,
    story: &Story,
    item: i64,
    content: Content,
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let due_at = match desk.config.quiet {
        Some(quiet) => quiet.end_after(due_at),
        None => due_at,
    };
    let is_over = match desk.config.hourly_max {
        Some(most) => {
            outbox::sends_since(tx, desk.row.id, now - CAP_SPAN).await? >= i64::from(most)
        }
        None => false,
    };
    let state = match desk.config.mode {
        ChannelMode::Stories if !is_over => PostState::Open,
        ChannelMode::Stories | ChannelMode::Digest { .. } => PostState::Waiting,
    };
    let new = NewPost {
        channel: desk.row.id,
        item: Some(item),
        state,
        content: &content,
        milestone: story::milestone(story),
    };
    let post = outbox::open_post(tx, &new, now).await?;
    if state == PostState::Waiting {
        return Ok(());
    }
    let send = NewDelivery {
        channel: desk.row.id,
        post: Some(post),
        verb: Verb::Send,
        content: Some(&content),
        due_at,
    };
    outbox::queue(tx, &send).await
}

/// Whether a new patch answers a missing mail: its cover letter may be late.
async fn has_ghosts(tx: &mut Tx, story: &Story, fresh: &[(i64, Fresh)]) -> anyhow::Result<bool> {
    let is_many = story
        .revisions
        .last()
        .is_some_and(|newest| newest.total > 1 && !newest.cover);
    if !is_many {
        return Ok(false);
    }
    let fresh: Vec<i64> = fresh.iter().map(|(item, _)| *item).collect();
    items::answer_missing_mails(tx, &fresh).await
}

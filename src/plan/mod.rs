//! Plans the posts of channels after a fold: which open, which are edited, and when. It runs in the fold's transaction.
//!
//! A post opens when a route first takes a story that changed. It lives on if the route later refuses the story. A story has one
//! post in a channel. If two stories become one, the younger post is removed.

mod announce;
mod content;
pub(crate) mod digest;
pub(crate) mod follow;
mod open;
pub(crate) mod pulls;
mod released;
mod retract;
pub(crate) mod sample;
pub(crate) mod standing;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use self::content::replace_content;
pub(crate) use self::follow::note_follows;
pub use self::retract::retract;
pub(crate) use self::retract::retract_post;
pub(crate) use self::standing::match_standing;

use self::announce::{announce, known_before, reached_keys};
use self::content::{set_content, story_content, update_digest};
use self::open::open_post;
use self::retract::remove_message;
use self::sample::Samples;
use crate::destination::Destination;
use crate::fold::ChangedStory;
use crate::post::story;
use crate::store::Tx;
use crate::store::items;
use crate::store::mutes;
use crate::store::outbox::{self, PostRow, PostState, SendState, Verb};
use crate::store::stories::{self, ReleaseNames};
use crate::story::{State, Story, StoryKind, life};

/// How long a series waits for its parts before it is posted as it is.
const SERIES_HOLD: TimeDelta = TimeDelta::minutes(10);

/// New items that are news, by their numbers.
pub(crate) type News = BTreeMap<i64, NewsItem>;

/// A new item that is news.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewsItem {
    pub(crate) at: DateTime<Utc>,
    /// The page that brought it, by its place among the pages of one commit.
    pub(crate) page: usize,
    /// Whether its feed is new: of all its stories, one is posted as a sample.
    pub(crate) is_sample: bool,
}

/// The occasion of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    pub(crate) now: DateTime<Utc>,
    /// Whether it came in the course of polling. History, such as an import or a new feed's past, announces no milestone.
    pub(crate) is_live: bool,
}

/// A changed story with its new items.
struct StoryChange<'a> {
    changed: &'a ChangedStory,
    news: Vec<(i64, NewsItem)>,
    /// See [`known_before`].
    known: Option<HashSet<String>>,
}

/// Opens and edits posts after a fold; returns the number of posts that each page opened.
pub(crate) async fn plan(
    tx: &mut Tx,
    destinations: &[Destination],
    mut changed: Vec<ChangedStory>,
    news: &News,
    on: Occasion,
) -> anyhow::Result<BTreeMap<usize, usize>> {
    let now = on.now;
    let mut names = ReleaseNames::default();
    for changed in &mut changed {
        names.name(tx, &mut changed.story).await?;
    }
    // Oldest first, the order in which people read them.
    changed.sort_by_key(|changed| {
        let news = news_of(changed, news);
        let oldest = news.iter().map(|(_, item)| item.at).min();
        (oldest, changed.story.first_at)
    });
    let mut opened: BTreeMap<usize, usize> = BTreeMap::new();
    let mut samples = Samples::default();
    let mutes = mutes::mutes(tx).await?;
    // Most stories have no post, and need no query of their own.
    let items = changed.iter().flat_map(|changed| &changed.items);
    let posted = outbox::items_with_posts(tx, &items.copied().collect::<Vec<_>>()).await?;
    for (place, changed) in changed.iter().enumerate() {
        if mutes.silences(&changed.items) {
            continue;
        }
        let mut posts: HashMap<i64, Vec<PostRow>> = HashMap::new();
        if changed.items.iter().any(|item| posted.contains(item)) {
            for post in outbox::posts_of_items(tx, &changed.items).await? {
                posts.entry(post.channel_id).or_default().push(post);
            }
        }
        let change = StoryChange {
            changed,
            news: news_of(changed, news),
            known: match posts.is_empty() {
                true => None,
                false => known_before(changed)?,
            },
        };
        let news = &change.news;
        let announced = news.iter().map(|(_, item)| item);
        let newest = announced
            .filter(|item| !item.is_sample)
            .max_by_key(|item| item.at);
        for (number, destination) in destinations.iter().enumerate() {
            if let Some(posts) = posts.remove(&destination.row.id) {
                update_posts(tx, destination, &change, posts, on).await?;
                continue;
            }
            let is_wanted = !news.is_empty()
                && !destination.config.maintainers
                && destination.config.route.takes(&changed.story)
                && !mutes.bars(&changed.story);
            if !is_wanted || is_only_an_answer(tx, changed).await? {
                continue;
            }
            match newest {
                Some(newest) => {
                    if opens_post(destination, changed)? {
                        open_for_story(tx, destination, changed, news, now).await?;
                        *opened.entry(newest.page).or_default() += 1;
                    }
                }
                None => {
                    for (_, item) in news {
                        samples.offer(item, number, place);
                    }
                }
            }
        }
    }
    for (page, posted) in samples.post(tx, destinations, &changed, now).await? {
        *opened.entry(page).or_default() += posted;
    }
    released::update(tx, destinations, &changed, &mut names, on).await?;
    match_standing(tx, now).await?;
    Ok(opened)
}

/// Whether a thread begins with an answer to a mail from before the first poll, or to a missing patch. Such a thread opens no
/// post.
async fn is_only_an_answer(tx: &mut Tx, changed: &ChangedStory) -> anyhow::Result<bool> {
    let is_thread = changed.story.kind == StoryKind::Thread;
    Ok(is_thread
        && (life::answers_missing_patch(&changed.story)
            || items::answer_missing_mails(tx, &changed.items[..1]).await?))
}

/// The news in a story. A machine's verdict edits posts but opens none.
fn news_of(changed: &ChangedStory, news: &News) -> Vec<(i64, NewsItem)> {
    let loud = changed
        .items
        .iter()
        .filter(|item| !changed.quiet.contains(item));
    loud.filter_map(|item| Some((*item, *news.get(item)?)))
        .collect()
}

/// Whether the change opens a post. An answer does not, if the story is older than the channel.
fn opens_post(destination: &Destination, changed: &ChangedStory) -> anyhow::Result<bool> {
    if changed.story.first_at.timestamp() >= destination.row.added_at {
        return Ok(true);
    }
    let Some(before) = &changed.before else {
        return Ok(true);
    };
    let before = stories::unpack_story(before)?;
    let story = &changed.story;
    Ok(before.revisions.len() < story.revisions.len()
        || (before.state != story.state && story.state != State::Discussed))
}

/// Queues the edits that bring the posts of a story in one channel up to date.
async fn update_posts(
    tx: &mut Tx,
    destination: &Destination,
    change: &StoryChange<'_>,
    posts: Vec<PostRow>,
    on: Occasion,
) -> anyhow::Result<()> {
    let lives = |post: &&PostRow| matches!(post.state, PostState::Open | PostState::Waiting);
    let is_left_alone =
        |post: &PostRow| matches!(post.state, PostState::Muted | PostState::Retracted);
    let current = posts
        .iter()
        .find(lives)
        .or_else(|| match posts.iter().any(is_left_alone) {
            true => None,
            // The story was part of another post, and is separate again.
            false => posts.first(),
        });
    let Some(current) = current.map(|post| post.id) else {
        return Ok(());
    };
    for mut post in posts {
        match (post.id == current, post.state) {
            (true, _) => {
                update_post(tx, destination, &mut post, change, on).await?;
            }
            (false, PostState::Open | PostState::Waiting) => {
                post.state = PostState::Joined;
                remove_message(tx, &post, "another post has its story", on.now).await?;
            }
            (false, PostState::Joined | PostState::Muted | PostState::Retracted) => {}
        }
    }
    Ok(())
}

/// Queues the edit of the current post of a story, and the messages that announce new milestones.
async fn update_post(
    tx: &mut Tx,
    destination: &Destination,
    post: &mut PostRow,
    change: &StoryChange<'_>,
    on: Occasion,
) -> anyhow::Result<()> {
    let (story, now) = (&change.changed.story, on.now);
    let content = story_content(destination, story);
    let noted = post.reached.take();
    post.reached = Some(reached_keys(story, noted.as_deref()));
    let waits = waits(tx, story, &change.news).await?;
    let is_revived = post.state == PostState::Joined;
    if post.state == PostState::Joined && !revive(tx, post, now).await? {
        // Its message was removed when its story joined another.
        post.content = content;
        outbox::save_post(tx, post).await?;
        return outbox::queue_content(tx, post, Verb::Send, now).await;
    }
    set_content(tx, post, content, (!waits).then_some(now), now).await?;
    // The other post announced the steps that a revived post missed.
    if is_revived {
        return Ok(());
    }
    let (noted, known) = (noted.as_deref(), change.known.as_ref());
    announce(tx, destination, post, story, noted, known, on).await
}

/// Reopens a post that another one replaced; returns whether its message, or the digest that lists it, still stands.
async fn revive(tx: &mut Tx, post: &mut PostRow, now: DateTime<Utc>) -> anyhow::Result<bool> {
    post.state = PostState::Open;
    if let Some(digest) = post.digest_id {
        if outbox::post(tx, digest).await?.state == PostState::Open {
            outbox::save_post(tx, post).await?;
            update_digest(tx, digest, now).await?;
            return Ok(true);
        }
        post.digest_id = None;
    }
    // A removal that was not tried yet is not needed any more.
    outbox::cancel_deliveries(tx, post.id, "its story is separate again", now).await?;
    Ok(outbox::was_sent(tx, post.id).await? == SendState::Maybe)
}

async fn open_for_story(
    tx: &mut Tx,
    destination: &Destination,
    changed: &ChangedStory,
    news: &[(i64, NewsItem)],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let story = &changed.story;
    let due_at = match waits(tx, story, news).await? {
        true => now + SERIES_HOLD,
        false => now,
    };
    let content = story_content(destination, story);
    open_post(
        tx,
        destination,
        story,
        changed.items[0],
        content,
        due_at,
        now,
    )
    .await
}

/// Whether a story waits for more mails. If a new patch answers a missing mail, the cover letter may be late.
async fn waits(tx: &mut Tx, story: &Story, news: &[(i64, NewsItem)]) -> anyhow::Result<bool> {
    if story::waits_for_parts(story) {
        return Ok(true);
    }
    let newest = story.revisions.last();
    if !newest.is_some_and(|newest| newest.total > 1 && !newest.cover) {
        return Ok(false);
    }
    let items: Vec<i64> = news.iter().map(|(item, _)| *item).collect();
    items::answer_missing_mails(tx, &items).await
}

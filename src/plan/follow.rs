//! News for people who follow a story, an author or a filter. [`note_follows`] keeps what moved, in the transaction of the fold;
//! [`send_news`] makes one message of it for each person.
//!
//! A story has one row of news for a person, however many follows see it, so nobody gets the same thing twice.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{News, news_of};
use crate::config::FollowConfig;
use crate::filter::{Filter, Subsystems};
use crate::fold::ChangedStory;
use crate::post::story::{self, Content, Digest, Line, event_words};
use crate::store::follow_standing::mark;
use crate::store::follows::{self, FollowNews, FollowWay, Follower, WaitingNews};
use crate::store::recipients::{self, NewMessage};
use crate::store::{Store, Tx, mutes, stories};
use crate::story::{Event, Step, Story};

/// News of so long come as one message, and so long lies between two messages to a person.
pub(crate) const GATHER: TimeDelta = TimeDelta::minutes(15);
/// The most stories of one message; the others are counted.
const LINES_MAX: usize = 15;
/// The most steps of a story that a message names.
const STEPS_MAX: usize = 8;

/// Keeps the news of stories that people follow. Only items from polling are news, never history.
pub(crate) async fn note_follows(
    tx: &mut Tx,
    changed: &[ChangedStory],
    news: &News,
    subsystems: &Subsystems,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if changed.is_empty() || !follows::is_anything_followed(tx).await? {
        return Ok(());
    }
    let mutes = mutes::mutes(tx).await?;
    // A filter that this version cannot read any more takes nothing.
    let filters = follows::followed_filters(tx).await?.into_iter();
    let filters: Vec<(String, Filter)> = filters
        .filter_map(|text| Filter::parse(&text).ok().map(|filter| (text, filter)))
        .collect();
    for changed in changed {
        if mutes.silences(&changed.items) {
            continue;
        }
        let Some(moved) = moved(changed, news)? else {
            continue;
        };
        let taken = filters.iter().filter(|(_, filter)| {
            changed.story.relevant && filter.takes(&changed.story, subsystems)
        });
        let taken: Vec<&str> = taken.map(|(text, _)| text.as_str()).collect();
        for follower in followers(tx, changed, &taken).await? {
            let waiting = follows::news_of_story(tx, follower.recipient, &changed.items).await?;
            let (item, news) = match waiting {
                Some((item, before)) => (item, joined(before, &moved)),
                None => (changed.items[0], moved.clone()),
            };
            follows::keep_news(tx, follower, item, &news, now).await?;
        }
    }
    Ok(())
}

/// The people who follow a story in any way, each once. The follow of the story itself comes first, and decides.
async fn followers(
    tx: &mut Tx,
    changed: &ChangedStory,
    filters: &[&str],
) -> anyhow::Result<Vec<Follower>> {
    let story = &changed.story;
    let author = story.author.as_deref().filter(|_| story.relevant);
    let mut found = follows::followers(tx, &changed.items, author).await?;
    for filter in filters {
        found.extend(follows::followers_of_filter(tx, filter).await?);
    }
    let mut seen = HashSet::new();
    found.retain(|follower| seen.insert(follower.recipient));
    Ok(found)
}

/// The news of a story; `None` if there is none.
fn moved(changed: &ChangedStory, news: &News) -> anyhow::Result<Option<FollowNews>> {
    let story = &changed.story;
    let loud = news_of(changed, news);
    let loud = loud.iter().filter(|(_, item)| !item.is_sample).count();
    let before = match &changed.before {
        Some(before) => Some(stories::unpack_story(before)?),
        None => None,
    };
    let is_moved = before
        .as_ref()
        .is_some_and(|before| before.state != story.state);
    if loud == 0 && !is_moved {
        return Ok(None);
    }
    let steps = match &before {
        Some(before) => new_steps(before, story),
        None => vec![story::standing(story)],
    };
    Ok(Some(FollowNews {
        line: story::line(story, String::new(), mark(&story.id, story.last_at)),
        mails: if steps.is_empty() { loud } else { 0 },
        steps,
    }))
}

/// The steps of a story that it did not have before, in words, oldest first. Machines' verdicts are no news.
fn new_steps(before: &Story, story: &Story) -> Vec<String> {
    let known: HashSet<_> = before.events.iter().map(key).collect();
    let version = |story: &Story| story.revisions.last().map_or(0, |newest| newest.version);
    let is_revised = version(before) < version(story);
    // The version says more than the step.
    let is_told = |event: &&Event| !(is_revised && event.state == Step::Revised);
    let mut seen = HashSet::new();
    let events = story.events.iter();
    let mut steps: Vec<String> = events
        .filter(|event| !event.state.is_of_machine() && !known.contains(&key(event)))
        .filter(is_told)
        .map(|event| event_words(story, event))
        .filter(|words| seen.insert(words.clone()))
        .collect();
    if is_revised {
        steps.push(format!("v{}", version(story)));
    }
    if steps.is_empty() && before.state != story.state {
        steps.push(story::standing(story));
    }
    steps
}

/// The identity of an event.
fn key(event: &Event) -> (Step, &str) {
    (event.state, &event.source)
}

/// News with later ones of the same story.
fn joined(mut before: FollowNews, later: &FollowNews) -> FollowNews {
    before.line = later.line.clone();
    before.mails += later.mails;
    for step in &later.steps {
        if !before.steps.contains(step) {
            before.steps.push(step.clone());
        }
    }
    let over = before.steps.len().saturating_sub(2 * STEPS_MAX);
    before.steps.drain(..over);
    before
}

/// The line of a story in a message: the step, and the story.
fn line(news: &FollowNews) -> Line {
    let first = news.steps.len().saturating_sub(STEPS_MAX);
    let mut words = news.steps[first..].to_vec();
    match news.mails {
        0 => {}
        1 => words.push("a new mail".to_owned()),
        many => words.push(format!("{many} new mails")),
    }
    Line {
        what: words.join(", "),
        ..news.line.clone()
    }
}

/// When the next message to a person is due.
pub(crate) async fn next_news_at(
    store: &Store,
    config: FollowConfig,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let due = due(store, config).await?.into_iter().map(|(_, at)| at);
    Ok(due.min().and_then(|at| DateTime::from_timestamp(at, 0)))
}

async fn due(store: &Store, config: FollowConfig) -> anyhow::Result<Vec<(i64, i64)>> {
    follows::due_messages(store.read(), GATHER.num_seconds(), config.hourly_max).await
}

/// Queues the messages that are due, each in a transaction of its own.
pub(crate) async fn send_news(
    store: &Store,
    config: FollowConfig,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for (recipient, at) in due(store, config).await? {
        if at <= now.timestamp() {
            let mut tx = store.write().await?;
            queue_news(&mut tx, recipient, now).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Makes one message of the news for a person. If every follow that saw them asks for that, it goes into the thread of the newest
/// story's post.
async fn queue_news(tx: &mut Tx, recipient: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut news = one_of_each_story(follows::take_news(tx, recipient).await?);
    if news.is_empty() {
        return Ok(());
    }
    let mut post = None;
    if news.iter().all(|news| news.way == FollowWay::Thread) {
        for place in (0..news.len()).rev() {
            post = follows::post_for(tx, recipient, news[place].item).await?;
            if post.is_some() {
                // The story of the thread comes first.
                news[..=place].rotate_right(1);
                break;
            }
        }
    }
    let content = message(&news);
    let platform = follows::platform_of(tx, recipient).await?;
    let channel = recipients::personal_channel(tx, &platform, now).await?;
    let new = NewMessage {
        channel: channel.id,
        recipient,
        content: &content,
        room: post.as_ref().map(|(_, room)| room.as_str()),
        post: post.as_ref().map(|(post, _)| *post),
        due_at: now,
    };
    recipients::queue_message(tx, &new).await?;
    Ok(())
}

/// Stories may have become one since their news were kept.
fn one_of_each_story(news: Vec<WaitingNews>) -> Vec<WaitingNews> {
    let mut kept: Vec<WaitingNews> = Vec::new();
    let mut places: HashMap<i64, usize> = HashMap::new();
    for news in news {
        let known = news.story.and_then(|story| places.get(&story).copied());
        match known {
            Some(place) => {
                let before = &mut kept[place];
                before.news = joined(before.news.clone(), &news.news);
            }
            None => {
                if let Some(story) = news.story {
                    places.insert(story, kept.len());
                }
                kept.push(news);
            }
        }
    }
    kept
}

fn message(news: &[WaitingNews]) -> Content {
    let mut lines: Vec<Line> = news
        .iter()
        .take(LINES_MAX)
        .map(|news| line(&news.news))
        .collect();
    if news.len() > LINES_MAX {
        lines.push(Line {
            what: format!("and {} more", news.len() - LINES_MAX),
            title: "A narrower follow shows all".to_owned(),
            ..Line::default()
        });
    }
    Content::Digest(Digest {
        title: "News of what you follow".to_owned(),
        lines,
        // Random, as a list's.
        mark: format!("f{:x}", fastrand::u64(..)),
    })
}

//! Finding a story by an id, a Message-ID, a link or a hash.

use url::Url;

use super::questions::{match_some, match_words, stories_near_key, story_by_id, story_of_item};
use super::shown::{is_retracted, search_stories, story_of_link};
use crate::item::trailer::{commit_in_link, linked_mails};
use crate::item::{ItemKey, ItemKind, MessageId};
use crate::store::Readers;
use crate::story::{Story, key};

/// The most stories offered if a name is ambiguous.
const NEAR_MAX: i64 = 8;

/// The result of looking up a story by name.
#[derive(Debug)]
pub enum StoryLookup {
    Found(NamedStory),
    /// A maintainer retracted it.
    Retracted,
    Nothing,
}

/// The stories that a name may mean.
#[derive(Debug)]
pub enum NamedStory {
    One(Box<Story>),
    /// Several stories with all the words.
    Several(Vec<Story>),
    /// No story with all the words; these have some of them.
    Near(Vec<Story>),
}

/// Looks up a story by its id, a Message-ID, a link, a hash, or words of its title.
pub async fn look_up_story(
    readers: &Readers,
    name: &str,
    today: i64,
) -> anyhow::Result<StoryLookup> {
    let one = |story| Ok(StoryLookup::Found(NamedStory::One(Box::new(story))));
    if let Some(story) = find_story(readers, name, today).await? {
        return match is_retracted(readers, &story.id).await? {
            true => Ok(StoryLookup::Retracted),
            false => one(story),
        };
    }
    let words = match_words(name);
    let mut near = match words.is_empty() {
        true => Vec::new(),
        false => search_stories(readers, &words, today, NEAR_MAX).await?,
    };
    let is_called_so = |story: &Story| story.title.eq_ignore_ascii_case(name.trim());
    if near.len() == 1 || near.iter().filter(|story| is_called_so(story)).count() == 1 {
        let place = near.iter().position(is_called_so).unwrap_or(0);
        return one(near.swap_remove(place));
    }
    if !near.is_empty() {
        return Ok(StoryLookup::Found(NamedStory::Several(near)));
    }
    let some = match_some(name);
    if !some.is_empty() {
        near = search_stories(readers, &some, today, NEAR_MAX).await?;
    }
    match near.is_empty() {
        true => Ok(StoryLookup::Nothing),
        false => Ok(StoryLookup::Found(NamedStory::Near(near))),
    }
}

/// Finds a story by its id, a Message-ID, a link or a commit's hash.
pub async fn find_story(
    readers: &Readers,
    name: &str,
    today: i64,
) -> anyhow::Result<Option<Story>> {
    let name = name.trim();
    if let Some(story) = story_by_id(readers, name, today).await? {
        return Ok(Some(story));
    }
    let linked = linked_mails(name).into_iter().next();
    let mail = linked.or_else(|| MessageId::parse(name).filter(|id| id.as_str().contains('@')));
    if let Some(id) = mail {
        let digest = ItemKey::message(&id).digest();
        return story_of_item(readers, ItemKind::Message, &digest, today).await;
    }
    let hash = commit_in_link(name).unwrap_or(name).to_ascii_lowercase();
    if let Some(key) = key::commit(&hash).filter(|_| hash.bytes().all(|b| b.is_ascii_hexdigit())) {
        let near = stories_near_key(readers, key, today).await?;
        return Ok(near.into_iter().find(|story| {
            let mut commits = story.commits.iter();
            commits.any(|commit| commit.starts_with(&hash) || hash.starts_with(commit.as_str()))
        }));
    }
    match Url::parse(name) {
        Ok(link) if matches!(link.scheme(), "http" | "https") => {
            story_of_link(readers, &link, today).await
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

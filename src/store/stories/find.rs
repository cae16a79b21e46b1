//! Finding a story by an id, a Message-ID, a link or a hash.

use url::Url;

use super::questions::{stories_near_key, story_by_id, story_of_item};
use super::shown::story_of_link;
use crate::item::trailer::{commit_in_link, linked_mails};
use crate::item::{ItemKey, ItemKind, MessageId};
use crate::store::Readers;
use crate::story::{Story, key};

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

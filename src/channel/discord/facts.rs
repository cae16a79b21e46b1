//! Facts about a channel: its kind, its server, a forum's tags.

use std::collections::HashMap;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::tags::Tag;
use super::{Discord, check_channel, id_of, senseless};
use crate::channel::SendError;

/// How long a channel's tags are cached.
const FACTS_LAST: Duration = Duration::from_mins(10);
/// Discord's types for channels that hold threads only: forums and media channels.
const FORUMS: [u64; 2] = [15, 16];
/// Discord's types for threads.
const THREADS: [u64; 3] = [10, 11, 12];
/// Discord's type for the channel of direct messages to one person.
const DIRECT: u64 = 1;
/// Discord's types for channels whose messages can have threads: text and announcements.
const WITH_THREADS: [u64; 2] = [0, 5];
/// Discord's flag of a forum that requires a tag on every post.
const WANTS_TAG: u64 = 1 << 4;

/// Facts about a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Without `#`.
    pub name: String,
    /// Discord's channel type: 0 a text channel, 5 announcements, 15 a forum.
    pub kind: u64,
    /// The server's id.
    pub guild: Option<String>,
    /// The tags of a forum that the bot may set.
    pub tags: Vec<Tag>,
    /// Whether every post of the forum must have a tag.
    pub wants_tag: bool,
}

impl ChannelFacts {
    /// Whether every post there is a thread of its own.
    pub fn is_forum(&self) -> bool {
        FORUMS.contains(&self.kind)
    }

    /// The channel of direct messages to one person.
    pub(super) fn direct() -> Self {
        Self {
            name: String::new(),
            kind: DIRECT,
            guild: None,
            tags: Vec::new(),
            wants_tag: false,
        }
    }

    pub(super) fn is_direct(&self) -> bool {
        self.kind == DIRECT
    }

    pub(super) fn is_thread(&self) -> bool {
        THREADS.contains(&self.kind)
    }

    /// Whether messages there can have threads.
    pub(super) fn has_threads(&self) -> bool {
        WITH_THREADS.contains(&self.kind)
    }
}

impl Discord {
    /// Reads a channel.
    ///
    /// # Errors
    ///
    /// Returns an error if it does not exist or the bot does not see it.
    pub async fn look(&self, address: &str) -> Result<ChannelFacts, SendError> {
        check_channel(address)?;
        let channel = self
            .read("/channels/{}", address, format!("/channels/{address}"))
            .await?;
        let text = |name: &str| channel[name].as_str().map(str::to_owned);
        let facts = ChannelFacts {
            name: text("name").unwrap_or_default(),
            kind: channel["type"].as_u64().ok_or_else(senseless)?,
            guild: text("guild_id"),
            tags: tags_in(&channel),
            wants_tag: channel["flags"].as_u64().unwrap_or_default() & WANTS_TAG != 0,
        };
        let now = Instant::now();
        self.channels()
            .insert(address.to_owned(), (now, facts.clone()));
        Ok(facts)
    }

    pub(super) fn channels(&self) -> MutexGuard<'_, HashMap<String, (Instant, ChannelFacts)>> {
        self.channels.lock().expect("no holder of the cache panics")
    }

    pub(super) async fn facts(&self, address: &str) -> Result<ChannelFacts, SendError> {
        let known = self.channels().get(address).cloned();
        match known {
            Some((_, facts)) => Ok(facts),
            None => self.look(address).await,
        }
    }

    /// The facts, read again if they are too old to trust the tags.
    pub(super) async fn fresh_facts(&self, address: &str) -> Result<ChannelFacts, SendError> {
        let known = self.channels().get(address).cloned();
        match known {
            Some((at, facts)) if at.elapsed() < FACTS_LAST => Ok(facts),
            _ => self.look(address).await,
        }
    }
}

/// A forum's tags, without those that only moderators may set.
fn tags_in(channel: &Value) -> Vec<Tag> {
    let tags = channel["available_tags"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let tags = tags.iter().filter(|tag| tag["moderated"] != true);
    let tag = |tag: &Value| {
        Some(Tag {
            id: id_of(tag).ok()?,
            name: tag["name"].as_str()?.to_owned(),
        })
    };
    tags.filter_map(tag).collect()
}

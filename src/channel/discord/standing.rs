//! Lists the bot's messages in a channel, after the database was restored from a backup.

use std::time::Duration;

use serde_json::Value;

use super::render::marks;
use super::{Discord, check_channel, check_id, id_of, senseless};
use crate::channel::{PostedMessage, Receipt, Scope, SendError};

/// Discord's limit for messages in one response.
const PAGE: usize = 100;
/// The most pages read of one channel or thread: more than a year of a busy channel.
const PAGES_MAX: usize = 2_000;
/// Attempts to read a page; Discord names the waits in between.
const TRIES_MAX: usize = 20;
/// The epoch of Discord's ids, in unix milliseconds.
const EPOCH_MS: i64 = 1_420_070_400_000;

impl Discord {
    pub(super) async fn standing_in(
        &self,
        address: &str,
        since: i64,
    ) -> Result<Vec<PostedMessage>, SendError> {
        check_channel(address)?;
        let me = self.me().await?;
        let since = id_at(since);
        let mut found = Vec::new();
        let facts = self.facts(address).await?;
        if !facts.is_forum() {
            self.read_room(address, None, &me, &since, &mut found)
                .await?;
            if found.is_empty() {
                self.check_readable(address).await?;
            }
        }
        // Neither has threads below it.
        if facts.is_thread() || facts.is_direct() {
            return Ok(found);
        }
        // Replies to a post may be in its own thread.
        for thread in self.threads(address, &since).await? {
            self.read_room(&thread, Some(&thread), &me, &since, &mut found)
                .await?;
        }
        Ok(found)
    }

    /// Reads the bot's messages after an id, the oldest first.
    async fn read_room(
        &self,
        room: &str,
        thread: Option<&str>,
        me: &str,
        since: &str,
        found: &mut Vec<PostedMessage>,
    ) -> Result<(), SendError> {
        let mut after = since.to_owned();
        for _ in 0..PAGES_MAX {
            let path = format!("/channels/{room}/messages?limit={PAGE}&after={after}");
            let page = self
                .read_in_time("/channels/{}/messages", room, path)
                .await?;
            let page = page.as_array().ok_or_else(senseless)?;
            for message in page {
                let id = id_of(message)?;
                if (id.len(), &id) > (after.len(), &after) {
                    after.clone_from(&id);
                }
                if message["author"]["id"] != me {
                    continue;
                }
                let embeds = message["embeds"].as_array().map_or(&[][..], Vec::as_slice);
                found.extend(embeds.iter().filter_map(|embed| {
                    let (mark, lists) = marks(embed["footer"]["text"].as_str()?)?;
                    Some(PostedMessage {
                        mark,
                        receipt: Receipt {
                            message: id.clone(),
                            thread: thread.map(str::to_owned),
                        },
                        title: embed["title"].as_str().unwrap_or_default().to_owned(),
                        lists,
                    })
                }));
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
        Err(too_much(room))
    }

    /// Without Read Message History, Discord returns an empty list. Reading the latest message shows the difference.
    async fn check_readable(&self, address: &str) -> Result<(), SendError> {
        let path = format!("/channels/{address}");
        let channel = self.read_in_time("/channels/{}", address, path).await?;
        let Some(latest) = channel["last_message_id"].as_str() else {
            return Ok(());
        };
        check_id(latest)?;
        let path = format!("/channels/{address}/messages/{latest}");
        match self
            .read_in_time("/channels/{}/messages/{}", address, path)
            .await
        {
            // Somebody deleted it.
            Err(SendError::Never {
                scope: Scope::Delivery,
                ..
            }) => Ok(()),
            read => read.map(|_| ()),
        }
    }

    /// The threads with a message after an id, archived ones included.
    async fn threads(&self, forum: &str, since: &str) -> Result<Vec<String>, SendError> {
        let guild = self.facts(forum).await?.guild.ok_or_else(senseless)?;
        check_id(&guild)?;
        let path = format!("/guilds/{guild}/threads/active");
        let active = self
            .read_in_time("/guilds/{}/threads/active", &guild, path)
            .await?;
        let mut threads = Vec::new();
        let moved = |thread: &Value| {
            let latest = thread["last_message_id"].as_str().or(thread["id"].as_str());
            latest.is_some_and(|latest| (latest.len(), latest) >= (since.len(), since))
        };
        let mut take = |page: &Value| -> Result<bool, SendError> {
            let page = page["threads"].as_array().ok_or_else(senseless)?;
            let here = page.iter().filter(|thread| thread["parent_id"] == forum);
            let before = threads.len();
            for thread in here.filter(|thread| moved(thread)) {
                threads.push(id_of(thread)?);
            }
            Ok(threads.len() > before)
        };
        take(&active)?;
        let mut before = String::new();
        for _ in 0..PAGES_MAX {
            let path = format!("/channels/{forum}/threads/archived/public?limit={PAGE}{before}");
            let route = "/channels/{}/threads/archived/public";
            let archived = self.read_in_time(route, forum, path).await?;
            // Sorted by the time of archiving, which is never before the last message.
            let goes_on = take(&archived)? && archived["has_more"] == true;
            let last = archived["threads"].as_array().and_then(|page| page.last());
            let at = last.and_then(|last| last["thread_metadata"]["archive_timestamp"].as_str());
            match at.filter(|_| goes_on) {
                Some(at) => before = format!("&before={}", at.replace('+', "%2B")),
                None => return Ok(threads),
            }
        }
        Err(too_much(forum))
    }

    /// Reads a page and waits if Discord asks for it, so that the pages before need not be read again.
    async fn read_in_time(
        &self,
        route: &'static str,
        major: &str,
        path: String,
    ) -> Result<Value, SendError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.read(route, major, path.clone()).await {
                Err(SendError::Later { after, .. }) if tries < TRIES_MAX => {
                    tokio::time::sleep(after.max(Duration::from_millis(100))).await;
                }
                read => return read,
            }
        }
    }
}

/// The smallest id of a given time (unix seconds).
fn id_at(seconds: i64) -> String {
    let ms = seconds.saturating_mul(1000).saturating_sub(EPOCH_MS).max(0);
    (ms.min(i64::MAX >> 22) << 22).to_string()
}

fn too_much(room: &str) -> SendError {
    SendError::Never {
        scope: Scope::Channel,
        why: format!("{room} has too many messages since the backup to read them all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footers_name_marks() {
        for (footer, mark, lists) in [
            (
                "series · bpf, stories a b · 5tab1e0001",
                "5tab1e0001",
                vec![],
            ),
            ("5tab1e0001", "5tab1e0001", vec![]),
            ("stories a b · d1", "d1", vec!["a", "b"]),
            ("stories a", "stories a", vec![]),
        ] {
            let lists = lists.into_iter().map(str::to_owned).collect();
            assert_eq!(marks(footer), Some((mark.to_owned(), lists)), "{footer}");
        }
        assert_eq!(marks(""), None);
    }

    #[test]
    fn ids_contain_times() {
        // Discord's own example: 175928847299117063 was made on 30 April 2016, 11:18:25.796 UTC.
        let id = id_at(1_462_015_105);
        assert!(id.as_str() < "175928847299117063" && id.len() == 18, "{id}");
        assert!(id_at(1_462_015_106).as_str() > "175928847299117063");
        assert_eq!(id_at(0), "0");
    }
}

//! Finds a message of an earlier attempt, also among messages that an earlier device encrypted.

use futures_util::future::FutureExt as _;
use matrix_sdk::Room;
use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::{OwnedEventId, uint};
use serde_json::Value;

use super::failure::{broken, from_sdk};
use super::{Matrix, render};
use crate::channel::{Receipt, Scope, SendError};

/// Pages searched, a hundred events each.
const PAGES_LOOKED_AT: usize = 20;
/// Seconds during which an unreadable message may be the one searched for.
const DOUBT_LASTS_S: i64 = 24 * 60 * 60;

impl Matrix {
    /// Finds the bot's message with this mark. If some of its messages cannot be decrypted, fetches keys from the
    /// backup and searches again.
    pub(super) async fn find_in(
        &self,
        room: &Room,
        mark: &str,
    ) -> Result<Option<Receipt>, SendError> {
        let look = async || {
            let looked = self.look_through(room, mark).await;
            looked.map_err(SendError::as_failed_look)
        };
        let looked = look().await?;
        if looked.found.is_some() || !looked.is_in_doubt {
            return Ok(looked.found);
        }
        let has_keys = self.fetch_keys(room).await?;
        look().await?.decide(has_keys)
    }

    /// Fetches the room's keys from the backup. Returns whether there is a backup that this device may read.
    pub(super) async fn fetch_keys(&self, room: &Room) -> Result<bool, SendError> {
        let backups = self.session().await?.client.encryption().backups();
        if !backups.are_enabled().await {
            return Ok(false);
        }
        let keys = backups.download_room_keys_for_room(room.room_id()).boxed();
        keys.await.map_err(|error| {
            broken(&format!("the keys of older messages: {error}")).before_sending()
        })?;
        Ok(true)
    }

    async fn look_through(&self, room: &Room, mark: &str) -> Result<SearchResult, SendError> {
        let me = &self.session().await?.client;
        let me = me.user_id().ok_or_else(|| broken("there is no session"))?;
        let since_ms = ((self.settings.now)() - DOUBT_LASTS_S) * 1000;
        let mut result = SearchResult::default();
        let mut from = None;
        for _ in 0..PAGES_LOOKED_AT {
            let mut options = MessagesOptions::backward();
            options.from = from;
            options.limit = uint!(100);
            let page = room.messages(options).await.map_err(from_sdk)?;
            for event in &page.chunk {
                match EventMatch::of(event, me.as_str(), mark) {
                    EventMatch::It(message) => {
                        result.found = Some(Receipt {
                            message: message.to_string(),
                            thread: None,
                        });
                        return Ok(result);
                    }
                    EventMatch::Sealed { at_ms } => result.is_in_doubt |= at_ms > since_ms,
                    EventMatch::Other => {}
                }
            }
            match page.end {
                Some(end) if !page.chunk.is_empty() => from = Some(end),
                _ => break,
            }
        }
        Ok(result)
    }
}

/// The result of a search.
#[derive(Debug, Default)]
struct SearchResult {
    found: Option<Receipt>,
    /// Whether some of the bot's messages could not be decrypted.
    is_in_doubt: bool,
}

impl SearchResult {
    /// The answer after the keys in the backup were fetched, if there is a backup.
    fn decide(self, has_keys: bool) -> Result<Option<Receipt>, SendError> {
        match (self.found, self.is_in_doubt, has_keys) {
            (Some(found), _, _) => Ok(Some(found)),
            (None, false, _) => Ok(None),
            // No more keys exist. The room continues, and a person decides about this message.
            (None, true, true) => Err(SendError::Never {
                scope: Scope::Delivery,
                why: "it is unknown whether this was sent: some of the bot's messages there cannot be decrypted, and their \
                      keys are lost. Look into the room before a retry."
                    .to_owned(),
            }),
            (None, true, false) => Err(SendError::Never {
                scope: Scope::Channel,
                why: "it is unknown whether a post was sent, because a lost device encrypted the messages there. \
                      `bpfnews matrix recover` makes them readable. Without it, posts older than a day are sent again."
                    .to_owned(),
            }),
        }
    }
}

/// How an event relates to the searched message.
enum EventMatch {
    /// The message with the mark; edits of it do not count.
    It(OwnedEventId),
    /// A message of the bot that this device cannot decrypt.
    Sealed {
        /// The time of sending, unix milliseconds.
        at_ms: i64,
    },
    Other,
}

impl EventMatch {
    fn of(event: &TimelineEvent, me: &str, mark: &str) -> Self {
        let raw: Result<Value, _> = event.raw().deserialize_as_unchecked();
        let Some(raw) = raw.ok().filter(|raw| raw["sender"] == me) else {
            return Self::Other;
        };
        let content = &raw["content"];
        if content["m.relates_to"]["rel_type"] == "m.replace" {
            return Self::Other;
        }
        if raw["type"] == "m.room.encrypted" && content["ciphertext"].is_string() {
            let at_ms = raw["origin_server_ts"].as_i64().unwrap_or_default();
            return Self::Sealed { at_ms };
        }
        let is_it = content[render::MARK] == mark;
        match event.event_id().filter(|_| is_it) {
            Some(id) => Self::It(id),
            None => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(found: Option<&str>, is_in_doubt: bool) -> SearchResult {
        let receipt = |message: &str| Receipt {
            message: message.to_owned(),
            thread: None,
        };
        SearchResult {
            found: found.map(receipt),
            is_in_doubt,
        }
    }

    /// One event whose key is nowhere sets one delivery aside. It pauses the room only while a key can still be given.
    #[test]
    fn an_event_that_cannot_be_read_shuts_the_room_only_where_recover_helps() {
        let scope = |looked: SearchResult, has_keys| match looked.decide(has_keys) {
            Ok(found) => Ok(found.map(|receipt| receipt.message)),
            Err(SendError::Never { scope, .. }) => Err(scope),
            Err(other) => panic!("{other:?}"),
        };
        for has_keys in [true, false] {
            let found = scope(looked(Some("$1"), true), has_keys);
            assert_eq!(found, Ok(Some("$1".to_owned())));
            assert_eq!(scope(looked(None, false), has_keys), Ok(None));
        }
        assert_eq!(scope(looked(None, true), true), Err(Scope::Delivery));
        assert_eq!(scope(looked(None, true), false), Err(Scope::Channel));
    }
}

//! Looking for a message of ours that an earlier attempt may have sent, also among what an earlier device encrypted.

use futures_util::future::FutureExt as _;
use matrix_sdk::Room;
use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::{OwnedEventId, uint};
use serde_json::Value;

use super::failure::{broken, from_sdk};
use super::{Matrix, render};
use crate::channel::{Receipt, Scope, SendError};

/// How often a room is asked for older messages when one of ours is looked for, a hundred at a time.
const PAGES_LOOKED_AT: usize = 20;
/// How long what this device cannot read may be what is looked for.
const DOUBT_LASTS_S: i64 = 24 * 60 * 60;

impl Matrix {
    /// Looks for a message of ours by its mark. Where some of ours cannot be read, the keys in the backup are fetched, and
    /// the room is looked through again.
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

    /// Fetches the keys of a room's messages that earlier devices put into the backup. Gives whether there is a backup that
    /// this device may read.
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

    async fn look_through(&self, room: &Room, mark: &str) -> Result<Looked, SendError> {
        let me = &self.session().await?.client;
        let me = me.user_id().ok_or_else(|| broken("there is no session"))?;
        let since_ms = ((self.settings.now)() - DOUBT_LASTS_S) * 1000;
        let mut looked = Looked::default();
        let mut from = None;
        for _ in 0..PAGES_LOOKED_AT {
            let mut options = MessagesOptions::backward();
            options.from = from;
            options.limit = uint!(100);
            let page = room.messages(options).await.map_err(from_sdk)?;
            for event in &page.chunk {
                match Seen::of(event, me.as_str(), mark) {
                    Seen::It(message) => {
                        looked.found = Some(Receipt {
                            message: message.to_string(),
                            thread: None,
                        });
                        return Ok(looked);
                    }
                    Seen::Sealed { at_ms } => looked.is_in_doubt |= at_ms > since_ms,
                    Seen::Other => {}
                }
            }
            match page.end {
                Some(end) if !page.chunk.is_empty() => from = Some(end),
                _ => break,
            }
        }
        Ok(looked)
    }
}

/// What came of looking through a room.
#[derive(Debug, Default)]
struct Looked {
    found: Option<Receipt>,
    /// Whether some of our messages could not be read.
    is_in_doubt: bool,
}

impl Looked {
    /// The answer after the keys in the backup were fetched, if there is a backup.
    fn decide(self, has_keys: bool) -> Result<Option<Receipt>, SendError> {
        match (self.found, self.is_in_doubt, has_keys) {
            (Some(found), _, _) => Ok(Some(found)),
            (None, false, _) => Ok(None),
            // There are no more keys to be had: the room goes on, and a person decides about this one message.
            (None, true, true) => Err(SendError::Never {
                scope: Scope::Delivery,
                why: "whether it was sent cannot be told: some of the bot's messages there cannot be decrypted, and their \
                      keys are nowhere. Look in the room before it is tried again."
                    .to_owned(),
            }),
            (None, true, false) => Err(SendError::Never {
                scope: Scope::Channel,
                why: "whether a post was sent cannot be told: a device that is lost encrypted what stands there. \
                      `bpfnews matrix recover` makes it readable; what is older than a day is sent again."
                    .to_owned(),
            }),
        }
    }
}

/// What an event of a room is to somebody who looks for a message of ours.
enum Seen {
    /// The message with the mark; an edit of it is not.
    It(OwnedEventId),
    /// Ours, and this device cannot read it.
    Sealed {
        /// When it was sent, unix milliseconds.
        at_ms: i64,
    },
    /// Something else.
    Other,
}

impl Seen {
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

    fn looked(found: Option<&str>, is_in_doubt: bool) -> Looked {
        let receipt = |message: &str| Receipt {
            message: message.to_owned(),
            thread: None,
        };
        Looked {
            found: found.map(receipt),
            is_in_doubt,
        }
    }

    /// One event whose key is nowhere sets one delivery aside. It pauses the room only while a key can still be given.
    #[test]
    fn an_event_that_cannot_be_read_shuts_the_room_only_where_recover_helps() {
        let scope = |looked: Looked, has_keys| match looked.decide(has_keys) {
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

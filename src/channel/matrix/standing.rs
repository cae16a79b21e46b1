//! Lists the bot's messages in a room, after the database was restored from a backup.

use std::collections::HashMap;

use matrix_sdk::Room;
use matrix_sdk::deserialized_responses::TimelineEvent;
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::uint;
use serde_json::Value;
use tracing::warn;

use super::failure::{broken, from_sdk};
use super::{Matrix, render};
use crate::channel::{PostedMessage, Receipt, Scope, SendError};

/// The most pages read, a hundred events each.
const PAGES_MAX: usize = 2_000;

impl Matrix {
    pub(super) async fn standing_in(
        &self,
        room: &Room,
        since: i64,
    ) -> Result<Vec<PostedMessage>, SendError> {
        let client = &self.session().await?.client;
        // The keys from the backup also open messages of earlier devices.
        let has_keys = room.encryption_state().is_encrypted() && self.fetch_keys(room).await?;
        let me = client
            .user_id()
            .ok_or_else(|| broken("there is no session"))?;
        let mut found = RoomMessages::default();
        let (mut from, mut sealed) = (None, 0_u32);
        for _ in 0..PAGES_MAX {
            let mut options = MessagesOptions::backward();
            options.from = from;
            options.limit = uint!(100);
            let page = room.messages(options).await.map_err(from_sdk)?;
            let mut is_older = false;
            for event in &page.chunk {
                let raw: Value = event
                    .raw()
                    .deserialize_as_unchecked()
                    .map_err(|error| broken(&format!("an event that makes no sense: {error}")))?;
                is_older |= raw["origin_server_ts"].as_i64().unwrap_or(i64::MAX) / 1000 < since;
                // A redacted message needs no keys.
                let is_redacted = !raw["unsigned"]["redacted_because"].is_null();
                if raw["sender"] == me.as_str() && !is_redacted {
                    match is_sealed(event, &raw) {
                        true => sealed += 1,
                        false => found.take(&raw),
                    }
                }
            }
            match page.end {
                Some(end) if !is_older => from = Some(end),
                _ => return check_sealed(room, sealed, has_keys).map(|()| found.standing()),
            }
        }
        Err(SendError::Never {
            scope: Scope::Channel,
            why: "the room has too many events since the backup to read them all".to_owned(),
        })
    }
}

/// Whether an event is an unreadable message of the bot. An unreadable edit does not matter: its message stands.
fn is_sealed(event: &TimelineEvent, raw: &Value) -> bool {
    event.kind.is_utd() && raw["content"]["m.relates_to"]["rel_type"] != "m.replace"
}

/// Decides about unreadable messages, any of which may be a post. If the keys of the backup do not help, nothing will:
/// the room continues, at the risk of posting those messages again.
fn check_sealed(room: &Room, sealed: u32, has_keys: bool) -> Result<(), SendError> {
    match (sealed, has_keys) {
        (0, _) => Ok(()),
        (many, true) => {
            warn!(
                "Matrix: {many} of the bot's messages in {} cannot be decrypted, and their keys are lost; those posts may be \
                 sent again",
                room.room_id()
            );
            Ok(())
        }
        (_, false) => Err(SendError::Never {
            scope: Scope::Channel,
            why: "the bot's messages there cannot be decrypted, so it is unknown which posts exist: give the recovery \
                  key (bpfnews matrix recover) and restart bpfnews, or post to a new room"
                .to_owned(),
        }),
    }
}

/// Messages and their edits, the newest first, as the server returns them.
#[derive(Debug, Default)]
struct RoomMessages {
    /// The content of each message's latest edit.
    edits: HashMap<String, Value>,
    messages: Vec<(String, Value)>,
}

impl RoomMessages {
    fn take(&mut self, event: &Value) {
        let content = &event["content"];
        let Some(id) = event["event_id"].as_str() else {
            return;
        };
        let relation = &content["m.relates_to"];
        if relation["rel_type"] == "m.replace" {
            if let Some(of) = relation["event_id"].as_str() {
                let new = &content["m.new_content"];
                self.edits
                    .entry(of.to_owned())
                    .or_insert_with(|| new.clone());
            }
        } else if content[render::MARK].is_string() {
            self.messages.push((id.to_owned(), content.clone()));
        }
    }

    /// Lists each message under its first mark and under that of its latest edit, because a story's id can change. The
    /// original of an edit may be older than the events read.
    fn standing(mut self) -> Vec<PostedMessage> {
        let mut all = Vec::new();
        for (id, content) in &self.messages {
            all.extend(of(id, content));
            if let Some(edit) = self.edits.remove(id) {
                let mut edited = of(id, &edit);
                edited.retain(|edited| !all.iter().any(|known| known.mark == edited.mark));
                all.extend(edited);
            }
        }
        for (id, edit) in &self.edits {
            all.extend(of(id, edit));
        }
        all
    }
}

fn of(id: &str, content: &Value) -> Vec<PostedMessage> {
    let Some(mark) = content[render::MARK].as_str() else {
        return Vec::new();
    };
    let list = &content[render::LIST];
    let stories = list["stories"].as_array().map_or(&[][..], Vec::as_slice);
    vec![PostedMessage {
        mark: mark.to_owned(),
        receipt: Receipt {
            message: id.to_owned(),
            thread: None,
        },
        title: list["title"].as_str().unwrap_or_default().to_owned(),
        lists: stories
            .iter()
            .filter_map(|story| story.as_str().map(str::to_owned))
            .collect(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_stands_under_its_first_mark_and_its_latest() {
        let mut found = RoomMessages::default();
        let edit = |mark: &str| {
            json!({"event_id": "$e", "content": {"m.relates_to": {"rel_type": "m.replace", "event_id": "$1"},
                   "m.new_content": {"bpfnews.mark": mark}}})
        };
        found.take(&edit("c"));
        found.take(&edit("b"));
        found.take(&json!({"event_id": "$1", "content": {"bpfnews.mark": "a"}}));
        found.take(
            &json!({"event_id": "$2", "content": {"bpfnews.mark": "d1", "bpfnews.list":
                           {"title": "News", "stories": ["x", "y"]}}}),
        );
        found.take(&json!({"event_id": "$3", "content": {"body": "a word of somebody's"}}));
        let standing = found.standing();
        let marks: Vec<(&str, &str)> = standing
            .iter()
            .map(|found| (found.mark.as_str(), found.receipt.message.as_str()))
            .collect();
        assert_eq!(marks, [("a", "$1"), ("c", "$1"), ("d1", "$2")]);
        assert_eq!(standing[2].lists, ["x", "y"]);
    }
}

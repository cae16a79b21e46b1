//! Rooms for direct messages. The bot finds its rooms by a state event of its own, so a room that was created before a crash
//! is used again.

use futures_util::future::FutureExt as _;
use matrix_sdk::ruma::api::client::room::create_room::v3::{Request, RoomPreset};
use matrix_sdk::ruma::events::room::encryption::RoomEncryptionEventContent;
use matrix_sdk::ruma::events::room::member::MembershipState;
use matrix_sdk::ruma::events::{AnyInitialStateEvent, InitialStateEvent, StateEventType};
use matrix_sdk::ruma::serde::Raw;
use matrix_sdk::ruma::{OwnedUserId, UserId};
use matrix_sdk::{Client, Room};
use serde_json::{Value, json};

use super::Matrix;
use super::escape::escape;
use super::failure::{broken, from_sdk};
use super::session::Session;
use crate::channel::{Personal, Scope, SendError};

/// The type of the state event with the person whose room it is.
const OWNER: &str = "bpfnews.direct";

impl Matrix {
    /// Opens the room of direct messages to a person. A trusted device encrypts it; other devices' messages are refused by some
    /// clients.
    pub(super) async fn open_direct_room(&self, person: &str) -> Result<String, SendError> {
        let session = self.session().await?;
        let person = account(person)?;
        if let Some(room) = room_of(&session.client, &person).await {
            return Ok(room.room_id().to_string());
        }
        let request = request(session, &person).await?;
        let created = session.client.create_room(request).boxed().await;
        let created = created.map_err(|error| match from_sdk(error) {
            // New rooms have a limit of their own.
            SendError::Later { after, why, .. } => SendError::Later {
                after,
                scope: Scope::Delivery,
                why,
            },
            other => other,
        })?;
        // So that its members and its encryption are known.
        session.sync(std::time::Duration::ZERO).await?;
        Ok(created.room_id().to_string())
    }
}

async fn request(session: &Session, person: &UserId) -> Result<Request, SendError> {
    let owner = json!({"type": OWNER, "state_key": "", "content": {"person": person}});
    let owner: Raw<AnyInitialStateEvent> = Raw::new(&owner)
        .map_err(|error| broken(&error.to_string()))?
        .cast_unchecked();
    let mut request = Request::new();
    request.invite = vec![person.to_owned()];
    request.is_direct = true;
    request.preset = Some(RoomPreset::TrustedPrivateChat);
    request.initial_state = vec![owner];
    if session.is_trusted().await {
        let content = RoomEncryptionEventContent::with_recommended_defaults();
        let encryption = InitialStateEvent::with_empty_state_key(content);
        request.initial_state.push(encryption.to_raw_any());
    }
    Ok(request)
}

/// The room of direct messages that was created for a person, and that they did not leave.
async fn room_of(client: &Client, person: &UserId) -> Option<Room> {
    for room in client.joined_rooms() {
        let owner = room.get_state_event(StateEventType::from(OWNER), "").await;
        let Ok(Some(owner)) = owner else { continue };
        let content: Option<Value> = match owner {
            matrix_sdk::deserialized_responses::RawAnySyncOrStrippedState::Sync(raw) => {
                raw.get_field("content").ok().flatten()
            }
            matrix_sdk::deserialized_responses::RawAnySyncOrStrippedState::Stripped(_) => None,
        };
        let is_theirs = content.is_some_and(|content| content["person"] == person.as_str());
        if is_theirs && !has_left(&room, person).await {
            return Some(room);
        }
    }
    None
}

/// Checks that a person is in the room of a message to them, or may still join. Nobody else would read it.
pub(super) async fn check_person(room: &Room, person: Option<&Personal>) -> Result<(), SendError> {
    let Some(Personal::Direct(person)) = person else {
        return Ok(());
    };
    match has_left(room, &account(person)?).await {
        true => Err(SendError::Never {
            scope: Scope::Channel,
            why: "the person left the room of direct messages".to_owned(),
        }),
        false => Ok(()),
    }
}

async fn has_left(room: &Room, person: &UserId) -> bool {
    let member = room.get_member_no_sync(person).await.ok().flatten();
    member.is_some_and(|member| {
        matches!(
            member.membership(),
            MembershipState::Leave | MembershipState::Ban
        )
    })
}

/// Lets an event mention this person, and nobody else.
pub(super) fn mention(event: &mut Value, person: &str) -> Result<(), SendError> {
    let person = account(person)?;
    let plain = event["body"].as_str().unwrap_or_default();
    let html = event["formatted_body"].as_str().unwrap_or_default();
    let shown = escape(person.as_str());
    let (plain, html) = (
        format!("{person}\n{plain}"),
        format!("<p><a href=\"https://matrix.to/#/{shown}\">{shown}</a></p>{html}"),
    );
    event["body"] = plain.into();
    event["formatted_body"] = html.into();
    event["m.mentions"] = json!({"user_ids": [person]});
    Ok(())
}

fn account(person: &str) -> Result<OwnedUserId, SendError> {
    UserId::parse(person).map_err(|error| SendError::Never {
        scope: Scope::Channel,
        why: format!("that is not a Matrix account: {error}"),
    })
}

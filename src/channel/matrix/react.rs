//! Reactions that are commands: an editor's to a suggestion, and a reader's bell below a post.

use matrix_sdk::ruma::EventId;
use matrix_sdk::ruma::events::reaction::OriginalSyncReactionEvent;
use matrix_sdk::{Room, RoomState};
use serde_json::Value;
use tracing::debug;

use super::listen::{ListenContext, Question, answer, is_timely};
use super::{decision, render};
use crate::chat::{Audience, grammar};
use crate::post::is_story_id;

/// Handles a reaction: an editor's to a suggestion, or a reader's to a post.
pub(super) async fn reacted(
    listening: &ListenContext,
    room: &Room,
    event: &OriginalSyncReactionEvent,
) {
    let is_mine = event.sender == room.own_user_id();
    let Some(command) = decision::decision(&event.content.relates_to.key) else {
        return;
    };
    if is_mine || room.state() != RoomState::Joined {
        return;
    }
    if !is_timely(event.origin_server_ts, room, (listening.now)()).await {
        return;
    }
    let message = &event.content.relates_to.event_id;
    let Some(about) = reacted_to(room, message, command.audience).await else {
        return;
    };
    let call = grammar::parse(command.audience, &format!("{} {about}", command.word));
    let question = Question {
        sender: &event.sender,
        event: &event.event_id,
        root: message,
    };
    answer(listening, room, call, &question).await;
}

/// The subject of a message of the bot: for editors, the number of a suggestion; for readers, the id of a story.
async fn reacted_to(room: &Room, message: &EventId, audience: Audience) -> Option<String> {
    let told = match room.event(message, None).await {
        Ok(told) => told,
        Err(error) => {
            debug!("Matrix: the message of a reaction could not be read: {error}");
            return None;
        }
    };
    let event: Value = told.raw().deserialize_as_unchecked().ok()?;
    let is_ours = event["sender"] == room.own_user_id().as_str();
    let mark = event["content"][render::MARK].as_str()?;
    let about = match audience {
        Audience::Readers if event["content"][render::LIST].is_null() => story_in(mark),
        Audience::Readers => None,
        Audience::Editors | Audience::Maintainers => suggestion_in(mark),
    };
    about.filter(|_| is_ours).map(str::to_owned)
}

fn suggestion_in(mark: &str) -> Option<&str> {
    let number = mark.strip_prefix(decision::SUGGESTION)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(number)
}

/// The id of a story, from the mark of its post or of a line below it.
fn story_in(mark: &str) -> Option<&str> {
    let id = mark.split('-').next().unwrap_or(mark);
    is_story_id(id).then_some(id)
}

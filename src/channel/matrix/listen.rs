//! What comes from the server: invites, and commands of people. Answers go into the thread of their question.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt as _;
use matrix_sdk::event_handler::Ctx;
use matrix_sdk::ruma::events::room::member::StrippedRoomMemberEvent;
use matrix_sdk::ruma::events::room::message::{
    MessageType, OriginalSyncRoomMessageEvent, Relation,
};
use matrix_sdk::ruma::{OwnedTransactionId, UserId};
use matrix_sdk::{Client, Room, RoomState};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::failure::from_sdk;
use super::{Matrix, render, session};
use crate::channel::{Scope, SendError};
use crate::command::grammar::{self, Audience};
use crate::command::heard::{Asked, Asker, Ear};

/// What is older was asked while nobody listened; an answer now would only puzzle.
const QUESTION_AGE_MAX_S: i64 = 300;
/// How long a server that failed is left alone, at first and at most.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// What the handlers need.
#[derive(Clone)]
struct Listening {
    ear: Ear,
    inviters: Arc<[String]>,
    now: super::Now,
}

impl Matrix {
    /// Follows the server until `stop` is cancelled: joins where it may, and answers commands.
    ///
    /// # Errors
    ///
    /// When the account is refused, or its folder cannot be used.
    pub async fn listen(&self, ear: Ear, stop: &CancellationToken) -> Result<(), SendError> {
        let mut backoff = BACKOFF_MIN;
        let session = loop {
            match self.session().await {
                Ok(session) => break session,
                Err(SendError::Later { after, why, .. }) => {
                    warn!("Matrix: {why}");
                    if rests(stop, after).await {
                        return Ok(());
                    }
                }
                Err(error) => return Err(error),
            }
        };
        let listening = Listening {
            ear,
            inviters: self.settings.inviters.clone().into(),
            now: Arc::clone(&self.settings.now),
        };
        let client = &session.client;
        // No event will come for an invite of the time in which nobody listened.
        for room in client.invited_rooms() {
            if let Ok(invite) = room.invite_details().await {
                answer_invite(&room, &invite.inviter_id, &listening.inviters).await;
            }
        }
        client.add_event_handler_context(listening);
        client.add_event_handler(invited);
        client.add_event_handler(said);
        loop {
            let sync = client.sync(session::sync_settings()).boxed();
            let ended = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                ended = sync => ended,
            };
            match ended.map_err(from_sdk) {
                Ok(()) => backoff = BACKOFF_MIN,
                Err(
                    error @ SendError::Never {
                        scope: Scope::Platform,
                        ..
                    },
                ) => return Err(error),
                Err(error) => {
                    warn!("Matrix: {error}; trying again in {backoff:?}");
                    if rests(stop, backoff).await {
                        return Ok(());
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }
}

/// Waits; gives whether it was told to stop meanwhile.
async fn rests(stop: &CancellationToken, wait: Duration) -> bool {
    tokio::time::timeout(wait, stop.cancelled()).await.is_ok()
}

async fn invited(
    event: StrippedRoomMemberEvent,
    client: Client,
    room: Room,
    listening: Ctx<Listening>,
) {
    let is_me = client.user_id().is_some_and(|me| event.state_key == me);
    if is_me && room.state() == RoomState::Invited {
        // The sync loop waits for this handler; joining must not hold it.
        tokio::spawn(async move {
            answer_invite(&room, &event.sender, &listening.inviters).await;
        });
    }
}

async fn answer_invite(room: &Room, inviter: &UserId, inviters: &[String]) {
    let is_allowed = inviters
        .iter()
        .any(|allowed| match allowed.strip_prefix("*:") {
            Some(server) => inviter.server_name() == server,
            None => inviter == allowed.as_str(),
        });
    let answered = match is_allowed {
        true => room.join().await,
        false => room.leave().await,
    };
    match (answered, is_allowed) {
        (Ok(()), true) => info!("Matrix: {inviter} invited to {}; joined", room.room_id()),
        (Ok(()), false) => info!("Matrix: {inviter} may not invite; declined"),
        (Err(error), _) => warn!("Matrix: an invite to {}: {error}", room.room_id()),
    }
}

async fn said(
    event: OriginalSyncRoomMessageEvent,
    client: Client,
    room: Room,
    listening: Ctx<Listening>,
) {
    // A notice is a bot's, and an edit was answered when it was a question.
    let MessageType::Text(text) = &event.content.msgtype else {
        return;
    };
    let is_edit = matches!(event.content.relates_to, Some(Relation::Replacement(_)));
    let is_mine = client.user_id().is_some_and(|me| event.sender == me);
    let said_at = i64::from(event.origin_server_ts.as_secs());
    let age = (listening.now)() - said_at;
    if is_edit || is_mine || age > QUESTION_AGE_MAX_S || room.state() != RoomState::Joined {
        return;
    }
    let Some(command) = command_in(&text.body) else {
        return;
    };
    let call = grammar::parse(command.0, command.1);
    tokio::spawn(async move {
        let member = room.get_member_no_sync(&event.sender).await.ok().flatten();
        let by = Asker {
            platform: "matrix",
            room: room.room_id().to_string(),
            community: None,
            person: event.sender.to_string(),
            roles: Vec::new(),
            is_manager: member.is_some_and(|member| member.can_ban()),
        };
        let Some(reply) = listening.ear.answer(Asked { by, call }).await else {
            return;
        };
        let mut answer = render::event(&reply.content);
        let root = match &event.content.relates_to {
            Some(Relation::Thread(thread)) => thread.event_id.clone(),
            _ => event.event_id.clone(),
        };
        render::below(&mut answer, root.as_str());
        let key = OwnedTransactionId::from(format!("cmd-{}", event.event_id));
        let sent = room
            .send_raw("m.room.message", answer)
            .with_transaction_id(&key)
            .await;
        if let Err(error) = sent {
            debug!("Matrix: an answer could not be given: {error}");
        }
    });
}

/// Whom a command is for, and the words after its name; none where it is no command of ours.
fn command_in(text: &str) -> Option<(Audience, &str)> {
    let text = text.trim().strip_prefix(['!', '/'])?;
    let (name, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    let mut audiences = Audience::ALL.into_iter();
    let audience = audiences.find(|audience| audience.command() == name)?;
    Some((audience, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_begin_with_our_name() {
        let table = [
            ("!bpfnews latest", Some((Audience::Readers, "latest"))),
            (
                " /bpfnews  story abc ",
                Some((Audience::Readers, "story abc")),
            ),
            ("!bpfnews", Some((Audience::Readers, ""))),
            (
                "!bpfnews-admin audit",
                Some((Audience::Maintainers, "audit")),
            ),
            ("!bpfnewsletter", None),
            ("bpfnews latest", None),
            ("look: !bpfnews latest", None),
        ];
        for (text, right) in table {
            assert_eq!(command_in(text), right, "{text}");
        }
    }
}

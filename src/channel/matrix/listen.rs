//! What comes from the server: invites, and commands of people. Answers go into the thread of their question.

use std::sync::Arc;
use std::time::Duration;

use matrix_sdk::event_handler::Ctx;
use matrix_sdk::ruma::events::reaction::OriginalSyncReactionEvent;
use matrix_sdk::ruma::events::room::member::StrippedRoomMemberEvent;
use matrix_sdk::ruma::events::room::message::{
    MessageType, OriginalSyncRoomMessageEvent, Relation,
};
use matrix_sdk::ruma::{EventId, MilliSecondsSinceUnixEpoch, RoomId, UserId};
use matrix_sdk::{Client, Room, RoomState};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::send::Outlet;
use super::session::Session;
use super::{Matrix, decision, render};
use crate::channel::{Scope, SendError};
use crate::command::grammar::{self, Audience, Call, WrongCall};
use crate::command::heard::{Asked, Asker, Ear};

/// What is older was asked while nobody listened; an answer now would only puzzle.
const QUESTION_AGE_MAX_S: i64 = 300;
/// How long a server that failed is left alone, at first and at most.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// How long the server may wait for something to tell.
const SYNC_WAIT: Duration = Duration::from_secs(30);
/// The least time between two answers of a server that waits for nothing.
const SYNC_GAP: Duration = Duration::from_millis(200);
/// How often, and how long, an answer is put off before it is dropped: the person who asked has gone.
const ANSWER_TRIES_MAX: u32 = 10;
const ANSWER_WAIT_MAX: Duration = Duration::from_mins(1);

/// What the handlers need.
#[derive(Clone)]
struct Listening {
    ear: Ear,
    outlet: Arc<Outlet>,
    host: Arc<Host>,
    now: super::Now,
}

/// Whose invites are taken.
#[derive(Debug)]
struct Host {
    inviters: Vec<String>,
    rooms: Vec<String>,
}

impl Host {
    /// A room that the configuration names is joined whoever invites.
    fn lets_join(&self, room: &RoomId, inviter: &UserId) -> bool {
        let is_named = self.rooms.iter().any(|named| room == named.as_str());
        let mut inviters = self.inviters.iter();
        is_named
            || inviters.any(|allowed| match allowed.strip_prefix("*:") {
                Some(server) => inviter.server_name() == server,
                None => inviter == allowed.as_str(),
            })
    }
}

impl Matrix {
    /// Follows the server until `stop` is cancelled: joins where it may, and answers commands.
    ///
    /// # Errors
    ///
    /// When the account is refused, or its folder cannot be used.
    pub async fn listen(&self, ear: Ear, stop: &CancellationToken) -> Result<(), SendError> {
        let Some(session) = self.session_in_time(stop).await? else {
            return Ok(());
        };
        let listening = Listening {
            ear,
            outlet: Arc::clone(&self.outlet),
            host: Arc::new(Host {
                inviters: self.settings.inviters.clone(),
                rooms: self.settings.rooms.clone(),
            }),
            now: Arc::clone(&self.settings.now),
        };
        let client = &session.client;
        // No event will come for an invite of the time in which nobody listened.
        for room in client.invited_rooms() {
            if let Ok(invite) = room.invite_details().await {
                answer_invite(&room, &invite.inviter_id, &listening.host).await;
            }
        }
        client.add_event_handler_context(listening);
        let handlers = [
            client.add_event_handler(invited),
            client.add_event_handler(said),
            client.add_event_handler(reacted),
        ];
        let ended = follow(session, stop).await;
        for handler in handlers {
            client.remove_event_handler(handler);
        }
        ended
    }

    /// The session, however long the server takes to answer; none where it is told to stop.
    async fn session_in_time(
        &self,
        stop: &CancellationToken,
    ) -> Result<Option<&Session>, SendError> {
        loop {
            let opened = tokio::select! {
                () = stop.cancelled() => return Ok(None),
                opened = self.session() => opened,
            };
            match opened {
                Ok(session) => return Ok(Some(session)),
                Err(SendError::Later { after, why, .. }) => {
                    warn!("Matrix: {why}; trying again in {after:?}");
                    if rests(stop, after).await {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Takes in what the server tells, until `stop` or until it refuses the account.
async fn follow(session: &Session, stop: &CancellationToken) -> Result<(), SendError> {
    let mut backoff = BACKOFF_MIN;
    loop {
        let synced = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            synced = session.sync(SYNC_WAIT) => synced,
        };
        let wait = match synced {
            Ok(()) => {
                if backoff > BACKOFF_MIN {
                    info!("Matrix: the homeserver answers again");
                }
                backoff = BACKOFF_MIN;
                SYNC_GAP
            }
            Err(
                error @ SendError::Never {
                    scope: Scope::Platform,
                    ..
                },
            ) => return Err(error),
            Err(error) => {
                warn!("Matrix: {error}; trying again in {backoff:?}");
                let wait = backoff;
                backoff = (backoff * 2).min(BACKOFF_MAX);
                wait
            }
        };
        if rests(stop, wait).await {
            return Ok(());
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
            answer_invite(&room, &event.sender, &listening.host).await;
        });
    }
}

async fn answer_invite(room: &Room, inviter: &UserId, host: &Host) {
    let is_allowed = host.lets_join(room.room_id(), inviter);
    let answered = match is_allowed {
        true => room.join().await,
        false => room.leave().await,
    };
    match (answered, is_allowed) {
        (Ok(()), true) => info!("Matrix: {inviter} invited to {}; joined", room.room_id()),
        (Ok(()), false) => info!(
            "Matrix: {inviter} invited to {}; declined: not among the inviters under [matrix]",
            room.room_id()
        ),
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
    if is_edit || is_mine || room.state() != RoomState::Joined {
        return;
    }
    let Some((audience, words)) = command_in(&text.body) else {
        return;
    };
    if !is_timely(event.origin_server_ts, &room, (listening.now)()).await {
        return;
    }
    let call = grammar::parse(audience, words);
    // The sync loop waits for this handler; what takes time must not hold it.
    tokio::spawn(async move {
        let root = match &event.content.relates_to {
            Some(Relation::Thread(thread)) => thread.event_id.clone(),
            _ => event.event_id.clone(),
        };
        let question = Question {
            sender: &event.sender,
            event: &event.event_id,
            root: &root,
        };
        answer(&listening, &room, call, &question).await;
    });
}

/// What is answered.
struct Question<'a> {
    /// Who asks.
    sender: &'a UserId,
    /// The event by which.
    event: &'a EventId,
    /// In whose thread the answer goes.
    root: &'a EventId,
}

async fn answer(
    listening: &Listening,
    room: &Room,
    call: Result<Call, WrongCall>,
    question: &Question<'_>,
) {
    let member = room.get_member_no_sync(question.sender).await;
    let by = Asker {
        platform: "matrix",
        room: room.room_id().to_string(),
        community: None,
        person: question.sender.to_string(),
        roles: Vec::new(),
        is_manager: member.ok().flatten().is_some_and(|member| member.can_ban()),
    };
    let Some(reply) = listening.ear.answer(Asked { by, call }).await else {
        return;
    };
    let mut answer = render::event(&reply.content);
    render::below(&mut answer, question.root.as_str());
    give(&listening.outlet, room, answer, question.event.as_str()).await;
}

/// An editor decides a suggestion by a reaction to the message that tells of it.
async fn reacted(
    event: OriginalSyncReactionEvent,
    client: Client,
    room: Room,
    listening: Ctx<Listening>,
) {
    let is_mine = client.user_id().is_some_and(|me| event.sender == me);
    let Some(word) = decision::decision(&event.content.relates_to.key) else {
        return;
    };
    if is_mine || room.state() != RoomState::Joined {
        return;
    }
    if !is_timely(event.origin_server_ts, &room, (listening.now)()).await {
        return;
    }
    // The sync loop waits for this handler; looking up what was reacted to must not hold it.
    tokio::spawn(async move {
        let message = &event.content.relates_to.event_id;
        let Some(number) = suggestion_in(&room, message).await else {
            return;
        };
        let call = grammar::parse(Audience::Editors, &format!("{word} {number}"));
        let question = Question {
            sender: &event.sender,
            event: &event.event_id,
            root: message,
        };
        answer(&listening, &room, call, &question).await;
    });
}

/// The number of the suggestion that a message of ours tells of.
async fn suggestion_in(room: &Room, message: &EventId) -> Option<String> {
    let told = match room.event(message, None).await {
        Ok(told) => told,
        Err(error) => {
            debug!("Matrix: what was reacted to could not be read: {error}");
            return None;
        }
    };
    let event: Value = told.raw().deserialize_as_unchecked().ok()?;
    let is_ours = event["sender"] == room.own_user_id().as_str();
    let mark = event["content"][render::MARK].as_str()?;
    let number = mark.strip_prefix(decision::SUGGESTION)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_ours && is_number).then(|| number.to_owned())
}

/// Whether somebody still waits for an answer, and meant us: what stands in a room when the bot comes in was said to
/// others.
async fn is_timely(at: MilliSecondsSinceUnixEpoch, room: &Room, now: i64) -> bool {
    let age = now - i64::from(at.as_secs());
    let me = room.get_member_no_sync(room.own_user_id()).await;
    let came_at = me.ok().flatten().and_then(|me| me.event().timestamp());
    age <= QUESTION_AGE_MAX_S && came_at.is_none_or(|came_at| at.0 >= came_at)
}

/// Gives an answer, as soon as the account may send.
async fn give(outlet: &Outlet, room: &Room, answer: Value, question: &str) {
    let key = format!("cmd-{question}");
    for _ in 0..ANSWER_TRIES_MAX {
        let wait = match outlet.put(room, answer.clone(), &key).await {
            Ok(_) => return,
            Err(SendError::Later { after, .. }) if after <= ANSWER_WAIT_MAX => after,
            Err(SendError::Unknown { .. }) => BACKOFF_MIN,
            Err(error) => return warn!("Matrix: an answer could not be given: {error}"),
        };
        tokio::time::sleep(wait).await;
    }
    debug!("Matrix: an answer was put off too often");
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

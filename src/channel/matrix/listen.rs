//! Follows the server: accepts invites, answers commands, and reports changes of rooms. Answers go into the command's
//! thread.

use std::sync::Arc;
use std::time::Duration;

use matrix_sdk::ruma::events::room::message::{
    MessageType, OriginalSyncRoomMessageEvent, Relation,
};
use matrix_sdk::ruma::{EventId, MilliSecondsSinceUnixEpoch, RoomId, UserId};
use matrix_sdk::{Room, RoomState};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::hear::SyncEvent;
use super::queue::QueuePlace;
use super::send::MatrixSender;
use super::session::Session;
use super::{Matrix, react, render};
use crate::channel::{Scope, SendError};
use crate::chat::{
    Audience, Call, CommandRequest, PlatformKind, Requester, RoomEvent, SharedHandler, WrongCall,
    grammar,
};
use crate::post::story::Content;

/// Older commands were given while the bot was down, and a late answer would only confuse.
const QUESTION_AGE_MAX_S: i64 = 300;
/// The first and the longest wait after a failure.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_mins(1);
/// How long the server may hold a sync open.
const SYNC_WAIT: Duration = Duration::from_secs(30);
/// The least time between two syncs, for servers that do not hold them open.
const SYNC_GAP: Duration = Duration::from_millis(200);

/// The data needed to handle events.
#[derive(Clone)]
pub(super) struct ListenContext {
    handler: SharedHandler,
    sender: Arc<MatrixSender>,
    invites: Arc<InvitePolicy>,
    pub(super) now: super::Now,
}

/// The invites that the bot accepts.
#[derive(Debug)]
struct InvitePolicy {
    inviters: Vec<String>,
    rooms: Vec<String>,
}

impl InvitePolicy {
    /// The bot joins configured rooms after any invite.
    fn allows(&self, room: &RoomId, inviter: &UserId) -> bool {
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
    /// Follows the server until `stop` is cancelled: joins rooms and answers commands.
    ///
    /// # Errors
    ///
    /// Returns an error if the account is refused or its folder cannot be used.
    pub async fn listen(
        &self,
        handler: SharedHandler,
        stop: &CancellationToken,
    ) -> Result<(), SendError> {
        let Some(session) = self.session_in_time(stop).await? else {
            return Ok(());
        };
        let listening = ListenContext {
            handler,
            sender: Arc::clone(&self.sender),
            invites: Arc::new(InvitePolicy {
                inviters: self.settings.inviters.clone(),
                rooms: self.settings.rooms.clone(),
            }),
            now: Arc::clone(&self.settings.now),
        };
        let client = &session.client;
        // Invites and replaced rooms from before this start cause no events.
        for room in client.invited_rooms() {
            if let Ok(invite) = room.invite_details().await {
                answer_invite(&room, &invite.inviter_id, &listening).await;
            }
        }
        for room in client.joined_rooms() {
            if let Some(by) = room.successor_room() {
                let (room, by) = (room.room_id().to_owned(), by.room_id);
                take_up(listening.clone(), SyncEvent::Replaced { room, by }).await;
            }
        }
        let mut heard = session.heard.lock().await;
        let hearing = async {
            while let Some(heard) = heard.recv().await {
                // In tasks, so that a slow command does not block the next one.
                tokio::spawn(take_up(listening.clone(), heard));
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = follow(session, stop) => ended,
            () = hearing => Ok(()),
        }
    }

    /// The session, after any number of retries. `None` after a stop.
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
                    warn!("Matrix: {why}; retrying in {after:?}");
                    if rests(stop, after).await {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Syncs until `stop`, or until the server refuses the account.
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
                warn!("Matrix: {error}; retrying in {backoff:?}");
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

/// Waits. Returns whether `stop` was cancelled.
async fn rests(stop: &CancellationToken, wait: Duration) -> bool {
    tokio::time::timeout(wait, stop.cancelled()).await.is_ok()
}

async fn take_up(listening: ListenContext, heard: SyncEvent) {
    match heard {
        SyncEvent::Invited { room, by } if room.state() == RoomState::Invited => {
            answer_invite(&room, &by, &listening).await;
        }
        SyncEvent::Invited { .. } => {}
        SyncEvent::Said { room, event } => said(&listening, &room, &event).await,
        SyncEvent::Reacted { room, event } => react::reacted(&listening, &room, &event).await,
        SyncEvent::Changed { room } => {
            let room = Some(room.to_string());
            let changed = RoomEvent::Changed { room };
            listening
                .handler
                .room_event(PlatformKind::Matrix, changed)
                .await;
        }
        SyncEvent::Replaced { room, by } => {
            let replaced = RoomEvent::Replaced {
                room: room.to_string(),
                by: by.to_string(),
            };
            listening
                .handler
                .room_event(PlatformKind::Matrix, replaced)
                .await;
        }
    }
}

async fn answer_invite(room: &Room, inviter: &UserId, listening: &ListenContext) {
    let is_allowed = listening.invites.allows(room.room_id(), inviter);
    let answered = match is_allowed {
        true => room.join().await,
        false => room.leave().await,
    };
    match (answered, is_allowed) {
        (Ok(()), true) => {
            info!("Matrix: {inviter} invited to {}; joined", room.room_id());
            let room = Some(room.room_id().to_string());
            let changed = RoomEvent::Changed { room };
            listening
                .handler
                .room_event(PlatformKind::Matrix, changed)
                .await;
        }
        (Ok(()), false) => info!(
            "Matrix: {inviter} invited to {}; declined: not among the inviters under [matrix]",
            room.room_id()
        ),
        (Err(error), _) => warn!("Matrix: an invite to {}: {error}", room.room_id()),
    }
}

async fn said(listening: &ListenContext, room: &Room, event: &OriginalSyncRoomMessageEvent) {
    let is_mine = event.sender == room.own_user_id();
    if is_mine || room.state() != RoomState::Joined {
        return;
    }
    let MessageType::Text(text) = &event.content.msgtype else {
        return;
    };
    let Some((audience, words)) = command_in(&text.body) else {
        return;
    };
    if !is_timely(event.origin_server_ts, room, (listening.now)()).await {
        return;
    }
    let root = match &event.content.relates_to {
        Some(Relation::Thread(thread)) => thread.event_id.clone(),
        _ => event.event_id.clone(),
    };
    let question = Question {
        sender: &event.sender,
        event: &event.event_id,
        root: &root,
    };
    answer(listening, room, grammar::parse(audience, words), &question).await;
}

/// A command or a reaction to answer.
pub(super) struct Question<'a> {
    pub(super) sender: &'a UserId,
    pub(super) event: &'a EventId,
    /// The root of the thread for the answer.
    pub(super) root: &'a EventId,
}

pub(super) async fn answer(
    listening: &ListenContext,
    room: &Room,
    call: Result<Call, WrongCall>,
    question: &Question<'_>,
) {
    let person = question.sender.as_str();
    let key = format!("cmd-{}", question.event);
    // First of all: a command that cannot be answered in time is not carried out.
    let Some(place) = listening.sender.queue_answer(person) else {
        warn!(
            "Matrix: a command of {person} was refused, because the account may not send more at the moment"
        );
        let Some(place) = listening.sender.queue_notice(person) else {
            return;
        };
        let word = Content::Notice {
            title: "The bot is busy".to_owned(),
            text: "The command was not carried out. Please give it again in a minute.".to_owned(),
            mark: "bpfnews".to_owned(),
        };
        return give(listening, place, room, &word, question, &key).await;
    };
    let member = room.get_member_no_sync(question.sender).await;
    let by = Requester {
        platform: PlatformKind::Matrix,
        room: room.room_id().to_string(),
        community: None,
        person: question.sender.to_string(),
        roles: Vec::new(),
        is_manager: member.ok().flatten().is_some_and(|member| member.can_ban()),
        is_alone: room.active_members_count() <= 2, // The bot is one of them.
    };
    if let Some(reply) = listening.handler.answer(CommandRequest { by, call }).await {
        give(listening, place, room, &reply.content, question, &key).await;
    }
}

/// Sends an answer when its turn comes.
async fn give(
    listening: &ListenContext,
    place: QueuePlace,
    room: &Room,
    content: &Content,
    question: &Question<'_>,
    key: &str,
) {
    let mut event = render::event(content);
    render::below(&mut event, question.root.as_str());
    if let Err(error) = listening.sender.answer(place, room, event, key).await {
        warn!(
            "Matrix: an answer to {} could not be sent: {error}",
            question.sender
        );
    }
}

/// Whether a message is recent and came after the bot joined. Messages from before were meant for others.
pub(super) async fn is_timely(at: MilliSecondsSinceUnixEpoch, room: &Room, now: i64) -> bool {
    let age = now - i64::from(at.as_secs());
    let me = room.get_member_no_sync(room.own_user_id()).await;
    let came_at = me.ok().flatten().and_then(|me| me.event().timestamp());
    age <= QUESTION_AGE_MAX_S && came_at.is_none_or(|came_at| at.0 >= came_at)
}

/// Whether a message may be a command; most are not.
pub(super) fn may_be_command(event: &OriginalSyncRoomMessageEvent) -> bool {
    // Notices come from bots. An edited command was answered when it was new.
    let is_edit = matches!(event.content.relates_to, Some(Relation::Replacement(_)));
    match &event.content.msgtype {
        MessageType::Text(text) => !is_edit && command_in(&text.body).is_some(),
        _ => false,
    }
}

/// The audience of a command and the words after its name. `None` for other text.
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

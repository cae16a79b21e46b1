//! Interactions: commands, completions and pressed buttons. Discord waits three seconds for a response, so a slow
//! answer is deferred first and sent later. The command handler makes the answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use serenity::all::{
    CommandInteraction, ComponentInteraction, Interaction, Member, MessageFlags, Permissions,
};
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info, warn};

use super::choices::shown;
use super::commands;
use super::pages::{ANYBODY, LongCalls};
use super::refusal::Aim;
use super::render;
use super::rest::{DiscordRequest, RequestError, Rest};
use crate::channel::SendError;
use crate::chat::{
    Audience, CommandRequest, PageCalls, PlatformKind, Reply, Requester, RoomEvent, SharedHandler,
};
use crate::post::story::Content;

/// The wait before an answer is deferred, within Discord's three seconds. A faster answer needs one request and can be
/// private.
const DEFER_AFTER: Duration = Duration::from_millis(1000);
/// The time limit of a completion, which cannot be deferred.
const COMPLETE_MAX: Duration = Duration::from_millis(1500);
/// The time limit of a deferred answer. Discord's limit is fifteen minutes.
const ANSWER_MAX: Duration = Duration::from_mins(5);
/// The time limit of one attempt at a first response.
const CALLBACK_MAX: Duration = Duration::from_millis(1500);
/// Attempts to send a deferred answer, and the wait after the first; each next wait is twice as long.
const TRIES_MAX: u32 = 5;
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest wait for a rate limit.
const LIMIT_MAX: Duration = Duration::from_mins(2);
/// Characters used of the typed text.
const BEGUN_CHARS_MAX: usize = 200;
/// Discord's flag for a private message.
const EPHEMERAL: u64 = 64;
/// Discord's error code for an interaction with a response.
const ANSWERED_ALREADY: u64 = 40060;

/// Discord's types of first responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallbackKind {
    Message = 4,
    Defer = 5,
    DeferUpdate = 6,
    Update = 7,
    Choices = 8,
}

/// The address for responses to an interaction. The token lets anybody respond, so it is never logged.
struct ResponseToken {
    id: String,
    application: String,
    token: String,
}

pub(super) struct InteractionHandler {
    rest: Arc<Rest>,
    handler: SharedHandler,
    long: LongCalls,
}

impl InteractionHandler {
    pub(super) fn new(rest: Arc<Rest>, handler: SharedHandler) -> Self {
        Self {
            rest,
            handler,
            long: LongCalls::default(),
        }
    }

    pub(super) fn rest(&self) -> Arc<Rest> {
        Arc::clone(&self.rest)
    }

    /// Passes a change of rooms to the command handler.
    pub(super) async fn noticed(&self, noticed: RoomEvent) {
        self.handler
            .room_event(PlatformKind::Discord, noticed)
            .await;
    }

    /// Answers one interaction.
    pub(super) async fn hear(&self, interaction: Interaction) {
        let ticket = ResponseToken {
            id: interaction.id().to_string(),
            application: interaction.application_id().to_string(),
            token: interaction.token().to_owned(),
        };
        match interaction {
            Interaction::Command(asked) => self.answer(&ticket, &asked).await,
            Interaction::Autocomplete(asked) => self.complete(&ticket, &asked).await,
            Interaction::Component(pressed) => self.turn(&ticket, &pressed).await,
            other => debug!(
                "Discord: an interaction of an unused kind: {:?}",
                other.kind()
            ),
        }
    }

    async fn answer(&self, ticket: &ResponseToken, asked: &CommandInteraction) {
        let Some(audience) = commands::audience(&asked.data.name) else {
            return warn!(
                "Discord: {:?} is not a command of this program",
                asked.data.name
            );
        };
        let by = requester_of(asked);
        let person = by.person.clone();
        let call = commands::call(audience, &asked.data);
        let answer = self.ask(CommandRequest { by, call });
        tokio::pin!(answer);
        if let Ok(reply) = timeout(DEFER_AFTER, &mut answer).await {
            let mut data = self.message(&reply, &person);
            if reply.is_private {
                data["flags"] = EPHEMERAL.into();
            }
            self.first(ticket, CallbackKind::Message, Some(data)).await;
            return;
        }
        // A deferred response must say now whether it is private. Answers for editors and maintainers are.
        let was_private = audience != Audience::Readers;
        let flags = was_private.then(|| json!({"flags": EPHEMERAL}));
        let is_waited_for = self.first(ticket, CallbackKind::Defer, flags).await;
        let reply = answer.await;
        if !is_waited_for {
            return;
        }
        let data = self.message(&reply, &person);
        match reply.is_private && !was_private {
            false => {
                self.later(ticket, Method::PATCH, "/messages/@original", Some(data))
                    .await
            }
            true => {
                self.later(ticket, Method::DELETE, "/messages/@original", None)
                    .await;
                self.whisper(ticket, data).await;
            }
        }
    }

    /// Sends a private message after the first response.
    async fn whisper(&self, ticket: &ResponseToken, mut data: Value) {
        data["flags"] = EPHEMERAL.into();
        self.later(ticket, Method::POST, "", Some(data)).await;
    }

    async fn complete(&self, ticket: &ResponseToken, asked: &CommandInteraction) {
        let audience = commands::audience(&asked.data.name);
        let begun = audience.and_then(|audience| commands::begun(audience, &asked.data));
        let choices = match begun {
            None => Vec::new(),
            Some((completes, begun)) => {
                let by = requester_of(asked);
                let begun: String = begun.chars().take(BEGUN_CHARS_MAX).collect();
                let found = self.handler.complete(&by, completes, &begun);
                let found = timeout(COMPLETE_MAX, AssertUnwindSafe(found).catch_unwind()).await;
                match found {
                    Ok(Ok(choices)) => choices,
                    Ok(Err(_)) => {
                        error!("Discord: a completion panicked");
                        Vec::new()
                    }
                    Err(_) => {
                        debug!("Discord: a completion took too long");
                        Vec::new()
                    }
                }
            }
        };
        let data = json!({"choices": shown(&choices)});
        self.first(ticket, CallbackKind::Choices, Some(data)).await;
    }

    /// Turns a page, or carries out a button's command.
    async fn turn(&self, ticket: &ResponseToken, pressed: &ComponentInteraction) {
        let turn = self.long.read(&pressed.data.custom_id);
        let person = pressed.user.id.to_string();
        let is_for_all = turn.as_ref().is_some_and(|turn| turn.person == ANYBODY);
        let call = match turn {
            Some(turn) if !is_for_all && turn.person != person => {
                return self
                    .refuse(
                        ticket,
                        "These are not your pages",
                        "Only the person who gave the command can turn these pages. Give it yourself.",
                    )
                    .await;
            }
            Some(turn) => turn.call,
            None => None,
        };
        let Some(call) = call else {
            let text = "These pages have expired. Please give the command again.";
            return self.refuse(ticket, "Too old", text).await;
        };
        let by = requester(
            pressed.guild_id.map(|id| id.to_string()),
            pressed.channel_id.to_string(),
            person.clone(),
            pressed.member.as_ref(),
        );
        let flags = pressed.message.flags.unwrap_or(MessageFlags::empty());
        let is_private = flags.contains(MessageFlags::EPHEMERAL);
        let answer = self.ask(CommandRequest { by, call: Ok(call) });
        tokio::pin!(answer);
        if let Ok(reply) = timeout(DEFER_AFTER, &mut answer).await {
            let mut data = self.message(&reply, &person);
            // A private answer must not replace a public message. No answer may replace a suggestion, which is edited
            // after the decision.
            let kind = match is_for_all || (reply.is_private && !is_private) {
                true => CallbackKind::Message,
                false => CallbackKind::Update,
            };
            if kind == CallbackKind::Message {
                data["flags"] = EPHEMERAL.into();
            }
            self.first(ticket, kind, Some(data)).await;
            return;
        }
        let is_waited_for = self.first(ticket, CallbackKind::DeferUpdate, None).await;
        let reply = answer.await;
        if !is_waited_for {
            return;
        }
        let data = self.message(&reply, &person);
        match is_for_all || (reply.is_private && !is_private) {
            true => self.whisper(ticket, data).await,
            false => {
                self.later(ticket, Method::PATCH, "/messages/@original", Some(data))
                    .await
            }
        }
    }

    async fn refuse(&self, ticket: &ResponseToken, title: &str, text: &str) {
        let mut data = render::body(&notice(title, text));
        data["flags"] = EPHEMERAL.into();
        self.first(ticket, CallbackKind::Message, Some(data)).await;
    }

    /// The handler's answer, or an explanation if there is none.
    async fn ask(&self, asked: CommandRequest) -> Reply {
        let answer = AssertUnwindSafe(self.handler.answer(asked)).catch_unwind();
        let (title, text) = match timeout(ANSWER_MAX, answer).await {
            Ok(Ok(Some(reply))) => return reply,
            Ok(Ok(None)) => ("Not now", "There is no answer to that at the moment."),
            Ok(Err(_)) => {
                error!("Discord: a command panicked");
                ("Failed", "That failed. The log of the bot has the reason.")
            }
            Err(_) => {
                warn!("Discord: a command took longer than {ANSWER_MAX:?}");
                ("Failed", "That took too long. Please try again later.")
            }
        };
        Reply {
            content: notice(title, text),
            is_private: true,
            pages: PageCalls::default(),
        }
    }

    fn message(&self, reply: &Reply, person: &str) -> Value {
        let mut data = render::body(&reply.content);
        // A story has its own buttons, and no pages.
        if data.get("components").is_none() {
            data["components"] = self.long.buttons(&reply.pages, person);
        }
        data
    }

    /// Sends the first response; returns whether Discord took it. If the outcome of the first attempt is unknown, a
    /// second one follows: Discord then reports whether the first arrived.
    async fn first(&self, ticket: &ResponseToken, kind: CallbackKind, data: Option<Value>) -> bool {
        let mut body = json!({"type": kind as u8});
        if let Some(data) = data {
            body["data"] = data;
        }
        let mut is_again = false;
        loop {
            let request = DiscordRequest {
                method: Method::POST,
                route: "/interactions/{}/{}/callback",
                major: ticket.id.clone(),
                path: format!("/interactions/{}/{}/callback", ticket.id, ticket.token),
                body: Some(body.clone()),
                aim: Aim::Answer,
            };
            let why = match timeout(CALLBACK_MAX, self.rest.ask_for(request)).await {
                Ok(Ok(_)) => return true,
                Ok(Err(RequestError {
                    code: ANSWERED_ALREADY,
                    ..
                })) if is_again => return true,
                Ok(Err(RequestError {
                    error: SendError::Later { after, why, .. },
                    ..
                })) if after < CALLBACK_MAX => {
                    sleep(after).await;
                    why
                }
                Ok(Err(RequestError {
                    error: SendError::Unknown { why },
                    ..
                })) => why,
                Ok(Err(failure)) => {
                    info!("Discord did not accept an answer: {}", failure.error);
                    return false;
                }
                Err(_) => "no confirmation".to_owned(),
            };
            if is_again {
                info!("Discord did not accept an answer: {why}");
                return false;
            }
            is_again = true;
        }
    }

    /// Sends, edits or deletes a message after the first response.
    async fn later(
        &self,
        ticket: &ResponseToken,
        method: Method,
        below: &str,
        data: Option<Value>,
    ) {
        let mut wait = TRY_AGAIN_AFTER;
        for _ in 0..TRIES_MAX {
            let request = DiscordRequest {
                method: method.clone(),
                route: "/webhooks/{}/{}/messages",
                major: ticket.id.clone(),
                path: format!("/webhooks/{}/{}{below}", ticket.application, ticket.token),
                body: data.clone(),
                aim: Aim::Answer,
            };
            match self.rest.ask_for(request).await {
                Ok(_) => return,
                Err(RequestError {
                    error: SendError::Later { after, why, .. },
                    ..
                }) => {
                    debug!("Discord: an answer waits {after:?}: {why}");
                    sleep(after.min(LIMIT_MAX)).await;
                }
                // A repeated POST could show the message twice.
                Err(RequestError {
                    error: SendError::Unknown { why },
                    ..
                }) if method != Method::POST => {
                    debug!("Discord: an answer is retried: {why}");
                    sleep(wait).await;
                    wait *= 2;
                }
                Err(failure) => {
                    return info!("Discord did not accept an answer: {}", failure.error);
                }
            }
        }
        info!("Discord did not accept an answer after {TRIES_MAX} attempts");
    }
}

fn notice(title: &str, text: &str) -> Content {
    Content::Notice {
        title: title.to_owned(),
        text: text.to_owned(),
        mark: "bpfnews".to_owned(),
    }
}

fn requester_of(asked: &CommandInteraction) -> Requester {
    requester(
        asked.guild_id.map(|id| id.to_string()),
        asked.channel_id.to_string(),
        asked.user.id.to_string(),
        asked.member.as_deref(),
    )
}

fn requester(
    community: Option<String>,
    room: String,
    person: String,
    member: Option<&Member>,
) -> Requester {
    let manages = Permissions::MANAGE_GUILD | Permissions::ADMINISTRATOR;
    let permissions = member.and_then(|member| member.permissions);
    Requester {
        platform: PlatformKind::Discord,
        room,
        community,
        person,
        roles: member.map_or_else(Vec::new, |member| {
            member.roles.iter().map(ToString::to_string).collect()
        }),
        is_manager: permissions.is_some_and(|has| has.intersects(manages)),
        // Discord hides private answers.
        is_alone: true,
    }
}

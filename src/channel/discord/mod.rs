//! Discord: posts as embeds without mentions, over our own REST client.
//!
//! A message carries the delivery's key as its nonce, so that Discord ignores a repeated send. Forum posts have no
//! nonce: before a retry, the bot searches for the post by its name and by the mark in its footer.

mod choices;
mod commands;
mod direct;
mod doubles;
pub mod escape;
mod events;
mod facts;
mod gateway;
mod interactions;
mod pages;
mod refusal;
pub mod render;
pub mod rest;
mod rights;
mod standing;
mod tags;
mod threads;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt as _};
use reqwest::Method;
use serde_json::{Value, json};

pub use self::commands::{RegistrationStore, registered};
pub use self::facts::ChannelFacts;
pub use self::rest::DiscordSettings;
pub use self::rights::Needs;
pub use self::tags::Tag;

use self::doubles::Doubles;
use self::refusal::Aim;
use self::render::{body, carries};
use self::rest::{DiscordRequest, RequestError, Rest};
use super::{Act, Below, Personal, Platform, PostedMessage, Receipt, Scope, SendError, Work};
use crate::post::story::Content;

/// How long Discord certainly remembers a nonce; its documentation says "a few minutes".
const NONCE_LASTS: Duration = Duration::from_mins(2);
/// The time limit of a request, from connecting to the last byte of the response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Discord's error code for an archived thread.
const ARCHIVED: u64 = 50083;
/// Messages searched: Discord's limit for one response.
const MESSAGES_LOOKED_AT: usize = 100;

#[derive(Debug)]
pub struct Discord {
    rest: Arc<Rest>,
    me: Mutex<Option<String>>,
    channels: Mutex<HashMap<String, (Instant, ChannelFacts)>>,
    /// Rooms already mentioned in a warning.
    warned: Mutex<HashSet<String>>,
    /// Forum posts that may stand twice.
    doubles: Doubles,
    /// Gateway events that could not be parsed.
    unknown: Arc<AtomicU64>,
}

impl Discord {
    /// Sets up the client without a request.
    pub fn new(settings: DiscordSettings) -> anyhow::Result<Self> {
        Self::with_timeout(settings, REQUEST_TIMEOUT)
    }

    /// The same with another time limit for requests.
    pub fn with_timeout(settings: DiscordSettings, timeout: Duration) -> anyhow::Result<Self> {
        Ok(Self {
            doubles: Doubles::new(timeout),
            rest: Arc::new(Rest::new(settings, timeout)?),
            me: Mutex::default(),
            channels: Mutex::default(),
            warned: Mutex::default(),
            unknown: Arc::default(),
        })
    }

    /// Whether this is the first warning about a room.
    fn is_first_warning(&self, room: &str) -> bool {
        let mut warned = self.warned.lock().expect("no holder of the names panics");
        warned.insert(room.to_owned())
    }

    async fn me(&self) -> Result<String, SendError> {
        let known = self.me.lock().expect("no holder of the id panics").clone();
        if let Some(me) = known {
            return Ok(me);
        }
        let user = self.read("/users/@me", "", "/users/@me".to_owned()).await?;
        let me = id_of(&user)?;
        *self.me.lock().expect("no holder of the id panics") = Some(me.clone());
        Ok(me)
    }

    async fn read(
        &self,
        route: &'static str,
        major: &str,
        path: String,
    ) -> Result<Value, SendError> {
        let request = DiscordRequest {
            method: Method::GET,
            route,
            major: major.to_owned(),
            path,
            body: None,
            aim: Aim::Read,
        };
        self.rest.ask(request).await
    }

    async fn send(
        &self,
        work: &Work,
        content: &Content,
        under: Option<&Below>,
    ) -> Result<Receipt, SendError> {
        check_channel(&work.address)?;
        let mut body = body(content);
        if let Some(person) = work.person.as_ref().and_then(Personal::mentioned) {
            direct::mention(&mut body, person)?;
        }
        body["nonce"] = work.key.clone().into();
        body["enforce_nonce"] = true.into();
        let Some(under) = under else {
            let facts = self
                .facts(&work.address)
                .await
                .map_err(SendError::before_sending)?;
            return match facts.is_forum() {
                true => self.send_to_forum(work, content).await,
                false => self.send_to_room(&work.address, None, body).await,
            };
        };
        let above = under.message();
        check_id(&above.message)?;
        let thread = match (&above.thread, under) {
            (Some(thread), _) => Some(thread.clone()),
            (None, Below::Answer(_)) => None,
            (None, Below::Thread(_)) => {
                self.thread_of(&work.address, &above.message, &direct::about(work, content))
                    .await?
            }
        };
        // The message that starts a thread needs no reference.
        if thread.as_deref() != Some(&above.message) {
            body["message_reference"] =
                json!({"message_id": above.message, "fail_if_not_exists": false});
        }
        let room = thread.as_deref().unwrap_or(&work.address);
        check_id(room)?;
        self.send_to_room(room, thread.clone(), body).await
    }

    async fn send_to_room(
        &self,
        room: &str,
        thread: Option<String>,
        body: Value,
    ) -> Result<Receipt, SendError> {
        let request = DiscordRequest {
            method: Method::POST,
            route: "/channels/{}/messages",
            major: room.to_owned(),
            path: format!("/channels/{room}/messages"),
            body: Some(body),
            aim: Aim::Send,
        };
        let message = self.rest.ask(request).await?;
        Ok(Receipt {
            message: id_of(&message)?,
            thread,
        })
    }

    async fn find_in_room(&self, room: &str, mark: &str) -> Result<Option<String>, SendError> {
        let me = self.me().await?;
        let path = format!("/channels/{room}/messages?limit={MESSAGES_LOOKED_AT}");
        let messages = self.read("/channels/{}/messages", room, path).await?;
        let messages = messages.as_array().ok_or_else(senseless)?;
        let ours = messages.iter().find(|message| is_ours(message, &me, mark));
        ours.map(id_of).transpose()
    }

    /// Looks for the message that an earlier attempt may have made.
    async fn find_earlier(&self, work: &Work) -> Result<Option<Receipt>, SendError> {
        let Act::Send { content, under } = &work.act else {
            return Ok(None);
        };
        check_channel(&work.address)?;
        if under.is_none() && self.facts(&work.address).await?.is_forum() {
            return self.find_in_forum(&work.address, content).await;
        }
        let thread = under.as_ref().and_then(thread_below);
        if let Some(thread) = &thread {
            check_id(thread)?;
            match self.find_in_room(thread, content.mark()).await {
                Ok(None) => {}
                // A thread that is not there holds nothing.
                Err(SendError::Never { .. }) => {}
                found => {
                    return found.map(|message| {
                        message.map(|message| Receipt {
                            message,
                            thread: Some(thread.clone()),
                        })
                    });
                }
            }
        }
        let message = self.find_in_room(&work.address, content.mark()).await?;
        Ok(message.map(|message| Receipt {
            message,
            thread: None,
        }))
    }

    async fn change(
        &self,
        work: &Work,
        receipt: &Receipt,
        content: Option<&Content>,
    ) -> Result<Receipt, SendError> {
        // Only the message that starts a forum post has the thread's id; others in its thread are ordinary.
        let starts = receipt.thread.as_ref();
        let starts = starts.filter(|thread| **thread == receipt.message);
        match (starts, content) {
            (Some(thread), Some(content)) => {
                check_id(thread)?;
                self.change_in_forum(work, receipt, thread, content).await
            }
            _ => self.change_message(work, receipt, content).await,
        }
    }

    async fn change_message(
        &self,
        work: &Work,
        receipt: &Receipt,
        content: Option<&Content>,
    ) -> Result<Receipt, SendError> {
        let room = receipt.thread.as_deref().unwrap_or(&work.address);
        match receipt.thread {
            Some(_) => check_id(room)?,
            None => check_channel(room)?,
        }
        check_id(&receipt.message)?;
        let asked = self.ask_to_change(room, receipt, content).await;
        // A thread that was archived in between takes no change until it is open.
        let asked = match asked {
            Err(failure) if failure.code == ARCHIVED => {
                self.reopen(room, receipt.thread.is_some()).await?;
                self.ask_to_change(room, receipt, content).await
            }
            asked => asked,
        };
        match (asked.map_err(|failure| failure.error), content) {
            (Ok(message), Some(_)) => id_of(&message).map(|_| receipt.clone()),
            (Ok(_) | Err(SendError::Gone), None) => Ok(receipt.clone()),
            (Err(error), _) => Err(error),
        }
    }

    async fn ask_to_change(
        &self,
        room: &str,
        receipt: &Receipt,
        content: Option<&Content>,
    ) -> Result<Value, RequestError> {
        let request = DiscordRequest {
            method: match content {
                Some(_) => Method::PATCH,
                None => Method::DELETE,
            },
            route: "/channels/{}/messages/{}",
            major: room.to_owned(),
            path: format!("/channels/{room}/messages/{}", receipt.message),
            body: content.map(body),
            aim: Aim::Change {
                in_thread: receipt.thread.is_some(),
            },
        };
        self.rest.ask_for(request).await
    }
}

impl Platform for Discord {
    fn name(&self) -> &'static str {
        "discord"
    }

    /// Forum posts have no nonce. This function cannot ask for an unknown channel's type, so it treats it as a forum:
    /// that costs one search after a restart, and never posts twice.
    fn dedupes_for(&self, address: &str) -> Duration {
        match self.channels().get(address) {
            Some((_, facts)) if !facts.is_forum() => NONCE_LASTS,
            _ => Duration::ZERO,
        }
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move {
            let done = match &work.act {
                Act::Send { content, under } => self.send(work, content, under.as_ref()).await,
                Act::Edit { receipt, content } => self.change(work, receipt, Some(content)).await,
                Act::Remove { receipt } => self.change(work, receipt, None).await,
            };
            if done.is_ok() {
                self.remove_late_doubles(&work.address).await;
            }
            done
        }
        .boxed()
    }

    fn open_direct<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<String, SendError>> {
        self.open_direct_channel(person).boxed()
    }

    /// Edits and removals need no search, because they can be repeated. Needs Read Message History: without it, Discord
    /// returns an empty list.
    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        let found = self.find_earlier(work);
        async move { found.await.map_err(SendError::as_failed_look) }.boxed()
    }

    fn was_retried(&self, address: &str, receipt: &Receipt, content: &Content, ago: Duration) {
        // The first message of a forum post has the thread's id.
        if let Some(thread) = receipt.thread.as_ref().filter(|id| **id == receipt.message) {
            self.doubles.watch(address, thread, content, ago);
        }
    }

    fn standing<'a>(
        &'a self,
        address: &'a str,
        since: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        self.standing_in(address, since).boxed()
    }
}

/// The thread for a reply. A message's own thread has the message's id.
fn thread_below(below: &Below) -> Option<String> {
    let above = below.message();
    match below {
        Below::Answer(_) => above.thread.clone(),
        Below::Thread(_) => above.thread.clone().or_else(|| Some(above.message.clone())),
    }
}

fn is_ours(message: &Value, me: &str, mark: &str) -> bool {
    let embeds = message["embeds"].as_array().map_or(&[][..], Vec::as_slice);
    message["author"]["id"] == me
        && embeds.iter().any(|embed| {
            let footer = embed["footer"]["text"].as_str();
            footer.is_some_and(|footer| carries(footer, mark))
        })
}

fn id_of(object: &Value) -> Result<String, SendError> {
    match object["id"].as_str() {
        Some(id) if is_id(id) => Ok(id.to_owned()),
        _ => Err(senseless()),
    }
}

fn is_id(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_channel(address: &str) -> Result<(), SendError> {
    match is_id(address) {
        true => Ok(()),
        false => Err(SendError::Never {
            scope: Scope::Channel,
            why: format!(
                "{address:?} is not the id of a Discord channel, which is a number: copy it from the channel's menu"
            ),
        }),
    }
}

fn check_id(id: &str) -> Result<(), SendError> {
    match is_id(id) {
        true => Ok(()),
        false => Err(SendError::Never {
            scope: Scope::Delivery,
            why: format!("{id:?} is not a Discord id"),
        }),
    }
}

fn senseless() -> SendError {
    SendError::Unknown {
        why: "Discord's response is invalid".to_owned(),
    }
}

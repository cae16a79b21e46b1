//! Discord: posts as embeds that mention nobody, over a REST client of our own.
//!
//! A channel's message carries the delivery's key as its nonce, so that Discord itself keeps a retry from doubling it.
//! A forum's post has no nonce; before a retry it is looked for by its name, and by the mark in its footer.

mod refusal;
pub mod render;
pub mod rest;
pub mod text;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use reqwest::Method;
use serde_json::{Value, json};

pub use self::rest::Settings;

use self::refusal::Aim;
use self::render::{body, carries, thread_name};
use self::rest::{Request, Rest};
use super::{Act, Platform, Receipt, Scope, SendError, Work};
use crate::post::story::Content;

/// How long Discord surely remembers a nonce; it says "a few minutes".
const NONCE_LASTS: Duration = Duration::from_mins(2);
/// How long a channel waits when what must be read before a send could not be.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// The messages that are looked through; Discord gives no more at once.
const MESSAGES_LOOKED_AT: usize = 100;
/// The threads of the same name that are looked into.
const THREADS_LOOKED_AT: usize = 5;
/// Discord's numbers for channels that hold threads alone: forums and media channels.
const FORUMS: [u64; 2] = [15, 16];

/// What Discord says of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Its name, without `#`.
    pub name: String,
    /// Discord's number for its type: 0 a text channel, 5 announcements, 15 a forum.
    pub kind: u64,
    /// The server that it is in.
    pub guild: Option<String>,
}

impl ChannelFacts {
    /// Whether every post there is a thread of its own.
    pub fn is_forum(&self) -> bool {
        FORUMS.contains(&self.kind)
    }
}

/// The platform.
#[derive(Debug)]
pub struct Discord {
    rest: Rest,
    me: Mutex<Option<String>>,
    channels: Mutex<HashMap<String, ChannelFacts>>,
}

impl Discord {
    /// Sets the client up; nothing is asked yet.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        Ok(Self {
            rest: Rest::new(settings)?,
            me: Mutex::default(),
            channels: Mutex::default(),
        })
    }

    /// Asks Discord about a channel.
    pub async fn look(&self, address: &str) -> Result<ChannelFacts, SendError> {
        check_channel(address)?;
        let channel = self
            .read("/channels/{}", address, format!("/channels/{address}"))
            .await?;
        let text = |name: &str| channel[name].as_str().map(str::to_owned);
        let facts = ChannelFacts {
            name: text("name").unwrap_or_default(),
            kind: channel["type"].as_u64().ok_or_else(senseless)?,
            guild: text("guild_id"),
        };
        self.channels().insert(address.to_owned(), facts.clone());
        Ok(facts)
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<String, ChannelFacts>> {
        self.channels.lock().expect("no holder of the cache panics")
    }

    async fn facts(&self, address: &str) -> Result<ChannelFacts, SendError> {
        let known = self.channels().get(address).cloned();
        match known {
            Some(facts) => Ok(facts),
            None => self.look(address).await,
        }
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
        let request = Request {
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
        under: Option<&Receipt>,
    ) -> Result<Receipt, SendError> {
        check_channel(&work.address)?;
        let thread = under.and_then(|under| under.thread.as_deref());
        if thread.is_none() {
            let facts = self.facts(&work.address).await.map_err(nothing_sent)?;
            if facts.is_forum() {
                return self.send_to_forum(work, content).await;
            }
        }
        let room = thread.unwrap_or(&work.address);
        check_id(room)?;
        let mut body = body(content);
        body["nonce"] = work.key.clone().into();
        body["enforce_nonce"] = true.into();
        if let Some(under) = under {
            check_id(&under.message)?;
            body["message_reference"] =
                json!({"message_id": under.message, "fail_if_not_exists": false});
        }
        let request = Request {
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
            thread: thread.map(str::to_owned),
        })
    }

    /// Makes a thread. There is no nonce for it, so a retry looks first.
    async fn send_to_forum(&self, work: &Work, content: &Content) -> Result<Receipt, SendError> {
        if work.is_retry
            && let Some(there) = self.find_in_forum(&work.address, content).await?
        {
            return Ok(there);
        }
        let request = Request {
            method: Method::POST,
            route: "/channels/{}/threads",
            major: work.address.clone(),
            path: format!("/channels/{}/threads", work.address),
            body: Some(json!({"name": thread_name(content), "message": body(content)})),
            aim: Aim::Send,
        };
        let thread = self.rest.ask(request).await?;
        let id = id_of(&thread)?;
        Ok(Receipt {
            // The message that starts a thread has the thread's own id.
            message: id_of(&thread["message"]).unwrap_or_else(|_| id.clone()),
            thread: Some(id),
        })
    }

    async fn find_in_forum(
        &self,
        address: &str,
        content: &Content,
    ) -> Result<Option<Receipt>, SendError> {
        let me = self.me().await?;
        let guild = self.facts(address).await?.guild.ok_or_else(senseless)?;
        check_id(&guild)?;
        let path = format!("/guilds/{guild}/threads/active");
        let active = self.read("/guilds/{}/threads/active", &guild, path).await?;
        let name = thread_name(content);
        let threads = active["threads"].as_array().ok_or_else(senseless)?;
        let mut threads: Vec<String> = threads
            .iter()
            .filter(|thread| thread["parent_id"] == address && thread["name"] == name)
            .filter_map(|thread| id_of(thread).ok())
            .collect();
        // The newest first: ids grow with time.
        threads.sort_by_key(|id| std::cmp::Reverse((id.len(), id.clone())));
        for thread in threads.into_iter().take(THREADS_LOOKED_AT) {
            let path = format!("/channels/{thread}/messages/{thread}");
            match self.read("/channels/{}/messages/{}", &thread, path).await {
                Ok(starter) if is_ours(&starter, &me, content.mark()) => {
                    return Ok(Some(Receipt {
                        message: thread.clone(),
                        thread: Some(thread),
                    }));
                }
                // Another's thread, or one whose first message somebody deleted.
                Ok(_)
                | Err(SendError::Never {
                    scope: Scope::Delivery,
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn find_in_room(&self, room: &str, mark: &str) -> Result<Option<String>, SendError> {
        let me = self.me().await?;
        let path = format!("/channels/{room}/messages?limit={MESSAGES_LOOKED_AT}");
        let messages = self.read("/channels/{}/messages", room, path).await?;
        let messages = messages.as_array().ok_or_else(senseless)?;
        let ours = messages.iter().find(|message| is_ours(message, &me, mark));
        ours.map(id_of).transpose()
    }

    async fn change(
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
        let request = Request {
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
        match (self.rest.ask(request).await, content) {
            (Ok(message), Some(_)) => id_of(&message).map(|_| receipt.clone()),
            (Ok(_) | Err(SendError::Gone), None) => Ok(receipt.clone()),
            (Err(error), _) => Err(error),
        }
    }
}

impl Platform for Discord {
    fn name(&self) -> &'static str {
        "discord"
    }

    /// A forum's posts have no nonce. The type of a channel that nobody asked for yet is not known here, where nothing
    /// can be asked; it counts as a forum, which costs one look more after a restart, and can double nothing.
    fn dedupes_for(&self, address: &str) -> Duration {
        match self.channels().get(address) {
            Some(facts) if !facts.is_forum() => NONCE_LASTS,
            _ => Duration::ZERO,
        }
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move {
            match &work.act {
                Act::Send { content, under } => self.send(work, content, under.as_ref()).await,
                Act::Edit { receipt, content } => self.change(work, receipt, Some(content)).await,
                Act::Remove { receipt } => self.change(work, receipt, None).await,
            }
        }
        .boxed()
    }

    /// Edits and removals are never found: done twice, they are done once. Needs Read Message History; without it
    /// Discord shows an empty channel.
    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async move {
            let Act::Send { content, under } = &work.act else {
                return Ok(None);
            };
            check_channel(&work.address)?;
            let thread = under.as_ref().and_then(|under| under.thread.clone());
            if thread.is_none() && self.facts(&work.address).await?.is_forum() {
                return self.find_in_forum(&work.address, content).await;
            }
            let room = thread.as_deref().unwrap_or(&work.address);
            check_id(room)?;
            let message = self.find_in_room(room, content.mark()).await?;
            Ok(message.map(|message| Receipt { message, thread }))
        }
        .boxed()
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
                "{address:?} is no Discord channel's id, which is a number: copy it from the channel's menu"
            ),
        }),
    }
}

fn check_id(id: &str) -> Result<(), SendError> {
    match is_id(id) {
        true => Ok(()),
        false => Err(SendError::Never {
            scope: Scope::Delivery,
            why: format!("{id:?} is no id of Discord's"),
        }),
    }
}

fn senseless() -> SendError {
    SendError::Unknown {
        why: "Discord's answer makes no sense".to_owned(),
    }
}

/// What a failed look before a send means: nothing was sent, so nothing can be unknown.
fn nothing_sent(error: SendError) -> SendError {
    match error {
        SendError::Unknown { why } => SendError::Later {
            after: READ_AGAIN_AFTER,
            scope: Scope::Channel,
            why,
        },
        other => other,
    }
}

//! Threads: a forum's posts, and the thread of a message in another channel.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::refusal::Aim;
use super::render::{body, thread_name};
use super::rest::{DiscordRequest, RequestError};
use super::tags::{TAGS_WANTED, fitting, renewed};
use super::{ChannelFacts, Discord, check_id, id_of, is_ours, senseless};
use crate::channel::{Receipt, Scope, SendError, Work};
use crate::post::story::Content;

/// Threads of the same name that are searched.
const THREADS_LOOKED_AT: usize = 5;
/// Minutes until an inactive thread is archived: a week.
const OPEN_FOR_MIN: u64 = 10_080;
/// How long a lost request may still create a post. No key prevents a second post.
const LANDS_WITHIN: Duration = Duration::from_secs(30);
/// Discord's error codes.
const NO_SUCH_CHANNEL: u64 = 10003;
const NO_SUCH_MESSAGE: u64 = 10008;
const NO_SUCH_TAG: u64 = 10087;
const WANTS_TAG: u64 = 40067;
const WRONG_FORM: u64 = 50035;
const THREAD_THERE: u64 = 160_004;

/// The state of a forum post's thread.
struct Thread {
    is_archived: bool,
    /// The fields to change, in Discord's format.
    change: Map<String, Value>,
}

impl Discord {
    /// Creates a forum post. Without a nonce, a retry must search first.
    pub(super) async fn send_to_forum(
        &self,
        work: &Work,
        content: &Content,
    ) -> Result<Receipt, SendError> {
        self.doubles.forget(&work.address, content.mark());
        if work.is_retry {
            let there = self.find_in_forum(&work.address, content).await;
            if let Some(there) = there.map_err(SendError::as_failed_look)? {
                return Ok(there);
            }
            let still = work.tried_ago.and_then(|ago| LANDS_WITHIN.checked_sub(ago));
            if let Some(still) = still {
                return Err(SendError::Later {
                    after: still + Duration::from_secs(1),
                    scope: Scope::Delivery,
                    why: "an earlier attempt may still make the post".to_owned(),
                });
            }
        }
        let forum = &work.address;
        let mut facts = self
            .fresh_facts(forum)
            .await
            .map_err(SendError::before_sending)?;
        let mut is_again = false;
        loop {
            let tags = fitting(&facts.tags, content);
            if facts.wants_tag && tags.is_empty() {
                return Err(no_tag(&facts));
            }
            let failure = match self.open_thread(forum, content, &tags).await {
                Ok(thread) if work.is_retry => {
                    return self.keep_one(forum, content, receipt_of(&thread)?).await;
                }
                Ok(thread) => return receipt_of(&thread),
                Err(failure) => failure,
            };
            // The tags may have changed since they were read.
            let is_about_tags = matches!(failure.code, NO_SUCH_TAG | WANTS_TAG | WRONG_FORM);
            if !is_about_tags || is_again {
                return Err(match failure.code {
                    WANTS_TAG => no_tag(&facts),
                    _ => failure.error,
                });
            }
            is_again = true;
            let before = facts;
            facts = self.look(forum).await.map_err(SendError::before_sending)?;
            if facts == before {
                return Err(failure.error);
            }
        }
    }

    async fn open_thread(
        &self,
        forum: &str,
        content: &Content,
        tags: &[String],
    ) -> Result<Value, RequestError> {
        let mut post = json!({"name": thread_name(content), "message": body(content)});
        if !tags.is_empty() {
            post["applied_tags"] = json!(tags);
        }
        let request = DiscordRequest {
            method: Method::POST,
            route: "/channels/{}/threads",
            major: forum.to_owned(),
            path: format!("/channels/{forum}/threads"),
            body: Some(post),
            aim: Aim::Send,
        };
        self.rest.ask_for(request).await
    }

    pub(super) async fn find_in_forum(
        &self,
        address: &str,
        content: &Content,
    ) -> Result<Option<Receipt>, SendError> {
        let active = self.open_threads(address).await?;
        if let Some(there) = self.find_among(&active, address, content).await? {
            return Ok(Some(there));
        }
        // It may have been archived since.
        let path = format!("/channels/{address}/threads/archived/public?limit=100");
        let route = "/channels/{}/threads/archived/public";
        let archived = self.read(route, address, path).await?;
        self.find_among(&archived, address, content).await
    }

    /// A page of the open threads of a forum, among those of its whole server.
    pub(super) async fn open_threads(&self, forum: &str) -> Result<Value, SendError> {
        let guild = self.facts(forum).await?.guild.ok_or_else(senseless)?;
        check_id(&guild)?;
        let path = format!("/guilds/{guild}/threads/active");
        self.read("/guilds/{}/threads/active", &guild, path).await
    }

    /// The newest thread of a forum with this content, if this page lists it.
    async fn find_among(
        &self,
        page: &Value,
        forum: &str,
        content: &Content,
    ) -> Result<Option<Receipt>, SendError> {
        for thread in threads_named(page, forum, content)? {
            if self.starts_with(&thread, content).await? {
                return Ok(Some(Receipt {
                    message: thread.clone(),
                    thread: Some(thread),
                }));
            }
        }
        Ok(None)
    }

    /// Whether the first message of a thread is ours and has this content.
    pub(super) async fn starts_with(
        &self,
        thread: &str,
        content: &Content,
    ) -> Result<bool, SendError> {
        let me = self.me().await?;
        let path = format!("/channels/{thread}/messages/{thread}");
        match self.read("/channels/{}/messages/{}", thread, path).await {
            Ok(starter) => Ok(is_ours(&starter, &me, content.mark())),
            // Somebody deleted it.
            Err(SendError::Never {
                scope: Scope::Delivery,
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Edits a forum post and updates its thread's name and tags. An archived thread is opened first.
    pub(super) async fn change_in_forum(
        &self,
        work: &Work,
        receipt: &Receipt,
        thread: &str,
        content: &Content,
    ) -> Result<Receipt, SendError> {
        let now = self.thread(&work.address, thread, content).await?;
        if now.is_archived {
            self.change_thread(thread, now.change).await?;
            return self.change_message(work, receipt, Some(content)).await;
        }
        let done = self.change_message(work, receipt, Some(content)).await?;
        if !now.change.is_empty() {
            self.change_thread(thread, now.change).await?;
        }
        Ok(done)
    }

    async fn thread(
        &self,
        forum: &str,
        thread: &str,
        content: &Content,
    ) -> Result<Thread, SendError> {
        let request = DiscordRequest {
            method: Method::GET,
            route: "/channels/{}",
            major: thread.to_owned(),
            path: format!("/channels/{thread}"),
            body: None,
            aim: Aim::Read,
        };
        let there = match self.rest.ask_for(request).await {
            Ok(there) => there,
            Err(failure) if failure.code == NO_SUCH_CHANNEL => return Err(SendError::Gone),
            Err(failure) => return Err(failure.error.before_sending()),
        };
        let is_archived = there["thread_metadata"]["archived"] == true;
        let mut change = Map::new();
        if is_archived {
            change.insert("archived".to_owned(), false.into());
        }
        let name = thread_name(content);
        if there["name"] != name.as_str() {
            change.insert("name".to_owned(), name.into());
        }
        let present = there["applied_tags"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        let present: Vec<String> = present
            .iter()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        let facts = self
            .fresh_facts(forum)
            .await
            .map_err(SendError::before_sending)?;
        let tags = renewed(&facts.tags, &present, content);
        let is_same = tags.len() == present.len() && tags.iter().all(|id| present.contains(id));
        // A forum that requires tags refuses to remove the last one.
        let may_be = !facts.wants_tag || !tags.is_empty();
        if !is_same && may_be {
            change.insert("applied_tags".to_owned(), json!(tags));
        }
        Ok(Thread {
            is_archived,
            change,
        })
    }

    /// Opens an archived thread, so that its messages can be edited.
    pub(super) async fn reopen(&self, thread: &str, is_below: bool) -> Result<(), SendError> {
        let request = DiscordRequest {
            method: Method::PATCH,
            route: "/channels/{}",
            major: thread.to_owned(),
            path: format!("/channels/{thread}"),
            body: Some(json!({"archived": false})),
            aim: Aim::Around,
        };
        match self.rest.ask_for(request).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.code == NO_SUCH_CHANNEL && is_below => Err(SendError::Gone),
            Err(failure) => Err(match failure.error {
                SendError::Never {
                    scope: Scope::Channel | Scope::Delivery,
                    why,
                } => SendError::Never {
                    // A post's thread says nothing about its channel.
                    scope: match is_below {
                        true => Scope::Delivery,
                        false => Scope::Channel,
                    },
                    why: format!(
                        "the thread is archived and could not be opened: unlock it, or give the bot Manage Threads [{why}]"
                    ),
                },
                error => error.before_sending(),
            }),
        }
    }

    /// Changes the bot's own thread. A missing permission for that is no reason to leave the message unedited. A limit
    /// on renaming applies to this thread only.
    async fn change_thread(
        &self,
        thread: &str,
        change: Map<String, Value>,
    ) -> Result<(), SendError> {
        let request = DiscordRequest {
            method: Method::PATCH,
            route: "/channels/{}",
            major: thread.to_owned(),
            path: format!("/channels/{thread}"),
            body: Some(Value::Object(change)),
            aim: Aim::Around,
        };
        match self.rest.ask_for(request).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.code == NO_SUCH_CHANNEL => Err(SendError::Gone),
            Err(failure) => match failure.error {
                SendError::Never {
                    scope: Scope::Channel | Scope::Delivery,
                    why,
                } => {
                    warn!("Discord: a thread's name and tags stay as they are: {why}");
                    Ok(())
                }
                SendError::Later {
                    after,
                    scope: Scope::Channel,
                    why,
                } => Err(SendError::Later {
                    after,
                    scope: Scope::Delivery,
                    why,
                }),
                error => Err(error),
            },
        }
    }

    /// The thread of a message, created if missing. `None` if there can be none; the caller then sends a reply.
    pub(super) async fn thread_of(
        &self,
        room: &str,
        message: &str,
        content: &Content,
    ) -> Result<Option<String>, SendError> {
        if !self
            .facts(room)
            .await
            .map_err(SendError::before_sending)?
            .has_threads()
        {
            return Ok(None);
        }
        let request = DiscordRequest {
            method: Method::POST,
            route: "/channels/{}/messages/{}/threads",
            major: room.to_owned(),
            path: format!("/channels/{room}/messages/{message}/threads"),
            body: Some(
                json!({"name": thread_name(content), "auto_archive_duration": OPEN_FOR_MIN}),
            ),
            aim: Aim::Around,
        };
        match self.rest.ask_for(request).await {
            Ok(thread) => id_of(&thread).map(Some),
            // A message's thread has the message's id.
            Err(failure) if failure.code == THREAD_THERE => Ok(Some(message.to_owned())),
            Err(failure) if failure.code == NO_SUCH_MESSAGE => Err(SendError::Gone),
            Err(failure) => match failure.error {
                SendError::Never {
                    scope: Scope::Channel | Scope::Delivery,
                    why,
                } => {
                    if self.is_first_warning(room) {
                        warn!(
                            "Discord: no thread could be created, so milestones are posted as replies; give the bot Create Public \
                             Threads and Send Messages in Threads, or set milestones = \"reply\": {why}"
                        );
                    }
                    Ok(None)
                }
                error => Err(error.before_sending()),
            },
        }
    }
}

/// The threads of a forum with the name of this post, newest first.
pub(super) fn threads_named(
    page: &Value,
    forum: &str,
    content: &Content,
) -> Result<Vec<String>, SendError> {
    let name = thread_name(content);
    let threads = page["threads"].as_array().ok_or_else(senseless)?;
    let mut threads: Vec<String> = threads
        .iter()
        .filter(|thread| thread["parent_id"] == forum && thread["name"] == name)
        .filter_map(|thread| id_of(thread).ok())
        .collect();
    // Ids grow with time.
    threads.sort_by_key(|id| std::cmp::Reverse((id.len(), id.clone())));
    threads.truncate(THREADS_LOOKED_AT);
    Ok(threads)
}

/// The receipt of a new forum post.
fn receipt_of(thread: &Value) -> Result<Receipt, SendError> {
    let id = id_of(thread)?;
    Ok(Receipt {
        // The message that starts a thread has the thread's id.
        message: id_of(&thread["message"]).unwrap_or_else(|_| id.clone()),
        thread: Some(id),
    })
}

/// The error for a forum that requires a tag and has no matching one. Its text is the same for every post, so that
/// maintainers get one notice.
fn no_tag(facts: &ChannelFacts) -> SendError {
    SendError::Never {
        scope: Scope::Channel,
        why: format!(
            "the forum {} requires a tag on every post and has no matching ones: add tags named {TAGS_WANTED}, or turn \
             off the required tags in its settings.",
            facts.name,
        ),
    }
}

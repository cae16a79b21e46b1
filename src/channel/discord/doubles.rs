//! Forum posts that may stand twice. No key protects the request that makes one: the first request can still arrive after a
//! retry made the post. So after such a retry the forum is looked through again, at once and with later deliveries to it. The outbox
//! passes on those from before a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::Discord;
use super::refusal::Aim;
use super::rest::DiscordRequest;
use super::threads::threads_named;
use crate::channel::{Receipt, SendError};
use crate::post::story::Content;

/// The least time between two looks for a double, in request timeouts: half a minute.
const LOOK_GAP: u32 = 2;
/// How long after its retry a post may get a double, in request timeouts: ten minutes. A later look is the last one.
const LATE_MAX: u32 = 40;
/// The most posts of one forum that are watched.
const WATCHED_MAX: usize = 16;

/// A post that a retry made.
#[derive(Debug, Clone)]
struct Remade {
    thread: String,
    /// The content of the request that may still arrive.
    content: Content,
    made_at: Instant,
    looked_at: Instant,
}

/// Posts that retries made, by forum.
#[derive(Debug)]
pub(super) struct Doubles {
    timeout: Duration,
    remade: Mutex<HashMap<String, Vec<Remade>>>,
}

impl Doubles {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            remade: Mutex::default(),
        }
    }

    fn remade(&self) -> MutexGuard<'_, HashMap<String, Vec<Remade>>> {
        self.remade.lock().expect("no holder of the posts panics")
    }

    /// Stops to watch a post, as it is about to be sent anew: the new one is no double.
    pub(super) fn forget(&self, forum: &str, mark: &str) {
        if let Some(posts) = self.remade().get_mut(forum) {
            posts.retain(|post| post.content.mark() != mark);
        }
    }

    /// Watches a post that a retry made `ago`.
    pub(super) fn watch(&self, forum: &str, thread: &str, content: &Content, ago: Duration) {
        let now = Instant::now();
        let at = now.checked_sub(ago).unwrap_or(now);
        let mut remade = self.remade();
        let posts = remade.entry(forum.to_owned()).or_default();
        if posts.iter().any(|post| post.thread == thread) {
            return;
        }
        if posts.len() >= WATCHED_MAX {
            posts.remove(0);
        }
        posts.push(Remade {
            thread: thread.to_owned(),
            content: content.clone(),
            made_at: at,
            looked_at: at,
        });
    }

    /// The posts of a forum for which it is time to look. Posts that are old enough are returned for the last time.
    fn due(&self, forum: &str) -> Vec<Remade> {
        let now = Instant::now();
        let mut remade = self.remade();
        let Some(posts) = remade.get_mut(forum) else {
            return Vec::new();
        };
        let mut due = Vec::new();
        for post in posts.iter_mut() {
            if now - post.looked_at >= self.timeout * LOOK_GAP {
                post.looked_at = now;
                due.push(post.clone());
            }
        }
        posts.retain(|post| now - post.made_at < self.timeout * LATE_MAX || post.looked_at != now);
        if posts.is_empty() {
            remade.remove(forum);
        }
        due
    }
}

impl Discord {
    /// A retry made a post: keeps the oldest post that says the same, and removes the others.
    pub(super) async fn keep_one(
        &self,
        forum: &str,
        content: &Content,
        made: Receipt,
    ) -> Result<Receipt, SendError> {
        let Some(thread) = made.thread.clone() else {
            return Ok(made);
        };
        // The post stands, so an error of the look must not fail its delivery. A later look follows.
        let others = async {
            let open = self.open_threads(forum).await?;
            self.others(&open, forum, content, &thread).await
        };
        let mut all = others.await.unwrap_or_else(|error| {
            warn!("Discord: the forum could not be searched for a double: {error}");
            Vec::new()
        });
        all.push(thread);
        all.sort_by_key(|id| (id.len(), id.clone()));
        let oldest = all.remove(0);
        for younger in &all {
            self.remove_double(forum, younger).await;
        }
        self.doubles.watch(forum, &oldest, content, Duration::ZERO);
        Ok(Receipt {
            message: oldest.clone(),
            thread: Some(oldest),
        })
    }

    /// Removes the posts of a forum that arrived after a retry had made them. The receipts name the others.
    pub(super) async fn remove_late_doubles(&self, forum: &str) {
        let due = self.doubles.due(forum);
        if due.is_empty() {
            return;
        }
        let open = match self.open_threads(forum).await {
            Ok(open) => open,
            Err(error) => {
                warn!("Discord: the forum could not be searched for doubles: {error}");
                return;
            }
        };
        for post in due {
            match self.others(&open, forum, &post.content, &post.thread).await {
                Ok(others) => {
                    for other in others {
                        self.remove_double(forum, &other).await;
                    }
                }
                Err(error) => {
                    warn!("Discord: the forum could not be searched for a double: {error}")
                }
            }
        }
    }

    /// The threads of a forum among `open`, other than `thread`, that begin with `content`.
    async fn others(
        &self,
        open: &Value,
        forum: &str,
        content: &Content,
        thread: &str,
    ) -> Result<Vec<String>, SendError> {
        let mut others = Vec::new();
        for other in threads_named(open, forum, content)? {
            if other != thread && self.starts_with(&other, content).await? {
                others.push(other);
            }
        }
        Ok(others)
    }

    /// Deletes the message of a double, and archives its thread: to delete a thread needs a permission that bots lack.
    async fn remove_double(&self, forum: &str, thread: &str) {
        info!("Discord: a post of the forum {forum} stood twice; {thread} is removed");
        let message = Receipt {
            message: thread.to_owned(),
            thread: Some(thread.to_owned()),
        };
        let removed = self.ask_to_change(thread, &message, None).await;
        if let Err(failure) = removed {
            warn!("Discord: a double could not be removed: {}", failure.error);
            return;
        }
        let request = DiscordRequest {
            method: Method::PATCH,
            route: "/channels/{}",
            major: thread.to_owned(),
            path: format!("/channels/{thread}"),
            body: Some(json!({"archived": true})),
            aim: Aim::Around,
        };
        if let Err(error) = self.rest.ask(request).await {
            warn!("Discord: the thread of a double stays open: {error}");
        }
    }
}

//! Platforms: how content is delivered to a room, and how it looks there. Other rooms decide what to post and when.
//!
//! [`Platform`] is the interface of a chat system. A [`SendError`] says how the outbox must react.

pub mod discord;
pub mod mail;
#[cfg(feature = "matrix")]
pub mod matrix;
pub mod terminal;
pub mod text;
pub mod webhook;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::post::story::Content;

/// One delivery.
#[derive(Debug, Clone)]
pub struct Work {
    /// A Discord channel's number, or a Matrix room's id.
    pub address: String,
    pub act: Act,
    /// The idempotency key: the same for all attempts, unique among deliveries, at most 25 of `[a-z0-9-]`. It is
    /// Discord's nonce and Matrix' transaction id.
    pub key: String,
    /// Whether an earlier attempt with an unknown outcome may have succeeded.
    pub is_retry: bool,
    /// The time since a failed attempt whose request may still arrive.
    pub tried_ago: Option<Duration>,
    /// The person that a personal message is for.
    pub person: Option<Personal>,
}

/// The person that a message is for, by the id of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Personal {
    /// The room is the person's own.
    Direct(String),
    /// The room is for others too. The message mentions this person, who asked for that, and nobody else.
    Mentioned(String),
}

impl Personal {
    /// The person that the message mentions.
    pub fn mentioned(&self) -> Option<&str> {
        match self {
            Self::Direct(_) => None,
            Self::Mentioned(person) => Some(person),
        }
    }
}

/// The action of a delivery.
#[derive(Debug, Clone)]
pub enum Act {
    /// Posts a new message.
    Send {
        content: Content,
        /// The message that the new one replies to.
        under: Option<Below>,
    },
    /// Replaces the content of a message.
    Edit {
        receipt: Receipt,
        /// The whole new content.
        content: Content,
    },
    /// Removes a message.
    Remove { receipt: Receipt },
}

/// How a message refers to an earlier one. Platforms that have only one of the two treat both alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// As a reply in the room.
    Answer(Receipt),
    /// In its thread, which is created if missing.
    Thread(Receipt),
}

impl Below {
    /// The earlier message.
    pub fn message(&self) -> &Receipt {
        match self {
            Self::Answer(receipt) | Self::Thread(receipt) => receipt,
        }
    }
}

/// The address of a posted message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// A Discord message's id, or a Matrix event's.
    pub message: String,
    /// The thread of a forum post; `None` if the message is in the channel itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// A message of the bot that a channel holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedMessage {
    /// Identifies the content, see [`Content::mark`].
    pub mark: String,
    pub receipt: Receipt,
    /// The title of a list; empty for other content.
    pub title: String,
    /// The marks of the stories in a list.
    pub lists: Vec<String>,
}

/// Why a delivery failed, and how the outbox must react.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing was sent, because a limit applies. Retry later; this does not count as an attempt.
    #[error("later: {why}")]
    Later {
        /// The wait, as the server asked.
        after: Duration,
        scope: Scope,
        why: String,
    },
    /// Nothing was sent: a request before the message failed. This counts as a failed attempt.
    #[error("failed: {why}")]
    Failed {
        /// The least wait for `scope`.
        after: Duration,
        /// If it is the delivery alone, its channel continues.
        scope: Scope,
        why: String,
    },
    /// The message may have been sent: the response was lost, late or invalid. Retry with the same key.
    #[error("unknown outcome: {why}")]
    Unknown { why: String },
    /// The server refuses it permanently.
    #[error("{why}")]
    Never {
        scope: Scope,
        /// The server's reason, with advice for a maintainer.
        why: String,
    },
    /// The server refuses the message, and its answer does not show whether the message or the channel is the cause.
    #[error("{why}")]
    Refused {
        /// The server's reason, with advice for a maintainer.
        why: String,
    },
    /// Another room replaced this one, which takes no messages any more.
    #[error("the room was replaced by {by}")]
    Replaced {
        /// The new room's address.
        by: String,
    },
    /// The message to edit or remove no longer exists.
    #[error("the message is gone")]
    Gone,
}

impl SendError {
    /// The meaning of an error for a request before the message: nothing was sent, and the attempt failed.
    pub fn before_sending(self) -> Self {
        match self {
            Self::Unknown { why } => Self::Failed {
                after: Duration::ZERO,
                scope: Scope::Channel,
                why,
            },
            other => other,
        }
    }

    /// The meaning of an error of a look for an earlier message: the look is refused, and not the channel. The try of this
    /// delivery failed, and the others of its channel go on.
    pub fn as_failed_look(self) -> Self {
        match self.before_sending() {
            Self::Never {
                scope: Scope::Channel,
                why,
            } => Self::Failed {
                after: Duration::ZERO,
                scope: Scope::Delivery,
                why,
            },
            other => other,
        }
    }
}

/// The part of a platform that an error affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Delivery,
    Channel,
    Platform,
}

/// A chat system.
pub trait Platform: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// How long the platform ignores a second send with the same key. After that, and if it is zero, the outbox calls
    /// [`Platform::find`] before it repeats a send with an unknown outcome.
    fn dedupes_for(&self, address: &str) -> Duration;

    /// Whether deliveries to different channels may run in parallel.
    fn sends_side_by_side(&self) -> bool {
        true
    }

    /// Performs one delivery. Returns the receipt of the new, edited or removed message.
    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>>;

    /// Opens the room of direct messages to a person, or finds it; returns its address. Errors are about this person, unless
    /// their scope is the platform. A platform without such rooms returns the person's own address.
    fn open_direct<'a>(&'a self, person: &'a str) -> BoxFuture<'a, Result<String, SendError>> {
        Box::pin(std::future::ready(Ok(person.to_owned())))
    }

    /// Finds the message of an earlier attempt by [`Content::mark`].
    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>>;

    /// A retry sent a message `ago`. If an earlier request of it still arrives, the message stands twice: the platform removes
    /// the younger one when it is in contact with the channel. The outbox repeats this after a restart.
    fn was_retried(&self, address: &str, receipt: &Receipt, content: &Content, ago: Duration) {
        let _ = (address, receipt, content, ago);
    }

    /// Lists the bot's messages in a channel, at least those sent from `since` (unix seconds) on. A message with an
    /// unreadable mark is an error, because the outbox must not send it twice.
    fn standing<'a>(
        &'a self,
        address: &'a str,
        since: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>>;
}

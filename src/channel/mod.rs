//! Channels: how content reaches a room, and how it looks there. Nothing here decides what is told, or when.
//!
//! [`Platform`] is what a chat system must do for the outbox. Its errors carry the decision: see [`SendError`].

pub mod discord;
#[cfg(feature = "matrix")]
pub mod matrix;
pub mod terminal;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::post::story::Content;

/// One delivery, as a platform is handed it.
#[derive(Debug, Clone)]
pub struct Work {
    /// The room, in the platform's own terms: a Discord channel's number, a Matrix room's id.
    pub address: String,
    /// What to do.
    pub act: Act,
    /// Stable over all attempts at this content, unique among all deliveries, at most 25 of `[a-z0-9-]`: Discord's
    /// nonce, Matrix' transaction id.
    pub key: String,
    /// Whether this may have been done by an earlier attempt whose answer never came.
    pub is_retry: bool,
    /// How long ago an attempt failed whose request may be on its way still.
    pub tried_ago: Option<Duration>,
}

/// What a delivery does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Posts something new.
    Send {
        /// What it says.
        content: Content,
        /// The message that it belongs below.
        under: Option<Below>,
    },
    /// Makes a message say something else.
    Edit {
        /// The message.
        receipt: Receipt,
        /// What it says from now on, the whole of it.
        content: Content,
    },
    /// Takes a message back.
    Remove {
        /// The message.
        receipt: Receipt,
    },
}

/// Where a message goes that belongs to another one. Where a platform has threads alone, or none, both are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Below {
    /// An answer to it, in the room.
    Answer(Receipt),
    /// In its thread, which is made where it has none.
    Thread(Receipt),
}

impl Below {
    /// The message that it belongs to.
    pub fn message(&self) -> &Receipt {
        match self {
            Self::Answer(receipt) | Self::Thread(receipt) => receipt,
        }
    }
}

/// Where a message stands, as the platform named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The message's id, or the Matrix event's.
    pub message: String,
    /// The room that it is in where that is not the channel itself: the thread of a forum post.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
}

/// A message of ours that stands in a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// What it can be found again by, see [`Content::mark`].
    pub mark: String,
    /// Where it is.
    pub receipt: Receipt,
    /// The title of a list; empty for anything else.
    pub title: String,
    /// The marks of the stories that a list names.
    pub lists: Vec<String>,
}

/// Why a delivery did not happen, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing happened. The channel waits; this is no attempt.
    #[error("later: {why}")]
    Later {
        /// How long, as the server said.
        after: Duration,
        /// Who must wait.
        scope: Scope,
        /// What the server said.
        why: String,
    },
    /// Nothing happened, and nobody asked to wait: a request failed that comes before the message. It counts as a failed try.
    #[error("failed: {why}")]
    Failed {
        /// How long `scope` is left alone at least.
        after: Duration,
        /// Who must wait. The delivery alone: its channel goes on meanwhile.
        scope: Scope,
        /// What went wrong.
        why: String,
    },
    /// It may have happened: the answer was lost, late, or made no sense. The same key is tried again.
    #[error("unknown outcome: {why}")]
    Unknown {
        /// What went wrong.
        why: String,
    },
    /// It cannot happen, now or later.
    #[error("{why}")]
    Never {
        /// What is refused.
        scope: Scope,
        /// What the server said, and what to do about it, for a maintainer.
        why: String,
    },
    /// Another room took the place of this one, where nothing can be said any more.
    #[error("the room was replaced by {by}")]
    Replaced {
        /// The other room, in the platform's own terms.
        by: String,
    },
    /// The message to be edited or removed is gone: somebody deleted it.
    #[error("the message is gone")]
    Gone,
}

impl SendError {
    /// What an error means of a request that comes before a message, such as a look: nothing was sent, and the try failed.
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

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This delivery alone.
    Delivery,
    /// Its channel.
    Channel,
    /// Every channel of the platform.
    Platform,
}

/// A chat system.
pub trait Platform: Send + Sync {
    /// Its name, as the configuration writes it.
    fn name(&self) -> &'static str;

    /// How long a send with the same key is known not to make a second message. Past that, and where it is zero, a
    /// send whose outcome is unknown is looked for first.
    fn dedupes_for(&self, address: &str) -> Duration;

    /// Whether deliveries to different channels may be under way side by side.
    fn sends_side_by_side(&self) -> bool {
        true
    }

    /// Does one delivery. A send gives the receipt of what it made, an edit and a removal that of what they changed.
    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>>;

    /// Looks for the message that an earlier attempt may have made, by [`Content::mark`]; `None` where it is not there.
    fn find<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>>;

    /// All messages of ours that stand in a channel and were sent from `since` on, unix seconds, or earlier. A message
    /// whose mark cannot be read is an error: what may stand must not be sent again.
    fn standing<'a>(
        &'a self,
        address: &'a str,
        since: i64,
    ) -> BoxFuture<'a, Result<Vec<Standing>, SendError>>;
}

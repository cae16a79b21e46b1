//! The data that platforms and the command handler exchange.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Call, Completes, PlatformKind, WrongCall};
use crate::post::story::Content;

/// The person who gives a command, and the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requester {
    pub platform: PlatformKind,
    /// A Discord channel's number, or a Matrix room's id.
    pub room: String,
    /// The Discord server of the room.
    pub community: Option<String>,
    /// The person's id, which nobody can choose.
    pub person: String,
    /// The ids of the person's Discord roles.
    pub roles: Vec<String>,
    /// Whether the person manages the place: Manage Server on Discord, a moderator on Matrix.
    pub is_manager: bool,
    /// Whether only this person reads the answer: it is hidden from others, or nobody else is in the room.
    pub is_alone: bool,
}

/// A command given by a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRequest {
    pub by: Requester,
    /// The handler answers a text that is no valid command with help.
    pub call: Result<Call, WrongCall>,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub content: Content,
    /// Whether only the requester may see it, on platforms with private answers.
    pub is_private: bool,
    pub pages: PageCalls,
}

/// The calls for the pages before and after a reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageCalls {
    pub back: Option<Call>,
    pub next: Option<Call>,
}

/// A completion of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The text that the person sees; at most 100 characters.
    pub shown: String,
    /// The argument; at most 100 characters.
    pub value: String,
}

/// A change of a platform's rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// Rights, members or the room itself changed, so that refused deliveries may succeed now.
    Changed {
        /// `None` means any room of the platform.
        room: Option<String>,
    },
    /// Another room replaced one.
    Replaced { room: String, by: String },
}

/// The command handler, as platforms see it.
pub trait HandleCommands: Send + Sync {
    /// Answers a command. `None` means no answer.
    fn answer(&self, request: CommandRequest) -> BoxFuture<'_, Option<Reply>>;

    /// Completes an argument: at most 25 choices, the likeliest first.
    fn complete<'a>(
        &'a self,
        by: &'a Requester,
        completes: Completes,
        typed: &'a str,
    ) -> BoxFuture<'a, Vec<Choice>>;

    /// Reacts to a change of a platform's rooms.
    fn room_event(&self, platform: PlatformKind, event: RoomEvent) -> BoxFuture<'_, ()> {
        let _ = (platform, event);
        Box::pin(std::future::ready(()))
    }
}

/// A command handler shared by tasks.
pub type SharedHandler = Arc<dyn HandleCommands>;

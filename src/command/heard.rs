//! What a platform heard, and what it is to show: the only things that commands and platforms know of each other.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::grammar::{Call, Completes, WrongCall};
use crate::post::story::Content;

/// Who asks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The platform's name, as the configuration writes it.
    pub platform: &'static str,
    /// The room, in the platform's own terms.
    pub room: String,
    /// The server that the room belongs to, where the platform has such.
    pub community: Option<String>,
    /// Who asks: an id that nobody can choose freely.
    pub person: String,
    /// What the person's roles are called by the platform; empty where it has none.
    pub roles: Vec<String>,
    /// Whether the platform lets them manage the place: Discord's Manage Server, Matrix' power to change the room.
    pub is_manager: bool,
}

/// A command of a person's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub by: Asker,
    /// What; a text that is no command carries what is wrong with it, to be answered with help.
    pub call: Result<Call, WrongCall>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it says.
    pub content: Content,
    /// Whether it is for the asking person alone, where a platform can do that.
    pub is_private: bool,
    /// Where it goes on.
    pub pages: Pages,
}

/// Where a reply that has several pages goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pages {
    /// The call that gives the page before.
    pub back: Option<Call>,
    /// The call that gives the next page.
    pub on: Option<Call>,
}

/// A value that a person may mean: what is shown for it, and what is handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is shown; at most 100 characters.
    pub shown: String,
    /// What is handed over; at most 100 characters.
    pub value: String,
}

/// What a platform noticed of rooms by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noticed {
    /// Rights, members or the room itself changed: what was refused may be taken now.
    Changed {
        /// The room, in the platform's own terms; `None`: any.
        room: Option<String>,
    },
    /// Another room took the place of one.
    Replaced {
        /// The old one.
        room: String,
        /// The new one.
        by: String,
    },
}

/// Who hears commands.
pub trait Ears: Send + Sync {
    /// Answers a command; nothing where silence is the answer.
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Option<Reply>>;

    /// What a person may mean who has typed `begun` of an argument; at most 25, the likeliest first.
    fn complete<'a>(
        &'a self,
        by: &'a Asker,
        completes: Completes,
        begun: &'a str,
    ) -> BoxFuture<'a, Vec<Choice>>;

    /// Takes note of what a platform noticed of rooms.
    fn notice(&self, platform: &'static str, noticed: Noticed) -> BoxFuture<'_, ()> {
        let _ = (platform, noticed);
        Box::pin(std::future::ready(()))
    }
}

/// Ears that several tasks share.
pub type Ear = Arc<dyn Ears>;

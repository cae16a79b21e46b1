//! Commands that people give in chat: the rights they need, and their answers. A platform passes a command as a
//! [`crate::chat::CommandRequest`], [`handler::CommandHandler`] answers it, and the platform shows the reply.
//!
//! Every argument was written by a stranger. Answers go through [`crate::post::plain`], and platforms escape them. The
//! handler checks every change, whatever the platform checked, and records the person who made it.

mod changes;
mod complete;
mod context;
mod editors;
mod feeds;
pub mod handler;
mod issues;
mod letters;
mod mutes;
mod pages;
mod publishing;
mod rate;
mod readers;
mod records;
mod rights;
mod routes;
mod suggest;
mod wording;

pub use self::changes::{Change, Maintainer};
pub use self::context::CommandError;

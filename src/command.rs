//! Commands that people give in chat: the rights they need, and their answers. A platform passes a command as a
//! [`crate::chat::CommandRequest`], [`handler::CommandHandler`] answers it, and the platform shows the reply.
//!
//! Every argument was written by a stranger. Answers go through [`crate::post::plain`], and platforms escape them. The
//! handler checks every change, whatever the platform checked, and records the person who made it.

mod changes;
mod complete;
mod context;
mod desk;
mod editors;
mod feeds;
mod follows;
mod forget;
pub mod handler;
mod issues;
mod letters;
mod mail;
mod mutes;
mod pages;
mod publishing;
mod readers;
mod records;
mod routes;
mod stats;
mod suggest;
mod wording;

pub use self::changes::{Change, Maintainer};
pub use self::context::CommandError;

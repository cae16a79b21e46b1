//! Commands that people give in chat: what they are, who may, and what is answered. Platforms hand over what they heard
//! as [`heard::Asked`], and show the [`heard::Reply`]; [`clerk::Clerk`] is who answers.
//!
//! Everything that comes in was written by a stranger. What is answered goes through [`crate::post::plain`], and platforms
//! escape it; what is changed is checked here, whatever the platform checked, and recorded with who changed it.

mod answer;
pub mod clerk;
mod complete;
mod editors;
mod feeds;
pub mod grammar;
pub mod heard;
mod issues;
mod letters;
mod mutes;
mod pace;
mod pages;
mod publishing;
mod readers;
mod records;
mod rights;
mod routes;
mod suggest;
pub mod table;

//! bpfnews: a chat bot that posts BPF news.
//!
//! Data flows one way: `source → item → story → post → channel`. Many *feeds* (kernel trees, mailing-list archives, LWN, releases,
//! videos) are polled politely and completely; what they give is kept once as *items*; they fold into
//! *stories*, which channels show as *posts*. ARCHITECTURE.md tells the whole way, and `tests/tidy.rs` holds the rooms apart.

// What the chat systems' libraries await is deeply nested.
#![recursion_limit = "256"]

pub mod app;
pub mod channel;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod deliver;
pub mod demo;
pub mod desk;
pub mod ingest;
pub mod issue;
pub mod item;
pub mod live;
pub mod post;
pub mod publish;
pub mod source;
pub mod store;
pub mod story;
pub mod web;

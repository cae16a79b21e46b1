//! bpfnews: a chat bot that posts BPF news.
//!
//! Data flows one way: `source → item → story → post → channel`. Follow one poll through the code:
//!
//! 1. [`ingest`] finds a feed that is due, and asks [`source`] for a walk: a pure state machine that names the next request.
//! 2. [`source::fetch`] makes the request politely and within bounds. The walk turns the answer into a page of [`item`]s.
//! 3. One transaction of the [`store`] has it all: the new items, their [`fold`] into [`story`] values, the [`plan`] of each
//!    channel's [`post`], and the feed's cursor. A crash before the commit changes nothing; the next poll reads the page again.
//! 4. [`deliver`] claims each queued delivery, sends it through a platform of [`channel`], and records the result. A story
//!    that moves later edits its post.
//! 5. Once a week [`publish`] compiles the stories into an [`issue`]. [`command`] answers people in chat, and [`web`] serves
//!    pages.
//!
//! [`config`] reads the file that sets all this up, [`live`] swaps it while the program runs, and [`cli`] is the command line.
//! ARCHITECTURE.md explains the design, and `tests/all/tidy.rs` keeps the modules apart.

// The futures of the chat libraries are deeply nested.
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
pub mod destination;
pub mod filter;
pub mod fold;
pub mod ingest;
pub mod issue;
pub mod item;
pub mod live;
pub mod mailing;
pub mod plan;
pub mod post;
pub mod publish;
pub mod rate;
pub mod source;
pub mod store;
pub mod story;
pub mod web;

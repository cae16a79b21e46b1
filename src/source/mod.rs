//! The kinds of upstream, and how each is read: bytes in, items out.
//!
//! A source is pure: its [`Walk`] returns the next [`Request`] and reads the [`Answer`] into a [`Page`].
//! Only [`fetch`] talks to the network.

pub mod archive;
mod authentication;
mod cause;
mod cursor_kind;
pub mod feed;
pub mod fetch;
pub mod git;
mod handover;
mod html;
pub mod mail;
pub mod mbox;
mod mime;
pub mod newsgroup;
mod pages;
mod question;
mod request;
pub mod thread;
pub mod tree;
pub mod ways;
mod wire;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::cause::{OWN_NETWORK, cause_of};
use self::cursor_kind::{CursorKind, read_to};
pub use self::pages::{item_url, page_of};
use self::request::BULK_BYTES_MAX;
pub use self::request::{
    Answer, Body, Expect, FetchError, Method, NewsQuestion, NewsRequest, Request, Validators,
};
use self::thread::{ThreadQuestion, ThreadWalk};
use self::ways::NoThreadWay;

use crate::config::{FeedConfig, FeedKind, Identity};
use crate::item::{Item, ItemKey};

/// An upstream that can be read.
#[derive(Debug, Clone)]
pub enum Source {
    /// A branch of a kernel tree.
    Tree(tree::Tree),
    /// A mailing list's archive, by HTTP.
    Archive(archive::Archive),
    /// A branch that is read by git.
    GitTree(git::GitTree),
    /// A mailing list's archive that is read by git.
    GitArchive(git::GitArchive),
    /// A mailing list's archive, by NNTP.
    Newsgroup(newsgroup::Newsgroup),
    /// A tree or an archive by its addresses, the best first.
    Ways(ways::Ways),
    /// LWN or any other feed.
    Feed(feed::Feed),
}

/// The purpose of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// To read the items since the cursor, in bounded steps.
    Poll,
    /// To read all items since a moment.
    Backfill {
        /// The oldest moment of interest.
        since: DateTime<Utc>,
    },
}

impl Source {
    /// The source of a configured feed.
    pub fn open(feed: &FeedConfig) -> Self {
        match &feed.kind {
            FeedKind::Tree { .. } | FeedKind::Archive { .. } => {
                let ways = feed.ways().iter();
                Self::Ways(ways::Ways::new(
                    ways.map(|url| (url.clone(), Self::by(feed, url))),
                ))
            }
            FeedKind::Lwn | FeedKind::Feed { .. } => Self::by(feed, &feed.url),
        }
    }

    /// The source of a configured feed at one of its addresses; the scheme selects the way to read it.
    fn by(feed: &FeedConfig, url: &Url) -> Self {
        match &feed.kind {
            FeedKind::Tree { branch, paths, .. } if git::is_git(url) => {
                Self::GitTree(git::GitTree::new(url, branch, paths))
            }
            FeedKind::Archive { .. } if git::is_git(url) => {
                Self::GitArchive(git::GitArchive::new(url))
            }
            FeedKind::Tree { branch, paths, .. } => Self::Tree(tree::Tree::new(url, branch, paths)),
            FeedKind::Archive { .. } if matches!(url.scheme(), "nntp" | "nntps") => {
                let login = feed.addresses.login.as_ref();
                Self::Newsgroup(newsgroup::Newsgroup::new(url, login))
            }
            FeedKind::Archive { query } => {
                Self::Archive(archive::Archive::new(url, query.as_deref()))
            }
            FeedKind::Lwn => Self::Feed(feed::Feed::new(
                url,
                feed::Flavour::Lwn,
                Identity::default(),
            )),
            FeedKind::Feed { gives, identity } => Self::Feed(feed::Feed::new(
                url,
                feed::Flavour::of(url, *gives),
                *identity,
            )),
        }
    }

    /// Starts a walk at `cursor`, the text that [`Walk::cursor`] returned last time; `None` at the first poll.
    ///
    /// # Errors
    ///
    /// A message for a person if this kind of source has no older pages to read.
    pub fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> Result<Walk, String> {
        match (self, goal) {
            (Self::Tree(tree), _) => Ok(Walk::Tree(tree.begin(cursor, goal, now))),
            (Self::Archive(archive), _) => Ok(Walk::Archive(archive.begin(cursor, goal, now))),
            (Self::GitTree(tree), _) => Ok(Walk::GitTree(tree.begin(cursor, goal, now))),
            (Self::GitArchive(archive), _) => {
                Ok(Walk::GitArchive(archive.begin(cursor, goal, now)))
            }
            (Self::Newsgroup(group), _) => Ok(Walk::Newsgroup(group.begin(cursor, goal, now))),
            (Self::Ways(ways), _) => ways.begin(cursor, goal, now),
            (Self::Feed(feed), Goal::Poll) => Ok(Walk::Feed(feed.begin(cursor, now))),
            (Self::Feed(_), Goal::Backfill { .. }) => Err(
                "only archives and trees can be read back in time; other feeds have no older pages"
                    .to_owned(),
            ),
        }
    }
}

impl Source {
    /// Starts a walk through one thread of an archive; `cursor` is that of the feed.
    ///
    /// # Errors
    ///
    /// If no address of the feed can be asked for it.
    pub fn begin_thread(
        &self,
        cursor: Option<&str>,
        question: Arc<ThreadQuestion>,
        now: DateTime<Utc>,
    ) -> Result<Walk, NoThreadWay> {
        let Self::Ways(ways) = self else {
            return Err(NoThreadWay::GitAlone);
        };
        let ways = ways.thread_ways(cursor, now)?;
        let walk = ThreadWalk::new(question, ways, now);
        Ok(Walk::Thread(Box::new(walk)))
    }

    /// Whether a stored cursor can be this way's own.
    fn owns(&self, cursor: &str) -> bool {
        let kind = CursorKind::of(cursor);
        match self {
            Self::Newsgroup(group) => group.owns(cursor),
            Self::Tree(_) => kind == Some(CursorKind::Tree),
            Self::Archive(_) => kind == Some(CursorKind::Archive),
            Self::GitTree(_) | Self::GitArchive(_) => kind == Some(CursorKind::Git),
            Self::Feed(_) | Self::Ways(_) => kind.is_none(),
        }
    }

    /// A cursor from which all items since a moment (unix seconds) are read, as news; `None` if this way cannot begin there.
    fn cursor_since(&self, since: i64) -> Option<String> {
        match self {
            Self::Archive(_) => Some(archive::cursor_since(since)),
            Self::Newsgroup(group) => Some(group.cursor_since(since)),
            Self::GitArchive(_) => Some(git::archive_cursor_since(since)),
            Self::Tree(_) | Self::GitTree(_) | Self::Feed(_) | Self::Ways(_) => None,
        }
    }
}

/// A poll or a backfill in progress. It returns the next request and reads the answer. After [`Walk::read`], the caller stores
/// the page and passes the keys of the new items to [`Walk::learn`], in one transaction; only then is the cursor valid.
#[derive(Debug, Clone)]
pub enum Walk {
    /// Through a tree.
    Tree(tree::TreeWalk),
    /// Through an archive.
    Archive(archive::ArchiveWalk),
    /// Through a branch, by git.
    GitTree(git::GitTreeWalk),
    /// Through an archive, by git.
    GitArchive(git::GitArchiveWalk),
    /// Through a newsgroup.
    Newsgroup(newsgroup::NewsWalk),
    /// By one of several addresses.
    Ways(Box<ways::WaysWalk>),
    /// One document.
    Feed(feed::FeedWalk),
    /// Through one thread of an archive.
    Thread(Box<ThreadWalk>),
}

impl Walk {
    /// The next request; `None` if the walk has ended, or pauses until the next poll.
    #[expect(
        clippy::should_implement_trait,
        reason = "the next request depends on the last answer, so a walk is no iterator"
    )]
    pub fn next(&mut self) -> Option<Request> {
        match self {
            Self::Tree(walk) => walk.next(),
            Self::Archive(walk) => walk.next(),
            Self::GitTree(walk) => walk.next(),
            Self::GitArchive(walk) => walk.next(),
            Self::Newsgroup(walk) => walk.next(),
            Self::Ways(walk) => walk.next(),
            Self::Feed(walk) => walk.next(),
            Self::Thread(walk) => walk.next(),
        }
    }

    /// Reads the answer to the request, or the error.
    ///
    /// # Errors
    ///
    /// An error that ends the walk. If the walk has another way to go, it takes that way and returns no error.
    pub fn read(&mut self, answer: Result<Answer, FetchError>) -> Result<Page, FetchError> {
        match self {
            Self::Tree(walk) => walk.read(answer),
            Self::Archive(walk) => walk.read(answer),
            Self::GitTree(walk) => walk.read(answer),
            Self::GitArchive(walk) => walk.read(answer),
            Self::Newsgroup(walk) => walk.read(answer),
            Self::Ways(walk) => walk.read(answer),
            Self::Feed(walk) => walk.read(answer),
            Self::Thread(walk) => walk.read(answer),
        }
    }

    /// Takes the keys of the last page's items that were not stored before (`fresh`), and of those that this feed did not
    /// show before (`new_here`). Only `new_here` says how far a walk has come: another feed may show the same items.
    pub fn learn(&mut self, fresh: &HashSet<ItemKey>, new_here: &HashSet<ItemKey>) -> Vec<Gap> {
        match self {
            Self::Tree(walk) => walk.learn(fresh, new_here),
            Self::Archive(walk) => walk.learn(fresh, new_here),
            Self::GitTree(walk) => walk.learn(new_here),
            Self::GitArchive(walk) => walk.learn(),
            Self::Newsgroup(walk) => walk.learn(new_here),
            Self::Ways(walk) => walk.learn(fresh, new_here),
            Self::Feed(walk) => walk.learn(new_here),
            Self::Thread(_) => Vec::new(),
        }
    }

    /// The place where the next walk begins, as JSON.
    pub fn cursor(&self) -> String {
        match self {
            Self::Tree(walk) => walk.cursor(),
            Self::Archive(walk) => walk.cursor(),
            Self::GitTree(walk) => walk.cursor(),
            Self::GitArchive(walk) => walk.cursor(),
            Self::Newsgroup(walk) => walk.cursor(),
            Self::Ways(walk) => walk.cursor(),
            Self::Feed(walk) => walk.cursor(),
            // It has none: a thread is asked for anew.
            Self::Thread(_) => String::new(),
        }
    }

    /// Whether more is to be fetched: now, or at the next poll if [`Walk::next`] returns `None`.
    pub fn is_cut_short(&self) -> bool {
        match self {
            Self::Tree(walk) => walk.is_cut_short(),
            Self::Archive(walk) => walk.is_cut_short(),
            Self::GitTree(walk) => walk.is_cut_short(),
            Self::GitArchive(walk) => walk.is_cut_short(),
            Self::Newsgroup(walk) => walk.is_cut_short(),
            Self::Ways(walk) => walk.is_cut_short(),
            Self::Feed(_) => false,
            Self::Thread(walk) => walk.is_cut_short(),
        }
    }

    /// Whether a detour has ended: the best address of the feed has been read to its end, after it had failed.
    pub fn has_ended_detour(&self) -> bool {
        match self {
            Self::Ways(walk) => walk.has_ended_detour(),
            Self::Tree(_)
            | Self::Archive(_)
            | Self::GitTree(_)
            | Self::GitArchive(_)
            | Self::Newsgroup(_)
            | Self::Feed(_)
            | Self::Thread(_) => false,
        }
    }

    /// How far a backfill has come, from 0 to 1.
    pub fn progress(&self) -> f64 {
        match self {
            Self::Tree(walk) => walk.progress(),
            Self::Archive(walk) => walk.progress(),
            Self::GitTree(walk) => walk.progress(),
            Self::GitArchive(walk) => walk.progress(),
            Self::Newsgroup(walk) => walk.progress(),
            Self::Ways(walk) => walk.progress(),
            Self::Feed(_) | Self::Thread(_) => 1.0,
        }
    }
}

/// The items of one answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items, in the document's order.
    pub items: Vec<Item>,
    /// A message for maintainers for each entry that could not be read.
    pub faults: Vec<String>,
    /// Whether this part of the feed (a path of a tree) is read for the first time: its items are stored and not announced.
    pub is_first: bool,
    /// Whether the branch still has its last tip: then a commit that resembles a stored one is another change, and no rebased one.
    pub is_fast_forward: bool,
    /// A message for maintainers about the whole source, such as a wrong clock; they get it once a month at most.
    pub warning: Option<String>,
    /// A message for maintainers that the feed is read by another of its addresses from now on.
    pub detour: Option<String>,
    /// Whether the answer only decides the next request: there is nothing to store, and the walk has one.
    pub is_interim: bool,
    /// The pause that the document itself asks for (`ttl`, `sy:updatePeriod`).
    pub leave_alone_for: Option<Duration>,
}

/// A range of time in which items of a feed are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The beginning, in unix seconds; 0 if it is not known.
    pub from_at: i64,
    /// The end, in unix seconds; 0 if it is not known.
    pub to_at: i64,
    /// The reason, for a maintainer.
    pub why: String,
    /// Whether this range is complete now: the gaps inside it are to be removed.
    pub is_healed: bool,
}

impl Gap {
    fn healed(from_at: i64, to_at: i64) -> Self {
        Self {
            from_at,
            to_at,
            why: String::new(),
            is_healed: true,
        }
    }
}

/// The validators that a cursor keeps for one URL. They are dropped when the URL changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct KnownVersion {
    url: String,
    #[serde(flatten)]
    validators: Validators,
}

impl KnownVersion {
    fn of(url: &Url, validators: &Validators) -> Self {
        Self {
            url: url.to_string(),
            validators: validators.clone(),
        }
    }

    fn for_url(&self, url: &Url) -> Validators {
        if self.url == url.as_str() {
            self.validators.clone()
        } else {
            Validators::default()
        }
    }
}

/// The error for a document that cannot be read. A parser's message may quote the document, and control characters must not
/// reach a terminal.
fn broken(url: &Url, why: impl std::fmt::Display) -> FetchError {
    let host = url.host_str().unwrap_or("the answer");
    FetchError::Broken {
        why: wire::one_line(&format!("{host}: {why}")),
    }
}

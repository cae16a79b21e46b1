//! Which kinds of upstream there are, and how each is read: bytes in, items out.
//!
//! A source is pure: it says which [`Request`] it wants next and reads the [`Answer`] into a `Page`.
//! Only [`fetch`] talks to the network.

pub mod archive;
pub mod feed;
pub mod fetch;
mod html;
pub mod mail;
pub mod mbox;
mod mime;
pub mod tree;
mod wire;

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::{FeedConfig, FeedKind, Identity};
use crate::item::{Item, ItemKey, ItemKind};

/// An upstream that can be read.
#[derive(Debug, Clone)]
pub enum Source {
    /// A branch of a kernel tree.
    Tree(tree::Tree),
    /// A mailing list's archive.
    Archive(archive::Archive),
    /// LWN or any other feed.
    Feed(feed::Feed),
}

/// What a walk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// What is new since the cursor, bounded per poll.
    Poll,
    /// Everything since then, until all is there.
    Backfill {
        /// The oldest moment of interest.
        since: DateTime<Utc>,
    },
}

impl Source {
    /// The source that a configured feed asks for.
    pub fn open(feed: &FeedConfig) -> Self {
        match &feed.kind {
            FeedKind::Tree { branch, paths, .. } => {
                Self::Tree(tree::Tree::new(&feed.url, branch, paths))
            }
            FeedKind::Archive { query } => {
                Self::Archive(archive::Archive::new(&feed.url, query.as_deref()))
            }
            FeedKind::Lwn => Self::Feed(feed::Feed::new(
                &feed.url,
                feed::Flavour::Lwn,
                Identity::default(),
            )),
            FeedKind::Feed { gives, identity } => Self::Feed(feed::Feed::new(
                &feed.url,
                feed::Flavour::of(&feed.url, *gives),
                *identity,
            )),
        }
    }

    /// Starts a walk at `cursor` (what [`Walk::cursor`] gave last time, `None` at first).
    ///
    /// # Errors
    ///
    /// Text for a person when this kind of source cannot be walked back.
    pub fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> Result<Walk, String> {
        match (self, goal) {
            (Self::Tree(tree), _) => Ok(Walk::Tree(tree.begin(cursor, goal))),
            (Self::Archive(archive), _) => Ok(Walk::Archive(archive.begin(cursor, goal, now))),
            (Self::Feed(feed), Goal::Poll) => Ok(Walk::Feed(feed.begin(cursor, now))),
            (Self::Feed(_), Goal::Backfill { .. }) => {
                Err("only archives and trees can be walked back; other feeds hold no more than they show".to_owned())
            }
        }
    }
}

/// One poll or backfill under way: which request comes next, and what its answer means. Between [`Walk::read`] and the
/// commit of what was read, [`Walk::learn`] is told which of the items were new; the cursor is valid after that.
#[derive(Debug, Clone)]
pub enum Walk {
    /// Through a tree.
    Tree(tree::Walk),
    /// Through an archive.
    Archive(archive::Walk),
    /// One document.
    Feed(feed::Walk),
}

impl Walk {
    /// The request that comes next; `None` when the walk is over, or over for this time.
    #[expect(
        clippy::should_implement_trait,
        reason = "what comes next depends on the last answer, so a walk is no iterator"
    )]
    pub fn next(&mut self) -> Option<Request> {
        match self {
            Self::Tree(walk) => walk.next(),
            Self::Archive(walk) => walk.next(),
            Self::Feed(walk) => walk.next(),
        }
    }

    /// Reads what came of the request.
    ///
    /// # Errors
    ///
    /// What ends the walk; an answer that only closes one of several ways is not an error.
    pub fn read(&mut self, answer: Result<Answer, FetchError>) -> Result<Page, FetchError> {
        match self {
            Self::Tree(walk) => walk.read(answer),
            Self::Archive(walk) => walk.read(answer),
            Self::Feed(walk) => walk.read(answer),
        }
    }

    /// Learns which items of the last page the store had not known at all (`fresh`), and which this feed had not shown
    /// before (`new_here`): only those tell how far a walk has come, for another feed may carry the same.
    pub fn learn(&mut self, fresh: &HashSet<ItemKey>, new_here: &HashSet<ItemKey>) -> Vec<Gap> {
        match self {
            Self::Tree(walk) => walk.learn(fresh, new_here),
            Self::Archive(walk) => walk.learn(fresh, new_here),
            Self::Feed(walk) => walk.learn(new_here),
        }
    }

    /// Where the next walk begins.
    pub fn cursor(&self) -> String {
        match self {
            Self::Tree(walk) => walk.cursor(),
            Self::Archive(walk) => walk.cursor(),
            Self::Feed(walk) => walk.cursor(),
        }
    }

    /// Whether there is more to fetch: once nothing comes next, at the next poll.
    pub fn is_cut_short(&self) -> bool {
        match self {
            Self::Tree(walk) => walk.is_cut_short(),
            Self::Archive(walk) => walk.is_cut_short(),
            Self::Feed(_) => false,
        }
    }

    /// How far a backfill has come, from 0 to 1.
    pub fn progress(&self) -> f64 {
        match self {
            Self::Tree(walk) => walk.progress(),
            Self::Archive(walk) => walk.progress(),
            Self::Feed(_) => 1.0,
        }
    }
}

/// What one answer gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The items, in the document's order.
    pub items: Vec<Item>,
    /// What could not be read, each in words for a maintainer; the rest of the page is unharmed.
    pub faults: Vec<String>,
    /// Whether this is the first look at a part of the feed (a path of a tree): what it shows is remembered, not news.
    pub is_first: bool,
    /// For how long the document itself asks to be left alone (`ttl`, `sy:updatePeriod`).
    pub leave_alone_for: Option<Duration>,
}

/// A stretch of a feed that is known to be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// From when, unix seconds; 0 where that is not known.
    pub from_at: i64,
    /// To when, unix seconds; 0 where that is not known.
    pub to_at: i64,
    /// Why, for a maintainer.
    pub why: String,
}

/// The validators of one URL, as a cursor keeps them: of no use once the URL changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    url: String,
    #[serde(flatten)]
    validators: Validators,
}

impl Kept {
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

/// The most bytes of one document.
const DOCUMENT_BYTES_MAX: u64 = 16 << 20;
/// The most bytes of a bulk download (an mbox, a range of patches).
const BULK_BYTES_MAX: u64 = 96 << 20;

impl Request {
    /// A conditional GET of a feed document.
    fn feed(url: Url, validators: Validators) -> Self {
        Self {
            url,
            method: Method::Get,
            expect: Expect::Feed,
            validators,
            bytes_max: DOCUMENT_BYTES_MAX,
        }
    }

    /// A GET of a page for people.
    fn page(url: Url) -> Self {
        let validators = Validators::default();
        Self {
            url,
            method: Method::Get,
            expect: Expect::Html,
            validators,
            bytes_max: DOCUMENT_BYTES_MAX,
        }
    }

    /// A bulk download.
    fn bulk(url: Url, method: Method) -> Self {
        Self {
            url,
            method,
            expect: Expect::Bytes,
            validators: Validators::default(),
            bytes_max: BULK_BYTES_MAX,
        }
    }
}

/// Where a person reads a mail or a commit of the feed at `base`; `None` for items that carry a link of their own.
pub fn item_url(kind: ItemKind, base: &Url, reference: &str) -> Option<String> {
    match kind {
        ItemKind::Commit => Some(tree::commit_url(base, reference).into()),
        ItemKind::Message => Some(archive::message_url(base, reference).into()),
        ItemKind::Article | ItemKind::Release | ItemKind::Video => None,
    }
}

/// The error for a document that does not say what it should. What a parser says may quote the document, whose control
/// characters must not reach a terminal.
fn broken(url: &Url, why: impl std::fmt::Display) -> FetchError {
    let host = url.host_str().unwrap_or("the answer");
    FetchError::Broken {
        why: wire::one_line(&format!("{host}: {why}")),
    }
}

/// One request a source wants made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where.
    pub url: Url,
    /// GET, or public-inbox's POST (no body) for an mbox of search results.
    pub method: Method,
    /// What the answer must be.
    pub expect: Expect,
    /// What the last answer from this URL said of its version.
    pub validators: Validators,
    /// The most bytes of the answer, as sent and after its content encoding is undone.
    pub bytes_max: u64,
}

/// The HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET, conditional where there are validators.
    Get,
    /// POST with an empty body.
    Post,
}

/// What an answer must be to be handed on; a page for people in place of a feed is a wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// An Atom, RSS or JSON document.
    Feed,
    /// An HTML page (cgit's log).
    Html,
    /// Plain text or any bytes (an mbox, gzipped or not).
    Bytes,
}

/// What a server said of a document's version, to be sent back with the next request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The `ETag`, as sent.
    pub etag: Option<String>,
    /// The `Last-Modified`, as sent.
    pub last_modified: Option<String>,
}

/// A good answer: 200, or 304 where validators were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Where the answer came from, after redirects.
    pub url: Url,
    /// Where the document has moved for good: set when every redirect on the way was permanent (301, 308).
    pub moved_to: Option<Url>,
    /// What came.
    pub body: Body,
    /// What to send with the next request.
    pub validators: Validators,
    /// For how long the server says the answer stays good (`Cache-Control: max-age`, else `Expires`).
    pub fresh_for: Option<Duration>,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// 304: what we have is still right.
    Unchanged,
    /// 200: the bytes, with the content encoding undone, and the `charset` of the Content-Type.
    Bytes {
        /// The document.
        bytes: Vec<u8>,
        /// The charset the Content-Type names, as sent.
        charset: Option<String>,
    },
}

/// Why a request gave no good answer; the variant is the decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Try later: 408, 425, 429, 5xx, a time-out, a broken connection. `after` is the server's own delay.
    #[error("{why}")]
    Later {
        /// The server's `Retry-After`.
        after: Option<Duration>,
        /// What happened, for a person.
        why: String,
    },
    /// Not asked at all: the host told us, over another of its feeds perhaps, to stay away for so long.
    #[error("{why}")]
    Held {
        /// How long it is still to be left alone.
        after: Duration,
        /// What happened, for a person.
        why: String,
    },
    /// 404: nothing there; the source knows whether that only means "none". `page` is the start of the body.
    #[error("{why}")]
    Missing {
        /// What happened, for a person.
        why: String,
        /// The first bytes of the answer's body, as text.
        page: String,
    },
    /// A page for people came where a feed was due.
    #[error("{why}")]
    Walled {
        /// What happened, for a person.
        why: String,
    },
    /// 410: it will not come back.
    #[error("{why}")]
    Gone {
        /// What happened, for a person.
        why: String,
    },
    /// Larger than [`Request::bytes_max`].
    #[error("{why}")]
    TooBig {
        /// What happened, for a person.
        why: String,
    },
    /// Never asked, or not to be followed: a private address, another scheme, too many redirects; or an answer that
    /// makes no sense (another 4xx, an encoding that cannot be undone).
    #[error("{why}")]
    Broken {
        /// What happened, for a person.
        why: String,
    },
    /// The host could not be reached at all (DNS, no route, connection refused or timed out).
    #[error("{why}")]
    Unreachable {
        /// What happened, for a person.
        why: String,
    },
    /// Several hosts in a row could not be reached and none answered since: it is our own network that is down.
    #[error("{why}")]
    Offline {
        /// What happened, for a person.
        why: String,
    },
}

//! Which kinds of upstream there are, and how each is read: bytes in, items out.
//!
//! A source is pure: it says which [`Request`] it wants next and reads the [`Answer`] into a `Page`.
//! Only [`fetch`] talks to the network.

pub mod fetch;

use std::time::Duration;

use url::Url;

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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

//! Requests, their answers, and their errors.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::question::GitQuestion;
use crate::config::NewsLogin;
use crate::item::MessageId;

/// The most bytes of one document.
const DOCUMENT_BYTES_MAX: u64 = 16 << 20;
/// The most bytes of a bulk download (an mbox, a range of patches).
pub(super) const BULK_BYTES_MAX: u64 = 96 << 20;
/// The most bytes of the mbox of one thread.
const THREAD_BYTES_MAX: u64 = 16 << 20;

impl Request {
    /// A conditional GET of a feed document.
    pub(super) fn feed(url: Url, validators: Validators) -> Self {
        Self {
            url,
            method: Method::Get,
            expect: Expect::Feed,
            validators,
            bytes_max: DOCUMENT_BYTES_MAX,
        }
    }

    /// A GET of an HTML page.
    pub(super) fn page(url: Url) -> Self {
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
    pub(super) fn bulk(url: Url, method: Method) -> Self {
        Self {
            url,
            method,
            expect: Expect::Bytes,
            validators: Validators::default(),
            bytes_max: BULK_BYTES_MAX,
        }
    }

    /// A download of the mbox of one thread.
    pub(super) fn thread(url: Url) -> Self {
        Self {
            bytes_max: THREAD_BYTES_MAX,
            ..Self::bulk(url, Method::Get)
        }
    }

    /// A question to a news server.
    pub(super) fn news(url: Url, news: NewsRequest) -> Self {
        Self::bulk(url, Method::News(news))
    }
}

impl Request {
    /// A question for git.
    pub(super) fn git(url: Url, question: GitQuestion) -> Self {
        Self::bulk(url, Method::Git(Box::new(question)))
    }
}

/// A request that a source needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The address.
    pub url: Url,
    /// GET, public-inbox's POST (no body) for an mbox of search results, or a question for git or a news server.
    pub method: Method,
    /// The form that the answer must have.
    pub expect: Expect,
    /// The validators of the last answer from this URL.
    pub validators: Validators,
    /// The limit on the answer's bytes, both as sent and as decompressed.
    pub bytes_max: u64,
}

/// The HTTP method, or a question for git or by NNTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// GET, conditional if there are validators.
    Get,
    /// POST with an empty body.
    Post,
    /// Git answers; the address is one of git's.
    Git(Box<GitQuestion>),
    /// A question about the group that the URL names.
    News(NewsRequest),
}

/// A question to a news server, with the account for it. The answer's bytes are a [`super::newsgroup::frame`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsRequest {
    /// The question.
    pub ask: NewsQuestion,
    /// The account, if the server wants one.
    pub login: Option<NewsLogin>,
}

/// A question about a newsgroup (RFC 3977). Article numbers are from 1 to 2^31 - 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewsQuestion {
    /// The group's lowest and highest article number.
    Group,
    /// The articles from `first` to `last`: which exist, and the first `most` of them.
    Articles {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
        /// The most articles to be sent.
        most: usize,
        /// An article that was read before; the answer names its Message-ID now.
        anchor: Option<u64>,
    },
    /// The newest `most` articles from `first` to `last`.
    Newest {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
        /// The most articles to be sent.
        most: usize,
    },
    /// The heads of the first `most` articles from `first` to `last`, which have their dates.
    Heads {
        /// The first number.
        first: u64,
        /// The last number.
        last: u64,
        /// The most heads to be sent.
        most: usize,
    },
    /// The articles with these Message-IDs. In the answer, their numbers are their places in this list, from 1.
    ById(Vec<MessageId>),
    /// The Message-IDs and references of the articles whose numbers differ by at most `within` from that of `id`.
    Around {
        /// An article of the group.
        id: MessageId,
        /// The largest difference.
        within: u64,
    },
}

/// The form that an answer must have. An HTML page in place of a feed is a wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// An Atom, RSS or JSON document.
    Feed,
    /// An HTML page (cgit's log).
    Html,
    /// Plain text or any bytes (an mbox, gzipped or not).
    Bytes,
}

/// The server's marks for a version of a document; the next request sends them back.
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
    /// The address that answered, after redirects.
    pub url: Url,
    /// The document's new address: set if every redirect on the way was permanent (301, 308).
    pub moved_to: Option<Url>,
    /// The body.
    pub body: Body,
    /// Validators for the next request.
    pub validators: Validators,
    /// How long the answer stays fresh (`Cache-Control: max-age`, or `Expires`).
    pub fresh_for: Option<Duration>,
}

impl Answer {
    /// An answer without headers, such as that of git or of a news server.
    pub fn without_headers(url: &Url, bytes: Vec<u8>) -> Self {
        Self {
            url: url.clone(),
            moved_to: None,
            body: Body::Bytes {
                bytes,
                charset: None,
            },
            validators: Validators::default(),
            fresh_for: None,
        }
    }
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// 304: the document has not changed.
    Unchanged,
    /// 200: the decompressed bytes, and the `charset` of the Content-Type.
    Bytes {
        /// The document.
        bytes: Vec<u8>,
        /// The charset the Content-Type names, as sent.
        charset: Option<String>,
    },
}

/// The reason why a request failed. The variant decides how the caller goes on; `why` is a message for a person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Try later: 408, 425, 429, 5xx, a timeout, a broken connection. `after` is the server's own delay.
    #[error("{why}")]
    Later {
        /// The server's `Retry-After`.
        after: Option<Duration>,
        /// The message.
        why: String,
    },
    /// No request was sent: the host asked us, perhaps through another feed, to wait for so long.
    #[error("{why}")]
    Held {
        /// The rest of that time.
        after: Duration,
        /// The message.
        why: String,
    },
    /// 404. The source decides whether that means "no items". `page` is the start of the body.
    #[error("{why}")]
    Missing {
        /// The message.
        why: String,
        /// The first bytes of the answer's body, as text.
        page: String,
    },
    /// An HTML page came in place of a feed.
    #[error("{why}")]
    Walled {
        /// The message.
        why: String,
    },
    /// 410: the document is gone for good.
    #[error("{why}")]
    Gone {
        /// The message.
        why: String,
    },
    /// Larger than [`Request::bytes_max`].
    #[error("{why}")]
    TooBig {
        /// The message.
        why: String,
    },
    /// No request may be sent (a private address, another scheme, too many redirects), or the answer makes no sense (another
    /// 4xx, an unknown content encoding).
    #[error("{why}")]
    Broken {
        /// The message.
        why: String,
    },
    /// The host could not be reached at all (DNS, no route, connection refused or timed out).
    #[error("{why}")]
    Unreachable {
        /// The message.
        why: String,
    },
    /// Several hosts in a row could not be reached, and none has answered since: our own network is down.
    #[error("{why}")]
    Offline {
        /// The message.
        why: String,
    },
}

impl FetchError {
    /// The error if all of several addresses failed: the first one's, with the reasons of all.
    pub(super) fn of_all(errors: Vec<Self>) -> Self {
        let whys: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let is_offline = |error: &Self| matches!(error, Self::Offline { .. });
        let position = errors.iter().position(is_offline).unwrap_or(0);
        let first = errors.into_iter().nth(position);
        let why = whys.join("; ");
        match first {
            Some(error) => error.with_why(why),
            None => Self::Broken { why },
        }
    }

    fn with_why(self, why: String) -> Self {
        match self {
            Self::Later { after, .. } => Self::Later { after, why },
            Self::Held { after, .. } => Self::Held { after, why },
            Self::Missing { page, .. } => Self::Missing { page, why },
            Self::Walled { .. } => Self::Walled { why },
            Self::Gone { .. } => Self::Gone { why },
            Self::TooBig { .. } => Self::TooBig { why },
            Self::Broken { .. } => Self::Broken { why },
            Self::Unreachable { .. } => Self::Unreachable { why },
            Self::Offline { .. } => Self::Offline { why },
        }
    }
}

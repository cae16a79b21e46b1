//! Faults of requests, on demand.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;

/// The requests that a fault applies to: the next one of these.
#[derive(Debug, Clone)]
pub(crate) enum On {
    /// A request that makes, changes or removes something.
    Change,
    /// Requests with this text in method and path.
    Path(String),
    /// Requests with the first text in method and path, and the second in the body.
    Says(&'static str, &'static str),
}

impl On {
    pub(super) fn is(&self, what: &str, body: &str) -> bool {
        match self {
            Self::Says(part, words) => what.contains(part) && body.contains(words),
            Self::Change => !what.starts_with("GET "),
            Self::Path(part) => what.contains(part.as_str()),
        }
    }
}

/// The fault.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Answered with this status and text; nothing is done.
    Before(u16, &'static str),
    /// Done, then answered with this status and text.
    After(u16, &'static str),
    /// The connection breaks; nothing is done.
    Cut,
    /// Nothing is done, and the answer comes only after this time.
    Late(Duration),
    /// Answered with 504 and carried out later, on demand.
    Held,
    /// Done, and the connection breaks in the middle of the answer.
    DropAfter,
    /// Done, and the answer comes only after this time.
    LateAfter(Duration),
    /// A 429: nothing is done, and a retry before its time is a violation.
    Limited {
        /// `user`, `shared` or `global`.
        scope: &'static str,
        after: Duration,
    },
}

/// An answer that breaks off.
pub(super) fn broken() -> Response {
    let half = futures_util::stream::iter([
        Ok(Bytes::from_static(b"{\"id\":")),
        Err(std::io::Error::other("the line broke")),
    ]);
    Response::new(Body::from_stream(half))
}

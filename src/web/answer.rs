//! The headers of every response, and error pages.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::Markup;
use tracing::error;

use super::layout::no_page;
use super::site::Served;

/// Only our own style and icon may load, no script runs, and no site may frame the pages.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// How long clients and proxies may cache a response.
const CACHE_FOR: &str = "public, max-age=60";

/// Limits how many pages are rendered at once.
pub(super) async fn limit_concurrency(
    State(served): State<Served>,
    request: Request,
    next: Next,
) -> Response {
    let seat = served.seats.acquire().await;
    let response = next.run(request).await;
    drop(seat);
    response
}

/// Adds the security headers to a response.
pub(super) async fn add_security_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    let is_good = response.status().is_success();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let kept = if is_good { CACHE_FOR } else { "no-store" };
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static(kept));
    response
}

/// The reason why there is no page.
pub(super) enum PageError {
    /// 404, with its message.
    Nothing(&'static str),
    /// 500.
    Fault(anyhow::Error),
}

impl From<anyhow::Error> for PageError {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::Nothing(what) => {
                (StatusCode::NOT_FOUND, no_page("Not here", what)).into_response()
            }
            Self::Fault(fault) => {
                let id = format!("{:08x}", fastrand::u32(..));
                error!(id, "a page failed: {fault:#}");
                let what = format!("It is our fault, and in the log as {id}.");
                let page = no_page("That failed", &what);
                (StatusCode::INTERNAL_SERVER_ERROR, page).into_response()
            }
        }
    }
}

pub(super) type PageResult = Result<Markup, PageError>;

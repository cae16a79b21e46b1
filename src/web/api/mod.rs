//! The read API: stories, issues and search as JSON for other programs. docs/api.md describes it for people, and
//! `/api/openapi.json` for programs.

mod description;
mod issue_json;
mod issues;
mod problem;
mod rate;
mod search;
mod stories;
mod story_json;

use std::net::Ipv6Addr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use self::problem::ApiProblem;
pub use self::rate::ApiAllowance;
use self::rate::Requests;
pub use self::story_json::StoryJson;
use super::client::client;
use super::serve::PeerAddress;
use super::site::Served;

/// How long a browser remembers that it may ask, in seconds.
const PREFLIGHT_MAX_AGE: &str = "86400";

/// The routes below `/api`.
pub(super) fn router(served: &Served, rate: ApiAllowance) -> Router<Served> {
    let limited = Limited {
        served: served.clone(),
        requests: Arc::new(Requests::new(rate)),
    };
    Router::new()
        .route("/stories", get(stories::stories))
        .route("/story/{id}", get(stories::story))
        .route("/search", get(search::search))
        .route("/issues", get(issues::issues))
        .route("/issue/{number}", get(issues::issue))
        .route("/openapi.json", get(description::description))
        .fallback(nothing)
        .method_not_allowed_fallback(not_allowed)
        .layer(from_fn_with_state(limited, limit_rate))
        .layer(map_response(allow_reading))
}

/// The state of the rate limit.
#[derive(Clone)]
struct Limited {
    served: Served,
    requests: Arc<Requests>,
}

async fn nothing() -> ApiProblem {
    ApiProblem::NotFound("There is no such path. /api/openapi.json lists those that exist.")
}

async fn not_allowed() -> ApiProblem {
    ApiProblem::NotAllowed
}

/// Refuses a client that asks too often, and answers a browser that asks whether it may ask.
async fn limit_rate(State(limited): State<Limited>, request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let now = limited.served.clock.now();
    let peer = request.extensions().get::<PeerAddress>();
    let peer = peer.map_or(Ipv6Addr::UNSPECIFIED.into(), |peer| peer.0);
    let client = client(peer, request.headers());
    match limited.requests.count(client, now) {
        Ok(()) => next.run(request).await,
        Err(wait) => ApiProblem::TooMany(wait).into_response(),
    }
}

/// Lets scripts of every site read.
async fn allow_reading(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "If-None-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "ETag, Link, Retry-After",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

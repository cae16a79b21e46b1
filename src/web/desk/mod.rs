//! The editors' desk: private pages on which an issue is finished. They work without scripts and by keyboard alone. Every edit
//! goes through [`crate::publish::edit`], as in chat and on the command line.

mod act;
mod entry_page;
mod form;
mod overview;
mod refusal;
mod release;
mod session;
mod shown;
mod text_page;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::{get, post};

use super::site::Served;
use crate::live::Live;
use crate::publish::desk_access::PATH;

/// The data behind the desk.
#[derive(Clone)]
pub(super) struct DeskState {
    served: Served,
    live: Arc<Live>,
}

/// The routes of the desk.
pub(super) fn router(served: Served, live: Arc<Live>) -> Router {
    let at = |path: &str| format!("/{PATH}{path}");
    Router::new()
        .route(&at(""), get(overview::desk))
        .route(&at("/look"), get(overview::look))
        .route(&at("/entry/{id}"), get(entry_page::entry))
        .route(
            &at("/enter/{secret}"),
            get(session::ask).post(session::enter),
        )
        .route(&at("/leave"), post(session::leave))
        .route(&at("/edit"), post(act::edit))
        .route(
            &at("/add"),
            get(upload::form).post(upload::add).layer(upload::limit()),
        )
        .route(&at("/publish"), get(release::ask).post(release::publish))
        .route(&at("/correct"), post(release::correct))
        .layer(axum::middleware::map_response(keep_private))
        .with_state(DeskState { served, live })
}

/// No cache keeps a page of the desk.
async fn keep_private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

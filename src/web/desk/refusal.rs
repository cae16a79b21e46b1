//! The answers that are no pages of the desk: refusals, and the way back.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::html;

use crate::publish::desk_access::PATH;
use crate::web::layout::private_page;

/// A page that says why a request is refused.
pub(super) fn refusal(status: StatusCode, title: &str, text: &str) -> Response {
    let content =
        html! { h1 { (title) } p { (text) } p { a href=(format!("/{PATH}")) { "To the desk" } } };
    (status, private_page(title, &content)).into_response()
}

/// Sends the browser to a page of the desk, so that a reload repeats nothing.
pub(super) fn to_desk(path: &str) -> Response {
    let to = format!("/{PATH}{path}");
    let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/desk"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

//! The description of the API in OpenAPI 3.1. It is made from the handlers and the types that they send, so it cannot differ
//! from them.

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use super::{issues, search, stories};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "bpfnews",
        description = "News about BPF: stories from mailing lists, trees, LWN and feeds, and the weekly issues made of them. \
            Reading needs no key. Times are RFC 3339 in UTC. A new key may come at any time; none goes or changes its meaning.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This site")),
    paths(stories::stories, stories::story, search::search, issues::issues, issues::issue),
    tags(
        (name = "stories", description = "A story is what a reader follows: a series over all its versions, a commit, a thread, an article."),
        (name = "issues", description = "The newsletter: what moved in a week."),
    ),
)]
struct Description;

pub(super) async fn description() -> Result<impl IntoResponse, super::ApiProblem> {
    let text = Description::openapi().to_json();
    let text = text.map_err(anyhow::Error::from)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}

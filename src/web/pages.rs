//! The pages. maud escapes everything that strangers wrote.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::answer::{PageError, PageResult};
use super::figures::figures_of_issue;
use super::layout::{ICON, PageHead, STYLE, page};
use super::site::Served;
use crate::issue::html::{HERE, day, issue_article};
use crate::issue::markdown::{self, opening};
use crate::issue::title;
use crate::store::issues;

pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

pub(super) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], ICON)
}

/// Robots may read all pages but searches, figures and the API, which have no end or nothing new.
pub(super) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /search\nDisallow: /api/\nDisallow: /desk\nDisallow: /metrics\nDisallow: /healthz\nDisallow: /mail/\n"
}

pub(super) async fn nothing() -> Response {
    PageError::Nothing("There is no such page.").into_response()
}

pub(super) async fn archive(State(site): State<Served>) -> PageResult {
    let rows = issues::list_issues(site.store.read().into()).await?;
    let rows: Vec<_> = rows.iter().filter_map(|row| row.as_last()).collect();
    let content = html! {
        h1 { "All issues" }
        @if rows.is_empty() { p { "None is out yet." } p { a href="/stories" { "All stories" } } }
        ul.archive {
            @for last in &rows {
                li { a href=(format!("/{}", markdown::path(last.number))) { (title(&site.name, last.number)) }
                    " " (day(last.on)) }
            }
        }
    };
    Ok(page(
        &PageHead::website(&site, "All issues", "issues"),
        "/issues",
        &content,
    ))
}

pub(super) async fn issue(State(site): State<Served>, Path(number): Path<String>) -> PageResult {
    const NO_ISSUE: PageError = PageError::Nothing("There is no such issue.");
    let number: i64 = number.parse().map_err(|_| NO_ISSUE)?;
    let readers = site.store.read();
    let issue = issues::issue(readers.into(), number)
        .await?
        .ok_or(NO_ISSUE)?;
    let corrections = issues::corrections(readers.into(), number).await?;
    let last = issues::last_issue(readers.into()).await?;
    let is_last = last.is_none_or(|last| last.number == number);
    let content = html! {
        article {
            (issue_article(&issue, &corrections, HERE, issue.numbers.as_ref().map(figures_of_issue)))
            nav.turn aria-label="Other issues" {
                @if let Some(last) = issue.last {
                    a rel="prev" href=(format!("/{}", markdown::path(last.number))) {
                        "← " (title(&issue.name, last.number))
                    }
                }
                @if !is_last {
                    a rel="next" href=(format!("/{}", markdown::path(issue.number + 1))) {
                        (title(&issue.name, issue.number + 1)) " →"
                    }
                }
            }
        }
    };
    let path = markdown::path(issue.number);
    let head = PageHead::article(&site, &issue.title(), &path, &opening(&issue));
    Ok(page(&head, "", &content))
}

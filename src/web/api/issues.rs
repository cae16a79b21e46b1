//! Published issues.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::issue_json::{IssueJson, ListedIssueJson};
use super::problem::{ApiProblem, ApiResult, ProblemJson};
use super::stories::{bad_cursor, limit, link_to_next, place};
use crate::store::issues::{self, IssueRow};
use crate::web::cursor::{Cursor, Place};
use crate::web::site::Served;

/// A page of issues.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuesJson {
    issues: Vec<ListedIssueJson>,
    /// The cursor of the next page; `null` on the last one.
    #[schema(required = true)]
    next: Option<String>,
}

/// A page of the list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct IssuesQuery {
    /// How many issues a page has; 50 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Published issues, the newest first.
#[utoipa::path(
    get, path = "/api/issues", tag = "issues", params(IssuesQuery),
    responses(
        (status = 200, description = "A page of issues. The header `Link` has the next page too.", body = IssuesJson),
        (status = 304, description = "Nothing changed since the version in `If-None-Match`."),
        (status = 400, description = "A parameter is wrong.", body = ProblemJson),
        (status = 429, description = "Too many requests; `Retry-After` has the seconds to wait.", body = ProblemJson),
        (status = 500, description = "Our fault.", body = ProblemJson),
    )
)]
pub(super) async fn issues(
    State(site): State<Served>,
    asked: Result<Query<IssuesQuery>, QueryRejection>,
) -> ApiResult<(HeaderMap, Json<IssuesJson>)> {
    let Query(asked) = asked?;
    let most = usize::try_from(limit(asked.limit)?).unwrap_or(0);
    let after = match place(asked.cursor.as_deref())? {
        None => i64::MAX,
        Some(Place::Number(number)) => number,
        Some(_) => return Err(bad_cursor()),
    };
    let rows = issues::list_issues(site.store.read().into()).await?;
    let rows: Vec<&IssueRow> = rows.iter().filter(|row| row.number < after).collect();
    let shown = &rows[..rows.len().min(most)];
    let last = shown.last().filter(|_| shown.len() < rows.len());
    let next = last.map(|last| Cursor::write(Place::Number(last.number)));
    let mut more = url::form_urlencoded::Serializer::new(String::new());
    more.extend_pairs(asked.limit.map(|limit| ("limit", limit.to_string())));
    let headers = link_to_next(&site, "api/issues", more, next.as_deref());
    let issues = shown.iter();
    let issues = issues.filter_map(|row| ListedIssueJson::of(row, &site.name, &site.home));
    let issues = issues.collect();
    Ok((headers, Json(IssuesJson { issues, next })))
}

/// One issue with its corrections.
#[utoipa::path(
    get, path = "/api/issue/{number}", tag = "issues",
    params(("number" = i64, Path, description = "The issue's number.", minimum = 1)),
    responses(
        (status = 200, description = "The issue.", body = IssueJson),
        (status = 304, description = "Nothing changed since the version in `If-None-Match`."),
        (status = 400, description = "The number is none.", body = ProblemJson),
        (status = 404, description = "There is no such issue.", body = ProblemJson),
        (status = 429, description = "Too many requests; `Retry-After` has the seconds to wait.", body = ProblemJson),
        (status = 500, description = "Our fault.", body = ProblemJson),
    )
)]
pub(super) async fn issue(
    State(site): State<Served>,
    number: Result<Path<i64>, PathRejection>,
) -> ApiResult<Json<IssueJson>> {
    let Path(number) = number?;
    let readers = site.store.read();
    let issue = issues::issue(readers.into(), number).await?;
    let issue = issue.ok_or(ApiProblem::NotFound("There is no such issue."))?;
    let corrections = issues::corrections(readers.into(), number).await?;
    Ok(Json(IssueJson::of(issue, corrections, &site.home)))
}

//! Stories.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::{ApiProblem, ApiResult, ProblemJson};
use super::story_json::{StateJson, StoryJson, StoryKindJson};
use crate::post::story::standing;
use crate::post::story_path;
use crate::store::stories::{self, ListFilter, ListedStory};
use crate::story::Story;
use crate::web::cursor::{Cursor, Place};
use crate::web::links::in_path;
use crate::web::site::{Served, Site};

/// How many entries a page has unless a program asks for another number, and at most.
pub(super) const LIMIT: u32 = 50;
pub(super) const LIMIT_MAX: u32 = 100;
/// The most characters of a word in a filter, and of a search.
const WORD_CHARS_MAX: usize = 200;

/// A page of stories.
#[derive(Serialize, ToSchema)]
pub(super) struct StoriesJson {
    pub(super) stories: Vec<ListedStoryJson>,
    /// The cursor of the next page; `null` on the last one.
    #[schema(required = true)]
    pub(super) next: Option<String>,
}

/// A story in a list. `/api/story/{id}` has all of it.
#[derive(Serialize, ToSchema)]
pub(super) struct ListedStoryJson {
    id: String,
    kind: StoryKindJson,
    /// Without tags.
    title: String,
    /// Where a person reads it at its source.
    #[schema(required = true)]
    url: Option<String>,
    /// Its page on this site.
    page: String,
    #[schema(required = true)]
    author: Option<String>,
    /// The tree that it is meant for, or is in.
    #[schema(required = true)]
    tree: Option<String>,
    state: StateJson,
    /// The state in words: `applied to bpf-next`.
    standing: String,
    /// How much it matters.
    score: i32,
    /// The number of its newest version; 0 for other things than series.
    version: u32,
    /// How many patches that version has.
    patches: u32,
    /// How many answers people sent.
    follow_ups: u32,
    #[schema(value_type = String, format = DateTime)]
    first_at: DateTime<Utc>,
    /// Its latest item by a person, or its latest step.
    #[schema(value_type = String, format = DateTime)]
    last_at: DateTime<Utc>,
    /// Sentences in the words of its author.
    summary: Vec<String>,
}

impl ListedStoryJson {
    pub(super) fn of(site: &Site, story: &Story) -> Self {
        let newest = story.revisions.last();
        Self {
            id: story.id.clone(),
            kind: story.kind.into(),
            title: story.title.clone(),
            url: story.url.clone(),
            page: page_of(site, story),
            author: story.author.clone(),
            tree: story.tree.clone(),
            state: story.state.into(),
            standing: standing(story),
            score: story.score,
            version: newest.map_or(0, |newest| newest.version),
            patches: newest.map_or(0, |newest| newest.total),
            follow_ups: story.follow_ups,
            first_at: story.first_at,
            last_at: story.last_at,
            summary: story.summary.clone(),
        }
    }
}

fn page_of(site: &Site, story: &Story) -> String {
    format!("{}{}", site.home, story_path(&story.id))
}

/// A whole story with its page.
#[derive(Serialize, ToSchema)]
pub(super) struct WholeStoryJson<'a> {
    #[serde(flatten)]
    story: StoryJson<'a>,
    /// Its page on this site.
    page: String,
}

/// The filters of a list. Each may be left out.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StoriesQuery {
    /// Only stories of this kind.
    #[param(inline)]
    kind: Option<StoryKindJson>,
    /// Only stories that stand so now.
    #[param(inline)]
    state: Option<StateJson>,
    /// Only stories for or in this tree: `bpf-next`.
    #[param(max_length = 200)]
    tree: Option<String>,
    /// Only stories by this author: the whole name, in any case.
    #[param(max_length = 200)]
    author: Option<String>,
    /// Only stories that changed at or after this time: RFC 3339, or a day such as `2026-01-31`.
    since: Option<String>,
    /// Only stories that changed before this time.
    until: Option<String>,
    /// How many stories a page has; 50 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Stories about BPF, those that changed last first.
#[utoipa::path(
    get, path = "/api/stories", tag = "stories", params(StoriesQuery),
    responses(
        (status = 200, description = "A page of stories. The header `Link` has the next page too.", body = StoriesJson),
        (status = 304, description = "Nothing changed since the version in `If-None-Match`."),
        (status = 400, description = "A parameter is wrong.", body = ProblemJson),
        (status = 429, description = "Too many requests; `Retry-After` has the seconds to wait.", body = ProblemJson),
        (status = 500, description = "Our fault.", body = ProblemJson),
    )
)]
pub(super) async fn stories(
    State(site): State<Served>,
    asked: Result<Query<StoriesQuery>, QueryRejection>,
) -> ApiResult<(HeaderMap, Json<StoriesJson>)> {
    let Query(asked) = asked?;
    let limit = limit(asked.limit)?;
    let after = match place(asked.cursor.as_deref())? {
        None => None,
        Some(Place::Time { last_at, number }) => Some((last_at, number)),
        Some(_) => return Err(bad_cursor()),
    };
    let filter = ListFilter {
        kind: asked.kind.as_ref().and_then(stored_word),
        state: asked.state.as_ref().and_then(stored_word),
        tree: word("tree", asked.tree.as_deref())?,
        author: word("author", asked.author.as_deref())?,
        since: time("since", asked.since.as_deref())?,
        until: time("until", asked.until.as_deref())?,
    };
    let readers = site.store.read();
    let found = stories::listed_stories(readers, &filter, after, site.today(), limit + 1).await?;
    let place = |last: &ListedStory, _| Place::Time {
        last_at: last.last_at,
        number: last.number,
    };
    let (page, next) = one_page(&site, found, limit, place);
    let mut more = url::form_urlencoded::Serializer::new(String::new());
    let parts = [
        ("kind", filter.kind),
        ("state", filter.state),
        ("tree", filter.tree),
        ("author", filter.author),
        ("since", asked.since),
        ("until", asked.until),
        ("limit", asked.limit.map(|limit| limit.to_string())),
    ];
    for (name, value) in parts {
        more.extend_pairs(value.map(|value| (name, value)));
    }
    let headers = link_to_next(&site, "api/stories", more, next.as_deref());
    Ok((
        headers,
        Json(StoriesJson {
            stories: page,
            next,
        }),
    ))
}

/// One story with its whole life.
#[utoipa::path(
    get, path = "/api/story/{id}", tag = "stories",
    params(("id" = String, Path, description = "The story's id, or an earlier one.")),
    responses(
        (status = 200, description = "The story.", body = WholeStoryJson),
        (status = 304, description = "Nothing changed since the version in `If-None-Match`."),
        (status = 400, description = "The id is no text.", body = ProblemJson),
        (status = 404, description = "There is no such story.", body = ProblemJson),
        (status = 429, description = "Too many requests; `Retry-After` has the seconds to wait.", body = ProblemJson),
        (status = 500, description = "Our fault.", body = ProblemJson),
    )
)]
pub(super) async fn story(
    State(site): State<Served>,
    id: Result<Path<String>, PathRejection>,
) -> ApiResult<axum::response::Response> {
    use axum::response::IntoResponse as _;
    let Path(id) = id?;
    let readers = site.store.read();
    let story = stories::story_by_id(readers, &id, site.today()).await?;
    let mut story = story.ok_or(ApiProblem::NotFound("There is no such story."))?;
    stories::name_releases(readers, std::slice::from_mut(&mut story)).await?;
    if stories::is_retracted(readers, &story.id).await? {
        return Err(ApiProblem::NotFound("A maintainer took that story back."));
    }
    let whole = WholeStoryJson {
        story: StoryJson::from(&story),
        page: page_of(&site, &story),
    };
    Ok(Json(whole).into_response())
}

/// The first `limit` stories, and the cursor behind them if there are more.
pub(super) fn one_page(
    site: &Site,
    mut found: Vec<ListedStory>,
    limit: i64,
    place: impl Fn(&ListedStory, i64) -> Place,
) -> (Vec<ListedStoryJson>, Option<String>) {
    let most = usize::try_from(limit).unwrap_or(0);
    let is_last = found.len() <= most;
    found.truncate(most);
    let last = found.last().filter(|_| !is_last);
    let next = last.map(|last| Cursor::write(place(last, limit)));
    let page = found
        .iter()
        .map(|listed| ListedStoryJson::of(site, &listed.story));
    (page.collect(), next)
}

/// The header that names the next page (RFC 8288).
pub(super) fn link_to_next(
    site: &Site,
    path: &str,
    mut query: url::form_urlencoded::Serializer<'_, String>,
    next: Option<&str>,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(next) = next else {
        return headers;
    };
    query.append_pair("cursor", next);
    let link = format!("<{}{path}?{}>; rel=\"next\"", site.home, query.finish());
    if let Ok(link) = HeaderValue::from_str(&link) {
        headers.insert(header::LINK, link);
    }
    headers
}

pub(super) fn limit(asked: Option<u32>) -> ApiResult<i64> {
    match asked.unwrap_or(LIMIT) {
        limit @ 1..=LIMIT_MAX => Ok(limit.into()),
        other => Err(ApiProblem::Bad(format!(
            "limit is {other}, but a page has 1 to {LIMIT_MAX} entries."
        ))),
    }
}

pub(super) fn place(cursor: Option<&str>) -> ApiResult<Option<Place>> {
    match cursor {
        None => Ok(None),
        Some(cursor) => Cursor::parse(cursor).map(Some).ok_or_else(bad_cursor),
    }
}

pub(super) fn bad_cursor() -> ApiProblem {
    ApiProblem::Bad("cursor is not one that this list returned as next.".to_owned())
}

/// The word of a kind or a state as it is stored.
fn stored_word<T: Serialize>(value: &T) -> Option<String> {
    let word = serde_json::to_value(value).ok()?;
    word.as_str().map(str::to_owned)
}

pub(super) fn word(name: &str, typed: Option<&str>) -> ApiResult<Option<String>> {
    match typed {
        Some(typed) if typed.chars().count() > WORD_CHARS_MAX => Err(ApiProblem::Bad(format!(
            "{name} has more than {WORD_CHARS_MAX} characters."
        ))),
        Some(typed) => Ok(Some(typed.to_owned())),
        None => Ok(None),
    }
}

/// A time in seconds: RFC 3339, or a day.
fn time(name: &str, typed: Option<&str>) -> ApiResult<Option<i64>> {
    let Some(typed) = typed else {
        return Ok(None);
    };
    let day = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp();
    let time = DateTime::parse_from_rfc3339(typed).map(|at| at.timestamp());
    let time = time.or_else(|_| typed.parse().map(day));
    time.map(Some).map_err(|_| {
        ApiProblem::Bad(format!(
            "{name} is {:?}, but must be a time such as 2026-01-31T12:00:00Z, or a day such as 2026-01-31.",
            in_path(typed)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_or_a_moment() {
        let read = |typed: &str| time("since", Some(typed)).ok().flatten();
        assert_eq!(read("1970-01-02"), Some(86_400));
        assert_eq!(read("1970-01-02T01:00:00+01:00"), Some(86_400));
        for bad in ["", "yesterday", "2026-02-30", "2026-01-31 12:00"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_kind_and_state_has_the_word_of_the_database() {
        use crate::story::{State, StoryKind};
        let of_state = stored_word(&StateJson::from(State::PartlyApplied));
        assert_eq!(of_state, stored_word(&State::PartlyApplied));
        assert_eq!(of_state.as_deref(), Some("partly_applied"));
        let of_kind = stored_word(&StoryKindJson::from(StoryKind::Pull));
        assert_eq!(of_kind.as_deref(), Some("pull"));
    }
}

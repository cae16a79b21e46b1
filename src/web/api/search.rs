//! The search: words in full text, or a filter.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use serde::Deserialize;

use super::problem::{ApiProblem, ApiResult, ProblemJson};
use super::stories::{
    ListedStoryJson, StoriesJson, bad_cursor, limit, link_to_next, one_page, place, word,
};
use crate::filter::Filter;
use crate::store::stories::{self, ListedStory, SearchEnd};
use crate::web::cursor::{Cursor, Place};
use crate::web::site::{Served, Site};

/// The most matches of a search that are ranked.
const RANK_MAX: i64 = 1_500;

/// A search.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParameters {
    /// Words, `"a phrase"`, `begin*`; or a filter such as `path:kernel/bpf/ and state:applied`.
    #[param(max_length = 200)]
    q: String,
    /// How many stories a page has; 50 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// The stories about BPF with these words, best match first. If more than 1,500 stories have them, only the newest of
/// those are ranked. Or the stories that a filter
/// takes, the latest first; a page may be short, and `next` goes on.
#[utoipa::path(
    get, path = "/api/search", tag = "stories", params(SearchParameters),
    responses(
        (status = 200, description = "A page of stories. The header `Link` has the next page too.", body = StoriesJson),
        (status = 304, description = "Nothing changed since the version in `If-None-Match`."),
        (status = 400, description = "A parameter is wrong, or no word is left to look for.", body = ProblemJson),
        (status = 429, description = "Too many requests; `Retry-After` has the seconds to wait.", body = ProblemJson),
        (status = 500, description = "Our fault.", body = ProblemJson),
    )
)]
pub(super) async fn search(
    State(site): State<Served>,
    asked: Result<Query<SearchParameters>, QueryRejection>,
) -> ApiResult<(HeaderMap, Json<StoriesJson>)> {
    let Query(asked) = asked?;
    let limit = limit(asked.limit)?;
    let place = place(asked.cursor.as_deref())?;
    let typed = word("q", Some(&asked.q))?.unwrap_or_default();
    let (page, next) = match filter(&site, &typed)? {
        Some(filter) => filtered_page(&site, &filter, place, limit).await?,
        None => ranked_page(&site, &typed, place, limit).await?,
    };
    let mut more = url::form_urlencoded::Serializer::new(String::new());
    more.append_pair("q", &typed);
    more.extend_pairs(asked.limit.map(|limit| ("limit", limit.to_string())));
    let headers = link_to_next(&site, "api/search", more, next.as_deref());
    Ok((
        headers,
        Json(StoriesJson {
            stories: page,
            next,
        }),
    ))
}

/// A filter, if one was typed.
fn filter(site: &Served, typed: &str) -> ApiResult<Option<Filter>> {
    let filter = Filter::of_search(typed).and_then(|filter| {
        if let Some(filter) = &filter {
            filter.check(&site.subsystems())?;
        }
        Ok(filter)
    });
    filter.map_err(|error| ApiProblem::Bad(error.to_string()))
}

/// A page of the stories with some words, best match first.
async fn ranked_page(
    site: &Site,
    typed: &str,
    place: Option<Place>,
    limit: i64,
) -> ApiResult<(Vec<ListedStoryJson>, Option<String>)> {
    let skip = match place {
        None => 0,
        Some(Place::Rank(skip @ 0..=RANK_MAX)) => skip,
        Some(_) => return Err(bad_cursor()),
    };
    let words = stories::match_words(typed);
    if words.is_empty() {
        return Err(ApiProblem::Bad(stories::NO_WORDS.to_owned()));
    }
    let (readers, today) = (site.store.read(), site.today());
    let found = stories::ranked_stories(readers, &words, skip, today, limit + 1).await?;
    let place = |_: &ListedStory, shown| Place::Rank(skip + shown);
    Ok(one_page(site, found, limit, place))
}

/// A page of the stories that a filter takes, the latest first. It is short if few of many stories are taken.
async fn filtered_page(
    site: &Served,
    filter: &Filter,
    place: Option<Place>,
    limit: i64,
) -> ApiResult<(Vec<ListedStoryJson>, Option<String>)> {
    let after = match place {
        None => None,
        Some(Place::Time { last_at, number }) => Some((last_at, number)),
        Some(_) => return Err(bad_cursor()),
    };
    let most = usize::try_from(limit).unwrap_or(0);
    let (readers, subsystems) = (site.store.read(), site.subsystems());
    let found =
        stories::filtered_stories_after(readers, filter, &subsystems, after, site.today(), most);
    let found = found.await?;
    let is_over = found.end == SearchEnd::Whole;
    // A search that stopped before its first story goes on where it began.
    let last = found.last.or(after).unwrap_or((i64::MAX, i64::MAX));
    let last = Some(last).filter(|_| !is_over);
    let next = last.map(|(last_at, number)| Cursor::write(Place::Time { last_at, number }));
    let page = found.stories.iter();
    Ok((
        page.map(|story| ListedStoryJson::of(site, story)).collect(),
        next,
    ))
}

//! The pages. maud escapes everything that strangers wrote.

use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use maud::{Markup, html};
use serde::Deserialize;

use super::answer::{PageError, PageResult};
use super::layout::{ICON, PageHead, STYLE, page};
use super::site::Served;
use crate::issue::html::{HERE, day, issue_article, linked, long_day};
use crate::issue::markdown::{self, opening};
use crate::issue::title;
use crate::item::prose::shorten;
use crate::post::story::{compose, event_words, line, standing};
use crate::post::{is_for_readers, plain};
use crate::store::stories::Searched;
use crate::store::{issues, stories};
use crate::story::Story;

/// The most matches of a search, and the most characters of a query.
const FOUND_MAX: i64 = 100;
const ASKED_CHARS_MAX: usize = 200;

pub(super) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE)
}

pub(super) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], ICON)
}

/// Robots may read all pages but searches and figures, which have no end or nothing to find.
pub(super) async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /search\nDisallow: /metrics\nDisallow: /healthz\nDisallow: /mail/\n"
}

pub(super) async fn nothing() -> Response {
    PageError::Nothing("There is no such page.").into_response()
}

pub(super) async fn latest(State(site): State<Served>) -> PageResult {
    let readers = site.store.read();
    if let Some(last) = issues::last_issue(readers.into()).await? {
        return issue_page(&site, last.number, "/").await;
    }
    let best = stories::best_of_the_week(readers, site.clock.now()).await?;
    let content = html! {
        h1 { "The best of the last seven days" }
        p { "No issue of " (site.name) " is out yet. Until then, this is what moved." }
        @if best.is_empty() { p { "No story about BPF is stored for these days yet. The first polls take a few minutes." } }
        (story_list(&best))
    };
    Ok(page(&PageHead::website(&site, "", ""), "/", &content))
}

pub(super) async fn archive(State(site): State<Served>) -> PageResult {
    let rows = issues::list_issues(site.store.read().into()).await?;
    let rows: Vec<_> = rows.iter().filter_map(|row| row.as_last()).collect();
    let content = html! {
        h1 { "All issues" }
        @if rows.is_empty() { p { "None is out yet." } }
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
    let number: i64 = number.parse().map_err(|_| NO_ISSUE)?;
    issue_page(&site, number, "").await
}

const NO_ISSUE: PageError = PageError::Nothing("There is no such issue.");

async fn issue_page(site: &Served, number: i64, here: &str) -> PageResult {
    let readers = site.store.read();
    let issue = issues::issue(readers.into(), number)
        .await?
        .ok_or(NO_ISSUE)?;
    let corrections = issues::corrections(readers.into(), number).await?;
    let last = issues::last_issue(readers.into()).await?;
    let is_last = last.is_none_or(|last| last.number == number);
    let content = html! {
        article {
            (issue_article(&issue, &corrections, HERE))
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
    let head = PageHead::article(site, &issue.title(), &path, &opening(&issue));
    Ok(page(&head, here, &content))
}

pub(super) async fn story(State(site): State<Served>, Path(id): Path<String>) -> PageResult {
    const NO_STORY: PageError = PageError::Nothing("There is no such story.");
    let readers = site.store.read();
    let today = site.clock.now().timestamp().div_euclid(86_400);
    let story = stories::story_by_id(readers, &id, today)
        .await?
        .ok_or(NO_STORY)?;
    if stories::is_retracted(readers, &story.id).await? {
        return Err(PageError::Nothing("A maintainer took that story back."));
    }
    let post = compose(&story);
    let content = html! {
        article {
            h1 { (linked(&post.title, post.link.as_deref())) }
            p.about {
                strong { (post.state) } " · " (post.about.word())
                @if !post.tree.is_empty() { " · " (post.tree) }
                @if !post.author.is_empty() { " · by " (post.author) }
                @for note in &post.notes { " · " (note) }
            }
            @if !post.summary.is_empty() { blockquote { p { (post.summary) } } }
            @for (version, change) in &story.changes {
                p { strong { "What changed in " (version) ": " } (plain(change)) }
            }
            @if !post.parts.is_empty() {
                h2 { "Patches" }
                ol.parts { @for (number, title) in &post.parts { li { (number) " " (title) } } }
                @if post.parts_left_out > 0 { p { "and " (post.parts_left_out) " more" } }
            }
            @if !post.checks.is_empty() { p.about { (checks(&story)) } }
            @if !story.events.is_empty() { h2 { "Timeline" } (events(&story)) }
            @if !story.people.is_empty() {
                h2 { "People" }
                ul { @for part in &story.people { li { (plain(&part.name)) ", " (part.role.word()) } } }
            }
            p.about { "Carried by " (post.feeds.join(", ")) ". Story " code { (story.id) } "." }
        }
    };
    let path = markdown::story_path(&story.id);
    let words = match post.summary.is_empty() {
        true => format!(
            "{}, a {} that bpfnews follows.",
            post.state,
            post.about.word()
        ),
        false => format!("{}: {}", post.state, post.summary),
    };
    let head = PageHead::article(&site, &post.title, &path, &words);
    Ok(page(&head, "", &content))
}

/// A link from a machine's mail, if people can open it.
fn followed(link: Option<&str>) -> Option<&str> {
    link.filter(|link| is_for_readers(link))
}

/// Machines' reviews and test results for the newest revision, with links.
fn checks(story: &Story) -> Markup {
    let newest = story
        .revisions
        .last()
        .map_or("", |newest| newest.root.as_str());
    let of_newest = story.checks.iter().filter(|check| check.root == newest);
    html! {
        @for (place, check) in of_newest.enumerate() {
            @if place > 0 { " · " }
            (linked(&plain(&check.text), followed(check.link.as_deref())))
        }
    }
}

fn events(story: &Story) -> Markup {
    html! {
        ol.events {
            @for event in &story.events {
                li {
                    time datetime=(event.at.to_rfc3339()) { (day_of(event.at)) } " "
                    (linked(&event_words(story, event), followed(event.link.as_deref())))
                }
            }
        }
    }
}

#[derive(Deserialize)]
pub(super) struct SearchQuery {
    #[serde(default)]
    q: String,
}

pub(super) async fn search(
    State(site): State<Served>,
    Query(asked): Query<SearchQuery>,
) -> PageResult {
    let typed = shorten(&plain(&asked.q), ASKED_CHARS_MAX);
    let today = site.clock.now().timestamp().div_euclid(86_400);
    let readers = site.store.read();
    let found = stories::search_typed(readers, &typed, &site.subsystems, today, FOUND_MAX).await?;
    let content = html! {
        h1 { "Search" }
        (search_form(&typed))
        @if !typed.is_empty() {
            @match &found {
                Searched::Wrong(why) => pre.wrong role="status" { (why) },
                Searched::Filter(found) => p role="status" { (found.words()) },
                Searched::Words(found) => p role="status" {
                    @match found.len() { 0 => { "No story has these words." } 1 => { "1 story" } many => { (many) " stories" } }
                },
            }
            (story_list(found.stories()))
        }
    };
    Ok(page(
        &PageHead::website(&site, "Search", "search"),
        "/search",
        &content,
    ))
}

fn search_form(typed: &str) -> Markup {
    html! {
        form action="/search" method="get" role="search" {
            label for="q" { "Words of a story" }
            input id="q" name="q" type="search" maxlength="200" value=(typed);
            button type="submit" { "Search" }
        }
    }
}

fn story_list(found: &[Story]) -> Markup {
    html! {
        ul.stories {
            @for story in found {
                @let line = line(story, standing(story), story.id.clone());
                li {
                    a href=(format!("/{}", markdown::story_path(&story.id))) { (line.title) }
                    " " span.about { (line.what) ", " (day_of(story.last_at)) }
                }
            }
        }
    }
}

fn day_of(at: DateTime<chrono::Utc>) -> String {
    long_day(at.date_naive())
}

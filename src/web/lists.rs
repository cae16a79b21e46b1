//! Lists of stories: all of them, by person, by tree, and the search.

use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use serde::Deserialize;

use super::answer::{PageError, PageResult};
use super::cursor::{Cursor, Place};
use super::layout::{PageHead, page};
use super::links::{SUBSYSTEMS, folder_path, in_path, story_line, story_list};
use super::site::{Served, Site};
use crate::item::prose::shorten;
use crate::post::plain;
use crate::store::stories::{self, ListFilter, ListedStory, Searched};
use crate::story::key::normal;
use crate::story::{Story, short_tree};

/// The most stories on a page.
pub(super) const SHOWN_MAX: i64 = 50;
/// The most matches of a search, and the most characters of a query or a name.
const FOUND_MAX: i64 = 100;
pub(super) const ASKED_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct PageQuery {
    #[serde(default)]
    after: String,
}

const BAD_PLACE: PageError =
    PageError::Nothing("That page of the list does not exist. Begin at its first page.");

impl PageQuery {
    fn place(&self) -> Result<Option<Place>, PageError> {
        match self.after.as_str() {
            "" => Ok(None),
            after => Cursor::parse(after).map(Some).ok_or(BAD_PLACE),
        }
    }

    pub(super) fn number(&self) -> Result<Option<i64>, PageError> {
        match self.place()? {
            None => Ok(None),
            Some(Place::Number(number)) => Ok(Some(number)),
            Some(_) => Err(BAD_PLACE),
        }
    }

    fn time(&self) -> Result<Option<(i64, i64)>, PageError> {
        match self.place()? {
            None => Ok(None),
            Some(Place::Time { last_at, number }) => Ok(Some((last_at, number))),
            Some(_) => Err(BAD_PLACE),
        }
    }
}

/// All stories about BPF, the latest first.
pub(super) async fn all(State(site): State<Served>, Query(asked): Query<PageQuery>) -> PageResult {
    let content = html! {
        h1 { "All stories" }
        @if !site.subsystems().is_empty() { p.about { "Or " a href=(SUBSYSTEMS) { "by subsystem" } "." } }
        (listed(&site, &ListFilter::default(), &asked, "/stories").await?)
    };
    let head = PageHead::website(&site, "All stories", "stories");
    Ok(page(&head, "/stories", &content))
}

/// The stories that are meant for a tree, or are in it.
pub(super) async fn tree(
    State(site): State<Served>,
    Path(name): Path<String>,
    Query(asked): Query<PageQuery>,
) -> PageResult {
    let name = short_tree(&shorten(&plain(&name), ASKED_CHARS_MAX)).to_owned();
    let path = format!("tree/{}", in_path(&name));
    let filter = ListFilter {
        tree: Some(name.clone()),
        ..ListFilter::default()
    };
    let list = listed(&site, &filter, &asked, &format!("/{path}")).await?;
    let title = format!("Stories in {name}");
    let content = html! { h1 { (title) } (list) };
    let head = PageHead::website(&site, &title, &path);
    Ok(page(&head, "", &content))
}

/// The stories that change files in a folder.
pub(super) async fn folder(
    State(site): State<Served>,
    Path(name): Path<String>,
    Query(asked): Query<PageQuery>,
) -> PageResult {
    let name = shorten(plain(&name).trim_matches('/'), ASKED_CHARS_MAX);
    let path = folder_path(&name);
    let after = asked.number()?;
    let (readers, today) = (site.store.read(), site.today());
    let mut found = stories::stories_in_folder(readers, &name, after, today, SHOWN_MAX + 1).await?;
    let next = next_page(&mut found, |last| Place::Number(last.number));
    let title = format!("Stories in {name}/");
    let content = html! {
        h1 { (title) }
        @if found.is_empty() {
            p { "No story about BPF is stored for this folder. Lists go three levels deep." }
            (elsewhere())
        }
        (one_page(&found, &path, next))
    };
    let head = PageHead::website(&site, &title, path.trim_start_matches('/'));
    Ok(page(&head, "", &content))
}

async fn listed(
    site: &Site,
    filter: &ListFilter,
    asked: &PageQuery,
    path: &str,
) -> Result<Markup, PageError> {
    let (readers, today) = (site.store.read(), site.today());
    let after = asked.time()?;
    let mut found = stories::listed_stories(readers, filter, after, today, SHOWN_MAX + 1).await?;
    let next = next_page(&mut found, |last| Place::Time {
        last_at: last.last_at,
        number: last.number,
    });
    if found.is_empty() && after.is_none() {
        return Ok(html! { p { "No story about BPF is stored for this." } (elsewhere()) });
    }
    Ok(one_page(&found, path, next))
}

/// Where to go on from an empty list.
pub(super) fn elsewhere() -> Markup {
    html! { p { a href="/stories" { "All stories" } " · " a href="/search" { "Search" } } }
}

/// Cuts a list to one page; returns the place of the next one.
pub(super) fn next_page(
    found: &mut Vec<ListedStory>,
    place: fn(&ListedStory) -> Place,
) -> Option<Place> {
    let most = usize::try_from(SHOWN_MAX).unwrap_or(0);
    let is_last = found.len() <= most;
    found.truncate(most);
    found.last().filter(|_| !is_last).map(place)
}

pub(super) fn one_page(found: &[ListedStory], path: &str, next: Option<Place>) -> Markup {
    html! {
        ul.stories { @for listed in found { li { (story_line(&listed.story)) } } }
        (next_link(path, next))
    }
}

/// The way to the next page of a list.
fn next_link(path: &str, next: Option<Place>) -> Markup {
    html! {
        @if let Some(next) = next {
            nav.turn aria-label="Pages of this list" {
                a rel="next" href=(format!("{path}?after={}", Cursor::write(next))) { "Earlier stories →" }
            }
        }
    }
}

/// The stories in which a person took part.
pub(super) async fn person(
    State(site): State<Served>,
    Path(name): Path<String>,
    Query(asked): Query<PageQuery>,
) -> PageResult {
    let name = shorten(plain(&name).trim(), ASKED_CHARS_MAX);
    let path = format!("person/{}", in_path(&name));
    let after = asked.number()?;
    let phrase = format!("people:\"{}\"", name.replace('"', " "));
    let words = stories::match_words(&phrase);
    let (mut found, mut next) = (Vec::new(), None);
    if !words.is_empty() {
        let readers = site.store.read();
        let behind;
        (found, behind) = stories::named_stories(readers, &words, after, site.today()).await?;
        found.retain(|listed| has(&listed.story, &name));
        next = next_page(&mut found, |last| Place::Number(last.number));
        next = next.or(behind.map(Place::Number));
    }
    let title = format!("Stories with {name}");
    let content = html! {
        h1 { (title) }
        @if found.is_empty() { p { "No story about BPF names this person." } (elsewhere()) }
        ul.stories {
            @for listed in &found { li { (story_line(&listed.story)) span.about { (roles(&listed.story, &name)) } } }
        }
        (next_link(&format!("/{path}"), next))
    };
    Ok(page(&PageHead::website(&site, &title, &path), "", &content))
}

/// Whether a person of that whole name took part in a story.
fn has(story: &Story, name: &str) -> bool {
    let wanted = normal(name);
    let people = story.people.iter().map(|part| part.name.as_str());
    let mut names = people.chain(story.author.as_deref());
    names.any(|name| normal(name) == wanted)
}

/// The roles of a person in a story: `, reviewer`. An author needs no word.
fn roles(story: &Story, name: &str) -> String {
    let wanted = normal(name);
    let people = story.people.iter();
    let roles = people.filter(|part| normal(&part.name) == wanted);
    let words: Vec<&str> = roles
        .map(|part| part.role.word())
        .filter(|word| *word != "author")
        .collect();
    words.iter().map(|word| format!(", {word}")).collect()
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
    let (readers, today) = (site.store.read(), site.today());
    let subsystems = site.subsystems();
    let found = stories::search_typed(readers, &typed, &subsystems, today, FOUND_MAX).await?;
    let content = html! {
        h1 { "Search" }
        (search_form(&typed))
        @if !typed.is_empty() {
            @match &found {
                Searched::Wrong(why) => (wrong(why)),
                Searched::Filter(found) => p role="status" { (found.words("")) },
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

/// What is wrong with a search, and the place in it.
fn wrong(why: &str) -> Markup {
    let (words, place) = why.split_once('\n').unwrap_or((why, ""));
    html! {
        div role="status" {
            p { (words) }
            // Its columns are counted, so it cannot be wrapped.
            @if !place.is_empty() { pre.wrong tabindex="0" { (place) } }
        }
    }
}

fn search_form(typed: &str) -> Markup {
    html! {
        form action="/search" method="get" role="search" {
            label for="q" { "Words of a story, or a filter such as " code { "path:kernel/bpf/ state:applied" } }
            input id="q" name="q" type="search" maxlength="200" value=(typed);
            button type="submit" { "Search" }
        }
    }
}

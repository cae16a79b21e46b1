//! Lists by subsystem, for a site whose configuration names a MAINTAINERS file.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use maud::{Markup, html};

use super::answer::{PageError, PageResult};
use super::cursor::Place;
use super::layout::{PageHead, page};
use super::links::{SUBSYSTEMS, subsystem_link, subsystem_path};
use super::lists::{ASKED_CHARS_MAX, PageQuery, SHOWN_MAX, elsewhere, next_page, one_page};
use super::site::Served;
use crate::filter::SubsystemTable;
use crate::item::prose::shorten;
use crate::post::plain;
use crate::store::stories;
use crate::story::Story;

/// The most subsystems of a story that its page links.
const OF_STORY_MAX: usize = 6;
/// The most subsystems in the list of them.
const LISTED_MAX: usize = 2_000;

/// The files of the subsystems with this name; `None` if there is no such subsystem.
async fn files_of(
    site: &Served,
    subsystems: &Arc<SubsystemTable>,
    name: &str,
) -> anyhow::Result<Option<(String, Vec<i64>)>> {
    let places = subsystems.places(name);
    let Some(name) = places.first().and_then(|place| subsystems.name(*place)) else {
        return Ok(None);
    };
    let mut kept = site.subsystem_files.lock().await;
    kept.update(site.store.read(), subsystems).await?;
    let files = places.iter().flat_map(|place| kept.of_place(*place));
    let files: Vec<i64> = files.copied().collect();
    Ok(Some((name.to_owned(), files)))
}

/// The stories that change files of a subsystem.
pub(super) async fn subsystem(
    State(site): State<Served>,
    Path(name): Path<String>,
    Query(asked): Query<PageQuery>,
) -> PageResult {
    const NO_SUBSYSTEM: PageError =
        PageError::Nothing("MAINTAINERS has no subsystem of this name.");
    let subsystems = configured(&site)?;
    let name = shorten(plain(&name).trim(), ASKED_CHARS_MAX);
    let (name, files) = files_of(&site, &subsystems, &name)
        .await?
        .ok_or(NO_SUBSYSTEM)?;
    let (after, path) = (asked.number()?, subsystem_path(&name));
    let readers = site.store.read();
    let found =
        stories::stories_with_files(readers, &files, after, site.today(), SHOWN_MAX + 1).await;
    let mut found = found?;
    let next = next_page(&mut found, |last| Place::Number(last.number));
    let shown = plain(&name);
    let title = format!("Stories in {shown}");
    let content = html! {
        h1 { (title) }
        p.about {
            "They change files that MAINTAINERS lists for this subsystem. "
            a href=(SUBSYSTEMS) { "All subsystems" }
        }
        @if found.is_empty() && after.is_none() { p { "No story about BPF changes one of its files." } }
        (one_page(&found, &path, next))
    };
    let head = PageHead::website(&site, &title, path.trim_start_matches('/'));
    Ok(page(&head, "", &content))
}

/// All subsystems with a file that a stored story changes.
pub(super) async fn all(State(site): State<Served>) -> PageResult {
    let subsystems = configured(&site)?;
    let mut kept = site.subsystem_files.lock().await;
    kept.update(site.store.read(), &subsystems).await?;
    let places = kept.places();
    let places = places.filter(|place| !subsystems.is_whole_kernel(*place));
    let names = places.filter_map(|place| subsystems.name(place));
    // Sorted, and each name once.
    let names: BTreeMap<String, &str> = names.map(|name| (name.to_lowercase(), name)).collect();
    let content = html! {
        h1 { "Subsystems" }
        p.about { "The kernel's subsystems, as MAINTAINERS names them, with files that stories about BPF change." }
        @if names.is_empty() { p { "No story that changes a file is stored yet." } (elsewhere()) }
        ul.columns {
            @for name in names.values().take(LISTED_MAX) { li { (subsystem_link(name)) } }
        }
        @if names.len() > LISTED_MAX { p { "and " (names.len() - LISTED_MAX) " more" } }
    };
    let head = PageHead::website(&site, "Subsystems", SUBSYSTEMS.trim_start_matches('/'));
    Ok(page(&head, "", &content))
}

fn configured(site: &Served) -> Result<Arc<SubsystemTable>, PageError> {
    let subsystems = site.subsystems().table();
    match subsystems.is_empty() {
        true => Err(PageError::Nothing(
            "There are no lists by subsystem here, because no MAINTAINERS file is configured, or it was not read yet.",
        )),
        false => Ok(subsystems),
    }
}

/// The subsystems of a story, with links to their stories.
pub(super) fn subsystems_of(subsystems: &SubsystemTable, story: &Story) -> Markup {
    let names = subsystems.of_story(story);
    html! {
        @if !names.is_empty() {
            p.about {
                "Subsystems: "
                @for (place, name) in names.iter().take(OF_STORY_MAX).enumerate() {
                    @if place > 0 { " · " }
                    (subsystem_link(name))
                }
                @if names.len() > OF_STORY_MAX { " and " (names.len() - OF_STORY_MAX) " more" }
            }
        }
    }
}

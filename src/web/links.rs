//! Links inside the site: stories, people, trees.

use std::borrow::Cow;

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::issue::html::long_day;
use crate::issue::markdown;
use crate::post::story::{line, standing};
use crate::post::{is_for_readers, plain};
use crate::story::{Story, short_tree};

/// Everything in a part of a path but letters, digits and these.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The path of the list of subsystems.
pub(super) const SUBSYSTEMS: &str = "/subsystems";

/// A part of a path, from any text.
pub(super) fn in_path(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, IN_PATH).into()
}

/// A link from a machine's mail, if people can open it.
pub(super) fn followed(link: Option<&str>) -> Option<&str> {
    link.filter(|link| is_for_readers(link))
}

/// A name with a link to the person's stories.
pub(super) fn person(name: &str) -> Markup {
    let name = plain(name);
    html! { a href=(person_path(&name)) { (name) } }
}

pub(super) fn person_path(name: &str) -> String {
    format!("/person/{}", in_path(name))
}

/// A tree with a link to its stories.
pub(super) fn tree(name: &str) -> Markup {
    let name = plain(name);
    html! { a href=(tree_path(&name)) { (short_tree(&name)) } }
}

pub(super) fn tree_path(name: &str) -> String {
    format!("/tree/{}", in_path(short_tree(name)))
}

/// Folders with links to their stories.
pub(super) fn folders<'a>(names: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        @for (place, name) in names.enumerate() {
            @if place > 0 { " · " }
            a href=(folder_path(name)) { (plain(name)) "/" }
        }
    }
}

pub(super) fn folder_path(name: &str) -> String {
    let parts: Vec<Cow<'_, str>> = name.split('/').map(in_path).collect();
    format!("/folder/{}", parts.join("/"))
}

/// A subsystem with a link to its stories.
pub(super) fn subsystem_link(name: &str) -> Markup {
    html! { a href=(subsystem_path(name)) { (plain(name)) } }
}

pub(super) fn subsystem_path(name: &str) -> String {
    format!("/subsystem/{}", in_path(name))
}

/// Stories with links to their pages.
pub(super) fn story_list(stories: &[Story]) -> Markup {
    html! {
        ul.stories { @for story in stories { li { (story_line(story)) } } }
    }
}

/// A story with a link to its page, the author, and where it stands.
pub(super) fn story_line(story: &Story) -> Markup {
    let line = line(story, standing(story), story.id.clone());
    let author = plain(story.author.as_deref().unwrap_or_default());
    html! {
        a href=(format!("/{}", markdown::story_path(&story.id))) { (line.title) }
        " " span.about {
            @if !author.is_empty() { (author) ", " }
            (line.what) ", " (long_day(story.last_at.date_naive()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_part_of_a_path() {
        assert_eq!(
            person_path("A. Björk/../x?y#z%"),
            "/person/A.%20Bj%C3%B6rk%2F..%2Fx%3Fy%23z%25"
        );
        assert_eq!(tree_path("bpf/bpf-next.git"), "/tree/bpf-next");
        assert_eq!(tree_path("bpf-next"), "/tree/bpf-next");
    }
}

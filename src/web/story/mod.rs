//! The page of a story. Each step of its life links to the mail, commit or notice that shows it.

mod data;
mod patches;
mod related;
mod steps;
mod thread;

use axum::extract::{Path, State};
use maud::{Markup, html};

use self::data::{RangeDiff, StoryData, VERSIONS_MAX};
use self::patches::patches;
use self::steps::steps;
use super::answer::{PageError, PageResult};
use super::layout::{PageHead, page};
use super::links::{folders, followed, person, story_list, tree};
use super::site::Served;
use super::subsystems::subsystems_of;
use crate::filter::SubsystemTable;
use crate::issue::html::{linked, long_day};
use crate::issue::markdown;
use crate::post::plain;
use crate::post::story::compose;
use crate::post::words::counted;
use crate::store::stories;
use crate::story::{PersonRole, Revision, Story};

/// The most people of one role.
const PEOPLE_MAX: usize = 30;
/// The most folders.
const PLACES_MAX: usize = 6;

pub(super) async fn story(State(site): State<Served>, Path(id): Path<String>) -> PageResult {
    const NO_STORY: PageError = PageError::Nothing("There is no such story.");
    let readers = site.store.read();
    let today = site.today();
    let mut story = stories::story_by_id(readers, &id, today)
        .await?
        .ok_or(NO_STORY)?;
    stories::name_releases(readers, std::slice::from_mut(&mut story)).await?;
    if stories::is_retracted(readers, &story.id).await? {
        return Err(PageError::Nothing("A maintainer took that story back."));
    }
    let data = StoryData::gather(readers, story, today).await?;
    let post = compose(&data.story);
    let path = markdown::story_path(&data.story.id);
    let words = match post.summary.is_empty() {
        true => format!(
            "{}, a {} that bpfnews follows.",
            post.state,
            post.about.word()
        ),
        false => format!("{}: {}", post.state, post.summary),
    };
    let head = PageHead::article(&site, &post.title, &path, &words);
    Ok(page(&head, "", &whole(&data, &site.subsystems().table())))
}

fn whole(data: &StoryData, subsystems: &SubsystemTable) -> Markup {
    let (story, post) = (&data.story, compose(&data.story));
    html! {
        article {
            h1 { (linked(&post.title, post.link.as_deref())) }
            p.about {
                strong { (post.state) } " · " (post.about.word())
                @if let Some(name) = &story.tree { " · " (tree(name)) }
                @if !post.author.is_empty() { " · by " (person(&post.author)) }
                @for note in &post.notes { " · " (note) }
            }
            (places(story))
            (subsystems_of(subsystems, story))
            @if !post.summary.is_empty() { blockquote { p { (post.summary) } } }
            @if !story.events.is_empty() { h2 { "Timeline" } (steps(data)) }
            (versions(data))
            (patches(data))
            (verdicts(data))
            (people(story))
            @for related in &data.related {
                section { h2 { (related.heading) } (story_list(&related.stories)) }
            }
            p.about {
                "Carried by " (post.feeds.join(", ")) ". Story " code { (story.id) } ", also as "
                a href=(format!("/api/story/{}", story.id)) { "JSON" } "."
            }
        }
    }
}

/// The folders in which a story changes files, without those above them.
fn places(story: &Story) -> Markup {
    let all = stories::folders_of(story);
    let is_above = |folder: &&str| {
        let below = format!("{folder}/");
        all.iter().any(|other| other.starts_with(&below))
    };
    let lowest: Vec<&str> = all
        .iter()
        .copied()
        .filter(|folder| !is_above(folder))
        .collect();
    html! {
        @if !lowest.is_empty() {
            p.about {
                "In " (folders(lowest.iter().copied().take(PLACES_MAX)))
                @if lowest.len() > PLACES_MAX { " and " (lowest.len() - PLACES_MAX) " more" }
            }
        }
    }
}

/// The versions of a series, newest first: what changed in each, and where it and the one before are read.
fn versions(data: &StoryData) -> Markup {
    let revisions = &data.story.revisions;
    if revisions.len() < 2 {
        return html! {};
    }
    let shown = revisions.iter().enumerate().rev().take(VERSIONS_MAX);
    html! {
        h2 { "Versions" }
        ul.versions {
            @for (place, revision) in shown {
                @let before = place.checked_sub(1).map(|place| &revisions[place]);
                li id=(anchor(revision)) { (version(data, revision, before)) }
            }
        }
        @if revisions.len() > VERSIONS_MAX { p { "and " (revisions.len() - VERSIONS_MAX) " earlier" } }
    }
}

fn version(data: &StoryData, revision: &Revision, before: Option<&Revision>) -> Markup {
    let change = data.story.changes.get(&format!("v{}", revision.version));
    html! {
        strong { (before_and_after(data, revision, before)) }
        ", " (long_day(revision.posted_at.date_naive())) ", " (counted(revision.total, "patch"))
        @match data.range_diff(revision) {
            Some(RangeDiff::At(link)) => { ", " a href=(link) { "range-diff" } }
            Some(RangeDiff::InMail) => { ", range-diff in the mail" }
            None => {}
        }
        @if let Some(change) = change { p { (plain(change)) } }
    }
}

/// `v2 → v3`, each with a link to its mail.
fn before_and_after(data: &StoryData, revision: &Revision, before: Option<&Revision>) -> Markup {
    let named =
        |revision: &Revision| linked(&format!("v{}", revision.version), data.page(&revision.root));
    html! {
        @if let Some(before) = before { (named(before)) " → " }
        (named(revision))
    }
}

/// The fragment of a version on the page. Two postings may have one version, so the day tells them apart.
fn anchor(revision: &Revision) -> String {
    format!("v{}-{}", revision.version, revision.posted_at.timestamp())
}

/// The verdicts of machines, newest version first.
fn verdicts(data: &StoryData) -> Markup {
    let story = &data.story;
    let of = |revision: &Revision| {
        let checks = story.checks.iter();
        let of_it = checks.filter(|check| check.root == revision.root);
        of_it.cloned().collect::<Vec<_>>()
    };
    let judged: Vec<_> = story
        .revisions
        .iter()
        .rev()
        .take(VERSIONS_MAX)
        .map(|revision| (revision, of(revision)))
        .filter(|(_, checks)| !checks.is_empty())
        .collect();
    html! {
        @if !judged.is_empty() {
            h2 { "Tests and machines" }
            ul {
                @for (revision, checks) in &judged {
                    li {
                        "v" (revision.version) ": "
                        @for (place, check) in checks.iter().enumerate() {
                            @if place > 0 { " · " }
                            (linked(&plain(&check.text), followed(check.link.as_deref())))
                        }
                    }
                }
            }
        }
    }
}

/// The people of a story by role, with links to their stories.
fn people(story: &Story) -> Markup {
    const ROLES: [PersonRole; 8] = [
        PersonRole::Author,
        PersonRole::Reviewer,
        PersonRole::Acker,
        PersonRole::Tester,
        PersonRole::Nacker,
        PersonRole::Reporter,
        PersonRole::Suggester,
        PersonRole::Applier,
    ];
    let in_role = |role: PersonRole| {
        let people = story.people.iter().filter(|part| part.role == role);
        people.map(|part| plain(&part.name)).collect::<Vec<_>>()
    };
    let roles = ROLES.map(|role| (role, in_role(role)));
    html! {
        @if !story.people.is_empty() {
            h2 { "People" }
            ul {
                @for (role, names) in roles.iter().filter(|(_, names)| !names.is_empty()) {
                    li { (role.by()) " " (names_of(names, PEOPLE_MAX)) }
                }
            }
        }
    }
}

/// Names with links, and the number of those for which there is no room.
fn names_of(names: &[String], most: usize) -> Markup {
    html! {
        @for (place, name) in names.iter().take(most).enumerate() {
            @if place > 0 { ", " }
            (person(name))
        }
        @if names.len() > most { " and " (names.len() - most) " more" }
    }
}

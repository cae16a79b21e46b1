//! An issue as HTML: for its page, for the feed, for a mail, and as a standalone page.

use chrono::NaiveDate;
use maud::{Markup, html};

use super::markdown::{self, Correction, is_list, opening, read_at, rest};
pub use super::written::linked;
use super::written::written;
use super::{Commit, Commits, Entry, Issue, Picture, Posted, Section, SectionKind, picture};
use crate::post::numbers::sentence;

/// The targets of links.
#[derive(Clone, Copy)]
pub struct Links<'a> {
    /// The prefix of our own paths; `None` if no pages are served.
    pub home: Option<&'a str>,
    /// Whether pictures are loaded from our host. Else their text stands for them, as in mail.
    pub shows_pictures: bool,
}

impl Links<'_> {
    fn picture(self, picture: &Picture) -> Option<String> {
        let home = self.home.filter(|_| self.shows_pictures)?;
        Some(format!("{home}{}", picture::path(&picture.file)))
    }

    fn story(self, id: Option<&str>) -> Option<String> {
        Some(format!("{}{}", self.home?, markdown::story_path(id?)))
    }
}

/// Links on served pages are relative to the host.
pub const HERE: Links<'static> = Links {
    home: Some("/"),
    shows_pictures: true,
};

/// The whole issue, from its title to its last line. `figures` are plots of its numbers, where pictures can be shown.
pub fn issue_article(
    issue: &Issue,
    corrections: &[Correction],
    links: Links<'_>,
    figures: Option<Markup>,
) -> Markup {
    let cycle = &issue.cycle;
    html! {
        h1 { (issue.title()) }
        p.when { (day(issue.on())) }
        p.opening { (opening(issue)) }
        @for correction in corrections {
            div.correction role="note" {
                p { strong { "Correction, " (day(correction.at.date_naive())) } }
                (written(&correction.text))
            }
        }
        (written(&issue.intro))
        @if !cycle.is_empty() {
            p {
                @if !cycle.stands.is_empty() { (linked(&cycle.stands, cycle.link.as_deref())) " " }
                @for pulls in &cycle.pulls {
                    "Pull requests: " code { (pulls.title) } " from "
                    @for (place, pull) in pulls.sent.iter().enumerate() {
                        @if place > 0 { @if place + 1 == pulls.sent.len() { " and " } @else { ", " } }
                        (linked(&long_day(pull.on), read_at(pull.link.as_deref(), Some(&pull.story), links.home).as_deref()))
                    }
                    ". "
                }
            }
        }
        @for missing in &issue.missing { p.missing { strong { "Missing: " } (missing) } }
        @for (place, section) in issue.sections.iter().enumerate() {
            @if let Some(above) = section.kind.above() {
                @if place == 0 || issue.sections[place - 1].kind.above() != Some(above) { h2 { (above) } }
            }
            (section_of(section, links))
        }
        @if !issue.patches.is_empty() {
            section aria-labelledby="patches" {
                h2 id="patches" { "Patches" }
                ul.patches {
                    @for patches in &issue.patches {
                        @for posted in &patches.posted { (posted_item(&patches.author, posted, links)) }
                    }
                }
                p { "The patches above are those on the lists that bpfnews reads; there are others." }
            }
        }
        @if let Some(numbers) = &issue.numbers {
            section aria-labelledby="numbers" {
                h2 id="numbers" { "Numbers" }
                p { (sentence(numbers)) }
                @if let Some(figures) = figures { (figures) }
            }
        }
        p { "Happy hacking!" }
    }
}

fn section_of(section: &Section, links: Links<'_>) -> Markup {
    let word = section.kind.word();
    let is_below = section.kind.above().is_some();
    html! {
        section aria-labelledby=(word) {
            @if is_below { h3 id=(word) { (section.kind.heading()) } }
            @else { h2 id=(word) { (section.kind.heading()) } }
            @if is_list(section.kind) {
                @if !section.entries.is_empty() {
                    ul { @for entry in &section.entries { li { (entry_article(section.kind, entry, links)) } } }
                }
            } @else {
                @for entry in &section.entries { (entry_article(section.kind, entry, links)) }
            }
            @if let Some(rest) = rest(section) { p { (rest) } }
        }
    }
}

/// An entry as its section shows it.
pub fn entry_article(kind: SectionKind, entry: &Entry, links: Links<'_>) -> Markup {
    match is_list(kind) {
        true => list_entry(kind, entry, links),
        false => headed_entry(entry, kind.above().is_some(), links),
    }
}

fn list_entry(kind: SectionKind, entry: &Entry, links: Links<'_>) -> Markup {
    let story = entry.story.as_deref();
    let at = |link: Option<&str>| read_at(link, story, links.home);
    let titled = html! {
        @if !entry.author.is_empty() { (entry.author) ", " }
        (linked(&entry.title, at(entry.link.as_deref()).as_deref()))
    };
    let text = html! { @if !entry.text.is_empty() { ": " (entry.text) } };
    html! {
        @if let Some(commits) = &entry.commits {
            (titled) " (" (commits_words(commits)) ")" (text)
        } @else {
        @match (kind, &entry.commit) {
            (SectionKind::Highlights, Some(told)) if entry.author.is_empty() => { (commit(told)) (text) }
            (SectionKind::Highlights, Some(told)) => { (titled) (text) " " (commit(told)) }
            (_, Some(told)) if entry.is_retitled => { (titled) (text) " " (commit(told)) }
            (_, Some(told)) => { (commit(told)) }
            (SectionKind::Projects, None) => {
                (linked(&entry.title, at(entry.link.as_deref()).as_deref())) " (" (iso(entry.on)) ")" (text)
            }
            (_, None) => {
                (titled)
                @if !matches!(entry.stands.as_str(), "" | "posted") { " (" (entry.stands) ")" }
                (text)
            }
        }
        }
        (timeline(links.story(story).filter(|_| entry.link.is_some() || entry.commit.is_some()), &entry.title))
        @for note in &entry.notes { div.note { (written(note)) } }
        (pictured(entry.picture.as_ref(), links))
    }
}

/// A picture; its words alone if it has no address.
fn pictured(picture: Option<&Picture>, links: Links<'_>) -> Markup {
    html! {
        @if let Some(picture) = picture {
            @match links.picture(picture) {
                Some(address) => {
                    p { img src=(address) alt=(picture.alt) width=(picture.width) height=(picture.height) loading="lazy"; }
                }
                None => { p { "Picture: " (picture.alt) } }
            }
        }
    }
}

/// A hash that shows the commit's subject as its title.
fn commit(told: &Commit) -> Markup {
    html! { (hash(told)) " (" (told.subject) ", " (iso(told.on)) ")" }
}

fn hash(told: &Commit) -> Markup {
    html! { code { (linked(&told.digits, told.link.as_deref())) } }
}

/// The commits of a series, worded as in [`markdown`].
fn commits_words(commits: &Commits) -> Markup {
    html! {
        (commits.counted())
        @match commits.many {
            0 | 1 => { ": " (commit(&commits.last)) }
            many => {
                ", " (hash(&commits.first))
                @if many == 2 { " and " } @else { " to " }
                (hash(&commits.last)) ", " (iso(commits.last.on))
            }
        }
    }
}

fn headed_entry(entry: &Entry, is_below: bool, links: Links<'_>) -> Markup {
    let story = entry.story.as_deref();
    let link = read_at(entry.link.as_deref(), story, links.home);
    let title = linked(&entry.title, link.as_deref());
    html! {
        @if is_below { h4 { (title) } } @else { h3 { (title) } }
        p.about {
            (long_day(entry.on))
            @if !entry.author.is_empty() { " · " (entry.author) }
            @if !entry.stands.is_empty() { " · " (entry.stands) }
            (timeline(links.story(story).filter(|_| entry.link.is_some()), &entry.title))
        }
        @if !entry.text.is_empty() { blockquote { p { (entry.text) } } }
        @for note in &entry.notes { (written(note)) }
        (pictured(entry.picture.as_ref(), links))
    }
}

/// A link to a story's page, if its title links to another site.
fn timeline(story: Option<String>, title: &str) -> Markup {
    let about = format!("timeline of {title}");
    html! { @if let Some(story) = story { " " a.timeline href=(story) aria-label=(about) { "timeline" } } }
}

fn posted_item(author: &str, posted: &Posted, links: Links<'_>) -> Markup {
    let at = |link: &Option<String>| read_at(link.as_deref(), Some(&posted.story), links.home);
    html! {
        li {
            (author) ", " (linked(&posted.title, at(&posted.link).as_deref()))
            (timeline(links.story(Some(&posted.story)).filter(|_| posted.link.is_some()), &posted.title))
            @if !posted.parts.is_empty() {
                ul { @for (title, link) in &posted.parts { li { (linked(title, at(link).as_deref())) } } }
            }
        }
    }
}

/// A day, for people and for programs.
pub fn day(on: NaiveDate) -> Markup {
    html! { time datetime=(iso(on)) { (long_day(on)) } }
}

/// A day as people write it.
pub fn long_day(on: NaiveDate) -> String {
    on.format("%-d %B %Y").to_string()
}

fn iso(on: NaiveDate) -> String {
    on.format("%Y-%m-%d").to_string()
}

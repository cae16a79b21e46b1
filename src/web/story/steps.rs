//! The steps of a story's life, each with its proof.

use std::borrow::Cow;

use maud::{Markup, html};

use super::before_and_after;
use super::data::StoryData;
use crate::issue::html::{linked, long_day};
use crate::issue::markdown;
use crate::post::plain;
use crate::post::story::event_words;
use crate::story::key::HASH_DIGITS;
use crate::story::{Applied, AppliedCommit, Event, Revision, Step};
use crate::web::links::followed;

/// The most steps that are shown; the others are counted.
const STEPS_MAX: usize = 200;
/// The most commits at one step.
const COMMITS_MAX: usize = 3;
/// The most CVEs at one step.
const CVES_MAX: usize = 10;

pub(super) fn steps(data: &StoryData) -> Markup {
    let steps = without_repetitions(&data.story.events);
    html! {
        ol.events {
            @for (event, times) in steps.iter().take(STEPS_MAX) {
                li {
                    time datetime=(event.at.to_rfc3339()) { (long_day(event.at.date_naive())) } " "
                    (step(data, event))
                    @if *times > 1 { " (" (times) " times)" }
                }
            }
        }
        @if steps.len() > STEPS_MAX { p { "and " (steps.len() - STEPS_MAX) " more steps" } }
    }
}

/// Machines repeat themselves, for each patch anew: the last of equal reports of a day, with their number.
fn without_repetitions(events: &[Event]) -> Vec<(&Event, usize)> {
    let mut steps: Vec<(&Event, usize)> = Vec::new();
    for event in events {
        match steps.last_mut() {
            Some((last, times)) if event.state.is_of_machine() && is_same_report(last, event) => {
                (*last, *times) = (event, *times + 1);
            }
            Some(_) | None => steps.push((event, 1)),
        }
    }
    steps
}

fn is_same_report(one: &Event, other: &Event) -> bool {
    (one.state, &one.by, &one.text) == (other.state, &other.by, &other.text)
        && one.at.date_naive() == other.at.date_naive()
}

fn step(data: &StoryData, event: &Event) -> Markup {
    let story = &data.story;
    let proof = proof(data, event);
    let revision = story.revision_of(event);
    let before = revision.and_then(|revision| before(data, revision));
    html! {
        @match (revision, before) {
            (Some(revision), Some(before)) => {
                (before_and_after(data, revision, Some(before))) (by(event))
                @if story.changes.contains_key(&format!("v{}", revision.version)) {
                    ", " a href=(format!("#{}", super::anchor(revision))) { "what changed" }
                }
            }
            (_, _) => { (linked(&event_words(story, event), proof.as_deref())) }
        }
        (more(data, event))
    }
}

/// The page that shows a step: that of a machine, or the mail or commit that reports it.
fn proof(data: &StoryData, event: &Event) -> Option<String> {
    let own = followed(event.link.as_deref());
    let item = || data.page(&event.source);
    let page = || followed(Some(event.source.as_str()));
    own.or_else(item).or_else(page).map(str::to_owned)
}

fn by(event: &Event) -> String {
    match event.by.as_str() {
        "" => String::new(),
        name => format!(" by {}", plain(name)),
    }
}

/// The version before another one.
fn before<'a>(data: &'a StoryData, revision: &Revision) -> Option<&'a Revision> {
    let revisions = &data.story.revisions;
    let place = revisions.iter().position(|other| other == revision)?;
    Some(&revisions[place.checked_sub(1)?])
}

/// The commits, releases and other stories of a step.
fn more(data: &StoryData, event: &Event) -> Markup {
    let story = &data.story;
    let other = data.other_story(&event.source);
    html! {
        @match event.state {
            Step::Applied | Step::PartlyApplied | Step::Claimed => {
                @let applied = story.applied.iter().find(|applied| applied.at == event.at);
                @if let Some(applied) = applied { (commits(data, applied)) }
            }
            Step::Mainline => {
                " " (commit(data, &event.source))
            }
            Step::Stable => {
                @let backport = story.stable.iter().find(|backport| backport.hash == event.source);
                @if let Some(backport) = backport { " " (plain(&backport.branch)) }
                " " (commit(data, &event.source))
            }
            Step::Fixed | Step::Reverted => { " " (commit(data, &event.source)) }
            Step::Cve => {
                @for cve in story.cves.iter().take(CVES_MAX) { " " (linked(&plain(cve), cve_page(cve).as_deref())) }
            }
            _ => {}
        }
        @if let Some(other) = other.filter(|_| leads_to_story(event.state)) {
            ", " a href=(format!("/{}", markdown::story_path(other))) { "its story" }
        }
    }
}

/// Whether a step is the step of another story too.
fn leads_to_story(step: Step) -> bool {
    matches!(
        step,
        Step::Pulled | Step::Fixed | Step::Reverted | Step::Cve | Step::Superseded
    )
}

fn commits(data: &StoryData, applied: &Applied) -> Markup {
    let shown: &[AppliedCommit] = match applied.commits.as_slice() {
        few if few.len() <= COMMITS_MAX => few,
        many => &many[..COMMITS_MAX],
    };
    html! {
        @for (place, applied) in shown.iter().enumerate() {
            (if place == 0 { ": " } else { ", " }) (commit(data, &applied.hash))
        }
        @if applied.commits.len() > COMMITS_MAX { " and " (applied.commits.len() - COMMITS_MAX) " more" }
    }
}

/// A hash with a link to its commit.
pub(super) fn commit(data: &StoryData, hash: &str) -> Markup {
    html! { code { (linked(&digits(hash), data.page(hash))) } }
}

fn digits(hash: &str) -> Cow<'_, str> {
    match hash.get(..HASH_DIGITS) {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_hexdigit()) => digits.into(),
        Some(_) | None => plain(hash).into(),
    }
}

fn cve_page(cve: &str) -> Option<String> {
    let is_id =
        cve.starts_with("CVE-") && cve.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    is_id.then(|| format!("https://www.cve.org/CVERecord?id={cve}"))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn equal_reports_of_a_day_are_one_and_a_persons_steps_are_not() {
        let event = |state, text: &str, hours: i64| Event {
            at: DateTime::from_timestamp(hours * 3_600, 0).expect("a time"),
            state,
            text: text.to_owned(),
            source: format!("{hours}@x"),
            ..Event::default()
        };
        let events = [
            event(Step::CiFailed, "CI failed", 1),
            event(Step::CiFailed, "CI failed", 2),
            event(Step::CiFailed, "CI failed", 30),
            event(Step::CiPassed, "CI passed", 31),
            event(Step::Nacked, "", 32),
            event(Step::Nacked, "", 33),
        ];
        let steps = without_repetitions(&events);
        let found: Vec<(&str, usize)> = steps
            .iter()
            .map(|(event, times)| (event.source.as_str(), *times))
            .collect();
        let wanted = [
            ("2@x", 2),
            ("30@x", 1),
            ("31@x", 1),
            ("32@x", 1),
            ("33@x", 1),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn only_a_cve_leads_to_the_list_of_cves() {
        let page = "https://www.cve.org/CVERecord?id=CVE-2025-12345";
        assert_eq!(cve_page("CVE-2025-12345").as_deref(), Some(page));
        for bad in ["CVE-2025-1&x=2", "cve", "", "CVE-\"><b>"] {
            assert_eq!(cve_page(bad), None, "{bad}");
        }
    }
}

//! The steps of a story's life, in words.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::plain;
use crate::story::{Applied, Event, Step, Story, StoryKind};

/// The steps of a story, oldest first: each revision, and each decision.
pub(super) fn steps(story: &Story) -> Vec<String> {
    let mut steps: Vec<(DateTime<Utc>, String)> = story
        .revisions
        .iter()
        .map(|revision| (revision.posted_at, format!("v{}", revision.version)))
        .collect();
    let mut seen = HashSet::new();
    for event in &story.events {
        if let Some(words) = step(story, event)
            && seen.insert(words.clone())
        {
            steps.push((event.at, words));
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    if steps.len() < 2 {
        return Vec::new();
    }
    steps
        .into_iter()
        .map(|(at, words)| format!("{words} {}", at.format("%-d %b")))
        .collect()
}

fn step(story: &Story, event: &Event) -> Option<String> {
    let by = |words: &str| by(words, event);
    match event.state {
        Step::Posted | Step::Revised | Step::Discussed => None,
        Step::Claimed => {
            // A confirmed claim has a step of its own.
            let mut applied = story.applied.iter();
            let is_open = applied.any(|applied| applied.claimed && applied.at == event.at);
            is_open.then(|| by(&in_its_tree("said to be applied", story, event)))
        }
        Step::CiPassed | Step::CiFailed | Step::Reported => None,
        Step::ReviewedByMachine | Step::BuildBroken => None,
        Step::Nacked => Some(by(event.state.word())),
        Step::Applied | Step::PartlyApplied => {
            Some(by(&in_its_tree(event.state.word(), story, event)))
        }
        Step::Pulled => Some("pull request".to_owned()),
        Step::Rejected => Some(by("refused")),
        Step::Fixed => Some("fixed by a later commit".to_owned()),
        Step::Mainline
        | Step::Stable
        | Step::Superseded
        | Step::Withdrawn
        | Step::Reverted
        | Step::Cve => Some(event.state.word().to_owned()),
    }
}

/// An event in words, for a page with room for every step.
pub fn event_words(story: &Story, event: &Event) -> String {
    if let Some(words) = step(story, event) {
        return words;
    }
    let what = match event.state {
        Step::Posted => match story.kind {
            StoryKind::Series => "posted",
            StoryKind::Commit => "committed",
            StoryKind::Pull => "asked to pull",
            StoryKind::Thread => "begun",
            StoryKind::Article | StoryKind::Release | StoryKind::Video => "published",
        },
        Step::Revised => "a new version",
        Step::Discussed => "first answered",
        Step::Claimed => "said to be applied",
        Step::CiPassed => "tests passed",
        Step::CiFailed => "tests failed",
        Step::Reported => "a bot's report",
        Step::ReviewedByMachine => "an AI review",
        // `step` returns the words for all others.
        other => other.word(),
    };
    let words = match (event.text.is_empty(), event.state) {
        (true, _) => what.to_owned(),
        (false, Step::Discussed) => format!("{what} with {}", plain(&event.text)),
        (false, _) => plain(&event.text),
    };
    by(&words, event)
}

fn by(words: &str, event: &Event) -> String {
    if event.by.is_empty() {
        words.to_owned()
    } else {
        format!("{words} by {}", plain(&event.by))
    }
}

/// A step that was taken in a tree, with the tree where it is known.
fn in_its_tree(words: &str, story: &Story, event: &Event) -> String {
    match application(story, event) {
        Some(applied) if !applied.tree.is_empty() => {
            format!("{words} to {}", plain(applied.short_tree()))
        }
        _ => words.to_owned(),
    }
}

/// The application that an event is about: the one of its time, or the latest.
fn application<'a>(story: &'a Story, event: &Event) -> Option<&'a Applied> {
    let at_once = story.applied.iter().find(|applied| applied.at == event.at);
    at_once.or(story.applied.last())
}

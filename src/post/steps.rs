//! The steps of a story's life, in words.

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
    let mut told = std::collections::HashSet::new();
    for event in &story.events {
        if let Some(words) = step(story, event)
            && told.insert(words.clone())
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
    let by = |words: &str| match event.by.is_empty() {
        true => words.to_owned(),
        false => format!("{words} by {}", plain(&event.by)),
    };
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
        Step::Nacked => Some(by("nacked")),
        Step::Applied => Some(by(&in_its_tree("applied", story, event))),
        Step::PartlyApplied => Some(by(&in_its_tree("partly applied", story, event))),
        Step::Pulled => Some("pull request".to_owned()),
        Step::Mainline => Some("mainline".to_owned()),
        Step::Stable => Some("stable".to_owned()),
        Step::Superseded => Some("superseded".to_owned()),
        Step::Withdrawn => Some("withdrawn".to_owned()),
        Step::Rejected => Some(by("refused")),
        Step::Fixed => Some("fixed by a later commit".to_owned()),
        Step::Reverted => Some("reverted".to_owned()),
        Step::Cve => Some("CVE".to_owned()),
    }
}

/// An event in words, for a page with room for every step.
pub fn told(story: &Story, event: &Event) -> String {
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
        Step::Reported => "a report of a machine",
        Step::ReviewedByMachine => "an AI review",
        Step::BuildBroken => "build broken",
        Step::Nacked
        | Step::Applied
        | Step::PartlyApplied
        | Step::Pulled
        | Step::Mainline
        | Step::Stable
        | Step::Superseded
        | Step::Withdrawn
        | Step::Rejected
        | Step::Fixed
        | Step::Reverted
        | Step::Cve => "moved",
    };
    let what = match (event.text.is_empty(), event.state) {
        (true, _) => what.to_owned(),
        (false, Step::Discussed) => format!("{what} with {}", plain(&event.text)),
        (false, _) => plain(&event.text),
    };
    match event.by.is_empty() {
        true => what,
        false => format!("{what} by {}", plain(&event.by)),
    }
}

/// A step that was taken in a tree, with the tree where it is known.
fn in_its_tree(words: &str, story: &Story, event: &Event) -> String {
    match application(story, event) {
        Some(applied) if !applied.tree.is_empty() => {
            format!("{words} to {}", plain(short_tree(&applied.tree)))
        }
        _ => words.to_owned(),
    }
}

/// The application that an event is about: the one of its time, or the latest.
fn application<'a>(story: &'a Story, event: &Event) -> Option<&'a Applied> {
    let at_once = story.applied.iter().find(|applied| applied.at == event.at);
    at_once.or(story.applied.last())
}

/// A tree as people call it: the last part of its path.
pub(super) fn short_tree(tree: &str) -> &str {
    let tree = tree.trim_end_matches('/');
    let tree = tree.rsplit('/').next().unwrap_or(tree);
    tree.strip_suffix(".git").unwrap_or(tree)
}

//! Where a story stands, and the steps of its life, in words.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::plain;
use crate::story::kernel::KernelVersion;
use crate::story::{Applied, Event, State, Step, Story, StoryKind};

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
            is_open.then(|| by(&with_tree("said to be applied", story, event)))
        }
        Step::CiPassed | Step::CiFailed | Step::Reported => None,
        Step::ReviewedByMachine | Step::BuildBroken => None,
        Step::Nacked | Step::ChangesRequested => Some(by(event.state.word())),
        Step::Applied | Step::PartlyApplied => {
            Some(by(&with_tree(event.state.word(), story, event)))
        }
        Step::Pulled => Some("pull request".to_owned()),
        Step::Rejected => Some(by("refused")),
        Step::Fixed => Some("fixed by a later commit".to_owned()),
        Step::Mainline => Some(with_release("mainline", mainline_release(story))),
        Step::Stable => {
            let mut backports = story.stable.iter();
            let backport = backports.find(|backport| backport.hash == event.source);
            let release = backport.and_then(|backport| backport.release.clone());
            Some(with_release("stable", release))
        }
        Step::Superseded | Step::Withdrawn | Step::Reverted | Step::Cve => {
            Some(event.state.word().to_owned())
        }
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
fn with_tree(words: &str, story: &Story, event: &Event) -> String {
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

/// Where a story stands, in a few words.
pub fn standing(story: &Story) -> String {
    let tree = || {
        let tree = story.applied.last().map(Applied::short_tree);
        plain(tree.unwrap_or_default())
    };
    // A state that only a mail claims is shown as a claim.
    let said = if is_only_said(story) {
        "said to be "
    } else {
        ""
    };
    let in_tree = |words: &str| match tree() {
        tree if tree.is_empty() => format!("{said}{words}"),
        tree => format!("{said}{words} to {tree}"),
    };
    match story.state {
        State::Posted | State::Discussed => match story.revisions.last() {
            Some(newest) if newest.version > 1 => format!("v{}", newest.version),
            _ if story.state == State::Discussed => "discussed".to_owned(),
            _ => "posted".to_owned(),
        },
        State::Applied => in_tree("applied"),
        State::PartlyApplied => in_tree("partly applied"),
        State::Pulled => "in a pull request".to_owned(),
        State::Mainline => in_release(mainline_release(story), "in mainline"),
        State::Stable => in_release(stable_releases(story), "in stable"),
        State::Superseded => "superseded".to_owned(),
        State::Withdrawn => "withdrawn".to_owned(),
        State::Rejected => "refused".to_owned(),
        State::Open => "open".to_owned(),
        State::Paid => "for subscribers".to_owned(),
        State::Free => "free to read".to_owned(),
        State::Published => "published".to_owned(),
    }
}

/// The release that first had it, if that is known.
fn mainline_release(story: &Story) -> Option<String> {
    story.mainline.as_ref()?.release.clone()
}

/// The stable releases that first had it, newest series first.
fn stable_releases(story: &Story) -> Option<String> {
    let known = story.stable.iter().filter_map(|b| b.release.as_deref());
    let mut known: Vec<(Option<KernelVersion>, &str)> = known
        .map(|release| (KernelVersion::parse(release), release))
        .collect();
    known.sort_by_key(|(version, _)| {
        std::cmp::Reverse(version.map(|v| (v.major, v.minor, v.patch)))
    });
    known.dedup();
    let names: Vec<&str> = known.into_iter().map(|(_, release)| release).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some((*one).to_owned()),
        [many @ .., last] => Some(format!("{} and {last}", many.join(", "))),
    }
}

fn in_release(release: Option<String>, otherwise: &str) -> String {
    release.map_or_else(|| otherwise.to_owned(), |release| format!("in {release}"))
}

fn with_release(words: &str, release: Option<String>) -> String {
    match release {
        Some(release) => format!("{words} ({release})"),
        None => words.to_owned(),
    }
}

/// Whether somebody says that it was applied, and neither a commit nor a bot that saw the tree confirms it.
pub(super) fn is_only_said(story: &Story) -> bool {
    !story.applied.is_empty() && story.applied.iter().all(|applied| applied.claimed)
}

//! The state of a story in a sentence. Parts that depend on the present are computed here.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::view::{ago, counted, span, waiting};
use crate::story::key::HASH_DIGITS;
use crate::story::waiting::pull_waits;
use crate::story::{Applied, Backport, Event, State, Step, Story};

/// How long a story may be silent before that is worth a word.
const QUIET_AFTER: TimeDelta = TimeDelta::days(14);

/// Where a story stands: "Applied to bpf-next 3 days ago; not in mainline yet."
pub(super) fn standing(story: &Story, now: DateTime<Utc>) -> String {
    let last = |step: Step| story.events.iter().rfind(|event| event.state == step);
    match story.state {
        State::Posted | State::Discussed => open_series(story, now),
        State::Applied | State::PartlyApplied => match story.applied.is_empty() {
            true => format!("In a tree {}.", since(story.last_at, now)),
            false => format!("{}.", applied(story, now)),
        },
        State::Pulled => match last(Step::Pulled) {
            Some(event) => sentence(
                story,
                &format!("in a pull request {}", since(event.at, now)),
            ),
            None => sentence(story, "in a pull request"),
        },
        State::Mainline => sentence(story, &mainline(story, now)),
        State::Stable => {
            let mut branches: Vec<String> = story.stable.iter().map(branch).collect();
            branches.sort_unstable();
            branches.dedup();
            let stable = format!("{}, and in stable", mainline(story, now));
            match branches.is_empty() {
                true => sentence(story, &stable),
                false => sentence(story, &format!("{stable}: {}", branches.join(", "))),
            }
        }
        State::Superseded => ended("Superseded", last(Step::Superseded), now),
        State::Withdrawn => ended("Withdrawn", last(Step::Withdrawn), now),
        State::Rejected => ended(
            "Refused",
            last(Step::Rejected).or_else(|| last(Step::Nacked)),
            now,
        ),
        State::Open => match pull_waits(story, now).filter(|waits| waits.num_hours() >= 24) {
            Some(waits) => format!("Waiting {} for somebody to pull it.", span(waits)),
            None => talk(story, now),
        },
        State::Paid => match story.free_on {
            Some(day) => format!("For subscribers until {}.", day.format("%-d %B %Y")),
            None => "For subscribers.".to_owned(),
        },
        State::Free => format!("Free to read; published {}.", ago(story.first_at, now)),
        State::Published => format!("Published {}.", ago(story.first_at, now)),
    }
}

fn open_series(story: &Story, now: DateTime<Utc>) -> String {
    let newest = story.revisions.last().map_or(1, |newest| newest.version);
    let what = match newest {
        0 | 1 => "it".to_owned(),
        version => format!("v{version}"),
    };
    match waiting(story, now) {
        Some(waits) if waits.num_hours() < 24 => {
            format!(
                "Posted {}; nobody answered {what} yet.",
                posted_ago(story, now)
            )
        }
        Some(waits) => format!("Waiting {} for a person's reply to {what}.", span(waits)),
        None => talk(story, now),
    }
}

fn posted_ago(story: &Story, now: DateTime<Utc>) -> String {
    let at = story
        .revisions
        .last()
        .map_or(story.first_at, |newest| newest.posted_at);
    ago(at, now)
}

/// A story that people talk about, or did.
fn talk(story: &Story, now: DateTime<Utc>) -> String {
    let replies = match story.follow_ups {
        0 => "No replies".to_owned(),
        number => counted(number, "reply"),
    };
    let day = story.last_at.format("%-d %B %Y");
    match now - story.last_at {
        silent if silent >= QUIET_AFTER => {
            format!("{replies}; quiet since {day} ({}).", span(silent))
        }
        _ => format!("{replies}; last moved {}.", ago(story.last_at, now)),
    }
}

fn mainline(story: &Story, now: DateTime<Utc>) -> String {
    match &story.mainline {
        Some(landed) => {
            let release = landed.release.as_deref();
            let first = release.map(|release| format!(", first in {release}"));
            let since = since(landed.at, now);
            format!("in mainline {since}{}", first.unwrap_or_default())
        }
        None => "in mainline".to_owned(),
    }
}

/// `linux-6.12.y (6.12.31)`, or the branch alone.
fn branch(backport: &Backport) -> String {
    match &backport.release {
        Some(release) => format!("{} ({release})", backport.branch),
        None => backport.branch.clone(),
    }
}

/// "Applied to bpf-next, in mainline since …": where it was applied, where that is known, and where it is now.
fn sentence(story: &Story, now_in: &str) -> String {
    let mut trees: Vec<&str> = Vec::new();
    for applied in &story.applied {
        let tree = applied.short_tree();
        if !tree.is_empty() && !trees.contains(&tree) {
            trees.push(tree);
        }
    }
    let text = match trees.is_empty() {
        true => format!("{now_in}."),
        false => format!("applied to {}, {now_in}.", trees.join(" and ")),
    };
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn applied(story: &Story, now: DateTime<Utc>) -> String {
    let parts: Vec<String> = story
        .applied
        .iter()
        .map(|applied| {
            let by = match applied.by.as_str() {
                "" => String::new(),
                name => format!(" by {name}"),
            };
            let when = ago(applied.at, now);
            let tree = tree_and_branch(applied);
            match applied.claimed {
                true if applied.by.is_empty() => {
                    format!("Said to be applied to {tree} {when}; no commit confirms it yet")
                }
                true => format!(
                    "{} said {when} that it was applied to {tree}; no commit confirms it yet",
                    applied.by
                ),
                false => format!("{} to {tree}{by} {when}", how_much(story, applied)),
            }
        })
        .collect();
    parts.join(". ")
}

fn how_much(story: &Story, applied: &Applied) -> String {
    let numbers: BTreeSet<u32> = applied.commits.iter().filter_map(|c| c.number).collect();
    let total = story.revisions.last().map_or(0, |newest| newest.total);
    match (story.state, numbers.len()) {
        (State::PartlyApplied, 0) => "Partly applied".to_owned(),
        (State::PartlyApplied, 1) => format!("Patch {} of {total} applied", ranges(&numbers)),
        (State::PartlyApplied, _) => format!("Patches {} of {total} applied", ranges(&numbers)),
        (_, _) => "Applied".to_owned(),
    }
}

fn ended(word: &str, event: Option<&Event>, now: DateTime<Utc>) -> String {
    match event {
        Some(event) if event.by.is_empty() => format!("{word} {}.", ago(event.at, now)),
        Some(event) => format!("{word} by {} {}.", event.by, ago(event.at, now)),
        None => format!("{word}."),
    }
}

fn since(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("since {} ({})", at.format("%-d %B %Y"), ago(at, now))
}

/// `bpf/bpf-next.git (master)`, or the known part of it.
pub(super) fn tree_and_branch(applied: &Applied) -> String {
    match (applied.tree.as_str(), &applied.branch) {
        ("", _) => "a tree".to_owned(),
        (tree, Some(branch)) => format!("{tree} ({branch})"),
        (tree, None) => tree.to_owned(),
    }
}

/// The first digits of a commit's hash; empty for anything else.
pub(super) fn short_hash(text: &str) -> String {
    let is_hash = text.len() >= HASH_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash {
        text[..HASH_DIGITS].to_owned()
    } else {
        String::new()
    }
}

/// `1–3, 5`
pub(super) fn ranges(numbers: &BTreeSet<u32>) -> String {
    let mut spans: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match spans.last_mut() {
            Some((_, end)) if *end + 1 == number => *end = number,
            Some(_) | None => spans.push((number, number)),
        }
    }
    let words: Vec<String> = spans
        .into_iter()
        .map(|(from, to)| match to - from {
            0 => from.to_string(),
            1 => format!("{from}, {to}"),
            _ => format!("{from}–{to}"),
        })
        .collect();
    words.join(", ")
}

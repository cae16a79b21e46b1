//! Which series wait for a person's answer, which pull requests wait for somebody who takes them, and how long. Derived on
//! reading, for it depends on the present.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{State, Step, Story, StoryKind, key};

/// A series without activity for this long counts as given up.
pub const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(180);

/// How long a series has been waiting for a person's answer to its newest revision; `None` where it does not wait.
pub fn waiting(story: &Story, now: DateTime<Utc>) -> Option<TimeDelta> {
    let is_open = match story.state {
        State::Posted | State::Discussed => story.kind == StoryKind::Series,
        State::Applied
        | State::PartlyApplied
        | State::Pulled
        | State::Mainline
        | State::Stable
        | State::Superseded
        | State::Withdrawn
        | State::Rejected
        | State::Open
        | State::Paid
        | State::Free
        | State::Published => false,
    };
    let newest = story.revisions.last().filter(|_| is_open)?;
    let is_applied = !story.applied.is_empty();
    let is_answered = story
        .events
        .iter()
        .any(|event| event.at >= newest.posted_at && is_answer(event.state));
    // A clock that runs behind the sender's makes nobody wait for less than no time.
    (!is_applied && !is_answered).then(|| (now - newest.posted_at).max(TimeDelta::zero()))
}

/// How long nobody has taken a pull request; `None` where somebody did, or says so, or where it is none.
pub fn pull_waits(story: &Story, now: DateTime<Utc>) -> Option<TimeDelta> {
    let is_open = story.kind == StoryKind::Pull && story.state == State::Open;
    let is_taken = story
        .events
        .iter()
        .any(|event| matches!(event.state, Step::Claimed | Step::Pulled | Step::Mainline));
    (is_open && !is_taken).then(|| (now - story.first_at).max(TimeDelta::zero()))
}

/// The pull requests among these that wait, and how long. A request that its author sent again waits no more.
pub fn waiting_pulls(pulls: &[Story], now: DateTime<Utc>) -> Vec<(TimeDelta, &Story)> {
    let mut newest: HashMap<(Option<&str>, String), &Story> = HashMap::new();
    for pull in pulls {
        let own = (pull.author.as_deref(), key::normal(&pull.title));
        let known = newest.entry(own).or_insert(pull);
        if (known.first_at, &known.id) < (pull.first_at, &pull.id) {
            *known = pull;
        }
    }
    let newest = newest.into_values();
    let mut waiting: Vec<(TimeDelta, &Story)> = newest
        .filter_map(|pull| Some((pull_waits(pull, now)?, pull)))
        .collect();
    waiting.sort_by(|a, b| (b.0, &a.1.id).cmp(&(a.0, &b.1.id)));
    waiting
}

/// Whether a step is a person's answer to a series.
fn is_answer(step: Step) -> bool {
    match step {
        Step::Discussed
        | Step::Nacked
        | Step::ChangesRequested
        | Step::Claimed
        | Step::Applied
        | Step::PartlyApplied
        | Step::Rejected => true,
        Step::Posted
        | Step::Revised
        | Step::Pulled
        | Step::Mainline
        | Step::Stable
        | Step::Superseded
        | Step::Withdrawn
        | Step::CiPassed
        | Step::CiFailed
        | Step::Reported
        | Step::ReviewedByMachine
        | Step::BuildBroken
        | Step::Fixed
        | Step::Reverted
        | Step::Cve => false,
    }
}

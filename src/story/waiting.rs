//! Which series wait for a person's answer, and how long. Derived on reading, for it depends on the present.

use chrono::{DateTime, TimeDelta, Utc};

use super::{State, Step, Story, StoryKind};

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

/// Whether a step is a person's answer to a series.
fn is_answer(step: Step) -> bool {
    match step {
        Step::Discussed
        | Step::Nacked
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

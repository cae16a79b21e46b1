//! Milestones of a story: the steps that a channel may announce by a message of their own, because an edit marks nothing as
//! unread. Pure.

mod ways;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

pub use self::ways::{MilestoneKind, MilestoneWay, MilestoneWays};

use super::steps::{is_only_said, standing};
use super::{is_for_readers, plain};
use crate::story::{Event, State, Step, Story, StoryKind};

/// A milestone that a story reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Milestone {
    pub kind: MilestoneKind,
    /// The same for the same milestone: letters, digits, `.` and `-`. It is part of the mark of its message.
    pub key: String,
    /// Our words for it: `v2 → v3`, `NACK by A. Maintainer`.
    pub what: String,
    /// The mail of it, if that is not the story's.
    pub link: Option<String>,
    /// The time of the mail that made it; `None` for one that follows from trees.
    pub at: Option<DateTime<Utc>>,
    /// Whether it still stands: an older revision does not.
    pub is_current: bool,
}

/// The keys of the milestones that a story reached.
pub fn keys(story: &Story) -> impl Iterator<Item = String> {
    reached(story).into_iter().map(|milestone| milestone.key)
}

/// The milestones that a story reached.
pub fn reached(story: &Story) -> Vec<Milestone> {
    let mut reached = revisions(story);
    reached.extend(way_points(story));
    let mut seen = BTreeSet::new();
    for event in &story.events {
        reached.extend(of_event(story, event).filter(|step| seen.insert(step.key.clone())));
    }
    let landed = story
        .mainline
        .iter()
        .filter_map(|landed| landed.release.as_deref());
    let backported = story.stable.iter().filter_map(|b| b.release.as_deref());
    let releases: BTreeSet<&str> = landed.chain(backported).collect();
    reached.extend(releases.into_iter().map(|release| Milestone {
        what: format!("in {}", plain(release)),
        ..plain_milestone(story, MilestoneKind::Released, plain(release))
    }));
    let announced = story.events.iter().rfind(|event| event.state == Step::Cve);
    reached.extend(story.cves.iter().map(|cve| Milestone {
        what: plain(cve),
        at: announced.map(|event| event.at),
        ..plain_milestone(story, MilestoneKind::Cve, plain(cve))
    }));
    let ended = match story.state {
        State::Withdrawn => Some((MilestoneKind::Withdrawn, Step::Withdrawn)),
        State::Superseded => Some((MilestoneKind::Superseded, Step::Superseded)),
        State::Posted
        | State::Discussed
        | State::Applied
        | State::PartlyApplied
        | State::Pulled
        | State::Mainline
        | State::Stable
        | State::Rejected
        | State::Open
        | State::Paid
        | State::Free
        | State::Published => None,
    };
    if let Some((kind, step)) = ended {
        let event = story.events.iter().rfind(|event| event.state == step);
        let by = event.map_or("", |event| event.by.as_str());
        reached.push(Milestone {
            what: by_whom(&kind.word(), by),
            link: event.and_then(mail_of),
            at: event.map(|event| event.at),
            ..plain_milestone(story, kind, format!("{}-v{}", kind.word(), newest(story)))
        });
    }
    if story.state == State::Free {
        let kind = MilestoneKind::Free;
        reached.push(plain_milestone(story, kind, kind.word()));
    }
    reached
}

/// The milestones of `reached` that a channel announces now, each with its way. `is_known` returns whether a key was reached
/// before; `since` is the time before which a mail is no news.
pub fn to_announce(
    reached: Vec<Milestone>,
    ways: &MilestoneWays,
    is_known: impl Fn(&str) -> bool,
    since: DateTime<Utc>,
) -> Vec<(Milestone, MilestoneWay)> {
    let known = reached.iter().filter(|step| is_known(&step.key));
    let passed = known.filter_map(|step| step.kind.way_point()).max();
    let is_new = |step: &Milestone| {
        step.is_current
            && !is_known(&step.key)
            && step.at.is_none_or(|at| at >= since)
            && step.kind.way_point().is_none_or(|at| Some(at) > passed)
    };
    let new = reached.into_iter().filter(is_new);
    let mut loud: Vec<(Milestone, MilestoneWay)> = new
        .map(|step| {
            let way = ways.way(step.kind);
            (step, way)
        })
        .filter(|(_, way)| *way != MilestoneWay::Edit)
        .collect();
    let last = loud
        .iter()
        .filter_map(|(step, _)| step.kind.way_point())
        .max();
    loud.retain(|(step, _)| step.kind.way_point().is_none_or(|at| Some(at) == last));
    loud
}

/// The number of the newest revision; 1 for a story without revisions.
fn newest(story: &Story) -> u32 {
    story.revisions.last().map_or(1, |newest| newest.version)
}

fn plain_milestone(story: &Story, kind: MilestoneKind, key: String) -> Milestone {
    Milestone {
        kind,
        key,
        what: standing(story),
        link: None,
        at: None,
        is_current: true,
    }
}

fn revisions(story: &Story) -> Vec<Milestone> {
    let newest = newest(story);
    let mut before: Option<u32> = None;
    let mut reached: Vec<Milestone> = Vec::new();
    for revision in &story.revisions {
        let version = revision.version;
        let is_new = version > 1 && before.is_none_or(|before| version > before);
        if is_new {
            let what = match before {
                Some(before) => format!("v{before} → v{version}"),
                None => format!("v{version}"),
            };
            reached.push(Milestone {
                what,
                at: Some(revision.posted_at),
                is_current: version == newest,
                ..plain_milestone(
                    story,
                    MilestoneKind::Revision(version),
                    format!("v{version}"),
                )
            });
        }
        before = before.max(Some(version));
    }
    reached
}

/// The steps from a tree to the users. A later one implies the earlier ones.
fn way_points(story: &Story) -> Vec<Milestone> {
    let is_pull = story.kind == StoryKind::Pull;
    let (applied, pulled, mainline, stable) = (
        MilestoneKind::Applied,
        MilestoneKind::Pulled,
        MilestoneKind::Mainline,
        MilestoneKind::Stable,
    );
    let kinds: &[MilestoneKind] = match story.state {
        State::Applied if is_only_said(story) => &[],
        State::Applied => &[applied],
        State::Pulled if is_pull => &[pulled],
        State::Mainline if is_pull => &[pulled, mainline],
        State::Pulled => &[applied, pulled],
        State::Mainline => &[applied, pulled, mainline],
        State::Stable => &[applied, pulled, mainline, stable],
        State::Posted
        | State::Discussed
        | State::PartlyApplied
        | State::Superseded
        | State::Withdrawn
        | State::Rejected
        | State::Open
        | State::Paid
        | State::Free
        | State::Published => &[],
    };
    let step = |kind: &MilestoneKind| plain_milestone(story, *kind, kind.word());
    kinds.iter().map(step).collect()
}

/// The milestone that an event is. A refusal counts once for each revision.
fn of_event(story: &Story, event: &Event) -> Option<Milestone> {
    let of_revision = |kind: MilestoneKind, words: &str| {
        let earlier = story.revisions.iter();
        let earlier = earlier.filter(|revision| revision.posted_at <= event.at);
        let version = earlier.map(|revision| revision.version).max().unwrap_or(1);
        Milestone {
            what: by_whom(words, &event.by),
            link: mail_of(event),
            at: Some(event.at),
            ..plain_milestone(story, kind, format!("{}-v{version}", kind.word()))
        }
    };
    let step = match event.state {
        Step::Nacked => of_revision(MilestoneKind::Nack, "NACK"),
        Step::ChangesRequested => of_revision(MilestoneKind::ChangesRequested, "changes requested"),
        Step::Reverted => {
            let kind = MilestoneKind::Reverted;
            Milestone {
                what: "reverted by a later commit".to_owned(),
                ..plain_milestone(story, kind, kind.word())
            }
        }
        Step::Posted
        | Step::Revised
        | Step::Discussed
        | Step::Claimed
        | Step::Applied
        | Step::PartlyApplied
        | Step::Pulled
        | Step::Mainline
        | Step::Stable
        | Step::Superseded
        | Step::Withdrawn
        | Step::Rejected
        | Step::CiPassed
        | Step::CiFailed
        | Step::Reported
        | Step::ReviewedByMachine
        | Step::BuildBroken
        | Step::Fixed
        | Step::Cve => return None,
    };
    Some(step)
}

fn by_whom(words: &str, by: &str) -> String {
    match by {
        "" => words.to_owned(),
        by => format!("{words} by {}", plain(by)),
    }
}

fn mail_of(event: &Event) -> Option<String> {
    event.link.clone().filter(|link| is_for_readers(link))
}

#[cfg(test)]
mod tests;

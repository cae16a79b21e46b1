//! The span in which a story came to mainline. Releases are compared with it.

use chrono::{DateTime, TimeDelta, Utc};

use super::StoryBuilder;
use crate::story::Carrier;
use crate::story::reading::{Reading, Role};

/// Linus Torvalds makes a release on his computer, and publishes it within a day. So a commit that was not published at some time
/// was made after every release of the day before.
const PUBLISHED_WITHIN: TimeDelta = TimeDelta::days(1);

type LandingSpan = (DateTime<Utc>, DateTime<Utc>);

impl StoryBuilder<'_> {
    /// Notes that the pull request of this story was merged into mainline, as a mail reports.
    pub(super) fn merge_reported(&mut self, at: DateTime<Utc>) {
        let mut readings = self.group.readings.iter();
        if let Some(request) = readings.find(|reading| reading.role == Role::Pull) {
            self.merges.push((request.item.at, at));
        }
    }

    /// The span in which it came to mainline: between the two polls of a mainline tree that did not have, and had, its commits, and
    /// between a pull request and the report of its merge. `None` if neither is known.
    pub(super) fn landing_span(&self) -> Option<LandingSpan> {
        let spans = self
            .commits_span()
            .into_iter()
            .chain(self.merges.iter().copied());
        let span = spans.reduce(|one, other| (one.0.max(other.0), one.1.min(other.1)));
        span.filter(|(after, by)| after < by)
    }

    /// The span in which all commits came; `None` if that is unknown for one of them.
    fn commits_span(&self) -> Option<LandingSpan> {
        let readings = self.group.readings.iter();
        let commits = readings.filter(|reading| reading.role == Role::Commit);
        let spans: Option<Vec<LandingSpan>> = commits
            .filter_map(|reading| Some(span(reading, mainline_carrier(reading)?)))
            .collect();
        let spans = spans?.into_iter();
        spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }
}

fn mainline_carrier(reading: &Reading) -> Option<&Carrier> {
    let mut feeds = reading.item.feeds.iter();
    feeds.find(|feed| feed.role.as_deref() == Some("mainline"))
}

/// The span in which a feed got a commit.
fn span(reading: &Reading, carrier: &Carrier) -> Option<LandingSpan> {
    let absent_at = DateTime::from_timestamp(carrier.absent_at?, 0)?;
    let seen_at = match carrier.seen_at {
        Some(seen_at) => DateTime::from_timestamp(seen_at, 0)?,
        None => reading.item.known_at,
    };
    Some((absent_at - PUBLISHED_WITHIN, seen_at))
}

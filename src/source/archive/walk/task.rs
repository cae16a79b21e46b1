//! The tasks of a walk below the newest page, and what the cursor keeps of each. After the news, a poll may have an extra task:
//! to read the last days again, or a range that could not be read before.

use serde::{Deserialize, Serialize};

use super::{ArchiveStage, ArchiveWalk, MARGIN_S, REQUESTS_MAX, SEARCH_LAG_S, Way, bulk};
use crate::source::{FetchError, Gap, Page};

/// Mails may reach the archive long after newer ones. So once a day …
const SECOND_LOOK_EACH_S: i64 = 86_400;
/// … the mails of so long are read again. After an error that happens an hour later.
const SECOND_LOOK_S: i64 = 2 * 86_400;
const SECOND_LOOK_RETRY_S: i64 = 3600;
/// The first poll reads the mails of so long.
const FIRST_WEEK_S: i64 = 7 * 86_400;

/// A missing range is asked for again after a quarter of its age, but at least and at most after so long …
const REFILL_EACH_MIN_S: i64 = 3600;
const REFILL_EACH_MAX_S: i64 = 86_400;
/// … and for so long.
const REFILL_FOR_S: i64 = 60 * 86_400;
/// The most missing ranges of a cursor; beyond that, the last one grows.
const MISSING_MAX: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// To read the mails since the last poll.
    CatchUp,
    Backfill,
    /// To read the mails of the last days, after the first poll or again.
    SecondLook,
    /// To read a missing range, by its index.
    Refill {
        index: usize,
    },
}

impl Task {
    /// Whether it comes after the news, and may fail without harm.
    pub(super) fn is_extra(self) -> bool {
        matches!(self, Self::SecondLook | Self::Refill { .. })
    }
}

/// A range of arrivals that no way could read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MissingRange {
    from: i64,
    to: i64,
    /// The mails up to then are read by now.
    at: i64,
    why: String,
    /// When it was found and last asked for, by our clock.
    found_at: i64,
    tried_at: i64,
}

impl MissingRange {
    fn gap(&self, is_healed: bool) -> Gap {
        Gap {
            from_at: self.from,
            to_at: self.to,
            why: self.why.clone(),
            is_healed,
        }
    }

    fn is_due(&self, now: i64) -> bool {
        let each = (now - self.found_at) / 4;
        now - self.tried_at >= each.clamp(REFILL_EACH_MIN_S, REFILL_EACH_MAX_S)
    }
}

impl ArchiveWalk {
    /// The end of the task's range; `None`: the present.
    pub(super) fn task_end(&self) -> Option<i64> {
        match self.task {
            Task::Refill { index } => Some(self.cursor.missing[index].to),
            Task::CatchUp | Task::Backfill | Task::SecondLook => None,
        }
    }

    /// Ends the task: all mails up to `newest`, or to the end of its range, are stored.
    pub(super) fn reach_present(&mut self, newest: i64) {
        match self.task {
            Task::Backfill => {
                if let Some(backfill) = &mut self.cursor.backfill {
                    backfill.at = backfill.until;
                    self.gaps.push(Gap::healed(backfill.since, backfill.until));
                }
                self.stage = ArchiveStage::Over;
                return;
            }
            Task::CatchUp => {
                let seen_to = self.cursor.seen_to.unwrap_or_default().max(newest);
                self.cursor.seen_to = Some(seen_to);
                self.cursor.climbed_to = None;
            }
            Task::SecondLook => {}
            Task::Refill { index } => {
                let range = self.cursor.missing.remove(index);
                self.gaps.push(range.gap(true));
            }
        }
        self.begin_extra_task();
    }

    /// Records that the mails up to `at` are stored.
    pub(super) fn climb_to(&mut self, at: i64) {
        match (self.task, &mut self.cursor.backfill) {
            // At most one second before the end: only `reach_present` ends a backfill.
            (Task::Backfill, Some(backfill)) => backfill.at = at.min(backfill.until - 1),
            (Task::Backfill, None) | (Task::SecondLook, _) => {}
            (Task::CatchUp, _) => self.cursor.climbed_to = Some(at.min(self.now)),
            (Task::Refill { index }, _) => self.cursor.missing[index].at = at,
        }
    }

    /// Begins the next extra task that is due, or ends the walk.
    fn begin_extra_task(&mut self) {
        let (now, cursor) = (self.now, &mut self.cursor);
        cursor
            .missing
            .retain(|range| now - range.found_at < REFILL_FOR_S);
        let is_seeded = cursor.seen_to.is_some_and(|seen_to| seen_to > 0);
        // After a long absence the news comes first.
        let is_idle = is_seeded && self.away_s < SECOND_LOOK_EACH_S;
        let from = if is_idle && now - cursor.looked_again_at >= SECOND_LOOK_EACH_S {
            cursor.looked_again_at = now;
            (self.task, self.way) = (Task::SecondLook, Way::Search);
            now - SECOND_LOOK_S
        } else if let Some(index) = cursor.missing.iter().position(|range| range.is_due(now)) {
            let range = &mut cursor.missing[index];
            range.tried_at = now;
            (self.task, self.way) = (Task::Refill { index }, self.archive.first_way());
            range.at
        } else {
            (self.task, self.stage) = (Task::CatchUp, ArchiveStage::Over);
            return;
        };
        self.stage = ArchiveStage::climb(from);
        self.requests_left = REQUESTS_MAX;
    }

    /// After the first poll's page: begins to read the mails of the last week below it, so that most of its threads and series
    /// are whole. They count as seen before, like those of the page.
    pub(super) fn begin_first_week(&mut self, oldest: i64) {
        let (from, until) = (self.now - FIRST_WEEK_S, oldest.min(self.now - SEARCH_LAG_S));
        if from < until {
            self.task = Task::SecondLook;
            self.stage = bulk::first_mbox(from, until);
            self.requests_left = REQUESTS_MAX;
        }
    }

    /// Ends an extra task that failed; it is tried again later.
    pub(super) fn abandon_task(&mut self) {
        if self.task == Task::SecondLook {
            self.cursor.looked_again_at = self.now - SECOND_LOOK_EACH_S + SECOND_LOOK_RETRY_S;
        }
        (self.task, self.stage) = (Task::CatchUp, ArchiveStage::Over);
    }

    /// After all ways were refused: a poll records the range as missing and goes on with the present.
    pub(super) fn give_up(&mut self, at: i64, error: FetchError) -> Result<Page, FetchError> {
        if self.task != Task::CatchUp {
            return Err(error);
        }
        let to = self.present.oldest.min(self.now);
        if at < to {
            self.record_missing(at, to, &error.to_string());
        }
        self.reach_present(self.present.newest.min(self.now));
        Ok(Page::default())
    }

    pub(super) fn record_missing(&mut self, from: i64, to: i64, why: &str) {
        let missing = &mut self.cursor.missing;
        let is_full = missing.len() >= MISSING_MAX;
        if let Some(last) = missing.last_mut()
            && (is_full || (last.from <= from && from <= last.to + MARGIN_S))
        {
            self.gaps.push(last.gap(true));
            last.to = last.to.max(to);
            self.gaps.push(last.gap(false));
            return;
        }
        let range = MissingRange {
            from,
            to,
            at: from,
            why: why.to_owned(),
            found_at: self.now,
            tried_at: self.now,
        };
        self.gaps.push(range.gap(false));
        missing.push(range);
    }
}

//! Numbers without a stored mail, below the cursor: they are asked for again for a while.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::frame::{ArticlePage, FoundArticle};
use crate::source::Gap;

/// A hole is asked for again after a quarter of its age, but at least and at most after so long …
const REFILL_EACH_MIN_S: i64 = 3600;
const REFILL_EACH_MAX_S: i64 = 86_400;
/// … and for so long: a number that is not listed, and a listed one.
const UNLISTED_FOR_S: i64 = 2 * 86_400;
const LISTED_FOR_S: i64 = 60 * 86_400;
/// The most holes of a cursor, and the most numbers of one that nobody listed; a longer range is one of expired articles.
const HOLES_MAX: usize = 50;
const UNLISTED_NUMBERS_MAX: u64 = 1_000;

/// A range of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hole {
    pub(super) first: u64,
    pub(super) last: u64,
    /// If the server lists the number: the reason why it is a gap, and the gap's times in unix seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) gap: Option<HoleGap>,
    /// When it was found and last asked for, by our clock.
    found_at: i64,
    tried_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HoleGap {
    pub(super) why: String,
    pub(super) from_at: i64,
    pub(super) to_at: i64,
}

impl HoleGap {
    fn gap(&self, is_healed: bool) -> Gap {
        Gap {
            from_at: self.from_at,
            to_at: self.to_at,
            why: self.why.clone(),
            is_healed,
        }
    }
}

impl Hole {
    fn is_due(&self, now: i64) -> bool {
        let each = (now - self.found_at) / 4;
        now - self.tried_at >= each.clamp(REFILL_EACH_MIN_S, REFILL_EACH_MAX_S)
    }

    fn is_over(&self, now: i64) -> bool {
        let kept_for = match self.gap {
            Some(_) => LISTED_FOR_S,
            None => UNLISTED_FOR_S,
        };
        now - self.found_at >= kept_for
    }
}

/// The holes of a group, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Holes(Vec<Hole>);

impl Holes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The index of the hole that is to be asked for now: of those that are due, the one that waits longest. Drops those that were asked for long enough.
    pub(super) fn due(&mut self, now: i64) -> Option<usize> {
        self.0.retain(|hole| !hole.is_over(now));
        let holes = self.0.iter().enumerate();
        let due = holes.filter(|(_, hole)| hole.is_due(now));
        let (due, _) = due.min_by_key(|(_, hole)| hole.tried_at)?;
        self.0[due].tried_at = now;
        Some(due)
    }

    pub(super) fn get(&self, index: usize) -> Option<&Hole> {
        self.0.get(index)
    }

    fn put(&mut self, first: u64, last: u64, gap: Option<HoleGap>, now: i64) {
        if gap.is_none() && last - first >= UNLISTED_NUMBERS_MAX {
            return;
        }
        if self.0.len() >= HOLES_MAX {
            self.0.remove(0);
        }
        self.0.push(Hole {
            first,
            last,
            gap,
            found_at: now,
            tried_at: now,
        });
    }

    /// Adds the numbers of a page that are not listed.
    pub(super) fn add_unlisted(&mut self, page: &ArticlePage<'_>, now: i64) {
        let mut next = page.first;
        let behind = page.last.saturating_add(1);
        for number in page.listed.iter().copied().chain([behind]) {
            if number > next {
                self.put(next, number - 1, None, now);
            }
            next = number.saturating_add(1);
        }
    }

    /// Adds listed articles that did not come, as one gap.
    pub(super) fn add_gap(&mut self, numbers: &[u64], gap: HoleGap, now: i64) -> Option<Gap> {
        let (first, last) = (numbers.first()?, numbers.last()?);
        let recorded = gap.gap(false);
        self.put(*first, *last, Some(gap), now);
        Some(recorded)
    }

    /// Judges a hole by the page that was read for it; returns the gap that is healed. A number that is not listed any more was
    /// purged.
    pub(super) fn refilled(&mut self, index: usize, page: &ArticlePage<'_>) -> Option<Gap> {
        let hole = self.0.get_mut(index)?;
        let is_whole = page.first <= hole.first && page.last >= hole.last;
        let still_absent = absent(page);
        if hole.gap.is_some() {
            if is_whole && still_absent.is_empty() {
                return self.0.remove(index).gap.map(|gap| gap.gap(true));
            }
            return None;
        }
        let came = page
            .listed
            .iter()
            .any(|number| !still_absent.contains(number));
        if came {
            // The others of the range come later, or never.
            let last = page.listed.last().copied().unwrap_or(hole.last);
            let hole = self.0.remove(index);
            if last < hole.last {
                self.0.push(Hole {
                    first: last + 1,
                    ..hole
                });
            }
        }
        None
    }
}

/// The listed numbers of a page for which no article came.
pub(super) fn absent(page: &ArticlePage<'_>) -> Vec<u64> {
    let came: BTreeSet<u64> = page
        .articles
        .iter()
        .filter(|(_, found)| !matches!(found, FoundArticle::Absent))
        .map(|(number, _)| *number)
        .collect();
    page.listed.difference(&came).copied().collect()
}

//! The decisions of a walk: from the group's numbers to the articles that are read, and to the end.

use url::Url;

use super::super::search::DateSearch;
use super::{MARGIN_S, NewsStage, NewsWalk, NumberRange, SEED_NUMBERS};
use crate::source::{FetchError, Gap, Goal, broken};

impl NewsWalk {
    /// Decides from the group's numbers how to go on.
    pub(super) fn after_group(&mut self, low: u64, high: u64, url: &Url) -> Result<(), FetchError> {
        let is_empty = high < low || high == 0;
        if let Goal::Backfill { since } = self.goal {
            let search = DateSearch::new(since.timestamp(), low.max(1), high);
            match &self.cursor.backfill {
                _ if is_empty => self.stage = NewsStage::Over,
                Some(range) => {
                    let (at, until) = (range.at, range.until);
                    self.stage = NewsStage::read(at, until);
                }
                None => self.go_on_searching(search, high),
            }
            return Ok(());
        }
        match (self.cursor.seen_to, self.cursor.since) {
            (None, None) if is_empty => {
                self.cursor.seen_to = Some(high);
                self.end_news();
            }
            (None, None) => {
                let first = high.saturating_sub(SEED_NUMBERS - 1).max(low);
                self.stage = NewsStage::Seed { first, last: high };
            }
            (None, Some(_)) if is_empty => {
                self.cursor.seen_to = Some(high);
                self.end_news();
            }
            (None, Some(since)) => {
                let search = DateSearch::new(since, low.max(1), high);
                self.go_on_searching(search, high);
            }
            (Some(0), _) if is_empty => self.end_news(),
            (Some(_), _) if high == 0 => {
                return Err(broken(
                    url,
                    "the group is empty, though it had articles before",
                ));
            }
            (Some(seen_to), _) if high > seen_to => {
                let next = seen_to.saturating_add(1);
                if low > next {
                    self.gaps.push(self.expired(next, low - 1));
                }
                self.stage = NewsStage::read(next.max(low), high);
            }
            (Some(seen_to), _)
                if high < seen_to && !is_empty && self.cursor.back_at != Some(high) =>
            {
                self.stage = NewsStage::Back { high };
            }
            (Some(_), _) => self.end_news(),
        }
        Ok(())
    }

    /// The gap of articles that the server removed before they were read.
    fn expired(&self, first: u64, last: u64) -> Gap {
        Gap {
            from_at: self.cursor.newest_at,
            to_at: self.now,
            why: format!("articles {first} to {last} expired before they were read"),
            is_healed: false,
        }
    }

    pub(super) fn go_on_searching(&mut self, search: DateSearch, until: u64) {
        if search.place().is_some() {
            self.stage = NewsStage::Search { search, until };
            return;
        }
        let at = search.begin();
        self.stage = NewsStage::read(at, until);
        if let Goal::Backfill { since } = self.goal {
            self.cursor.backfill = Some(NumberRange {
                since: since.timestamp(),
                from: at,
                at,
                until,
            });
        }
    }

    /// The numbers lead to other articles than before: reads by time.
    pub(super) fn begin_anew(&mut self, high: u64) {
        let cursor = &mut self.cursor;
        let since = (cursor.newest_at - MARGIN_S).max(0);
        (cursor.seen_to, cursor.anchor, cursor.back_at) = (None, None, None);
        cursor.since = Some(since);
        cursor.holes.clear();
        self.warning = Some(format!(
            "The news server has given its articles new numbers (up to {high}). Articles are read again from the time of the \
             last one on; nothing is posted twice."
        ));
        self.stage = NewsStage::Group;
    }

    /// After the news: asks for a hole, or ends the walk.
    pub(super) fn end_news(&mut self) {
        self.stage = NewsStage::Over;
        if let Goal::Backfill { since } = self.goal {
            if self.cursor.holes.is_empty() {
                self.gaps.push(Gap::healed(since.timestamp(), self.now));
            }
            return;
        }
        if let Some(index) = self.cursor.holes.due(self.now)
            && let Some(hole) = self.cursor.holes.get(index)
        {
            let (first, last) = (hole.first, hole.last);
            self.stage = NewsStage::Refill { index, first, last };
        }
    }
}

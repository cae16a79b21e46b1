//! The report of a poll or a backfill.

use std::time::Duration;

use super::group_commit::CommittedPage;
use super::poll_end::PollEnd;
use crate::store::feeds::{FeedRow, Outcome};

/// The result of one poll or backfill.
#[derive(Debug, Clone)]
pub struct Report {
    /// The feed's name.
    pub feed: String,
    pub outcome: Outcome,
    /// Items that no feed had shown before.
    pub fresh: usize,
    /// Items that this feed had not shown before.
    pub sighted: u64,
    /// Posts opened.
    pub news: usize,
    /// Entries that could not be read.
    pub faults: usize,
    pub requests: u32,
    /// How long until the feed is due again.
    pub rest: Duration,
}

impl Report {
    /// An empty report.
    pub(super) fn of(row: &FeedRow) -> Self {
        Self {
            feed: row.name.clone(),
            outcome: Outcome::Ok,
            fresh: 0,
            sighted: 0,
            news: 0,
            faults: 0,
            requests: 0,
            rest: Duration::ZERO,
        }
    }

    pub(super) fn add(&mut self, page: &CommittedPage) {
        self.fresh += page.fresh;
        self.sighted += page.sighted;
        self.news += page.news;
        self.faults += page.faults;
    }

    /// Adds a further poll of the same feed.
    pub(super) fn add_poll(&mut self, again: Self) {
        self.outcome = again.outcome;
        self.fresh += again.fresh;
        self.sighted += again.sighted;
        self.news += again.news;
        self.faults += again.faults;
        self.requests += again.requests;
        self.rest = again.rest;
    }

    pub(super) fn end(&mut self, end: &PollEnd) {
        self.outcome = end.outcome.clone();
        self.rest = (end.next_poll_at - end.at).to_std().unwrap_or_default();
    }

    /// Whether it succeeded and changed nothing that another task waits for.
    pub fn is_quiet(&self) -> bool {
        self.outcome == Outcome::Ok && self.fresh == 0 && self.sighted == 0 && self.news == 0
    }

    /// Whether the next poll has more to fetch.
    pub fn is_cut_short(&self) -> bool {
        self.outcome == Outcome::OkSoFar
    }
}

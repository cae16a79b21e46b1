//! Reads cgit's log page by page, and the patches that add detail.

use super::{PageCommits, PendingLog, TreeStage, TreeWalk, is_merge};
use crate::item::{CommitHash, Detail, Item};
use crate::source::mbox::Mails;
use crate::source::tree::page::{LogRows, log_rows};
use crate::source::{Answer, Body, FetchError, Goal, Page, broken, mail, wire};

/// The most commits of which the patches are fetched; the diffs of more would be many megabytes.
const PATCHES_MAX: usize = 500;

/// If a log has not answered in time for so long, the next pages are asked for without messages, which is less work …
const SLOW_S: i64 = 3600;
/// … and after so long the log is given up.
const STUCK_S: i64 = 6 * 3600;

/// The end of a page of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum LogEnd {
    /// It was the last page.
    #[default]
    Last,
    /// The offset of the next page.
    More(usize),
    /// The log does not answer.
    Refused,
}

impl PendingLog {
    fn age(&self, now: i64) -> i64 {
        now - self.begun_at
    }

    /// The range in the other direction.
    pub(super) fn reversed(&self) -> Self {
        Self {
            from: Some(self.to.clone()),
            to: self.from.clone().unwrap_or_else(|| self.to.clone()),
            offset: 0,
            ..self.clone()
        }
    }

    pub(super) fn is_slow(&self, now: i64) -> bool {
        self.age(now) >= SLOW_S
    }
}

/// Whether the answer is a whole page of the log without commits.
pub(super) fn is_empty_log(answer: Result<Answer, FetchError>) -> bool {
    let rows = match answer.map(|answer| answer.body) {
        Ok(Body::Bytes { bytes, charset }) => log_rows(&wire::decode(&bytes, charset.as_deref())),
        Ok(Body::Unchanged) | Err(_) => None,
    };
    rows.is_some_and(|rows| rows.is_whole && rows.commits.is_empty())
}

impl TreeWalk {
    pub(super) fn read_log(
        &mut self,
        answer: Result<Answer, FetchError>,
        log: PendingLog,
    ) -> Result<Page, FetchError> {
        let is_poll = self.goal == Goal::Poll;
        let rows = match self.rows_of(answer, &log) {
            Ok(rows) => rows,
            Err(error @ (FetchError::Later { .. } | FetchError::Unreachable { .. }))
                if is_poll && self.retried.is_none() && log.age(self.now) < STUCK_S =>
            {
                return Err(error);
            }
            Err(error @ (FetchError::Held { .. } | FetchError::Offline { .. }))
                if self.retried.is_none() =>
            {
                return Err(error);
            }
            Err(error) if !is_poll => return Err(error),
            Err(_) => {
                self.log_end = LogEnd::Refused;
                return Ok(Page::default());
            }
        };
        let mut page = Page {
            faults: rows.faults,
            // The log has commits, so the last tip exists.
            is_fast_forward: is_poll && self.is_ancestor && self.retried.is_none(),
            ..Page::default()
        };
        for (hash, item) in rows.commits {
            self.in_log.insert(hash.clone());
            if is_merge(&item) {
                self.page_merges.push(hash.clone());
            }
            self.page.push((hash.clone(), item.at));
            if is_poll {
                self.brief.insert(hash, item.clone());
            }
            page.items.push(item);
        }
        self.log_end = if rows.has_more {
            LogEnd::More(log.offset + page.items.len())
        } else {
            LogEnd::Last
        };
        Ok(page)
    }

    /// The rows of a page, if it can be the requested one.
    fn rows_of(
        &self,
        answer: Result<Answer, FetchError>,
        log: &PendingLog,
    ) -> Result<LogRows, FetchError> {
        let url = &self.tree.base;
        let rows = match answer?.body {
            Body::Bytes { bytes, charset } => log_rows(&wire::decode(&bytes, charset.as_deref())),
            Body::Unchanged => None,
        };
        let rows = rows.ok_or_else(|| broken(url, "there is no log page"))?;
        if !rows.is_whole {
            let why = broken(url, "the log page ends too early").to_string();
            return Err(FetchError::Later { after: None, why });
        }
        let is_backfill = self.goal != Goal::Poll;
        // A resumed backfill may begin behind the last commit; a poll only goes on if there are more.
        if rows.commits.is_empty() && !(log.offset > 0 && is_backfill) {
            return Err(broken(url, "the log page has no commits"));
        }
        let is_known = |hash: &CommitHash| self.in_log.contains(hash);
        let ignores_offset = log.offset > 0 && rows.commits.iter().all(|(hash, _)| is_known(hash));
        let shows_from = rows
            .commits
            .iter()
            .any(|(hash, _)| Some(hash) == log.from.as_ref());
        if shows_from || (ignores_offset && !rows.commits.is_empty()) {
            return Err(broken(url, "the log ignores the requested range"));
        }
        Ok(rows)
    }

    /// After a page of the log: asks for the next page or the patches, or walks by hash.
    pub(super) fn after_log(&mut self, page: &PageCommits, log: PendingLog) {
        let end = std::mem::take(&mut self.log_end);
        if end == LogEnd::Refused {
            self.after_refused_log(log);
            return;
        }
        let far_enough = match self.goal {
            Goal::Poll => false,
            // Commit dates are not strictly in order, so a whole page must be older.
            Goal::Backfill { since } => {
                let is_older = |date: &Option<_>| date.is_some_and(|date| date < since);
                !page.is_empty() && page.iter().all(|(_, date)| is_older(date))
            }
        };
        if let LogEnd::More(offset) = end
            && !far_enough
        {
            let log = PendingLog {
                offset,
                begun_at: self.now,
                bottom: page.last().map(|(hash, _)| hash.clone()),
                ..log
            };
            match self.retried {
                Some(index) => self.retry_at(index, &log),
                None => self.path_cursor().pending = Some(log.clone()),
            }
            self.stage = TreeStage::Log(log);
            return;
        }
        match self.retried {
            Some(index) => self.retry_succeeded(index),
            None => self.path_cursor().pending = None,
        }
        if let (Goal::Poll, Some(from)) = (self.goal, log.from) {
            if self.retried.is_none() {
                self.move_tip(Some(log.to.clone()));
            }
            if !self.brief.is_empty() && self.brief.len() <= PATCHES_MAX {
                self.stage = TreeStage::Patches { from, to: log.to };
                return;
            }
        }
        self.go_on();
    }

    /// Reads the branch by hash instead. If that may miss commits, the log is asked for again later.
    fn after_refused_log(&mut self, log: PendingLog) {
        if let Some(index) = self.retried {
            self.retry_failed(index);
            self.go_on();
            return;
        }
        self.path_cursor().pending = None;
        if log.offset > 0 {
            self.keep_unread(Some(log.to.clone()), log.offset);
        }
        // An old version kept a log without its `bottom`.
        let bottom = if log.begun_at == 0 {
            self.bottom.take().filter(|_| !self.overlaps)
        } else {
            self.tip = Some(log.to);
            log.bottom
        };
        if bottom.is_some() {
            self.bottom = bottom;
            self.walk_by_hash();
            return;
        }
        let tip = self.tip.clone();
        if self.path_cursor().met_merge {
            self.keep_unread(tip.clone(), 0);
        }
        self.move_tip(tip);
        self.go_on();
    }

    /// Reads the patches of a range into whole commits. They only add detail, so no failure here ends a walk. A commit's
    /// message can fake the line between two patches, so only hashes that the log listed count.
    pub(super) fn read_patches(&mut self, answer: Result<Answer, FetchError>) -> Page {
        let mut page = Page::default();
        let Ok(Answer {
            body: Body::Bytes { bytes, .. },
            ..
        }) = answer
        else {
            return page;
        };
        // A patch that is too large is left out.
        for patch in Mails::new(&bytes[..]).map_while(Result::ok).flatten() {
            let Some(brief) =
                CommitHash::parse(&patch.from).and_then(|hash| self.brief.remove(&hash))
            else {
                continue;
            };
            if let Ok(read) = mail::message(&patch.contents, None) {
                page.items.push(Item {
                    author: read.author,
                    written_at: read.written_at,
                    text: read.text,
                    detail: Detail::Whole,
                    ..brief
                });
            }
        }
        page
    }
}

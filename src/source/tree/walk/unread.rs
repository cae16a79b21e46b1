//! Logs that did not answer: a wall, a mirror that lags behind, a page that takes too long. The feed cannot show the commits
//! that merges brought, so such a log is asked for again until it answers; after a while a gap is recorded.

use serde::{Deserialize, Serialize};

use super::{PendingLog, TreeStage, TreeWalk};
use crate::item::CommitHash;
use crate::source::Gap;

/// A gap is recorded if the log has not answered for so long.
const PATIENCE_S: i64 = 3600;
/// An unread log is asked for again after a quarter of its age, at most after so long …
const RETRY_EACH_MAX_S: i64 = 86_400;
/// … and for so long.
const RETRY_FOR_S: i64 = 60 * 86_400;
/// The most unread logs of a path; the oldest are dropped.
const UNREAD_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UnreadLog {
    log: PendingLog,
    /// The commit dates between which commits may be missing, in unix seconds.
    from_at: i64,
    to_at: i64,
    /// When it was found and last asked for, by our clock.
    found_at: i64,
    tried_at: i64,
    /// Whether the gap is recorded.
    is_recorded: bool,
}

impl UnreadLog {
    fn is_due(&self, now: i64) -> bool {
        now > self.tried_at
            && now - self.tried_at >= ((now - self.found_at) / 4).min(RETRY_EACH_MAX_S)
    }

    fn gap(&self, branch: &str, is_healed: bool) -> Gap {
        Gap {
            from_at: self.from_at,
            to_at: self.to_at,
            why: format!(
                "{branch}: the log does not answer, so commits may be missing; it is asked for again"
            ),
            is_healed,
        }
    }
}

impl TreeWalk {
    /// Keeps the log from the last tip to this commit, which did not answer.
    pub(super) fn keep_unread(&mut self, to: Option<CommitHash>, offset: usize) {
        let (now, from_at) = (self.now, self.gap_begin());
        let to_at = self.span.map_or(now, |(newest, _)| newest);
        let cursor = self.path_cursor();
        let (Some(from), Some(to)) = (cursor.tip.clone(), to) else {
            return;
        };
        let is_same = |unread: &UnreadLog| unread.log.to == to;
        if cursor.unread.iter().any(is_same) {
            return;
        }
        if cursor.unread.len() >= UNREAD_MAX {
            cursor.unread.remove(0);
        }
        cursor.unread.push(UnreadLog {
            log: PendingLog {
                from: Some(from),
                to,
                offset,
                begun_at: now,
                bottom: None,
            },
            from_at,
            to_at,
            found_at: now,
            tried_at: now,
            is_recorded: false,
        });
    }

    /// Asks for the next unread log that is due; returns whether there is one.
    pub(super) fn retry_log(&mut self) -> bool {
        let now = self.now;
        let unread = &mut self.path_cursor().unread;
        unread.retain(|unread| now - unread.found_at < RETRY_FOR_S);
        let Some(index) = unread.iter().position(|unread| unread.is_due(now)) else {
            self.retried = None;
            return false;
        };
        unread[index].tried_at = now;
        let log = unread[index].log.clone();
        self.retried = Some(index);
        self.in_log.clear();
        self.stage = TreeStage::Log(log);
        true
    }

    /// The unread log goes on at this page.
    pub(super) fn retry_at(&mut self, index: usize, log: &PendingLog) {
        if let Some(unread) = self.path_cursor().unread.get_mut(index) {
            unread.log = log.clone();
        }
    }

    /// The unread log did not answer again.
    pub(super) fn retry_failed(&mut self, index: usize) {
        let (now, branch) = (self.now, self.tree.branch.clone());
        let Some(unread) = self.path_cursor().unread.get_mut(index) else {
            return;
        };
        if now - unread.found_at >= PATIENCE_S && !unread.is_recorded {
            unread.is_recorded = true;
            let gap = unread.gap(&branch, false);
            self.gaps.push(gap);
        }
    }

    /// The unread log is read to its end.
    pub(super) fn retry_succeeded(&mut self, index: usize) {
        let branch = self.tree.branch.clone();
        let unread = self.path_cursor().unread.remove(index);
        if unread.is_recorded {
            self.gaps.push(unread.gap(&branch, true));
        }
    }
}

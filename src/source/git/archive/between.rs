//! How a walk goes from epoch to epoch: forward in a poll, back in a backfill, and back and forward after a handover.

use super::super::epochs::epoch_url;
use super::{GitArchiveStage, GitArchiveWalk};
use crate::source::question::LastTip;
use crate::source::{Gap, Goal};

impl GitArchiveWalk {
    pub(in crate::source) fn learn(&mut self) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.lost.take().into_iter().collect();
        gaps.extend(self.learn_page());
        gaps
    }

    fn learn_page(&mut self) -> Vec<Gap> {
        let (Some(head), GitArchiveStage::Mails(to)) = (self.page.take(), self.stage.clone())
        else {
            return Vec::new();
        };
        if self.cursor.handover.is_some() {
            self.cursor.is_placed = true;
            // All mails of this epoch are younger than the moment, so there may be more in the epoch before.
            if head.is_from_start && head.at.is_some() && self.begin_older_epoch() {
                return Vec::new();
            }
            self.cursor.handover = None;
        }
        if let Some((commit, at)) = head.at {
            self.begun_at = self.begun_at.or(Some(at));
            self.cursor.tip = Some(commit);
            // A date in the future says nothing.
            self.cursor.tip_at = at.min(self.now);
        }
        self.cursor.is_placed = true;
        if head.has_more {
            return Vec::new();
        }
        // A mirror that lags behind goes back to mails that are stored.
        if head.last != LastTip::Ahead {
            self.cursor.tip = Some(to);
        }
        match self.goal {
            Goal::Poll => {
                self.end_epoch(head.last != LastTip::Ahead);
                Vec::new()
            }
            Goal::Backfill { since } => {
                // Older mails are in the epoch before.
                if head.is_from_start && self.begin_older_epoch() {
                    return Vec::new();
                }
                self.cursor.is_done = true;
                self.stage = GitArchiveStage::Over;
                vec![Gap::healed(since.timestamp(), self.now)]
            }
        }
    }

    /// Whether it looks for the epoch in which another address left off, below the newest one.
    pub(super) fn is_going_back(&self) -> bool {
        self.cursor.handover.is_some() && self.cursor.is_placed
    }

    /// The archive does not have the epoch in which another address left off: its mails are missing.
    pub(super) fn miss_epoch(&mut self) {
        let from_at = self.cursor.handover.take().unwrap_or_default();
        let older = epoch_url(&self.archive.base, self.cursor.epoch);
        self.lost = Some(Gap {
            from_at,
            to_at: self.oldest_at.unwrap_or_default(),
            why: format!(
                "another address of this feed was read up to the first of these dates, and the mails after it should be in \
                 {older}, which does not exist"
            ),
            is_healed: false,
        });
        self.cursor.epoch += 1;
        self.stage = GitArchiveStage::Tip;
    }

    /// Goes to the epoch before; returns whether there is one.
    pub(super) fn begin_older_epoch(&mut self) -> bool {
        let Some(older) = self.cursor.epoch.checked_sub(1) else {
            return false;
        };
        self.cursor.epoch = older;
        self.cursor.tip = None;
        self.stage = GitArchiveStage::Tip;
        true
    }

    /// The epoch is read to its end: goes to the next one, if there is one. `is_in_step`: the manifest shows what was read.
    pub(super) fn end_epoch(&mut self, is_in_step: bool) {
        let cursor = &mut self.cursor;
        if is_in_step {
            cursor.fingerprint = self.epochs.get(&cursor.epoch).cloned();
        }
        if self.epochs.is_empty() {
            let was_next = self.stage == GitArchiveStage::Next;
            self.stage = match was_next {
                true => GitArchiveStage::Over,
                false => GitArchiveStage::Next,
            };
            return;
        }
        if self.epochs.contains_key(&(cursor.epoch + 1)) {
            cursor.epoch += 1;
            cursor.tip = None;
            cursor.fingerprint = None;
            self.stage = GitArchiveStage::Tip;
            return;
        }
        self.stage = GitArchiveStage::Over;
    }
}

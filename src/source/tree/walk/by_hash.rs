//! The walk by hash, for want of a log: the feed as of a commit, then the feed as of the oldest commit there, and so on.

use super::{HashWalk, PageCommits, TreeStage, TreeWalk};
use crate::item::CommitHash;
use crate::source::{Gap, Goal};

/// The most pages of one walk by hash.
pub(super) const HASH_WALK_PAGES_MAX: u32 = 30;

impl TreeWalk {
    /// Goes on below the oldest commit that the feed showed.
    pub(super) fn walk_by_hash(&mut self) {
        match (self.bottom.clone().or(self.tip.clone()), self.tip.clone()) {
            (Some(at), Some(to)) => {
                self.path_cursor().by_hash = Some(HashWalk { at: at.clone(), to });
                self.stage = TreeStage::ByHash { at, pages: 0 };
            }
            _ => self.go_on(),
        }
    }

    pub(super) fn after_by_hash(
        &mut self,
        page: &PageCommits,
        at: &CommitHash,
        pages: u32,
        met_seen: bool,
    ) {
        let oldest = page
            .last()
            .map(|(hash, date)| (hash.clone(), date.map_or(0, |date| date.timestamp())));
        let ended = oldest.as_ref().is_none_or(|(hash, _)| hash == at);
        if let Goal::Backfill { since } = self.goal {
            match oldest {
                Some((hash, date)) if !ended && date >= since.timestamp() => {
                    self.stage = TreeStage::ByHash {
                        at: hash,
                        pages: pages + 1,
                    };
                }
                Some(_) | None => self.finish_path(),
            }
            return;
        }
        let too_far = pages + 1 >= HASH_WALK_PAGES_MAX;
        if let (Some((hash, _)), false, false, false) = (&oldest, ended, met_seen, too_far) {
            if let Some(by_hash) = &mut self.path_cursor().by_hash {
                by_hash.at = hash.clone();
            }
            self.stage = TreeStage::ByHash {
                at: hash.clone(),
                pages: pages + 1,
            };
            return;
        }
        let is_incomplete = too_far && !met_seen && !ended;
        if self.tree.is_github() && is_incomplete {
            let from_at = self.gap_begin();
            self.gaps.push(Gap {
                from_at,
                to_at: oldest.map_or(0, |(_, date)| date),
                why: format!(
                    "{}: no known commit within {HASH_WALK_PAGES_MAX} pages",
                    self.tree.branch
                ),
                is_healed: false,
            });
        } else if !self.tree.is_github() && (is_incomplete || self.path_cursor().met_merge) {
            let to = self.tip.clone();
            self.keep_unread(to, 0);
        }
        let tip = self.tip.clone();
        self.move_tip(tip);
        let cursor = self.path_cursor();
        cursor.pending = None;
        cursor.by_hash = None;
        self.go_on();
    }

    /// The beginning of a gap: some time before the last tip, because merges bring older commits; 0 if it is not known.
    pub(super) fn gap_begin(&mut self) -> i64 {
        let at = self.path_cursor().tip_at;
        (at - super::SIDE_AGE_S).max(0)
    }
}

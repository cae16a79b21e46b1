//! The walk by hash, for want of a log: the feed as of a commit, then the feed as of the oldest commit there, and so on.

use chrono::{DateTime, Utc};

use super::{HashWalk, TreeStage, TreeWalk};
use crate::item::CommitHash;
use crate::source::{Gap, Goal};

/// The most pages of one walk by hash.
const HASH_WALK_PAGES_MAX: u32 = 30;

impl TreeWalk {
    /// Goes on below the oldest commit that the feed showed.
    pub(super) fn walk_by_hash(&mut self) {
        match (self.bottom.clone().or(self.tip.clone()), self.tip.clone()) {
            (Some(at), Some(to)) => {
                self.path_cursor().by_hash = Some(HashWalk { at: at.clone(), to });
                self.stage = TreeStage::ByHash { at, pages: 0 };
            }
            _ => self.finish_path(),
        }
    }

    pub(super) fn after_by_hash(
        &mut self,
        page: &[(CommitHash, Option<DateTime<Utc>>)],
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
        let until = oldest.map_or(0, |(_, date)| date);
        if too_far && !met_seen && !ended {
            let why = format!(
                "{}: {} pages back and nothing known met",
                self.tree.branch, HASH_WALK_PAGES_MAX
            );
            self.gaps.push(Gap {
                from_at: 0,
                to_at: until,
                why,
            });
        } else if self.met_merge {
            let why = format!(
                "{}: walked by hash across merges; commits behind them may be missing",
                self.tree.branch
            );
            self.gaps.push(Gap {
                from_at: 0,
                to_at: until,
                why,
            });
        }
        let tip = self.tip.clone();
        let cursor = self.path_cursor();
        cursor.tip = tip;
        cursor.pending = None;
        cursor.by_hash = None;
        self.finish_path();
    }
}

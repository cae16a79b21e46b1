//! The way back without a log: the feed as of a commit, page by page.

use chrono::{DateTime, Utc};

use super::{ByHash, Stage, Walk};
use crate::item::CommitHash;
use crate::source::{Gap, Goal};

/// How far a feed is walked back by hash in one go, in pages.
const HASH_WALK_PAGES_MAX: u32 = 30;

impl Walk {
    /// Goes on below what the feed showed.
    pub(super) fn walk_by_hash(&mut self) {
        match (self.bottom.clone().or(self.tip.clone()), self.tip.clone()) {
            (Some(at), Some(to)) => {
                self.path_cursor().by_hash = Some(ByHash { at: at.clone(), to });
                self.stage = Stage::ByHash { at, pages: 0 };
            }
            _ => self.finish_path(),
        }
    }

    pub(super) fn judge_by_hash(
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
                    self.stage = Stage::ByHash {
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
            self.stage = Stage::ByHash {
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

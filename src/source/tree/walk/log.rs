//! Reads cgit's log page by page, and the patches that add detail.

use chrono::{DateTime, Utc};

use super::{PATCHES_MAX, TreeStage, TreeWalk};
use crate::item::{CommitHash, Detail, Item};
use crate::source::mbox::Mails;
use crate::source::tree::page::log_rows;
use crate::source::tree::walk::PendingLog;
use crate::source::{Answer, Body, FetchError, Gap, Goal, Page, broken, mail, wire};

impl TreeWalk {
    pub(super) fn read_log(
        &mut self,
        answer: Result<Answer, FetchError>,
        log: PendingLog,
    ) -> Result<Page, FetchError> {
        let rows = match answer {
            Ok(Answer {
                body: Body::Bytes { bytes, charset },
                ..
            }) => log_rows(&wire::decode(&bytes, charset.as_deref())),
            Ok(Answer {
                body: Body::Unchanged,
                ..
            }) => None,
            Err(
                FetchError::Missing { .. }
                | FetchError::Walled { .. }
                | FetchError::Broken { .. }
                | FetchError::TooBig { .. },
            ) => None,
            Err(error) => return Err(error),
        };
        let rows = match rows {
            // A resumed backfill may begin behind the last commit; a poll only goes on if there are more.
            Some(rows)
                if !rows.commits.is_empty() || (log.offset > 0 && self.goal != Goal::Poll) =>
            {
                rows
            }
            // The log does not answer, or the last tip is gone.
            Some(_) | None => {
                if let Goal::Backfill { .. } = self.goal {
                    return Err(broken(
                        &self.tree.base,
                        "cgit's log page does not answer, so there is no way back",
                    ));
                }
                self.path_cursor().pending = None;
                self.stage = TreeStage::Log(PendingLog {
                    offset: usize::MAX,
                    ..log
                });
                return Ok(Page::default());
            }
        };
        let mut page = Page {
            faults: rows.faults,
            ..Page::default()
        };
        for (hash, item) in rows.commits {
            self.page.push((hash.clone(), item.at));
            if self.goal == Goal::Poll {
                self.brief.insert(hash, item.clone());
            }
            page.items.push(item);
        }
        let offset = if rows.has_more {
            log.offset + page.items.len()
        } else {
            0
        };
        self.stage = TreeStage::Log(PendingLog { offset, ..log });
        Ok(page)
    }

    /// After a page of the log: asks for the next page or the patches, or walks by hash. `log.offset` is the beginning of the
    /// next page, 0 if this was the last, and `usize::MAX` if the log does not answer.
    pub(super) fn after_log(
        &mut self,
        page: &[(CommitHash, Option<DateTime<Utc>>)],
        log: PendingLog,
    ) {
        if log.offset == usize::MAX && self.overlaps {
            if self.met_merge {
                let why = format!(
                    "{}: a merge was met and the log does not answer; commits behind it may be missing",
                    self.tree.branch
                );
                self.gaps.push(Gap {
                    from_at: 0,
                    to_at: self.span.map_or(0, |(newest, _)| newest),
                    why,
                });
            }
            self.path_cursor().tip = self.tip.clone();
            self.finish_path();
            return;
        }
        if log.offset == usize::MAX {
            self.walk_by_hash();
            return;
        }
        let far_enough = match self.goal {
            Goal::Poll => false,
            Goal::Backfill { since } => {
                // Commit dates are not strictly in order, so a whole page must be older.
                !page.is_empty()
                    && page
                        .iter()
                        .all(|(_, date)| date.is_some_and(|date| date < since))
            }
        };
        if log.offset > 0 && !far_enough {
            self.path_cursor().pending = Some(log.clone());
            self.stage = TreeStage::Log(log);
            return;
        }
        let cursor = self.path_cursor();
        cursor.pending = None;
        if let (Goal::Poll, Some(from)) = (self.goal, log.from) {
            self.path_cursor().tip = Some(log.to.clone());
            if !self.brief.is_empty() && self.brief.len() <= PATCHES_MAX {
                self.stage = TreeStage::Patches { from, to: log.to };
                return;
            }
        }
        self.finish_path();
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

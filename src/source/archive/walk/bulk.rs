//! Bulk answers: the mbox of a range of time, the mails of one second, and raw mails.

use super::climb::is_refusal;
use super::{ArchiveStage, ArchiveWalk, MARGIN_S, SEARCH_LAG_S, SEARCH_PAGE, Task, Way};
use crate::item::ItemKey;
use crate::source::archive::page::{
    is_past_the_end, mbox_items, means_none, read_mbox, unpacks_to_too_much,
};
use crate::source::{Answer, Body, FetchError, Page};

/// The range of time of the first mbox. It grows and shrinks with the number of mails.
const SLICE_S: i64 = 7 * 86_400;
const SLICE_S_MIN: i64 = 3600;
const SLICE_S_MAX: i64 = 180 * 86_400;

/// With fewer mails than this in an mbox the next range is twice as long; with more than this, half as long.
const SLICE_FEW: usize = 250;
const SLICE_MANY: usize = 4_000;

pub(super) fn first_mbox(at: i64, until: i64) -> ArchiveStage {
    ArchiveStage::Mbox {
        at,
        until,
        slice_s: SLICE_S,
    }
}

impl ArchiveWalk {
    pub(super) fn read_same_second(
        &mut self,
        answer: Result<Answer, FetchError>,
        at: i64,
        offset: usize,
    ) -> Result<Page, FetchError> {
        let url = self.archive.same_second_url(at, offset);
        let (page, arrivals) = match answer {
            Err(error) if means_none(&error) => (Page::default(), Vec::new()),
            Err(error) if is_refusal(&error) => {
                if self.task.is_extra() {
                    return Err(error);
                }
                let why = "more mails arrived in this second than a page holds, and search does not answer";
                self.record_missing(at, at, why);
                (Page::default(), Vec::new())
            }
            Err(error) => return Err(error),
            Ok(answer) if is_past_the_end(&answer) => (Page::default(), Vec::new()),
            Ok(answer) => self.document(&answer, &url)?,
        };
        let may_lag = self.task == Task::CatchUp && (0..SEARCH_LAG_S).contains(&(self.now - at));
        if arrivals.is_empty() && may_lag {
            // The search index may still lack mails of this second: the next poll asks again.
            self.requests_left = 0;
        } else if arrivals.is_empty() {
            self.climb_to(at + 1);
            self.stage = ArchiveStage::climb(at + 1);
        } else {
            self.stage = ArchiveStage::SameSecond {
                at,
                offset: offset + arrivals.len().min(SEARCH_PAGE),
            };
        }
        Ok(page)
    }

    pub(super) fn read_mbox(
        &mut self,
        answer: Result<Answer, FetchError>,
        at: i64,
        until: i64,
        slice_s: i64,
    ) -> Result<Page, FetchError> {
        let page = match answer {
            Err(error) if means_none(&error) => Page::default(),
            Err(FetchError::TooBig { .. }) if slice_s > SLICE_S_MIN => {
                self.stage = ArchiveStage::Mbox {
                    at,
                    until,
                    slice_s: slice_s / 2,
                };
                return Ok(Page::default());
            }
            Err(error) if self.way == Way::Mbox && is_refusal(&error) => {
                return self.give_up(at, error);
            }
            // This server, or the wall before it, returns no mbox: the Atom covers the same range in smaller steps.
            Err(error) if is_refusal(&error) => {
                self.stage = ArchiveStage::climb(at);
                return Ok(Page::default());
            }
            Err(error) => return Err(error),
            Ok(Answer {
                body: Body::Unchanged,
                ..
            }) => Page::default(),
            Ok(Answer {
                body: Body::Bytes { bytes, .. },
                url,
                ..
            }) => match read_mbox(&bytes) {
                Ok(Some(page)) => page,
                Ok(None) => {
                    return self.read_mbox(Err(unpacks_to_too_much(&url)), at, until, slice_s);
                }
                Err(e) => {
                    return Err(FetchError::Later {
                        after: None,
                        why: format!("{}: {e}", url.path()),
                    });
                }
            },
        };
        let end = (at + slice_s).min(until);
        let slice_s = match page.items.len() {
            few if few < SLICE_FEW => (slice_s * 2).min(SLICE_S_MAX),
            many if many > SLICE_MANY => (slice_s / 2).max(SLICE_S_MIN),
            _ => slice_s,
        };
        let arrivals = page.items.iter().filter_map(|item| item.at);
        let newest = arrivals.map(|at| at.timestamp()).filter(|&at| at <= end);
        let known = self.newest_in_mbox.unwrap_or(at);
        let known = newest.max().unwrap_or(known).max(known);
        self.newest_in_mbox = Some(known);
        self.climb_to(known);
        if end < until {
            self.stage = ArchiveStage::Mbox {
                at: end,
                until,
                slice_s,
            };
        } else if self.way == Way::Mbox {
            self.reach_present(self.present.newest.min(self.now));
        } else {
            // The search index may lag further behind than usual, so the climb begins at the last mail that it returned.
            self.stage = ArchiveStage::climb((known - MARGIN_S).max(0));
        }
        Ok(page)
    }

    pub(super) fn read_raw(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        let wanted = self.cursor.raw_wanted.front().cloned();
        let mut page = Page::default();
        match answer {
            Ok(Answer {
                body: Body::Bytes { bytes, .. },
                ..
            }) => match mbox_items(&bytes[..], &mut page) {
                Ok(_) => page.items.retain(|item| {
                    wanted
                        .as_ref()
                        .is_some_and(|id| item.key() == ItemKey::message(id))
                }),
                Err(e) => page
                    .faults
                    .push(format!("a raw mail could not be read: {e}")),
            },
            Ok(Answer {
                body: Body::Unchanged,
                ..
            }) => {}
            Err(
                error @ (FetchError::Later { .. }
                | FetchError::Held { .. }
                | FetchError::Unreachable { .. }
                | FetchError::Offline { .. }),
            ) => {
                return Err(error);
            }
            Err(error) => page
                .faults
                .push(format!("a raw mail could not be fetched: {error}")),
        }
        self.cursor.raw_wanted.pop_front();
        if self.cursor.raw_wanted.is_empty() {
            self.stage = ArchiveStage::Over;
        }
        Ok(page)
    }
}

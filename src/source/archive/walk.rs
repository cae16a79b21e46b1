//! A poll or backfill of an archive: it chooses the next page, and moves the cursor after each.

mod bulk;

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Archive;
use super::page::{SENDERS_READ_RAW, means_none, message};
use crate::item::{ItemKey, MessageId, What};
use crate::source::{
    Answer, Body, FetchError, Gap, Goal, KnownVersion, Method, Page, Request, Validators, broken,
    wire,
};

/// A climb begins so long before the newest mail of the last poll: mails may reach the archive out of order.
const MARGIN_S: i64 = 30 * 60;
/// The search index may lack the mails of so long.
const SEARCH_LAG_S: i64 = 120;

/// An mbox is worth its request from so long ago on, by the archive's clock …
const MBOX_FROM_S: i64 = 24 * 3600;

/// … and if the previous poll was so long ago by our clock, so that the lag of search cannot hide a mail.
const MBOX_AWAY_S: i64 = 3600;

/// The range of time of the first mbox. It grows and shrinks with the number of mails.
const SLICE_S: i64 = 7 * 86_400;
const SLICE_S_MIN: i64 = 3600;
const SLICE_S_MAX: i64 = 180 * 86_400;

/// With fewer mails than this in an mbox the next range is twice as long; with more than this, half as long.
const SLICE_FEW: usize = 250;
const SLICE_MANY: usize = 4_000;

/// The most requests of one poll; the next poll goes on. 40 pages are 1,000 mails.
const REQUESTS_PER_POLL_MAX: u32 = 40;

/// Entries on the newest page: public-inbox's default.
const WINDOW: usize = 25;

/// Entries on a page of search results, the server's maximum.
const SEARCH_PAGE: usize = 200;

/// The most raw mails in the queue.
const RAW_WANTED_MAX: usize = 200;

/// All times are unix seconds by the archive's clock, except `polled_at`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct ArchiveCursor {
    /// All mails that arrived up to then are stored; `None` before the first poll.
    seen_to: Option<i64>,
    /// The place that an unfinished climb has reached.
    climbed_to: Option<i64>,
    /// When the newest page was last read, by our clock, and the newest arrival on it.
    polled_at: i64,
    newest_at: i64,
    newest: KnownVersion,
    /// Mails to be fetched raw, for their headers.
    raw_wanted: VecDeque<MessageId>,
    /// An unfinished backfill.
    backfill: Option<BackfillRange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct BackfillRange {
    since: i64,
    at: i64,
    until: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ArchiveStage {
    /// The newest page.
    Newest,
    /// A page of mails since `at`, oldest first.
    Climb { at: i64 },
    /// A search for the mails of one second that has more of them than a page holds.
    SameSecond { at: i64, offset: usize },
    /// An mbox of a range of time, which ends at `until` or before.
    Mbox { at: i64, until: i64, slice_s: i64 },
    /// One raw mail.
    Raw,
    /// The walk has ended.
    Over,
}

/// The times that the newest page spans.
#[derive(Debug, Clone, Copy)]
struct NewestPage {
    oldest: i64,
    newest: i64,
    /// It has fewer entries than a usual page, so the list has few mails.
    is_short: bool,
}

/// A poll or backfill of an archive in progress.
#[derive(Debug, Clone)]
pub struct ArchiveWalk {
    archive: Archive,
    cursor: ArchiveCursor,
    stage: ArchiveStage,
    goal: Goal,
    now: i64,
    away_s: i64,
    requests_left: u32,
    /// The newest page, until [`ArchiveWalk::learn`] decides how to go on from it.
    newest_page: Option<NewestPage>,
    /// Mails of the last page that are to be fetched raw if they are new.
    wants_raw: Vec<MessageId>,
    gaps: Vec<Gap>,
}

impl Archive {
    pub(in crate::source) fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> ArchiveWalk {
        let mut cursor: ArchiveCursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let now = now.timestamp();
        let stage = match goal {
            Goal::Poll => ArchiveStage::Newest,
            Goal::Backfill { since } => {
                let since = since.timestamp();
                let resumed = cursor
                    .backfill
                    .take()
                    .filter(|b| b.since == since && b.at < b.until);
                let backfill = resumed.unwrap_or(BackfillRange {
                    since,
                    at: since,
                    until: now,
                });
                let stage = ArchiveStage::Mbox {
                    at: backfill.at,
                    until: backfill.until,
                    slice_s: SLICE_S,
                };
                cursor.backfill = Some(backfill);
                stage
            }
        };
        let away_s = now - cursor.polled_at;
        let requests_left = if goal == Goal::Poll {
            REQUESTS_PER_POLL_MAX
        } else {
            u32::MAX
        };
        ArchiveWalk {
            archive: self.clone(),
            cursor,
            stage,
            goal,
            now,
            away_s,
            requests_left,
            newest_page: None,
            wants_raw: Vec::new(),
            gaps: Vec::new(),
        }
    }
}

impl ArchiveWalk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        if self.requests_left == 0 {
            return None;
        }
        let archive = &self.archive;
        let request = match &self.stage {
            ArchiveStage::Newest => {
                let url = archive.newest_url();
                let validators = self.cursor.newest.for_url(&url);
                Request::feed(url, validators)
            }
            ArchiveStage::Climb { at } => {
                Request::feed(archive.climb_url(*at), Validators::default())
            }
            ArchiveStage::SameSecond { at, offset } => {
                Request::feed(archive.same_second_url(*at, *offset), Validators::default())
            }
            ArchiveStage::Mbox { at, until, slice_s } => Request::bulk(
                archive.mbox_url(*at, (*at + slice_s).min(*until)),
                Method::Post,
            ),
            ArchiveStage::Raw => Request::bulk(
                archive.raw_url(self.cursor.raw_wanted.front()?),
                Method::Get,
            ),
            ArchiveStage::Over => return None,
        };
        self.requests_left -= 1;
        Some(request)
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        match self.stage.clone() {
            ArchiveStage::Newest => self.read_newest(answer),
            ArchiveStage::Climb { at } => self.read_climb(answer, at),
            ArchiveStage::SameSecond { at, offset } => self.read_same_second(answer, at, offset),
            ArchiveStage::Mbox { at, until, slice_s } => self.read_mbox(answer, at, until, slice_s),
            ArchiveStage::Raw => self.read_raw(answer),
            ArchiveStage::Over => Ok(Page::default()),
        }
    }

    pub(in crate::source) fn learn(
        &mut self,
        fresh: &HashSet<ItemKey>,
        new_here: &HashSet<ItemKey>,
    ) -> Vec<Gap> {
        for id in std::mem::take(&mut self.wants_raw) {
            if fresh.contains(&ItemKey::message(&id))
                && self.cursor.raw_wanted.len() < RAW_WANTED_MAX
            {
                self.cursor.raw_wanted.push_back(id);
            }
        }
        if let Some(page) = self.newest_page.take() {
            self.after_newest(page, new_here.is_empty());
        }
        if self.stage == ArchiveStage::Over && !self.cursor.raw_wanted.is_empty() {
            self.stage = ArchiveStage::Raw;
        }
        std::mem::take(&mut self.gaps)
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }

    pub(in crate::source) fn is_cut_short(&self) -> bool {
        self.stage != ArchiveStage::Over
    }

    pub(in crate::source) fn progress(&self) -> f64 {
        match &self.cursor.backfill {
            Some(backfill) if self.stage != ArchiveStage::Over => {
                (backfill.at - backfill.since) as f64
                    / (backfill.until - backfill.since).max(1) as f64
            }
            _ => 1.0,
        }
    }

    fn read_newest(&mut self, answer: Result<Answer, FetchError>) -> Result<Page, FetchError> {
        let url = self.archive.newest_url();
        let (page, arrivals) = match answer {
            Err(error) if means_none(&error) => {
                if self.cursor.seen_to.is_some_and(|seen_to| seen_to > 0) {
                    return Err(broken(
                        &url,
                        "the archive is empty, though it had mails before",
                    ));
                }
                (Page::default(), Vec::new())
            }
            Err(error) => return Err(error),
            Ok(answer) => match &answer.body {
                Body::Unchanged => {
                    self.cursor.newest = KnownVersion::of(&url, &answer.validators);
                    let seen_to = self.cursor.seen_to.unwrap_or_default();
                    let oldest = seen_to - MARGIN_S;
                    self.newest_page = Some(NewestPage {
                        oldest,
                        newest: self.cursor.newest_at,
                        is_short: false,
                    });
                    return Ok(Page::default());
                }
                Body::Bytes { bytes, charset } => {
                    let read = self
                        .entries(&wire::decode(bytes, charset.as_deref()))
                        .map_err(|e| broken(&url, e))?;
                    self.cursor.newest = KnownVersion::of(&url, &answer.validators);
                    read
                }
            },
        };
        let oldest = arrivals.iter().min().copied().unwrap_or_default();
        let newest = self.newest_of(&arrivals, self.cursor.newest_at);
        let is_short = arrivals.len() < WINDOW;
        self.newest_page = Some(NewestPage {
            oldest,
            newest,
            is_short,
        });
        Ok(page)
    }

    /// Decides how to go on from the newest page, once its new items are known.
    fn after_newest(&mut self, page: NewestPage, nothing_new: bool) {
        let NewestPage {
            oldest,
            newest,
            is_short,
        } = page;
        let newest_before = std::mem::replace(&mut self.cursor.newest_at, newest);
        self.cursor.polled_at = self.now;
        let overlaps = self
            .cursor
            .seen_to
            .is_none_or(|seen_to| oldest <= seen_to - MARGIN_S || (nothing_new && is_short));
        let from = match (self.cursor.climbed_to, self.cursor.seen_to) {
            // If the climb stopped close to the present of that time, late mails may have arrived below it since.
            (Some(climbed_to), _) => climbed_to.min(newest_before - MARGIN_S).max(0),
            (None, Some(seen_to)) if !overlaps => (seen_to - MARGIN_S).max(0),
            (None, _) => {
                self.reach_present(newest);
                return;
            }
        };
        self.cursor.climbed_to = Some(from);
        let until = oldest.min(self.now - SEARCH_LAG_S);
        // A list that was empty has few mails, and mboxes since 1970 would take too many requests.
        let is_far = from > 0 && until - from > MBOX_FROM_S;
        self.stage = if is_far && self.away_s > MBOX_AWAY_S {
            ArchiveStage::Mbox {
                at: from,
                until,
                slice_s: SLICE_S,
            }
        } else {
            ArchiveStage::Climb { at: from }
        };
    }

    /// The newest of these arrivals that is not in the future; `otherwise` if there is none. A mail dated in the future must
    /// not move the cursor, not even to the present: the archive's clock may be behind ours.
    fn newest_of(&self, arrivals: &[i64], otherwise: i64) -> i64 {
        let past = arrivals.iter().filter(|&&at| at <= self.now);
        past.max().copied().unwrap_or(otherwise)
    }

    /// Ends the climb: all mails up to `newest` are stored.
    fn reach_present(&mut self, newest: i64) {
        match (self.goal, &mut self.cursor.backfill) {
            (Goal::Backfill { .. }, Some(backfill)) => backfill.at = backfill.until,
            (Goal::Backfill { .. }, None) => {}
            (Goal::Poll, _) => {
                let seen_to = self.cursor.seen_to.unwrap_or_default().max(newest);
                self.cursor.seen_to = Some(seen_to);
                self.cursor.climbed_to = None;
            }
        }
        self.stage = ArchiveStage::Over;
    }

    fn climb_to(&mut self, at: i64) {
        match (self.goal, &mut self.cursor.backfill) {
            // At most one second before the end: only `reach_present` ends a backfill.
            (Goal::Backfill { .. }, Some(backfill)) => backfill.at = at.min(backfill.until - 1),
            (Goal::Backfill { .. }, None) => {}
            (Goal::Poll, _) => self.cursor.climbed_to = Some(at.min(self.now)),
        }
    }

    fn read_climb(
        &mut self,
        answer: Result<Answer, FetchError>,
        at: i64,
    ) -> Result<Page, FetchError> {
        let url = self.archive.climb_url(at);
        let (page, arrivals) = match answer {
            Err(error) if means_none(&error) => (Page::default(), Vec::new()),
            Err(error) => return Err(error),
            Ok(answer) => self.document(&answer, &url)?,
        };
        let (first, last) = (
            arrivals.first().copied().unwrap_or(at),
            arrivals.last().copied().unwrap_or(at),
        );
        // The server returns mails before `at` only if there is less than a page since `at`: this is the newest page.
        let is_newest = first > last || arrivals.iter().any(|&arrival| arrival < at);
        let is_full = arrivals.len() >= WINDOW;
        let is_last = self.archive.query.is_some() && arrivals.len() < SEARCH_PAGE;
        let stands_still = first == last && last <= at;
        if is_newest || is_last || arrivals.is_empty() || (stands_still && !is_full) {
            self.reach_present(self.newest_of(&arrivals, at));
        } else if first == last && is_full {
            self.stage = ArchiveStage::SameSecond {
                at: last,
                offset: 0,
            };
        } else {
            self.climb_to(last);
            self.stage = ArchiveStage::Climb { at: last };
        }
        Ok(page)
    }

    fn document(&mut self, answer: &Answer, url: &Url) -> Result<(Page, Vec<i64>), FetchError> {
        match &answer.body {
            Body::Unchanged => Ok((Page::default(), Vec::new())),
            Body::Bytes { bytes, charset } => self
                .entries(&wire::decode(bytes, charset.as_deref()))
                .map_err(|e| broken(url, e)),
        }
    }

    /// The items of an Atom document and the arrival times of its entries, both in document order.
    fn entries(&mut self, document: &str) -> Result<(Page, Vec<i64>), String> {
        let mut page = Page::default();
        let mut arrivals = Vec::new();
        for entry in wire::atom_entries(document)? {
            arrivals.extend(entry.updated.map(|at| at.timestamp()));
            match message(entry) {
                Ok(item) => page.items.push(item),
                Err(fault) => page.faults.push(fault),
            }
        }
        self.wants_raw = page
            .items
            .iter()
            .filter(|item| SENDERS_READ_RAW.contains(&item.author.email.as_str()))
            .filter_map(|item| match &item.what {
                What::Message { id, .. } => Some(id.clone()),
                _ => None,
            })
            .collect();
        Ok((page, arrivals))
    }
}

//! A poll or backfill of an archive under way: which page comes next, and what each means for the cursor.

mod bulk;

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Archive;
use super::page::{TOLD_IN_HEADERS, means_none, message};
use crate::item::{ItemData, ItemKey, MessageId};
use crate::source::{
    Answer, Body, FetchError, Gap, Goal, Kept, Method, Page, Request, Validators, broken, wire,
};

/// How far behind what was seen a climb begins: mails may reach the archive out of order.
const MARGIN_S: i64 = 30 * 60;
/// What search may not know yet.
const SEARCH_LAG_S: i64 = 120;

/// From how far back on the mbox is worth asking for, by the archive's clock …
const MBOX_FROM_S: i64 = 24 * 3600;

/// … and how long ago the previous poll must be by ours, so that the lag of search cannot hide a mail.
const MBOX_AWAY_S: i64 = 3600;

/// The stretch of time that the first mbox is asked for; it grows and shrinks with what comes.
const SLICE_S: i64 = 7 * 86_400;
const SLICE_S_MIN: i64 = 3600;
const SLICE_S_MAX: i64 = 180 * 86_400;

/// Mails in an mbox that make the next stretch twice as long, or half as long.
const SLICE_FEW: usize = 250;
const SLICE_MANY: usize = 4_000;

/// Pages and mboxes of one poll; the next poll goes on. 40 pages are 1,000 mails.
const REQUESTS_PER_POLL_MAX: u32 = 40;

/// Entries on the newest page, by public-inbox's default.
const WINDOW: usize = 25;

/// Entries on a page of search results, the server's maximum.
const SEARCH_PAGE: usize = 200;

/// The most raw mails that wait to be fetched.
const RAW_WANTED_MAX: usize = 200;

/// Where a walk stands. All times are unix seconds by the archive's clock, but for `polled_at`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    /// Everything that arrived up to then has been seen; `None` before the first poll.
    seen_to: Option<i64>,
    /// Where a climb stands that is not finished.
    climbed_to: Option<i64>,
    /// When the newest page was read last, by our clock, and the newest arrival it showed.
    polled_at: i64,
    newest_at: i64,
    newest: Kept,
    /// Mails whose headers are wanted.
    raw_wanted: VecDeque<MessageId>,
    /// A backfill: from when, how far, to when.
    backfill: Option<Backfill>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Backfill {
    since: i64,
    at: i64,
    until: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The newest page.
    Newest,
    /// A page from `at` on, oldest first.
    Climb { at: i64 },
    /// A second with more mails than a page holds, by search.
    SameSecond { at: i64, offset: usize },
    /// An mbox of a stretch of time that ends before `until`.
    Mbox { at: i64, until: i64, slice_s: i64 },
    /// One raw mail.
    Raw,
    /// Nothing more this time.
    Over,
}

/// What the newest page spans.
#[derive(Debug, Clone, Copy)]
struct Newest {
    oldest: i64,
    newest: i64,
    /// Fewer entries than the usual window: the list has no more, or nearly so.
    is_short: bool,
}

/// A poll or backfill of an archive under way.
#[derive(Debug, Clone)]
pub struct Walk {
    archive: Archive,
    cursor: Cursor,
    stage: Stage,
    goal: Goal,
    now: i64,
    away_s: i64,
    requests_left: u32,
    /// The newest page, until [`Walk::learn`] has judged it.
    newest_page: Option<Newest>,
    /// Mails of the last page that tell something in their headers.
    wants_raw: Vec<MessageId>,
    gaps: Vec<Gap>,
}

impl Archive {
    pub(in crate::source) fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> Walk {
        let mut cursor: Cursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        let now = now.timestamp();
        let stage = match goal {
            Goal::Poll => Stage::Newest,
            Goal::Backfill { since } => {
                let since = since.timestamp();
                let resumed = cursor
                    .backfill
                    .take()
                    .filter(|b| b.since == since && b.at < b.until);
                let backfill = resumed.unwrap_or(Backfill {
                    since,
                    at: since,
                    until: now,
                });
                let stage = Stage::Mbox {
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
        Walk {
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

impl Walk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        if self.requests_left == 0 {
            return None;
        }
        let archive = &self.archive;
        let request = match &self.stage {
            Stage::Newest => {
                let url = archive.newest_url();
                let validators = self.cursor.newest.for_url(&url);
                Request::feed(url, validators)
            }
            Stage::Climb { at } => Request::feed(archive.climb_url(*at), Validators::default()),
            Stage::SameSecond { at, offset } => {
                Request::feed(archive.same_second_url(*at, *offset), Validators::default())
            }
            Stage::Mbox { at, until, slice_s } => Request::bulk(
                archive.mbox_url(*at, (*at + slice_s).min(*until)),
                Method::Post,
            ),
            Stage::Raw => Request::bulk(
                archive.raw_url(self.cursor.raw_wanted.front()?),
                Method::Get,
            ),
            Stage::Over => return None,
        };
        self.requests_left -= 1;
        Some(request)
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        match self.stage.clone() {
            Stage::Newest => self.read_newest(answer),
            Stage::Climb { at } => self.read_climb(answer, at),
            Stage::SameSecond { at, offset } => self.read_same_second(answer, at, offset),
            Stage::Mbox { at, until, slice_s } => self.read_mbox(answer, at, until, slice_s),
            Stage::Raw => self.read_raw(answer),
            Stage::Over => Ok(Page::default()),
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
            self.judge_newest(page, new_here.is_empty());
        }
        if self.stage == Stage::Over && !self.cursor.raw_wanted.is_empty() {
            self.stage = Stage::Raw;
        }
        std::mem::take(&mut self.gaps)
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }

    pub(in crate::source) fn is_cut_short(&self) -> bool {
        self.stage != Stage::Over
    }

    pub(in crate::source) fn progress(&self) -> f64 {
        match &self.cursor.backfill {
            Some(backfill) if self.stage != Stage::Over => {
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
                    self.cursor.newest = Kept::of(&url, &answer.validators);
                    let seen_to = self.cursor.seen_to.unwrap_or_default();
                    let oldest = seen_to - MARGIN_S;
                    self.newest_page = Some(Newest {
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
                    self.cursor.newest = Kept::of(&url, &answer.validators);
                    read
                }
            },
        };
        let oldest = arrivals.iter().min().copied().unwrap_or_default();
        let newest = self.newest_of(&arrivals, self.cursor.newest_at);
        let is_short = arrivals.len() < WINDOW;
        self.newest_page = Some(Newest {
            oldest,
            newest,
            is_short,
        });
        Ok(page)
    }

    /// Decides, once it is known whether the newest page held anything new, where to go from it.
    fn judge_newest(&mut self, page: Newest, nothing_new: bool) {
        let Newest {
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
            // Where the climb stopped close to the present of then, late mails may have come in below it since.
            (Some(climbed_to), _) => climbed_to.min(newest_before - MARGIN_S).max(0),
            (None, Some(seen_to)) if !overlaps => (seen_to - MARGIN_S).max(0),
            (None, _) => {
                self.arrived(newest);
                return;
            }
        };
        self.cursor.climbed_to = Some(from);
        let until = oldest.min(self.now - SEARCH_LAG_S);
        // From the beginning of time an mbox goes in far too many steps; a list that was empty has little to climb.
        let is_far = from > 0 && until - from > MBOX_FROM_S;
        self.stage = if is_far && self.away_s > MBOX_AWAY_S {
            Stage::Mbox {
                at: from,
                until,
                slice_s: SLICE_S,
            }
        } else {
            Stage::Climb { at: from }
        };
    }

    /// The newest of these arrivals, `otherwise` if there is none. A mail from the future must not carry the cursor away
    /// with it, not even to now: what the archive holds may lag behind our clock.
    fn newest_of(&self, arrivals: &[i64], otherwise: i64) -> i64 {
        let past = arrivals.iter().filter(|&&at| at <= self.now);
        past.max().copied().unwrap_or(otherwise)
    }

    /// The climb has met the present: everything up to `newest` is seen.
    fn arrived(&mut self, newest: i64) {
        match (self.goal, &mut self.cursor.backfill) {
            (Goal::Backfill { .. }, Some(backfill)) => backfill.at = backfill.until,
            (Goal::Backfill { .. }, None) => {}
            (Goal::Poll, _) => {
                let seen_to = self.cursor.seen_to.unwrap_or_default().max(newest);
                self.cursor.seen_to = Some(seen_to);
                self.cursor.climbed_to = None;
            }
        }
        self.stage = Stage::Over;
    }

    fn climbed(&mut self, at: i64) {
        match (self.goal, &mut self.cursor.backfill) {
            // One second before the end at the most: only `arrived` ends a backfill.
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
        // Mails before `at` were not asked for: there is less than a page of what was, and the newest page came instead.
        let is_newest = first > last || arrivals.iter().any(|&arrival| arrival < at);
        let is_full = arrivals.len() >= WINDOW;
        let is_last = self.archive.query.is_some() && arrivals.len() < SEARCH_PAGE;
        let stands_still = first == last && last <= at;
        if is_newest || is_last || arrivals.is_empty() || (stands_still && !is_full) {
            self.arrived(self.newest_of(&arrivals, at));
        } else if first == last && is_full {
            self.stage = Stage::SameSecond {
                at: last,
                offset: 0,
            };
        } else {
            self.climbed(last);
            self.stage = Stage::Climb { at: last };
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

    /// The items of an Atom document and the arrival times of its entries, both in the document's order.
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
            .filter(|item| TOLD_IN_HEADERS.contains(&item.author.email.as_str()))
            .filter_map(|item| match &item.what {
                ItemData::Message { id, .. } => Some(id.clone()),
                _ => None,
            })
            .collect();
        Ok((page, arrivals))
    }
}

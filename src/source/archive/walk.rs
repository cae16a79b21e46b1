//! A poll or backfill of an archive: it chooses the next page, and moves the cursor after each.

mod bulk;
mod climb;
mod newest;
mod task;

use std::collections::{HashSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::Archive;
use super::page::{is_read_raw, message};
use crate::item::{ItemData, ItemKey, MessageId};
use crate::source::{
    Answer, Body, FetchError, Gap, Goal, KnownVersion, Method, Page, Request, Validators, broken,
    wire,
};

pub(super) use self::climb::Way;
use self::newest::NewestPage;
use self::task::{MissingRange, Task};

/// A climb begins so long before the newest mail of the last poll: mails may reach the archive out of order.
const MARGIN_S: i64 = 30 * 60;
/// The search index may lack the mails of so long.
const SEARCH_LAG_S: i64 = 120;
/// Mails that are dated further ahead of our clock come from a wrong clock.
const AHEAD_S: i64 = 600;

/// Requests of one poll or of one extra task; the next poll goes on. 40 pages are 1,000 mails.
const REQUESTS_MAX: u32 = 40;

/// Entries on the newest page: public-inbox's default.
const WINDOW: usize = 25;

/// Entries on a page of search results, the server's maximum.
const SEARCH_PAGE: usize = 200;

/// The most raw mails in the queue.
const RAW_WANTED_MAX: usize = 200;

/// All times are unix seconds by the archive's clock, except those of polls, which are by ours.
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
    /// When the last days were last read again, by our clock.
    looked_again_at: i64,
    /// Ranges that no way could read; they are asked for again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<MissingRange>,
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
    /// A page of mails since `at`, oldest first. `is_arrival`: a mail that arrived at this second must be on it.
    Climb { at: i64, is_arrival: bool },
    /// A search for the mails of one second that has more of them than a page holds.
    SameSecond { at: i64, offset: usize },
    /// An mbox of a range of time, which ends at `until` or before.
    Mbox { at: i64, until: i64, slice_s: i64 },
    /// One raw mail.
    Raw,
    /// The walk has ended.
    Over,
}

/// A poll or backfill of an archive in progress.
#[derive(Debug, Clone)]
pub struct ArchiveWalk {
    archive: Archive,
    cursor: ArchiveCursor,
    stage: ArchiveStage,
    task: Task,
    way: Way,
    now: i64,
    away_s: i64,
    requests_left: u32,
    /// The newest page, until [`ArchiveWalk::learn`] decides how to go on from it.
    newest_page: Option<NewestPage>,
    /// The newest page of this walk; empty before it is read.
    present: NewestPage,
    /// The newest arrival in the mboxes of this walk, or the beginning of the first.
    newest_in_mbox: Option<i64>,
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
        cursor.bound(now);
        let (task, stage, requests_left) = match goal {
            Goal::Poll => (Task::CatchUp, ArchiveStage::Newest, REQUESTS_MAX),
            Goal::Backfill { since } => {
                let stage = cursor.begin_backfill(since.timestamp(), now);
                (Task::Backfill, stage, u32::MAX)
            }
        };
        ArchiveWalk {
            archive: self.clone(),
            away_s: now - cursor.polled_at,
            cursor,
            stage,
            task,
            way: self.first_way(),
            now,
            requests_left,
            newest_page: None,
            present: NewestPage::default(),
            newest_in_mbox: None,
            wants_raw: Vec::new(),
            gaps: Vec::new(),
        }
    }
}

/// A cursor from which all mails that arrived since a moment (unix seconds) are read.
pub(in crate::source) fn cursor_since(since: i64) -> String {
    let cursor = ArchiveCursor {
        seen_to: Some(since),
        polled_at: since,
        newest_at: since,
        looked_again_at: since,
        ..ArchiveCursor::default()
    };
    serde_json::to_string(&cursor).expect("a cursor is plain data")
}

/// The arrival up to which all mails are stored by this cursor, in unix seconds.
pub(in crate::source) fn read_to(cursor: &str) -> Option<i64> {
    let cursor = serde_json::from_str::<ArchiveCursor>(cursor).ok()?;
    cursor.climbed_to.or(cursor.seen_to)
}

impl ArchiveCursor {
    /// Takes arrivals in the future back to the present: mails with wrong dates once moved cursors there.
    fn bound(&mut self, now: i64) {
        self.seen_to = self.seen_to.map(|at| at.min(now));
        self.climbed_to = self.climbed_to.map(|at| at.min(now));
        self.newest_at = self.newest_at.min(now);
        self.looked_again_at = self.looked_again_at.min(now);
    }

    fn begin_backfill(&mut self, since: i64, now: i64) -> ArchiveStage {
        let resumed = self
            .backfill
            .take()
            .filter(|b| b.since == since && b.at < b.until);
        let backfill = resumed.unwrap_or(BackfillRange {
            since,
            at: since,
            until: now,
        });
        let stage = bulk::first_mbox(backfill.at, backfill.until);
        self.backfill = Some(backfill);
        stage
    }
}

impl ArchiveWalk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        if self.requests_left == 0 {
            if self.task.is_extra() {
                self.stage = ArchiveStage::Over;
            }
            return None;
        }
        let archive = &self.archive;
        let request = match &self.stage {
            ArchiveStage::Newest => {
                let url = archive.newest_url();
                let validators = self.cursor.newest.for_url(&url);
                Request::feed(url, validators)
            }
            ArchiveStage::Climb { at, .. } => {
                Request::feed(archive.climb_url(*at, self.way), Validators::default())
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
        let read = match self.stage.clone() {
            ArchiveStage::Newest => self.read_newest(answer),
            ArchiveStage::Climb { at, is_arrival } => self.read_climb(answer, at, is_arrival),
            ArchiveStage::SameSecond { at, offset } => self.read_same_second(answer, at, offset),
            ArchiveStage::Mbox { at, until, slice_s } => self.read_mbox(answer, at, until, slice_s),
            ArchiveStage::Raw => self.read_raw(answer),
            ArchiveStage::Over => Ok(Page::default()),
        };
        match read {
            // The news is stored already, and an extra task is tried again later.
            Err(_) if self.task.is_extra() => {
                self.abandon_task();
                Ok(Page::default())
            }
            read => read,
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

    /// The newest of these arrivals that is not in the future, if there is one. A mail dated in the future must not move the
    /// cursor, not even to the present: the archive's clock may be behind ours.
    fn newest_of(&self, arrivals: &[i64]) -> Option<i64> {
        let past = arrivals.iter().filter(|&&at| at <= self.now);
        past.max().copied()
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
            .filter(|item| is_read_raw(&item.author.email))
            .filter_map(|item| match &item.what {
                ItemData::Message { id, .. } => Some(id.clone()),
                _ => None,
            })
            .collect();
        Ok((page, arrivals))
    }
}

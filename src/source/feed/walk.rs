//! A poll of one document.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Feed, ReusedLinks};
use crate::item::ItemKey;
use crate::source::{Answer, Body, FetchError, Gap, KnownVersion, Page, Request, broken, wire};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct FeedCursor {
    newest: KnownVersion,
    /// The number of entries at the last poll; `None` before the first.
    entries: Option<usize>,
    /// The newest date of any entry, in unix seconds.
    newest_at: Option<i64>,
    /// When it was last read, by our clock.
    polled_at: Option<i64>,
    #[serde(skip_serializing_if = "ReusedLinks::is_empty")]
    reused: ReusedLinks,
    /// Entries that were skipped and are still in the document, by the first eight bytes of their keys' digests.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    left_out: BTreeSet<u64>,
}

/// A poll of one document in progress.
#[derive(Debug, Clone)]
pub struct FeedWalk {
    feed: Feed,
    now: i64,
    cursor: FeedCursor,
    asked: bool,
    /// Keys and dates of the page just read.
    page: Option<Vec<(ItemKey, Option<i64>)>>,
    /// The gap for the entries that were skipped.
    flood: Option<Gap>,
}

fn mark(key: &ItemKey) -> u64 {
    let digest = key.digest();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

impl Feed {
    pub(in crate::source) fn begin(&self, cursor: Option<&str>, now: DateTime<Utc>) -> FeedWalk {
        let cursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        FeedWalk {
            feed: self.clone(),
            now: now.timestamp(),
            cursor,
            asked: false,
            page: None,
            flood: None,
        }
    }
}

impl FeedWalk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        if std::mem::replace(&mut self.asked, true) {
            return None;
        }
        Some(Request::feed(
            self.feed.url.clone(),
            self.cursor.newest.for_url(&self.feed.url),
        ))
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        let answer = answer?;
        let Body::Bytes { bytes, charset } = &answer.body else {
            return Ok(Page::default());
        };
        let document = wire::decode(bytes, charset.as_deref());
        let mut page = self
            .feed
            .read(&document, &mut self.cursor.reused)
            .map_err(|e| broken(&answer.url, e))?;
        if page.items.is_empty() && self.cursor.entries.is_some_and(|entries| entries > 0) {
            return Err(broken(
                &answer.url,
                "the feed is empty, though it had entries before",
            ));
        }
        if page.items.is_empty() && !page.faults.is_empty() {
            return Err(broken(
                &answer.url,
                "the feed has entries, but none that can be read",
            ));
        }
        self.pass_over(&mut page);
        self.cursor.newest = KnownVersion::of(&self.feed.url, &answer.validators);
        self.page = Some(
            page.items
                .iter()
                .map(|item| (item.key(), item.at.map(|at| at.timestamp())))
                .collect(),
        );
        Ok(page)
    }

    pub(in crate::source) fn learn(&mut self, new_here: &HashSet<ItemKey>) -> Vec<Gap> {
        let polled_at = self.cursor.polled_at.replace(self.now);
        let Some(page) = self.page.take() else {
            return Vec::new();
        };
        // A date in the future would hide every gap until then.
        let dates = || {
            let dates = page.iter().filter_map(|(_, at)| *at);
            dates.filter(|at| *at <= self.now)
        };
        let had_some = self.cursor.entries.is_some_and(|entries| entries > 0);
        let nothing_known = !page.is_empty() && page.iter().all(|(key, _)| new_here.contains(key));
        let from_at = self.cursor.newest_at.or(polled_at);
        let to_at = dates().min().unwrap_or(self.now);
        self.cursor.entries = Some(page.len());
        self.cursor.newest_at = self.cursor.newest_at.max(dates().max());
        if let Some(flood) = self.flood.take() {
            return vec![flood];
        }
        let mut gaps = Vec::new();
        if let Some(from_at) =
            from_at.filter(|from_at| had_some && nothing_known && to_at > *from_at)
        {
            let why = "the feed moved on by more than it shows, and has no older pages".to_owned();
            gaps.push(Gap {
                from_at,
                to_at,
                why,
                is_healed: false,
            });
        }
        gaps
    }

    /// Removes the entries that an earlier poll skipped, and forgets those that the document no longer shows.
    fn pass_over(&mut self, page: &mut Page) {
        if self.cursor.left_out.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.cursor.left_out);
        page.items.retain(|item| {
            let mark = mark(&item.key());
            !before.contains(&mark) || !self.cursor.left_out.insert(mark)
        });
    }

    /// Removes the items at these positions from the page just read, because `new` new ones are too many.
    pub(crate) fn leave_out(&mut self, page: &mut Page, positions: &[usize], new: usize) {
        let positions: HashSet<usize> = positions.iter().copied().collect();
        let out = positions
            .iter()
            .filter_map(|&position| page.items.get(position));
        let (mut from_at, mut to_at) = (i64::MAX, 0);
        for item in out {
            self.cursor.left_out.insert(mark(&item.key()));
            let at = item.at.map_or(self.now, |at| at.timestamp());
            (from_at, to_at) = (from_at.min(at), to_at.max(at));
        }
        let mut position = 0..;
        let mut stays = || position.next().is_some_and(|at| !positions.contains(&at));
        page.items.retain(|_| stays());
        let items = page.items.iter();
        self.page = Some(
            items
                .map(|item| (item.key(), item.at.map(|at| at.timestamp())))
                .collect(),
        );
        let kept = new.saturating_sub(positions.len());
        self.flood = Some(Gap {
            from_at: from_at.min(to_at),
            to_at,
            why: format!("{new} new entries in one poll; the newest {kept} were kept (new_max)"),
            is_healed: false,
        });
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }
}

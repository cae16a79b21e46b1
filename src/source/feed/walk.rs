//! A poll of one document under way.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Feed, Reused};
use crate::item::ItemKey;
use crate::source::{Answer, Body, FetchError, Gap, Kept, Page, Request, broken, wire};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    newest: Kept,
    /// How many entries the document had last time; `None` before the first.
    entries: Option<usize>,
    /// The newest date seen, unix seconds.
    newest_at: Option<i64>,
    /// When it was read last, by our clock.
    polled_at: Option<i64>,
    /// The links that several of its entries had.
    #[serde(skip_serializing_if = "Reused::is_empty")]
    reused: Reused,
}

/// A poll of one document under way.
#[derive(Debug, Clone)]
pub struct Walk {
    feed: Feed,
    now: i64,
    cursor: Cursor,
    asked: bool,
    /// Keys and dates of the page just read.
    page: Option<Vec<(ItemKey, Option<i64>)>>,
}

impl Feed {
    pub(in crate::source) fn begin(&self, cursor: Option<&str>, now: DateTime<Utc>) -> Walk {
        let cursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        Walk {
            feed: self.clone(),
            now: now.timestamp(),
            cursor,
            asked: false,
            page: None,
        }
    }
}

impl Walk {
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
        let page = self
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
        self.cursor.newest = Kept::of(&self.feed.url, &answer.validators);
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
        // A date from the future would hide every gap until then.
        let dates = || {
            let dates = page.iter().filter_map(|(_, at)| *at);
            dates.filter(|at| *at <= self.now)
        };
        let had_some = self.cursor.entries.is_some_and(|entries| entries > 0);
        let nothing_known = !page.is_empty() && page.iter().all(|(key, _)| new_here.contains(key));
        let from_at = self.cursor.newest_at.or(polled_at);
        let to_at = dates().min().unwrap_or(self.now);
        let mut gaps = Vec::new();
        if let Some(from_at) =
            from_at.filter(|from_at| had_some && nothing_known && to_at > *from_at)
        {
            let why = "the feed moved on by more than it shows, and has no older pages".to_owned();
            gaps.push(Gap {
                from_at,
                to_at,
                why,
            });
        }
        self.cursor.entries = Some(page.len());
        self.cursor.newest_at = self.cursor.newest_at.max(dates().max());
        gaps
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }
}

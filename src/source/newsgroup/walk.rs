//! A poll or backfill of a newsgroup: it chooses the next question, and moves the cursor after each answer.

mod group;
mod read;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::frame::{self, NewsAnswer};
use super::holes::Holes;
use super::search::DateSearch;
use super::{NewsQuestion, Newsgroup};
use crate::item::ItemKey;
use crate::source::{Answer, Body, FetchError, Gap, Goal, Page, Request, broken};

/// Articles of one page; a page is one transaction.
const PAGE_ARTICLES: usize = 50;
/// Articles of the first poll, as many as an archive's newest page shows, and the numbers among which they are looked for.
const SEED_ARTICLES: usize = 25;
const SEED_NUMBERS: u64 = 200;
/// The numbers of one page. The range doubles as long as no article is in it.
const RANGE_NUMBERS: u64 = 200;
/// Pages of one poll; the next poll goes on. 40 pages are 2,000 mails.
const PAGES_MAX: u32 = 40;
/// A search begins so long before the last article that was read.
const MARGIN_S: i64 = 2 * 3600;
/// Articles of one poll that may be passed over because they never come in full.
const PASSED_OVER_MAX: u32 = 3;

/// The word in cursors by which they are distinguished from those of other ways to read an archive.
pub(in crate::source) const CURSOR_WORD: &str = "nntp";

/// All times are unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct GroupCursor {
    by: String,
    /// The server and the group that give the numbers.
    group: String,
    /// All articles up to this number are stored, or in a hole; `None` before the first poll.
    seen_to: Option<u64>,
    /// The last article that was stored.
    anchor: Option<Anchor>,
    /// The newest arrival of a stored article.
    newest_at: i64,
    /// The moment from which on articles are to be read, while their number is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// The highest number after it went back behind `seen_to`, if its article was stored before.
    #[serde(skip_serializing_if = "Option::is_none")]
    back_at: Option<u64>,
    #[serde(skip_serializing_if = "Holes::is_empty")]
    holes: Holes,
    /// The last pages without news between.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked: Option<CheckedRange>,
    /// An unfinished backfill.
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<NumberRange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    number: u64,
    id: String,
}

/// A range of numbers that the server listed, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CheckedRange {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Numbers that the server lists, those whose mail is stored, and those whose article did not come.
    pub(super) listed: u64,
    pub(super) stored: u64,
    pub(super) absent: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NumberRange {
    /// The moment that the person asked for.
    since: i64,
    from: u64,
    at: u64,
    until: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum NewsStage {
    /// The group's highest number.
    Group,
    /// The articles of the first poll.
    Seed { first: u64, last: u64 },
    /// Articles up to `until`. `width`: the numbers of the next page; 1 after an error.
    Read { at: u64, until: u64, width: u64 },
    /// After an article that did not come in time: whether the server answers at all.
    Probe { at: u64, until: u64 },
    /// The article at the highest number, which went back.
    Back { high: u64 },
    /// Articles at the middle of a range, for their dates.
    Search { search: DateSearch, until: u64 },
    /// The numbers of a hole.
    Refill { index: usize, first: u64, last: u64 },
    /// The walk has ended.
    Over,
}

/// A poll or backfill of a newsgroup in progress.
#[derive(Debug, Clone)]
pub struct NewsWalk {
    group: Newsgroup,
    cursor: GroupCursor,
    stage: NewsStage,
    goal: Goal,
    now: i64,
    pages_left: u32,
    /// Articles that this walk passed over because they did not come in full.
    passed_over: u32,
    /// Whether a page of this walk was read; its numbers are added to the last checked range.
    has_read: bool,
    warning: Option<String>,
    gaps: Vec<Gap>,
}

impl Newsgroup {
    pub(in crate::source) fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> NewsWalk {
        let cursor = cursor.and_then(|json| serde_json::from_str::<GroupCursor>(json).ok());
        let identity = self.identity();
        let mut cursor = match cursor {
            Some(cursor) if cursor.group == identity => cursor,
            // The numbers of another server mean nothing here. Its times do.
            Some(other) if other.seen_to.is_some() => GroupCursor::since(other.newest_at),
            Some(_) | None => GroupCursor::default(),
        };
        (cursor.by, cursor.group) = (CURSOR_WORD.to_owned(), identity);
        let now = now.timestamp();
        cursor.newest_at = cursor.newest_at.min(now);
        if let Goal::Backfill { since } = goal {
            let is_same =
                |range: &NumberRange| range.since == since.timestamp() && range.at <= range.until;
            cursor.backfill = cursor.backfill.take().filter(is_same);
            if cursor.backfill.is_none() {
                cursor.holes.clear();
            }
        }
        NewsWalk {
            group: self.clone(),
            cursor,
            stage: NewsStage::Group,
            goal,
            now,
            pages_left: match goal {
                Goal::Poll => PAGES_MAX,
                Goal::Backfill { .. } => u32::MAX,
            },
            passed_over: 0,
            has_read: false,
            warning: None,
            gaps: Vec::new(),
        }
    }

    /// Whether a cursor has numbers of this server.
    pub(in crate::source) fn owns(&self, cursor: &str) -> bool {
        let cursor = serde_json::from_str::<GroupCursor>(cursor).ok();
        cursor.is_some_and(|cursor| cursor.group == self.identity())
    }

    /// A cursor that reads all articles since a moment (unix seconds) as news.
    pub(in crate::source) fn cursor_since(&self, since: i64) -> String {
        let cursor = GroupCursor {
            by: CURSOR_WORD.to_owned(),
            group: self.identity(),
            ..GroupCursor::since(since)
        };
        serde_json::to_string(&cursor).expect("a cursor is plain data")
    }
}

impl GroupCursor {
    fn since(since: i64) -> Self {
        Self {
            since: Some((since - MARGIN_S).max(0)),
            newest_at: since,
            ..Self::default()
        }
    }
}

/// The moment up to which all articles are stored by this cursor, in unix seconds; `None` before the first poll.
pub(in crate::source) fn read_to(cursor: &str) -> Option<i64> {
    let cursor = serde_json::from_str::<GroupCursor>(cursor).ok()?;
    cursor.seen_to.map(|_| cursor.newest_at).or(cursor.since)
}

/// What is known of the completeness of the last range, in words.
pub(in crate::source) fn completeness(cursor: &str) -> Option<String> {
    let cursor = serde_json::from_str::<GroupCursor>(cursor).ok()?;
    let CheckedRange {
        first,
        last,
        listed,
        stored,
        absent,
    } = cursor.checked?;
    Some(format!(
        "articles {first} to {last}: {listed} listed, {stored} stored, {absent} absent"
    ))
}

impl NewsWalk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        if self.pages_left == 0 {
            return None;
        }
        let ask = match &self.stage {
            NewsStage::Group | NewsStage::Probe { .. } => NewsQuestion::Group,
            NewsStage::Seed { first, last } => NewsQuestion::Newest {
                first: *first,
                last: *last,
                most: SEED_ARTICLES,
            },
            NewsStage::Read { at, until, width } => NewsQuestion::Articles {
                first: *at,
                last: at.saturating_add(width - 1).min(*until),
                most: PAGE_ARTICLES,
                anchor: self.anchor(),
            },
            NewsStage::Back { high } => NewsQuestion::Articles {
                first: *high,
                last: *high,
                most: 1,
                anchor: None,
            },
            NewsStage::Search { search, .. } => {
                let (first, last, most) = search.place()?;
                NewsQuestion::Heads { first, last, most }
            }
            NewsStage::Refill { first, last, .. } => NewsQuestion::Articles {
                first: *first,
                last: *last,
                most: PAGE_ARTICLES,
                anchor: None,
            },
            NewsStage::Over => return None,
        };
        Some(self.group.request(ask))
    }

    /// The article that must still be what it was; only a poll that reads behind it can ask.
    fn anchor(&self) -> Option<u64> {
        let is_poll = self.goal == Goal::Poll && !self.has_read;
        let anchor = self.cursor.anchor.as_ref().filter(|_| is_poll)?;
        Some(anchor.number)
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        let mut page = match answer {
            Ok(answer) => self.read_frame(&answer)?,
            Err(error) => self.after_error(error)?,
        };
        page.is_interim &= self.next().is_some();
        if !page.is_interim {
            page.warning = self.warning.take();
        }
        Ok(page)
    }

    fn read_frame(&mut self, answer: &Answer) -> Result<Page, FetchError> {
        let wrong = || broken(&answer.url, "an answer that is no news server's");
        let Body::Bytes { bytes, .. } = &answer.body else {
            return Err(wrong());
        };
        let interim = || Page {
            is_interim: true,
            ..Page::default()
        };
        match (frame::read(bytes).ok_or_else(wrong)?, self.stage.clone()) {
            (NewsAnswer::Group { low, high }, NewsStage::Group) => {
                self.after_group(low, high, &answer.url)?;
                Ok(match self.stage {
                    NewsStage::Over | NewsStage::Refill { .. } => Page::default(),
                    _ => interim(),
                })
            }
            (NewsAnswer::Group { .. }, NewsStage::Probe { at, until }) => {
                self.pass_over(at, until);
                Ok(interim())
            }
            (NewsAnswer::Articles(page), stage) => match stage {
                NewsStage::Search { mut search, until } => {
                    search.judge(&page);
                    self.go_on_searching(search, until);
                    Ok(interim())
                }
                NewsStage::Group | NewsStage::Probe { .. } | NewsStage::Over => Err(wrong()),
                stage => Ok(self.read_articles(&page, &stage)),
            },
            (NewsAnswer::Group { .. } | NewsAnswer::Around(_), _) => Err(wrong()),
        }
    }

    pub(in crate::source) fn learn(&mut self, new_here: &HashSet<ItemKey>) -> Vec<Gap> {
        if let NewsStage::Back { high } = self.stage {
            if new_here.is_empty() {
                // The last articles were purged, or a mirror of the server is behind.
                self.cursor.back_at = Some(high);
                self.end_news();
            } else {
                self.begin_anew(high);
            }
        }
        std::mem::take(&mut self.gaps)
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }

    pub(in crate::source) fn is_cut_short(&self) -> bool {
        self.stage != NewsStage::Over
    }

    pub(in crate::source) fn progress(&self) -> f64 {
        match &self.cursor.backfill {
            Some(range) if self.stage != NewsStage::Over => {
                (range.at - range.from) as f64 / (range.until - range.from).max(1) as f64
            }
            Some(_) => 1.0,
            None => 0.0,
        }
    }
}

impl NewsStage {
    fn read(at: u64, until: u64) -> Self {
        Self::Read {
            at,
            until,
            width: RANGE_NUMBERS,
        }
    }
}

#[cfg(test)]
mod tests;

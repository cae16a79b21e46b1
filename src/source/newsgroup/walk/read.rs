//! Reads pages of articles, checks that they are complete, and goes on after errors.

use std::collections::HashSet;

use super::super::frame::{ArticlePage, FoundArticle};
use super::super::holes::{HoleGap, absent};
use super::{Anchor, CheckedRange, NewsStage, NewsWalk, PASSED_OVER_MAX, RANGE_NUMBERS};
use crate::item::ItemData;
use crate::source::{FetchError, Goal, Page, mail};

impl NewsWalk {
    pub(super) fn read_articles(&mut self, page: &ArticlePage<'_>, stage: &NewsStage) -> Page {
        if let NewsStage::Read { until, .. } = *stage
            && self.is_renumbered(page)
        {
            self.begin_anew(until);
            return Page {
                is_interim: true,
                ..Page::default()
            };
        }
        let mut read = self.items(page);
        match *stage {
            NewsStage::Seed { last, .. } => {
                self.cursor.seen_to = Some(last);
                self.check(page, &read);
                self.end_news();
            }
            NewsStage::Read { until, width, .. } => {
                self.pages_left = self.pages_left.saturating_sub(1);
                self.check(page, &read);
                if self.goal == Goal::Poll && self.cursor.since.is_none() {
                    self.cursor.holes.add_unlisted(page, self.now);
                }
                self.move_on(page, until, width);
            }
            NewsStage::Refill { index, .. } => {
                self.gaps.extend(self.cursor.holes.refilled(index, page));
                self.stage = NewsStage::Over;
            }
            NewsStage::Back { .. }
            | NewsStage::Group
            | NewsStage::Probe { .. }
            | NewsStage::Search { .. }
            | NewsStage::Over => {}
        }
        if let Goal::Backfill { since } = self.goal {
            let is_wanted =
                |at: Option<chrono::DateTime<chrono::Utc>>| at.is_none_or(|at| at >= since);
            read.items.retain(|item| is_wanted(item.at));
        }
        read
    }

    fn is_renumbered(&self, page: &ArticlePage<'_>) -> bool {
        match (&self.cursor.anchor, &page.anchor) {
            // An anchor that is gone was expired or purged.
            (Some(was), Some((number, Some(id)))) => was.number == *number && was.id != *id,
            _ => false,
        }
    }

    /// The mails of a page.
    fn items(&mut self, page: &ArticlePage<'_>) -> Page {
        let mut read = Page::default();
        for (number, found) in &page.articles {
            let item = match found {
                FoundArticle::Mail(mail) => mail::message(mail, None),
                FoundArticle::Large => Err("larger than a mail may be".to_owned()),
                FoundArticle::Absent => continue,
            };
            match item {
                Ok(item) => read.items.push(item),
                Err(fault) => read.faults.push(format!("article {number}: {fault}")),
            }
        }
        read
    }

    /// Compares the numbers that the server lists with the mails that came. Those that did not come are a gap.
    fn check(&mut self, page: &ArticlePage<'_>, read: &Page) {
        let last = page
            .articles
            .iter()
            .rev()
            .find_map(|(number, found)| match found {
                FoundArticle::Mail(mail) => Some((*number, mail::message(mail, None).ok()?)),
                FoundArticle::Absent | FoundArticle::Large => None,
            });
        if let (Some((number, item)), Goal::Poll) = (last, self.goal)
            && let ItemData::Message { id, .. } = item.what
        {
            let id = id.as_str().to_owned();
            self.cursor.anchor = Some(Anchor { number, id });
        }
        let arrivals = read.items.iter().filter_map(|item| item.at);
        let arrivals: Vec<i64> = arrivals.map(|at| at.timestamp()).collect();
        let past = arrivals.iter().copied().filter(|&at| at <= self.now);
        let before = self.cursor.newest_at;
        self.cursor.newest_at = past.max().unwrap_or(0).max(before);
        let keys: HashSet<_> = read.items.iter().map(crate::item::Item::key).collect();
        let absent = absent(page);
        self.count(page, keys.len() as u64, absent.len() as u64);
        if absent.is_empty() {
            return;
        }
        let gap = HoleGap {
            why: format!(
                "of articles {} to {} the news server lists {} and sends {}",
                page.first,
                page.last,
                page.listed.len(),
                page.listed.len() - absent.len()
            ),
            from_at: arrivals.iter().copied().min().unwrap_or(before),
            to_at: arrivals.iter().copied().max().unwrap_or(self.now),
        };
        let gap = self.cursor.holes.add_gap(&absent, gap, self.now);
        self.gaps.extend(gap);
    }

    fn count(&mut self, page: &ArticlePage<'_>, stored: u64, absent: u64) {
        let fresh = CheckedRange {
            first: page.first,
            ..CheckedRange::default()
        };
        if !self.has_read {
            self.cursor.checked = None;
        }
        self.has_read = true;
        let checked = self.cursor.checked.get_or_insert(fresh);
        checked.last = page.last;
        checked.listed += page.listed.len() as u64;
        checked.stored += stored;
        checked.absent += absent;
    }

    /// Moves the cursor behind a page.
    fn move_on(&mut self, page: &ArticlePage<'_>, until: u64, width: u64) {
        let last = page.last.min(until);
        self.seen_to(last);
        // A range without articles was expired or never used, and the next one may be much longer.
        let width = match page.listed.is_empty() {
            true if width > 1 => width.saturating_mul(2),
            _ => RANGE_NUMBERS,
        };
        self.read_on(last, until, width);
    }

    fn seen_to(&mut self, last: u64) {
        match (self.goal, &mut self.cursor.backfill) {
            (Goal::Backfill { .. }, Some(range)) => range.at = last.saturating_add(1),
            (Goal::Backfill { .. }, None) => {}
            (Goal::Poll, _) => {
                self.cursor.seen_to = Some(last);
                (self.cursor.since, self.cursor.back_at) = (None, None);
            }
        }
    }

    fn read_on(&mut self, last: u64, until: u64, width: u64) {
        if last >= until {
            self.end_news();
        } else {
            let at = last + 1;
            self.stage = NewsStage::Read { at, until, width };
        }
    }

    /// After an error: reads a shorter range, or passes over an article that never comes in full.
    pub(super) fn after_error(&mut self, error: FetchError) -> Result<Page, FetchError> {
        let interim = Page {
            is_interim: true,
            ..Page::default()
        };
        let may_be_one_article = matches!(
            error,
            FetchError::Later { after: None, .. } | FetchError::TooBig { .. }
        );
        match self.stage {
            NewsStage::Read { at, until, width } if may_be_one_article && width > 1 => {
                let width = match error {
                    FetchError::TooBig { .. } if width > RANGE_NUMBERS => RANGE_NUMBERS,
                    _ => 1,
                };
                self.stage = NewsStage::Read { at, until, width };
                Ok(interim)
            }
            NewsStage::Read { at, until, .. }
                if may_be_one_article && self.passed_over < PASSED_OVER_MAX =>
            {
                self.stage = NewsStage::Probe { at, until };
                Ok(interim)
            }
            NewsStage::Refill { .. } => {
                self.stage = NewsStage::Over;
                Ok(Page::default())
            }
            _ => Err(error),
        }
    }

    /// The server answers, but not with this article: it is a gap, and asked for again later.
    pub(super) fn pass_over(&mut self, at: u64, until: u64) {
        self.passed_over += 1;
        let gap = HoleGap {
            why: format!("article {at} does not come in full"),
            from_at: self.cursor.newest_at,
            to_at: self.now,
        };
        let gap = self.cursor.holes.add_gap(&[at], gap, self.now);
        self.gaps.extend(gap);
        self.seen_to(at);
        self.read_on(at, until, RANGE_NUMBERS);
    }
}

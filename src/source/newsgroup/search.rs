//! Finds the number of the first article since a moment, by halving: for backfills, and where numbers do not help.

use super::frame::{ArticlePage, FoundArticle};
use crate::source::mail;

/// Articles whose dates are compared at one place. One date may be wrong, so the middle one counts.
const HEADS: usize = 5;
/// The numbers at one place among which these are looked for.
const PLACE_NUMBERS: u64 = 50;
/// The search ends with so few numbers left.
const LEFT_MAX: u64 = 100;
/// Reading begins so many numbers before the place that was found, because articles arrive out of order.
const MARGIN_NUMBERS: u64 = 100;

/// A search in progress: the article lies between these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DateSearch {
    /// Unix seconds.
    since: i64,
    least: u64,
    low: u64,
    high: u64,
}

impl DateSearch {
    pub(super) fn new(since: i64, low: u64, high: u64) -> Self {
        Self {
            since,
            least: low,
            low,
            high: high.saturating_add(1),
        }
    }

    /// The next numbers to look at, and how many heads; `None` if the search has ended.
    pub(super) fn place(&self) -> Option<(u64, u64, usize)> {
        if self.high.saturating_sub(self.low) <= LEFT_MAX {
            return None;
        }
        let middle = self.middle();
        Some((middle, middle + PLACE_NUMBERS - 1, HEADS))
    }

    fn middle(&self) -> u64 {
        self.low + (self.high - self.low) / 2
    }

    /// Halves the range by the dates at its middle. A place without articles counts as late, so that reading begins before it.
    pub(super) fn judge(&mut self, page: &ArticlePage<'_>) {
        let mut dates: Vec<i64> = page
            .articles
            .iter()
            .filter_map(|(_, found)| match found {
                FoundArticle::Mail(head) => mail::message(head, None).ok()?.at,
                FoundArticle::Absent | FoundArticle::Large => None,
            })
            .map(|at| at.timestamp())
            .collect();
        dates.sort_unstable();
        let middle = self.middle();
        match dates.get(dates.len() / 2) {
            Some(&date) if date < self.since => self.low = middle + 1,
            Some(_) | None => self.high = middle,
        }
    }

    /// The number at which reading begins.
    pub(super) fn begin(&self) -> u64 {
        self.low.saturating_sub(MARGIN_NUMBERS).max(self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the place in a group whose article `number` arrived at `1000 × number` seconds, without those `is_gone`.
    fn begin(high: u64, since: i64, is_gone: impl Fn(u64) -> bool) -> (u64, u32) {
        let mut search = DateSearch::new(since, 1, high);
        let mut steps = 0;
        while let Some((first, last, most)) = search.place() {
            let there = (first..=last.min(high)).filter(|&number| !is_gone(number));
            let heads: Vec<(u64, String)> = there
                .take(most)
                .map(|number| {
                    let at = chrono::DateTime::from_timestamp(1_000 * number as i64, 0);
                    let date = at.expect("a time").to_rfc2822();
                    (
                        number,
                        format!("Message-ID: <{number}@x>\nDate: {date}\n\n"),
                    )
                })
                .collect();
            let articles = heads.iter();
            let articles =
                articles.map(|(number, head)| (*number, FoundArticle::Mail(head.as_bytes())));
            search.judge(&ArticlePage {
                articles: articles.collect(),
                ..ArticlePage::default()
            });
            steps += 1;
            assert!(steps < 64, "the search ends");
        }
        (search.begin(), steps)
    }

    #[test]
    fn reading_begins_before_the_first_article_since_then() {
        for since in [0, 1_000, 500_000, 50_000_000, 99_999_999, 200_000_000] {
            let (at, steps) = begin(100_000, since, |_| false);
            let first = (since / 1_000).clamp(1, 100_001) as u64;
            assert!(at <= first && first - at <= 220, "{since}: {at}");
            assert!(steps <= 12, "{steps}");
        }
        let (at, _) = begin(100_000, 50_000_000, |number| {
            number > 30_000 && number % 200 > 20
        });
        assert!(at <= 50_000, "{at}");
        let (at, _) = begin(100_000, 50_000_000, |_| true);
        assert_eq!(at, 1, "without dates all is read");
        begin(super::super::NUMBER_MAX, 50_000_000, |number| number > 10);
    }
}

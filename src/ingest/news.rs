//! Decides which items of a page are news.

use chrono::{DateTime, TimeDelta, Utc};

use super::Mode;
use crate::item::{Item, ItemData};
use crate::plan::{News, NewsItem};
use crate::store::feeds::FeedRow;
use crate::store::items::StoredPage;

/// A commit that was made so long before the previous poll came by a merge from elsewhere and is no news here.
const MERGED_AGE_S: i64 = 7 * 86_400;
/// A tree's newest commit is not so much older than its last poll, unless the clock ran ahead then.
const AHEAD_S: i64 = 30 * 86_400;

/// The new items that are news: all new items of a seed. `place` is the page's place in its transaction.
pub(super) fn news(
    row: &FeedRow,
    mode: Mode,
    page: &[Item],
    place: usize,
    stored: &StoredPage,
    now: DateTime<Utc>,
) -> News {
    let is_announced = |position: usize| match mode {
        Mode::History => false,
        Mode::Seed => true,
        Mode::Live => is_news(row, page, stored, position),
    };
    // A feed without dates is taken to be newest first.
    let at = |position: usize| {
        let above = TimeDelta::microseconds(i64::try_from(position).unwrap_or(0));
        page[position].at.unwrap_or(now) - above
    };
    let news_item = |position: usize| NewsItem {
        at: at(position),
        page: place,
        is_sample: mode == Mode::Seed,
    };
    let fresh = stored.fresh.iter();
    fresh
        .filter(|(position, _)| is_announced(*position))
        .map(|(position, id)| (*id, news_item(*position)))
        .collect()
}

/// The new items that count as new now, whatever date they carry: those that came in the course of polling. An item that slid
/// back into the window, or a rebased commit, is as old as its date. A merge brings old commits that are new here.
pub(super) fn known_now(row: &FeedRow, mode: Mode, page: &[Item], stored: &StoredPage) -> Vec<i64> {
    if mode != Mode::Live {
        return Vec::new();
    }
    let is_new = |position: usize| match page[position].what {
        ItemData::Commit { .. } => !stored.twins.contains(&position),
        _ => is_news(row, page, stored, position),
    };
    let fresh = stored.fresh.iter();
    fresh
        .filter(|(position, _)| is_new(*position))
        .map(|(_, id)| *id)
        .collect()
}

/// Whether a new item is news. It is not if it is older than the feed's first poll, was committed long before it came by a
/// merge, or resembles a commit that was here before a rebase.
fn is_news(row: &FeedRow, page: &[Item], stored: &StoredPage, position: usize) -> bool {
    let item = &page[position];
    let at = item.at.map(|at| at.timestamp());
    match (&item.what, at) {
        (ItemData::Commit { .. }, at) => {
            let newest = page.iter().filter_map(|item| item.at).max();
            let polled = row.last_ok_at.map(|polled| match newest {
                Some(newest) if newest.timestamp() < polled - AHEAD_S => newest.timestamp(),
                _ => polled,
            });
            let merged = at
                .zip(polled)
                .is_some_and(|(at, last_ok_at)| at < last_ok_at - MERGED_AGE_S);
            !merged && !stored.twins.contains(&position)
        }
        (_, Some(at)) => row.floor_at.is_none_or(|floor_at| at >= floor_at),
        // Without dates a feed counts as newest first: an item below all known ones is older.
        (_, None) => {
            let is_fresh = |other: usize| stored.fresh.iter().any(|(fresh, _)| *fresh == other);
            let below_the_known = (0..position).any(|other| !is_fresh(other));
            let above_some_known = (position + 1..page.len()).any(|other| !is_fresh(other));
            !below_the_known || above_some_known
        }
    }
}

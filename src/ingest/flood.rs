//! Limits the number of new items in one poll of a plain feed. Otherwise a feed that changes all its ids, or never ends, would
//! fill the database and every channel.

use super::poll_end::PolledFeed;
use crate::source::{Page, Walk};
use crate::store::{Store, items};

/// Removes the oldest new items of a page beyond the feed's `new_max`. The walk records them as a gap, and skips them as long as
/// the document shows them.
pub(super) async fn limit_new_items(
    store: &Store,
    feed: &PolledFeed,
    walk: &mut Walk,
    page: &mut Page,
) -> anyhow::Result<()> {
    let Walk::Feed(walk) = walk else {
        return Ok(());
    };
    let new_max = feed.config.new_max;
    // A small page needs no query.
    if page.items.len() <= new_max {
        return Ok(());
    }
    let mut new = items::new_here(store.read(), feed.row.id, &page.items).await?;
    if new.len() <= new_max {
        return Ok(());
    }
    // The newest first. A feed without dates is taken to be in that order.
    new.sort_by_key(|&position| std::cmp::Reverse(page.items[position].at));
    walk.leave_out(page, &new[new_max..], new.len());
    Ok(())
}

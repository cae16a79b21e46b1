//! Bounds the number of new items in one poll of a plain feed. Otherwise a feed that changes all its ids, or never ends, would
//! fill the database and every channel.

use super::Ingest;
use crate::config::FeedConfig;
use crate::source::{Page, Walk};
use crate::store::feeds::FeedRow;
use crate::store::items;

impl Ingest {
    /// Removes the oldest new items of a page beyond the feed's `new_max`. The walk records them as a gap, and skips them as
    /// long as the document shows them.
    pub(super) async fn bound_flood(
        &self,
        row: &FeedRow,
        config: &FeedConfig,
        walk: &mut Walk,
        page: &mut Page,
    ) -> anyhow::Result<()> {
        let Walk::Feed(walk) = walk else {
            return Ok(());
        };
        // A small page needs no query.
        if page.items.len() <= config.new_max {
            return Ok(());
        }
        let mut new = items::new_here(self.store.read(), row.id, &page.items).await?;
        if new.len() <= config.new_max {
            return Ok(());
        }
        // The newest first; without dates a feed is taken to be newest first.
        new.sort_by_key(|&position| std::cmp::Reverse(page.items[position].at));
        walk.leave_out(page, &new[config.new_max..], new.len());
        Ok(())
    }
}

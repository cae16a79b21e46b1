//! How much one poll of a plain feed may bring: a feed that gives everything a new identity, or never ends, would otherwise
//! fill the database and every channel.

use super::Ingest;
use crate::config::FeedConfig;
use crate::source::{Page, Walk};
use crate::store::feeds::FeedRow;
use crate::store::items;

impl Ingest {
    /// Takes out of a page what is new beyond the feed's `new_max`, the oldest of it. The walk records it as a gap, and
    /// passes it over for as long as the document shows it.
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
        // What a document cannot hold needs no question.
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

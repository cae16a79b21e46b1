//! The cursors of feeds, and how many items each has shown.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::Tx;

/// The cursors of some feeds within a transaction. [`Progress::save`] writes the changes.
#[derive(Debug, Default)]
pub struct Progress {
    stand_at: HashMap<i64, Option<String>>,
    put: HashMap<i64, Put>,
}

/// The changes of one feed.
#[derive(Debug, Default, Serialize)]
struct Put {
    cursor: Option<String>,
    items: u64,
    is_seeded: bool,
    floor_at: Option<i64>,
}

impl Progress {
    /// Reads these feeds.
    pub async fn of(tx: &mut Tx, feeds: &[i64]) -> anyhow::Result<Self> {
        let mut progress = Self::default();
        if !feeds.is_empty() {
            let feeds = serde_json::to_string(feeds)?;
            let rows = sqlx::query!(
                "SELECT id, cursor FROM feeds WHERE id IN (SELECT value FROM json_each($1))",
                feeds
            )
            .fetch_all(&mut **tx)
            .await
            .context("asking where polling stands")?;
            let rows = rows.into_iter().map(|row| (row.id, row.cursor));
            progress.stand_at.extend(rows);
        }
        Ok(progress)
    }

    /// Whether a feed's cursor is still `was`. It is not if another poll of the feed finished in between.
    pub fn stands_at(&self, feed: i64, was: Option<&str>) -> bool {
        let stands_at = self.stand_at.get(&feed);
        stands_at.is_some_and(|cursor| cursor.as_deref() == was)
    }

    /// Sets the cursor.
    pub fn put_cursor(&mut self, feed: i64, cursor: String) {
        self.stand_at.insert(feed, Some(cursor.clone()));
        self.put.entry(feed).or_default().cursor = Some(cursor);
    }

    /// Counts items that the feed had not shown before.
    pub fn count_items(&mut self, feed: i64, items: u64) {
        if items > 0 {
            self.put.entry(feed).or_default().items += items;
        }
    }

    /// Records the first successful poll; `floor_at` is the oldest date it showed, unix seconds. A feed that had one
    /// keeps it.
    pub fn put_seed(&mut self, feed: i64, floor_at: Option<i64>) {
        let put = self.put.entry(feed).or_default();
        (put.is_seeded, put.floor_at) = (true, floor_at);
    }

    /// Writes the changes.
    pub async fn save(self, tx: &mut Tx, now: DateTime<Utc>) -> anyhow::Result<()> {
        if self.put.is_empty() {
            return Ok(());
        }
        let (rows, now) = (serde_json::to_string(&self.put)?, now.timestamp());
        sqlx::query!(
            "UPDATE feeds SET cursor = COALESCE(j.value ->> 'cursor', cursor),
                              items = items + (j.value ->> 'items'),
                              floor_at = iif(j.value ->> 'is_seeded' AND seeded_at IS NULL, j.value ->> 'floor_at', floor_at),
                              seeded_at = iif(j.value ->> 'is_seeded', COALESCE(seeded_at, $2), seeded_at)
             FROM json_each($1) j WHERE feeds.id = CAST(j.key AS INTEGER)",
            rows,
            now
        )
        .execute(&mut **tx)
        .await
        .context("recording where polling stands")?;
        Ok(())
    }
}

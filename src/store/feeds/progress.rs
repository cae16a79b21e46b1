//! Where reading of feeds stands, and how many items each has shown.

use std::collections::HashMap;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::store::Tx;

/// How far some feeds are read, in a transaction; [`Progress::save`] keeps what was put in.
#[derive(Debug, Default)]
pub struct Progress {
    stand_at: HashMap<i64, Option<String>>,
    put: HashMap<i64, Put>,
}

/// What is new of a feed.
#[derive(Debug, Default, Serialize)]
struct Put {
    cursor: Option<String>,
    items: u64,
    is_seeded: bool,
    floor_at: Option<i64>,
}

impl Progress {
    /// That of these feeds.
    ///
    /// # Errors
    ///
    /// When the database fails.
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

    /// Whether a feed still stands at `was`; elsewhere it does once another poll of it came in between.
    pub fn stands_at(&self, feed: i64, was: Option<&str>) -> bool {
        let stands_at = self.stand_at.get(&feed);
        stands_at.is_some_and(|cursor| cursor.as_deref() == was)
    }

    /// Polling of a feed stands there now.
    pub fn put_cursor(&mut self, feed: i64, cursor: String) {
        self.stand_at.insert(feed, Some(cursor.clone()));
        self.put.entry(feed).or_default().cursor = Some(cursor);
    }

    /// So many items were not seen in a feed before.
    pub fn count_items(&mut self, feed: i64, items: u64) {
        if items > 0 {
            self.put.entry(feed).or_default().items += items;
        }
    }

    /// A feed's first poll went well; `floor_at` is the oldest date it showed, unix seconds. Of one that had a first poll
    /// before, that stays.
    pub fn put_seed(&mut self, feed: i64, floor_at: Option<i64>) {
        let put = self.put.entry(feed).or_default();
        (put.is_seeded, put.floor_at) = (true, floor_at);
    }

    /// Records what was put in.
    ///
    /// # Errors
    ///
    /// When the database fails.
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

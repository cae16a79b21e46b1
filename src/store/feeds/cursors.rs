//! Where polling stands.

use std::collections::HashMap;

use anyhow::Context as _;

use crate::store::Tx;

/// Where polling of some feeds stands, in a transaction.
#[derive(Debug)]
pub struct Cursors {
    stand_at: HashMap<i64, Option<String>>,
    put: HashMap<i64, String>,
}

impl Cursors {
    /// Those of these feeds.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn of(tx: &mut Tx, feeds: impl Iterator<Item = i64>) -> anyhow::Result<Self> {
        let (feeds, put) = (feeds.collect::<Vec<_>>(), HashMap::new());
        let mut stand_at = HashMap::new();
        if !feeds.is_empty() {
            let feeds = serde_json::to_string(&feeds)?;
            let rows = sqlx::query!(
                "SELECT id, cursor FROM feeds WHERE id IN (SELECT value FROM json_each($1))",
                feeds
            )
            .fetch_all(&mut **tx)
            .await
            .context("asking where polling stands")?;
            stand_at.extend(rows.into_iter().map(|row| (row.id, row.cursor)));
        }
        Ok(Self { stand_at, put })
    }

    /// Whether a feed still stands at `was`; elsewhere it does once another poll of it came in between.
    pub fn stands_at(&self, feed: i64, was: Option<&str>) -> bool {
        let stands_at = self.stand_at.get(&feed);
        stands_at.is_some_and(|cursor| cursor.as_deref() == was)
    }

    /// Polling of a feed stands there now; [`Cursors::save`] keeps that.
    pub fn put(&mut self, feed: i64, cursor: String) {
        self.stand_at.insert(feed, Some(cursor.clone()));
        self.put.insert(feed, cursor);
    }

    /// Records what was put.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn save(self, tx: &mut Tx) -> anyhow::Result<()> {
        if self.put.is_empty() {
            return Ok(());
        }
        let rows = serde_json::to_string(&self.put.into_iter().collect::<Vec<_>>())?;
        sqlx::query!(
            "UPDATE feeds SET cursor = j.value ->> 1 FROM json_each($1) j WHERE feeds.id = j.value ->> 0",
            rows
        )
        .execute(&mut **tx)
        .await
        .context("recording where polling stands")?;
        Ok(())
    }
}

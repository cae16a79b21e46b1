//! Storage of texts: concatenated, in rows that fill one page of the database each.

use anyhow::Context as _;

use super::columns::{TextLocation, compress};
use crate::item::Item;
use crate::store::Tx;
use crate::store::packed::EndToEnd;

/// Bytes in a shared row. With SQLite's own header, such a row fills a page of 8,192 bytes.
const ROW_BYTES: usize = 8_152;
/// The distance between two rows in `items.text_at`.
const ROW: i64 = 8_192;

/// The last shared row, and the bytes used in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastTextRow {
    pub(super) row: i64,
    pub(super) bytes: usize,
}

/// Texts to be appended.
pub(super) struct NewTexts {
    last: LastTextRow,
    bodies: EndToEnd,
    /// Pieces of `bodies` by row: where each begins, and its length in bytes.
    pieces: Vec<(i64, usize, usize)>,
}

impl NewTexts {
    pub(super) fn behind(last: LastTextRow) -> Self {
        Self {
            last,
            bodies: EndToEnd::default(),
            pieces: Vec::new(),
        }
    }

    /// Adds the text of an item. An empty item gets no location.
    pub(super) fn put(&mut self, item: &Item) -> anyhow::Result<TextLocation> {
        if is_empty(item) {
            return Ok(TextLocation::default());
        }
        let body = compress(item)?;
        if self.last.bytes >= ROW_BYTES {
            self.begin_row();
        }
        let at = self.last.row * ROW + i64::try_from(self.last.bytes)?;
        let room = ROW_BYTES - self.last.bytes;
        // A text may not span more than two rows, so a long one makes its second row longer than the others.
        let (head, tail) = body.split_at(room.min(body.len()));
        self.put_piece(head);
        if !tail.is_empty() {
            self.begin_row();
            self.put_piece(tail);
        }
        Ok(TextLocation {
            at: Some(at),
            bytes: Some(i64::try_from(body.len())?),
        })
    }

    fn begin_row(&mut self) {
        self.last = LastTextRow {
            row: self.last.row + 1,
            bytes: 0,
        };
    }

    fn put_piece(&mut self, bytes: &[u8]) {
        let (at, len) = self.bodies.put(bytes);
        self.last.bytes += len;
        match self.pieces.last_mut() {
            Some((row, _, so_far)) if *row == self.last.row => *so_far += len,
            _ => self.pieces.push((self.last.row, at, len)),
        }
    }

    pub(super) async fn insert(self, tx: &mut Tx) -> anyhow::Result<()> {
        if self.pieces.is_empty() {
            return Ok(());
        }
        let pieces = serde_json::to_string(&self.pieces)?;
        sqlx::query!(
            "INSERT INTO texts (id, body)
             SELECT value ->> 0, substr($2, value ->> 1, value ->> 2) FROM json_each($1) WHERE true
             ON CONFLICT (id) DO UPDATE SET body = CAST(body || excluded.body AS BLOB)",
            pieces,
            self.bodies.0
        )
        .execute(&mut **tx)
        .await
        .context("storing texts")?;
        Ok(())
    }
}

/// Rewrites the text of an item into a row of its own, so that a text that changes at every poll does not grow the
/// database.
pub(super) async fn rewrite(tx: &mut Tx, id: i64, item: &Item) -> anyhow::Result<TextLocation> {
    let (row, body) = (-id, compress(item)?);
    sqlx::query!(
        "INSERT INTO texts (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
        row,
        body
    )
    .execute(&mut **tx)
    .await
    .context("storing a text again")?;
    Ok(TextLocation {
        at: Some(row * ROW),
        bytes: Some(i64::try_from(body.len())?),
    })
}

fn is_empty(item: &Item) -> bool {
    item.text.is_empty() && item.headers.is_empty()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::item::{Detail, ItemData, ItemKey, Linked, Person};
    use crate::store::Store;
    use crate::store::items::{put_items, text_of};

    /// A text of this many characters that compresses badly.
    fn article(number: usize, chars: usize) -> Item {
        let mut random = fastrand::Rng::with_seed((number * 100_000 + chars) as u64);
        Item {
            what: ItemData::Article {
                key: ItemKey::content(&number.to_string()),
                linked: Linked::default(),
                paid: None,
            },
            title: "On BPF".to_owned(),
            author: Person::default(),
            url: None,
            at: None,
            written_at: None,
            text: (0..chars).map(|_| random.alphanumeric()).collect(),
            headers: Vec::new(),
            detail: Detail::Entry,
        }
    }

    async fn put(store: &Store, items: &[Item]) {
        let mut tx = store.write().await.expect("nobody else writes");
        let stored = put_items(&mut tx, 1, items, DateTime::<Utc>::UNIX_EPOCH).await;
        assert!(!stored.expect("they fit").touched().is_empty());
        tx.commit().await.expect("room on the disk");
    }

    async fn number(store: &Store, question: &'static str) -> i64 {
        let mut reader = store.read().acquire().await.expect("a connection");
        sqlx::query_scalar(question)
            .fetch_one(&mut *reader)
            .await
            .expect(question)
    }

    #[tokio::test]
    async fn texts_of_all_lengths_lie_end_to_end_and_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("a.sqlite")).await;
        let store = store.expect("a new file");
        let mut tx = store.write().await.expect("nobody else writes");
        sqlx::query("INSERT INTO feeds (id, name, kind, added_at) VALUES (1, 'blog', 'feed', 0)")
            .execute(&mut *tx)
            .await
            .expect("a new name");
        tx.commit().await.expect("room on the disk");
        let mut random = fastrand::Rng::with_seed(1);
        let mut items = Vec::new();
        for number in 0..600 {
            // Most are short, some end at the end of a row, a few span one or more rows.
            let chars = match number % 10 {
                0 => 0,
                9 => random.usize(..40_000),
                8 => random.usize(10_000..11_500),
                _ => random.usize(1..2_500),
            };
            items.push(article(number, chars));
        }
        for page in items.chunks(7) {
            put(&store, page).await;
        }
        for (at, item) in items.iter().enumerate() {
            let text = text_of(store.read(), at as i64 + 1).await;
            assert_eq!(text.expect("it can be read"), item.text, "{at}");
        }
        // Every shared row but the last is full and contains everything that was written.
        let full =
            "SELECT MIN(length(body)) FROM texts WHERE id > 0 AND id < (SELECT MAX(id) FROM texts)";
        assert_eq!(number(&store, full).await, ROW_BYTES as i64);
        let more =
            "SELECT (SELECT SUM(length(body)) FROM texts) - (SELECT SUM(text_bytes) FROM items)";
        assert_eq!(number(&store, more).await, 0);

        let rows = "SELECT COUNT(*) FROM texts WHERE id < 0";
        for round in 0..20 {
            items[3] = article(3, 100 + round * 977);
            put(&store, &items[3..4]).await;
        }
        // Text for an item without any, none for one with text, and more detail, which is no rewording.
        (items[0], items[4]) = (article(0, 5_000), article(4, 0));
        items[5] = Item {
            detail: Detail::Whole,
            ..article(5, 9_000)
        };
        put(&store, &items[..6]).await;
        for (at, item) in items.iter().enumerate() {
            let text = text_of(store.read(), at as i64 + 1).await;
            assert_eq!(text.expect("it can be read"), item.text, "{at}");
        }
        assert_eq!(
            number(&store, rows).await,
            2,
            "a row each that was reworded"
        );
        assert_eq!(number(&store, full).await, ROW_BYTES as i64);
    }
}

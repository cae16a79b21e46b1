//! Items. Each is stored once, even if several feeds carry it.
//!
//! A fixed number of statements over JSON arrays stores a page of any length. `item_keys`, a small clustered index,
//! decides whether an item is known. Arrays with many columns are materialized first, or SQLite would serialize each
//! row again for each column.

mod columns;
mod known;
mod pages;
mod questions;
mod texts;

use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::Tx;
use crate::item::{Item, ItemKey};
use crate::story::reading::{EarlyReading, EarlyReadings};

pub(super) use self::columns::LINK;
pub use self::columns::day;
pub(super) use self::columns::unpack;
use self::columns::{TextLocation, aliases, free_on, print, row};
pub use self::known::{KnownPage, known_page, new_here};
use self::known::{known_items, says_more};
pub use self::pages::{PageItem, PageText, items_by_name, items_on_page, texts_on_page};
pub use self::questions::{
    ItemFilter, ItemRow, all_numbers, answer_missing_mails, kernel_releases, list_items, text_of,
};
use self::texts::{NewTexts, rewrite};

/// The result of storing a page.
#[derive(Debug, Default)]
pub struct StoredPage {
    /// New items: their positions on the page and their numbers, in the page's order.
    pub fresh: Vec<(usize, i64)>,
    /// The keys of the new items.
    pub fresh_keys: HashSet<ItemKey>,
    /// The numbers of known items that now have more detail or other words.
    pub changed: Vec<i64>,
    /// Positions of new items that resemble a stored one: rebased or picked commits.
    pub twins: HashSet<usize>,
    /// How many items of the page this feed had not shown before, and their keys.
    pub sighted: u64,
    pub new_here: HashSet<ItemKey>,
    /// The numbers of known items that this feed had not shown before.
    pub seen_again: Vec<i64>,
}

/// Items in memory by their numbers. Their text need not be read from the database, and its meaning not from the text.
pub type LoadedItems<'a> = HashMap<i64, LoadedItem<'a>>;

/// A new item as its page had it, and its reading from before the transaction.
#[derive(Debug, Clone, Copy)]
pub struct LoadedItem<'a> {
    pub item: &'a Item,
    pub reading: &'a EarlyReading,
}

impl StoredPage {
    /// The numbers of the items whose stories must be folded again.
    pub fn touched(&self) -> Vec<i64> {
        let fresh = self.fresh.iter().map(|(_, id)| id);
        let touched = fresh.chain(&self.changed).chain(&self.seen_again);
        touched.copied().collect()
    }

    /// Adds the new items of a stored page that were read, and removes those that have changed.
    pub fn add_loaded<'a>(
        &self,
        page: &'a [Item],
        readings: &'a EarlyReadings,
        at_hand: &mut LoadedItems<'a>,
    ) {
        let loaded = self.fresh.iter().filter_map(|(position, id)| {
            let (item, reading) = (&page[*position], readings.get(position)?);
            Some((*id, LoadedItem { item, reading }))
        });
        at_hand.extend(loaded);
        for changed in &self.changed {
            at_hand.remove(changed);
        }
    }
}

/// Stores a page of `feed`: inserts new items, adds sightings of known ones, updates changed ones.
/// [`super::feeds::Progress`] counts the feed's items.
pub async fn put_items(
    tx: &mut Tx,
    feed: i64,
    items: &[Item],
    now: DateTime<Utc>,
) -> anyhow::Result<StoredPage> {
    let mut stored = StoredPage::default();
    if items.is_empty() {
        return Ok(stored);
    }
    let known = known_items(tx, feed, items).await?;
    let mut next_id = known.next_id;
    let mut ids: HashMap<ItemKey, i64> = HashMap::new();
    let (mut new, mut sighted) = (NewItems::behind(known.last_text), Vec::new());
    for (position, item) in items.iter().enumerate() {
        let key = item.key();
        if let Some(known) = known.own.get(&position) {
            if says_more(item, known) {
                // More detail comes once or twice, but other words may come at every poll.
                let is_reworded = item.detail.code() == known.detail;
                let text = if known.has_text && is_reworded {
                    rewrite(tx, known.id, item).await?
                } else {
                    new.texts.put(item)?
                };
                update_item(tx, feed, known.id, item, text, now).await?;
                stored.changed.push(known.id);
            }
            if known.by_link {
                new.put_key(known.id, item.kind().code(), key.digest());
            }
            if !known.seen_here {
                sighted.push((known.id, key, print(item)));
            }
            continue;
        }
        if ids.contains_key(&key) {
            continue;
        }
        let id = next_id;
        next_id += 1;
        ids.insert(key.clone(), id);
        let text = new.texts.put(item)?;
        new.rows.push(row(id, item, &key, text, now));
        new.put_key(id, item.kind().code(), key.digest());
        for (kind, digest) in aliases(item) {
            new.put_key(id, kind, digest);
        }
        sighted.push((id, key.clone(), print(item)));
        if known.twins.contains(&position) {
            stored.twins.insert(position);
        }
        stored.fresh.push((position, id));
        stored.fresh_keys.insert(key);
    }
    new.insert(tx).await?;
    sight(tx, feed, &sighted).await?;
    let new_here: HashSet<i64> = sighted.iter().map(|(id, _, _)| *id).collect();
    stored.sighted = u64::try_from(new_here.len())?;
    let fresh: HashSet<i64> = stored.fresh.iter().map(|(_, id)| *id).collect();
    let again = new_here.iter().filter(|id| !fresh.contains(id));
    stored.seen_again.extend(again);
    stored.new_here = sighted.into_iter().map(|(_, key, _)| key).collect();
    Ok(stored)
}

/// The rows to insert.
struct NewItems {
    rows: Vec<serde_json::Value>,
    keys: Vec<(i64, i64)>,
    /// Digests of the keys, 16 bytes each.
    digests: Vec<u8>,
    texts: NewTexts,
}

impl NewItems {
    fn behind(last_text: texts::LastTextRow) -> Self {
        Self {
            rows: Vec::new(),
            keys: Vec::new(),
            digests: Vec::new(),
            texts: NewTexts::behind(last_text),
        }
    }

    fn put_key(&mut self, item: i64, kind: i64, digest: [u8; 16]) {
        self.keys.push((item, kind));
        self.digests.extend(digest);
    }

    async fn insert(self, tx: &mut Tx) -> anyhow::Result<()> {
        self.texts.insert(tx).await?;
        if !self.rows.is_empty() {
            let rows = serde_json::to_string(&self.rows)?;
            sqlx::query!(
                "WITH j (v) AS MATERIALIZED (SELECT value FROM json_each($1))
                 INSERT INTO items (id, kind, ref, title, author, email, at, written_at, seen_at, url, parent, free_on, detail,
                                    text_at, text_bytes)
                 SELECT v ->> 0, v ->> 1, v ->> 2, v ->> 3, v ->> 4, v ->> 5, v ->> 6, v ->> 7, v ->> 8, v ->> 9,
                        unhex(v ->> 10), v ->> 11, v ->> 12, v ->> 13, v ->> 14
                 FROM j",
                rows
            )
            .execute(&mut **tx)
            .await
            .context("storing items")?;
        }
        if self.keys.is_empty() {
            return Ok(());
        }
        let keys = serde_json::to_string(&self.keys)?;
        // An alias may belong to another item already, which keeps it. An item's own key is free: it was just looked
        // up.
        sqlx::query!(
            "INSERT INTO item_keys (item_id, kind, digest)
             SELECT value ->> 0, value ->> 1, substr($2, 1 + 16 * key, 16) FROM json_each($1) WHERE true
             ON CONFLICT DO NOTHING",
            keys,
            self.digests
        )
        .execute(&mut **tx)
        .await
        .context("storing item keys")?;
        Ok(())
    }
}

/// Records the first sighting of each item in a feed, and its wording there.
async fn sight(
    tx: &mut Tx,
    feed: i64,
    shown: &[(i64, ItemKey, Option<i64>)],
) -> anyhow::Result<()> {
    if shown.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = shown.iter().map(|(id, _, print)| (id, print)).collect();
    let shown = serde_json::to_string(&shown)?;
    // An item may be on a page twice, by its key or by its link; the first wording counts.
    sqlx::query!(
        "INSERT INTO sightings (item_id, feed_id, print)
         SELECT value ->> 0, $2, value ->> 1 FROM json_each($1) WHERE true ON CONFLICT DO NOTHING",
        shown,
        feed
    )
    .execute(&mut **tx)
    .await
    .context("storing sightings")?;
    Ok(())
}

/// Records that these items, and these sightings of known ones, came now. A published issue cannot contain them, so
/// the time is never before its end, even if the clock was set back.
pub async fn mark_known(
    tx: &mut Tx,
    feed: i64,
    items: &[i64],
    seen_again: &[i64],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    if !items.is_empty() {
        let items = serde_json::to_string(items)?;
        sqlx::query!(
            "UPDATE items SET known_at = MAX($2, (SELECT COALESCE(MAX(to_at), 0) FROM issues))
             WHERE id IN (SELECT value FROM json_each($1))",
            items,
            now
        )
        .execute(&mut **tx)
        .await
        .context("keeping when items became known")?;
    }
    if !seen_again.is_empty() {
        let seen = serde_json::to_string(seen_again)?;
        sqlx::query!(
            "UPDATE sightings SET seen_at = MAX($3, (SELECT COALESCE(MAX(to_at), 0) FROM issues))
             WHERE feed_id = $2 AND item_id IN (SELECT value FROM json_each($1))",
            seen,
            feed,
            now
        )
        .execute(&mut **tx)
        .await
        .context("keeping when items were seen again")?;
    }
    Ok(())
}

/// Records when a feed was last read whole without these items.
pub async fn mark_absent(
    tx: &mut Tx,
    feed: i64,
    items: &[i64],
    last_read_at: i64,
) -> anyhow::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let items = serde_json::to_string(items)?;
    sqlx::query!(
        "UPDATE sightings SET absent_at = $3
         WHERE feed_id = $1 AND item_id IN (SELECT value FROM json_each($2)) AND absent_at IS NULL",
        feed,
        items,
        last_read_at
    )
    .execute(&mut **tx)
    .await
    .context("keeping when a feed did not have items yet")?;
    Ok(())
}

async fn update_item(
    tx: &mut Tx,
    feed: i64,
    id: i64,
    item: &Item,
    text: TextLocation,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (written_at, detail) = (item.written_at.map(|at| at.timestamp()), item.detail.code());
    let (title, name, email, free_on) = (
        &item.title,
        &item.author.name,
        &item.author.email,
        free_on(item),
    );
    let now = now.timestamp();
    // A known free day stays. As in `mark_known`, a published issue cannot contain the change.
    sqlx::query!(
        "UPDATE items SET title = $2, author = $3, email = $4, written_at = COALESCE($5, written_at),
                freed_at = CASE WHEN $6 IS NULL AND free_on IS NOT NULL
                                THEN COALESCE(freed_at, MAX($8, (SELECT COALESCE(MAX(to_at), 0) FROM issues))) END,
                free_on = COALESCE($6, free_on), detail = $7, text_at = $9, text_bytes = $10
         WHERE id = $1",
        id,
        title,
        name,
        email,
        written_at,
        free_on,
        detail,
        now,
        text.at,
        text.bytes
    )
    .execute(&mut **tx)
    .await
    .context("updating an item")?;
    let print = print(item);
    sqlx::query!(
        "UPDATE sightings SET print = $3 WHERE item_id = $1 AND feed_id = $2",
        id,
        feed,
        print
    )
    .execute(&mut **tx)
    .await?;
    for (kind, digest) in aliases(item) {
        let digest = digest.as_slice();
        sqlx::query!(
            "INSERT INTO item_keys (item_id, kind, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            id,
            kind,
            digest
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

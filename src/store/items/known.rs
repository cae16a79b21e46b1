//! Finds the items of a page that are already stored, with one query however long the page is.

use std::collections::{HashMap, HashSet};
use std::iter;

use anyhow::Context as _;
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::columns::{LINK, SUBJECT, TWIN, aliases, linked, print};
use super::texts::LastTextRow;
use crate::item::{Detail, Item, Linked};
use crate::store::Readers;

/// Two commits of one author and subject count as one rebased commit if they are at most this far apart.
const REBASE_S_MAX: i64 = 60 * 86_400;

pub(super) struct KnownItem {
    pub(super) id: i64,
    pub(super) detail: i64,
    /// The hash of this feed's last wording; `None` if it never showed the item.
    print: Option<i64>,
    /// Only the link matched: another feed, or this one until now, uses another guid.
    pub(super) by_link: bool,
    pub(super) seen_here: bool,
    pub(super) has_text: bool,
}

/// The stored data of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KnownPage {
    /// Whether some item is not stored exactly as the feed shows it now.
    pub has_news: bool,
    /// The positions of items that no feed has shown.
    pub unknown: Vec<usize>,
}

/// Looks up the items of a page that `feed` shows.
pub async fn known_page(readers: &Readers, feed: i64, items: &[Item]) -> anyhow::Result<KnownPage> {
    if items.is_empty() {
        return Ok(KnownPage::default());
    }
    let known = known_items(&mut *readers.acquire().await?, feed, items).await?;
    let is_new = |(position, item): (usize, &Item)| match known.own.get(&position) {
        Some(known) => !known.seen_here || known.by_link || says_more(item, known),
        None => true,
    };
    let unknown = (0..items.len()).filter(|position| !known.own.contains_key(position));
    Ok(KnownPage {
        has_news: items.iter().enumerate().any(is_new),
        unknown: unknown.collect(),
    })
}

/// The positions of items that this feed has not shown before.
pub async fn new_here(readers: &Readers, feed: i64, items: &[Item]) -> anyhow::Result<Vec<usize>> {
    let known = known_items(&mut *readers.acquire().await?, feed, items).await?;
    let is_new = |position: &usize| !known.own.get(position).is_some_and(|known| known.seen_here);
    Ok((0..items.len()).filter(is_new).collect())
}

/// The known items of a page, by position.
pub(super) struct KnownItems {
    pub(super) own: HashMap<usize, KnownItem>,
    /// Items that resemble a stored one.
    pub(super) twins: HashSet<usize>,
    pub(super) next_id: i64,
    /// New texts go after this one.
    pub(super) last_text: LastTextRow,
}

/// A key of the page that is known. Deserialized from an array in this order.
#[derive(Deserialize)]
struct KnownKey {
    /// The index of the key in the query.
    key: usize,
    kind: i64,
    id: i64,
    detail: i64,
    at: i64,
    print: Option<i64>,
    /// The item, if this feed has shown it before.
    seen_here: Option<i64>,
    text_at: Option<i64>,
}

/// Looks up the items of a page, by position.
pub(super) async fn known_items(
    database: &mut SqliteConnection,
    feed: i64,
    items: &[Item],
) -> anyhow::Result<KnownItems> {
    // The digests are concatenated; SQLite counts bytes from 1.
    let (mut positions, mut kinds, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (position, item) in items.iter().enumerate() {
        let own = (item.kind().code(), item.key().digest());
        for (kind, digest) in iter::once(own).chain(aliases(item)) {
            positions.push(position);
            kinds.push(kind);
            digests.extend(digest);
        }
    }
    let kinds = serde_json::to_string(&kinds)?;
    // A single row, because each row costs a message from SQLite's thread.
    let answer = sqlx::query!(
        r#"SELECT json_group_array(json_array(j.key, k.kind, i.id, i.detail, i.at, s.print, s.item_id,
                                           i.text_at)) AS "found!: String",
                  (SELECT COALESCE(MAX(id), 0) + 1 FROM items) AS "next_id!: i64",
                  (SELECT json_array(id, length(body)) FROM texts WHERE id > 0 ORDER BY id DESC LIMIT 1) AS "last_text: String"
           FROM json_each($1) j
           CROSS JOIN item_keys k ON k.kind = CAST(j.value AS INTEGER) AND k.digest = substr($2, 1 + 16 * j.key, 16)
           CROSS JOIN items i ON i.id = k.item_id
           LEFT JOIN sightings s ON s.item_id = i.id AND s.feed_id = $3"#,
        kinds,
        digests,
        feed
    )
    .fetch_one(database)
    .await
    .context("asking which items are known")?;
    let found: Vec<KnownKey> =
        serde_json::from_str(&answer.found).context("reading which items are known")?;
    let (row, bytes) = match &answer.last_text {
        Some(last) => serde_json::from_str(last).context("reading where the last text lies")?,
        None => (1, 0),
    };
    let mut known = KnownItems {
        own: HashMap::new(),
        twins: HashSet::new(),
        next_id: answer.next_id,
        last_text: LastTextRow { row, bytes },
    };
    let mut linked_to = HashSet::new();
    for row in found {
        let (position, seen_here) = (positions[row.key], row.seen_here.is_some());
        if row.kind == TWIN {
            known.twins.insert(position);
            continue;
        }
        // cgit's log pages have no author dates, so within one tree author and subject must do.
        if row.kind == SUBJECT {
            let item = &items[position];
            let at = item.at.map_or(row.at, |at| at.timestamp());
            let is_near = (at - row.at).abs() <= REBASE_S_MAX;
            // Merges of one tree into another always have the same subject.
            let is_merge = item.title.starts_with("Merge ");
            if item.detail == Detail::Brief && seen_here && is_near && !is_merge {
                known.twins.insert(position);
            }
            continue;
        }
        // A shared link means the same article, in any feed and under any guid. But if a feed has several articles
        // with one link, their guids distinguish them.
        let is_apart = seen_here && linked(&items[position]) != Linked::Own;
        if row.kind == LINK && (is_apart || known.own.contains_key(&position)) {
            continue;
        }
        if row.kind == LINK && !linked_to.insert(row.id) {
            continue;
        }
        known.own.insert(
            position,
            KnownItem {
                id: row.id,
                detail: row.detail,
                print: row.print,
                by_link: row.kind == LINK,
                seen_here,
                has_text: row.text_at.is_some(),
            },
        );
    }
    Ok(known)
}

/// Whether an item should be updated: it has more detail now, or this feed changed its wording. Another feed's
/// wording is ignored, or the two would overwrite each other at every poll.
pub(super) fn says_more(item: &Item, known: &KnownItem) -> bool {
    item.detail.code() > known.detail
        || (item.detail.code() == known.detail
            && known.print.is_some()
            && known.print != print(item))
}

//! Queries about stored items.

use std::collections::HashSet;

use anyhow::Context as _;
use chrono::DateTime;

use super::columns::unpack;
use crate::item::ItemKind;
use crate::store::{Database, Readers, Tx};
use crate::story::kernel::{KernelBranch, KernelRelease, read_title};

/// The most releases that are read: some ten years of them.
const RELEASES_MAX: i64 = 5_000;

/// An item as lists show it. Times are unix seconds.
#[derive(Debug, Clone)]
pub struct ItemRow {
    pub id: i64,
    pub kind: i64,
    /// Commit hash, Message-ID or key.
    pub reference: String,
    pub title: String,
    pub author: String,
    pub email: String,
    /// When it became news.
    pub at: i64,
    /// The page for people, if the item names one.
    pub url: Option<String>,
    /// Days since 1970 until which it is paid; -1 if that is unknown. `None` if it is free.
    pub free_on: Option<i64>,
    /// The feeds that showed it, a JSON array of `{name, kind, url}` in the order they were added.
    pub feeds: String,
}

/// The prose of an item.
pub async fn text_of(readers: &Readers, item: i64) -> anyhow::Result<String> {
    let row = sqlx::query!(
        r#"SELECT head AS "head: Vec<u8>", tail AS "tail: Vec<u8>" FROM whole_items WHERE id = $1"#,
        item
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await?;
    let Some(row) = row else {
        return Ok(String::new());
    };
    Ok(unpack(row.head, row.tail)?.1)
}

/// The numbers of all items, in the order of arrival.
pub async fn all_numbers(readers: &Readers) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar!("SELECT id FROM items ORDER BY id")
        .fetch_all(&mut *readers.acquire().await?)
        .await
        .context("listing all items")
}

/// The kernel's releases that are stored, by time. Needs a feed of kernel releases: see
/// [`read_title`].
pub async fn kernel_releases(mut database: Database<'_>) -> anyhow::Result<Vec<KernelRelease>> {
    // 4 is the code of a release; the index has no others.
    let rows = sqlx::query!(
        r#"SELECT title AS "title!", at AS "at!" FROM items INDEXED BY items_releases
           WHERE kind = 4 AND title GLOB '*[0-9].[0-9]*: [mls]*' ORDER BY at DESC, id DESC LIMIT $1"#,
        RELEASES_MAX
    )
    .fetch_all(&mut *database.acquire().await?)
    .await
    .context("asking for the kernel's releases")?;
    let mut releases: Vec<KernelRelease> = rows
        .iter()
        .filter_map(|row| release(&row.title, row.at))
        .collect();
    releases.reverse();
    // A release of mainline is listed again as the first one of its stable series.
    let mut known = HashSet::new();
    releases.retain(|release| known.insert(release.version));
    Ok(releases)
}

fn release(title: &str, at: i64) -> Option<KernelRelease> {
    let (version, branch) = read_title(title)?;
    let is_sound = branch == KernelBranch::Mainline || version.candidate.is_none();
    is_sound.then_some(())?;
    Some(KernelRelease {
        version,
        at: DateTime::from_timestamp(at, 0)?,
    })
}

/// Whether any of these items answers a mail that is not stored.
pub async fn answer_missing_mails(tx: &mut Tx, items: &[i64]) -> anyhow::Result<bool> {
    let (items, kind) = (serde_json::to_string(items)?, ItemKind::Message.code());
    let ghosts = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "ghosts!: i64" FROM json_each($1) j CROSS JOIN items i ON i.id = j.value
           WHERE i.parent IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM item_keys k WHERE k.kind = $2 AND k.digest = i.parent)"#,
        items,
        kind
    )
    .fetch_one(&mut **tx)
    .await
    .context("asking for mails above that are not here")?;
    Ok(ghosts > 0)
}

/// A filter for items; `None` matches everything.
#[derive(Debug, Clone, Default)]
pub struct ItemFilter {
    pub feed: Option<String>,
    pub kind: Option<ItemKind>,
    /// At or after, unix seconds.
    pub since: Option<i64>,
    /// Before, unix seconds.
    pub until: Option<i64>,
    pub most: i64,
}

/// Items, newest first, at most `filter.most`, that come before `before` (time and number of the last item shown).
pub async fn list_items(
    readers: &Readers,
    filter: &ItemFilter,
    before: Option<(i64, i64)>,
) -> anyhow::Result<Vec<ItemRow>> {
    let kind = filter.kind.map(ItemKind::code);
    let (before_at, before_id) = before.unwrap_or((i64::MAX, i64::MAX));
    sqlx::query_as!(
        ItemRow,
        r#"SELECT i.id, i.kind, i.ref AS reference, i.title, i.author, i.email, i.at, i.url,
               iif(i.freed_at IS NULL, i.free_on, NULL) AS "free_on: i64",
               (SELECT json_group_array(json_object('name', f.name, 'kind', f.kind, 'url', f.url) ORDER BY f.id)
                FROM sightings s JOIN feeds f ON f.id = s.feed_id WHERE s.item_id = i.id) AS "feeds!: String"
           FROM items i
           WHERE ($1 IS NULL OR EXISTS (SELECT 1 FROM sightings s JOIN feeds f ON f.id = s.feed_id
                                        WHERE s.item_id = i.id AND f.name = $1))
             AND ($2 IS NULL OR i.kind = $2) AND ($3 IS NULL OR i.at >= $3) AND ($4 IS NULL OR i.at < $4)
             AND i.at <= $5 AND (i.at < $5 OR i.id < $6)
           ORDER BY i.at DESC, i.id DESC LIMIT $7"#,
        filter.feed,
        kind,
        filter.since,
        filter.until,
        before_at,
        before_id,
        filter.most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing items")
}

//! Items: each kept once, whichever feeds carry it.
//!
//! One page of a feed is stored by a handful of statements over JSON arrays, so their number does not grow with the
//! page, and whether an entry is known is asked of `item_keys` alone, a small clustered index.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use anyhow::Context as _;
use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::SqlitePool;

use super::Tx;
use crate::item::link::canonical_link;
use crate::item::{Detail, Item, ItemKey, Kind, What, hex};

/// The number in `item_keys` that stands for what a commit is known by when it was rebased or picked.
const TWIN: i64 = 10;
/// The number in `item_keys` that stands for the author and subject of a commit.
const SUBJECT: i64 = 12;
/// How far apart two commits of one author and subject may be for the later to be the earlier one, rebased.
const REBASE_S_MAX: i64 = 60 * 86_400;
/// The number in `item_keys` that stands for where an article links to.
const LINK: i64 = 11;
/// How far a date may lie in the future before it is not believed; clocks differ.
const FUTURE_S_MAX: i64 = 86_400;
/// zstd's own default: higher ones save 2 % of such short texts and take twice as long.
const COMPRESSION_LEVEL: i32 = 3;

/// What storing a page did.
#[derive(Debug, Default)]
pub struct Stored {
    /// The items that were new, as the positions on the page and their numbers, in the page's order.
    pub fresh: Vec<(usize, i64)>,
    /// The keys of those.
    pub fresh_keys: HashSet<ItemKey>,
    /// Positions of new items that resemble one that was there: a rebased or picked commit.
    pub twins: HashSet<usize>,
    /// How many items were known but said something else now.
    pub changed: usize,
    /// How many of the page's items this feed had not shown before, and their keys.
    pub sighted: u64,
    /// See `sighted`.
    pub new_here: HashSet<ItemKey>,
}

/// An item as lists show it. Times are unix seconds.
#[derive(Debug, Clone)]
pub struct ItemRow {
    /// Its number.
    pub id: i64,
    /// Its kind's number.
    pub kind: i64,
    /// Commit hash, Message-ID or key.
    pub reference: String,
    /// Its title.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// Their address.
    pub email: String,
    /// When it became news.
    pub at: i64,
    /// Where a person reads it, if it says so itself.
    pub url: Option<String>,
    /// Days since 1970 until which it is paid; -1: paid, nobody knows how long.
    pub free_on: Option<i64>,
    /// The feeds that showed it, a JSON array of `{name, kind, url}` in the order they were added.
    pub feeds: String,
}

/// Headers and prose, as they are compressed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Text<'a> {
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    #[serde(rename = "t")]
    text: std::borrow::Cow<'a, str>,
}

struct Known {
    id: i64,
    detail: i64,
    /// What this feed said of it last time; `None` where it never did.
    print: Option<i64>,
    /// It is known by its link alone: another feed names it otherwise.
    by_link: bool,
    /// This feed has shown it before.
    seen_here: bool,
}

/// Stores a page of `feed`: new items are inserted, known ones sighted, changed ones updated.
pub async fn put_items(
    tx: &mut Tx,
    feed: i64,
    items: &[Item],
    now: DateTime<Utc>,
) -> anyhow::Result<Stored> {
    let mut stored = Stored::default();
    if items.is_empty() {
        return Ok(stored);
    }
    let known = known_items(tx, feed, items).await?;
    // Nearly every poll meets only what is known and was seen here: that must cost one question and no write.
    let mut next_id = match known.own.len() == items.len() {
        true => 0,
        false => next_id(tx).await?,
    };
    let mut ids: HashMap<ItemKey, i64> = HashMap::new();
    let (mut rows, mut keys, mut texts, mut sighted) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (position, item) in items.iter().enumerate() {
        let key = item.key();
        if let Some(known) = known.own.get(&position) {
            if says_more(item, known) {
                update_item(tx, feed, known.id, item).await?;
                stored.changed += 1;
            }
            if known.by_link {
                keys.push(json!([known.id, item.kind().code(), hex(&key.digest())]));
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
        rows.push(row(id, item, &key, now));
        keys.push(json!([id, item.kind().code(), hex(&key.digest())]));
        keys.extend(
            aliases(item)
                .into_iter()
                .map(|(kind, digest)| json!([id, kind, hex(&digest)])),
        );
        texts.push(json!([id, hex(&compress(item)?)]));
        sighted.push((id, key.clone(), print(item)));
        if known.twins.contains(&position) {
            stored.twins.insert(position);
        }
        stored.fresh.push((position, id));
        stored.fresh_keys.insert(key);
    }
    insert(tx, &rows, &keys, &texts).await?;
    let new_here = sight(tx, feed, &sighted).await?;
    stored.sighted = u64::try_from(new_here.len())?;
    let shown = sighted.into_iter();
    stored.new_here = shown
        .filter(|(id, _, _)| new_here.contains(id))
        .map(|(_, key, _)| key)
        .collect();
    Ok(stored)
}

/// The number of the next item.
async fn next_id(tx: &mut Tx) -> anyhow::Result<i64> {
    sqlx::query_scalar!(r#"SELECT COALESCE(MAX(id), 0) + 1 AS "id!: i64" FROM items"#)
        .fetch_one(&mut **tx)
        .await
        .context("asking for the next item's number")
}

struct KnownItems {
    own: HashMap<usize, Known>,
    twins: HashSet<usize>,
}

/// Which of a page's items are known, by position.
async fn known_items(tx: &mut Tx, feed: i64, items: &[Item]) -> anyhow::Result<KnownItems> {
    let mut asked = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        asked.push(json!([
            position,
            item.kind().code(),
            hex(&item.key().digest())
        ]));
        asked.extend(
            aliases(item)
                .into_iter()
                .map(|(kind, digest)| json!([position, kind, hex(&digest)])),
        );
    }
    let asked = serde_json::to_string(&asked)?;
    let found = sqlx::query!(
        r#"SELECT CAST(j.value ->> 0 AS INTEGER) AS "position!: i64", k.kind AS "kind!: i64", i.id AS "id!: i64",
                  i.detail AS "detail!: i64", i.at AS "at!: i64", s.print AS "print: i64",
                  s.item_id IS NOT NULL AS "seen_here!: bool"
           FROM json_each($1) j
           CROSS JOIN item_keys k ON k.kind = CAST(j.value ->> 1 AS INTEGER) AND k.digest = unhex(j.value ->> 2)
           CROSS JOIN items i ON i.id = k.item_id
           LEFT JOIN sightings s ON s.item_id = i.id AND s.feed_id = $2"#,
        asked,
        feed
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking which items are known")?;
    let mut known = KnownItems {
        own: HashMap::new(),
        twins: HashSet::new(),
    };
    let mut linked = HashSet::new();
    for row in found {
        let position = usize::try_from(row.position)?;
        if row.kind == TWIN {
            known.twins.insert(position);
            continue;
        }
        // A page of cgit's log tells no author dates: in the tree itself, author and subject must do.
        if row.kind == SUBJECT {
            let item = &items[position];
            let at = item.at.map_or(row.at, |at| at.timestamp());
            let is_near = (at - row.at).abs() <= REBASE_S_MAX;
            if item.detail == Detail::Brief && row.seen_here && is_near {
                known.twins.insert(position);
            }
            continue;
        }
        // Another feed's article with this link is the same article; this feed itself tells its entries apart.
        if row.kind == LINK && (row.seen_here || known.own.contains_key(&position)) {
            continue;
        }
        if row.kind == LINK && !linked.insert(row.id) {
            continue;
        }
        known.own.insert(
            position,
            Known {
                id: row.id,
                detail: row.detail,
                print: row.print,
                by_link: row.kind == LINK,
                seen_here: row.seen_here,
            },
        );
    }
    Ok(known)
}

async fn insert(
    tx: &mut Tx,
    rows: &[serde_json::Value],
    keys: &[serde_json::Value],
    texts: &[serde_json::Value],
) -> anyhow::Result<()> {
    if rows.is_empty() && keys.is_empty() {
        return Ok(());
    }
    let (rows, keys, texts) = (
        serde_json::to_string(rows)?,
        serde_json::to_string(keys)?,
        serde_json::to_string(texts)?,
    );
    sqlx::query!(
        "INSERT INTO items (id, kind, ref, title, author, email, at, written_at, seen_at, url, parent, free_on, detail)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                value ->> 8, value ->> 9, unhex(value ->> 10), value ->> 11, value ->> 12
         FROM json_each($1)",
        rows
    )
    .execute(&mut **tx)
    .await
    .context("storing items")?;
    // Aliases may be taken already; whoever had them first keeps them. A key of its own never is: it was just asked.
    sqlx::query!(
        "INSERT INTO item_keys (item_id, kind, digest)
         SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each($1) WHERE true ON CONFLICT DO NOTHING",
        keys
    )
    .execute(&mut **tx)
    .await
    .context("storing item keys")?;
    sqlx::query!("INSERT INTO texts (item_id, body) SELECT value ->> 0, unhex(value ->> 1) FROM json_each($1)", texts)
        .execute(&mut **tx)
        .await
        .context("storing texts")?;
    Ok(())
}

/// Records what a feed showed and how it first worded it; gives the items that it had not shown before.
async fn sight(
    tx: &mut Tx,
    feed: i64,
    shown: &[(i64, ItemKey, Option<i64>)],
) -> anyhow::Result<HashSet<i64>> {
    if shown.is_empty() {
        return Ok(HashSet::new());
    }
    let shown: Vec<_> = shown.iter().map(|(id, _, print)| (id, print)).collect();
    let shown = serde_json::to_string(&shown)?;
    let new_here = sqlx::query_scalar!(
        r#"INSERT INTO sightings (item_id, feed_id, print)
           SELECT value ->> 0, $2, value ->> 1 FROM json_each($1) WHERE true ON CONFLICT DO NOTHING
           RETURNING item_id AS "item_id!: i64""#,
        shown,
        feed
    )
    .fetch_all(&mut **tx)
    .await
    .context("storing sightings")?;
    let count = i64::try_from(new_here.len())?;
    if count > 0 {
        sqlx::query!(
            "UPDATE feeds SET items = items + $2 WHERE id = $1",
            feed,
            count
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(new_here.into_iter().collect())
}

async fn update_item(tx: &mut Tx, feed: i64, id: i64, item: &Item) -> anyhow::Result<()> {
    let (written_at, detail) = (item.written_at.map(|at| at.timestamp()), item.detail.code());
    let (title, name, email, free_on) = (
        &item.title,
        &item.author.name,
        &item.author.email,
        free_on(item),
    );
    sqlx::query!(
        "UPDATE items SET title = $2, author = $3, email = $4, written_at = COALESCE($5, written_at), free_on = $6,
         detail = $7 WHERE id = $1",
        id,
        title,
        name,
        email,
        written_at,
        free_on,
        detail
    )
    .execute(&mut **tx)
    .await
    .context("updating an item")?;
    let body = compress(item)?;
    sqlx::query!("UPDATE texts SET body = $2 WHERE item_id = $1", id, body)
        .execute(&mut **tx)
        .await?;
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

/// Whether an item read again is worth an update: it is known in more detail now, or this feed words it otherwise than
/// it did before. What another feed says of it changes nothing, or the two would overwrite each other at every poll.
fn says_more(item: &Item, known: &Known) -> bool {
    item.detail.code() > known.detail
        || (item.detail.code() == known.detail
            && known.print.is_some()
            && known.print != print(item))
}

fn row(id: i64, item: &Item, key: &ItemKey, now: DateTime<Utc>) -> serde_json::Value {
    let now = now.timestamp();
    let at = item
        .at
        .map(|at| at.timestamp())
        .filter(|&at| at <= now + FUTURE_S_MAX)
        .unwrap_or(now);
    let (reference, parent) = match &item.what {
        What::Commit { hash } => (hash.as_str(), None),
        What::Message { id, in_reply_to } => (
            id.as_str(),
            in_reply_to
                .as_ref()
                .map(|parent| hex(&ItemKey::message(parent).digest())),
        ),
        What::Article { .. } | What::Release { .. } | What::Video { .. } => (key.as_str(), None),
    };
    json!([
        id,
        item.kind().code(),
        reference,
        item.title,
        item.author.name,
        item.author.email,
        at,
        item.written_at.map(|at| at.timestamp()),
        now,
        item.url,
        parent,
        free_on(item),
        item.detail.code()
    ])
}

fn free_on(item: &Item) -> Option<i64> {
    match &item.what {
        What::Article {
            paid: Some(paid), ..
        } => Some(paid.free_on.map_or(-1, |day| {
            day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive())
                .num_days()
        })),
        What::Article { paid: None, .. }
        | What::Commit { .. }
        | What::Message { .. }
        | What::Release { .. }
        | What::Video { .. } => None,
    }
}

/// The day that a number of [`ItemRow::free_on`] stands for.
pub fn day(number: i64) -> Option<chrono::NaiveDate> {
    DateTime::UNIX_EPOCH
        .date_naive()
        .checked_add_days(Days::new(u64::try_from(number).ok()?))
}

/// What else an item is known by: a commit by author, author date and subject; an article by its link.
fn aliases(item: &Item) -> Vec<(i64, [u8; 16])> {
    let digest = |text: String| ItemKey::content(&text).digest();
    match (&item.what, &item.url, item.written_at) {
        (What::Commit { .. }, _, written_at) => {
            let author = item.author.name.to_lowercase();
            let subject = format!("{author}\n{}", item.title);
            let twin = written_at.map(|at| {
                let dated = format!("{subject}\n{}", at.timestamp());
                (TWIN, digest(dated))
            });
            twin.into_iter()
                .chain([(SUBJECT, digest(subject))])
                .collect()
        }
        (What::Article { .. } | What::Release { .. } | What::Video { .. }, Some(url), _) => {
            vec![(
                LINK,
                digest(
                    url::Url::parse(url).map_or_else(|_| url.clone(), |url| canonical_link(&url)),
                ),
            )]
        }
        _ => Vec::new(),
    }
}

/// A hash of what an item says, to notice a change; `None` for mails and commits, which do not change: what differs then is
/// only how a page shows them.
fn print(item: &Item) -> Option<i64> {
    match item.what {
        What::Commit { .. } | What::Message { .. } => return None,
        What::Article { .. } | What::Release { .. } | What::Video { .. } => {}
    }
    let said = format!(
        "{}\n{}\n{}\n{:?}",
        item.title,
        item.author.name,
        item.text,
        free_on(item)
    );
    let digest = Sha256::digest(said.as_bytes());
    Some(i64::from_le_bytes(
        digest[..8].try_into().expect("a digest has 32 bytes"),
    ))
}

fn compress(item: &Item) -> anyhow::Result<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    let headers = item
        .headers
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let plain = serde_json::to_vec(&Text {
        headers,
        text: (&item.text).into(),
    })?;
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(zstd::bulk::Compressor::new(COMPRESSION_LEVEL)?),
        };
        compressor.compress(&plain).context("compressing a text")
    })
}

/// The prose of an item.
pub async fn text_of(pool: &SqlitePool, item: i64) -> anyhow::Result<String> {
    let Some(body) = sqlx::query_scalar!("SELECT body FROM texts WHERE item_id = $1", item)
        .fetch_optional(pool)
        .await?
    else {
        return Ok(String::new());
    };
    let plain = zstd::decode_all(&body[..]).context("unpacking a text")?;
    let text: Text<'_> = serde_json::from_slice(&plain).context("reading a text")?;
    Ok(text.text.into_owned())
}

/// A mail above another: digest of its key, subject line, digest of the one above it.
#[derive(Debug, Clone)]
pub struct Parent {
    /// Its digest.
    pub digest: Vec<u8>,
    /// Its subject line.
    pub title: String,
    /// The digest of the mail it answers.
    pub parent: Option<Vec<u8>>,
}

/// The mails with these digests, those that are here.
pub async fn parents(tx: &mut Tx, digests: &[Vec<u8>]) -> anyhow::Result<Vec<Parent>> {
    let asked =
        serde_json::to_string(&digests.iter().map(|digest| hex(digest)).collect::<Vec<_>>())?;
    let kind = Kind::Message.code();
    sqlx::query_as!(
        Parent,
        r#"SELECT k.digest AS "digest!", i.title AS "title!", i.parent FROM json_each($1) j
           CROSS JOIN item_keys k ON k.kind = $2 AND k.digest = unhex(j.value)
           CROSS JOIN items i ON i.id = k.item_id"#,
        asked,
        kind
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking for the mails above")
}

/// Which items are wanted; `None` means any.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The feed's name.
    pub feed: Option<String>,
    /// The kind.
    pub kind: Option<Kind>,
    /// Not older, unix seconds.
    pub since: Option<i64>,
    /// Older, unix seconds.
    pub until: Option<i64>,
    /// How many at the most.
    pub most: i64,
}

/// Items, newest first, up to `filter.most` of them before `before` (time and number of the last one shown).
pub async fn list_items(
    pool: &SqlitePool,
    filter: &Filter,
    before: Option<(i64, i64)>,
) -> anyhow::Result<Vec<ItemRow>> {
    let kind = filter.kind.map(Kind::code);
    let (before_at, before_id) = before.unwrap_or((i64::MAX, i64::MAX));
    sqlx::query_as!(
        ItemRow,
        r#"SELECT i.id, i.kind, i.ref AS reference, i.title, i.author, i.email, i.at, i.url, i.free_on,
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
    .fetch_all(pool)
    .await
    .context("listing items")
}

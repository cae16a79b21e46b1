//! Fills databases of any size quickly: rows in the shape that the shipped code writes, and mails that it wrote
//! itself.

use std::path::Path;
use std::time::Duration;

use bpfnews::config::{FeedConfig, FeedKind};
use bpfnews::fold;
use bpfnews::item::{Detail, Item, ItemData, MessageId, Person};
use bpfnews::store::items::{self, LoadedItems};
use bpfnews::store::{Store, feeds};
use bpfnews::story::Story;
use bpfnews::story::machine::Machines;
use bpfnews::story::reading::read_early;
use bpfnews::story::relevance::FoldRules;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

/// Mails on a page of an archive.
pub(crate) const PAGE: usize = 25;
/// Pages stored through the shipped code.
pub(crate) const PAGES: usize = 200;
/// How long before [`now`] the first item came.
const DAYS: i64 = 730;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// The number of items; there are a tenth as many stories.
    pub(crate) items: u64,
    /// The number of the first item.
    pub(crate) first: u64,
    /// A packed story.
    pub(crate) told: &'a [u8],
    /// When the first item came, unix seconds.
    pub(crate) from_at: i64,
    /// How long after it the last one came.
    pub(crate) span_s: i64,
}

/// Inserts mails with their keys, texts, clusters and stories: ten mails per story, six join keys per mail. Two of
/// three stories are about BPF, with scores from -5 to 24.
pub(crate) async fn make(file: &Path, rows: Rows<'_>) {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(false);
    let mut database = options.connect().await.expect("the file was just made");
    for statement in [
        // Texts of 300 bytes, 27 in a row.
        "INSERT INTO texts (id, body)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ($1 + 26) / 27)
         SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM texts) + i, randomblob(27 * 300) FROM n",
        "INSERT INTO items (id, kind, ref, title, author, email, at, seen_at, detail, text_at, text_bytes)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT $2 + i, 2, hex(randomblob(12)) || '-1-someone@example.org',
                '[PATCH bpf-next v2 1/4] bpf: a subject line of the usual length ' || i, 'Some One',
                'someone@example.org', $4 + i * $5 / $1, $4 + i * $5 / $1, 1,
                ((SELECT MAX(id) + 1 FROM texts) - ($1 + 26) / 27 + i / 27) * 8192 + i % 27 * 300, 300 FROM n",
        "INSERT INTO item_keys (kind, digest, item_id)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT 2, randomblob(16), $2 + i FROM n ORDER BY 2",
        "INSERT INTO sightings (item_id, feed_id)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT $2 + i, 1 FROM n",
        "INSERT INTO members (item_id, cluster, story)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT $2 + i, $2 + i - i % 10, NULL FROM n",
        "INSERT OR IGNORE INTO join_keys (key, item_id)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1 * 6)
         SELECT random(), $2 + i / 6 FROM n ORDER BY 1",
        "INSERT INTO stories (number, id, item_id, cluster, kind, state, first_at, last_at, score, relevant, told)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1 / 10)
         SELECT $2 + i * 10, hex(randomblob(5)), $2 + i * 10, $2 + i * 10, 'series', 'posted', $4 + i * $5 / ($1 / 10),
                $4 + i * $5 / ($1 / 10), i % 30 - 5, i % 3 > 0, $3 FROM n",
        "INSERT INTO story_search (rowid, title, people, words)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1 / 10)
         SELECT $2 + i * 10, 'bpf: a subject line of the usual length ' || i, 'Some One', 'a few words more ' || i FROM n",
    ] {
        sqlx::query(statement)
            .bind(i64::try_from(rows.items).expect("small"))
            .bind(i64::try_from(rows.first).expect("small"))
            .bind(rows.told)
            .bind(rows.from_at)
            .bind(rows.span_s)
            .execute(&mut database)
            .await
            .expect("room on the disk");
    }
}

/// A database of `items` mails. The shipped code stores [`PAGES`] pages of them; the others are rows of the same
/// shape. All inserted stories have the same packed JSON.
pub(crate) async fn fill(file: &Path, items: u64, told: &[u8]) -> (Store, i64) {
    let (store, feed) = open(file).await;
    let ours = (PAGE * PAGES) as u64;
    let half = (items - ours) / 2;
    let from = now() - TimeDelta::days(DAYS);
    let earlier = Rows {
        items: half,
        first: 1,
        told,
        from_at: from.timestamp(),
        span_s: DAYS * 86_400 / 2,
    };
    make(file, earlier).await;
    for number in 0..PAGES {
        take(&store, feed, &page(number)).await;
    }
    let later = Rows {
        items: items - ours - half,
        first: half + ours + 1,
        from_at: earlier.from_at + earlier.span_s,
        ..earlier
    };
    make(file, later).await;
    (store, feed)
}

/// A new database with one feed.
pub(crate) async fn open(file: &Path) -> (Store, i64) {
    let store = Store::open(file).await.expect("a new database");
    let mut tx = store.write().await.expect("nobody else writes");
    let config = FeedConfig {
        name: "bpf".to_owned(),
        url: url::Url::parse("https://lore.kernel.org/bpf/").expect("a URL"),
        bpf_only: false,
        addresses: bpfnews::config::FeedAddresses::default(),
        new_max: FeedConfig::NEW_MAX,
        poll_gap: Duration::from_secs(300),
        kind: FeedKind::Archive { query: None },
    };
    feeds::sync_feeds(&mut tx, &[std::sync::Arc::new(config)], now())
        .await
        .expect("a good database");
    tx.commit().await.expect("room on the disk");
    let feed = feeds::list_feeds(store.read())
        .await
        .expect("a good database")[0]
        .id;
    (store, feed)
}

/// Stores and folds mails in one transaction. Returns how many were new.
pub(crate) async fn take(store: &Store, feed: i64, mails: &[Item]) -> usize {
    let readings = read_early(mails, 0..mails.len(), &Machines::default());
    let mut tx = store.write().await.expect("nobody else writes");
    let stored = items::put_items(&mut tx, feed, mails, now())
        .await
        .expect("a good database");
    let mut at_hand = LoadedItems::new();
    stored.add_loaded(mails, &readings, &mut at_hand);
    let told = fold::fold_items(&mut tx, &stored.touched(), &at_hand, &FoldRules::default())
        .await
        .expect("a good database");
    assert!(!told.is_empty(), "nothing was folded");
    tx.commit().await.expect("room on the disk");
    stored.fresh.len()
}

/// A patch by an author of its own.
pub(crate) fn mail(number: usize) -> Item {
    let id = format!("20250101000000.{number}-1-someone@example.org");
    let title = format!("[PATCH bpf-next v2] bpf: a subject line of the usual length {number}");
    item(&id, None, title, format!("Some One{number}"))
}

/// A page of them.
pub(crate) fn page(number: usize) -> Vec<Item> {
    (0..PAGE).map(|entry| mail(number * PAGE + entry)).collect()
}

/// An answer to it.
pub(crate) fn answer(to: usize, number: usize) -> Item {
    let above = format!("20250101000000.{to}-1-someone@example.org");
    let title = format!("Re: [PATCH bpf-next v2] bpf: a subject line of the usual length {to}");
    item(
        &format!("answer-{to}-{number}@example.org"),
        Some(&above),
        title,
        "Another One".to_owned(),
    )
}

fn item(id: &str, above: Option<&str>, title: String, author: String) -> Item {
    Item {
        what: ItemData::Message {
            id: MessageId::parse(id).expect("an id"),
            in_reply_to: above.and_then(MessageId::parse),
        },
        title,
        author: Person {
            email: format!("{}@example.org", author.replace(' ', ".")),
            name: author,
        },
        url: None,
        at: Some(now()),
        written_at: None,
        text: "A body, of two sentences. It says what a change does, and why that is good."
            .to_owned(),
        headers: Vec::new(),
        detail: Detail::Entry,
    }
}

/// The time of the benchmark.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_735_689_600, 0).expect("a time")
}

/// A series of typical length.
pub(crate) fn story(now: DateTime<Utc>) -> Story {
    let patch = |number: u32| {
        let id = format!("20250101000000.{number}-1-someone@example.org");
        serde_json::json!({"number": number, "subject": format!("bpf: part {number} of what is done"), "message_id": id})
    };
    let revision = |version: u32| {
        serde_json::json!({
            "version": version, "posted_at": now, "root": format!("{version}@example.org"), "cover": true, "total": 6,
            "patches": (1..=6).map(patch).collect::<Vec<_>>(),
        })
    };
    let story = serde_json::json!({
        "id": "abcdefghij", "aliases": [], "kind": "series", "title": "bpf: a subject line of the usual length",
        "url": "https://lore.kernel.org/bpf/20250101000000.0-1-someone@example.org/", "author": "Some One",
        "tree": "bpf-next", "state": "posted", "score": 7, "relevant": true, "why": ["about kfuncs: 3", "uapi: 2"],
        "first_at": now, "last_at": now, "feeds": ["bpf", "netdev"], "revisions": [revision(1), revision(2)],
        "follow_ups": 4, "people": [{"role": "author", "name": "Some One"}, {"role": "reviewer", "name": "Another One"}],
        "events": [], "applied": [], "mainline": null, "stable": [], "fixes": [], "cves": [],
        "messages": (0..14).map(|n| format!("20250101000000.{n}-1-someone@example.org")).collect::<Vec<_>>(),
        "commits": [], "summary": ["A sentence that says what is done here.", "Another one that says why that is good."],
        "changes": {"v2": "Rebased, and mended what was found."},
    });
    serde_json::from_value(story).expect("a story")
}

//! What must stay as cheap when the database grows: asking which entries of a page are known, and folding one more mail.
//!
//! Most rows are made in bulk, in the shape that the shipped code writes; the pages that are asked for went in through it.
//! A database that an earlier run made is used again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bpfnews::ingest::fold;
use bpfnews::item::{Detail, Item, ItemKey, MessageId, Person, What};
use bpfnews::store::{Store, feeds, items};
use bpfnews::story::relevance::Words;
use chrono::{DateTime, Utc};
use clap::ValueEnum;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use crate::made::{self, Rows};
use crate::measure::{Measure, percentiles};
use crate::world;

const PAGE: usize = 25;
/// Pages that the shipped code stored.
const PAGES: usize = 100;
const CHECKS: usize = 600;
const ANSWERS: usize = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The shipped code.
    Ours,
    /// A statement for each entry, over the same index.
    Rusqlite,
}

/// Asks for the newest page again and again, as polls do.
pub(crate) async fn check(side: Side, many: u64, scratch: &Path) -> anyhow::Result<Value> {
    let (store, feed) = filled(many, scratch).await?;
    let mails: Vec<Item> = (0..PAGE)
        .map(|entry| mail(PAGE * (PAGES - 1) + entry))
        .collect();
    let measure = Measure::start()?;
    let mut times = Vec::with_capacity(CHECKS);
    match side {
        Side::Ours => {
            for _ in 0..CHECKS {
                let started = Instant::now();
                let mut tx = store.write().await?;
                let stored = items::put_items(&mut tx, feed, &mails, now()).await?;
                tx.commit().await?;
                times.push(started.elapsed());
                ensure!(
                    stored.fresh.is_empty() && stored.sighted == 0,
                    "new was found what was known"
                );
            }
        }
        Side::Rusqlite => by_hand(&file(many, scratch), feed, &mails, &mut times)?,
    }
    let side = if side == Side::Ours {
        "ours"
    } else {
        "rusqlite"
    };
    tell(measure, "check", side, many, times)
}

/// The floor: for each entry its key, its row and whether this feed showed it.
fn by_hand(
    file: &Path,
    feed: i64,
    mails: &[Item],
    times: &mut Vec<Duration>,
) -> anyhow::Result<()> {
    let mut database = Connection::open(file)?;
    let ask = "SELECT i.id, i.detail, s.print, s.item_id IS NOT NULL FROM item_keys k JOIN items i ON i.id = k.item_id
               LEFT JOIN sightings s ON s.item_id = i.id AND s.feed_id = ?3 WHERE k.kind = ?1 AND k.digest = ?2";
    for _ in 0..CHECKS {
        let started = Instant::now();
        let tx = database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut known = 0;
        for mail in mails {
            let What::Message { id, .. } = &mail.what else {
                continue;
            };
            let (kind, digest) = (mail.kind().code(), ItemKey::message(id).digest());
            let mut asked = tx.prepare_cached(ask)?;
            let row = asked.query_row(params![kind, digest, feed], |row| row.get::<_, bool>(3));
            known += usize::from(row.optional()?.unwrap_or(false));
        }
        tx.commit()?;
        times.push(started.elapsed());
        ensure!(known == mails.len(), "{known} are known");
    }
    Ok(())
}

/// Stores and folds answers to mails near the end, one by one.
pub(crate) async fn fold(many: u64, scratch: &Path) -> anyhow::Result<Value> {
    let (store, feed) = filled(many, scratch).await?;
    let measure = Measure::start()?;
    let mut times = Vec::with_capacity(ANSWERS);
    // Answers of other runs are there already, each to one of the last mails.
    let run = u64::from(std::process::id());
    for number in 0..ANSWERS {
        let answer = answer(PAGE * (PAGES - 1) + number % PAGE, run, number);
        let started = Instant::now();
        let fresh = take(&store, feed, &[answer]).await?;
        times.push(started.elapsed());
        ensure!(fresh == 1, "the answer was known");
    }
    tell(measure, "fold", "ours", many, times)
}

fn tell(
    measure: Measure,
    work: &str,
    side: &str,
    many: u64,
    mut times: Vec<Duration>,
) -> anyhow::Result<Value> {
    let (p50, p99) = percentiles(&mut times);
    measure.end(
        work,
        side,
        many,
        &json!({"us_p50": p50, "us_p99": p99, "times": times.len()}),
    )
}

async fn take(store: &Store, feed: i64, mails: &[Item]) -> anyhow::Result<usize> {
    let mut tx = store.write().await?;
    let stored = items::put_items(&mut tx, feed, mails, now()).await?;
    let told = fold::fold_items(&mut tx, &stored.touched(), &Words::default()).await?;
    ensure!(!told.is_empty(), "nothing was folded");
    tx.commit().await?;
    Ok(stored.fresh.len())
}

fn file(many: u64, scratch: &Path) -> std::path::PathBuf {
    scratch.join(format!("{many}.sqlite"))
}

/// A database of so many mails; one that is whole is there under its name.
async fn filled(many: u64, scratch: &Path) -> anyhow::Result<(Store, i64)> {
    let file = file(many, scratch);
    if file.exists() {
        let store = Store::open(&file).await?;
        let feed = feeds::list_feeds(store.read()).await?[0].id;
        return Ok((store, feed));
    }
    std::fs::create_dir_all(scratch)?;
    let making = scratch.join(format!("{many}.making"));
    for left in ["making", "making-wal", "making-shm"] {
        let _ = std::fs::remove_file(scratch.join(format!("{many}.{left}")));
    }
    let (store, feed) = world::shelf(&making).await?;
    let ours = (PAGE * PAGES) as u64;
    let others = many
        .checked_sub(ours)
        .context("10,000 items are the least")?;
    rows(&making, others / 2, 1).await?;
    for page in 0..PAGES {
        let mails: Vec<Item> = (0..PAGE).map(|entry| mail(page * PAGE + entry)).collect();
        take(&store, feed, &mails).await?;
    }
    rows(&making, others - others / 2, others / 2 + ours + 1).await?;
    store.close().await;
    std::fs::rename(&making, &file)?;
    let store = Store::open(&file).await?;
    ensure!(
        world::count(&store, "SELECT COUNT(*) FROM items").await? == many,
        "another number"
    );
    Ok((store, feed))
}

async fn rows(file: &Path, items: u64, first: u64) -> anyhow::Result<()> {
    let rows = Rows {
        items,
        first,
        told: &[7; 700],
        from_at: 1_700_000_000,
        span_s: i64::try_from(items)?,
    };
    made::make(file, rows).await;
    Ok(())
}

/// A patch by an author of its own.
fn mail(number: usize) -> Item {
    let id = format!("20250101000000.{number}-1-someone@example.org");
    let title = format!("[PATCH bpf-next v2] bpf: a subject line of the usual length {number}");
    item(&id, None, title, format!("Some One{number}"))
}

/// An answer to it.
fn answer(to: usize, run: u64, number: usize) -> Item {
    let above = format!("20250101000000.{to}-1-someone@example.org");
    let title = format!("Re: [PATCH bpf-next v2] bpf: a subject line of the usual length {to}");
    let id = format!("answer-{to}-{run}-{number}@example.org");
    item(&id, Some(&above), title, "Another One".to_owned())
}

fn item(id: &str, above: Option<&str>, title: String, author: String) -> Item {
    Item {
        what: What::Message {
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

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_735_689_600, 0).expect("a time")
}

//! Costs that must not grow with the database: the check for known entries of a page, and the fold of one more mail.
//!
//! Most rows are made in bulk, in the shape that the shipped code writes. The requested pages went in through that code. If an
//! earlier run made a database, it is used again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use bpfnews::item::{Item, ItemData, ItemKey};
use bpfnews::store::{Store, feeds, items};
use clap::ValueEnum;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use crate::made::{self, PAGE, PAGES};
use crate::measure::{Awake, Measure, percentiles};
use crate::world;

const CHECKS: usize = 6_000;
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
    let mails = made::page(PAGES - 1);
    let _awake = Awake::keep();
    let measure = Measure::start()?;
    let mut times = Vec::with_capacity(CHECKS);
    match side {
        Side::Ours => {
            for _ in 0..CHECKS {
                let started = Instant::now();
                let known = items::known_page(store.read(), feed, &mails).await?;
                times.push(started.elapsed());
                ensure!(!known.has_news, "new was found what was known");
            }
        }
        Side::Rusqlite => by_hand(&file(many, scratch), feed, &mails, &mut times)?,
    }
    let side = if side == Side::Ours {
        "ours"
    } else {
        "rusqlite"
    };
    report(measure, "check", side, many, times)
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
        let tx = database.transaction()?;
        let mut known = 0;
        for mail in mails {
            let ItemData::Message { id, .. } = &mail.what else {
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
    let _awake = Awake::keep();
    let measure = Measure::start()?;
    let mut times = Vec::with_capacity(ANSWERS);
    // Earlier runs stored answers too.
    let run = usize::try_from(std::process::id())? * ANSWERS;
    for number in 0..ANSWERS {
        let answer = made::answer(PAGE * (PAGES - 1) + number % PAGE, run + number);
        let started = Instant::now();
        let fresh = made::take(&store, feed, &[answer]).await;
        times.push(started.elapsed());
        ensure!(fresh == 1, "the answer was known");
    }
    report(measure, "fold", "ours", many, times)
}

fn report(
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

fn file(many: u64, scratch: &Path) -> std::path::PathBuf {
    scratch.join(format!("{many}.sqlite"))
}

/// A database of this many mails. Only a complete one has its final name.
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
    ensure!(many >= 10_000, "10,000 items are the least");
    let (store, feed) = made::fill(&making, many, &[7; 700]).await;
    store.close().await;
    std::fs::rename(&making, &file)?;
    let store = Store::open(&file).await?;
    ensure!(
        world::count(&store, "SELECT COUNT(*) FROM items").await? == many,
        "another number"
    );
    Ok((store, feed))
}

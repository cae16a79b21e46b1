//! Does checking one poll's entries against what is stored, and folding one more mail into its story, stay as cheap when
//! the database grows? And how fast do mails become stories on disk?
//!
//!     cargo bench --bench growth            # 10⁴, 10⁵ and 10⁶ items, about a minute
//!     cargo bench --bench growth -- --full  # up to 10⁷: about 4 GB in the temporary folder and several minutes
//!
//! It drives the shipped code: `store::items::put_items` over pages of 25 mails that are all known, which is what
//! nearly every poll meets. Two kinds of page: the same one again and again, as the newest page of a feed is, and pages
//! from all over the database, which no cache holds. Rounds of all sizes are interleaved; what counts is the ratio
//! within one run, and only that of the newest page has a limit: the others cost what reading 25 places of a file that
//! no longer fits SQLite's 2 MB of cache costs, which is the step from 10⁴ to 10⁵, and no more after it.
//! Folding: an answer to one of the newest mails, stored and folded by `ingest::fold::fold_items`, committed durably.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark tells a person what it measured"
)]

#[expect(dead_code, reason = "this needs no story that can be read")]
mod made;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bpfnews::item::Item;
use bpfnews::store::{Store, items};
use made::{PAGE, PAGES, answer, mail, now, open, take};

const ROUNDS: usize = 5;
const GROWTH_MAX: f64 = 1.7;
/// Answers that are folded in each round, and how much dearer that may become.
const ANSWERS: usize = 40;
const FOLD_GROWTH_MAX: f64 = 1.5;
/// Mails and the answers to each that are read into stories to tell how fast that is.
const SERIES: usize = 1_000;
const ANSWERS_EACH: usize = 4;
const BATCH: usize = 500;

struct World {
    items: u64,
    store: Store,
    feed: i64,
    newest: Vec<Duration>,
    anywhere: Vec<Duration>,
    folds: Vec<Duration>,
}

fn main() {
    let full = std::env::args().any(|arg| arg == "--full");
    let folder = std::env::temp_dir().join(format!("bpfnews-growth-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder may be written");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(mails_to_stories(&folder));
    let (ratio, fold_ratio) = runtime.block_on(run(&folder, full));
    std::fs::remove_dir_all(&folder).expect("our own folder");
    assert!(
        fold_ratio <= FOLD_GROWTH_MAX,
        "folding one more mail grew {fold_ratio:.2} times; at most {FOLD_GROWTH_MAX} is allowed"
    );
    assert!(
        ratio <= GROWTH_MAX,
        "checking the newest page grew {ratio:.2} times; at most {GROWTH_MAX} is allowed"
    );
}

async fn run(folder: &Path, full: bool) -> (f64, f64) {
    let mut worlds = Vec::new();
    for power in 4..=if full { 7 } else { 6 } {
        let started = Instant::now();
        worlds.push(fill(folder.join(format!("1e{power}.sqlite")), 10_u64.pow(power)).await);
        eprintln!(
            "10^{power} items made in {:.0} s",
            started.elapsed().as_secs_f64()
        );
    }
    for round in 0..ROUNDS {
        for world in &mut worlds {
            for page in 0..PAGES {
                let took = check(world, PAGES - 1).await;
                world.newest.extend((page > 0).then_some(took));
            }
            for page in 0..PAGES {
                let took = check(world, page).await;
                world.anywhere.extend((round > 0).then_some(took));
            }
            for number in 0..ANSWERS {
                let took = fold_one(world, round * ANSWERS + number).await;
                world.folds.extend((round > 0).then_some(took));
            }
        }
    }
    let newest = tell(
        &mut worlds,
        "check 25 known mails, the newest page",
        |world| &mut world.newest,
    );
    tell(
        &mut worlds,
        "check 25 known mails, pages from all over",
        |world| &mut world.anywhere,
    );
    let fold = tell(&mut worlds, "fold one answer", |world| &mut world.folds);
    (newest, fold)
}

/// Stores and folds one more mail: an answer to a mail near the end.
async fn fold_one(world: &World, number: usize) -> Duration {
    let answer = answer(PAGE * (PAGES - 1) + number % PAGE, number);
    let started = Instant::now();
    let fresh = take(&world.store, world.feed, &[answer]).await;
    assert_eq!(fresh, 1, "the answer was known");
    started.elapsed()
}

/// How fast mails become items, and items with stories, on disk.
async fn mails_to_stories(folder: &Path) {
    let mut mails: Vec<Item> = Vec::new();
    for series in 0..SERIES {
        mails.push(mail(series));
        mails
            .extend((0..ANSWERS_EACH).map(|number| answer(series, series * ANSWERS_EACH + number)));
    }
    for with_stories in [false, true] {
        let (store, feed) = open(&folder.join(format!("mails-{with_stories}.sqlite"))).await;
        let started = Instant::now();
        for batch in mails.chunks(BATCH) {
            if with_stories {
                take(&store, feed, batch).await;
            } else {
                let mut tx = store.write().await.expect("nobody else writes");
                items::put_items(&mut tx, feed, batch, now())
                    .await
                    .expect("a good database");
                tx.commit().await.expect("room on the disk");
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let what = if with_stories {
            "items and stories"
        } else {
            "items"
        };
        println!(
            "{}",
            serde_json::json!({"work": format!("mails to {what}"), "mails": mails.len(), "mails_per_s": (mails.len() as f64 / seconds).round()})
        );
        store.close().await;
    }
}

/// Checks one page, all of which is known.
async fn check(world: &World, page: usize) -> Duration {
    let mails = made::page(page);
    let started = Instant::now();
    let mut tx = world.store.write().await.expect("nobody else writes");
    let stored = items::put_items(&mut tx, world.feed, &mails, now())
        .await
        .expect("a good database");
    tx.commit().await.expect("nothing to write");
    let took = started.elapsed();
    assert!(
        stored.fresh.is_empty() && stored.sighted == 0,
        "the check found new what was known"
    );
    took
}

/// Prints the medians of one kind of page, and gives the growth from the smallest to the largest.
fn tell(worlds: &mut [World], what: &str, times: impl Fn(&mut World) -> &mut Vec<Duration>) -> f64 {
    let mut medians = Vec::new();
    for world in worlds {
        let items = world.items;
        let times = times(world);
        times.sort();
        let median = times[times.len() / 2];
        let line = serde_json::json!({
            "work": what, "items": items, "times": times.len(),
            "median_us": median.as_micros(), "p99_us": times[times.len() * 99 / 100].as_micros(),
        });
        println!("{line}");
        medians.push(median.as_secs_f64());
    }
    let growth = medians[medians.len() - 1] / medians[0];
    println!(
        "{}",
        serde_json::json!({"work": what, "growth": format!("{growth:.2}")})
    );
    growth
}

/// A database of `items` mails.
async fn fill(file: PathBuf, items: u64) -> World {
    let (store, feed) = made::fill(&file, items, &[7; 700]).await;
    World {
        items,
        store,
        feed,
        newest: Vec::new(),
        anywhere: Vec::new(),
        folds: Vec::new(),
    }
}

//! Costs that must not grow as a list ages and its stories get long: an import, and the fold of one more mail.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use bpfnews::store::{Store, feeds};
use chrono::{Datelike as _, TimeDelta, Utc};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::list::{Years, answer, begin};
use crate::made;
use crate::measure::{Measure, cpu_s, percentiles};
use crate::world;

/// Mails in one transaction, as `import` has them.
const BATCH: usize = 1_000;
/// Answers that are folded one by one.
const ANSWERS: usize = 40;
/// How often a database is opened anew for one answer.
const OPENED: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// One answer after the other.
    Running,
    /// One answer, by a process that has read nothing of the cluster yet.
    Started,
}

/// How many mails a cluster holds, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    #[value(name = "10")]
    Ten,
    #[value(name = "100")]
    Hundred,
    #[value(name = "1000")]
    Thousand,
    #[value(name = "3000")]
    Thousands,
}

/// Takes in mails year by year.
pub(crate) async fn years(years: usize, scratch: &Path) -> anyhow::Result<Value> {
    world::empty(scratch)?;
    let mails = Years::make(years);
    let list =
        "[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/bpf/\"\n";
    let ingest = world::ingest(scratch, list).await?;
    let store = &ingest.store;
    let feed = feeds::list_feeds(store.read()).await?[0].id;
    let measure = Measure::start()?;
    let mut per_year: Vec<(i32, usize, f64)> = Vec::new();
    for batch in mails.chunks(BATCH) {
        let year = batch[0].at.map_or(0, |at| at.year());
        let before = cpu_s()?;
        ingest.import(feed, batch).await?;
        let took = cpu_s()? - before;
        match per_year.last_mut() {
            Some((last, many, all)) if *last == year => {
                *many += batch.len();
                *all += took;
            }
            _ => per_year.push((year, batch.len(), took)),
        }
    }
    let us: Vec<f64> = per_year
        .iter()
        .map(|(_, many, took)| (took / *many as f64 * 1e7).round() / 10.0)
        .collect();
    let largest = "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM members GROUP BY cluster)";
    let largest = world::count(store, largest).await?;
    let stories = world::count(store, "SELECT COUNT(*) FROM stories").await?;
    let last_to_first = us.last().unwrap_or(&0.0) / us.first().unwrap_or(&1.0);
    let count = json!({
        "mails": mails.len(), "us_a_mail_by_year": us, "last_to_first": last_to_first, "largest_cluster": largest,
        "stories": stories,
    });
    store.close().await;
    measure.end("years", "ours", mails.len() as u64, &count)
}

/// Folds one more mail into a cluster.
pub(crate) async fn cluster(side: Side, size: Size, scratch: &Path) -> anyhow::Result<Value> {
    world::empty(scratch)?;
    // Each answer to a small cluster goes into one of its own: with more of them it would be none.
    let (clusters, efforts, shape) = match size {
        Size::Ten => (ANSWERS + 1, 1, (1, 4, 5)),
        Size::Hundred => (1, 1, (5, 13, 7)),
        Size::Thousand => (1, 2, (24, 13, 7)),
        Size::Thousands => (1, 6, (24, 13, 7)),
    };
    let file = scratch.join("cluster.sqlite");
    let (store, feed) = made::open(&file).await;
    let mut last = Vec::new();
    for person in 0..clusters {
        let (mails, answered) = Years::cluster(person, efforts, shape);
        for batch in mails.chunks(BATCH) {
            made::take(&store, feed, batch).await;
        }
        last.push(answered);
    }
    let many = "SELECT COUNT(DISTINCT cluster) FROM members";
    ensure!(
        world::count(&store, many).await? == clusters as u64,
        "another number of clusters"
    );
    let mails = world::count(&store, "SELECT COUNT(*) FROM members").await?;
    store.close().await;

    let mut store = Store::open(&file).await?;
    ensure!(
        feeds::list_feeds(store.read()).await?[0].id == feed,
        "another feed"
    );
    let mut at = begin() + TimeDelta::days(400 * efforts as i64);
    ensure!(at < Utc::now(), "the mails are from the future");
    let measure = Measure::start()?;
    let (times, mut took) = match side {
        Side::Running => (ANSWERS, Vec::new()),
        Side::Started => (OPENED, Vec::new()),
    };
    if side == Side::Running {
        made::take(
            &store,
            feed,
            &[answer(&last[ANSWERS % clusters], ANSWERS, at)],
        )
        .await;
    }
    for number in 0..times {
        if side == Side::Started {
            store.close().await;
            store = Store::open(&file).await?;
        }
        at += TimeDelta::minutes(10);
        let mail = answer(&last[number % clusters], number, at);
        let before = cpu_s()?;
        let fresh = made::take(&store, feed, &[mail]).await;
        took.push(Duration::from_secs_f64(cpu_s()? - before));
        ensure!(fresh == 1, "the answer was known");
    }
    store.close().await;
    let (p50, most) = percentiles(&mut took);
    let side = match side {
        Side::Running => "running",
        Side::Started => "started",
    };
    measure.end(
        "cluster",
        side,
        times as u64,
        &json!({"cpu_us_p50": p50, "cpu_us_most": most, "cluster": mails / clusters as u64}),
    )
}

//! The command that plays the demo's week.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anstyle::{Effects, Style};
use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::lists::carriers;
use super::polls::delivery_loop;
use crate::clock::FixedClock;
use crate::config::Config;
use crate::deliver::DeliveryLoop;
use crate::ingest::Ingest;
use crate::publish::{self, Rules};
use crate::store::Store;
use crate::store::feeds::{self, Outcome};
use crate::store::items::{ItemFilter, list_items};
use crate::web::{self, Site};
use crate::{app, demo};

const STRONG: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

pub(super) async fn demo(is_web: bool) -> anyhow::Result<ExitCode> {
    let stop = app::stop_on_signals()?;
    let folder = std::env::temp_dir().join(format!("bpfnews-demo-{}", std::process::id()));
    std::fs::create_dir(&folder)
        .with_context(|| format!("making {} for the demo", folder.display()))?;
    let played = play(&folder.join("demo.sqlite"), is_web, &stop).await;
    std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    played
}

async fn play(
    database: &std::path::Path,
    is_web: bool,
    stop: &CancellationToken,
) -> anyhow::Result<ExitCode> {
    let steps = demo::steps();
    let clock = Arc::new(FixedClock::new(steps[0]));
    let server = demo::server::start(clock.clone()).await?;
    let config = demo::config(&server.base, database);
    let store = Store::open(database).await?;
    let ingest = Ingest::open(store, &config, clock.clone()).await?;
    let delivery_loop = delivery_loop(&config, &ingest)?;
    intro(config.feeds.len())?;
    let (mut posts, mut failed, mut day) = (0, None, None);
    for step in steps {
        clock.set(step);
        // One feed at a time, so that every run prints the same.
        for row in feeds::due_feeds(ingest.store.read(), step, u32::MAX).await? {
            let report = ingest.poll(row, stop).await?;
            posts += report.news;
            if let Outcome::Failed { why, .. } = report.outcome {
                failed = Some(format!("{}: {why}", report.feed));
            }
        }
        if stop.is_cancelled() {
            return Ok(ExitCode::FAILURE);
        }
        if !delivery_loop.lanes().await?.is_empty()
            && day.replace(step.date_naive()) != Some(step.date_naive())
        {
            writeln!(
                anstream::stdout(),
                "{STRONG}{}{STRONG:#}\n",
                step.format("── %A, %-d %B %Y ──")
            )?;
        }
        delivery_loop.pass().await?;
    }
    clock.set(demo::period().to);
    publish(&ingest, &delivery_loop, &config).await?;
    outro(&ingest, posts).await?;
    if is_web && failed.is_none() {
        show(&ingest, clock.clone(), &config, stop).await?;
    }
    ingest.store.close().await;
    match failed {
        Some(failed) => anyhow::bail!("a feed of the demo failed, which it should not: {failed}"),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Publishes the issue of the week, from its first day to its last poll.
async fn publish(
    ingest: &Ingest,
    delivery_loop: &DeliveryLoop,
    config: &Config,
) -> anyhow::Result<()> {
    writeln!(
        anstream::stdout(),
        "{STRONG}── And so the issue of the week writes itself ──{STRONG:#}\n"
    )?;
    let rules = Rules::of(config);
    let period = demo::period();
    let now = period.to;
    let mut tx = ingest.store.write().await?;
    let by = "the demo";
    let out = publish::publish(
        &mut tx,
        &ingest.destinations(),
        rules,
        1,
        Some(period),
        by,
        now,
    )
    .await?;
    out?;
    tx.commit().await?;
    delivery_loop.pass().await?;
    Ok(())
}

/// Serves the pages until stopped.
async fn show(
    ingest: &Ingest,
    clock: Arc<FixedClock>,
    config: &Config,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let listener = web::bind(([127, 0, 0, 1], 0).into()).await?;
    let home = format!("http://{}/", listener.local_addr()?);
    writeln!(
        anstream::stdout(),
        "\n{STRONG}The pages are at {home}{STRONG:#} until you press Ctrl-C."
    )?;
    let site = Site {
        store: ingest.store.clone(),
        clock,
        name: config.issue.name.clone(),
        home,
    };
    web::serve(listener, site, stop.clone()).await;
    Ok(())
}

fn intro(feeds: usize) -> anyhow::Result<()> {
    writeln!(
        anstream::stdout(),
        "{STRONG}One week of BPF news, May 2017{STRONG:#}, as {feeds} feeds on loopback told it, polled like real ones.\n\
         {DIM}Reconstructed from the newsletter “BPF updates 02” by Alexander Alemayhu: authors, subjects and links are\n\
         real; texts are ours, and times of day and Message-IDs (…@made-up.invalid) are made up.{DIM:#}\n"
    )?;
    Ok(())
}

async fn outro(ingest: &Ingest, posts: usize) -> anyhow::Result<()> {
    let all = ItemFilter {
        most: i64::MAX,
        ..ItemFilter::default()
    };
    let items = list_items(ingest.store.read(), &all, None).await?;
    let shared = items.iter().filter(|item| carriers(item).len() > 1).count();
    writeln!(
        anstream::stdout(),
        "{STRONG}That was the week:{STRONG:#} {} items, {shared} of them carried by two feeds, told as {posts} posts.\n\n\
         Next, with the feeds of today:\n  \
         bpfnews init             write config.toml: kernel trees, lists, LWN, releases, blogs, videos\n  \
         bpfnews check --online   try every feed once\n  \
         bpfnews run              poll them and show what is new\n\
         {DIM}(not installed yet? put  cargo run --release --  in place of  bpfnews){DIM:#}",
        items.len()
    )?;
    Ok(())
}

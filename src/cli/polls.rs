//! The commands that talk to upstreams: run, check, poll, backfill.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::failures::FailedFeeds;
use super::opening::{feed_row, open_alone};
use super::style::{DIM, GOOD};
use crate::app;
use crate::app::platforms::Platforms;
use crate::chat::SharedHandler;
use crate::clock::SystemClock;
use crate::command::handler::CommandHandler;
use crate::config::{Config, EffectiveConfig, WebConfig};
use crate::deliver::DeliveryLoop;
use crate::ingest::{Ingest, Report};
use crate::live::Live;
use crate::publish::{Rules, files};
<<<<<<< HEAD
=======
use crate::source::git::is_git;
use crate::source::{FetchError, Page};
>>>>>>> git
use crate::store::Store;
use crate::store::feeds::{self, Outcome};
use crate::store::lock::Lock;
use crate::web::{self, Site};

/// How long a stop waits for pages that are being read.
const PAGES_STOP_MAX: Duration = Duration::from_secs(1);

pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let file = EffectiveConfig::load(path)?;
    // First, so that a stop while it starts is one like any other.
    let stop = app::stop_on_signals()?;
    let store = Store::open(&file.config.database).await?;
    let _lock = Lock::take(&file.config.database, "run")?;
    let platforms = Platforms::connect(&file.config)?;
    let live = Live::open(file, store, Arc::new(SystemClock), platforms.senders()).await?;
    let live = Arc::new(live);
    let generation = live.now();
    let config = &generation.effective.config;
    generation.ingest.note_attempts(&config.database);
    tracing::info!(
        database = %config.database.display(),
        "polling {} feeds; what is new is {}; Ctrl-C stops",
        config.feeds.len(),
        match config.channels.len() {
            0 => "shown here".to_owned(),
            1 => "posted to one channel".to_owned(),
            many => format!("posted to {many} channels"),
        }
    );
    super::git::warn_without_git(config);
    files::write(&live.store, Rules::of(config)).await;
    let pages = match &config.web {
        Some(web) => Some(serve(&live, web, &config.issue.name, &stop).await?),
        None => None,
    };
    drop(generation);
    let handler: SharedHandler = Arc::new(CommandHandler::new(Arc::clone(&live)));
    app::run(
        &live,
        platforms.listeners(&handler, &live.store, &stop),
        &stop,
    )
    .await?;
    if let Some(pages) = pages {
        let _ = tokio::time::timeout(PAGES_STOP_MAX, pages).await;
    }
    live.store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Serves the pages beside the loops.
async fn serve(
    live: &Live,
    config: &WebConfig,
    name: &str,
    stop: &CancellationToken,
) -> anyhow::Result<JoinHandle<()>> {
    let listener = web::bind(config.listen).await?;
    let home = match &config.url {
        Some(url) => url.to_string(),
        None => format!("http://{}/", listener.local_addr()?),
    };
    let site = Site {
        store: live.store.clone(),
        clock: Arc::clone(&live.clock),
        name: name.to_owned(),
        home,
    };
    let stop = stop.clone();
    Ok(tokio::spawn(web::serve(listener, site, stop)))
}

pub(super) async fn poll(path: &Path, only: Option<&str>) -> anyhow::Result<ExitCode> {
    let (config, ingest, _lock) = open_alone(path, "poll").await?;
    let stop = app::stop_on_signals()?;
    let mut failed = FailedFeeds::default();
    let mut polled = 0;
    let mut told = |report: &Report| {
        polled += 1;
        match &report.outcome {
            Outcome::Ok | Outcome::OkSoFar => {
                let _ = writeln!(anstream::stderr(), "{}", line(report));
            }
            Outcome::Failed { state, why } => failed.add(&report.feed, state.word(), why, ""),
            Outcome::Excused { why } => failed.add(&report.feed, "later", why, ""),
        }
    };
    match only {
        Some(name) => {
            let row = feed_row(&ingest, &config, name).await?;
            told(&ingest.poll(row, &stop).await?);
        }
        None => ingest.pass(&stop, |report| told(&report)).await?,
    }
    failed.write(&mut anstream::stderr())?;
    if polled == 0 {
        let next = feeds::next_due_after(ingest.store.read(), ingest.clock.now())
            .await?
            .and_then(|at| DateTime::from_timestamp(at, 0));
        let next = next
            .map(|at| super::lists::until(at, Utc::now()))
            .unwrap_or_default();
        let hint = "--feed NAME polls one at once";
        writeln!(
            anstream::stderr(),
            "No feed is due; the next one is due {next}. ({hint})"
        )?;
    }
    let delivery_loop = delivery_loop(&config, &ingest)?;
    // Twice: after a restore, the first time looks through the channels.
    for _ in 0..2 {
        ingest.repair_clock().await?;
        ingest.end_recalls().await?;
        ingest.make_digests().await?;
        delivery_loop.pass().await?;
    }
    if let Some(why) = delivery_loop.refusal() {
        return Err(app::Refused(why).into());
    }
    ingest.store.close().await;
    Ok(if failed.len() > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The delivery loop for the configured channels.
pub(super) fn delivery_loop(config: &Config, ingest: &Ingest) -> anyhow::Result<DeliveryLoop> {
    let (store, clock) = (ingest.store.clone(), Arc::clone(&ingest.clock));
    Ok(DeliveryLoop::new(
        store,
        clock,
        ingest.destinations(),
        Platforms::connect(config)?.senders(),
    ))
}

/// The line for a poll that succeeded.
fn line(report: &Report) -> String {
    let requests = match report.requests {
        1 => "1 request".to_owned(),
        many => format!("{many} requests"),
    };
    let faults = match report.faults {
        0 => String::new(),
        some => format!(", {some} unreadable"),
    };
    let more = if report.is_cut_short() {
        "; more at the next poll"
    } else {
        ""
    };
<<<<<<< HEAD
    format!(
        "{GOOD}ok{GOOD:#}    {}: {} new{faults} {DIM}({requests}){DIM:#}{more}",
        report.feed, report.fresh
    )
=======
    match &report.outcome {
        Outcome::Ok | Outcome::OkSoFar => format!(
            "{GOOD}ok{GOOD:#}    {}: {} new{faults} {DIM}({requests}){DIM:#}{more}",
            report.feed, report.fresh
        ),
        Outcome::Failed { state, why } => {
            format!("{BAD}{}{BAD:#}  {}: {why}", state.word(), report.feed)
        }
        Outcome::Excused { why } => format!("{BAD}later{BAD:#} {}: {why}", report.feed),
    }
}

pub(super) async fn check(
    path: &Path,
    online: bool,
    only: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let mut out = anstream::stdout();
    let count = |word: &str| {
        config
            .feeds
            .iter()
            .filter(|feed| feed.kind.word() == word)
            .count()
    };
    writeln!(
        out,
        "{GOOD}ok{GOOD:#}  {}: {} feeds ({} trees, {} archives, {} of LWN, {} others)",
        path.display(),
        config.feeds.len(),
        count("tree"),
        count("archive"),
        count("lwn"),
        count("feed")
    )?;
    match config.channels.len() {
        0 => writeln!(
            out,
            "{DIM}no [[channel]]: posts are shown on the terminal{DIM:#}"
        )?,
        1 => writeln!(out, "{GOOD}ok{GOOD:#}  one channel")?,
        many => writeln!(out, "{GOOD}ok{GOOD:#}  {many} channels")?,
    }
    for open in super::secrets::open_to_others(&config) {
        writeln!(out, "{BAD}warning{BAD:#}  {open}")?;
    }
    let has_git = super::git::check_git(&mut out, &config)?;
    if config.network.contact.is_none() {
        let hint = "set `contact` under [network], so that a site's operator can reach you";
        writeln!(out, "{DIM}hint: {hint}{DIM:#}")?;
    }
    if !online {
        writeln!(out, "Next: bpfnews check --online fetches each feed once.")?;
        return Ok(match has_git {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    let wanted: Vec<&FeedConfig> = config
        .feeds
        .iter()
        .map(Arc::as_ref)
        .filter(|feed| only.is_none_or(|name| feed.name == name))
        .collect();
    if let (Some(name), true) = (only, wanted.is_empty()) {
        return Err(unknown_feed(&config, name));
    }
    // Nothing is kept, so the database is one in memory.
    let store = Store::open(Path::new(":memory:")).await?;
    let ingest = Ingest::open(store, &config, Arc::new(SystemClock)).await?;
    let stop = app::stop_on_signals()?;
    let looks = wanted.into_iter().map(|feed| {
        let ingest = &ingest;
        async move { (feed, ingest.look(feed).await) }
    });
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(READ_AT_ONCE_MAX);
    let mut failed = 0;
    while let Some((feed, look)) = tokio::select! {
        look = looks.next() => look,
        () = stop.cancelled() => None,
    } {
        failed += usize::from(look.is_err());
        write_look(&mut out, feed, &look)?;
    }
    if stop.is_cancelled() {
        return Ok(ExitCode::FAILURE);
    }
    if only.is_none() && !look_at_channels(&mut out, &config).await? {
        return Ok(ExitCode::FAILURE);
    }
    if failed > 0 {
        writeln!(
            out,
            "{failed} of the feeds gave nothing. The configuration is good; these addresses, or the way to them, are not."
        )?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(out, "Next: bpfnews run")?;
    Ok(ExitCode::SUCCESS)
}

/// Asks the chat systems for each channel there; gives whether all are well.
async fn look_at_channels(out: &mut impl std::io::Write, config: &Config) -> anyhow::Result<bool> {
    let platforms = Platforms::connect(config)?;
    let mut all_well = true;
    for channel in &config.channels {
        let Some(seen) = platforms.look(channel).await else {
            continue;
        };
        all_well &= seen.is_ok();
        match seen {
            Ok(seen) => writeln!(
                out,
                "{GOOD}ok{GOOD:#}    {}: {}",
                channel.name,
                prose::shorten(&crate::post::plain(&seen), 160)
            )?,
            Err(error) => writeln!(out, "{BAD}failed{BAD:#}  {}: {error:#}", channel.name)?,
        }
    }
    Ok(all_well)
}

fn write_look(
    out: &mut impl std::io::Write,
    feed: &FeedConfig,
    look: &Result<Page, FetchError>,
) -> anyhow::Result<()> {
    match look {
        Ok(page) => {
            let newest = page.items.iter().max_by_key(|item| item.at);
            let newest = newest.map(|item| {
                let day = item
                    .at
                    .map(|at| at.format("%Y-%m-%d ").to_string())
                    .unwrap_or_default();
                format!(
                    "; newest: {day}{}",
                    prose::shorten(&crate::post::plain(&item.title), 80)
                )
            });
            let faults = match page.faults.len() {
                0 => String::new(),
                some => format!(", {some} unreadable"),
            };
            let entries = match is_git(&feed.url) {
                true => "git finds it".to_owned(),
                false => format!("{} entries", page.items.len()),
            };
            writeln!(
                out,
                "{GOOD}ok{GOOD:#}    {}: {entries}{faults}{}",
                feed.name,
                newest.unwrap_or_default()
            )?;
        }
        Err(error) => {
            let word = match error {
                FetchError::Walled { .. } => "walled",
                FetchError::Gone { .. } => "gone",
                _ => "failed",
            };
            writeln!(out, "{BAD}{word}{BAD:#}  {}: {error}", feed.name)?;
            if !error.to_string().contains(feed.url.as_str()) {
                writeln!(out, "        {DIM}{}{DIM:#}", feed.url)?;
            }
        }
    }
    Ok(())
>>>>>>> git
}

pub(super) async fn backfill(
    path: &Path,
    name: &str,
    since: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    // It polls, and a host must not be asked by two at once.
    let (config, ingest, _lock) = open_alone(path, "backfill").await?;
    let stop = app::stop_on_signals()?;
    let row = feed_row(&ingest, &config, name).await?;
    let bar = bar("{bar:40} {percent:>3} %  {msg}  {elapsed}", 1_000);
    let report = ingest
        .backfill(row, since, &stop, |done, fresh| {
            // Rounded for the bar.
            bar.set_position((done * 1_000.0) as u64);
            bar.set_message(format!("{fresh} new"));
        })
        .await
        .with_context(|| format!("walking {name} back"));
    bar.finish_and_clear();
    let report = report?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "{name}: {} new, {} unreadable, {} requests",
        report.fresh, report.faults, report.requests
    )?;
    ingest.store.close().await;
    if report.is_cut_short() {
        writeln!(out, "Stopped; the same command goes on from there.")?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// A progress bar on standard error; none where that is no terminal.
pub(super) fn bar(template: &str, length: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(length), target);
    bar.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

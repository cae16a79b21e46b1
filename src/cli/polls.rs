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
use crate::app::letters::MailDesk;
use crate::app::platforms::Platforms;
use crate::chat::SharedHandler;
use crate::clock::{Clock, SystemClock};
use crate::command::handler::CommandHandler;
use crate::config::{Config, EffectiveConfig, WebConfig};
use crate::deliver::DeliveryLoop;
use crate::ingest::{Ingest, Report};
use crate::live::Live;
use crate::publish::{Rules, files};
use crate::store::Store;
use crate::store::feeds::{self, Outcome};
use crate::store::lock::Lock;
use crate::web::{self, MailPages, Site};

/// How long a stop waits for pages that are being read.
const PAGES_STOP_MAX: Duration = Duration::from_secs(1);

pub(super) async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let file = EffectiveConfig::load(path)?;
    // First, so that a stop while it starts is one like any other.
    let stop = app::stop_on_signals()?;
    let store = Store::open(&file.config.database).await?;
    let _lock = Lock::take(&file.config.database, "run")?;
    let platforms = Platforms::connect(&file.config)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let desk = MailDesk::of(&file.config, &store, &clock)?;
    let live = Live::open(file, store, clock, platforms.senders(desk.as_ref())).await?;
    let live = Arc::new(live);
    let generation = live.now();
    let config = &generation.effective.config;
    generation.ingest.note_attempts(&config.database);
    tracing::info!(
        database = %config.database.display(),
        "polling {} feeds; news is {}; Ctrl-C stops",
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
        Some(web) => Some(serve(&live, web, &config.issue.name, desk.as_deref(), &stop).await?),
        None => None,
    };
    drop(generation);
    let handler: SharedHandler = Arc::new(CommandHandler::new(Arc::clone(&live)));
    app::run(
        &live,
        platforms.listeners(&handler, &live.store, &stop),
        desk.as_deref().map(|desk| &desk.mailing),
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
    live: &Arc<Live>,
    config: &WebConfig,
    name: &str,
    desk: Option<&MailDesk>,
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
        subsystems: live.now().ingest.subsystems(),
        mail: desk.map(|desk| {
            let live = Arc::clone(live);
            MailPages::new(desk.mailing.clone(), Arc::new(move || live.wake()))
        }),
    };
    let stop = stop.clone();
    Ok(tokio::spawn(web::serve_with_desk(
        listener,
        site,
        Arc::clone(live),
        stop,
    )))
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
        Platforms::connect(config)?.senders(None),
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
    format!(
        "{GOOD}ok{GOOD:#}    {}: {} new{faults} {DIM}({requests}){DIM:#}{more}",
        report.feed, report.fresh
    )
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

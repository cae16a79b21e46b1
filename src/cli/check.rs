//! The command that checks a configuration, the secrets that it names, and, if asked, its feeds and channels.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::StreamExt as _;

use super::failures::FailedFeeds;
use super::opening::unknown_feed;
use super::polls::bar;
use super::secrets;
use super::style::{BAD, DIM, GOOD};
use crate::app;
use crate::app::platforms::{Platforms, smtp_settings};
use crate::channel::mail::probe;
use crate::clock::SystemClock;
use crate::config::{Config, FeedConfig};
use crate::ingest::{Ingest, READ_AT_ONCE_MAX};
use crate::item::prose;
use crate::source::git::is_git;
use crate::source::{FetchError, Page};
use crate::store::{self, Store};

/// The exit status if `run` would refuse the configuration.
pub(super) const REFUSED: u8 = 2;
/// If no host answers, the feeds after so many are not tried, because each may cost the time limit of a connection.
const OFFLINE_MAX: usize = 3;

pub(super) async fn check(
    path: &Path,
    online: bool,
    only: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let mut out = anstream::stdout();
    write_summary(&mut out, path, &config)?;
    // A trial of one feed needs no chat system.
    if only.is_none() && !write_obstacles(&mut out, &config)? {
        return Ok(ExitCode::from(REFUSED));
    }
    let has_git = super::git::check_git(&mut out, &config)?;
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
    let Some(failed) = look_at_feeds(&mut out, &config, wanted).await? else {
        return Ok(ExitCode::FAILURE);
    };
    if only.is_none() {
        let are_well = look_at_channels(&mut out, &config).await?;
        if !(look_at_mail(&mut out, &config).await? && are_well) {
            return Ok(ExitCode::FAILURE);
        }
    }
    if failed > 0 {
        writeln!(
            out,
            "{failed} of the feeds could not be read. The configuration has no error: check these addresses, and the network."
        )?;
        return Ok(ExitCode::FAILURE);
    }
    writeln!(out, "Next: bpfnews run")?;
    Ok(ExitCode::SUCCESS)
}

/// Counts the feeds and the channels.
fn write_summary(out: &mut impl Write, path: &Path, config: &Config) -> anyhow::Result<()> {
    let count = |word: &str| {
        let feeds = config.feeds.iter();
        feeds.filter(|feed| feed.kind.word() == word).count()
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
    for open in secrets::open_to_others(config) {
        writeln!(out, "{BAD}warning{BAD:#}  {open}")?;
    }
    if config.network.contact.is_none() {
        let hint = "set `contact` under [network], so that a site's operator can reach you";
        writeln!(out, "{DIM}hint: {hint}{DIM:#}")?;
    }
    Ok(())
}

/// Prints the reasons why `run` would end at its start, found by the code that `run` starts with: a secret is missing or
/// cannot be read, or the database has no folder. Returns whether there is none.
pub(super) fn write_obstacles(out: &mut impl Write, config: &Config) -> anyhow::Result<bool> {
    let mut obstacles = Vec::new();
    if let Err(refused) = Platforms::connect(config) {
        obstacles.extend(refused.to_string().lines().map(str::to_owned));
    }
    if let Err(error) = store::check_place(&config.database) {
        obstacles.push(format!("{error:#}"));
    }
    for obstacle in &obstacles {
        writeln!(out, "{BAD}failed{BAD:#}  {obstacle}")?;
    }
    if !obstacles.is_empty() {
        writeln!(
            out,
            "bpfnews run would not start. Correct this, then run bpfnews check again."
        )?;
    }
    Ok(obstacles.is_empty())
}

/// Fetches each feed once, and prints the results. Returns how many gave nothing, or `None` if it was stopped.
async fn look_at_feeds(
    out: &mut impl Write,
    config: &Config,
    wanted: Vec<&FeedConfig>,
) -> anyhow::Result<Option<usize>> {
    // Nothing is kept, so the database is one in memory.
    let store = Store::open(Path::new(":memory:")).await?;
    let ingest = Ingest::open(store, config, Arc::new(SystemClock)).await?;
    let stop = app::stop_on_signals()?;
    // Each address of a feed is tried by itself.
    let tries: Vec<(String, FeedConfig)> = wanted.into_iter().flat_map(each_address).collect();
    let many = tries.len();
    let progress = bar("{pos} of {len} feeds tried  {elapsed}", many as u64);
    let looks = tries.iter().map(|(name, feed)| {
        let ingest = &ingest;
        async move { (name, feed, ingest.look(feed).await) }
    });
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(READ_AT_ONCE_MAX);
    let (mut answered, mut offline, mut failed) = (0, 0, FailedFeeds::default());
    while let Some((name, feed, look)) = tokio::select! {
        look = looks.next() => look,
        () = stop.cancelled() => None,
    } {
        progress.inc(1);
        match look {
            Ok(page) => {
                answered += 1;
                progress.suspend(|| write_page(out, name, feed, &page))?;
            }
            Err(error) => {
                offline += usize::from(matches!(error, FetchError::Offline { .. }));
                let word = match error {
                    FetchError::Walled { .. } => "walled",
                    FetchError::Gone { .. } => "gone",
                    _ => "failed",
                };
                failed.add(name, word, &error.to_string(), feed.url.as_str());
            }
        }
        if answered == 0 && offline >= OFFLINE_MAX {
            break;
        }
    }
    progress.finish_and_clear();
    failed.write(out)?;
    if stop.is_cancelled() {
        return Ok(None);
    }
    let untried = many - answered - failed.len();
    if untried > 0 {
        writeln!(
            out,
            "No host answers, so {untried} more feeds were not tried. Is this machine online, and may bpfnews use the network?"
        )?;
    }
    Ok(Some(failed.len() + untried))
}

/// Asks the chat systems for each channel there; gives whether all are well.
async fn look_at_channels(out: &mut impl Write, config: &Config) -> anyhow::Result<bool> {
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

/// Greets the mail server and logs in, without a mail; gives whether that went well.
async fn look_at_mail(out: &mut impl Write, config: &Config) -> anyhow::Result<bool> {
    let Some(mail) = &config.mail else {
        return Ok(true);
    };
    let probed = probe(&smtp_settings(mail)?).await;
    match &probed {
        Ok(described) => writeln!(out, "{GOOD}ok{GOOD:#}    mail: {described}")?,
        Err(fault) => writeln!(
            out,
            "{BAD}failed{BAD:#}  mail: {}:{}: {fault}; check host, port, tls and user under [mail]",
            mail.host, mail.port
        )?,
    }
    Ok(probed.is_ok())
}

/// A feed by each of its addresses, with the name that its lines show.
fn each_address(feed: &FeedConfig) -> Vec<(String, FeedConfig)> {
    let ways = feed.ways();
    let shown = |url: &url::Url| match ways.len() {
        1 => feed.name.clone(),
        _ => format!("{} by {url}", feed.name),
    };
    ways.iter()
        .map(|url| (shown(url), feed.only_by(url)))
        .collect()
}

/// The line for a feed that gave a page.
fn write_page(
    out: &mut impl Write,
    name: &str,
    feed: &FeedConfig,
    page: &Page,
) -> std::io::Result<()> {
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
        "{GOOD}ok{GOOD:#}    {name}: {entries}{faults}{}",
        newest.unwrap_or_default()
    )
}

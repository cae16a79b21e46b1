//! The commands that test a channel's route. Nothing is posted.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Effects, Style};
use anyhow::bail;
use chrono::{DateTime, Utc};

use super::moment;
use super::opening::open;
use super::stories::no_story;
use crate::config::{ChannelConfig, Config};
use crate::item::prose;
use crate::post::plain;
use crate::post::story::standing;
use crate::store::stories::{self, StoryFilter};

/// The most stories that are looked at.
const STORIES_MAX: i64 = 100_000;
/// The most characters of a title on a line.
const TITLE_CHARS_MAX: usize = 80;

#[derive(Debug, clap::Subcommand)]
pub(super) enum RouteCommand {
    /// Show which stored stories a channel takes, and why it refuses the others. Nothing is posted.
    #[command(
        after_help = "Examples:\n  bpfnews route test bpf-news --since 30d\n  bpfnews route test bpf-news --story 4j1x9k2m0q"
    )]
    Test {
        /// The channel's name in the configuration.
        #[arg(value_name = "CHANNEL")]
        channel: String,
        /// Stories that moved since then: a day (2025-01-31, UTC), a time (RFC 3339), or so long ago (7d).
        #[arg(long, value_parser = moment, value_name = "WHEN", default_value = "30d")]
        since: DateTime<Utc>,
        /// Only this story, clause by clause: a story's id, a Message-ID, a lore URL or a commit's hash.
        #[arg(long, value_name = "ID", conflicts_with = "since")]
        story: Option<String>,
    },
}

/// Runs `bpfnews route`.
pub(super) async fn run(path: &Path, command: &RouteCommand) -> anyhow::Result<ExitCode> {
    let RouteCommand::Test {
        channel,
        since,
        story,
    } = command;
    match story {
        Some(story) => explain(path, channel, story).await,
        None => test(path, channel, *since).await,
    }
}

const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// Compares every story that moved since then with a channel's route.
async fn test(path: &Path, name: &str, since: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let channel = find_channel(&config, name)?;
    let wanted = StoryFilter {
        since: Some(since.timestamp()),
        ..StoryFilter::default()
    };
    let found =
        stories::list_stories(ingest.store.read(), &wanted, today(), STORIES_MAX, 0).await?;
    let mut out = anstream::stdout().lock();
    let (mut taken, mut left) = (0_usize, BTreeMap::<String, usize>::new());
    for story in &found {
        let title = prose::shorten(&plain(&story.title), TITLE_CHARS_MAX);
        let line = format!(
            "{:>4}  {title} {DIM}({}){DIM:#}",
            story.score,
            standing(story)
        );
        if channel.takes(story) {
            taken += 1;
            writeln!(out, "{GOOD}yes{GOOD:#} {line}")?;
            continue;
        }
        let explained = channel.explain(story);
        let why = plain(&explained.reasons());
        writeln!(out, "{DIM}no{DIM:#}  {line} {DIM}{why}{DIM:#}")?;
        let first = explained.deciding().first().map(|part| part.clause.clone());
        *left.entry(first.unwrap_or_default()).or_default() += 1;
    }
    let share = (taken * 100).checked_div(found.len()).unwrap_or(0);
    let left: Vec<String> = left
        .iter()
        .map(|(why, many)| format!("{many} by {}", plain(why)))
        .collect();
    writeln!(
        out,
        "{name} takes {taken} of {} stories that moved since {} ({share} %){}",
        found.len(),
        since.format("%-d %B %Y"),
        match left.is_empty() {
            true => String::new(),
            false => format!("; refused: {}", left.join(", ")),
        }
    )?;
    ingest.store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Explains clause by clause whether a channel takes a story.
async fn explain(path: &Path, name: &str, story: &str) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let channel = find_channel(&config, name)?;
    let Some(story) = stories::find_story(ingest.store.read(), story, today()).await? else {
        bail!("{}", no_story(story));
    };
    let mut out = anstream::stdout().lock();
    let verb = match channel.takes(&story) {
        true => "takes",
        false => "refuses",
    };
    writeln!(out, "{name} {verb} {}", plain(&story.title))?;
    for line in channel.explain(&story).lines() {
        writeln!(out, "{}", plain(&line))?;
    }
    ingest.store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn today() -> i64 {
    stories::day_of(Utc::now())
}

fn find_channel(config: &Config, name: &str) -> anyhow::Result<ChannelConfig> {
    let channels = config.channels();
    let Some(channel) = channels.iter().find(|channel| channel.name == name) else {
        let names: Vec<&str> = channels
            .iter()
            .map(|channel| channel.name.as_str())
            .collect();
        bail!("there is no channel {name}; there are {}", names.join(", "));
    };
    Ok(channel.clone())
}

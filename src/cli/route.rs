//! The command that tests a channel's route. Nothing is posted.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Effects, Style};
use chrono::{DateTime, Utc};

use super::opening::open;
use crate::config::ChannelConfig;
use crate::item::prose;
use crate::post::plain;
use crate::post::story::standing;
use crate::store::stories::{self, StoryFilter};

/// The most stories that are looked at.
const STORIES_MAX: i64 = 100_000;
/// The most characters of a title on a line.
const TITLE_CHARS_MAX: usize = 80;

const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// Holds every story that moved since then against a channel's route.
pub(super) async fn test(
    path: &Path,
    name: &str,
    since: DateTime<Utc>,
) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let channels = config.channels();
    let Some(channel) = channels.iter().find(|channel| channel.name == name) else {
        let names: Vec<&str> = channels
            .iter()
            .map(|channel| channel.name.as_str())
            .collect();
        anyhow::bail!("there is no channel {name}; there are {}", names.join(", "));
    };
    let wanted = StoryFilter {
        since: Some(since.timestamp()),
        ..StoryFilter::default()
    };
    let today = Utc::now().timestamp().div_euclid(86_400);
    let found = stories::list_stories(ingest.store.read(), &wanted, today, STORIES_MAX, 0).await?;
    let mut out = anstream::stdout().lock();
    let (mut taken, mut left) = (0_usize, BTreeMap::<String, usize>::new());
    for story in &found {
        let title = prose::shorten(&plain(&story.title), TITLE_CHARS_MAX);
        let line = format!(
            "{:>4}  {title} {DIM}({}){DIM:#}",
            story.score,
            standing(story)
        );
        match takes(channel, story) {
            Ok(()) => {
                taken += 1;
                writeln!(out, "{GOOD}yes{GOOD:#} {line}")?;
            }
            Err(why) => {
                writeln!(out, "{DIM}no{DIM:#}  {line} {DIM}{why}{DIM:#}")?;
                // A score or a name says something about one story; its kind about many.
                let kind = why.split_whitespace().next().unwrap_or_default().to_owned();
                *left.entry(kind).or_default() += 1;
            }
        }
    }
    let share = (taken * 100).checked_div(found.len()).unwrap_or(0);
    let left: Vec<String> = left
        .iter()
        .map(|(why, many)| format!("{many} for {why}"))
        .collect();
    writeln!(
        out,
        "{name} takes {taken} of {} stories that moved since {} ({share} %){}",
        found.len(),
        since.format("%-d %B %Y"),
        match left.is_empty() {
            true => String::new(),
            false => format!("; left out: {}", left.join(", ")),
        }
    )?;
    ingest.store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn takes(channel: &ChannelConfig, story: &crate::story::Story) -> Result<(), String> {
    match channel.maintainers {
        true => Err("maintainers' channels get no stories".to_owned()),
        false => channel.route.takes(story),
    }
}

//! The commands about stories: `stories`, `story`, `search`, `open`, `refold`.

mod json;
mod page;
mod standing;
#[cfg(test)]
mod tests;
mod timeline;
mod view;
mod which;

use self::json::StoryJson;
pub(super) use self::which::StoryChoice;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, TimeDelta, Utc};

use super::Format;
use super::opening::{open, open_alone};
use super::polls::bar;
use crate::channel::terminal::width;
use crate::fold;
use crate::post::plain;
use crate::store::items;
use crate::store::stories;
use crate::story::Story;

/// Stories on a text list unless more are asked for.
const STORIES_SHOWN: u32 = 30;
/// Stories read from the database at a time.
const PAGE: i64 = 500;
/// `open` leaves out series that did not move for so long, unless `--since` is given.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(180);

/// Prints stories, one after the other.
pub(super) async fn stories(
    path: &Path,
    words: Option<&str>,
    which: &StoryChoice,
) -> anyhow::Result<ExitCode> {
    if words.is_some_and(|words| stories::match_words(words).is_empty()) {
        bail!("{}", stories::NO_WORDS);
    }
    let (config, ingest) = open(path).await?;
    which.check(&config.subsystems)?;
    let now = Utc::now();
    let (wanted, format) = (which.wanted(words), which.format);
    let limit = which.limit.unwrap_or(match format {
        Format::Text => STORIES_SHOWN,
        Format::Json => 0,
    });
    let mut out = anstream::stdout().lock();
    let most = if limit == 0 { i64::MAX } else { limit.into() };
    let (mut shown, mut read) = (0, 0);
    while shown < most {
        // With a filter, only a part of the stories is shown.
        let left = match which.filter {
            Some(_) => PAGE,
            None => PAGE.min(most - shown),
        };
        let page =
            stories::list_stories(ingest.store.read(), &wanted, today(now), left, read).await?;
        let taken = page
            .iter()
            .filter(|story| which.takes(story, &config.subsystems));
        for story in taken.take(usize::try_from(most - shown).unwrap_or(usize::MAX)) {
            shown += 1;
            match format {
                Format::Json => {
                    writeln!(out, "{}", serde_json::to_string(&StoryJson::from(story))?)?
                }
                Format::Text => write!(out, "{}", view::line(story, width(), now))?,
            }
        }
        read += i64::try_from(page.len())?;
        if i64::try_from(page.len())? < left {
            break;
        }
    }
    if shown == 0 && matches!(format, Format::Text) {
        writeln!(out, "No stories match.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Days since 1970.
fn today(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(86_400)
}

/// The error for a name that no story has.
pub(super) fn no_story(name: &str) -> String {
    format!(
        "no story is known by {name:?}; a story's id, a Message-ID, a lore URL or a commit's hash (12 digits or more) names one"
    )
}

/// Prints one story: by its id, a Message-ID, a lore URL or a commit's hash.
pub(super) async fn story(
    path: &Path,
    name: &str,
    why: bool,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let now = Utc::now();
    let Some(story) = stories::find_story(ingest.store.read(), name, today(now)).await? else {
        bail!("{}", no_story(name));
    };
    let mut out = anstream::stdout().lock();
    if let Format::Json = format {
        writeln!(out, "{}", serde_json::to_string(&StoryJson::from(&story))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    write!(out, "{}", timeline::timeline(&story, why, width(), now))?;
    if let Some(landed) = &story.mainline
        && let Some(release) =
            items::mainline_release_after(ingest.store.read(), landed.at.timestamp()).await?
    {
        writeln!(
            out,
            "\nThe first release of mainline after that was {}.",
            plain(&release)
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the series that wait for a person's answer, those that wait longest first.
pub(super) async fn waiting(path: &Path, which: &StoryChoice) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    which.check(&config.subsystems)?;
    let now = Utc::now();
    let mut wanted = which.wanted(None);
    wanted.kind = Some("series".to_owned());
    wanted.only_relevant = !which.all;
    // A series that nobody touched for half a year was given up.
    let since = wanted.since.unwrap_or((now - GIVEN_UP_AFTER).timestamp());
    wanted.since = Some(since);
    let mut waiting: Vec<(TimeDelta, Story)> = Vec::new();
    for page in 0.. {
        let stories =
            stories::list_stories(ingest.store.read(), &wanted, today(now), PAGE, page * PAGE)
                .await?;
        let is_last = i64::try_from(stories.len())? < PAGE;
        let these = stories.into_iter();
        let these = these.filter(|story| which.takes(story, &config.subsystems));
        waiting.extend(these.filter_map(|story| Some((view::waiting(&story, now)?, story))));
        if is_last {
            break;
        }
    }
    waiting.sort_by(|a, b| (b.0, &a.1.id).cmp(&(a.0, &b.1.id)));
    let most = which
        .limit
        .filter(|&limit| limit > 0)
        .map_or(usize::MAX, |limit| limit as usize);
    let mut out = anstream::stdout().lock();
    for (waits, story) in waiting.iter().take(most) {
        match which.format {
            Format::Json => writeln!(out, "{}", serde_json::to_string(&StoryJson::from(story))?)?,
            Format::Text => write!(out, "{}", view::waiting_line(story, *waits, width()))?,
        }
    }
    if waiting.is_empty() && matches!(which.format, Format::Text) {
        writeln!(out, "No series waits for an answer.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds all stories anew from the stored items.
pub(super) async fn refold(path: &Path) -> anyhow::Result<ExitCode> {
    // It is one long transaction, which nobody else could write in.
    let (config, ingest, _lock) = open_alone(path, "refold").await?;
    let all = items::all_numbers(ingest.store.read()).await?;
    let bar = bar("{bar:40} {percent:>3} %  {elapsed}", all.len() as u64);
    let mut tx = ingest.store.write().await?;
    let (_, before) = stories::digest(&mut tx).await?;
    fold::refold(&mut tx, &all, &config.relevance, |done| {
        bar.inc(done as u64)
    })
    .await?;
    let (count, after) = stories::digest(&mut tx).await?;
    tx.commit().await?;
    bar.finish_and_clear();
    ingest.store.close().await;
    writeln!(
        anstream::stdout(),
        "{} items in {count} stories; {}",
        all.len(),
        if before == after {
            "nothing changed"
        } else {
            "some changed"
        }
    )?;
    Ok(ExitCode::SUCCESS)
}

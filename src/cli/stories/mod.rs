//! The commands about stories: `stories`, `story`, `search`, `open`, `refold`.

mod page;
mod standing;
#[cfg(test)]
mod tests;
mod timeline;
mod view;
mod which;

pub(super) use self::which::StoryChoice;
use self::which::kind_word;
use crate::web::StoryJson;

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
use crate::store::Readers;
use crate::store::items;
use crate::store::stories::{self, StoryFilter};
use crate::story::waiting::{GIVEN_UP_AFTER, waiting_pulls};
use crate::story::{Story, StoryKind};

/// Stories on a text list unless more are asked for.
const STORIES_SHOWN: u32 = 30;
/// Stories read from the database at a time.
const PAGE: i64 = 500;

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
        let readers = ingest.store.read();
        let mut page =
            stories::list_stories(readers, &wanted, stories::day_of(now), left, read).await?;
        stories::name_releases(readers, &mut page).await?;
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
    let readers = ingest.store.read();
    let Some(mut story) = stories::find_story(readers, name, stories::day_of(now)).await? else {
        bail!("{}", no_story(name));
    };
    stories::name_releases(readers, std::slice::from_mut(&mut story)).await?;
    let mut out = anstream::stdout().lock();
    if let Format::Json = format {
        writeln!(out, "{}", serde_json::to_string(&StoryJson::from(&story))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    write!(out, "{}", timeline::timeline(&story, why, width(), now))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the series that wait for a person's answer and the pull requests that wait, those that wait longest first.
pub(super) async fn waiting(path: &Path, which: &StoryChoice) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    which.check(&config.subsystems)?;
    let now = Utc::now();
    let mut wanted = which.wanted(None);
    wanted.only_relevant = !which.all;
    // A series that nobody touched for half a year was given up.
    let since = wanted.since.unwrap_or((now - GIVEN_UP_AFTER).timestamp());
    wanted.since = Some(since);
    let readers = ingest.store.read();
    let mut waiting: Vec<(TimeDelta, Story)> = Vec::new();
    if which.takes_kind(StoryKind::Series) {
        let stories = all_of_kind(readers, &wanted, StoryKind::Series, now).await?;
        let waits = |story: Story| Some((view::waiting(&story, now)?, story));
        waiting.extend(stories.into_iter().filter_map(waits));
    }
    if which.takes_kind(StoryKind::Pull) {
        let pulls = all_of_kind(readers, &wanted, StoryKind::Pull, now).await?;
        let waits = waiting_pulls(&pulls, now).into_iter();
        waiting.extend(waits.map(|(waits, pull)| (waits, pull.clone())));
    }
    waiting.retain(|(_, story)| which.takes(story, &config.subsystems));
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
        writeln!(
            out,
            "No series waits for an answer, and no pull request waits."
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The stories of a kind that match.
async fn all_of_kind(
    readers: &Readers,
    wanted: &StoryFilter,
    kind: StoryKind,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Story>> {
    let wanted = StoryFilter {
        kind: Some(kind_word(kind)),
        ..wanted.clone()
    };
    let mut all = Vec::new();
    for page in 0.. {
        let stories =
            stories::list_stories(readers, &wanted, stories::day_of(now), PAGE, page * PAGE)
                .await?;
        let is_last = i64::try_from(stories.len())? < PAGE;
        all.extend(stories);
        if is_last {
            break;
        }
    }
    Ok(all)
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

//! The commands about stories: `stories`, `story`, `search`, `open`, `refold`.

mod standing;
#[cfg(test)]
mod tests;
mod timeline;
mod view;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, Utc};

use super::moment;
use super::polls::bar;
use super::{Format, open};
use crate::channel::terminal::width;
use crate::ingest::fold;
use crate::item::trailer::{commit_in_link, linked_mails};
use crate::item::{ItemKey, Kind, MessageId};
use crate::store::stories::{self, Wanted};
use crate::store::{Store, items};
use crate::story::{Story, key};

/// Stories on a text list unless more are asked for.
const STORIES_SHOWN: u32 = 30;
/// Stories read from the database at a time.
const PAGE: i64 = 500;

/// Which stories are listed, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only stories of this kind: series, commit, pull, thread, article, release, video.
    #[arg(long, value_parser = story_kind, value_name = "KIND")]
    kind: Option<String>,
    /// Only stories in this state: posted, discussed, applied, `partly_applied`, pulled, mainline, stable, superseded, withdrawn,
    /// rejected, open, paid, free, published.
    #[arg(long, value_parser = story_state, value_name = "STATE")]
    state: Option<String>,
    /// Only stories whose author's name has this in it.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Only stories for a tree whose name has this in it.
    #[arg(long, value_name = "TREE")]
    tree: Option<String>,
    /// Only stories of which this feed carries something.
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Only stories that moved since: a day (2025-01-31, UTC), a time (RFC 3339), or so long ago (36h, 7d, 4w).
    #[arg(long, value_parser = moment, value_name = "WHEN")]
    since: Option<DateTime<Utc>>,
    /// Only stories that began before; the same forms.
    #[arg(long, value_parser = moment, value_name = "WHEN")]
    until: Option<DateTime<Utc>>,
    /// Only stories that score at least so much.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    score: Option<i64>,
    /// Also stories that are not about BPF.
    #[arg(long)]
    all: bool,
    /// At most so many; 0 means all [default: 30 as text, all as json].
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// How to print them; json is one object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl Which {
    fn wanted(&self, words: Option<&str>) -> Wanted {
        Wanted {
            words: words.map(stories::match_words),
            author: self.author.clone(),
            tree: self.tree.clone(),
            kind: self.kind.clone(),
            state: self.state.clone(),
            feed: self.feed.clone(),
            since: self.since.map(|at| at.timestamp()),
            until: self.until.map(|at| at.timestamp()),
            only_relevant: !self.all,
            score: self.score,
        }
    }
}

/// Prints stories, one after the other.
pub(super) async fn stories(
    path: &Path,
    words: Option<&str>,
    which: &Which,
) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let now = Utc::now();
    let (wanted, format) = (which.wanted(words), which.format);
    let limit = which.limit.unwrap_or(match format {
        Format::Text => STORIES_SHOWN,
        Format::Json => 0,
    });
    let mut out = anstream::stdout().lock();
    let mut shown = 0;
    loop {
        let left = if limit == 0 {
            PAGE
        } else {
            (i64::from(limit) - shown).min(PAGE)
        };
        if left <= 0 {
            break;
        }
        let page =
            stories::list_stories(ingest.store.read(), &wanted, today(now), left, shown).await?;
        for story in &page {
            print(&mut out, story, format, now)?;
        }
        shown += i64::try_from(page.len())?;
        if i64::try_from(page.len())? < left {
            break;
        }
    }
    if shown == 0 && matches!(format, Format::Text) {
        writeln!(out, "No stories match.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print(
    out: &mut impl std::io::Write,
    story: &Story,
    format: Format,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(story)?)?,
        Format::Text => write!(out, "{}", view::line(story, width(), now))?,
    }
    Ok(())
}

/// Days since 1970.
fn today(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(86_400)
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
    let Some(story) = find(&ingest.store, name, today(now)).await? else {
        bail!(
            "no story is known by {name:?}; a story's id, a Message-ID, a lore URL or a commit's hash (12 digits or more) names one"
        );
    };
    let mut out = anstream::stdout().lock();
    match format {
        Format::Json => print(&mut out, &story, format, now)?,
        Format::Text => write!(out, "{}", timeline::timeline(&story, why, width(), now))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds a story by whatever a person may have at hand.
async fn find(store: &Store, name: &str, today: i64) -> anyhow::Result<Option<Story>> {
    let (name, pool) = (name.trim(), store.read());
    if let Some(story) = stories::story_by_id(pool, name, today).await? {
        return Ok(Some(story));
    }
    let linked = linked_mails(name).into_iter().next();
    let mail = linked.or_else(|| MessageId::parse(name).filter(|id| id.as_str().contains('@')));
    if let Some(id) = mail {
        let digest = ItemKey::message(&id).digest();
        return stories::story_of_item(pool, Kind::Message, &digest, today).await;
    }
    let hash = commit_in_link(name).unwrap_or(name).to_ascii_lowercase();
    if let Some(key) = key::commit(&hash).filter(|_| hash.bytes().all(|b| b.is_ascii_hexdigit())) {
        let near = stories::stories_near_key(pool, key, today).await?;
        return Ok(near.into_iter().find(|story| {
            let mut commits = story.commits.iter();
            commits.any(|commit| commit.starts_with(&hash) || hash.starts_with(commit.as_str()))
        }));
    }
    Ok(None)
}

/// Makes all stories anew from what is stored.
pub(super) async fn refold(path: &Path) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let all = items::all_numbers(ingest.store.read()).await?;
    let bar = bar("{bar:40} {percent:>3} %  {elapsed}", all.len() as u64);
    let mut tx = ingest.store.write().await?;
    let (_, before) = stories::digest(&mut tx).await?;
    fold::refold(&mut tx, &all, &ingest.words, |done| bar.inc(done as u64)).await?;
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

/// Checks a word against the variants that serde knows.
fn known_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<String, String> {
    match serde_json::from_value::<T>(serde_json::Value::String(word.to_owned())) {
        Ok(_) => Ok(word.to_owned()),
        // serde lists what would have been right.
        Err(error) => Err(error.to_string()),
    }
}

fn story_kind(word: &str) -> Result<String, String> {
    known_word::<crate::story::StoryKind>(word)
}

fn story_state(word: &str) -> Result<String, String> {
    known_word::<crate::story::State>(word)
}

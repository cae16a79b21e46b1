//! What maintainers do in chat, from the command line: mutes, retractions, pauses of feeds, the audit log. It works while `run`
//! does.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::{Format, channels};
use crate::command::{Change, CommandError, Maintainer};
use crate::config::Config;
use crate::post::plain;
use crate::store::audit::{self, Actor};
use crate::store::{Store, feeds, mutes};

/// Changes of the audit log unless more are asked for.
const CHANGES_SHOWN: u32 = 50;

/// A change by a maintainer.
#[derive(Debug)]
pub(super) enum HouseChange<'a> {
    MuteStory(&'a str),
    MuteAuthor(&'a str),
    MuteWords(&'a str),
    Unmute(i64),
    Retract(&'a str),
    PauseFeed(&'a str),
    ResumeFeed(&'a str),
}

/// The questions and changes of an operator.
#[derive(Debug, clap::Subcommand)]
pub(super) enum HouseCommand {
    /// List the channels: their state, since when, the reason, the waiting messages, and what to do.
    #[command(
        after_help = "Examples:\n  bpfnews channels\n  bpfnews channels --format json | jq 'select(.state != \"ok\")'"
    )]
    Channels {
        /// How to print them; json is one object a line.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Stop posts about a story, by an author, or with words in the title.
    #[command(subcommand)]
    Mute(MuteCommand),
    /// End a mute.
    #[command(after_help = "Example:\n  bpfnews mutes && bpfnews unmute 3")]
    Unmute {
        /// Its number in the list of mutes.
        number: i64,
    },
    /// List the mutes.
    #[command(after_help = "Example:\n  bpfnews mutes")]
    Mutes {
        /// How to print them; json is one object a line.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Remove a story's posts everywhere, also from lists, and never post it again.
    #[command(after_help = "Example:\n  bpfnews retract 4j1x9k2m0q")]
    Retract {
        /// A story's id, a Message-ID, a link, a commit's hash, or words of its title.
        #[arg(value_name = "STORY")]
        name: String,
    },
    /// List the changes in chat and on the command line, each with its person, the newest first.
    #[command(after_help = "Example:\n  bpfnews audit --limit 10")]
    Audit {
        /// At most so many; 0 means all [default: 50 as text, all as json].
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// How to print them; json is one object a line.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// The subcommands of `mute`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum MuteCommand {
    /// Stop posts about a story. Its posts stay as they are.
    #[command(after_help = "Example:\n  bpfnews mute story 4j1x9k2m0q")]
    Story {
        /// A story's id, a Message-ID, a link, a commit's hash, or words of its title.
        #[arg(value_name = "STORY")]
        name: String,
    },
    /// Open no posts for stories by an author.
    #[command(after_help = "Example:\n  bpfnews mute author 'Some One'")]
    Author {
        /// The whole name.
        name: String,
    },
    /// Open no posts for stories with these words in the title.
    #[command(after_help = "Example:\n  bpfnews mute words 'riscv jit'")]
    Words {
        /// The words, in this order.
        words: String,
    },
}

/// The subcommands of `feeds`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum FeedsCommand {
    /// Stop polling a feed until it is resumed.
    #[command(after_help = "Example:\n  bpfnews feeds pause bpf-next")]
    Pause {
        /// The feed.
        #[arg(value_name = "NAME")]
        feed: String,
    },
    /// Poll a paused feed again, at once.
    #[command(after_help = "Example:\n  bpfnews feeds resume bpf-next")]
    Resume {
        /// The feed.
        #[arg(value_name = "NAME")]
        feed: String,
    },
}

impl MuteCommand {
    pub(super) fn change(&self) -> HouseChange<'_> {
        match self {
            Self::Story { name } => HouseChange::MuteStory(name),
            Self::Author { name } => HouseChange::MuteAuthor(name),
            Self::Words { words } => HouseChange::MuteWords(words),
        }
    }
}

impl FeedsCommand {
    pub(super) fn change(&self) -> HouseChange<'_> {
        match self {
            Self::Pause { feed } => HouseChange::PauseFeed(feed),
            Self::Resume { feed } => HouseChange::ResumeFeed(feed),
        }
    }
}

pub(super) async fn run(path: &Path, command: &HouseCommand) -> anyhow::Result<ExitCode> {
    match command {
        HouseCommand::Channels { format } => channels::channels(path, *format).await,
        HouseCommand::Mute(command) => change(path, &command.change()).await,
        HouseCommand::Unmute { number } => change(path, &HouseChange::Unmute(*number)).await,
        HouseCommand::Mutes { format } => mutes(path, *format).await,
        HouseCommand::Retract { name } => change(path, &HouseChange::Retract(name)).await,
        HouseCommand::Audit { limit, format } => changes(path, *limit, *format).await,
    }
}

/// Makes a change, and prints its result.
pub(super) async fn change(path: &Path, change: &HouseChange<'_>) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let store = Store::open(&config.database).await?;
    let by = Maintainer {
        store: &store,
        actor: operator(),
        search: "bpfnews search WORDS".to_owned(),
        now: Utc::now(),
    };
    let made = make(&by, change).await;
    store.close().await;
    let made = made.map_err(|error| match error {
        CommandError::Refused(why) => anyhow::anyhow!(why),
        CommandError::Internal(error) => error,
    })?;
    writeln!(anstream::stdout(), "{}: {}", made.title, made.text)?;
    Ok(ExitCode::SUCCESS)
}

async fn make(by: &Maintainer<'_>, change: &HouseChange<'_>) -> Result<Change, CommandError> {
    match *change {
        HouseChange::MuteStory(name) => by.mute_story(name).await,
        HouseChange::MuteAuthor(name) => by.mute_author(name).await,
        HouseChange::MuteWords(words) => by.mute_words(words).await,
        HouseChange::Unmute(number) => by.unmute(number).await,
        HouseChange::Retract(name) => by.retract(name).await,
        HouseChange::PauseFeed(name) | HouseChange::ResumeFeed(name) => {
            let rows = feeds::list_feeds(by.store.read()).await?;
            let known = rows.iter().filter(|row| row.configured);
            let known: Vec<&str> = known.map(|row| row.name.as_str()).collect();
            match change {
                HouseChange::PauseFeed(_) => by.pause_feed(name, &known).await,
                _ => by.resume_feed(name, &known).await,
            }
        }
    }
}

/// The person at the command line, for the audit log.
fn operator() -> Actor {
    let names = ["SUDO_USER", "USER", "LOGNAME"].into_iter();
    let name = names.filter_map(|name| std::env::var(name).ok());
    let uid = rustix::process::getuid().as_raw();
    Actor {
        platform: "the command line".to_owned(),
        person: name
            .map(|name| plain(&name))
            .find(|name| !name.is_empty())
            .unwrap_or_else(|| format!("uid {uid}")),
        room: "a shell".to_owned(),
        community: None,
    }
}

fn stamp(seconds: i64) -> String {
    let at = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Lists the mutes.
pub(super) async fn mutes(path: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let store = Store::open(&config.database).await?;
    let rows = mutes::list_mutes(store.read()).await?;
    store.close().await;
    let mut out = anstream::stdout().lock();
    for row in &rows {
        match format {
            Format::Json => {
                let row = json!({
                    "number": row.id,
                    "kind": row.kind.word(),
                    "what": row.shown,
                    "at": stamp(row.at),
                    "by": row.by,
                });
                writeln!(out, "{row}")?;
            }
            Format::Text => writeln!(
                out,
                "{}  {}  {}\n    by {} at {}",
                row.id,
                row.kind.word(),
                plain(&row.shown),
                plain(&row.by),
                stamp(row.at)
            )?,
        }
    }
    if rows.is_empty() && format == Format::Text {
        writeln!(anstream::stderr(), "Nothing is muted.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the changes in the audit log, the newest first.
pub(super) async fn changes(
    path: &Path,
    limit: Option<u32>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let store = Store::open(&config.database).await?;
    let most = match (limit, format) {
        (Some(0), _) | (None, Format::Json) => i64::MAX,
        (Some(limit), _) => i64::from(limit),
        (None, Format::Text) => i64::from(CHANGES_SHOWN),
    };
    let rows = audit::list_changes(store.read(), most).await?;
    store.close().await;
    let mut out = anstream::stdout().lock();
    for row in &rows {
        match format {
            Format::Json => {
                let row = json!({
                    "at": stamp(row.at),
                    "platform": row.platform,
                    "person": row.person,
                    "room": row.room,
                    "what": row.what,
                });
                writeln!(out, "{row}")?;
            }
            Format::Text => writeln!(
                out,
                "{}  {} on {} in {}\n    {}",
                stamp(row.at),
                plain(&row.person),
                plain(&row.platform),
                plain(&row.room),
                plain(&row.what)
            )?,
        }
    }
    if rows.is_empty() && format == Format::Text {
        writeln!(anstream::stderr(), "Nobody has changed anything yet.")?;
    }
    Ok(ExitCode::SUCCESS)
}

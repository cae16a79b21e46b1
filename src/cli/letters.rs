//! The commands for dead letters: list, retry, drop. They work while `run` does.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::Format;
use crate::config::Config;
use crate::post::plain;
use crate::store::Store;
use crate::store::outbox::{self, Letter, LetterDecision, LetterFate};

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub(super) enum LettersCommand {
    /// List them: those that were set aside, and those that fail and are still tried.
    #[command(
        after_help = "Example:\n  bpfnews letters list --format json | jq 'select(.state == \"set_aside\")'"
    )]
    List {
        /// How to print them; json is one object a line.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Retry a message that could not be delivered: one by its number, or all.
    #[command(after_help = "Example:\n  bpfnews letters retry 17")]
    Retry {
        /// Its number in the list, or all.
        #[arg(value_name = "NUMBER|all", value_parser = which)]
        which: LetterChoice,
    },
    /// Drop a message that could not be delivered: one by its number, or all.
    #[command(after_help = "Example:\n  bpfnews letters drop all")]
    Drop {
        /// Its number in the list, or all.
        #[arg(value_name = "NUMBER|all", value_parser = which)]
        which: LetterChoice,
    },
}

/// LetterChoice of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum LetterChoice {
    One(i64),
    All,
}

fn which(text: &str) -> Result<LetterChoice, String> {
    match text {
        "all" => Ok(LetterChoice::All),
        number => number
            .parse()
            .map(LetterChoice::One)
            .map_err(|_| "expected a number of the list, or all".to_owned()),
    }
}

pub(super) async fn run(path: &Path, command: &LettersCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let store = Store::open(&config.database).await?;
    let code = match command {
        LettersCommand::List { format } => list(&store, *format).await?,
        LettersCommand::Retry { which } => decide(&store, *which, LetterFate::Retry).await?,
        LettersCommand::Drop { which } => decide(&store, *which, LetterFate::Drop).await?,
    };
    store.close().await;
    Ok(code)
}

async fn list(store: &Store, format: Format) -> anyhow::Result<ExitCode> {
    let letters = outbox::letters(store.read(), i64::MAX).await?;
    let mut out = anstream::stdout().lock();
    for letter in &letters {
        match format {
            Format::Json => writeln!(out, "{}", as_json(letter))?,
            Format::Text => writeln!(out, "{}", as_text(letter))?,
        }
    }
    if letters.is_empty() && format == Format::Text {
        writeln!(anstream::stderr(), "Nothing is set aside.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn stamp(seconds: i64) -> String {
    let at = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn as_json(letter: &Letter) -> serde_json::Value {
    json!({
        "number": letter.id,
        "channel": letter.channel,
        "platform": letter.platform,
        "verb": letter.verb.word(),
        "state": if letter.is_aside { "set_aside" } else { "failing" },
        "title": letter.title(),
        "url": letter.link(),
        "why": letter.why,
        "failures": letter.failures,
        "since": stamp(letter.since),
    })
}

fn as_text(letter: &Letter) -> String {
    let state = match letter.is_aside {
        true => "set aside",
        false => "still tried, failing",
    };
    let link = letter
        .link()
        .map_or_else(String::new, |link| format!("\n    {}", plain(&link)));
    format!(
        "{}  {} ({}) · {} · {state} since {}\n    {}{link}\n    {}",
        letter.id,
        plain(&letter.channel),
        letter.platform,
        letter.verb.word(),
        stamp(letter.since),
        plain(&letter.title()),
        plain(&letter.why)
    )
}

async fn decide(store: &Store, which: LetterChoice, fate: LetterFate) -> anyhow::Result<ExitCode> {
    let number = match which {
        LetterChoice::One(number) => Some(number),
        LetterChoice::All => None,
    };
    let mut tx = store.write().await?;
    let decided = outbox::decide_letters(&mut tx, number, fate, Utc::now()).await?;
    tx.commit().await.context("keeping what was decided")?;
    let mut out = anstream::stdout();
    match decided {
        LetterDecision::Unknown => {
            anyhow::bail!(
                "no message has this number; bpfnews letters list shows all that could not be delivered"
            )
        }
        LetterDecision::NoChannel(channel) => anyhow::bail!(
            "{channel} is not configured any more, or its room was replaced; this can only be dropped"
        ),
        LetterDecision::Done(many) => match fate {
            LetterFate::Retry => writeln!(
                out,
                "{many} to be tried again: by bpfnews run within half a minute, or by bpfnews poll."
            )?,
            LetterFate::Drop => writeln!(out, "{many} given up.")?,
        },
    }
    Ok(ExitCode::SUCCESS)
}

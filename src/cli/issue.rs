//! The commands about the newsletter: `issue draft`, `edit`, `show`, `list`, `publish`, `withdraw`, `backfill`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use tracing::debug;

use super::opening::{open, open_alone};
use super::operator::{BY, hand};
use super::{issue_edit, moment};
use crate::ingest::Ingest;
use crate::issue::markdown::{self, Correction};
use crate::issue::{Issue, Period, title};
use crate::publish::{self, Doubt, Rules, files};
use crate::store::audit;
use crate::store::issues;
use crate::web;

#[derive(Debug, Subcommand)]
pub(super) enum IssueCommand {
    /// Print the coming issue as it would be now, or that of a period.
    #[command(
        after_help = "Examples:\n  bpfnews issue draft\n  bpfnews issue draft --week 2017-W19\n  \
                      bpfnews issue draft --from 2025-03-01 --to 2025-03-15 --format html > draft.html"
    )]
    Draft {
        /// Of which time.
        #[command(flatten)]
        span: PeriodArgs,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Print::Md)]
        format: Print,
    },
    /// Edit the coming issue, as editors do in chat and on the desk; also beside a running bpfnews.
    Edit(issue_edit::EditArgs),
    /// Print an issue that is out.
    #[command(after_help = "Example:\n  bpfnews issue show 2 > bpf-updates-02.md")]
    Show {
        /// Its number.
        number: u32,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Print::Md)]
        format: Print,
    },
    /// List the issues that are out, the newest first.
    #[command(after_help = "Example:\n  bpfnews issue list")]
    List,
    /// Publish the coming issue and freeze it. A running bpfnews sends it to the channels. The command asks first if the issue
    /// is empty, if part of its period was not read, or if the period is very short or very long.
    #[command(
        after_help = "Examples:\n  bpfnews issue publish\n  bpfnews issue publish --week 2017-W19\n  \
                      bpfnews issue publish --yes"
    )]
    Publish {
        /// Of which time.
        #[command(flatten)]
        span: PeriodArgs,
        /// Publish without asking, whatever the doubts.
        #[arg(long)]
        yes: bool,
    },
    /// Withdraw the newest issue, while nothing refers to it. A running bpfnews removes its posts. Its number is free again, and
    /// its edits apply to the coming issue.
    #[command(after_help = "Example:\n  bpfnews issue withdraw 2")]
    Withdraw {
        /// Its number.
        number: u32,
    },
    /// Make the issues of past weeks from stored stories, numbered in order, without posting them. This works only before the
    /// first issue is published.
    #[command(
        after_help = "Example:\n  bpfnews backfill --feed bpf-list --since 2025-01-01\n  \
                      bpfnews issue backfill --since 2025-01-01"
    )]
    Backfill {
        /// From which week on: a day in it (2025-01-31, UTC), a time (RFC 3339), or so long ago (90d).
        #[arg(long, value_parser = moment, value_name = "WHEN")]
        since: DateTime<Utc>,
    },
}

/// A stretch of time.
#[derive(Debug, Args)]
pub(super) struct PeriodArgs {
    /// An ISO week, Monday to Sunday, UTC: 2017-W19.
    #[arg(long, value_parser = week, value_name = "WEEK", conflicts_with_all = ["from", "to"])]
    week: Option<Period>,
    /// From then on: a day (2025-01-31, UTC), a time (RFC 3339), or so long ago (7d).
    #[arg(long, value_parser = moment, value_name = "WHEN")]
    from: Option<DateTime<Utc>>,
    /// Up to then; the same forms [default: now].
    #[arg(long, value_parser = moment, value_name = "WHEN", requires = "from")]
    to: Option<DateTime<Utc>>,
}

/// How an issue is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Print {
    /// A Markdown file, with front matter for a static site.
    Md,
    /// A web page that needs nothing else.
    Html,
    /// For programs.
    Json,
}

fn week(text: &str) -> Result<Period, String> {
    Period::week(text).ok_or_else(|| "a week is written 2017-W19".to_owned())
}

impl PeriodArgs {
    fn period(&self, now: DateTime<Utc>) -> anyhow::Result<Option<Period>> {
        let period = match (self.week, self.from) {
            (Some(week), _) => week,
            (None, Some(from)) => Period {
                from,
                to: self.to.unwrap_or(now),
            },
            (None, None) => return Ok(None),
        };
        if period.to <= period.from {
            bail!("--to must be later than --from");
        }
        Ok(Some(period))
    }
}

/// Carries out a command.
pub(super) async fn run(path: &Path, command: &IssueCommand) -> anyhow::Result<ExitCode> {
    match command {
        IssueCommand::Draft { span, format } => draft(path, span, *format).await,
        IssueCommand::Edit(args) => issue_edit::edit(path, args).await,
        IssueCommand::Show { number, format } => show(path, *number, *format).await,
        IssueCommand::List => list(path).await,
        IssueCommand::Publish { span, yes } => publish(path, span, *yes).await,
        IssueCommand::Withdraw { number } => withdraw(path, *number).await,
        IssueCommand::Backfill { since } => backfill(path, *since).await,
    }
}

async fn draft(path: &Path, span: &PeriodArgs, format: Print) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let rules = Rules::of(&config);
    let now = Utc::now();
    let period = span.period(now)?;
    let mut tx = ingest.store.snapshot().await?;
    let begun = Instant::now();
    let compiled = publish::coming(&mut tx, rules, period, now).await?;
    debug!(took_ms = begun.elapsed().as_millis(), "compiled");
    tx.rollback().await;
    print(&compiled.issue, &[], rules, format)
}

async fn show(path: &Path, number: u32, format: Print) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let readers = ingest.store.read();
    let number = i64::from(number);
    let Some(issue) = issues::issue(readers.into(), number).await? else {
        bail!("issue {number} is not out; bpfnews issue list shows those that are");
    };
    let corrections = issues::corrections(readers.into(), number).await?;
    print(&issue, &corrections, Rules::of(&config), format)
}

fn print(
    issue: &Issue,
    corrections: &[Correction],
    rules: Rules<'_>,
    format: Print,
) -> anyhow::Result<ExitCode> {
    let text = match format {
        Print::Md => markdown::file(issue, corrections, rules.home),
        Print::Html => web::standalone(issue, corrections, rules.home),
        Print::Json => format!("{}\n", serde_json::to_string_pretty(issue)?),
    };
    write!(anstream::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

async fn list(path: &Path) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let rows = issues::list_issues(ingest.store.read().into()).await?;
    let mut out = anstream::stdout().lock();
    for row in &rows {
        let last = row.as_last().context("an issue has a period")?;
        let from = DateTime::from_timestamp(row.from_at, 0).unwrap_or_default();
        let at = DateTime::from_timestamp(row.published_at, 0).unwrap_or_default();
        writeln!(
            out,
            "{}  {} to {}, published {} by {}",
            title(&config.issue.name, last.number),
            from.format("%Y-%m-%d"),
            last.on,
            at.format("%Y-%m-%d %H:%M"),
            crate::post::plain(&row.published_by)
        )?;
    }
    if rows.is_empty() {
        writeln!(
            out,
            "No issue is out. bpfnews issue draft shows the first one so far; issue backfill makes those of past weeks."
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn publish(path: &Path, span: &PeriodArgs, yes: bool) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let rules = Rules::of(&config);
    let now = Utc::now();
    let period = span.period(now)?;
    // Nobody waits for the database while a person thinks.
    let mut tx = ingest.store.snapshot().await?;
    let last = issues::last_issue((&mut tx).into()).await?;
    let number = u32::try_from(last.map_or(1, |last| last.number + 1))?;
    let prepared = publish::prepare(&mut tx, rules, number, period, now).await??;
    tx.rollback().await;
    if !yes && !prepared.doubts.is_empty() && !is_sure(&prepared.doubts)? {
        bail!("it was not published; --yes publishes it without asking");
    }
    let mut tx = ingest.store.write().await?;
    let destinations = ingest.destinations();
    let out = publish::publish(&mut tx, &destinations, rules, number, period, BY, now);
    let issue = out.await??;
    let doubts = prepared.doubts.iter().map(|doubt| format!(": {doubt}"));
    let what = format!("published issue {number}{}", doubts.collect::<String>());
    audit::record(&mut tx, &hand(), &what, now).await?;
    tx.commit().await?;
    let channels = destinations
        .iter()
        .filter(|destination| destination.config.issues)
        .count();
    writeln!(
        anstream::stdout(),
        "{} is out. Channels that get issues: {channels}; a running bpfnews posts it there.",
        issue.title()
    )?;
    write_files(&ingest, rules).await
}

/// Prints the doubts about an issue, and asks if a person is at the terminal.
fn is_sure(doubts: &[Doubt]) -> anyhow::Result<bool> {
    let mut err = anstream::stderr();
    for doubt in doubts {
        writeln!(err, "{doubt}")?;
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(false);
    }
    write!(err, "Publish it all the same? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn withdraw(path: &Path, number: u32) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let rules = Rules::of(&config);
    let now = Utc::now();
    let mut tx = ingest.store.write().await?;
    let withdrawn = publish::withdraw(&mut tx, rules, number, BY, now).await??;
    let what = format!("withdrew issue {number}");
    audit::record(&mut tx, &hand(), &what, now).await?;
    tx.commit().await?;
    writeln!(
        anstream::stdout(),
        "{} is withdrawn. Posts to remove: {}; a running bpfnews removes them.",
        withdrawn.title,
        withdrawn.posts
    )?;
    write_files(&ingest, rules).await
}

/// Writes the files of issues, and says which of them somebody changed.
async fn write_files(ingest: &Ingest, rules: Rules<'_>) -> anyhow::Result<ExitCode> {
    for kept in files::write(&ingest.store, rules).await {
        writeln!(anstream::stdout(), "{kept}")?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn backfill(path: &Path, since: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let (config, ingest, _lock) = open_alone(path, "issue backfill").await?;
    let rules = Rules::of(&config);
    let now = Utc::now();
    if since > now - TimeDelta::days(7) {
        bail!("--since must be more than a week ago: only whole weeks become issues");
    }
    let mut out = anstream::stdout();
    let on_issue = |issue: &Issue| {
        let _ = writeln!(
            out,
            "{}  {} to {}",
            issue.title(),
            issue.period.from.format("%Y-%m-%d"),
            issue.on()
        );
    };
    let many = publish::backfill(&ingest.store, rules, since, BY, now, on_issue).await?;
    writeln!(
        anstream::stdout(),
        "{many} issues, posted to no channel; bpfnews issue show N prints one."
    )?;
    write_files(&ingest, rules).await
}

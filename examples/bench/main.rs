//! One piece of work, done once and counted. `benches/run` interleaves it with floors and neighbours.
//!
//!     cargo build --release --no-default-features --example bench
//!     target/release/examples/bench cold --side ours --port 8088 --feeds 1000 --scratch /tmp/x
//!
//! Each run prints one line of JSON: wall and CPU seconds and the peak of memory of the measured part, and counters. The
//! counters are asserted: a run that did not do the work ends with an error and is no result. `ours` drives the shipped code;
//! other sides are floors, the work that nobody can avoid.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

mod archive;
mod chat;
mod data;
mod growth;
mod lag;
#[path = "../../benches/made/years.rs"]
mod list;
#[path = "../../benches/made/mod.rs"]
mod made;
mod mails;
mod measure;
mod outbox;
mod poll;
mod questions;
mod stored;
mod world;
mod years;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Does one piece of work and prints its cost, as a line of JSON.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    /// Makes the input.
    Data {
        #[command(subcommand)]
        what: data::Data,
    },
    /// Polls feeds for the first time.
    Cold {
        #[arg(long)]
        side: poll::Side,
        #[arg(long, default_value = "archive")]
        kind: poll::Kind,
        #[command(flatten)]
        feeds: poll::Feeds,
    },
    /// Polls feeds of which none, or few, have changed.
    Unchanged {
        #[arg(long)]
        side: poll::Side,
        #[command(flatten)]
        feeds: poll::Feeds,
        /// This many feeds of a thousand get another entry before the measured poll; they are in `--data`.
        #[arg(long, default_value_t = 0)]
        changed_permille: u64,
        /// The folder that the server serves.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Polls small feeds in the loop of `run`; the result is the peak of memory.
    Memory {
        #[arg(long)]
        side: poll::Side,
        #[command(flatten)]
        feeds: poll::Feeds,
    },
    /// Reads a public-inbox epoch.
    Ingest {
        #[arg(long)]
        side: archive::Side,
        /// A bare repository with one file `m` a commit.
        #[arg(long)]
        epoch: PathBuf,
        #[arg(long)]
        mails: usize,
        #[arg(long)]
        scratch: PathBuf,
    },
    /// Looks up the 25 entries of a page.
    Check {
        #[arg(long)]
        side: growth::Side,
        #[arg(long)]
        items: u64,
        #[arg(long)]
        scratch: PathBuf,
    },
    /// Folds one more mail.
    Fold {
        #[arg(long)]
        items: u64,
        #[arg(long)]
        scratch: PathBuf,
    },
    /// Imports years of a list, and prints the cost of a mail of the first and of the last year.
    Years {
        #[arg(long)]
        years: usize,
        #[arg(long)]
        scratch: PathBuf,
    },
    /// Folds one more mail into a cluster of that many.
    Cluster {
        #[arg(long)]
        side: years::Side,
        #[arg(long)]
        mails: years::Size,
        #[arg(long)]
        scratch: PathBuf,
    },
    /// Settles deliveries durably.
    Outbox {
        #[arg(long)]
        side: outbox::Side,
        #[arg(long)]
        n: u64,
        #[arg(long)]
        scratch: PathBuf,
        /// Gets a line `CHANNEL MARK` for each message, before it counts as sent; see `benches/powercut`.
        #[arg(long)]
        marks: Option<PathBuf>,
    },
    /// Answers `latest`.
    Latest {
        #[arg(long)]
        side: questions::Side,
        #[arg(long)]
        items: u64,
        #[arg(long)]
        scratch: PathBuf,
    },
    /// Compiles the issues of the weeks of an mbox.
    Issue {
        #[arg(long)]
        mbox: PathBuf,
        #[arg(long)]
        scratch: PathBuf,
    },
    /// Measures the time from the archive to the channel.
    Lag {
        #[arg(long)]
        scratch: PathBuf,
        #[arg(long, default_value_t = 60)]
        mails: usize,
    },
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let line = runtime.block_on(async {
        match Cli::parse().work {
            Work::Data { what } => what.make().map(|()| None),
            Work::Cold { side, kind, feeds } => poll::cold(side, kind, &feeds).await.map(Some),
            Work::Unchanged {
                side,
                feeds,
                changed_permille,
                data,
            } => {
                let changed = data.map(|folder| (folder, changed_permille));
                poll::unchanged(side, &feeds, changed).await.map(Some)
            }
            Work::Memory { side, feeds } => poll::memory(side, &feeds).await.map(Some),
            Work::Ingest {
                side,
                epoch,
                mails,
                scratch,
            } => archive::ingest(side, &epoch, mails, &scratch)
                .await
                .map(Some),
            Work::Check {
                side,
                items,
                scratch,
            } => growth::check(side, items, &scratch).await.map(Some),
            Work::Fold { items, scratch } => growth::fold(items, &scratch).await.map(Some),
            Work::Years { years, scratch } => years::years(years, &scratch).await.map(Some),
            Work::Cluster {
                side,
                mails,
                scratch,
            } => years::cluster(side, mails, &scratch).await.map(Some),
            Work::Outbox {
                side,
                n,
                scratch,
                marks,
            } => outbox::settle(side, n, &scratch, marks.as_deref())
                .await
                .map(Some),
            Work::Latest {
                side,
                items,
                scratch,
            } => questions::latest(side, items, &scratch).await.map(Some),
            Work::Issue { mbox, scratch } => questions::issues(&mbox, &scratch).await.map(Some),
            Work::Lag { scratch, mails } => lag::lag(&scratch, mails).await.map(Some),
        }
    })?;
    if let Some(line) = line {
        println!("{line}");
    }
    Ok(())
}

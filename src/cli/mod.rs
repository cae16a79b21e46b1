//! The command line: the grammar, and one function per command. No rules of the trade stand here.

mod channels;
mod check;
mod cycle;
mod demo;
mod desk;
mod failures;
mod git;
mod import;
mod issue;
mod issue_draft;
mod issue_edit;
mod letters;
mod lists;
mod logging;
mod mail;
mod maintain;
#[cfg(feature = "matrix")]
mod matrix;
mod opening;
mod operator;
mod polls;
mod route;
mod secrets;
mod setup;
mod stats;
mod stories;
mod style;
mod upkeep;
mod values;
mod version;

pub use self::demo::edit_the_demo;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};

use self::values::{kind, moment};
use crate::app;
use crate::config::ConfigErrors;
use crate::item::ItemKind;

/// Watches kernel trees, mailing lists, LWN, releases and talks, and posts BPF news: each thing once.
#[derive(Debug, Parser)]
#[command(
    version = version::version(),
    about,
    after_help = "Start here:\n  bpfnews demo              a real week of BPF news; no network, no set-up\n  \
                  bpfnews setup             answer five questions; it writes config.toml\n  \
                  bpfnews check --online    try every feed of it once\n  \
                  bpfnews run               poll them and show what is new",
    max_term_width = 100
)]
pub struct Cli {
    /// The configuration file.
    #[arg(
        long,
        global = true,
        env = "BPFNEWS_CONFIG",
        default_value = "config.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// Log more (twice: everything).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The format of the log: text, or json for programs.
    #[arg(long, global = true, value_enum, hide_possible_values = true, value_name = "FORMAT", env = "BPFNEWS_LOG_FORMAT", default_value_t = logging::LogFormat::Text)]
    log_format: logging::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll the feeds when they are due and post the news, until stopped with Ctrl-C.
    #[command(after_help = "Example:\n  bpfnews run --config /etc/bpfnews/config.toml")]
    Run,
    /// Play one real week of BPF news, 2 to 10 May 2017, its issue, and three later stories; needs no network and no
    /// configuration. On a terminal it takes about two minutes.
    #[command(
        after_help = "Examples:\n  bpfnews demo\n  bpfnews demo --fast | less -R\n  bpfnews demo --fast --web"
    )]
    Demo {
        /// Print everything at once. Without a terminal, that is the default.
        #[arg(long)]
        fast: bool,
        /// Show the issue as web pages too, until stopped (Ctrl-C).
        #[arg(long)]
        web: bool,
    },
    /// Ask five questions and write the configuration: contact, place of the posts, token, test message, feeds by topic.
    #[command(
        after_help = "Examples:\n  bpfnews setup\n  bpfnews setup --contact me@example.org --post terminal --topics core,reading\n  \
                      bpfnews setup --contact '' --post discord --channel 123456789012345678 --token-file discord-token \\\n      \
                      --test-message yes --topics all < token\n\nWithout a terminal, each question needs its flag."
    )]
    Setup(setup::SetupFlags),
    /// Write the whole example configuration, with every feed and every key explained, to the --config file if there is none.
    #[command(after_help = "Example:\n  bpfnews init && bpfnews check --online")]
    Init,
    /// Check the configuration, and list every problem.
    #[command(
        after_help = "Examples:\n  bpfnews check\n  bpfnews check --online\n  bpfnews check --online --feed lwn"
    )]
    Check {
        /// Also fetch each feed once without storing anything, and print the result.
        #[arg(long)]
        online: bool,
        /// Only this feed.
        #[arg(long, value_name = "NAME", requires = "online")]
        feed: Option<String>,
    },
    /// Poll the feeds that are due, once, and post the news. Fails if a feed failed.
    #[command(after_help = "Examples:\n  bpfnews poll\n  bpfnews poll --feed bpf-next")]
    Poll {
        /// Only this feed, whether it is due or not.
        #[arg(long, value_name = "NAME")]
        feed: Option<String>,
    },
    /// List the feeds: their health, the next poll, and known gaps. Pause and resume them.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  bpfnews feeds\n  bpfnews feeds --format json | jq 'select(.state != \"ok\")'\n  \
                      bpfnews feeds pause lwn"
    )]
    Feeds {
        #[command(subcommand)]
        command: Option<maintain::FeedsCommand>,
        /// How to print them; json is one object a line.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// List the items that are stored, newest first.
    #[command(after_help = "Examples:\n  bpfnews items --kind commit --since 7d\n  \
                      bpfnews items --feed bpf --since 2025-01-01 --until 2025-02-01 --format json")]
    Items {
        /// Only items that this feed carries.
        #[arg(long, value_name = "NAME")]
        feed: Option<String>,
        /// Only items of this kind.
        #[arg(long, value_parser = kind, value_name = "KIND")]
        kind: Option<ItemKind>,
        /// Not older: a day (2025-01-31, UTC), a time (RFC 3339), or so long ago (36h, 7d, 4w).
        #[arg(long, value_parser = moment, value_name = "WHEN")]
        since: Option<DateTime<Utc>>,
        /// Older than this; the same forms.
        #[arg(long, value_parser = moment, value_name = "WHEN")]
        until: Option<DateTime<Utc>>,
        /// At most so many; 0 means all [default: 50 as text, all as json].
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// How to print them; json is one object a line.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Read the history of an archive or a tree, politely, and post none of it. A second run continues an interrupted one.
    #[command(after_help = "Example:\n  bpfnews backfill --feed bpf --since 2025-01-01")]
    Backfill {
        /// The feed.
        #[arg(long, value_name = "NAME")]
        feed: String,
        /// How far back: a day (2025-01-31, UTC), a time (RFC 3339), or so long ago (90d).
        #[arg(long, value_parser = moment, value_name = "WHEN")]
        since: DateTime<Utc>,
    },
    /// Import mails from files: mbox, gzipped mbox, maildir. A second run adds nothing.
    #[command(
        after_help = "Examples:\n  bpfnews import --list bpf bpf-2024.mbox.gz\n  bpfnews import --list bpf ~/Maildir/bpf"
    )]
    Import {
        /// The archive that the mails belong to: a configured feed of kind archive, or any other name.
        #[arg(long, value_name = "NAME")]
        list: String,
        /// mbox or .mbox.gz files, or maildirs.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List the stories, the latest first.
    #[command(
        after_help = "Examples:\n  bpfnews stories --since 7d\n  bpfnews stories --state applied --tree bpf-next --author Nakryiko\n  \
                      bpfnews stories --all --format json | jq .title"
    )]
    Stories {
        #[command(flatten)]
        which: stories::StoryChoice,
    },
    /// Search the stories: words, "a phrase", word*, title:word, people:name.
    #[command(
        after_help = "Examples:\n  bpfnews search 'bpf_map_lookup_elem'\n  bpfnews search '\"private stack\"' --state mainline"
    )]
    Search {
        /// The words to search for.
        words: String,
        #[command(flatten)]
        which: stories::StoryChoice,
    },
    /// Show one story: its revisions, changes, people and present state.
    #[command(
        after_help = "Examples:\n  bpfnews story 4j1x9k2m0q\n  bpfnews story https://lore.kernel.org/bpf/ID/\n  bpfnews story 95b88500b97c --why"
    )]
    Story {
        /// A story's id, a Message-ID, a lore URL or a commit's hash (12 digits or more).
        #[arg(value_name = "ID")]
        name: String,
        /// Also show the reasons for showing it or not, and the parts of its score.
        #[arg(long)]
        why: bool,
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// The newsletter: the draft of the coming issue, and the published issues.
    #[command(subcommand)]
    Issue(issue::IssueCommand),
    #[command(flatten)]
    Desk(desk::DeskCommand),
    /// Test which stories channels take.
    #[command(subcommand)]
    Route(route::RouteCommand),
    /// List the series that wait for a person's reply and the pull requests that nobody merged, of the last 180 days unless
    /// --since is given. The longest wait comes first.
    #[command(after_help = "Examples:\n  bpfnews open\n  bpfnews open --tree bpf-next --since 60d")]
    Open {
        #[command(flatten)]
        which: stories::StoryChoice,
    },
    /// Show the last kernel release, and the expected date of the next one or of the end of the merge window.
    #[command(
        after_help = "Examples:\n  bpfnews cycle\n  bpfnews cycle --format json | jq .expected"
    )]
    Cycle {
        /// How to print it.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Count the series of twelve months: how many there are, and how long until they are applied. List reviewers and
    /// waiting series.
    #[command(
        after_help = "Examples:\n  bpfnews stats\n  bpfnews stats --format json | jq '.months[] | [.month, .days.median]'"
    )]
    Stats {
        /// How to print them; json is one object.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// List, retry or drop messages that could not be delivered.
    #[command(subcommand)]
    Letters(letters::LettersCommand),
    /// Issues by mail: the subscribers, a test of the server, bounced mail.
    #[command(subcommand)]
    Mail(mail::MailCommand),
    #[command(flatten)]
    House(maintain::HouseCommand),
    /// The Matrix account: log in, make its recovery key, use it.
    #[cfg(feature = "matrix")]
    #[command(subcommand)]
    Matrix(matrix::MatrixCommand),
    /// Build all stories again from the stored items.
    #[command(after_help = "Example:\n  bpfnews refold")]
    Refold,
    /// Copy the database to a file, also while bpfnews runs. The copy is whole, checked, and only its owner can read it.
    #[command(
        after_help = "Example:\n  bpfnews backup /var/backups/bpfnews-$(date +%F).sqlite\n\nConfiguration and secrets \
                      are not in it: keep them yourself."
    )]
    Backup {
        /// Where to; there must be no such file yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Replace the database by a backup, and keep the old files beside it. Before the bot sends anything, it searches the
    /// channels for posts since the backup.
    #[command(
        after_help = "Example:\n  systemctl stop bpfnews; bpfnews restore /var/backups/bpfnews-2025-01-31.sqlite"
    )]
    Restore {
        /// The backup.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  bpfnews completions bash > /etc/bash_completion.d/bpfnews")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write a manual page for each command into a folder.
    #[command(after_help = "Example:\n  bpfnews manual /usr/local/share/man/man1")]
    Manual {
        /// The folder; it must exist.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// How lists are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Runs the program. The exit status is 0 for success and 1 if a request failed. It is 2 if the command line or the
/// configuration is wrong, or if a chat system refuses the bot; a retry does not help then.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::trace(&cli);
    match run(cli).await {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let is_config = error.is::<ConfigErrors>();
            let _ = writeln!(
                anstream::stderr(),
                "{}{error:#}",
                if is_config { "" } else { "bpfnews: " }
            );
            let is_lasting = is_config || error.is::<app::Refused>();
            ExitCode::from(if is_lasting { 2 } else { 1 })
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let path = &cli.config;
    match cli.command {
        Command::Run => polls::run(path).await,
        Command::Demo { fast, web } => demo::demo(web, fast).await,
        Command::Setup(flags) => setup::setup(path, flags).await,
        Command::Init => setup::init(path),
        Command::Check { online, feed } => check::check(path, online, feed.as_deref()).await,
        Command::Poll { feed } => polls::poll(path, feed.as_deref()).await,
        Command::Feeds {
            command: Some(command),
            ..
        } => maintain::change(path, &command.change()).await,
        Command::Feeds { format, .. } => lists::feeds(path, format).await,
        Command::Items {
            feed,
            kind,
            since,
            until,
            limit,
            format,
        } => {
            let filter = crate::store::items::ItemFilter {
                feed,
                kind,
                since: since.map(|at| at.timestamp()),
                until: until.map(|at| at.timestamp()),
                most: 0,
            };
            lists::items(path, filter, limit, format).await
        }
        Command::Backfill { feed, since } => polls::backfill(path, &feed, since).await,
        Command::Import { list, files } => import::import(path, &list, &files).await,
        Command::Stories { which } => stories::stories(path, None, &which).await,
        Command::Search { words, which } => stories::stories(path, Some(&words), &which).await,
        Command::Story { name, why, format } => stories::story(path, &name, why, format).await,
        Command::Open { which } => stories::waiting(path, &which).await,
        Command::Stats { format } => stats::stats(path, format).await,
        Command::Cycle { format } => cycle::cycle(path, format).await,
        Command::Route(command) => route::run(path, &command).await,
        Command::Issue(command) => issue::run(path, &command).await,
        Command::Desk(command) => desk::run(path, &command).await,
        Command::Letters(command) => letters::run(path, &command).await,
        Command::Mail(command) => mail::run(path, &command).await,
        Command::House(command) => maintain::run(path, &command).await,
        #[cfg(feature = "matrix")]
        Command::Matrix(command) => matrix::run(path, &command).await,
        Command::Refold => stories::refold(path).await,
        Command::Backup { file } => upkeep::backup(path, &file).await,
        Command::Restore { file } => upkeep::restore(path, &file).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "bpfnews", &mut script);
            anstream::stdout().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Manual { folder } => {
            clap_mangen::generate_to(Cli::command(), &folder).with_context(|| {
                format!("the pages could not be written to {}", folder.display())
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }
}

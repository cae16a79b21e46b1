//! The configuration: TOML in, checked values out, every problem reported at once.
//!
//! Nothing starts on a bad configuration, and no secret ever stands in one. It never touches the network or the store.

mod channel;
mod feed;
mod keys;
mod network;
mod platform;
mod problem;
mod reader;
mod relevance;
#[cfg(test)]
mod tests;
mod times;

use std::collections::HashMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::story::relevance::Words;
use url::{Host, Url};

pub use channel::{ChannelConfig, ChannelMode, Milestones, PlatformKind};
use keys::Within;
use network::read_network;
pub use platform::{DiscordConfig, MatrixConfig};
pub use problem::{ConfigErrors, Problem};
use reader::{Field, Notes, Table, What};
pub use times::{Quiet, When};

/// The largest configuration file that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// The most feeds of one bot; far above what anybody reads.
const FEEDS_MAX: usize = 10_000;

const DATABASE_DEFAULT: &str = "bpfnews.sqlite";
const HOST_GAP_MS_DEFAULT: u64 = 1000;
const REQUEST_TIMEOUT_S_DEFAULT: u64 = 60;

/// Everything a maintainer configures, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The SQLite file; a relative path is relative to the configuration file's folder.
    pub database: PathBuf,
    /// How we behave on the network.
    pub network: NetworkConfig,
    /// What makes a story relevant, and how much it matters.
    pub relevance: Words,
    /// The feeds, in the file's order; names are unique.
    pub feeds: Vec<FeedConfig>,
    /// How Discord is reached, where it is used.
    pub discord: Option<DiscordConfig>,
    /// How Matrix is reached, where it is.
    pub matrix: Option<MatrixConfig>,
    /// The rooms that are told, in the file's order; see [`Config::channels`].
    pub channels: Vec<ChannelConfig>,
}

/// How we behave on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Names or addresses that feeds may use although they are loopback or private.
    pub allow_private_hosts: Vec<String>,
    /// How a site's operator reaches whoever runs this bot: an address or a page, sent in the User-Agent.
    pub contact: Option<String>,
    /// A page that tells a site's operator what this bot is, sent in the User-Agent.
    pub page: Option<Url>,
    /// The pause between two requests to one host (`host_gap_ms`).
    pub host_gap: Duration,
    /// The time one request may take from its start to its last byte (`request_timeout_s`).
    pub request_timeout: Duration,
}

/// One configured upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedConfig {
    /// Its name, unique: 1 to 64 letters, digits, `.`, `_`, `-`, `/`, `+`.
    pub name: String,
    /// Where it is; `http` or `https`, no user or password.
    pub url: Url,
    /// The least time between two polls.
    pub poll_gap: Duration,
    /// Whether all that it carries is about BPF; else every story is judged by what it says.
    pub bpf_only: bool,
    /// Which kind of upstream, with what only that kind has.
    pub kind: FeedKind,
}

/// Which kind of upstream a feed is, with what only that kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedKind {
    /// A branch of a kernel tree: a cgit repository's URL, or a GitHub repository's.
    Tree {
        /// The branch.
        branch: String,
        /// Only commits that touch one of these paths; empty means all.
        paths: Vec<String>,
        /// What the tree is for.
        role: TreeRole,
    },
    /// A mailing list's archive: the URL of a public-inbox list.
    Archive {
        /// Only mails that this public-inbox search finds.
        query: Option<String>,
    },
    /// LWN's RSS.
    Lwn,
    /// Any other RSS, Atom or JSON feed.
    Feed {
        /// What its entries are; `None` lets the URL tell (GitHub's releases, YouTube) and else means articles.
        gives: Option<Gives>,
    },
}

/// What a tree is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeRole {
    /// Fixes for the release being made (bpf, net).
    Fixes,
    /// New work for the next release (bpf-next, net-next).
    Next,
    /// Linus Torvalds' tree.
    Mainline,
    /// A stable tree.
    Stable,
    /// One topic's tree (sched_ext, a compiler's backend).
    Topic,
}

/// What the entries of a plain feed are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Articles of a blog.
    Articles,
    /// Releases of a project.
    Releases,
    /// Videos.
    Videos,
}

impl Config {
    /// The rooms that are told: those of the file, or the terminal where it names none.
    pub fn channels(&self) -> Vec<ChannelConfig> {
        match self.channels.is_empty() {
            true => vec![ChannelConfig::terminal()],
            false => self.channels.clone(),
        }
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// All that is wrong with it, or why it cannot be read.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        let bytes = read_file(path).map_err(|message| only_problem(path, None, message))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
            let message = "not UTF-8 from here on; save the file as UTF-8";
            only_problem(path, Some(line), message.to_owned())
        })?;
        Config::parse(text, path)
    }

    /// Reads a configuration from its text; `file` names it in messages, and a relative `database` stands in its folder.
    ///
    /// # Errors
    ///
    /// All that is wrong with it. After an error of syntax, what it alone may have caused is not told.
    pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
        let notes = Notes::new(file, text);
        let document = notes.document();
        let syntax_lines = notes.lines();
        let config = read_config(Table::top(&notes, document), &notes, file);
        if !syntax_lines.is_empty() {
            notes.drop_consequences(&syntax_lines);
        }
        if notes.is_empty() {
            Ok(config)
        } else {
            Err(notes.into_errors())
        }
    }
}

impl NetworkConfig {
    /// Whether `allow_private_hosts` names the host of this URL.
    pub fn allows_private(&self, url: &Url) -> bool {
        let host = match url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return false,
        };
        self.allow_private_hosts.contains(&host)
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            allow_private_hosts: Vec::new(),
            contact: None,
            page: None,
            host_gap: Duration::from_millis(HOST_GAP_MS_DEFAULT),
            request_timeout: Duration::from_secs(REQUEST_TIMEOUT_S_DEFAULT),
        }
    }
}

impl FeedKind {
    /// The kind as the configuration writes it.
    pub fn word(&self) -> &'static str {
        match self {
            FeedKind::Tree { .. } => "tree",
            FeedKind::Archive { .. } => "archive",
            FeedKind::Lwn => "lwn",
            FeedKind::Feed { .. } => "feed",
        }
    }
}

impl TreeRole {
    /// Every role.
    pub const ALL: [TreeRole; 5] = [
        TreeRole::Fixes,
        TreeRole::Next,
        TreeRole::Mainline,
        TreeRole::Stable,
        TreeRole::Topic,
    ];

    /// The role as the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            TreeRole::Fixes => "fixes",
            TreeRole::Next => "next",
            TreeRole::Mainline => "mainline",
            TreeRole::Stable => "stable",
            TreeRole::Topic => "topic",
        }
    }
}

impl Gives {
    /// Everything a plain feed can give.
    pub const ALL: [Gives; 3] = [Gives::Articles, Gives::Releases, Gives::Videos];

    /// What is given as the configuration writes it.
    pub fn word(self) -> &'static str {
        match self {
            Gives::Articles => "articles",
            Gives::Releases => "releases",
            Gives::Videos => "videos",
        }
    }
}

fn only_problem(file: &Path, line: Option<usize>, message: String) -> ConfigErrors {
    let problem = Problem {
        file: file.to_owned(),
        line,
        key: String::new(),
        message,
    };
    ConfigErrors {
        problems: vec![problem],
    }
}

/// The bytes of the file, or why there are none and what to do.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > CONFIG_BYTES_MAX => Err(format!(
            "larger than {CONFIG_BYTES_MAX} bytes; is this the configuration?"
        )),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err("no such file; bpfnews init writes one, and --config names another".to_owned())
        }
        Err(error) => Err(format!(
            "cannot be read ({error}); it must be a file you may read, such as a copy of config.example.toml"
        )),
    }
}

/// Reads the whole document; the value is good only where nothing was noted.
fn read_config<'t>(mut top: Table<'_, 't>, notes: &Notes<'t>, file: &Path) -> Config {
    let folder = file.parent().unwrap_or(Path::new(""));
    let database = top.take("database");
    let database = database.and_then(|field| read_database(&field));
    let network = top.take("network");
    let network = network
        .and_then(|field| field.table(Within::Network, "a table: write [network], its keys below"));
    let network = network.map_or_else(NetworkConfig::default, read_network);
    let relevance = top.take("relevance");
    let relevance = relevance.and_then(|field| {
        field.table(
            Within::Relevance,
            "a table: write [relevance], its keys below",
        )
    });
    let relevance = relevance.map_or_else(Words::default, relevance::read_relevance);
    let feeds = match top.take("feed") {
        Some(field) => read_feeds(field, notes, &network),
        None => no_feeds(notes, None),
    };
    let discord = top.take("discord");
    let discord = discord
        .and_then(|field| field.table(Within::Discord, "a table: write [discord], its keys below"));
    let discord = discord.map(|table| platform::read_discord(table, folder));
    let matrix = top.take("matrix");
    let matrix = matrix
        .and_then(|field| field.table(Within::Matrix, "a table: write [matrix], its keys below"));
    let mut set_up: Vec<PlatformKind> = discord.iter().map(|_| PlatformKind::Discord).collect();
    // One that is there and wrong is told of itself alone.
    set_up.extend(matrix.iter().map(|_| PlatformKind::Matrix));
    let matrix = matrix.and_then(|table| platform::read_matrix(table, folder));
    let channels = match top.take("channel") {
        Some(field) => channel::read_channels(field, notes, &feeds, &set_up),
        None => Vec::new(),
    };
    top.finish();
    Config {
        database: folder.join(database.as_deref().unwrap_or(DATABASE_DEFAULT)),
        network,
        relevance,
        feeds,
        discord,
        matrix,
        channels,
    }
}

fn read_database(field: &Field<'_, '_>) -> Option<String> {
    const RIGHT: &str = "the path of a file, such as \"bpfnews.sqlite\"";
    let path = field.text(RIGHT)?;
    if path.is_empty() || path.ends_with('/') || path.contains(char::is_control) {
        field.expected(RIGHT);
        return None;
    }
    if path.starts_with("~/") {
        field.note("\"~\" is not expanded here; write the whole path");
        return None;
    }
    Some(path.to_owned())
}

/// Reads all feeds that are good, and holds them against each other.
fn read_feeds(field: Field<'_, '_>, notes: &Notes<'_>, network: &NetworkConfig) -> Vec<FeedConfig> {
    const RIGHT: &str = "tables: write [[feed]], in two brackets, above the keys of each feed";
    let line = field.line();
    let Some(members) = field.list(RIGHT, FEEDS_MAX) else {
        return Vec::new();
    };
    if members.is_empty() {
        return no_feeds(notes, Some(line));
    }

    let mut names: HashMap<String, usize> = HashMap::new();
    let mut upstreams: HashMap<String, (String, usize)> = HashMap::new();
    let mut feeds = Vec::new();
    for table in members {
        let table = table.table(Within::Feed, RIGHT);
        let Some(read) = table.map(|table| feed::read(table, network)) else {
            continue;
        };
        if let Some((name, line)) = read.name {
            if let Some(first) = names.get(&name) {
                let message = format!(
                    "{} is the name of the feed on line {first} too",
                    reader::quoted(&name)
                );
                notes.note(
                    What::Wrong,
                    Some(line),
                    &format!("{}: name", read.place),
                    message,
                );
            } else {
                names.insert(name, line);
            }
        }
        if let Some(upstream) = read.upstream {
            if let Some((first, line)) = upstreams.get(&upstream) {
                let message = format!(
                    "reads the same place as {first} on line {line}; make one feed of both"
                );
                let key = format!("{}: url", read.place);
                notes.note(What::Wrong, Some(read.line), &key, message);
            } else {
                upstreams.insert(upstream, (read.place, read.line));
            }
        }
        feeds.extend(read.feed);
    }
    feeds
}

fn no_feeds(notes: &Notes<'_>, line: Option<usize>) -> Vec<FeedConfig> {
    let message = "none; write a [[feed]] for each, or copy them from config.example.toml";
    notes.note(What::Missing, line, "feed", message.to_owned());
    Vec::new()
}

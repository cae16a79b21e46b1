//! The whole file: each table goes to the module that knows its rules.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use url::Url;

use super::channel::{self, ChannelConfig};
use super::commands::{self, CommandsConfig};
use super::follow::{self, FollowConfig};
use super::issue::{self, IssueConfig, WebConfig};
use super::keys::TableName;
use super::mail::{self, MailConfig};
use super::network::{NetworkConfig, read_network};
use super::platform::{self, DiscordConfig, MatrixConfig};
use super::problem::{ConfigErrors, ConfigProblem};
use super::reader::{self, Field, ProblemKind, ProblemLog, Table};
use super::upstream::FeedConfig;
use super::{feed, machines, relevance, subsystems};
use crate::chat::PlatformKind;
use crate::filter::Subsystems;
use crate::post::is_for_readers;
use crate::story::machine::Machines;
use crate::story::relevance::FoldRules;

/// The largest configuration file that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// The most feeds of one bot, far more than anybody reads.
const FEEDS_MAX: usize = 10_000;

const DATABASE_DEFAULT: &str = "bpfnews.sqlite";

/// The whole configuration, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The SQLite file; a relative path starts at the folder of the configuration file.
    pub database: PathBuf,
    pub network: NetworkConfig,
    /// The words and weights of relevance, and the senders that are machines.
    pub relevance: FoldRules,
    /// The feeds in the file's order; names are unique.
    pub feeds: Vec<Arc<FeedConfig>>,
    /// `None` if Discord is not used.
    pub discord: Option<DiscordConfig>,
    /// `None` if Matrix is not used.
    pub matrix: Option<MatrixConfig>,
    /// The channels in the file's order; see [`Config::channels`].
    pub channels: Vec<ChannelConfig>,
    /// The subsystems that filters may name; empty if no MAINTAINERS file is configured.
    pub subsystems: Subsystems,
    /// Maintainers, and limits on commands.
    pub commands: CommandsConfig,
    /// Limits of follows.
    pub follow: FollowConfig,
    pub issue: IssueConfig,
    /// `None` if there are no pages.
    pub web: Option<WebConfig>,
    /// `None` if no mail is sent.
    pub mail: Option<MailConfig>,
    /// Names of feeds that were added in chat. They may use only the private hosts that the file's own feeds use,
    /// whatever `allow_private_hosts` says.
    pub from_chat: BTreeSet<String>,
}

impl Config {
    /// The public address of the pages, ending with a slash.
    pub fn home(&self) -> Option<&str> {
        self.web.as_ref()?.url.as_ref().map(Url::as_str)
    }

    /// The address of the pages for editors: the public one, or that on which bpfnews listens.
    pub fn desk_home(&self) -> Option<String> {
        let web = self.web.as_ref()?;
        match &web.url {
            Some(url) => Some(url.to_string()),
            None if web.listen.port() == 0 => None,
            None if web.listen.ip().is_unspecified() => {
                Some(format!("http://127.0.0.1:{}/", web.listen.port()))
            }
            None => Some(format!("http://{}/", web.listen)),
        }
    }

    /// The channels of the file, or the terminal if the file has none.
    pub fn channels(&self) -> Vec<ChannelConfig> {
        if self.channels.is_empty() {
            vec![ChannelConfig::terminal()]
        } else {
            self.channels.clone()
        }
    }

    /// The folder of the Matrix session and its keys.
    pub fn matrix_folder(&self) -> PathBuf {
        let named = self
            .matrix
            .as_ref()
            .and_then(|matrix| matrix.folder.clone());
        named.unwrap_or_else(|| self.database.with_extension("matrix"))
    }
}

/// The lines of feeds and channels, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TableLines {
    pub(super) feeds: HashMap<String, usize>,
    pub(super) channels: HashMap<String, usize>,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// Returns all problems of the file, or why it cannot be read.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        Config::parse(&read_text(path)?, path)
    }

    /// Reads a configuration from its text. Messages name `file`, and a relative `database` is relative to its
    /// folder.
    ///
    /// # Errors
    ///
    /// Returns all problems. After a syntax error, problems that it alone may have caused are left out.
    pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
        parse_with_lines(text, file).map(|(config, _)| config)
    }
}

pub(super) fn read_text(path: &Path) -> Result<String, ConfigErrors> {
    let bytes = read_file(path).map_err(|message| only_problem(path, None, message))?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let message = "not UTF-8 from here on; save the file as UTF-8";
        only_problem(path, Some(line), message.to_owned())
    })
}

/// Parses a configuration and the lines of its feeds and channels.
pub(super) fn parse_with_lines(
    text: &str,
    file: &Path,
) -> Result<(Config, TableLines), ConfigErrors> {
    let notes = ProblemLog::new(file, text);
    let document = notes.document();
    let syntax_lines = notes.lines();
    let read = read_config(Table::top(&notes, document), &notes, file);
    if !syntax_lines.is_empty() {
        notes.drop_consequences(&syntax_lines);
    }
    if notes.is_empty() {
        Ok(read)
    } else {
        Err(notes.into_errors())
    }
}

fn only_problem(file: &Path, line: Option<usize>, message: String) -> ConfigErrors {
    let problem = ConfigProblem {
        file: file.to_owned(),
        line,
        key: String::new(),
        message,
    };
    ConfigErrors {
        problems: vec![problem],
    }
}

/// Reads the file, or returns an error message with advice.
fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > CONFIG_BYTES_MAX => Err(format!(
            "larger than {CONFIG_BYTES_MAX} bytes; is this the configuration?"
        )),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(
            "no such file; create one with bpfnews setup, or name another with --config".to_owned(),
        ),
        Err(error) => Err(format!(
            "cannot be read ({error}); it must be a file you may read, such as a copy of config.example.toml"
        )),
    }
}

/// Parses the whole document. The result is valid only if no problem was recorded.
fn read_config<'t>(
    mut top: Table<'_, 't>,
    notes: &ProblemLog<'t>,
    file: &Path,
) -> (Config, TableLines) {
    let mut lines = TableLines::default();
    let folder = file.parent().unwrap_or(Path::new(""));
    let database = top.take("database");
    let database = database.and_then(|field| read_database(&field));
    let network = top.take_table("network", TableName::Network);
    let mut network = network.map_or_else(NetworkConfig::default, read_network);
    let database = folder.join(database.as_deref().unwrap_or(DATABASE_DEFAULT));
    network.git_folder = database.with_extension("git");
    let relevance = top.take_table("relevance", TableName::Relevance);
    let mut relevance = relevance.map_or_else(FoldRules::default, relevance::read_relevance);
    let machines = top.take_table("machines", TableName::Machines);
    relevance.machines = machines.map_or_else(Machines::default, machines::read_machines);
    let feeds = match top.take("feed") {
        Some(field) => read_feeds(field, notes, &network, folder, &mut lines.feeds),
        None => no_feeds(notes, None),
    };
    let discord = top.take_table("discord", TableName::Discord);
    let discord = discord.map(|table| platform::read_discord(table, folder));
    let matrix = top.take_table("matrix", TableName::Matrix);
    let mut set_up: Vec<PlatformKind> = discord.iter().map(|_| PlatformKind::Discord).collect();
    // A wrong [matrix] is reported once, not again for each of its channels.
    set_up.extend(matrix.iter().map(|_| PlatformKind::Matrix));
    let matrix = matrix.and_then(|table| platform::read_matrix(table, folder));
    let subsystems = top.take_table("subsystems", TableName::Subsystems);
    let subsystems = subsystems.map_or_else(Subsystems::default, |table| {
        subsystems::read_subsystems(table, &feeds, folder)
    });
    let channels = match top.take("channel") {
        Some(field) => {
            let named = (&*feeds, &subsystems);
            channel::read_channels(field, notes, named, &set_up, folder, &mut lines.channels)
        }
        None => Vec::new(),
    };
    let commands = top.take_table("commands", TableName::Commands);
    let commands = commands.map_or_else(CommandsConfig::default, commands::read_commands);
    let follow = top.take_table("follow", TableName::Follow);
    let follow = follow.map_or_else(FollowConfig::default, follow::read_follow);
    let issue = top.take_table("issue", TableName::Issue);
    let issue = issue.map_or_else(IssueConfig::default, |table| {
        issue::read_issue(table, folder)
    });
    let web = top.take_table("web", TableName::Web);
    let web = web.and_then(issue::read_web);
    let mail = top.take_table("mail", TableName::Mail);
    let mail = mail.and_then(|table| read_mail(table, notes, web.as_ref(), folder));
    top.finish();
    let config = Config {
        database,
        network,
        relevance,
        feeds,
        discord,
        matrix,
        channels,
        subsystems,
        commands,
        follow,
        issue,
        web,
        mail,
        from_chat: BTreeSet::new(),
    };
    (config, lines)
}

/// Reads `[mail]`, whose mails need pages for their links.
fn read_mail(
    table: Table<'_, '_>,
    notes: &ProblemLog<'_>,
    web: Option<&WebConfig>,
    folder: &Path,
) -> Option<MailConfig> {
    let line = table.line();
    let home = web.and_then(|web| web.url.as_ref());
    // Mail programs follow a link to unsubscribe only over https. Nobody else reaches our own computer.
    let is_good =
        home.is_some_and(|home| home.scheme() == "https" || !is_for_readers(home.as_str()));
    if !is_good {
        let message = "mails have links to confirm and to unsubscribe: set `url` under [web] to an https address";
        notes.note(ProblemKind::Wrong, Some(line), "mail", message.to_owned());
    }
    mail::read_mail(table, folder)
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

/// Reads all good feeds, and checks them against each other.
fn read_feeds(
    field: Field<'_, '_>,
    notes: &ProblemLog<'_>,
    network: &NetworkConfig,
    folder: &Path,
    names: &mut HashMap<String, usize>,
) -> Vec<Arc<FeedConfig>> {
    const RIGHT: &str = "tables: write [[feed]], in two brackets, above the keys of each feed";
    let line = field.line();
    let Some(members) = field.list(RIGHT, FEEDS_MAX) else {
        return Vec::new();
    };
    if members.is_empty() {
        return no_feeds(notes, Some(line));
    }

    let mut upstreams: HashMap<String, (String, usize)> = HashMap::new();
    let mut feeds = Vec::new();
    for table in members {
        let table = table.table(TableName::Feed, RIGHT);
        let Some(read) = table.map(|table| feed::read(table, network, folder)) else {
            continue;
        };
        if let Some((name, line)) = read.name {
            if let Some(first) = names.get(&name) {
                let message = format!(
                    "the feed on line {first} has the name {} too; rename one of them",
                    reader::quoted(&name)
                );
                notes.note(
                    ProblemKind::Wrong,
                    Some(line),
                    &format!("{}: name", read.place),
                    message,
                );
            } else {
                names.insert(name, line);
            }
        }
        let mut first = read.upstreams.iter().filter_map(|one| upstreams.get(one));
        if let Some((first, line)) = first.next() {
            let message =
                format!("reads the same source as {first} on line {line}; merge the two feeds");
            let key = format!("{}: url", read.place);
            notes.note(ProblemKind::Wrong, Some(read.line), &key, message);
        } else {
            let place = (read.place, read.line);
            let new = read.upstreams.into_iter();
            upstreams.extend(new.map(|upstream| (upstream, place.clone())));
        }
        feeds.extend(read.feed.map(Arc::new));
    }
    feeds
}

fn no_feeds(notes: &ProblemLog<'_>, line: Option<usize>) -> Vec<Arc<FeedConfig>> {
    let message = "there is none; write a [[feed]] for each, or copy some from config.example.toml";
    notes.note(ProblemKind::Missing, line, "feed", message.to_owned());
    Vec::new()
}

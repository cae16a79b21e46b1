//! The configuration. Parses TOML into checked values, and reports all problems at once.
//!
//! The program does not start with a bad configuration. A configuration contains no secrets. This room uses neither
//! the network nor the store.

mod channel;
mod commands;
mod effective;
mod feed;
mod file;
mod issue;
mod keys;
mod machines;
mod network;
mod place;
mod platform;
mod problem;
mod reader;
mod relevance;
#[cfg(test)]
mod tests;
mod times;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::story::relevance::FoldRules;
use url::{Host, Url};

pub use self::feed::UpstreamKind;
pub use crate::chat::PlatformKind;
pub use channel::{ChannelConfig, ChannelMode, Milestones};
pub use commands::CommandsConfig;
pub use effective::{Addition, EffectiveConfig, Origin, TableKind};
pub use issue::{IssueConfig, WebConfig};
pub use platform::{DiscordConfig, MatrixConfig};
pub use problem::{ConfigErrors, ConfigProblem};
pub use times::{QuietHours, Schedule};

const HOST_GAP_MS_DEFAULT: u64 = 1000;
const REQUEST_TIMEOUT_S_DEFAULT: u64 = 60;

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
    /// Maintainers, and limits on commands.
    pub commands: CommandsConfig,
    pub issue: IssueConfig,
    /// `None` if there are no pages.
    pub web: Option<WebConfig>,
    /// Names of feeds that were added in chat. They may use only the private hosts that the file's own feeds use,
    /// whatever `allow_private_hosts` says.
    pub from_chat: BTreeSet<String>,
}

/// Behaviour on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Loopback or private hosts that feeds may use: names or addresses.
    pub allow_private_hosts: Vec<String>,
    /// How a site's operator can reach the bot's operator: an address or a page, sent in the User-Agent.
    pub contact: Option<String>,
    /// A page that describes the bot to a site's operator, sent in the User-Agent.
    pub page: Option<Url>,
    /// The pause between two requests to one host (`host_gap_ms`).
    pub host_gap: Duration,
    /// The longest time from the start of a request to its last byte (`request_timeout_s`).
    pub request_timeout: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedConfig {
    /// Its name, unique: 1 to 64 letters, digits, `.`, `_`, `-`, `/`, `+`.
    pub name: String,
    /// `http` or `https`, without user or password.
    pub url: Url,
    pub poll_gap: Duration,
    /// Whether all its content is about BPF. If not, each story is judged by its content.
    pub bpf_only: bool,
    /// The most new entries per poll, for LWN and plain feeds. The rest is skipped and recorded as a gap.
    pub new_max: usize,
    pub kind: FeedKind,
}

impl FeedConfig {
    /// The default of `new_max`.
    pub const NEW_MAX: usize = 100;
}

/// The kind of a feed, with the settings of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedKind {
    /// A branch of a kernel tree: the URL of a cgit or GitHub repository.
    Tree {
        branch: String,
        /// Only commits that touch one of these paths; empty means all.
        paths: Vec<String>,
        /// The purpose of the tree.
        role: TreeRole,
    },
    /// A mailing list's archive: the URL of a public-inbox list.
    Archive {
        /// Only mails that this public-inbox search finds.
        query: Option<String>,
    },
    Lwn,
    /// Any other RSS, Atom or JSON feed.
    Feed {
        /// The kind of its entries. `None`: the URL decides (GitHub's releases, YouTube), or else they are articles.
        gives: Option<Gives>,
        /// How its entries are identified.
        identity: Identity,
    },
}

/// The purpose of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeRole {
    /// Fixes for the release being made (bpf, net).
    Fixes,
    /// New work for the next release (bpf-next, net-next).
    Next,
    Mainline,
    Stable,
    /// A tree for one topic (sched_ext, a compiler's backend).
    Topic,
}

/// How the entries of a plain feed are identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// By guid and link: entries with the same link are one entry, unless one document lists several of them.
    #[default]
    Link,
    Guid,
}

/// The kind of a plain feed's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Articles of a blog.
    Articles,
    /// Releases of a project.
    Releases,
    Videos,
}

impl Config {
    /// The public address of the pages, ending with a slash.
    pub fn home(&self) -> Option<&str> {
        self.web.as_ref()?.url.as_ref().map(Url::as_str)
    }

    /// The channels of the file, or the terminal if the file has none.
    pub fn channels(&self) -> Vec<ChannelConfig> {
        match self.channels.is_empty() {
            true => vec![ChannelConfig::terminal()],
            false => self.channels.clone(),
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
    /// The word in the configuration.
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
    pub const ALL: [TreeRole; 5] = [
        TreeRole::Fixes,
        TreeRole::Next,
        TreeRole::Mainline,
        TreeRole::Stable,
        TreeRole::Topic,
    ];

    /// The word in the configuration.
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
    pub const ALL: [Gives; 3] = [Gives::Articles, Gives::Releases, Gives::Videos];

    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Gives::Articles => "articles",
            Gives::Releases => "releases",
            Gives::Videos => "videos",
        }
    }
}

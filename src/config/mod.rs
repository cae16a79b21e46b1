//! The configuration: TOML in, checked values out, every problem reported at once.
//!
//! Nothing starts on a bad configuration, and no secret ever stands in one. It never touches the network or the store.

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

use crate::story::relevance::Words;
use url::{Host, Url};

pub use crate::chat::PlatformKind;
pub use channel::{ChannelConfig, ChannelMode, Milestones};
pub use commands::CommandsConfig;
pub use effective::{Addition, Effective, Origin, TableKind};
pub use issue::{IssueConfig, WebConfig};
pub use platform::{DiscordConfig, MatrixConfig};
pub use problem::{ConfigErrors, Problem};
pub use times::{Quiet, When};

const HOST_GAP_MS_DEFAULT: u64 = 1000;
const REQUEST_TIMEOUT_S_DEFAULT: u64 = 60;

/// Everything a maintainer configures, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The SQLite file; a relative path is relative to the configuration file's folder.
    pub database: PathBuf,
    /// How we behave on the network.
    pub network: NetworkConfig,
    /// What makes a story relevant, how much it matters, and who is a machine.
    pub relevance: Words,
    /// The feeds, in the file's order; names are unique.
    pub feeds: Vec<Arc<FeedConfig>>,
    /// How Discord is reached, where it is used.
    pub discord: Option<DiscordConfig>,
    /// How Matrix is reached, where it is.
    pub matrix: Option<MatrixConfig>,
    /// The rooms that are told, in the file's order; see [`Config::channels`].
    pub channels: Vec<ChannelConfig>,
    /// Who may change things in chat, and how much people may ask.
    pub commands: CommandsConfig,
    /// The newsletter.
    pub issue: IssueConfig,
    /// The pages, where they are served.
    pub web: Option<WebConfig>,
    /// The feeds that were added in chat, by name: they do not reach into private networks beyond what the file's own
    /// feeds reach, whatever `allow_private_hosts` says.
    pub from_chat: BTreeSet<String>,
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
    /// New entries that one poll of a plain feed (LWN or any other) may bring; the rest is left out and recorded as a gap.
    pub new_max: usize,
    /// Which kind of upstream, with what only that kind has.
    pub kind: FeedKind,
}

impl FeedConfig {
    /// `new_max` where the configuration does not say.
    pub const NEW_MAX: usize = 100;
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
        /// What tells its entries apart.
        identity: Identity,
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

/// What tells the entries of a plain feed apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// Their guid, and their link: one link under two guids is one entry, unless a document shows that it is not.
    #[default]
    Link,
    /// Their guid alone.
    Guid,
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
    /// Where readers find the pages, with a slash at its end.
    pub fn home(&self) -> Option<&str> {
        self.web.as_ref()?.url.as_ref().map(Url::as_str)
    }

    /// The rooms that are told: those of the file, or the terminal where it names none.
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

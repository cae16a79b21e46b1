//! A configured feed.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// The kinds of feed, as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamKind {
    Tree,
    Archive,
    Lwn,
    Feed,
}

pub(super) const KINDS: &[(&str, UpstreamKind)] = &[
    ("tree", UpstreamKind::Tree),
    ("archive", UpstreamKind::Archive),
    ("lwn", UpstreamKind::Lwn),
    ("feed", UpstreamKind::Feed),
];

impl UpstreamKind {
    /// The word in the configuration and in the database.
    pub fn word(self) -> &'static str {
        let mut kinds = KINDS.iter();
        kinds
            .find(|(_, kind)| *kind == self)
            .map_or("", |(word, _)| word)
    }

    /// The kind with this word.
    pub fn of(word: &str) -> Option<Self> {
        let mut kinds = KINDS.iter();
        kinds
            .find(|(known, _)| *known == word)
            .map(|(_, kind)| *kind)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedConfig {
    /// Its name, unique: 1 to 64 letters, digits, `.`, `_`, `-`, `/`, `+`.
    pub name: String,
    /// The address of its pages: the first `http` or `https` address, or else the first of all. It may be of git
    /// (`git+https`, `git+http`, `git`) or of a news server. Without user or password.
    pub url: Url,
    /// All its addresses, if it has several.
    pub addresses: FeedAddresses,
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

    /// The same feed with only one of its addresses.
    pub fn only_by(&self, way: &Url) -> Self {
        let addresses = FeedAddresses {
            all: Vec::new(),
            login: self.addresses.login.clone(),
        };
        Self {
            url: way.clone(),
            addresses,
            ..self.clone()
        }
    }

    /// The addresses by which it is read, the best first.
    pub fn ways(&self) -> &[Url] {
        match self.addresses.all.as_slice() {
            [] => std::slice::from_ref(&self.url),
            all => all,
        }
    }
}

/// The addresses of a feed beyond its own, and the account for a news server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedAddresses {
    /// All addresses in the order in which they are tried; empty: only [`FeedConfig::url`].
    pub all: Vec<Url>,
    /// The account at its news servers.
    pub login: Option<NewsLogin>,
}

/// An account at a news server (`AUTHINFO USER`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewsLogin {
    /// The name.
    pub user: String,
    /// The file that holds the password.
    pub password_file: PathBuf,
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

//! The configuration: TOML in, checked values out, every problem reported at once.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// Everything a maintainer configures, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The SQLite file; a relative path is relative to the configuration file's folder.
    pub database: PathBuf,
    /// How we behave on the network.
    pub network: NetworkConfig,
    /// The feeds, in the file's order; names are unique.
    pub feeds: Vec<FeedConfig>,
}

/// How we behave on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Names or addresses that feeds may use although they are loopback or private.
    pub allow_private_hosts: Vec<String>,
    /// How a site's operator reaches whoever runs this bot: an address or a page, sent in the User-Agent.
    pub contact: Option<String>,
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

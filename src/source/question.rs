//! Questions for git, and what precedes its answers.

use serde::{Deserialize, Serialize};

use crate::item::CommitHash;

/// A question for git about the repository at a request's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitQuestion {
    /// The tip of a branch. The answer is its hash, or nothing if there is no such branch.
    Tip {
        /// The branch without `refs/heads/`; `None`: the one that `HEAD` names.
        branch: Option<String>,
    },
    /// A page of commits. The answer is a [`GitHead`], a line end, and a record for each commit.
    Commits(CommitRange),
    /// A file at the tip of a branch. The answer is its bytes.
    File {
        /// The branch without `refs/heads/`.
        branch: String,
        /// The path from the top of the tree.
        path: String,
    },
    /// A page of an epoch's mails. The answer is a [`MailHead`], a line end, and the mails.
    Mails(MailRange),
}

/// The commits of a range, newest first, of which a page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRange {
    /// The newest commit.
    pub to: CommitHash,
    /// The last tip: this commit and its ancestors are left out.
    pub from: Option<CommitHash>,
    /// Its commit date, in unix seconds; 0 if it is not known.
    pub from_at: i64,
    /// Without `from`: only commits since then, in unix seconds.
    pub since: Option<i64>,
    /// Only commits that touch one of these paths; empty means all.
    pub paths: Vec<String>,
    /// The number of commits that earlier pages had.
    pub skip: usize,
    /// The most commits of the page.
    pub count: usize,
}

/// The mails of an epoch after a commit, oldest first, of which a page is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailRange {
    /// The newest commit.
    pub to: CommitHash,
    /// The last commit that was read.
    pub from: Option<CommitHash>,
    /// Only mails that were archived since then, in unix seconds; also what is read if `from` is gone.
    pub since: Option<i64>,
    /// Without `from` and `since`: only so many of the newest mails.
    pub newest: Option<usize>,
    /// The most mails of the page.
    pub count: usize,
}

/// How the last tip and the new one are related.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LastTip {
    /// There was none.
    #[default]
    None,
    /// The new tip has all that the last one had.
    Ancestor,
    /// The new tip is an ancestor of the last one: a mirror that lags behind, or a branch that was set back.
    Ahead,
    /// The branch was rewritten. Its new commits are those that the last tip did not have.
    Aside,
    /// The last tip does not exist any more. The page has the commits since a month before it.
    Gone,
}

/// What precedes the records of commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitHead {
    /// The text before each record. It is random, so that no commit can fake it.
    pub mark: String,
    /// The relation to the last tip.
    pub last: LastTip,
    /// The commit date of the newest commit, in unix seconds.
    pub to_at: i64,
    /// The number of commits of this page, also of those that are left out.
    pub listed: usize,
    /// Whether there are more pages.
    pub has_more: bool,
    /// Without `from`: the time since which commits are listed.
    pub since: Option<i64>,
    /// Whether the range is complete. Else the server did not give commits so old as those that a merge brought.
    pub is_whole: bool,
    /// Whether the records have the names of changed files in place of diffstats.
    pub has_names_only: bool,
    /// A message for each commit that was left out.
    pub faults: Vec<String>,
}

/// What precedes the mails of an epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailHead {
    /// The relation to the last commit.
    pub last: LastTip,
    /// The last commit of this page, and its date in unix seconds.
    pub at: Option<(CommitHash, i64)>,
    /// The length of each mail in bytes, in order.
    pub lengths: Vec<usize>,
    /// Whether there are more pages.
    pub has_more: bool,
    /// Whether the epoch's first commit was reached, so that older mails are in the epoch before.
    pub is_from_start: bool,
    /// A message for each mail that was left out.
    pub faults: Vec<String>,
}

//! Trees and archives that are read by git itself: `git+https://…`, `git+http://…`, `git://…`.
//!
//! A walk asks a [`GitQuestion`]; `fetch/git` runs git's program and answers with bytes, which begin with a line of JSON
//! ([`GitHead`], [`MailHead`]). So the walks stay pure, and every page has its own cursor.
//!
//! - `tree`: a branch. One question for its tip; if that has moved, pages of the commits that are new.
//! - `archive`: a public-inbox list. Its mails are the commits of numbered repositories, the epochs.
//! - `records`: reads the answers.
//! - `people`: the pages that people read, where a rule leads from a repository to them.

mod archive;
mod archive_cursor;
mod epochs;
pub(crate) mod people;
mod records;
mod tree;

use url::Url;

pub use self::archive::{GitArchive, GitArchiveWalk};
pub(super) use self::archive_cursor::{cursor_since as archive_cursor_since, read_to};
pub use self::tree::{GitTree, GitTreeWalk};
use super::Request;
pub use super::question::{CommitRange, GitHead, GitQuestion, LastTip, MailHead, MailRange};
pub use crate::config::{as_http, is_git, protocol};

/// The request for a file at the tip of a branch, of at most so many bytes.
pub fn file_request(url: &Url, branch: &str, path: &str, bytes_max: u64) -> Request {
    let question = GitQuestion::File {
        branch: branch.to_owned(),
        path: path.to_owned(),
    };
    Request {
        bytes_max,
        ..Request::git(url.clone(), question)
    }
}

/// The word in cursors by which they are distinguished from those of other ways to read a feed.
pub(super) const CURSOR_WORD: &str = "git";

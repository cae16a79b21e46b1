//! The cursor of an archive that is read by git.

use serde::{Deserialize, Serialize};

use super::CURSOR_WORD;
use crate::item::CommitHash;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct GitArchiveCursor {
    pub(super) by: String,
    /// The newest epoch that was read.
    pub(super) epoch: u32,
    /// All its mails up to this commit are stored, or older than the first poll; `None` before its first mail.
    pub(super) tip: Option<CommitHash>,
    /// The date of that commit, in unix seconds; 0 before the first poll.
    pub(super) tip_at: i64,
    /// The manifest's mark for the epoch when that was read to its end.
    pub(super) fingerprint: Option<String>,
    /// When the tip was last asked for, by our clock.
    pub(super) asked_at: i64,
    /// Whether a first poll has been, or a backfill has chosen its first epoch.
    pub(super) is_placed: bool,
    /// The moment up to which another address has read. The walk goes back over the epochs until it finds this moment, and
    /// then forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) handover: Option<i64>,
    /// A backfill: its beginning in unix seconds, and whether it is done.
    pub(super) since: Option<i64>,
    pub(super) is_done: bool,
}

/// A cursor that reads all mails since a moment (unix seconds) as news.
pub(in crate::source) fn cursor_since(since: i64) -> String {
    let cursor = GitArchiveCursor {
        by: CURSOR_WORD.to_owned(),
        tip_at: since,
        ..GitArchiveCursor::default()
    };
    serde_json::to_string(&cursor).expect("a cursor is plain data")
}

/// The moment up to which all mails are stored, in unix seconds; `None` before the first poll.
pub(in crate::source) fn read_to(cursor: &str) -> Option<i64> {
    let cursor: GitArchiveCursor = serde_json::from_str(cursor).ok()?;
    (cursor.tip_at > 0).then_some(cursor.tip_at)
}

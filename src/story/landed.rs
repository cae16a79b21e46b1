//! Where a story has arrived: in mainline, in stable trees, and in which releases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// When something reached mainline, and by which commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// The commit or the merge that brought it.
    pub hash: String,
    pub at: DateTime<Utc>,
    /// The page of that commit, if its item is stored here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// It came after the first time and by the second one, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The first release with it. Readers compare the span with the releases that are known by then.
    #[serde(skip)]
    pub release: Option<String>,
}

/// A commit in a stable tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backport {
    /// The branch or the feed of that tree.
    pub branch: String,
    /// The commit there.
    pub hash: String,
    pub at: DateTime<Utc>,
    /// As in [`Landed`].
    #[serde(skip)]
    pub release: Option<String>,
}

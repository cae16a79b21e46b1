//! The kinds of stored cursors of trees and archives.

use serde::Deserialize;

use super::{archive, git, newsgroup};

/// The ways to read a feed that have cursors of their own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CursorKind {
    Tree,
    Archive,
    Newsgroup,
    /// A tree or an archive, by git.
    Git,
}

impl CursorKind {
    /// The kind of a stored cursor, by the fields that only this kind has.
    pub(super) fn of(cursor: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Fields {
            by: Option<String>,
            ways: Option<serde::de::IgnoredAny>,
            paths: Option<serde::de::IgnoredAny>,
            // A value of null is a field too.
            #[serde(default, deserialize_with = "is_there")]
            seen_to: bool,
        }
        fn is_there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
            serde::de::IgnoredAny::deserialize(value).map(|_| true)
        }
        let fields = serde_json::from_str::<Fields>(cursor).ok()?;
        match fields.by.as_deref() {
            _ if fields.ways.is_some() => None,
            Some(newsgroup::CURSOR_WORD) => Some(Self::Newsgroup),
            Some(git::CURSOR_WORD) => Some(Self::Git),
            Some(_) => None,
            None if fields.paths.is_some() => Some(Self::Tree),
            None => fields.seen_to.then_some(Self::Archive),
        }
    }
}

/// The moment up to which all items are stored by the cursor of one address, in unix seconds; `None` if it does not say.
pub(super) fn read_to(cursor: &str) -> Option<i64> {
    match CursorKind::of(cursor)? {
        CursorKind::Newsgroup => newsgroup::read_to(cursor),
        CursorKind::Archive => archive::read_to(cursor),
        CursorKind::Git => git::read_to(cursor),
        CursorKind::Tree => None,
    }
}

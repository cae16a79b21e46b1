//! The state of a feed, and its kind as a word in the database.

use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Sqlite, Type};

use crate::config::UpstreamKind;

/// The state of a feed after its last poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Type)]
#[sqlx(rename_all = "snake_case")]
pub enum FeedState {
    /// It was never polled.
    Never,
    Ok,
    BackingOff,
    Walled,
    Gone,
    /// Only shown, never stored: it is not polled.
    Paused,
}

impl FeedState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Ok => "ok",
            Self::BackingOff => "backing_off",
            Self::Walled => "walled",
            Self::Gone => "gone",
            Self::Paused => "paused",
        }
    }
}

/// The state of a feed after a poll that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureState {
    BackingOff,
    /// The host answers with a page for people.
    Walled,
    Gone,
}

impl FailureState {
    pub fn word(self) -> &'static str {
        match self {
            Self::BackingOff => FeedState::BackingOff.word(),
            Self::Walled => FeedState::Walled.word(),
            Self::Gone => FeedState::Gone.word(),
        }
    }
}

impl Type<Sqlite> for UpstreamKind {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl<'r> Decode<'r, Sqlite> for UpstreamKind {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let word = <&str as Decode<Sqlite>>::decode(value)?;
        Self::of(word).ok_or_else(|| format!("{word} is not a kind of feed").into())
    }
}

//! A stored feed: its row, its state, and the outcome of a poll.

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

/// A row of the table `feeds`. Times are unix seconds.
#[derive(Debug, Clone)]
pub struct FeedRow {
    /// The key in other tables.
    pub id: i64,
    pub name: String,
    pub kind: UpstreamKind,
    /// `None` if the feed was only imported from a file.
    pub url: Option<String>,
    /// Whether the configuration names it. If not, it is not polled.
    pub configured: bool,
    pub state: FeedState,
    /// The first successful poll.
    pub seeded_at: Option<i64>,
    /// The oldest date that the first poll showed.
    pub floor_at: Option<i64>,
    /// The last successful poll.
    pub last_ok_at: Option<i64>,
    pub next_poll_at: i64,
    /// Consecutive failures.
    pub failures: i64,
    /// The error of the last poll.
    pub last_error: Option<String>,
    /// The address of a permanent redirect.
    pub moved_to: Option<String>,
    /// How many items it has shown.
    pub items: i64,
    pub cursor: Option<String>,
    /// The cursor of a backfill.
    pub backfill: Option<String>,
    /// When a maintainer paused it.
    pub paused_at: Option<i64>,
}

impl FeedRow {
    /// Whether the configuration names it and nobody paused it.
    pub fn is_polled(&self) -> bool {
        self.configured && self.paused_at.is_none()
    }

    /// Whether its last poll succeeded and left no error of an earlier poll.
    pub fn is_well(&self) -> bool {
        self.state == FeedState::Ok && self.failures == 0 && self.last_error.is_none()
    }

    /// The state as maintainers see it.
    pub fn shown_state(&self) -> FeedState {
        if self.is_polled() {
            self.state
        } else {
            FeedState::Paused
        }
    }
}

/// How a poll ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    /// It succeeded, and the next poll has more to fetch.
    OkSoFar,
    /// It failed; the feed backs off.
    Failed {
        state: FailureState,
        why: String,
    },
    /// The feed is not to blame (our network, a shutdown), so this is no failure.
    Excused {
        why: String,
    },
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

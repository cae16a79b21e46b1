//! How a poll ended, and when the feed is due again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::FeedConfig;
use crate::source::FetchError;
use crate::store::feeds::{EndedPoll, FailureState, FeedRow, Outcome};

/// The longest pause after failures: a feed that recovers is polled within a day.
const BACK_OFF_MAX: TimeDelta = TimeDelta::days(1);

/// The shortest pause after a wall: the site does not want a quick retry.
const WALL_BACK_OFF_MIN: TimeDelta = TimeDelta::hours(1);

/// The pause after a 410; the feed may come back.
const GONE_BACK_OFF: TimeDelta = TimeDelta::days(7);

/// The pause if our own network is down.
const OFFLINE_PAUSE: TimeDelta = TimeDelta::seconds(60);

/// The pause before a catch-up goes on.
const CUT_SHORT_PAUSE: TimeDelta = TimeDelta::seconds(10);

/// A feed that is polled: its row at the beginning of the poll, and its configuration.
#[derive(Debug, Clone)]
pub(super) struct PolledFeed {
    pub(super) row: Arc<FeedRow>,
    pub(super) config: Arc<FeedConfig>,
}

/// The reason why a poll is over.
#[derive(Debug)]
pub(super) enum EndReason {
    /// The walk has no request left.
    Walked {
        /// Whether the next poll has more to fetch.
        is_cut_short: bool,
        /// The shortest pause that the server or the document asked for.
        pause_min: Duration,
        /// The new cursor, if the poll brought nothing else to store.
        quiet_cursor: Option<String>,
    },
    /// A request failed, or its answer could not be read or stored.
    Error(FetchError),
    /// bpfnews was stopped, or another poll of the feed came first. The feed is still due.
    Interrupted(&'static str),
}

/// How a poll ended: it succeeded, failed, or was excused. Only [`PollEnd::new`] decides that.
#[derive(Debug)]
pub(super) struct PollEnd {
    pub(super) feed: PolledFeed,
    pub(super) outcome: Outcome,
    pub(super) at: DateTime<Utc>,
    pub(super) next_poll_at: DateTime<Utc>,
    /// The new cursor of a poll that succeeded and brought nothing else to store, as nearly all do.
    quiet_cursor: Option<String>,
}

impl PollEnd {
    pub(super) fn new(feed: &PolledFeed, reason: EndReason, now: DateTime<Utc>) -> Self {
        let gap = TimeDelta::from_std(feed.config.poll_gap).unwrap_or(BACK_OFF_MAX);
        let (outcome, pause, quiet_cursor) = match reason {
            EndReason::Walked {
                is_cut_short: true, ..
            } => (Outcome::OkSoFar, CUT_SHORT_PAUSE.min(gap), None),
            EndReason::Walked {
                pause_min,
                quiet_cursor,
                ..
            } => {
                let pause_min = TimeDelta::from_std(pause_min).unwrap_or(gap);
                let pause = with_jitter(gap.max(pause_min.min(BACK_OFF_MAX)));
                (Outcome::Ok, pause, quiet_cursor)
            }
            EndReason::Error(error) => {
                let (outcome, pause) = judge(&error, gap, feed.row.failures);
                (outcome, pause, None)
            }
            EndReason::Interrupted(why) => {
                let why = why.to_owned();
                (Outcome::Excused { why }, TimeDelta::zero(), None)
            }
        };
        Self {
            feed: feed.clone(),
            outcome,
            at: now,
            next_poll_at: now + pause,
            quiet_cursor,
        }
    }

    /// Whether it succeeded and brought nothing to store but its cursor.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet_cursor.is_some()
    }

    pub(super) fn is_success(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::OkSoFar)
    }

    /// The same for the database.
    pub(super) fn row(&self) -> EndedPoll<'_> {
        let row = &self.feed.row;
        let cursor = self.quiet_cursor.as_deref();
        EndedPoll {
            feed: row.id,
            url: row.url.as_deref(),
            outcome: &self.outcome,
            at: self.at,
            next_poll_at: self.next_poll_at,
            cursor: cursor.map(|cursor| (row.cursor.as_deref(), cursor)),
        }
    }
}

/// The state of a feed after an error, and the pause.
fn judge(error: &FetchError, gap: TimeDelta, failures: i64) -> (Outcome, TimeDelta) {
    let why = error.to_string();
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or(20);
    let back_off = gap
        .checked_mul(1 << doublings)
        .unwrap_or(BACK_OFF_MAX)
        .min(BACK_OFF_MAX)
        .max(gap.min(BACK_OFF_MAX));
    let jittered = |pause: TimeDelta| with_jitter(pause).min(BACK_OFF_MAX);
    let failed = |state, why| Outcome::Failed { state, why };
    match error {
        FetchError::Later {
            after: Some(after), ..
        } => {
            let after = TimeDelta::from_std(*after).unwrap_or(BACK_OFF_MAX);
            let pause = after.max(with_jitter(gap));
            (failed(FailureState::BackingOff, why), pause)
        }
        FetchError::Later { after: None, .. }
        | FetchError::Missing { .. }
        | FetchError::TooBig { .. }
        | FetchError::Broken { .. }
        | FetchError::Unreachable { .. } => {
            (failed(FailureState::BackingOff, why), jittered(back_off))
        }
        FetchError::Walled { .. } => {
            let pause = jittered(back_off.max(WALL_BACK_OFF_MIN));
            (failed(FailureState::Walled, why), pause)
        }
        FetchError::Gone { .. } => (failed(FailureState::Gone, why), GONE_BACK_OFF),
        FetchError::Offline { .. } => (Outcome::Excused { why }, OFFLINE_PAUSE),
        FetchError::Held { after, .. } => {
            let after = TimeDelta::from_std(*after).unwrap_or(BACK_OFF_MAX);
            (Outcome::Excused { why }, with_jitter(after))
        }
    }
}

/// Adds up to a tenth, so that feeds of one host, and bots of many people, are not due at the same moment.
fn with_jitter(pause: TimeDelta) -> TimeDelta {
    let tenth = (pause.num_milliseconds() / 10).max(1);
    pause + TimeDelta::milliseconds(fastrand::i64(0..tenth))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, UpstreamKind};
    use crate::store::feeds::FeedState;

    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;

    /// A feed that is polled once an hour and never failed.
    fn feed() -> PolledFeed {
        let text = "[[feed]]\nname = \"a\"\nkind = \"feed\"\nurl = \"https://a.example/\"\npoll_gap_s = 3600\n";
        let config = Config::parse(text, Path::new("config.toml")).expect("a configuration");
        let row = FeedRow {
            id: 1,
            name: "a".to_owned(),
            kind: UpstreamKind::Feed,
            url: None,
            configured: true,
            state: FeedState::Ok,
            seeded_at: None,
            floor_at: None,
            last_ok_at: None,
            next_poll_at: 0,
            failures: 0,
            last_error: None,
            moved_to: None,
            items: 0,
            cursor: Some("before".to_owned()),
            backfill: None,
            paused_at: None,
        };
        PolledFeed {
            row: Arc::new(row),
            config: Arc::clone(&config.feeds[0]),
        }
    }

    #[test]
    fn every_reason_has_one_outcome_and_one_pause() {
        let feed = feed();
        let walked = |is_cut_short, hours: u64| EndReason::Walked {
            is_cut_short,
            pause_min: Duration::from_secs(3_600 * hours),
            quiet_cursor: None,
        };
        let why = || "why".to_owned();
        let later = |hours: u64| FetchError::Later {
            after: Some(Duration::from_secs(3_600 * hours)),
            why: why(),
        };
        let held = FetchError::Held {
            after: Duration::from_secs(120),
            why: why(),
        };
        let failed = |state| Outcome::Failed { state, why: why() };
        let excused = || Outcome::Excused { why: why() };
        // The outcome, and the pause in seconds; jitter may add a tenth.
        #[rustfmt::skip]
        let table = [
            (walked(false, 0), Outcome::Ok, HOUR),
            (walked(false, 2), Outcome::Ok, 2 * HOUR),
            (walked(false, 900), Outcome::Ok, DAY),
            (walked(true, 2), Outcome::OkSoFar, 10),
            (EndReason::Error(FetchError::Broken { why: why() }), failed(FailureState::BackingOff), HOUR),
            (EndReason::Error(later(3)), failed(FailureState::BackingOff), 3 * HOUR),
            (EndReason::Error(FetchError::Walled { why: why() }), failed(FailureState::Walled), HOUR),
            (EndReason::Error(FetchError::Gone { why: why() }), failed(FailureState::Gone), 7 * DAY),
            (EndReason::Error(FetchError::Offline { why: why() }), excused(), 60),
            (EndReason::Error(held), excused(), 120),
            (EndReason::Interrupted("why"), excused(), 0),
        ];
        let now = DateTime::UNIX_EPOCH;
        for (reason, outcome, pause) in table {
            let case = format!("{reason:?}");
            let end = PollEnd::new(&feed, reason, now);
            assert_eq!(end.outcome, outcome, "{case}");
            let found = (end.next_poll_at - now).num_seconds();
            assert!(
                (pause..=pause + pause / 10).contains(&found),
                "{case}: {found}"
            );
            assert!(!end.is_quiet() && end.row().cursor.is_none(), "{case}");
        }
    }

    #[test]
    fn only_a_whole_walk_is_quiet() {
        let feed = feed();
        for is_cut_short in [false, true] {
            let reason = EndReason::Walked {
                is_cut_short,
                pause_min: Duration::ZERO,
                quiet_cursor: Some("after".to_owned()),
            };
            let end = PollEnd::new(&feed, reason, DateTime::UNIX_EPOCH);
            let wanted = (!is_cut_short).then_some((Some("before"), "after"));
            assert_eq!(end.row().cursor, wanted);
        }
    }
}

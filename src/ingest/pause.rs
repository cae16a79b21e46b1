//! Maps the error of a poll to the feed's state and to the next poll.

use chrono::TimeDelta;

use crate::source::FetchError;
use crate::store::feeds::{FailureState, Outcome};

/// The longest pause after failures: a feed that recovers is met within a day.
pub(super) const BACK_OFF_MAX: TimeDelta = TimeDelta::days(1);

/// The least pause after a wall: the site does not want a quick retry.
const WALL_BACK_OFF_MIN: TimeDelta = TimeDelta::hours(1);

/// The pause after a 410; the feed may come back.
const GONE_BACK_OFF: TimeDelta = TimeDelta::days(7);

/// The pause when our own network is down.
const OFFLINE_PAUSE: TimeDelta = TimeDelta::seconds(60);

/// The pause before a catch-up goes on.
pub(super) const CUT_SHORT_PAUSE: TimeDelta = TimeDelta::seconds(10);

/// The state of a feed after an error, and the pause.
pub(super) fn judge(error: &FetchError, gap: TimeDelta, failures: i64) -> (Outcome, TimeDelta) {
    let why = error.to_string();
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or(20);
    let back_off = gap
        .checked_mul(1 << doublings)
        .unwrap_or(BACK_OFF_MAX)
        .min(BACK_OFF_MAX)
        .max(gap.min(BACK_OFF_MAX));
    let in_a_while = |pause: TimeDelta| with_jitter(pause).min(BACK_OFF_MAX);
    let backing_off = Outcome::Failed {
        state: FailureState::BackingOff,
        why: why.clone(),
    };
    match error {
        FetchError::Later {
            after: Some(after), ..
        } => {
            let after = TimeDelta::from_std(*after).unwrap_or(BACK_OFF_MAX);
            (backing_off, after.max(with_jitter(gap)))
        }
        FetchError::Later { after: None, .. }
        | FetchError::Missing { .. }
        | FetchError::TooBig { .. }
        | FetchError::Broken { .. }
        | FetchError::Unreachable { .. } => (backing_off, in_a_while(back_off)),
        FetchError::Walled { .. } => (
            Outcome::Failed {
                state: FailureState::Walled,
                why,
            },
            in_a_while(back_off.max(WALL_BACK_OFF_MIN)),
        ),
        FetchError::Gone { .. } => (
            Outcome::Failed {
                state: FailureState::Gone,
                why,
            },
            GONE_BACK_OFF,
        ),
        FetchError::Offline { .. } => (Outcome::Excused { why }, OFFLINE_PAUSE),
        FetchError::Held { after, .. } => {
            let after = TimeDelta::from_std(*after).unwrap_or(BACK_OFF_MAX);
            (Outcome::Excused { why }, with_jitter(after))
        }
    }
}

/// Up to a tenth more, so that feeds of one host and bots of many people do not march in step.
pub(super) fn with_jitter(pause: TimeDelta) -> TimeDelta {
    let tenth = (pause.num_milliseconds() / 10).max(1);
    pause + TimeDelta::milliseconds(fastrand::i64(0..tenth))
}

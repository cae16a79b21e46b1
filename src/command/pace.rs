//! The rate limit for one person's commands: a burst, then one per interval. A person who exceeds it gets one warning,
//! then no answers.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

/// The most people remembered. When it is reached, people whose burst is full again are forgotten first.
const PEOPLE_MAX: usize = 10_000;

/// The handler's reaction to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Answer,
    /// Warn the person that they are too fast.
    SlowDown,
    /// Do not answer.
    Silence,
}

#[derive(Debug, Clone, Copy)]
struct Credit {
    /// When the person's whole burst is available again.
    full_at: DateTime<Utc>,
    was_told: bool,
}

/// The rate limits of all people.
#[derive(Debug)]
pub(super) struct Pace {
    burst: i32,
    people: Mutex<HashMap<(&'static str, String), Credit>>,
}

impl Pace {
    pub(super) fn new(burst: i32) -> Self {
        Self {
            burst,
            people: Mutex::default(),
        }
    }

    /// Counts one command of a person and decides about it. After the burst, one command is allowed per `every`.
    pub(super) fn ask(
        &self,
        platform: &'static str,
        person: &str,
        every: TimeDelta,
        now: DateTime<Utc>,
    ) -> Verdict {
        let mut people = self.people.lock().expect("no holder of the pace panics");
        if people.len() >= PEOPLE_MAX {
            people.retain(|_, credit| credit.full_at > now);
        }
        if people.len() >= PEOPLE_MAX {
            people.clear();
        }
        let credit = people
            .entry((platform, person.to_owned()))
            .or_insert(Credit {
                full_at: now,
                was_told: false,
            });
        // After a clock was set back, nobody waits longer than for a whole burst.
        let full_at = credit.full_at.clamp(now, now + every * self.burst);
        if full_at + every > now + every * self.burst {
            let verdict = match credit.was_told {
                false => Verdict::SlowDown,
                true => Verdict::Silence,
            };
            credit.was_told = true;
            return verdict;
        }
        *credit = Credit {
            full_at: full_at + every,
            was_told: false,
        };
        Verdict::Answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_fast_is_told_once() {
        let pace = Pace::new(3);
        let start = DateTime::from_timestamp(1_735_689_600, 0).expect("a time");
        let ask = |person: &str, seconds: i64| {
            let now = start + TimeDelta::seconds(seconds);
            pace.ask("discord", person, TimeDelta::seconds(10), now)
        };
        for _ in 0..3 {
            assert_eq!(ask("a", 0), Verdict::Answer);
        }
        assert_eq!(ask("a", 1), Verdict::SlowDown);
        assert_eq!(ask("a", 2), Verdict::Silence);
        assert_eq!(ask("b", 2), Verdict::Answer, "others are not held");
        assert_eq!(ask("a", 10), Verdict::Answer);
        assert_eq!(ask("a", 11), Verdict::SlowDown, "told anew after an answer");
        assert_eq!(ask("a", -500), Verdict::Silence, "the clock was set back");
        assert_eq!(ask("a", 600), Verdict::Answer);
    }

    #[test]
    fn no_pause_means_no_limit_and_a_crowd_is_forgotten() {
        let pace = Pace::new(1);
        let now = DateTime::from_timestamp(1_735_689_600, 0).expect("a time");
        for _ in 0..50 {
            assert_eq!(
                pace.ask("matrix", "a", TimeDelta::zero(), now),
                Verdict::Answer
            );
        }
        for number in 0..PEOPLE_MAX * 2 {
            pace.ask("matrix", &number.to_string(), TimeDelta::seconds(9), now);
        }
        assert!(pace.people.lock().expect("nobody panics").len() <= PEOPLE_MAX);
    }
}

//! A rate limit for each person: a burst, then one per interval. A person who exceeds it gets one warning, then no answers.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

/// The most people remembered. At this number, those with a full burst are forgotten first.
pub(crate) const PEOPLE_MAX: usize = 10_000;

/// The reaction to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    Answer,
    /// Warn the person that they are too fast.
    Warn,
    /// Do not answer.
    Ignore,
}

/// A request above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFast {
    /// The time until one more request is allowed.
    pub wait: TimeDelta,
    /// Whether an earlier request above the limit has warned the person.
    pub was_warned: bool,
}

#[derive(Debug, Clone, Copy)]
struct Credit {
    /// When the person's whole burst is available again.
    full_at: DateTime<Utc>,
    was_warned: bool,
}

/// The rate limits of all people; `K` names one.
#[derive(Debug)]
pub struct RateLimit<K> {
    burst: i32,
    people: Mutex<HashMap<K, Credit>>,
}

impl<K: Eq + Hash> RateLimit<K> {
    pub fn new(burst: i32) -> Self {
        Self {
            burst,
            people: Mutex::default(),
        }
    }

    /// Forgets a person.
    pub fn forget(&self, person: &K) {
        let mut people = self.people.lock().expect("no holder of the limits panics");
        people.remove(person);
    }

    /// Counts one request of a person and decides about it. After the burst, one request is allowed per `every`.
    pub fn count(&self, person: K, every: TimeDelta, now: DateTime<Utc>) -> RateDecision {
        match self.take(person, every, now) {
            Ok(()) => RateDecision::Answer,
            Err(TooFast {
                was_warned: false, ..
            }) => RateDecision::Warn,
            Err(TooFast {
                was_warned: true, ..
            }) => RateDecision::Ignore,
        }
    }

    /// The same.
    ///
    /// # Errors
    ///
    /// Returns the time to wait if the person is too fast.
    pub fn take(&self, person: K, every: TimeDelta, now: DateTime<Utc>) -> Result<(), TooFast> {
        let mut people = self.people.lock().expect("no holder of the limits panics");
        if people.len() >= PEOPLE_MAX {
            people.retain(|_, credit| credit.full_at > now);
        }
        if people.len() >= PEOPLE_MAX {
            people.clear();
        }
        let credit = people.entry(person).or_insert(Credit {
            full_at: now,
            was_warned: false,
        });
        let whole = every * self.burst;
        // After a clock was set back, nobody waits longer than for a whole burst.
        let full_at = credit.full_at.clamp(now, now + whole) + every;
        let wait = full_at - (now + whole);
        if wait > TimeDelta::zero() {
            let was_warned = std::mem::replace(&mut credit.was_warned, true);
            return Err(TooFast { wait, was_warned });
        }
        *credit = Credit {
            full_at,
            was_warned: false,
        };
        Ok(())
    }

    /// The number of people remembered.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.people.lock().expect("nobody panics").len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_who_is_too_fast_is_warned_once() {
        let limit = RateLimit::new(3);
        let start = DateTime::from_timestamp(1_735_689_600, 0).expect("a time");
        let ask = |person: &str, seconds: i64| {
            let now = start + TimeDelta::seconds(seconds);
            limit.count(person.to_owned(), TimeDelta::seconds(10), now)
        };
        for _ in 0..3 {
            assert_eq!(ask("a", 0), RateDecision::Answer);
        }
        assert_eq!(ask("a", 1), RateDecision::Warn);
        assert_eq!(ask("a", 2), RateDecision::Ignore);
        assert_eq!(ask("b", 2), RateDecision::Answer, "others are not held");
        assert_eq!(ask("a", 10), RateDecision::Answer);
        assert_eq!(
            ask("a", 11),
            RateDecision::Warn,
            "warned again after an answer"
        );
        assert_eq!(
            ask("a", -500),
            RateDecision::Ignore,
            "the clock was set back"
        );
        assert_eq!(ask("a", 600), RateDecision::Answer);
    }

    #[test]
    fn no_pause_means_no_limit_and_a_crowd_is_forgotten() {
        let limit = RateLimit::new(1);
        let now = DateTime::from_timestamp(1_735_689_600, 0).expect("a time");
        for _ in 0..50 {
            assert_eq!(
                limit.count("a".to_owned(), TimeDelta::zero(), now),
                RateDecision::Answer
            );
        }
        for number in 0..PEOPLE_MAX * 2 {
            limit.count(number.to_string(), TimeDelta::seconds(9), now);
        }
        assert!(limit.remembered() <= PEOPLE_MAX);
    }
}

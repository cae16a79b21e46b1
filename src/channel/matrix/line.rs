//! The queue of answers. People take turns, so a person with many commands waits behind one with a single command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long an answer counts against its person.
const COUNTED_FOR: Duration = Duration::from_mins(1);
/// The least time between two notices to a person that the bot is busy.
const TOLD_AGAIN_AFTER: Duration = Duration::from_mins(1);
/// The most people remembered; entries older than a minute are dropped first.
const PEOPLE_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Line {
    inside: Mutex<Inside>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    next: u64,
    waiting: Vec<Waiting>,
    people: HashMap<String, Known>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// The number of answers the person had before this one; `None` puts it first.
    round: Option<u32>,
    ticket: u64,
    /// Whether the answer is ready to send. Unfinished answers block nobody.
    is_ready: bool,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    asked: u32,
    since: Instant,
    told_at: Option<Instant>,
}

/// A place in the queue, left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    line: Arc<Line>,
    ticket: u64,
}

impl Line {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("no holder of the line panics")
    }

    /// Joins the queue if `wait_of` returns at most `most` for the number of places ahead.
    pub(super) fn join(
        self: &Arc<Self>,
        person: &str,
        most: Duration,
        now: Instant,
        wait_of: impl FnOnce(usize) -> Duration,
    ) -> Option<Place> {
        let mut inside = self.inside();
        let round = inside.known(person, now).asked;
        let is_before = |waiting: &&Waiting| waiting.round <= Some(round);
        let before = inside.waiting.iter().filter(is_before).count();
        if wait_of(before) > most {
            return None;
        }
        inside.known(person, now).asked = round.saturating_add(1);
        let ticket = inside.put(Some(round));
        Some(Place {
            line: Arc::clone(self),
            ticket,
        })
    }

    /// A place ahead of all answers, for the notice that the bot is busy. `None` if the person got one lately.
    pub(super) fn join_with_a_word(self: &Arc<Self>, person: &str, now: Instant) -> Option<Place> {
        let mut inside = self.inside();
        let known = inside.known(person, now);
        if known.told_at.is_some_and(|at| now < at + TOLD_AGAIN_AFTER) {
            return None;
        }
        known.told_at = Some(now);
        let ticket = inside.put(None);
        Some(Place {
            line: Arc::clone(self),
            ticket,
        })
    }
}

impl Inside {
    fn known(&mut self, person: &str, now: Instant) -> &mut Known {
        if self.people.len() >= PEOPLE_MAX {
            self.people
                .retain(|_, known| now < known.since + COUNTED_FOR);
        }
        if self.people.len() >= PEOPLE_MAX {
            self.people.clear();
        }
        let anew = Known {
            asked: 0,
            since: now,
            told_at: None,
        };
        let known = self.people.entry(person.to_owned()).or_insert(anew);
        if now >= known.since + COUNTED_FOR {
            (known.asked, known.since) = (0, now);
        }
        known
    }

    fn put(&mut self, round: Option<u32>) -> u64 {
        self.next += 1;
        let ticket = self.next;
        let is_ready = false;
        self.waiting.push(Waiting {
            round,
            ticket,
            is_ready,
        });
        ticket
    }
}

impl Place {
    fn make_ready(&self) {
        let mut inside = self.line.inside();
        let mut waiting = inside.waiting.iter_mut();
        if let Some(mine) = waiting.find(|waiting| waiting.ticket == self.ticket) {
            mine.is_ready = true;
        }
    }

    fn is_first(&self) -> bool {
        let inside = self.line.inside();
        let ready = inside.waiting.iter().filter(|waiting| waiting.is_ready);
        let first = ready.min_by_key(|waiting| (waiting.round, waiting.ticket));
        first.is_some_and(|first| first.ticket == self.ticket)
    }

    /// Marks the answer as ready, and waits until no other ready answer is ahead.
    pub(super) async fn until_first(&self) {
        self.make_ready();
        loop {
            let moved = self.line.moved.notified();
            tokio::pin!(moved);
            // From here on, no change of the queue is missed.
            moved.as_mut().enable();
            if self.is_first() {
                return;
            }
            moved.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.line.inside();
        inside
            .waiting
            .retain(|waiting| waiting.ticket != self.ticket);
        drop(inside);
        self.line.moved.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(30);

    fn each(before: usize) -> Duration {
        Duration::from_secs(10) * u32::try_from(before + 1).expect("few")
    }

    #[test]
    fn who_asks_once_comes_before_who_asks_much() {
        let line = Arc::new(Line::default());
        let now = Instant::now();
        let join = |person: &str| line.join(person, MOST, now, each);
        let many: Vec<Option<Place>> = (0..5).map(|_| join("loud")).collect();
        let held: Vec<bool> = many.iter().map(Option::is_some).collect();
        assert_eq!(
            held,
            [true, true, true, false, false],
            "no more than can be given in time"
        );
        let quiet = join("quiet").expect("whoever asks once finds a place");
        quiet.make_ready();
        assert!(
            quiet.is_first(),
            "what is still being found out holds nobody up"
        );
        many.iter().flatten().for_each(Place::make_ready);
        assert!(!quiet.is_first(), "the first of the loud one came before");
        drop(many.into_iter().next());
        assert!(quiet.is_first(), "not behind the others of the loud one");
    }

    #[test]
    fn who_is_refused_is_told_once_a_minute_and_first() {
        let line = Arc::new(Line::default());
        let now = Instant::now();
        let answer = line.join("a", MOST, now, each).expect("a place");
        let word = line.join_with_a_word("b", now).expect("a word");
        word.make_ready();
        answer.make_ready();
        assert!(word.is_first() && !answer.is_first());
        assert!(line.join_with_a_word("b", now).is_none());
        drop(word);
        assert!(answer.is_first());
        let later = now + TOLD_AGAIN_AFTER;
        assert!(line.join_with_a_word("b", later).is_some());
    }

    #[tokio::test]
    async fn a_place_is_left_when_it_is_dropped() {
        let line = Arc::new(Line::default());
        let now = Instant::now();
        let first = line.join("a", MOST, now, each).expect("a place");
        let second = line.join("b", MOST, now, each).expect("a place");
        first.make_ready();
        let waits = tokio::spawn(async move { second.until_first().await });
        tokio::task::yield_now().await;
        drop(first);
        let waited = tokio::time::timeout(Duration::from_secs(5), waits).await;
        waited.expect("it is woken").expect("it ends well");
    }
}

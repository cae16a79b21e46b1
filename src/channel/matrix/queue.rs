//! The queue of answers. People take turns, so a person with many commands waits behind one with a single command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// How long an answer counts against its person.
const COUNTED_FOR: Duration = Duration::from_mins(1);
/// The least time between two notices to a person that the bot is busy.
const NOTICE_GAP: Duration = Duration::from_mins(1);
/// The most people remembered; entries older than a minute are dropped first.
const PEOPLE_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct AnswerQueue {
    state: Mutex<QueueState>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct QueueState {
    next: u64,
    waiting: Vec<QueueEntry>,
    people: HashMap<String, PersonRecord>,
}

#[derive(Debug, Clone, Copy)]
struct QueueEntry {
    /// The number of answers the person had before this one; `None` puts it first.
    round: Option<u32>,
    ticket: u64,
    /// Whether the answer is ready to send. Unfinished answers block nobody.
    is_ready: bool,
}

#[derive(Debug, Clone, Copy)]
struct PersonRecord {
    asked: u32,
    since: Instant,
    notified_at: Option<Instant>,
}

/// A place in the queue, left when it is dropped.
#[derive(Debug)]
pub(super) struct QueuePlace {
    queue: Arc<AnswerQueue>,
    ticket: u64,
}

impl AnswerQueue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().expect("no holder of the line panics")
    }

    /// Joins the queue if `wait_of` returns at most `most` for the number of places ahead.
    pub(super) fn join(
        self: &Arc<Self>,
        person: &str,
        most: Duration,
        now: Instant,
        wait_of: impl FnOnce(usize) -> Duration,
    ) -> Option<QueuePlace> {
        let mut state = self.state();
        let round = state.known(person, now).asked;
        let is_before = |waiting: &&QueueEntry| waiting.round <= Some(round);
        let before = state.waiting.iter().filter(is_before).count();
        if wait_of(before) > most {
            return None;
        }
        state.known(person, now).asked = round.saturating_add(1);
        let ticket = state.put(Some(round));
        Some(QueuePlace {
            queue: Arc::clone(self),
            ticket,
        })
    }

    /// A place ahead of all answers, for the notice that the bot is busy. `None` if the person got one lately.
    pub(super) fn join_first(self: &Arc<Self>, person: &str, now: Instant) -> Option<QueuePlace> {
        let mut state = self.state();
        let known = state.known(person, now);
        if known.notified_at.is_some_and(|at| now < at + NOTICE_GAP) {
            return None;
        }
        known.notified_at = Some(now);
        let ticket = state.put(None);
        Some(QueuePlace {
            queue: Arc::clone(self),
            ticket,
        })
    }
}

impl QueueState {
    fn known(&mut self, person: &str, now: Instant) -> &mut PersonRecord {
        if self.people.len() >= PEOPLE_MAX {
            self.people
                .retain(|_, known| now < known.since + COUNTED_FOR);
        }
        if self.people.len() >= PEOPLE_MAX {
            self.people.clear();
        }
        let anew = PersonRecord {
            asked: 0,
            since: now,
            notified_at: None,
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
        self.waiting.push(QueueEntry {
            round,
            ticket,
            is_ready,
        });
        ticket
    }
}

impl QueuePlace {
    fn make_ready(&self) {
        let mut state = self.queue.state();
        let mut waiting = state.waiting.iter_mut();
        if let Some(mine) = waiting.find(|waiting| waiting.ticket == self.ticket) {
            mine.is_ready = true;
        }
    }

    fn is_first(&self) -> bool {
        let state = self.queue.state();
        let ready = state.waiting.iter().filter(|waiting| waiting.is_ready);
        let first = ready.min_by_key(|waiting| (waiting.round, waiting.ticket));
        first.is_some_and(|first| first.ticket == self.ticket)
    }

    /// Marks the answer as ready, and waits until no other ready answer is ahead.
    pub(super) async fn until_first(&self) {
        self.make_ready();
        loop {
            let moved = self.queue.moved.notified();
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

impl Drop for QueuePlace {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state
            .waiting
            .retain(|waiting| waiting.ticket != self.ticket);
        drop(state);
        self.queue.moved.notify_waiters();
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
    fn a_single_question_comes_before_those_of_a_flooder() {
        let queue = Arc::new(AnswerQueue::default());
        let now = Instant::now();
        let join = |person: &str| queue.join(person, MOST, now, each);
        let many: Vec<Option<QueuePlace>> = (0..5).map(|_| join("loud")).collect();
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
        many.iter().flatten().for_each(QueuePlace::make_ready);
        assert!(!quiet.is_first(), "the first of the loud one came before");
        drop(many.into_iter().next());
        assert!(quiet.is_first(), "not behind the others of the loud one");
    }

    #[test]
    fn a_refusal_is_sent_once_a_minute_and_first() {
        let queue = Arc::new(AnswerQueue::default());
        let now = Instant::now();
        let answer = queue.join("a", MOST, now, each).expect("a place");
        let word = queue.join_first("b", now).expect("a word");
        word.make_ready();
        answer.make_ready();
        assert!(word.is_first() && !answer.is_first());
        assert!(queue.join_first("b", now).is_none());
        drop(word);
        assert!(answer.is_first());
        let later = now + NOTICE_GAP;
        assert!(queue.join_first("b", later).is_some());
    }

    #[tokio::test]
    async fn a_place_is_left_when_it_is_dropped() {
        let queue = Arc::new(AnswerQueue::default());
        let now = Instant::now();
        let first = queue.join("a", MOST, now, each).expect("a place");
        let second = queue.join("b", MOST, now, each).expect("a place");
        first.make_ready();
        let waits = tokio::spawn(async move { second.until_first().await });
        tokio::task::yield_now().await;
        drop(first);
        let waited = tokio::time::timeout(Duration::from_secs(5), waits).await;
        waited.expect("it is woken").expect("it ends well");
    }
}

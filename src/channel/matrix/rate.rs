//! The rate limit of one account: a burst of messages, then one per gap, as homeservers allow by default. Posts and
//! answers share it and take turns if both wait. A stricter limit of the server is learnt from its errors.

use std::time::Duration;

use tokio::time::Instant;

/// Homeservers allow ten. One less is used, because delays on the way can bring messages closer together.
const BURST: u32 = 9;
/// How long a turn is reserved for a class that was put off, once it may come again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a learnt limit holds.
const LEARNT_LASTS: Duration = Duration::from_hours(1);
/// The longest gap, and the longest stop, accepted from a server.
const GAP_MAX: Duration = Duration::from_mins(1);
const STOP_MAX: Duration = Duration::from_hours(1);

/// The two classes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Post,
    /// An answer to a command.
    Answer,
}

impl Class {
    fn other(self) -> Self {
        match self {
            Self::Post => Self::Answer,
            Self::Answer => Self::Post,
        }
    }
}

/// A token bucket.
#[derive(Debug)]
pub(super) struct SendRate {
    gap: Duration,
    /// The gap that the server wants, and when it said so.
    learn: Option<(Duration, Instant)>,
    /// The server accepts no message before this time.
    stopped_to: Option<Instant>,
    /// When the bucket is full again.
    full_at: Option<Instant>,
    last: Option<Class>,
    /// For each class: how long a turn is reserved for it.
    waits: [Option<Instant>; 2],
}

impl SendRate {
    /// A full bucket. A gap of zero means no limit.
    pub(super) fn new(gap: Duration) -> Self {
        Self {
            gap,
            learn: None,
            stopped_to: None,
            full_at: None,
            last: None,
            waits: [None; 2],
        }
    }

    /// The time between two turns: the configured gap, or a longer one that was learnt.
    pub(super) fn gap(&self, now: Instant) -> Duration {
        let learn = self.learn.filter(|(_, at)| now < *at + LEARNT_LASTS);
        learn.map_or(self.gap, |(gap, _)| gap.max(self.gap))
    }

    /// Takes a turn, or returns the wait until the next one.
    pub(super) fn take(&mut self, class: Class, now: Instant) -> Result<(), Duration> {
        if let Err(after) = self.turn(class, now) {
            self.waits[class as usize] = Some(now + after + PATIENCE);
            return Err(after);
        }
        self.full_at = Some(now + self.used(now) + self.gap(now));
        self.last = Some(class);
        self.waits[class as usize] = None;
        Ok(())
    }

    fn turn(&self, class: Class, now: Instant) -> Result<(), Duration> {
        if let Some(stopped) = self.stopped_to.filter(|to| *to > now) {
            return Err(stopped - now);
        }
        let gap = self.gap(now);
        let used = self.used(now);
        let over = used.saturating_sub(gap * (BURST - 1));
        if !over.is_zero() {
            return Err(over);
        }
        let is_last_turn = !gap.is_zero() && used + gap > gap * (BURST - 1);
        let others = self.waits[class.other() as usize].filter(|to| *to > now);
        match others.filter(|_| is_last_turn && self.last == Some(class)) {
            // The other class's turn, until its reservation ends.
            Some(to) => Err(gap.min(to - now)),
            None => Ok(()),
        }
    }

    /// The used part of the bucket, as time. At most the whole bucket, even if the gap was longer before.
    fn used(&self, now: Instant) -> Duration {
        let used = self
            .full_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        used.min(self.gap(now) * BURST)
    }

    /// Whether a turn is reserved for this class.
    pub(super) fn is_waiting(&self, class: Class, now: Instant) -> bool {
        self.waits[class as usize].is_some_and(|to| to > now)
    }

    /// The wait of an answer with `before` others ahead of it.
    pub(super) fn wait_of_answer(&self, before: usize, now: Instant) -> Duration {
        let gap = self.gap(now);
        let each = match self.is_waiting(Class::Post, now) {
            true => gap * 2,
            false => gap,
        };
        let used = self.used(now);
        let free = (gap * BURST).saturating_sub(used);
        let turns = u32::try_from(before + 1).unwrap_or(u32::MAX);
        let stopped = self
            .stopped_to
            .map_or(Duration::ZERO, |to| to.saturating_duration_since(now));
        stopped + each.saturating_mul(turns).saturating_sub(free)
    }

    /// Learns that the server accepts nothing before `after` has passed.
    pub(super) fn learn(&mut self, after: Duration, now: Instant) {
        let stopped_to = now + after.min(STOP_MAX);
        self.stopped_to = self.stopped_to.max(Some(stopped_to));
        // A server with one turn in this time has no shorter gap.
        let gap = after.min(GAP_MAX).max(self.gap(now));
        if gap > self.gap {
            self.learn = Some((gap, now));
        }
        // The bucket is empty: after the stop there is one turn, and each further one takes a gap.
        let empty = stopped_to + gap * (BURST - 1);
        self.full_at = Some(self.full_at.map_or(empty, |at| at.max(empty)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(5);

    #[test]
    fn some_at_once_then_one_per_gap() {
        let mut rate = SendRate::new(GAP);
        let start = Instant::now();
        for _ in 0..9 {
            assert_eq!(rate.take(Class::Post, start), Ok(()));
        }
        assert_eq!(rate.take(Class::Post, start), Err(GAP));
        let later = start + GAP;
        assert_eq!(rate.take(Class::Post, later), Ok(()));
        assert_eq!(rate.take(Class::Post, later), Err(GAP));
        let much_later = start + Duration::from_secs(3600);
        let taken = (0..50).take_while(|_| rate.take(Class::Post, much_later).is_ok());
        assert_eq!(taken.count(), 9, "a rest fills the bucket, and no more");
    }

    #[test]
    fn no_gap_is_no_limit() {
        let mut rate = SendRate::new(Duration::ZERO);
        assert!((0..1000).all(|_| rate.take(Class::Answer, Instant::now()).is_ok()));
    }

    /// Without end, one person asks and posts wait: each class gets every second turn.
    #[test]
    fn posts_and_answers_take_turns() {
        let mut rate = SendRate::new(GAP);
        let start = Instant::now();
        let mut taken = Vec::new();
        // Answers come first each time, a tenth of a second apart; a post tries once a second.
        for tenth in 0..3_000 {
            let now = start + Duration::from_millis(100 * tenth);
            if rate.take(Class::Answer, now).is_ok() {
                taken.push(Class::Answer);
            }
            if tenth % 10 == 0 && rate.take(Class::Post, now).is_ok() {
                taken.push(Class::Post);
            }
        }
        let posts = taken.iter().filter(|class| **class == Class::Post).count();
        let answers = taken.len() - posts;
        assert!(taken.len() >= 60, "nothing is wasted: {}", taken.len());
        // Except for the burst at the start.
        assert!(
            answers <= posts + 9 && posts <= answers,
            "{posts} posts, {answers} answers"
        );
    }

    #[test]
    fn one_class_alone_has_all_turns() {
        let mut rate = SendRate::new(GAP);
        let start = Instant::now();
        let taken = (0..3_000)
            .map(|tenth| start + Duration::from_millis(100 * tenth))
            .filter(|now| rate.take(Class::Answer, *now).is_ok());
        assert!(taken.count() >= 66);
    }

    /// The server's limit is stricter than the configured one, and holds after its first error.
    #[test]
    fn the_servers_limits_are_learnt_and_forgotten() {
        let mut rate = SendRate::new(GAP);
        let start = Instant::now();
        assert_eq!(rate.take(Class::Post, start), Ok(()));
        rate.learn(Duration::from_secs(20), start);
        assert_eq!(
            rate.take(Class::Answer, start),
            Err(Duration::from_secs(20))
        );
        let open = start + Duration::from_secs(20);
        assert_eq!(rate.take(Class::Answer, open), Ok(()));
        assert_eq!(rate.take(Class::Answer, open), Err(Duration::from_secs(20)));
        let much_later = start + Duration::from_secs(2 * 3600);
        assert_eq!(rate.gap(much_later), GAP);
        // An endless delay must not stop sending for ever.
        rate.learn(Duration::from_secs(1_000_000), much_later);
        let an_hour_later = much_later + Duration::from_secs(3601);
        let wait = rate.take(Class::Post, an_hour_later);
        assert!(
            wait.is_ok() || wait.is_err_and(|wait| wait <= GAP),
            "{wait:?}"
        );
    }

    #[test]
    fn an_answer_knows_how_long_it_waits() {
        let mut rate = SendRate::new(GAP);
        let now = Instant::now();
        assert_eq!(rate.wait_of_answer(0, now), Duration::ZERO);
        while rate.take(Class::Answer, now).is_ok() {}
        assert_eq!(rate.wait_of_answer(0, now), GAP);
        assert_eq!(rate.wait_of_answer(3, now), GAP * 4);
        assert!(rate.take(Class::Post, now).is_err());
        assert_eq!(
            rate.wait_of_answer(3, now),
            GAP * 8,
            "posts have every second turn"
        );
    }
}

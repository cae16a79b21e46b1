//! Archives behind a front end that misbehaves.

use bpfnews::source::Goal;

use crate::sim::{Archive, DAY, Fault, Mail, Reader, START, missing};

const POLL_S: i64 = 300;

/// A world with a seeded archive that gets `bursts` of so many mails at these times after the seed.
struct World {
    archive: Archive,
    reader: Reader,
}

impl World {
    /// The same with 200 mails, one every ten minutes.
    fn new() -> Self {
        let mut world = Self {
            archive: Archive {
                now: START,
                gives_mbox: true,
                ..Archive::default()
            },
            reader: Reader::new(),
        };
        for number in 0..200 {
            world.mail_at(START - 600 * (200 - number), 0);
        }
        world.poll();
        world
    }

    /// A mail arrives now, with a date so many seconds ago.
    fn mail(&mut self, ago_s: i64) {
        self.mail_at(self.archive.now, ago_s);
    }

    fn mail_at(&mut self, visible_at: i64, ago_s: i64) {
        self.archive.mails.push(Mail {
            number: self.archive.mails.len(),
            ts: visible_at - ago_s,
            visible_at,
        });
    }

    fn poll(&mut self) {
        let mut polls = 0;
        while self.reader.walk(&mut self.archive, Goal::Poll, None) {
            polls += 1;
            self.archive.now += 10;
            assert!(polls < 50, "a poll without end");
        }
    }

    /// Polls every five minutes; returns the number of requests.
    fn run(&mut self, for_s: i64) -> usize {
        let before = self.archive.requests;
        let until = self.archive.now + for_s;
        while self.archive.now < until {
            self.archive.now += POLL_S;
            self.poll();
        }
        self.archive.requests - before
    }

    /// `many` mails arrive within the last minutes.
    fn burst(&mut self, many: i64) {
        let now = self.archive.now;
        self.archive.now += POLL_S;
        for number in 0..many {
            self.mail_at(now + number * (POLL_S - 1) / many, 0);
        }
    }

    fn lost(&self) -> usize {
        missing(&self.archive, &self.reader, START).len()
    }
}

#[test]
fn an_idle_poll_is_one_request_and_once_a_day_a_few_more() {
    let mut world = World::new();
    world.mail(0);
    let requests = world.run(5 * DAY);
    let polls = usize::try_from(5 * DAY / POLL_S).expect("a number");
    assert!(
        (polls..polls + 12).contains(&requests),
        "{requests} requests, {polls} polls"
    );
    assert!(world.reader.gaps.is_empty() && world.reader.warnings == 0);
}

#[test]
fn mails_dated_in_the_future_do_not_move_the_cursor() {
    let mut world = World::new();
    for number in 0..40 {
        world.mail(-(15 * 365 * DAY) - number);
    }
    world.poll();
    let requests = world.archive.requests;
    for _ in 0..100 {
        world.archive.now += 2 * POLL_S;
        world.mail(0);
        world.poll();
    }
    // Of the mails with future dates, 25 are on the newest page, and the others on the first page of the climb.
    assert_eq!(world.lost(), 0);
    assert!(world.archive.requests - requests <= 230);
    assert!(world.reader.warnings > 0);
    world.burst(300);
    world.poll();
    assert_eq!(world.lost(), 0);
    assert!(world.reader.gaps.is_empty());
}

#[test]
fn a_cursor_from_the_future_comes_back() {
    let mut world = World::new();
    world.run(POLL_S);
    let future = START + 15 * 365 * DAY;
    world.reader.edit_cursor(|cursor| {
        cursor["seen_to"] = future.into();
        cursor["newest_at"] = future.into();
    });
    world.run(POLL_S);
    world.burst(100);
    world.poll();
    assert_eq!(world.lost(), 0);
}

#[test]
fn a_front_end_that_ignores_the_time_is_passed_by_search() {
    for fault in [Fault::IgnoresTime, Fault::RefusesOld] {
        let mut world = World::new();
        world.archive.fault = fault;
        world.burst(285);
        world.run(2 * 3600);
        assert_eq!(world.lost(), 0, "{fault:?}");
        assert!(world.reader.gaps.is_empty(), "{fault:?}");
        world.archive.now += 3 * DAY;
        world.burst(285);
        world.run(3600);
        assert_eq!(world.lost(), 0, "{fault:?}");
        assert!(world.reader.gaps.is_empty(), "{fault:?}");
    }
}

#[test]
fn without_any_way_a_gap_is_recorded_and_heals_later() {
    let mut world = World::new();
    world.archive.fault = Fault::IgnoresTimeAndSearch;
    world.burst(285);
    world.poll();
    assert!(world.lost() > 200);
    let [gap] = &world.reader.gaps[..] else {
        panic!("one gap: {:?}", world.reader.gaps)
    };
    assert!(gap.from_at <= START && gap.to_at > START, "{gap:?}");
    // News continues, without more gaps and with few requests.
    for _ in 0..20 {
        world.mail(0);
        world.run(POLL_S);
    }
    assert_eq!(world.reader.gaps.len(), 1);
    world.archive.fault = Fault::None;
    world.run(4 * 3600);
    assert_eq!(world.lost(), 0);
    assert!(world.reader.gaps.is_empty(), "{:?}", world.reader.gaps);
}

#[test]
fn a_backfill_closes_the_gaps_in_its_range() {
    let mut world = World::new();
    world.archive.fault = Fault::IgnoresTimeAndSearch;
    world.burst(285);
    world.poll();
    assert_eq!(world.reader.gaps.len(), 1);
    world.archive.fault = Fault::None;
    let since = chrono::DateTime::from_timestamp(START - DAY, 0).expect("a time");
    let cursor = world.reader.take_cursor();
    let goal = Goal::Backfill { since };
    assert!(!world.reader.walk(&mut world.archive, goal, None));
    world.reader.put_cursor(cursor);
    assert_eq!(world.lost(), 0);
    assert!(world.reader.gaps.is_empty());
}

#[test]
fn late_mails_are_found_within_a_day() {
    let mut world = World::new();
    for (late_s, newer) in [(45 * 60, 40), (2 * 3600, 30), (20 * 3600, 60)] {
        world.archive.now += late_s;
        for number in 0..newer {
            world.mail_at(world.archive.now - number, 0);
        }
        world.run(POLL_S);
        world.mail(late_s);
        world.run(DAY + 3600);
        assert_eq!(world.lost(), 0, "{late_s} s late");
    }
    assert!(world.reader.gaps.is_empty());
}

#[test]
fn an_index_that_lags_behind_hides_nothing() {
    let mut world = World::new();
    world.archive.search_lag_s = 3600;
    for _ in 0..3 {
        let away_s = 3 * DAY;
        for number in 0..1_500 {
            world.mail_at(world.archive.now + number * (away_s / 1_500), 0);
        }
        world.archive.now += away_s;
        world.poll();
        world.run(3600);
        assert_eq!(world.lost(), 0);
    }
    assert!(world.archive.mboxes > 0 && world.reader.gaps.is_empty());
}

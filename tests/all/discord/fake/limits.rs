//! Rate limits: buckets by route and channel, and 429 responses. A request that comes too early is a violation.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The tolerance for clocks: a request sent at the right time may arrive a little early.
const SLACK: Duration = Duration::from_millis(15);
/// After a global limit, requests to other channels that are already on their way may still arrive.
const UNDER_WAY: Duration = Duration::from_millis(60);
/// The size of a bucket, if the test sets no smaller one.
const WIDE: (u32, Duration) = (50, Duration::from_secs(1));

#[derive(Debug)]
pub(super) struct Limits {
    /// The number of messages that a channel accepts, and in which time.
    pub(super) messages: (u32, Duration),
    /// For each bucket, the start of its time, and the number of requests since then.
    begun: HashMap<(String, String), (Instant, u32)>,
    /// The time until which a bucket accepts nothing.
    held: HashMap<(String, String), Instant>,
    /// The times from and until which no request may arrive.
    held_all: Option<(Instant, Instant)>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: WIDE,
            begun: HashMap::new(),
            held: HashMap::new(),
            held_all: None,
        }
    }
}

/// The headers of a bucket.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) most: u32,
    pub(super) left: u32,
    pub(super) reset_after: Duration,
    pub(super) bucket: String,
    /// Whether this request exceeds the limit.
    pub(super) is_over: bool,
}

impl Limits {
    /// Whether a request arrives although an answer said to wait.
    pub(super) fn is_early(&self, route: &str, major: &str, counts_for_all: bool) -> bool {
        let now = Instant::now() + SLACK;
        let key = (route.to_owned(), major.to_owned());
        let held = self.held.get(&key).copied();
        let all = self
            .held_all
            .filter(|(from, _)| counts_for_all && now > *from);
        held.max(all.map(|(_, until)| until))
            .is_some_and(|until| now < until)
    }

    /// A request after a 429 must wait this long.
    pub(super) fn hold(&mut self, route: &str, major: &str, scope: &str, after: Duration) {
        let until = Instant::now() + after;
        match scope {
            "global" => self.held_all = Some((Instant::now() + UNDER_WAY, until)),
            _ => {
                self.held
                    .insert((route.to_owned(), major.to_owned()), until);
            }
        }
    }

    pub(super) fn take(&mut self, route: &str, major: &str) -> Standing {
        let (most, window) = match route {
            "POST /channels/{channel_id}/messages" => self.messages,
            _ => WIDE,
        };
        let key = (route.to_owned(), major.to_owned());
        let now = Instant::now();
        let begun = self.begun.entry(key.clone()).or_insert((now, 0));
        if begun.0 + window <= now {
            *begun = (now, 0);
        }
        begun.1 += 1;
        let reset_after = (begun.0 + window).saturating_duration_since(now);
        let standing = Standing {
            most,
            left: most.saturating_sub(begun.1),
            reset_after,
            bucket: format!("b{:x}", route.len() * 31 + usize::from(route.as_bytes()[0])),
            is_over: begun.1 > most,
        };
        if standing.left == 0 {
            self.held.insert(key, now + reset_after);
        }
        standing
    }
}

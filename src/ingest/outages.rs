//! The log of failed polls: one line for each cause, no matter how many feeds it stops, and no line for a repetition.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use crate::source::{OWN_NETWORK, cause_of};
use crate::store::feeds::Outcome;

/// The least wait before the first line about a cause. It doubles with each line about that cause.
const GATHER: Duration = Duration::from_secs(3);
/// How many times it doubles, to 51 minutes.
const DOUBLINGS_MAX: u32 = 10;
/// How many times the wait is extended by [`GATHER`] if more feeds failed meanwhile. Feeds of one host fail one after
/// another.
const EXTENSIONS_MAX: usize = 10;

/// The failures since each feed's last successful poll, by cause. Lines are logged with a delay, by a task.
#[derive(Debug, Default)]
pub(super) struct FailureLog(Arc<Mutex<FailureCauses>>);

#[derive(Debug, Default)]
struct FailureCauses {
    /// The cause that stops each failing feed.
    by_feed: HashMap<String, String>,
    causes: HashMap<String, CauseOfFailures>,
}

#[derive(Debug, Default)]
struct CauseOfFailures {
    /// Feeds, with their messages, that no line has counted yet.
    pending: Vec<(String, String)>,
    is_own_network: bool,
    /// Whether a task will log the pending ones.
    is_scheduled: bool,
    /// The lines so far.
    lines: u32,
}

impl FailureLog {
    /// Takes note of the end of a poll.
    pub(super) fn note(&self, feed: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Ok | Outcome::OkSoFar => {
                if lock(&self.0).succeeded(feed) {
                    info!("our own network works again");
                }
            }
            Outcome::Failed { why, .. } | Outcome::Excused { why } => self.failed(feed, why),
        }
    }

    fn failed(&self, feed: &str, why: &str) {
        let Some((cause, wait)) = lock(&self.0).failed(feed, why) else {
            return;
        };
        let causes = Arc::clone(&self.0);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let (mut before, mut extensions) = (0, 0);
            while extensions < EXTENSIONS_MAX && lock(&causes).grew(&cause, &mut before) {
                tokio::time::sleep(GATHER).await;
                extensions += 1;
            }
            let line = lock(&causes).line(&cause);
            if let Some(line) = line {
                warn!("{line}");
            }
        });
    }
}

fn lock(causes: &Mutex<FailureCauses>) -> MutexGuard<'_, FailureCauses> {
    causes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FailureCauses {
    /// Forgets the failure of a feed. Returns whether this ends an outage of our own network that was logged.
    fn succeeded(&mut self, feed: &str) -> bool {
        if self
            .by_feed
            .get(feed)
            .is_none_or(|cause| cause != OWN_NETWORK)
        {
            self.forget(feed);
            return false;
        }
        self.by_feed.retain(|_, cause| cause != OWN_NETWORK);
        let outage = self.causes.remove(OWN_NETWORK);
        outage.is_some_and(|outage| outage.lines > 0)
    }

    /// Records a failure. Returns its cause and a delay if a line must be scheduled.
    fn failed(&mut self, feed: &str, why: &str) -> Option<(String, Duration)> {
        let is_own_network = why.starts_with(OWN_NETWORK);
        let cause = match is_own_network {
            // Hosts may be out of reach for several reasons; it is one outage.
            true => OWN_NETWORK.to_owned(),
            false => cause_of(why),
        };
        if self.by_feed.get(feed) == Some(&cause) {
            return None;
        }
        self.forget(feed);
        self.by_feed.insert(feed.to_owned(), cause.clone());
        let early = match is_own_network {
            true => self.take_unlogged(&cause_of(why)),
            false => Vec::new(),
        };
        for (feed, _) in &early {
            self.by_feed.insert(feed.clone(), cause.clone());
        }
        let found = self.causes.entry(cause.clone()).or_default();
        found.is_own_network = is_own_network;
        if is_own_network && found.lines > 0 {
            return None;
        }
        found.pending.extend(early);
        found.pending.push((feed.to_owned(), why.to_owned()));
        let wait = GATHER * 2_u32.pow(found.lines.min(DOUBLINGS_MAX));
        let is_scheduled = std::mem::replace(&mut found.is_scheduled, true);
        (!is_scheduled).then_some((cause, wait))
    }

    /// Removes a feed from its cause, and the cause if it stops no other feed.
    fn forget(&mut self, feed: &str) {
        let Some(cause) = self.by_feed.remove(feed) else {
            return;
        };
        if !self.by_feed.values().any(|other| *other == cause) {
            self.causes.remove(&cause);
        } else if let Some(found) = self.causes.get_mut(&cause) {
            found.pending.retain(|(pending, _)| pending != feed);
        }
    }

    /// The failures for a cause that no line has counted yet: the first hosts that were out of reach in an outage of our own
    /// network.
    fn take_unlogged(&mut self, cause: &str) -> Vec<(String, String)> {
        match self.causes.get(cause) {
            Some(found) if found.lines == 0 => {
                let found = self.causes.remove(cause);
                found.map(|found| found.pending).unwrap_or_default()
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// Whether more failures are pending than `before`, which becomes their number. An outage of our own network needs no
    /// count.
    fn grew(&self, cause: &str, before: &mut usize) -> bool {
        let found = self.causes.get(cause).filter(|found| !found.is_own_network);
        let pending = found.map_or(0, |found| found.pending.len());
        std::mem::replace(before, pending) < pending
    }

    /// The line for the failures of one cause that are pending.
    fn line(&mut self, cause: &str) -> Option<String> {
        let found = self.causes.get_mut(cause)?;
        found.is_scheduled = false;
        let pending = std::mem::take(&mut found.pending);
        let (feed, why) = pending.first()?;
        let more = if found.lines > 0 { " more" } else { "" };
        found.lines += 1;
        let many = pending.len();
        Some(match (many, found.is_own_network) {
            (1, false) => format!("{feed}: {why}"),
            (_, false) => format!(
                "{many}{more} feeds could not be polled: {cause}; for example {feed}: {why}"
            ),
            (_, true) => format!(
                "our own network seems to be down, so feeds are not polled; for example {feed}: {}. They are \
                 polled again every minute, and the log says when the network works",
                cause_of(why)
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN: &str =
        "our own network seems to be down: https://a.example/ cannot be reached (dns error)";

    #[test]
    fn a_cause_that_stops_many_feeds_is_one_line_and_none_when_it_repeats() {
        let mut causes = FailureCauses::default();
        let first = causes.failed("a", "https://a.example/ cannot be reached (dns error)");
        let (cause, wait) = first.expect("the first failure schedules a line");
        assert_eq!(
            (cause.as_str(), wait),
            ("cannot be reached (dns error)", GATHER)
        );
        let (cause, _) = causes
            .failed("b", DOWN)
            .expect("the first host's failure was an outage too");
        assert_eq!(causes.line("cannot be reached (dns error)"), None);
        assert!(!causes.grew(&cause, &mut 0), "it is logged soon");
        for feed in ["c", "a"] {
            assert_eq!(causes.failed(feed, DOWN), None, "{feed}");
        }
        let line = causes.line(&cause).expect("a line");
        assert!(
            line.contains("so feeds are not polled; for example a: cannot be reached (dns error)."),
            "{line}"
        );
        assert_eq!(causes.failed("a", DOWN), None, "a repetition");
        assert_eq!(causes.line(&cause), None);
        assert_eq!(causes.failed("d", DOWN), None, "one line is enough");
        assert!(causes.succeeded("b"), "the outage is over");
        assert!(!causes.succeeded("c") && causes.by_feed.is_empty() && causes.causes.is_empty());
    }

    #[test]
    fn each_cause_has_its_own_line_and_a_feed_one_cause() {
        let mut causes = FailureCauses::default();
        let (gone, _) = causes
            .failed("a", "https://a.example/ answers 410 Gone")
            .expect("a new cause");
        assert_eq!(
            causes.line(&gone).as_deref(),
            Some("a: https://a.example/ answers 410 Gone")
        );
        let (slow, _) = causes
            .failed("a", "https://a.example/ answers 503 Busy")
            .expect("a new cause");
        assert_eq!(causes.causes.len(), 1, "the old cause is over");
        let mut before = 0;
        assert!(causes.grew(&slow, &mut before) && !causes.grew(&slow, &mut before));
        assert!(
            causes
                .failed("b", "https://b.example/ answers 503 Busy")
                .is_none()
        );
        assert_eq!(
            causes.line(&slow).as_deref(),
            Some(
                "2 feeds could not be polled: answers 503 Busy; for example a: https://a.example/ answers 503 Busy"
            )
        );
        let more = causes.failed("c", "https://c.example/ answers 503 Busy");
        assert_eq!(more, Some((slow.clone(), GATHER * 2)));
        let line = causes.line(&slow);
        assert_eq!(
            line.as_deref(),
            Some("c: https://c.example/ answers 503 Busy")
        );
        for feed in ["a", "b", "c"] {
            assert!(!causes.succeeded(feed));
        }
        assert!(causes.causes.is_empty() && causes.by_feed.is_empty());
    }
}

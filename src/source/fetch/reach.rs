//! Distinguishes an unreachable host from an outage of our own network, which must not count as the feeds' failure.

use std::collections::HashSet;
use std::sync::Mutex;

/// If so many different hosts are unreachable and none has answered since, our own network is down.
const HOSTS_OUT_OF_REACH: usize = 2;

/// The hosts that were unreachable since any host last answered.
#[derive(Debug, Default)]
pub(super) struct Reach(Mutex<HashSet<String>>);

impl Reach {
    /// A host answered, so our network works.
    pub(super) fn answered(&self) {
        self.0.lock().expect("no holder of the set panics").clear();
    }

    /// A host could not be reached; returns whether this looks like an outage of our own.
    pub(super) fn failed(&self, host: &str) -> bool {
        let mut hosts = self.0.lock().expect("no holder of the set panics");
        hosts.insert(host.to_owned());
        hosts.len() >= HOSTS_OUT_OF_REACH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hosts_out_of_reach_and_no_answer_between_mean_offline() {
        let reach = Reach::default();
        assert!(!reach.failed("a"));
        assert!(!reach.failed("a"));
        assert!(reach.failed("b"));
        assert!(reach.failed("a"));
        reach.answered();
        assert!(!reach.failed("b"));
    }
}

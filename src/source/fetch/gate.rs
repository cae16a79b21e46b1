//! One request at a time to a host, a pause between two, and none while the host has asked us to wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

/// The queue of requests to a host, first in, first out. The value is the time of the next request.
type Gate = Arc<tokio::sync::Mutex<Instant>>;

/// The gates of all hosts that are in use.
#[derive(Debug)]
pub(super) struct Gates {
    gap: Duration,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    gates: HashMap<String, Gate>,
    /// For each host that asked us to wait, the end of that time.
    held: HashMap<String, Instant>,
}

/// Permission for one request. The pause begins when it is dropped.
#[derive(Debug)]
pub(super) struct HostTurn {
    ready_at: OwnedMutexGuard<Instant>,
    gap: Duration,
}

impl Drop for HostTurn {
    fn drop(&mut self) {
        *self.ready_at = Instant::now() + self.gap;
    }
}

/// The host has asked us to wait so long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held(pub(super) Duration);

impl Gates {
    /// Gates with `gap` between the end of one request and the start of the next.
    pub(super) fn new(gap: Duration) -> Self {
        Self {
            gap,
            hosts: Mutex::default(),
        }
    }

    /// Waits for a turn at `host`. If the host asks us to wait, all queued requests fail at once.
    pub(super) async fn enter(&self, host: &str) -> Result<HostTurn, Held> {
        let gate = self.gate(host)?;
        let ready_at = gate.lock_owned().await;
        // The request before this one may have caused a hold.
        self.check_hold(host)?;
        // Even a sleep until now takes a millisecond.
        if *ready_at > Instant::now() {
            tokio::time::sleep_until(*ready_at).await;
        }
        let gap = self.gap;
        Ok(HostTurn { ready_at, gap })
    }

    /// Sends no request to `host` for the next `wait`.
    pub(super) fn hold(&self, host: &str, wait: Duration) {
        let until = Instant::now() + wait;
        self.hosts().held.insert(host.to_owned(), until);
    }

    fn gate(&self, host: &str) -> Result<Gate, Held> {
        let mut hosts = self.hosts();
        hosts.forget_idle(Instant::now());
        hosts.check_hold(host)?;
        let gate = hosts.gates.entry(host.to_owned());
        let gate = gate.or_insert_with(|| Arc::new(tokio::sync::Mutex::new(Instant::now())));
        Ok(Arc::clone(gate))
    }

    fn check_hold(&self, host: &str) -> Result<(), Held> {
        self.hosts().check_hold(host)
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().expect("no holder of the gates panics")
    }
}

impl Hosts {
    fn check_hold(&self, host: &str) -> Result<(), Held> {
        let now = Instant::now();
        match self.held.get(host) {
            Some(&until) if until > now => Err(Held(until - now)),
            Some(_) | None => Ok(()),
        }
    }

    /// Drops idle gates and ended holds; redirects may name any number of hosts over the years.
    fn forget_idle(&mut self, now: Instant) {
        self.held.retain(|_, until| *until > now);
        self.gates.retain(|_, gate| {
            let in_use = Arc::strong_count(gate) > 1;
            in_use || gate.try_lock().is_ok_and(|ready_at| *ready_at > now)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn idle_gates_and_past_holds_are_forgotten() {
        let gates = Gates::new(Duration::ZERO);
        for n in 0..50 {
            let host = format!("{n}.example:80");
            drop(gates.enter(&host).await.expect("nothing is held"));
            gates.hold(&host, Duration::from_micros(1));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        let turn = gates
            .enter("used.example:80")
            .await
            .expect("nothing is held");
        let _other = gates
            .enter("other.example:80")
            .await
            .expect("nothing is held");
        let hosts = gates.hosts();
        assert_eq!((hosts.gates.len(), hosts.held.len()), (2, 0));
        drop(turn);
    }

    #[tokio::test]
    async fn a_gap_is_remembered_while_nobody_waits() {
        let gates = Gates::new(Duration::from_millis(40));
        drop(gates.enter("a:80").await.expect("nothing is held"));
        drop(gates.enter("b:80").await.expect("nothing is held"));
        let asked_at = Instant::now();
        drop(gates.enter("a:80").await.expect("nothing is held"));
        assert!(asked_at.elapsed() >= Duration::from_millis(30));
    }

    #[tokio::test]
    async fn a_hold_fails_queued_requests() {
        let gates = Gates::new(Duration::ZERO);
        let turn = gates.enter("a:80").await.expect("nothing is held");
        let (waited, ()) = tokio::join!(gates.enter("a:80"), async {
            tokio::task::yield_now().await;
            gates.hold("a:80", Duration::from_secs(60));
            drop(turn);
        });
        let Err(Held(wait)) = waited else {
            panic!("a request passed a hold");
        };
        assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60));
        assert!(gates.enter("b:80").await.is_ok());
    }
}

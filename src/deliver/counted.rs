//! Failed attempts: they are counted, backed off and, if the channel takes other messages, set aside as dead letters.
//!
//! The first attempts of a delivery hold up its channel, so that a short fault changes no order. After that the delivery goes
//! behind the others. The channel waits longer with every attempt in a row that fails. If everything fails, the server is down,
//! and nothing is given up. A delivery that keeps failing while others succeed is set aside. A delivery that fails for the first
//! time since the channel last took a message is the sign of an outage.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::{info, warn};

use super::{DeliveryLoop, HOLD_MAX, failure};
use crate::channel::Scope;
use crate::config::PlatformKind;
use crate::destination::{self, Destination, Problem};
use crate::store::Tx;
use crate::store::outbox::{self, Claimed, Settled};

/// Tries of a delivery that hold its channel.
const TRIES_IN_ORDER: i64 = 3;
/// Tries that must fail before a delivery is set aside: about three quarters of an hour …
const TRIES_MAX: i64 = 12;
/// … and how many of them while others got through.
const PASSED_MIN: i64 = 8;
/// The wait after the first try; it doubles.
const WAIT: TimeDelta = TimeDelta::seconds(2);
/// The longest wait between two tries.
const WAIT_MAX: TimeDelta = TimeDelta::minutes(10);
/// The least wait after a channel could not be read.
const UNREAD_WAIT_MIN: TimeDelta = TimeDelta::seconds(30);
/// Failed attempts in a row before maintainers are notified: about ten minutes.
const REPORTED_AT: u32 = 8;
/// The least time between two attempts at a channel that is refused, however often its platform reports changes.
const AGAIN_GAP: TimeDelta = TimeDelta::seconds(30);

/// A try that failed.
pub(super) struct Failure {
    /// Whether the message may have been sent all the same.
    pub(super) may_be_done: bool,
    /// How long `scope` is left alone at least.
    pub(super) after: Duration,
    pub(super) scope: Scope,
    pub(super) why: String,
}

/// Tries of a channel that failed in a row.
#[derive(Debug, Clone)]
pub(super) struct Streak {
    many: u32,
    since: DateTime<Utc>,
    /// Whether one of the deliveries had not failed before the channel last took a message: the server may be down.
    has_new: bool,
}

impl Streak {
    fn new(now: DateTime<Utc>) -> Self {
        Self {
            many: 0,
            since: now,
            has_new: false,
        }
    }

    /// Whether maintainers were notified.
    pub(super) fn was_reported(&self) -> bool {
        self.many >= REPORTED_AT
    }
}

fn backoff(tries: i64) -> TimeDelta {
    let doublings = u32::try_from(tries - 1).unwrap_or(u32::MAX).min(16);
    (WAIT * 2_i32.saturating_pow(doublings)).min(WAIT_MAX)
}

impl DeliveryLoop {
    /// Counts a try that failed; says when the next one is, or that there is none.
    pub(super) async fn count(
        &self,
        destination: &Destination,
        claimed: &Claimed,
        failure: Failure,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Failure {
            may_be_done,
            after,
            scope,
            why,
        } = failure;
        let after = TimeDelta::from_std(after).unwrap_or(HOLD_MAX).min(HOLD_MAX);
        let failures = claimed.failures + 1;
        warn!(
            "{}: failed {failures} times, tried again: {why}",
            destination.config.name
        );
        let mut tx = self.store.write().await?;
        // An outage also fails deliveries that never failed before. A message that was taken in the second of the first failure
        // may have been taken before it.
        let is_known = claimed.failures > 0 && outbox::took_others_since(&mut tx, claimed).await?;
        let streak = self.lengthen(destination, !is_known, now);
        let is_passed = is_known && !streak.has_new;
        if is_passed && failures >= TRIES_MAX && claimed.passed + 1 >= PASSED_MIN {
            drop(tx);
            let why = format!("given up after {failures} tries: {why}");
            return self.give_up(destination, claimed, why).await;
        }
        let own = backoff(failures).max(after);
        // A fault of the whole channel may be the fault of one message, so the others go first next time.
        let is_behind = failures >= TRIES_IN_ORDER || scope != Scope::Channel;
        let failed = Settled::Failed {
            may_be_done,
            is_passed,
            due_at: is_behind.then(|| now + own),
            why: why.clone(),
        };
        outbox::settle_delivery(&mut tx, claimed, &failed, now).await?;
        // Where others got through, it is this one that fails.
        if !is_passed {
            self.report_streak(&mut tx, destination, &streak, &why)
                .await?;
        }
        tx.commit().await?;
        if scope == Scope::Platform {
            self.hold(destination, after, Scope::Platform).await?;
        }
        if scope != Scope::Delivery {
            let wait = backoff(i64::from(streak.many)).max(after);
            self.hold(destination, wait, Scope::Channel).await?;
        }
        Ok(())
    }

    /// A channel could not be read, which must be before anything is sent there.
    pub(super) async fn unread(&self, destination: &Destination, why: &str) -> anyhow::Result<()> {
        let streak = self.lengthen(destination, true, self.clock.now());
        warn!(
            "{}: could not be looked through, tried again: {why}",
            destination.config.name
        );
        let mut tx = self.store.write().await?;
        self.report_streak(&mut tx, destination, &streak, why)
            .await?;
        tx.commit().await?;
        let wait = backoff(i64::from(streak.many)).max(UNREAD_WAIT_MIN);
        self.hold(destination, wait, Scope::Channel).await
    }

    /// Notifies maintainers of a channel that takes nothing.
    async fn report_streak(
        &self,
        tx: &mut Tx,
        destination: &Destination,
        streak: &Streak,
        why: &str,
    ) -> anyhow::Result<()> {
        if !streak.was_reported() {
            return Ok(());
        }
        let problem = Problem {
            subject: &failure::subject(destination),
            kind: "failing",
            title: format!("Nothing gets through to {}", destination.config.name),
            text: format!(
                "Every attempt since {} UTC failed. The messages stay in the queue and are retried every ten minutes. The last answer: {why}",
                streak.since.format("%Y-%m-%d %H:%M")
            ),
        };
        destination::report_problem(tx, &self.destinations, &problem, self.clock.now()).await?;
        Ok(())
    }

    /// How long ago a try failed that may be on its way still.
    pub(super) fn tried_ago(&self, claimed: &Claimed) -> Option<Duration> {
        let tried_at = claimed
            .tried_before_at
            .filter(|_| claimed.failures > 0 && claimed.attempts > 1)?;
        let age = self.clock.now().timestamp() - tried_at;
        u64::try_from(age).ok().map(Duration::from_secs)
    }

    fn lengthen(&self, destination: &Destination, is_new: bool, now: DateTime<Utc>) -> Streak {
        let mut holds = self.holds();
        let streak = holds
            .streaks
            .entry(destination.row.id)
            .or_insert_with(|| Streak::new(now));
        streak.many = streak.many.saturating_add(1);
        streak.has_new |= is_new;
        streak.clone()
    }

    /// Retries deliveries that were refused or failed, after a platform reported a change in one room, or (`None`) in any.
    /// Returns whether there were any.
    pub async fn try_again(
        &self,
        platform: PlatformKind,
        room: Option<&str>,
    ) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let mut again = Vec::new();
        {
            let mut holds = self.holds();
            for destination in &*self.destinations {
                let id = destination.row.id;
                let is_meant = destination.config.platform == platform
                    && room.is_none_or(|room| room == destination.row.address);
                let is_ill = holds.paused.contains(&id) || holds.streaks.contains_key(&id);
                if !is_meant || !is_ill {
                    continue;
                }
                let at = match holds.again_at.get(&id) {
                    // It waits for its turn already.
                    Some(at) if *at >= now => (*at).min(now + AGAIN_GAP),
                    Some(last) => (*last + AGAIN_GAP).max(now),
                    None => now,
                };
                holds.again_at.insert(id, at);
                holds.channels.insert(id, at);
                again.push(destination);
            }
        }
        if again.is_empty() {
            return Ok(false);
        }
        let mut tx = self.store.write().await?;
        for destination in again {
            info!(
                "{}: something changed there; trying again",
                destination.config.name
            );
            outbox::try_channel_again(&mut tx, destination.row.id).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// A platform says that another room took a channel's place.
    pub async fn was_replaced(
        &self,
        platform: PlatformKind,
        room: &str,
        by: &str,
    ) -> anyhow::Result<()> {
        let mut destinations = self.destinations.iter();
        let destination = destinations.find(|destination| {
            destination.config.platform == platform && destination.row.address == room
        });
        match destination {
            Some(destination) => self.replace(destination, by).await,
            None => Ok(()),
        }
    }
}

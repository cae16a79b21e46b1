//! The delivery loop: claims queued deliveries, sends them, and settles the outcome.
//!
//! A lane is sent in sequence: a channel, or a whole platform if the platform asks for that. Lanes do not wait for each other.
//! The platform decides the meaning of an error; the loop applies it.

mod act;
mod counted;
mod failure;
mod once;
mod personal;
mod recall;
mod retried;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tracing::{Instrument as _, debug, info_span};

use self::act::act;
use self::counted::Streak;
pub use self::once::{NotPosted, post_once, test_message};
use self::retried::watch_retry;
use crate::channel::{Platform, Receipt, Scope, SendError, Work};
use crate::clock::Clock;
use crate::config::PlatformKind;
use crate::destination::{self, Destination};
use crate::store::Store;
use crate::store::outbox::{self, Claimed, Settled, Verb};

/// The longest that a channel waits for its server; a clock that was set must not make it longer.
const HOLD_MAX: TimeDelta = TimeDelta::hours(1);

/// How long a request may still be under way after its sender gave up or was killed, in seconds.
const ON_ITS_WAY_MAX_S: u64 = 5;

/// A sequence of deliveries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The platform.
    pub platform: PlatformKind,
    /// The channels' numbers.
    pub channels: Vec<i64>,
}

#[derive(Debug, Default)]
struct Holds {
    channels: HashMap<i64, DateTime<Utc>>,
    platforms: HashMap<PlatformKind, DateTime<Utc>>,
    /// PlatformMap that refuse everything, and why.
    refused: BTreeMap<PlatformKind, String>,
    /// Channels that refused their last delivery.
    paused: HashSet<i64>,
    /// Channels that refused a delivery, which may be to blame itself: it, and since when it was due.
    doubted: HashMap<i64, (i64, i64)>,
    /// Channels with failed attempts.
    streaks: HashMap<i64, Streak>,
    /// When refused channels were last retried after a change on their platform.
    again_at: HashMap<i64, DateTime<Utc>>,
    /// Channels that took something since this process began.
    well: HashSet<i64>,
    /// Channels whose platform knows the messages that retries sent before this process began.
    watched: HashSet<i64>,
}

/// The platforms that are set up.
pub type PlatformMap = HashMap<PlatformKind, Arc<dyn Platform>>;

/// The delivery loop.
pub struct DeliveryLoop {
    store: Store,
    clock: Arc<dyn Clock>,
    destinations: Arc<[Destination]>,
    platforms: PlatformMap,
    holds: Arc<Mutex<Holds>>,
}

impl DeliveryLoop {
    /// A delivery loop for these channels.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        destinations: Arc<[Destination]>,
        platforms: PlatformMap,
    ) -> Self {
        let is_paused = |destination: &&Destination| destination.row.paused_why.is_some();
        let paused = destinations
            .iter()
            .filter(is_paused)
            .map(|destination| destination.row.id);
        let holds = Holds {
            paused: paused.collect(),
            ..Holds::default()
        };
        Self {
            store,
            clock,
            destinations,
            platforms,
            holds: Arc::new(Mutex::new(holds)),
        }
    }

    /// The same for other channels. Waits are kept, but for those of channels that were refused: they are tried again.
    pub fn over(&self, destinations: Arc<[Destination]>, refused: &[i64]) -> Self {
        let mut holds = self.holds();
        holds
            .channels
            .retain(|channel, _| !refused.contains(channel));
        let is_paused = |destination: &&Destination| destination.row.paused_why.is_some();
        let paused = destinations
            .iter()
            .filter(is_paused)
            .map(|destination| destination.row.id);
        holds.paused.extend(paused);
        drop(holds);
        Self {
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            destinations,
            platforms: self.platforms.clone(),
            holds: Arc::clone(&self.holds),
        }
    }

    /// The platforms that are set up.
    pub fn platform_kinds(&self) -> Vec<PlatformKind> {
        self.platforms.keys().copied().collect()
    }

    /// Why a platform refuses everything, if one does.
    pub fn refusal(&self) -> Option<String> {
        let holds = self.holds();
        holds.refused.values().next().cloned()
    }

    /// The lanes in which something is due now.
    pub async fn lanes(&self) -> anyhow::Result<Vec<Lane>> {
        let now = self.clock.now();
        let mut due = outbox::next_deliveries(self.store.read()).await?;
        let recalls = outbox::recalls(self.store.read(), self.clock.now()).await?;
        due.extend(recalls.into_iter().map(|(channel, _)| (channel, 0)));
        let mut lanes: Vec<Lane> = Vec::new();
        for (channel, at) in due {
            let Some(destination) = self.destination(channel) else {
                continue;
            };
            let (kind, platform) = (destination.config.platform, self.platform(destination));
            let Some(platform) = platform else { continue };
            if at > now.timestamp() || self.held_to(destination).is_some_and(|to| to > now) {
                continue;
            }
            let shared = lanes.iter_mut().find(|lane| lane.platform == kind);
            match shared.filter(|_| !platform.sends_side_by_side()) {
                Some(lane) => lane.channels.push(channel),
                None => lanes.push(Lane {
                    platform: kind,
                    channels: vec![channel],
                }),
            }
        }
        Ok(lanes)
    }

    /// When something is due next.
    pub async fn next_at(&self) -> anyhow::Result<Option<DateTime<Utc>>> {
        let due = outbox::next_deliveries(self.store.read()).await?;
        let due = due.into_iter().filter_map(|(channel, at)| {
            let destination = self.destination(channel)?;
            self.platform(destination)?;
            let at = DateTime::from_timestamp(at, 0)?;
            Some(self.held_to(destination).map_or(at, |to| to.max(at)))
        });
        Ok(due.min())
    }

    /// Sends all deliveries that are due; returns how many succeeded. Commands that end use it. `run` has a task for each lane.
    pub async fn pass(&self) -> anyhow::Result<usize> {
        let mut done = 0;
        loop {
            let lanes = self.lanes().await?;
            if lanes.is_empty() {
                return Ok(done);
            }
            let mut under_way: FuturesUnordered<_> =
                lanes.iter().map(|lane| self.run_lane(lane)).collect();
            while let Some(ended) = under_way.next().await {
                done += ended?;
            }
        }
    }

    /// Sends the deliveries of a lane until none is due, or its server asks for a pause; returns how many succeeded.
    pub async fn run_lane(&self, lane: &Lane) -> anyhow::Result<usize> {
        let mut done = 0;
        for (channel, from) in outbox::recalls(self.store.read(), self.clock.now()).await? {
            if let Some(destination) = self
                .destination(channel)
                .filter(|_| lane.channels.contains(&channel))
                && let Some(platform) = self.platform(destination)
            {
                self.recall(destination, platform.as_ref(), from).await?;
            }
        }
        loop {
            let now = self.clock.now();
            let is_free = |channel: &&i64| {
                let destination = self.destination(**channel);
                destination.is_some_and(|destination| {
                    self.platform(destination).is_some()
                        && self.held_to(destination).is_none_or(|to| to <= now)
                })
            };
            let free: Vec<i64> = lane.channels.iter().filter(is_free).copied().collect();
            if free.is_empty() {
                return Ok(done);
            }
            let mut tx = self.store.write().await?;
            let claimed = outbox::claim_delivery(&mut tx, &free, now).await?;
            tx.commit().await?;
            let Some(claimed) = claimed else {
                return Ok(done);
            };
            let Some(destination) = self.destination(claimed.channel) else {
                return Ok(done);
            };
            let span = info_span!(
                "deliver",
                delivery.id = claimed.id,
                channel.name = destination.config.name,
                attempt = claimed.attempts
            );
            done += usize::from(self.deliver(destination, &claimed).instrument(span).await?);
        }
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().expect("no holder of the waits panics")
    }

    fn destination(&self, channel: i64) -> Option<&Destination> {
        self.destinations
            .iter()
            .find(|destination| destination.row.id == channel)
    }

    /// The platform of a channel, unless it is not set up or refuses everything.
    fn platform(&self, destination: &Destination) -> Option<&Arc<dyn Platform>> {
        let kind = destination.config.platform;
        let holds = self.holds();
        let platform = self.platforms.get(&kind);
        platform.filter(|_| !holds.refused.contains_key(&kind))
    }

    /// Until when a channel waits: for itself or for its platform.
    fn held_to(&self, destination: &Destination) -> Option<DateTime<Utc>> {
        let holds = self.holds();
        let channel = holds.channels.get(&destination.row.id);
        let to = channel
            .max(holds.platforms.get(&destination.config.platform))
            .copied();
        to.filter(|to| *to <= self.clock.now() + HOLD_MAX)
    }

    /// Sends and settles a claimed delivery; returns whether it succeeded.
    async fn deliver(&self, destination: &Destination, claimed: &Claimed) -> anyhow::Result<bool> {
        let Some(platform) = self.platform(destination) else {
            return Ok(false);
        };
        let receipt = claimed
            .receipt
            .as_deref()
            .map(serde_json::from_str::<Receipt>);
        let receipt = receipt.transpose().context("reading where a post stands")?;
        let Some(act) = act(claimed, receipt) else {
            if self.redirect(claimed).await? {
                return Ok(false);
            }
            let why = "there is no message to change".to_owned();
            return self
                .settle(claimed, &Settled::Dead { why })
                .await
                .map(|()| false);
        };
        let address = match self
            .address(destination, platform.as_ref(), claimed)
            .await?
        {
            Ok(address) => address,
            Err(error) => return self.fail(destination, claimed, error).await.map(|()| false),
        };
        let act = match self
            .without_told(platform.as_ref(), claimed, &address, act)
            .await?
        {
            Ok(Some(act)) => act,
            Ok(None) => {
                let done = Settled::Done { receipt: None };
                return self.settle(claimed, &done).await.map(|()| true);
            }
            Err(error) => return self.fail(destination, claimed, error).await.map(|()| false),
        };
        let work = Work {
            address,
            act,
            key: format!("{:x}-{:x}", claimed.nonce, claimed.version),
            is_retry: claimed.attempts > 1,
            tried_ago: self.tried_ago(claimed),
            person: personal::person(claimed),
        };
        self.resume_watch(destination, platform.as_ref()).await?;
        let ended = match self.look_first(platform.as_ref(), &work, claimed).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => platform.deliver(&work).await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(receipt) => {
                debug!("delivered");
                watch_retry(platform.as_ref(), &work, &receipt);
                let receipt = serde_json::to_string(&receipt)?;
                let done = Settled::Done {
                    receipt: Some(receipt),
                };
                self.settle(claimed, &done).await?;
                self.is_well(destination).await?;
                Ok(true)
            }
            Err(error) => self.fail(destination, claimed, error).await.map(|()| false),
        }
    }

    /// Looks for the message of an earlier attempt, if the platform would not recognise the repetition.
    async fn look_first(
        &self,
        platform: &dyn Platform,
        work: &Work,
        claimed: &Claimed,
    ) -> Result<Option<Receipt>, SendError> {
        match claimed.verb {
            Verb::Send | Verb::Reply if work.is_retry => {}
            // An older text must not arrive after a newer one.
            Verb::Edit if !work.is_retry => return self.let_land(claimed).map(|()| None),
            Verb::Send | Verb::Reply | Verb::Edit | Verb::Remove => return Ok(None),
        }
        let since = self.clock.now().timestamp() - claimed.first_tried_at;
        let dedupes_for = platform.dedupes_for(&work.address).as_secs();
        // The clock was set back.
        match u64::try_from(since) {
            Ok(since) if since < dedupes_for => Ok(None),
            _ => {
                self.let_land(claimed)?;
                platform.find(work).await.map_err(SendError::before_sending)
            }
        }
    }

    /// Waits until an earlier attempt can no longer be under way. Otherwise it could arrive after this one.
    fn let_land(&self, claimed: &Claimed) -> Result<(), SendError> {
        let Some(tried_at) = claimed.tried_before_at else {
            return Ok(());
        };
        let age = self.clock.now().timestamp() - tried_at;
        // The clock was set back.
        match u64::try_from(age) {
            // Both times are whole seconds.
            Ok(age) if age <= ON_ITS_WAY_MAX_S => Err(SendError::Later {
                after: Duration::from_secs(ON_ITS_WAY_MAX_S + 1 - age),
                scope: Scope::Channel,
                why: "an earlier attempt may still be on its way".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    async fn settle(&self, claimed: &Claimed, settled: &Settled) -> anyhow::Result<()> {
        let mut tx = self.store.write().await?;
        outbox::settle_delivery(&mut tx, claimed, settled, self.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A channel that took a delivery is well again, if it was not.
    async fn is_well(&self, destination: &Destination) -> anyhow::Result<()> {
        let id = destination.row.id;
        let was_ill = {
            let mut holds = self.holds();
            holds.doubted.remove(&id);
            let streak = holds.streaks.remove(&id);
            let was_reported = streak.is_some_and(|streak| streak.was_reported());
            // Only the database knows about problems from before this process began.
            let is_first = holds.well.insert(id);
            holds.paused.remove(&id) || was_reported || is_first
        };
        if !was_ill {
            return Ok(());
        }
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        outbox::channel_recovered(&mut tx, id).await?;
        let title = format!("{} is well again", destination.config.name);
        destination::report_recovery(
            &mut tx,
            &self.destinations,
            &failure::subject(destination),
            &title,
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

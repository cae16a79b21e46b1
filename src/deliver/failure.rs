//! The consequences of a failed delivery. The platform decided which; this records and applies them.

use std::collections::hash_map::Entry;
use std::time::Duration;

use chrono::TimeDelta;
use tracing::{debug, error, info};

use super::counted::Failure;
use super::{DeliveryLoop, HOLD_MAX};
use crate::channel::{Scope, SendError};
use crate::destination::{self, Destination, Problem};
use crate::store::Tx;
use crate::store::outbox::{self, Claimed, PostState, Settled, Verb};

/// Waits from this length on are kept over a restart.
const HOLD_KEPT_MIN: TimeDelta = TimeDelta::seconds(5);
/// How long a refused delivery waits while the next one shows whether the channel refuses all.
const DOUBT: TimeDelta = TimeDelta::minutes(1);
/// The most dead letters of a channel that maintainers are notified of in a day; `letters list` has all.
const NOTICES_A_DAY_MAX: i64 = 10;

impl DeliveryLoop {
    pub(super) async fn fail(
        &self,
        destination: &Destination,
        claimed: &Claimed,
        error: SendError,
    ) -> anyhow::Result<()> {
        let error = match &claimed.addressee {
            Some(addressee) => match self.fail_for(claimed, addressee, error).await? {
                Some(error) => error,
                None => return Ok(()),
            },
            None => error,
        };
        match error {
            SendError::Later { after, scope, why } => {
                self.wait(destination, claimed, after, scope, why).await
            }
            SendError::Unknown { why } => {
                let failure = Failure {
                    may_be_done: true,
                    after: Duration::ZERO,
                    scope: Scope::Channel,
                    why,
                };
                self.count(destination, claimed, failure).await
            }
            SendError::Failed { after, scope, why } => {
                let failure = Failure {
                    may_be_done: false,
                    after,
                    scope,
                    why,
                };
                self.count(destination, claimed, failure).await
            }
            SendError::Never {
                scope: Scope::Delivery,
                why,
            } => self.give_up(destination, claimed, why).await,
            SendError::Never {
                scope: Scope::Channel,
                why,
            } => self.refused(destination, claimed, why).await,
            SendError::Never {
                scope: Scope::Platform,
                why,
            } => {
                error!(
                    "{} refuses the bot: {why}",
                    destination.config.platform.word()
                );
                let later = Settled::Later {
                    due_at: None,
                    why: why.clone(),
                };
                self.settle(claimed, &later).await?;
                self.refuse(destination, why);
                Ok(())
            }
            SendError::Refused { why } => self.suspect(destination, claimed, why).await,
            SendError::Replaced { by } => self.replace(destination, &by).await,
            SendError::Gone => self.mute(destination, claimed).await,
        }
    }

    /// A platform refuses everything from now on.
    pub(super) fn refuse(&self, destination: &Destination, why: String) {
        let mut holds = self.holds();
        holds.refused.insert(destination.config.platform, why);
    }

    async fn wait(
        &self,
        destination: &Destination,
        claimed: &Claimed,
        after: Duration,
        scope: Scope,
        why: String,
    ) -> anyhow::Result<()> {
        debug!("{}: waiting {after:?}: {why}", destination.config.name);
        let after = TimeDelta::from_std(after).unwrap_or(HOLD_MAX).min(HOLD_MAX);
        let due_at = match scope {
            Scope::Delivery => Some(self.clock.now() + after),
            Scope::Channel | Scope::Platform => None,
        };
        self.settle(claimed, &Settled::Later { due_at, why })
            .await?;
        self.hold(destination, after, scope).await
    }

    pub(super) async fn hold(
        &self,
        destination: &Destination,
        wait: TimeDelta,
        scope: Scope,
    ) -> anyhow::Result<()> {
        let to = self.clock.now() + wait;
        {
            let mut holds = self.holds();
            match scope {
                Scope::Delivery => return Ok(()),
                Scope::Channel => holds.channels.insert(destination.row.id, to),
                Scope::Platform => holds.platforms.insert(destination.config.platform, to),
            };
        }
        if scope == Scope::Channel && wait >= HOLD_KEPT_MIN {
            let mut tx = self.store.write().await?;
            outbox::hold_channel(&mut tx, destination.row.id, to).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Sets a delivery aside as a dead letter, and names it to maintainers.
    pub(super) async fn give_up(
        &self,
        destination: &Destination,
        claimed: &Claimed,
        why: String,
    ) -> anyhow::Result<()> {
        if let Some(addressee) = &claimed.addressee {
            return self.give_up_for(claimed, addressee, &why).await;
        }
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let aside = Settled::Aside { why: why.clone() };
        outbox::settle_delivery(&mut tx, claimed, &aside, now).await?;
        let lost = named(&mut tx, claimed).await?;
        error!(
            "{}: set aside as number {}: {lost}: {why}",
            destination.config.name, claimed.id
        );
        // A notice that cannot be sent must not cause another notice.
        if claimed.post.is_some() {
            let from = now - TimeDelta::days(1);
            let many = outbox::set_aside_since(&mut tx, destination.row.id, from).await?;
            let more = match many.cmp(&NOTICES_A_DAY_MAX) {
                std::cmp::Ordering::Less => "",
                std::cmp::Ordering::Equal => "\nOthers of these 24 hours are in the list alone.",
                std::cmp::Ordering::Greater => {
                    tx.commit().await?;
                    return Ok(());
                }
            };
            let title = format!(
                "{}: a message could not be delivered",
                destination.config.name
            );
            let id = claimed.id;
            let text = format!(
                "{lost}\n{why}\nIt is set aside as number {id}: bpfnews-admin has letters list, letters retry {id} and \
                 letters drop {id}.{more}"
            );
            destination::notify_maintainers(&mut tx, &self.destinations, &title, &text, now)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Handles a refusal. The message itself may be the cause, so the next delivery is tried before the channel is paused. A
    /// delivery that is refused again while the channel takes others is set aside.
    async fn refused(
        &self,
        destination: &Destination,
        claimed: &Claimed,
        why: String,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let is_to_blame =
            claimed.failures > 0 && outbox::took_others_since(&mut tx, claimed).await?;
        let has_others = outbox::has_others_due(&mut tx, claimed, now).await?;
        drop(tx);
        if is_to_blame {
            return self.give_up(destination, claimed, why).await;
        }
        let is_doubt = claimed.failures == 0 && has_others && self.doubts(destination, claimed);
        let due_at = match (is_doubt, claimed.failures) {
            (true, _) => Some(now + DOUBT),
            // Posts keep their order, unless it is the same one that is refused each time.
            (false, 0) => None,
            (false, _) => Some(now),
        };
        let failed = Settled::Failed {
            may_be_done: false,
            is_passed: false,
            due_at,
            why: why.clone(),
        };
        self.settle(claimed, &failed).await?;
        match is_doubt {
            true => Ok(()),
            false => self.pause_channel(destination, why).await,
        }
    }

    /// Handles a refusal whose reason is unclear. Nothing is paused for one message: if it is refused again, it is set aside.
    /// If the channel refuses another message and takes none between the two, the channel is the cause.
    async fn suspect(
        &self,
        destination: &Destination,
        claimed: &Claimed,
        why: String,
    ) -> anyhow::Result<()> {
        let (suspected, is_paused) = {
            let holds = self.holds();
            let suspected = holds.doubted.get(&destination.row.id);
            let is_paused = holds.paused.contains(&destination.row.id);
            (suspected.map(|(delivery, _)| *delivery), is_paused)
        };
        let mut tx = self.store.write().await?;
        let is_to_blame =
            claimed.failures > 0 && outbox::took_others_since(&mut tx, claimed).await?;
        drop(tx);
        let is_same = suspected == Some(claimed.id);
        if is_to_blame || (is_same && !is_paused) {
            return self.give_up(destination, claimed, why).await;
        }
        let is_channel = is_paused || suspected.is_some();
        let failed = Settled::Failed {
            may_be_done: false,
            is_passed: false,
            due_at: (!is_channel).then(|| self.clock.now() + DOUBT),
            why: why.clone(),
        };
        self.settle(claimed, &failed).await?;
        if is_channel {
            return self.pause_channel(destination, why).await;
        }
        self.doubts(destination, claimed);
        Ok(())
    }

    /// Whether this is the first delivery that its channel refuses.
    fn doubts(&self, destination: &Destination, claimed: &Claimed) -> bool {
        match self.holds().doubted.entry(destination.row.id) {
            Entry::Vacant(place) => {
                place.insert((claimed.id, claimed.due_at));
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// A channel is refused: nothing more is tried there.
    pub(super) async fn pause_channel(
        &self,
        destination: &Destination,
        why: String,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let doubted = self.holds().doubted.remove(&destination.row.id);
        let mut tx = self.store.write().await?;
        if let Some((delivery, due_at)) = doubted {
            outbox::put_back(&mut tx, delivery, due_at, now).await?;
        }
        outbox::pause_channel(&mut tx, destination.row.id, &why, now).await?;
        let problem = Problem {
            subject: &subject(destination),
            kind: &why,
            title: format!("{} is paused", destination.config.name),
            text: format!(
                "{why} bpfnews retries when the platform reports a change there, every six hours, and when it starts."
            ),
        };
        if destination::report_problem(&mut tx, &self.destinations, &problem, now).await? {
            error!("{}: {}", problem.title, problem.text);
        }
        tx.commit().await?;
        let mut holds = self.holds();
        holds.channels.insert(destination.row.id, now + HOLD_MAX);
        holds.paused.insert(destination.row.id);
        Ok(())
    }

    /// Handles a room that replaced a channel. The queue of the old room is set aside, because messages to it would be lost.
    pub(super) async fn replace(&self, destination: &Destination, by: &str) -> anyhow::Result<()> {
        let (now, name) = (self.clock.now(), &destination.config.name);
        let why = format!("its room was replaced by {by}");
        let mut tx = self.store.write().await?;
        outbox::replace_channel(&mut tx, destination.row.id, by).await?;
        let many = outbox::set_all_aside(&mut tx, destination.row.id, &why, now).await?;
        outbox::pause_channel(&mut tx, destination.row.id, &why, now).await?;
        let aside = match many {
            0 => "No message waited for the old room.".to_owned(),
            1 => "One message for the old room was set aside: letters list of bpfnews-admin shows it.".to_owned(),
            many => format!("{many} messages for the old room were set aside: letters list of bpfnews-admin shows them."),
        };
        let problem = Problem {
            subject: &subject(destination),
            kind: &why,
            title: format!("The room of {name} was replaced"),
            text: format!(
                "The new room is {by}. Invite the bot there, and set id = \"{by}\" for {name} in the configuration. {aside}"
            ),
        };
        if destination::report_problem(&mut tx, &self.destinations, &problem, now).await? {
            error!("{}: {}", problem.title, problem.text);
        }
        tx.commit().await?;
        let mut holds = self.holds();
        holds.channels.insert(destination.row.id, now + HOLD_MAX);
        holds.paused.insert(destination.row.id);
        Ok(())
    }

    /// Somebody deleted a post: it is left alone from now on.
    async fn mute(&self, destination: &Destination, claimed: &Claimed) -> anyhow::Result<()> {
        info!(
            "{}: a post was deleted there; it is left alone",
            destination.config.name
        );
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        outbox::settle_delivery(&mut tx, claimed, &Settled::Done { receipt: None }, now).await?;
        if let Some(post) = claimed.post {
            let mut post = outbox::post(&mut tx, post).await?;
            post.state = PostState::Muted;
            outbox::save_post(&mut tx, &post).await?;
            outbox::cancel_deliveries(&mut tx, post.id, "the post was deleted", now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The title and the link of a delivery.
async fn named(tx: &mut Tx, claimed: &Claimed) -> anyhow::Result<String> {
    let content = match (&claimed.content, claimed.post) {
        (Some(content), _) => content.clone(),
        (None, Some(post)) => outbox::post(tx, post).await?.content,
        (None, None) => return Ok("a message".to_owned()),
    };
    let doing = match claimed.verb {
        Verb::Send => "",
        Verb::Reply => "a step of ",
        Verb::Edit => "the change of ",
        Verb::Remove => "the removal of ",
    };
    let link = content
        .link()
        .map_or_else(String::new, |link| format!(" {link}"));
    Ok(format!("{doing}{}{link}", content.title()))
}

/// A channel as a subject of troubles.
pub(super) fn subject(destination: &Destination) -> String {
    format!("channel {}", destination.row.id)
}

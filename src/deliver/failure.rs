//! What follows when a delivery did not happen. The platform decided; here it is carried out and recorded.

use std::time::Duration;

use chrono::TimeDelta;
use tracing::{debug, error, info, warn};

use super::{Courier, HOLD_MAX};
use crate::channel::{Scope, SendError};
use crate::desk::{self, Desk, Trouble};
use crate::store::outbox::{self, Claimed, PostState, Settled};

/// Tries whose outcome stays unknown, after which a delivery goes behind the channel's others. Where those get through, it
/// is given up the next time: something about it breaks the server. Where nothing does, the server is down.
const UNKNOWN_MAX: i64 = 16;
/// The wait after the first of them; it doubles.
const UNKNOWN_WAIT: TimeDelta = TimeDelta::seconds(2);
/// The longest wait between two of them.
const UNKNOWN_WAIT_MAX: TimeDelta = TimeDelta::minutes(10);
/// Waits from this length on are kept over a restart.
const HOLD_KEPT_MIN: TimeDelta = TimeDelta::seconds(5);

impl Courier {
    pub(super) async fn fail(
        &self,
        desk: &Desk,
        claimed: &Claimed,
        error: SendError,
    ) -> anyhow::Result<()> {
        match error {
            SendError::Later { after, scope, why } => {
                self.wait(desk, claimed, after, scope, why).await
            }
            SendError::Unknown { why } if self.breaks_the_server(claimed).await? => {
                let why = format!("given up after {} tries: {why}", claimed.attempts);
                self.give_up(desk, claimed, why).await
            }
            SendError::Unknown { why } => {
                warn!("{}: outcome unknown, tried again: {why}", desk.config.name);
                let is_last = claimed.attempts >= UNKNOWN_MAX;
                let due_at = is_last.then(|| self.clock.now());
                self.settle(claimed, &Settled::Unknown { due_at, why })
                    .await?;
                let doublings = u32::try_from(claimed.attempts - 1)
                    .unwrap_or(u32::MAX)
                    .min(16);
                let wait = (UNKNOWN_WAIT * 2_i32.saturating_pow(doublings)).min(UNKNOWN_WAIT_MAX);
                self.hold(desk, wait, Scope::Channel).await
            }
            SendError::Never {
                scope: Scope::Delivery,
                why,
            } => self.give_up(desk, claimed, why).await,
            SendError::Never {
                scope: Scope::Channel,
                why,
            } => self.pause(desk, claimed, why).await,
            SendError::Never {
                scope: Scope::Platform,
                why,
            } => {
                error!("{} refuses the bot: {why}", desk.config.platform.word());
                let later = Settled::Later {
                    due_at: None,
                    why: why.clone(),
                };
                self.settle(claimed, &later).await?;
                self.refuse(desk, why);
                Ok(())
            }
            SendError::Gone => self.mute(desk, claimed).await,
        }
    }

    /// Whether a delivery fails again and again while others of its channel get through.
    async fn breaks_the_server(&self, claimed: &Claimed) -> anyhow::Result<bool> {
        if claimed.attempts < UNKNOWN_MAX {
            return Ok(false);
        }
        let mut tx = self.store.write().await?;
        outbox::took_others_since(&mut tx, claimed).await
    }

    /// A platform refuses everything from now on.
    pub(super) fn refuse(&self, desk: &Desk, why: String) {
        let mut holds = self.holds.lock().expect("no holder of the waits panics");
        holds.refused.insert(desk.config.platform, why);
    }

    async fn wait(
        &self,
        desk: &Desk,
        claimed: &Claimed,
        after: Duration,
        scope: Scope,
        why: String,
    ) -> anyhow::Result<()> {
        debug!("{}: waiting {after:?}: {why}", desk.config.name);
        let after = TimeDelta::from_std(after).unwrap_or(HOLD_MAX).min(HOLD_MAX);
        let due_at = match scope {
            Scope::Delivery => Some(self.clock.now() + after),
            Scope::Channel | Scope::Platform => None,
        };
        self.settle(claimed, &Settled::Later { due_at, why })
            .await?;
        self.hold(desk, after, scope).await
    }

    pub(super) async fn hold(
        &self,
        desk: &Desk,
        wait: TimeDelta,
        scope: Scope,
    ) -> anyhow::Result<()> {
        let to = self.clock.now() + wait;
        {
            let mut holds = self.holds.lock().expect("no holder of the waits panics");
            match scope {
                Scope::Delivery => return Ok(()),
                Scope::Channel => holds.channels.insert(desk.row.id, to),
                Scope::Platform => holds.platforms.insert(desk.config.platform, to),
            };
        }
        if scope == Scope::Channel && wait >= HOLD_KEPT_MIN {
            let mut tx = self.store.write().await?;
            outbox::hold_channel(&mut tx, desk.row.id, to).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn give_up(&self, desk: &Desk, claimed: &Claimed, why: String) -> anyhow::Result<()> {
        error!("{}: a delivery was given up: {why}", desk.config.name);
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let dead = Settled::Dead { why: why.clone() };
        outbox::settle_delivery(&mut tx, claimed, &dead, now).await?;
        // A notice that cannot be told must not make another one.
        if claimed.post.is_some() {
            let day = now.format("%F").to_string();
            let trouble = Trouble {
                subject: &format!("posts {}", desk.row.id),
                // A channel that takes no post at all is told of once a day.
                kind: &day,
                title: format!("{}: one post could not be delivered", desk.config.name),
                text: format!("{why}\nThe rest of the day the log alone tells of others there."),
            };
            desk::tell_trouble(&mut tx, &self.desks, &trouble, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn pause(&self, desk: &Desk, claimed: &Claimed, why: String) -> anyhow::Result<()> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let later = Settled::Later {
            due_at: None,
            why: why.clone(),
        };
        outbox::settle_delivery(&mut tx, claimed, &later, now).await?;
        tx.commit().await?;
        self.pause_channel(desk, why).await
    }

    /// A channel is refused: nothing more is tried there.
    pub(super) async fn pause_channel(&self, desk: &Desk, why: String) -> anyhow::Result<()> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        outbox::pause_channel(&mut tx, desk.row.id, &why, now).await?;
        let trouble = Trouble {
            subject: &subject(desk),
            kind: &why,
            title: format!("{} is paused", desk.config.name),
            text: format!("{why} It is tried again every six hours, and when bpfnews starts."),
        };
        if desk::tell_trouble(&mut tx, &self.desks, &trouble, now).await? {
            error!("{}: {}", trouble.title, trouble.text);
        }
        tx.commit().await?;
        let mut holds = self.holds.lock().expect("no holder of the waits panics");
        holds.channels.insert(desk.row.id, now + HOLD_MAX);
        holds.paused.insert(desk.row.id);
        Ok(())
    }

    /// Somebody deleted a post: it is left alone from now on.
    async fn mute(&self, desk: &Desk, claimed: &Claimed) -> anyhow::Result<()> {
        info!(
            "{}: a post was deleted there; it is left alone",
            desk.config.name
        );
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        outbox::settle_delivery(&mut tx, claimed, &Settled::Done { receipt: None }, now).await?;
        if let Some(post) = claimed.post {
            let mut post = outbox::post(&mut tx, post).await?;
            post.state = PostState::Muted;
            outbox::save_post(&mut tx, &post).await?;
            outbox::forget_deliveries(&mut tx, post.id, "the post was deleted", now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// A channel as a subject of troubles.
pub(super) fn subject(desk: &Desk) -> String {
    format!("channel {}", desk.row.id)
}

//! Messages to one person. They share a lane of their platform, so the fault of one must not stop the others: a refusal is about
//! its recipient, and a wait about its delivery.

use tracing::{info, warn};

use super::DeliveryLoop;
use crate::channel::{Act, Personal, Platform, Scope, SendError};
use crate::destination::Destination;
use crate::post::story::Content;
use crate::store::follow_standing::{keep_told, read_mark, told_before};
use crate::store::outbox::{self, Addressee, Claimed, Settled};
use crate::store::recipients::{self, NewMessage, Suspension};

/// The person that a delivery is for.
pub(super) fn person(claimed: &Claimed) -> Option<Personal> {
    let addressee = claimed.addressee.as_ref()?;
    let person = addressee.address.clone();
    Some(match addressee.elsewhere {
        Some(_) => Personal::Mentioned(person),
        None => Personal::Direct(person),
    })
}

impl DeliveryLoop {
    /// The room of a delivery. The first message to a person opens the room of their direct messages.
    pub(super) async fn address(
        &self,
        destination: &Destination,
        platform: &dyn Platform,
        claimed: &Claimed,
    ) -> anyhow::Result<Result<String, SendError>> {
        let Some(addressee) = &claimed.addressee else {
            return Ok(Ok(destination.row.address.clone()));
        };
        if let Some(room) = addressee.elsewhere.as_ref().or(addressee.room.as_ref()) {
            return Ok(Ok(room.clone()));
        }
        let room = match platform.open_direct(&addressee.address).await {
            Ok(room) => room,
            Err(error) => return Ok(Err(error.before_sending())),
        };
        let mut tx = self.store.write().await?;
        recipients::keep_room(&mut tx, addressee.recipient, Some(&room)).await?;
        tx.commit().await?;
        Ok(Ok(room))
    }

    /// After a restore, leaves out the news that a person got before it: the person's room is searched once. `None` if nothing is
    /// left.
    pub(super) async fn without_told(
        &self,
        platform: &dyn Platform,
        claimed: &Claimed,
        room: &str,
        act: Act,
    ) -> anyhow::Result<Result<Option<Act>, SendError>> {
        let addressee = claimed.addressee.as_ref();
        let Some(addressee) = addressee.filter(|addressee| addressee.elsewhere.is_none()) else {
            return Ok(Ok(Some(act)));
        };
        let Act::Send {
            content: Content::Digest(mut news),
            under,
        } = act
        else {
            return Ok(Ok(Some(act)));
        };
        if let Some(from) = addressee.recall_from {
            let found = match platform.standing(room, from).await {
                Ok(found) => found,
                Err(error) => return Ok(Err(error.before_sending())),
            };
            let marks: Vec<String> = found.into_iter().flat_map(|found| found.lists).collect();
            let mut tx = self.store.write().await?;
            keep_told(&mut tx, addressee.recipient, &marks, self.clock.now()).await?;
            tx.commit().await?;
        }
        let mut tx = self.store.snapshot().await?;
        let told = told_before(&mut tx, addressee.recipient).await?;
        tx.rollback().await;
        let many = news.lines.len();
        news.lines.retain(|line| {
            let step = read_mark(&line.mark);
            step.is_none_or(|(story, at)| told.get(story).is_none_or(|told| *told < at))
        });
        Ok(Ok(match news.lines.is_empty() && many > 0 {
            true => None,
            false => Some(Act::Send {
                content: Content::Digest(news),
                under,
            }),
        }))
    }

    /// Handles the errors that mean something else for a personal message; returns the others.
    pub(super) async fn fail_for(
        &self,
        claimed: &Claimed,
        addressee: &Addressee,
        error: SendError,
    ) -> anyhow::Result<Option<SendError>> {
        match error {
            // The room is one person's: the others go on.
            SendError::Later {
                after,
                scope: Scope::Delivery | Scope::Channel,
                why,
            } => Ok(Some(SendError::Later {
                after,
                scope: Scope::Delivery,
                why,
            })),
            // An unclear refusal is about this message: the messages of other people say nothing about it.
            SendError::Refused { why } if addressee.elsewhere.is_none() => {
                Ok(Some(SendError::Never {
                    scope: Scope::Delivery,
                    why,
                }))
            }
            SendError::Never {
                scope: Scope::Channel,
                why,
            }
            | SendError::Refused { why } => {
                if addressee.elsewhere.is_none() {
                    self.suspend(claimed, addressee, &why).await?;
                } else if !self.redirect(claimed).await? {
                    self.settle(claimed, &Settled::Dead { why }).await?;
                }
                Ok(None)
            }
            SendError::Replaced { .. } | SendError::Gone if addressee.elsewhere.is_none() => {
                // The next attempt opens a room.
                let mut tx = self.store.write().await?;
                recipients::keep_room(&mut tx, addressee.recipient, None).await?;
                tx.commit().await?;
                Ok(Some(SendError::Failed {
                    after: std::time::Duration::ZERO,
                    scope: Scope::Delivery,
                    why: "the room of direct messages is gone".to_owned(),
                }))
            }
            SendError::Replaced { .. } | SendError::Gone => {
                if !self.redirect(claimed).await? {
                    let why = "the post was deleted".to_owned();
                    self.settle(claimed, &Settled::Dead { why }).await?;
                }
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    /// Sends a message directly whose room or post does not take it. Returns whether that is possible.
    pub(super) async fn redirect(&self, claimed: &Claimed) -> anyhow::Result<bool> {
        let is_elsewhere = |addressee: &Addressee| addressee.elsewhere.is_some();
        if !claimed.addressee.as_ref().is_some_and(is_elsewhere) {
            return Ok(false);
        }
        let mut tx = self.store.write().await?;
        let is_changed = recipients::send_directly(&mut tx, claimed, self.clock.now()).await?;
        tx.commit().await?;
        Ok(is_changed)
    }

    /// Gives up one personal message. Its content is nobody else's business, so maintainers are not notified.
    pub(super) async fn give_up_for(
        &self,
        claimed: &Claimed,
        addressee: &Addressee,
        why: &str,
    ) -> anyhow::Result<()> {
        warn!(
            "a message to recipient {} was given up: {why}",
            addressee.recipient
        );
        let dead = Settled::Dead {
            why: why.to_owned(),
        };
        self.settle(claimed, &dead).await
    }

    /// The platform refuses messages to a person. It gets no more of them, and is notified once, in the room where it asked
    /// for them.
    async fn suspend(
        &self,
        claimed: &Claimed,
        addressee: &Addressee,
        why: &str,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        info!("recipient {} is suspended: {why}", addressee.recipient);
        let mut tx = self.store.write().await?;
        let dead = Settled::Dead {
            why: why.to_owned(),
        };
        outbox::settle_delivery(&mut tx, claimed, &dead, now).await?;
        let suspended = recipients::suspend(&mut tx, addressee.recipient, why, now).await?;
        if let Suspension::New {
            asked_in: Some(room),
        } = suspended
        {
            let notice = Content::Notice {
                title: "Your direct messages are closed".to_owned(),
                text: "The news that you follow cannot be sent to you. Open your direct messages for this bot, then give \
                       the command follow again."
                    .to_owned(),
                mark: format!("n{:x}", fastrand::u64(..)),
            };
            let new = NewMessage {
                channel: claimed.channel,
                recipient: addressee.recipient,
                content: &notice,
                room: Some(&room),
                post: None,
                due_at: now,
            };
            recipients::queue_message(&mut tx, &new).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

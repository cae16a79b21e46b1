//! After a restore: reads the messages of a channel once before anything is sent there. `plan` matches what
//! was found with posts.

use chrono::TimeDelta;
use tracing::{error, info};

use super::DeliveryLoop;
use crate::channel::{Platform, PostedMessage, Scope, SendError};
use crate::destination::Destination;
use crate::store::outbox::{self, StandingRow};

/// The wait after a channel could not be read.
const READ_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(30);

impl DeliveryLoop {
    /// Looks through a channel from `from` on, unix seconds.
    pub(super) async fn recall(
        &self,
        destination: &Destination,
        platform: &dyn Platform,
        from: i64,
    ) -> anyhow::Result<()> {
        let name = &destination.config.name;
        match platform.standing(&destination.row.address, from).await {
            Ok(found) => {
                let rows = rows(&found)?;
                let mut tx = self.store.write().await?;
                outbox::keep_standing(&mut tx, destination.row.id, &rows, self.clock.now()).await?;
                tx.commit().await?;
                info!(
                    "{name}: looked through after the restore; {} messages stand there since the backup",
                    found.len()
                );
                Ok(())
            }
            Err(SendError::Later { after, scope, .. }) => {
                let after = TimeDelta::from_std(after).unwrap_or(READ_AGAIN_AFTER);
                let scope = match scope {
                    Scope::Delivery | Scope::Channel => Scope::Channel,
                    Scope::Platform => Scope::Platform,
                };
                self.hold(destination, after.min(super::HOLD_MAX), scope)
                    .await
            }
            Err(SendError::Unknown { why } | SendError::Failed { why, .. }) => {
                self.unread(destination, &why).await
            }
            Err(SendError::Never {
                scope: Scope::Platform,
                why,
            }) => {
                error!(
                    "{} refuses the bot: {why}",
                    destination.config.platform.word()
                );
                self.refuse(destination, why);
                Ok(())
            }
            Err(SendError::Never { why, .. } | SendError::Refused { why }) => {
                let why = format!(
                    "it must be looked through after the restore before anything is sent there: {why}"
                );
                self.pause_channel(destination, why).await
            }
            Err(SendError::Replaced { by }) => self.replace(destination, &by).await,
            Err(SendError::Gone) => {
                let why = "it is gone, and cannot be looked through after the restore".to_owned();
                self.pause_channel(destination, why).await
            }
        }
    }
}

fn rows(found: &[PostedMessage]) -> anyhow::Result<Vec<StandingRow>> {
    let mut rows = Vec::new();
    for message in found {
        let receipt = serde_json::to_string(&message.receipt)?;
        let row = |mark: &str, listed_in| StandingRow {
            mark: mark.to_owned(),
            receipt: receipt.clone(),
            title: message.title.clone(),
            listed_in,
        };
        rows.push(row(&message.mark, None));
        for listed in &message.lists {
            rows.push(row(listed, Some(message.mark.clone())));
        }
    }
    Ok(rows)
}

//! Messages that a retry sent. The request of an earlier attempt may still arrive, and then the message stands twice. Platforms
//! watch for that, and this makes the watch survive a restart.

use std::time::Duration;

use anyhow::Context as _;

use super::DeliveryLoop;
use crate::channel::{Act, Platform, Receipt, Work};
use crate::destination::Destination;
use crate::store::outbox;

/// After a retry sent a message, has its platform watch for a second one.
pub(super) fn watch_retry(platform: &dyn Platform, work: &Work, receipt: &Receipt) {
    match &work.act {
        Act::Send { content, .. } if work.is_retry => {
            platform.was_retried(&work.address, receipt, content, Duration::ZERO);
        }
        Act::Send { .. } | Act::Edit { .. } | Act::Remove { .. } => {}
    }
}

impl DeliveryLoop {
    /// Before the first contact with a channel, passes on the messages that retries sent in earlier processes.
    pub(super) async fn resume_watch(
        &self,
        destination: &Destination,
        platform: &dyn Platform,
    ) -> anyhow::Result<()> {
        if self.holds().watched.contains(&destination.row.id) {
            return Ok(());
        }
        for sent in outbox::retried_sends(self.store.read(), destination.row.id).await? {
            let receipt: Receipt =
                serde_json::from_str(&sent.receipt).context("reading where a post stands")?;
            let ago = self.clock.now().timestamp() - sent.sent_at;
            let ago = Duration::from_secs(u64::try_from(ago).unwrap_or_default());
            platform.was_retried(&destination.row.address, &receipt, &sent.content, ago);
        }
        self.holds().watched.insert(destination.row.id);
        Ok(())
    }
}

//! Posting outside the outbox: a test post, a notice while the database fails, an announcement to a foreign room.

use super::DeliveryLoop;
use crate::channel::{Act, Work};
use crate::config::PlatformKind;
use crate::post::story::Content;

/// Why a message was not posted, for the person who asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPosted(pub String);

impl DeliveryLoop {
    /// Posts a message at once, in any room. A failure is not retried.
    pub async fn post_once(
        &self,
        platform: PlatformKind,
        room: &str,
        content: Content,
    ) -> Result<(), NotPosted> {
        let Some(sender) = self.platforms.get(&platform) else {
            let word = platform.word();
            return Err(NotPosted(format!(
                "{word} is not set up in the configuration"
            )));
        };
        let work = Work {
            address: room.to_owned(),
            act: Act::Send {
                content,
                under: None,
            },
            key: format!("try-{:x}", fastrand::u64(..)),
            is_retry: false,
            tried_ago: None,
        };
        let sent = sender.deliver(&work).await;
        sent.map(|_| ())
            .map_err(|error| NotPosted(error.to_string()))
    }
}

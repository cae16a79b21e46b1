//! Posting outside the outbox: a test post, a notice while the database fails, an announcement to a foreign room.

use super::{DeliveryLoop, PlatformMap};
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
        post_once(&self.platforms, platform, room, content).await
    }
}

/// The same without a queue of deliveries.
///
/// # Errors
///
/// Returns the reason if the platform is not set up, or if it did not take the message.
pub async fn post_once(
    platforms: &PlatformMap,
    platform: PlatformKind,
    room: &str,
    content: Content,
) -> Result<(), NotPosted> {
    let Some(sender) = platforms.get(&platform) else {
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
        person: None,
    };
    let sent = sender.deliver(&work).await;
    sent.map(|_| ())
        .map_err(|error| NotPosted(error.to_string()))
}

/// The test message for a new channel. `gets` says what the channel gets.
pub fn test_message(channel: &str, gets: &str) -> Content {
    Content::Notice {
        title: "News about BPF will be posted here".to_owned(),
        text: format!("From now on this channel gets {gets}."),
        mark: format!("try-{channel}"),
    }
}

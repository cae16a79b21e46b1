//! What the gateway tells, event by event, and what of it is passed on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serenity::all::{Context, Event, RawEventHandler};
use tokio::sync::mpsc;
use tracing::{debug, warn};
use url::Url;

use super::gateway::{Heard, Inside, is_door};

/// Takes events from serenity, and passes on those that concern the bot.
pub(super) struct Handler {
    pub(super) events: mpsc::Sender<Heard>,
    pub(super) inside: Arc<Inside>,
    pub(super) is_loopback: bool,
    pub(super) unknown: Arc<AtomicU64>,
}

#[serenity::async_trait]
impl RawEventHandler for Handler {
    async fn raw_event(&self, _: Context, event: Event) {
        let heard = match event {
            Event::Ready(ready) => {
                self.inside.changed.notify_one();
                self.resume_at(&ready.ready.resume_gateway_url).await;
                Heard::Ready {
                    application: ready.ready.application.id.to_string(),
                }
            }
            Event::InteractionCreate(event) => Heard::Interaction(Box::new(event.interaction)),
            // Of members, Discord tells without being asked of the bot itself alone: its roles.
            Event::GuildCreate(_)
            | Event::GuildUpdate(_)
            | Event::GuildRoleCreate(_)
            | Event::GuildRoleUpdate(_)
            | Event::GuildRoleDelete(_)
            | Event::GuildMemberUpdate(_)
            | Event::ThreadUpdate(_) => return self.inside.changed.notify_one(),
            Event::ChannelCreate(_) | Event::ChannelUpdate(_) => {
                self.inside.is_stale.store(true, Ordering::Relaxed);
                return self.inside.changed.notify_one();
            }
            Event::Unknown(event) => {
                self.unknown.fetch_add(1, Ordering::Relaxed);
                debug!("Discord: an event that is not understood: {}", event.kind);
                return;
            }
            _ => return,
        };
        if self.events.try_send(heard).is_err() {
            warn!("Discord: too many events at once; one is dropped");
        }
    }
}

impl Handler {
    /// Lets a lost session be taken up where Discord says; serenity would go where it first went.
    async fn resume_at(&self, told: &str) {
        let url = Url::parse(told).ok();
        let url = url.filter(|url| is_door(url, self.is_loopback));
        match (url, self.inside.url.get()) {
            (Some(url), Some(place)) => {
                *place.lock().await = url.as_str().trim_end_matches('/').to_owned();
            }
            (None, _) => debug!("Discord: {told:?} is no address for a gateway"),
            (Some(_), None) => {}
        }
    }
}

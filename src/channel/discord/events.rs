//! Parses the events of the gateway that the bot uses. serenity's enum of all events would parse every field of every event;
//! that alone is a sixth of our crate's code.

use serde::Deserialize;
use serde_json::Value;
use serenity::all::Interaction;

/// An event of the gateway.
pub(super) enum GatewayEvent {
    Ready {
        /// The id of the bot's application.
        application: String,
    },
    Interaction(Box<Interaction>),
    /// A server, its roles, the bot's own roles or a thread changed.
    ServerChanged,
    ChannelChanged,
    /// Another event, or a message that is none.
    Unused,
}

#[derive(Deserialize)]
struct GatewayMessage {
    /// The event's name; other messages have none.
    #[serde(rename = "t")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct EventData<T> {
    #[serde(rename = "d")]
    data: T,
}

#[derive(Deserialize)]
struct Ready {
    application: ReadyApplication,
}

#[derive(Deserialize)]
struct ReadyApplication {
    id: String,
}

/// Parses a message of the gateway.
///
/// # Errors
///
/// If it is no message, or if an event that the bot uses has another form.
pub(super) fn parse(text: &str) -> serde_json::Result<GatewayEvent> {
    let message: GatewayMessage = serde_json::from_str(text)?;
    Ok(match message.kind.as_deref().unwrap_or_default() {
        "READY" => {
            let ready: EventData<Ready> = serde_json::from_str(text)?;
            GatewayEvent::Ready {
                application: ready.data.application.id,
            }
        }
        // Without further intents, Discord reports member updates of the bot only: its roles.
        "GUILD_CREATE"
        | "GUILD_UPDATE"
        | "GUILD_ROLE_CREATE"
        | "GUILD_ROLE_UPDATE"
        | "GUILD_ROLE_DELETE"
        | "GUILD_MEMBER_UPDATE"
        | "THREAD_UPDATE" => GatewayEvent::ServerChanged,
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" => GatewayEvent::ChannelChanged,
        "INTERACTION_CREATE" => {
            let event: EventData<Value> = serde_json::from_str(text)?;
            GatewayEvent::Interaction(Box::new(serde_json::from_value(event.data)?))
        }
        _ => GatewayEvent::Unused,
    })
}

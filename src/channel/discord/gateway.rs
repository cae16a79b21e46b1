//! The gateway: a connection that delivers Discord's events for as long as the program runs. Commands are answered
//! elsewhere.
//!
//! twilight keeps the connection: it identifies, sends heartbeats, and resumes a lost session. Interactions are parsed with
//! serenity's types, like the rest of Discord's data. twilight has a built-in gateway address, so ours is passed as a
//! proxy. The address for resuming is checked as soon as Discord names it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serenity::all::Interaction;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use twilight_gateway::error::{ReceiveMessageError, ReceiveMessageErrorType};
use twilight_gateway::{CloseFrame, ConfigBuilder, Intents, Message, Shard, ShardId};
use url::{Host, Url};

use super::commands::{self, RegistrationStore};
use super::events::{self, GatewayEvent};
use super::interactions::InteractionHandler;
use super::refusal::Aim;
use super::rest::{DiscordRequest, Rest};
use super::{Discord, senseless};
use crate::channel::{Scope, SendError};
use crate::chat::{RoomEvent, SharedHandler};

/// The first and the longest wait after a failure. Discord allows one new session in five seconds.
const BACKOFF_MIN: Duration = Duration::from_secs(5);
const BACKOFF_MAX: Duration = Duration::from_mins(5);
/// How long a connection may be down before it is rebuilt with a new gateway address.
const DOWN_MAX: Duration = Duration::from_secs(30);
/// The interval of checks for that.
const LOOK_GAP: Duration = Duration::from_millis(500);
/// The longest wait for the closing handshake and for unfinished answers during a stop.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// Session starts left for other programs and people. Discord revokes a token that uses up all.
const STARTS_KEPT: u64 = 5;
/// Close codes for a refused token and refused intents.
const WRONG_TOKEN: u16 = 4004;
const WRONG_INTENTS: [u16; 2] = [4013, 4014];
/// Interactions answered in parallel; further ones are dropped.
const ANSWERS_MAX: usize = 64;

/// The gateway's address.
struct GatewayAddress {
    url: Url,
    /// Whether it must be on this machine, like the REST interface.
    is_loopback: bool,
}

enum ShardEvent {
    Ready { application: String },
    Interaction(Box<Interaction>),
}

enum ConnectionEnd {
    Stopped,
    Refused(SendError),
    Lost { why: String, was_up: bool },
}

impl Discord {
    /// Follows the gateway until `stop` is cancelled, registers the commands, and answers them.
    ///
    /// # Errors
    ///
    /// Returns an error if Discord refuses the token or the intents.
    pub async fn listen(
        &self,
        handler: SharedHandler,
        memory: Arc<dyn RegistrationStore>,
        stop: &CancellationToken,
    ) -> Result<(), SendError> {
        let answering = Arc::new(InteractionHandler::new(Arc::clone(&self.rest), handler));
        let mut tasks = JoinSet::new();
        let mut backoff = BACKOFF_MIN;
        loop {
            let address = tokio::select! {
                () = stop.cancelled() => break,
                address = find_gateway(&self.rest) => address,
            };
            let end = match address {
                Ok(address) => {
                    let mut connection = GatewayConnection::open(self, address);
                    connection
                        .follow(self, &answering, &memory, &mut tasks, stop)
                        .await
                }
                Err(
                    error @ SendError::Never {
                        scope: Scope::Platform,
                        ..
                    },
                ) => ConnectionEnd::Refused(error),
                Err(SendError::Later { after, why, .. } | SendError::Failed { after, why, .. }) => {
                    backoff = backoff.max(after);
                    ConnectionEnd::Lost { why, was_up: false }
                }
                Err(error) => ConnectionEnd::Lost {
                    why: error.to_string(),
                    was_up: false,
                },
            };
            match end {
                ConnectionEnd::Stopped => break,
                ConnectionEnd::Refused(error) => return Err(error),
                ConnectionEnd::Lost { why, was_up } => {
                    if was_up {
                        backoff = BACKOFF_MIN;
                    }
                    warn!("Discord's gateway: {why}; retrying in {backoff:?}");
                    if timeout(backoff, stop.cancelled()).await.is_ok() {
                        break;
                    }
                    backoff = (backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
                }
            }
        }
        let finish = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(CLOSE_MAX, finish).await;
        Ok(())
    }

    /// The number of events that could not be parsed.
    pub fn unknown_events(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }
}

/// Asks for the gateway's address, if a session may be started now.
async fn find_gateway(rest: &Rest) -> Result<GatewayAddress, SendError> {
    let request = DiscordRequest {
        method: Method::GET,
        route: "/gateway/bot",
        major: String::new(),
        path: "/gateway/bot".to_owned(),
        body: None,
        aim: Aim::Read,
    };
    let told = rest.ask(request).await?;
    let limit = &told["session_start_limit"];
    let left = limit["remaining"].as_u64().unwrap_or(u64::MAX);
    if left <= STARTS_KEPT {
        let millis = limit["reset_after"].as_u64().unwrap_or_default();
        return Err(SendError::Later {
            after: Duration::from_millis(millis).max(BACKOFF_MAX),
            scope: Scope::Platform,
            why: format!("only {left} starts of a session are left today"),
        });
    }
    let is_loopback = rest.is_loopback();
    let url = told["url"].as_str().and_then(|url| Url::parse(url).ok());
    let url = url.ok_or_else(senseless)?;
    match may_get_token(&url, is_loopback) {
        true => Ok(GatewayAddress { url, is_loopback }),
        false => Err(SendError::Later {
            after: BACKOFF_MAX,
            scope: Scope::Platform,
            why: format!("{url} is not a safe gateway address, so the bot does not connect to it"),
        }),
    }
}

/// Whether the token may be sent to this address: encrypted, or on this machine together with the REST stand-in.
fn may_get_token(url: &Url, is_loopback: bool) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    match (url.scheme(), is_loopback) {
        ("ws" | "wss", true) => is_here,
        ("wss", false) => true,
        _ => false,
    }
}

/// One connection to the gateway.
struct GatewayConnection {
    shard: Shard,
    is_loopback: bool,
    unknown: Arc<AtomicU64>,
    was_up: bool,
    /// Changes in servers since the last check.
    changed: Changed,
}

/// Changes that can make a refused channel usable.
#[derive(Debug, Clone, Copy, Default)]
struct Changed {
    /// A server came back, or something in it changed.
    is_any: bool,
    /// A channel changed.
    is_channel: bool,
}

impl GatewayConnection {
    fn open(discord: &Discord, address: GatewayAddress) -> Self {
        let token = discord.rest.token().expose_secret().to_owned();
        let url = address.url.as_str().trim_end_matches('/').to_owned();
        let config = ConfigBuilder::new(token, Intents::GUILDS).proxy_url(url);
        Self {
            shard: Shard::with_config(ShardId::ONE, config.build()),
            is_loopback: address.is_loopback,
            unknown: Arc::clone(&discord.unknown),
            was_up: false,
            changed: Changed::default(),
        }
    }

    async fn follow(
        &mut self,
        discord: &Discord,
        answering: &Arc<InteractionHandler>,
        memory: &Arc<dyn RegistrationStore>,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> ConnectionEnd {
        let mut look = interval(LOOK_GAP);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_up = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    self.close_session().await;
                    return ConnectionEnd::Stopped;
                }
                told = self.shard.next() => match self.hear(told) {
                    Ok(None) => {}
                    Ok(Some(ShardEvent::Ready { .. })) if !self.resumes_safely() => {
                        let why = "it names no safe gateway for resuming".to_owned();
                        return ConnectionEnd::Lost { why, was_up: false };
                    }
                    Ok(Some(ShardEvent::Ready { application })) => {
                        if !self.was_up {
                            info!("Discord's gateway is connected");
                        }
                        self.was_up = true;
                        tasks.spawn(commands::register(answering.rest(), Arc::clone(memory), application));
                    }
                    Ok(Some(ShardEvent::Interaction(_))) if tasks.len() >= ANSWERS_MAX => {
                        warn!("Discord: {ANSWERS_MAX} commands are being answered; a further one is dropped");
                    }
                    Ok(Some(ShardEvent::Interaction(interaction))) => {
                        let answering = Arc::clone(answering);
                        tasks.spawn(async move { answering.hear(*interaction).await });
                    }
                    Err(end) => return end,
                },
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Err(error) = ended {
                        error!("an answer on Discord panicked: {error}");
                    }
                }
                _ = look.tick() => {
                    let changed = std::mem::take(&mut self.changed);
                    if changed.is_channel {
                        discord.channels().clear();
                    }
                    if changed.is_any {
                        let answering = Arc::clone(answering);
                        let noticed = RoomEvent::Changed { room: None };
                        tasks.spawn(async move { answering.noticed(noticed).await });
                    }
                    if self.shard.state().is_identified() {
                        last_up = Instant::now();
                    } else if last_up.elapsed() > DOWN_MAX {
                        return self.lost(format!("no connection for {DOWN_MAX:?}"));
                    }
                }
            }
        }
    }

    /// Handles one message of the connection. The error ends the connection.
    fn hear(
        &mut self,
        told: Option<Result<Message, ReceiveMessageError>>,
    ) -> Result<Option<ShardEvent>, ConnectionEnd> {
        match told {
            Some(Ok(Message::Text(text))) => Ok(self.read(&text)),
            Some(Ok(Message::Close(frame))) => self.closed(frame.as_ref()).map(|()| None),
            Some(Err(error)) => {
                // The error would contain the whole message, which may be private.
                if matches!(error.kind(), ReceiveMessageErrorType::Deserializing { .. }) {
                    self.unknown.fetch_add(1, Ordering::Relaxed);
                    debug!("Discord: a message is not an event");
                } else {
                    debug!("Discord's gateway: {error}; retrying");
                }
                Ok(None)
            }
            None => Err(self.lost("the connection ended".to_owned())),
        }
    }

    fn read(&mut self, text: &str) -> Option<ShardEvent> {
        let event = match events::parse(text) {
            Ok(event) => event,
            Err(error) => {
                self.unknown.fetch_add(1, Ordering::Relaxed);
                debug!("Discord: an event could not be parsed: {error}");
                return None;
            }
        };
        match event {
            GatewayEvent::Ready { application } => {
                self.changed.is_any = true;
                Some(ShardEvent::Ready { application })
            }
            GatewayEvent::Interaction(interaction) => Some(ShardEvent::Interaction(interaction)),
            GatewayEvent::ServerChanged => {
                self.changed.is_any = true;
                None
            }
            GatewayEvent::ChannelChanged => {
                self.changed = Changed {
                    is_any: true,
                    is_channel: true,
                };
                None
            }
            GatewayEvent::Unused => None,
        }
    }

    /// Handles a closed connection. The error means that it must not be opened again.
    fn closed(&self, frame: Option<&CloseFrame<'_>>) -> Result<(), ConnectionEnd> {
        let refused = |why: &str| {
            Err(ConnectionEnd::Refused(SendError::Never {
                scope: Scope::Platform,
                why: why.to_owned(),
            }))
        };
        match frame.map(|frame| frame.code) {
            Some(WRONG_TOKEN) => {
                return refused(
                    "Discord's gateway does not accept the bot's token: set a valid one",
                );
            }
            Some(code) if WRONG_INTENTS.contains(&code) => {
                return refused(
                    "Discord's gateway refuses the bot's intents, although the bot asks for servers only: check on \
                     the application's Bot page whether it was limited",
                );
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Whether the token may be sent to the address for resuming. twilight connects there on its own.
    fn resumes_safely(&self) -> bool {
        let next = self.shard.resume_url();
        next.is_none_or(|next| {
            Url::parse(next).is_ok_and(|next| may_get_token(&next, self.is_loopback))
        })
    }

    fn lost(&self, why: String) -> ConnectionEnd {
        ConnectionEnd::Lost {
            why,
            was_up: self.was_up,
        }
    }

    /// Closes the session, so that Discord shows the bot as offline.
    async fn close_session(&mut self) {
        if !self.shard.state().is_identified() {
            return;
        }
        self.shard.close(CloseFrame::NORMAL);
        let told = async { while let Some(Ok(Message::Text(_))) = self.shard.next().await {} };
        let _ = timeout(CLOSE_MAX, told).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_only_to_allowed_gateways() {
        #[rustfmt::skip]
        let table = [
            ("wss://gateway.discord.gg", false, true), ("ws://gateway.discord.gg", false, false),
            ("https://gateway.discord.gg", false, false), ("wss://127.0.0.1:4000", false, true),
            ("ws://127.0.0.1:4000", true, true), ("ws://localhost:4000", true, true), ("ws://[::1]:4000", true, true),
            ("wss://gateway.discord.gg", true, false), ("ws://10.0.0.1", true, false),
        ];
        for (url, is_loopback, right) in table {
            let parsed = Url::parse(url).expect("an address");
            assert_eq!(may_get_token(&parsed, is_loopback), right, "{url}");
        }
    }
}

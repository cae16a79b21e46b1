//! The gateway: what Discord tells, over serenity, kept up for as long as the program runs. Answers are made elsewhere.
//!
//! serenity's tasks cannot be ended one by one; one that never had a connection goes on trying for ever. So they live in
//! a runtime of their own, which ends with all of them. It asks for the gateway's address and falls back on the real one
//! when that fails; so the address is asked for here, and put in place of whatever it found.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serenity::all::{
    ClientBuilder, ConnectionStage, GatewayError, GatewayIntents, HttpBuilder, Interaction,
    ShardManager,
};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use url::{Host, Url};

use super::commands::{self, Memory};
use super::events::Handler;
use super::interactions::Answering;
use super::refusal::Aim;
use super::rest::{Request, Rest};
use super::{Discord, senseless};
use crate::channel::{Scope, SendError};
use crate::command::heard::{Ear, Noticed};

/// How long a gateway that failed is left alone, at first and at most. Discord allows one start of a session in five
/// seconds.
const BACKOFF_MIN: Duration = Duration::from_secs(5);
const BACKOFF_MAX: Duration = Duration::from_mins(5);
/// How long serenity may try to get a connection (back) before all of it is begun anew.
const DOWN_MAX: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK_GAP: Duration = Duration::from_millis(500);
/// How long a farewell may take, and answers that are under way when it is time to stop.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// Starts of a session that are left for other programs and for people: Discord takes a token away that uses them up.
const STARTS_KEPT: u64 = 5;
/// Events that wait to be taken up; what is more is dropped.
const EVENTS_MAX: usize = 256;
/// Interactions that are answered side by side; what is more goes unanswered.
const ANSWERS_MAX: usize = 64;

/// Where the gateway is.
struct Door {
    url: Url,
    /// Whether it must be on this machine, as the REST interface is.
    is_loopback: bool,
}

/// What the gateway told.
pub(super) enum Heard {
    Ready { application: String },
    Interaction(Box<Interaction>),
}

/// How following the gateway ended.
enum End {
    Stopped,
    Refused(SendError),
    Lost { why: String, was_up: bool },
}

impl Discord {
    /// Follows the gateway until `stop` is cancelled, keeps the commands registered, and answers them.
    ///
    /// # Errors
    ///
    /// When Discord refuses the token or the intents.
    pub async fn listen(
        &self,
        ear: Ear,
        memory: Arc<dyn Memory>,
        stop: &CancellationToken,
    ) -> Result<(), SendError> {
        let answering = Arc::new(Answering::new(Arc::clone(&self.rest), ear));
        let mut tasks = JoinSet::new();
        let mut backoff = BACKOFF_MIN;
        loop {
            let door = tokio::select! {
                () = stop.cancelled() => break,
                door = open_door(&self.rest) => door,
            };
            let end = match door {
                Ok(door) => {
                    let mut line = Line::open(self, door);
                    line.follow(self, &answering, &memory, &mut tasks, stop)
                        .await
                }
                Err(
                    error @ SendError::Never {
                        scope: Scope::Platform,
                        ..
                    },
                ) => End::Refused(error),
                Err(SendError::Later { after, why, .. } | SendError::Failed { after, why, .. }) => {
                    backoff = backoff.max(after);
                    End::Lost { why, was_up: false }
                }
                Err(error) => End::Lost {
                    why: error.to_string(),
                    was_up: false,
                },
            };
            match end {
                End::Stopped => break,
                End::Refused(error) => return Err(error),
                End::Lost { why, was_up } => {
                    if was_up {
                        backoff = BACKOFF_MIN;
                    }
                    warn!("Discord's gateway: {why}; trying again in {backoff:?}");
                    if timeout(backoff, stop.cancelled()).await.is_ok() {
                        break;
                    }
                    backoff = (backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
                }
            }
        }
        let finish = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(FAREWELL_MAX, finish).await;
        Ok(())
    }

    /// How many events came that are not known, or whose content is not.
    pub fn unknown_events(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }
}

/// Asks where the gateway is, and whether a session may be started there.
async fn open_door(rest: &Rest) -> Result<Door, SendError> {
    let request = Request {
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
    match is_door(&url, is_loopback) {
        true => Ok(Door { url, is_loopback }),
        false => Err(SendError::Later {
            after: BACKOFF_MAX,
            scope: Scope::Platform,
            why: format!("{url} is no address for a gateway, so it is not connected to"),
        }),
    }
}

/// Whether the token may go to a gateway's address: it is encrypted, or on this machine where Discord's stand-in is too.
pub(super) fn is_door(url: &Url, is_loopback: bool) -> bool {
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

/// What serenity made, once it did.
#[derive(Default)]
pub(super) struct Inside {
    shards: OnceLock<Arc<ShardManager>>,
    pub(super) url: OnceLock<Arc<Mutex<String>>>,
    /// Told when a server came back, or something changed in one.
    pub(super) changed: Notify,
    /// Whether a channel is not what it was.
    pub(super) is_stale: AtomicBool,
}

/// A connection to the gateway, or serenity's tries at one.
struct Line {
    runtime: Option<Runtime>,
    serenity: JoinHandle<Result<(), serenity::Error>>,
    inside: Arc<Inside>,
    heard: mpsc::Receiver<Heard>,
    was_up: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Line {
    fn open(discord: &Discord, door: Door) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("discord-gateway")
            .enable_all()
            .build()
            .expect("the machine can start one more thread");
        let inside = Arc::new(Inside::default());
        let (events, heard) = mpsc::channel(EVENTS_MAX);
        let handler = Handler {
            events,
            inside: Arc::clone(&inside),
            is_loopback: door.is_loopback,
            unknown: Arc::clone(&discord.unknown),
        };
        let base = discord.rest.base().to_owned();
        let token = discord.rest.token().clone();
        let serenity = runtime.spawn(connect(door, base, token, handler, Arc::clone(&inside)));
        Self {
            runtime: Some(runtime),
            serenity,
            inside,
            heard,
            was_up: false,
        }
    }

    async fn follow(
        &mut self,
        discord: &Discord,
        answering: &Arc<Answering>,
        memory: &Arc<dyn Memory>,
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
    ) -> End {
        let mut look = interval(LOOK_GAP);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_up = Instant::now();
        let inside = Arc::clone(&self.inside);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    self.bid_farewell().await;
                    return End::Stopped;
                }
                ended = &mut self.serenity => return self.ended(ended.map_err(|error| error.to_string())),
                Some(heard) = self.heard.recv() => match heard {
                    Heard::Ready { application } => {
                        if !self.was_up {
                            info!("Discord's gateway is connected");
                        }
                        self.was_up = true;
                        tasks.spawn(commands::register(answering.rest(), Arc::clone(memory), application));
                    }
                    Heard::Interaction(_) if tasks.len() >= ANSWERS_MAX => {
                        warn!("Discord: {ANSWERS_MAX} commands are under way; one more goes unanswered");
                    }
                    Heard::Interaction(interaction) => {
                        let answering = Arc::clone(answering);
                        tasks.spawn(async move { answering.hear(*interaction).await });
                    }
                },
                () = inside.changed.notified() => {
                    if inside.is_stale.swap(false, Ordering::Relaxed) {
                        discord.channels().clear();
                    }
                    let answering = Arc::clone(answering);
                    tasks.spawn(async move { answering.noticed(Noticed::Changed { room: None }).await });
                }
                Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Err(error) = ended {
                        error!("answering on Discord came to a bad end: {error}");
                    }
                }
                _ = look.tick() => {
                    if self.is_up().await {
                        last_up = Instant::now();
                    } else if last_up.elapsed() > DOWN_MAX {
                        let why = format!("no connection for {DOWN_MAX:?}");
                        return End::Lost { why, was_up: self.was_up };
                    }
                }
            }
        }
    }

    fn ended(&self, ended: Result<Result<(), serenity::Error>, String>) -> End {
        let refused = |why: &str| {
            End::Refused(SendError::Never {
                scope: Scope::Platform,
                why: why.to_owned(),
            })
        };
        let why = match ended {
            Ok(Err(serenity::Error::Gateway(GatewayError::InvalidAuthentication))) => {
                return refused(
                    "Discord's gateway does not accept the bot's token: set a valid one",
                );
            }
            Ok(Err(serenity::Error::Gateway(
                GatewayError::InvalidGatewayIntents | GatewayError::DisallowedGatewayIntents,
            ))) => {
                return refused(
                    "Discord's gateway refuses the bot's intents, although it asks for that of servers alone: look at \
                     the application's page, Bot, whether it was limited",
                );
            }
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(())) => "the connection ended".to_owned(),
            Err(why) => why,
        };
        End::Lost {
            why,
            was_up: self.was_up,
        }
    }

    async fn is_up(&self) -> bool {
        let Some(shards) = self.inside.shards.get() else {
            return false;
        };
        let runners = shards.runners.lock().await;
        runners
            .values()
            .any(|runner| runner.stage == ConnectionStage::Connected)
    }

    /// Tells Discord that the bot goes, so that it is shown as gone.
    async fn bid_farewell(&self) {
        let shards = self.inside.shards.get().cloned();
        if let (Some(shards), Some(runtime)) = (shards, &self.runtime) {
            let farewell = runtime.spawn(async move { shards.shutdown_all().await });
            let _ = timeout(FAREWELL_MAX, farewell).await;
        }
    }
}

async fn connect(
    door: Door,
    base: String,
    token: SecretString,
    handler: Handler,
    inside: Arc<Inside>,
) -> Result<(), serenity::Error> {
    // With its limiter on, serenity passes over the proxy and speaks to discord.com.
    let http = HttpBuilder::new(token.expose_secret())
        .proxy(base)
        .ratelimiter_disabled(true)
        .build();
    let mut client = ClientBuilder::new_with_http(http, GatewayIntents::GUILDS)
        .raw_event_handler(handler)
        .await?;
    *client.ws_url.lock().await = door.url.as_str().trim_end_matches('/').to_owned();
    let _ = inside.url.set(Arc::clone(&client.ws_url));
    let _ = inside.shards.set(Arc::clone(&client.shard_manager));
    client.start().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_gateways_alone_that_are_what_they_should_be() {
        #[rustfmt::skip]
        let table = [
            ("wss://gateway.discord.gg", false, true), ("ws://gateway.discord.gg", false, false),
            ("https://gateway.discord.gg", false, false), ("wss://127.0.0.1:4000", false, true),
            ("ws://127.0.0.1:4000", true, true), ("ws://localhost:4000", true, true), ("ws://[::1]:4000", true, true),
            ("wss://gateway.discord.gg", true, false), ("ws://10.0.0.1", true, false),
        ];
        for (url, is_loopback, right) in table {
            let parsed = Url::parse(url).expect("an address");
            assert_eq!(is_door(&parsed, is_loopback), right, "{url}");
        }
    }
}

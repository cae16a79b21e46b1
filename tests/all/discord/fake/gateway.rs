//! The gateway: a session whose events are numbered and stored, so that the bot can resume it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State as Shared;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::Uri;
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::rooms::{AT, user};
use super::{APPLICATION, Fake, GUILD, ME, State};

/// The shortest time between two starts of a session.
const STARTS_GAP: Duration = Duration::from_secs(5);
/// The intents that the bot may have: only those about servers.
const INTENTS: u64 = 1;

/// Actions of the fake on an open connection.
#[derive(Debug, Clone)]
pub(crate) enum Tell {
    Event(&'static str, Value),
    /// Closes with a code.
    Close(u16),
    /// Asks the bot to connect again.
    Reconnect,
    /// Declares the session invalid, and says whether it can be resumed.
    Invalid(bool),
    /// Breaks the connection without a close frame.
    Cut,
}

/// The counters that a test may read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Connections that were opened.
    pub(crate) opened: usize,
    /// The number of connections that resume a session.
    pub(crate) opened_again: usize,
    pub(crate) identified: usize,
    pub(crate) resumed: usize,
    pub(crate) heartbeats: usize,
    /// Sessions that started too soon after another one, and were refused. A program that was killed and restarted cannot
    /// know that.
    pub(crate) early: usize,
}

pub(super) struct Gateway {
    pub(super) counts: Counts,
    pub(super) starts_left: u64,
    heartbeat: Duration,
    /// The code that closes every new connection after it identified.
    close_with: Option<u16>,
    /// Whether it accepts connections.
    is_deaf: bool,
    /// The address where sessions are resumed; `None`: here.
    resume_at: Option<String>,
    session: Option<String>,
    events: Vec<Value>,
    line: Option<UnboundedSender<Tell>>,
    last_start: Option<Instant>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            counts: Counts::default(),
            starts_left: 1000,
            heartbeat: Duration::from_millis(41_250),
            close_with: None,
            is_deaf: false,
            resume_at: None,
            session: None,
            events: Vec::new(),
            line: None,
            last_start: None,
        }
    }
}

impl State {
    pub(super) fn gateway_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Sends an event to the bot. A session that resumes later gets it too.
    pub(super) fn tell(&mut self, tell: Tell) {
        if let Tell::Event(name, data) = &tell {
            let number = self.gateway.events.len() + 1;
            let event = json!({"op": 0, "s": number, "t": name, "d": data});
            self.gateway.events.push(event);
        }
        if let Some(line) = &self.gateway.line {
            let _ = line.send(tell);
        }
    }
}

impl Fake {
    pub(crate) fn tell(&self, tell: Tell) {
        self.state().tell(tell);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().gateway.counts.clone()
    }

    pub(crate) fn beat_every(&self, heartbeat: Duration) {
        self.state().gateway.heartbeat = heartbeat;
    }

    /// Closes every connection with this code after it identified.
    pub(crate) fn close_all_with(&self, code: u16) {
        self.state().gateway.close_with = Some(code);
    }

    /// Accepts no more connections, and breaks the present one.
    pub(crate) fn be_deaf(&self, is_deaf: bool) {
        self.tell(Tell::Cut);
        self.state().gateway.is_deaf = is_deaf;
    }

    /// Sends lost sessions to that address.
    pub(crate) fn resume_at(&self, url: &str) {
        self.state().gateway.resume_at = Some(url.to_owned());
    }

    pub(crate) fn let_starts(&self, left: u64) {
        self.state().gateway.starts_left = left;
    }

    /// Waits until a session is open and the commands are registered.
    pub(crate) async fn until_connected(&self) {
        self.until("connected", Duration::from_secs(10), |fake| {
            let state = fake.state();
            state.gateway.line.is_some()
                && state.gateway.counts.identified > 0
                && state.registrations > 0
        })
        .await;
    }
}

pub(super) async fn connect(
    Shared(state): Shared<Arc<Mutex<State>>>,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    {
        let mut state = state.lock().expect("no holder of the fake panics");
        if state.gateway.is_deaf {
            return Response::builder()
                .status(503)
                .body("down".into())
                .expect("a plain answer");
        }
        if uri.query() != Some("v=10&encoding=json") {
            state.wrongs.push(format!("the gateway's address: {uri}"));
        }
        state.gateway.counts.opened += 1;
        state.gateway.counts.opened_again += usize::from(uri.path() == "/again/");
    }
    upgrade.on_upgrade(move |socket| async move {
        let (line, told) = unbounded_channel();
        let _ = serve(socket, &state, line, told).await;
    })
}

/// Whether a connection continues.
enum Next {
    On(Vec<Value>),
    Close(u16),
}

async fn serve(
    mut socket: WebSocket,
    state: &Mutex<State>,
    line: UnboundedSender<Tell>,
    mut told: UnboundedReceiver<Tell>,
) -> Option<()> {
    let lock = || state.lock().expect("no holder of the fake panics");
    let beat = lock().gateway.heartbeat.as_millis();
    say(&mut socket, &json!({"op": 10, "d": {"heartbeat_interval": u64::try_from(beat).ok()?}, "s": null, "t": null})).await?;
    let mut sent = 0;
    let mut is_known = false;
    loop {
        let event = tokio::select! {
            message = socket.recv() => {
                let Message::Text(text) = message?.ok()? else { continue };
                let said: Value = serde_json::from_str(&text).ok()?;
                let next = {
                    let mut state = lock();
                    let next = hear(&mut state, &said, &mut is_known, &mut sent);
                    if is_known {
                        state.gateway.line = Some(line.clone());
                    }
                    next
                };
                match next {
                    Next::On(answers) => {
                        for answer in answers {
                            say(&mut socket, &answer).await?;
                        }
                    }
                    Next::Close(code) => return close(&mut socket, code).await,
                }
                None
            }
            tell = told.recv() => Some(tell?),
        };
        match event {
            Some(Tell::Close(code)) => return close(&mut socket, code).await,
            Some(Tell::Reconnect) => {
                say(
                    &mut socket,
                    &json!({"op": 7, "d": null, "s": null, "t": null}),
                )
                .await?
            }
            Some(Tell::Invalid(can_resume)) => {
                if !can_resume {
                    lock().gateway.session = None;
                }
                say(
                    &mut socket,
                    &json!({"op": 9, "d": can_resume, "s": null, "t": null}),
                )
                .await?;
            }
            Some(Tell::Cut) => return None,
            Some(Tell::Event(..)) | None => {}
        }
        if is_known {
            let new: Vec<Value> = lock()
                .gateway
                .events
                .get(sent..)
                .unwrap_or_default()
                .to_vec();
            for event in new {
                say(&mut socket, &event).await?;
                sent += 1;
            }
        }
    }
}

async fn close(socket: &mut WebSocket, code: u16) -> Option<()> {
    let frame = CloseFrame {
        code,
        reason: "".into(),
    };
    socket.send(Message::Close(Some(frame))).await.ok()
}

async fn say(socket: &mut WebSocket, payload: &Value) -> Option<()> {
    let message = Message::Text(payload.to_string().into());
    socket.send(message).await.ok()
}

/// Handles a message of the bot.
fn hear(state: &mut State, said: &Value, is_known: &mut bool, sent: &mut usize) -> Next {
    let data = &said["d"];
    match said["op"].as_u64() {
        Some(1) => {
            if !(data.is_u64() || data.is_null()) {
                state.wrongs.push(format!("a heartbeat of {data}"));
            }
            state.gateway.counts.heartbeats += 1;
            Next::On(vec![json!({"op": 11, "d": null, "s": null, "t": null})])
        }
        Some(2) => {
            state.gateway.counts.identified += 1;
            if data["token"] != format!("Bot {}", state.token)
                && data["token"] != state.token.as_str()
            {
                return Next::Close(4004);
            }
            if data["intents"] != INTENTS {
                state
                    .wrongs
                    .push(format!("the intents {}", data["intents"]));
            }
            if data["compress"] == true {
                state.wrongs.push("it asks for packed events".to_owned());
            }
            if !data["properties"].is_object() || data["shard"] != json!([0, 1]) {
                state.wrongs.push("who the bot is".to_owned());
            }
            if let Some(code) = state.gateway.close_with {
                return Next::Close(code);
            }
            let now = Instant::now();
            if state
                .gateway
                .last_start
                .is_some_and(|last| now < last + STARTS_GAP)
            {
                state.gateway.counts.early += 1;
                return Next::On(vec![json!({"op": 9, "d": false, "s": null, "t": null})]);
            }
            state.gateway.last_start = Some(now);
            let session = format!("session-{}", state.next_id());
            state.gateway.session = Some(session.clone());
            state.gateway.events.clear();
            let again = format!("{}/again", state.gateway_url());
            let again = state.gateway.resume_at.clone().unwrap_or(again);
            state.tell(Tell::Event("READY", ready(&session, &again)));
            let rooms: Vec<Value> = state
                .rooms
                .values()
                .filter(|room| !room.is_thread())
                .map(|room| room.show(0))
                .collect();
            state.tell(Tell::Event("GUILD_CREATE", guild(&rooms)));
            (*is_known, *sent) = (true, 0);
            Next::On(Vec::new())
        }
        Some(6) => {
            let is_ours = state.gateway.session.as_deref() == data["session_id"].as_str();
            let seq = data["seq"]
                .as_u64()
                .and_then(|seq| usize::try_from(seq).ok());
            match seq.filter(|seq| is_ours && *seq <= state.gateway.events.len()) {
                Some(seq) => {
                    state.gateway.counts.resumed += 1;
                    (*is_known, *sent) = (true, seq);
                    state.tell(Tell::Event("RESUMED", json!({"_trace": []})));
                    Next::On(Vec::new())
                }
                None => Next::On(vec![json!({"op": 9, "d": false, "s": null, "t": null})]),
            }
        }
        Some(3) => Next::On(Vec::new()),
        _ => {
            state.wrongs.push(format!("the gateway was told {said}"));
            Next::Close(4001)
        }
    }
}

fn ready(session: &str, again: &str) -> Value {
    let mut me = user(ME, true);
    me["mfa_enabled"] = false.into();
    me["verified"] = true.into();
    me["email"] = Value::Null;
    json!({
        "v": 10, "user": me, "guilds": [{"id": GUILD, "unavailable": true}], "session_id": session, "session_type": "normal",
        "resume_gateway_url": again, "shard": [0, 1], "application": {"id": APPLICATION, "flags": 0},
        "private_channels": [], "relationships": [], "presences": [], "user_settings": {}, "guild_join_requests": [],
        "geo_ordered_rtc_regions": [], "auth": {}, "_trace": [],
    })
}

/// The permissions of everybody: all that the bot needs, without Administrator.
const EVERYBODY: u64 = 0x7fff_ffff & !(1 << 3) | 1 << 35 | 1 << 38;

fn everyone() -> Value {
    json!({
        "id": GUILD, "name": "@everyone", "color": 0, "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
        "hoist": false, "managed": false, "mentionable": false, "permissions": EVERYBODY.to_string(), "position": 0, "flags": 0,
        "icon": null, "unicode_emoji": null,
    })
}

/// The bot as a member of the server.
pub(super) fn member() -> Value {
    json!({
        "user": user(ME, true), "nick": null, "avatar": null, "roles": [], "joined_at": AT, "premium_since": null,
        "deaf": false, "mute": false, "flags": 0, "pending": false, "communication_disabled_until": null, "banner": null,
    })
}

/// The server as REST shows it. Another person owns it.
pub(super) fn server() -> Value {
    let mut server = guild(&[]);
    for name in [
        "joined_at",
        "large",
        "unavailable",
        "member_count",
        "voice_states",
        "members",
        "channels",
        "threads",
        "presences",
        "stage_instances",
        "guild_scheduled_events",
        "soundboard_sounds",
    ] {
        server.as_object_mut().expect("an object").remove(name);
    }
    let more = json!({
        "owner_id": "900000000000000009", "region": "deprecated", "widget_enabled": false, "widget_channel_id": null,
        "safety_alerts_channel_id": null, "home_header": null, "discovery_splash": null, "max_presences": null,
        "incidents_data": null,
    });
    for (name, value) in more.as_object().expect("an object") {
        server[name.as_str()] = value.clone();
    }
    server
}

fn guild(rooms: &[Value]) -> Value {
    let me = member();
    json!({
        "id": GUILD, "name": "A server", "icon": null, "icon_hash": null, "splash": null, "discovery_splash": null,
        "owner_id": ME, "afk_channel_id": null, "afk_timeout": 300, "verification_level": 0,
        "default_message_notifications": 0, "explicit_content_filter": 0, "roles": [everyone()], "emojis": [],
        "features": [], "mfa_level": 0, "application_id": null, "system_channel_id": null, "system_channel_flags": 0,
        "rules_channel_id": null, "max_members": 500_000, "vanity_url_code": null, "description": null, "banner": null,
        "premium_tier": 0, "premium_subscription_count": 0, "preferred_locale": "en-US", "public_updates_channel_id": null,
        "max_video_channel_users": 25, "max_stage_video_channel_users": 50, "nsfw_level": 0, "nsfw": false,
        "premium_progress_bar_enabled": false, "safety_alerts_channel_id": null, "joined_at": AT, "large": false,
        "unavailable": false, "member_count": 2, "voice_states": [], "members": [me], "channels": rooms, "threads": [],
        "presences": [], "stage_instances": [], "guild_scheduled_events": [], "stickers": [], "soundboard_sounds": [],
    })
}

//! A simulated homeserver for tests: one bot, some people, plain rooms; sync, sends, edits, redactions, joins, and a limit
//! like Synapse's. It fails on demand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

pub(super) const ME: &str = "@bot:x.example";
pub(super) const PASSWORD: &str = "a password";

/// The way in which a request fails.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It is answered with this, and nothing is done.
    Says(u16, &'static str),
    /// The connection breaks.
    Cut,
    /// Nothing is done, and the answer comes only after this time.
    Late(Duration),
}

#[derive(Debug, Clone)]
struct Event {
    at: usize,
    room: String,
    event: Value,
}

pub(super) struct State {
    /// Rooms with the bot's membership: join, leave, invite.
    rooms: HashMap<String, &'static str>,
    events: Vec<Event>,
    transactions: HashMap<String, String>,
    /// Requests that always fail: a part of method and path, and words of the body.
    lasting: Vec<(String, String, Fault)>,
    /// The login flows that it offers; none: the server does not say.
    pub(super) flows: Option<Vec<&'static str>>,
    /// Whether it is a homeserver.
    pub(super) is_homeserver: bool,
    /// The number of messages allowed at once, and the time until one more is allowed.
    pub(super) limit: Option<(u32, Duration)>,
    used: Vec<Instant>,
    full_at: Option<Instant>,
    /// The number of requests that arrived too early.
    pub(super) refused: usize,
    /// Requests whose answer is late.
    pub(super) late: usize,
    /// Rooms that the bot created.
    pub(super) created: usize,
    /// The OAuth server that issues its tokens: its address and the valid tokens.
    pub(super) oauth: Option<(String, ValidTokens)>,
    /// The device in the answer to whoami; `None`: the token has no device.
    pub(super) device: Option<&'static str>,
    /// The account in the answer to whoami.
    pub(super) owner: &'static str,
    /// Whether the device has keys.
    pub(super) has_keys: bool,
    /// The homeserver that `.well-known` names.
    pub(super) well_known: Option<String>,
    /// The tokens that were logged out.
    pub(super) logged_out: Vec<String>,
}

/// Access tokens, each with the time when it expires.
pub(super) type ValidTokens = Arc<Mutex<HashMap<String, Instant>>>;

/// A token for one login.
pub(super) const LOGIN_TOKEN: &str = "one-login";

impl State {
    fn put(&mut self, room: &str, event: Value) -> String {
        let at = self.events.len() + 1;
        let id = format!("$event{at}");
        let mut event = event;
        event["event_id"] = id.clone().into();
        if event["origin_server_ts"].is_null() {
            event["origin_server_ts"] = chrono::Utc::now().timestamp_millis().into();
        }
        let room = room.to_owned();
        self.events.push(Event { at, room, event });
        id
    }

    fn find(&mut self, id: &str) -> Option<&mut Value> {
        let mut events = self.events.iter_mut();
        events
            .find(|event| event.event["event_id"] == id)
            .map(|event| &mut event.event)
    }

    /// Uses one of the allowed messages, or returns the wait for the next one.
    fn take(&mut self) -> Result<(), Duration> {
        let Some((burst, gap)) = self.limit else {
            return Ok(());
        };
        let now = Instant::now();
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let over = (full_at - now).saturating_sub(gap * (burst - 1));
        if !over.is_zero() {
            self.refused += 1;
            return Err(over);
        }
        self.full_at = Some(full_at + gap);
        self.used.push(now);
        Ok(())
    }
}

/// The homeserver.
pub(super) struct Server {
    state: Arc<Mutex<State>>,
    pub(super) url: String,
}

impl Server {
    pub(super) async fn start(rooms: &[&str]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has one");
        let mut state = State {
            rooms: HashMap::new(),
            events: Vec::new(),
            transactions: HashMap::new(),
            lasting: Vec::new(),
            flows: Some(vec!["m.login.password"]),
            is_homeserver: true,
            limit: None,
            used: Vec::new(),
            full_at: None,
            refused: 0,
            late: 0,
            created: 0,
            oauth: None,
            device: Some("DEVICE"),
            owner: ME,
            has_keys: false,
            well_known: None,
            logged_out: Vec::new(),
        };
        for room in rooms {
            state.rooms.insert((*room).to_owned(), "join");
            let create = json!({"type": "m.room.create", "state_key": "", "sender": "@alice:x.example",
                "content": {"room_version": "10", "creator": "@alice:x.example"}});
            state.put(room, create);
            state.put(room, member(ME, ME, "join"));
            state.put(room, levels(0));
        }
        let state = Arc::new(Mutex::new(state));
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let url = format!("http://{address}");
        Self { state, url }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    /// From now on, every request whose method and path contain `part`, and whose body contains `words`, fails.
    pub(super) fn fail_always(&self, part: &str, words: &str, fault: Fault) {
        let lasting = (part.to_owned(), words.to_owned(), fault);
        self.state().lasting.push(lasting);
    }

    pub(super) fn mend(&self) {
        self.state().lasting.clear();
    }

    /// A person says something; returns its id.
    pub(super) fn say(&self, room: &str, person: &str, text: &str) -> String {
        self.say_at(room, person, text, chrono::Utc::now())
    }

    pub(super) fn say_at(
        &self,
        room: &str,
        person: &str,
        text: &str,
        at: chrono::DateTime<chrono::Utc>,
    ) -> String {
        let event = json!({"type": "m.room.message", "sender": person, "origin_server_ts": at.timestamp_millis(),
            "content": {"msgtype": "m.text", "body": text}});
        self.state().put(room, event)
    }

    /// A person says something for which the bot has no key.
    pub(super) fn seal(&self, room: &str, person: &str, at: chrono::DateTime<chrono::Utc>) {
        let event = json!({"type": "m.room.encrypted", "sender": person, "origin_server_ts": at.timestamp_millis(),
            "content": {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg",
                        "device_id": "LOST", "sender_key": "x", "session_id": "a session of a device that is lost"}});
        self.state().put(room, event);
    }

    /// A person reacts to a message.
    pub(super) fn react(&self, room: &str, person: &str, to: &str, with: &str) {
        let event = json!({"type": "m.reaction", "sender": person,
            "content": {"m.relates_to": {"rel_type": "m.annotation", "event_id": to, "key": with}}});
        self.state().put(room, event);
    }

    /// The room now needs another power level to speak.
    pub(super) fn set_level(&self, room: &str, level: i64) {
        self.state().put(room, levels(level));
    }

    /// The room is replaced.
    pub(super) fn replace(&self, room: &str, by: &str) {
        let event = json!({"type": "m.room.tombstone", "state_key": "", "sender": "@alice:x.example",
            "content": {"body": "moved", "replacement_room": by}});
        self.state().put(room, event);
    }

    /// A person joins a room, leaves it, or declines an invite.
    pub(super) fn moves(&self, room: &str, person: &str, membership: &str) {
        self.state().put(room, member(person, person, membership));
    }

    /// The bot is removed from the room.
    pub(super) fn kick(&self, room: &str) {
        let mut state = self.state();
        state.put(room, member("@alice:x.example", ME, "leave"));
        state.rooms.insert(room.to_owned(), "leave");
    }

    /// The bot is invited.
    pub(super) fn invite(&self, room: &str) {
        let mut state = self.state();
        state.put(room, member("@alice:x.example", ME, "invite"));
        state.rooms.insert(room.to_owned(), "invite");
    }

    /// The bot's messages in a room, after their edits; answers too.
    pub(super) fn bodies(&self, room: &str) -> Vec<String> {
        let state = self.state();
        let mut seen: Vec<(String, String)> = Vec::new();
        for event in state.events.iter().filter(|event| event.room == room) {
            let event = &event.event;
            if event["sender"] != ME || event["type"] != "m.room.message" {
                continue;
            }
            let content = &event["content"];
            let text = |content: &Value| content["body"].as_str().unwrap_or("-").to_owned();
            if content["m.relates_to"]["rel_type"] == "m.replace" {
                let of = content["m.relates_to"]["event_id"].as_str();
                if let Some((_, body)) = seen.iter_mut().find(|(id, _)| Some(id.as_str()) == of) {
                    *body = text(&content["m.new_content"]);
                }
                continue;
            }
            let id = event["event_id"].as_str().expect("an id").to_owned();
            seen.push((id, text(content)));
        }
        seen.retain(|(_, body)| body != "-");
        seen.into_iter().map(|(_, body)| body).collect()
    }

    /// The last message of the bot in a room.
    pub(super) fn last(&self, room: &str) -> Value {
        let state = self.state();
        let mut events = state.events.iter().rev();
        let last = events.find(|event| {
            event.room == room
                && event.event["sender"] == ME
                && event.event["type"] == "m.room.message"
        });
        last.expect("it said something").event.clone()
    }

    /// The times at which the bot's messages were accepted.
    pub(super) fn taken(&self) -> usize {
        self.state().used.len()
    }
}

fn member(by: &str, who: &str, what: &str) -> Value {
    json!({"type": "m.room.member", "state_key": who, "sender": by, "content": {"membership": what}})
}

fn levels(to_speak: i64) -> Value {
    json!({"type": "m.room.power_levels", "state_key": "", "sender": "@alice:x.example",
        "content": {"users": {"@alice:x.example": 100}, "users_default": 0, "events_default": to_speak,
                    "state_default": 50, "ban": 50, "kick": 50, "redact": 50, "invite": 0}})
}

fn plain(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).expect("tests name real ones");
    let kind = "application/json".parse().expect("plain text");
    response.headers_mut().insert("content-type", kind);
    response
}

fn refused(status: u16, code: &str, said: &str) -> Response {
    plain(status, &json!({"errcode": code, "error": said}))
}

async fn answer(
    Shared(state): Shared<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy();
    let what = format!("{method} {path}");
    let said = String::from_utf8_lossy(&body).into_owned();
    let fault = {
        let state = state.lock().expect("no holder panics");
        let mut lasting = state.lasting.iter();
        let met = lasting.find(|(part, words, _)| what.contains(part) && said.contains(words));
        met.map(|(_, _, fault)| fault.clone())
    };
    match fault {
        Some(Fault::Says(status, text)) => {
            let body = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            return plain(status, &body);
        }
        Some(Fault::Late(wait)) => {
            state.lock().expect("no holder panics").late += 1;
            tokio::time::sleep(wait).await;
            return plain(504, &json!(""));
        }
        Some(Fault::Cut) => {
            let half = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{\"")),
                Err(std::io::Error::other("the line broke")),
            ]);
            return Response::new(Body::from_stream(half));
        }
        None => {}
    }
    let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    if !state.lock().expect("no holder panics").is_homeserver {
        return plain(404, &json!("nothing here"));
    }
    let bearer = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let token = bearer
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if let Some(answer) = about_logins(&state, &parts, token) {
        return answer;
    }
    if parts.last() == Some(&"sync") {
        return sync(&state, &query).await;
    }
    act(&state, &method, &parts, &parsed)
}

/// The answers that depend on how the bot is logged in; `None` for all other requests.
fn about_logins(state: &Mutex<State>, parts: &[&str], token: &str) -> Option<Response> {
    let mut state = state.lock().expect("no holder panics");
    let oauth = state.oauth.clone();
    match (parts, &oauth) {
        ([".well-known", "matrix", "client"], _) => {
            return Some(match &state.well_known {
                Some(base) => plain(200, &json!({"m.homeserver": {"base_url": base}})),
                None => plain(404, &json!("nothing")),
            });
        }
        ([.., "auth_metadata"], Some((url, _))) => {
            return Some(plain(200, &super::oauth::metadata(url)));
        }
        ([.., "auth_metadata"], None) => {
            return Some(refused(404, "M_UNRECOGNIZED", "Unrecognized request"));
        }
        ([_, _, "versions"] | [.., "login"], _) => return None,
        _ => {}
    }
    let now = Instant::now();
    if let Some((_, valid)) = &oauth {
        let valid = valid.lock().expect("no holder panics");
        if valid.get(token).is_none_or(|until| *until < now) {
            let said = json!({"errcode": "M_UNKNOWN_TOKEN", "error": "Token expired", "soft_logout": true});
            return Some(plain(401, &said));
        }
    }
    match parts {
        [.., "account", "whoami"] => Some(match token {
            "revoked" => refused(401, "M_UNKNOWN_TOKEN", "Unknown token"),
            _ => {
                let mut told = json!({"user_id": state.owner});
                if let Some(device) = state.device {
                    told["device_id"] = device.into();
                }
                plain(200, &told)
            }
        }),
        [.., "logout"] => {
            state.logged_out.push(token.to_owned());
            Some(plain(200, &json!({})))
        }
        [.., "keys", "query"] if state.has_keys => {
            let device = state.device.unwrap_or_default();
            Some(plain(
                200,
                &json!({"device_keys": {ME: {device: {"user_id": ME}}}, "failures": {}}),
            ))
        }
        _ => None,
    }
}

/// The answer to a sync. It waits for news as long as the client asks.
async fn sync(state: &Mutex<State>, query: &HashMap<String, String>) -> Response {
    let since = query.get("since").and_then(|since| since.parse().ok());
    let wait = query.get("timeout").and_then(|ms| ms.parse().ok());
    let until = Instant::now() + Duration::from_millis(wait.unwrap_or(0));
    loop {
        {
            let state = state.lock().expect("no holder panics");
            let is_news = state.events.len() > since.unwrap_or(0);
            if is_news || Instant::now() >= until {
                return plain(200, &told(&state, since));
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn told(state: &State, since: Option<usize>) -> Value {
    let (mut join, mut leave, mut invite) = (json!({}), json!({}), json!({}));
    for (room, membership) in &state.rooms {
        let events: Vec<&Value> = state
            .events
            .iter()
            .filter(|event| event.room == *room && event.at > since.unwrap_or(0))
            .map(|event| &event.event)
            .collect();
        if events.is_empty() {
            continue;
        }
        let timeline = json!({"events": events, "limited": false, "prev_batch": "p"});
        match *membership {
            "join" => join[room] = json!({"timeline": timeline, "state": {"events": []}}),
            "leave" => leave[room] = json!({"timeline": timeline, "state": {"events": []}}),
            _ => {
                let stripped: Vec<Value> = events
                    .iter()
                    .filter(|event| !event["state_key"].is_null())
                    .map(|event| {
                        json!({"type": event["type"], "state_key": event["state_key"],
                               "sender": event["sender"], "content": event["content"]})
                    })
                    .collect();
                invite[room] = json!({"invite_state": {"events": stripped}});
            }
        }
    }
    json!({"next_batch": state.events.len().to_string(), "rooms": {"join": join, "leave": leave, "invite": invite},
           "device_one_time_keys_count": {"signed_curve25519": 50}, "device_unused_fallback_key_types": ["signed_curve25519"]})
}

fn act(state: &Mutex<State>, method: &Method, parts: &[&str], body: &Value) -> Response {
    let mut state = state.lock().expect("no holder panics");
    let after = parts.get(3..).unwrap_or_default();
    match (method.as_str(), after) {
        (_, []) => plain(
            200,
            &json!({"versions": ["v1.1", "v1.5", "v1.11"], "unstable_features": {}}),
        ),
        ("GET", ["login"]) => match &state.flows {
            Some(flows) => {
                let flows: Vec<Value> = flows.iter().map(|flow| json!({"type": flow})).collect();
                plain(200, &json!({"flows": flows}))
            }
            None => refused(404, "M_UNRECOGNIZED", "Unrecognized request"),
        },
        ("POST", ["login"]) => match body["password"] == PASSWORD || body["token"] == LOGIN_TOKEN {
            true => plain(
                200,
                &json!({"user_id": ME, "access_token": "token", "device_id": "DEVICE"}),
            ),
            false => refused(403, "M_FORBIDDEN", "Invalid username or password"),
        },
        ("POST", ["keys", "upload"]) => plain(
            200,
            &json!({"one_time_key_counts": {"signed_curve25519": 50}}),
        ),
        ("POST", ["keys", "query"]) => {
            plain(200, &json!({"device_keys": {ME: {}}, "failures": {}}))
        }
        ("POST", ["keys", ..]) => plain(200, &json!({"failures": {}})),
        ("POST", ["user", _, "filter"]) => plain(200, &json!({"filter_id": "1"})),
        ("PUT", ["user", ..]) => plain(200, &json!({})),
        ("POST", ["createRoom"]) => create_room(&mut state, body),
        ("POST", ["join", room] | ["rooms", room, "join"]) => {
            state.put(room, member(ME, ME, "join"));
            state.rooms.insert((*room).to_owned(), "join");
            plain(200, &json!({"room_id": room}))
        }
        (_, ["rooms", room, rest @ ..]) => in_room(&mut state, method, room, rest, body),
        _ => refused(404, "M_NOT_FOUND", "there is none"),
    }
}

/// The bot creates a room, and invites people into it.
fn create_room(state: &mut State, body: &Value) -> Response {
    state.created += 1;
    let room = format!("!made{}:x.example", state.created);
    let create = json!({"type": "m.room.create", "state_key": "", "sender": ME,
        "content": {"room_version": "10", "creator": ME}});
    state.put(&room, create);
    state.put(&room, member(ME, ME, "join"));
    state.put(&room, levels(0));
    for event in body["initial_state"].as_array().into_iter().flatten() {
        let mut event = event.clone();
        event["sender"] = ME.into();
        state.put(&room, event);
    }
    for person in body["invite"].as_array().into_iter().flatten() {
        state.put(
            &room,
            member(ME, person.as_str().unwrap_or_default(), "invite"),
        );
    }
    state.rooms.insert(room.clone(), "join");
    plain(200, &json!({"room_id": room}))
}

fn in_room(
    state: &mut State,
    method: &Method,
    room: &str,
    rest: &[&str],
    body: &Value,
) -> Response {
    let is_in = state.rooms.get(room) == Some(&"join");
    if !is_in {
        return refused(403, "M_FORBIDDEN", "you are not in the room");
    }
    let newest = state.events.iter().rev();
    let levels = newest
        .clone()
        .find(|event| event.room == room && event.event["type"] == "m.room.power_levels");
    let needed = levels.map_or(0, |event| {
        event.event["content"]["events_default"]
            .as_i64()
            .unwrap_or(0)
    });
    match (method.as_str(), rest) {
        ("PUT", ["send", kind, key] | ["redact", kind, key]) => {
            if needed > 0 {
                return refused(403, "M_FORBIDDEN", "you may not speak");
            }
            if let Some(id) = state.transactions.get(*key) {
                return plain(200, &json!({"event_id": id}));
            }
            if let Err(after) = state.take() {
                let said = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests",
                    "retry_after_ms": u64::try_from(after.as_millis()).expect("short") + 1});
                return plain(429, &said);
            }
            let id = match rest[0] {
                "send" => state.put(room, json!({"type": kind, "sender": ME, "content": body})),
                _ => {
                    if let Some(gone) = state.find(kind) {
                        gone["content"] = json!({});
                        gone["unsigned"] =
                            json!({"redacted_because": {"type": "m.room.redaction"}});
                    }
                    state.put(
                        room,
                        json!({"type": "m.room.redaction", "sender": ME, "redacts": kind, "content": {}}),
                    )
                }
            };
            state.transactions.insert((*key).to_owned(), id.clone());
            plain(200, &json!({"event_id": id}))
        }
        ("GET", ["event", id]) => match state.find(id) {
            Some(event) => {
                let mut event = event.clone();
                event["room_id"] = room.into();
                plain(200, &event)
            }
            None => refused(404, "M_NOT_FOUND", "there is no such event"),
        },
        ("GET", ["messages"]) => {
            let chunk: Vec<Value> = newest
                .filter(|event| event.room == room)
                .map(|event| event.event.clone())
                .collect();
            plain(200, &json!({"start": "s", "chunk": chunk, "state": []}))
        }
        ("GET", ["relations", of, ..]) => {
            let is_edit = |event: &&Event| {
                let relates = &event.event["content"]["m.relates_to"];
                relates["event_id"] == *of && relates["rel_type"] == "m.replace"
            };
            let chunk: Vec<Value> = newest
                .filter(is_edit)
                .map(|event| event.event.clone())
                .collect();
            plain(200, &json!({"chunk": chunk}))
        }
        _ => refused(404, "M_NOT_FOUND", "there is none"),
    }
}

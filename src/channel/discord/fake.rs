//! A Discord of our own for tests: channels, a forum, nonces, failures on demand, and a check of every body.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

pub(super) const TOKEN: &str = "a-token.that.is-none";
const ME: &str = "900";
const GUILD: &str = "700";
pub(super) const FORUM: &str = "15";
pub(super) const CLOSED: &str = "666";

/// What happens to the next request that changes something.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// Answered so, before anything is done: status, headers, body.
    Before(u16, Vec<(&'static str, &'static str)>, &'static str),
    /// Done, then answered so.
    After(u16, &'static str),
    /// Done, then the connection breaks in the middle of the answer.
    DropAfter,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    messages: HashMap<String, Vec<Value>>,
    pub(super) threads: Vec<Value>,
    nonces: HashMap<String, Value>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) requests: Vec<String>,
    pub(super) wrongs: Vec<String>,
    /// Headers of the answers to requests that change something.
    pub(super) limits: Vec<(&'static str, &'static str)>,
    last_id: u64,
    /// What the request that is being answered asks for besides.
    query: String,
    pub(super) archived: Vec<Value>,
}

#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<Kept>>);

impl Fake {
    pub(super) async fn start() -> (Self, String) {
        let fake = Self::default();
        let app = Router::new().fallback(answer).with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has one");
        tokio::spawn(async move { axum::serve(listener, app).await });
        (fake, format!("http://{address}"))
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().expect("no test panics while holding it")
    }

    pub(super) fn fail(&self, fault: Fault) {
        self.kept().faults.push_back(fault);
    }

    pub(super) fn in_room(&self, room: &str) -> Vec<Value> {
        self.kept().messages.get(room).cloned().unwrap_or_default()
    }
}

async fn answer(
    State(fake): State<Fake>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut kept = fake.kept();
    let path = uri.path().to_owned();
    kept.requests.push(format!("{method} {path}"));
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("authorization") != Some(&format!("Bot {TOKEN}")) {
        return plain(401, &[], r#"{"message":"401: Unauthorized","code":0}"#);
    }
    if !header("user-agent").is_some_and(|agent| agent.starts_with("DiscordBot (https://")) {
        kept.wrongs.push("the User-Agent".to_owned());
    }
    let fault = match method {
        Method::GET => None,
        _ => kept.faults.pop_front(),
    };
    if let Some(Fault::Before(status, headers, text)) = &fault {
        return plain(*status, headers, text);
    }
    let body: Value = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).expect("the bot sends JSON"),
    };
    let limits = match method {
        Method::GET => Vec::new(),
        _ => kept.limits.clone(),
    };
    kept.query = uri.query().unwrap_or_default().to_owned();
    let (status, done) = kept.act(&method, &path, body);
    match fault {
        Some(Fault::After(status, text)) => plain(status, &[], text),
        Some(Fault::DropAfter) => {
            let half = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{\"id\":")),
                Err(std::io::Error::other("the line broke")),
            ]);
            Response::new(Body::from_stream(half))
        }
        _ if status == 204 => plain(204, &limits, ""),
        _ => plain(status, &limits, &done.to_string()),
    }
}

fn plain(status: u16, headers: &[(&str, &str)], text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).expect("tests name real ones");
    for (name, value) in headers {
        response.headers_mut().insert(
            axum::http::HeaderName::from_bytes(name.as_bytes()).expect("tests name real ones"),
            value.parse().expect("tests give plain ones"),
        );
    }
    response
}

fn refused(status: u16, code: u64) -> (u16, Value) {
    (status, json!({"message": "refused", "code": code}))
}

impl Kept {
    fn next_id(&mut self) -> String {
        self.last_id += 1;
        (100_000 + self.last_id).to_string()
    }

    fn query_number(&self, name: &str) -> Option<u64> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse().ok()
    }

    fn act(&mut self, method: &Method, path: &str, body: Value) -> (u16, Value) {
        let parts: Vec<&str> = path.trim_start_matches("/api/v10/").split('/').collect();
        if parts.get(1) == Some(&"404") {
            return refused(404, 10003);
        }
        if parts.get(1) == Some(&CLOSED) {
            return refused(403, 50001);
        }
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["users", "@me"]) => (200, json!({"id": ME})),
            ("GET", ["channels", id]) => {
                let kind = if *id == FORUM { 15 } else { 0 };
                (
                    200,
                    json!({"id": id, "type": kind, "name": "news", "guild_id": GUILD}),
                )
            }
            ("GET", ["channels", id, "messages"]) => {
                let room = self.messages.get(*id).into_iter().flatten();
                let Some(after) = self.query_number("after") else {
                    let newest_first: Vec<_> = room.rev().collect();
                    return (200, json!(newest_first));
                };
                let number = |message: &Value| message["id"].as_str()?.parse::<u64>().ok();
                let limit = self.query_number("limit").unwrap_or(50) as usize;
                let room = room.filter(|message| number(message) > Some(after));
                let mut page: Vec<_> = room.take(limit).collect();
                page.reverse();
                (200, json!(page))
            }
            ("GET", ["channels", id, "messages", message]) => match self.one(id, message) {
                Some(message) => (200, message.clone()),
                None => refused(404, 10008),
            },
            ("GET", ["guilds", GUILD, "threads", "active"]) => {
                (200, json!({"threads": self.threads}))
            }
            ("GET", ["channels", id, "threads", "archived", "public"]) => {
                let archived = self.archived.iter();
                let here: Vec<_> = archived
                    .filter(|thread| thread["parent_id"] == *id)
                    .collect();
                (200, json!({"threads": here, "has_more": false}))
            }
            ("POST", ["channels", id, "messages"]) => {
                self.check("/channels/{channel_id}/messages", "post", &body, &body);
                let nonce = body["nonce"].as_str().unwrap_or_default().to_owned();
                if let Some(there) = self.nonces.get(&nonce) {
                    return (200, there.clone());
                }
                let message = self.keep(id, &body);
                self.nonces.insert(nonce, message.clone());
                (200, message)
            }
            ("PATCH", ["channels", id, "messages", message]) => {
                let template = "/channels/{channel_id}/messages/{message_id}";
                self.check(template, "patch", &body, &body);
                match self.one(id, message) {
                    Some(there) => {
                        there["embeds"] = body["embeds"].clone();
                        (200, there.clone())
                    }
                    None => refused(404, 10008),
                }
            }
            ("DELETE", ["channels", id, "messages", message]) => {
                if self.one(id, message).is_none() {
                    return refused(404, 10008);
                }
                let room = self.messages.entry((*id).to_owned()).or_default();
                room.retain(|there| there["id"] != *message);
                (204, Value::Null)
            }
            ("POST", ["channels", id, "threads"]) => {
                let template = "/channels/{channel_id}/threads";
                self.check(template, "post", &body, &body["message"]);
                let thread = self.next_id();
                let mut starter = self.keep(&thread, &body["message"]);
                starter["id"] = thread.clone().into();
                self.messages.insert(thread.clone(), vec![starter.clone()]);
                let made = json!({"id": thread, "parent_id": id, "name": body["name"], "message": starter});
                self.threads.push(made.clone());
                (201, made)
            }
            _ => refused(404, 0),
        }
    }

    fn one(&mut self, room: &str, id: &str) -> Option<&mut Value> {
        let room = self.messages.get_mut(room)?;
        room.iter_mut().find(|message| message["id"] == id)
    }

    fn keep(&mut self, room: &str, body: &Value) -> Value {
        let message = json!({"id": self.next_id(), "channel_id": room, "author": {"id": ME},
            "embeds": body["embeds"], "message_reference": body["message_reference"]});
        let messages = self.messages.entry(room.to_owned()).or_default();
        messages.push(message.clone());
        message
    }

    fn check(&mut self, template: &str, method: &str, whole: &Value, message: &Value) {
        self.wrongs.extend(wrongs_by_hand(message));
        self.wrongs
            .extend(wrongs_by_description(template, method, whole));
    }
}

/// What is wrong with a message's body by the limits that Discord documents.
pub(super) fn wrongs_by_hand(body: &Value) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut total = 0;
    let embeds = body["embeds"].as_array().cloned().unwrap_or_default();
    if embeds.is_empty() || embeds.len() > 10 {
        wrongs.push("the number of embeds".to_owned());
    }
    let limits = [
        ("/title", 256),
        ("/description", 4096),
        ("/author/name", 256),
        ("/footer/text", 2048),
    ];
    for embed in &embeds {
        for (part, max) in limits {
            let Some(text) = embed.pointer(part) else {
                continue;
            };
            let text = text.as_str().unwrap_or_default();
            let length = text.chars().count();
            total += length;
            if length > max || text.trim().is_empty() {
                wrongs.push(format!("{part} has {length}"));
            }
        }
        if let Some(url) = embed.get("url") {
            let url = url.as_str().unwrap_or_default();
            if !(url.starts_with("https://") || url.starts_with("http://")) || url.len() > 2048 {
                wrongs.push(format!("the address {url}"));
            }
        }
    }
    if total > 6000 {
        wrongs.push(format!("{total} altogether"));
    }
    if body["allowed_mentions"] != json!({"parse": []}) {
        wrongs.push("it may mention somebody".to_owned());
    }
    if body.get("content").is_some() {
        wrongs.push("it has content".to_owned());
    }
    if let Some(nonce) = body.get("nonce") {
        let is_short = nonce
            .as_str()
            .is_some_and(|nonce| (1..=25).contains(&nonce.len()));
        if !is_short || body["enforce_nonce"] != true {
            wrongs.push("the nonce".to_owned());
        }
    }
    wrongs
}

/// What is wrong with a request by Discord's own description, where that is at hand.
pub(super) fn wrongs_by_description(template: &str, method: &str, body: &Value) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/discord/openapi.json");
    let Ok(text) = std::fs::read(path) else {
        return Vec::new();
    };
    let spec: Value = serde_json::from_slice(&text).expect("the description is JSON");
    let escape = |part: &str| part.replace('~', "~0").replace('/', "~1");
    let pointer = format!(
        "urn:discord#/paths/{}/{method}/requestBody/content/{}/schema",
        escape(template),
        escape("application/json")
    );
    let pointer = pointer.replace('{', "%7B").replace('}', "%7D");
    let registry = jsonschema::Registry::new()
        .add("urn:discord", jsonschema::Resource::from_contents(spec))
        .expect("the name is a URI")
        .prepare()
        .expect("the description is whole");
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_registry(&registry)
        .should_validate_formats(true)
        .build(&json!({"$ref": pointer}))
        .expect("the description has the route");
    validator
        .iter_errors(body)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect()
}

//! The REST interface: the effect of each request after its check, and the response, checked too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use super::faults::{Fault, broken};
use super::limits::Standing;
use super::rooms::{Message, Right, Room, user};
use super::{APPLICATION, GUILD, ME, Seen, State, check, interactions};

/// How often a thread may be renamed.
const RENAMES_MAX: u32 = 2;

/// A parsed request: the path as in Discord's description, and the key of its rate limit.
struct Route<'p> {
    template: &'static str,
    major: &'p str,
}

pub(super) type Done = (u16, Value);
/// The query of a path.
type Query = HashMap<String, String>;

fn query(uri: &Uri) -> Query {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_owned().collect()
}

pub(super) async fn answer(
    Shared(state): Shared<Arc<Mutex<State>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (response, wait) = handle(&state, &method, &uri, &headers, &body);
    if let Some(wait) = wait {
        tokio::time::sleep(wait).await;
    }
    response
}

fn handle(
    state: &Mutex<State>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> (Response, Option<std::time::Duration>) {
    let mut state = state.lock().expect("no holder of the fake panics");
    let state = &mut *state;
    let path = uri.path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches("/api/v10/").split('/').collect();
    let parsed: Value = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(body).unwrap_or_else(|_| json!("no JSON")),
    };
    let Some(route) = route(method, &parts) else {
        let wrong = format!("{method} {path}: there is no such route");
        state.wrongs.push(wrong);
        return (error(404, 0, "404: Not Found"), None);
    };
    let what = format!("{method} {}", shown(route.template, &parts));
    state.seen.push(Seen { what: what.clone() });
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !path.starts_with("/api/v10/") {
        state.wrongs.push(format!("{what}: the version"));
    }
    let agent = header("user-agent").unwrap_or_default();
    // serenity uses another path to ask for the gateway.
    if !agent.starts_with("DiscordBot (https://") {
        state
            .wrongs
            .push(format!("{what}: the User-Agent {agent:?}"));
    }
    let is_open = matches!(parts[0], "interactions" | "webhooks") || parts == ["gateway"];
    if !is_open && header("authorization") != Some(format!("Bot {}", state.token).as_str()) {
        return (error(401, 0, "401: Unauthorized"), None);
    }
    let counted = format!("{method} {}", route.template);
    if state.limits.is_early(&counted, route.major, !is_open) {
        state
            .wrongs
            .push(format!("{what}: earlier than an answer allowed"));
    }
    let said = parsed.to_string();
    let once = state.faults.iter().position(|(on, _)| on.is(&what, &said));
    let fault = match once {
        Some(place) => Some(state.faults.remove(place).1),
        None => {
            let mut lasting = state.lasting.iter();
            let found = lasting.find(|(on, _)| on.is(&what, &said));
            found.map(|(_, fault)| fault.clone())
        }
    };
    match &fault {
        Some(Fault::Cut) => return (broken(), None),
        Some(Fault::Late(wait)) => return (plain(504, &[], ""), Some(*wait)),
        Some(Fault::Held) => {
            let held = (method.clone(), parts.join("/"), parsed.clone());
            state.held.push(held);
            return (plain(504, &[], ""), None);
        }
        Some(Fault::Before(status, text)) => return (plain(*status, &[], text), None),
        Some(Fault::Limited { scope, after }) => {
            state.limits.hold(&counted, route.major, scope, *after);
            return (limited(scope, *after), None);
        }
        _ => {}
    }
    let standing = state.limits.take(&counted, route.major);
    if standing.is_over {
        return (limited("user", standing.reset_after), None);
    }
    let lower = method.as_str().to_lowercase();
    let wrongs = match method {
        &Method::GET | &Method::DELETE => Vec::new(),
        _ => check::wrongs_in_request(route.template, &lower, &parsed),
    };
    let (status, done) = match wrongs.is_empty() {
        true => state.act(method, &parts, &query(uri), &parsed),
        false => {
            state
                .wrongs
                .extend(wrongs.iter().map(|wrong| format!("{what}: {wrong}")));
            refused(400, 50035, "Invalid Form Body")
        }
    };
    for wrong in check::wrongs_in_answer(route.template, &lower, status, &done) {
        state
            .wrongs
            .push(format!("our own answer to {what}: {wrong}"));
    }
    let text = match done.is_null() {
        true => String::new(),
        false => done.to_string(),
    };
    match fault {
        Some(Fault::After(status, text)) => (plain(status, &[], text), None),
        Some(Fault::DropAfter) => (broken(), None),
        Some(Fault::LateAfter(wait)) => (plain(status, &of(&standing), &text), Some(wait)),
        _ => (plain(status, &of(&standing), &text), None),
    }
}

/// A path without its secrets.
fn shown(template: &str, parts: &[&str]) -> String {
    let names = template.trim_start_matches('/').split('/');
    let parts = names
        .zip(parts)
        .map(|(name, part)| match name.contains("token") {
            true => "…",
            false => part,
        });
    format!("/{}", parts.collect::<Vec<_>>().join("/"))
}

fn route<'p>(method: &Method, parts: &[&'p str]) -> Option<Route<'p>> {
    let (template, major) = match (method.as_str(), parts) {
        ("GET", ["gateway"]) => ("/gateway", ""),
        ("GET", ["gateway", "bot"]) => ("/gateway/bot", ""),
        ("GET", ["users", "@me"]) => ("/users/@me", ""),
        ("POST", ["users", "@me", "channels"]) => ("/users/@me/channels", ""),
        ("GET" | "PATCH", ["channels", id]) => ("/channels/{channel_id}", *id),
        ("GET" | "POST", ["channels", id, "messages"]) => ("/channels/{channel_id}/messages", *id),
        ("GET" | "PATCH" | "DELETE", ["channels", id, "messages", _]) => {
            ("/channels/{channel_id}/messages/{message_id}", *id)
        }
        ("POST", ["channels", id, "threads"]) => ("/channels/{channel_id}/threads", *id),
        ("POST", ["channels", id, "messages", _, "threads"]) => {
            ("/channels/{channel_id}/messages/{message_id}/threads", *id)
        }
        ("GET", ["channels", id, "threads", "archived", "public"]) => {
            ("/channels/{channel_id}/threads/archived/public", *id)
        }
        ("GET", ["guilds", id, "threads", "active"]) => ("/guilds/{guild_id}/threads/active", *id),
        ("GET", ["guilds", id]) => ("/guilds/{guild_id}", *id),
        ("GET", ["guilds", id, "members", _]) => ("/guilds/{guild_id}/members/{user_id}", *id),
        ("PUT", ["applications", id, "commands"]) => {
            ("/applications/{application_id}/commands", *id)
        }
        ("POST", ["interactions", id, _, "callback"]) => (
            "/interactions/{interaction_id}/{interaction_token}/callback",
            *id,
        ),
        ("POST", ["webhooks", _, token]) => ("/webhooks/{webhook_id}/{webhook_token}", *token),
        ("PATCH" | "DELETE", ["webhooks", _, token, "messages", "@original"]) => (
            "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
            *token,
        ),
        _ => return None,
    };
    Some(Route { template, major })
}

fn of(standing: &Standing) -> Vec<(&'static str, String)> {
    vec![
        ("x-ratelimit-limit", standing.most.to_string()),
        ("x-ratelimit-remaining", standing.left.to_string()),
        (
            "x-ratelimit-reset-after",
            format!("{:.3}", standing.reset_after.as_secs_f64()),
        ),
        ("x-ratelimit-bucket", standing.bucket.clone()),
    ]
}

fn limited(scope: &str, after: std::time::Duration) -> Response {
    let seconds = after.as_secs_f64();
    let is_global = scope == "global";
    let body = json!({"message": "You are being rate limited.", "retry_after": seconds, "global": is_global});
    let mut headers = vec![
        ("retry-after", format!("{seconds:.3}")),
        ("x-ratelimit-scope", scope.to_owned()),
    ];
    if is_global {
        headers.push(("x-ratelimit-global", "true".to_owned()));
    }
    plain(429, &headers, &body.to_string())
}

fn error(status: u16, code: u64, message: &str) -> Response {
    plain(
        status,
        &[],
        &json!({"code": code, "message": message}).to_string(),
    )
}

fn plain(status: u16, headers: &[(&'static str, String)], text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).expect("tests name real ones");
    for (name, value) in headers {
        let value = value.parse().expect("plain text");
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    response
}

pub(super) fn refused(status: u16, code: u64, message: &str) -> Done {
    (status, json!({"message": message, "code": code}))
}

impl State {
    pub(super) fn act(
        &mut self,
        method: &Method,
        parts: &[&str],
        query: &Query,
        body: &Value,
    ) -> Done {
        match (method.as_str(), parts) {
            ("GET", ["gateway"]) => (200, json!({"url": self.gateway_url()})),
            ("GET", ["gateway", "bot"]) => {
                let limit = json!({"total": 1000, "remaining": self.gateway.starts_left, "reset_after": 86_400_000, "max_concurrency": 1});
                (
                    200,
                    json!({"url": self.gateway_url(), "shards": 1, "session_start_limit": limit}),
                )
            }
            ("GET", ["users", "@me"]) => {
                let mut me = user(ME, true);
                me["mfa_enabled"] = false.into();
                me["locale"] = "en-US".into();
                (200, me)
            }
            ("POST", ["users", "@me", "channels"]) => self.open_direct(body),
            ("PUT", ["applications", id, "commands"]) => self.register(id, body),
            ("POST", ["interactions", id, token, "callback"]) => {
                interactions::first(self, id, token, body)
            }
            ("POST", ["webhooks", application, token]) => {
                interactions::more(self, application, token, body)
            }
            ("PATCH" | "DELETE", ["webhooks", application, token, ..]) => {
                let body = (*method == Method::PATCH).then_some(body);
                interactions::change(self, application, token, body)
            }
            ("GET", ["guilds", guild, ..]) if *guild != GUILD => {
                refused(404, 10004, "Unknown Guild")
            }
            ("GET", ["guilds", _]) => (200, super::gateway::server()),
            ("GET", ["guilds", _, "members", id]) => match *id == ME {
                true => (200, super::gateway::member()),
                false => refused(404, 10013, "Unknown User"),
            },
            ("GET", ["guilds", guild, "threads", "active"]) => match *guild == GUILD {
                true => self.active_threads(),
                false => refused(404, 10004, "Unknown Guild"),
            },
            (_, ["channels", id, rest @ ..]) => {
                let Some(room) = self.rooms.get(*id).cloned() else {
                    return refused(404, 10003, "Unknown Channel");
                };
                if room.denied.contains(&Right::View) {
                    return refused(403, 50001, "Missing Access");
                }
                self.act_in(&room, method, rest, query, body)
            }
            _ => refused(404, 0, "404: Not Found"),
        }
    }

    fn act_in(
        &mut self,
        room: &Room,
        method: &Method,
        rest: &[&str],
        query: &Query,
        body: &Value,
    ) -> Done {
        let cannot_read = room.denied.contains(&Right::ReadHistory);
        match (method.as_str(), rest) {
            ("GET", []) => {
                let messages = self.messages.get(&room.id).map_or(&[][..], Vec::as_slice);
                let mut shown = room.show(messages.len());
                shown["last_message_id"] = messages.last().map(|last| last.id.clone()).into();
                (200, shown)
            }
            ("PATCH", []) => self.change_thread(room, body),
            // Without Read Message History, a channel seems empty.
            ("GET", ["messages"]) if cannot_read => (200, json!([])),
            ("GET", ["messages", _]) if cannot_read => refused(403, 50001, "Missing Access"),
            ("GET", ["messages"]) => self.list(room, query),
            ("GET", ["threads", "archived", "public"]) => {
                let threads = self.rooms.values().filter(|thread| {
                    thread.is_archived && thread.parent.as_ref() == Some(&room.id)
                });
                let threads: Vec<Value> = threads.map(|thread| thread.show(1)).collect();
                (
                    200,
                    json!({"threads": threads, "members": [], "has_more": false}),
                )
            }
            ("POST", ["messages"]) => self.send(room, body),
            ("GET", ["messages", id]) => match self.one(&room.id, id) {
                Some(message) => (200, message.show(&room.id)),
                None => refused(404, 10008, "Unknown Message"),
            },
            ("PATCH", ["messages", id]) => self.edit(room, id, body),
            ("DELETE", ["messages", id]) => match self.one(&room.id, id) {
                Some(_) => {
                    let messages = self.messages.entry(room.id.clone()).or_default();
                    messages.retain(|message| message.id != *id);
                    (204, Value::Null)
                }
                None => refused(404, 10008, "Unknown Message"),
            },
            ("POST", ["messages", id, "threads"]) => self.thread_of_message(room, id, body),
            ("POST", ["threads"]) => self.post_in_forum(room, body),
            _ => refused(404, 0, "404: Not Found"),
        }
    }

    /// The channel of direct messages to a person, which is always the same.
    fn open_direct(&mut self, body: &Value) -> Done {
        let person = body["recipient_id"].as_str().unwrap_or_default();
        if person.is_empty() || person == ME {
            return refused(400, 50033, "Invalid Recipient(s)");
        }
        let room = Room::direct(person);
        let shown = room.show(0);
        self.rooms.entry(room.id.clone()).or_insert(room);
        (200, shown)
    }

    /// A page of messages, the newest first: the newest of all, or the oldest of those after an id.
    fn list(&self, room: &Room, query: &Query) -> Done {
        let number = |id: &str| id.parse::<u64>().expect("ids are numbers");
        let limit = query.get("limit").map_or(50, |limit| number(limit));
        let limit = usize::try_from(limit).expect("a small number");
        if !(1..=100).contains(&limit) {
            return refused(400, 50035, "Invalid Form Body");
        }
        let messages = self.messages.get(&room.id).into_iter().flatten();
        let mut page: Vec<Value> = match query.get("after") {
            Some(after) => {
                let after = number(after);
                let later = messages.filter(|message| number(&message.id) > after);
                later
                    .take(limit)
                    .map(|message| message.show(&room.id))
                    .collect()
            }
            None => {
                let newest = messages.rev().take(limit);
                return (200, newest.map(|message| message.show(&room.id)).collect());
            }
        };
        page.reverse();
        (200, json!(page))
    }

    fn one(&mut self, room: &str, id: &str) -> Option<&mut Message> {
        let messages = self.messages.get_mut(room)?;
        messages.iter_mut().find(|message| message.id == id)
    }

    /// Whether the bot may speak in a room. For a thread, its parent channel counts too.
    fn may_send(&self, room: &Room) -> bool {
        let right = match room.is_thread() {
            true => Right::SendInThreads,
            false => Right::Send,
        };
        let parent = room.parent.as_ref().and_then(|id| self.rooms.get(id));
        !room.denied.contains(&right) && parent.is_none_or(|parent| !parent.denied.contains(&right))
    }

    fn send(&mut self, room: &Room, body: &Value) -> Done {
        if room.kind == 15 {
            return refused(400, 50008, "Cannot send messages in a non-text channel");
        }
        if room.kind == 1 && self.closed.contains(&room.name) {
            return refused(403, 50007, "Cannot send messages to this user");
        }
        if !self.may_send(room) {
            return refused(403, 50013, "Missing Permissions");
        }
        if room.is_locked {
            return refused(400, 160_005, "Thread is locked");
        }
        let nonce = body["nonce"].as_str().map(str::to_owned);
        if let Some(nonce) = &nonce
            && let Some((at, there, id)) = self.nonces.get(nonce).cloned()
            && at.elapsed() < self.nonce_lasts
        {
            // In any channel with this author: the first message is returned.
            if there != room.id {
                self.wrongs.push(format!(
                    "the nonce {nonce} is used in {there} and in {}",
                    room.id
                ));
            }
            return match self.one(&there, &id) {
                Some(message) => (200, message.show(&there)),
                None => refused(404, 10008, "Unknown Message"),
            };
        }
        let message = Message::new(self.next_id(), body);
        let shown = message.show(&room.id);
        if let Some(nonce) = nonce {
            self.nonces
                .insert(nonce, (Instant::now(), room.id.clone(), message.id.clone()));
        }
        self.messages
            .entry(room.id.clone())
            .or_default()
            .push(message);
        // A message in an archived thread opens it.
        if let Some(room) = self.rooms.get_mut(&room.id) {
            room.is_archived = false;
        }
        (200, shown)
    }

    fn edit(&mut self, room: &Room, id: &str, body: &Value) -> Done {
        if room.is_archived {
            return refused(400, 50083, "Thread is archived");
        }
        let Some(message) = self.one(&room.id, id) else {
            return refused(404, 10008, "Unknown Message");
        };
        match message.edits_left {
            Some(0) => {
                return refused(
                    429,
                    30046,
                    "Maximum number of edits to messages older than 1 hour reached.",
                );
            }
            Some(left) => message.edits_left = Some(left - 1),
            None => {}
        }
        message.edit(body);
        (200, message.show(&room.id))
    }

    fn active_threads(&self) -> Done {
        let threads = self
            .rooms
            .values()
            .filter(|room| room.is_thread() && !room.is_archived);
        let threads: Vec<Value> = threads.map(|room| room.show(1)).collect();
        (
            200,
            json!({"threads": threads, "members": [], "has_more": false}),
        )
    }

    fn change_thread(&mut self, room: &Room, body: &Value) -> Done {
        if !room.is_thread() {
            return refused(403, 50013, "Missing Permissions");
        }
        if room.is_locked {
            return refused(403, 50013, "Missing Permissions");
        }
        if room.is_archived && body["archived"] != false {
            return refused(400, 50083, "Thread is archived");
        }
        let forum = room
            .parent
            .as_ref()
            .and_then(|id| self.rooms.get(id))
            .cloned();
        let tags = body.get("applied_tags").map(ids);
        if let (Some(tags), Some(forum)) = (&tags, &forum)
            && let Some(refusal) = wrong_tags(forum, tags)
        {
            return refusal;
        }
        let room = self.rooms.get_mut(&room.id).expect("it was there just now");
        if let Some(name) = body["name"].as_str() {
            if room.renames >= RENAMES_MAX {
                return (
                    429,
                    json!({"message": "You are being rate limited.", "retry_after": 500.0, "global": false}),
                );
            }
            room.renames += 1;
            room.name = name.to_owned();
        }
        if let Some(tags) = tags {
            room.applied = tags;
        }
        if let Some(is_archived) = body["archived"].as_bool() {
            room.is_archived = is_archived;
        }
        (200, room.show(1))
    }

    fn thread_of_message(&mut self, room: &Room, message: &str, body: &Value) -> Done {
        if room.denied.contains(&Right::CreateThreads) {
            return refused(403, 50013, "Missing Permissions");
        }
        if !matches!(room.kind, 0 | 5) {
            return refused(400, 50024, "Cannot execute action on this channel type");
        }
        if self.one(&room.id, message).is_none() {
            return refused(404, 10008, "Unknown Message");
        }
        if self.rooms.contains_key(message) {
            return refused(
                400,
                160_004,
                "A thread has already been created for this message",
            );
        }
        let mut thread = Room::thread(message, &room.id);
        thread.kind = if room.kind == 5 { 10 } else { 11 };
        thread.name = body["name"].as_str().unwrap_or_default().to_owned();
        let shown = thread.show(0);
        self.rooms.insert(message.to_owned(), thread);
        (201, shown)
    }

    fn post_in_forum(&mut self, forum: &Room, body: &Value) -> Done {
        if forum.kind != 15 {
            return refused(400, 50024, "Cannot execute action on this channel type");
        }
        if forum.denied.contains(&Right::Send) {
            return refused(403, 50013, "Missing Permissions");
        }
        let tags = body.get("applied_tags").map(ids).unwrap_or_default();
        if let Some(refusal) = wrong_tags(forum, &tags) {
            return refusal;
        }
        if body["message"].get("nonce").is_some() {
            self.wrongs.push("a forum post takes no nonce".to_owned());
        }
        let id = self.next_id();
        let mut thread = Room::thread(&id, &forum.id);
        thread.name = body["name"].as_str().unwrap_or_default().to_owned();
        thread.applied = tags;
        let message = Message::new(id.clone(), &body["message"]);
        let mut shown = thread.show(1);
        shown["message"] = message.show(&id);
        self.messages.insert(id.clone(), vec![message]);
        self.rooms.insert(id, thread);
        (201, shown)
    }

    fn register(&mut self, application: &str, body: &Value) -> Done {
        if application != APPLICATION {
            return refused(404, 10002, "Unknown Application");
        }
        self.registrations += 1;
        let mut commands = body.clone();
        for command in commands.as_array_mut().into_iter().flatten() {
            command["id"] = self.next_id().into();
            command["version"] = self.next_id().into();
            command["application_id"] = APPLICATION.into();
            command["type"] = 1.into();
            for field in ["default_member_permissions", "contexts"] {
                if command.get(field).is_none() {
                    command[field] = Value::Null;
                }
            }
        }
        self.commands = commands.clone();
        (200, commands)
    }
}

fn ids(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    list.iter()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect()
}

fn wrong_tags(forum: &Room, tags: &[String]) -> Option<Done> {
    if forum.wants_tag && tags.is_empty() {
        return Some(refused(
            400,
            40067,
            "A tag is required to create a forum post in this channel",
        ));
    }
    let find = |id: &String| forum.tags.iter().find(|(tag, _, _)| tag == id);
    match tags
        .iter()
        .all(|id| find(id).is_some_and(|(_, _, moderated)| !moderated))
    {
        true => None,
        false => Some(refused(400, 10087, "Unknown Tag")),
    }
}

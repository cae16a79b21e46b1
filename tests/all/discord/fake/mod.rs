//! A simulated Discord for tests: REST and gateway on one loopback port, with the behaviour that a bot must handle.
//!
//! Every request and every response is checked against Discord's description, if it is installed, and against rules
//! that it lacks. A violation fails its test, when the fake is dropped or in [`Fake::wrongs`].

pub(crate) mod check;
mod faults;
mod gateway;
mod hand;
mod interactions;
mod limits;
mod rest;
mod rooms;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};

pub(crate) use self::faults::{Fault, On};
pub(crate) use self::gateway::{Counts, Tell};
pub(crate) use self::interactions::{Answer, Asked, Person};
pub(crate) use self::rooms::{Right, Room, direct};

use self::gateway::Gateway;
use self::limits::Limits;
use self::rooms::Message;

pub(crate) const TOKEN: &str = "a-token.that.is-none";
pub(crate) const ME: &str = "900000000000000001";
pub(crate) const APPLICATION: &str = "900000000000000002";
pub(crate) const GUILD: &str = "700000000000000001";
/// How long a nonce is remembered, unless a test changes it.
const NONCE_LASTS: Duration = Duration::from_mins(5);

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The method and the path, without an interaction's token.
    pub(crate) what: String,
}

pub(crate) struct State {
    address: SocketAddr,
    rooms: BTreeMap<String, Room>,
    messages: HashMap<String, Vec<Message>>,
    nonces: HashMap<String, (Instant, String, String)>,
    nonce_lasts: Duration,
    faults: Vec<(On, Fault)>,
    /// The fault of every matching request.
    lasting: Vec<(On, Fault)>,
    /// Requests that arrive late.
    held: Vec<(axum::http::Method, String, Value)>,
    limits: Limits,
    seen: Vec<Seen>,
    wrongs: Vec<String>,
    /// People who closed their direct messages to the bot.
    closed: BTreeSet<String>,
    gateway: Gateway,
    asked: HashMap<String, Asked>,
    commands: Value,
    registrations: usize,
    token: String,
    last_id: u64,
}

impl State {
    fn next_id(&mut self) -> String {
        self.last_id += 1;
        (100_000_000_000_000_000 + self.last_id).to_string()
    }
}

/// The fake. Dropping it fails the test if anything was wrong.
pub(crate) struct Fake {
    state: Arc<Mutex<State>>,
    base: String,
}

impl Fake {
    /// A Discord with these rooms.
    pub(crate) async fn start(rooms: &[Room]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has one");
        let state = State {
            address,
            rooms: rooms
                .iter()
                .map(|room| (room.id.clone(), room.clone()))
                .collect(),
            messages: HashMap::new(),
            nonces: HashMap::new(),
            nonce_lasts: NONCE_LASTS,
            faults: Vec::new(),
            lasting: Vec::new(),
            held: Vec::new(),
            limits: Limits::default(),
            seen: Vec::new(),
            wrongs: Vec::new(),
            closed: BTreeSet::new(),
            gateway: Gateway::default(),
            asked: HashMap::new(),
            commands: json!([]),
            registrations: 0,
            token: TOKEN.to_owned(),
            last_id: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let app = Router::new()
            .route("/", get(gateway::connect))
            .route("/again/", get(gateway::connect))
            .fallback(rest::answer)
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            state,
            base: format!("http://{address}"),
        }
    }

    /// Its address.
    pub(crate) fn base(&self) -> String {
        self.base.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the fake panics")
    }

    /// The next request that matches `on` fails with `fault`.
    pub(crate) fn fail(&self, on: On, fault: Fault) {
        self.state().faults.push((on, fault));
    }

    /// Every request that matches `on` fails with `fault`, until [`Fake::mend`].
    pub(crate) fn fail_always(&self, on: On, fault: Fault) {
        self.state().lasting.push((on, fault));
    }

    /// From now on, nothing fails.
    pub(crate) fn mend(&self) {
        self.state().lasting.clear();
    }

    /// Delayed requests arrive now.
    pub(crate) fn land(&self) {
        let mut state = self.state();
        for (method, path, body) in std::mem::take(&mut state.held) {
            let parts: Vec<&str> = path.split('/').collect();
            state.act(&method, &parts, &HashMap::new(), &body);
        }
    }

    /// Whether every fault that a test set was met.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().faults.is_empty()
    }

    /// How long nonces are remembered from now on.
    pub(crate) fn remember_nonces_for(&self, lasts: Duration) {
        self.state().nonce_lasts = lasts;
    }

    /// From now on, the bot has another token.
    pub(crate) fn revoke_token(&self) {
        self.state().token = "another-token".to_owned();
    }

    /// Every channel accepts this many messages in this time.
    pub(crate) fn limit_messages(&self, most: u32, window: Duration) {
        self.state().limits.messages = (most, window);
    }

    /// The requests so far that contain `what`.
    pub(crate) fn seen(&self, what: &str) -> Vec<Seen> {
        let state = self.state();
        let seen = state.seen.iter().filter(|seen| seen.what.contains(what));
        seen.cloned().collect()
    }

    /// The messages in a room, without deleted ones.
    pub(crate) fn messages(&self, room: &str) -> Vec<Value> {
        let state = self.state();
        let messages = state.messages.get(room).into_iter().flatten();
        messages.map(|message| message.show(room)).collect()
    }

    /// The titles of the messages in a room.
    pub(crate) fn titles(&self, room: &str) -> Vec<String> {
        let messages = self.messages(room);
        let titles = messages
            .iter()
            .map(|message| message["embeds"][0]["title"].as_str());
        titles
            .map(|title| title.unwrap_or_default().to_owned())
            .collect()
    }

    /// A room in its present state.
    pub(crate) fn room(&self, id: &str) -> Room {
        self.state()
            .rooms
            .get(id)
            .expect("there is such a room")
            .clone()
    }

    /// The threads of a room, the oldest first.
    pub(crate) fn threads(&self, of: &str) -> Vec<Room> {
        let state = self.state();
        let threads = state
            .rooms
            .values()
            .filter(|room| room.parent.as_deref() == Some(of));
        threads.cloned().collect()
    }

    /// A person closes their direct messages, blocks the bot, or leaves its server; or opens them again.
    pub(crate) fn close(&self, person: &str, is_closed: bool) {
        let closed = &mut self.state().closed;
        match is_closed {
            true => closed.insert(person.to_owned()),
            false => closed.remove(person),
        };
    }

    /// Changes a room as its moderators may.
    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Room)) {
        change(
            self.state()
                .rooms
                .get_mut(id)
                .expect("there is such a room"),
        );
    }

    /// A person deletes all messages of a room.
    pub(crate) fn delete_messages(&self, room: &str) {
        self.state().messages.remove(room);
    }

    /// A person deletes a room.
    pub(crate) fn delete_room(&self, id: &str) {
        let mut state = self.state();
        state.rooms.remove(id);
        state.messages.remove(id);
    }

    /// All messages of a room become so old that only this many edits are allowed.
    pub(crate) fn let_edits(&self, room: &str, left: u32) {
        for message in self.state().messages.entry(room.to_owned()).or_default() {
            message.edits_left = Some(left);
        }
    }

    /// The commands that are registered, and how often that was done.
    pub(crate) fn commands(&self) -> (Value, usize) {
        let state = self.state();
        (state.commands.clone(), state.registrations)
    }

    /// The violations so far; clears them.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        std::mem::take(&mut self.state().wrongs)
    }

    /// Waits until a condition holds, and fails if it does not hold within `within`.
    pub(crate) async fn until(&self, what: &str, within: Duration, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(
                begun.elapsed() < within,
                "{what}: not within {within:?}; seen: {:#?}",
                self.seen("")
                    .iter()
                    .map(|seen| &seen.what)
                    .collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let wrongs = self.wrongs();
            assert!(
                wrongs.is_empty(),
                "Discord would have refused this:\n{}",
                wrongs.join("\n")
            );
        }
    }
}

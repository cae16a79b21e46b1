//! A real Synapse with a bot for each world, and a reader who sees the messages of a room.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use matrix_sdk::Client;
use matrix_sdk::config::SyncSettings;
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::api::client::room::create_room::v3::Request as CreateRoom;
use matrix_sdk::ruma::events::InitialStateEvent;
use matrix_sdk::ruma::events::room::encryption::RoomEncryptionEventContent;
use matrix_sdk::ruma::{OwnedRoomId, RoomId, UserId, uint};
use serde_json::Value;

use super::super::Server;

/// The homeserver, its accounts, and the reader's client.
pub(super) struct Home {
    server: Server,
    users: Value,
    reader: Client,
}

impl Home {
    /// Starts it with this many bots: `bot0`, `bot1` …
    pub(super) async fn start(bots: usize) -> Arc<Self> {
        let bots: Vec<String> = (0..bots).map(|number| format!("bot{number}")).collect();
        let mut args: Vec<&Path> = bots.iter().map(Path::new).collect();
        args.push(Path::new("reader"));
        let mut server = Server::start("synapse.py", &args, None);
        let users: Value = serde_json::from_str(&server.line()).expect("users");
        let text = |key: &str| users["reader"][key].as_str().expect("a text").to_owned();
        let reader = Client::builder().homeserver_url(&server.url).build();
        let reader = reader.await.expect("a client");
        let auth = reader.matrix_auth();
        let login = auth.login_username(text("id"), &text("password")).send();
        login.await.expect("a login");
        let home = Self {
            server,
            users,
            reader,
        };
        // A device can receive encrypted messages only if the server has its keys. A sync uploads them.
        home.sync().await;
        home.sync().await;
        Arc::new(home)
    }

    async fn sync(&self) {
        let settings = SyncSettings::new().timeout(Duration::ZERO);
        self.reader.sync_once(settings).await.expect("a sync");
    }

    pub(super) fn url(&self) -> &str {
        &self.server.url
    }

    pub(super) fn text(&self, bot: usize, key: &str) -> String {
        let user = &self.users[format!("bot{bot}")];
        user[key].as_str().expect("a text").to_owned()
    }

    /// A room with an invite for the bot.
    pub(super) async fn room(&self, bot: usize, is_encrypted: bool) -> OwnedRoomId {
        let mut request = CreateRoom::new();
        request.invite = vec![UserId::parse(self.text(bot, "id")).expect("an account")];
        if is_encrypted {
            let content = RoomEncryptionEventContent::with_recommended_defaults();
            let event = InitialStateEvent::with_empty_state_key(content);
            request.initial_state = vec![event.to_raw_any()];
        }
        let room = self.reader.create_room(request).await.expect("a room");
        room.room_id().to_owned()
    }

    /// The messages that the reader sees, after their edits.
    pub(super) async fn seen(&self, room: &RoomId) -> Vec<String> {
        self.sync().await;
        let room = self.reader.get_room(room).expect("the room");
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut edits: Vec<(String, String)> = Vec::new();
        let mut from = None;
        loop {
            let mut options = MessagesOptions::backward();
            (options.from, options.limit) = (from, uint!(500));
            let page = room.messages(options).await.expect("messages");
            for event in &page.chunk {
                let event: Value = event.raw().deserialize_as_unchecked().expect("JSON");
                note(&event, &mut seen, &mut edits);
            }
            from = page.end;
            if from.is_none() || page.chunk.is_empty() {
                break;
            }
        }
        // Oldest first, so that the last one stays.
        for (message, body) in edits.into_iter().rev() {
            seen.insert(message, body);
        }
        seen.into_values().collect()
    }
}

/// Records a message, or an edit of one, from an event. The newest events come first.
fn note(event: &Value, seen: &mut BTreeMap<String, String>, edits: &mut Vec<(String, String)>) {
    let is_message = matches!(
        event["type"].as_str(),
        Some("m.room.message" | "m.room.encrypted")
    );
    if !is_message || !event["unsigned"]["redacted_because"].is_null() {
        return;
    }
    let text = |value: &Value| value.as_str().unwrap_or("not decrypted").to_owned();
    let content = &event["content"];
    let relates = &content["m.relates_to"];
    match relates["rel_type"] == "m.replace" {
        true => edits.push((
            text(&relates["event_id"]),
            text(&content["m.new_content"]["body"]),
        )),
        false => {
            seen.insert(text(&event["event_id"]), text(&content["body"]));
        }
    }
}

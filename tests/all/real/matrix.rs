//! The Matrix platform against a real Synapse: posts that never double, in plain and in encrypted rooms.

mod account;
mod logins;
mod newsletter;
mod readers;
mod restore;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bpfnews::channel::matrix::{Matrix, MatrixSettings};
use bpfnews::channel::{Act, Below, Platform as _, Receipt, Scope, SendError, Work};
use bpfnews::chat::{
    Choice, CommandRequest, Completes, HandleCommands, PageCalls, Reply, Requester,
};
use bpfnews::config::NetworkConfig;
use bpfnews::post::story::{Content, Line, Tone};
use bpfnews::source::fetch::WebCaller;
use futures_util::future::{BoxFuture, FutureExt as _};
use matrix_sdk::config::SyncSettings;
use matrix_sdk::room::MessagesOptions;
use matrix_sdk::ruma::api::client::room::create_room::v3::Request as CreateRoom;
use matrix_sdk::ruma::events::InitialStateEvent;
use matrix_sdk::ruma::events::room::encryption::RoomEncryptionEventContent;
use matrix_sdk::ruma::events::room::message::RoomMessageEventContent;
use matrix_sdk::ruma::{EventId, OwnedRoomId, RoomId, UserId, uint};
use matrix_sdk::{Client, RoomState};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Server;

/// The longest time for anything that the server must send.
const TOLD_MAX: Duration = Duration::from_secs(60);

/// Repeats the command and its person.
struct Echo;

impl HandleCommands for Echo {
    fn answer(&self, asked: CommandRequest) -> BoxFuture<'_, Option<Reply>> {
        let (by, words) = (asked.by, asked.call.map(|call| call.words()));
        let content = Content::Notice {
            title: format!(
                "{} {} {}",
                by.person,
                words.unwrap_or_default(),
                by.is_manager
            ),
            text: String::new(),
            mark: "answer".to_owned(),
        };
        let reply = Reply {
            content,
            is_private: false,
            pages: PageCalls::default(),
        };
        async { Some(reply) }.boxed()
    }

    fn complete<'a>(
        &'a self,
        _: &'a Requester,
        _: Completes,
        _: &'a str,
    ) -> BoxFuture<'a, Vec<Choice>> {
        async { Vec::new() }.boxed()
    }
}

struct Home {
    server: Server,
    users: Value,
}

impl Home {
    fn start(more: &[&str]) -> Self {
        let args: Vec<&Path> = more
            .iter()
            .chain(&["bot", "alice", "mallory"])
            .map(Path::new)
            .collect();
        let mut server = Server::start("synapse.py", &args, None);
        let users = serde_json::from_str(&server.line()).expect("users");
        Self { server, users }
    }

    fn text(&self, user: &str, key: &str) -> String {
        self.users[user][key].as_str().expect("a text").to_owned()
    }

    /// The bot, with this folder.
    fn bot(&self, folder: &Path) -> Matrix {
        Matrix::new(self.settings(folder))
    }

    fn settings(&self, folder: &Path) -> MatrixSettings {
        MatrixSettings {
            homeserver: self.server.url.clone(),
            user: self.text("bot", "id"),
            password: Some(self.text("bot", "password").into()),
            way: None,
            folder: folder.to_owned(),
            inviters: vec![self.text("alice", "id")],
            rooms: Vec::new(),
            send_gap: Duration::ZERO,
            request_max: Duration::from_secs(30),
            now: Arc::new(|| chrono::Utc::now().timestamp()),
            web: Arc::new(WebCaller::new(
                &NetworkConfig::default(),
                &[&self.server.url.parse().expect("an address")],
            )),
            page: "https://bot.example/".to_owned(),
        }
    }

    /// Sends a request to the server by hand, for a person without a client.
    async fn call(&self, user: &str, method: &str, path: &str, body: Value) -> Value {
        let method = method.parse().expect("a method");
        let url = format!("{}/_matrix/client/v3{path}", self.server.url);
        let request = reqwest::Client::new().request(method, &url);
        let answer = request
            .bearer_auth(self.text(user, "token"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .expect("an answer");
        let status = answer.status();
        let answer = answer.text().await.expect("a text");
        assert!(status.is_success(), "{url}: {status} {answer}");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// A person's room with invites for the bot and alice.
    async fn room(&self, owner: &str, is_encrypted: bool) -> OwnedRoomId {
        let mut room = json!({"invite": [self.text("bot", "id")], "name": "BPF news"});
        if owner != "alice" {
            room["invite"] = json!([self.text("bot", "id"), self.text("alice", "id")]);
        }
        if is_encrypted {
            room["initial_state"] = json!([{
                "type": "m.room.encryption",
                "content": {"algorithm": "m.megolm.v1.aes-sha2"},
            }]);
        }
        let made = self.call(owner, "POST", "/createRoom", room).await;
        let id = made["room_id"].as_str().expect("an id");
        RoomId::parse(id).expect("an id")
    }

    /// Allows only people with this power level to speak.
    async fn hush(&self, room: &RoomId, level: i64) {
        let path = format!("/rooms/{room}/state/m.room.power_levels/");
        let mut levels = self.call("alice", "GET", &path, json!({})).await;
        levels["events_default"] = level.into();
        self.call("alice", "PUT", &path, levels).await;
    }

    /// A person's client.
    async fn person(&self, user: &str) -> Client {
        let client = Client::builder().homeserver_url(&self.server.url).build();
        let client = client.await.expect("a client");
        let auth = client.matrix_auth();
        let password = self.text(user, "password");
        let login = auth.login_username(self.text(user, "id"), &password).send();
        login.await.expect("a login");
        client
    }
}

/// A room of alice's with an invite for the bot.
async fn room(alice: &Client, bot: &str, is_encrypted: bool) -> OwnedRoomId {
    let mut request = CreateRoom::new();
    request.invite = vec![UserId::parse(bot).expect("an account")];
    if is_encrypted {
        let content = RoomEncryptionEventContent::with_recommended_defaults();
        let event = InitialStateEvent::with_empty_state_key(content);
        request.initial_state = vec![event.to_raw_any()];
    }
    let room = alice.create_room(request).await.expect("a room");
    room.room_id().to_owned()
}

fn line(what: &str, mark: &str) -> Content {
    Content::Line(Line {
        what: what.to_owned(),
        title: "bpf: Take __sk_buff & <linux/bpf.h>".to_owned(),
        author: String::new(),
        summary: String::new(),
        link: Some("https://lore.example/bpf/1/".to_owned()),
        tone: Tone::New,
        mark: mark.to_owned(),
    })
}

fn work(room: &RoomId, act: Act, key: &str) -> Work {
    Work {
        address: room.to_string(),
        act,
        key: key.to_owned(),
        is_retry: false,
        tried_ago: None,
        person: None,
    }
}

fn send(room: &RoomId, mark: &str, key: &str) -> Work {
    let content = line("Posted", mark);
    work(
        room,
        Act::Send {
            content,
            under: None,
        },
        key,
    )
}

/// The bot's messages that alice sees, oldest first: bodies after their edits, `-` for a removed one.
async fn seen(alice: &Client, room: &RoomId) -> Vec<String> {
    alice.sync_once(at_once()).await.expect("a sync");
    let room = alice.get_room(room).expect("the room");
    let mut options = MessagesOptions::backward();
    options.limit = uint!(200);
    let page = room.messages(options).await.expect("messages");
    let mut seen: Vec<(String, String)> = Vec::new();
    for event in page.chunk.iter().rev() {
        let event: Value = event.raw().deserialize_as_unchecked().expect("JSON");
        let content = &event["content"];
        let is_bots = event["sender"]
            .as_str()
            .is_some_and(|sender| sender.starts_with("@bot:"));
        if !is_bots
            || !["m.room.message", "m.room.encrypted"]
                .contains(&event["type"].as_str().unwrap_or(""))
        {
            continue;
        }
        let relates = &content["m.relates_to"];
        if relates["rel_type"] == "m.replace" {
            let body = content["m.new_content"]["body"].as_str().unwrap_or("?");
            let edited = seen.iter_mut().find(|(id, _)| relates["event_id"] == *id);
            let edited = edited.expect("the edited message");
            // No client shows an edit of a removed message.
            if edited.1 != "-" {
                edited.1 = body.to_owned();
            }
            continue;
        }
        let body = match content["body"].as_str() {
            Some(body) => {
                assert_eq!(content["msgtype"], "m.notice");
                assert_eq!(content["m.mentions"], json!({}));
                body.to_owned()
            }
            None if !event["unsigned"]["redacted_because"].is_null() => "-".to_owned(),
            None => format!("unreadable: {event}"),
        };
        let below = if relates["rel_type"] == "m.thread" {
            "> "
        } else {
            ""
        };
        let id = event["event_id"].as_str().expect("an id").to_owned();
        seen.push((id, format!("{below}{body}")));
    }
    seen.into_iter().map(|(_, body)| body).collect()
}

/// A sync that does not wait for something to happen.
fn at_once() -> SyncSettings {
    SyncSettings::new().timeout(Duration::ZERO)
}

async fn wait_for(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = tokio::time::Instant::now() + TOLD_MAX;
    while !is_so().await {
        assert!(
            tokio::time::Instant::now() < until,
            "{what}: not within {TOLD_MAX:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const POSTED: &str = "Posted: bpf: Take __sk_buff & <linux/bpf.h> https://lore.example/bpf/1/";
const APPLIED: &str = "Applied: bpf: Take __sk_buff & <linux/bpf.h> https://lore.example/bpf/1/";

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_rooms_show_a_post_once_in_its_present_state() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let alice = home.person("alice").await;
    for is_encrypted in [false, true] {
        // The invite arrives while the bot is down.
        let room = room(&alice, &home.text("bot", "id"), is_encrypted).await;
        let name = if is_encrypted { "encrypted" } else { "plain" };
        let key = |key: &str| format!("{name}-{key}");
        let bot = home.bot(folder.path());
        alice.sync_once(at_once()).await.expect("a sync");
        let first = bot
            .deliver(&send(&room, "a", &key("1")))
            .await
            .expect("a post");
        let again = bot.deliver(&send(&room, "a", &key("1"))).await;
        assert_eq!(again.as_ref(), Ok(&first), "{name}: the same key");
        let edit = Act::Edit {
            receipt: first.clone(),
            content: line("Applied", "a"),
        };
        bot.deliver(&work(&room, edit, &key("2")))
            .await
            .expect("an edit");
        let below = Act::Send {
            content: line("Mainline", "b"),
            under: Some(Below::Answer(first.clone())),
        };
        let below = bot
            .deliver(&work(&room, below, &key("3")))
            .await
            .expect("an answer");
        let remove = Act::Remove { receipt: below };
        bot.deliver(&work(&room, remove, &key("4")))
            .await
            .expect("a removal");
        assert_eq!(seen(&alice, &room).await, [APPLIED, "-"], "{name}");

        // The same device after a restart.
        drop(bot);
        let bot = home.bot(folder.path());
        let again = bot.deliver(&send(&room, "a", &key("1"))).await;
        assert_eq!(
            again.as_ref(),
            Ok(&first),
            "{name}: the same key after a restart"
        );
        let found = bot.find(&send(&room, "a", &key("1"))).await;
        assert_eq!(found, Ok(Some(first.clone())), "{name}: found by its mark");
        assert_eq!(bot.find(&send(&room, "c", "x")).await, Ok(None));

        // A person allows only moderators to speak, and changes that back. Without a sync, the bot cannot know whether the
        // room or the message is the reason.
        home.hush(&room, 50).await;
        let refused = bot.deliver(&send(&room, "d", &key("6"))).await;
        let is_told = matches!(
            &refused,
            Err(SendError::Never { scope: Scope::Channel, why } | SendError::Refused { why })
                if why.contains("let it send messages")
        );
        assert!(is_told, "{name}: {refused:?}");
        let looked = bot.look(room.as_str()).await;
        let is_told =
            matches!(&looked, Err(SendError::Never { why, .. }) if why.contains("events_default"));
        assert!(is_told, "{name}: {looked:?}");
        home.hush(&room, 0).await;
        bot.deliver(&send(&room, "d", &key("6")))
            .await
            .expect("a post");
        assert_eq!(seen(&alice, &room).await, [APPLIED, "-", POSTED], "{name}");

        // A message that a moderator removed stays removed.
        let theirs = alice.get_room(&room).expect("the room");
        let id = EventId::parse(&first.message).expect("an id");
        theirs.redact(&id, None, None).await.expect("a redaction");
        let edit = Act::Edit {
            receipt: first,
            content: line("Again", "a"),
        };
        let edited = bot.deliver(&work(&room, edit, &key("5"))).await;
        assert_eq!(edited, Err(SendError::Gone), "{name}");
        assert_eq!(seen(&alice, &room).await, ["-", "-", POSTED], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_a_lost_device_a_lost_server_and_a_lost_account() {
    let mut home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let alice = home.person("alice").await;
    let room = room(&alice, &home.text("bot", "id"), false).await;
    let bot = home.bot(folder.path());
    let first = bot.deliver(&send(&room, "a", "1")).await.expect("a post");

    let other = home.bot(folder.path());
    let locked = other.deliver(&send(&room, "z", "9")).await;
    let is_told =
        matches!(&locked, Err(SendError::Later { why, .. }) if why.contains("another bpfnews"));
    assert!(is_told, "two at once: {locked:?}");

    home.server.command("down");
    let lost = bot.deliver(&send(&room, "b", "2")).await;
    assert!(matches!(lost, Err(SendError::Unknown { .. })), "{lost:?}");
    home.server.command("up");
    bot.deliver(&send(&room, "b", "2")).await.expect("a post");
    assert_eq!(seen(&alice, &room).await, [POSTED, POSTED]);
    drop(bot);

    std::fs::remove_file(folder.path().join("session.json")).expect("a session");
    let bot = home.bot(folder.path());
    bot.open().await.expect("a login");
    let lasts = bot.dedupes_for(room.as_str());
    assert!(
        lasts < Duration::from_secs(60),
        "another device has other keys: {lasts:?}"
    );
    assert_eq!(bot.find(&send(&room, "a", "1")).await, Ok(Some(first)));

    let unknown = RoomId::parse("!nowhere:localhost").expect("an id");
    let refused = bot.deliver(&send(&unknown, "a", "3")).await;
    let is_channels = matches!(
        refused,
        Err(SendError::Never {
            scope: Scope::Channel,
            ..
        })
    );
    assert!(is_channels, "{refused:?}");

    // A person logs the bot out.
    let text = std::fs::read_to_string(folder.path().join("session.json")).expect("a session");
    let session: Value = serde_json::from_str(&text).expect("JSON");
    let token = session["session"]["access_token"]
        .as_str()
        .expect("a token");
    let url = format!("{}/_matrix/client/v3/logout", home.server.url);
    let out = reqwest::Client::new()
        .post(url)
        .bearer_auth(token)
        .send()
        .await;
    assert!(out.expect("an answer").status().is_success());
    let refused = bot.deliver(&send(&room, "d", "4")).await;
    let is_all = matches!(
        refused,
        Err(SendError::Never {
            scope: Scope::Platform,
            ..
        })
    );
    assert!(is_all, "{refused:?}");
    let never = CancellationToken::new();
    let listened = bot.listen(Arc::new(Echo), &never);
    let ended = tokio::time::timeout(TOLD_MAX, listened)
        .await
        .expect("an end");
    assert!(ended.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_invites_commands_outages_and_kicks() {
    let mut home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let alice = home.person("alice").await;
    let mallory = home.person("mallory").await;
    let me = home.text("bot", "id");
    let early = room(&alice, &me, true).await;
    let theirs = alice.get_room(&early).expect("the room");
    let before = RoomMessageEventContent::text_plain("!bpfnews search before");
    theirs.send(before).await.expect("a question to nobody");
    let bad = room(&mallory, &me, false).await;
    let bot = Arc::new(home.bot(folder.path()));
    let stop = CancellationToken::new();
    let handler = Arc::new(Echo);
    let listening = tokio::spawn({
        let (bot, stop) = (Arc::clone(&bot), stop.clone());
        async move { bot.listen(handler, &stop).await }
    });
    let state = async |client: &Client, room: &RoomId| {
        client.sync_once(at_once()).await.expect("a sync");
        let room = client.get_room(room).expect("the room");
        let id = UserId::parse(&me).expect("an account");
        let member = room.get_member(&id).await.expect("members");
        member.map(|member| member.membership().to_string())
    };
    wait_for("an old invite", async || {
        state(&alice, &early).await.as_deref() == Some("join")
    })
    .await;
    wait_for("mallory's", async || {
        state(&mallory, &bad).await.as_deref() == Some("leave")
    })
    .await;
    let late = room(&alice, &me, false).await;
    wait_for("a new invite", async || {
        state(&alice, &late).await.as_deref() == Some("join")
    })
    .await;
    for (room, right) in [(&early, "join"), (&late, "join")] {
        assert_eq!(state(&alice, room).await.as_deref(), Some(right));
        let theirs = alice.get_room(room).expect("the room");
        assert_eq!(theirs.state(), RoomState::Joined);
        for text in ["!bpfnews latest", "hello"] {
            let said = theirs.send(RoomMessageEventContent::text_plain(text));
            said.await.expect("a question");
        }
        let notice = RoomMessageEventContent::notice_plain("!bpfnews latest");
        theirs.send(notice).await.expect("a notice");
        let right = "> @alice:localhost latest true";
        wait_for("an answer", async || seen(&alice, room).await == [right]).await;
    }

    // The server is down for a while.
    home.server.command("down");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!listening.is_finished(), "an outage ends nothing");
    home.server.command("up");
    let theirs = alice.get_room(&late).expect("the room");
    let again = RoomMessageEventContent::text_plain("/bpfnews latest");
    theirs.send(again).await.expect("a question");
    let right = "> @alice:localhost latest true";
    wait_for("an answer after the outage", async || {
        seen(&alice, &late).await == [right, right]
    })
    .await;

    // The person who removed the bot from the room does not see it come back without an invite.
    let id = UserId::parse(&me).expect("an account");
    theirs.kick_user(&id, None).await.expect("a kick");
    wait_for("the kick is known", async || {
        let refused = bot.deliver(&send(&late, "k", "k")).await;
        matches!(
            &refused,
            Err(SendError::Never { scope: Scope::Channel, why }) if why.contains("invite it again")
        )
    })
    .await;
    theirs.invite_user_by_id(&id).await.expect("an invite");
    wait_for("the bot is back", async || {
        bot.deliver(&send(&late, "k", "k")).await.is_ok()
    })
    .await;
    assert_eq!(seen(&alice, &late).await, [right, right, POSTED]);

    stop.cancel();
    listening.await.expect("the task").expect("a good end");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_a_server_that_limits_is_obeyed() {
    let home = Home::start(&["--limits"]);
    let folder = TempDir::new().expect("a temporary folder");
    let alice = home.person("alice").await;
    let room = room(&alice, &home.text("bot", "id"), false).await;

    // With pauses, the bot never meets the limit, because it delays each send that would.
    let mut settings = home.settings(folder.path());
    settings.send_gap = Duration::from_secs(5);
    let bot = Matrix::new(settings);
    let mut waits = 0;
    for n in 0..13 {
        let post = send(&room, &format!("p{n}"), &format!("p{n}"));
        while let Err(error) = bot.deliver(&post).await {
            let SendError::Later { after, why, .. } = error else {
                panic!("{error:?}");
            };
            assert_eq!(why, "one message at a time");
            waits += 1;
            tokio::time::sleep(after).await;
        }
    }
    assert!((3..=6).contains(&waits), "ten at once: {waits}");
    assert_eq!(seen(&alice, &room).await.len(), 13);

    // Without them it meets the limit, and obeys it.
    drop(bot);
    let bot = home.bot(folder.path());
    let mut later = None;
    for n in 0..5 {
        let post = send(&room, &format!("m{n}"), &format!("m{n}"));
        if let Err(error) = bot.deliver(&post).await {
            later = Some((post, error));
            break;
        }
    }
    let (post, error) = later.expect("a limit");
    let SendError::Later { after, scope, why } = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (scope, why.as_str()),
        (Scope::Platform, "the homeserver asks to slow down")
    );
    assert!(after <= Duration::from_secs(6), "{after:?}");
    tokio::time::sleep(after).await;
    bot.deliver(&post).await.expect("a post");
}

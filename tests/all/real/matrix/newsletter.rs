//! The editors' round on a real Synapse, with the whole program: editors decide by a reaction in an encrypted room, finish
//! the issue by messages, and it is posted once in a plain one.

use std::process::{Child, Command, Stdio};

use matrix_sdk::ruma::events::reaction::ReactionEventContent;
use matrix_sdk::ruma::events::relation::Annotation;

use super::*;
use crate::documents::{Article, rss};
use crate::rude::{Rude, answer};

/// The program; it ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn blog() -> Rude {
    let article = |number: usize| Article {
        at: Some(chrono::Utc::now() - chrono::TimeDelta::hours(number as i64)),
        ..Article::new(number, &format!("bpf: Article {number}"))
    };
    let articles: Vec<Article> = (1..4).map(article).collect();
    Rude::always(answer("200 OK", &[], rss(&articles))).await
}

fn start(home: &Home, folder: &Path, upstream: &Rude, news: &RoomId, ops: &RoomId) -> Program {
    let config = format!(
        "database = \"bpfnews.sqlite\"\n[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\
         [matrix]\nhomeserver = \"{}\"\nuser = \"{}\"\npassword_file = \"password\"\nsend_gap_s = 0\n\
         [[channel]]\nname = \"news\"\nplatform = \"matrix\"\nid = \"{news}\"\nissues = true\n\
         [[channel]]\nname = \"ops\"\nplatform = \"matrix\"\nid = \"{ops}\"\nmaintainers = true\n\
         [commands]\ncooldown_s = 0\nmanagers = false\n[issue]\nmatrix_users = [\"{}\"]\n\
         [[feed]]\nname = \"blog\"\nkind = \"feed\"\nurl = \"{}\"\n",
        home.server.url,
        home.text("bot", "id"),
        home.text("alice", "id"),
        upstream.url("/blog.rss"),
    );
    std::fs::write(folder.join("config.toml"), config).expect("room on the disk");
    std::fs::write(folder.join("password"), home.text("bot", "password")).expect("room");
    let errors = std::fs::File::create(folder.join("errors")).expect("room on the disk");
    let child = Command::new(env!("CARGO_BIN_EXE_bpfnews"))
        .args(["run", "--config"])
        .arg(folder.join("config.toml"))
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn();
    Program(child.expect("the program starts"))
}

/// Waits until a message in a room begins with this; returns the whole message.
async fn until(alice: &Client, room: &RoomId, folder: &Path, wanted: &str) -> Vec<String> {
    let mut last = Vec::new();
    let until = tokio::time::Instant::now() + TOLD_MAX;
    while tokio::time::Instant::now() < until {
        last = seen(alice, room).await;
        if last.iter().any(|body| body.contains(wanted)) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let said = std::fs::read_to_string(folder.join("errors")).unwrap_or_default();
    panic!("{wanted:?} does not stand in {room}: {last:?}\n{said}");
}

async fn say(client: &Client, room: &RoomId, text: &str) {
    let room = client.get_room(room).expect("the room");
    let content = RoomMessageEventContent::text_plain(text);
    room.send(content).await.expect("a message");
}

/// The event of the bot's in a room whose body contains this.
async fn event_with(alice: &Client, room: &RoomId, wanted: &str) -> matrix_sdk::ruma::OwnedEventId {
    let room = alice.get_room(room).expect("the room");
    let mut options = MessagesOptions::backward();
    options.limit = uint!(100);
    let page = room.messages(options).await.expect("messages");
    let found = page.chunk.iter().find_map(|event| {
        let event: Value = event.raw().deserialize_as_unchecked().ok()?;
        let is_it = event["content"]["body"].as_str()?.contains(wanted);
        let id = event["event_id"].as_str().map(str::to_owned)?;
        is_it.then_some(id)
    });
    EventId::parse(found.expect("it stands there")).expect("an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_an_issue_is_finished_and_published() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let alice = home.person("alice").await;
    let upstream = blog().await;
    let bot = home.text("bot", "id");
    let (news, ops) = (
        room(&alice, &bot, false).await,
        room(&alice, &bot, true).await,
    );
    let mallory = json!({"user_id": home.text("mallory", "id")});
    home.call("alice", "POST", &format!("/rooms/{news}/invite"), mallory)
        .await;
    home.call("mallory", "POST", &format!("/rooms/{news}/join"), json!({}))
        .await;
    alice.sync_once(at_once()).await.expect("a sync");
    let _program = start(&home, folder.path(), &upstream, &news, &ops);
    until(&alice, &news, folder.path(), "bpf: Article 1").await;

    // A reader suggests a link. The editors' room is encrypted, and the bot writes there for the first time.
    let path = format!("/rooms/{news}/send/m.room.message/m1");
    let text = json!({"msgtype": "m.text", "body": "!bpfnews suggest https://blog.example/bpf A good read"});
    home.call("mallory", "PUT", &path, text).await;
    until(&alice, &news, folder.path(), "saved for the next issue").await;
    until(&alice, &ops, folder.path(), "Suggestion 1").await;
    let asked = event_with(&alice, &ops, "Suggestion 1").await;
    let theirs = alice.get_room(&ops).expect("the room");
    let thumb = ReactionEventContent::new(Annotation::new(asked, "👍\u{fe0f}".to_owned()));
    theirs.send(thumb).await.expect("a reaction");
    let said = until(&alice, &ops, folder.path(), "accepted by").await;
    assert!(
        said.iter()
            .any(|body| body.contains("is accepted for the coming issue")),
        "{said:?}"
    );
    until(
        &alice,
        &news,
        folder.path(),
        "A suggestion from here was accepted",
    )
    .await;

    // A person without the right gets a refusal.
    let path = format!("/rooms/{news}/send/m.room.message/m2");
    let text = json!({"msgtype": "m.text", "body": "!bpfnews-edit publish 1"});
    home.call("mallory", "PUT", &path, text).await;
    until(&alice, &news, folder.path(), "Only editors may do that").await;
    for (asked, wanted) in [
        ("!bpfnews-edit draft", "Draft of BPF updates 01"),
        ("!bpfnews-edit pin Article 2", "at the top of its section"),
        (
            "!bpfnews-edit note \"Article 2\" Read *this*.",
            "The remark is under the story",
        ),
        (
            "!bpfnews-edit intro Hello from the editors.",
            "starts with it",
        ),
        ("!bpfnews-edit publish 1", "BPF updates 01 is published"),
    ] {
        say(&alice, &ops, asked).await;
        until(&alice, &ops, folder.path(), wanted).await;
    }
    until(&alice, &news, folder.path(), "Hello from the editors.").await;
    let path = format!("/rooms/{news}/send/m.room.message/m3");
    let text = json!({"msgtype": "m.text", "body": "!bpfnews latest"});
    home.call("mallory", "PUT", &path, text).await;
    wait_for("the answer", async || {
        let told = seen(&alice, &news).await;
        told.iter().any(|body| {
            body.starts_with("> BPF updates 01") && body.contains("https://blog.example/bpf")
        })
    })
    .await;
    let told = seen(&alice, &news).await;
    let issues = told
        .iter()
        .filter(|body| body.starts_with("BPF updates 01"))
        .count();
    assert_eq!(issues, 1, "{told:?}");
}

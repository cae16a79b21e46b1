//! The messages as people see them: another client (matrix-nio) reads the rooms, and the server lists the people it would
//! notify.

use bpfnews::post::About;
use bpfnews::post::story::{CommitRef, Digest, Post};
use chrono::DateTime;

use super::*;

/// A person with another client.
struct Reader {
    client: Server,
}

impl Reader {
    fn start(home: &Home, user: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (id, password) = (home.text(user, "id"), home.text(user, "password"));
        let args = [
            Path::new(&home.server.url),
            Path::new(&id),
            Path::new(&password),
        ];
        let python = here.join("target/synapse/bin/python");
        let client = Server::start_with(&python, &here.join("tests/real/reader.py"), &args, None);
        Self { client }
    }

    fn join(&mut self, room: &RoomId) {
        self.client.command(&format!("join {room}"));
    }

    /// The messages that the person sees in a room.
    fn read(&mut self, room: &RoomId) -> Vec<Value> {
        let seen = self.client.ask(&format!("read {room}"));
        let seen: Vec<Value> = serde_json::from_str(&seen).expect("JSON");
        seen.into_iter()
            .filter(|message| message["from"] == "@bot:localhost")
            .collect()
    }
}

fn story(words: &str) -> Post {
    Post {
        mark: "4j1x9k2m0q".to_owned(),
        about: About::Series,
        state: "posted".to_owned(),
        tone: Tone::New,
        tree: "bpf-next".to_owned(),
        title: format!("bpf: Take {words}"),
        author: "A. Author".to_owned(),
        at: DateTime::UNIX_EPOCH,
        feeds: vec!["bpf".to_owned()],
        notes: vec!["2 patches".to_owned()],
        parts: vec![
            ("1/2".to_owned(), format!("bpf: Begin with {words}")),
            ("2/2".to_owned(), "selftests/bpf: Try it".to_owned()),
        ],
        parts_left_out: 0,
        summary: format!("It takes {words} now. It could not before."),
        change: String::new(),
        checks: String::new(),
        reviews: String::new(),
        steps: Vec::new(),
        link: Some("https://lore.example/bpf/1@example.org/".to_owned()),
        commit: None,
        page: None,
    }
}

fn applied(words: &str) -> Post {
    Post {
        state: "applied to bpf-next".to_owned(),
        tone: Tone::Applied,
        notes: vec!["v2".to_owned(), "2 patches".to_owned()],
        change: "Rebased, and renamed a helper.".to_owned(),
        steps: vec![
            "v1 1 Mar".to_owned(),
            "v2 3 Mar".to_owned(),
            "applied to bpf-next by M. Maintainer 5 Mar".to_owned(),
        ],
        commit: Some(CommitRef {
            words: "0123456789ab".to_owned(),
            link: None,
        }),
        ..story(words)
    }
}

fn digest(lines: usize, words: &str, mark: &str) -> Content {
    let line = |n: usize| Line {
        what: "Applied to bpf-next".to_owned(),
        title: format!("bpf: Take {words}"),
        author: "A. Author".to_owned(),
        summary: "A. Author".to_owned(),
        link: Some(format!("https://lore.example/bpf/{n}/")),
        tone: Tone::Applied,
        mark: String::new(),
    };
    Content::Digest(Digest {
        title: "What is new since yesterday".to_owned(),
        lines: (0..lines).map(line).collect(),
        mark: mark.to_owned(),
    })
}

fn notice(text: &str) -> Content {
    Content::Notice {
        title: "bpf-news is paused".to_owned(),
        text: text.to_owned(),
        mark: "n1".to_owned(),
    }
}

/// Posts something, and returns its event.
async fn post(
    bot: &Matrix,
    room: &RoomId,
    content: Content,
    under: Option<Receipt>,
    key: &str,
) -> Receipt {
    let under = under.map(Below::Thread);
    let act = Act::Send { content, under };
    bot.deliver(&work(room, act, key)).await.expect("a post")
}

async fn edit(bot: &Matrix, room: &RoomId, content: Content, receipt: &Receipt, key: &str) {
    let receipt = receipt.clone();
    let act = Act::Edit { receipt, content };
    bot.deliver(&work(room, act, key)).await.expect("an edit");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_another_client_reads_the_messages() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let mut reader = Reader::start(&home, "alice");
    let bot = home.bot(folder.path());
    let mut pages = Vec::new();
    for is_encrypted in [false, true] {
        let room = home.room("mallory", is_encrypted).await;
        reader.join(&room);
        bot.look(room.as_str()).await.expect("a room");
        let words = "__sk_buff & <linux/bpf.h>";
        let first = post(
            &bot,
            &room,
            Content::Story(Box::new(story(words))),
            None,
            "k1",
        )
        .await;
        post(
            &bot,
            &room,
            line("Mainline", "l"),
            Some(first.clone()),
            "k2",
        )
        .await;
        edit(
            &bot,
            &room,
            Content::Story(Box::new(applied(words))),
            &first,
            "k3",
        )
        .await;
        post(&bot, &room, digest(3, words, "d"), None, "k4").await;
        post(
            &bot,
            &room,
            notice("The channel refuses it.\nLet it write.\n\nThen start again."),
            None,
            "k5",
        )
        .await;
        let gone = post(&bot, &room, line("Gone", "g"), None, "k6").await;
        edit(&bot, &room, line("Going", "g"), &gone, "k6e").await;
        let remove = Act::Remove { receipt: gone };
        bot.deliver(&work(&room, remove, "k7"))
            .await
            .expect("a removal");

        let seen = reader.read(&room);
        // A removed post, and its edit, which some clients would otherwise still show.
        assert_eq!(seen.len(), 6, "{seen:#?}");
        for removed in &seen[4..] {
            assert_eq!(
                (&removed["kind"], &removed["body"]),
                (&json!("removed"), &Value::Null)
            );
        }
        let messages = format!("/rooms/{room}/messages?dir=b&limit=3");
        let told = home.call("alice", "GET", &messages, json!({})).await;
        let told = told["chunk"].as_array().expect("a list").clone();
        let kinds: Vec<&Value> = told.iter().map(|event| &event["type"]).collect();
        assert_eq!(
            kinds[..2],
            ["m.room.redaction", "m.room.redaction"],
            "{told:#?}"
        );
        assert_eq!(
            told[2]["content"].get("m.new_content"),
            None,
            "the edit is gone too"
        );
        assert_eq!(
            told[2]["content"].get("ciphertext"),
            None,
            "the edit is gone too"
        );
        for message in &seen[..4] {
            assert_eq!(message["kind"], "m.notice", "{message}");
            assert_eq!(message["encrypted"], is_encrypted, "{message}");
            assert_eq!(
                message["verified"], false,
                "nobody verifies a bot: {message}"
            );
            assert_eq!(message["mentions"], json!({}), "{message}");
        }
        assert_eq!(seen[0]["edits"], 1);
        assert_eq!(
            seen[1]["below"], seen[0]["body"],
            "a milestone is in its story's thread"
        );
        let page = |message: &Value| {
            let text = |key: &str| message[key].as_str().expect("a text").to_owned();
            format!("{}\n----\n{}", text("body"), text("html"))
        };
        pages.push(
            seen[..4]
                .iter()
                .map(page)
                .collect::<Vec<_>>()
                .join("\n\n====\n"),
        );
    }
    assert_eq!(pages[0], pages[1], "encryption changes nothing of it");
    insta::assert_snapshot!("reader", pages[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_nobody_is_notified_and_the_longest_posts_are_taken() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let mut reader = Reader::start(&home, "alice");
    let bot = home.bot(folder.path());
    let hostile = [
        "@room",
        "@alice:localhost alice",
        "https://matrix.to/#/@alice:localhost",
        "<script>alert('alice')</script> [x](javascript:alice)",
        "`alice` \u{202e}ecila\u{200b}",
    ];
    let plain = home.room("mallory", false).await;
    reader.join(&plain);
    bot.look(plain.as_str()).await.expect("a room");
    for (n, words) in hostile.into_iter().enumerate() {
        let first = post(
            &bot,
            &plain,
            Content::Story(Box::new(story(words))),
            None,
            &format!("h{n}"),
        )
        .await;
        edit(
            &bot,
            &plain,
            Content::Story(Box::new(applied(words))),
            &first,
            &format!("e{n}"),
        )
        .await;
        post(&bot, &plain, notice(words), Some(first), &format!("t{n}")).await;
    }
    let notified = async || {
        let told = home
            .call("alice", "GET", "/notifications?limit=100", json!({}))
            .await;
        let told = told["notifications"].as_array().expect("a list").clone();
        let is_message = |told: &&Value| told["event"]["type"] == "m.room.message";
        told.iter()
            .filter(is_message)
            .map(|told| told["event"]["sender"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(notified().await, Vec::<Value>::new());
    // The server would have listed them.
    let path = format!("/rooms/{plain}/send/m.room.message/loud");
    let loud = json!({"msgtype": "m.text", "body": "alice: look"});
    home.call("mallory", "PUT", &path, loud).await;
    assert_eq!(notified().await, [json!("@mallory:localhost")]);

    // The text is there twice in an edit, twice again as HTML, and encryption adds a third.
    let sealed = home.room("mallory", true).await;
    reader.join(&sealed);
    bot.look(sealed.as_str()).await.expect("a room");
    let mut longest = 0;
    for (n, words) in ["&<>\" ", "\u{1f980}\u{1f980} ", "\\\"\\ ", "word "]
        .into_iter()
        .enumerate()
    {
        let long = words.repeat(10_000);
        let mut post_of = applied(&long);
        post_of.parts = vec![(long.clone(), long.clone()); 100];
        post_of.summary.clone_from(&long);
        post_of.change.clone_from(&long);
        post_of.steps = vec![long.clone(); 20];
        let contents = [
            Content::Story(Box::new(post_of)),
            digest(200, &long, "d"),
            notice(&format!("{long}\n").repeat(20)),
        ];
        for (m, content) in contents.into_iter().enumerate() {
            let first = post(&bot, &sealed, content.clone(), None, &format!("l{n}-{m}")).await;
            edit(&bot, &sealed, content, &first, &format!("m{n}-{m}")).await;
        }
    }
    let seen = reader.read(&sealed);
    assert_eq!(seen.len(), 12);
    for message in seen {
        assert_eq!(
            (&message["kind"], &message["edits"]),
            (&json!("m.notice"), &json!(1))
        );
        let body = message["body"].as_str().expect("a body");
        let html = message["html"].as_str().expect("HTML");
        assert!(body.contains('…'), "it says that it was cut");
        longest = longest.max(body.len() + html.len());
    }
    crate::real::say(&format!(
        "the longest post has {longest} bytes of text and HTML"
    ));
}

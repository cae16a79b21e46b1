//! The questions and changes of an operator on the command line: channels, mutes, retractions, pauses, the audit log, the
//! program's log.

use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::cli::{config, err, folder, out, run};

/// A configuration with two channels, and a database with two stories.
fn house() -> tempfile::TempDir {
    let folder = folder();
    let home = folder.path();
    let file = config(home);
    let mut text = std::fs::read_to_string(&file).expect("it was written");
    for name in ["one", "two"] {
        text.push_str(&format!(
            "\n[[channel]]\nname = \"{name}\"\nplatform = \"matrix\"\nid = \"!{name}:x.example\"\n"
        ));
    }
    text.push_str(
        "\n[matrix]\nhomeserver = \"https://127.0.0.1:1\"\nuser = \"@bot:x.example\"\npassword_file = \"password\"\n",
    );
    std::fs::write(&file, text).expect("room on the disk");
    std::fs::write(home.join("password"), "a password").expect("room on the disk");
    let mail = |id: &str, title: &str| {
        format!(
            "From x Thu Jan  1 00:00:00 1970\nFrom: A. Author <a@x.example>\nMessage-ID: <{id}@x.example>\n\
             Date: Fri, 3 Jan 2025 09:00:00 +0000\nSubject: [PATCH bpf-next] {title}\n\nWords.\n---\n a | 1 +\n\n"
        )
    };
    let mails = [
        mail("1", "bpf: Grow the arena"),
        mail("2", "bpf: Mend a map"),
    ]
    .concat();
    std::fs::write(home.join("some.mbox"), mails).expect("room on the disk");
    good(home, &["import", "--list", "list", "some.mbox"]);
    folder
}

#[track_caller]
fn good(home: &Path, args: &[&str]) -> String {
    let ended = run(home, args);
    assert!(ended.status.success(), "{args:?}: {}", err(&ended));
    out(&ended)
}

#[track_caller]
fn bad(home: &Path, args: &[&str]) -> String {
    let ended = run(home, args);
    assert_eq!(ended.status.code(), Some(1), "{args:?}: {}", out(&ended));
    err(&ended)
}

fn rows(home: &Path, args: &[&str]) -> Vec<Value> {
    let told = good(home, args);
    let rows = told.lines().map(serde_json::from_str);
    rows.map(|row| row.expect("JSON")).collect()
}

async fn database(home: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(home.join("bpfnews.sqlite"));
    options.connect().await.expect("a database")
}

#[tokio::test]
async fn channels_are_named_with_their_problem_and_advice() {
    let folder = house();
    let home = folder.path();
    good(home, &["feeds"]);
    let told = good(home, &["channels"]);
    assert_eq!(told.matches("ok\n").count(), 2, "{told}");
    let mut database = database(home).await;
    // The queue of a new channel may contain a sample.
    let changes = "
        DELETE FROM deliveries;
        UPDATE channels SET paused_at = 1700000000, paused_why = 'the bot \x1b[31mmay not speak' WHERE name = 'one';
        INSERT INTO deliveries (id, channel_id, verb, content, nonce, due_at, failures, failing_since, why, last_tried_at)
            SELECT 1, id, 'send', '{}', 7, 1700000100, 2, 1700000200, 'no route', 9 FROM channels WHERE name = 'two';
        INSERT INTO deliveries (id, channel_id, verb, content, nonce, due_at)
            SELECT 2, id, 'send', '{}', 8, 1700000300 FROM channels WHERE name = 'two';
        INSERT INTO deliveries (id, channel_id, verb, content, nonce, due_at, state, set_aside_at)
            SELECT 3, id, 'send', '{}', 9, 1, 'dead', 5 FROM channels WHERE name = 'two';";
    sqlx::raw_sql(changes)
        .execute(&mut database)
        .await
        .expect("changes");
    let told = good(home, &["channels"]);
    for words in [
        "one (matrix)  paused since 2023-11-14T22:13:20Z",
        "may not speak",
        "bpfnews check --online",
        "two (matrix)  failing since 2023-11-14T22:16:40Z",
        "2 messages queued · 1 of them failing · 1 dead letter · nothing sent yet",
        "no route",
    ] {
        assert!(told.contains(words), "{words} in: {told}");
    }
    assert!(!told.contains('\x1b'), "{told:?}");
    let json = rows(home, &["channels", "--format", "json"]);
    assert_eq!(json.len(), 2);
    assert_eq!(json[0]["state"], "paused");
    assert_eq!(json[1]["state"], "failing");
    assert_eq!(
        (&json[1]["queued"], &json[1]["dead_letters"]),
        (&2.into(), &1.into())
    );
    assert_eq!(json[1]["oldest_due_at"], "2023-11-14T22:15:00Z");
    // The list changes nothing.
    let paused = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM channels WHERE paused_at > 0");
    assert_eq!(
        paused.fetch_one(&mut database).await.expect("it answers"),
        1
    );
    database.close().await.expect("it closes");
}

#[test]
fn mutes_and_retractions_are_made_listed_and_ended() {
    let folder = house();
    let home = folder.path();
    assert!(good(home, &["mute", "author", "Some One"]).contains("Muted: Some One"));
    good(home, &["mute", "words", "riscv jit"]);
    good(home, &["mute", "story", "mend a map"]);
    assert!(bad(home, &["mute", "author", "some one"]).contains("already muted"));
    assert!(bad(home, &["mute", "words", "x"]).contains("3 to 200 characters"));
    let unknown = bad(home, &["mute", "story", "nothing like this"]);
    assert!(unknown.contains("bpfnews search WORDS"), "{unknown}");
    let mutes = rows(home, &["mutes", "--format", "json"]);
    let kinds: Vec<&str> = mutes
        .iter()
        .filter_map(|row| row["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["story", "words", "author"]);
    assert!(good(home, &["unmute", "1"]).contains("Lifted: Some One"));
    assert!(bad(home, &["unmute", "1"]).contains("no mute 1"));
    let retracted = good(home, &["retract", "1@x.example"]);
    assert!(retracted.contains("bpf: Grow the arena"), "{retracted}");
    assert!(bad(home, &["retract", "1@x.example"]).contains("retracted"));
    let text = good(home, &["mutes"]);
    assert!(text.contains("retracted  bpf: Grow the arena"), "{text}");
    let changes = rows(home, &["audit", "--format", "json"]);
    let what: Vec<&str> = changes
        .iter()
        .filter_map(|row| row["what"].as_str())
        .collect();
    assert!(what[0].starts_with("retracted the story "), "{what:?}");
    assert_eq!(what[1], "lifted the mute of the author Some One");
    assert_eq!(what.len(), 5, "{what:?}");
    assert_eq!(changes[0]["platform"], "the command line");
    assert_eq!(good(home, &["audit", "--limit", "2"]).lines().count(), 4);
}

#[test]
fn feeds_are_paused_and_resumed() {
    let folder = house();
    let home = folder.path();
    good(home, &["feeds"]);
    assert!(good(home, &["feeds", "pause", "tree"]).contains("tree is paused"));
    assert!(bad(home, &["feeds", "pause", "tree"]).contains("already paused"));
    let feeds = rows(home, &["feeds", "--format", "json"]);
    let state = |name: &str| {
        let mut feeds = feeds.iter();
        let feed = feeds.find(|feed| feed["name"] == name);
        feed.expect("a feed")["state"]
            .as_str()
            .expect("a word")
            .to_owned()
    };
    assert_eq!(
        (state("tree"), state("list")),
        ("paused".to_owned(), "never".to_owned())
    );
    assert!(bad(home, &["feeds", "pause", "tre"]).contains("Similar names: tree"));
    assert!(good(home, &["feeds", "resume", "tree"]).contains("It is polled now"));
    assert!(bad(home, &["feeds", "resume", "tree"]).contains("is not paused"));
    let told = good(home, &["audit"]);
    assert!(told.contains("resumed the feed tree"), "{told}");
}

/// Each line of the log is an object with a time, a level, a target and fields.
#[test]
fn the_log_is_json_if_that_is_asked_for() {
    let folder = house();
    let polled = run(folder.path(), &["--log-format", "json", "-vv", "poll"]);
    let log = err(&polled);
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    assert!(!lines.is_empty(), "{log}");
    for line in &lines {
        for key in ["timestamp", "level", "target", "fields"] {
            assert!(!line[key].is_null(), "{key} in {line}");
        }
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
}

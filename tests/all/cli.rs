//! The program as its user meets it: what it prints, how it exits, how it stops.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn bpfnews(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpfnews"));
    command
        .current_dir(folder)
        .env_remove("BPFNEWS_CONFIG")
        .env_remove("RUST_LOG")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    bpfnews(folder)
        .args(arguments)
        .output()
        .expect("the program was built")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A configuration with one feed that nobody serves.
fn config(folder: &Path) -> PathBuf {
    let file = folder.join("config.toml");
    let text = "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\n[[feed]]\nname = \"list\"\n\
                kind = \"archive\"\nurl = \"http://127.0.0.1:1/list/\"\n\n[[feed]]\nname = \"tree\"\nkind = \"tree\"\n\
                url = \"http://127.0.0.1:1/tree\"\n";
    std::fs::write(&file, text).expect("room on the disk");
    file
}

#[test]
fn the_demo_plays_its_week() {
    let folder = folder();
    let started = Instant::now();
    let played = run(folder.path(), &["demo"]);
    assert!(played.status.success(), "{}", err(&played));
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "a few seconds: {:?}",
        started.elapsed()
    );
    assert_eq!(err(&played), "");
    insta::assert_snapshot!("demo", out(&played));
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("our folder")
            .count(),
        0,
        "it leaves nothing behind"
    );
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let folder = folder();
    let coloured = |name: &str, value: &str| {
        let played = bpfnews(folder.path())
            .env(name, value)
            .arg("demo")
            .output()
            .expect("the program was built");
        out(&played).contains('\u{1b}')
    };
    assert!(!coloured("TERM", "xterm"), "a pipe is no terminal");
    assert!(coloured("CLICOLOR_FORCE", "1"));
    let both = bpfnews(folder.path())
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1")
        .arg("demo")
        .output();
    assert!(
        !out(&both.expect("the program was built")).contains('\u{1b}'),
        "NO_COLOR has the last word"
    );
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let folder = folder();
    let shell = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "{} demo | head -n 1; exit 0",
            env!("CARGO_BIN_EXE_bpfnews")
        ))
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    assert_eq!(err(&shell), "");
}

#[test]
fn help_tells_where_to_start_and_has_examples() {
    let folder = folder();
    insta::assert_snapshot!("help", out(&run(folder.path(), &["--help"])));
    for command in [
        "run",
        "demo",
        "init",
        "check",
        "poll",
        "feeds",
        "items",
        "backfill",
        "import",
        "completions",
    ] {
        let help = out(&run(folder.path(), &[command, "--help"]));
        assert!(help.contains("Example"), "{command} --help has no example");
        assert!(help.contains("--config"), "{command} has no --config");
    }
}

#[test]
fn init_writes_the_example_once_and_check_likes_it() {
    let folder = folder();
    assert!(run(folder.path(), &["init"]).status.success());
    let again = run(folder.path(), &["init"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        err(&again).contains("config.toml is there already"),
        "{}",
        err(&again)
    );
    let checked = run(folder.path(), &["check"]);
    assert!(checked.status.success(), "{}", err(&checked));
    assert!(out(&checked).contains("feeds"));
}

#[test]
fn a_bad_configuration_is_told_whole_and_nothing_starts() {
    let folder = folder();
    std::fs::write(
        folder.path().join("config.toml"),
        "databse = 1\n[[feed]]\nname = 7\nkind = \"tre\"\n",
    )
    .expect("room");
    for command in [&["check"][..], &["run"], &["poll"], &["feeds"], &["items"]] {
        let refused = run(folder.path(), command);
        assert_eq!(refused.status.code(), Some(2), "{command:?}");
        let told = err(&refused);
        for word in [
            "config.toml:1",
            "did you mean \"database\"",
            "config.toml:3",
            "config.toml:4",
        ] {
            assert!(
                told.contains(word),
                "{command:?} does not tell {word}: {told}"
            );
        }
    }
    assert!(!folder.path().join("bpfnews.sqlite").exists());
    let missing = run(folder.path(), &["--config", "none.toml", "check"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(err(&missing).contains("none.toml"), "{}", err(&missing));
}

#[test]
fn a_feed_that_fails_fails_the_poll_and_says_why() {
    let folder = folder();
    config(folder.path());
    let polled = run(folder.path(), &["poll", "--feed", "list"]);
    assert_eq!(polled.status.code(), Some(1));
    assert!(
        err(&polled).contains("backing_off") && err(&polled).contains("127.0.0.1"),
        "{}",
        err(&polled)
    );
    let feeds = out(&run(folder.path(), &["feeds", "--format", "json"]));
    let rows: Vec<serde_json::Value> = feeds
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let states: Vec<_> = rows
        .iter()
        .map(|row| (row["name"].as_str(), row["state"].as_str()))
        .collect();
    assert_eq!(
        states,
        [
            (Some("list"), Some("backing_off")),
            (Some("tree"), Some("never"))
        ]
    );
    assert_eq!(rows[0]["failures"], 1);
    let unknown = run(folder.path(), &["poll", "--feed", "lists"]);
    assert!(
        err(&unknown).contains("did you mean \"list\"?"),
        "{}",
        err(&unknown)
    );
}

#[test]
fn import_reads_every_kind_of_mailbox_once() {
    let folder = folder();
    config(folder.path());
    let mbox = "From a@b.c Thu Jan  2 10:00:00 2025\nMessage-ID: <1@x>\nSubject: one\nFrom: A <a@b.c>\n\n>From here\n\n\
                From mboxrd@z Thu Jan  1 00:00:00 1970\nMessage-ID: <2@x>\nSubject: two\nDate: Fri, 3 Jan 2025 00:00:00 +0000\n\nb\n";
    std::fs::write(folder.path().join("list.mbox"), mbox).expect("room");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, mbox.replace("@x>", "@y>").as_bytes()).expect("memory");
    std::fs::write(
        folder.path().join("list.mbox.gz"),
        packed.finish().expect("memory"),
    )
    .expect("room");
    for part in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(folder.path().join("maildir").join(part)).expect("room");
    }
    std::fs::write(
        folder.path().join("maildir/cur/1:2,S"),
        "Message-ID: <3@x>\nSubject: three\n\nb\n",
    )
    .expect("room");
    let files = ["list.mbox", "list.mbox.gz", "maildir"];
    let first = run(
        folder.path(),
        &[&["import", "--list", "list"][..], &files].concat(),
    );
    assert!(first.status.success(), "{}", err(&first));
    assert!(
        out(&first).starts_with("list: 5 mails read, 5 new, 0 known, 0 unreadable"),
        "{}",
        out(&first)
    );
    let second = run(
        folder.path(),
        &[&["import", "--list", "list"][..], &files].concat(),
    );
    assert!(
        out(&second).starts_with("list: 5 mails read, 0 new, 5 known, 0 unreadable"),
        "{}",
        out(&second)
    );
    let items = out(&run(
        folder.path(),
        &[
            "items",
            "--format",
            "json",
            "--since",
            "2025-01-01",
            "--until",
            "2025-01-04",
        ],
    ));
    let titles: Vec<_> = items
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"))
        .collect();
    assert_eq!(
        titles.len(),
        4,
        "the maildir's mail has no date and is dated by when it was seen"
    );
    assert_eq!(
        (&titles[0]["title"], &titles[0]["message_id"]),
        (&"two".into(), &"2@y".into())
    );
    assert_eq!(titles[0]["url"], "http://127.0.0.1:1/list/2@y/");
    let wrong = run(folder.path(), &["import", "--list", "tree", "list.mbox"]);
    assert!(
        err(&wrong).contains("a feed of kind tree"),
        "{}",
        err(&wrong)
    );
    let nothing = run(folder.path(), &["import", "--list", "list", "none.mbox"]);
    assert!(err(&nothing).contains("none.mbox"), "{}", err(&nothing));
}

#[test]
fn signals_stop_it_cleanly() {
    for signal in ["INT", "TERM"] {
        let folder = folder();
        config(folder.path());
        let mut child = bpfnews(folder.path())
            .arg("run")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program was built");
        std::thread::sleep(Duration::from_millis(500));
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &pid])
                .status()
                .expect("kill")
                .success()
        );
        let started = Instant::now();
        let status = loop {
            match child.try_wait().expect("our child") {
                Some(status) => break status,
                None if started.elapsed() > Duration::from_secs(10) => {
                    child.kill().expect("our child");
                    panic!("SIG{signal} did not stop it");
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        assert!(status.success(), "SIG{signal}: {status}");
    }
}

#[test]
fn completions_are_scripts() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish"] {
        let script = out(&run(folder.path(), &["completions", shell]));
        assert!(
            script.contains("bpfnews") && script.contains("backfill"),
            "{shell}"
        );
    }
}

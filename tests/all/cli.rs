//! The program as users see it: its output, its exit status, and its stop.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub(crate) fn bpfnews(folder: &Path) -> Command {
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

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    bpfnews(folder)
        .args(arguments)
        .output()
        .expect("the program was built")
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// A configuration with one feed, which no server serves.
pub(crate) fn config(folder: &Path) -> PathBuf {
    let file = folder.join("config.toml");
    let text = "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\n[[feed]]\nname = \"list\"\n\
                kind = \"archive\"\nurl = \"http://127.0.0.1:1/list/\"\n\n[[feed]]\nname = \"tree\"\nkind = \"tree\"\n\
                url = \"http://127.0.0.1:1/tree\"\n";
    std::fs::write(&file, text).expect("room on the disk");
    file
}

#[test]
fn route_shows_which_stories_a_channel_takes_and_why_it_refuses_others() {
    let folder = folder();
    let file = config(folder.path());
    let mut text = std::fs::read_to_string(&file).expect("it was written");
    text.push_str("\n[[channel]]\nname = \"here\"\nplatform = \"terminal\"\nwords = [\"arena\"]\n");
    std::fs::write(&file, text).expect("room on the disk");
    let mbox = folder.path().join("some.mbox");
    let mail = |id: &str, title: &str| {
        format!(
            "From x Thu Jan  1 00:00:00 1970\nFrom: A. Author <a@x.example>\nMessage-ID: <{id}@x.example>\n\
             Date: Fri, 3 Jan 2025 09:00:00 +0000\nList-Id: <bpf.vger.kernel.org>\nSubject: [PATCH bpf-next] {title}\n\n\
             Words.\n---\n a | 1 +\n\n"
        )
    };
    let mails = [
        mail("1", "bpf: Grow the arena"),
        mail("2", "bpf: Mend a map"),
    ]
    .concat();
    std::fs::write(&mbox, mails).expect("room on the disk");
    let file = file.to_str().expect("a path");
    let mbox = mbox.to_str().expect("a path");
    let imported = run(
        folder.path(),
        &["--config", file, "import", "--list", "list", mbox],
    );
    assert!(imported.status.success(), "{}", err(&imported));
    let told = run(
        folder.path(),
        &[
            "--config",
            file,
            "route",
            "test",
            "here",
            "--since",
            "2025-01-01",
        ],
    );
    assert!(told.status.success(), "{}", err(&told));
    let told = out(&told);
    assert!(told.contains("bpf: Grow the arena (posted)\n"), "{told}");
    assert!(
        told.contains(
            "bpf: Mend a map (posted) not title:arena (the title is \"bpf: Mend a map\")\n"
        ),
        "{told}"
    );
    assert!(told.contains("here takes 1 of 2 stories"), "{told}");
    let ask = |args: &[&str]| run(folder.path(), &[&["--config", file], args].concat());
    let listed = ask(&[
        "stories",
        "--filter",
        "path:a list:bpf author:a@x.example not arena",
    ]);
    assert!(listed.status.success(), "{}", err(&listed));
    let listed = out(&listed);
    assert!(
        listed.contains("Mend a map") && !listed.contains("arena"),
        "{listed}"
    );
    let none = ask(&["open", "--filter", "path:b"]);
    assert!(out(&none).contains("No series waits"), "{}", out(&none));
    for (filter, wrong) in [
        (
            "kind:serie",
            "column 6: \"serie\" is no kind; write kind:series",
        ),
        ("subsystem:bpf", "set maintainers"),
    ] {
        let refused = ask(&["stories", "--filter", filter]);
        assert!(err(&refused).contains(wrong), "{}", err(&refused));
        assert!(!refused.status.success(), "{filter}");
    }
    let explained = out(&ask(&["route", "test", "here", "--story", "2@x.example"]));
    let lines: Vec<&str> = explained.lines().collect();
    assert_eq!(lines[..2], ["here refuses bpf: Mend a map", "no  all of"]);
    assert!(
        lines[2].starts_with("yes   about:bpf (about BPF: "),
        "{explained}"
    );
    assert_eq!(
        lines[3],
        "no    title:arena (the title is \"bpf: Mend a map\")"
    );
    let missing = run(folder.path(), &["--config", file, "route", "test", "there"]);
    assert!(
        err(&missing).contains("there is no channel there; there are here"),
        "{}",
        err(&missing)
    );
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

/// The output of the demo without a terminal.
fn demo_output() -> &'static str {
    static SHOWN: LazyLock<String> = LazyLock::new(|| {
        let folder = folder();
        let played = run(folder.path(), &["demo", "--fast"]);
        assert!(played.status.success(), "{}", err(&played));
        out(&played)
    });
    &SHOWN
}

/// The messages of the demo: posts, edits and the issue, each with its lines.
fn messages(shown: &str) -> Vec<&str> {
    let is_message = |text: &&str| text.starts_with(['▌', '▏']);
    shown.split("\n\n").filter(is_message).collect()
}

/// The edits of a post, in their order.
fn edits<'a>(shown: &'a str, title: &str) -> Vec<&'a str> {
    let start = format!("▏ edited: {title}");
    let messages = messages(shown).into_iter();
    messages
        .filter(|message| message.starts_with(&start))
        .collect()
}

#[test]
fn the_demo_edits_one_post_from_version_1_to_mainline() {
    let shown = demo_output();
    let title = "bpf: fix unpopulated path_size";
    let posts = messages(shown)
        .into_iter()
        .filter(|message| message.starts_with('▌') && message.contains(title))
        .count();
    assert_eq!(posts, 1);
    let edits = edits(shown, title);
    let has = [
        "→ changes requested by Andrii Nakryiko 10 Oct",
        "→ v2 11 Oct",
        "→ applied to bpf by Andrii Nakryiko 11 Oct",
        "→ mainline",
    ];
    assert_eq!(edits.len(), has.len(), "{edits:#?}");
    for (edit, has) in edits.iter().zip(has) {
        let words: Vec<&str> = edit
            .split_whitespace()
            .filter(|&word| word != "▏")
            .collect();
        assert!(words.join(" ").contains(has), "{has}: {edit}");
    }
    assert!(edits[1].contains("Changed: "), "{}", edits[1]);
}

#[test]
fn the_demo_shows_a_machines_verdict_and_an_article_that_becomes_free() {
    let shown = demo_output();
    let verdicts = edits(shown, "bpf: Guard conntrack opts error writes");
    assert!(verdicts[0].contains("AI review"), "{}", verdicts[0]);
    let freed = edits(shown, "BPF iterators for filesystems");
    assert_eq!(freed.len(), 1);
    assert!(
        freed[0].contains("for subscribers → free to read"),
        "{}",
        freed[0]
    );
}

#[test]
fn the_demo_announces_a_mail_on_two_lists_once() {
    let shown = demo_output();
    for (title, lists) in [
        (
            "net: thunderx: Adds XDP support",
            "linux-arm-kernel, netdev",
        ),
        ("bpf: fix unpopulated path_size", "bpf, linux-kselftest"),
        (
            "bpf: Guard conntrack opts error writes",
            "bpf, netfilter-devel",
        ),
    ] {
        let messages = messages(shown).into_iter();
        let start = format!("\n▌ {title}");
        let posts: Vec<&str> = messages
            .filter(|message| message.starts_with('▌') && message.contains(&start))
            .collect();
        assert_eq!(posts.len(), 1, "{posts:#?}");
        assert!(posts[0].contains(lists), "{}", posts[0]);
    }
}

#[test]
fn the_demo_names_its_invented_texts_once_and_links_real_pages() {
    let shown = demo_output();
    let head = shown.split("──").next().expect("a head");
    assert!(head.contains("made up"), "{head}");
    assert_eq!(shown.matches("made up").count(), 1);
    for words in ["made-up", "not told", "retold", "127.0.0.1", "localhost"] {
        assert!(!shown.contains(words), "{words}");
    }
    let hosts: BTreeSet<&str> = shown
        .split("://")
        .skip(1)
        .filter_map(|link| link.split(['/', ' ', '\n']).next())
        .collect();
    assert_eq!(
        hosts.into_iter().collect::<Vec<&str>>(),
        [
            "docs.google.com",
            "git.kernel.org",
            "github.com",
            "llvm.org",
            "lore.kernel.org",
            "lwn.net",
            "patchwork.ozlabs.org",
            "people.netfilter.org",
            "step.polymtl.ca",
            "twitter.com",
            "vger.kernel.org",
            "www.brendangregg.com",
            "www.cilium.io",
            "www.mail-archive.com",
            "www.spinics.net",
            "www.youtube.com"
        ]
    );
}

#[test]
fn the_demo_fits_80_columns_but_for_whole_links() {
    for line in demo_output().lines() {
        let is_link = line.trim_start_matches(['▌', '▏', ' ']).starts_with("http");
        let width = unicode_width::UnicodeWidthStr::width(line);
        assert!(width <= 80 || is_link, "{width}: {line}");
    }
    let end = demo_output().split("That was the demo.").nth(1);
    let lines = end.expect("an end").lines().count();
    assert!(lines < 24, "the end fits one screen: {lines}");
}

#[test]
fn the_version_names_the_features() {
    let folder = folder();
    let version = out(&run(folder.path(), &["--version"]));
    let start = concat!("bpfnews ", env!("CARGO_PKG_VERSION"), " (");
    assert!(version.starts_with(start), "{version}");
    let matrix = if cfg!(feature = "matrix") {
        "matrix"
    } else {
        "none"
    };
    assert!(
        version.ends_with(&format!("features: {matrix})\n")),
        "{version}"
    );
}

#[test]
fn colour_is_for_terminals_and_on_request() {
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
fn help_explains_the_start_and_has_examples() {
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
        "stories",
        "story",
        "search",
        "open",
        "cycle",
        "refold",
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
fn all_faults_of_a_configuration_are_reported_and_nothing_starts() {
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
                "{command:?} does not show {word}: {told}"
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

/// A series with an answer, its second revision, and patchwork's notice.
const MBOX: &str = "\
From x@y Tue May  2 12:00:00 2017
From: Ann Author <ann@example.org>
Subject: [PATCH bpf-next] bpf: Add a thing that helps
Message-ID: <v1@example.org>
Date: Tue, 2 May 2017 12:00:00 +0000

This adds a thing. It helps.

From x@y Tue May  2 13:00:00 2017
From: Bob Reader <bob@example.org>
Subject: Re: [PATCH bpf-next] bpf: Add a thing that helps
Message-ID: <answer@example.org>
In-Reply-To: <v1@example.org>
Date: Tue, 2 May 2017 13:00:00 +0000

Whom?

From x@y Wed May  3 12:00:00 2017
From: Ann Author <ann@example.org>
Subject: [PATCH bpf-next v2] bpf: Add a thing that helps
Message-ID: <v2@example.org>
Date: Wed, 3 May 2017 12:00:00 +0000

This adds a thing. It helps readers.

From x@y Thu May  4 12:00:00 2017
From: patchwork-bot+netdevbpf@kernel.org
Subject: Re: [PATCH bpf-next v2] bpf: Add a thing that helps
Message-ID: <notice@example.org>
In-Reply-To: <v2@example.org>
Date: Thu, 4 May 2017 12:00:00 +0000

Hello:

This patch was applied to bpf/bpf-next.git (master)
by Mae Maintainer <mae@example.org>:

Here is the summary with links:
  - [bpf-next,v2] bpf: Add a thing that helps
    https://git.kernel.org/bpf/bpf-next/c/0123456789ab

From x@y Fri May  5 12:00:00 2017
From: Cay Other <cay@example.org>
Subject: Where to eat?
Message-ID: <food@example.org>
Date: Fri, 5 May 2017 12:00:00 +0000

I am hungry.

";

#[test]
fn stories_are_listed_shown_searched_and_folded_again() {
    let folder = folder();
    std::fs::write(
        folder.path().join("config.toml"),
        "[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/bpf/\"\n",
    )
    .expect("a configuration");
    std::fs::write(folder.path().join("bpf.mbox"), MBOX).expect("an mbox");
    let ask = |args: &[&str]| {
        let output = run(folder.path(), args);
        assert!(output.status.success(), "{args:?}: {}", err(&output));
        out(&output)
    };
    ask(&["import", "--list", "bpf", "bpf.mbox"]);

    // As text, only stories about BPF; as JSON, all stories, with the keys that docs/json.md promises.
    let listed = ask(&["stories"]);
    assert!(
        listed.contains("bpf: Add a thing that helps") && !listed.contains("Where to eat?"),
        "{listed}"
    );
    assert!(ask(&["stories", "--all"]).contains("Where to eat?"));
    assert!(!ask(&["stories", "--format", "json", "--relevant"]).contains("Where to eat?"));
    let json = ask(&["stories", "--format", "json"]);
    assert_eq!(json.lines().count(), 2);
    let keys = [
        "aliases",
        "applied",
        "author",
        "changes",
        "checks",
        "commits",
        "cves",
        "events",
        "feeds",
        "files",
        "first_at",
        "fixes",
        "follow_ups",
        "id",
        "kind",
        "last_at",
        "mainline",
        "messages",
        "people",
        "relevant",
        "revisions",
        "score",
        "stable",
        "state",
        "summary",
        "title",
        "tree",
        "url",
        "why",
    ];
    for line in json.lines() {
        let story: serde_json::Value = serde_json::from_str(line).expect("a JSON object");
        let mut told: Vec<&str> = story
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        told.sort_unstable();
        assert_eq!(told, keys);
    }

    // One story has many names.
    let id = json
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a JSON object"))
        .find(|story| story["title"] == "bpf: Add a thing that helps")
        .and_then(|story| Some(story["id"].as_str()?.to_owned()))
        .expect("the series");
    let names = [
        id.as_str(),
        "answer@example.org",
        "<v1@example.org>",
        "https://lore.kernel.org/bpf/v2@example.org/T/#u",
        "0123456789ab",
        "https://git.kernel.org/bpf/bpf-next/c/0123456789ab",
    ];
    for name in names {
        let told = ask(&["story", name, "--why"]);
        for part in [
            "bpf: Add a thing that helps",
            "Ann Author",
            "Mae Maintainer",
            "0123456789ab",
            "\"bpf\" in the title",
        ] {
            assert!(told.contains(part), "{name}: no {part} in\n{told}");
        }
    }
    let unknown = run(folder.path(), &["story", "nobody"]);
    assert_eq!(
        (
            unknown.status.code(),
            err(&unknown).contains("no story is known by")
        ),
        (Some(1), true)
    );

    for (words, is_found) in [
        ("thing", true),
        ("title:thing ann", true),
        ("people:mae", true),
        ("\"a thing\"", true),
        ("thin*", true),
        ("hungry", false),
        ("a \" AND (", false),
    ] {
        assert_eq!(
            ask(&["search", words]).contains("bpf: Add a thing"),
            is_found,
            "{words}"
        );
    }
    assert!(
        ask(&[
            "search", "thing", "--state", "applied", "--author", "ann", "--tree", "bpf-next"
        ])
        .contains(&id)
    );
    assert!(ask(&["open", "--all"]).contains("No series waits"));
    let cycle = run(folder.path(), &["cycle"]);
    assert_eq!(cycle.status.code(), Some(1));
    assert!(
        err(&cycle).contains("No release of the kernel is stored."),
        "{}",
        err(&cycle)
    );
    assert!(ask(&["refold"]).contains("5 items in 2 stories; nothing changed"));
}

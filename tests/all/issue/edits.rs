//! Edits from the command line and from chat: the same edits, the same log, the same refusals; and a program that is killed
//! while it edits.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{bpfnews, err, folder, out, run};
use crate::command::house::{House, NEWS, ROOM, SERVER, discord, matrix, reader};
use crate::documents::mail;

/// A database with mails of this week, so that they are in the coming issue.
fn set_up(folder: &Path) {
    let text = "[issue]\nfolder = \"issues\"\n\n[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\n[[feed]]\n\
                name = \"list\"\nkind = \"archive\"\nurl = \"http://127.0.0.1:1/list/\"\nbpf_only = true\npoll_gap_s = 86400\n";
    std::fs::write(folder.join("config.toml"), text).expect("room on the disk");
    let now = chrono::Utc::now() - chrono::TimeDelta::hours(5);
    let mail = |id: &str, title: &str| {
        format!(
            "From x Thu Jan  1 00:00:00 1970\nFrom: A. Author <a@x.example>\nMessage-ID: <{id}@x.example>\n\
             Date: {}\nSubject: [PATCH bpf-next] {title}\n\nWords.\n---\n a | 1 +\n\n",
            now.to_rfc2822()
        )
    };
    let mails = [
        mail("1", "bpf: First"),
        mail("2", "bpf: Second"),
        mail("3", "bpf: Third"),
    ]
    .concat();
    std::fs::write(folder.join("some.mbox"), mails).expect("room on the disk");
    let imported = run(folder, &["import", "--list", "list", "some.mbox"]);
    assert!(imported.status.success(), "{}", err(&imported));
}

fn edit(folder: &Path, arguments: &[&str]) -> String {
    let arguments = [&["issue", "edit"][..], arguments].concat();
    let output = run(folder, &arguments);
    assert!(output.status.success(), "{arguments:?}: {}", err(&output));
    out(&output)
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let arguments = [&["issue", "edit"][..], arguments].concat();
    let output = run(folder, &arguments);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}",
        out(&output)
    );
    err(&output)
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let text = edit(folder, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn with_stdin(folder: &Path, arguments: &[&str], text: &str) {
    let mut child = bpfnews(folder)
        .args([&["issue", "edit"][..], arguments].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    assert!(child.wait().expect("a child").success());
}

fn titles(draft: &Value, section: &str) -> Vec<String> {
    let sections = draft["sections"].as_array().expect("sections");
    let found = sections.iter().find(|found| found["section"] == section);
    let entries = found.and_then(|found| found["entries"].as_array().cloned());
    let entries = entries.unwrap_or_default();
    entries
        .iter()
        .map(|entry| entry["title"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn an_issue_is_finished_by_the_command_line_alone() {
    let folder = folder();
    let folder = folder.path();
    set_up(folder);
    let draft = json(folder, &["draft"]);
    let before = titles(&draft, "new-series");
    assert_eq!(before.len(), 3, "{draft}");
    // Lines, lists and quotations, from standard input and from a file.
    with_stdin(
        folder,
        &["intro", "-"],
        "One.\nTwo.\n\n- a\n  - b\n\n> said\n> so\n",
    );
    std::fs::write(folder.join("note.md"), "Mind this.\n1. one\n2. two\n")
        .expect("room on the disk");
    edit(folder, &["note", "bpf: First", "--file", "note.md"]);
    edit(folder, &["title", "bpf: First", "The first"]);
    edit(folder, &["order", &before[2], "1"]);
    edit(folder, &["move", &before[1], "highlights"]);
    let draft = json(folder, &["draft"]);
    assert_eq!(draft["intro"], "One.\nTwo.\n\n- a\n  - b\n\n> said\n> so");
    assert!(draft["intro_version"].as_i64() > Some(0));
    let shown = |title: &String| match title.as_str() {
        "bpf: First" => "The first".to_owned(),
        title => title.to_owned(),
    };
    assert_eq!(
        titles(&draft, "new-series"),
        [shown(&before[2]), shown(&before[0])]
    );
    assert_eq!(titles(&draft, "highlights"), [shown(&before[1])]);
    // A free entry with a picture.
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::DynamicImage::new_rgb8(24, 16);
    picture
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .expect("it is encoded");
    std::fs::write(folder.join("bee.jpg"), bytes.into_inner()).expect("room on the disk");
    let added = json(
        folder,
        &[
            "add",
            "A bee",
            "--text",
            "Look.",
            "--picture",
            "bee.jpg",
            "--alt",
            "A bee",
        ],
    );
    let id = added["entry"].as_str().expect("an id").to_owned();
    edit(folder, &["title", &id, "A nice bee"]);
    assert!(
        refused(folder, &["add", "x", "--picture", "note.md", "--alt", "x"])
            .contains("no PNG, JPEG or WebP")
    );
    assert!(
        refused(folder, &["add", "x", "--link", "http://localhost/"]).contains("readers can open")
    );
    // A second editor starts.
    let told = refused(folder, &["--as", "flo", "intro", "Mine."]);
    assert!(
        told.contains("operator on command line changed it")
            && told.contains("One.\nTwo.")
            && told.contains("Mine."),
        "{told}"
    );
    let version = draft["intro_version"].to_string();
    edit(
        folder,
        &["--as", "flo", "intro", "Mine.", "--version", &version],
    );
    let told = refused(folder, &["intro", "Late.", "--version", &version]);
    assert!(
        told.contains("flo on command line")
            && told.contains("--version ")
            && told.contains("--over"),
        "{told}"
    );
    edit(folder, &["intro", "Over.", "--over"]);
    // Undo, step by step; a title and an order too.
    let undone = edit(folder, &["undo", "intro"]);
    assert!(
        undone.contains("Undone: intro: Over.") && undone.contains("intro: Mine."),
        "{undone}"
    );
    edit(folder, &["undo", "intro"]);
    edit(folder, &["undo", &id]);
    edit(folder, &["undo", &before[2]]);
    let draft = json(folder, &["draft"]);
    assert_eq!(draft["intro"], "One.\nTwo.\n\n- a\n  - b\n\n> said\n> so");
    assert_eq!(titles(&draft, "note"), ["A bee"]);
    assert_eq!(titles(&draft, "new-series").len(), 2);
    let log = edit(folder, &["log"]);
    for words in [
        "flo on command line",
        "Over.",
        "(undone by operator on command line)",
        "order to new-series at 1",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
    let published = run(folder, &["issue", "publish", "--yes"]);
    assert!(published.status.success(), "{}", err(&published));
    edit(folder, &["correct", "1", "Not *so*."]);
    let shown = out(&run(folder, &["issue", "show", "1"]));
    for words in [
        "**Correction, ",
        "Not **so**.",
        "One.\\\nTwo.\n\n- a\n    - b\n\n> said\\\n> so\n",
        "The first",
        "  Mind this.\n\n  1. one\n  2. two\n",
        "### A bee\n",
        "Picture: A bee",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert_eq!(
        std::fs::read_to_string(folder.join("issues/bpf-updates-01.md")).expect("a file"),
        shown
    );
    // Its edits belong to that issue now.
    assert_eq!(json(folder, &["log"]).as_array().map(Vec::len), Some(0));
    assert!(
        json(folder, &["log", "--issue", "1"])
            .as_array()
            .map(Vec::len)
            > Some(8)
    );
    for (arguments, why) in [
        (&["correct", "9", "x"][..], "Issue 9 is not published"),
        (&["undo"], "no decision to undo"),
        (&["drop", "e999"], "no free entry e999"),
        (&["accept", "7"], "no suggestion s7"),
        (&["note", "nothing like it", "x"], "no story matches"),
        (&["title", "intro", "x"], "introduction has no title"),
        (&["drop", "intro"], "cannot be moved"),
    ] {
        let told = refused(folder, arguments);
        assert!(told.contains(why), "{arguments:?}: {told}");
    }
}

/// At any moment of a kill, a confirmed edit is stored. An edit without confirmation is stored whole or not at all.
#[test]
#[expect(clippy::print_stdout, reason = "the counts are for people to see")]
fn kills_between_any_two_steps_lose_no_word() {
    let folder = folder();
    let folder = folder.path();
    set_up(folder);
    let mut confirmed = Vec::new();
    for number in 0..40_u64 {
        let text = format!("Text number {number}.\nIts second line.");
        let mut child = bpfnews(folder)
            .args(["issue", "edit", "intro", &text, "--over"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(Duration::from_millis(number * 5 % 190));
        // The program may have ended.
        let _ = child.kill();
        if child.wait().expect("a child").success() {
            confirmed.push(text);
        }
    }
    let log = json(folder, &["log"]);
    let log = log.as_array().expect("a list");
    let texts: Vec<&str> = log.iter().filter_map(|row| row["text"].as_str()).collect();
    for text in &confirmed {
        assert!(texts.contains(&text.as_str()), "{text} is lost: {texts:?}");
    }
    for text in &texts {
        assert!(
            text.ends_with("\nIts second line."),
            "{text:?} is not whole"
        );
    }
    let numbers: Vec<i64> = log.iter().filter_map(|row| row["edit"].as_i64()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    let draft = json(folder, &["draft"]);
    assert_eq!(draft["intro"].as_str(), texts.last().copied().or(Some("")));
    println!(
        "{} confirmed, {} stored of 40",
        confirmed.len(),
        texts.len()
    );
}

const EDITORS: &str = "discord_users = [\"111111\"]\ncooldown_s = 0\n\n\
                       [issue]\ndiscord_users = [\"333333\"]\nmatrix_users = [\"@ed:x.example\"]\n";

#[tokio::test]
async fn titles_orders_and_free_entries_are_edited_in_chat_and_undone() {
    let mut house = House::with(EDITORS).await;
    house
        .post(&[
            mail("a", 130, "[PATCH bpf-next] bpf: First thing", ""),
            mail("b", 133, "[PATCH bpf] bpf: Fix a leak", ""),
        ])
        .await;
    house.advance(chrono::TimeDelta::minutes(1));
    house
        .ask(&reader(), "suggest https://blog.example/maps note=Maps")
        .await;
    let (ed, flo) = (
        matrix("@ed:x.example", ROOM),
        discord("333333", NEWS, SERVER),
    );
    let place = async |words: &str| house.ask(&ed, "edit draft").await.find(words);
    let draft = house.ask(&ed, "edit draft").await;
    let (leak, map) = (draft.find("Fix a leak"), draft.find("First thing"));
    let (first, second) = match leak < map {
        true => ("Fix a leak", "First thing"),
        false => ("First thing", "Fix a leak"),
    };
    let told = house
        .ask(&ed, &format!("edit order \"bpf: {second}\" 1"))
        .await;
    assert!(
        told.contains("It is number 1 under “New patches and series”."),
        "{told}"
    );
    assert!(place(second).await < place(first).await);
    // In the same second, another editor moves it down by one, from its new place.
    house
        .ask(&flo, &format!("edit order \"bpf: {second}\" down"))
        .await;
    assert!(place(first).await < place(second).await);
    house.ask(&ed, &format!("edit undo bpf: {second}")).await;
    assert!(place(second).await < place(first).await);
    house.ask(&ed, "edit undo last").await;
    assert!(place(first).await < place(second).await);
    let told = house
        .ask(&ed, "edit order \"bpf: Fix a leak\" sideways")
        .await;
    assert!(
        told.contains("A place is a number from 1, or up, or down."),
        "{told}"
    );
    // A title, by two editors.
    house
        .ask(&ed, "edit title \"bpf: Fix a leak\" No more leaks")
        .await;
    assert!(place("No more leaks").await.is_some());
    let told = house
        .ask(&flo, "edit title \"bpf: Fix a leak\" Leaks, no more")
        .await;
    assert!(
        told.contains("No more leaks") && told.contains("over=yes"),
        "{told}"
    );
    house
        .ask(
            &flo,
            "edit title over=yes \"bpf: Fix a leak\" Leaks, no more",
        )
        .await;
    assert!(place("Leaks, no more").await.is_some());
    house.ask(&ed, "edit undo bpf: Fix a leak").await;
    assert!(place("No more leaks").await.is_some());
    // The text of a suggestion, before and after it is accepted.
    house.ask(&ed, "edit title s1 On maps").await;
    house.ask(&ed, "edit accept 1").await;
    house.ask(&ed, "edit note s1 Better.\\nMuch.").await;
    assert!(
        place("On maps (Better.").await.is_some(),
        "{}",
        house.ask(&ed, "edit draft").await
    );
    house.ask(&flo, "edit undo s1").await;
    house.ask(&flo, "edit undo s1").await;
    assert_eq!(place("On maps").await, None, "it waits again");
    assert!(house.ask(&ed, "edit suggestions").await.contains("Maps"));
    house.ask(&flo, "edit accept 1").await;
    assert!(place("On maps").await.is_some(), "its title stays");
    // A free entry.
    let told = house
        .ask(&ed, "edit add text=\"Bzz.\" section=videos A bee")
        .await;
    let id = told.split("issue as ").nth(1).expect("an id");
    let id = id.split('.').next().expect("its end").to_owned();
    assert!(
        place("A bee (Bzz.)").await.is_some(),
        "{}",
        house.ask(&ed, "edit draft").await
    );
    house
        .ask(&flo, &format!("edit note over=yes {id} Hmm."))
        .await;
    assert!(place("A bee (Hmm.)").await.is_some());
    house.ask(&flo, &format!("edit drop {id}")).await;
    assert_eq!(place("A bee").await, None);
    for _ in 0..3 {
        house.ask(&flo, &format!("edit undo {id}")).await;
    }
    let told = house.ask(&flo, &format!("edit undo {id}")).await;
    assert!(told.contains("There is no free entry"), "{told}");
    // The log has all of them, newest first.
    let log = house.ask(&ed, "edit log").await;
    for words in [
        "undone: @ed:x.example on matrix: add to videos: A bee Bzz.",
        "title: On maps (s1, https://blog.example/maps)",
    ] {
        assert!(log.contains(words), "{words}: {log}");
    }
}

//! Dead letters, listed and decided in chat and on the command line.

use std::path::Path;
use std::process::Command;

use bpfnews::channel::{Scope, SendError};
use bpfnews::chat::{HandleCommands as _, PlatformKind, RoomEvent};
use chrono::TimeDelta;

use super::house::{House, NEWS, OPS, boss, matrix, reader};
use crate::deliver::platform::Answer;
use crate::documents::mail;

#[tokio::test]
async fn maintainers_list_dead_letters_and_decide_about_them() {
    let mut house = House::new().await;
    let never = SendError::Never {
        scope: Scope::Delivery,
        why: "AutoMod refuses the text".to_owned(),
    };
    house.chat.break_with("Do it badly", never);
    house
        .post(&[
            mail("p1", 60, "[PATCH bpf-next] bpf: Do it badly", ""),
            mail("p2", 61, "[PATCH bpf-next] bpf: Do it well", ""),
        ])
        .await;
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Do it well: posted"]);
    assert_eq!(
        house.chat.room(OPS),
        ["news: a message could not be delivered"]
    );
    let list = house.ask(&boss(), "admin letters list").await;
    for words in [
        "news",
        "set aside since",
        "bpf: Do it badly",
        "AutoMod refuses the text",
    ] {
        assert!(list.contains(words), "{words} in {list}");
    }
    let status = house.ask(&reader(), "status").await;
    assert!(
        status.contains("One message could not be delivered and is set aside"),
        "{status}"
    );
    // Readers may not decide, and see no dead letters.
    for asked in ["admin letters list", "admin letters drop all"] {
        let told = house.ask(&reader(), asked).await;
        assert!(told.contains("Only maintainers"), "{told}");
    }
    let elsewhere = house
        .ask(
            &matrix("@boss:x.example", "!lounge:x.example"),
            "admin letters list",
        )
        .await;
    assert!(
        elsewhere.contains("only in the maintainers' room"),
        "{elsewhere}"
    );
    for (asked, said) in [
        ("admin letters retry seventeen", "is not a number"),
        ("admin letters retry 99999", "There is no dead letter 99999"),
    ] {
        let told = house.ask(&boss(), asked).await;
        assert!(told.contains(said), "{told}");
    }
    house.chat.mend();
    let retried = house.ask(&boss(), "admin letters retry all").await;
    assert!(retried.contains("One message is queued again"), "{retried}");
    house.advance(TimeDelta::minutes(1));
    house.pass().await;
    assert_eq!(
        house.chat.room(NEWS),
        ["bpf: Do it well: posted", "bpf: Do it badly: posted"]
    );
    let list = house.ask(&boss(), "admin letters list").await;
    assert!(list.contains("There are none"), "{list}");
    let none = house.ask(&boss(), "admin letters drop all").await;
    assert!(none.contains("There is no such message"), "{none}");
    assert_eq!(house.audit().await, ["111111: retried dead letters: all"]);
}

/// The output of the command, and whether it succeeded.
fn bpfnews(file: &Path, args: &[&str]) -> (bool, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_bpfnews"))
        .env_remove("BPFNEWS_CONFIG")
        .arg("--config")
        .arg(file)
        .args(args)
        .output()
        .expect("the program was built");
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test]
async fn the_command_line_lists_and_decides_while_the_bot_runs() {
    let mut house = House::new().await;
    let (is_well, said) = bpfnews(&house.file, &["letters", "list"]);
    assert!(is_well && said.contains("Nothing is set aside"), "{said}");
    let never = SendError::Never {
        scope: Scope::Delivery,
        why: "AutoMod refuses the text".to_owned(),
    };
    house.chat.break_with("Do it badly", never);
    for number in 0..2 {
        let title = format!("[PATCH bpf-next] bpf: Do it badly {number}");
        let patch = mail(&format!("p{number}"), 60 + number, &title, "");
        house.post(&[patch]).await;
        house.pass().await;
    }
    let (is_well, said) = bpfnews(&house.file, &["letters", "list", "--format", "json"]);
    assert!(is_well, "{said}");
    let lines: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    assert_eq!(lines.len(), 2, "{said}");
    let newest = &lines[0];
    assert_eq!(newest["title"], "bpf: Do it badly 1");
    assert_eq!(
        [&newest["channel"], &newest["verb"], &newest["state"]],
        ["news", "send", "set_aside"]
    );
    assert_eq!(newest["why"], "AutoMod refuses the text");
    let (is_well, said) = bpfnews(&house.file, &["letters", "list"]);
    assert!(is_well && said.contains("bpf: Do it badly 0"), "{said}");
    house.chat.mend();
    let number = newest["number"].to_string();
    let (is_well, said) = bpfnews(&house.file, &["letters", "retry", &number]);
    assert!(is_well && said.contains("1 to be tried again"), "{said}");
    let (is_well, said) = bpfnews(&house.file, &["letters", "drop", "all"]);
    assert!(is_well && said.contains("1 given up"), "{said}");
    let (is_well, said) = bpfnews(&house.file, &["letters", "retry", "99999"]);
    assert!(!is_well && said.contains("letters list shows"), "{said}");
    house.advance(TimeDelta::minutes(1));
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Do it badly 1: posted"]);
}

/// A platform reports a change to the handler: the channel is retried at once.
#[tokio::test]
async fn a_channel_that_comes_back_is_tried_at_once() {
    let mut house = House::new().await;
    let never = SendError::Never {
        scope: Scope::Channel,
        why: "the bot is not in the channel's server".to_owned(),
    };
    house.chat.answer_in(NEWS, &[Answer::Fails(never)]);
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    house.advance(TimeDelta::minutes(1));
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), [""; 0]);
    assert_eq!(house.chat.room(OPS), ["news is paused"]);
    let changed = || RoomEvent::Changed { room: None };
    house
        .handler
        .room_event(PlatformKind::Matrix, changed())
        .await;
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), [""; 0], "another platform's");
    house
        .handler
        .room_event(PlatformKind::Discord, changed())
        .await;
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Do it: posted"]);
    assert_eq!(
        house.chat.room(OPS),
        ["news is paused", "news is well again"]
    );
}

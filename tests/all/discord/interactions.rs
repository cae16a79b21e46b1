//! Commands on Discord: answered or deferred within three seconds, private if necessary, without mentions.

use std::time::Duration;

use bpfnews::chat::{Choice, Completes, PlatformKind};
use serde_json::{Value, json};

use super::ROOM;
use super::fake::{Answer, Fake, Fault, GUILD, On, Person, Room};
use super::gateway::{Bot, set};

/// Discord's limit.
const THREE_SECONDS: Duration = Duration::from_secs(3);
const SOON: Duration = Duration::from_secs(5);

async fn start() -> (Fake, Bot) {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let bot = Bot::start(&fake);
    fake.until_connected().await;
    (fake, bot)
}

fn ann() -> Person {
    Person::reader("200001")
}

fn title(answer: &Answer) -> &str {
    let data = answer.body.get("data").unwrap_or(&answer.body);
    data["embeds"][0]["title"].as_str().unwrap_or_default()
}

/// The ids of the buttons below a message.
fn buttons(message: &Value) -> Vec<String> {
    let buttons = message["components"][0]["components"].as_array().cloned();
    let buttons = buttons.unwrap_or_default();
    let ids = buttons
        .iter()
        .map(|button| button["custom_id"].as_str().unwrap_or_default());
    ids.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_command_is_answered_to_the_right_people() {
    let (fake, bot) = start().await;
    let mut asked = ann();
    asked.roles = vec!["300001".to_owned(), "300002".to_owned()];
    let token = fake
        .give(
            &asked,
            ROOM,
            &["bpfnews", "search"],
            &[("words", "private stack".into()), ("page", 2.into())],
        )
        .await;
    let answers = fake.answers(&token, 1, SOON).await;
    assert_eq!(
        (answers[0].what, answers[0].body["type"].as_u64()),
        ("first", Some(4))
    );
    assert_eq!(title(&answers[0]), "search page=2 private stack");
    assert_eq!(
        answers[0].body["data"].get("flags"),
        None,
        "all may read it"
    );
    assert!(answers[0].after < THREE_SECONDS);
    let text = answers[0].body["data"]["embeds"][0]["description"]
        .as_str()
        .expect("it says something");
    assert_eq!(text, r"\@everyone \<@1> \[x\](https://evil.example)");
    let by = bot.handler.last().by;
    assert_eq!(
        (by.platform, by.room.as_str(), by.community.as_deref()),
        (PlatformKind::Discord, ROOM, Some(GUILD))
    );
    assert_eq!(
        (by.person.as_str(), by.roles.join(" "), by.is_manager),
        ("200001", "300001 300002".to_owned(), false)
    );
    // A maintainer's command, by a person with the permission to manage the server.
    set(&bot.handler.is_private, true);
    let token = fake
        .give(
            &Person::manager("200002"),
            ROOM,
            &["bpfnews-admin", "feeds", "pause"],
            &[("feed", "lwn".into())],
        )
        .await;
    let answers = fake.answers(&token, 1, SOON).await;
    assert_eq!(title(&answers[0]), "feeds pause lwn");
    assert_eq!(
        answers[0].body["data"]["flags"], 64,
        "one person alone reads it"
    );
    assert!(bot.handler.last().by.is_manager);
    // A channel that the person picked from a list.
    let options = [
        ("name", json!("news")),
        ("room", json!(ROOM)),
        ("score_min", json!(-3)),
    ];
    let token = fake
        .give(
            &Person::manager("200002"),
            ROOM,
            &["bpfnews-admin", "route", "add"],
            &options,
        )
        .await;
    fake.answers(&token, 1, SOON).await;
    let call = bot.handler.last().call.expect("a command");
    assert_eq!(
        (call.get("room"), call.get("score_min")),
        (Some(ROOM), Some("-3"))
    );
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn a_slow_answer_is_deferred_in_time_and_sent_later() {
    let (fake, bot) = start().await;
    set(&bot.handler.takes, Duration::from_millis(4000));
    let reader = fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
    let keeper = fake
        .give(
            &Person::manager("200002"),
            ROOM,
            &["bpfnews-admin", "audit"],
            &[],
        )
        .await;
    for (token, flags) in [(&reader, None), (&keeper, Some(64))] {
        let answers = fake.answers(token, 2, Duration::from_secs(8)).await;
        assert_eq!(
            (answers[0].what, answers[0].body["type"].as_u64()),
            ("first", Some(5))
        );
        assert!(answers[0].after < THREE_SECONDS, "{:?}", answers[0].after);
        assert_eq!(answers[0].body["data"]["flags"].as_u64(), flags);
        assert_eq!(answers[1].what, "changed");
        assert!(answers[1].after > THREE_SECONDS);
        assert_eq!(answers[1].body["allowed_mentions"], json!({"parse": []}));
        assert_eq!(
            fake.original(token).expect("it stands")["embeds"][0]["title"].as_str(),
            Some(title(&answers[1]))
        );
    }
    // The answer proves to be private only after everybody saw the deferral.
    set(&bot.handler.takes, Duration::from_millis(1500));
    set(&bot.handler.is_private, true);
    let token = fake.give(&ann(), ROOM, &["bpfnews", "status"], &[]).await;
    let answers = fake.answers(&token, 3, SOON).await;
    let what: Vec<&str> = answers.iter().map(|answer| answer.what).collect();
    assert_eq!(what, ["first", "removed", "more"]);
    assert_eq!(answers[2].body["flags"], 64);
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn a_command_that_fails_or_has_no_answer_leaves_nobody_waiting() {
    let (fake, bot) = start().await;
    set(&bot.handler.panics, true);
    let token = fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
    let answers = fake.answers(&token, 1, SOON).await;
    assert_eq!(
        (
            title(&answers[0]),
            answers[0].body["data"]["flags"].as_u64()
        ),
        ("Failed", Some(64))
    );
    set(&bot.handler.takes, Duration::from_millis(1500));
    let token = fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
    let answers = fake.answers(&token, 3, SOON).await;
    assert_eq!(title(&answers[2]), "Failed");
    set(&bot.handler.panics, false);
    set(&bot.handler.takes, Duration::ZERO);
    let token = fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
    assert_eq!(
        title(&fake.answers(&token, 1, SOON).await[0]),
        "latest",
        "the next one is answered"
    );
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn typed_text_is_completed_in_time_and_within_the_limits() {
    let (fake, bot) = start().await;
    let choice = |shown: &str, value: &str| Choice {
        shown: shown.to_owned(),
        value: value.to_owned(),
    };
    let mut choices = vec![
        choice(&"a\u{301}".repeat(80), "1"),
        choice("@everyone <@1> \u{202e}evil", "2"),
        choice(&"x".repeat(10_000), "3"),
        choice("too long", &"v".repeat(101)),
        choice("", "5"),
    ];
    choices.extend(
        (0..60).map(|number| choice(&format!("bpf: Do it {number}"), &format!("s{number}"))),
    );
    set(&bot.handler.choices, choices);
    let token = fake
        .type_in(&ann(), ROOM, &["bpfnews", "story"], "story", "do i")
        .await;
    let answers = fake.answers(&token, 1, SOON).await;
    assert_eq!(answers[0].body["type"], 8);
    let shown = answers[0].body["data"]["choices"]
        .as_array()
        .expect("choices")
        .clone();
    assert_eq!(shown.len(), 25);
    assert_eq!(
        (shown[0]["value"].as_str(), shown[3]["value"].as_str()),
        (Some("1"), Some("s0"))
    );
    assert!(
        shown[0]["name"]
            .as_str()
            .is_some_and(|name| name.ends_with("a\u{301}…"))
    );
    let typed = bot.handler.typed.lock().expect("no holder panics").clone();
    assert_eq!(
        (typed[0].1, typed[0].2.as_str(), typed[0].0.person.as_str()),
        (Completes::Story, "do i", "200001")
    );
    // If the handler is slow, an empty answer in time is better than none.
    set(&bot.handler.takes, Duration::from_secs(4));
    let token = fake
        .type_in(
            &ann(),
            ROOM,
            &["bpfnews-admin", "feeds", "pause"],
            "feed",
            "",
        )
        .await;
    let answers = fake.answers(&token, 1, SOON).await;
    assert!(answers[0].after < THREE_SECONDS);
    assert_eq!(answers[0].body["data"]["choices"], json!([]));
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn the_person_who_asked_turns_pages_also_after_a_restart() {
    let (fake, bot) = start().await;
    set(&bot.handler.pages, 3);
    let asked = fake
        .give(
            &ann(),
            ROOM,
            &["bpfnews", "search"],
            &[("words", "stack".into())],
        )
        .await;
    fake.answers(&asked, 1, SOON).await;
    let message = fake.original(&asked).expect("it stands");
    assert_eq!(buttons(&message).len(), 1, "on, and not back");
    let next = buttons(&message)[0].clone();
    let pressed = fake.press(&ann(), &asked, &next).await;
    let answers = fake.answers(&pressed, 1, SOON).await;
    assert_eq!(
        (answers[0].body["type"].as_u64(), title(&answers[0])),
        (Some(7), "search page=2 stack")
    );
    let message = fake.original(&asked).expect("it stands");
    assert_eq!(buttons(&message).len(), 2);
    // Another person is refused privately; the pages stay.
    let ids = buttons(&message);
    let other = fake.press(&Person::reader("200009"), &asked, &ids[1]).await;
    let answers = fake.answers(&other, 1, SOON).await;
    assert_eq!(
        (
            answers[0].body["type"].as_u64(),
            answers[0].body["data"]["flags"].as_u64()
        ),
        (Some(4), Some(64))
    );
    assert_eq!(title(&answers[0]), "These are not your pages");
    assert_eq!(
        bot.handler.heard.lock().expect("no holder panics").len(),
        2,
        "and is not heard"
    );
    // A slow page is deferred, and replaces the page before.
    set(&bot.handler.takes, Duration::from_millis(1500));
    let slow = fake.press(&ann(), &asked, &ids[1]).await;
    let answers = fake.answers(&slow, 2, SOON).await;
    assert_eq!(
        (answers[0].body["type"].as_u64(), answers[1].what),
        (Some(6), "changed")
    );
    assert_eq!(title(&answers[1]), "search page=3 stack");
    assert_eq!(
        buttons(&fake.original(&asked).expect("it stands")).len(),
        1,
        "back, and not on"
    );
    // A private answer does not replace a public message.
    set(&bot.handler.takes, Duration::ZERO);
    set(&bot.handler.is_private, true);
    let back = buttons(&fake.original(&asked).expect("it stands"))[0].clone();
    let private = fake.press(&ann(), &asked, &back).await;
    let answers = fake.answers(&private, 1, SOON).await;
    assert_eq!(
        (
            answers[0].body["type"].as_u64(),
            answers[0].body["data"]["flags"].as_u64()
        ),
        (Some(4), Some(64))
    );
    // A call that is too long for a button is remembered while the program runs.
    set(&bot.handler.is_private, false);
    let words = "private stack ".repeat(20);
    let long = fake
        .give(
            &ann(),
            ROOM,
            &["bpfnews", "search"],
            &[("words", words.trim().into())],
        )
        .await;
    fake.answers(&long, 1, SOON).await;
    let on = buttons(&fake.original(&long).expect("it stands"))[0].clone();
    let pressed = fake.press(&ann(), &long, &on).await;
    assert!(title(&fake.answers(&pressed, 1, SOON).await[0]).starts_with("search page=2 private"));
    let on = buttons(&fake.original(&long).expect("it stands"))[1].clone();
    assert_eq!(bot.stop().await, 0);

    tokio::time::sleep(Duration::from_secs(5)).await;
    let bot = Bot::start(&fake);
    fake.until("connected again", SOON, |fake| {
        fake.counts().identified == 2
    })
    .await;
    let pressed = fake.press(&ann(), &asked, &back).await;
    assert_eq!(
        title(&fake.answers(&pressed, 1, SOON).await[0]),
        "search page=2 stack",
        "after a restart"
    );
    let pressed = fake.press(&ann(), &long, &on).await;
    let answers = fake.answers(&pressed, 1, SOON).await;
    assert_eq!(
        (
            title(&answers[0]),
            answers[0].body["data"]["flags"].as_u64()
        ),
        ("Too old", Some(64))
    );
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn an_answer_that_discord_does_not_take_is_not_repeated() {
    let (fake, bot) = start().await;
    let callbacks = |fake: &Fake| fake.seen("/callback").len();
    #[rustfmt::skip]
    let table = [
        (404, r#"{"code":10062,"message":"Unknown interaction"}"#), (400, r#"{"code":40060,"message":"acknowledged"}"#),
        (400, r#"{"code":50035,"message":"Invalid Form Body"}"#),
    ];
    for (status, text) in table {
        let before = callbacks(&fake);
        fake.fail(
            On::Path("/callback".to_owned()),
            Fault::Before(status, text),
        );
        fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
        fake.until("it is tried", SOON, |fake| callbacks(fake) > before)
            .await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(callbacks(&fake), before + 1, "{text}");
    }
    // If the answer is lost, it is sent once more. Discord then says that it already has it.
    let before = callbacks(&fake);
    fake.fail(On::Path("/callback".to_owned()), Fault::After(502, ""));
    let token = fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
    fake.until("it is tried twice", SOON, |fake| {
        callbacks(fake) == before + 2
    })
    .await;
    assert_eq!(fake.asked(&token).refused, [40060]);
    // An answer that is deferred and then lost is sent all the same.
    set(&bot.handler.takes, Duration::from_millis(1200));
    fake.fail(On::Path("/callback".to_owned()), Fault::DropAfter);
    fake.fail(On::Path("@original".to_owned()), Fault::Before(502, ""));
    let token = fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
    let answers = fake.answers(&token, 2, Duration::from_secs(8)).await;
    assert_eq!(
        (answers[0].body["type"].as_u64(), answers[1].what),
        (Some(5), "changed")
    );
    set(&bot.handler.takes, Duration::ZERO);
    let token = fake.give(&ann(), ROOM, &["bpfnews", "latest"], &[]).await;
    fake.answers(&token, 1, SOON).await;
    assert_eq!(bot.stop().await, 0);
}

#[tokio::test]
async fn many_ask_at_once_and_all_are_answered() {
    let (fake, bot) = start().await;
    set(&bot.handler.takes, Duration::from_millis(1300));
    let mut tokens = Vec::new();
    for number in 0..20 {
        tokens.push(
            fake.give(
                &Person::reader(&format!("2{number:05}")),
                ROOM,
                &["bpfnews", "latest"],
                &[],
            )
            .await,
        );
    }
    for token in tokens {
        let answers = fake.answers(&token, 2, Duration::from_secs(10)).await;
        assert!(answers[0].after < THREE_SECONDS);
    }
    assert_eq!(bot.stop().await, 0);
}

//! Messages to people on Matrix: a room for each, mentions in a thread, and the bell.

use bpfnews::channel::Personal;

use super::*;

const BOB: &str = "@bob:x.example";

fn to(address: &str, key: &str, person: Personal) -> Work {
    Work {
        address: address.to_owned(),
        person: Some(person),
        ..send(key, "Do it")
    }
}

fn bob() -> Personal {
    Personal::Direct(BOB.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_one_room_also_after_a_crash() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    let matrix = Matrix::new(settings(&server, home.path()));
    let room = matrix.open_direct(BOB).await.expect("it is created");
    matrix
        .deliver(&to(&room, "k1", bob()))
        .await
        .expect("it is sent");
    assert_eq!(server.bodies(&room), ["Posted: Do it"]);
    drop(matrix);
    // The process died before it stored the room.
    let again = Matrix::new(settings(&server, home.path()));
    assert_eq!(again.open_direct(BOB).await, Ok(room.clone()));
    assert_eq!(server.state().created, 1);
    let other = again.open_direct("@carol:x.example").await;
    assert_ne!(other.expect("it is created"), room);
    // The person joins and leaves. Then nothing is sent there, and the same call invites nobody again.
    server.moves(&room, BOB, "join");
    server.moves(&room, BOB, "leave");
    let bot = again;
    let mut gone = Ok(());
    for attempt in 0..50 {
        let key = format!("l{attempt}");
        gone = bot.deliver(&to(&room, &key, bob())).await.map(drop);
        if gone.is_err() {
            break;
        }
        // A sync brings the change.
        let _ = bot.open_direct("@dave:x.example").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let _ = bot.open_direct(&format!("@eve{attempt}:x.example")).await;
    }
    assert!(
        matches!(&gone, Err(SendError::Never { scope: Scope::Channel, why }) if why.contains("left")),
        "{gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mention_names_one_person() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    let matrix = Matrix::new(settings(&server, home.path()));
    let work = to(ROOM, "k1", Personal::Mentioned(BOB.to_owned()));
    matrix.deliver(&work).await.expect("it is sent");
    let found = matrix.find(&work).await.expect("it may look");
    assert!(found.is_some(), "it is found again");
    let event = server.last(ROOM);
    assert_eq!(
        event["content"]["m.mentions"],
        serde_json::json!({"user_ids": [BOB]})
    );
    assert_eq!(event["content"]["body"], format!("{BOB}\nPosted: Do it"));
    for wrong in ["bob", "@room", "<b>@x:y</b>"] {
        let work = to(ROOM, "k2", Personal::Mentioned(wrong.to_owned()));
        assert!(matrix.deliver(&work).await.is_err(), "{wrong}");
    }
}

/// Everybody follows a story with a bell; other messages get none.
#[tokio::test(flavor = "multi_thread")]
async fn a_bell_below_a_post_follows_its_story() {
    let (server, home) = (
        Server::start(&[ROOM]).await,
        TempDir::new().expect("a folder"),
    );
    let bot = Bot::start(settings(&server, home.path())).ready().await;
    let post = |key: &str, mark: &str| {
        let act = Act::Send {
            content: line(mark, "Do it"),
            under: None,
        };
        work(act, key)
    };
    let story = bot.matrix.deliver(&post("k1", "5tab1e0001")).await;
    let step = bot.matrix.deliver(&post("k2", "5tab1e0002-applied")).await;
    let other = bot.matrix.deliver(&post("k3", "d123")).await;
    let id = |receipt: Result<Receipt, SendError>| receipt.expect("it is sent").message;
    let (story, step, other) = (id(story), id(step), id(other));
    let not_ours = server.say(ROOM, "@eve:x.example", "5tab1e0003");
    for message in [&not_ours, &other, &story, &step] {
        server.react(ROOM, BOB, message, "🔔");
    }
    server.react(ROOM, BOB, &story, "👍");
    until("both are heard", || {
        bot.handler.asked.lock().expect("no holder panics").len() == 2
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut asked = bot.handler.asked.lock().expect("no holder panics").clone();
    asked.sort();
    assert_eq!(
        asked,
        [
            format!("{BOB} follow 5tab1e0001"),
            format!("{BOB} follow 5tab1e0002")
        ]
    );
    bot.stop().await;
}

//! Messages to people: direct ones, mentions in a post's thread, and the button *Follow*.

use std::time::Duration;

use bpfnews::channel::discord::render::body;
use bpfnews::channel::{Personal, Platform as _, Scope, SendError};
use bpfnews::config::PlatformKind;
use bpfnews::deliver::DeliveryLoop;
use bpfnews::destination;
use bpfnews::post::story::{Content, Digest, Tone};
use bpfnews::store::follows::{self, FollowKind, FollowWay, NewFollow};
use bpfnews::store::recipients::{self, AskedIn};
use chrono::TimeDelta;
use serde_json::json;

use super::fake::{Fake, Fault, GUILD, On, Person, Room, direct};
use super::gateway::Bot;
use super::{ROOM, Stage, channel, discord, line, send, story};
use crate::world::before_polls;

const ANN: &str = "200001";
const BOB: &str = "200002";
const SOON: Duration = Duration::from_secs(5);

fn news() -> Content {
    let Content::Line(line) = line("5tab1e0001", "bpf: Do it @everyone") else {
        unreachable!("it is a line")
    };
    Content::Digest(Digest {
        title: "News of what you follow".to_owned(),
        lines: vec![line],
        mark: "f1".to_owned(),
    })
}

#[tokio::test]
async fn a_direct_message_is_sent_once_into_the_one_channel() {
    let fake = Fake::start(&[]).await;
    let first = discord(&fake);
    let room = first.open_direct(ANN).await.expect("it is open");
    assert_eq!(first.open_direct(ANN).await, Ok(room.clone()));
    assert_eq!(room, direct(ANN));
    let mut work = send(&room, "k1", news());
    work.person = Some(Personal::Direct(ANN.to_owned()));
    fake.fail(On::Path("/messages".to_owned()), Fault::DropAfter);
    assert!(matches!(
        first.deliver(&work).await,
        Err(SendError::Unknown { .. })
    ));
    // Another process sends it again.
    let second = discord(&fake);
    work.is_retry = true;
    let found = second.find(&work).await.expect("it may look");
    assert!(found.is_some());
    second.deliver(&work).await.expect("the nonce is known");
    let messages = fake.messages(&room);
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0]["content"], "",
        "a direct message mentions nobody"
    );
}

#[tokio::test]
async fn a_refusal_is_about_the_person() {
    let fake = Fake::start(&[]).await;
    let discord = discord(&fake);
    let room = discord.open_direct(ANN).await.expect("it is open");
    fake.close(ANN, true);
    let refused = discord.deliver(&send(&room, "k1", news())).await;
    assert!(
        matches!(&refused, Err(SendError::Never { scope: Scope::Channel, why }) if why.contains("closed")),
        "{refused:?}"
    );
    let table = [
        (
            403,
            r#"{"code":50278,"message":"no mutual guilds"}"#,
            Scope::Channel,
        ),
        (
            400,
            r#"{"code":50033,"message":"Invalid Recipient(s)"}"#,
            Scope::Channel,
        ),
        (
            401,
            r#"{"code":0,"message":"401: Unauthorized"}"#,
            Scope::Platform,
        ),
    ];
    for (status, text, right) in table {
        fake.fail(
            On::Path("/users/@me/channels".to_owned()),
            Fault::Before(status, text),
        );
        match discord.open_direct(BOB).await {
            Err(SendError::Never { scope, .. }) => assert_eq!(scope, right, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let fast = r#"{"code":40003,"message":"You are opening direct messages too fast."}"#;
    fake.fail(
        On::Path("/users/@me/channels".to_owned()),
        Fault::Before(400, fast),
    );
    assert!(matches!(
        discord.open_direct(BOB).await,
        Err(SendError::Later {
            scope: Scope::Delivery,
            ..
        })
    ));
}

#[tokio::test]
async fn only_a_person_who_asked_is_mentioned() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let discord = discord(&fake);
    let mut work = send(ROOM, "k1", news());
    work.person = Some(Personal::Mentioned(ANN.to_owned()));
    discord.deliver(&work).await.expect("it is sent");
    let said = &fake.messages(ROOM)[0];
    assert_eq!(said["content"], format!("<@{ANN}>"));
    for wrong in ["@everyone", "1> <@2", ""] {
        let mut work = send(ROOM, "k2", news());
        work.person = Some(Personal::Mentioned(wrong.to_owned()));
        assert!(discord.deliver(&work).await.is_err(), "{wrong}");
    }
}

/// The whole program: two people follow an author, one of them in threads.
struct Followed {
    stage: Stage,
}

impl Followed {
    async fn new() -> Self {
        let mut stage = Stage::new(&[Room::text(ROOM)], vec![channel(ROOM)]).await;
        let store = &stage.world.ingest.store;
        let now = stage.world.now();
        let mut tx = store.write().await.expect("nobody writes");
        for (person, way) in [(ANN, FollowWay::Direct), (BOB, FollowWay::Thread)] {
            let asked_in = AskedIn {
                room: Some(ROOM),
                community: Some(GUILD),
            };
            let row = recipients::add_recipient(&mut tx, "discord", person, asked_in, now).await;
            let new = NewFollow {
                recipient: row.expect("a good database").id,
                kind: FollowKind::Author,
                what: "a. author",
                shown: "A. Author",
                item: None,
                way,
            };
            let added = follows::add_follow(&mut tx, &new, 10, now).await;
            added.expect("a good database");
        }
        tx.commit().await.expect("room on the disk");
        stage.patch("p1", "bpf: Do it").await;
        stage.pass().await;
        Self { stage }
    }

    /// Queues the messages that are due, and sends them.
    async fn pass(&self) {
        before_polls(&self.stage.world.ingest).await;
        let passed = self.delivery_loop().await.pass().await;
        passed.expect("a pass");
    }

    async fn delivery_loop(&self) -> DeliveryLoop {
        let ingest = &self.stage.world.ingest;
        let mut tx = ingest.store.write().await.expect("nobody writes");
        let personal = destination::personal(&mut tx, &[PlatformKind::Discord], ingest.clock.now());
        let personal = personal.await.expect("a good database");
        tx.commit().await.expect("room on the disk");
        self.stage.delivery_loop().over(
            ingest
                .destinations()
                .iter()
                .cloned()
                .chain(personal)
                .collect(),
            &[],
        )
    }
}

#[tokio::test]
async fn people_get_followed_news_in_the_way_they_chose() {
    let mut followed = Followed::new().await;
    followed.stage.world.advance(TimeDelta::minutes(15));
    followed.pass().await;
    let fake = &followed.stage.fake;
    assert_eq!(fake.titles(&direct(ANN)), ["News of what you follow"]);
    assert_eq!(fake.titles(&direct_or_none(fake, BOB)), [""; 0]);
    let threads = fake.threads(ROOM);
    assert_eq!(threads.len(), 1);
    assert_eq!(
        threads[0].name, "bpf: Do it",
        "not named by one person's news"
    );
    let said = fake.messages(&threads[0].id);
    assert_eq!(
        (said.len(), &said[0]["content"]),
        (1, &json!(format!("<@{BOB}>")))
    );
    // Nobody can write in the thread any more: the mention is sent directly.
    fake.change(&threads[0].id, |thread| thread.is_locked = true);
    followed.stage.world.advance(TimeDelta::hours(2));
    followed.stage.second("p1", "bpf: Do it").await;
    followed.stage.world.advance(TimeDelta::minutes(15));
    followed.pass().await;
    let fake = &followed.stage.fake;
    assert_eq!(fake.titles(&direct(ANN)).len(), 2);
    assert_eq!(fake.titles(&direct(BOB)).len(), 1);
}

fn direct_or_none(fake: &Fake, person: &str) -> String {
    assert!(fake.messages(&direct(person)).is_empty());
    direct(person)
}

#[tokio::test]
async fn closed_messages_are_named_once_in_the_channel() {
    let mut followed = Followed::new().await;
    followed.stage.fake.close(ANN, true);
    for round in 0..2 {
        followed.stage.world.advance(TimeDelta::minutes(15));
        followed.pass().await;
        followed.pass().await;
        if round == 0 {
            followed.stage.world.advance(TimeDelta::hours(2));
            followed.stage.second("p1", "bpf: Do it").await;
        }
    }
    let fake = &followed.stage.fake;
    assert!(fake.messages(&direct(ANN)).is_empty());
    let messages = fake.messages(ROOM);
    let named = messages
        .iter()
        .filter(|message| message["content"] == format!("<@{ANN}>"));
    assert_eq!(named.count(), 1);
    let threads = fake.threads(ROOM);
    assert_eq!(
        fake.messages(&threads[0].id).len(),
        2,
        "the other person gets theirs"
    );
}

#[tokio::test]
async fn a_post_has_a_button_that_follows_its_story() {
    let posted = body(&story("5tab1e0001", "bpf: Do it", "posted", Tone::New));
    let button = &posted["components"][0]["components"][0];
    assert_eq!(button["label"], "Follow");
    let id = button["custom_id"].as_str().expect("it has one").to_owned();
    let none = body(&story("m", "bpf: Do it", "posted", Tone::New));
    assert_eq!(none.get("components"), None, "that is no story's id");
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    discord(&fake)
        .deliver(&send(
            ROOM,
            "k1",
            story("5tab1e0001", "bpf: Do it", "posted", Tone::New),
        ))
        .await
        .expect("it is sent");
    // Another process answers than the one that posted.
    let bot = Bot::start(&fake);
    fake.until_connected().await;
    let message = fake.messages(ROOM)[0].clone();
    for person in [ANN, BOB] {
        let token = fake
            .press_below(&Person::reader(person), ROOM, &message, &id)
            .await;
        let answers = fake.answers(&token, 1, SOON).await;
        assert_eq!(answers[0].body["type"], 4, "the post stays");
        assert_eq!(
            answers[0].body["data"]["flags"], 64,
            "only that person reads it"
        );
        let asked = bot.handler.last();
        assert_eq!(asked.by.person, person);
        let call = asked.call.expect("a command");
        assert_eq!(call.words(), "follow 5tab1e0001");
    }
    assert_eq!(bot.stop().await, 0);
}

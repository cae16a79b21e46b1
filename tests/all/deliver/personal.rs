//! Messages to people: each is sent once and in order, and a fault with one person's messages does not affect others.

use std::time::Duration;

use bpfnews::channel::{Scope, SendError};
use bpfnews::post::story::Content;
use bpfnews::store::recipients::{self, AskedIn, NewMessage};
use chrono::TimeDelta;

use super::list;
use super::platform::{Answer, Chat};
use crate::world::World;

/// The room in which all these people asked for messages.
const LOBBY: AskedIn<'_> = AskedIn {
    room: Some("lobby"),
    community: None,
};

/// A message with this title.
fn message(title: &str) -> Content {
    Content::Notice {
        title: title.to_owned(),
        text: format!("{title}."),
        mark: format!("m-{title}"),
    }
}

async fn add(world: &World, address: &str) -> i64 {
    let mut tx = world.ingest.store.write().await.expect("nobody writes");
    let now = world.ingest.clock.now();
    let added = recipients::add_recipient(&mut tx, "terminal", address, LOBBY, now);
    let added = added.await.expect("a good database");
    tx.commit().await.expect("room on the disk");
    added.id
}

async fn queue(world: &World, channel: i64, recipient: i64, title: &str, room: Option<&str>) {
    let mut tx = world.ingest.store.write().await.expect("nobody writes");
    let new = NewMessage {
        channel,
        recipient,
        content: &message(title),
        room,
        post: None,
        due_at: world.ingest.clock.now(),
    };
    let queued = recipients::queue_message(&mut tx, &new).await;
    queued.expect("a good database");
    tx.commit().await.expect("room on the disk");
}

async fn count(world: &World, query: &'static str) -> i64 {
    let (many,): (i64,) = sqlx::query_as(query)
        .fetch_one(&mut *world.reader().await)
        .await
        .expect("the database answers");
    many
}

fn closed() -> SendError {
    SendError::Never {
        scope: Scope::Channel,
        why: "the person takes no messages".to_owned(),
    }
}

/// Two people with two messages each in the queue.
async fn ann_and_bob(world: &World, channel: i64) -> (i64, i64) {
    let (ann, bob) = (add(world, "ann").await, add(world, "bob").await);
    for title in ["1", "2"] {
        queue(world, channel, ann, title, None).await;
        queue(world, channel, bob, title, None).await;
    }
    (ann, bob)
}

/// Messages to several people are refused for an unclear reason. Each of these messages is given up, and other people get
/// theirs.
#[tokio::test]
async fn unclear_refusals_of_several_people_block_nobody_else() {
    let chat = Chat::new();
    let world = list(&chat).await;
    let (delivery_loop, channel) = chat.personal_loop(&world).await;
    ann_and_bob(&world, channel).await;
    let carl = add(&world, "carl").await;
    queue(&world, channel, carl, "1", None).await;
    let unclear = || {
        Answer::Fails(SendError::Refused {
            why: "no".to_owned(),
        })
    };
    chat.answer_in("ann", &[unclear(), unclear()]);
    chat.answer_in("bob", &[unclear()]);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("ann"), [""; 0]);
    assert_eq!(
        (chat.room("bob"), chat.room("carl")),
        (vec!["2".to_owned()], vec!["1".to_owned()])
    );
    let paused = "SELECT COUNT(*) FROM channels WHERE paused_at IS NOT NULL";
    assert_eq!(count(&world, paused).await, 0);
    let owed = "SELECT COUNT(*) FROM deliveries WHERE recipient_id IS NOT NULL AND state = 'owed'";
    assert_eq!(count(&world, owed).await, 0);
}

#[tokio::test]
async fn only_the_person_who_refuses_is_suspended_and_gets_one_notice() {
    let chat = Chat::new();
    let world = list(&chat).await;
    let (delivery_loop, channel) = chat.personal_loop(&world).await;
    let (ann, _) = ann_and_bob(&world, channel).await;
    chat.answer_in("ann", &[Answer::Fails(closed()), Answer::Fails(closed())]);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("ann"), [""; 0]);
    assert_eq!(chat.room("bob"), ["1", "2"]);
    assert_eq!(chat.room("lobby"), ["Your direct messages are closed"]);
    let paused = "SELECT COUNT(*) FROM channels WHERE paused_at IS NOT NULL";
    assert_eq!(count(&world, paused).await, 0);
    let owed = "SELECT COUNT(*) FROM deliveries WHERE recipient_id IS NOT NULL AND state = 'owed'";
    assert_eq!(count(&world, owed).await, 0);
    let letters = "SELECT COUNT(*) FROM deliveries WHERE set_aside_at IS NOT NULL";
    assert_eq!(count(&world, letters).await, 0);
    // A second refusal, of a message that was queued meanwhile, sends no new notice.
    queue(&world, channel, ann, "3", None).await;
    world.advance(TimeDelta::hours(1));
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("lobby").len(), 1);
    // A person who asks again gets messages again.
    let mut tx = world.ingest.store.write().await.expect("nobody writes");
    recipients::resume(&mut tx, ann)
        .await
        .expect("a good database");
    tx.commit().await.expect("room on the disk");
    queue(&world, channel, ann, "4", None).await;
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("ann"), ["4"]);
}

#[tokio::test]
async fn a_waiting_person_blocks_nobody_else_and_keeps_the_order() {
    let chat = Chat::new();
    let world = list(&chat).await;
    let (delivery_loop, channel) = chat.personal_loop(&world).await;
    ann_and_bob(&world, channel).await;
    let later = SendError::Later {
        after: Duration::from_secs(60),
        scope: Scope::Channel,
        why: "slow down".to_owned(),
    };
    chat.answer_in("ann", &[Answer::Fails(later)]);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!((chat.room("ann").len(), chat.room("bob").len()), (0, 2));
    world.advance(TimeDelta::minutes(2));
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("ann"), ["1", "2"]);
    assert!(chat.all_keys_stand_once());
}

#[tokio::test]
async fn a_mention_that_the_room_refuses_is_sent_directly() {
    let chat = Chat::new();
    let world = list(&chat).await;
    let (delivery_loop, channel) = chat.personal_loop(&world).await;
    let ann = add(&world, "ann").await;
    queue(&world, channel, ann, "1", Some("forum")).await;
    queue(&world, channel, ann, "2", Some("forum")).await;
    chat.answer_in("forum", &[Answer::Fails(closed())]);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("ann"), ["1"]);
    assert_eq!(chat.room("forum"), ["2"]);
}

#[tokio::test]
async fn nothing_remains_of_an_erased_recipient() {
    let chat = Chat::new();
    let world = list(&chat).await;
    let (delivery_loop, channel) = chat.personal_loop(&world).await;
    let (ann, bob) = (add(&world, "ann").await, add(&world, "bob").await);
    queue(&world, channel, ann, "1", None).await;
    queue(&world, channel, bob, "1", None).await;
    delivery_loop.pass().await.expect("a pass");
    queue(&world, channel, ann, "2", None).await;
    let mut tx = world.ingest.store.write().await.expect("nobody writes");
    recipients::erase_recipient(&mut tx, ann)
        .await
        .expect("a good database");
    tx.commit().await.expect("room on the disk");
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("ann"), ["1"], "the messages sent before");
    let left = "SELECT COUNT(*) FROM deliveries WHERE recipient_id IS NOT NULL";
    assert_eq!(count(&world, left).await, 1, "bob's");
    assert_eq!(count(&world, "SELECT COUNT(*) FROM recipients").await, 1);
}

/// Ten thousand people: choosing the next message does not read all of them.
#[tokio::test]
async fn many_recipients_cost_one_step_each() {
    let chat = Chat::new();
    let world = list(&chat).await;
    let (delivery_loop, channel) = chat.personal_loop(&world).await;
    let mut tx = world.ingest.store.write().await.expect("nobody writes");
    let now = world.ingest.clock.now();
    for number in 0..10_000 {
        let address = format!("person-{number}");
        let added =
            recipients::add_recipient(&mut tx, "terminal", &address, AskedIn::default(), now);
        let new = NewMessage {
            channel,
            recipient: added.await.expect("a good database").id,
            content: &message("1"),
            room: None,
            post: None,
            due_at: now,
        };
        let queued = recipients::queue_message(&mut tx, &new).await;
        queued.expect("a good database");
    }
    tx.commit().await.expect("room on the disk");
    let begun = std::time::Instant::now();
    let store = &world.ingest.store;
    for _ in 0..200 {
        let mut tx = store.write().await.expect("nobody writes");
        let claimed = bpfnews::store::outbox::claim_delivery(&mut tx, &[channel], now).await;
        assert!(claimed.expect("a good database").is_some());
        tx.rollback().await;
    }
    let each = begun.elapsed() / 200;
    assert!(each < Duration::from_millis(20), "{each:?} for a claim");
    drop(delivery_loop);
}

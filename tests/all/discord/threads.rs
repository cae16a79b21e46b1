//! Threads of posts in text and announcement channels, for milestones.

use bpfnews::channel::{Act, Below, Platform as _, Receipt, SendError, Work};
use bpfnews::post::milestone::{MilestoneWay, MilestoneWays};
use bpfnews::post::story::Tone;
use chrono::TimeDelta;

use super::fake::{Fake, Fault, On, Right, Room};
use super::{NEWS, ROOM, Stage, THREAD, channel, discord, line, send, story, work};

fn step(room: &str, key: &str, receipt: &Receipt) -> Work {
    let act = Act::Send {
        content: line(&format!("m-{key}"), "bpf: Do it"),
        under: Some(Below::Thread(receipt.clone())),
    };
    work(room, key, act)
}

#[tokio::test]
async fn steps_are_announced_in_the_posts_thread_which_is_created_once() {
    for room in [Room::text(ROOM), Room::announcements(NEWS)] {
        let fake = Fake::start(std::slice::from_ref(&room)).await;
        let discord = discord(&fake);
        let first = send(
            &room.id,
            "k1",
            story("m", "bpf: Do it", "posted", Tone::New),
        );
        let receipt = discord.deliver(&first).await.expect("it is sent");
        // The response with the new thread is lost, but the thread exists.
        fake.fail(On::Path("/threads".to_owned()), Fault::DropAfter);
        let applied = step(&room.id, "k2", &receipt);
        let error = discord.deliver(&applied).await;
        assert!(
            matches!(error, Err(SendError::Failed { .. })),
            "nothing was said: {error:?}"
        );
        let there = discord.deliver(&applied).await.expect("it is said");
        assert_eq!(there.thread.as_ref(), Some(&receipt.message));
        let mainline = step(&room.id, "k3", &receipt);
        fake.fail(On::Path("/messages".to_owned()), Fault::After(502, ""));
        assert!(matches!(
            discord.deliver(&mainline).await,
            Err(SendError::Failed { .. } | SendError::Unknown { .. })
        ));
        let said = discord.deliver(&mainline).await.expect("it is said once");
        assert_eq!(discord.find(&mainline).await, Ok(Some(said)));
        let threads = fake.threads(&room.id);
        assert_eq!((threads.len(), threads[0].name.as_str()), (1, "bpf: Do it"));
        assert_eq!(fake.titles(&receipt.message).len(), 2);
        assert_eq!(
            fake.titles(&room.id).len(),
            1,
            "the room itself gets nothing more"
        );
    }
}

#[tokio::test]
async fn a_message_opens_an_archived_thread() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let discord = discord(&fake);
    let first = send(ROOM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    let receipt = discord.deliver(&first).await.expect("it is sent");
    discord
        .deliver(&step(ROOM, "k2", &receipt))
        .await
        .expect("it is said");
    fake.change(&receipt.message, |thread| thread.is_archived = true);
    discord
        .deliver(&step(ROOM, "k3", &receipt))
        .await
        .expect("it is said");
    assert!(!fake.room(&receipt.message).is_archived);
}

#[tokio::test]
async fn without_threads_steps_are_announced_by_answers() {
    for room in [
        Room::thread(THREAD, ROOM),
        Room::text(ROOM).without(Right::CreateThreads),
    ] {
        let fake = Fake::start(std::slice::from_ref(&room)).await;
        let discord = discord(&fake);
        let first = send(
            &room.id,
            "k1",
            story("m", "bpf: Do it", "posted", Tone::New),
        );
        let receipt = discord.deliver(&first).await.expect("it is sent");
        let applied = step(&room.id, "k2", &receipt);
        let there = discord.deliver(&applied).await.expect("it is said");
        assert_eq!(there.thread, None);
        assert_eq!(
            fake.messages(&room.id)[1]["message_reference"]["message_id"],
            receipt.message
        );
        assert_eq!(discord.find(&applied).await, Ok(Some(there)));
    }
}

#[tokio::test]
async fn a_post_that_is_gone_has_no_thread() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let discord = discord(&fake);
    let first = send(ROOM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    let receipt = discord.deliver(&first).await.expect("it is sent");
    fake.delete_messages(ROOM);
    assert_eq!(
        discord.deliver(&step(ROOM, "k2", &receipt)).await,
        Err(SendError::Gone)
    );
}

#[tokio::test]
async fn from_the_queue_a_milestone_goes_where_the_channel_wants_it() {
    let with = |room: &str, way| {
        let mut config = channel(room);
        config.milestones = MilestoneWays::of_older_key(way);
        config
    };
    let rooms = [
        Room::text(ROOM),
        Room::announcements(NEWS),
        Room::text(THREAD),
    ];
    let channels = vec![
        with(ROOM, MilestoneWay::Thread),
        with(NEWS, MilestoneWay::Reply),
        with(THREAD, MilestoneWay::Edit),
    ];
    let mut stage = Stage::new(&rooms, channels).await;
    stage.patch("p", "bpf: Do it").await;
    stage.pass().await;
    stage.world.advance(TimeDelta::hours(3));
    stage.apply("bpf: Do it").await;
    stage.pass().await;
    assert_eq!(
        [ROOM, NEWS, THREAD].map(|room| stage.told(room).len()),
        [1, 2, 1]
    );
    let threads = stage.fake.threads(ROOM);
    assert_eq!(threads.len(), 1);
    assert_eq!(stage.states(&threads[0].id), ["applied to tree"]);
    for room in [ROOM, NEWS, THREAD] {
        assert!(stage.states(room)[0].starts_with("applied"), "{room}");
    }
}

//! Milestones on Discord, in each way, while the program dies at every await and answers are lost.

use bpfnews::post::milestone::{MilestoneKind, MilestoneWay, MilestoneWays};
use chrono::TimeDelta;

use super::fake::{Fault, On, Room};
use super::{ROOM, Stage, channel};
use crate::deliver::crash::drop_at;

/// The messages in the room and in the thread of the post.
fn told(stage: &Stage) -> (Vec<String>, Vec<String>) {
    let threads = stage.fake.threads(ROOM);
    assert!(threads.len() <= 1, "{} threads", threads.len());
    let below = threads.iter().flat_map(|thread| stage.states(&thread.id));
    (stage.states(ROOM), below.collect())
}

/// A refusal is announced in this way, and the program dies at the `polls`th await. Returns whether it had ended before
/// that.
async fn refused(way: MilestoneWay, polls: u32) -> (Stage, bool) {
    let mut config = channel(ROOM);
    config.milestones = MilestoneWays::all(&[MilestoneKind::Nack], way);
    let mut stage = Stage::new(&[Room::text(ROOM)], vec![config]).await;
    stage.patch("p", "bpf: Do it").await;
    stage.pass().await;
    stage.world.advance(TimeDelta::minutes(90));
    stage.answer("n", "NACK.").await;
    match polls % 3 {
        0 => stage.fake.fail(On::Change, Fault::DropAfter),
        1 => stage.fake.fail(On::Change, Fault::After(502, "")),
        _ => {}
    }
    let has_ended = drop_at(stage.delivery_loop().pass(), polls).await;
    stage.restart().await;
    for _ in 0..4 {
        stage.world.advance(TimeDelta::minutes(20));
        stage.pass().await;
    }
    (stage, has_ended)
}

async fn killed_at_every_await(way: MilestoneWay) {
    let mut kills = 0;
    for polls in 1.. {
        let (stage, has_ended) = refused(way, polls).await;
        let nack = || vec!["NACK by Mae Maintainer".to_owned()];
        let (room, thread) = match way {
            MilestoneWay::Edit => (Vec::new(), Vec::new()),
            MilestoneWay::Reply => (nack(), Vec::new()),
            MilestoneWay::Thread => (Vec::new(), nack()),
        };
        let (mut in_room, in_thread) = told(&stage);
        assert!(
            in_room.remove(0).starts_with("refused"),
            "killed at await {polls}"
        );
        assert_eq!(
            (in_room, in_thread),
            (room, thread),
            "killed at await {polls}"
        );
        let messages = stage.fake.messages(ROOM);
        let answers = messages
            .iter()
            .filter(|message| message["message_reference"].is_object());
        let is_reply = way == MilestoneWay::Reply;
        assert_eq!(
            answers.count(),
            usize::from(is_reply),
            "killed at await {polls}"
        );
        for message in &messages {
            let mentions = &message["mentions"];
            assert!(mentions.as_array().is_none_or(Vec::is_empty), "{mentions}");
        }
        kills += 1;
        if has_ended {
            break;
        }
    }
    crate::real::say(&format!("{way:?}: {kills} kills"));
    assert!(kills > 10, "{kills}");
}

#[tokio::test]
async fn killed_at_every_await_a_reply_stands_once() {
    killed_at_every_await(MilestoneWay::Reply).await;
}

#[tokio::test]
async fn killed_at_every_await_a_message_in_the_thread_stands_once() {
    killed_at_every_await(MilestoneWay::Thread).await;
}

#[tokio::test]
async fn killed_at_every_await_an_edit_says_nothing_twice() {
    killed_at_every_await(MilestoneWay::Edit).await;
}

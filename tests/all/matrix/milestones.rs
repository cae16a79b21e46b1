//! Milestones on Matrix: they go to the thread of their post, each once, also if the program dies at an await.

use bpfnews::post::milestone::{MilestoneKind, MilestoneWay, MilestoneWays};
use chrono::TimeDelta;

use super::{LONG, ROOM, Stage};
use crate::deliver::crash::drop_at;
use crate::documents::answer_mail;

/// A refusal is announced in this way, and a pass is dropped at the `polls`th await. Returns whether it had ended before
/// that.
async fn refused(way: MilestoneWay, polls: u32) -> (Stage, bool) {
    let milestones = MilestoneWays::all(&[MilestoneKind::Nack], way);
    let mut stage = Stage::with(LONG, &milestones).await;
    stage.patch("p", "[PATCH bpf-next] bpf: Do it", "").await;
    stage.pass(2).await;
    stage.world.advance(TimeDelta::minutes(90));
    let minutes = (stage.world.now() - crate::world::noon()).num_minutes();
    let mut patches = stage.mails.iter().filter(|mail| mail.id.starts_with("p@"));
    let patch = patches.next().expect("the patch").clone();
    stage.mails.push(answer_mail("n", minutes, &patch, "NACK."));
    stage.put();
    stage.world.poll_when_due("bpf").await;
    let has_ended = drop_at(stage.delivery_loop.pass(), polls).await;
    for _ in 0..3 {
        stage.world.advance(TimeDelta::minutes(20));
        stage.pass(1).await;
    }
    (stage, has_ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_await_a_milestone_is_announced_once() {
    // There are a hundred awaits; `tests/run --long` tries them all.
    let step = if crate::real::is_long() { 1 } else { 7 };
    let mut kills = 0;
    for way in [
        MilestoneWay::Reply,
        MilestoneWay::Thread,
        MilestoneWay::Edit,
    ] {
        for polls in (1..).step_by(step) {
            let (stage, has_ended) = refused(way, polls).await;
            let told = stage.told(ROOM);
            let lines = told
                .iter()
                .filter(|body| body.contains("NACK by Mae Maintainer: "));
            let is_message = way != MilestoneWay::Edit;
            assert_eq!(
                (told.len(), lines.count()),
                (1 + usize::from(is_message), usize::from(is_message)),
                "{way:?}, killed at await {polls}: {told:?}"
            );
            kills += 1;
            if has_ended {
                break;
            }
        }
    }
    crate::real::say(&format!("{kills} kills"));
    assert!(kills > 10, "{kills}");
}

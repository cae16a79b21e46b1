//! Seeded runs in which the program dies between any two steps of a delivery, answers are lost, and servers fail. At the
//! end, each channel has one message for each story, in its final state.

use std::time::Duration;

use bpfnews::channel::{Scope, SendError};
use chrono::TimeDelta;

use super::platform::{Answer, Chat};
use super::{list, put_mails};
use crate::documents::{Mail, mail};
use crate::world::World;

/// Runs in CI.
const SEEDS: u64 = 30;
/// The most runs of a control. It ends at its first double.
pub(super) const CONTROLS_MAX: u64 = 200;
/// The number of series in a run.
const STORIES: u32 = 5;

/// The number of runs: `usual` in CI, 500 with `tests/run --long`, or as many as `BPFNEWS_SEEDS` says.
pub(super) fn seeds(usual: u64) -> u64 {
    let asked = std::env::var("BPFNEWS_SEEDS").ok();
    let asked = asked.and_then(|seeds| seeds.parse().ok());
    asked.unwrap_or(if crate::real::is_long() { 500 } else { usual })
}

/// Delivers the rest of the queue without faults.
pub(super) async fn settle(chat: &Chat, world: &World) -> Result<(), String> {
    chat.answer_next(&[]);
    for _ in 0..4 {
        world.advance(TimeDelta::minutes(20));
        let passed = chat.delivery_loop(world).pass().await;
        passed.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Runs a future, and drops it at some await. Returns whether it had ended before that.
pub(crate) async fn drop_at(future: impl Future, polls: u32) -> bool {
    let mut future = std::pin::pin!(future);
    let mut polled = 0;
    std::future::poll_fn(|context| {
        polled += 1;
        match Future::poll(future.as_mut(), context) {
            std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
            std::task::Poll::Pending if polled >= polls => std::task::Poll::Ready(false),
            std::task::Poll::Pending => std::task::Poll::Pending,
        }
    })
    .await
}

/// Runs a delivery loop, and drops it at some await. Committed changes stay; all others are rolled back.
pub(super) async fn run_and_die(chat: &Chat, world: &World, random: &mut fastrand::Rng) {
    let delivery_loop = chat.delivery_loop(world);
    drop_at(delivery_loop.pass(), random.u32(1..60)).await;
}

pub(super) fn trouble(random: &mut fastrand::Rng) -> Vec<Answer> {
    let one = |random: &mut fastrand::Rng| match random.u8(0..4) {
        0 => Answer::Fails(SendError::Unknown {
            why: "502".to_owned(),
        }),
        1 => Answer::Fails(SendError::Later {
            after: Duration::from_secs(random.u64(1..40)),
            scope: Scope::Channel,
            why: "429".to_owned(),
        }),
        _ => Answer::Lost,
    };
    (0..random.usize(0..4)).map(|_| one(random)).collect()
}

/// One run. Returns how many messages each story has, and whether each message is correct.
async fn run(seed: u64, forgets_keys: bool) -> Result<usize, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let chat = Chat::new();
    let mut world = list(&chat).await;
    if forgets_keys {
        chat.forget_keys();
    }
    let mut mails: Vec<Mail> = Vec::new();
    let mut versions = [0; STORIES as usize];
    let mut trouble_met = 0;
    for round in 0..6 {
        for story in 0..STORIES {
            if round == 0 || random.bool() {
                versions[story as usize] += 1;
                let version = versions[story as usize];
                let title = format!("[PATCH bpf-next v{version}] bpf: Do it {story}");
                let id = format!("s{story}v{version}");
                let parent = match version {
                    1 => String::new(),
                    _ => format!("s{story}v1"),
                };
                mails.push(mail(
                    &id,
                    61 + round * 120 + i64::from(story),
                    &title,
                    &parent,
                ));
            }
        }
        put_mails(&world, &mails);
        world.poll_when_due("bpf").await;
        for _ in 0..random.u32(1..4) {
            let answers = trouble(&mut random);
            trouble_met += answers.len();
            chat.answer_next(&answers);
            run_and_die(&chat, &world, &mut random).await;
            world.restart(|_| {}).await;
            world.advance(TimeDelta::seconds(random.i64(1..600)));
        }
        world.advance(TimeDelta::hours(2));
    }
    settle(&chat, &world).await?;
    let mut told = chat.bpf();
    told.sort();
    let wanted = (0..STORIES).map(|story| match versions[story as usize] {
        1 => format!("bpf: Do it {story}: posted"),
        version => format!("bpf: Do it {story}: v{version}"),
    });
    let wanted: Vec<String> = wanted.collect();
    match told == wanted {
        true => Ok(trouble_met),
        false => Err(format!("seed {seed}: {told:?}, not {wanted:?}")),
    }
}

#[tokio::test]
async fn whenever_it_dies_each_story_is_one_post_in_its_final_state() {
    let seeds = seeds(SEEDS);
    let mut trouble = 0;
    for seed in 0..seeds {
        trouble += run(seed, false)
            .await
            .unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    crate::real::say(&format!(
        "{seeds} runs, {trouble} lost answers and failures"
    ));
    assert!(trouble > 0);
}

/// Proves that the test above can fail: a chat that does not recognise keys gets doubles.
#[tokio::test]
async fn without_keys_there_are_doubles() {
    for seed in 0..CONTROLS_MAX {
        if run(seed, true).await.is_err() {
            return;
        }
    }
    panic!("{CONTROLS_MAX} runs without a double");
}

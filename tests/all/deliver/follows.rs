//! Seeded runs in which the program dies while it polls, collects and sends people's news, answers are lost, and servers
//! fail. At the end, every person has every revision of every story once, and never got two messages in a quarter of an
//! hour.

use std::collections::HashMap;

use bpfnews::store::follows::{self, FollowKind, FollowWay, NewFollow};
use bpfnews::store::recipients::{self, AskedIn};
use chrono::TimeDelta;

use super::crash::{CONTROLS_MAX, drop_at, seeds, trouble};
use super::platform::Chat;
use super::restore::back_up;
use super::{list, put_mails};
use crate::documents::{Mail, mail};
use crate::world::{World, before_polls};

/// Runs in CI.
const SEEDS: u64 = 15;
const STORIES: u32 = 4;
const PEOPLE: [&str; 3] = ["ann", "bob", "carol"];

/// Everybody follows the author of all mails. The second person also follows each story as soon as it exists.
async fn follow(world: &World, story: Option<i64>) {
    let mut tx = world.ingest.store.write().await.expect("nobody writes");
    let now = world.ingest.clock.now();
    for person in PEOPLE {
        if story.is_some() && person != PEOPLE[1] {
            continue;
        }
        let row = recipients::add_recipient(&mut tx, "terminal", person, AskedIn::default(), now);
        let what = story.map_or_else(|| "a. author".to_owned(), |item| item.to_string());
        let new = NewFollow {
            recipient: row.await.expect("a good database").id,
            kind: match story {
                Some(_) => FollowKind::Story,
                None => FollowKind::Author,
            },
            what: &what,
            shown: &what,
            item: story,
            way: FollowWay::Direct,
        };
        let added = follows::add_follow(&mut tx, &new, 50, now).await;
        added.expect("a good database");
    }
    tx.commit().await.expect("room on the disk");
}

async fn stories(world: &World) -> Vec<i64> {
    let rows: Vec<(i64,)> = sqlx::query_as("SELECT item_id FROM stories")
        .fetch_all(&mut *world.reader().await)
        .await
        .expect("the database answers");
    rows.into_iter().map(|(item,)| item).collect()
}

/// One run; returns the number of sent messages.
async fn run(seed: u64, forgets_keys: bool) -> Result<usize, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let chat = Chat::new();
    let mut world = list(&chat).await;
    chat.by_clock(&world.ingest.clock);
    if forgets_keys {
        chat.forget_keys();
    }
    follow(&world, None).await;
    let mut mails: Vec<Mail> = Vec::new();
    let mut versions = [0; STORIES as usize];
    for _ in 0..6 {
        for story in 0..STORIES {
            if random.bool() {
                versions[story as usize] += 1;
                let version = versions[story as usize];
                let title = format!("[PATCH bpf-next v{version}] bpf: Do it {story}");
                let parent = match version {
                    1 => String::new(),
                    _ => format!("s{story}v1"),
                };
                let minutes = (world.now() - crate::world::noon()).num_minutes();
                let id = format!("s{story}v{version}");
                mails.push(mail(&id, minutes, &title, &parent));
            }
        }
        put_mails(&world, &mails);
        world.advance_to("bpf").await;
        // A poll that was dropped is started again.
        world.poll_and_give_up(random.usize(1..200)).await;
        world.restart(|_| {}).await;
        world.poll().await;
        for story in stories(&world).await {
            follow(&world, Some(story)).await;
        }
        for _ in 0..random.u32(1..6) {
            chat.answer_next(&trouble(&mut random));
            drop_at(before_polls(&world.ingest), random.u32(1..60)).await;
            let (delivery_loop, _) = chat.personal_loop(&world).await;
            drop_at(delivery_loop.pass(), random.u32(1..60)).await;
            world.restart(|_| {}).await;
            world.advance(TimeDelta::seconds(random.i64(1..900)));
        }
    }
    chat.answer_next(&[]);
    for _ in 0..8 {
        world.advance(TimeDelta::minutes(20));
        before_polls(&world.ingest).await;
        let (delivery_loop, _) = chat.personal_loop(&world).await;
        let passed = delivery_loop.pass().await;
        passed.map_err(|error| error.to_string())?;
    }
    let mut messages = 0;
    for person in PEOPLE {
        messages += check(&chat, person, &versions).map_err(|why| format!("seed {seed}: {why}"))?;
    }
    Ok(messages)
}

/// Checks one person's messages: each revision once, and the times between messages.
fn check(chat: &Chat, person: &str, versions: &[u32]) -> Result<usize, String> {
    let told = chat.told_to(person, true);
    let close = told.windows(2).find(|pair| pair[1].at - pair[0].at < 900);
    if let Some(pair) = close {
        return Err(format!("{person}: two messages in a quarter: {pair:?}"));
    }
    let mut many: HashMap<String, usize> = HashMap::new();
    for line in told.iter().flat_map(|told| &told.lines) {
        let (title, steps) = line.split_once(": Do it ").unwrap_or(("", line));
        if title != "bpf" {
            continue;
        }
        let (story, steps) = steps.split_once(": ").unwrap_or((steps, ""));
        for step in steps
            .split(", ")
            .filter(|step| step.starts_with('v') || *step == "posted")
        {
            *many.entry(format!("{story} {step}")).or_default() += 1;
        }
    }
    let mut wanted: HashMap<String, usize> = HashMap::new();
    for (story, newest) in versions.iter().enumerate() {
        for version in 1..=*newest {
            let step = match version {
                1 => "posted".to_owned(),
                version => format!("v{version}"),
            };
            wanted.insert(format!("{story} {step}"), 1);
        }
    }
    match many == wanted {
        true => Ok(told.len()),
        false => Err(format!("{person}: {many:?}, not {wanted:?}; {told:?}")),
    }
}

#[tokio::test]
async fn whenever_it_dies_everybody_gets_everything_once() {
    let seeds = seeds(SEEDS);
    let mut messages = 0;
    for seed in 0..seeds {
        messages += run(seed, false)
            .await
            .unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    crate::real::say(&format!("{seeds} runs, {messages} messages to people"));
    assert!(messages > 0);
}

/// Proves that the test above can fail: a chat that does not recognise keys gets doubles.
#[tokio::test]
async fn without_keys_people_get_doubles() {
    for seed in 0..CONTROLS_MAX {
        if run(seed, true).await.is_err() {
            return;
        }
    }
    panic!("{CONTROLS_MAX} runs without a double");
}

/// Collects news for a quarter of an hour, and sends it.
async fn send(world: &World, chat: &Chat) {
    world.advance(TimeDelta::minutes(16));
    for _ in 0..3 {
        before_polls(&world.ingest).await;
        let (delivery_loop, _) = chat.personal_loop(world).await;
        delivery_loop.pass().await.expect("a pass");
        world.advance(TimeDelta::minutes(1));
    }
}

#[tokio::test]
async fn after_a_restore_nobody_gets_news_twice() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    chat.by_clock(&world.ingest.clock);
    follow(&world, None).await;
    let posted = |number: i64, version: i64, minutes: i64| {
        let (title, parent) = match version {
            1 => (
                format!("[PATCH bpf-next] bpf: Do it {number}"),
                String::new(),
            ),
            _ => (
                format!("[PATCH bpf-next v{version}] bpf: Do it {number}"),
                format!("s{number}v1"),
            ),
        };
        mail(&format!("s{number}v{version}"), minutes, &title, &parent)
    };
    let mut mails = vec![posted(1, 1, 130)];
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    // In the backup, one message is queued; it is sent after the backup. Another one comes after the backup.
    world.advance(TimeDelta::minutes(16));
    before_polls(&world.ingest).await;
    let file = back_up(&world).await;
    send(&world, &chat).await;
    mails.push(posted(2, 1, 200));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    send(&world, &chat).await;
    let lines = |chat: &Chat| -> Vec<String> {
        let told = chat.told_to(PEOPLE[0], true);
        told.into_iter().flat_map(|told| told.lines).collect()
    };
    let before = ["bpf: Do it 1: posted", "bpf: Do it 2: posted"];
    assert_eq!(lines(&chat), before);
    chat.forget_keys();
    world.restore(&file).await;
    for _ in 0..3 {
        world.poll_when_due("bpf").await;
        send(&world, &chat).await;
    }
    assert_eq!(lines(&chat), before, "nothing comes twice");
    mails.push(posted(2, 2, 1_000));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    send(&world, &chat).await;
    assert_eq!(lines(&chat)[2..], ["bpf: Do it 2: v2"]);
}

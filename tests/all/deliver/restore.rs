//! After a restore, nothing is posted a second time: bpfnews polls again the news since the backup, and finds the messages
//! that already stand in the channel.

use std::path::PathBuf;
use std::time::Duration;

use bpfnews::channel::{Scope, SendError};
use bpfnews::store::backup;
use chrono::TimeDelta;

use super::platform::{Answer, Chat};
use super::{list, put_mails};
use crate::documents::{Article, Mail, mail, rss};
use crate::world::{World, before_polls, feed};

pub(super) async fn back_up(world: &World) -> PathBuf {
    let name = format!(".{}.backup", world.now().timestamp());
    let file = backup::beside(world.database(), &name);
    let copied = backup::backup(&world.ingest.store, &file, world.now()).await;
    copied.expect("a backup");
    file
}

/// Polls and sends until the queue is empty.
async fn go_on(world: &mut World, chat: &Chat) {
    for _ in 0..3 {
        world.poll().await;
        for _ in 0..2 {
            before_polls(&world.ingest).await;
            chat.delivery_loop(world).pass().await.expect("a pass");
        }
        world.advance(TimeDelta::hours(2));
    }
}

fn patch(number: i64, version: i64, minutes: i64) -> Mail {
    let (parent, title) = match version {
        1 => (
            String::new(),
            format!("[PATCH bpf-next] bpf: Do it {number}"),
        ),
        _ => (
            format!("s{number}v1"),
            format!("[PATCH bpf-next v{version}] bpf: Do it {number}"),
        ),
    };
    mail(&format!("s{number}v{version}"), minutes, &title, &parent)
}

#[tokio::test]
async fn each_story_is_still_one_message_in_its_final_state() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let mut mails = vec![patch(1, 1, 62), patch(2, 1, 63)];
    put_mails(&world, &mails);
    // The second one is queued in the backup, and sent after it.
    chat.answer_next(&[Answer::Lost]);
    world.poll().await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    let file = back_up(&world).await;
    world.advance(TimeDelta::hours(2));
    go_on(&mut world, &chat).await;
    // After the backup: a standing message is edited; a new one is sent, and edited.
    mails.extend([patch(1, 2, 300), patch(3, 1, 301)]);
    put_mails(&world, &mails);
    go_on(&mut world, &chat).await;
    mails.push(patch(3, 2, 700));
    put_mails(&world, &mails);
    go_on(&mut world, &chat).await;
    let before = chat.marks();
    world.restore(&file).await;
    mails.push(patch(4, 1, 1_300));
    put_mails(&world, &mails);
    go_on(&mut world, &chat).await;
    let mut told = chat.bpf();
    told.sort();
    let wanted = [
        "bpf: Do it 1: v2",
        "bpf: Do it 2: posted",
        "bpf: Do it 3: v2",
        "bpf: Do it 4: posted",
    ];
    assert_eq!(told, wanted);
    assert!(chat.looks() > 0);
    let mut marks = chat.marks();
    marks.dedup();
    assert_eq!(marks, chat.marks(), "nothing stands twice");
    assert!(before.iter().all(|mark| marks.contains(mark)));
    // From now on, edits reach the standing messages.
    mails.push(patch(3, 3, 1_900));
    put_mails(&world, &mails);
    go_on(&mut world, &chat).await;
    assert!(
        chat.bpf().contains(&"bpf: Do it 3: v3".to_owned()),
        "{:?}",
        chat.bpf()
    );
    assert_eq!(chat.bpf().len(), 4);
}

#[tokio::test]
async fn a_backup_that_was_put_in_place_by_hand_is_no_different() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let file = back_up(&world).await;
    put_mails(&world, &[patch(1, 1, 62)]);
    go_on(&mut world, &chat).await;
    world.ingest.store.close().await;
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(backup::beside(world.database(), ending));
    }
    std::fs::copy(&file, world.database()).expect("room on the disk");
    world.restart(|_| {}).await;
    go_on(&mut world, &chat).await;
    assert_eq!(chat.bpf(), ["bpf: Do it 1: posted"]);
}

/// Proves that the tests above can fail.
#[tokio::test]
async fn without_looking_there_are_doubles() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let file = back_up(&world).await;
    put_mails(&world, &[patch(1, 1, 62)]);
    go_on(&mut world, &chat).await;
    world.restore(&file).await;
    let mut tx = world.ingest.store.write().await.expect("a transaction");
    sqlx::query("UPDATE channels SET recall_from = NULL")
        .execute(&mut *tx)
        .await
        .expect("the database may be written");
    tx.commit().await.expect("the database may be written");
    go_on(&mut world, &chat).await;
    assert_eq!(chat.bpf().len(), 2);
}

#[tokio::test]
async fn a_channel_that_cannot_be_looked_through_is_sent_nothing() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let file = back_up(&world).await;
    put_mails(&world, &[patch(1, 1, 62)]);
    go_on(&mut world, &chat).await;
    world.restore(&file).await;
    chat.fail_to_look(SendError::Later {
        after: Duration::from_secs(60),
        scope: Scope::Channel,
        why: "slow down".to_owned(),
    });
    chat.fail_to_look(SendError::Never {
        scope: Scope::Channel,
        why: "no permission".to_owned(),
    });
    let sends = chat.sends();
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    for _ in 0..3 {
        before_polls(&world.ingest).await;
        delivery_loop.pass().await.expect("a pass");
        world.advance(TimeDelta::minutes(2));
    }
    assert_eq!((chat.looks(), chat.sends()), (2, sends));
    // The permission is given, and the program restarts.
    world.restart(|_| {}).await;
    go_on(&mut world, &chat).await;
    assert_eq!(chat.bpf(), ["bpf: Do it 1: posted"]);
}

#[tokio::test]
async fn stories_in_a_list_are_not_posted_again_after_a_restore() {
    let chat = Chat::new();
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| {
            config.channels[0].hourly_max = Some(3);
            // Only the blog: with two feeds, the order of reading would decide the content and the place of the list.
            config.channels[0].route.feeds = vec!["blog".to_owned()];
        })
        .await;
    world.put("/blog.rss", rss(&[Article::new(0, "Zero")]));
    world.poll().await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    world.advance(TimeDelta::hours(2));
    let file = back_up(&world).await;
    let article = |n: i64| Article {
        at: Some(crate::world::noon() + TimeDelta::minutes(120 - n)),
        ..Article::new(0, &format!("Title {n}"))
    };
    let articles: Vec<Article> = (0..30).map(article).collect();
    world.put("/blog.rss", rss(&articles));
    go_on(&mut world, &chat).await;
    let (marks, lists) = (chat.marks(), chat.lists());
    assert!(lists.iter().map(Vec::len).sum::<usize>() > 20, "{lists:?}");
    world.restore(&file).await;
    go_on(&mut world, &chat).await;
    let mut healthy = chat.marks();
    healthy.retain(|mark| !marks.contains(mark));
    // Stories that the healthy feed publishes meanwhile.
    assert!(healthy.len() <= 3, "{healthy:?}");
    let mut again = chat.marks();
    again.dedup();
    assert_eq!(again, chat.marks(), "nothing stands twice");
    for list in &lists {
        assert!(
            chat.lists().contains(list),
            "a list keeps its stories: {list:?}"
        );
    }
}

/// Some hours of a busy list with a cap. The backup is made at any hour, and the restore at any later one.
async fn random_run(seed: u64) -> Result<usize, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let chat = Chat::new();
    let mut world = list(&chat).await;
    world
        .restart(|config| config.channels[0].hourly_max = Some(2))
        .await;
    let backup_in = random.i64(0..6);
    let restore_in = random.i64(backup_in + 1..9);
    let (mut file, mut mails, mut versions) = (None, Vec::new(), Vec::new());
    for hour in 0..10_i64 {
        versions.extend(std::iter::repeat_n(0, random.usize(0..4)));
        let minutes = (world.now() - crate::world::noon()).num_minutes();
        for (number, version) in (0..).zip(&mut versions) {
            if *version == 0 || random.u8(0..4) == 0 {
                *version += 1;
                mails.push(patch(number, *version, minutes - 1));
            }
        }
        put_mails(&world, &mails);
        world.poll().await;
        if random.bool() {
            chat.answer_next(&[Answer::Lost]);
        }
        if hour == backup_in {
            file = Some(back_up(&world).await);
        }
        if hour == restore_in {
            world.restore(file.as_ref().expect("it was made")).await;
        }
        for _ in 0..random.usize(0..3) {
            before_polls(&world.ingest).await;
            chat.delivery_loop(&world).pass().await.expect("a pass");
            world.advance(TimeDelta::minutes(random.i64(1..40)));
        }
        world.advance(TimeDelta::minutes(random.i64(60..180)));
    }
    for _ in 0..3 {
        go_on(&mut world, &chat).await;
    }
    let marks = chat.marks();
    let mut once = marks.clone();
    once.dedup();
    let told: Vec<String> = chat.bpf().into_iter().chain(chat.listed()).collect();
    let wanted = (0..)
        .zip(&versions)
        .map(|(number, version): (i64, &i64)| match version {
            1 => format!("bpf: Do it {number}: posted"),
            version => format!("bpf: Do it {number}: v{version}"),
        });
    let missing: Vec<String> = wanted.filter(|wanted| !told.contains(wanted)).collect();
    match (once == marks, missing.is_empty()) {
        (true, true) => Ok(once.len()),
        _ => Err(format!(
            "seed {seed}: missing {missing:?}; {marks:?} {told:?}"
        )),
    }
}

#[tokio::test]
async fn after_any_restore_each_story_has_one_message_in_its_final_state() {
    let seeds = if crate::real::is_long() { 200 } else { 25 };
    let mut told = 0;
    for seed in 0..seeds {
        told += random_run(seed)
            .await
            .unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    assert!(told > 100, "{told}");
}

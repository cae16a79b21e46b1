//! Queued messages reach their channels once, in order, and in their final state, whatever the platform answers and
//! whenever the program dies.

pub(crate) mod crash;
mod follows;
mod joined;
mod letters;
mod milestones;
mod personal;
pub(crate) mod platform;
mod released;
mod restore;

use chrono::TimeDelta;

use crate::documents::{Article, Mail, mail, mails_atom, rss};
use crate::world::{World, archive, before_polls, everything, feed};
use bpfnews::channel::{Scope, SendError};
use platform::{Answer, Chat};
use std::time::Duration;

fn put_mails(world: &World, mails: &[Mail]) {
    let mut all = mails.to_vec();
    all.push(mail("seed", -60, "hello", ""));
    all.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    world.put(
        "/bpf/new.atom",
        mails_atom("http://list.example/bpf/", &all),
    );
}

/// A world with a seeded list whose sample was announced.
async fn list(chat: &Chat) -> World {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    put_mails(&world, &[]);
    world.poll().await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    chat.forget();
    world.advance(TimeDelta::hours(2));
    world
}

#[tokio::test]
async fn a_series_is_one_message_that_is_edited() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: posted"]);
    mails.push(mail("p2", 200, "[PATCH bpf-next v2] bpf: Do it", "p1"));
    put_mails(&world, &mails);
    world.advance(TimeDelta::hours(3));
    world.poll().await;
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: v2"]);
    assert_eq!(
        chat.sends(),
        3,
        "two articles of the healthy feed, and the series"
    );
}

#[tokio::test]
async fn an_answer_that_was_lost_makes_no_second_message() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    put_mails(&world, &[mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")]);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    // The platform either remembers the key, or bpfnews looks through the channel.
    for late in [TimeDelta::seconds(3), TimeDelta::hours(2)] {
        chat.answer_next(&[Answer::Lost, Answer::Lost]);
        delivery_loop.pass().await.expect("a pass");
        world.advance(late);
        delivery_loop.pass().await.expect("a pass");
    }
    world.advance(TimeDelta::hours(2));
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: posted"]);
    assert!(chat.all_keys_stand_once());
}

#[tokio::test]
async fn a_deleted_post_is_left_alone() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    delivery_loop.pass().await.expect("a pass");
    chat.delete_all();
    for version in 2..4 {
        let title = format!("[PATCH bpf-next v{version}] bpf: Do it");
        mails.push(mail(&format!("p{version}"), 100 * version, &title, "p1"));
        put_mails(&world, &mails);
        world.advance(TimeDelta::hours(3));
        world.poll().await;
        delivery_loop.pass().await.expect("a pass");
        assert_eq!(chat.bpf(), [""; 0]);
    }
    assert_eq!(
        chat.edits_tried(),
        1,
        "the first request reported that it is gone"
    );
}

#[tokio::test]
async fn a_waiting_channel_blocks_no_other_and_counts_no_attempt() {
    let chat = Chat::new();
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| {
            let mut second = everything();
            second.name = "second".to_owned();
            second.address = "2".to_owned();
            config.channels.push(second);
        })
        .await;
    world.put("/blog.rss", rss(&[Article::new(0, "One")]));
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    let later = SendError::Later {
        after: Duration::from_secs(60),
        scope: Scope::Channel,
        why: "slow down".to_owned(),
    };
    chat.answer_in("", &[Answer::Fails(later)]);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("2").len(), 2);
    assert_eq!(chat.room("").len(), 0);
    assert_eq!(chat.attempts(&world).await, [0, 0, 1, 1]);
    world.advance(TimeDelta::seconds(61));
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("").len(), 2);
}

#[tokio::test]
async fn a_channel_that_refuses_is_paused_and_maintainers_hear_of_it_once() {
    let chat = Chat::new();
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let ops = |config: &mut bpfnews::config::Config| {
        let mut ops = everything();
        (ops.name, ops.address, ops.maintainers) = ("ops".to_owned(), "ops".to_owned(), true);
        config.channels.push(ops);
    };
    world.restart(ops).await;
    world.put("/blog.rss", rss(&[Article::new(0, "One")]));
    world.poll().await;
    let never = SendError::Never {
        scope: Scope::Channel,
        why: "the bot lacks a permission".to_owned(),
    };
    // One refused delivery may be the problem itself. If the next one is refused too, the channel is the problem.
    let twice = [Answer::Fails(never.clone()), Answer::Fails(never.clone())];
    chat.answer_in("", &twice);
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.room(""), [""; 0]);
    assert_eq!(chat.room("ops"), ["terminal is paused"]);
    // Refused again after a restart: no new notice.
    world.restart(|_| {}).await;
    chat.answer_in("", &twice[..1]);
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.room("ops").len(), 1);
    world.restart(|_| {}).await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.room("").len(), 2);
    assert_eq!(
        chat.room("ops"),
        ["terminal is paused", "terminal is well again"]
    );
}

#[tokio::test]
async fn stories_over_the_cap_wait_for_a_list() {
    let chat = Chat::new();
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| config.channels[0].hourly_max = Some(4))
        .await;
    world.put("/blog.rss", rss(&[Article::new(0, "Zero")]));
    world.poll().await;
    world.advance(TimeDelta::hours(2));
    let article = |n: i64| Article {
        at: Some(world.now() - TimeDelta::minutes(n)),
        ..Article::new(0, &format!("Title {n}"))
    };
    let articles: Vec<Article> = (0..40).map(article).collect();
    world.put("/blog.rss", rss(&articles));
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    delivery_loop.pass().await.expect("a pass");
    let before = chat.room("").len();
    world.advance(TimeDelta::hours(1));
    before_polls(&world.ingest).await;
    delivery_loop.pass().await.expect("a pass");
    let lists = chat.digests();
    let listed: usize = lists.iter().sum();
    assert!(lists.iter().all(|lines| *lines <= 15), "{lists:?}");
    // Forty articles and one of the healthy feed: four as posts, the others in a list.
    assert_eq!((before, listed), (2 + 4, 37), "{lists:?}");
}

/// Hours of lost answers lose nothing, and change the order only for a time.
#[tokio::test]
async fn an_outage_loses_nothing() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let mails = [
        mail("p1", 62, "[PATCH bpf-next] bpf: Do it now", ""),
        mail("p2", 63, "[PATCH bpf-next] bpf: Do it later", ""),
    ];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    let fails = || {
        Answer::Fails(SendError::Unknown {
            why: "502".to_owned(),
        })
    };
    for _ in 0..60 {
        chat.answer_next(&[fails(), fails()]);
        delivery_loop.pass().await.expect("a pass");
        world.advance(TimeDelta::minutes(11));
    }
    chat.answer_next(&[]);
    for _ in 0..2 {
        delivery_loop.pass().await.expect("a pass");
        world.advance(TimeDelta::minutes(11));
    }
    let mut told = chat.bpf();
    told.sort();
    assert_eq!(told, ["bpf: Do it later: posted", "bpf: Do it now: posted"]);
}

/// An attempt that was delayed leaves no edit with an outdated text.
#[tokio::test]
async fn a_delayed_delivery_has_the_present_text() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    let claimed = sqlx::query("UPDATE deliveries SET attempts = 1 WHERE state = 'owed'")
        .execute(&mut *world.reader().await)
        .await;
    claimed.expect("as if its answer were under way");
    for version in 2..4 {
        let title = format!("[PATCH bpf-next v{version}] bpf: Do it");
        mails.push(mail(&format!("p{version}"), 100 * version, &title, "p1"));
        put_mails(&world, &mails);
        world.poll_when_due("bpf").await;
        let later = sqlx::query(
            "UPDATE deliveries SET attempts = 0 WHERE verb = 'send' AND state = 'owed'",
        )
        .execute(&mut *world.reader().await)
        .await;
        later.expect("it was put off");
    }
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: v3"]);
}

/// A refused channel is retried now and then. Maintainers get a notice when it works again.
#[tokio::test]
async fn a_refused_channel_is_tried_again_without_a_restart() {
    let chat = Chat::new();
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| {
            let mut ops = everything();
            (ops.name, ops.address, ops.maintainers) = ("ops".to_owned(), "ops".to_owned(), true);
            config.channels.push(ops);
        })
        .await;
    world.put("/blog.rss", rss(&[Article::new(0, "One")]));
    world.poll().await;
    let never = SendError::Never {
        scope: Scope::Channel,
        why: "the bot lacks a permission".to_owned(),
    };
    let delivery_loop = chat.delivery_loop(&world);
    chat.answer_in("", &[Answer::Fails(never.clone()), Answer::Fails(never)]);
    delivery_loop.pass().await.expect("a pass");
    world.advance(TimeDelta::hours(5));
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room(""), [""; 0], "it is left alone for a while");
    world.advance(TimeDelta::hours(2));
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.room("").len(), 2);
    assert_eq!(
        chat.room("ops"),
        ["terminal is paused", "terminal is well again"]
    );
}

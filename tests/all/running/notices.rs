//! Maintainers get one notice for each problem, with advice, and another one when it is over. Readers never get them.

use chrono::TimeDelta;

use crate::deliver::platform::Chat;
use crate::documents::{Article, articles, rss};
use crate::rude::answer;
use crate::world::{World, everything, feed};

async fn begin(chat: &Chat) -> World {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| {
            let mut ops = everything();
            (ops.name, ops.address, ops.maintainers) = ("ops".to_owned(), "ops".to_owned(), true);
            config.channels.push(ops);
        })
        .await;
    world.put("/blog.rss", rss(&articles("b a")));
    go_on(&mut world, chat, 2).await;
    world
}

/// Polls for this many hours, with a restart before each poll.
async fn go_on(world: &mut World, chat: &Chat, hours: usize) {
    for hour in 0..hours {
        world.poll().await;
        chat.delivery_loop(world).pass().await.expect("a pass");
        world.advance(TimeDelta::minutes(61));
        if hour % 5 == 4 {
            world.restart(|_| {}).await;
        }
    }
}

/// The messages in the readers' room about the feed under test, and about faults.
fn readers(chat: &Chat) -> Vec<String> {
    let mut told = chat.room("");
    told.retain(|told| !told.contains("Healthy"));
    told
}

#[tokio::test]
async fn a_feed_that_fails_for_a_day_is_reported_once_and_so_is_its_recovery() {
    let chat = Chat::new();
    let mut world = begin(&chat).await;
    let before = readers(&chat);
    world.put_answer(
        "/blog.rss",
        answer("500 Internal Server Error", &[], "down"),
    );
    go_on(&mut world, &chat, 20).await;
    assert_eq!(chat.room("ops"), [""; 0], "not before a day is over");
    go_on(&mut world, &chat, 60).await;
    let told = chat.room("ops");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("blog has failed since 2025-01-10 "),
        "{told:?}"
    );
    let text = chat.notices();
    assert!(
        text[0].contains("bpfnews check --online --feed blog"),
        "{text:?}"
    );
    world.put("/blog.rss", rss(&articles("c b a")));
    go_on(&mut world, &chat, 40).await;
    let told = chat.room("ops");
    assert_eq!(told[1..], ["blog is well again"], "{told:?}");
    assert_eq!(
        readers(&chat).len(),
        before.len() + 1,
        "one article, and no fault"
    );
}

#[tokio::test]
async fn a_wall_and_a_feed_that_is_gone_are_reported_at_once() {
    let page = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>";
    for (status, kind, wanted) in [
        ("403 Forbidden", "Content-Type: text/html", "blog is walled"),
        ("410 Gone", "Content-Type: text/plain", "blog is gone"),
    ] {
        let chat = Chat::new();
        let mut world = begin(&chat).await;
        world.put_answer("/blog.rss", answer(status, &[kind], page));
        go_on(&mut world, &chat, 12).await;
        assert_eq!(chat.room("ops"), [wanted]);
        world.put("/blog.rss", rss(&articles("b a")));
        go_on(&mut world, &chat, 24 * 8).await;
        assert_eq!(chat.room("ops"), [wanted, "blog is well again"]);
    }
}

#[tokio::test]
async fn a_gap_is_reported_once_a_day() {
    let chat = Chat::new();
    let mut world = begin(&chat).await;
    for round in 0..4 {
        // A window without the earlier entries.
        let all: Vec<Article> = (0..3)
            .map(|n| Article {
                at: Some(world.now() - TimeDelta::minutes(n)),
                ..Article::new(0, &format!("Title {round} {n}"))
            })
            .collect();
        world.put("/blog.rss", rss(&all));
        world.poll_when_due("blog").await;
        chat.delivery_loop(&world).pass().await.expect("a pass");
    }
    assert!(world.gaps("blog").await.len() > 1);
    assert_eq!(chat.room("ops"), ["blog: something is missing"]);
    assert!(
        chat.notices()[0].contains("bpfnews feeds"),
        "{:?}",
        chat.notices()
    );
}

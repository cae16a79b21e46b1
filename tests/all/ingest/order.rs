//! A second poll, or a poll after entries changed places, adds nothing.

use std::sync::Arc;

use bpfnews::store::feeds::Progress;
use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::serve_mails;
use crate::documents::{articles, cgit, commit, mail, public_inbox, rss};
use crate::world::{World, archive, feed, tree};

#[tokio::test]
async fn reordered_entries_are_no_news() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let mut all = articles("D C B A");
    world.put("/blog.rss", rss(&all));
    world.poll().await;
    world.tell().await;
    for seed in 0..8 {
        fastrand::Rng::with_seed(seed).shuffle(&mut all);
        world.put("/blog.rss", rss(&all));
        world.poll_when_due("blog").await;
        world.check_ok("blog").await;
        assert_eq!(world.row("blog").await.items, 4);
        assert!(world.tell().await.is_empty());
        assert!(world.gaps("blog").await.is_empty());
    }
}

#[tokio::test]
async fn the_same_poll_twice_adds_nothing() {
    let all = [
        feed("blog", "/blog.rss"),
        archive("bpf", "/bpf/"),
        tree("linux", "/linux/", &[]),
    ];
    let mut world = World::new(&all).await;
    world.put("/blog.rss", rss(&articles("B A")));
    let mails = [
        mail("2", -5, "[PATCH 1/2] x", "1"),
        mail("1", -9, "[PATCH 0/2] x", ""),
    ];
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &mails, 5, path));
    let line: Vec<_> = (90..=100).rev().map(commit).collect();
    world.put_folder("/linux/", move |path| cgit("/linux/", &line, 3, 2, path));
    world.poll().await;
    let end = world.end().await;
    for _ in 0..3 {
        world.advance(TimeDelta::hours(2));
        for report in world.poll().await {
            assert_eq!(
                (report.fresh, report.sighted, report.news),
                (0, 0, 0),
                "{report:?}"
            );
        }
        assert_eq!(world.end().await, end);
    }
    // The same holds after a restart, and if a cursor cannot be parsed any more.
    world.restart(|_| ()).await;
    let store = &world.ingest.store;
    let mut tx = store.write().await.expect("the database may be written");
    let rows = world.rows(&["blog", "bpf", "linux"]).await;
    let numbers: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let progress = Progress::of(&mut tx, &numbers).await;
    let mut progress = progress.expect("a good database");
    for row in &rows {
        assert!(progress.stands_at(row.id, row.cursor.as_deref()));
        assert!(!progress.stands_at(row.id, Some("elsewhere")));
        progress.put_cursor(row.id, "{\"of\": \"old\"}".to_owned());
    }
    let saved = progress.save(&mut tx, world.now()).await;
    saved.expect("the database may be written");
    tx.commit().await.expect("the database may be written");
    world.advance(TimeDelta::hours(2));
    world.poll().await;
    assert_eq!(world.end().await, end);
}

#[tokio::test]
async fn two_polls_of_one_feed_at_once_lose_nothing() {
    let mut world = World::new(&[archive("bpf", "/bpf/"), feed("blog", "/blog.rss")]).await;
    serve_mails(&world, 8);
    world.put("/blog.rss", rss(&articles("B A")));
    world.poll().await;
    world.tell().await;
    world.advance(TimeDelta::hours(60));
    serve_mails(&world, 300);
    world.put("/blog.rss", rss(&articles("C B A")));
    // Another process, or the same one, read the cursors before the first poll moved them.
    let stale = [world.row("bpf").await, world.row("blog").await];
    world.poll().await;
    let seen = world.titles("bpf").await.len();
    assert!(
        (50..290).contains(&seen),
        "the first poll was cut short: {seen}"
    );
    for row in stale {
        let late = world.ingest.poll(row, &CancellationToken::new()).await;
        let late = late.expect("no error");
        assert_eq!((late.fresh, late.news), (0, 0), "{late:?}");
    }
    for _ in 0..2 {
        world.advance(TimeDelta::seconds(20));
        world.poll().await;
    }
    world.check_ok("bpf").await;
    // Three mails were below the window when the list was added.
    assert_eq!(world.titles("bpf").await.len(), 297);
    assert_eq!(world.tell().await.len(), 293, "292 mails and an article");
}

#[tokio::test]
async fn a_poll_that_began_at_another_address_settles_nothing() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put("/blog.rss", rss(&articles("B A")));
    world.poll().await;
    for path in ["/same.rss", "/nothing.rss"] {
        world.put("/same.rss", rss(&articles("B A")));
        let url = world.url("127.0.0.1", path);
        let stale = world.row("blog").await;
        world
            .restart(|config| {
                let feed = config.feeds.iter_mut().find(|feed| feed.name == "blog");
                let feed = Arc::make_mut(feed.expect("it is configured"));
                feed.url = Url::parse(&url).expect("a URL");
            })
            .await;
        let stop = CancellationToken::new();
        world.ingest.poll(stale, &stop).await.expect("no error");
        let row = world.row("blog").await;
        assert_eq!((row.next_poll_at, row.failures), (0, 0), "{path}: {row:?}");
    }
}

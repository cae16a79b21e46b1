//! Polling again, or after things changed places, adds nothing.

use chrono::TimeDelta;

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
    // Also after the program was started anew, and when a cursor is not understood any more.
    world.restart(|_| ()).await;
    let store = &world.ingest.store;
    let mut tx = store.write().await.expect("the database may be written");
    for name in ["blog", "bpf", "linux"] {
        let id = world.row(name).await.id;
        let saved = bpfnews::store::feeds::save_cursor(&mut tx, id, "{\"of\": \"old\"}").await;
        saved.expect("the database may be written");
    }
    tx.commit().await.expect("the database may be written");
    world.advance(TimeDelta::hours(2));
    world.poll().await;
    assert_eq!(world.end().await, end);
}

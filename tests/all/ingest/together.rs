//! Pages that are read at the same time are committed in one transaction. That must change nothing but the number of
//! commits.

use std::time::Duration;

use bpfnews::ingest::Report;
use bpfnews::store::feeds::FeedRow;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio_util::sync::CancellationToken;

use crate::documents::{Mail, articles, mail, mails_atom, rss};
use crate::world::{World, archive, feed};

/// Polls feeds while nobody may write, so that their pages wait together, in this order.
async fn poll_together(world: &World, rows: Vec<FeedRow>) -> Vec<anyhow::Result<Report>> {
    let held = world.ingest.store.write().await;
    let held = held.expect("the database may be written");
    let stop = CancellationToken::new();
    let mut polls = FuturesOrdered::new();
    for row in rows {
        polls.push_back(world.ingest.poll(row, &stop));
        let so_many = polls.len();
        tokio::select! {
            () = until(|| world.ingest.waiting() == so_many) => {}
            ended = polls.next() => panic!("it ended while nobody may write: {ended:?}"),
        }
    }
    drop(held);
    polls.collect().await
}

/// Returns as soon as they all wait.
async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    waited.expect("it becomes so");
}

/// Publishes an archive at `/LIST/` with these mails.
fn serve<'a>(world: &World, list: &str, mails: impl IntoIterator<Item = &'a Mail>) {
    let page = mails_atom(&format!("http://list.example/{list}/"), mails);
    world.put(&format!("/{list}/new.atom"), page);
}

#[tokio::test]
async fn a_page_that_cannot_be_kept_stops_no_other() {
    let feeds = [
        feed("a", "/a.rss"),
        feed("b", "/b.rss"),
        feed("c", "/c.rss"),
        feed("d", "/d.rss"),
    ];
    let mut world = World::new(&feeds).await;
    for (path, names) in [
        ("/a.rss", "A"),
        ("/b.rss", "B"),
        ("/c.rss", "C"),
        ("/d.rss", "D"),
    ] {
        world.put(path, rss(&articles(names)));
    }
    world.poll().await;
    world.tell().await;
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON items WHEN NEW.title = 'Poison'
                  BEGIN SELECT RAISE(ABORT, 'this cannot be kept'); END";
    alter(&world, poison).await;
    for (path, names) in [
        ("/a.rss", "A2 A"),
        ("/b.rss", "B2 B"),
        ("/c.rss", "Poison C"),
        ("/d.rss", "D2 D"),
    ] {
        world.put(path, rss(&articles(names)));
    }
    let rows = world.rows(&["a", "b", "c", "d"]).await;
    let reports = poll_together(&world, rows).await;
    let reports = reports.into_iter().map(|report| report.expect("no error"));
    let fresh: Vec<_> = reports.map(|report| (report.fresh, report.news)).collect();
    assert_eq!(fresh, [(1, 1), (1, 1), (0, 0), (1, 1)]);
    let row = world.row("c").await;
    for why in ["what it shows cannot be kept: ", "this cannot be kept"] {
        world.check_failed(&row, "backing_off", 1, why);
    }
    for name in ["a", "b", "d"] {
        world.check_ok(name).await;
        assert_eq!(world.titles(name).await.len(), 2);
    }
    assert_eq!(world.titles("c").await, ["C"], "and it is read again later");
    let mut told = world.tell().await;
    told.sort();
    assert_eq!(told, [["A2"], ["B2"], ["D2"]]);
}

/// Makes a change to the database that bpfnews itself never makes.
async fn alter(world: &World, statement: &'static str) {
    let mut tx = world.ingest.store.write().await.expect("nobody writes");
    let altered = sqlx::query(statement).execute(&mut *tx).await;
    altered.expect("a good statement");
    tx.commit().await.expect("room on the disk");
}

#[tokio::test]
async fn a_poll_ends_with_its_last_page_or_not_at_all() {
    let mut world = World::new(&[feed("a", "/a.rss")]).await;
    world.put("/a.rss", rss(&articles("A")));
    world.poll().await;
    world.tell().await;
    world.put("/a.rss", rss(&articles("B A")));
    let (row, stop) = (world.row("a").await, CancellationToken::new());
    let endless = "CREATE TRIGGER endless BEFORE UPDATE OF next_poll_at ON feeds
                   BEGIN SELECT RAISE(ABORT, 'no poll ends'); END";
    alter(&world, endless).await;
    let ended = world.ingest.poll(row.clone(), &stop).await;
    assert!(ended.is_err(), "{ended:?}");
    assert_eq!(world.titles("a").await, ["A"]);
    alter(&world, "DROP TRIGGER endless").await;
    let ended = world.ingest.poll(row, &stop).await;
    assert_eq!(ended.expect("no error").news, 1);
    assert_eq!(world.titles("a").await, ["A", "B"]);
    assert_eq!(world.tell().await, [["B"]]);
    world.check_ok("a").await;
}

#[tokio::test]
async fn new_feeds_with_parts_of_one_story_do_not_show_it_twice() {
    let lists = [
        archive("x", "/x/"),
        archive("y", "/y/"),
        archive("z", "/z/"),
    ];
    let world = World::new(&lists).await;
    serve(&world, "x", &[mail("1", -10, "elsewhere", "")]);
    serve(&world, "y", &[mail("2", -9, "a thread", "")]);
    serve(
        &world,
        "z",
        &[
            mail("3", -1, "Re: a thread", "2"),
            mail("4", -20, "beside", ""),
        ],
    );
    // The first page is committed alone, and the others together after it.
    let new = world.rows(&["x", "y", "z"]).await;
    for report in poll_together(&world, new).await {
        let report = report.expect("no error");
        assert_eq!(report.news, 1, "{report:?}");
    }
    let told = world.owed().await;
    assert_eq!(
        told,
        [
            vec!["elsewhere"],
            vec!["a thread", "Re: a thread"],
            vec!["beside"]
        ]
    );
}

#[tokio::test]
async fn parts_that_come_together_over_several_lists_are_one_post() {
    let lists = [
        archive("x", "/x/"),
        archive("y", "/y/"),
        archive("z", "/z/"),
    ];
    let mut world = World::new(&lists).await;
    let old = [mail("0", -600, "old", "")];
    let parts = [
        mail("p2", -1, "[PATCH bpf-next 2/2] part two", "p0"),
        mail("p1", -2, "[PATCH bpf-next 1/2] part one", "p0"),
        mail("p0", -3, "[PATCH bpf-next 0/2] all of it", ""),
    ];
    for list in ["x", "y", "z"] {
        serve(&world, list, &old);
    }
    world.poll().await;
    world.tell().await;
    for (part, list) in parts.iter().zip(["x", "y", "z"]) {
        serve(&world, list, [part].into_iter().chain(&old));
    }
    let rows = world.rows(&["x", "y", "z"]).await;
    let mut news = 0;
    for report in poll_together(&world, rows).await {
        let report = report.expect("no error");
        assert_eq!(report.fresh, 1, "{report:?}");
        news += report.news;
    }
    assert_eq!(news, 1, "one post, counted once");
    let whole = [
        "[PATCH bpf-next 0/2] all of it",
        "[PATCH bpf-next 1/2] part one",
        "[PATCH bpf-next 2/2] part two",
    ];
    assert_eq!(world.owed().await, [whole]);
}

#[tokio::test]
async fn an_answer_to_history_of_a_new_feed_opens_no_post() {
    let lists = [
        archive("x", "/x/"),
        archive("y", "/y/"),
        archive("z", "/z/"),
    ];
    let mut world = World::new(&lists).await;
    let old = mail("0", -600, "long ago", "");
    serve(&world, "x", std::slice::from_ref(&old));
    serve(&world, "y", std::slice::from_ref(&old));
    let first = world.rows(&["x", "y"]).await;
    for row in first {
        let stop = CancellationToken::new();
        world.ingest.poll(row, &stop).await.expect("no error");
    }
    world.tell().await;
    world.advance(chrono::TimeDelta::hours(2));
    serve(&world, "x", &[mail("3", 60, "elsewhere", ""), old.clone()]);
    serve(
        &world,
        "y",
        &[mail("2", 100, "Re: a thread", "1"), old.clone()],
    );
    // The mail is new to bpfnews, and its thread began before the channel existed.
    serve(
        &world,
        "z",
        &[
            mail("1", -300, "a thread", ""),
            mail("4", -200, "beside", ""),
        ],
    );
    let together = world.rows(&["x", "z", "y"]).await;
    let mut news = Vec::new();
    for report in poll_together(&world, together).await {
        news.push(report.expect("no error").news);
    }
    assert_eq!(news, [1, 1, 0], "a mail, a sample, and no answer");
    assert_eq!(world.tell().await, [["elsewhere"], ["beside"]]);
    world.poll().await;
}

/// Polls many new feeds while nobody may write, until this many were requested. Returns the number at the end.
async fn asked_meanwhile(text: &str, expected: usize) -> usize {
    let names: Vec<&'static str> = (0..24).map(|n| &*format!("f{n}").leak()).collect();
    let paths = names.iter().map(|name| &*format!("/{name}.rss").leak());
    let paths: Vec<&'static str> = paths.collect();
    let feeds: Vec<_> = names.iter().zip(&paths).map(|(n, p)| feed(n, p)).collect();
    let world = World::new(&feeds).await;
    for (name, path) in names.iter().zip(&paths) {
        let mut shown = articles(&format!("{name}a {name}b {name}c {name}d {name}e"));
        for article in &mut shown {
            article.text = text.to_owned();
        }
        world.put(path, rss(&shown));
    }
    let held = world.ingest.store.write().await;
    let held = held.expect("the database may be written");
    let (stop, rows) = (CancellationToken::new(), world.rows(&names).await);
    let polls = rows.into_iter().map(|row| world.ingest.poll(row, &stop));
    let before = world.requests();
    let watch = async {
        until(|| world.ingest.waiting() == expected).await;
        // Time for one more request, which should not be sent.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let asked = world.requests() - before;
        drop(held);
        asked
    };
    let (reports, asked) = tokio::join!(futures_util::future::join_all(polls), watch);
    for report in reports {
        let report = report.expect("no error");
        assert_eq!(report.fresh, 5, "{report:?}");
    }
    asked
}

#[tokio::test]
async fn pages_wait_for_the_disk_beside_others_that_are_read_unless_they_are_large() {
    assert_eq!(asked_meanwhile("Short.", 24).await, 24);
    assert_eq!(asked_meanwhile(&"Long. ".repeat(10_000), 16).await, 16);
}

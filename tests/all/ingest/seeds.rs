//! The first poll stores everything, announces one sample, and all later entries are news.

use chrono::TimeDelta;

use crate::documents::{
    Article, articles, cgit, commit, commits_atom, mail, mails_atom, public_inbox, rss,
};
use crate::rude::answer;
use crate::world::{World, archive, feed, search, tree};

#[tokio::test]
async fn a_first_poll_remembers_all_and_shows_its_newest() {
    let all = [
        feed("blog", "/blog.rss"),
        archive("bpf", "/bpf/"),
        tree("linux", "/linux/", &[]),
    ];
    let mut world = World::new(&all).await;
    world.put("/blog.rss", rss(&articles("D C B A")));
    let mails = [
        mail("3", -1, "Re: old", "0"),
        mail("2", -5, "new", ""),
        mail("1", -9, "old", ""),
    ];
    world.put(
        "/bpf/new.atom",
        mails_atom("http://list.example/bpf/", &mails),
    );
    let line: Vec<_> = (90..=100).rev().map(commit).collect();
    world.put_folder("/linux/", move |path| cgit("/linux/", &line, 3, 2, path));
    world.poll().await;
    for name in ["blog", "bpf", "linux"] {
        world.check_ok(name).await;
    }
    assert_eq!(world.titles("blog").await, ["A", "B", "C", "D"]);
    assert_eq!(world.titles("bpf").await.len(), 3);
    assert_eq!(world.titles("linux").await.len(), 3);
    let mut told = world.owed().await;
    told.sort();
    assert_eq!(told, [["D"], ["bpf: change 100"], ["new"]]);
    world.poll_when_due("blog").await;
    assert_eq!(world.owed().await.len(), 3, "and no more the second time");
}

#[tokio::test]
async fn an_empty_feeds_first_item_is_posted() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put("/blog.rss", rss(&[]));
    world.poll().await;
    world.check_ok("blog").await;
    assert!(world.tell().await.is_empty());
    world.put("/blog.rss", rss(&articles("A")));
    world.poll_when_due("blog").await;
    world.check_ok("blog").await;
    assert_eq!(world.tell().await, [["A"]]);
    assert!(world.gaps("blog").await.is_empty());
}

#[tokio::test]
async fn an_empty_lists_first_mails_are_posted() {
    for list in [archive("bpf", "/bpf/"), search("bpf", "/bpf/")] {
        let mut world = World::new(&[list]).await;
        world.put_folder("/bpf/", |_| {
            answer("404 Not Found", &[], "No results found")
        });
        world.poll().await;
        world.check_ok("bpf").await;
        world.advance(TimeDelta::days(3));
        let mails = [mail("2", 1500, "second", ""), mail("1", 1400, "first", "")];
        world.put_folder("/bpf/", move |_| {
            answer(
                "200 OK",
                &[],
                mails_atom("http://list.example/bpf/", &mails),
            )
        });
        let before = world.requests();
        world.poll().await;
        world.check_ok("bpf").await;
        let mut told = world.tell().await;
        told.sort();
        assert_eq!(told, [["first"], ["second"]]);
        let asked = world.requests() - before;
        assert!(
            asked <= 3,
            "{asked} requests to learn that there is nothing before them"
        );
    }
}

#[tokio::test]
async fn a_seed_that_was_cut_short_is_still_a_seed() {
    // Two paths of a tree are two documents. The second one fails at first.
    let mut world = World::new(&[tree("linux", "/linux/", &["net/bpf", "kernel/bpf"])]).await;
    let line: Vec<_> = (95..=100).rev().map(commit).collect();
    world.put("/linux/atom/net/bpf?h=master", commits_atom(&line[..3]));
    world.put_answer(
        "/linux/atom/kernel/bpf?h=master",
        answer("500 Oops", &[], ""),
    );
    world.poll().await;
    let row = world.row("linux").await;
    world.check_failed(&row, "backing_off", 1, "500");
    world.put("/linux/atom/kernel/bpf?h=master", commits_atom(&line[3..]));
    world.poll_when_due("linux").await;
    world.check_ok("linux").await;
    assert_eq!(world.titles("linux").await.len(), 6);
    assert_eq!(world.tell().await, [["bpf: change 100"]], "one sample");
}

#[tokio::test]
async fn a_tree_of_two_paths_shows_one_sample() {
    let mut world = World::new(&[tree("linux", "/linux/", &["net/bpf", "kernel/bpf"])]).await;
    let line: Vec<_> = (95..=100).rev().map(commit).collect();
    world.put("/linux/atom/net/bpf?h=master", commits_atom(&line[..3]));
    world.put("/linux/atom/kernel/bpf?h=master", commits_atom(&line[3..]));
    world.poll().await;
    world.check_ok("linux").await;
    assert_eq!(world.titles("linux").await.len(), 6);
    assert_eq!(world.tell().await.len(), 1);
}

#[tokio::test]
async fn a_path_that_is_added_later_is_stored_and_not_posted() {
    let mut world = World::new(&[tree("linux", "/linux/", &["net/bpf"])]).await;
    let line: Vec<_> = (95..=100).rev().map(commit).collect();
    world.put("/linux/atom/net/bpf?h=master", commits_atom(&line[..3]));
    world.poll().await;
    world.tell().await;
    world
        .restart(|config| {
            let feed = std::sync::Arc::make_mut(&mut config.feeds[1]);
            if let bpfnews::config::FeedKind::Tree { paths, .. } = &mut feed.kind {
                paths.push("kernel/bpf".to_owned());
            }
        })
        .await;
    world.put("/linux/atom/kernel/bpf?h=master", commits_atom(&line[3..]));
    world.poll_when_due("linux").await;
    world.check_ok("linux").await;
    assert_eq!(world.titles("linux").await.len(), 6);
    assert!(world.tell().await.is_empty());
}

#[tokio::test]
async fn an_old_entry_that_slides_back_in_is_not_posted() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let all = articles("F E D C B A");
    world.put("/blog.rss", rss(&all[..4]));
    world.poll().await;
    world.tell().await;
    // E was removed, so B slides in at the end; another new entry has a date between two known ones.
    let mut now: Vec<Article> = [0, 2, 3, 4].map(|place: usize| all[place].clone()).to_vec();
    now.insert(
        1,
        Article {
            at: all[1].at,
            ..Article::new(0, "Late")
        },
    );
    world.put("/blog.rss", rss(&now));
    world.poll_when_due("blog").await;
    world.check_ok("blog").await;
    assert_eq!(world.tell().await, [["Late"]]);
    assert_eq!(
        world.titles("blog").await,
        ["B", "C", "D", "E", "F", "Late"]
    );
    // E comes back: bpfnews knows it.
    world.put("/blog.rss", rss(&all[..4]));
    world.poll_when_due("blog").await;
    assert!(world.tell().await.is_empty());
    assert_eq!(world.row("blog").await.items, 6);
}

#[tokio::test]
async fn a_feed_that_is_configured_again_continues_from_its_cursor() {
    let mut world = World::new(&[feed("blog", "/blog.rss"), archive("bpf", "/bpf/")]).await;
    world.put("/blog.rss", rss(&articles("B A")));
    let mails = [mail("1", -5, "hello", "")];
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &mails, 5, path));
    world.poll().await;
    world.tell().await;
    let mut removed = Vec::new();
    world
        .restart(|config| removed = config.feeds.split_off(1))
        .await;
    world.advance(TimeDelta::days(2));
    world.poll().await;
    assert_eq!(world.row("blog").await.shown_state().word(), "paused");
    world
        .restart(|config| config.feeds.append(&mut removed))
        .await;
    world.put("/blog.rss", rss(&articles("D C B A")));
    world.poll().await;
    world.check_ok("blog").await;
    assert_eq!(world.tell().await.len(), 2, "news from that time is posted");
}

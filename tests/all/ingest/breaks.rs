//! A poll may be dropped anywhere. Committed data stays, and the next poll continues; the result is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;

use crate::documents::{articles, cgit, commit, mail, public_inbox, rss};
use crate::rude::answer;
use crate::world::{World, archive, feed, tree};

/// A world that was seeded two hours ago, with much unread news: a feed, an archive with several pages, and a tree with
/// several pages of its log.
async fn behind() -> World {
    let all = [
        feed("blog", "/blog.rss"),
        archive("bpf", "/bpf/"),
        tree("linux", "/linux/", &["", "kernel/bpf"]),
    ];
    let mut world = World::new(&all).await;
    publish(&world, "B A", 3, 100);
    world.poll().await;
    world.tell().await;
    world.advance(TimeDelta::minutes(150));
    publish(&world, "E D C B A", 20, 112);
    world
}

fn publish(world: &World, titles: &str, mails: i64, newest: u32) {
    publish_with(world, titles, mails, newest, i64::MAX);
}

/// Publishes on a server that answers this many requests for mails and commits, and then none.
fn publish_with(world: &World, titles: &str, mails: i64, newest: u32, answers: i64) {
    let left = Arc::new(AtomicI64::new(answers));
    let also_left = Arc::clone(&left);
    let is_down = move |left: &AtomicI64| left.fetch_sub(1, Ordering::Relaxed) <= 0;
    let down = || answer("500 Oops", &[], "");
    world.put("/blog.rss", rss(&articles(titles)));
    let mut all: Vec<_> = (0..mails)
        .map(|n| {
            mail(
                &format!("m{n}"),
                40 * (n - 3).min(1) + n,
                &format!("mail {n:02}"),
                "",
            )
        })
        .collect();
    all.push(mail("p2", 45, "[PATCH 2/2] two", "p0"));
    all.push(mail("p1", 46, "[PATCH 1/2] one", "p0"));
    all.push(mail("p0", 47, "[PATCH 0/2] all", ""));
    if mails < 4 {
        all.truncate(3);
    }
    world.put_folder("/bpf/", move |path| match is_down(&left) {
        true => down(),
        false => public_inbox("/bpf/", &all, 5, path),
    });
    let line: Vec<_> = (80..=newest).rev().map(commit).collect();
    world.put_folder("/linux/", move |path| match is_down(&also_left) {
        true => down(),
        false => cgit_of_two_paths(&line, path),
    });
}

/// A tree whose odd commits touch kernel/bpf.
fn cgit_of_two_paths(line: &[crate::documents::Commit], path: &str) -> Vec<u8> {
    if !path.contains("/kernel/bpf") {
        return cgit("/linux/", line, 3, 4, path);
    }
    let odd: Vec<_> = line
        .iter()
        .filter(|commit| {
            commit
                .hash
                .ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])
        })
        .cloned()
        .collect();
    if path.starts_with("/linux/log") {
        return answer("404 Not Found", &[], "Not Found");
    }
    cgit("/linux/", &odd, 3, 4, &path.replace("/kernel/bpf", "/"))
}

/// Polls until a poll finds nothing.
async fn catch_up(world: &mut World) {
    for _ in 0..6 {
        world.poll().await;
        world.advance(TimeDelta::minutes(70));
    }
}

#[tokio::test]
async fn a_poll_given_up_anywhere_ends_as_one_that_was_not() {
    let mut whole = behind().await;
    catch_up(&mut whole).await;
    let wanted = whole.end().await;
    assert!(wanted.contains(&"blog ok 5".to_owned()), "{wanted:#?}");
    assert!(
        wanted
            .iter()
            .any(|line| line.contains("all + ") || line.contains(" + [PATCH 0/2] all")),
        "{wanted:#?}"
    );
    let mut ended = false;
    let mut wakes = 1;
    while !ended {
        let mut world = behind().await;
        ended = world.poll_and_give_up(wakes).await;
        catch_up(&mut world).await;
        assert_eq!(world.end().await, wanted, "given up after {wakes}");
        wakes += 1 + wakes / 6;
    }
}

#[tokio::test]
async fn a_poll_given_up_again_and_again_ends_the_same() {
    let mut whole = behind().await;
    catch_up(&mut whole).await;
    let wanted = whole.end().await;
    let mut world = behind().await;
    for wakes in 1..60 {
        if world.poll_and_give_up(wakes).await {
            break;
        }
    }
    catch_up(&mut world).await;
    assert_eq!(world.end().await, wanted);
}

#[tokio::test]
async fn a_server_that_fails_halfway_is_gone_on_with() {
    let mut whole = behind().await;
    catch_up(&mut whole).await;
    let wanted = whole.end().await;
    for answers in 0..16 {
        let mut world = behind().await;
        publish_with(&world, "E D C B A", 20, 112, answers);
        world.poll().await;
        publish(&world, "E D C B A", 20, 112);
        world.advance(TimeDelta::hours(2));
        catch_up(&mut world).await;
        assert_eq!(world.end().await, wanted, "after {answers} good answers");
    }
}

#[tokio::test]
async fn a_stop_between_requests_charges_nothing() {
    let mut world = behind().await;
    let stop = tokio_util::sync::CancellationToken::new();
    stop.cancel();
    let row = world.row("bpf").await;
    let report = world.ingest.poll(row, &stop).await.expect("no error");
    assert_eq!(report.fresh, 0);
    let row = world.row("bpf").await;
    assert_eq!((row.state.word(), row.failures), ("ok", 0));
    world.poll().await;
    assert!(world.titles("bpf").await.len() > 3);
}

//! If a feed moved on by more entries than it shows, bpfnews walks back. If no way back exists, it records a gap.

use std::sync::atomic::{AtomicI64, Ordering};

use bpfnews::store::feeds::{FeedRow, Outcome, Progress};
use chrono::TimeDelta;

use super::{serve_mails, serve_mails_failing};
use crate::documents::{Article, articles, cgit, commit, mail, public_inbox, rss};
use crate::rude::answer;
use crate::world::{World, archive, feed, noon, tree};

#[tokio::test]
async fn an_overflowing_feed_records_a_gap() {
    for dated in [true, false] {
        let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
        let shown = |titles: &str, world: &World| -> Vec<Article> {
            let articles = articles(titles).into_iter();
            let at = dated.then_some(world.now() - TimeDelta::minutes(5));
            articles.map(|article| Article { at, ..article }).collect()
        };
        world.put("/blog.rss", rss(&shown("C B A", &world)));
        world.poll().await;
        world.tell().await;
        world.advance(TimeDelta::days(2));
        world.put("/blog.rss", rss(&shown("F E D", &world)));
        world.poll().await;
        world.check_ok("blog").await;
        let gaps = world.gaps("blog").await;
        let [(from, to)] = gaps[..] else {
            panic!("one gap: {gaps:?}")
        };
        assert!(from < to && from >= noon().timestamp() - 7200 && to <= world.now().timestamp());
        assert_eq!(
            world.tell().await.len(),
            3,
            "shown entries are posted all the same"
        );
        // A window that overlaps leaves no gap.
        world.put("/blog.rss", rss(&shown("H G F", &world)));
        world.poll_when_due("blog").await;
        assert_eq!(world.gaps("blog").await.len(), 1);
    }
}

#[tokio::test]
async fn an_archive_is_climbed_until_it_overlaps() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    let seed: Vec<_> = (0..8)
        .map(|n| mail(&format!("s{n}"), -100 + n, &format!("seed {n}"), ""))
        .collect();
    let shown = seed.clone();
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &shown, 5, path));
    world.poll().await;
    world.tell().await;
    let mut all = seed;
    all.extend((0..60).map(|n| mail(&format!("n{n}"), n, &format!("new {n:02}"), "")));
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &all, 5, path));
    world.advance(TimeDelta::minutes(70));
    for _ in 0..3 {
        world.poll().await;
        world.advance(TimeDelta::seconds(20));
    }
    world.check_ok("bpf").await;
    let told = world.tell().await;
    assert_eq!(told.len(), 60, "each is posted once");
    assert!(world.gaps("bpf").await.is_empty());
}

#[tokio::test]
async fn a_climb_over_known_mails_continues_from_the_last_poll() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    serve_mails(&world, 8);
    world.poll().await;
    world.tell().await;
    world.advance(TimeDelta::hours(130));
    serve_mails(&world, 600);
    world.poll().await;
    let stopped = world.row("bpf").await;
    assert!(world.titles("bpf").await.len() < 400, "it was cut short");
    for _ in 0..4 {
        world.advance(TimeDelta::seconds(20));
        world.poll().await;
    }
    world.check_ok("bpf").await;
    assert_eq!(world.titles("bpf").await.len(), 597);
    // As after an import of the same mails: the cursor of the feed did not move, but the mails above it are stored.
    let mut tx = world.ingest.store.write().await.expect("it may be written");
    let progress = Progress::of(&mut tx, &[stopped.id]).await;
    let mut progress = progress.expect("a good database");
    let mut ways = vec![climbed_to(&stopped)];
    progress.put_cursor(stopped.id, stopped.cursor.expect("it was polled"));
    let saved = progress.save(&mut tx, world.now()).await;
    saved.expect("it may be written");
    tx.commit().await.expect("it may be written");
    world.advance(TimeDelta::hours(2));
    let (mut cut_short, mut broken_off) = (0, 0);
    loop {
        // The first poll reads as many pages as allowed. The second one meets an error on its way.
        if cut_short == 1 && broken_off == 0 {
            serve_mails_failing(&world, 600, 10);
        } else {
            serve_mails(&world, 600);
        }
        let reports = world.poll().await;
        let report = reports.iter().find(|report| report.feed == "bpf");
        let report = report.expect("it was polled");
        assert_eq!(report.fresh, 0);
        match &report.outcome {
            Outcome::Ok => break,
            Outcome::OkSoFar => cut_short += 1,
            _ => broken_off += 1,
        }
        ways.push(climbed_to(&world.row("bpf").await));
        assert!(ways.len() < 5, "it goes no further");
        world.advance_to("bpf").await;
    }
    assert!(
        cut_short > 0 && broken_off == 1,
        "{cut_short} were cut short, {broken_off} broken off"
    );
    let comes_further = ways.is_sorted_by(|before, after| before < after);
    assert!(comes_further, "each poll keeps how far it came: {ways:?}");
    world.check_ok("bpf").await;
}

/// The time that an archive's climb has reached, unix seconds.
fn climbed_to(row: &FeedRow) -> i64 {
    let cursor = row.cursor.as_deref().expect("it was polled");
    let cursor: serde_json::Value = serde_json::from_str(cursor).expect("JSON");
    let at = cursor["climbed_to"].as_i64();
    at.unwrap_or_else(|| panic!("it is not climbing: {cursor}"))
}

#[tokio::test]
async fn a_tree_is_read_from_its_log() {
    let mut world = World::new(&[tree("linux", "/linux/", &[])]).await;
    let serve = |world: &World, newest: u32| {
        let line: Vec<_> = (1..=newest).rev().map(commit).collect();
        world.put_folder("/linux/", move |path| cgit("/linux/", &line, 3, 4, path));
    };
    serve(&world, 100);
    world.poll().await;
    world.tell().await;
    world.advance(TimeDelta::days(2));
    serve(&world, 130);
    world.poll().await;
    world.check_ok("linux").await;
    assert_eq!(world.tell().await.len(), 30);
    assert_eq!(world.titles("linux").await.len(), 33);
    assert!(world.gaps("linux").await.is_empty());
}

#[tokio::test]
async fn a_tree_without_log_is_walked_back_by_hash() {
    let mut world = World::new(&[tree("linux", "/linux/", &[])]).await;
    let serve = |world: &World, newest: u32| {
        let line: Vec<_> = (1..=newest).rev().map(commit).collect();
        world.put_folder("/linux/", move |path| {
            match path.starts_with("/linux/atom") {
                true => cgit("/linux/", &line, 3, 4, path),
                false => answer(
                    "200 OK",
                    &[],
                    "<!doctype html><html><title>Are you a bot?</title></html>",
                ),
            }
        });
    };
    serve(&world, 100);
    world.poll().await;
    world.tell().await;
    world.advance(TimeDelta::days(2));
    serve(&world, 120);
    world.poll().await;
    world.check_ok("linux").await;
    assert_eq!(world.tell().await.len(), 20);
    assert!(
        world.gaps("linux").await.is_empty(),
        "a straight line is whole"
    );
}

#[tokio::test]
async fn a_branch_that_was_rebased_is_no_news() {
    let mut world = World::new(&[tree("linux", "/linux/", &[])]).await;
    let line: Vec<_> = (90..=100).rev().map(commit).collect();
    let shown = line.clone();
    world.put_folder("/linux/", move |path| cgit("/linux/", &shown, 5, 4, path));
    world.poll().await;
    world.tell().await;
    let rebased: Vec<_> = line
        .into_iter()
        .map(|mut commit| {
            commit.hash = commit.hash.replace("00000000", "abcdabcd");
            commit
        })
        .collect();
    world.put_folder("/linux/", move |path| cgit("/linux/", &rebased, 5, 4, path));
    world.poll_when_due("linux").await;
    world.check_ok("linux").await;
    let told = world.tell().await;
    assert!(told.len() <= 6, "the stored ones are twins: {told:?}");
    assert!(
        !told
            .iter()
            .flatten()
            .any(|title| title.as_str() >= "bpf: change 096"),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_walk_by_hash_is_resumed_and_not_stopped_by_another_trees_commits() {
    let line: Vec<_> = (1..=140).rev().map(commit).collect();
    let serve = |world: &World, folder: &'static str, newest: usize, answers: i64| {
        let line = line[140 - newest..].to_vec();
        let left = AtomicI64::new(answers);
        world.put_folder(folder, move |path| {
            if !path.starts_with(&format!("{folder}atom")) {
                return answer("404 Not Found", &[], "Not Found");
            }
            match left.fetch_sub(1, Ordering::Relaxed) > 0 {
                true => cgit(folder, &line, 3, 4, path),
                false => answer("500 Oops", &[], ""),
            }
        });
    };
    for answers in 1..9 {
        let trees = [tree("linux", "/linux/", &[]), tree("other", "/other/", &[])];
        let mut world = World::new(&trees).await;
        serve(&world, "/linux/", 100, i64::MAX);
        // The other tree is at a commit in the middle, so the walk meets three known commits there.
        serve(&world, "/other/", 112, i64::MAX);
        world.poll().await;
        world.tell().await;
        world.advance(TimeDelta::days(1));
        serve(&world, "/linux/", 125, answers);
        world.poll().await;
        let row = world.row("linux").await;
        world.check_failed(&row, "backing_off", 1, "500");
        serve(&world, "/linux/", 128, i64::MAX);
        for _ in 0..3 {
            world.advance(TimeDelta::hours(3));
            world.poll().await;
        }
        world.check_ok("linux").await;
        let here = world.titles("linux").await;
        let wanted = (98..=128).map(|number| commit(number).subject);
        let missing: Vec<_> = wanted.filter(|subject| !here.contains(subject)).collect();
        assert!(missing.is_empty(), "after {answers} answers: {missing:?}");
    }
}

#[tokio::test]
async fn a_backfill_does_not_hide_news_before_a_poll() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    let serve = |world: &World, last: i64| {
        let mails: Vec<_> = (-9..=last)
            .map(|minutes| {
                let id = format!("m{minutes}");
                mail(&id, minutes * 60, &format!("mail {minutes}"), "")
            })
            .collect();
        world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &mails, 5, path));
    };
    serve(&world, -1);
    world.poll().await;
    world.tell().await;
    world.advance(TimeDelta::days(3));
    serve(&world, 20);
    let row = world.row("bpf").await;
    let since = noon() - TimeDelta::days(2);
    let stop = tokio_util::sync::CancellationToken::new();
    let walked = world.ingest.backfill(row, since, &stop, |_, _| {}).await;
    walked.expect("the archive answers");
    assert_eq!(world.titles("bpf").await.len(), 30);
    let told = world.tell().await.len();
    assert_eq!(told, 21, "mails 0 to 20 are news, those before are history");
}

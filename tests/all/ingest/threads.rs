//! Mails that stories lack are fetched with their threads: never as news, a few a day, and each until it is here or given up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bpfnews::store::wanted::{self, WantedCount};
use chrono::TimeDelta;

use crate::documents::{Mail, mail, mails_atom, public_inbox, thread_mbox};
use crate::rude::answer;
use crate::world::{World, archive};

/// What the archive has, what its newest page shows, and how it answers requests for threads.
#[derive(Clone, Default)]
struct Upstream {
    shown: Arc<Mutex<Vec<Mail>>>,
    thread: Arc<Mutex<Vec<u8>>>,
}

impl Upstream {
    /// From now on the newest page has these mails and the first one.
    fn show(&self, mails: &[Mail]) {
        let mut shown = mails.to_vec();
        shown.push(mail("seed", -60, "hello", ""));
        *self.shown.lock().expect("no holder panics") = shown;
    }

    /// From now on every thread has these mails.
    fn put_thread(&self, mails: &[Mail]) {
        self.put_answer(answer("200 OK", &[], thread_mbox(mails)));
    }

    fn put_answer(&self, bytes: Vec<u8>) {
        *self.thread.lock().expect("no holder panics") = bytes;
    }
}

/// A world whose list was seeded with one mail that was announced, three hours ago, and fetches so many threads a day.
async fn list(per_day: u64) -> (World, Upstream) {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    world
        .restart(|config| config.network.threads_per_day_max = per_day)
        .await;
    let upstream = Upstream::default();
    let served = upstream.clone();
    world.put_folder("/bpf/", move |path| {
        let shown = served.shown.lock().expect("no holder panics");
        let thread = served.thread.lock().expect("no holder panics");
        match path.strip_suffix("/t.mbox.gz") {
            Some(path) if thread.is_empty() => {
                let own = shown.iter().filter(|mail| path.ends_with(&mail.id));
                answer("200 OK", &[], thread_mbox(own))
            }
            Some(_) => thread.clone(),
            None => public_inbox("/bpf/", &shown, 25, path),
        }
    });
    upstream.show(&[]);
    upstream.put_answer(answer("404 Not Found", &[], "Not Found"));
    world.poll().await;
    assert_eq!(world.tell().await, [["hello"]]);
    world.advance(TimeDelta::hours(3));
    (world, upstream)
}

/// A series of two patches with a cover letter; it began before the last poll.
fn series() -> [Mail; 3] {
    [
        mail("p0", 10, "[PATCH bpf-next 0/2] whole", ""),
        mail("p1", 11, "[PATCH bpf-next 1/2] part 1", "p0"),
        mail("p2", 62, "[PATCH bpf-next 2/2] part 2", "p0"),
    ]
}

const SERIES: [&str; 3] = [
    "[PATCH bpf-next 0/2] whole",
    "[PATCH bpf-next 1/2] part 1",
    "[PATCH bpf-next 2/2] part 2",
];

/// The requests for threads so far.
fn asked(world: &World) -> Vec<String> {
    let seen = world.seen_paths().into_iter();
    seen.filter(|path| path.ends_with("/t.mbox.gz")).collect()
}

async fn count(world: &World) -> WantedCount {
    let counts = wanted::wanted_counts(world.ingest.store.read()).await;
    let counts = counts.expect("the database answers");
    counts.into_iter().next().unwrap_or_default()
}

/// What is wanted, was fetched and given up.
async fn counts(world: &World) -> (i64, i64, i64) {
    let count = count(world).await;
    (count.wanted, count.fetched, count.given_up)
}

#[tokio::test]
async fn a_series_gets_its_cover_and_its_parts_and_nothing_more_is_posted() {
    let (mut world, upstream) = list(50).await;
    let other = mail("other", 20, "[PATCH bpf-next] another thread", "");
    let [p0, p1, p2] = series();
    upstream.put_thread(&[p0, p1, p2.clone(), other]);
    upstream.show(&[p2]);
    world.poll().await;
    assert_eq!(asked(&world), ["/bpf/p2@x.example/t.mbox.gz"]);
    // The post of the patch that came shows the series; it is the only one.
    assert_eq!(world.tell().await, [SERIES]);
    assert_eq!(
        world.titles("bpf").await.len(),
        4,
        "without the other thread"
    );
    assert_eq!(counts(&world).await, (0, 2, 0));
    let content: String =
        sqlx::query_scalar("SELECT content FROM posts WHERE content LIKE '%part 2%'")
            .fetch_one(&mut *world.reader().await)
            .await
            .expect("its post");
    assert!(!content.contains("1 of 2"), "{content}");
    for _ in 0..5 {
        world.poll_when_due("bpf").await;
    }
    assert_eq!(asked(&world).len(), 1);
    assert_eq!(world.tell().await, [[""; 0]; 0]);
    world.check_ok("bpf").await;
}

#[tokio::test]
async fn the_patch_that_is_answered_comes_with_its_thread_and_is_no_news() {
    let (mut world, upstream) = list(50).await;
    let patch = mail("patch", -9_000, "[PATCH bpf-next] verifier: simplify", "");
    let reply = mail(
        "reply",
        65,
        "Re: [PATCH bpf-next] verifier: simplify",
        "patch",
    );
    let earlier = mail(
        "earlier",
        -8_000,
        "Re: [PATCH bpf-next] verifier: simplify",
        "patch",
    );
    upstream.put_thread(&[patch, earlier, reply.clone()]);
    upstream.show(&[reply]);
    world.poll().await;
    assert_eq!(world.titles("bpf").await.len(), 4);
    assert_eq!(world.tell().await, [[""; 0]; 0], "an old patch is no news");
    assert_eq!(counts(&world).await, (0, 1, 0));
}

#[tokio::test]
async fn a_mail_that_comes_while_its_thread_is_fetched_is_news() {
    let (mut world, upstream) = list(50).await;
    let [p0, p1, p2] = series();
    let next = mail("v2", 119, "[PATCH bpf-next v2] whole, as one patch", "p0");
    let (has_come, later) = (Arc::new(AtomicBool::new(false)), upstream.clone());
    let thread = thread_mbox(&[p0, p1, p2.clone(), next.clone()]);
    let shown = [next, p2.clone()];
    let flag = Arc::clone(&has_come);
    world.put_folder("/bpf/", move |path| {
        if path.ends_with("/t.mbox.gz") {
            // The new version is in the archive from now on.
            flag.store(true, Ordering::Relaxed);
            later.show(&shown);
            return answer("200 OK", &[], &thread);
        }
        public_inbox(
            "/bpf/",
            &later.shown.lock().expect("no holder panics"),
            25,
            path,
        )
    });
    upstream.show(&[p2]);
    world.poll().await;
    assert!(has_come.load(Ordering::Relaxed));
    let known: Vec<i64> =
        sqlx::query_scalar("SELECT known_at IS NOT NULL FROM items WHERE ref LIKE 'v2@%'")
            .fetch_all(&mut *world.reader().await)
            .await
            .expect("the database answers");
    assert_eq!(known, [1], "it came in the course of polling");
    let told = world.tell().await;
    let is_told = told
        .iter()
        .flatten()
        .any(|title| title.starts_with("[PATCH bpf-next v2]"));
    assert!(is_told, "{told:?}");
}

#[tokio::test]
async fn a_day_has_so_many_threads() {
    for (per_day, by_day) in [(0, [0, 0, 0]), (2, [2, 4, 5]), (50, [5, 5, 5])] {
        let (mut world, upstream) = list(per_day).await;
        let replies: Vec<Mail> = (0..5)
            .map(|n| {
                mail(
                    &format!("r{n}"),
                    62,
                    &format!("Re: [PATCH bpf-next] number {n}"),
                    &format!("p{n}"),
                )
            })
            .collect();
        // Each thread has only the mail that was asked for.
        upstream.put_answer(Vec::new());
        upstream.show(&replies);
        world.poll().await;
        for wanted in by_day {
            for _ in 0..4 {
                world.poll_when_due("bpf").await;
            }
            assert_eq!(asked(&world).len(), wanted, "{per_day} a day");
            world.advance(TimeDelta::days(1));
        }
        if per_day > 0 {
            assert_eq!(counts(&world).await, (0, 0, 5), "no thread has the patch");
        }
    }
}

#[tokio::test]
async fn a_series_that_is_still_being_sent_is_left_alone() {
    let (mut world, upstream) = list(50).await;
    let [p0, p1, p2] = series();
    let fresh = |mail: Mail, minutes: i64| Mail {
        at: world.now() - TimeDelta::minutes(minutes),
        ..mail
    };
    let all = [fresh(p0, 3), fresh(p1, 2), fresh(p2, 1)];
    upstream.show(&all[2..]);
    world.poll().await;
    assert_eq!(counts(&world).await, (2, 0, 0));
    upstream.show(&all);
    world.poll_when_due("bpf").await;
    assert_eq!(world.tell().await, [SERIES]);
    world.advance(TimeDelta::hours(2));
    world.poll_when_due("bpf").await;
    assert_eq!((asked(&world).len(), counts(&world).await), (0, (0, 0, 0)));
}

/// One address of an archive may lag behind another: what is young is news when a poll brings it.
#[tokio::test]
async fn a_young_mail_of_a_thread_is_left_to_the_polls() {
    let (mut world, upstream) = list(50).await;
    let [p0, p1, p2] = series();
    let young = Mail {
        at: world.now() - TimeDelta::minutes(5),
        ..mail("young", 0, "[PATCH bpf-next v2] whole, again", "p0")
    };
    upstream.put_thread(&[p0, p1, p2.clone(), young.clone()]);
    upstream.show(std::slice::from_ref(&p2));
    world.poll().await;
    assert_eq!(world.tell().await, [SERIES]);
    assert_eq!(world.titles("bpf").await.len(), 4, "without the young one");
    upstream.show(&[young, p2]);
    world.poll_when_due("bpf").await;
    assert_eq!(world.titles("bpf").await.len(), 5);
    let news: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM items WHERE ref = 'young@x.example' AND known_at IS NOT NULL",
    )
    .fetch_one(&mut *world.reader().await)
    .await
    .expect("the database answers");
    assert_eq!(news, 1, "it came as news");
}

/// Each bad answer ends in a recorded reason after a few tries, and harms nothing.
#[tokio::test]
async fn a_fetch_that_fails_is_given_up_after_a_few_tries() {
    let lone = mail("lone", 5, "[PATCH bpf-next] another thread", "");
    let many: Vec<Mail> = (0..2_100)
        .map(|n| mail(&format!("x{n}"), 5, "spam", ""))
        .collect();
    let page = "<!doctype html><html><head><title>Are you human?</title></head></html>";
    #[rustfmt::skip]
    let table = [
        ("404", answer("404 Not Found", &[], "Not Found"), 1, "404"),
        ("a busy server", answer("503 Service Unavailable", &[], "Busy"), 3, "503"),
        ("a wall", answer("200 OK", &[], page), 3, "Are you human?"),
        ("another thread", answer("200 OK", &[], thread_mbox(&[lone])), 3, "is without that mail"),
        ("other bytes", answer("200 OK", &[], "junk"), 3, "is without that mail"),
        ("broken gzip", answer("200 OK", &[], b"\x1f\x8b\x08\x00junk"), 3, "127.0.0.1: "),
        ("thousands of mails", answer("200 OK", &[], thread_mbox(&many)), 1, "larger than bpfnews reads"),
        ("a large answer", answer("200 OK", &[], vec![b'x'; 17 << 20]), 1, "is larger than"),
    ];
    for (name, bytes, tries, why) in table {
        let (mut world, upstream) = list(50).await;
        upstream.put_answer(bytes);
        upstream.show(&series()[2..]);
        world.poll().await;
        for _ in 0..40 {
            world.poll_when_due("bpf").await;
        }
        let count = count(&world).await;
        assert_eq!(
            (count.wanted, count.fetched, count.given_up),
            (0, 0, 2),
            "{name}"
        );
        assert_eq!(asked(&world).len(), tries, "{name}");
        let said = count.why.unwrap_or_default();
        assert!(said.contains(why), "{name}: {said}");
        world.check_ok("bpf").await;
        assert_eq!(world.titles("bpf").await.len(), 2, "{name}");
    }
}

/// However far a poll with its fetch came, the next one has it all, and one post.
#[tokio::test]
async fn a_stop_at_any_moment_loses_and_doubles_nothing() {
    let mut ended = false;
    let mut wakes = 1;
    while !ended {
        let (mut world, upstream) = list(50).await;
        let [p0, p1, p2] = series();
        upstream.put_thread(&[p0, p1, p2.clone()]);
        upstream.show(&[p2]);
        ended = world.poll_and_give_up(wakes).await;
        world.restart(|_| {}).await;
        for _ in 0..4 {
            world.poll_when_due("bpf").await;
        }
        assert_eq!(world.titles("bpf").await.len(), 4, "{wakes}");
        assert_eq!(world.tell().await, [SERIES], "{wakes}");
        assert_eq!(counts(&world).await.0, 0, "{wakes}");
        assert!(asked(&world).len() <= 2, "{wakes}");
        wakes += 1;
    }
    assert!(wakes > 5, "it was stopped {wakes} times");
}

/// The first poll of a list: what it shows lacks its beginning, and one sample is all that is posted.
#[tokio::test]
async fn the_first_poll_completes_its_stories() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    world
        .restart(|config| config.network.threads_per_day_max = 50)
        .await;
    let [p0, p1, p2] = series();
    let reply = mail("reply", -30, "Re: [PATCH bpf-next] old", "old");
    let old = mail("old", -90_000, "[PATCH bpf-next] old", "");
    let base = "http://list.example/bpf/";
    world.put(
        "/bpf/new.atom",
        mails_atom(base, &[p2.clone(), reply.clone()]),
    );
    world.put("/bpf/p2@x.example/t.mbox.gz", thread_mbox(&[p0, p1, p2]));
    world.put("/bpf/reply@x.example/t.mbox.gz", thread_mbox(&[old, reply]));
    world.advance(TimeDelta::hours(3));
    world.poll().await;
    world.poll_when_due("bpf").await;
    assert_eq!(world.titles("bpf").await.len(), 5);
    assert_eq!(world.tell().await, [SERIES], "the sample, complete");
    assert_eq!(counts(&world).await, (0, 3, 0));
}

//! Polls and posts: a series is one post, and the text of a feed is never active.

use bpfnews::post::story::{Post, compose};
use chrono::TimeDelta;
use serde_json::json;

use crate::documents::{Article, Mail, mail, mails_atom, rss};
use crate::world::{World, archive, feed};

const HOLD_MIN: i64 = 10;

/// A world whose list was seeded with one mail, which was announced.
async fn list() -> World {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    show(&world, &[]);
    world.poll().await;
    assert_eq!(world.tell().await, [["hello"]]);
    world.advance(TimeDelta::hours(2));
    world
}

fn show(world: &World, mails: &[Mail]) {
    let mut all = mails.to_vec();
    all.push(mail("seed", -60, "hello", ""));
    all.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    world.put(
        "/bpf/new.atom",
        mails_atom("http://list.example/bpf/", &all),
    );
}

fn part(number: u32, minutes: i64) -> Mail {
    mail(
        &format!("p{number}"),
        minutes,
        &format!("[PATCH bpf-next {number}/2] part {number}"),
        "p0",
    )
}

fn cover(minutes: i64) -> Mail {
    mail("p0", minutes, "[PATCH bpf-next 0/2] whole", "")
}

#[tokio::test]
async fn a_whole_series_is_one_post_at_once() {
    let mut world = list().await;
    show(&world, &[cover(62), part(1, 63), part(2, 64)]);
    world.poll().await;
    let owed = world.owed().await;
    assert_eq!(owed.len(), 1, "{owed:?}");
    assert_eq!(owed[0].len(), 3);
}

#[tokio::test]
async fn a_series_in_parts_is_one_post_when_it_is_whole() {
    // In any order, and in any number of polls.
    let mails = [cover(65), part(1, 64), part(2, 63)];
    for order in [[2, 1, 0], [1, 0, 2], [0, 2, 1], [2, 0, 1]] {
        let world = list().await;
        for (come, _) in order.iter().enumerate() {
            let here: Vec<Mail> = order[..=come]
                .iter()
                .map(|&place: &usize| mails[place].clone())
                .collect();
            show(&world, &here);
            world.advance(TimeDelta::minutes(2));
            let row = world.row("bpf").await;
            world
                .ingest
                .poll(row, &tokio_util::sync::CancellationToken::new())
                .await
                .expect("a poll");
            let owed = world.owed().await;
            assert_eq!(
                owed.len(),
                usize::from(come == 2),
                "{order:?} {come}: {owed:?}"
            );
            let later = world
                .owed_at(world.now() + TimeDelta::minutes(HOLD_MIN))
                .await;
            assert_eq!(later.len(), 1, "one post, now or later: {later:?}");
            assert_eq!(later[0].len(), come + 1);
        }
    }
}

#[tokio::test]
async fn an_incomplete_series_is_posted_after_the_hold() {
    let mut world = list().await;
    show(&world, &[part(2, 63)]);
    world.poll().await;
    assert!(world.owed().await.is_empty());
    world.advance(TimeDelta::minutes(HOLD_MIN));
    assert_eq!(world.tell().await, [["[PATCH bpf-next 2/2] part 2"]]);
    // The rest arrives after the post was sent: there is no second post.
    show(&world, &[part(2, 63), cover(120), part(1, 121)]);
    world.poll_when_due("bpf").await;
    assert_eq!(world.titles("bpf").await.len(), 4);
    assert!(world.tell().await.is_empty());
}

#[tokio::test]
async fn a_series_without_cover_is_one_post() {
    let mut world = list().await;
    let first = mail("q1", 62, "[PATCH bpf 1/3] a", "");
    let rest = [
        mail("q3", 64, "[PATCH bpf 3/3] c", "q1"),
        mail("q2", 63, "[PATCH bpf 2/3] b", "q1"),
    ];
    show(&world, &[rest[0].clone(), rest[1].clone(), first]);
    world.poll().await;
    let owed = world.owed().await;
    assert_eq!((owed.len(), owed[0].len()), (1, 3), "{owed:?}");
}

#[tokio::test]
async fn answers_and_the_next_revision_edit_the_same_post() {
    let mut world = list().await;
    let mut mails = vec![cover(62), part(1, 63), part(2, 64)];
    mails.push(mail("r1", 65, "Re: [PATCH bpf-next 1/2] part 1", "p1"));
    mails.push(mail("v2", 66, "[PATCH bpf-next v2 0/1] whole", "p0"));
    mails.push(mail("v2p1", 67, "[PATCH bpf-next v2 1/1] part 1", "v2"));
    show(&world, &mails);
    world.poll().await;
    let owed = world.owed().await;
    assert_eq!((owed.len(), owed[0].len()), (1, 6), "{owed:?}");
}

/// Shows mails. Those with `robot` in their ids come from a machine.
fn show_with_robots(world: &World, mails: &[Mail]) {
    let mut all = mails.to_vec();
    all.push(mail("seed", -60, "hello", ""));
    all.sort_by_key(|mail| std::cmp::Reverse(mail.at));
    let document = mails_atom("http://list.example/bpf/", &all);
    let entries =
        document
            .split("<entry>")
            .map(|entry| match entry.contains("<id>urn:uuid:robot") {
                true => entry.replace("a@x.example", "lkp@intel.com"),
                false => entry.to_owned(),
            });
    let entries: Vec<String> = entries.collect();
    world.put("/bpf/new.atom", entries.join("<entry>"));
}

#[tokio::test]
async fn a_machines_mail_changes_a_post_and_opens_none() {
    let mut world = list().await;
    let mut mails = vec![cover(62), part(1, 63), part(2, 64)];
    show_with_robots(&world, &mails);
    world.poll().await;
    assert_eq!(world.tell().await.len(), 1);
    mails.push(mail(
        "robot1",
        65,
        "Re: [PATCH bpf-next 1/2] part 1, BUILD REGRESSION",
        "p1",
    ));
    mails.push(mail("robot2", 66, "[bpf-next:master] BUILD REGRESSION", ""));
    show_with_robots(&world, &mails);
    world.poll_when_due("bpf").await;
    assert_eq!(world.titles("bpf").await.len(), 6);
    assert!(world.owed().await.is_empty(), "no post of their own");
    let edits: Vec<(String,)> =
        sqlx::query_as("SELECT content FROM deliveries WHERE verb = 'edit' AND state = 'owed'")
            .fetch_all(&mut *world.reader().await)
            .await
            .expect("the database answers");
    assert_eq!(edits.len(), 1, "{edits:?}");
    assert!(edits[0].0.contains("build broken"), "{edits:?}");
    // An answer by a person makes the thread one of people.
    mails.push(mail(
        "a1",
        200,
        "Re: [bpf-next:master] BUILD REGRESSION",
        "robot2",
    ));
    show_with_robots(&world, &mails);
    world.poll_when_due("bpf").await;
    assert_eq!(world.owed().await.len(), 1);
}

/// The post of a story in which every text from a stranger is `text`.
fn post(kind: &str, text: &str) -> Post {
    let at = crate::world::noon();
    let story = json!({
        "id": "abc123", "aliases": [], "kind": kind, "title": text, "author": text, "url": text, "tree": text,
        "state": "applied", "score": 40, "relevant": true, "why": [], "first_at": at, "last_at": at, "feeds": [text],
        "revisions": [{"version": 1, "posted_at": at, "root": "a", "cover": true, "total": 2, "patches": [
            {"number": 1, "subject": text, "message_id": "b"}]}],
        "checks": [{"root": "a", "what": "tests", "text": text, "at": at, "link": text, "findings": null}],
        "follow_ups": 0, "people": [], "events": [{"at": at, "state": "applied", "by": text, "source": text}],
        "applied": [{"tree": text, "branch": text, "by": text, "at": at, "claimed": false, "commits": []}],
        "mainline": {"hash": text, "at": at}, "stable": [], "fixes": [], "cves": [text], "messages": [], "commits": [],
        "summary": [text, text], "changes": {"v1": text},
    });
    compose(&serde_json::from_value(story).expect("a story"))
}

/// Characters that move the cursor, colour, ring, hide, reorder or break lines.
const HARMFUL: &str = "\u{0}\u{7}\u{8}\u{b}\u{1b}\u{7f}\u{85}\u{9b}\u{9d}\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\u{200f}\
    \u{2028}\u{2029}\u{202a}\u{202e}\u{2060}\u{2066}\u{2069}\u{feff}\u{fff9}\u{fffb}\u{e0001}\u{e0041}";

#[test]
fn control_characters_are_harmless_in_a_post() {
    for kind in [
        "series", "commit", "pull", "thread", "article", "release", "video",
    ] {
        for c in HARMFUL.chars().chain("\n\r\t".chars()) {
            for text in [format!("a{c}b"), format!("\u{1b}[2J\u{1b}]0;{c}\u{7}x")] {
                let post = post(kind, &text);
                assert_eq!(post.link, None);
                let mut words = vec![
                    post.tree,
                    post.title,
                    post.author,
                    post.summary,
                    post.state,
                    post.change,
                ];
                words.extend(post.notes);
                words.extend(post.feeds);
                words.extend(post.steps);
                words.extend(post.commit.map(|commit| commit.words));
                words.push(post.reviews);
                words.push(post.checks);
                words.extend(
                    post.parts
                        .into_iter()
                        .flat_map(|(number, title)| [number, title]),
                );
                for word in words {
                    let bad = word
                        .chars()
                        .find(|c| HARMFUL.contains(*c) || c.is_control());
                    assert_eq!(bad, None, "{kind} {c:?}: {word:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_feed_of_escapes_is_kept_and_harmless() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let title = "red\u{202e}dne\u{9b}31m";
    world.put(
        "/blog.rss",
        rss(&[Article::new(0, title), Article::new(1, "Good")]),
    );
    world.poll().await;
    world.check_ok("blog").await;
    assert_eq!(world.items("blog").await.len(), 2);
    let told = world.tell().await;
    let post = post("article", &told[0][0]);
    assert!(
        post.title.chars().all(|c| c.is_ascii_graphic() || c == ' '),
        "{:?}",
        post.title
    );
}

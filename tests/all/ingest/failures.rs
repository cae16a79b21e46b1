//! Answers that are no documents: each leads to a state with a reason and a pause, and the feed recovers after it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::documents::{Article, articles, public_inbox, rss};
use crate::rude::{Act, answer};
use crate::world::{GAP_S, JITTER, World, archive, feed, search};

const WALL: &str =
    "<!doctype html><html><title>Making sure you're not a bot!</title><p>Wait.</p></html>";
const DAY_S: i64 = 86_400;

/// A world whose blog worked once, with two announced articles.
async fn blog() -> World {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put("/blog.rss", rss(&articles("Two One")));
    world.poll().await;
    world.check_ok("blog").await;
    world.tell().await;
    world
}

/// The blog works again, with one more article. It is polled when due, its state is good, and it announces only that
/// article.
async fn check_recovery(world: &mut World) {
    let mut all = articles("Two One");
    all.insert(
        0,
        Article {
            at: Some(world.now()),
            ..Article::new(0, "Three")
        },
    );
    world.put("/blog.rss", rss(&all));
    world.poll_when_due("blog").await;
    world.check_ok("blog").await;
    assert_eq!(world.titles("blog").await, ["One", "Three", "Two"]);
    assert_eq!(world.tell().await, [["Three"]]);
}

fn within(pause: i64, least: i64) -> bool {
    (least..=(least as f64 * JITTER) as i64 + 1).contains(&pause)
}

/// One bad answer: the poll fails with these words, nothing is lost, the pause is one gap, and the feed recovers.
async fn check_failure(acts: Vec<Act>, words: &str) {
    let mut world = blog().await;
    world.put_acts("/blog.rss", acts);
    world.poll_when_due("blog").await;
    let row = world.row("blog").await;
    let pause = world.check_failed(&row, "backing_off", 1, words);
    assert!(within(pause, GAP_S), "{pause}");
    assert_eq!(world.titles("blog").await, ["One", "Two"]);
    assert!(world.owed().await.is_empty());
    check_recovery(&mut world).await;
}

#[tokio::test]
async fn an_unchanged_document_is_fine_and_costs_nothing() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let document = rss(&articles("Two One"));
    world.put_answer("/blog.rss", answer("200 OK", &["ETag: \"v1\""], document));
    world.poll().await;
    world.put_answer(
        "/blog.rss",
        answer("304 Not Modified", &["ETag: \"v1\""], ""),
    );
    for _ in 0..2 {
        world.poll_when_due("blog").await;
        world.check_ok("blog").await;
    }
    let asked = world.asked("/blog.rss");
    let tags: Vec<_> = asked
        .iter()
        .map(|seen| seen.header("if-none-match"))
        .collect();
    assert_eq!(tags, [None, Some("\"v1\""), Some("\"v1\"")]);
    assert_eq!(world.titles("blog").await, ["One", "Two"]);
    check_recovery_after_seed(&mut world).await;
}

async fn check_recovery_after_seed(world: &mut World) {
    world.tell().await;
    check_recovery(world).await;
}

#[tokio::test]
async fn retry_after_is_obeyed_and_charged_once() {
    let feeds = [feed("blog", "/blog.rss"), feed("neighbour", "/other.rss")];
    let mut world = World::new(&feeds).await;
    let other_host = ["/blog.rss", "/other.rss"].map(|path| world.url("localhost", path));
    world
        .restart(|config| {
            for (feed, url) in config.feeds[1..].iter_mut().zip(other_host) {
                Arc::make_mut(feed).url = url.parse().expect("a URL");
            }
        })
        .await;
    world.put("/blog.rss", rss(&articles("Two One")));
    world.put("/other.rss", rss(&articles("B A")));
    world.poll().await;
    world.tell().await;
    let busy = answer("429 Too Many Requests", &["Retry-After: 20000"], "");
    world.put_answer("/blog.rss", busy);
    world.advance_to("blog").await;
    let row = world.row("blog").await;
    let stop = tokio_util::sync::CancellationToken::new();
    world.ingest.poll(row, &stop).await.expect("no error");
    let row = world.row("blog").await;
    let pause = world.check_failed(&row, "backing_off", 1, "429 Too Many Requests");
    assert!((19_999..=20_001).contains(&pause), "{pause}");
    let asked = world.requests();
    for _ in 0..5 {
        world.advance(TimeDelta::seconds(3_900));
        world.poll().await;
    }
    assert_eq!(world.requests(), asked, "the host was left alone");
    assert_eq!(world.row("blog").await.failures, 1);
    // The other feed of this host was not requested, so it has no failure.
    let row = world.row("neighbour").await;
    assert_eq!((row.state.word(), row.failures), ("ok", 0));
    let why = row.last_error.expect("a reason");
    assert!(why.contains("asked us to stay away"), "{why}");
    // The client keeps the pause by the computer's clock. A new client does not know about it.
    world.restart(|_| ()).await;
    check_recovery(&mut world).await;
}

#[tokio::test]
async fn back_off_doubles_up_to_a_day_and_ends_by_itself() {
    let mut world = blog().await;
    world.put_answer("/blog.rss", answer("500 Internal Server Error", &[], WALL));
    for failures in 1..=12_u32 {
        world.poll_when_due("blog").await;
        let row = world.row("blog").await;
        let pause = world.check_failed(&row, "backing_off", failures.into(), "500 Internal");
        let least = (GAP_S << (failures - 1)).min(DAY_S);
        assert!(
            within(pause, least) && pause <= DAY_S,
            "{failures}: {pause}"
        );
    }
    check_recovery(&mut world).await;
    world.put_answer("/blog.rss", answer("502 Bad Gateway", &[], ""));
    world.poll_when_due("blog").await;
    let row = world.row("blog").await;
    let pause = world.check_failed(&row, "backing_off", 1, "502");
    assert!(within(pause, GAP_S), "the back-off started again: {pause}");
}

#[tokio::test]
async fn silence_is_a_time_out() {
    check_failure(vec![Act::Stall], "did not answer in full").await;
}

#[tokio::test]
async fn a_drip_is_a_time_out() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n<rss>".to_vec();
    let drip = Act::Forever(b" ".to_vec(), Duration::from_millis(50));
    check_failure(vec![Act::Send(head), drip], "did not answer in full").await;
}

#[tokio::test]
async fn truncated_xml_is_no_document() {
    let whole = rss(&articles("Four Three Two One"));
    for share in [2, 3] {
        let cut = &whole[..whole.len() - whole.len() / share];
        let good = answer("200 OK", &[], cut);
        check_failure(vec![Act::Send(good)], "not a feed that can be read").await;
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_no_document() {
    let mut cut = answer("200 OK", &[], rss(&articles("Four Three Two One")));
    cut.truncate(cut.len() - 20);
    check_failure(vec![Act::Send(cut)], "127.0.0.1").await;
}

#[tokio::test]
async fn an_empty_body_is_no_document() {
    check_failure(
        vec![Act::Send(answer("200 OK", &[], ""))],
        "an empty answer",
    )
    .await;
}

#[tokio::test]
async fn a_wall_is_a_state_of_its_own_and_left_alone_for_an_hour() {
    let mut world = blog().await;
    world
        .restart(|config| {
            for feed in &mut config.feeds {
                Arc::make_mut(feed).poll_gap = Duration::from_secs(300);
            }
        })
        .await;
    let wall = answer("200 OK", &["Content-Type: text/html"], WALL);
    world.put_answer("/blog.rss", wall);
    world.poll_when_due("blog").await;
    let row = world.row("blog").await;
    let pause = world.check_failed(&row, "walled", 1, "“Making sure you're not a bot!”");
    assert!(within(pause, 3_600), "{pause}");
    assert_eq!(world.titles("blog").await, ["One", "Two"]);
    check_recovery(&mut world).await;
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n<rss>".to_vec();
    let flood = Act::Forever(vec![b' '; 1 << 20], Duration::ZERO);
    check_failure(vec![Act::Send(head), flood], "127.0.0.1").await;
}

#[tokio::test]
async fn a_zip_bomb_is_cut_off() {
    use std::io::Write as _;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..200 {
        bomb.write_all(&[b' '; 1 << 20]).expect("memory");
    }
    let bomb = bomb.finish().expect("memory");
    assert!(bomb.len() < 1 << 20);
    let bomb = answer("200 OK", &["Content-Encoding: gzip"], bomb);
    check_failure(vec![Act::Send(bomb)], "127.0.0.1").await;
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    for place in [
        "http://10.0.0.1/x",
        "http://[fe80::1]/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
    ] {
        let header = format!("Location: {place}");
        let away = answer("302 Found", &[&header], "");
        check_failure(vec![Act::Send(away)], "").await;
    }
}

#[tokio::test]
async fn redirects_in_a_circle_are_given_up() {
    let away = answer("301 Moved Permanently", &["Location: /blog.rss"], "");
    check_failure(vec![Act::Send(away)], "redirects more than").await;
}

#[tokio::test]
async fn a_wrong_url_is_a_failure() {
    check_failure(
        vec![Act::Send(answer("404 Not Found", &[], WALL))],
        "404 Not Found",
    )
    .await;
}

#[tokio::test]
async fn a_full_feed_that_is_empty_now_fails_and_loses_nothing() {
    let empty = answer("200 OK", &[], rss(&[]));
    check_failure(vec![Act::Send(empty)], "empty, though it had entries").await;
}

#[tokio::test]
async fn a_feed_that_is_gone_is_polled_once_a_week() {
    let mut world = blog().await;
    world.put_answer("/blog.rss", answer("410 Gone", &[], WALL));
    world.poll_when_due("blog").await;
    let row = world.row("blog").await;
    let pause = world.check_failed(&row, "gone", 1, "410 Gone");
    assert!(within(pause, 7 * DAY_S), "{pause}");
    check_recovery(&mut world).await;
}

#[tokio::test]
async fn a_host_that_is_not_there_is_charged_to_its_feed_alone() {
    let mut world = World::new(&[feed("blog", "/blog.rss"), feed("other", "/other.rss")]).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = nobody.local_addr().expect("it is bound").port();
    drop(nobody);
    world
        .restart(|config| {
            let feed = Arc::make_mut(&mut config.feeds[1]);
            feed.url.set_port(Some(port)).expect("a port");
        })
        .await;
    world.put("/other.rss", rss(&articles("Two One")));
    for failures in 1..=3 {
        world.poll_when_due("blog").await;
        let row = world.row("blog").await;
        world.check_failed(&row, "backing_off", failures, "cannot be reached");
        world.check_ok("other").await;
    }
}

#[tokio::test]
async fn a_404_of_an_archive_means_empty_or_lost() {
    let mut world = World::new(&[search("bpf", "/bpf/"), archive("net", "/net/")]).await;
    let none = "<html><head><title>s:bpf - search results</title></head><body>No results found</body></html>";
    world.put_folder("/bpf/", move |_| answer("404 Not Found", &[], none));
    world.poll().await;
    world.check_ok("bpf").await;
    let row = world.row("net").await;
    world.check_failed(&row, "backing_off", 1, "404 Not Found");
    assert_eq!(row.seeded_at, None);
    // The list with the wrong URL appears. It is seeded now, and announced as a new feed.
    let mails = [crate::documents::mail("1", -5, "hello", "")];
    world.put_folder("/net/", move |path| public_inbox("/net/", &mails, 5, path));
    world.poll_when_due("net").await;
    world.check_ok("net").await;
    world.check_ok("bpf").await;
    assert_eq!(world.titles("net").await, ["hello"]);
}

#[tokio::test]
async fn an_archive_that_had_mails_and_shows_none_fails() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    let mails = [crate::documents::mail("1", -5, "hello", "")];
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &mails, 5, path));
    world.poll().await;
    world.put_folder("/bpf/", |_| answer("404 Not Found", &[], "No feed found"));
    world.poll_when_due("bpf").await;
    let row = world.row("bpf").await;
    world.check_failed(&row, "backing_off", 1, "the archive is empty");
    assert_eq!(world.titles("bpf").await, ["hello"]);
}

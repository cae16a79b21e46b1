//! Is `/bpfnews latest` answered at once, however much is stored, while a poll is running?
//!
//!     cargo bench --bench latest                  # a million items, about a minute
//!     cargo bench --profile ci --bench latest     # the same with the build that the tests use
//!
//! The whole way of an answer is timed: pace, rights, the question to the database, the page. Beside it a feed is polled
//! without a pause, each time with 50 entries that nobody knows: fetched over loopback, stored, folded, planned for a
//! channel and committed durably. What counts is the 99th percentile, and it has a limit. Other questions are timed and
//! have none.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark tells a person what it measured"
)]

#[expect(dead_code, reason = "this needs no mails")]
mod made;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bpfnews::clock::SystemClock;
use bpfnews::command::clerk::Clerk;
use bpfnews::command::grammar::{Audience, parse};
use bpfnews::command::heard::{Asked, Asker, Ears as _};
use bpfnews::config::Effective;
use bpfnews::live::Live;
use bpfnews::post::story::Content;
use bpfnews::store::{Store, feeds, stories};
use chrono::{TimeDelta, Utc};
use made::Rows;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const ITEMS: u64 = 1_000_000;
/// The items came within so long: a week has a hundredth of them.
const YEARS: i64 = 2;
/// How often each question is asked.
const ASKED: usize = 1_000;
const P99_MAX: Duration = Duration::from_millis(50);
/// Entries of a poll.
const ENTRIES: u64 = 50;

fn main() {
    let folder = std::env::temp_dir().join(format!("bpfnews-latest-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder may be written");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let p99 = runtime.block_on(run(&folder));
    std::fs::remove_dir_all(&folder).expect("our own folder");
    assert!(
        p99 <= P99_MAX,
        "latest took {p99:?} at the 99th percentile; at most {P99_MAX:?} are allowed"
    );
}

async fn run(folder: &Path) -> Duration {
    let port = serve().await;
    let config = format!(
        "database = \"latest.sqlite\"\n[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\
         [commands]\ncooldown_s = 0\n[[feed]]\nname = \"news\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:{port}/\"\n"
    );
    let file = Effective::parse(config, &folder.join("config.toml")).expect("a good file");
    let store = Store::open(&file.config.database)
        .await
        .expect("a new database");
    let live = Live::open(file, store, Arc::new(SystemClock), HashMap::new()).await;
    let live = Arc::new(live.expect("it starts"));
    fill(folder, &live).await;
    let clerk = Clerk::new(Arc::clone(&live));
    let (stop, polls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let polling = tokio::spawn(poll(
        Arc::clone(&live),
        Arc::clone(&stop),
        Arc::clone(&polls),
    ));
    while polls.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let p99 = ask(&clerk, "latest", &polls).await;
    for other in [
        "search subject line",
        "search length 77",
        "story 77123",
        "open",
        "status",
    ] {
        ask(&clerk, other, &polls).await;
    }
    stop.store(true, Ordering::Relaxed);
    polling.await.expect("polling went well");
    live.store.close().await;
    p99
}

/// A million items, the last of them now.
async fn fill(folder: &Path, live: &Live) {
    let started = Instant::now();
    let told = stories::pack(&made::story(Utc::now())).expect("a story is JSON");
    let now = live.clock.now();
    let from_at = now - TimeDelta::days(365 * YEARS);
    let rows = Rows {
        items: ITEMS,
        first: 1,
        told: &told,
        from_at: from_at.timestamp(),
        span_s: (now - from_at).num_seconds(),
    };
    made::make(&folder.join("latest.sqlite"), rows).await;
    let week = (now - TimeDelta::days(7)).timestamp();
    let (stored, stories, week): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM items), (SELECT COUNT(*) FROM stories),
                (SELECT COUNT(*) FROM stories WHERE last_at >= $1 AND relevant = 1)",
    )
    .bind(week)
    .fetch_one(live.store.read())
    .await
    .expect("a good database");
    assert!(
        stored >= i64::try_from(ITEMS).expect("small") && week > 100,
        "{stored} items, {week} in the week"
    );
    eprintln!("made in {:.0} s", started.elapsed().as_secs_f64());
    println!(
        "{}",
        serde_json::json!({"items": stored, "stories": stories, "stories_of_the_week_about_bpf": week})
    );
}

/// Asks the same again and again, prints how long the answers took, and gives the 99th percentile.
async fn ask(clerk: &Clerk, words: &str, polls: &AtomicU64) -> Duration {
    let before = polls.load(Ordering::Relaxed);
    let mut times = Vec::new();
    let mut lines = 0;
    for number in 0..ASKED {
        let by = Asker {
            platform: "discord",
            room: "100".to_owned(),
            community: Some("9".to_owned()),
            person: number.to_string(),
            roles: Vec::new(),
            is_manager: false,
        };
        let call = parse(Audience::Readers, words);
        let started = Instant::now();
        let reply = clerk.answer(Asked { by, call }).await;
        times.push(started.elapsed());
        let content = reply.expect("an answer").content;
        if let Content::Digest(digest) = &content {
            lines = digest.lines.len();
        }
        let failed = matches!(&content, Content::Notice { title, .. } if title == "That failed");
        assert!(!failed, "{content:?}");
        if words == "latest" {
            assert!(lines > 5, "the answer is a list: {content:?}");
        }
        // Slow questions need no thousand answers to be known as such.
        if times.len() >= 100 && times.iter().sum::<Duration>() > Duration::from_secs(20) {
            break;
        }
    }
    times.sort();
    let p99 = times[times.len() * 99 / 100];
    let line = serde_json::json!({
        "asked": words, "times": times.len(), "lines": lines,
        "median_us": times[times.len() / 2].as_micros(), "p99_us": p99.as_micros(),
        "max_us": times[times.len() - 1].as_micros(),
        "polls_meanwhile": polls.load(Ordering::Relaxed) - before,
    });
    println!("{line}");
    p99
}

/// Polls without a pause until it is stopped.
async fn poll(live: Arc<Live>, stop: Arc<AtomicBool>, polls: Arc<AtomicU64>) {
    let ingest = Arc::clone(&live.now().ingest);
    while !stop.load(Ordering::Relaxed) {
        let rows = feeds::list_feeds(live.store.read())
            .await
            .expect("a good database");
        let row = rows.into_iter().next().expect("one feed");
        let report = ingest
            .poll(row, &CancellationToken::new())
            .await
            .expect("a good database");
        assert!(report.fresh > 0, "a poll brought nothing: {report:?}");
        polls.fetch_add(1, Ordering::Relaxed);
    }
}

/// A server whose feed is new each time.
async fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        let mut number = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let mut body =
                "<rss version=\"2.0\"><channel><title>News</title><link>https://a.example/</link>"
                    .to_owned();
            for _ in 0..ENTRIES {
                number += 1;
                body.push_str(&format!(
                    "<item><title>bpf: news {number}</title><link>https://a.example/{number}</link><guid>https://a.example/{number}</guid>\
                     <pubDate>{}</pubDate><description>What there is to say of it.</description></item>",
                    Utc::now().to_rfc2822()
                ));
            }
            body.push_str("</channel></rss>");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    port
}

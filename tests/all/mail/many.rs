//! An issue goes to many recipients: the queue stays short, and the memory does not grow with their number.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::kills::{fill, is_long, memory_kib, start};
use super::sink::Sink;
use super::world::config_text;

/// How much more memory many recipients may take than a few, in KiB: caches that fill.
const MORE_KIB: u64 = 12 * 1_024;
/// A page of deliveries, and those that are left when the next one is queued.
const QUEUE_MAX: i64 = 250;
const LIMIT: Duration = Duration::from_secs(3_000);

/// What an issue took on its way.
#[derive(Debug)]
struct SentIssue {
    memory_kib: u64,
    queue_max: i64,
    /// Until the last delivery was queued.
    queued_in: Duration,
    sent_in: Duration,
}

/// Mails an issue to so many by the real program.
async fn send_to(many: usize) -> SentIssue {
    let sink = Sink::counting().await;
    let home = TempDir::new().expect("a folder");
    let text = config_text(sink.port, "http://127.0.0.1:1/", "per_day_max = 1000000\n");
    std::fs::write(home.path().join("config.toml"), text).expect("room on the disk");
    let database = home.path().join("bpfnews.sqlite");
    fill(&database, many).await;
    let mut child = start(home.path());
    let started = Instant::now();
    let mut connection = connect(&database).await;
    let mut sent = SentIssue {
        memory_kib: 0,
        queue_max: 0,
        queued_in: Duration::ZERO,
        sent_in: Duration::ZERO,
    };
    while sink.count() < many {
        tokio::time::sleep(Duration::from_millis(50)).await;
        sent.memory_kib = sent.memory_kib.max(memory_kib(&child));
        let queued = ask(
            &mut connection,
            "SELECT count(*) FROM deliveries WHERE state = 'owed'",
        )
        .await;
        sent.queue_max = sent.queue_max.max(queued);
        if ask(
            &mut connection,
            "SELECT count(*) FROM mailings WHERE ended_at IS NULL",
        )
        .await
            > 0
        {
            sent.queued_in = started.elapsed();
        }
        assert!(started.elapsed() < LIMIT, "{} of {many}", sink.count());
        assert!(child.try_wait().expect("a process").is_none(), "it runs");
    }
    sent.sent_in = started.elapsed();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    connection.close().await.expect("it closes");
    let reached: BTreeSet<String> = sink.taken().into_iter().map(|mail| mail.to).collect();
    assert_eq!((reached.len(), sink.count()), (many, many), "each once");
    sink.check();
    sent
}

async fn connect(database: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(database);
    let options = options.busy_timeout(Duration::from_secs(10));
    options.connect().await.expect("a database")
}

async fn ask(connection: &mut SqliteConnection, question: &'static str) -> i64 {
    let asked = sqlx::query_scalar(question).fetch_one(connection).await;
    asked.expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "what was measured is to be seen")]
async fn an_issue_for_many_needs_no_more_memory_and_a_short_queue() {
    let many = if is_long() { 10_000 } else { 600 };
    let few = send_to(100).await;
    let all = send_to(many).await;
    eprintln!("100: {few:?}\n{many}: {all:?}");
    assert!(all.queue_max <= QUEUE_MAX, "{all:?}");
    assert!(
        all.memory_kib <= few.memory_kib + MORE_KIB,
        "{few:?} {all:?}"
    );
}

//! A full disk: `run` pauses, reports it once, and continues when there is space. Nothing is lost or posted twice.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bpfnews::app;
use bpfnews::channel::Platform;
use bpfnews::clock::SystemClock;
use bpfnews::config::{EffectiveConfig, PlatformKind};
use bpfnews::live::Live;
use bpfnews::store::Store;
use tokio_util::sync::CancellationToken;

use crate::deliver::platform::Chat;
use crate::documents::{Article, rss};
use crate::rude::{Act, Rude, answer};

const TEXT: &str = "Words that take room, again and again. ";

/// The number of pages that the database may use; at least its present number.
async fn allow_pages(store: &Store, most: i64) {
    let mut tx = store.write().await.expect("a transaction");
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "PRAGMA max_page_count = {most}"
    )))
    .execute(&mut *tx)
    .await
    .expect("a limit");
    tx.commit().await.expect("it commits");
}

async fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn open(folder: &Path, port: u16, chat: &Chat) -> Live {
    let config = format!(
        "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\n\
         [[channel]]\nname = \"here\"\nplatform = \"terminal\"\noff_topic = true\n\n\
         [[feed]]\nname = \"blog\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:{port}/blog.rss\"\nbpf_only = true\n"
    );
    let path = folder.join("config.toml");
    std::fs::write(&path, config).expect("room on the disk");
    let file = EffectiveConfig::load(&path).expect("a good configuration");
    let store = Store::open(&file.config.database)
        .await
        .expect("a database");
    let platform: Arc<dyn Platform> = Arc::new(chat.clone());
    let senders = HashMap::from([(PlatformKind::Terminal, platform)]);
    let live = Live::open(file, store, Arc::new(SystemClock), senders).await;
    live.expect("it starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_waited_for() {
    let upstream = Rude::start(|_, _| {
        let article = |n: usize| Article {
            text: format!("{}{n}", TEXT.repeat(400)),
            at: Some(chrono::Utc::now() - chrono::TimeDelta::minutes(1)),
            ..Article::new(n, &format!("Title {n}"))
        };
        let all: Vec<Article> = (0..40).map(article).collect();
        vec![Act::Send(answer("200 OK", &[], rss(&all)))]
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let chat = Chat::new();
    let live = open(folder.path(), upstream.port(), &chat).await;
    allow_pages(&live.store, 1).await;
    let stop = CancellationToken::new();
    let asked = || upstream.seen().len();
    let test = async {
        wait_for("it polls", || asked() > 0).await;
        // It pauses: no host gets repeated requests.
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(asked(), 1);
        assert_eq!(chat.sends(), 0);
        allow_pages(&live.store, 1_000_000).await;
        wait_for("it goes on by itself", || chat.sends() > 0).await;
        assert_eq!(asked(), 2);
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(app::run(&live, Vec::new(), None, &stop), test);
    ended.expect("it survives");
    let many: (i64,) = sqlx::query_as("SELECT count(*) FROM items")
        .fetch_one(&mut *live.store.read().acquire().await.expect("a connection"))
        .await
        .expect("an answer");
    assert_eq!(
        (many.0, chat.sends()),
        (40, 1),
        "everything is stored, and the sample is posted once"
    );
}

/// When the disk is full, SQLite may end a transaction by itself.
#[tokio::test]
async fn a_transaction_that_sqlite_ended_blocks_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&folder.path().join("bpfnews.sqlite")).await;
    let store = store.expect("a database");
    for _ in 0..3 {
        let mut tx = store.write().await.expect("a transaction");
        sqlx::query("ROLLBACK")
            .execute(&mut *tx)
            .await
            .expect("there is one");
        drop(tx);
    }
    let tx = store.write().await.expect("a transaction");
    tx.commit().await.expect("it commits");
}

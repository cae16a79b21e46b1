//! The program is killed while it mails an issue to many. Everybody gets it, and a double has the same Message-ID.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bpfnews::store::{Store, issues, mailings};
use chrono::Utc;
use tempfile::TempDir;

use super::sink::{Sink, SinkAct, SinkStep};
use super::world::{config_text, issue, subscribe};

/// The most memory of the program, in KiB.
const MEMORY_MAX_KIB: u64 = 160 * 1_024;

pub(super) fn is_long() -> bool {
    std::env::var_os("BPFNEWS_LONG").is_some()
}

/// A database with an issue that goes out to so many.
pub(super) async fn fill(file: &Path, many: usize) {
    let store = Store::open(file).await.expect("a database");
    let now = Utc::now();
    let addresses = (0..many).map(|number| format!("reader{number}@example.org"));
    subscribe(&store, addresses, now).await;
    let mut tx = store.write().await.expect("a transaction");
    issues::put_issue(&mut tx, &issue(1), "a test", now)
        .await
        .expect("a new number");
    mailings::begin_mailing(&mut tx, 1, now)
        .await
        .expect("a good database");
    tx.commit().await.expect("room on the disk");
    store.close().await;
}

/// Starts the program in a folder with a configuration.
pub(super) fn start(home: &Path) -> Child {
    let log = std::fs::File::create(home.join("log")).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_bpfnews"))
        .args(["run", "--config"])
        .arg(home.join("config.toml"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the program starts")
}

/// The most memory that a process ever had, in KiB.
pub(super) fn memory_kib(child: &Child) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let digits = line.and_then(|line| line.split_whitespace().nth(1));
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "the counts are for people to see")]
async fn everybody_gets_the_issue_though_the_program_is_killed() {
    let many = if is_long() { 10_000 } else { 1_000 };
    let kills = if is_long() { 40 } else { 8 };
    // The server is sometimes slow with its answer to a whole mail, so that kills also hit that moment.
    let sink = Sink::with(|step, to| match (step, to.len() % 7) {
        (SinkStep::End, 0) => SinkAct::Slow(Duration::from_millis(2)),
        _ => SinkAct::Take,
    })
    .await;
    let home = TempDir::new().expect("a folder");
    let text = config_text(sink.port, "http://127.0.0.1:1/", "per_day_max = 1000000\n");
    std::fs::write(home.path().join("config.toml"), text).expect("room on the disk");
    fill(&home.path().join("bpfnews.sqlite"), many).await;
    let mut random = fastrand::Rng::with_seed(7);
    let (started, mut met, mut memory) = (Instant::now(), 0, 0);
    let mut child = start(home.path());
    loop {
        let before = sink.taken().len();
        let wait = if met < kills {
            random.u64(300..1_500)
        } else {
            500
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        memory = memory.max(memory_kib(&child));
        let reached: BTreeSet<String> = sink.taken().into_iter().map(|mail| mail.to).collect();
        if reached.len() == many {
            break;
        }
        if met < kills && sink.taken().len() > before {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            met += 1;
            child = start(home.path());
        }
        let log = || std::fs::read_to_string(home.path().join("log")).unwrap_or_default();
        assert!(
            started.elapsed() < Duration::from_secs(900),
            "{} of {many}\n{}",
            reached.len(),
            log()
        );
        assert!(child.try_wait().expect("a process").is_none(), "{}", log());
    }
    // Nothing more is sent.
    tokio::time::sleep(Duration::from_secs(2)).await;
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in sink.taken() {
        let id = mail.header("Message-ID").expect("an id");
        ids.entry(mail.to).or_default().push(id);
    }
    let doubled = ids.values().filter(|ids| ids.len() > 1).count();
    assert!(
        doubled <= met,
        "{doubled} doubles in {met} kills: at most one for each"
    );
    for (to, ids) in &ids {
        assert!(ids.iter().all(|id| id == &ids[0]), "{to}: {ids:?}");
    }
    let distinct: BTreeSet<&String> = ids.values().map(|ids| &ids[0]).collect();
    assert_eq!(distinct.len(), many, "each has an id of its own");
    assert!(memory <= MEMORY_MAX_KIB, "{memory} KiB");
    let log = std::fs::read_to_string(home.path().join("log")).expect("a log");
    assert!(!log.contains("@example.org"), "{log}");
    sink.check();
    let rate = many as f64 / started.elapsed().as_secs_f64();
    eprintln!(
        "{many} mails, {met} kills, {doubled} doubles, {memory} KiB at most, {rate:.0} mails a second"
    );
}

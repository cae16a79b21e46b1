//! The program as an operator sees it: processes at the same time, backups, restores, and wrong files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Output};
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::migrations::at_version;
use crate::cli::{bpfnews, config, err, folder, out, run};

/// A `run` that has begun to poll.
struct Running(Child);

impl Running {
    fn start(folder: &Path) -> Self {
        let child = bpfnews(folder).arg("run").spawn().expect("it was built");
        let started = Instant::now();
        let lock = folder.join("bpfnews.sqlite.lock");
        let is_noted =
            || std::fs::read_to_string(&lock).is_ok_and(|text| text.starts_with("run\n"));
        while !is_noted() {
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "it takes the lock"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }

    fn stop(mut self) {
        let pid = self.0.id().to_string();
        let killed = std::process::Command::new("kill").arg(&pid).status();
        assert!(killed.expect("there is a kill").success());
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn check(output: &Output, status: i32, words: &[&str]) {
    let told = format!("{}{}", out(output), err(output));
    assert_eq!(output.status.code(), Some(status), "{told}");
    for words in words {
        assert!(told.contains(words), "{words:?} in: {told}");
    }
}

#[test]
fn one_process_polls_and_posts_while_others_read() {
    let folder = folder();
    config(folder.path());
    let home = folder.path();
    let running = Running::start(home);
    let who = format!("bpfnews run (process {}, since 2", running.0.id());
    for command in [
        &["poll"][..],
        &["run"],
        &["refold"],
        &["backfill", "--feed", "list", "--since", "2025-01-01"],
    ] {
        check(&run(home, command), 1, &[&who, "stop that one first"]);
    }
    for command in [&["feeds"][..], &["items"], &["stories"], &["open"]] {
        check(&run(home, command), 0, &[]);
    }
    let backup = home.join("a.backup");
    let name = backup.to_str().expect("a path");
    check(
        &run(home, &["backup", name]),
        0,
        &["schema ", "read back and found whole"],
    );
    let mode = backup.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    check(&run(home, &["backup", name]), 1, &["is not written over"]);
    check(&run(home, &["restore", name]), 1, &[&who]);
    running.stop();
    std::fs::create_dir(home.join("bpfnews.matrix")).expect("room on the disk");
    let restored = run(home, &["restore", name]);
    check(
        &restored,
        0,
        &[
            "is in place as",
            "is kept as",
            "Log in as a new device",
            "every channel is searched from",
        ],
    );
    let names: Vec<String> = std::fs::read_dir(home)
        .expect("our folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let is_aside = |stem: &str| {
        names
            .iter()
            .any(|name| name.starts_with(&format!("{stem}.before-restore-2")))
    };
    assert!(
        is_aside("bpfnews.sqlite") && is_aside("bpfnews.matrix"),
        "{names:?}"
    );
    assert!(!names.contains(&"bpfnews.matrix".to_owned()), "{names:?}");
    assert!(
        !names
            .iter()
            .any(|name| name.ends_with(".part") || name.ends_with(".restoring")),
        "{names:?}"
    );
    // Two restores in the same second: each keeps the database that it replaced.
    check(&run(home, &["restore", name]), 0, &["is kept as"]);
    check(&run(home, &["restore", name]), 0, &["is kept as"]);
    check(&run(home, &["feeds"]), 0, &["list"]);
    // A new process need not wait: the lock ended with its process.
    Running::start(home).stop();
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_the_way_back_is_named() {
    let folder = folder();
    let home = folder.path();
    config(home);
    let old = at_version(3, home).await;
    let database = home.join("bpfnews.sqlite");
    std::fs::rename(old, &database).expect("files can be renamed");
    check(&run(home, &["feeds"]), 0, &[]);
    let copy = home.join("bpfnews.sqlite.schema-3.backup");
    assert!(copy.exists(), "the data from before the upgrade is kept");
    let options = SqliteConnectOptions::new().filename(&database);
    let mut newer = options.connect().await.expect("a database");
    sqlx::query("INSERT INTO _sqlx_migrations VALUES (9999, 'of tomorrow', 0, 1, x'00', 0)")
        .execute(&mut newer)
        .await
        .expect("a row");
    newer.close().await.expect("it closes");
    let wanted = [
        "it has schema 9999",
        "start the newer bpfnews",
        "bpfnews restore",
    ];
    check(&run(home, &["feeds"]), 1, &wanted);
    check(&run(home, &["run"]), 1, &wanted);
    let name = copy.to_str().expect("a path");
    check(&run(home, &["restore", name]), 0, &["is in place as"]);
    check(&run(home, &["items"]), 0, &["bpf: Do it"]);
}

#[test]
fn a_file_that_is_no_backup_is_refused_and_changes_nothing() {
    let folder = folder();
    let home = folder.path();
    config(home);
    check(&run(home, &["backup", "b"]), 1, &["there is no database"]);
    check(&run(home, &["feeds"]), 0, &[]);
    std::fs::write(
        home.join("garbage"),
        "This is no database at all. ".repeat(100),
    )
    .expect("room");
    std::fs::write(home.join("empty"), "").expect("room");
    check(&run(home, &["backup", "b"]), 0, &[]);
    let mut torn = std::fs::read(home.join("b")).expect("a backup");
    torn.truncate(torn.len() / 2);
    std::fs::write(home.join("torn"), torn).expect("room");
    let before = std::fs::read(home.join("bpfnews.sqlite")).expect("a database");
    for (file, words) in [
        ("nothing", "reading nothing"),
        ("garbage", "reading garbage"),
        ("empty", "is empty"),
        ("torn", "torn"),
    ] {
        check(&run(home, &["restore", file]), 1, &[words]);
    }
    let after = std::fs::read(home.join("bpfnews.sqlite")).expect("a database");
    assert!(before == after, "the database is as it was");
    check(&run(home, &["feeds"]), 0, &["list"]);
}

#[test]
fn a_file_that_is_no_database_is_reported_as_such() {
    let folder = folder();
    let home = folder.path();
    config(home);
    std::fs::write(home.join("bpfnews.sqlite"), "Dear diary. ".repeat(500)).expect("room");
    check(&run(home, &["run"]), 1, &["none of SQLite's"]);
}

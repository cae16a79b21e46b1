//! What each way of reading a list costs: a day of one real public-inbox, in requests, bytes, CPU and disk.
//!
//! A short day runs with the other tests, and holds a poll without news to one request. A whole day of 400 mails and 300 polls
//! without news is measured by
//!
//! ```sh
//! BPFNEWS_LONG=1 cargo test --profile ci --locked --all-features --test all -- real_ways --nocapture --test-threads 1
//! ```

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bpfnews::clock::FixedClock;
use bpfnews::config::Config;
use bpfnews::ingest::{Ingest, Report};
use bpfnews::store::Store;
use bpfnews::store::feeds;
use chrono::DateTime;
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Server, corpus_mails, is_long, say};
use crate::mails::{Mail, Mails};

/// Mails that are in the archive before the day.
const BEFORE: usize = 60;
/// Ticks of the kernel's CPU times a second.
const TICKS_PER_S: f64 = 100.0;
/// 2024-12-01, in unix seconds: the day of the corpus that is replayed begins then or later.
const CORPUS_FROM: i64 = 1_733_011_200;
const DAY_S: i64 = 86_400;

/// What went through a proxy.
#[derive(Default)]
struct Traffic {
    /// HTTP requests, or commands of NNTP.
    requests: AtomicU64,
    /// How often the client waited for the server.
    round_trips: AtomicU64,
    connections: AtomicU64,
    bytes: AtomicU64,
}

/// The same as numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    requests: u64,
    round_trips: u64,
    connections: u64,
    bytes: u64,
}

impl Traffic {
    /// What went through since the last call.
    fn take(&self) -> Counted {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        Counted {
            requests: take(&self.requests),
            round_trips: take(&self.round_trips),
            connections: take(&self.connections),
            bytes: take(&self.bytes),
        }
    }
}

impl std::ops::AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.round_trips += other.round_trips;
        self.connections += other.connections;
        self.bytes += other.bytes;
    }
}

/// A proxy that passes everything on and counts it; returns its address and the counters.
fn counting_proxy(server: &str) -> (String, Arc<Traffic>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let (traffic, server) = (Arc::<Traffic>::default(), server.to_owned());
    let counted = Arc::clone(&traffic);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let upstream = TcpStream::connect(&server).expect("the server runs");
            counted.connections.fetch_add(1, Ordering::SeqCst);
            let waits = Arc::new(Mutex::new(false));
            let both = |stream: &TcpStream| stream.try_clone().expect("a socket");
            let (from, to) = (both(&client), both(&upstream));
            let (traffic, waiting) = (Arc::clone(&counted), Arc::clone(&waits));
            std::thread::spawn(move || pass_on(from, to, &traffic, &waiting, true));
            let traffic = Arc::clone(&counted);
            std::thread::spawn(move || pass_on(upstream, client, &traffic, &waits, false));
        }
    });
    (address, traffic)
}

/// Passes bytes on until one side ends. `waits`: whether the client has asked and waits for an answer.
fn pass_on(
    mut from: TcpStream,
    mut to: TcpStream,
    traffic: &Traffic,
    waits: &Mutex<bool>,
    is_of_client: bool,
) {
    let (mut buffer, mut line) = (vec![0; 1 << 16], Vec::new());
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        traffic.bytes.fetch_add(read as u64, Ordering::SeqCst);
        let was_waiting =
            std::mem::replace(&mut *waits.lock().expect("no holder panics"), is_of_client);
        if is_of_client {
            traffic
                .round_trips
                .fetch_add(u64::from(!was_waiting), Ordering::SeqCst);
            for &byte in &buffer[..read] {
                line.push(byte);
                if byte == b'\n' {
                    traffic
                        .requests
                        .fetch_add(u64::from(is_request(&line)), Ordering::SeqCst);
                    line.clear();
                }
            }
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Whether a line of a client is a command of NNTP, or the first line of an HTTP request.
fn is_request(line: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"GET ",
        b"POST ",
        b"GROUP ",
        b"LISTGROUP ",
        b"ARTICLE ",
        b"HEAD ",
        b"STAT ",
        b"OVER ",
        b"XOVER ",
        b"MODE ",
        b"CAPABILITIES",
        b"QUIT",
    ];
    WORDS.iter().any(|word| line.starts_with(word))
}

/// CPU seconds of this process and of its children that ended.
fn cpu_s() -> f64 {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    // The fields 16 and 17; the name is the second.
    let ticks = fields.split_whitespace().skip(13).take(2);
    let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
    own.tv_sec as f64 + own.tv_nsec as f64 / 1e9 + ticks / TICKS_PER_S
}

/// The bytes of all files below a folder; 0 without it.
fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(
        |entry| match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => size_of(&entry.path()),
            false => entry.metadata().map_or(0, |about| about.len()),
        },
    );
    sizes.sum()
}

/// bpfnews over one feed, with a clock that the test moves.
struct Reader {
    ingest: Ingest,
    clock: Arc<FixedClock>,
    traffic: Arc<Traffic>,
    home: TempDir,
}

impl Reader {
    /// Reads an archive at `url`, which is on the server at this port of loopback.
    async fn new(url: &str, now: i64) -> Self {
        let rest = url.split_once("://").expect("a URL").1;
        let server = rest.split_once('/').expect("a path").0;
        let (proxy, traffic) = counting_proxy(server);
        let url = url.replace(server, &proxy);
        let home = TempDir::new().expect("a folder");
        let text = format!(
            "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\nthreads_per_day_max = 0\n\n\
             [[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"{url}\"\n"
        );
        let config =
            Config::parse(&text, &home.path().join("config.toml")).expect("a configuration");
        let clock = Arc::new(FixedClock::new(
            DateTime::from_timestamp(now, 0).expect("a time"),
        ));
        let store = Store::open(&config.database).await.expect("a database");
        let shown: Arc<dyn bpfnews::clock::Clock> = clock.clone();
        let ingest = Ingest::open(store, &config, shown)
            .await
            .expect("it starts");
        Self {
            ingest,
            clock,
            traffic,
            home,
        }
    }

    /// The bytes of the database and of git's copies.
    async fn disk(&self) -> u64 {
        let mut database = self
            .ingest
            .store
            .read()
            .acquire()
            .await
            .expect("a connection");
        let size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
        let size: i64 = sqlx::query_scalar(size)
            .fetch_one(&mut *database)
            .await
            .expect("a number");
        size.unsigned_abs() + size_of(&self.home.path().join("bpfnews.git"))
    }

    async fn poll(&self, now: i64) -> Report {
        self.clock
            .set(DateTime::from_timestamp(now, 0).expect("a time"));
        let rows = feeds::list_feeds(self.ingest.store.read())
            .await
            .expect("feeds");
        let row = rows.into_iter().next().expect("the feed");
        let report = self
            .ingest
            .poll(row, &CancellationToken::new())
            .await
            .expect("a poll");
        assert!(!report.is_cut_short(), "{report:?}");
        assert_eq!(report.outcome, feeds::Outcome::Ok, "{report:?}");
        report
    }
}

/// The cost of a day by one way.
#[derive(Debug, Default)]
struct Cost {
    mails: usize,
    news_polls: usize,
    news: Counted,
    idle_polls: usize,
    idle: Counted,
    /// Polls without news that took more than one request.
    idle_again: usize,
    cpu_s: f64,
    disk: u64,
}

/// Replays a day: the mails come in groups, each is polled, and some polls without news follow.
async fn replay(
    server: &mut Server,
    url: &str,
    mails: &[Mail],
    groups: usize,
    idle: usize,
) -> Cost {
    let start = mails[BEFORE - 1].at + 1;
    let reader = Reader::new(url, start).await;
    reader.poll(start).await;
    reader.poll(start + 1).await;
    reader.traffic.take();
    let (before, mut cost) = (reader.disk().await, Cost::default());
    let day = &mails[BEFORE..];
    let each = day.len().div_ceil(groups);
    for (place, group) in day.chunks(each).enumerate() {
        server.let_in(group.len());
        let now = group[group.len() - 1].at + 1;
        let until = day
            .get((place + 1) * each)
            .map_or(now + 600, |next| next.at.max(now + 1));
        let cpu = cpu_s();
        let report = reader.poll(now).await;
        cost.mails += report.fresh;
        cost.news_polls += 1;
        cost.news += reader.traffic.take();
        for number in 0..idle {
            let step = (until - now) / (i64::try_from(idle).expect("few") + 1);
            let report = reader
                .poll(now + step * (i64::try_from(number).expect("few") + 1))
                .await;
            assert_eq!(report.fresh, 0);
            cost.idle_polls += 1;
            let counted = reader.traffic.take();
            cost.idle += counted;
            cost.idle_again += usize::from((counted.requests, counted.round_trips) != (1, 1));
        }
        cost.cpu_s += cpu_s() - cpu;
    }
    cost.disk = reader.disk().await.saturating_sub(before);
    reader.ingest.store.close().await;
    cost
}

/// The mails of one day, behind those that are in the archive before.
fn a_day(count: usize) -> Vec<Mail> {
    let mut mails = match corpus_mails("lists/bpf-dev.mbox.gz", CORPUS_FROM) {
        Some(mails) if mails.len() > BEFORE + count => mails,
        _ => Mails::new(400).threads(BEFORE + 2 * count).done(),
    };
    mails.truncate(BEFORE + count);
    // They arrive within one day, in the same rhythm.
    let (first, last) = (mails[BEFORE].at, mails[mails.len() - 1].at);
    for mail in &mut mails[BEFORE..] {
        mail.at = first + (mail.at - first) * DAY_S / (last - first).max(1);
    }
    mails
}

#[tokio::test]
async fn real_ways_cost_one_request_for_a_poll_without_news() {
    let (count, groups, idle) = if is_long() { (400, 100, 3) } else { (30, 5, 2) };
    let mails = a_day(count);
    say("way        polls      mails requests round-trips      bytes   CPU-s   disk KB");
    for (name, place) in [("HTTP", 4), ("NNTP", 1), ("git", 4)] {
        let mut server = Server::inbox_with(&mails, BEFORE, &["--news"]);
        let address = server.url.split(' ').nth(place).expect("an address");
        let url = match name {
            "git" => format!("git+{address}"),
            _ => address.to_owned(),
        };
        let cost = replay(&mut server, &url, &mails, groups, idle).await;
        for (kind, polls, counted) in [
            ("news", cost.news_polls, cost.news),
            ("idle", cost.idle_polls, cost.idle),
        ] {
            let Counted {
                requests,
                round_trips,
                connections,
                bytes,
            } = counted;
            say(&format!(
                "{name:<5}{kind:<6}{polls:>5} {:>10} {requests:>8} {round_trips:>11} {bytes:>10} ({connections} connections)",
                if kind == "news" { cost.mails } else { 0 }
            ));
        }
        say(&format!(
            "{name:<5}all{:>55.2} {:>9}",
            cost.cpu_s,
            cost.disk / 1024
        ));
        assert_eq!(cost.mails, count, "{name}: {cost:?}");
        // A poll that comes very soon after news may ask again. By pages, one poll of the day also reads the last days again.
        if name != "HTTP" {
            assert!(cost.idle_again * 5 <= cost.idle_polls, "{name}: {cost:?}");
        }
    }
}

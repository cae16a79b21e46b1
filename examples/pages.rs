//! How fast the pages and the API answer over a large database.
//!
//!     cargo run --release --example pages -- --stories 100000 --scratch /tmp/pages
//!
//! It makes mails of series, patches, answers and notices, and folds them as a list does. If the scratch folder has a
//! database of that size, it is used again. Then it requests each path many times, one after another, on a fresh connection
//! to loopback as a proxy would keep it, and prints percentiles in milliseconds. The exit status is 1 if the 95th percentile
//! of a path is over the goal.

#![expect(clippy::print_stdout, reason = "it prints its figures for a person")]

#[path = "../benches/made/mod.rs"]
#[expect(
    dead_code,
    reason = "it opens and fills databases; the other parts belong to benches"
)]
mod made;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bpfnews::clock::FixedClock;
use bpfnews::filter::Subsystems;
use bpfnews::item::{Detail, Item, ItemData, MessageId, Person};
use bpfnews::store::Store;
use bpfnews::store::numbers::series_numbers;
use bpfnews::store::stories::{self, ListFilter};
use bpfnews::web::{self, ApiAllowance, Site};
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use tokio_util::sync::CancellationToken;

/// Mails in one transaction.
const BATCH: usize = 1_000;
/// Minutes between the beginnings of two stories.
const MINUTES_APART: usize = 5;
/// The words of titles and names of files.
const WORDS: [&str; 8] = [
    "verifier", "loop", "map", "helper", "kfunc", "ring", "arena", "jit",
];
/// The people who write mails.
const PEOPLE: usize = 2_000;

#[derive(Parser)]
struct Asked {
    /// How many stories the database has.
    #[arg(long, default_value_t = 100_000)]
    stories: usize,
    /// The folder for the database.
    #[arg(long)]
    scratch: PathBuf,
    /// Requests of each path.
    #[arg(long, default_value_t = 100)]
    requests: usize,
    /// The goal for the 95th percentile, in milliseconds.
    #[arg(long, default_value_t = 20.0)]
    goal: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let asked = Asked::parse();
    let store = filled(&asked.scratch, asked.stories).await?;
    let now = made::now() + TimeDelta::hours(1);
    let mut paths = paths(&store, now).await?;
    let counted = Instant::now();
    series_numbers(store.read().into(), now).await?;
    println!(
        "{:.1} ms: the numbers of /stats, counted anew",
        ms(counted.elapsed())
    );
    let listener = web::bind(([127, 0, 0, 1], 0).into()).await?;
    let home = format!("http://{}/", listener.local_addr()?);
    let site = Site {
        store,
        clock: Arc::new(FixedClock::new(now)),
        name: "BPF updates".to_owned(),
        home: home.clone(),
        subsystems: subsystems(),
        mail: None,
    };
    let without_limit = ApiAllowance {
        burst: 1,
        every: TimeDelta::zero(),
    };
    let stop = CancellationToken::new();
    let served = tokio::spawn(web::serve_at_rate(
        listener,
        site,
        without_limit,
        stop.clone(),
    ));
    let client = reqwest::Client::new();
    let cursor = far_cursor(&client, &home, asked.stories).await?;
    for list in ["stories", "tree/bpf-next", "api/stories"] {
        let name = if list.starts_with("api") {
            "cursor"
        } else {
            "after"
        };
        let path = format!("{list}?{name}={cursor}");
        paths.push((format!("/{list}, far behind"), path));
    }
    println!(
        "{:>8} {:>8} {:>8} {:>9}  path",
        "p50 ms", "p95 ms", "max ms", "bytes"
    );
    let mut is_good = true;
    for (called, path) in &paths {
        let (mut times, mut bytes) = (Vec::new(), 0);
        for _ in 0..asked.requests {
            let started = Instant::now();
            let answer = client.get(format!("{home}{path}")).send().await?;
            ensure!(answer.status().is_success(), "{path}: {}", answer.status());
            bytes = answer.bytes().await?.len();
            times.push(started.elapsed());
        }
        times.sort();
        let at = |share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
        is_good &= at(0.95) <= asked.goal;
        println!(
            "{:>8.2} {:>8.2} {:>8.2} {bytes:>9}  {called}",
            at(0.5),
            at(0.95),
            at(1.0)
        );
    }
    stop.cancel();
    served.await?;
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The cursor of the list of all stories at its middle.
async fn far_cursor(client: &reqwest::Client, home: &str, many: usize) -> anyhow::Result<String> {
    let minutes = i64::try_from(many / 2 * MINUTES_APART)?;
    let until = (made::now() - TimeDelta::minutes(minutes)).format("%Y-%m-%dT%H:%M:%SZ");
    let url = format!("{home}api/stories?limit=1&until={until}");
    let page = client.get(url).send().await?.text().await?;
    let page: serde_json::Value = serde_json::from_str(&page)?;
    let next = page["next"].as_str().context("a list of one page")?;
    Ok(next.to_owned())
}

/// A MAINTAINERS file: some sections with the files of these stories, among many others.
fn subsystems() -> Subsystems {
    let mut text = "BPF [GENERAL]\nF:\tkernel/bpf/\nF:\ttools/lib/bpf/\nF:\tnet/core/filter.c\nN:\tbpf_jit\n\n".to_owned();
    for word in WORDS {
        text.push_str(&format!("BPF [{word}]\nF:\tkernel/bpf/{word}*\n\n"));
    }
    text.push_str("RARE DRIVER\nF:\tdrivers/rare/\n\nNETWORKING\nF:\tnet/\nF:\tdrivers/net/\nF:\tinclude/net/\n\n");
    for number in 0..2_500 {
        text.push_str(&format!(
            "DRIVER {number}\nF:\tdrivers/other/d{number}.c\nF:\tinclude/other/d{number}*\n\n"
        ));
    }
    text.push_str("THE REST\nF:\t*\nF:\t*/\n");
    Subsystems::parse(&text).expect("a MAINTAINERS file")
}

/// The paths that are measured: every kind of page, near the beginning and far behind it.
async fn paths(store: &Store, now: DateTime<Utc>) -> anyhow::Result<Vec<(String, String)>> {
    let today = now.timestamp().div_euclid(86_400);
    let all = ListFilter::default();
    let listed = stories::listed_stories(store.read(), &all, None, today, 500).await?;
    let large = listed
        .iter()
        .max_by_key(|listed| listed.story.messages.len());
    let large = &large.context("no story")?.story;
    let small = &listed.last().context("no story")?.story;
    let mut paths: Vec<(String, String)> = [
        "",
        "stories",
        "tree/bpf-next",
        "tree/rare",
        "search?q=verifier",
        "search?q=loop+and+arena",
        "issues",
        "person/Person%20Number%207",
        "person/Nobody",
        "folder/kernel/bpf",
        "folder/drivers/rare",
        "subsystems",
        "subsystem/BPF%20%5BGENERAL%5D",
        "subsystem/BPF%20%5Bloop%5D",
        "subsystem/RARE%20DRIVER",
        "subsystem/THE%20REST",
        "stats",
        "cycle",
        "search?q=bpf",
        "search?q=state:applied",
        "search?q=path:drivers/rare/",
        "search?q=tree:rare",
        "search?q=title:/x.*q/",
        "issues.atom",
        "metrics",
        "stories.atom",
        "api/stories",
        "api/stories?limit=100",
        "api/stories?state=applied&tree=bpf",
        "api/stories?author=Nobody",
        "api/stories?tree=rare",
        "api/stories?kind=video",
        "api/stories?state=applied",
        "api/search?q=kind:video",
        "api/search?q=bpf",
        "api/search?q=verifier",
        "api/openapi.json",
    ]
    .map(|path| (format!("/{path}"), path.to_owned()))
    .into();
    for (size, story) in [("small", small), ("largest", large)] {
        let mails = story.messages.len();
        paths.push((
            format!("/story/… ({size}, {mails} mails)"),
            format!("story/{}", story.id),
        ));
        paths.push((
            format!("/api/story/… ({size})"),
            format!("api/story/{}", story.id),
        ));
    }
    Ok(paths)
}

/// A database of this many stories. Only a complete one has its final name.
async fn filled(scratch: &Path, many: usize) -> anyhow::Result<Store> {
    let file = scratch.join(format!("pages-{many}.sqlite"));
    if !file.exists() {
        std::fs::create_dir_all(scratch)?;
        let making = scratch.join("making");
        for left in ["making", "making-wal", "making-shm"] {
            let _ = std::fs::remove_file(scratch.join(left));
        }
        let started = Instant::now();
        let (store, feed) = made::open(&making).await;
        let mut batch = Vec::new();
        for number in 0..many {
            batch.extend(mails(number, many));
            if batch.len() >= BATCH || number + 1 == many {
                made::take(&store, feed, &batch).await;
                batch.clear();
            }
        }
        store.close().await;
        std::fs::rename(&making, &file)?;
        println!(
            "{many} stories made in {:.0} s",
            started.elapsed().as_secs_f64()
        );
    }
    Store::open(&file).await
}

/// The mails of a story: mostly one patch, sometimes a series with answers, rarely a large one with three versions.
fn mails(number: usize, many: usize) -> Vec<Item> {
    let minutes = i64::try_from((many - number) * MINUTES_APART).expect("a number");
    let at = made::now() - TimeDelta::minutes(minutes);
    let (first, second) = (WORDS[number % 8], WORDS[number / 8 % 8]);
    let tree = match number % 5_000 {
        0 => "rare",
        _ => ["bpf-next", "bpf", "net-next"][number % 3],
    };
    let (one, other) = (made_up(number, 7_919), made_up(number, 104_729));
    let title = format!("bpf: {first} {one} and {second} {other}");
    let person = |which: usize| Person {
        name: format!("Person Number {}", which % PEOPLE),
        email: format!("person{}@x.example", which % PEOPLE),
    };
    let (patches, versions) = match (number % 5_000, number % 100) {
        // Hundreds of mails.
        (0, _) => (60, 4),
        (_, 0) => (30, 3),
        (_, 1..20) => (4, 2),
        _ => (1, 1),
    };
    let file = match number % 5_000 {
        1 => "drivers/rare/it.c".to_owned(),
        _ => format!("kernel/bpf/{first}_{}.c", number % 250),
    };
    let mut mails = Vec::new();
    for version in 1..=versions {
        let tag = |part: usize| match (patches, version) {
            (1, 1) => format!("[PATCH {tree}]"),
            (_, 1) => format!("[PATCH {tree} {part}/{patches}]"),
            (_, _) => format!("[PATCH {tree} v{version} {part}/{patches}]"),
        };
        let sent = at + TimeDelta::minutes(version as i64);
        let id = |part: usize| format!("{number}.{version}.{part}@x.example");
        let root = if patches == 1 { 1 } else { 0 };
        for part in root..=patches {
            let parent = (part > root).then(|| id(root));
            let title = if part == root {
                title.clone()
            } else {
                format!("{title}, part {part}")
            };
            mails.push(mail(
                &id(part),
                parent,
                &format!("{} {title}", tag(part)),
                person(number),
                sent,
                &file,
            ));
            if part > 0 && number.is_multiple_of(4) {
                let answer = format!("{}-answer", id(part));
                let title = format!("Re: {} {title}", tag(part));
                let mut answer = mail(
                    &answer,
                    Some(id(part)),
                    &title,
                    person(number + part),
                    sent,
                    &file,
                );
                let name = &answer.author.name;
                answer.text = format!("Fine.\n\nAcked-by: {name} <{}>\n", answer.author.email);
                mails.push(answer);
            }
        }
    }
    mails
}

/// A word that no other title has: titles that are alike would make one story.
fn made_up(number: usize, by: usize) -> String {
    let mut rest = (number + 1) * by + 456_976 * 26;
    let mut word = String::new();
    while rest > 0 {
        word.push(char::from(b'a' + u8::try_from(rest % 26).unwrap_or(0)));
        rest /= 26;
    }
    word
}

fn mail(
    id: &str,
    parent: Option<String>,
    title: &str,
    author: Person,
    at: DateTime<Utc>,
    file: &str,
) -> Item {
    let text = format!(
        "This makes {title} faster.\n\nIt was slow, and now it is not, since the loop ends sooner than before.\n\n\
         Reported-by: Some One <some@x.example>\nSigned-off-by: {} <{}>\n---\n {file} | 12 ++++++++----\n \
         net/core/filter.c |  3 +--\n 2 files changed, 9 insertions(+), 6 deletions(-)\n",
        author.name, author.email
    );
    Item {
        what: ItemData::Message {
            id: MessageId::parse(id).expect("a Message-ID"),
            in_reply_to: parent.and_then(|parent| MessageId::parse(&parent)),
        },
        title: title.to_owned(),
        author,
        url: None,
        at: Some(at),
        written_at: Some(at),
        text,
        headers: Vec::new(),
        detail: Detail::Whole,
    }
}

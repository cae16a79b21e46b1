//! Questions that people ask: `latest` while a feed is polled, and the issues of weeks.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bpfnews::chat::grammar::parse;
use bpfnews::chat::{Audience, CommandRequest, HandleCommands as _, PlatformKind, Requester};
use bpfnews::clock::SystemClock;
use bpfnews::command::handler::CommandHandler;
use bpfnews::issue::Period;
use bpfnews::live::Live;
use bpfnews::post::story::Content;
use bpfnews::publish::{self, Rules};
use bpfnews::source::mail;
use bpfnews::store::{Store, feeds, stories};
use chrono::{TimeDelta, Utc};
use clap::ValueEnum;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::made::{self, Rows};
use crate::measure::{Awake, Measure, percentiles};
use crate::{mails, world};

/// The items came within so long.
const DAYS: i64 = 730;
/// How often it is asked.
const ASKED: usize = 500;
/// … and until so many polls came in between, but no longer than that.
const POLLS_MIN: u64 = 3;
const ASKED_FOR_MAX: Duration = Duration::from_secs(30);
/// Entries of a poll.
const ENTRIES: u64 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The whole way of an answer, while a feed is polled without a pause.
    Ours,
    /// The same while nothing is written.
    Quiet,
    /// The question to the database alone, while nothing is written.
    Rusqlite,
}

pub(crate) async fn latest(side: Side, items: u64, scratch: &Path) -> anyhow::Result<Value> {
    let port = serve().await?;
    std::fs::create_dir_all(scratch)?;
    let text = format!(
        "[commands]\ncooldown_s = 0\n[[feed]]\nname = \"news\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:{port}/\"\n"
    );
    let file = world::configured(scratch, &text)?;
    let store = Store::open(&file.config.database).await?;
    let live = Live::open(file, store, Arc::new(SystemClock), HashMap::new()).await?;
    let live = Arc::new(live);
    if world::count(&live.store, "SELECT COUNT(*) FROM items").await? < items {
        fill(items, scratch, &live).await?;
    }
    let (stop, polls) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let polling = (side == Side::Ours).then(|| {
        tokio::spawn(poll(
            Arc::clone(&live),
            Arc::clone(&stop),
            Arc::clone(&polls),
        ))
    });
    while polling.is_some() && polls.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = polls.load(Ordering::Relaxed);
    let handler = CommandHandler::new(Arc::clone(&live));
    let _awake = Awake::keep();
    let (measure, measure_began) = (Measure::start()?, Instant::now());
    let mut times = Vec::with_capacity(ASKED);
    match side {
        Side::Rusqlite => by_hand(&scratch.join("bench.sqlite"), &mut times)?,
        Side::Ours | Side::Quiet => {
            let enough = |asked: usize| {
                let meanwhile = polls.load(Ordering::Relaxed) - before;
                asked >= ASKED && (side == Side::Quiet || meanwhile >= POLLS_MIN)
            };
            while !enough(times.len()) && measure_began.elapsed() < ASKED_FOR_MAX {
                times.push(ask(&handler, times.len()).await?);
            }
        }
    }
    let meanwhile = polls.load(Ordering::Relaxed) - before;
    ensure!(
        side != Side::Ours || meanwhile >= POLLS_MIN,
        "{meanwhile} polls came in between"
    );
    stop.store(true, Ordering::Relaxed);
    if let Some(polling) = polling {
        polling.await??;
    }
    let (p50, p99) = percentiles(&mut times);
    let side = match side {
        Side::Ours => "ours",
        Side::Quiet => "quiet",
        Side::Rusqlite => "rusqlite",
    };
    let count =
        json!({"us_p50": p50, "us_p99": p99, "times": times.len(), "polls_meanwhile": meanwhile});
    measure.end("latest", side, items, &count)
}

async fn ask(handler: &CommandHandler, number: usize) -> anyhow::Result<Duration> {
    let by = Requester {
        platform: PlatformKind::Discord,
        room: "100".to_owned(),
        community: Some("9".to_owned()),
        person: number.to_string(),
        roles: Vec::new(),
        is_manager: false,
        is_alone: false,
    };
    let call = parse(Audience::Readers, "latest");
    let started = Instant::now();
    let reply = handler.answer(CommandRequest { by, call }).await;
    let took = started.elapsed();
    let content = reply.context("no answer")?.content;
    ensure!(
        matches!(&content, Content::Digest(digest) if digest.lines.len() > 5),
        "no list: {content:?}"
    );
    Ok(took)
}

/// The floor: the same rows by the same index, read and not looked at.
fn by_hand(file: &Path, times: &mut Vec<Duration>) -> anyhow::Result<()> {
    let database = Connection::open(file)?;
    let since = (Utc::now() - TimeDelta::days(7)).timestamp();
    let ask = "SELECT s.told, s.state, s.free_on FROM (SELECT number, score, last_at FROM stories INDEXED BY stories_by_worth
                 WHERE last_at >= ?1 AND relevant = 1
                   AND number NOT IN (SELECT m.story FROM mutes u JOIN members m ON m.item_id = u.item_id WHERE m.story IS NOT NULL)
                 ORDER BY score DESC, last_at DESC, number DESC LIMIT 50) b CROSS JOIN stories s ON s.number = b.number
               ORDER BY b.score DESC, b.last_at DESC, b.number DESC";
    for _ in 0..ASKED {
        let started = Instant::now();
        let mut asked = database.prepare_cached(ask)?;
        let mut rows = asked.query([since])?;
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            bytes += row.get_ref(0)?.as_blob()?.len();
        }
        times.push(started.elapsed());
        ensure!(bytes > 5_000, "{bytes} bytes of stories");
    }
    Ok(())
}

/// So many items, the last of them now.
async fn fill(items: u64, scratch: &Path, live: &Live) -> anyhow::Result<()> {
    let told = stories::pack(&made::story(Utc::now()))?;
    let now = live.clock.now();
    let from_at = now - TimeDelta::days(DAYS);
    let rows = Rows {
        items,
        first: 1,
        told: &told,
        from_at: from_at.timestamp(),
        span_s: (now - from_at).num_seconds(),
    };
    made::make(&scratch.join("bench.sqlite"), rows).await;
    Ok(())
}

/// Polls without a pause until it is stopped.
async fn poll(live: Arc<Live>, stop: Arc<AtomicBool>, polls: Arc<AtomicU64>) -> anyhow::Result<()> {
    let ingest = Arc::clone(&live.now().ingest);
    while !stop.load(Ordering::Relaxed) {
        let rows = feeds::list_feeds(live.store.read()).await?;
        let row = rows
            .into_iter()
            .find(|row| row.configured)
            .context("one feed")?;
        let report = ingest.poll(row, &CancellationToken::new()).await?;
        ensure!(report.fresh > 0, "a poll brought nothing: {report:?}");
        polls.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// A server with a feed that is new each time, in each run.
async fn serve() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        let mut number = u64::try_from(Utc::now().timestamp_micros()).unwrap_or_default();
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
    Ok(port)
}

/// Compiles the issue of every week in which mails came, each as it was known then; reading included.
pub(crate) async fn issues(mbox: &Path, scratch: &Path) -> anyhow::Result<Value> {
    world::empty(scratch)?;
    let text =
        "[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/bpf/\"\n";
    let config = world::configured(scratch, text)?.config;
    let ingest = world::ingest(scratch, text).await?;
    let mut items = Vec::new();
    for mail in mails::read(Some(mbox))? {
        items.extend(mail::message(&mail.raw, None).ok());
    }
    let times = items.iter().filter_map(|item| item.at);
    let (first, last) = (times.clone().min(), times.max());
    let (mut period, last) = (
        Period::week_of(first.context("no mail has a date")?),
        last.context("none")?,
    );
    for batch in items.chunks(500) {
        ingest.import(1, batch).await?;
    }
    let measure = Measure::start()?;
    let (mut times, mut told) = (Vec::new(), 0);
    while period.from <= last {
        let mut tx = ingest.store.snapshot().await?;
        let started = Instant::now();
        let issue = publish::of_period(&mut tx, Rules::of(&config), 1, period, None).await?;
        if !issue.is_quiet() {
            times.push(started.elapsed());
        }
        told += issue
            .sections
            .iter()
            .map(|section| section.entries.len())
            .sum::<usize>();
        tx.rollback().await;
        let days = TimeDelta::days(7);
        (period.from, period.to) = (period.to, period.to + days);
    }
    ensure!(
        times.len() > 3 && told > times.len(),
        "{} weeks, {told} entries",
        times.len()
    );
    let (p50, _) = percentiles(&mut times);
    let slowest = times.last().map_or(0, Duration::as_micros);
    let count =
        json!({"weeks": times.len(), "entries": told, "us_p50": p50, "us_slowest": slowest});
    measure.end("issue", "ours", times.len() as u64, &count)
}

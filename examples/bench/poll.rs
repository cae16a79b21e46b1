//! Polling: the first time, and when nothing or little has changed; and its memory.
//!
//! Feeds lie on a server at `http://127.0.0.1 … 16:PORT/N/`, spread over the addresses as feeds are over hosts: each gets one
//! request at a time. The floors use the same client with as many requests at once, and store nothing. One floor stores the
//! necessary rows, by hand.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bpfnews::app;
use bpfnews::clock::{Clock, FixedClock};
use bpfnews::ingest::Ingest;
use bpfnews::live::Live;
use bpfnews::store::Store;
use bpfnews::store::feeds::Outcome;
use chrono::TimeDelta;
use clap::{Args, ValueEnum};
use quick_xml::events::Event;
use reqwest::header::{ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::data;
use crate::measure::Measure;
use crate::stored::{Answer, Keeper};
use crate::world::{self, HOSTS};

/// A server's validators have one second's granularity; a file that changes within it may look unchanged.
const GRANULARITY: Duration = Duration::from_millis(2_500);
/// The longest that a run of the loop may take.
const LOOP_MAX: Duration = Duration::from_secs(600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// The shipped code.
    Ours,
    /// Download and scan of the XML; where nothing has changed, the bare requests.
    Floor,
    /// Download alone.
    Download,
    /// Download and feed-rs over whole documents.
    Read,
    /// The floor that also stores the necessary rows on disk.
    Stored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Archives, read by our own reader.
    Archive,
    /// The same documents, read as any feed is.
    Feed,
    /// Small RSS feeds.
    News,
}

#[derive(Args, Clone)]
pub(crate) struct Feeds {
    /// Where the server listens.
    #[arg(long)]
    port: u16,
    #[arg(long)]
    feeds: u64,
    #[arg(long)]
    scratch: PathBuf,
}

impl Feeds {
    fn urls(&self, kind: Kind) -> Vec<String> {
        let name = match kind {
            Kind::Archive | Kind::Feed => "new.atom",
            Kind::News => "news.xml",
        };
        let url = |feed| {
            format!(
                "http://127.0.0.{}:{}/{feed}/{name}",
                1 + feed % HOSTS,
                self.port
            )
        };
        (0..self.feeds).map(url).collect()
    }

    fn config(&self, kind: Kind) -> String {
        let word = match kind {
            Kind::Archive => "archive",
            Kind::Feed | Kind::News => "feed",
        };
        let table = |(number, url): (usize, String)| {
            let url = match kind {
                Kind::Archive => url.trim_end_matches("new.atom"),
                Kind::Feed | Kind::News => &url,
            };
            format!("[[feed]]\nname = \"f{number}\"\nkind = \"{word}\"\nurl = \"{url}\"\n")
        };
        self.urls(kind).into_iter().enumerate().map(table).collect()
    }
}

/// The result of a pass over all feeds.
#[derive(Default)]
struct Done {
    polls: u64,
    fresh: u64,
    requests: u64,
}

async fn pass(ingest: &Ingest) -> anyhow::Result<Done> {
    let (mut done, mut failed) = (Done::default(), None);
    ingest
        .pass(&CancellationToken::new(), |report| {
            done.polls += 1;
            done.fresh += report.fresh as u64;
            done.requests += u64::from(report.requests);
            if report.outcome != Outcome::Ok {
                failed = Some(report);
            }
        })
        .await?;
    ensure!(failed.is_none(), "a poll failed: {failed:?}");
    Ok(done)
}

/// The first poll of each feed.
pub(crate) async fn cold(side: Side, kind: Kind, feeds: &Feeds) -> anyhow::Result<Value> {
    let entries: u64 = match kind {
        Kind::Archive | Kind::Feed => 25,
        Kind::News => 15,
    };
    if side != Side::Ours {
        return cold_floor(side, kind, feeds, entries).await;
    }
    world::empty(&feeds.scratch)?;
    let config = feeds.config(kind);
    let measure = Measure::start()?;
    let ingest = world::ingest(&feeds.scratch, &config).await?;
    let done = pass(&ingest).await?;
    let items = world::count(&ingest.store, "SELECT COUNT(*) FROM items").await?;
    let shown = world::count(&ingest.store, "SELECT COUNT(*) FROM sightings").await?;
    ensure!(
        done.polls == feeds.feeds && done.fresh == items,
        "{} polls, {} new, {items} items",
        done.polls,
        done.fresh
    );
    ensure!(shown == feeds.feeds * entries, "{shown} were shown");
    let count = json!({"requests": done.requests, "entries": shown, "items": items});
    measure.end("cold", name(side), feeds.feeds, &count)
}

async fn cold_floor(side: Side, kind: Kind, feeds: &Feeds, entries: u64) -> anyhow::Result<Value> {
    let floor = Floor::new(feeds.urls(kind))?;
    let measure = Measure::start()?;
    let keeper = match side {
        Side::Stored => Some(Keeper::open(&feeds.scratch, kind == Kind::Archive)?),
        _ => None,
    };
    let read = |answer: Answer| {
        let Some(document) = &answer.document else {
            anyhow::bail!("nothing came");
        };
        match (&keeper, side) {
            (Some(keeper), _) => keeper.keep(answer),
            (None, Side::Download) => Ok(0),
            (None, Side::Read) => Ok(feed_rs::parser::parse(&**document)?.entries.len() as u64),
            (None, _) => scan(std::str::from_utf8(document)?),
        }
    };
    let done = floor.run(read).await;
    // This comes first, because its error explains the missing entries.
    let kept = keeper.map(Keeper::end).transpose()?;
    let done = done?;
    ensure!(
        side == Side::Download || done.entries == feeds.feeds * entries,
        "{} entries",
        done.entries
    );
    ensure!(
        kept.is_none_or(|kept| {
            let is_shared = kept.items < kept.shown;
            kept.polls == feeds.feeds
                && kept.shown == done.entries
                && is_shared == (kind == Kind::Archive)
        }),
        "{kept:?} is kept"
    );
    let count = json!({
        "requests": feeds.feeds, "entries": done.entries, "bytes": done.bytes, "items": kept.map(|kept| kept.items),
    });
    measure.end("cold", name(side), feeds.feeds, &count)
}

/// Another poll of each feed, of which none or few have changed.
pub(crate) async fn unchanged(
    side: Side,
    feeds: &Feeds,
    changed: Option<(PathBuf, u64)>,
) -> anyhow::Result<Value> {
    let touch = |wanted: &Option<(PathBuf, u64)>| {
        let touched = match wanted {
            Some((folder, permille)) if *permille > 0 => {
                let round = std::process::id().into();
                data::touch(folder, feeds.feeds, *permille, round)
            }
            _ => Ok(0),
        };
        // Sleep even if nothing was touched, because a rested process runs slower than a busy one.
        std::thread::sleep(GRANULARITY);
        touched
    };
    let work = if changed.is_some() {
        "changed"
    } else {
        "unchanged"
    };
    if side != Side::Ours {
        let mut floor = Floor::new(feeds.urls(Kind::News))?;
        ensure!(
            matches!(side, Side::Floor | Side::Stored),
            "there is nothing to read"
        );
        let mut keeper = match side {
            Side::Stored => Some(Keeper::open(&feeds.scratch, false)?),
            _ => None,
        };
        let keep = |answer| keeper.as_ref().map_or(Ok(0), |keeper| keeper.keep(answer));
        floor.validators = floor.run(keep).await?.validators;
        if let Some(first) = keeper.take() {
            first.end()?;
            keeper = Some(Keeper::reopen(&feeds.scratch)?);
        }
        let touched = touch(&changed)?;
        let measure = Measure::start()?;
        let keep = |answer| keeper.as_ref().map_or(Ok(0), |keeper| keeper.keep(answer));
        let done = floor.run(keep).await?;
        let kept = keeper.map(Keeper::end).transpose()?;
        ensure!(
            done.unchanged == feeds.feeds - touched,
            "{} of {} unchanged",
            done.unchanged,
            feeds.feeds
        );
        ensure!(
            kept.is_none_or(|kept| kept.polls == feeds.feeds),
            "{kept:?} is kept"
        );
        let count = json!({"requests": feeds.feeds, "unchanged": done.unchanged});
        return measure.end(work, name(side), feeds.feeds, &count);
    }
    world::empty(&feeds.scratch)?;
    let clock = Arc::new(FixedClock::new(world::now()));
    let live = open(feeds, &clock).await?;
    pass(&live.now().ingest).await?;
    let touched = touch(&changed)?;
    let before = world::count(&live.store, "SELECT COUNT(*) FROM items").await?;
    clock.set(clock.now() + TimeDelta::days(2));
    let measure = Measure::start()?;
    run_until_polled(&live).await?;
    let fresh = world::count(&live.store, "SELECT COUNT(*) FROM items").await? - before;
    ensure!(
        fresh == touched,
        "{fresh} new entries, {touched} feeds were touched"
    );
    let well = world::count(
        &live.store,
        "SELECT COUNT(*) FROM feeds WHERE state = 'ok' AND failures = 0",
    )
    .await?;
    ensure!(
        well == feeds.feeds,
        "{well} of {} feeds are well",
        feeds.feeds
    );
    let count =
        json!({"requests": feeds.feeds, "unchanged": feeds.feeds - touched, "fresh": fresh});
    measure.end(work, name(side), feeds.feeds, &count)
}

async fn open(feeds: &Feeds, clock: &Arc<FixedClock>) -> anyhow::Result<Live> {
    let effective = world::configured(&feeds.scratch, &feeds.config(Kind::News))?;
    let store = Store::open(&effective.config.database).await?;
    let clock = Arc::clone(clock);
    Live::open(effective, store, clock, std::collections::HashMap::new()).await
}

/// The loop of `run`, until every feed was polled.
async fn run_until_polled(live: &Live) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let now = live.clock.now().timestamp();
    let watch = async {
        loop {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let any_due: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM feeds WHERE configured = 1 AND paused_at IS NULL AND next_poll_at <= $1)")
                    .bind(now)
                    .fetch_one(&mut *live.store.read().acquire().await?)
                    .await?;
            if !any_due {
                stop.cancel();
                return Ok::<_, anyhow::Error>(());
            }
        }
    };
    let both = async { tokio::try_join!(app::run(live, Vec::new(), None, &stop), watch) };
    tokio::time::timeout(LOOP_MAX, both)
        .await
        .context("it takes too long")??;
    Ok(())
}

/// The loop of `run` over many feeds, in a process that does nothing else.
pub(crate) async fn memory(side: Side, feeds: &Feeds) -> anyhow::Result<Value> {
    if side != Side::Ours {
        let mut floor = Floor::new(feeds.urls(Kind::News))?;
        floor.validators = floor.run(|_| Ok(0)).await?.validators;
        let measure = Measure::start()?;
        let done = floor.run(|_| Ok(0)).await?;
        ensure!(
            done.unchanged == feeds.feeds,
            "{} unchanged",
            done.unchanged
        );
        return measure.end("memory", name(side), feeds.feeds, &json!({}));
    }
    if !feeds.scratch.join("bench.sqlite").exists() {
        fill_apart(feeds)?;
    }
    let measure = Measure::start()?;
    let ahead = world::now() + TimeDelta::days(2);
    let live = open(feeds, &Arc::new(FixedClock::new(ahead))).await?;
    run_until_polled(&live).await?;
    let items = world::count(&live.store, "SELECT COUNT(*) FROM items").await?;
    let polled = world::count(&live.store, "SELECT COUNT(*) FROM feeds WHERE state = 'ok'").await?;
    ensure!(polled == feeds.feeds, "{polled} feeds were polled");
    let line = measure.end("memory", name(side), feeds.feeds, &json!({"items": items}))?;
    // Due again for the next run.
    let mut tx = live.store.write().await?;
    sqlx::query("UPDATE feeds SET next_poll_at = 0")
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(line)
}

/// Does the first poll in another process, so that its memory is not measured.
fn fill_apart(feeds: &Feeds) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let made = std::process::Command::new(program)
        .args(["cold", "--side", "ours", "--kind", "news"])
        .args([
            "--port",
            &feeds.port.to_string(),
            "--feeds",
            &feeds.feeds.to_string(),
        ])
        .arg("--scratch")
        .arg(&feeds.scratch)
        .output()?;
    ensure!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(())
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Ours => "ours",
        Side::Floor => "floor",
        Side::Download => "download",
        Side::Read => "read",
        Side::Stored => "stored",
    }
}

/// Requests alone, or with the handling of each answer.
struct Floor {
    client: Client,
    urls: Vec<String>,
    validators: Vec<HeaderMap>,
}

#[derive(Default)]
struct Asked {
    validators: Vec<HeaderMap>,
    unchanged: u64,
    entries: u64,
    bytes: u64,
}

impl Floor {
    fn new(urls: Vec<String>) -> anyhow::Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(1)
            .build()?;
        Ok(Self {
            client,
            urls,
            validators: Vec::new(),
        })
    }

    /// One request at a time to each host; `read` counts an answer's entries.
    async fn run(&self, read: impl Fn(Answer) -> anyhow::Result<u64>) -> anyhow::Result<Asked> {
        let hosts = usize::try_from(HOSTS)?;
        let all = std::cell::RefCell::new(Asked {
            validators: vec![HeaderMap::new(); self.urls.len()],
            ..Asked::default()
        });
        let host = async |host: usize| {
            for at in (host..self.urls.len()).step_by(hosts) {
                let answer = self.ask(at).await?;
                let all = &mut *all.borrow_mut();
                all.validators[at] = answer.validators.clone();
                all.unchanged += u64::from(answer.document.is_none());
                all.bytes += answer.document.as_ref().map_or(0, |all| all.len() as u64);
                all.entries += read(answer)?;
            }
            Ok::<_, anyhow::Error>(())
        };
        futures_util::future::try_join_all((0..hosts).map(host)).await?;
        Ok(all.into_inner())
    }

    async fn ask(&self, at: usize) -> anyhow::Result<Answer> {
        let mut request = self.client.get(&self.urls[at]);
        if let Some(validators) = self.validators.get(at) {
            request = request.headers(validators.clone());
        }
        let answer = request.send().await?;
        let mut validators = HeaderMap::new();
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(Answer {
                feed: at,
                validators,
                document: None,
            });
        }
        let headers = answer.error_for_status_ref()?.headers();
        for (told, asked) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
            if let Some(value) = headers.get(told) {
                validators.insert(asked, value.clone());
            }
        }
        Ok(Answer {
            feed: at,
            validators,
            document: Some(answer.bytes().await?),
        })
    }
}

/// Reads a whole document and takes the names of its entries.
fn scan(document: &str) -> anyhow::Result<u64> {
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut names, mut is_name) = (Vec::new(), false);
    loop {
        match reader.read_event()? {
            Event::Start(tag) => is_name = matches!(tag.local_name().into_inner(), "id" | "guid"),
            Event::Text(text) if is_name => names.push(text.to_string()),
            Event::End(_) => is_name = false,
            Event::Eof => break,
            _ => {}
        }
    }
    // An Atom document has a name too.
    let own = u64::from(document.contains("<feed"));
    Ok(names.len() as u64 - own)
}

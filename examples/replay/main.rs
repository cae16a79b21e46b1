//! Replays the mails of an mbox through a configuration's channels, as a bot that ran all that time would have seen them.
//!
//!     cargo run --example replay -- LIST.mbox.gz [--density 50] [--unread 14] [--config config.example.toml] [--feed bpf-list]
//!
//! The mails arrive at a public-inbox on loopback at their times in the mbox. A simulated clock moves from one due thing to the
//! next: polls at the feed's gap, deliveries, digests. Everything else is the program itself: poll, fold, plan, outbox,
//! delivery. Each channel is played on Discord and on Matrix, with their limits. Polls that would find nothing are skipped,
//! except for the last one before each mail. Only the list is replayed, so commits are known from mails alone. If a
//! configuration has no channels, those behind `#` in it are used.
//!
//! With `--unread 14`, it plays the busiest fortnight twice, once with edits alone and once with the milestones of the
//! configuration, and writes `target/review/unread.md`: the messages that readers of each channel saw as unread.
//!
//! It prints each channel's posts, checks the promises, and writes `target/review/replay.md` (30 stories that the first channel
//! posted and 30 that it left out, with the reasons). The exit status is 1 if a promise was broken.

mod archive;
mod chat;
mod classes;
mod count;
mod review;
mod unread;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bpfnews::channel::Platform;
use bpfnews::clock::{Clock as _, FixedClock};
use bpfnews::config::{ChannelConfig, Config, FeedAddresses, FeedConfig, PlatformKind};
use bpfnews::deliver::DeliveryLoop;
use bpfnews::ingest::Ingest;
use bpfnews::store::Store;
use bpfnews::store::feeds::{self, FeedRow, Outcome};
use bpfnews::store::stories::{self, StoryFilter};
use bpfnews::story::Story;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use tokio_util::sync::CancellationToken;
use url::Url;

use archive::Letter;
use chat::Chat;

/// How long the bot runs after the last mail, for waiting posts: a digest may come once a week.
const AFTER: TimeDelta = TimeDelta::days(8);

#[derive(Parser)]
struct Asked {
    /// The mails: an mbox, packed or not.
    mbox: PathBuf,
    /// The factor by which the mails are closer together.
    #[arg(long, default_value_t = 1.0)]
    density: f64,
    /// Compares the unread counts that readers saw in the busiest stretch of so many days.
    #[arg(long, value_name = "DAYS")]
    unread: Option<u32>,
    /// The configuration with the channels.
    #[arg(long, default_value = "config.example.toml")]
    config: PathBuf,
    /// The feed whose mails are played.
    #[arg(long, default_value = "bpf-list")]
    feed: String,
}

/// The result of a replay.
struct Played {
    letters: Arc<Vec<Letter>>,
    stories: Vec<Story>,
    config: Config,
    chats: BTreeMap<PlatformKind, Arc<Chat>>,
    posts: Vec<count::PostRow>,
    polls: usize,
    span: TimeDelta,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let asked = Asked::parse();
    ensure!(asked.density >= 1.0, "--density is 1 or more");
    let letters = archive::read(&asked.mbox, asked.density)?;
    let folder = std::env::temp_dir().join(format!("bpfnews-replay-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
    if let Some(days) = asked.unread {
        let compared = unread::compare(&asked, letters, days, &folder).await;
        std::fs::remove_dir_all(&folder)?;
        return compared.map(|()| ExitCode::SUCCESS);
    }
    let played = play(
        &asked,
        Arc::new(letters),
        &folder.join("replay.sqlite"),
        |_| {},
    )
    .await;
    std::fs::remove_dir_all(&folder)?;
    let played = played?;
    let broken = count::report(&played)?;
    review::write(&played)?;
    Ok(match broken {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

async fn play(
    asked: &Asked,
    letters: Arc<Vec<Letter>>,
    database: &Path,
    change: impl Fn(&mut ChannelConfig),
) -> anyhow::Result<Played> {
    let first = letters.first().context("there are no mails")?.at;
    let last = letters.last().context("there are no mails")?.at;
    let clock = Arc::new(FixedClock::new(first - TimeDelta::hours(1)));
    let list = archive::serve(Arc::clone(&letters), Arc::clone(&clock)).await?;
    let mut config = configuration(asked, list, database)?;
    config.channels.iter_mut().for_each(change);
    let chats: BTreeMap<PlatformKind, Arc<Chat>> = [PlatformKind::Discord, PlatformKind::Matrix]
        .map(|kind| (kind, Chat::new(kind, Arc::clone(&clock))))
        .into();
    let platforms: HashMap<PlatformKind, Arc<dyn Platform>> = chats
        .iter()
        .map(|(kind, chat)| (*kind, Arc::clone(chat) as Arc<dyn Platform>))
        .collect();
    let store = Store::open(database).await?;
    let ingest = Ingest::open(store, &config, clock.clone()).await?;
    let delivery_loop = DeliveryLoop::new(
        ingest.store.clone(),
        clock.clone(),
        ingest.destinations(),
        platforms,
    );
    let gap = TimeDelta::from_std(config.feeds[0].poll_gap)?;
    let polls = run(&ingest, &delivery_loop, &clock, &letters, gap, last + AFTER).await?;
    let wanted = StoryFilter::default();
    let today = clock.now().timestamp().div_euclid(86_400);
    let stories = stories::list_stories(ingest.store.read(), &wanted, today, i64::MAX, 0).await?;
    let posts = count::posts(ingest.store.read()).await?;
    ingest.store.close().await;
    Ok(Played {
        letters,
        stories,
        config,
        chats,
        posts,
        polls,
        span: last - first,
    })
}

/// Moves the clock from one due thing to the next; returns the number of polls.
async fn run(
    ingest: &Ingest,
    delivery_loop: &DeliveryLoop,
    clock: &FixedClock,
    letters: &[Letter],
    gap: TimeDelta,
    end: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let stop = CancellationToken::new();
    let mut polls = 0;
    loop {
        let row = row(ingest).await?;
        let poll_at = next_poll(&row, letters, gap, clock.now());
        let next = [
            poll_at,
            ingest.next_digest_at().await?,
            delivery_loop.next_at().await?,
        ];
        let next = next.into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= end) else {
            return Ok(polls);
        };
        clock.set(next.max(clock.now()));
        if poll_at.is_some_and(|at| at <= clock.now()) {
            let report = ingest.poll(row, &stop).await?;
            polls += 1;
            if let Outcome::Failed { why, .. } | Outcome::Excused { why } = report.outcome {
                anyhow::bail!("the archive failed, which it should not: {why}");
            }
        }
        ingest.repair_clock().await?;
        ingest.end_recalls().await?;
        ingest.make_digests().await?;
        delivery_loop.pass().await?;
    }
}

async fn row(ingest: &Ingest) -> anyhow::Result<FeedRow> {
    let rows = feeds::list_feeds(ingest.store.read()).await?;
    rows.into_iter().next().context("there is no feed")
}

/// The time of the next poll that finds something, or of the last one before it.
fn next_poll(
    row: &FeedRow,
    letters: &[Letter],
    gap: TimeDelta,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let due = DateTime::from_timestamp(row.next_poll_at, 0)?.max(now);
    let polled = row.last_ok_at.unwrap_or(0);
    let waiting = letters.partition_point(|letter| letter.at.timestamp() <= polled);
    let is_cut_short = due - DateTime::from_timestamp(polled, 0)? < gap;
    let Some(letter) = letters.get(waiting) else {
        return is_cut_short.then_some(due);
    };
    if is_cut_short || letter.at <= due {
        return Some(due);
    }
    let gaps = (letter.at - due).num_seconds() / gap.num_seconds();
    Some(due + gap * i32::try_from(gaps).unwrap_or(i32::MAX))
}

/// The configuration's channels, on both platforms, and its list, on loopback.
fn configuration(asked: &Asked, list: Url, database: &Path) -> anyhow::Result<Config> {
    let text = std::fs::read_to_string(&asked.config)
        .with_context(|| format!("reading {}", asked.config.display()))?;
    let mut config = Config::parse(&text, &asked.config)?;
    if config.channels.is_empty() {
        config = Config::parse(&with_channels(&text), &asked.config)?;
    }
    let feed = config.feeds.iter().find(|feed| feed.name == asked.feed);
    let feed =
        feed.with_context(|| format!("{} has no feed {}", asked.config.display(), asked.feed))?;
    let mut feed = FeedConfig::clone(feed);
    feed.url = list;
    feed.addresses = FeedAddresses::default();
    config.feeds = vec![Arc::new(feed)];
    config.database = database.to_owned();
    config.network.allow_private_hosts = vec!["127.0.0.1".to_owned()];
    config.network.host_gap = Duration::ZERO;
    let on = |channel: &ChannelConfig, platform: PlatformKind| ChannelConfig {
        platform,
        address: format!("{}@{}", channel.name, platform.word()),
        name: format!("{}@{}", channel.name, platform.word()),
        ..channel.clone()
    };
    let channels = config
        .channels
        .iter()
        .filter(|channel| !channel.maintainers);
    config.channels = channels
        .flat_map(|channel| {
            [PlatformKind::Discord, PlatformKind::Matrix].map(|platform| on(channel, platform))
        })
        .collect();
    Ok(config)
}

/// A configuration with its tables of channels and platforms uncommented. Webhooks have no readers.
fn with_channels(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let bare = |line: &'_ str| line.strip_prefix("# ").map_or(line, |bare| bare).to_owned();
    let is_head = |line: &str| bare(line).starts_with('[');
    let mut is_inside = false;
    let shown = lines.iter().enumerate().map(|(place, line)| {
        let own = bare(line);
        if own.starts_with('[') {
            let rest = lines[place + 1..].iter();
            let mut table = rest.take_while(|line| !is_head(line));
            let is_webhook = table.any(|line| bare(line) == "platform = \"webhook\"");
            is_inside =
                ["[discord]", "[matrix]", "[[channel]]"].contains(&own.as_str()) && !is_webhook;
        }
        let is_plain = |key: &str| key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        // The older key would take the place of the newer ones.
        let is_key = own.starts_with('[')
            || own
                .split_once(" = ")
                .is_some_and(|(key, _)| is_plain(key) && key != "milestones");
        if is_inside && is_key {
            own
        } else {
            (*line).to_owned()
        }
    });
    shown.collect::<Vec<_>>().join("\n")
}

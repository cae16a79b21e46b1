//! The `[[channel]]` tables: the rooms for posts, and the posts for each.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{NaiveTime, TimeDelta, Weekday};
use serde::Serialize;

use super::feed;
use super::hook::{HookConfig, read_hook};
use super::keys::TableName;
use super::milestones::{PULL_WAITS_DAYS, is_quiet, read_milestones, read_pull_waits};
use super::reader::{Field, ProblemKind, ProblemLog, Table, quoted};
use super::times::{QuietHours, Schedule, time_of_day};
use super::upstream::FeedConfig;
use crate::chat::PlatformKind;
use crate::filter::{Explanation, Filter, KINDS, STATES, Subsystems, json_word};
use crate::post::milestone::{MilestoneWay, MilestoneWays};
use crate::post::route::Route;
use crate::story::Story;

/// The most channels of one bot.
const CHANNELS_MAX: usize = 500;
/// The most words, names or trees of one channel.
const LIST_MAX: usize = 200;
/// Matrix' limit for ids, in bytes.
const ADDRESS_BYTES_MAX: usize = 255;
const HOURLY_MAX: u64 = 1000;
const SCORE_MAX: i64 = 1000;
/// A room that gets posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConfig {
    /// Its name, unique: 1 to 64 letters, digits, `.`, `_`, `-`, `/`, `+`.
    pub name: String,
    pub platform: PlatformKind,
    /// The id of the room on its platform; empty for the terminal, and the name for a webhook.
    pub address: String,
    pub route: Route,
    pub mode: ChannelMode,
    /// Posts per hour; further ones are listed.
    pub hourly_max: Option<u32>,
    /// Hours without new posts.
    pub quiet: Option<QuietHours>,
    /// How milestones are announced.
    pub milestones: MilestoneWays,
    /// The age of a pull request at which the channel is warned, if it asks for that.
    pub pull_waits: TimeDelta,
    /// Whether it gets notices for maintainers instead of stories.
    pub maintainers: bool,
    /// Whether it gets each issue.
    pub issues: bool,
    /// The receiver, if it is a webhook.
    pub hook: Option<HookConfig>,
}

/// A post for each story, or lists of stories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelMode {
    Stories,
    /// A list at set times.
    Digest {
        when: Schedule,
    },
}

impl ChannelConfig {
    /// Whether it takes a story.
    pub fn takes(&self, story: &Story) -> bool {
        !self.maintainers && self.route.takes(story)
    }

    /// Why it takes a story, or why not, clause by clause.
    pub fn explain(&self, story: &Story) -> Explanation {
        match self.maintainers {
            true => Explanation::refusal("a channel for maintainers gets no stories"),
            false => self.route.explain(story),
        }
    }

    /// The channel if none is configured: the terminal, with everything about BPF.
    pub fn terminal() -> Self {
        Self {
            name: "terminal".to_owned(),
            platform: PlatformKind::Terminal,
            address: String::new(),
            route: Route::default(),
            mode: ChannelMode::Stories,
            hourly_max: None,
            quiet: None,
            milestones: MilestoneWays::usual(MilestoneWay::Edit),
            pull_waits: TimeDelta::days(PULL_WAITS_DAYS),
            maintainers: false,
            issues: true,
            hook: None,
        }
    }
}

/// Reads all good channels, and checks them against each other and against the feeds.
pub(super) fn read_channels(
    field: Field<'_, '_>,
    notes: &ProblemLog<'_>,
    (feeds, subsystems): (&[Arc<FeedConfig>], &Subsystems),
    set_up: &[PlatformKind],
    folder: &Path,
    names: &mut HashMap<String, usize>,
) -> Vec<ChannelConfig> {
    const RIGHT: &str =
        "tables: write [[channel]], in two brackets, above the keys of each channel";
    let members = field.list(RIGHT, CHANNELS_MAX).unwrap_or_default();
    let mut rooms: HashMap<(PlatformKind, String), String> = HashMap::new();
    let mut channels = Vec::new();
    for table in members
        .into_iter()
        .filter_map(|member| member.table(TableName::Channel, RIGHT))
    {
        let line = table.line();
        let Some(channel) = read_channel(table, feeds, subsystems, folder) else {
            continue;
        };
        let wrong = |message: String| {
            let key = format!("channel {}", quoted(&channel.name));
            notes.note(ProblemKind::Wrong, Some(line), &key, message);
        };
        if let Some(first) = names.insert(channel.name.clone(), line) {
            wrong(format!(
                "the channel on line {first} has this name too; rename one of them"
            ));
        }
        let room = (channel.platform, channel.address.clone());
        if let Some(first) = rooms.insert(room, channel.name.clone()) {
            wrong(format!(
                "posts to the same room as {first}; merge the two channels"
            ));
        }
        match channel.platform {
            platform if set_up.contains(&platform) => {}
            PlatformKind::Discord => wrong(
                "is on Discord, but there is no [discord]: add it, with token_file".to_owned(),
            ),
            PlatformKind::Matrix => wrong(
                "is on Matrix, but there is no [matrix]: add it, with homeserver and user"
                    .to_owned(),
            ),
            PlatformKind::Terminal | PlatformKind::Mail | PlatformKind::Webhook => {}
        }
        channels.push(channel);
    }
    channels
}

fn read_channel(
    mut table: Table<'_, '_>,
    feeds: &[Arc<FeedConfig>],
    subsystems: &Subsystems,
    folder: &Path,
) -> Option<ChannelConfig> {
    let name = feed::read_name(&mut table).map(|(name, _)| name);
    let platforms = PlatformKind::OF_CHANNELS.map(|platform| (platform.word(), platform));
    let platform = table.need("platform", "one of discord, matrix, terminal, webhook");
    let platform = platform.and_then(|field| field.one_of(&platforms));
    let address = read_address(&mut table, platform, name.as_deref());
    let hook = read_hook(&mut table, platform, folder);
    let mode = read_mode(&mut table);
    let hourly_max = table.take("hourly_max");
    let hourly_max = hourly_max.and_then(|field| field.whole("posts", 1..=HOURLY_MAX));
    let quiet = table.take("quiet").and_then(|field| read_quiet(&field));
    let is_digest = matches!(mode, Some(ChannelMode::Digest { .. }));
    let milestones = read_milestones(&mut table, is_quiet(platform, is_digest));
    let pull_waits = read_pull_waits(&mut table);
    let maintainers = table.take("maintainers").and_then(|field| field.truth());
    let issues = table.take("issues").and_then(|field| field.truth());
    let route = read_route(&mut table, feeds, subsystems);
    table.finish();
    Some(ChannelConfig {
        name: name?,
        platform: platform?,
        address: address?,
        route,
        mode: mode?,
        hourly_max: hourly_max.and_then(|most| u32::try_from(most).ok()),
        quiet,
        milestones,
        pull_waits,
        maintainers: maintainers.unwrap_or(false),
        issues: issues.unwrap_or(false),
        hook: match platform? {
            PlatformKind::Webhook => Some(hook?),
            PlatformKind::Discord
            | PlatformKind::Matrix
            | PlatformKind::Terminal
            | PlatformKind::Mail => None,
        },
    })
}

fn read_address(
    table: &mut Table<'_, '_>,
    platform: Option<PlatformKind>,
    name: Option<&str>,
) -> Option<String> {
    const DISCORD: &str =
        "the channel's id, a number in quotation marks: copy it from the channel's menu in Discord";
    const MATRIX: &str =
        "the room's id, such as \"!abcdef:example.org\": copy it from the room's settings";
    let (right, is_good): (_, fn(&str) -> bool) = match platform? {
        // `platform` cannot be mail.
        PlatformKind::Terminal | PlatformKind::Mail => {
            if let Some(field) = table.take("id") {
                field.note("the terminal has no id; remove this key");
            }
            return Some(String::new());
        }
        PlatformKind::Webhook => {
            if let Some(field) = table.take("id") {
                field.note("a webhook has no id, but a url; remove this key");
            }
            return name.map(str::to_owned);
        }
        PlatformKind::Discord => (DISCORD, is_snowflake),
        PlatformKind::Matrix => (MATRIX, is_room),
    };
    let field = table.need("id", right)?;
    let text = field.text(right)?;
    if !is_good(text) {
        field.expected(right);
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn is_snowflake(text: &str) -> bool {
    (5..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether this is the id of a Matrix room; ids of newer rooms contain no server.
fn is_room(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && text.len() <= ADDRESS_BYTES_MAX && text.starts_with('!') && text.len() > 1
}

/// Reads the mode; `None` if it is wrong.
fn read_mode(table: &mut Table<'_, '_>) -> Option<ChannelMode> {
    let is_digest = table.take("mode");
    let is_digest = match is_digest {
        Some(field) => field.one_of(&[("stories", false), ("digest", true)])?,
        None => false,
    };
    let at = table.take("digest_at");
    if !is_digest {
        if let Some(field) = at {
            field.note("only valid with mode = \"digest\"");
            return None;
        }
        return Some(ChannelMode::Stories);
    }
    let Some(field) = at else {
        return Some(ChannelMode::Digest {
            when: Schedule {
                day: None,
                at: NaiveTime::from_hms_opt(8, 0, 0)?,
            },
        });
    };
    read_when(&field).map(|when| ChannelMode::Digest { when })
}

/// A time of day or of the week.
pub(super) fn read_when(field: &Field<'_, '_>) -> Option<Schedule> {
    const RIGHT: &str =
        "a time, UTC, such as \"08:00\" for every day or \"mon 08:00\" for every week";
    let text = field.text(RIGHT)?;
    let (day, time) = match text.split_once(' ') {
        Some((day, time)) => (day.parse::<Weekday>().ok().map(Some), time),
        None => (Some(None), text),
    };
    match (day, time_of_day(time)) {
        (Some(day), Some(at)) => Some(Schedule { day, at }),
        _ => {
            field.expected(RIGHT);
            None
        }
    }
}

fn read_quiet(field: &Field<'_, '_>) -> Option<QuietHours> {
    const RIGHT: &str = "two different times, UTC, such as \"22:00-06:30\"";
    let (from, to) = field.text(RIGHT)?.split_once('-').unwrap_or_default();
    let times = time_of_day(from).zip(time_of_day(to));
    match times.filter(|(from, to)| from != to) {
        Some((from, to)) => Some(QuietHours { from, to }),
        None => {
            field.expected(RIGHT);
            None
        }
    }
}

fn read_route(
    table: &mut Table<'_, '_>,
    feeds: &[Arc<FeedConfig>],
    subsystems: &Subsystems,
) -> Route {
    let score_min = table
        .take("score_min")
        .and_then(|field| field.signed(SCORE_MAX));
    let off_topic = table.take("off_topic").and_then(|field| field.truth());
    let mut route = Route {
        kinds: read_words(table, "kinds", "kind of story", &KINDS),
        feeds: Vec::new(),
        trees: read_texts(table, "trees"),
        states: read_words(table, "states", "state of a story", &STATES),
        words: read_texts(table, "words"),
        people: read_texts(table, "people"),
        score_min,
        off_topic: off_topic.unwrap_or(false),
        filter: table
            .take("filter")
            .and_then(|field| read_filter(&field, feeds, subsystems)),
        subsystems: subsystems.clone(),
    };
    let members = table
        .take("feeds")
        .and_then(|field| field.list("a list of feeds", LIST_MAX));
    for member in members.unwrap_or_default() {
        match member.text("the name of a feed") {
            Some(name) if feeds.iter().any(|feed| feed.name == name) => {
                route.feeds.push(name.to_owned())
            }
            Some(name) => member.note(format!("there is no feed {}", quoted(name))),
            None => {}
        }
    }
    route
}

/// Reads a filter, and checks the feeds and subsystems that it names.
fn read_filter(
    field: &Field<'_, '_>,
    feeds: &[Arc<FeedConfig>],
    subsystems: &Subsystems,
) -> Option<Filter> {
    let text = field.text("a filter, such as \"path:kernel/bpf/ and score>=2\"")?;
    let read = Filter::parse(text).and_then(|filter| {
        // Those of a feed are read later.
        if subsystems.feed().is_none() {
            filter.check(subsystems)?;
        }
        Ok(filter)
    });
    let filter = match read {
        Ok(filter) => filter,
        Err(error) => {
            field.note(error.brief());
            return None;
        }
    };
    let is_feed = |name: &str| feeds.iter().any(|feed| feed.name == name);
    match filter.feeds().into_iter().find(|name| !is_feed(name)) {
        Some(name) => field.note(format!("there is no feed {}", quoted(name))),
        None => return Some(filter),
    }
    None
}

/// Reads a list of words. `known` are the values that have one, in the order of messages.
fn read_words<T: Serialize + Copy>(
    table: &mut Table<'_, '_>,
    key: &str,
    noun: &str,
    known: &[T],
) -> Vec<T> {
    let words: Vec<String> = known.iter().map(json_word).collect();
    let members = table
        .take(key)
        .and_then(|field| field.list("a list of words", LIST_MAX));
    let mut read = Vec::new();
    for member in members.unwrap_or_default() {
        let Some(text) = member.text("a word") else {
            continue;
        };
        match words.iter().position(|word| word == text) {
            Some(at) => read.push(known[at]),
            None => member.note(format!(
                "{} is not a {noun}; expected one of {}",
                quoted(text),
                words.join(", ")
            )),
        }
    }
    read
}

fn read_texts(table: &mut Table<'_, '_>, key: &str) -> Vec<String> {
    let members = table
        .take(key)
        .and_then(|field| field.list("a list of texts", LIST_MAX));
    let texts = members.unwrap_or_default();
    let texts = texts.iter().filter_map(|member| {
        let text = member.text("a text");
        if text == Some("") {
            member.expected("a text that is not empty");
        }
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    });
    texts.collect()
}

//! Counts the posts and checks the promises.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;

use bpfnews::config::{ChannelConfig, ChannelMode};
use bpfnews::store::Readers;
use bpfnews::story::Story;
use chrono::{DateTime, TimeDelta, Utc};

use crate::Played;
use crate::archive::Letter;
use crate::chat::{MessageKind, SentMessage};
use crate::classes::{Class, classes};

/// The share of all stories that the main channel may post, in percent.
const SHARE: std::ops::RangeInclusive<f64> = 10.0..=25.0;
/// The name of that channel.
const NEWS: &str = "bpf-news";

/// A post as the database has it.
pub(crate) struct PostRow {
    pub(crate) channel: String,
    pub(crate) id: i64,
    pub(crate) digest: Option<i64>,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) mark: String,
    is_digest: bool,
    /// Another post covers its story. If this happened before it was sent, it was never sent.
    is_joined: bool,
}

impl PostRow {
    /// Whether it posts a story in this channel, alone or in a list.
    fn posts_in(&self, channel: &ChannelConfig) -> bool {
        self.channel == channel.name && !self.is_digest && !self.is_joined
    }
}

/// Every post of every channel.
pub(crate) async fn posts(readers: &Readers) -> anyhow::Result<Vec<PostRow>> {
    type Row = (String, i64, Option<i64>, i64, String, bool, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.name, p.id, p.digest_id, p.opened_at, p.content ->> 'mark', p.item_id IS NULL, p.state
         FROM posts p JOIN channels c ON c.id = p.channel_id ORDER BY p.id",
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await?;
    let row = |(channel, id, digest, opened_at, mark, is_digest, state): Row| PostRow {
        is_joined: state == "joined",
        channel,
        id,
        digest,
        opened_at: DateTime::from_timestamp(opened_at, 0).unwrap_or_default(),
        mark,
        is_digest,
    };
    Ok(rows.into_iter().map(row).collect())
}

/// The stories by every id that they have or had.
pub(crate) fn by_mark(stories: &[Story]) -> HashMap<&str, &Story> {
    let mut by_mark = HashMap::new();
    for story in stories {
        by_mark.insert(story.id.as_str(), story);
        by_mark.extend(story.aliases.iter().map(|id| (id.as_str(), story)));
    }
    by_mark
}

/// The ids of the stories that a channel took.
pub(crate) fn taken<'a>(played: &'a Played, channel: &str) -> BTreeSet<&'a str> {
    let by_mark = by_mark(&played.stories);
    let posts = played.posts.iter();
    let here = posts.filter(|post| post.channel == channel && !post.is_digest);
    here.filter_map(|post| by_mark.get(post.mark.as_str()))
        .map(|story| story.id.as_str())
        .collect()
}

/// Prints all counts; returns the number of broken promises.
pub(crate) fn report(played: &Played) -> anyhow::Result<usize> {
    let mut out = anstream::stdout();
    let relevant = played.stories.iter().filter(|story| story.relevant).count();
    writeln!(
        out,
        "{} mails in {:.1} days, {} polls that found something or came before one that did; {} stories, {relevant} of them about BPF",
        played.letters.len(),
        played.span.num_minutes() as f64 / 1440.0,
        played.polls,
        played.stories.len(),
    )?;
    let mut broken = Vec::new();
    let all: BTreeSet<&str> = played
        .stories
        .iter()
        .flat_map(|s| &s.messages)
        .map(String::as_str)
        .collect();
    let missed = played
        .letters
        .iter()
        .filter(|letter| !all.contains(letter.id.as_str()));
    let missed = missed.count();
    writeln!(out, "{missed} mails in no story")?;
    if missed > 0 {
        broken.push(format!("{missed} mails are in no story"));
    }
    for channel in &played.config.channels {
        broken.extend(report_channel(&mut out, played, channel)?);
    }
    for (kind, chat) in &played.chats {
        writeln!(out, "{}: refused {} times", kind.word(), chat.refused())?;
    }
    let news = played
        .config
        .channels
        .iter()
        .find(|c| c.name.starts_with(NEWS));
    if let Some(news) = news {
        broken.extend(report_classes(&mut out, played, news)?);
    }
    for broken in &broken {
        writeln!(out, "BROKEN: {broken}")?;
    }
    Ok(broken.len())
}

/// The posts of one channel.
struct ChannelPosts<'a> {
    sent: Vec<&'a SentMessage>,
    waits: Vec<Wait>,
    /// The most posts of stories in any hour.
    posts_an_hour: usize,
    /// Of all stories, in percent.
    share: f64,
}

impl ChannelPosts<'_> {
    fn count(&self, kind: MessageKind) -> usize {
        self.sent.iter().filter(|sent| sent.kind == kind).count()
    }

    fn messages(&self) -> impl Iterator<Item = &&SentMessage> {
        self.sent.iter().filter(|sent| sent.kind.is_message())
    }
}

fn report_channel(
    out: &mut impl std::io::Write,
    played: &Played,
    channel: &ChannelConfig,
) -> anyhow::Result<Vec<String>> {
    let sent = played.chats.get(&channel.platform);
    let sent = sent.map_or_else(Vec::new, |chat| chat.sent());
    let sent: Vec<&SentMessage> = sent
        .iter()
        .filter(|sent| sent.room == channel.address)
        .collect();
    if sent.is_empty() {
        writeln!(out, "\n#{}: nothing", channel.name)?;
        return Ok(Vec::new());
    }
    let took = taken(played, &channel.name).len();
    let posts = ChannelPosts {
        waits: waits(played, channel, &sent),
        posts_an_hour: most_in_an_hour(sent.iter().filter(|sent| sent.kind == MessageKind::Post)),
        share: 100.0 * took as f64 / played.stories.len().max(1) as f64,
        sent,
    };
    report_counts(out, played, channel, &posts, took)?;
    for (what, longest) in [
        (
            "longest wait from news to message",
            posts
                .waits
                .iter()
                .max_by_key(|wait| wait.all)
                .map(|wait| (wait.all, wait)),
        ),
        (
            "the same, without quiet hours and the time of a list",
            posts
                .waits
                .iter()
                .max_by_key(|wait| wait.busy)
                .map(|wait| (wait.busy, wait)),
        ),
    ] {
        if let Some((time, wait)) = longest {
            writeln!(out, "  {what}: {} ({})", span(time), wait.title)?;
        }
    }
    Ok(broken(played, channel, &posts))
}

fn report_counts(
    out: &mut impl std::io::Write,
    played: &Played,
    channel: &ChannelConfig,
    posts: &ChannelPosts<'_>,
    took: usize,
) -> anyhow::Result<()> {
    let relevant = played.stories.iter().filter(|story| story.relevant).count();
    let days = (played.span.num_minutes() as f64 / 1440.0).max(1.0);
    writeln!(
        out,
        "\n#{}: {} posts, {} edits, {} lists, {} edits of lists, {} answers",
        channel.name,
        posts.count(MessageKind::Post),
        posts.count(MessageKind::Edit),
        posts.count(MessageKind::Digest),
        posts.count(MessageKind::DigestEdit),
        posts.count(MessageKind::Answer),
    )?;
    writeln!(
        out,
        "  {took} stories: {:.1} % of all, {:.1} % of those about BPF; {:.1} a day; {:.1} mails a message",
        posts.share,
        100.0 * took as f64 / relevant.max(1) as f64,
        took as f64 / days,
        played.letters.len() as f64 / posts.messages().count().max(1) as f64,
    )?;
    writeln!(
        out,
        "  most messages in any hour: {} ({} posts of stories)",
        most_in_an_hour(posts.messages()),
        posts.posts_an_hour,
    )?;
    Ok(())
}

/// The promises that a channel saw broken.
fn broken(played: &Played, channel: &ChannelConfig, posts: &ChannelPosts<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let due = played.posts.iter().filter(|post| post.posts_in(channel));
    let never = due.count().saturating_sub(posts.waits.len());
    if never > 0 {
        broken.push(format!("{never} posts never became a message"));
    }
    let mut marks: BTreeMap<&str, usize> = BTreeMap::new();
    for sent in posts
        .messages()
        .filter(|sent| sent.kind != MessageKind::Answer)
    {
        *marks.entry(sent.mark.as_str()).or_default() += 1;
    }
    let doubles = marks.values().filter(|many| **many > 1).count();
    if doubles > 0 {
        broken.push(format!("{doubles} messages stand twice"));
    }
    let most = posts.posts_an_hour;
    if let Some(cap) = channel.hourly_max.filter(|cap| most > *cap as usize) {
        broken.push(format!("{most} posts in an hour, though {cap} is the most"));
    }
    if channel.name.starts_with(NEWS) && !SHARE.contains(&posts.share) {
        broken.push(format!(
            "{:.1} % of the stories, not {SHARE:?}",
            posts.share
        ));
    }
    broken
        .into_iter()
        .map(|what| format!("#{}: {what}", channel.name))
        .collect()
}

/// How long a story waited for its message.
struct Wait {
    all: TimeDelta,
    /// The delay without configured waits: quiet hours, and the time of a digest.
    busy: TimeDelta,
    title: String,
}

fn waits(played: &Played, channel: &ChannelConfig, sent: &[&SentMessage]) -> Vec<Wait> {
    let mut first_at: HashMap<&str, DateTime<Utc>> = HashMap::new();
    for message in sent.iter().filter(|sent| sent.kind.is_message()) {
        first_at.entry(message.mark.as_str()).or_insert(message.at);
    }
    let arrivals: HashMap<&str, DateTime<Utc>> = played
        .letters
        .iter()
        .map(|letter| (letter.id.as_str(), letter.at))
        .collect();
    let digests: HashMap<i64, &str> = played
        .posts
        .iter()
        .filter(|post| post.is_digest)
        .map(|post| (post.id, post.mark.as_str()))
        .collect();
    let by_mark = by_mark(&played.stories);
    let here = played.posts.iter().filter(|post| post.posts_in(channel));
    here.filter_map(|post| {
        let mark = post
            .digest
            .and_then(|digest| digests.get(&digest).copied())
            .unwrap_or(&post.mark);
        let at = *first_at.get(mark)?;
        let story = by_mark.get(post.mark.as_str());
        // The last mail before its post was opened made it news.
        let news = story.and_then(|story| {
            let mails = story
                .messages
                .iter()
                .filter_map(|id| arrivals.get(id.as_str()));
            mails.filter(|at| **at <= post.opened_at).max().copied()
        });
        let news = news.unwrap_or(post.opened_at);
        let free = match channel.mode {
            ChannelMode::Digest { when } => when.next_after(post.opened_at),
            ChannelMode::Stories => channel.quiet.map_or(news, |quiet| quiet.end_after(news)),
        };
        Some(Wait {
            all: at - news,
            busy: at - free.max(news),
            title: story.map_or_else(String::new, |story| story.title.clone()),
        })
    })
    .collect()
}

fn most_in_an_hour<'a>(sent: impl Iterator<Item = &'a &'a SentMessage>) -> usize {
    let times: Vec<DateTime<Utc>> = sent.map(|sent| sent.at).collect();
    let within = |(place, from): (usize, &DateTime<Utc>)| {
        times[place..].partition_point(|at| *at < *from + TimeDelta::hours(1))
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

fn span(time: TimeDelta) -> String {
    let s = time.num_seconds();
    match s {
        0..120 => format!("{s} s"),
        120..7200 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

fn report_classes(
    out: &mut impl std::io::Write,
    played: &Played,
    news: &ChannelConfig,
) -> anyhow::Result<Vec<String>> {
    let mails: HashMap<&str, &Letter> = played
        .letters
        .iter()
        .map(|letter| (letter.id.as_str(), letter))
        .collect();
    let taken = taken(played, &news.name);
    let mut broken = Vec::new();
    writeln!(
        out,
        "\nwhat #{} must take, of the stories about BPF:",
        news.name
    )?;
    for class in Class::ALL {
        let of_class = |story: &&Story| story.relevant && classes(story, &mails).contains(&class);
        let all: Vec<&Story> = played.stories.iter().filter(of_class).collect();
        let missed: Vec<&&Story> = all
            .iter()
            .filter(|story| !taken.contains(story.id.as_str()))
            .collect();
        writeln!(
            out,
            "  {}: {} of {}",
            class.words(),
            all.len() - missed.len(),
            all.len()
        )?;
        for story in &missed {
            writeln!(
                out,
                "    missed: {} [score {}: {}]",
                story.title,
                story.score,
                story.why.join("; ")
            )?;
        }
        if !missed.is_empty() {
            broken.push(format!(
                "{} of {} in the class \"{}\" were missed",
                missed.len(),
                all.len(),
                class.words()
            ));
        }
    }
    Ok(broken)
}

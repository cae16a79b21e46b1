//! The messages that readers of each channel saw as unread in some days: with edits alone, and with milestones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bpfnews::channel::terminal;
use bpfnews::config::{ChannelConfig, PlatformKind};
use bpfnews::post::milestone::{MilestoneWay, MilestoneWays};
use bpfnews::post::story::Content;
use chrono::{DateTime, TimeDelta, Utc};

use crate::archive::Letter;
use crate::chat::{MessageKind, SentMessage};
use crate::{Asked, Played, play};

const REVIEW: &str = "target/review/unread.md";
/// The stories that began so long before are played too, so that their later steps count.
const BEFORE: TimeDelta = TimeDelta::days(60);
/// Posts that are shown whole, with the messages below them.
const WHOLE: usize = 10;
const COLUMNS: usize = 100;

/// The days that are compared.
#[derive(Clone, Copy)]
struct Stretch {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// Plays the busiest stretch twice, and writes the comparison.
pub(crate) async fn compare(
    asked: &Asked,
    mut letters: Vec<Letter>,
    days: u32,
    folder: &Path,
) -> anyhow::Result<()> {
    let stretch = busiest(&letters, TimeDelta::days(i64::from(days)));
    letters.retain(|letter| letter.at >= stretch.from - BEFORE && letter.at < stretch.to);
    let letters = Arc::new(letters);
    let edits = |channel: &mut ChannelConfig| {
        channel.milestones = MilestoneWays::usual(MilestoneWay::Edit);
    };
    let before = play(
        asked,
        Arc::clone(&letters),
        &folder.join("before.sqlite"),
        edits,
    )
    .await?;
    let after = play(asked, letters, &folder.join("after.sqlite"), |_| {}).await?;
    let (day, last) = (
        stretch.from.format("%-d %B %Y"),
        stretch.to.format("%-d %B %Y"),
    );
    let mut text = format!("# Unread from {day} to {last}\n");
    let mut out = anstream::stdout();
    let here = |channel: &&ChannelConfig| channel.platform == PlatformKind::Discord;
    for channel in after.config.channels.iter().filter(here) {
        let rows = [
            unread(&before, channel, stretch),
            unread(&after, channel, stretch),
        ];
        let counts = report(&mut text, channel, &rows)?;
        writeln!(out, "{counts}")?;
    }
    whole_posts(&mut text, &after, stretch)?;
    std::fs::create_dir_all("target/review")?;
    std::fs::write(REVIEW, text).with_context(|| format!("writing {REVIEW}"))?;
    writeln!(out, "to be read: {REVIEW}")?;
    Ok(())
}

/// The stretch of that length with the most mails.
fn busiest(letters: &[Letter], length: TimeDelta) -> Stretch {
    let many = |(place, letter): (usize, &Letter)| {
        let end = letters.partition_point(|other| other.at < letter.at + length);
        (end - place, std::cmp::Reverse(place))
    };
    let best = letters.iter().enumerate().max_by_key(|&pair| many(pair));
    let from = best.map_or(DateTime::UNIX_EPOCH, |(_, letter)| letter.at);
    Stretch {
        from,
        to: from + length,
    }
}

/// The messages of a channel in the stretch, and the edits, which mark nothing.
struct UnreadMessages {
    messages: Vec<SentMessage>,
    edits: usize,
}

impl UnreadMessages {
    fn count(&self, kind: MessageKind) -> usize {
        self.messages
            .iter()
            .filter(|sent| sent.kind == kind)
            .count()
    }
}

fn unread(played: &Played, channel: &ChannelConfig, stretch: Stretch) -> UnreadMessages {
    let sent = played.chats.get(&channel.platform);
    let sent = sent.map_or_else(Vec::new, |chat| chat.sent());
    let here = sent.into_iter().filter(|sent| {
        sent.room == channel.address && sent.at >= stretch.from && sent.at < stretch.to
    });
    let (messages, others): (Vec<_>, Vec<_>) = here.partition(|sent| sent.kind.is_message());
    UnreadMessages {
        messages,
        edits: others.len(),
    }
}

/// Writes one channel; returns its counts in a line.
fn report(
    text: &mut String,
    channel: &ChannelConfig,
    [before, after]: &[UnreadMessages; 2],
) -> anyhow::Result<String> {
    let name = channel.name.split('@').next().unwrap_or_default();
    writeln!(text, "\n## #{name}\n")?;
    writeln!(
        text,
        "| | unread | posts | lists | milestones | edits |\n|---|---|---|---|---|---|"
    )?;
    for (when, row) in [("edits alone", before), ("with milestones", after)] {
        writeln!(
            text,
            "| {when} | {} | {} | {} | {} | {} |",
            row.messages.len(),
            row.count(MessageKind::Post),
            row.count(MessageKind::Digest),
            row.count(MessageKind::Answer),
            row.edits,
        )?;
    }
    let answers = after
        .messages
        .iter()
        .filter(|sent| sent.kind == MessageKind::Answer);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for sent in answers.clone() {
        *kinds.entry(kind_of(&sent.mark)).or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, many)| format!("{kind} {many}"))
        .collect();
    writeln!(text, "\nmilestones: {}\n", kinds.join(", "))?;
    for sent in answers {
        if let Some(Content::Line(line)) = &sent.content {
            let at = sent.at.format("%Y-%m-%d %H:%M");
            writeln!(text, "- {at} **{}** {}", line.what, line.title)?;
        }
    }
    Ok(format!(
        "#{name}: {} unread with edits alone ({} edits), {} with milestones ({})",
        before.messages.len(),
        before.edits,
        after.messages.len(),
        kinds.join(", ")
    ))
}

/// The kind of a milestone by the mark of its message: `id-nack-v2`, `id-v3`.
fn kind_of(mark: &str) -> String {
    let key = mark.split_once('-').map_or(mark, |(_, key)| key);
    match key.strip_prefix('v') {
        Some(rest) if rest.bytes().all(|b| b.is_ascii_digit()) => "revision".to_owned(),
        _ => key.split("-v").next().unwrap_or(key).to_owned(),
    }
}

/// Writes posts whole, each as it stands at the end, with the messages below it.
fn whole_posts(text: &mut String, played: &Played, stretch: Stretch) -> anyhow::Result<()> {
    let sent: Vec<SentMessage> = played.chats.values().flat_map(|chat| chat.sent()).collect();
    let mut shown: Vec<(&str, &str)> = Vec::new();
    writeln!(text, "\n## Posts whole\n")?;
    for answer in &sent {
        let place = (answer.room.as_str(), answer.receipt.as_str());
        let is_new = answer.kind == MessageKind::Answer
            && answer.at >= stretch.from
            && answer.at < stretch.to
            && !shown.contains(&place);
        if !is_new || shown.len() >= WHOLE {
            continue;
        }
        shown.push(place);
        writeln!(text, "### #{}\n\n```text", answer.room)?;
        let mine = |sent: &&SentMessage| (sent.room.as_str(), sent.receipt.as_str()) == place;
        let (below, own): (Vec<_>, Vec<_>) = sent
            .iter()
            .filter(mine)
            .partition(|sent| sent.kind == MessageKind::Answer);
        let last = own.last().and_then(|sent| sent.content.as_ref());
        for content in last
            .into_iter()
            .chain(below.iter().filter_map(|sent| sent.content.as_ref()))
        {
            let drawn = terminal::render(content, COLUMNS);
            writeln!(text, "{}", anstream::adapter::strip_str(&drawn))?;
        }
        writeln!(text, "```\n")?;
    }
    Ok(())
}

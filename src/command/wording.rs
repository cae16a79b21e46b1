//! Words and sentences that several commands use.

use chrono::DateTime;

use super::context::CommandContext;
use crate::config::{ChannelConfig, ChannelMode, Origin, TableKind};
use crate::item::prose;
use crate::post::milestone::{MilestoneWay, MilestoneWays};
use crate::post::plain;

/// Characters repeated of a reader's text.
const TYPED_CHARS_MAX: usize = 80;
/// Names suggested for an unknown one.
const NAMES_MAX: usize = 5;

/// A reader's text, made short and plain.
pub(super) fn shortened(typed: &str) -> String {
    prose::shorten(&plain(typed), TYPED_CHARS_MAX)
}

/// The person who gives the command, as stored with a change.
pub(super) fn requester_name(ctx: &CommandContext<'_>) -> String {
    format!("{} on {}", ctx.by.person, ctx.by.platform.word())
}

/// The origin of a feed or a channel, in words.
pub(super) fn came_from(ctx: &CommandContext<'_>, kind: TableKind, name: &str) -> String {
    match ctx.generation.effective.origin(kind, name) {
        Some(Origin::File { line }) => format!("from the file, line {line}"),
        Some(Origin::Chat { at, by }) => {
            let day = DateTime::from_timestamp(at, 0).unwrap_or_default();
            format!("added by {} on {}", plain(&by), day.format("%-d %B %Y"))
        }
        None => "from an unknown place".to_owned(),
    }
}

/// The name of the configuration file; its folders are private.
pub(super) fn file_name(ctx: &CommandContext<'_>) -> String {
    let file = ctx.generation.effective.file();
    let name = file.file_name().unwrap_or(file.as_os_str());
    plain(&name.to_string_lossy())
}

/// The refusal for an unknown name, with similar names.
pub(super) fn no_such<'n>(kind: &str, name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let mut near: Vec<(f64, &str)> = names
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near.iter().take(NAMES_MAX).map(|(_, name)| *name).collect();
    match near.is_empty() {
        true => format!(
            "There is no {kind} {:?}, and none has another name.",
            shortened(name)
        ),
        false => format!(
            "There is no {kind} {:?}. Similar names: {}.",
            shortened(name),
            near.join(", ")
        ),
    }
}

/// The posts that a channel gets, in words.
pub(super) fn describe(channel: &ChannelConfig) -> String {
    if channel.maintainers {
        return "notices for maintainers".to_owned();
    }
    let route = &channel.route;
    let mut parts = Vec::new();
    parts.push(match channel.mode {
        ChannelMode::Stories => "stories".to_owned(),
        ChannelMode::Digest { when } => {
            let day = when
                .day
                .map_or("every day".to_owned(), |day| format!("every {day}"));
            format!("a list {day} at {} UTC", when.at.format("%H:%M"))
        }
    });
    let words = |values: serde_json::Value| {
        let values = values.as_array().map_or(&[][..], Vec::as_slice);
        let words: Vec<&str> = values.iter().filter_map(|word| word.as_str()).collect();
        words.join(", ")
    };
    for (what, list) in [
        (
            "of the kinds",
            words(serde_json::to_value(&route.kinds).unwrap_or_default()),
        ),
        (
            "that are",
            words(serde_json::to_value(&route.states).unwrap_or_default()),
        ),
        ("carried by", route.feeds.join(", ")),
        ("for the trees", route.trees.join(", ")),
        ("with one of the words", route.words.join(", ")),
        ("by or with", route.people.join(", ")),
    ] {
        if !list.is_empty() {
            parts.push(format!("{what} {list}"));
        }
    }
    if channel.issues {
        parts.push("each issue".to_owned());
    }
    if let Some(least) = route.score_min {
        parts.push(format!("that score {least} or more"));
    }
    if route.off_topic {
        parts.push("about BPF or not".to_owned());
    }
    if let Some(filter) = &route.filter {
        parts.push(format!("that the filter takes: {filter}"));
    }
    if let Some(most) = channel.hourly_max {
        parts.push(format!("at most {most} an hour"));
    }
    let usual = match channel.mode {
        ChannelMode::Stories => MilestoneWay::Reply,
        ChannelMode::Digest { .. } => MilestoneWay::Edit,
    };
    if channel.milestones != MilestoneWays::usual(usual) {
        parts.push(match channel.milestones.words().as_str() {
            "" => "milestones as edits only".to_owned(),
            words => format!("a message for each of {words}"),
        });
    }
    if let Some(quiet) = channel.quiet {
        let (from, to) = (quiet.from.format("%H:%M"), quiet.to.format("%H:%M"));
        parts.push(format!("quiet from {from} to {to} UTC"));
    }
    plain(&parts.join(", "))
}

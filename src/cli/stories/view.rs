//! How a story looks in a list: two rows of three columns. Pure, and ignorant of commands.

use anstyle::{AnsiColor, Effects, Style};
use chrono::{DateTime, TimeDelta, Utc};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::post::plain;
pub(super) use crate::post::words::{ago, counted, span};
pub(super) use crate::story::waiting::waiting;
use crate::story::{State, Story, StoryKind};

/// Columns of a date, which are those of an id.
const DATE: usize = 10;
/// Columns of the longest word for a state, "partly applied".
const WORD: usize = 14;
/// Columns between two others.
pub(super) const GAP: usize = 2;
/// The fewest columns left to a title, however narrow the terminal.
const TITLE_MIN: usize = 20;

pub(super) const DIM: Style = Style::new().effects(Effects::DIMMED);

/// A story in a list, two rows: time, state and title; id, kind and author.
pub(super) fn line(story: &Story, width: usize, now: DateTime<Utc>) -> String {
    let room = width.saturating_sub(DATE + WORD + 2 * GAP).max(TITLE_MIN);
    let style = match story.relevant {
        true => colour(story.state),
        false => DIM,
    };
    let title = match story.relevant {
        true => Style::new(),
        false => DIM,
    };
    let version = version(story);
    let first = format!(
        "{DIM}{}{DIM:#}  {style}{:<WORD$}{style:#}  {title}{}{title:#}{DIM}{version}{DIM:#}",
        story.last_at.format("%Y-%m-%d"),
        story.state.word(),
        fit(&plain(&story.title), room.saturating_sub(version.width())),
    );
    let second = format!(
        "{:<DATE$}  {:<WORD$}  {}",
        plain(&story.id),
        story.kind.word(),
        fit(&about(story, now), room),
    );
    format!("{first}\n{DIM}{}{DIM:#}\n", second.trim_end())
}

/// A waiting series or pull request in a list: how long, and the title; id and author.
pub(super) fn waiting_line(story: &Story, waits: TimeDelta, width: usize) -> String {
    let room = width.saturating_sub(DATE + GAP).max(TITLE_MIN);
    let style = patience(waits);
    let version = version(story);
    let by = [
        (story.kind == StoryKind::Pull).then(|| story.kind.word().to_owned()),
        story.tree.as_deref().map(plain),
        story.author.as_deref().map(plain),
        patches(story),
        (story.follow_ups > 0).then(|| format!("{} before", counted(story.follow_ups, "reply"))),
    ];
    format!(
        "{style}{:>DATE$}{style:#}  {}{DIM}{version}{DIM:#}\n{DIM}{:<DATE$}  {}{DIM:#}\n",
        span(waits),
        fit(&plain(&story.title), room.saturating_sub(version.width())),
        plain(&story.id),
        fit(&joined(by), room),
    )
}

fn about(story: &Story, now: DateTime<Utc>) -> String {
    joined([
        (!story.relevant).then(|| "not about BPF".to_owned()),
        waiting(story, now)
            .filter(|waits| *waits >= TimeDelta::days(1))
            .map(|waits| format!("waiting {}", span(waits))),
        story.tree.as_deref().map(plain),
        story.author.as_deref().map(plain),
        patches(story),
        (story.follow_ups > 0).then(|| counted(story.follow_ups, "reply")),
    ])
}

/// ` v3`; empty for a first revision, and for kinds without revisions.
pub(super) fn version(story: &Story) -> String {
    match story.revisions.last() {
        Some(revision) if revision.version > 1 => format!(" v{}", revision.version),
        Some(_) | None => String::new(),
    }
}

fn patches(story: &Story) -> Option<String> {
    let newest = story.revisions.last()?;
    (newest.total > 1).then(|| counted(newest.total, "patch"))
}

/// The parts that exist, with a dot between.
pub(super) fn joined(parts: impl IntoIterator<Item = Option<String>>) -> String {
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" · ")
}

/// Cuts `text` so that it takes at most `columns`, at a word's end where there is one near.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let (mut cut, mut taken) = (String::new(), 0);
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        if taken >= columns {
            break;
        }
        cut.push(c);
    }
    let end = cut
        .rfind(' ')
        .filter(|&at| at > cut.len() / 2)
        .unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end())
}

/// The colour of a state: green for merged, blue for under way, yellow for waiting.
pub(super) fn colour(state: State) -> Style {
    let colour = match state {
        State::Posted | State::Open => AnsiColor::Cyan,
        State::Discussed => AnsiColor::Blue,
        State::Applied | State::Pulled | State::Mainline | State::Stable => AnsiColor::Green,
        State::PartlyApplied | State::Paid => AnsiColor::Yellow,
        State::Rejected => AnsiColor::Red,
        State::Superseded | State::Withdrawn => AnsiColor::BrightBlack,
        State::Free | State::Published => AnsiColor::Magenta,
    };
    Style::new().fg_color(Some(colour.into()))
}

/// The colour of a wait: a week is normal, two are long.
fn patience(waits: TimeDelta) -> Style {
    match waits.num_days() {
        ..7 => DIM,
        7..14 => Style::new(),
        _ => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
    }
}

//! The commands that list the database: feeds, items.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anstyle::{AnsiColor, Effects, Style};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use super::Format;
use super::opening::open;
use crate::item::{ItemKind, prose};
use crate::post::plain;
use crate::source::{self, Gap};
use crate::store::feeds::{self, FeedRow, FeedState};
use crate::store::items::{self, ItemFilter, ItemRow};
use crate::store::wanted::{self, WantedCount};

/// Items on a text list unless more are asked for.
const ITEMS_SHOWN: u32 = 50;
/// Items read from the database at a time.
const PAGE: i64 = 1_000;
/// Faults shown of one feed.
const FAULTS_SHOWN: usize = 3;

const DIM: Style = Style::new().effects(Effects::DIMMED);

pub(super) async fn feeds(path: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let readers = ingest.store.read();
    let rows = feeds::list_feeds(readers).await?;
    let gaps = feeds::list_gaps(readers).await?;
    let faults = feeds::list_faults(readers).await?;
    let wanted = wanted::wanted_counts(readers).await?;
    let wanted_of = |row: &FeedRow| wanted.iter().find(|count| count.feed == row.id);
    let now = Utc::now();
    let mut out = anstream::stdout().lock();
    if let Format::Json = format {
        for row in &rows {
            let json = feed_json(row, gaps_of(row, &gaps), wanted_of(row));
            writeln!(out, "{json}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let wide = rows
        .iter()
        .map(|row| row.name.width())
        .max()
        .unwrap_or(0)
        .max(4);
    writeln!(
        out,
        "{DIM}{:wide$}  {:<7}  {:<11}  {:>9}  {:<14}  NEXT POLL{DIM:#}",
        "NAME", "KIND", "STATE", "ITEMS", "LAST OK"
    )?;
    for row in &rows {
        let style = Style::new().fg_color(Some(state_colour(row.shown_state()).into()));
        let last_ok = row
            .last_ok_at
            .and_then(at)
            .map_or_else(|| "never".to_owned(), |at| ago(at, now));
        let next = match row.is_polled() {
            true => at(row.next_poll_at)
                .map(|at| until(at, now))
                .unwrap_or_default(),
            false => "-".to_owned(),
        };
        writeln!(
            out,
            "{:wide$}  {:<7}  {style}{:<11}{style:#}  {:>9}  {last_ok:<14}  {next}",
            row.name,
            row.kind.word(),
            row.shown_state().word(),
            row.items
        )?;
        let missing = wanted_of(row).and_then(missing_mails);
        let notes = notes(row, gaps_of(row, &gaps), &faults, now);
        for note in notes.into_iter().chain(missing) {
            writeln!(out, "{:wide$}  {DIM}{note}{DIM:#}", "")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn gaps_of<'a>(row: &FeedRow, gaps: &'a [(i64, Gap)]) -> Vec<&'a Gap> {
    gaps.iter()
        .filter(|(feed, _)| *feed == row.id)
        .map(|(_, gap)| gap)
        .collect()
}

fn feed_json(row: &FeedRow, gaps: Vec<&Gap>, wanted: Option<&WantedCount>) -> serde_json::Value {
    let missing = wanted.cloned().unwrap_or_default();
    let gaps: Vec<_> = gaps
        .iter()
        .map(|gap| json!({"from": known(gap.from_at), "to": known(gap.to_at), "why": gap.why}))
        .collect();
    json!({
        "name": row.name,
        "kind": row.kind.word(),
        "url": row.url,
        "state": row.shown_state().word(),
        "last_ok_at": row.last_ok_at.map(stamp),
        "next_poll_at": row.is_polled().then(|| stamp(row.next_poll_at)),
        "failures": row.failures,
        "items": row.items,
        "gaps": gaps,
        "missing_mails": {
            "wanted": missing.wanted,
            "fetched": missing.fetched,
            "given_up": missing.given_up,
        },
    })
}

/// A note on the mails that stories of a feed lack.
fn missing_mails(count: &WantedCount) -> Option<String> {
    let WantedCount {
        wanted,
        fetched,
        given_up,
        ..
    } = count;
    let why = count.why.as_deref().map(plain);
    let why = why.map_or_else(String::new, |why| format!("; the last reason: {why}"));
    let has_any = wanted + fetched + given_up > 0;
    has_any.then(|| {
        format!(
            "mails that stories lacked: {wanted} wanted, {fetched} fetched, {given_up} given up{why}"
        )
    })
}

/// Notes on a feed for a maintainer, a line each.
fn notes(
    row: &FeedRow,
    gaps: Vec<&Gap>,
    faults: &[(i64, String, i64, i64)],
    now: DateTime<Utc>,
) -> Vec<String> {
    let mut notes: Vec<String> = row
        .cursor
        .as_deref()
        .map(|cursor| source::ways::reading_notes(cursor, now.timestamp()))
        .unwrap_or_default();
    if let Some(error) = &row.last_error {
        let times = if row.failures > 1 {
            format!(" ({} times in a row)", row.failures)
        } else {
            String::new()
        };
        notes.push(format!("{}{times}", plain(error)));
    }
    if let Some(moved_to) = &row.moved_to {
        notes.push(format!(
            "moved for good to {}; change its url in the configuration",
            plain(moved_to)
        ));
    }
    for gap in gaps {
        notes.push(format!(
            "gap {} to {}: {}",
            known(gap.from_at).unwrap_or_else(|| "?".to_owned()),
            known(gap.to_at).unwrap_or_else(|| "?".to_owned()),
            plain(&gap.why)
        ));
    }
    for (_, what, met, _) in faults
        .iter()
        .filter(|(feed, ..)| *feed == row.id)
        .take(FAULTS_SHOWN)
    {
        notes.push(format!("unreadable, met {met} times: {}", plain(what)));
    }
    notes
}

fn state_colour(state: FeedState) -> AnsiColor {
    match state {
        FeedState::Ok => AnsiColor::Green,
        FeedState::Never | FeedState::Paused => AnsiColor::BrightBlack,
        FeedState::BackingOff => AnsiColor::Yellow,
        FeedState::Walled | FeedState::Gone => AnsiColor::Red,
    }
}

pub(super) async fn items(
    path: &Path,
    mut filter: ItemFilter,
    limit: Option<u32>,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let readers = ingest.store.read();
    let limit = match (limit, format) {
        (Some(0), _) | (None, Format::Json) => i64::MAX,
        (Some(limit), _) => i64::from(limit),
        (None, Format::Text) => i64::from(ITEMS_SHOWN),
    };
    let mut out = anstream::stdout().lock();
    let (mut shown, mut before) = (0, None);
    while shown < limit {
        filter.most = PAGE.min(limit - shown);
        let page = items::list_items(readers, &filter, before).await?;
        for row in &page {
            match format {
                Format::Json => writeln!(out, "{}", item_json(row))?,
                Format::Text => writeln!(out, "{}", item_line(row))?,
            }
        }
        shown += i64::try_from(page.len())?;
        match page.last() {
            Some(last) if page.len() as i64 == filter.most => before = Some((last.at, last.id)),
            Some(_) | None => break,
        }
    }
    if shown == 0 && format == Format::Text {
        writeln!(
            anstream::stderr(),
            "No items. (bpfnews poll fetches what is due; bpfnews feeds shows the state of each feed)"
        )?;
    } else if shown == limit && format == Format::Text {
        writeln!(
            anstream::stderr(),
            "(the newest {shown}; --limit 0 shows all)"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn item_json(row: &ItemRow) -> serde_json::Value {
    let kind = ItemKind::from_code(row.kind);
    let own = |wanted: ItemKind| (kind == Some(wanted)).then_some(row.reference.as_str());
    let key = match kind {
        Some(kind @ (ItemKind::Commit | ItemKind::Message)) => format!("{kind}:{}", row.reference),
        Some(ItemKind::Article | ItemKind::Release | ItemKind::Video) | None => {
            row.reference.clone()
        }
    };
    let author = match (row.author.as_str(), row.email.as_str()) {
        ("", "") => None,
        ("", email) => Some(email),
        (name, _) => Some(name),
    };
    let feeds: Vec<String> = carriers(row).into_iter().map(|feed| feed.name).collect();
    json!({
        "key": key,
        "kind": kind.map(ItemKind::word),
        "title": row.title,
        "url": link(row),
        "author": author,
        "at": stamp(row.at),
        "feeds": feeds,
        "message_id": own(ItemKind::Message),
        "hash": own(ItemKind::Commit),
    })
}

fn item_line(row: &ItemRow) -> String {
    let day = at(row.at)
        .map(|at| at.format("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default();
    let kind = ItemKind::from_code(row.kind).map_or("", ItemKind::word);
    let feeds = carriers(row)
        .into_iter()
        .map(|feed| feed.name)
        .collect::<Vec<_>>()
        .join(", ");
    let author = if row.author.is_empty() {
        String::new()
    } else {
        format!(" · {}", plain(&row.author))
    };
    let title = prose::shorten(&plain(&row.title), 120);
    format!("{DIM}{day}  {kind:<7}{DIM:#}  {title}{DIM}{author} · {feeds}{DIM:#}")
}

fn at(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

fn stamp(seconds: i64) -> String {
    at(seconds)
        .map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
        .unwrap_or_default()
}

/// An end of a gap; 0 stands for one that nobody knows.
fn known(seconds: i64) -> Option<String> {
    (seconds > 0).then(|| stamp(seconds))
}

fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let past = now - at;
    if past < TimeDelta::seconds(60) {
        "just now".to_owned()
    } else {
        format!("{} ago", span(past))
    }
}

/// When something is due, in words.
pub(super) fn until(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at < now + TimeDelta::seconds(1) {
        "now".to_owned()
    } else {
        format!("in {}", span(at - now))
    }
}

fn span(time: TimeDelta) -> String {
    match time.num_seconds() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7_200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A feed that carries an item, as lists of items name it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ItemCarrier {
    /// Its name.
    pub(super) name: String,
    /// Where it is.
    url: Option<String>,
}

/// The feeds that carry an item.
pub(super) fn carriers(row: &ItemRow) -> Vec<ItemCarrier> {
    serde_json::from_str(&row.feeds).unwrap_or_default()
}

/// The page of an item: its own link, or the address from the first feed that carries it.
fn link(row: &ItemRow) -> Option<String> {
    let (kind, carriers) = (ItemKind::from_code(row.kind)?, carriers(row));
    let feeds = carriers.iter().map(|feed| feed.url.as_deref());
    source::page_of(kind, &row.reference, row.url.clone(), feeds)
}

//! Questions and their answers: the numbers of a group, the numbers that exist, and articles.

use std::collections::HashMap;

use super::dial::send;
use super::wire::{
    ENOUGH_BYTES, LIST_BYTES_MAX, NewsLines, PATIENCE_BYTES, WireError, group_numbers,
};
use super::{NewsError, threads};
use crate::item::MessageId;
use crate::source::mbox::MAIL_BYTES_MAX;
use crate::source::newsgroup::NUMBER_MAX;
use crate::source::newsgroup::frame::FrameWriter;
use crate::source::request::NewsQuestion;

/// Articles that are asked for without waiting for the first.
const PIPELINED: usize = 10;
/// The most numbers of a list.
const NUMBERS_MAX: usize = 200_000;

/// Asks one question and writes the answer to the frame.
pub(super) async fn exchange(
    lines: &mut NewsLines,
    ask: &NewsQuestion,
    group: &str,
    frame: &mut FrameWriter,
) -> Result<(), NewsError> {
    let (first, last, most, anchor, command, is_newest) = match *ask {
        NewsQuestion::ById(ref ids) => return threads::by_id(lines, ids, group, frame).await,
        NewsQuestion::Around { ref id, within } => {
            return threads::around(lines, id, within, group, frame).await;
        }
        NewsQuestion::Group => {
            send(lines, &format!("GROUP {group}")).await?;
            let (low, high) = group_numbers(lines.status().await?)?;
            frame.group(low, high);
            return Ok(());
        }
        NewsQuestion::Articles {
            first,
            last,
            most,
            anchor,
        } => (first, last, most, anchor, "ARTICLE", false),
        NewsQuestion::Newest { first, last, most } => (first, last, most, None, "ARTICLE", true),
        NewsQuestion::Heads { first, last, most } => (first, last, most, None, "HEAD", false),
    };
    let last = last.min(NUMBER_MAX);
    let listed = numbers(lines, group, (first, last), anchor, frame).await?;
    let (chosen, first, last) = match listed.len() > most {
        false => (&listed[..], first, last),
        true if is_newest => {
            let chosen = &listed[listed.len() - most..];
            (chosen, chosen[0], last)
        }
        true => (&listed[..most], first, listed[most - 1]),
    };
    frame.covers(first, last, chosen);
    read_chosen(lines, chosen, command, frame).await
}

/// Asks for these articles, a few at a time.
async fn read_chosen(
    lines: &mut NewsLines,
    chosen: &[u64],
    command: &str,
    frame: &mut FrameWriter,
) -> Result<(), NewsError> {
    for batch in chosen.chunks(PIPELINED) {
        let commands: Vec<String> = batch.iter().map(|n| format!("{command} {n}")).collect();
        send(lines, &commands.join("\r\n")).await?;
        read_batch(lines, batch, frame).await?;
        if frame.len() > ENOUGH_BYTES && batch.last() != chosen.last() {
            frame.ends_here();
            break;
        }
    }
    Ok(())
}

/// The answers to a batch of questions, which are written to the frame in the batch's order.
struct Batch<'a> {
    /// The numbers that are not written yet.
    left: &'a [u64],
    /// Articles that came before their turn; `None` for one that is too large.
    came: HashMap<u64, Option<Vec<u8>>>,
}

impl Batch<'_> {
    /// Writes the articles whose turn it is.
    fn write(&mut self, frame: &mut FrameWriter) {
        while let Some((number, rest)) = self.left.split_first()
            && let Some(article) = self.came.remove(number)
        {
            match article {
                Some(article) => frame.article(*number, &article),
                None => frame.large(*number),
            }
            self.left = rest;
        }
    }
}

/// Reads the answers to a batch of questions for articles. public-inbox 1.9 sends a refusal before the articles that were asked
/// for earlier, so the number in an answer counts, and those without an answer are absent.
async fn read_batch(
    lines: &mut NewsLines,
    numbers: &[u64],
    frame: &mut FrameWriter,
) -> Result<(), NewsError> {
    let mut batch = Batch {
        left: numbers,
        came: HashMap::new(),
    };
    for _ in numbers {
        let status = lines.status().await?;
        match status.code {
            220 | 221 => {
                let number = status.text.split_ascii_whitespace().next();
                let number = number.and_then(|number| number.parse().ok());
                let known = number.filter(|number| batch.left.contains(number));
                let Some(number) = known.filter(|number| !batch.came.contains_key(number)) else {
                    let why = format!("{} {}", status.code, status.text);
                    return Err(WireError::Nonsense(why).into());
                };
                let article = lines.article(MAIL_BYTES_MAX, PATIENCE_BYTES).await;
                if matches!(article, Err(WireError::TooBig)) {
                    // The walk goes on behind it, with another connection.
                    batch.came.insert(number, None);
                    batch.write(frame);
                }
                batch.came.insert(number, article?);
                batch.write(frame);
            }
            420 | 423 | 430 => {}
            _ => return Err(NewsError::Refused(status)),
        }
    }
    while let Some((number, rest)) = batch.left.split_first() {
        frame.absent(*number);
        batch.left = rest;
        batch.write(frame);
    }
    Ok(())
}

/// The numbers in a range that exist, ascending. Also writes the anchor's Message-ID.
async fn numbers(
    lines: &mut NewsLines,
    group: &str,
    range: (u64, u64),
    anchor: Option<u64>,
    frame: &mut FrameWriter,
) -> Result<Vec<u64>, NewsError> {
    let (first, last) = range;
    let bytes_left = lines.bytes_left;
    lines.bytes_left = bytes_left.min(LIST_BYTES_MAX);
    let (mut found, mut strange) = (Vec::new(), 0);
    let mut take = |line: &[u8]| {
        let number = line.split(|byte| byte.is_ascii_whitespace()).next();
        let number = number.and_then(|text| str::from_utf8(text).ok()?.parse::<u64>().ok());
        strange += usize::from(number.is_none());
        if let Some(number) = number.filter(|n| (first..=last).contains(n))
            && found.len() < NUMBERS_MAX
        {
            found.push(number);
        }
    };
    let mut commands = match lines.lists_no_ranges {
        true => format!("GROUP {group}"),
        false => format!("LISTGROUP {group} {first}-{last}"),
    };
    if let Some(anchor) = anchor {
        commands.push_str(&format!("\r\nSTAT {anchor}"));
    }
    send(lines, &commands).await?;
    let status = lines.status().await?;
    let mut is_listed = false;
    match status.code {
        211 if lines.lists_no_ranges => {}
        211 => {
            lines.list(&mut take).await?;
            is_listed = true;
        }
        420 | 423 => is_listed = true,
        500..=503 => {}
        _ => return Err(NewsError::Refused(status)),
    }
    if let Some(anchor) = anchor {
        read_anchor(lines, anchor, frame).await?;
    }
    // public-inbox 1.9 lists addresses in memory for a range.
    if !is_listed || strange > 0 {
        lines.lists_no_ranges = true;
        found = overview(lines, group, range, status.code != 211).await?;
    }
    found.sort_unstable();
    found.dedup();
    lines.bytes_left = bytes_left;
    Ok(found)
}

async fn read_anchor(
    lines: &mut NewsLines,
    anchor: u64,
    frame: &mut FrameWriter,
) -> Result<(), NewsError> {
    let status = lines.status().await?;
    match status.code {
        223 => {
            let id = status
                .text
                .split_ascii_whitespace()
                .nth(1)
                .unwrap_or_default();
            let id = MessageId::parse(id);
            if let Some(id) = id {
                frame.anchor(anchor, Some(id.as_str()));
            }
        }
        420 | 423 | 430 => frame.anchor(anchor, None),
        // Without a group in the answer before, there is none to look in.
        412 | 500..=503 => {}
        _ => return Err(NewsError::Refused(status)),
    }
    Ok(())
}

/// The numbers by the overview, for servers that list no range.
async fn overview(
    lines: &mut NewsLines,
    group: &str,
    (first, last): (u64, u64),
    must_select: bool,
) -> Result<Vec<u64>, NewsError> {
    if must_select {
        send(lines, &format!("GROUP {group}")).await?;
        group_numbers(lines.status().await?)?;
    }
    let mut found = Vec::new();
    for command in ["OVER", "XOVER"] {
        send(lines, &format!("{command} {first}-{last}")).await?;
        let status = lines.status().await?;
        match status.code {
            224 => {
                let take = |line: &[u8]| {
                    let number = line.split(|byte| *byte == b'\t').next();
                    let number = number.and_then(|text| str::from_utf8(text).ok()?.parse().ok());
                    let number = number.filter(|n| (first..=last).contains(n));
                    if found.len() < NUMBERS_MAX {
                        found.extend(number);
                    }
                };
                lines.list(take).await?;
                return Ok(found);
            }
            420 | 423 => return Ok(found),
            500..=503 if command == "OVER" => {}
            _ => return Err(NewsError::Refused(status)),
        }
    }
    Ok(found)
}

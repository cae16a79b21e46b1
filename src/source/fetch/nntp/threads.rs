//! Questions about single threads: articles by their Message-IDs, and the articles around one.

use super::NewsError;
use super::dial::send;
use super::wire::{
    ENOUGH_BYTES, LIST_BYTES_MAX, NewsLines, PATIENCE_BYTES, WireError, group_numbers,
};
use crate::item::MessageId;
use crate::source::mbox::MAIL_BYTES_MAX;
use crate::source::newsgroup::frame::FrameWriter;

/// The longest Message-ID that a command may have (RFC 3977, section 3.6).
const ID_BYTES_MAX: usize = 248;
/// The most articles of an overview, and the most references of each.
const NEAR_MAX: usize = 1_000;
const REFERENCES_MAX: usize = 100;
/// The places of the Message-ID and of the references in a line of an overview (RFC 3977, section 8.4).
const ID_AT: usize = 4;
const REFERENCES_AT: usize = 5;

/// Asks for articles by their Message-IDs, one after another: a server may send refusals out of order, and they name no article.
pub(super) async fn by_id(
    lines: &mut NewsLines,
    ids: &[MessageId],
    group: &str,
    frame: &mut FrameWriter,
) -> Result<(), NewsError> {
    send(lines, &format!("GROUP {group}")).await?;
    group_numbers(lines.status().await?)?;
    for (id, number) in ids.iter().zip(1..) {
        if id.as_str().len() > ID_BYTES_MAX || frame.len() > ENOUGH_BYTES {
            frame.absent(number);
            continue;
        }
        send(lines, &format!("ARTICLE <{id}>")).await?;
        let status = lines.status().await?;
        match status.code {
            220 => match lines.article(MAIL_BYTES_MAX, PATIENCE_BYTES).await? {
                // Some servers give articles of other groups as well.
                Some(article) if !is_in_group(&article, group) => frame.absent(number),
                Some(article) => frame.article(number, &article),
                None => frame.large(number),
            },
            420 | 423 | 430 => frame.absent(number),
            _ => return Err(NewsError::Refused(status)),
        }
    }
    Ok(())
}

/// Whether an article may be in a group: its `Xref:` header names it, or it has no such header.
fn is_in_group(article: &[u8], group: &str) -> bool {
    let mut lines = article.split(|&byte| byte == b'\n');
    let Some(named) = lines
        .by_ref()
        .take_while(|line| !line.trim_ascii().is_empty())
        .find(|line| line.len() > 5 && line[..5].eq_ignore_ascii_case(b"xref:"))
    else {
        return true;
    };
    let more = lines.take_while(|line| line.starts_with(b" ") || line.starts_with(b"\t"));
    let named = std::iter::once(named).chain(more);
    let text: Vec<u8> = named.flat_map(|line| line.iter().copied()).collect();
    let text = String::from_utf8_lossy(&text);
    text.split_ascii_whitespace()
        .filter_map(|place| place.rsplit_once(':'))
        .any(|(name, _)| name.eq_ignore_ascii_case(group))
}

/// Asks for the overview of the articles around one.
pub(super) async fn around(
    lines: &mut NewsLines,
    id: &MessageId,
    within: u64,
    group: &str,
    frame: &mut FrameWriter,
) -> Result<(), NewsError> {
    send(lines, &format!("GROUP {group}")).await?;
    let (low, high) = group_numbers(lines.status().await?)?;
    send(lines, &format!("STAT <{id}>")).await?;
    let status = lines.status().await?;
    let number = match status.code {
        // The number is 0 if the article is in another group. Some servers give its number there.
        223 => status.text.split_ascii_whitespace().next(),
        420 | 423 | 430 => None,
        _ => return Err(NewsError::Refused(status)),
    };
    let number = number.and_then(|number| number.parse::<u64>().ok());
    frame.around();
    let Some(number) = number.filter(|number| *number > 0 && (low..=high).contains(number)) else {
        return Ok(());
    };
    send(lines, &format!("STAT {number}")).await?;
    let status = lines.status().await?;
    let found = status.text.split_ascii_whitespace().nth(1);
    if status.code != 223 || found.and_then(MessageId::parse).as_ref() != Some(id) {
        return Ok(());
    }
    let first = number.saturating_sub(within).max(low);
    let last = number.saturating_add(within).min(high);
    let bytes_left = lines.bytes_left;
    lines.bytes_left = bytes_left.min(LIST_BYTES_MAX);
    for command in ["OVER", "XOVER"] {
        send(lines, &format!("{command} {first}-{last}")).await?;
        let status = lines.status().await?;
        match status.code {
            224 => {
                read_overview(lines, frame).await?;
                break;
            }
            420 | 423 => break,
            500..=503 if command == "OVER" => {}
            _ => return Err(NewsError::Refused(status)),
        }
    }
    lines.bytes_left = bytes_left;
    Ok(())
}

async fn read_overview(lines: &mut NewsLines, frame: &mut FrameWriter) -> Result<(), WireError> {
    let mut near = 0;
    lines
        .list(|line| {
            let Ok(line) = str::from_utf8(line) else {
                return;
            };
            let mut fields = line.split('\t').skip(ID_AT);
            let Some(id) = fields.next().and_then(MessageId::parse) else {
                return;
            };
            let above = fields.nth(REFERENCES_AT - ID_AT - 1).unwrap_or_default();
            let above = above.split_ascii_whitespace().filter_map(MessageId::parse);
            let above: Vec<MessageId> = above.take(REFERENCES_MAX).collect();
            let above: Vec<&str> = above.iter().map(MessageId::as_str).collect();
            near += 1;
            if near <= NEAR_MAX {
                frame.near(id.as_str(), &above);
            }
        })
        .await
}

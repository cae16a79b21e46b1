//! Reads an archive's answers: an Atom document, an mbox, a 404 that means "no mails".

use std::io::Read as _;

use chrono::{DateTime, Utc};
use url::Url;

use crate::item::{Detail, Item, ItemData, MessageId, Person, diff, prose};
use crate::source::mbox::{Gunzip, Mails};
use crate::source::{Answer, BULK_BYTES_MAX, Body, FetchError, Page, mail, wire};

/// Whether mails of this address are fetched raw, for their headers, which the Atom lacks. pr-tracker-bot puts its findings
/// there. For bots that report applied patches, the archive's server says there whether the sender is genuine.
pub(super) fn is_read_raw(email: &str) -> bool {
    const WHOLE: [&str; 3] = [
        "pr-tracker-bot@kernel.org",
        "tip-bot2@linutronix.de",
        "tip-bot@zytor.com",
    ];
    let is_patchwork = email.starts_with("patchwork-bot") && email.ends_with("@kernel.org");
    is_patchwork || WHOLE.contains(&email)
}

/// How much of an mbox is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::source) struct MboxLimits {
    /// The most bytes of a decompressed mbox; a larger one is a bomb, or covers too long a time.
    pub(in crate::source) unpacked_bytes: u64,
    /// The most mails; a small file may unpack to millions.
    pub(in crate::source) mails: usize,
    /// The most memory for the mails, in bytes.
    pub(in crate::source) mails_bytes: usize,
}

/// The limits of the mbox of a range of time.
const RANGE_LIMITS: MboxLimits = MboxLimits {
    unpacked_bytes: BULK_BYTES_MAX * 4,
    mails: 50_000,
    mails_bytes: 128 << 20,
};

/// The first bytes of a gzip file.
pub(crate) const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The Message-ID at the end of a link: `BASE/MESSAGE-ID/`, percent-encoded.
pub(super) fn linked_id(link: &str) -> Option<MessageId> {
    let path = link.split(['?', '#']).next()?.trim_end_matches('/');
    let (_, encoded) = path.rsplit_once('/')?;
    let bytes = percent_encoding::percent_decode_str(encoded);
    mail::message_id(&bytes.decode_utf8_lossy())
}

pub(super) fn message(entry: wire::AtomEntry) -> Result<Item, String> {
    let id = linked_id(&entry.link).ok_or_else(|| {
        format!(
            "an entry's link names no Message-ID: {}",
            prose::shorten(&entry.link, 120)
        )
    })?;
    // An odd Message-ID is kept without its odd characters, so only the archive's own link leads to the mail.
    let link = percent_encoding::percent_decode_str(entry.link.trim_end_matches('/'));
    let is_odd = !link.collect::<Vec<u8>>().ends_with(id.as_str().as_bytes());
    Ok(Item {
        what: ItemData::Message {
            in_reply_to: linked_id(&entry.in_reply_to).filter(|parent| *parent != id),
            id,
        },
        // public-inbox escapes a subject once and calls it HTML: read as such, `<linux/bpf.h>` would be a tag.
        title: entry.plain_title,
        author: Person {
            name: entry.author,
            email: entry.email,
        },
        url: is_odd.then_some(entry.link),
        at: entry.updated,
        written_at: None,
        text: prose::without_diffs(&entry.text),
        headers: diff::headers(&entry.text),
        detail: Detail::Entry,
    })
}

/// Whether a 404 means "no mails": an empty archive, a search without results.
pub(super) fn means_none(error: &FetchError) -> bool {
    const WORDS: [&str; 4] = [
        "search results",
        "No results found",
        "No feed found",
        "No messages",
    ];
    match error {
        FetchError::Missing { page, .. } => WORDS.iter().any(|words| page.contains(words)),
        _ => false,
    }
}

/// A search past its last result returns the closing tag alone.
pub(super) fn is_past_the_end(answer: &Answer) -> bool {
    matches!(&answer.body, Body::Bytes { bytes, .. } if bytes.trim_ascii() == b"</feed>")
}

pub(super) fn unpacks_to_too_much(url: &Url) -> FetchError {
    FetchError::TooBig {
        why: format!(
            "{}: unpacks to more than {} bytes",
            url.path(),
            RANGE_LIMITS.unpacked_bytes
        ),
    }
}

/// Reads a gzipped (or plain) mbox of a range of time; `None` if it exceeds the limits.
pub(super) fn read_mbox(bytes: &[u8]) -> std::io::Result<Option<Page>> {
    let (page, is_whole) = read_mbox_within(bytes, RANGE_LIMITS)?;
    Ok(is_whole.then_some(page))
}

/// Reads a gzipped (or plain) mbox up to these limits; also returns whether that is all of it.
pub(in crate::source) fn read_mbox_within(
    bytes: &[u8],
    limits: MboxLimits,
) -> std::io::Result<(Page, bool)> {
    let mut page = Page::default();
    if !bytes.starts_with(&GZIP_MAGIC) {
        let is_whole = items_within(bytes, limits, &mut page)?;
        return Ok((page, is_whole));
    }
    let unpacked = Gunzip::new(bytes).take(limits.unpacked_bytes);
    let mut reader = std::io::BufReader::with_capacity(1 << 16, unpacked);
    let is_whole = match items_within(&mut reader, limits, &mut page) {
        Err(e) if e.kind() == std::io::ErrorKind::FileTooLarge => false,
        read => read? && reader.get_ref().limit() > 0,
    };
    Ok((page, is_whole))
}

/// Adds the mails of an mbox to a page; returns whether they all fit.
pub(super) fn mbox_items(mbox: impl std::io::BufRead, page: &mut Page) -> std::io::Result<bool> {
    items_within(mbox, RANGE_LIMITS, page)
}

fn items_within(
    mbox: impl std::io::BufRead,
    limits: MboxLimits,
    page: &mut Page,
) -> std::io::Result<bool> {
    let (mut mails, mut bytes) = (0, 0);
    for raw in Mails::new(mbox) {
        if mails >= limits.mails || bytes >= limits.mails_bytes {
            return Ok(false);
        }
        mails += 1;
        let read = match raw? {
            Ok(raw) => mail::message(&raw.contents, arrival(raw.internal_date)),
            Err(too_large) => Err(too_large.to_string()),
        };
        match read {
            Ok(item) => {
                bytes += item.bytes();
                page.items.push(item);
            }
            Err(fault) => page.faults.push(fault),
        }
    }
    Ok(true)
}

/// The arrival time in an mbox's `From ` line; the epoch means that there is none.
pub(crate) fn arrival(internal_date: u64) -> Option<DateTime<Utc>> {
    let at = i64::try_from(internal_date)
        .ok()
        .filter(|&at| at > 86_400)?;
    DateTime::from_timestamp(at, 0)
}

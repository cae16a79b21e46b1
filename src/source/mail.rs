//! Reads a raw mail (RFC 5322 with MIME) into an item.

use std::borrow::Cow;

use chrono::{DateTime, TimeZone as _, Utc};
use mail_parser::{Address, Header, HeaderName, HeaderValue, MessageParser};

use crate::item::{DKIM_HEADER, Detail, Item, ItemData, MessageId, Person, diff, prose};
use crate::source::{authentication, mime, wire};

/// Headers that are kept as they are: recipients, answered mails, and the signs of a mail that a program wrote.
const HEADERS_KEPT: [&str; 10] = [
    "To",
    "Cc",
    "References",
    "In-Reply-To",
    "List-Id",
    "Reply-To",
    "User-Agent",
    "X-Mailer",
    "Auto-Submitted",
    "Precedence",
];
/// Headers with these prefixes are kept too: patchwork's and pr-tracker-bot's.
const HEADER_PREFIXES_KEPT: [&str; 2] = ["X-PR-", "X-Patchwork-"];
/// The most bytes that are kept of one header; a Cc line of a tree-wide series is long.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// The most headers that are kept of one mail.
const HEADERS_MAX: usize = 64;

/// Reads a raw mail. `arrived_at` is its arrival at the archive, if an mbox's `From ` line says it; otherwise the topmost
/// readable `Received:` header counts, then `Date:`. A mail without Message-ID gets one from a hash of its bytes.
///
/// # Errors
///
/// A message for a person if it is no mail.
pub fn message(raw: &[u8], arrived_at: Option<DateTime<Utc>>) -> Result<Item, String> {
    let (head, body) = mime::head_and_body(raw);
    let mail = MessageParser::default()
        .parse_headers(&head)
        .ok_or("not a mail: no headers")?;
    let id = match mail
        .message_id()
        .and_then(MessageId::parse)
        .or_else(|| raw_id(&mail))
    {
        Some(id) => id,
        None if mail.subject().is_none() && mail.from().is_none() => {
            return Err("not a mail: no headers".to_owned());
        }
        None => MessageId::parse(&format!(
            "{}@no-message-id.invalid",
            &crate::item::ItemKey::content(&String::from_utf8_lossy(raw)).as_str()[5..]
        ))
        .expect("hexadecimal digits make a Message-ID"),
    };
    let written_at = mail
        .date()
        .and_then(|date| Utc.timestamp_opt(date.to_timestamp(), 0).single());
    let received_at = mail
        .headers()
        .iter()
        .filter(|header| header.name == HeaderName::Received)
        .find_map(|header| match &header.value {
            HeaderValue::Received(received) => received.date().map(|date| date.to_timestamp()),
            HeaderValue::Text(text) => text.rsplit_once(';').and_then(|(_, date)| {
                DateTime::parse_from_rfc2822(date.trim())
                    .ok()
                    .map(|date| date.timestamp())
            }),
            _ => None,
        })
        .and_then(|at| Utc.timestamp_opt(at, 0).single());
    let in_reply_to = ids(mail.in_reply_to())
        .into_iter()
        .next_back()
        .or_else(|| ids(mail.references()).into_iter().next_back());
    let text = mime::text(&mail, body);
    let author = person(mail.from());
    let mut headers = headers(&mail, &head);
    // The topmost one.
    let mut all = mail.headers().iter();
    let judged = all
        .find(|header| header.name().eq_ignore_ascii_case("Authentication-Results"))
        .and_then(|header| raw_value(header, &head));
    if judged.is_some_and(|judged| authentication::denies_sender(&judged, &author.email)) {
        headers.push((DKIM_HEADER.to_owned(), "none".to_owned()));
    }
    headers.extend(diff::headers(&text));
    Ok(Item {
        what: ItemData::Message {
            in_reply_to: in_reply_to.filter(|parent| *parent != id),
            id,
        },
        title: wire::one_line(mail.subject().unwrap_or_default()),
        author,
        url: None,
        at: arrived_at.or(received_at).or(written_at),
        written_at,
        text: prose::without_diffs(&text),
        headers,
        detail: Detail::Whole,
    })
}

/// The Message-ID from a header that the parser rejects, for example one with spaces inside.
fn raw_id(mail: &mail_parser::Message<'_>) -> Option<MessageId> {
    message_id(mail.header_raw("Message-ID")?)
}

/// A Message-ID without white space, control characters and brackets inside.
pub(super) fn message_id(raw: &str) -> Option<MessageId> {
    let inside = raw
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    let raw = inside.map_or(raw, |(id, _)| id);
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>';
    MessageId::parse(&raw.replace(is_odd, ""))
}

fn ids(value: &HeaderValue<'_>) -> Vec<MessageId> {
    match value {
        HeaderValue::Text(id) => MessageId::parse(id).into_iter().collect(),
        HeaderValue::TextList(list) => list.iter().filter_map(|id| MessageId::parse(id)).collect(),
        _ => Vec::new(),
    }
}

fn person(from: Option<&Address<'_>>) -> Person {
    let first = from.and_then(Address::first);
    Person {
        name: wire::one_line(first.and_then(|a| a.name()).unwrap_or_default()),
        email: wire::one_line(first.and_then(|a| a.address()).unwrap_or_default()),
    }
}

fn headers(mail: &mail_parser::Message<'_>, head: &[u8]) -> Vec<(String, String)> {
    mail.headers()
        .iter()
        .filter(|header| {
            let name = header.name();
            HEADERS_KEPT
                .iter()
                .any(|kept| kept.eq_ignore_ascii_case(name))
                || HEADER_PREFIXES_KEPT.iter().any(|kept| {
                    name.get(..kept.len())
                        .is_some_and(|head| head.eq_ignore_ascii_case(kept))
                })
        })
        .filter_map(|header| {
            let mut value = wire_line(&raw_value(header, head)?);
            value.truncate(value.floor_char_boundary(HEADER_BYTES_MAX));
            Some((header.name().to_owned(), value))
        })
        .take(HEADERS_MAX)
        .collect()
}

/// The value of a header as it was sent.
fn raw_value<'a>(header: &Header<'_>, head: &'a [u8]) -> Option<Cow<'a, str>> {
    let value = head.get(header.offset_start() as usize..header.offset_end() as usize)?;
    Some(String::from_utf8_lossy(value))
}

/// A header, unfolded to one line.
fn wire_line(text: &str) -> String {
    wire::joined(text.split_whitespace(), HEADER_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(raw: &str) -> Item {
        message(raw.as_bytes(), None).expect("a mail")
    }

    /// public-inbox appends an id of its own if the first one belongs to another mail, and its Atom uses that one.
    #[test]
    fn the_last_message_id_counts_and_odd_characters_do_not() {
        let key = |raw: &str| read(&format!("{raw}\nSubject: x\n\nx\n")).key().to_string();
        assert_eq!(key("Message-ID: <1@x>\nMessage-ID: <2@z>"), "message:2@z");
        assert_eq!(key("Message-ID: <a b@x>"), "message:ab@x");
        assert_eq!(key("Message-ID: <a@x> (a comment)"), "message:a@x");
    }

    #[test]
    fn a_sender_that_the_last_server_denies_is_marked() {
        let is_marked = |results: &str| {
            let item = read(&format!("{results}From: b@x.example\nSubject: x\n\nx\n"));
            item.headers.iter().any(|(name, _)| name == DKIM_HEADER)
        };
        let pass = "Authentication-Results: mx;\n\tdkim=pass\n\theader.d=x.example\n";
        let none = "Authentication-Results: mx; dkim=none\n";
        assert!(!is_marked("") && !is_marked(pass) && is_marked(none));
        // The sender may add the lower one.
        assert!(is_marked(&format!("{none}{pass}")) && !is_marked(&format!("{pass}{none}")));
        assert!(!is_marked(&format!("{DKIM_HEADER}: none\n")));
    }

    #[test]
    fn headers_of_automatic_mails_are_kept() {
        let item = read(
            "From: a@b.c\nSubject: x\nAuto-Submitted: auto-generated\nPrecedence: bulk\nX-Other: no\n\nx\n",
        );
        let names: Vec<&str> = item.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Auto-Submitted", "Precedence"]);
    }

    #[test]
    fn a_mail_is_read_whole() {
        let item = read(
            "Received: from a by b; Thu, 02 Jan 2025 10:00:01 +0000\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@x.y>\r\n\
             To: bpf@x\r\nSubject: [PATCH bpf\r\n v2] fix\r\nDate: Wed, 1 Jan 2025 12:00:00 +0200\r\nMessage-Id:\r\n <1@x.y>\r\n\
             In-Reply-To: <0@x.y>\r\nX-PR-Tracked-Commit-Id: abc\r\nX-Other: no\r\n\
             Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9\r\n",
        );
        assert_eq!(item.key().as_str(), "message:1@x.y");
        assert_eq!(
            (item.author.name.as_str(), item.title.as_str()),
            ("Jörg", "[PATCH bpf v2] fix")
        );
        assert_eq!(item.text, "café");
        assert_eq!(item.at, wire::date("2025-01-02T10:00:01Z"));
        assert_eq!(item.written_at, wire::date("2025-01-01T10:00:00Z"));
        let ItemData::Message { in_reply_to, .. } = &item.what else {
            panic!("a message")
        };
        assert_eq!(in_reply_to.as_ref().map(MessageId::as_str), Some("0@x.y"));
        let kept: Vec<_> = item
            .headers
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            kept,
            [
                "To=bpf@x",
                "In-Reply-To=<0@x.y>",
                "X-PR-Tracked-Commit-Id=abc"
            ]
        );
    }

    #[test]
    fn broken_mails_are_kept_as_far_as_they_go() {
        assert!(message(b"", None).is_err());
        assert!(message(b"\n\nno headers", None).is_err());
        let without_id = read("From: a@b.c\nSubject: x\n\nbody");
        assert!(
            without_id
                .key()
                .as_str()
                .ends_with("@no-message-id.invalid")
        );
        assert_eq!(without_id.at, None);
        let answers_itself = read("Message-ID: <1@x>\nIn-Reply-To: <1@x>\nSubject: x\n\nbody");
        assert!(matches!(
            answers_itself.what,
            ItemData::Message {
                in_reply_to: None,
                ..
            }
        ));
        let by_references = read("Message-ID: <3@x>\nReferences: <1@x> <2@x>\nSubject: x\n\nbody");
        assert!(
            matches!(by_references.what, ItemData::Message { in_reply_to: Some(id), .. } if id.as_str() == "2@x")
        );
    }
}

//! Finds the text of a mail: the MIME parts for readers, in bounded depth, number and time.
//!
//! mail-parser reads headers and decodes bodies. It follows mails within mails without a limit, so this module finds the parts
//! itself.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, Message, MessageParser, MimeHeaders};

use super::html::html_text;
use crate::item::prose;

/// The most bytes that are read of the headers of a mail, and of a part.
const HEAD_BYTES_MAX: usize = 256 * 1024;
const PART_HEAD_BYTES_MAX: usize = 16 * 1024;
/// The longest header, and the longest `Content-` header, in bytes. The time to read a list of parameters grows with the square
/// of its length.
const HEADER_BYTES_MAX: usize = 64 * 1024;
const PART_HEADER_BYTES_MAX: usize = 4 * 1024;
/// The deepest nesting of parts that is read.
const DEPTH_MAX: usize = 8;
/// The most parts that are read of one mail.
const PARTS_MAX: usize = 200;

/// Splits a mail or a part into its headers, with the empty line behind them, and its body. Headers that are too long are cut.
pub(super) fn split(raw: &[u8], head_bytes_max: usize) -> (&[u8], &[u8]) {
    let mut at = 0;
    loop {
        let rest = &raw[at..];
        let line = memchr::memchr(b'\n', rest).map_or(rest, |end| &rest[..=end]);
        at += line.len();
        if matches!(line, b"\n" | b"\r\n" | b"") {
            return (&raw[..at.min(head_bytes_max)], &raw[at..]);
        }
    }
}

/// A mail's headers, without those that are too long, and its body.
pub(super) fn head_and_body(raw: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let (head, body) = split(raw, HEAD_BYTES_MAX);
    (without_long_headers(head), body)
}

fn without_long_headers(head: &[u8]) -> Cow<'_, [u8]> {
    if head.len() <= PART_HEADER_BYTES_MAX {
        return head.into();
    }
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < head.len() {
        let header = &head[at..at + header_length(&head[at..])];
        at += header.len();
        let name = header.trim_ascii_start();
        let is_about_part = name.len() > 8 && name[..8].eq_ignore_ascii_case(b"content-");
        let most = if is_about_part {
            PART_HEADER_BYTES_MAX
        } else {
            HEADER_BYTES_MAX
        };
        if header.len() <= most {
            kept.extend_from_slice(header);
        }
    }
    if kept.len() == head.len() {
        return head.into();
    }
    kept.into()
}

/// The length of the header that begins here, with its continuation lines.
fn header_length(head: &[u8]) -> usize {
    let mut at = 0;
    while let Some(end) = memchr::memchr(b'\n', &head[at..]) {
        at += end + 1;
        if !matches!(head.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
    head.len()
}

/// The text of a mail: its inline parts in order, HTML only if there is no plain text, and then attached patches.
pub(super) fn text(head: &Message<'_>, body: &[u8]) -> String {
    let mut found = TextFinder::default();
    let shown = found.part(Some(head), body, PartPlace::Root, true, 0);
    let mut text = String::new();
    for part in shown {
        text.push_str(&part.text());
        text.push('\n');
    }
    // An attached patch carries its commit message.
    for part in found.patches {
        if text.len() < prose::TEXT_BYTES_MAX {
            text.push_str(&part.text());
        }
    }
    text
}

/// The container that a part is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartPlace {
    /// None: it is the whole mail.
    Root,
    /// `multipart/mixed` or another kind that shows all its parts.
    Mixed,
    /// `multipart/related`: a text with its images.
    Related,
    /// `multipart/digest`: a list of mails.
    Digest,
}

struct TextPart<'a> {
    body: &'a [u8],
    encoding: Option<String>,
    charset: Option<String>,
    is_html: bool,
}

impl TextPart<'_> {
    fn text(&self) -> String {
        let bytes = decoded(self.body, self.encoding.as_deref());
        let charset = self.charset.as_deref();
        let text = match charset.and_then(|name| charset_decoder(name.as_bytes())) {
            Some(decode) => decode(&bytes),
            None => String::from_utf8_lossy(&bytes).into_owned(),
        };
        if self.is_html { html_text(&text) } else { text }
    }
}

/// Decodes a body; returns it unchanged if it is not in that encoding.
fn decoded<'a>(body: &'a [u8], encoding: Option<&str>) -> Cow<'a, [u8]> {
    let mut stream = MessageStream::new(body);
    let (end, bytes) = match encoding.map(|name| name.trim().to_ascii_lowercase()) {
        Some(name) if name == "base64" => stream.decode_base64_mime(b""),
        Some(name) if name == "quoted-printable" => stream.decode_quoted_printable_mime(b""),
        _ => return body.into(),
    };
    match end {
        usize::MAX => body.into(),
        _ => bytes,
    }
}

#[derive(Default)]
struct TextFinder<'a> {
    parts: usize,
    patches: Vec<TextPart<'a>>,
}

impl<'a> TextFinder<'a> {
    /// The texts of a part for readers. `head` is `None` for a part without headers.
    fn part(
        &mut self,
        head: Option<&Message<'_>>,
        body: &'a [u8],
        place: PartPlace,
        is_first: bool,
        depth: usize,
    ) -> Vec<TextPart<'a>> {
        self.parts += 1;
        let kind = head.and_then(|head| head.content_type());
        let (kind_of, subtype) = match kind {
            Some(kind) => (
                kind.ctype().to_ascii_lowercase(),
                kind.subtype().unwrap_or_default().to_ascii_lowercase(),
            ),
            None if place == PartPlace::Digest => return Vec::new(),
            None => ("text".to_owned(), "plain".to_owned()),
        };
        if kind_of == "multipart" {
            let boundary = kind.and_then(|kind| kind.attribute("boundary"));
            let boundary = boundary.filter(|boundary| !boundary.is_empty());
            return boundary.map_or_else(Vec::new, |boundary| {
                self.parts_of(body, boundary, &subtype, depth)
            });
        }
        if kind_of != "text" {
            return Vec::new();
        }
        let part = TextPart {
            body,
            encoding: head
                .and_then(|head| head.content_transfer_encoding())
                .map(str::to_owned),
            charset: kind
                .and_then(|kind| kind.attribute("charset"))
                .map(str::to_owned),
            is_html: subtype == "html",
        };
        let is_text = ["plain", "html"].contains(&subtype.as_str());
        let disposition = head.and_then(|head| head.content_disposition());
        let is_named = kind.is_some_and(|kind| kind.has_attribute("name"));
        if is_text
            && !disposition.is_some_and(ContentType::is_attachment)
            && (is_first || (place != PartPlace::Related && !is_named))
        {
            return vec![part];
        }
        let name = head.and_then(|head| head.attachment_name());
        let is_patch = |name: &str| name.ends_with(".patch") || name.ends_with(".diff");
        if !part.is_html && name.is_some_and(is_patch) {
            self.patches.push(part);
        }
        Vec::new()
    }

    fn parts_of(
        &mut self,
        body: &'a [u8],
        boundary: &str,
        subtype: &str,
        depth: usize,
    ) -> Vec<TextPart<'a>> {
        let place = match subtype {
            "related" => PartPlace::Related,
            "digest" => PartPlace::Digest,
            _ => PartPlace::Mixed,
        };
        let mut shown = Vec::new();
        if depth >= DEPTH_MAX {
            return shown;
        }
        for (number, part) in PartIterator::new(body, boundary).enumerate() {
            if self.parts >= PARTS_MAX {
                break;
            }
            let (head, body) = split(part, PART_HEAD_BYTES_MAX);
            let head = without_long_headers(head);
            let headers = MessageParser::new()
                .with_mime_headers()
                .parse_headers(&head);
            shown.extend(self.part(headers.as_ref(), body, place, number == 0, depth + 1));
        }
        if subtype == "alternative" && shown.iter().any(|part| !part.is_html) {
            shown.retain(|part| !part.is_html);
        }
        shown
    }
}

/// Iterates over the parts between boundary lines; the last may lack its closing line.
struct PartIterator<'a> {
    rest: Option<&'a [u8]>,
    line: Vec<u8>,
}

impl<'a> PartIterator<'a> {
    fn new(body: &'a [u8], boundary: &str) -> Self {
        let line = format!("--{boundary}").into_bytes();
        let mut parts = Self { rest: None, line };
        parts.rest = parts.next_line(body).and_then(|(_, rest)| rest);
        parts
    }

    /// The text before the next boundary line, and the text behind it unless that line is the last.
    fn next_line(&self, text: &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
        for at in memchr::memmem::find_iter(text, &self.line) {
            let begins = at == 0 || text[at - 1] == b'\n';
            let behind = &text[at + self.line.len()..];
            let end = memchr::memchr(b'\n', behind).map_or(behind.len(), |end| end + 1);
            let ending = behind[..end].trim_ascii_end();
            if !begins || !(ending.is_empty() || ending.starts_with(b"--")) {
                continue;
            }
            // The line break before it belongs to the boundary.
            let part = &text[..at.saturating_sub(1)];
            let part = part.strip_suffix(b"\r").unwrap_or(part);
            return Some((part, ending.is_empty().then_some(&behind[end..])));
        }
        None
    }
}

impl<'a> Iterator for PartIterator<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.take()?;
        match self.next_line(text) {
            Some((part, rest)) => {
                self.rest = rest;
                Some(part)
            }
            None => Some(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn read(raw: &str) -> String {
        let (head, body) = head_and_body(raw.as_bytes());
        let head = MessageParser::default()
            .parse_headers(&head)
            .expect("headers");
        text(&head, body)
    }

    fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
        let parts: String = parts
            .iter()
            .map(|part| format!("--{boundary}\n{part}\n"))
            .collect();
        format!(
            "Content-Type: multipart/{kind}; boundary=\"{boundary}\"\n\npreamble\n{parts}--{boundary}--\nepilogue\n"
        )
    }

    const PLAIN: &str = "Content-Type: text/plain\n\nplain";
    const HTML: &str = "Content-Type: text/html\n\n<p>html";
    const PATCH: &str = "Content-Type: text/x-patch; name=a.patch\nContent-Disposition: attachment; filename=a.patch\n\npatch";
    const OTHER: &str = "Content-Type: text/plain; name=b.txt\n\nother";

    #[test]
    fn parts_for_readers_are_read() {
        let inner = multipart("alternative", "in", &[PLAIN, HTML]);
        let related = multipart("related", "rel", &[HTML, "Content-Type: image/png\n\nx"]);
        let mail = "Content-Type: message/rfc822\n\nSubject: x\n\nwithin";
        #[rustfmt::skip]
        let table = [
            ("one part", PLAIN.to_owned(), "plain\n"),
            ("HTML alone", HTML.to_owned(), "html\n"),
            ("no headers of its own", multipart("mixed", "b", &["\nbare"]), "bare\n"),
            ("the plain one of two", multipart("alternative", "b", &[PLAIN, HTML]), "plain\n"),
            ("HTML where there is no other", multipart("alternative", "b", &[HTML]), "html\n"),
            ("HTML with what it needs", multipart("alternative", "b", &[PLAIN, &related]), "plain\n"),
            ("parts of parts", multipart("mixed", "b", &[&inner, PATCH, OTHER]), "plain\npatch"),
            ("mails within are not", multipart("mixed", "b", &[PLAIN, mail]), "plain\n"),
            ("nor those of a digest", multipart("digest", "b", &["\nSubject: x\n\nwithin"]), ""),
            ("a boundary like another's start", multipart("mixed", "in-", &[&inner]), "plain\n"),
            ("no boundary", "Content-Type: multipart/mixed; boundary=b\n\nx".to_owned(), ""),
            ("a part that ends with the mail", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx".to_owned(), "x\n"),
            ("base64", "Content-Transfer-Encoding: base64\n\ncGxh\naW4=".to_owned(), "plain\n"),
            ("what is none", "Content-Transfer-Encoding: base64\n\n!!".to_owned(), "!!\n"),
            ("quoted-printable", "Content-Transfer-Encoding: Quoted-Printable\n\npl=\nai=6E".to_owned(), "plain\n"),
        ];
        for (name, raw, wanted) in table {
            assert_eq!(read(&raw), wanted, "{name}");
        }
    }

    #[test]
    fn headers_that_are_too_long_are_passed_over() {
        let long = format!("Content-Type: text/html; {}", "a*1=b;".repeat(10_000));
        assert_eq!(read(&format!("Subject: x\n{long}\n\nbody")), "body\n");
        let lists = format!("Cc: {}", "a@b.example,\n ".repeat(3_000));
        assert_eq!(read(&format!("{lists}x@y\n{HTML}")), "html\n");
    }

    /// Each of these once overflowed the stack, or took time that grew with the square of the mail.
    #[test]
    fn nested_or_broken_mails_take_bounded_time() {
        let nested = "Content-Type: message/rfc822\n\n".repeat(40_000);
        let parts: String = (0..40_000)
            .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n"))
            .collect();
        let unfound = format!(
            "Content-Type: multipart/mixed; boundary=b\n\n{}",
            "--b\nContent-Type: multipart/mixed; boundary=c\n\n".repeat(40_000)
        );
        let words = format!("Subject: {}\n\nx", "=?utf-8?q?".repeat(6_000));
        for raw in [nested, parts, unfound, words] {
            let started = Instant::now();
            read(&raw);
            assert!(started.elapsed() < Duration::from_secs(2), "{}", &raw[..20]);
        }
    }
}

//! Wire formats: bytes to text, HTML to plain text, and the entries of an Atom document.
//!
//! feed-rs reads all other feeds. It drops the answered mail and the white space of a mail, so this module reads the entries of
//! public-inbox and cgit itself.

use chrono::{DateTime, Utc};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::html::html_text;

/// A longer title is abuse.
const TITLE_CHARS_MAX: usize = 1_000;
/// The deepest nesting of an honest document; deeper nesting attacks readers that recurse.
const DEPTH_MAX: usize = 200;

/// An honest Atom document has a few hundred entries at most.
const ENTRIES_MAX: usize = 10_000;
/// The most of a title that is read, in bytes.
const TITLE_BYTES_MAX: usize = 64 * 1024;

/// Decodes a document by its byte order mark, or the charset of the Content-Type, or the XML declaration, or as UTF-8. Bytes
/// that are invalid in that charset are read as Windows-1252, as browsers do. The result lacks the XML declaration, because
/// its encoding no longer applies.
pub(crate) fn decode(bytes: &[u8], charset: Option<&str>) -> String {
    let claimed = charset
        .and_then(|label| Encoding::for_label(label.trim().as_bytes()))
        .or_else(|| declared(bytes))
        .unwrap_or(UTF_8);
    let (text, _, malformed) = claimed.decode(bytes);
    // Latin text is hardly ever valid UTF-8 by chance, so valid UTF-8 overrides a server's default charset.
    let text = if (malformed || claimed == WINDOWS_1252) && std::str::from_utf8(bytes).is_ok() {
        UTF_8.decode(bytes).0
    } else if malformed {
        WINDOWS_1252.decode(bytes).0
    } else {
        text
    };
    match text
        .trim_start()
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split_once("?>"))
    {
        Some((_, document)) => document.to_owned(),
        None => text.into_owned(),
    }
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let declaration = head.trim_start().strip_prefix("<?xml")?.split_once("?>")?.0;
    let value = declaration
        .split_once("encoding")?
        .1
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let quote = value.chars().next().filter(|c| ['"', '\''].contains(c))?;
    Encoding::for_label(value[1..].split_once(quote)?.0.as_bytes())
}

/// One line of plain text: control characters and runs of white space become one space, and the line is cut at
/// [`TITLE_CHARS_MAX`] characters.
pub(crate) fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut line = joined(words, TITLE_CHARS_MAX * 4);
    if let Some((end, _)) = line.char_indices().nth(TITLE_CHARS_MAX) {
        line.truncate(end);
    }
    line
}

/// Joins words with a space until the line has so many bytes; the last word may exceed them.
pub(crate) fn joined<'a>(words: impl Iterator<Item = &'a str>, bytes: usize) -> String {
    let mut line = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if line.len() > bytes {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        // One word may be a whole document.
        let rest = bytes.saturating_sub(line.len()) + 4;
        line.push_str(&word[..word.floor_char_boundary(rest)]);
    }
    line
}

/// The text of a title that may be HTML: markup and entities are undone, and `<linux/bpf.h>` stays.
pub(crate) fn title_text(raw: &str, is_html: bool) -> String {
    const TAGS: [&str; 16] = [
        "i", "b", "em", "strong", "code", "a", "span", "tt", "sub", "sup", "br", "p", "cite", "q",
        "u", "s",
    ];
    let raw = &raw[..raw.floor_char_boundary(TITLE_BYTES_MAX)];
    let has_tag = raw.match_indices('<').any(|(at, _)| {
        let name: String = raw[at + 1..]
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let after = raw[at + 1..]
            .trim_start_matches('/')
            .get(name.len()..)
            .and_then(|rest| rest.chars().next());
        TAGS.contains(&name.to_ascii_lowercase().as_str()) && matches!(after, Some('>' | ' ' | '/'))
    });
    let text = if is_html || has_tag {
        html_text(raw)
    } else if raw.contains('&') {
        html_text(&raw.replace('<', "&lt;"))
    } else {
        raw.to_owned()
    };
    one_line(&text)
}

/// A date of Atom or of cgit's pages (`2026-07-30 11:20:16 -0700`).
pub(crate) fn date(raw: &str) -> Option<DateTime<Utc>> {
    let raw = raw.trim();
    DateTime::parse_from_rfc3339(raw)
        .or_else(|_| DateTime::parse_from_str(raw, "%Y-%m-%d %H:%M:%S %z"))
        .ok()
        .map(|date| date.to_utc())
}

/// An entry of an Atom document.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct AtomEntry {
    /// `<id>`.
    pub(crate) id: String,
    /// `<title>` as one line of plain text.
    pub(crate) title: String,
    /// `<title>` as one line with only XML's own escapes undone, for feeds that wrongly call it HTML.
    pub(crate) plain_title: String,
    /// `<author><name>`.
    pub(crate) author: String,
    /// `<author><email>`.
    pub(crate) email: String,
    /// `<published>`.
    pub(crate) published: Option<DateTime<Utc>>,
    /// `<updated>`.
    pub(crate) updated: Option<DateTime<Utc>>,
    /// The first `<link>` whose `rel` is absent or `alternate`.
    pub(crate) link: String,
    /// `<thr:in-reply-to href>`.
    pub(crate) in_reply_to: String,
    /// `<content>` as plain text, white space kept.
    pub(crate) text: String,
}

/// Reads the entries of an Atom document.
///
/// # Errors
///
/// A message for a person if the document is not well-formed, is cut off, or is not Atom.
pub(crate) fn atom_entries(document: &str) -> Result<Vec<AtomEntry>, String> {
    let mut reader = Reader::from_str(document);
    let mut atom = Atom::default();
    loop {
        let event = reader.read_event().map_err(|e| {
            format!(
                "not well-formed XML near byte {}: {e}",
                reader.error_position()
            )
        })?;
        match event {
            Event::Start(tag) => atom.open(&tag)?,
            Event::Empty(tag) => {
                atom.open(&tag)?;
                atom.close();
            }
            Event::End(_) => atom.close(),
            Event::Text(text) => atom.text(&text),
            Event::CData(text) => atom.text(&text),
            Event::GeneralRef(reference) => atom.text(&resolve(&reference)),
            Event::Eof if atom.path.is_empty() && atom.is_feed => return Ok(atom.entries),
            Event::Eof if !atom.path.is_empty() => return Err("the document is cut off".to_owned()),
            Event::Eof => return Err("not an Atom document".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// The text of an entity; an unknown entity stays as written.
fn resolve(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return character.to_string();
    }
    match quick_xml::escape::resolve_predefined_entity(reference) {
        Some(text) => text.to_owned(),
        None => format!("&{};", &**reference),
    }
}

#[derive(Default)]
struct Atom {
    path: Vec<String>,
    is_feed: bool,
    entries: Vec<AtomEntry>,
    entry: AtomEntry,
    title_is_html: bool,
    content_is_html: bool,
    published: String,
    updated: String,
}

impl Atom {
    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        let name = tag.local_name().into_inner().to_owned();
        let attribute = |wanted: &str| {
            // A check for duplicates takes time that grows with the square of their number.
            tag.attributes()
                .with_checks(false)
                .flatten()
                .find(|a| a.key.into_inner() == wanted)
                .and_then(|a| {
                    a.normalized_value(XmlVersion::Implicit1_0)
                        .ok()
                        .map(std::borrow::Cow::into_owned)
                })
        };
        if self.entries.len() > ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries"));
        }
        if self.path.len() >= DEPTH_MAX {
            return Err(format!("elements nested more than {DEPTH_MAX} deep"));
        }
        if self.path.is_empty() {
            self.is_feed = name == "feed";
        }
        if self.path.len() == 2 && self.path[1] == "entry" {
            match name.as_str() {
                "link" => {
                    let rel = attribute("rel");
                    if self.entry.link.is_empty() && rel.is_none_or(|rel| rel == "alternate") {
                        self.entry.link = attribute("href").unwrap_or_default();
                    }
                }
                "in-reply-to" => self.entry.in_reply_to = attribute("href").unwrap_or_default(),
                "title" => {
                    self.title_is_html = attribute("type").is_some_and(|kind| kind == "html")
                }
                "content" => {
                    self.content_is_html = attribute("type").is_some_and(|kind| kind == "html")
                }
                _ => {}
            }
        }
        self.path.push(name);
        Ok(())
    }

    fn close(&mut self) {
        let closed = self.path.pop();
        if self.path.len() == 1 && closed.as_deref() == Some("entry") {
            let mut entry = std::mem::take(&mut self.entry);
            entry.plain_title = one_line(&entry.title);
            entry.title = if self.title_is_html {
                title_text(&entry.title, true)
            } else {
                one_line(&entry.title)
            };
            if self.content_is_html {
                entry.text = html_text(&entry.text);
            }
            entry.author = one_line(&entry.author);
            entry.email = one_line(&entry.email);
            entry.published = date(&std::mem::take(&mut self.published));
            entry.updated = date(&std::mem::take(&mut self.updated));
            (self.title_is_html, self.content_is_html) = (false, false);
            self.entries.push(entry);
        }
    }

    fn text(&mut self, text: &str) {
        let mut path = self.path.iter().skip(1).map(String::as_str);
        if path.next() != Some("entry") {
            return;
        }
        let target = match (path.next(), path.next()) {
            (Some("id"), None) => &mut self.entry.id,
            (Some("title"), _) => &mut self.entry.title,
            (Some("author"), Some("name")) => &mut self.entry.author,
            (Some("author"), Some("email")) => &mut self.entry.email,
            (Some("published"), None) => &mut self.published,
            (Some("updated"), None) => &mut self.updated,
            (Some("content"), _) => &mut self.entry.text,
            _ => return,
        };
        target.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_is_found_or_guessed() {
        #[rustfmt::skip]
        let table: [(&str, &[u8], Option<&str>, &str); 7] = [
            ("utf-8 is the default", "é".as_bytes(), None, "é"),
            ("the declaration counts", b"<?xml version='1.0' encoding='iso-8859-1'?>\xe9", None, "é"),
            ("the header counts more", "<?xml version='1.0' encoding='iso-8859-1'?>é".as_bytes(), Some("utf-8"), "é"),
            ("a byte order mark counts most", b"\xef\xbb\xbf\xc3\xa9", Some("iso-8859-1"), "é"),
            ("a false claim of utf-8 is Windows-1252", b"caf\xe9 \x93x\x94", Some("utf-8"), "café “x”"),
            ("an unknown label is passed over", "é".as_bytes(), Some("x-none"), "é"),
            ("a server's default claim is not believed", "日本".as_bytes(), Some("iso-8859-1"), "日本"),
        ];
        for (name, bytes, charset, wanted) in table {
            assert_eq!(decode(bytes, charset), wanted, "{name}");
        }
    }

    #[test]
    fn titles_are_plain_text() {
        #[rustfmt::skip]
        let table = [
            ("AT&amp;T <i>says</i>", true, "AT&T says"),
            ("Use <linux/bpf.h> now", false, "Use <linux/bpf.h> now"),
            ("The <code>bpf()</code> call", false, "The bpf() call"),
            ("Q&#233;&amp;A, a < b", false, "Qé&A, a < b"),
            ("two\n  lines\u{0}\u{7}", false, "two lines"),
            ("<script>alert(1)</script>x", true, "x"),
        ];
        for (raw, is_html, wanted) in table {
            assert_eq!(title_text(raw, is_html), wanted, "{raw}");
        }
    }

    #[test]
    fn an_entry_keeps_its_white_space_and_entities() {
        let document = "<feed xmlns='a' xmlns:thr='t'><title>T</title><entry><author><name>A &amp; B</name>\
            <email>a@b.c</email></author><title type=\"html\">x &amp;lt;y&amp;gt;</title><updated>2025-01-31T23:21:27Z</updated>\
            <link\nhref=\"http://h/l/m%2Fid@x/\"/><link rel='self' href='no'/><id>urn:uuid:1</id>\
            <thr:in-reply-to\nref='urn:uuid:2' href='http://h/l/p@x/'/><content type='xhtml'><div><pre>a\n  b\
            <span class='q'>&gt; c&#8212;</span></pre></div></content></entry></feed>";
        let entries = atom_entries(document).expect("well-formed");
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert_eq!(
            (entry.author.as_str(), entry.title.as_str()),
            ("A & B", "x <y>")
        );
        assert_eq!(
            (entry.link.as_str(), entry.in_reply_to.as_str()),
            ("http://h/l/m%2Fid@x/", "http://h/l/p@x/")
        );
        assert_eq!(entry.text, "a\n  b> c—");
        assert_eq!(entry.updated, date("2025-01-31T23:21:27Z"));
    }

    #[test]
    fn data_that_is_cut_off_or_of_another_kind_is_an_error() {
        for bad in [
            "<feed><entry><title>x</title>",
            "",
            "</feed>",
            "<rss/>",
            "<feed><entry></feed></entry>",
            "plain",
        ] {
            assert!(atom_entries(bad).is_err(), "{bad}");
        }
        assert!(atom_entries(&format!("<feed>{}", "<a>".repeat(100_000))).is_err());
        assert!(atom_entries(&format!("<feed>{}</feed>", "<entry/>".repeat(100_000))).is_err());
    }
}

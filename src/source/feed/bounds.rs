//! Bounds on a document, checked before feed-rs reads it: feed-rs may take a hundred bytes of memory for one of the document.
//!
//! This module reads the document once, in the way of feed-rs, and keeps only the positions of its entries. It cuts entries that
//! exceed the bounds out of the text.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The most entries that are read of one document; a feed with more is a dump of a whole site.
pub(super) const ENTRIES_MAX: usize = 2_000;
/// The most elements of one document, and of one entry. Each may take half a kilobyte of memory.
const ELEMENTS_MAX: usize = 200_000;
const ENTRY_ELEMENTS_MAX: usize = 10_000;
/// The most attributes of one tag, counted by `=`.
const ATTRIBUTES_MAX: usize = 2_000;
/// The most bytes of open tags with `xml:base`: feed-rs copies the base into each element below.
const BASE_BYTES_MAX: usize = 8 * 1024;
/// The deepest nesting of an honest document.
const DEPTH_MAX: usize = 200;
/// The most values of one JSON document, and members of a list other than the list of entries.
const VALUES_MAX: usize = 100_000;
const LIST_MAX: usize = 200;
/// The most text before the first entry, if entries are read apart.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A document within the bounds.
#[derive(Debug)]
pub(super) struct BoundedDocument<'a> {
    pub(super) text: Cow<'a, str>,
    /// A message for maintainers for each cut.
    pub(super) faults: Vec<String>,
    /// The positions of its entries in the text.
    entries: Vec<Range<usize>>,
    /// The closing tags of the elements around an entry.
    closing: String,
}

impl BoundedDocument<'_> {
    /// The number of entries that can be read apart: none if the text around them is large, or if this is no XML.
    pub(super) fn entries(&self) -> usize {
        if self.head().len() <= HEAD_BYTES_MAX {
            self.entries.len()
        } else {
            0
        }
    }

    /// A document of these entries alone.
    pub(super) fn part(&self, entries: Range<usize>) -> String {
        let entries = self.entries[entries].iter();
        let texts: String = entries.map(|entry| &self.text[entry.clone()]).collect();
        format!("{}{texts}{}", self.head(), self.closing)
    }

    fn head(&self) -> &str {
        &self.text[..self.entries.first().map_or(0, |entry| entry.start)]
    }
}

/// Cuts a document down to the bounds.
///
/// # Errors
///
/// A message for a person if it is not well-formed, or exceeds a bound that no cut can restore.
pub(super) fn bounded(document: &str) -> Result<BoundedDocument<'_>, String> {
    // The XML reader skips the byte order mark, and its positions do not count it.
    let document = document.trim_start_matches('\u{feff}');
    // The same test as in feed-rs.
    match document.find(['<', '{']).map(|at| document.as_bytes()[at]) {
        Some(b'<') => XmlScan::default().read(document),
        Some(_) => json(document),
        None => Err("neither XML nor JSON".to_owned()),
    }
}

/// An entry whose end is not read yet.
struct OpenEntry {
    start: usize,
    /// The number of elements around it.
    depth: usize,
    /// The number of elements, cuts and removed bytes before it.
    elements: usize,
    cuts: usize,
    removed: usize,
}

#[derive(Default)]
struct XmlScan {
    /// For each open element, the bytes of its tag if that has `xml:base`, or 0.
    open: Vec<usize>,
    /// The names of the two outermost.
    names: Vec<String>,
    elements: usize,
    entry: Option<OpenEntry>,
    entries: Vec<Range<usize>>,
    closing: String,
    cuts: Vec<Range<usize>>,
    removed: usize,
    faults: Vec<String>,
}

impl XmlScan {
    fn read(mut self, document: &str) -> Result<BoundedDocument<'_>, String> {
        let mut reader = Reader::from_str(document);
        reader.config_mut().trim_markup_names_in_closing_tags = true;
        let mut end = document.len();
        loop {
            let start = position(reader.buffer_position());
            let event = match reader.read_event() {
                Ok(event) => event,
                // The text behind the entries does not matter.
                Err(_) if self.open.len() < self.closing.matches("</").count() => {
                    end = start;
                    break;
                }
                Err(e) => return Err(format!("not well-formed XML near byte {start}: {e}")),
            };
            let after = position(reader.buffer_position());
            match event {
                Event::Start(tag) => {
                    if !self.opens(&tag, start)? {
                        end = self.entry.as_ref().map_or(start, |entry| entry.start);
                        break;
                    }
                }
                Event::Empty(tag) => {
                    if !self.opens(&tag, start)? {
                        end = self.entry.as_ref().map_or(start, |entry| entry.start);
                        break;
                    }
                    self.closes(after);
                }
                Event::End(_) => self.closes(after),
                // Its encoding no longer applies, and feed-rs would use it.
                Event::Decl(_) => self.cut(start..after),
                Event::Eof => break,
                Event::Text(_)
                | Event::CData(_)
                | Event::GeneralRef(_)
                | Event::Comment(_)
                | Event::PI(_)
                | Event::DocType(_) => {}
            }
        }
        Ok(self.finish(document, end))
    }

    /// Handles an opening tag; returns whether to go on.
    fn opens(&mut self, tag: &BytesStart<'_>, start: usize) -> Result<bool, String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("elements nested more than {DEPTH_MAX} deep"));
        }
        let text: &str = tag;
        let values = memchr::memchr_iter(b'=', text.as_bytes()).count();
        if values > ATTRIBUTES_MAX {
            return Err(format!("a tag of more than {ATTRIBUTES_MAX} attributes"));
        }
        let gives_base = values > 0 && memchr::memmem::find(text.as_bytes(), b"xml:base").is_some();
        let base = if gives_base { text.len() } else { 0 };
        if gives_base && self.open.iter().sum::<usize>() + base > BASE_BYTES_MAX {
            return Err(format!(
                "bases for links of more than {BASE_BYTES_MAX} bytes"
            ));
        }
        self.elements += 1;
        let is_too_much = self.elements > ELEMENTS_MAX;
        let name = tag.local_name().into_inner();
        let is_entry = matches!(name, "item" | "entry") && matches!(self.open.len(), 1 | 2);
        if is_entry && self.entry.is_none() {
            if self.entries.len() >= ENTRIES_MAX || is_too_much {
                let read = self.entries.len();
                self.faults.push(format!(
                    "more than {read} entries in one document; the first {read} are read"
                ));
                return Ok(false);
            }
            self.entry = Some(OpenEntry {
                start,
                depth: self.open.len(),
                elements: self.elements,
                cuts: self.cuts.len(),
                removed: self.removed,
            });
            if self.closing.is_empty() {
                let around = self.names.iter().rev();
                self.closing = around.map(|name| format!("</{name}>")).collect();
            }
        } else if is_too_much && (self.entry.is_none() || self.entries.is_empty()) {
            return Err(format!("more than {ELEMENTS_MAX} elements"));
        } else if self.elements > ELEMENTS_MAX + ENTRY_ELEMENTS_MAX {
            let read = self.entries.len();
            self.faults.push(format!(
                "more than {ELEMENTS_MAX} elements; the first {read} entries are read"
            ));
            return Ok(false);
        }
        if self.open.len() < 2 {
            let whole: &str = tag.name().into_inner();
            self.names.push(whole.to_owned());
        }
        self.open.push(base);
        Ok(true)
    }

    /// Handles a closing tag that ends at `after`.
    fn closes(&mut self, after: usize) {
        self.open.pop();
        self.names.truncate(self.open.len());
        let depth = self.open.len();
        let Some(entry) = self.entry.take_if(|entry| entry.depth >= depth) else {
            return;
        };
        if self.elements - entry.elements <= ENTRY_ELEMENTS_MAX {
            let start = entry.start - entry.removed;
            self.entries.push(start..after - self.removed);
            return;
        }
        self.cuts.truncate(entry.cuts);
        self.removed = entry.removed;
        self.cut(entry.start..after);
        self.faults.push(format!(
            "an entry of more than {ENTRY_ELEMENTS_MAX} elements"
        ));
    }

    fn cut(&mut self, range: Range<usize>) {
        self.removed += range.len();
        self.cuts.push(range);
    }

    fn finish(self, document: &str, end: usize) -> BoundedDocument<'_> {
        let mut text = Cow::Borrowed(document);
        if !self.cuts.is_empty() || end < document.len() {
            let (mut kept, mut at) = (String::with_capacity(end), 0);
            for cut in self.cuts.iter().filter(|cut| cut.end <= end) {
                kept.push_str(&document[at..cut.start]);
                at = cut.end;
            }
            kept.push_str(&document[at..end]);
            if end < document.len() {
                let open = self.names.iter().rev();
                kept.extend(open.map(|name| format!("</{name}>")));
            }
            text = Cow::Owned(kept);
        }
        BoundedDocument {
            text,
            faults: self.faults,
            entries: self.entries,
            closing: self.closing,
        }
    }
}

fn position(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Cuts a JSON document down to the bounds. Its parser checks later whether it is well-formed.
fn json(document: &str) -> Result<BoundedDocument<'_>, String> {
    let bytes = document.as_bytes();
    // For each open value: whether it is a list, and how many members it has so far.
    let mut open: Vec<(bool, usize)> = Vec::new();
    let (mut at, mut values) = (0, 0);
    let mut key = "";
    let mut faults = Vec::new();
    let mut text = Cow::Borrowed(document);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at + 1);
                if open.len() == 1 {
                    key = document.get(at + 1..end).unwrap_or_default();
                }
                at = end;
            }
            b'{' | b'[' => open.push((byte == b'[', 1)),
            b'}' | b']' => {
                open.pop();
            }
            b',' => {
                values += 1;
                let depth = open.len();
                if let Some((true, members)) = open.last_mut() {
                    let are_entries = depth == 2 && key == "items";
                    if are_entries && *members >= ENTRIES_MAX {
                        faults.push(format!(
                            "more than {ENTRIES_MAX} entries in one document; the first {ENTRIES_MAX} are read"
                        ));
                        text = format!("{}]}}", &document[..at]).into();
                        break;
                    }
                    if !are_entries && *members >= LIST_MAX {
                        return Err(format!("a list of more than {LIST_MAX} members"));
                    }
                    *members += 1;
                }
                if values > VALUES_MAX {
                    return Err(format!("more than {VALUES_MAX} values"));
                }
            }
            _ => {}
        }
        at += 1;
    }
    Ok(BoundedDocument {
        text,
        faults,
        entries: Vec::new(),
        closing: String::new(),
    })
}

/// The position of the closing quote of the string that contains `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rss(inside: &str) -> String {
        format!("<rss version='2.0'><channel><title>t</title>{inside}</channel></rss>")
    }

    #[test]
    fn an_honest_document_is_left_as_it_is() {
        let honest = rss("<item><title>a</title></item><item/>");
        let read = bounded(&honest).expect("it is within bounds");
        assert!(matches!(read.text, Cow::Borrowed(_)) && read.faults.is_empty());
        assert_eq!(read.entries(), 2);
        assert_eq!(read.part(0..2), honest);
        assert_eq!(read.part(0..1), rss("<item><title>a</title></item>"));
        assert_eq!(read.part(1..2), rss("<item/>"));
    }

    #[test]
    fn entries_beyond_the_most_are_cut_off() {
        let flood = rss(&"<item/>".repeat(ENTRIES_MAX + 10));
        let read = bounded(&flood).expect("the rest is cut off");
        assert_eq!(read.text, rss(&"<item/>".repeat(ENTRIES_MAX)));
        assert_eq!(read.faults.len(), 1);
        let json = |n: usize| format!("{{\"items\":[{}]}}", vec!["{\"a\":\",\"}"; n].join(","));
        let flood = json(ENTRIES_MAX + 10);
        let read = bounded(&flood).expect("the rest is cut off");
        assert_eq!(read.text, json(ENTRIES_MAX));
        assert_eq!(read.faults.len(), 1);
    }

    #[test]
    fn an_entry_that_is_too_much_is_cut_out_alone() {
        let large = format!("<item>{}</item>", "<a/>".repeat(ENTRY_ELEMENTS_MAX + 1));
        let document = rss(&format!("<item>1</item>{large}<item>2</item>"));
        let read = bounded(&document).expect("the rest is well");
        assert_eq!(read.text, rss("<item>1</item><item>2</item>"));
        assert_eq!(read.faults.len(), 1);
        assert_eq!(read.part(1..2), rss("<item>2</item>"));
    }

    #[test]
    fn a_declaration_inside_is_cut_out() {
        let within = "<item>1<?xml version='1.0' encoding='utf-16'?></item><item>2</item>";
        for before in ["", "\u{feff}", "junk "] {
            let document = format!("{before}{}", rss(within));
            let read = bounded(&document).expect("the rest is well");
            let wanted = rss("<item>1</item><item>2</item>");
            assert_eq!(read.text.trim_start_matches(before), wanted);
        }
        let document = rss(within);
        let read = bounded(&document).expect("the rest is well");
        assert_eq!(read.part(1..2), rss("<item>2</item>"));
    }

    #[test]
    fn a_document_without_a_possible_cut_is_refused() {
        let base = format!(
            "<item xml:base='http://x.y/{}'/>",
            "a".repeat(BASE_BYTES_MAX)
        );
        #[rustfmt::skip]
        let table = [
            ("deep", format!("<rss>{}", "<a>".repeat(DEPTH_MAX + 1))),
            ("many attributes", rss(&format!("<item{}/>", " a='b'".repeat(ATTRIBUTES_MAX + 1)))),
            ("a long base", rss(&base)),
            ("many elements", rss(&"<a/>".repeat(ELEMENTS_MAX + 1))),
            ("a cut tag", "<rss><channel><item><a".to_owned()),
            ("a long list", format!("{{\"authors\":[{}]}}", vec!["1"; LIST_MAX + 1].join(","))),
            ("neither", "plain".to_owned()),
            ("many values", format!("{{{}}}", vec!["\"a\":1"; VALUES_MAX + 2].join(","))),
        ];
        for (name, document) in table {
            assert!(bounded(&document).is_err(), "{name}");
        }
    }

    #[test]
    fn text_after_the_last_entry_need_not_be_well_formed() {
        let document = format!("{}<oops", rss("<item/>"));
        let read = bounded(&document).expect("the entries are well");
        assert!(read.text.starts_with(&rss("<item/>")));
    }
}

//! A bundled feed document, cut to some of its entries. Text in, text out: no IO, no clock.
//!
//! The documents are our own, so they are cut between entries and not parsed. The served bytes keep the shape of the upstream's.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

/// The placeholder for the server's address in the bundled documents.
pub(super) const PLACEHOLDER: &str = "http://demo.invalid/";

/// Which elements an upstream's document is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Atom: `entry`, dated by `updated`, which the feed has too.
    Atom,
    /// RSS 2.0: `item`, dated by `pubDate`; the channel has `lastBuildDate`.
    Rss,
    /// RSS 1.0: `item` with attributes, dated by `dc:date`; the channel lists the items.
    Rdf,
}

impl Shape {
    /// How an entry starts.
    fn opening(self) -> &'static str {
        match self {
            Self::Atom => "<entry>",
            Self::Rss => "<item>",
            Self::Rdf => "<item ",
        }
    }

    /// How an entry ends.
    fn closing(self) -> &'static str {
        match self {
            Self::Atom => "</entry>",
            Self::Rss | Self::Rdf => "</item>",
        }
    }

    /// The element that dates an entry.
    fn entry_date(self) -> &'static str {
        match self {
            Self::Atom => "updated",
            Self::Rss => "pubDate",
            Self::Rdf => "dc:date",
        }
    }

    /// The element of the head that repeats the newest entry's date.
    fn head_date(self) -> Option<&'static str> {
        match self {
            Self::Atom => Some("updated"),
            Self::Rss => Some("lastBuildDate"),
            Self::Rdf => None,
        }
    }

    /// Reads a date as this shape writes it.
    fn parse_date(self, date: &str) -> Result<DateTime<Utc>, chrono::ParseError> {
        let date = match self {
            Self::Atom | Self::Rdf => DateTime::parse_from_rfc3339(date)?,
            Self::Rss => DateTime::parse_from_rfc2822(date)?,
        };
        Ok(date.to_utc())
    }
}

/// One entry of a document, with the white space before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    text: &'static str,
    date: &'static str,
    /// When it arrived.
    pub(super) at: DateTime<Utc>,
}

impl Entry {
    /// The text between `<name>` and `</name>`, as written.
    pub(super) fn element(&self, name: &str) -> Option<&'static str> {
        element(self.text, name)
    }

    /// The text after the first `start`, up to `end`.
    pub(super) fn between(&self, start: &str, end: &str) -> Option<&'static str> {
        between(self.text, start, end)
    }
}

/// A bundled document: the part before its entries, the entries newest first, the part after.
#[derive(Debug)]
pub(super) struct Document {
    shape: Shape,
    head: &'static str,
    entries: Vec<Entry>,
    tail: &'static str,
}

impl Document {
    /// Splits a document. Errors when an entry has no end or no date, when something stands between
    /// entries, or when they are not newest first.
    pub(super) fn parse(shape: Shape, text: &'static str) -> anyhow::Result<Self> {
        let first = text
            .find(shape.opening())
            .context("a bundled document has entries")?;
        let head = text[..first].trim_end();
        let mut rest = &text[head.len()..];
        let mut entries: Vec<Entry> = Vec::new();
        while rest.trim_start().starts_with(shape.opening()) {
            let end = rest
                .find(shape.closing())
                .context("an entry of a bundled document ends")?
                + shape.closing().len();
            let text;
            (text, rest) = rest.split_at(end);
            let date = element(text, shape.entry_date())
                .with_context(|| format!("an entry without {}: {text}", shape.entry_date()))?;
            let at = shape
                .parse_date(date)
                .with_context(|| format!("reading the date {date}"))?;
            anyhow::ensure!(
                entries.last().is_none_or(|newer| newer.at >= at),
                "entries are newest first, but not at {date}"
            );
            entries.push(Entry { text, date, at });
        }
        anyhow::ensure!(
            !rest.contains(shape.opening()),
            "nothing but white space stands between entries"
        );
        Ok(Self {
            shape,
            head,
            entries,
            tail: rest,
        })
    }

    /// The entries that had arrived at `now`, newest first.
    pub(super) fn arrived(&self, now: DateTime<Utc>) -> &[Entry] {
        let future = self.entries.partition_point(|entry| entry.at > now);
        &self.entries[future..]
    }

    /// The document with `entries` alone, as it stood when `newest` was the newest, served at `base`.
    pub(super) fn cut<'a>(
        &self,
        newest: Option<&Entry>,
        entries: impl IntoIterator<Item = &'a Entry>,
        base: &str,
    ) -> String {
        let entries: String = entries.into_iter().map(|entry| entry.text).collect();
        let head = match self.shape {
            Shape::Atom | Shape::Rss => self.dated_head(newest),
            Shape::Rdf => listing_head(self.head, &entries),
        };
        [&head, &entries, self.tail]
            .concat()
            .replace(PLACEHOLDER, base)
    }

    /// The head with the newest entry's date; without a date where there is no entry, as cgit does it.
    fn dated_head(&self, newest: Option<&Entry>) -> String {
        let date = self
            .shape
            .head_date()
            .and_then(|name| Some((name, element(self.head, name)?)));
        let Some((name, date)) = date else {
            return self.head.to_owned();
        };
        let whole = format!("<{name}>{date}</{name}>");
        match newest {
            Some(entry) => {
                let dated = format!("<{name}>{}</{name}>", entry.date);
                self.head.replacen(&whole, &dated, 1)
            }
            None => {
                let (before, after) = self
                    .head
                    .split_once(&whole)
                    .expect("the element was just found there");
                format!("{}{after}", before.trim_end())
            }
        }
    }
}

/// The head of an RSS 1.0 document. Its channel lists only the items that follow.
fn listing_head(head: &str, entries: &str) -> String {
    head.split_inclusive('\n')
        .filter(|line| {
            between(line, "<rdf:li resource=\"", "\"")
                .is_none_or(|item| entries.contains(&format!("rdf:about=\"{item}\"")))
        })
        .collect()
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    between(text, &format!("<{name}>"), &format!("</{name}>"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(start)?;
    let (inside, _) = after.split_once(end)?;
    Some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::week::BUNDLED;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("an RFC 3339 time")
    }

    fn parse(name: &str) -> Document {
        let bundled = BUNDLED
            .iter()
            .find(|bundled| bundled.name == name)
            .expect("a bundled document");
        Document::parse(bundled.shape, bundled.text).expect("a good document")
    }

    #[test]
    fn cutting_nothing_reproduces_each_document() {
        for bundled in BUNDLED {
            let document = Document::parse(bundled.shape, bundled.text).expect(bundled.name);
            let all = document.arrived(time("2017-05-11T00:00:00Z"));
            assert_eq!(
                document.cut(all.first(), all, PLACEHOLDER),
                bundled.text,
                "{}",
                bundled.name
            );
            let served = document.cut(all.first(), all, "http://127.0.0.1:1/");
            assert_eq!(
                served.replace("http://127.0.0.1:1/", PLACEHOLDER),
                bundled.text,
                "{}",
                bundled.name
            );
        }
    }

    #[test]
    fn a_cut_is_dated_by_its_newest_entry() {
        let netdev = parse("netdev");
        let arrived = netdev.arrived(time("2017-05-02T09:00:00Z"));
        assert_eq!(arrived.len(), 2);
        let text = netdev.cut(arrived.first(), arrived, PLACEHOLDER);
        assert!(text.contains("</id><updated>2017-05-02T08:52:31Z</updated><entry>"));
        assert!(text.ends_with("</entry></feed>"));
        assert_eq!(text.matches("<entry>").count(), 2);

        let slides = parse("slides");
        let arrived = slides.arrived(time("2017-05-04T00:00:00Z"));
        let text = slides.cut(arrived.first(), arrived, PLACEHOLDER);
        assert!(text.contains("<lastBuildDate>Wed, 03 May 2017 11:05:00 +0000</lastBuildDate>"));
        assert_eq!(text.matches("<item>").count(), 1);
    }

    #[test]
    fn an_entry_arrives_at_its_second() {
        let netdev = parse("netdev");
        assert_eq!(netdev.arrived(time("2017-05-02T08:52:09Z")).len(), 0);
        assert_eq!(netdev.arrived(time("2017-05-02T08:52:10Z")).len(), 1);
    }

    #[test]
    fn a_document_without_entries_has_no_date_and_lists_nothing() {
        for bundled in BUNDLED {
            let document = Document::parse(bundled.shape, bundled.text).expect(bundled.name);
            let text = document.cut(None, [], PLACEHOLDER);
            let name = bundled.name;
            assert!(
                ["<entry>", "<item>", "<item "]
                    .iter()
                    .all(|start| !text.contains(start)),
                "{name}"
            );
            assert!(!text.contains("2017-"), "{name} still has a date: {text}");
            assert!(!text.contains("<rdf:li"), "{name}");
            super::super::facts::check_well_formed(name, &text);
        }
        assert!(
            parse("net")
                .cut(None, [], PLACEHOLDER)
                .ends_with("href='http://demo.invalid/net.git/'/>\n</feed>\n"),
            "the same as cgit's answer for a path without commits"
        );
    }

    #[test]
    fn a_broken_document_is_refused() {
        for broken in [
            "<feed></feed>",
            "<feed><entry><updated>2017-05-02T08:52:10Z</updated></entry>and<entry><updated>2017-05-02T08:52:10Z</updated></entry></feed>",
            "<feed><entry><updated>2017-05-02T08:52:10Z</updated></feed>",
            "<feed><entry></entry></feed>",
            "<feed><entry><updated>yesterday</updated></entry></feed>",
            "<feed><entry><updated>2017-05-02T00:00:00Z</updated></entry><entry><updated>2017-05-03T00:00:00Z</updated></entry></feed>",
        ] {
            assert!(Document::parse(Shape::Atom, broken).is_err(), "{broken}");
        }
    }
}

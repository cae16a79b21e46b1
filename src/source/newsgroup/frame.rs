//! The bytes of a news server's answer, as the client hands them to the walk: lines with numbers, and articles with their length.
//!
//! ```text
//! group LOW HIGH
//!
//! anchor NUMBER MESSAGE-ID      (or - if there is no such article)
//! covers FIRST LAST
//! listed NUMBER …
//! article NUMBER BYTES
//! …
//! absent NUMBER
//! large NUMBER
//! until LAST                    (if the answer ends before it covers all)
//!
//! around
//! near MESSAGE-ID REFERENCE …
//! …
//! ```

use std::collections::BTreeSet;

/// An answer of a news server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) enum NewsAnswer<'a> {
    /// The lowest and the highest article number of the group; the highest is less than the lowest if it is empty.
    Group { low: u64, high: u64 },
    /// Articles.
    Articles(ArticlePage<'a>),
    /// The articles around one; empty if the group does not have that one.
    Around(Vec<NearArticle<'a>>),
}

/// Articles of a range of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::source) struct ArticlePage<'a> {
    /// The number of the anchor, and its Message-ID now.
    pub(in crate::source) anchor: Option<(u64, Option<String>)>,
    /// The range that this page covers.
    pub(in crate::source) first: u64,
    pub(in crate::source) last: u64,
    /// The numbers in that range that exist, ascending.
    pub(in crate::source) listed: BTreeSet<u64>,
    /// The articles, in the order of the answer.
    pub(in crate::source) articles: Vec<(u64, FoundArticle<'a>)>,
}

/// An article of which only the overview was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct NearArticle<'a> {
    pub(in crate::source) id: &'a str,
    /// The Message-IDs of the mails above it.
    pub(in crate::source) references: Vec<&'a str>,
}

/// What a server sends for an article's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum FoundArticle<'a> {
    /// The article, or its head, with line feeds alone.
    Mail(&'a [u8]),
    /// There is none (any more).
    Absent,
    /// It is larger than a mail may be.
    Large,
}

/// Writes a frame.
#[derive(Debug, Default)]
pub(in crate::source) struct FrameWriter {
    bytes: Vec<u8>,
    /// The last number that is written in full.
    done_to: Option<u64>,
}

impl FrameWriter {
    pub(in crate::source) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(in crate::source) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Ends the answer behind the last article.
    pub(in crate::source) fn ends_here(&mut self) {
        if let Some(done_to) = self.done_to {
            self.line(&format!("until {done_to}"));
        }
    }

    fn line(&mut self, line: &str) {
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
    }

    pub(in crate::source) fn group(&mut self, low: u64, high: u64) {
        self.line(&format!("group {low} {high}"));
    }

    /// `id` has no white space.
    pub(in crate::source) fn anchor(&mut self, number: u64, id: Option<&str>) {
        self.line(&format!("anchor {number} {}", id.unwrap_or("-")));
    }

    pub(in crate::source) fn covers(&mut self, first: u64, last: u64, listed: &[u64]) {
        self.line(&format!("covers {first} {last}"));
        let numbers: Vec<String> = listed.iter().map(u64::to_string).collect();
        self.line(&format!("listed {}", numbers.join(" ")));
    }

    pub(in crate::source) fn article(&mut self, number: u64, mail: &[u8]) {
        self.line(&format!("article {number} {}", mail.len()));
        self.bytes.extend_from_slice(mail);
        self.done_to = Some(number);
    }

    pub(in crate::source) fn absent(&mut self, number: u64) {
        self.line(&format!("absent {number}"));
        self.done_to = Some(number);
    }

    pub(in crate::source) fn large(&mut self, number: u64) {
        self.line(&format!("large {number}"));
        self.done_to = Some(number);
    }

    /// Begins the list of the articles around one.
    pub(in crate::source) fn around(&mut self) {
        self.line("around ");
    }

    /// `id` and `references` have no white space inside.
    pub(in crate::source) fn near(&mut self, id: &str, references: &[&str]) {
        self.line(&format!("near {id} {}", references.join(" ")));
    }

    /// The whole answer.
    pub(in crate::source) fn whole(self) -> Vec<u8> {
        self.bytes
    }

    /// The answer up to the last article that is there in full; `None` if there is none.
    pub(in crate::source) fn so_far(mut self) -> Option<Vec<u8>> {
        self.done_to?;
        self.ends_here();
        Some(self.bytes)
    }
}

/// Reads a frame; `None` if it is not well-formed.
pub(in crate::source) fn read(mut bytes: &[u8]) -> Option<NewsAnswer<'_>> {
    let mut page = ArticlePage::default();
    while !bytes.is_empty() {
        let end = memchr::memchr(b'\n', bytes)?;
        let line = str::from_utf8(&bytes[..end]).ok()?;
        bytes = &bytes[end + 1..];
        let (word, rest) = line.split_once(' ')?;
        let mut numbers = rest.split(' ').map(str::parse::<u64>);
        let mut number = || numbers.next()?.ok();
        match word {
            "group" => {
                let (low, high) = (number()?, number()?);
                return Some(NewsAnswer::Group { low, high });
            }
            "around" => return read_near(bytes).map(NewsAnswer::Around),
            "anchor" => {
                let id = rest.split_once(' ')?.1;
                page.anchor = Some((number()?, (id != "-").then(|| id.to_owned())));
            }
            "covers" => (page.first, page.last) = (number()?, number()?),
            "listed" => page.listed.extend(std::iter::from_fn(number)),
            "article" => {
                let (number, length) = (number()?, usize::try_from(number()?).ok()?);
                let (mail, behind) = bytes.split_at_checked(length)?;
                page.articles.push((number, FoundArticle::Mail(mail)));
                bytes = behind;
            }
            "absent" => page.articles.push((number()?, FoundArticle::Absent)),
            "large" => page.articles.push((number()?, FoundArticle::Large)),
            "until" => {
                page.last = number()?;
                page.listed.retain(|listed| *listed <= page.last);
            }
            _ => return None,
        }
    }
    Some(NewsAnswer::Articles(page))
}

/// The articles around one, a line each.
fn read_near(bytes: &[u8]) -> Option<Vec<NearArticle<'_>>> {
    let lines = str::from_utf8(bytes).ok()?.lines();
    let near = lines.map(|line| {
        let mut ids = line.strip_prefix("near ")?.split_ascii_whitespace();
        Some(NearArticle {
            id: ids.next()?,
            references: ids.collect(),
        })
    });
    near.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut frame = FrameWriter::default();
        frame.group(3, 9);
        let bytes = frame.whole();
        assert_eq!(read(&bytes), Some(NewsAnswer::Group { low: 3, high: 9 }));

        let mut frame = FrameWriter::default();
        frame.anchor(4, Some("a@x"));
        frame.covers(5, 9, &[5, 7, 8]);
        frame.article(5, b"Subject: x\n\narticle 6 1\n");
        frame.absent(7);
        let bytes = frame.so_far().expect("two are there");
        let Some(NewsAnswer::Articles(page)) = read(&bytes) else {
            panic!("articles");
        };
        assert_eq!(page.anchor, Some((4, Some("a@x".to_owned()))));
        assert_eq!((page.first, page.last), (5, 7));
        assert_eq!(page.listed, BTreeSet::from([5, 7]));
        let mail = FoundArticle::Mail(b"Subject: x\n\narticle 6 1\n");
        assert_eq!(page.articles, [(5, mail), (7, FoundArticle::Absent)]);
    }

    #[test]
    fn the_articles_around_one_come_with_their_references() {
        let mut frame = FrameWriter::default();
        frame.around();
        assert_eq!(read(&frame.whole()), Some(NewsAnswer::Around(Vec::new())));
        let mut frame = FrameWriter::default();
        frame.around();
        frame.near("a@x", &[]);
        frame.near("b@x", &["r@x", "a@x"]);
        let near = |id, references| NearArticle { id, references };
        let wanted = vec![near("a@x", Vec::new()), near("b@x", vec!["r@x", "a@x"])];
        assert_eq!(read(&frame.whole()), Some(NewsAnswer::Around(wanted)));
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [
            &b"x"[..],
            b"group 1\n",
            b"article 1 9\nab",
            b"<html>\n",
            b"anchor 1\n",
            b"around \nfar a@x\n",
            b"around \nnear \n",
        ] {
            assert_eq!(read(bytes), None);
        }
        assert!(FrameWriter::default().so_far().is_none());
    }
}

//! The entries below a heading of a changelog, until it ends.

use super::headings::{Header, header};
use super::lines::{
    bullet, indent, is_closing, is_diffstat, is_numbered, is_reference, is_rule,
    is_shortlog_author, is_trailer,
};
use super::machine::is_machine;

/// A shorter line of plain text, in characters, was not wrapped, so the next line is another change.
const WRAPPED_CHARS_MIN: usize = 58;
/// The most words of a line that only says that a link follows: `Details are here:`.
const POINTER_WORDS_MAX: usize = 5;
/// A change, and how far its mark is set in.
pub(super) struct ChangelogEntry {
    pub(super) said: String,
    pub(super) column: usize,
    pub(super) marked: bool,
}

/// The changes that stand below a heading, while its lines are read.
struct ChangelogReader<'a> {
    items: Vec<ChangelogEntry>,
    lines: &'a [&'a str],
    /// How far the heading is set in.
    column: usize,
    /// The heading's own line names an address: it may be the head of a list of links.
    links: bool,
    after_blank: bool,
    /// A line without a mark may go on with the last item.
    goes_on: bool,
    /// The output of a program is being skipped.
    in_output: bool,
    /// Whether the first mark is a number.
    numbered: Option<bool>,
    last_chars: usize,
}

/// The effect of a line on the entry above it.
enum LineEffect {
    Ends,
    Skipped,
    Read,
}

/// The changes that stand below the heading at line `at`.
pub(super) fn entry(lines: &[&str], at: usize, heading: &Header<'_>) -> Vec<ChangelogEntry> {
    let mut entries = ChangelogReader {
        items: Vec::new(),
        lines,
        column: indent(lines[at]),
        links: is_link(heading.rest),
        after_blank: false,
        goes_on: false,
        in_output: false,
        numbered: None,
        last_chars: usize::MAX,
    };
    if !heading.rest.is_empty() && !entries.links {
        let (said, marked) =
            bullet(heading.rest).map_or((heading.rest, false), |said| (said, true));
        entries.take(said, lines[at].len() - heading.rest.len(), marked);
    }
    for (place, line) in lines.iter().enumerate().skip(at + 1) {
        match entries.step(place) {
            LineEffect::Ends => break,
            LineEffect::Skipped => {}
            LineEffect::Read => entries.read(line),
        }
    }
    entries.items
}

impl ChangelogReader<'_> {
    fn take(&mut self, said: &str, column: usize, marked: bool) {
        self.items.push(ChangelogEntry {
            said: said.trim().to_owned(),
            column,
            marked,
        });
        self.goes_on = true;
    }

    /// Whether a line belongs to the entry.
    fn step(&mut self, place: usize) -> LineEffect {
        let line = self.lines[place];
        if line.trim().is_empty() {
            (self.after_blank, self.goes_on, self.in_output) = (true, false, false);
            return LineEffect::Skipped;
        }
        let item = marked(line);
        if line == "--" || (is_rule(line) && !self.items.is_empty()) {
            return LineEffect::Ends;
        }
        if is_rule(line) {
            return LineEffect::Skipped;
        }
        if let Some(other) = header(line) {
            let is_note = self.items.is_empty() && !self.links && is_link(other.rest);
            let is_text_below = self
                .lines
                .get(place + 1)
                .is_some_and(|next| indent(next) > indent(line) && marked(next).is_none());
            // `v1: URL` right below `v1 -> v2:` says where v1 is; with text of its own it heads that.
            return match other.version {
                Some(_) if is_note && !is_text_below => LineEffect::Skipped,
                None if self.items.is_empty() => LineEffect::Skipped,
                Some(_) | None => LineEffect::Ends,
            };
        }
        let inside = indent(line) > self.column || item.is_some();
        if is_trailer_of_patch(line)
            || is_diffstat(line)
            || is_shortlog_author(line)
            || is_closing(line)
            || (self.after_blank && !self.items.is_empty() && (!inside || self.is_other_list(line)))
        {
            return LineEffect::Ends;
        }
        let next = self.lines[place + 1..]
            .iter()
            .find(|next| !next.trim().is_empty());
        let points = line.ends_with(':')
            && line.split_whitespace().count() <= POINTER_WORDS_MAX
            && next.is_some_and(|next| is_link(next));
        if is_link(item.unwrap_or(line)) || points {
            self.goes_on = false;
            return LineEffect::Skipped;
        }
        LineEffect::Read
    }

    /// Whether an item belongs to another list: numbers behind dashes, dashes behind numbers, numbers behind words.
    fn is_other_list(&self, line: &str) -> bool {
        let column = self.items.first().map_or(0, |first| first.column);
        bullet(line).is_some()
            && match self.numbered {
                Some(known) => known != is_numbered(line) && indent(line) <= column,
                None => is_numbered(line) && indent(line) <= self.column,
            }
    }

    fn read(&mut self, line: &str) {
        self.after_blank = false;
        let column = indent(line);
        if let Some(said) = marked(line) {
            self.numbered.get_or_insert(is_numbered(line));
            self.in_output = false;
            self.take(said, column, true);
        } else if self.in_output || is_machine(line) {
            (self.in_output, self.goes_on) = (true, false);
        } else {
            let starts = line.trim_start().starts_with(char::is_uppercase);
            let wrapped = self.last_chars >= WRAPPED_CHARS_MIN;
            let last = self.items.last_mut();
            match last.filter(|last| self.goes_on && (last.marked || !starts || wrapped)) {
                Some(last) => {
                    last.said.push(' ');
                    last.said.push_str(line.trim());
                }
                None => self.take(line, column, false),
            }
        }
        self.last_chars = line.chars().count();
    }
}

/// The text behind the mark of an item. Changelogs also use `-word`.
fn marked(line: &str) -> Option<&str> {
    bullet(line).or_else(|| {
        line.trim_start()
            .strip_prefix('-')
            .filter(|said| said.starts_with(char::is_alphabetic))
    })
}

/// A trailer that ends a changelog; `Link:` stands inside one.
fn is_trailer_of_patch(line: &str) -> bool {
    is_trailer(line) && !is_link_line(line)
}

fn is_link_line(line: &str) -> bool {
    ["Link:", "Links:", "URL:"]
        .iter()
        .any(|start| line.trim_start().starts_with(start))
}

/// Whether an entry is only a link to a revision.
pub(super) fn is_link(said: &str) -> bool {
    let lower = said.trim().to_ascii_lowercase();
    let words = lower.split_whitespace().count();
    let named = [
        "link to",
        "links to",
        "link:",
        "lore:",
        "previous version",
        "see http",
        "at http",
    ]
    .iter()
    .any(|start| lower.starts_with(start));
    let address = lower
        .split_whitespace()
        .any(|word| word.contains("://") || word.starts_with("lore.kernel.org"));
    named
        || is_link_line(said)
        || is_reference(said)
        || (address && words <= 3)
        || lower.starts_with("http")
}

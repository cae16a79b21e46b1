//! Changelogs: which revision an entry is about, and what it says.

use super::lines::{
    bullet, indent, is_closing, is_diffstat, is_machine, is_numbered, is_reference, is_rule,
    is_shortlog_author, is_trailer, unescaped,
};
use super::{sentences, worth};
use crate::item::prose::lines;

/// The most characters of a line that says what changed.
const CHANGE_CHARS_MAX: usize = 240;
/// A line of plain text shorter than this, in characters, was not wrapped: what follows is another change.
const WRAPPED_CHARS_MIN: usize = 58;
/// The most words of a line that only says that a link follows: `Details are here:`.
const POINTER_WORDS_MAX: usize = 5;
/// No series comes in more revisions.
const VERSION_MAX: u32 = 99;
/// What may stand before a version in a heading.
#[rustfmt::skip]
const HEADS: [&str; 39] = [
    "#", "##", "*", "+", "-", "--", "=", "==", "===", "change", "change-log", "changed", "changelog",
    "changelogs", "changes", "delta", "detailed", "diff", "difference", "differences", "full", "history",
    "key", "log", "main", "major", "minor", "modifications", "new", "notable", "noteworthy", "o", "other",
    "patch", "revision", "significant", "summary", "update", "updates",
];
/// What may stand between those and the version.
#[rustfmt::skip]
const JOINTS: [&str; 16] = [
    "in", "for", "of", "with", "the", "since", "from", "between", "compared", "to", "vs", "vs.", "against",
    "over", "log", "history",
];
/// After these the change is to a version, not in it.
const SINCE: [&str; 8] = [
    "since", "from", "compared", "vs", "vs.", "between", "against", "over",
];
/// These open a heading without a word such as `changes` before them: `Since v2:`.
const OPENING_SINCE: [&str; 3] = ["since", "from", "compared"];
/// After these `to` means `since`.
const DIFFERING: [&str; 4] = ["diff", "difference", "differences", "delta"];
/// Headings of a changelog that name no version.
#[rustfmt::skip]
const BARE: [&str; 18] = [
    "changes", "changelog", "change log", "change-log", "changelogs", "change history", "major changes",
    "minor changes", "detailed changelog", "detailed changes", "full changelog", "other changes",
    "revision history", "version history", "patch history", "history", "revisions", "revision log",
];
/// What an earlier revision is called without its number.
const PREVIOUS: [&str; 5] = ["previous", "last", "prior", "earlier", "preceding"];
/// What a revision is called.
const REVISIONS: [&str; 9] = [
    "version",
    "revision",
    "posting",
    "submission",
    "iteration",
    "round",
    "series",
    "patchset",
    "patch",
];
/// The most words of a heading that names the previous revision.
const HEADING_WORDS_MAX: usize = 10;

/// A heading in a changelog.
#[derive(Debug, PartialEq, Eq)]
struct Header<'a> {
    /// The revision that it tells of; `None` where it names none.
    version: Option<u32>,
    /// It may tell of the first version, after requests for comments.
    after_rfc: bool,
    /// What is said on the same line.
    rest: &'a str,
}

/// Whether a line heads (a part of) a changelog.
pub(super) fn is_header(line: &str) -> bool {
    header(line).is_some()
}

/// Whether such a line says nothing more: what changed follows.
pub(super) fn is_bare_header(line: &str) -> bool {
    header(line).is_some_and(|header| header.rest.is_empty())
}

/// What changed in revision `version`, on one line of at most 240 characters; `None` where its author does not say.
pub fn change(text: &str, version: u32) -> Option<String> {
    let text = unescaped(text);
    let text = sentences::without_marks(&text);
    let lines: Vec<&str> = lines(&text).map(str::trim_end).collect();
    let headers: Vec<(usize, Header<'_>)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| header(line).map(|header| (at, header)))
        .collect();
    let told = |is_it: &dyn Fn(&Header<'_>) -> bool| {
        headers
            .iter()
            .enumerate()
            .filter(|(place, (_, header))| is_it(header) && !is_note(&headers, *place))
            .map(|(_, header)| header)
            .map(|(at, header)| entry(&lines, *at, header))
            .find_map(|items| joined(&items))
    };
    if version == 1 {
        // A first version has changed only where comments were asked for before.
        return told(&|header| header.after_rfc && header.version.is_some_and(|told| told <= 2));
    }
    let named: Vec<u32> = headers.iter().filter_map(|(_, one)| one.version).collect();
    // `Changes since v2` in a v2 that names no other: its author counts the revisions in another way.
    let miscounted = !named.is_empty() && named.iter().all(|told| *told == version + 1);
    told(&|header| header.version == Some(version))
        .or_else(|| told(&|header| miscounted && header.version == Some(version + 1)))
        // A changelog without versions tells of the revision that it comes with.
        .or_else(|| told(&|header| header.version.is_none()))
}

/// Whether a heading only says where an earlier version is: `v1: URL` right below `v1 -> v2:`.
fn is_note(headers: &[(usize, Header<'_>)], place: usize) -> bool {
    let (at, header) = &headers[place];
    let above = place.checked_sub(1).map(|above| &headers[above]);
    is_link(header.rest)
        && above.is_some_and(|(above, heading)| {
            above + 1 == *at && heading.rest.is_empty() && heading.version.is_some()
        })
}

/// Reads a heading: `v2 -> v3:`, `Changes in v3:`, `- v3: what`, `[v3]`, `Since v2:`, `Changelog:`.
fn header(line: &str) -> Option<Header<'_>> {
    if is_bare(line) {
        return Some(Header {
            version: None,
            after_rfc: false,
            rest: "",
        });
    }
    // Nearly all lines name no version, and need not be taken apart to see that.
    let has_digit = line.bytes().any(|b| b.is_ascii_digit());
    let has_rfc = || {
        line.as_bytes()
            .windows(3)
            .any(|word| word.eq_ignore_ascii_case(b"rfc"))
    };
    if !has_digit && !has_rfc() {
        return None;
    }
    let Lead {
        rest,
        headed,
        since,
    } = lead(line);
    let bracketed = rest.starts_with(['[', '(']);
    let rest = rest.trim_start_matches(['[', '(']);
    let (first, mut rest) = version_of(rest)?;
    let mut told = first;
    let mut to = false;
    if let Some((second, after)) = arrow(rest).and_then(version_of) {
        // Some write `v3..v2`.
        let backwards = second.number < first.number && !first.rfc;
        (told, rest, to) = (if backwards { first } else { second }, after, true);
    }
    if bracketed {
        rest = rest.trim_start().strip_prefix([']', ')']).unwrap_or(rest);
    }
    let rest = said_behind(rest, headed || to || bracketed || since)?;
    if since && !to {
        return Some(Header {
            version: Some(told.number + 1),
            after_rfc: told.rfc,
            rest,
        });
    }
    Some(Header {
        version: Some(told.number),
        after_rfc: to && first.rfc,
        rest,
    })
}

/// Whether a line heads a changelog and names no version: `Changelog:`, `Changes since the last version:`.
fn is_bare(line: &str) -> bool {
    let line = line.trim();
    let bare = line
        .trim_matches(['=', '#', '*', ' ', '-', '~', '_'])
        .trim_end_matches([':', ' ']);
    if BARE.iter().any(|known| bare.eq_ignore_ascii_case(known)) {
        return true;
    }
    // Nearly all lines end otherwise, and need not be copied to see that.
    let ends = line.ends_with(':')
        || REVISIONS.iter().any(|word| {
            let start = bare.len().saturating_sub(word.len());
            bare.get(start..)
                .is_some_and(|end| end.eq_ignore_ascii_case(word))
        });
    if !ends {
        return false;
    }
    let lower = bare.to_ascii_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let names_previous = words.windows(2).any(|pair| {
        PREVIOUS.contains(&pair[0]) && REVISIONS.contains(&pair[1].trim_end_matches([',', ':']))
    });
    let opens = words
        .first()
        .is_some_and(|first| HEADS.contains(first) || OPENING_SINCE.contains(first));
    names_previous && opens && words.len() <= HEADING_WORDS_MAX
}

/// What stands before the version in a heading.
struct Lead<'a> {
    /// What follows it.
    rest: &'a str,
    /// It has a word such as `changes`.
    headed: bool,
    /// It says that the change is to the version, not in it.
    since: bool,
}

fn lead(line: &str) -> Lead<'_> {
    let mut lead = Lead {
        rest: line.trim_start(),
        headed: false,
        since: false,
    };
    let mut differs = false;
    loop {
        let word = lead.rest.split([' ', '\t']).next().unwrap_or_default();
        let lower = word.trim_end_matches(':').to_ascii_lowercase();
        let lower = lower.as_str();
        let is_head = HEADS.contains(&lower);
        let opens = !lead.since && OPENING_SINCE.contains(&lower);
        let is_joint = (lead.headed || lead.since) && JOINTS.contains(&lower);
        if lower.is_empty() || !(is_head || is_joint || opens) {
            return lead;
        }
        differs |= DIFFERING.contains(&lower);
        lead.headed |= is_head && lower.len() > 2;
        lead.since |= SINCE.contains(&lower) || (differs && lower == "to");
        lead.rest = lead.rest[word.len()..].trim_start();
    }
}

/// A version as it is named.
#[derive(Debug, Clone, Copy)]
struct Named {
    number: u32,
    rfc: bool,
}

/// Takes `v3`, `V3`, `RFC v3`, `RFC`, `PATCH v3`, `version 3`, `rev 3` from the front.
fn version_of(text: &str) -> Option<(Named, &str)> {
    let mut rest = text.trim_start();
    let mut rfc = false;
    for prefix in ["rfc", "patch", "version", "ver", "rev"] {
        let Some(head) = rest.get(..prefix.len()) else {
            continue;
        };
        if head.eq_ignore_ascii_case(prefix) {
            rfc |= prefix == "rfc";
            rest = rest[prefix.len()..].trim_start();
            // `RFC-v2`, but `RFC -> v2`.
            if rest.starts_with(['-', '/']) && rest[1..].starts_with(['v', 'V']) {
                rest = &rest[1..];
            }
            let counts = ["version", "ver", "rev"].contains(&prefix);
            if counts && rest.starts_with(|c: char| c.is_ascii_digit()) {
                return number(rest).map(|(number, rest)| (Named { number, rfc }, rest));
            }
        }
    }
    match rest.strip_prefix(['v', 'V']).and_then(number) {
        Some((number, rest)) => Some((Named { number, rfc }, rest)),
        None if rfc => {
            let parted = rest.is_empty()
                || rest.starts_with([':', '-', '=', '.', ')', ']'])
                || rest.starts_with("to ")
                || rest.starts_with('→');
            parted.then_some((Named { number: 0, rfc }, rest))
        }
        None => None,
    }
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number = digits
        .parse()
        .ok()
        .filter(|&number| number <= VERSION_MAX)?;
    // `v6.12` is a kernel, `v4l2` a subsystem.
    let goes_on = rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        || (rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit()));
    (!goes_on).then_some((number, rest))
}

/// What stands behind an arrow of any kind.
fn arrow(text: &str) -> Option<&str> {
    let text = text.trim_start();
    [
        "-->", "->", "=>", "==>", "~>", "→", "⇒", "...", "..", "to ", "and ", "- ", "/", ">", "–",
        "vs. ", "vs ",
    ]
    .iter()
    .find_map(|arrow| text.strip_prefix(arrow))
}

/// What is said on a heading's line, behind its colon; `None` where the line is prose that begins with a version.
fn said_behind(rest: &str, sure: bool) -> Option<&str> {
    let mut rest = rest.trim_start();
    for word in [
        "changes",
        "changelog",
        "updates",
        "change",
        "diff",
        "+",
        "resend",
        "repost",
    ] {
        let parted = rest
            .get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word));
        if parted {
            rest = rest[word.len()..].trim_start();
        }
    }
    // `(comments from Ann)`, `[1]`.
    while let Some(after) = rest
        .strip_prefix('(')
        .and_then(|note| note.split_once(')'))
        .or_else(|| rest.strip_prefix('[').and_then(|mark| mark.split_once(']')))
        .map(|(_, after)| after)
    {
        rest = after.trim_start();
    }
    let rest = rest.trim_end_matches(['=', '-', '*', '#', ' ']);
    if rest.is_empty() {
        return Some(rest);
    }
    if let Some(said) = rest.strip_prefix([':', '：']) {
        return Some(said.trim_start_matches([':', ' ', '\t']));
    }
    let dashed = ["- ", "– ", "= ", "=> ", ", "]
        .iter()
        .find_map(|dash| rest.strip_prefix(dash));
    if let (Some(said), true) = (dashed, !rest.starts_with(',') || sure) {
        return Some(said.trim_start());
    }
    (sure && (rest.starts_with("http") || rest.starts_with('<'))).then_some(rest)
}

/// A change, and how far its mark is set in.
struct Entry {
    said: String,
    column: usize,
    marked: bool,
}

/// The changes that stand below a heading, while its lines are read.
struct Entries<'a> {
    items: Vec<Entry>,
    lines: &'a [&'a str],
    /// How far the heading is set in.
    column: usize,
    /// The heading's own line names an address: it may be the head of a list of links.
    links: bool,
    after_blank: bool,
    /// A line without a mark may go on with the last item.
    goes_on: bool,
    /// What a machine printed is being left out.
    in_output: bool,
    /// Whether the first mark is a number.
    numbered: Option<bool>,
    last_chars: usize,
}

/// What a line does to the entry above it.
enum Step {
    Ends,
    Skipped,
    Read,
}

/// The changes that stand below the heading at line `at`.
fn entry(lines: &[&str], at: usize, heading: &Header<'_>) -> Vec<Entry> {
    let mut entries = Entries {
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
    for place in at + 1..lines.len() {
        match entries.step(place) {
            Step::Ends => break,
            Step::Skipped => {}
            Step::Read => entries.read(lines[place]),
        }
    }
    entries.items
}

impl Entries<'_> {
    fn take(&mut self, said: &str, column: usize, marked: bool) {
        self.items.push(Entry {
            said: said.trim().to_owned(),
            column,
            marked,
        });
        self.goes_on = true;
    }

    /// Whether a line belongs to the entry.
    fn step(&mut self, place: usize) -> Step {
        let line = self.lines[place];
        if line.trim().is_empty() {
            (self.after_blank, self.goes_on, self.in_output) = (true, false, false);
            return Step::Skipped;
        }
        let item = marked(line);
        if line == "--" || (is_rule(line) && !self.items.is_empty()) {
            return Step::Ends;
        }
        if is_rule(line) {
            return Step::Skipped;
        }
        if let Some(other) = header(line) {
            let is_note = self.items.is_empty() && !self.links && is_link(other.rest);
            let is_text_below = self
                .lines
                .get(place + 1)
                .is_some_and(|next| indent(next) > indent(line) && marked(next).is_none());
            // `v1: URL` right below `v1 -> v2:` says where v1 is; with text of its own it heads that.
            return match other.version {
                Some(_) if is_note && !is_text_below => Step::Skipped,
                None if self.items.is_empty() => Step::Skipped,
                Some(_) | None => Step::Ends,
            };
        }
        let inside = indent(line) > self.column || item.is_some();
        if is_trailer_of_patch(line)
            || is_diffstat(line)
            || is_shortlog_author(line)
            || is_closing(line)
            || (self.after_blank && !self.items.is_empty() && (!inside || self.is_other_list(line)))
        {
            return Step::Ends;
        }
        let next = self.lines[place + 1..]
            .iter()
            .find(|next| !next.trim().is_empty());
        let points = line.ends_with(':')
            && line.split_whitespace().count() <= POINTER_WORDS_MAX
            && next.is_some_and(|next| is_link(next));
        if is_link(item.unwrap_or(line)) || points {
            self.goes_on = false;
            return Step::Skipped;
        }
        Step::Read
    }

    /// Whether an item belongs to another list: numbers behind dashes, or dashes behind numbers.
    fn is_other_list(&self, line: &str) -> bool {
        let column = self.items.first().map_or(0, |first| first.column);
        bullet(line).is_some()
            && self
                .numbered
                .is_some_and(|known| known != is_numbered(line))
            && indent(line) <= column
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

/// What stands behind the mark of an item; changelogs have `-word` too.
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

/// A link to a revision says nothing of what changed.
fn is_link(said: &str) -> bool {
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

/// The changes on one line.
fn joined(items: &[Entry]) -> Option<String> {
    let mut line = String::new();
    // `v2: (comments from Ann)` tells nothing, as long as what changed follows.
    let is_note = |item: &Entry| item.said.starts_with('(') && item.said.ends_with([')', ':']);
    let items = match items {
        [note, rest @ ..] if is_note(note) && !rest.is_empty() => rest,
        _ => items,
    };
    let announces = |at: usize| {
        let (item, next) = (&items[at], items.get(at + 1));
        item.said.ends_with(':')
            && next.is_some_and(|next| next.column > item.column || !item.marked && next.marked)
    };
    // What was done to tags and bases comes last; a reader is told what else was done.
    let outer = items.iter().map(|item| item.column).min();
    let (chores, said): (Vec<usize>, Vec<usize>) = (0..items.len()).partition(|&at| {
        let is_outer = Some(items[at].column) == outer;
        is_outer && worth::is_chore(&items[at].said) && !announces(at)
    });
    let shown = if said.is_empty() { chores } else { said };
    for (place, at) in shown.iter().enumerate() {
        let nested = announces(*at);
        let said = items[*at]
            .said
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let said = if nested {
            said.as_str()
        } else {
            sentences::bare_item(&said)
        };
        if !said.contains(char::is_alphabetic) {
            continue;
        }
        let joint = if line.is_empty() {
            ""
        } else if line.ends_with(':') {
            " "
        } else {
            "; "
        };
        let chars = line.chars().count() + joint.len() + said.chars().count();
        // Room for `; …`, unless this is the last.
        let room = if place + 1 == shown.len() { 0 } else { 3 };
        if chars + room > CHANGE_CHARS_MAX {
            if line.is_empty() {
                return Some(sentences::cut(said, CHANGE_CHARS_MAX));
            }
            let left = CHANGE_CHARS_MAX.saturating_sub(line.chars().count() + joint.len());
            // What announces something must not end the line.
            if line.ends_with(':') && left > 20 {
                line.push_str(joint);
                line.push_str(&sentences::cut(said, left));
            } else {
                line.push_str(if line.ends_with(':') { " …" } else { "; …" });
            }
            return Some(line);
        }
        line.push_str(joint);
        line.push_str(said);
    }
    line.truncate(line.trim_end_matches([':', ' ']).len());
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_tell_their_version() {
        #[rustfmt::skip]
        let table = [
            ("v2 -> v3:", Some((3, ""))), ("v2->v3: paint", Some((3, "paint"))), ("V2 => V3", Some((3, ""))),
            ("v2..v3:", Some((3, ""))), ("v3..v2:", Some((3, ""))), ("v2 to v3", Some((3, ""))), ("RFC -> v1:", Some((1, ""))),
            ("Changes in v3:", Some((3, ""))), ("Changes since v2:", Some((3, ""))), ("Changes since v2 [1]:", Some((3, ""))),
            ("Changes from v2 to v3", Some((3, ""))), ("Changes v2 -> v3:", Some((3, ""))), ("Changes for v3", Some((3, ""))),
            ("v3:", Some((3, ""))), ("V3", Some((3, ""))), ("[v3]", Some((3, ""))), ("[v3] paint", None), ("Changelog: v3: paint", Some((3, "paint"))),
            ("Changelog v3:", Some((3, ""))), ("v3 changes:", Some((3, ""))), ("- v3: paint", Some((3, "paint"))),
            ("  * V3: paint", Some((3, "paint"))), ("=== v3 ===", Some((3, ""))), ("v3 - paint", Some((3, "paint"))),
            ("v2 -> v3: (as Ann said)", Some((3, "(as Ann said)"))), ("v3 (as Ann said):", Some((3, ""))),
            ("Since V2:", Some((3, ""))), ("From v2[0]:", Some((3, ""))), ("From v2 to v3:", Some((3, ""))),
            ("Compared to v2:", Some((3, ""))), ("Diff to v2:", Some((3, ""))), ("Changes against v2:", Some((3, ""))),
            ("V2->V3", Some((3, ""))), ("v3 vs v2:", Some((3, ""))), ("Change-log v3:", Some((3, ""))),
            ("v3 + resend:", Some((3, ""))), ("* v3", Some((3, ""))), ("-- v3", Some((3, ""))), ("Rev 3:", Some((3, ""))),
            ("Changes in v3 (https://a.example/3)", Some((3, ""))), ("Since v2 [1], I did this:", Some((3, "I did this:"))),
            ("Since v2 of the map it is red.", None), ("From v2 on all is red.", None), ("From 3 to 4.", None),
            ("Changes in RFC v3:", Some((3, ""))), ("Version 3:", Some((3, ""))), ("Differences between v2 and v3:", Some((3, ""))),
            ("v3 paints it.", None), ("v6.12: a kernel", None), ("v4l2: a thing", None), ("Changes in the map:", None),
            ("RFC patches are here", None), ("The v3: no", None), ("", None),
        ];
        for (line, wanted) in table {
            let found = header(line).and_then(|header| Some((header.version?, header.rest)));
            assert_eq!(found, wanted, "{line}");
        }
        for (line, wanted) in [
            ("Changelog:", true),
            ("Change-log:", true),
            ("=== Changes ===", true),
            ("Changes since last version", true),
            ("Compared to the previous version, the changes are:", true),
            ("Changes are good", false),
            ("The previous version was red:", false),
            (
                "Changes to the last version of a map that was made in the first place are these:",
                false,
            ),
        ] {
            assert_eq!(is_bare_header(line), wanted, "{line}");
        }
    }

    /// A changelog of three versions in many shapes; each version says a word of its own.
    #[test]
    fn no_version_tells_what_another_does() {
        #[rustfmt::skip]
        let table = [
            "v3: paint it\nv2: sell it\n",
            "v3: https://a.example/3\n    paint it\nv2: https://a.example/2\n    sell it\nv1: https://a.example/1\n",
            "v3: https://a.example/3\npaint it\nv2: https://a.example/2\nsell it\nv1: https://a.example/1\n",
            "Since V2:\n - paint it\nSince V1:\n - sell it\n",
            ">From v2[0]:\n- paint it\n\n>From v1[1]:\n- sell it\n\n[0]: https://a.example/2\n",
            "v1 -> v2\n- sell it\n\nv2 -> v3\n- paint it\n",
            "V1->V2: sell it\nV2->V3: paint it\n",
            "Change-log:\n v3:\n - paint it\n v2:\n - sell it\n",
            "Changelog:\n---\nv2 => v3\n+ paint it\nv1 => v2\n+ sell it\n",
            "Changes from v2:\n* paint it\nChanges from v1:\n* sell it\n",
            "Changes in v3 (https://a.example/3)\n- paint it\n- Link to v2: https://a.example/2\n\nChanges in v2\n- sell it\n",
            "* v3\n  * paint it\n* v2\n  * sell it\n",
            "- v2:\n  - sell it\n- v3:\n  - paint it\n",
            "v2..v3:\nv2: https://a.example/2\n- paint it\n\nv1..v2:\nv1: https://a.example/1\n- sell it\n",
            "---\nv3:\n  paint it\n\nv2:\n  sell it\n\n a.c | 2 +-\n",
            "=== v3 ===\npaint it\n\n=== v2 ===\nsell it\n",
            "v3 - paint it\nv2 - sell it\n",
            "Patch history:\nv3\n1. paint it\nv2\n1. sell it\n",
            "v3:\n-- paint it\nv2:\n-- sell it\n",
        ];
        for text in table {
            let text = format!("A pen.\n\n{text}\nSigned-off-by: A <a@a.example>\n");
            let told = |version| change(&text, version);
            assert_eq!(told(3).as_deref(), Some("paint it"), "{text}");
            assert_eq!(told(2).as_deref(), Some("sell it"), "{text}");
            assert_eq!((told(1), told(4)), (None, None), "{text}");
        }
    }

    #[test]
    fn a_change_is_told_for_its_version_only() {
        let text = "A pen.\n\nChanges in v3:\n - Paint it\n   red.\n * Sell it:\n   - to Ann\n   - to Ben\n - Link to v2: https://a.example/2\n\n\
                    Changes in v2:\n - Make it.\n\nSigned-off-by: A";
        #[rustfmt::skip]
        let table = [
            (text, 3, Some("Paint it red; Sell it: to Ann; to Ben")),
            (text, 2, Some("Make it")),
            (text, 1, None),
            (text, 4, None),
            ("v1 -> v2: paint it,\nthen sell it\nv2 -> v3:\n- burn it", 2, Some("paint it, then sell it")),
            ("v2: https://a.example/2\nv3:\n  Paint it.\n  Sell it.", 3, Some("Paint it; Sell it")),
            ("v2: https://a.example/2\nv3:\n  Paint it.\n  Sell it.", 2, None),
            ("Changelog:\n---\nv1 => v2\n+ paint it\n+ sell it\n---\n a.c | 2 +-", 2, Some("paint it; sell it")),
            ("Changes since v1:\n\nWe painted it\nand sold it.\n\nA pen is red.", 2, Some("We painted it and sold it")),
            ("Changes since RFC v1:\n- paint it", 2, Some("paint it")),
            ("Changes since RFC:\n- paint it", 1, Some("paint it")),
            ("RFC -> v1: paint it", 1, Some("paint it")),
            ("v1: a first try\nv2: paint it", 1, None),
            ("v1 -> v2: (as Ann said)\n- paint it", 2, Some("paint it")),
            ("v1 -> v2:\nLink: https://a.example/1\n- paint it", 2, Some("paint it")),
            ("Notable changes since v1:\n* paint it", 2, Some("paint it")),
            ("Changelog:\n- paint it\n- sell it\n", 4, Some("paint it; sell it")),
            ("Changelog:\n- paint it\n- sell it\n", 1, None),
            ("V1\n\t- https://a.example/1\nV2\n\t- https://a.example/2\n\t- paint it\n", 2, Some("paint it")),
            ("v2:\n  -Paint it.\n", 2, Some("Paint it")),
            ("Change-log:\n- paint it\n\nV2: https://a.example/2\nV1: https://a.example/1\n", 3, Some("paint it")),
            ("Changes since v2:\n- paint it", 2, Some("paint it")),
            ("Compared to the previous version:\n1. paint it\n2. sell it", 2, Some("paint it; sell it")),
            ("v3:\n- paint it\n- sell it\n\n1) Pens are kept in a drawer.\n\n2) Caps are closed.", 3, Some("paint it; sell it")),
            ("v2:\n- paint it\n--\n2.1", 2, Some("paint it")),
            ("v2: as Ann said\n- paint it\nDetails are here:\nhttps://a.example/1", 2, Some("as Ann said; paint it")),
            ("v2:\n- paint it\nmain.c:1:2: error: no pen\nno pen either\n- sell it", 2, Some("paint it; sell it")),
            ("v2:\n- rebased on the red tree\n- paint it\n- add Ann's Acked-by\n- address comments from Ann", 2, Some("paint it")),
            ("v2:\n- Rebased on the red tree", 2, Some("Rebased on the red tree")),
            ("v2:\n- add tags:\n  - collect Ann's Acked-by\n- paint it", 2, Some("add tags: collect Ann's Acked-by; paint it")),
            ("no changes are told", 2, None),
            ("v2:\n\nAnn Author (2):\n  one\n", 2, None),
        ];
        for (text, version, wanted) in table {
            assert_eq!(
                change(text, version).as_deref(),
                wanted,
                "{version}: {text}"
            );
        }
    }

    #[test]
    fn long_changes_end_with_an_item() {
        let items: String = (0..40)
            .map(|n| format!("- paint pen number {n}\n"))
            .collect();
        let line = change(&format!("v2:\n{items}"), 2).expect("changes are told");
        assert!(
            line.ends_with("; …") && line.chars().count() <= CHANGE_CHARS_MAX,
            "{line}"
        );
        let line = change(&format!("v2: {}", "paint ".repeat(90)), 2).expect("a change is told");
        assert!(
            line.ends_with("paint …") && line.chars().count() <= CHANGE_CHARS_MAX,
            "{line}"
        );
    }
}

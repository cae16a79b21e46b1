//! Changelogs: which revision an entry is about, and what it says.

use super::lines::{
    bullet, indent, is_closing, is_diffstat, is_machine, is_reference, is_rule, is_shortlog_author,
    is_trailer,
};
use super::sentences;
use crate::item::prose::lines;

/// The most characters of a line that says what changed.
const CHANGE_CHARS_MAX: usize = 240;
/// A line of plain text shorter than this, in characters, was not wrapped: what follows is another change.
const WRAPPED_CHARS_MIN: usize = 58;
/// No series comes in more revisions.
const VERSION_MAX: u32 = 99;
/// What may stand before a version in a heading.
#[rustfmt::skip]
const HEADS: [&str; 36] = [
    "#", "##", "*", "+", "-", "=", "==", "===", "change", "changed", "changelog", "changelog:", "changes",
    "changes:", "delta", "detailed", "diff", "difference", "differences", "full", "history", "history:", "key",
    "log", "main", "major", "minor", "new", "notable", "noteworthy", "o", "other", "patch", "revision",
    "summary", "updates",
];
/// What may stand between those and the version.
#[rustfmt::skip]
const JOINTS: [&str; 11] = [
    "in", "for", "of", "with", "the", "since", "from", "between", "compared", "to", "vs",
];
/// After these the change is to a version, not in it.
const SINCE: [&str; 5] = ["since", "from", "compared", "vs", "between"];
/// Headings of a changelog that name no version.
#[rustfmt::skip]
const BARE: [&str; 21] = [
    "changes", "changelog", "change log", "change-log", "changelogs", "major changes", "minor changes",
    "main changes since last version", "detailed changelog", "detailed changes", "full changelog",
    "other changes", "revision history", "version history", "patch history", "history", "revisions",
    "changes since last version", "changes since previous version", "changes since last revision",
    "changes from previous version",
];

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
    let text = sentences::without_marks(text);
    let lines: Vec<&str> = lines(&text).map(str::trim_end).collect();
    let headers: Vec<(usize, Header<'_>)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| header(line).map(|header| (at, header)))
        .collect();
    let names_versions = headers.iter().any(|(_, header)| header.version.is_some());
    let told = headers.iter().filter(|(_, header)| match header.version {
        // A first version has changed only where comments were asked for before.
        Some(told) if version == 1 => header.after_rfc && told <= 2,
        Some(told) => told == version,
        // A changelog without versions tells of the revision that it comes with.
        None => version > 1 && !names_versions,
    });
    told.map(|(at, header)| entry(&lines, *at, header))
        .find_map(|items| joined(&items))
}

/// Reads a heading: `v2 -> v3:`, `Changes in v3:`, `- v3: what`, `[v3]`, `Changelog:`.
fn header(line: &str) -> Option<Header<'_>> {
    let bare = line
        .trim()
        .trim_matches(['=', '#', '*', ' ', '-', '~', '_'])
        .trim_end_matches([':', ' ']);
    if BARE.iter().any(|known| bare.eq_ignore_ascii_case(known)) {
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
    let mut rest = line.trim_start();
    let (mut headed, mut since) = (false, false);
    loop {
        let word = rest.split([' ', '\t']).next().unwrap_or_default();
        let lower = word.to_ascii_lowercase();
        let is_head = HEADS.contains(&lower.as_str());
        let is_joint = headed && JOINTS.contains(&lower.as_str());
        if word.is_empty() || (!is_head && !is_joint) {
            break;
        }
        headed |= is_head && lower.len() > 2;
        since |= SINCE.contains(&lower.as_str());
        rest = rest[word.len()..].trim_start();
    }
    let bracketed = rest.starts_with(['[', '(']);
    rest = rest.trim_start_matches(['[', '(']);
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
    let rest = said_behind(rest, headed || to || bracketed)?;
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

/// A version as it is named.
#[derive(Debug, Clone, Copy)]
struct Named {
    number: u32,
    rfc: bool,
}

/// Takes `v3`, `V3`, `RFC v3`, `RFC`, `PATCH v3`, `version 3` from the front.
fn version_of(text: &str) -> Option<(Named, &str)> {
    let mut rest = text.trim_start();
    let mut rfc = false;
    for prefix in ["rfc", "patch", "version"] {
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
            if prefix == "version" && rest.starts_with(|c: char| c.is_ascii_digit()) {
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
    ]
    .iter()
    .find_map(|arrow| text.strip_prefix(arrow))
}

/// What is said on a heading's line, behind its colon; `None` where the line is prose that begins with a version.
fn said_behind(rest: &str, sure: bool) -> Option<&str> {
    let mut rest = rest.trim_start();
    for word in ["changes", "changelog", "updates", "change", "diff"] {
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

/// The changes that stand below the heading at line `at`.
fn entry(lines: &[&str], at: usize, heading: &Header<'_>) -> Vec<Entry> {
    let mut items: Vec<Entry> = Vec::new();
    let take = |items: &mut Vec<Entry>, said: &str, column: usize, marked: bool| {
        items.push(Entry {
            said: said.trim().to_owned(),
            column,
            marked,
        });
    };
    if !heading.rest.is_empty() && !is_link(heading.rest) {
        let (said, marked) =
            bullet(heading.rest).map_or((heading.rest, false), |said| (said, true));
        let column = lines[at].len() - heading.rest.len();
        take(&mut items, said, column, marked);
    }
    let heading_column = indent(lines[at]);
    let (mut after_blank, mut goes_on, mut last_chars) = (false, !items.is_empty(), usize::MAX);
    for line in &lines[at + 1..] {
        if line.trim().is_empty() {
            after_blank = true;
            goes_on = false;
            continue;
        }
        let column = indent(line);
        let item = bullet(line).or_else(|| {
            line.trim_start()
                .strip_prefix('-')
                .filter(|said| said.starts_with(char::is_alphabetic))
        });
        let inside = column > heading_column || item.is_some();
        if is_rule(line) {
            if items.is_empty() {
                continue;
            }
            break;
        }
        if !items.is_empty() && is_link(line) || line.trim_start().starts_with("Link:") {
            goes_on = false;
            continue;
        }
        if header(line).is_some_and(|other| other.version.is_some() || !items.is_empty())
            || is_trailer(line)
            || is_diffstat(line)
            || is_shortlog_author(line)
            || is_closing(line)
            || (after_blank && !items.is_empty() && !inside)
        {
            break;
        }
        after_blank = false;
        if is_link(item.unwrap_or(line)) || header(line).is_some() {
            goes_on = false;
            continue;
        }
        let chars = line.chars().count();
        match item {
            Some(said) => {
                take(&mut items, said, column, true);
                goes_on = true;
            }
            None => {
                let starts = line.trim_start().starts_with(char::is_uppercase);
                let last = items.last_mut().filter(|last| {
                    goes_on
                        && (last.marked || !starts || last_chars >= WRAPPED_CHARS_MIN)
                        && !is_machine(line)
                });
                match last {
                    Some(last) => {
                        last.said.push(' ');
                        last.said.push_str(line.trim());
                    }
                    None if is_machine(line) => goes_on = false,
                    None => {
                        take(&mut items, line, column, false);
                        goes_on = true;
                    }
                }
            }
        }
        last_chars = chars;
    }
    items
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
    named || is_reference(said) || (address && words <= 3) || lower.starts_with("http")
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
    for (at, item) in items.iter().enumerate() {
        let said = item.said.split_whitespace().collect::<Vec<_>>().join(" ");
        let announces = said.ends_with(':');
        let nested = items
            .get(at + 1)
            .is_some_and(|next| next.column > item.column || !item.marked && next.marked);
        let said = if announces && nested {
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
        let room = if at + 1 == items.len() { 0 } else { 3 };
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
            ("Changes in RFC v3:", Some((3, ""))), ("Version 3:", Some((3, ""))), ("Differences between v2 and v3:", Some((3, ""))),
            ("v3 paints it.", None), ("v6.12: a kernel", None), ("v4l2: a thing", None), ("Changes in the map:", None),
            ("RFC patches are here", None), ("The v3: no", None), ("", None),
        ];
        for (line, wanted) in table {
            let found = header(line).and_then(|header| Some((header.version?, header.rest)));
            assert_eq!(found, wanted, "{line}");
        }
        assert!(
            is_bare_header("Changelog:")
                && is_bare_header("=== Changes ===")
                && !is_header("Changes are good")
        );
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

//! Changelogs: assigns entries to revisions.

use super::entries::{ChangelogEntry, entry, is_link};
use super::headings::{Header, header};
use super::lines::unescaped;
use super::{sentences, worth};
use crate::item::prose::lines;

/// The most characters of a line about changes.
const CHANGE_CHARS_MAX: usize = 240;
/// The changes in revision `version`, on one line of at most 240 characters; `None` if the author lists none.
pub fn change(text: &str, version: u32) -> Option<String> {
    let text = unescaped(text);
    let text = sentences::without_marks(&text);
    let lines: Vec<&str> = lines(&text).map(str::trim_end).collect();
    let headers: Vec<(usize, Header<'_>)> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| header(line).map(|header| (at, header)))
        .collect();
    let find_changes = |is_it: &dyn Fn(&Header<'_>) -> bool| {
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
        return find_changes(&|header| {
            header.after_rfc && header.version.is_some_and(|other| other <= 2)
        });
    }
    let named: Vec<u32> = headers.iter().filter_map(|(_, one)| one.version).collect();
    // `Changes since v2` in a v2 that names no other: its author counts the revisions in another way.
    let miscounted = !named.is_empty() && named.iter().all(|other| *other == version + 1);
    find_changes(&|header| header.version == Some(version))
        .or_else(|| find_changes(&|header| miscounted && header.version == Some(version + 1)))
        // A changelog without versions belongs to the revision that it comes with.
        .or_else(|| find_changes(&|header| header.version.is_none()))
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

/// The changes on one line.
fn joined(items: &[ChangelogEntry]) -> Option<String> {
    let mut line = String::new();
    // `v2: (comments from Ann)` is skipped if the changes follow.
    let is_note =
        |item: &ChangelogEntry| item.said.starts_with('(') && item.said.ends_with([')', ':']);
    let items = match items {
        [note, rest @ ..] if is_note(note) && !rest.is_empty() => rest,
        _ => items,
    };
    let announces = |at: usize| {
        let (item, next) = (&items[at], items.get(at + 1));
        item.said.ends_with(':')
            && next.is_some_and(|next| next.column > item.column || !item.marked && next.marked)
    };
    // Changes of tags and bases come last.
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
            // A phrase that announces something must not end the line.
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

    /// A changelog of three versions in many shapes; each version says a word of its own.
    #[test]
    fn no_version_gets_the_changes_of_another() {
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
            let find_changes = |version| change(&text, version);
            assert_eq!(find_changes(3).as_deref(), Some("paint it"), "{text}");
            assert_eq!(find_changes(2).as_deref(), Some("sell it"), "{text}");
            assert_eq!((find_changes(1), find_changes(4)), (None, None), "{text}");
        }
    }

    #[test]
    fn a_change_belongs_to_its_version_only() {
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
            ("v2: paint it\n    red\n\n1) Pens are kept in a drawer.\n\n2) Caps are closed.", 2, Some("paint it red")),
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

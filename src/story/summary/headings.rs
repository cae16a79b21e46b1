//! Headings of changelogs, in all the ways in which authors name a revision.

/// No series comes in more revisions.
const VERSION_MAX: u32 = 99;
/// Words that may stand before a version in a heading.
#[rustfmt::skip]
const HEADS: [&str; 39] = [
    "#", "##", "*", "+", "-", "--", "=", "==", "===", "change", "change-log", "changed", "changelog",
    "changelogs", "changes", "delta", "detailed", "diff", "difference", "differences", "full", "history",
    "key", "log", "main", "major", "minor", "modifications", "new", "notable", "noteworthy", "o", "other",
    "patch", "revision", "significant", "summary", "update", "updates",
];
/// Words that may stand between those and the version.
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
/// Words for an earlier revision without its number.
const PREVIOUS: [&str; 5] = ["previous", "last", "prior", "earlier", "preceding"];
/// Words for a revision.
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
pub(super) struct Header<'a> {
    /// The revision; `None` if the heading names none.
    pub(super) version: Option<u32>,
    /// It may mean the first version, after requests for comments.
    pub(super) after_rfc: bool,
    /// The rest of the line.
    pub(super) rest: &'a str,
}

/// Whether a line heads (a part of) a changelog.
pub(super) fn is_header(line: &str) -> bool {
    header(line).is_some()
}

/// Whether the line is only a heading, so that the changes follow.
pub(super) fn is_bare_header(line: &str) -> bool {
    header(line).is_some_and(|header| header.rest.is_empty())
}

/// Reads a heading: `v2 -> v3:`, `Changes in v3:`, `- v3: what`, `[v3]`, `Since v2:`, `Changelog:`.
pub(super) fn header(line: &str) -> Option<Header<'_>> {
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
    let mut named = first;
    let mut to = false;
    if let Some((second, after)) = arrow(rest).and_then(version_of) {
        // Some write `v3..v2`.
        let backwards = second.number < first.number && !first.rfc;
        (named, rest, to) = (if backwards { first } else { second }, after, true);
    }
    if bracketed {
        rest = rest.trim_start().strip_prefix([']', ')']).unwrap_or(rest);
    }
    let rest = said_behind(rest, headed || to || bracketed || since)?;
    if since && !to {
        return Some(Header {
            version: Some(named.number + 1),
            after_rfc: named.rfc,
            rest,
        });
    }
    Some(Header {
        version: Some(named.number),
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

/// The words before the version in a heading.
struct Lead<'a> {
    /// The text after them.
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

/// The text behind an arrow of any kind.
fn arrow(text: &str) -> Option<&str> {
    let text = text.trim_start();
    [
        "-->", "->", "=>", "==>", "~>", "→", "⇒", "...", "..", "to ", "and ", "- ", "/", ">", "–",
        "vs. ", "vs ",
    ]
    .iter()
    .find_map(|arrow| text.strip_prefix(arrow))
}

/// The text behind the colon of a heading; `None` if the line is prose that begins with a version.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_name_their_version() {
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
}

//! Classifies a line of a mail or a commit message by itself, without its neighbours.

use std::borrow::Cow;

use crate::item::prose::find;

/// The pseudo headers and trailers without `-by` that are met in messages, in lower case.
#[rustfmt::skip]
const TRAILERS: [&str; 36] = [
    "acked", "base-commit", "base-branch", "base", "bug", "buglink", "bugzilla", "cc", "change-id", "closes",
    "date", "depends-on", "discussion", "fixes", "from", "git-tree", "in-reply-to", "link", "links",
    "message-id", "message-ids", "patchwork", "prerequisite-change-id", "prerequisite-message-id",
    "prerequisite-patch-id", "ref", "references", "refs", "resolves", "sent", "subject", "syzbot", "to",
    "upstream-commit", "url", "webrev",
];
/// How mails greet.
#[rustfmt::skip]
const GREETINGS: [&str; 8] = ["hi", "hello", "hey", "dear", "greetings", "howdy", "hola", "folks"];
/// How mails end, in lower case.
#[rustfmt::skip]
const CLOSINGS: [&str; 21] = [
    "all the best", "best", "best regards", "best wishes", "br", "cheers", "kind regards", "kindest regards",
    "many thanks", "regards", "rgds", "sincerely", "thank you", "thank you very much", "thanks", "thanks a lot",
    "thanks again", "thanks and regards", "thanks in advance", "thx", "warm regards",
];
/// The longest name of a value, in characters.
const FIELD_CHARS_MAX: usize = 24;
/// The longest greeting of a mail, in characters.
const GREETING_CHARS_MAX: usize = 60;

/// The fewest words behind a mark that are prose.
const MARKED_WORDS_MIN: usize = 3;
/// The characters of a time of day: `02:48`.
const CLOCK_CHARS: usize = 5;

/// The text without the `>` that mailboxes set before a line that begins with `From `.
pub(super) fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains(">From ") {
        let all = text.split('\n');
        let all = all.map(|line| {
            if line.starts_with(">From ") {
                &line[1..]
            } else {
                line
            }
        });
        Cow::Owned(all.collect::<Vec<_>>().join("\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// How far a line is indented, in columns; a tab counts to the next eighth.
pub(super) fn indent(line: &str) -> usize {
    let mut columns = 0;
    for c in line.chars() {
        match c {
            ' ' | '\u{a0}' => columns += 1,
            '\t' => columns += 8 - columns % 8,
            _ => break,
        }
    }
    columns
}

/// The text behind the mark of a list item: `- `, `* `, `o `, `1. `, `2) `, `(c) `; `[3] ` is none.
pub(super) fn bullet(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let mark = line.split_whitespace().next()?;
    let rest = line[mark.len()..].trim_start();
    if [
        "-", "--", "*", "o", "+", "•", "·", "–", "—", "->", "=>", "‣", "◦", "#)",
    ]
    .contains(&mark)
    {
        return (!rest.is_empty()).then_some(rest);
    }
    // `3-5: the purpose of patches 3 to 5`.
    let parts = mark.strip_suffix(':').unwrap_or_default();
    let counts = parts
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b',' | b'/' | b'#'));
    if !parts.is_empty() && parts.len() <= 6 && counts {
        return (!rest.is_empty()).then_some(rest);
    }
    let body = mark.strip_prefix('(').unwrap_or(mark);
    let number = body.strip_suffix([')', '.'])?;
    let is_digits =
        !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    let is_letter =
        number.len() == 1 && number.bytes().all(|b| b.is_ascii_lowercase()) && body.ends_with(')');
    let is_roman = body.ends_with(')')
        && !number.is_empty()
        && number.bytes().all(|b| matches!(b, b'i' | b'v' | b'x'));
    ((is_digits || is_letter || is_roman) && !rest.is_empty()).then_some(rest)
}

/// Whether the mark of a list item counts it: `1. `, `2) `.
pub(super) fn is_numbered(line: &str) -> bool {
    line.trim_start_matches([' ', '\t', '('])
        .starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a line quotes another mail, or says that the next ones do. Some quote by a bar instead.
pub(super) fn is_quote(line: &str) -> bool {
    let line = line.trim_start();
    let said = ["wrote:", "writes:", "napsal(a):", "schrieb:"];
    line.starts_with('>')
        || line.starts_with("| ")
        || line.starts_with("|>")
        || line == "|"
        || said.iter().any(|end| line.ends_with(end))
        || find(line, "Original Message").is_some()
}

/// Whether a line names the author of the quote right below it: by a day and a time, an address, or `On …`.
pub(super) fn is_attribution(line: &str) -> bool {
    let line = line.trim();
    let is_clock = |word: &str| {
        let mut digits = word.split(':').map(|part| part.parse::<u8>());
        word.len() >= CLOCK_CHARS - 1
            && matches!(
                (digits.next(), digits.next()),
                (Some(Ok(0..24)), Some(Ok(0..60)))
            )
    };
    let words = || line.split_whitespace();
    let address = line.split_once('<').is_some_and(|(_, rest)| {
        rest.split_once('>')
            .is_some_and(|(address, _)| address.contains('@') && !address.contains(' '))
    });
    line.starts_with("On ")
        || address
        || words().any(|word| is_clock(word.trim_end_matches([',', ':', ')'])))
}

/// Whether a line is a trailer or a pseudo header: `Signed-off-by: …`, `Fixes: …`, `base-commit: …`.
pub(super) fn is_trailer(line: &str) -> bool {
    let line = line.trim_start();
    if is_maintainer_note(line) {
        return true;
    }
    let Some((name, value)) = line.split_once(':') else {
        return false;
    };
    let name = name.trim_end();
    let is_name = name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !is_name || name.is_empty() {
        return false;
    }
    let name = name.to_ascii_lowercase();
    let spaced = value.is_empty() || value.starts_with([' ', '\t']);
    let known = TRAILERS.contains(&name.as_str());
    // `cc: x` may stand before prose; a trailer's value is a person, a link or a commit.
    name.ends_with("-by") || name.ends_with("-id") || (known && spaced && !is_sentence(value))
}

/// `[ name: the maintainer's change ]`
fn is_maintainer_note(line: &str) -> bool {
    let Some(note) = line.strip_prefix('[') else {
        return false;
    };
    let name = note.trim_start().split(':').next().unwrap_or_default();
    note.contains(": ")
        && !name.is_empty()
        && name.len() < 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.split_whitespace().count() <= 3
        && !name.contains(']')
}

/// Whether a trailer's value is a sentence all the same, such as `Bug: the map is freed twice.`
fn is_sentence(value: &str) -> bool {
    let value = value.trim();
    value.ends_with('.') && value.split_whitespace().count() > 5 && !value.contains("://")
}

/// Whether a line belongs to a diffstat.
pub(super) fn is_diffstat(line: &str) -> bool {
    let trimmed = line.trim();
    if let Some((path, count)) = trimmed.rsplit_once('|') {
        let count = count.trim();
        let counts = count.starts_with(|c: char| c.is_ascii_digit()) || count.starts_with("Bin");
        if counts && !path.contains('|') && path.contains(['/', '.', '=']) {
            return true;
        }
    }
    (trimmed.starts_with(|c: char| c.is_ascii_digit()) && trimmed.contains(" changed, "))
        || ["create mode ", "delete mode ", "mode change ", "rename "]
            .iter()
            .any(|start| trimmed.starts_with(start) && line.starts_with(' '))
}

/// Whether a line heads an author's part of a shortlog: `Jane Doe (3):`.
pub(super) fn is_shortlog_author(line: &str) -> bool {
    line.trim_end().strip_suffix("):").is_some_and(|head| {
        head.rsplit_once('(').is_some_and(|(name, count)| {
            name.ends_with(' ') && !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit())
        })
    })
}

/// Whether a line is drawn of one mark: `====`, `---`, `* * *`.
pub(super) fn is_rule(line: &str) -> bool {
    let mut marks = line.chars().filter(|c| !c.is_whitespace());
    let Some(first) = marks.next() else {
        return false;
    };
    "=-~*_#^+.—─".contains(first)
        && marks.clone().count() >= 2
        && marks.all(|c| c == first || c == '+')
}

/// Whether a line is nothing but an address, or a reference to one: `[1] https://…`, `[2]: Documentation/x.rst`.
pub(super) fn is_reference(line: &str) -> bool {
    let line = line.trim();
    let mut words = line.split_whitespace();
    let (label, address) = (words.next(), words.next());
    let is_labelled = || label.is_some_and(|w| w.ends_with(':')) && address.is_some_and(is_address);
    (words.next().is_none() && (is_address(line) || is_labelled())) || marked(line).is_some()
}

/// Whether a text begins as an address does.
pub(super) fn is_address(text: &str) -> bool {
    [
        "https://",
        "http://",
        "git://",
        "<http",
        "ftp://",
        "lore.kernel.org",
        "git@",
    ]
    .iter()
    .any(|start| text.starts_with(start))
}

/// Whether a line begins with a mark such as `[1]` that stands for a noun: `[1] added a map, and …`.
pub(super) fn is_marked_prose(line: &str) -> bool {
    marked(line.trim()).is_some_and(|rest| {
        let explains = ["see ", "cf. ", "e.g. "]
            .iter()
            .any(|start| rest.starts_with(start));
        rest.starts_with(|c: char| c.is_ascii_lowercase())
            && rest.split_whitespace().count() >= MARKED_WORDS_MIN
            && !line.trim()[1..].contains("]:")
            && !rest.contains("://")
            && !rest
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .contains(['/', '.', '@'])
            && !explains
    })
}

/// The text behind `[1]` or `[1]:` at the start of a line; `(1)` is no such mark.
fn marked(line: &str) -> Option<&str> {
    let (mark, rest) = line.strip_prefix('[')?.split_once(']')?;
    let is_mark = !mark.is_empty()
        && mark.len() <= 3
        && mark
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'*');
    is_mark.then_some(rest.trim_start_matches([':', ' ', '\t']))
}

/// The rest of a line after a greeting; the whole line if there is none.
pub(super) fn without_greeting(line: &str) -> &str {
    let trimmed = line.trim_start();
    let first = trimmed
        .split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default();
    let good_day = ["good morning", "good afternoon", "good evening", "good day"]
        .iter()
        .any(|start| {
            let head = trimmed.get(..start.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(start))
        });
    if !good_day && !GREETINGS.contains(&first.to_ascii_lowercase().as_str()) {
        return line;
    }
    let whole = trimmed.trim_end();
    let words = whole.split_whitespace().count();
    let ends = whole.ends_with([',', '!', ':', '-', '.', ')']);
    if whole.chars().count() <= GREETING_CHARS_MAX && ((ends && words <= 9) || words <= 3) {
        return "";
    }
    // `Hi all, this series …`: the prose begins behind the comma, as long as few words are left out.
    match trimmed.find([',', '!', '.']) {
        Some(at) if trimmed[..at].split_whitespace().count() <= 3 => trimmed[at + 1..].trim_start(),
        Some(_) | None => line,
    }
}

/// Whether a line ends a mail: `Thanks,`, `Best regards`, `Cheers, Jane`.
pub(super) fn is_closing(line: &str) -> bool {
    let line = line.trim().trim_start_matches(['-', '/', ' ']);
    // Nearly all lines are none, and need not be copied to see that.
    let first = line.bytes().next().map(|first| first.to_ascii_lowercase());
    if !CLOSINGS
        .iter()
        .any(|closing| closing.bytes().next() == first)
    {
        return false;
    }
    let lower = line.to_ascii_lowercase().replace('&', "and");
    CLOSINGS.iter().any(|closing| {
        lower.strip_prefix(closing).is_some_and(|rest| {
            let name = rest.trim_start_matches([',', '.', '!', ' ', ':', '-', ';']);
            let parted = rest.is_empty() || rest.starts_with([',', '.', '!', ' ', ':', '-', ';']);
            let is_name = name.split_whitespace().count() <= 2
                && (rest.starts_with([',', '!', '.']) || name.is_empty());
            parted && is_name
        })
    })
}

/// Whether a line, alone in its paragraph, is a heading and not a statement.
pub(super) fn is_heading(line: &str) -> bool {
    let line = line.trim();
    let bare = line.trim_matches(['=', '#', '*', '-', '~', '_', '[', ']', ' ']);
    let decorated = (line.starts_with(['=', '#', '~', '_', '*']) || line.starts_with("--"))
        && !line.ends_with('.');
    let bracketed = line.starts_with('[') && line.ends_with(']');
    let words = bare.split_whitespace().count();
    let spoken = bare.ends_with(['.', '!', '?', '…', '"', ')', '`']);
    bracketed || (decorated && words <= 10) || (!spoken && words <= 4)
}

/// Whether a line gives a value for a name, as reports do: `Hardware: a pen`, `configs tested: 3`.
pub(super) fn is_field(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, value)| {
        name.chars().count() <= FIELD_CHARS_MAX
            && name.split_whitespace().count() <= 3
            && name.starts_with(char::is_alphabetic)
            && !value.ends_with(['.', ','])
    })
}

/// Whether a line opens git's text of a pull request, or lists merges.
pub(super) fn is_git_speech(line: &str) -> bool {
    let is_commit = |rest: &str| {
        let hash = rest.split_whitespace().next().unwrap_or_default();
        hash.len() >= 8 && hash.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let speaks = [
        "Merge branch ",
        "Merge branches ",
        "Merge tag ",
        "Merge series ",
        "Merge remote-tracking ",
        "The following changes since commit",
        "are available in the ",
        "for you to fetch changes up to",
        "(cherry picked from",
    ]
    .iter()
    .any(|start| line.starts_with(start));
    (speaks || line.strip_prefix("commit ").is_some_and(is_commit)) && !line.ends_with('.')
        || is_dated_title(line)
}

/// `maps: paint them (2026-01-02 03:04:05 +0200)`: the ends of a pull, as git prints them.
fn is_dated_title(line: &str) -> bool {
    line.trim()
        .strip_suffix(')')
        .and_then(|head| head.rsplit_once(" ("))
        .is_some_and(|(_, date)| {
            let shape: String = date
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            ["0000-00-00 00:00:00 +0000", "0000-00-00 00:00:00 -0000"].contains(&shape.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::super::machine::{is_machine, is_printed};
    use super::*;

    #[test]
    fn a_line_is_known_by_its_looks() {
        type Test = (&'static str, fn(&str) -> bool);
        #[rustfmt::skip]
        let tests: [Test; 9] = [
            ("quote", is_quote), ("trailer", is_trailer), ("stat", is_diffstat), ("author", is_shortlog_author),
            ("rule", is_rule), ("reference", is_reference), ("machine", is_machine), ("closing", is_closing),
            ("git", is_git_speech),
        ];
        #[rustfmt::skip]
        let table = [
            ("> so you say", "quote"),
            ("On Friday, A. Body wrote:", "quote"),
            ("Signed-off-by: A <a@b.c>", "trailer"),
            ("Reported-and-tested-by: A", "trailer"),
            ("Fixes: 0123456789ab (\"pens: paint all of them\")", "trailer"),
            ("base-commit: 0123", "trailer"),
            ("[ ab: took out a blank line ]", "trailer"),
            (" drivers/pens/paint/red.c | 2 +-", "stat"),
            (" 2 files changed, 3 insertions(+)", "stat"),
            (" create mode 100644 a/b.c", "stat"),
            ("Ann Author (12):", "author"),
            ("====", "rule"),
            ("-----------", "rule"),
            ("[1] https://a.example/1", "reference"),
            ("https://a.example/1", "reference"),
            ("[2]: Documentation/x.rst", "reference"),
            ("$ make", "machine"), ("~ # pen [WARN] it is dry", "machine"),
            ("# ./run me", "machine"),
            ("[   12.345678] a line of the log", "machine"),
            ("a.c:12:3: warning: no use", "machine"),
            ("ret = run(ctx);", "machine"), ("./run me", "machine"), ("#12/3 pens/red:OK", "machine"),
            ("RAX: 0000000000000001 RBX: 0000000000000002", "machine"), ("NameError: no such name", "machine"),
            ("if (x) {", "machine"),
            ("size     before     after", "machine"),
            ("Thanks,", "closing"),
            ("Best regards", "closing"),
            ("Cheers, Ann", "closing"),
            ("| so you say", "quote"),
            ("0123456789ab Ann Author 2026-01-02 12 int pen;", "machine"),
            ("12:34:56 DEBUG| pen", "machine"),
            ("PEN=red INK=blue make pens", "machine"), ("make PEN=red \\", "machine"),
            ("run_pen:FAIL:no ink 2", "machine"),
            ("CONFIG_PEN=y makes it red.", ""),
            ("# Motivation", ""),
            ("array, e.g. \"1@-9(%a,%b,8)\" \"2@(%a)\".", ""),
            ("pens: paint all of them red and some of them blue (2026-01-02 03:04:05 +0200)", "git"),
            ("commit 0123456789abcdef", "git"),
            ("Merge branch 'x' into y", "git"),
            ("paints it red (as Ann said);", ""),
            ("sent from there, when calling send();", ""),
            ("A = B + 3 = 0x12", "machine"),
            ("Thanks to it, loading takes half the time.", ""),
            ("This reads a ring (or two).", ""),
            ("A. Body added it: it works.", ""),
            ("Maps: hash and array maps are kept.", ""),
            ("Note [1] says so.", ""),
            ("commit to it for good.", ""),
        ];
        for (line, wanted) in table {
            let found: Vec<&str> = tests
                .iter()
                .filter(|(_, test)| test(line))
                .map(|(name, _)| *name)
                .collect();
            assert_eq!(found.join(" "), wanted, "{line}");
        }
    }

    #[test]
    fn lines_are_classified_by_their_neighbours() {
        for (line, above, wanted) in [
            ("cp: no such pen", "It stops here:", true),
            ("#3/1 pens:OK", "It stops here:", true),
            ("qdisc pen 0: red", "It has this output:", true),
            (" pens are copied.", "Ann says:", false),
            ("Pens: they are red.", "It has this output:", false),
        ] {
            assert_eq!(is_printed(line, above), wanted, "{line}");
        }
        for (line, wanted) in [
            ("On Friday Ann said", true),
            ("2026-01-02 03:04 UTC+0100 ~ Ann Author", true),
            ("Ann Author <ann@a.example>:", true),
            ("It is red: so they say:", false),
            ("Use #include <pen.h>:", false),
        ] {
            assert_eq!(is_attribution(line), wanted, "{line}");
        }
        for (line, wanted) in [
            ("[1] added a red pen to", true),
            ("[1]: added a red pen to", false),
            ("[1] pens/drawer.c has a red", false),
            ("[1] see the red pen", false),
            ("[1] Introduced in the red tree", false),
        ] {
            assert_eq!(is_marked_prose(line), wanted, "{line}");
        }
        assert_eq!(unescaped("a\n>From it\n> From us"), "a\nFrom it\n> From us");
    }

    #[test]
    fn greetings_go_and_prose_behind_them_stays() {
        #[rustfmt::skip]
        let table = [
            ("Hi all,", ""),
            ("Hello Ann, Ben, and all others,", ""),
            ("Dear maintainers", ""),
            ("Hi, this adds a thing to the verifier and more", "this adds a thing to the verifier and more"),
            ("Good morning!", ""),
            ("History is kept.", "History is kept."),
            ("Hi-res timers are used by the scheduler for this purpose now.", "Hi-res timers are used by the scheduler for this purpose now."),
        ];
        for (line, wanted) in table {
            assert_eq!(without_greeting(line), wanted, "{line}");
        }
    }

    #[test]
    fn marks_of_list_items_are_known() {
        #[rustfmt::skip]
        let table = [
            ("- a b", Some("a b")), ("  * a", Some("a")), ("1. a", Some("a")), ("3-5: a", Some("a")), ("2) a", Some("a")),
            ("(c) a", Some("a")), ("iv) a", Some("a")), ("-a", None), ("[1] a", None), ("100. a", None), ("a. b", None),
        ];
        for (line, wanted) in table {
            assert_eq!(bullet(line), wanted, "{line}");
        }
        assert!(
            is_heading("Background")
                && is_heading("== The way it was done before this ==")
                && is_heading("[test]")
        );
        assert!(!is_heading("Fix it.") && !is_heading("Free the buffer when the ring is closed"));
        assert_eq!(
            (indent("  a"), indent("\ta"), indent("  \ta"), indent("a")),
            (2, 8, 8, 0)
        );
    }
}

//! The reasons that make a story matter more or less.

use std::collections::BTreeSet;

use super::harm::mends_harm;
use super::{Matter, Words, found};

/// Much review: as many people as that.
pub(super) const REVIEWERS_MANY: u32 = 3;

/// A reason that makes a story matter more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The words for a reader.
    pub told: &'static str,
    /// Its weight, unless the configuration sets another.
    pub weight: i32,
}

/// All reasons, in the order of display.
pub const REASONS: [Reason; 22] = [
    Reason {
        name: "feature",
        told: "brings something new",
        weight: 1,
    },
    Reason {
        name: "kfunc",
        told: "is about kfuncs",
        weight: 3,
    },
    Reason {
        name: "helper",
        told: "adds a helper",
        weight: 3,
    },
    Reason {
        name: "program_type",
        told: "is about a program type",
        weight: 3,
    },
    Reason {
        name: "map_type",
        told: "is about a map type",
        weight: 3,
    },
    Reason {
        name: "uapi",
        told: "changes what user space sees (uapi)",
        weight: 3,
    },
    Reason {
        name: "jit",
        told: "touches a JIT",
        weight: 2,
    },
    Reason {
        name: "verifier",
        told: "touches the verifier",
        weight: 2,
    },
    Reason {
        name: "arena",
        told: "is about arenas",
        weight: 2,
    },
    Reason {
        name: "sched_ext",
        told: "is about sched_ext",
        weight: 2,
    },
    Reason {
        name: "security",
        told: "mends a security hole",
        weight: 4,
    },
    Reason {
        name: "crash",
        told: "mends a crash, a hang or lost data",
        weight: 2,
    },
    Reason {
        name: "revert",
        told: "takes something back",
        weight: 3,
    },
    Reason {
        name: "breakage",
        told: "is about something that broke",
        weight: 2,
    },
    Reason {
        name: "nack",
        told: "was refused by somebody",
        weight: 2,
    },
    Reason {
        name: "review",
        told: "was talked about by many",
        weight: 2,
    },
    Reason {
        name: "applied",
        told: "was applied",
        weight: 2,
    },
    Reason {
        name: "lwn",
        told: "LWN wrote of it",
        weight: 3,
    },
    Reason {
        name: "selftests_only",
        told: "changes tests only",
        weight: -3,
    },
    Reason {
        name: "trivial",
        told: "mends spelling or style",
        weight: -3,
    },
    Reason {
        name: "driver",
        told: "is a driver's own matter",
        weight: -2,
    },
    Reason {
        name: "backport",
        told: "is a copy for a stable tree",
        weight: -5,
    },
];

/// How titles call holes.
const HOLES: [&str; 11] = [
    "vulnerability",
    "cve",
    "privilege escalation",
    "out-of-bounds",
    "out of bounds",
    "use-after-free",
    "use after free",
    "uaf",
    "oob",
    "information leak",
    "buffer overflow",
];

/// The input of reasons. Titles are in lower case, because each reason looks for several words in them.
pub(super) struct Looked<'a> {
    matter: &'a Matter,
    words: &'a Words,
    titles: Vec<String>,
    is_test: bool,
    brings_new: bool,
    is_crash: bool,
}

impl<'a> Looked<'a> {
    pub(super) fn at(matter: &'a Matter, words: &'a Words) -> Self {
        let titles: Vec<String> = matter.titles.iter().map(|t| t.to_lowercase()).collect();
        let is_test = is_for_tests(&titles, matter);
        Self {
            matter,
            words,
            is_test,
            brings_new: brings_new(&titles),
            is_crash: !is_test && mends_harm(&titles, &matter.texts),
            titles,
        }
    }
}

/// Whether a reason holds.
pub(super) fn holds(reason: &str, looked: &Looked<'_>) -> bool {
    let Looked {
        matter,
        words,
        ref titles,
        is_test,
        brings_new,
        is_crash,
    } = *looked;
    let own = titles.first().map_or("", String::as_str);
    let in_titles = |word: &str| {
        titles
            .iter()
            .any(|title| !is_test_title(title) && has_word(title, word))
    };
    let in_paths = |part: &str| matter.paths.iter().any(|path| path.contains(part));
    match reason {
        "feature" => !is_test && brings_new,
        "kfunc" => !is_test && (in_titles("kfunc") || in_titles("kfuncs")),
        "helper" => {
            let adds_helper = |title: &String| {
                !is_test_title(title)
                    && (has_word(title, "helper") || has_word(title, "helpers"))
                    && is_new(title)
                    && found(title, &words.title).is_some()
            };
            !is_test && titles.iter().any(adds_helper)
        }
        "program_type" => {
            !is_test
                && (names_type(titles, "bpf_prog_type_")
                    || in_titles("program type")
                    || in_titles("prog type"))
        }
        "map_type" => {
            !is_test
                && (names_type(titles, "bpf_map_type_")
                    || in_titles("map type")
                    || (is_new(own) && has_word(own, "map") && in_paths("uapi/")))
        }
        // A long path is shortened in front, so a copy under `tools/` may look like the real file.
        "uapi" => matter.paths.iter().any(|path| {
            path.contains("include/uapi/")
                && !path.starts_with("tools/")
                && !path.starts_with("...")
        }),
        "jit" => in_titles("jit") || in_titles("jited") || in_paths("bpf_jit"),
        "verifier" => !is_test && (in_titles("verifier") || in_paths("bpf/verifier.c")),
        "arena" => in_titles("arena") || in_titles("arenas"),
        "sched_ext" => in_titles("sched_ext") || in_paths("sched/ext.c"),
        "security" => matter.cve || HOLES.iter().any(|word| in_titles(word)),
        "crash" => is_crash,
        "revert" => titles.iter().any(|title| title.starts_with("revert ")),
        "breakage" => {
            ["regression", "regressions", "breakage", "breaks"]
                .iter()
                .any(|word| in_titles(word))
                || matter
                    .texts
                    .first()
                    .is_some_and(|text| has_word(&text.to_lowercase(), "user-visible"))
        }
        "nack" => matter.nacked,
        "review" => matter.reviewers >= REVIEWERS_MANY,
        "applied" => matter.applied,
        "lwn" => matter.lwn,
        "selftests_only" => is_test,
        "trivial" => [
            "typo",
            "typos",
            "spelling",
            "misspelling",
            "misspelled",
            "typographical",
            "clerical",
            "checkpatch",
            "coccicheck",
            "whitespace",
            "blank line",
            "blank lines",
            "indentation",
            "grammar",
        ]
        .iter()
        .any(|word| has_word(own, word)),
        // A driver that learns XDP, or crashed in it, is news for more than its owners.
        "driver" => {
            !brings_new
                && !is_crash
                && is_all(&matter.paths, |path| {
                    path.starts_with("drivers/") && found(path, &words.paths).is_none()
                })
        }
        "backport" => matter.backport,
        other => unreachable!("{other} is a reason without a rule"),
    }
}

fn is_all(paths: &BTreeSet<String>, is: impl Fn(&str) -> bool) -> bool {
    !paths.is_empty() && paths.iter().all(|path| is(path))
}

/// Whether it changes tests alone: by its files or, since long paths are shortened in front, by its titles in lower case.
/// Missing parts count too: a cover letter lists the files and titles of all parts. An unlisted part counts as no test.
fn is_for_tests(titles: &[String], matter: &Matter) -> bool {
    let is_test_path = |path: &str| {
        path.contains("testing/") || path.contains("selftests") || path.starts_with("samples/")
    };
    let is_other = |path: &String| !is_test_path(path) && !path.starts_with("...");
    let mut others = matter.others.iter().map(|title| title.to_lowercase());
    let is_known = !matter.is_incomplete && others.all(|title| is_test_title(&title));
    if !is_known || matter.paths.iter().any(is_other) {
        return false;
    }
    let patches = titles.get(1..).filter(|titles| !titles.is_empty());
    let titles = patches.unwrap_or(titles);
    is_all(&matter.paths, is_test_path)
        || (!titles.is_empty() && titles.iter().all(|title| is_test_title(title)))
}

/// Whether a title in lower case is a test's or a sample's: `selftests/bpf: …`, `bpf, selftests: …`, `samples/bpf: …`.
pub(super) fn is_test_title(title: &str) -> bool {
    let heads = ["bpf: ", "bpf, ", "bpf/"];
    let rest = heads.iter().find_map(|head| title.strip_prefix(head));
    let rest = rest.unwrap_or(title);
    rest.starts_with("selftest") || rest.starts_with("samples")
}

/// Whether it adds something new: its title, or a patch's, opens with a word for that. A fix never counts. Titles are in lower
/// case.
fn brings_new(titles: &[String]) -> bool {
    let is_fix = |title: &String| {
        ["fix", "fixes", "fixing", "fixup"]
            .iter()
            .any(|word| has_word(title, word))
    };
    !titles.first().is_some_and(is_fix)
        && titles
            .iter()
            .any(|title| !is_test_title(title) && opens_new(title))
}

/// Whether a title, without its prefixes, opens with a word for something new, and names nothing small.
fn opens_new(title: &str) -> bool {
    const SMALL: [&str; 14] = [
        "missing",
        "test",
        "tests",
        "selftest",
        "selftests",
        "warning",
        "warnings",
        "comment",
        "comments",
        "documentation",
        "note",
        "maintainers",
        "reviewer",
        "log",
    ];
    let what = title.rsplit_once(": ").map_or(title, |(_, what)| what);
    let first = what.split_whitespace().next().unwrap_or_default();
    let opens = [
        "add",
        "adds",
        "adding",
        "introduce",
        "introduces",
        "introducing",
        "support",
        "supports",
        "allow",
        "allows",
        "enable",
        "enables",
        "implement",
        "implements",
        "new",
    ];
    opens.contains(&first) && !SMALL.iter().any(|word| has_word(what, word))
}

fn is_new(title: &str) -> bool {
    [
        "add",
        "adds",
        "adding",
        "introduce",
        "introduces",
        "introducing",
        "new",
        "support",
    ]
    .iter()
    .any(|word| has_word(title, word))
}

/// Whether a title names a type in full, as in `BPF_MAP_TYPE_ARENA`.
fn names_type(titles: &[String], prefix: &str) -> bool {
    titles.iter().any(|title| title.contains(prefix))
}

/// Whether `text`, which is in lower case, has the word or words, not as a part of others.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = memchr::memmem::find_iter(text.as_bytes(), word);
    found.any(|at| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + word.len()..].chars().next().is_some_and(is_part)
    })
}

//! The reasons that make a story matter more or less: one table of weights, words and tests.

use std::collections::BTreeSet;

use super::harm::mends_harm;
use super::matter::Matter;
use super::titles::{found, has_word, is_test_title};

/// Much review: as many people as that.
pub(super) const REVIEWERS_MANY: u32 = 3;

/// A reason that makes a story matter more or less.
#[derive(Debug, Clone, Copy)]
pub struct Reason {
    /// Its name in the configuration.
    pub name: &'static str,
    /// Its weight, unless the configuration sets another.
    pub weight: i32,
    /// The words for a reader: "… is about kfuncs".
    pub words: &'static str,
    /// Whether it holds for a story.
    pub(super) holds: fn(&Evidence<'_>) -> bool,
}

impl Reason {
    /// Its weight in what a stored story says; `None` if it does not hold or weighs nothing.
    pub fn weight_in(&self, why: &[String]) -> Option<i32> {
        why.iter().find_map(|why| {
            let weight = why.strip_prefix(self.words)?.strip_prefix(" (")?;
            weight.strip_suffix(')')?.parse().ok()
        })
    }
}

/// All reasons, in the order of display.
pub const REASONS: [Reason; 22] = [
    Reason {
        name: "feature",
        weight: 1,
        words: "brings something new",
        holds: |e| !e.is_test && e.brings_new,
    },
    Reason {
        name: "kfunc",
        weight: 3,
        words: "is about kfuncs",
        holds: |e| !e.is_test && (e.in_titles("kfunc") || e.in_titles("kfuncs")),
    },
    Reason {
        name: "helper",
        weight: 3,
        words: "adds a helper",
        holds: |e| !e.is_test && adds_helper(e),
    },
    Reason {
        name: "program_type",
        weight: 3,
        words: "is about a program type",
        holds: |e| !e.is_test && names_program_type(e),
    },
    Reason {
        name: "map_type",
        weight: 3,
        words: "is about a map type",
        holds: |e| !e.is_test && names_map_type(e),
    },
    Reason {
        name: "uapi",
        weight: 3,
        words: "changes what user space sees (uapi)",
        holds: changes_uapi,
    },
    Reason {
        name: "jit",
        weight: 2,
        words: "touches a JIT",
        holds: |e| e.in_titles("jit") || e.in_titles("jited") || e.in_paths("bpf_jit"),
    },
    Reason {
        name: "verifier",
        weight: 2,
        words: "touches the verifier",
        holds: |e| !e.is_test && (e.in_titles("verifier") || e.in_paths("bpf/verifier.c")),
    },
    Reason {
        name: "arena",
        weight: 2,
        words: "is about arenas",
        holds: |e| e.in_titles("arena") || e.in_titles("arenas"),
    },
    Reason {
        name: "sched_ext",
        weight: 2,
        words: "is about sched_ext",
        holds: |e| e.in_titles("sched_ext") || e.in_paths("sched/ext.c"),
    },
    Reason {
        name: "security",
        weight: 4,
        words: "mends a security hole",
        holds: |e| e.matter.cve || HOLES.iter().any(|hole| e.in_titles(hole)),
    },
    Reason {
        name: "crash",
        weight: 2,
        words: "mends a crash, a hang or lost data",
        holds: |e| e.is_crash,
    },
    Reason {
        name: "revert",
        weight: 3,
        words: "takes something back",
        holds: |e| e.titles.iter().any(|title| title.starts_with("revert ")),
    },
    Reason {
        name: "breakage",
        weight: 2,
        words: "is about something that broke",
        holds: is_about_breakage,
    },
    Reason {
        name: "nack",
        weight: 2,
        words: "was refused by somebody",
        holds: |e| e.matter.nacked,
    },
    Reason {
        name: "review",
        weight: 2,
        words: "was talked about by many",
        holds: |e| e.matter.reviewers >= REVIEWERS_MANY,
    },
    Reason {
        name: "applied",
        weight: 2,
        words: "was applied",
        holds: |e| e.matter.applied,
    },
    Reason {
        name: "lwn",
        weight: 3,
        words: "LWN wrote of it",
        holds: |e| e.matter.lwn,
    },
    Reason {
        name: "selftests_only",
        weight: -3,
        words: "changes tests only",
        holds: |e| e.is_test,
    },
    Reason {
        name: "trivial",
        weight: -3,
        words: "mends spelling or style",
        holds: |e| TRIFLES.iter().any(|trifle| has_word(e.own_title(), trifle)),
    },
    Reason {
        name: "driver",
        weight: -2,
        words: "is a driver's own matter",
        holds: is_driver_only,
    },
    Reason {
        name: "backport",
        weight: -5,
        words: "is a copy for a stable tree",
        holds: |e| e.matter.backport,
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

/// How titles call small things.
const TRIFLES: [&str; 14] = [
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
];

/// How titles call something that stopped working.
const BREAKAGES: [&str; 4] = ["regression", "regressions", "breakage", "breaks"];

/// The facts of a story that reasons test.
pub(super) struct Evidence<'a> {
    matter: &'a Matter,
    /// The words that make a title BPF's.
    bpf_words: &'a [String],
    /// The parts of a path that make a file BPF's.
    bpf_paths: &'a [String],
    /// In lower case, because each reason looks for several words in them.
    titles: Vec<String>,
    is_test: bool,
    brings_new: bool,
    is_crash: bool,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(
        matter: &'a Matter,
        bpf_words: &'a [String],
        bpf_paths: &'a [String],
    ) -> Self {
        let titles: Vec<String> = matter.titles.iter().map(|t| t.to_lowercase()).collect();
        let is_test = is_for_tests(&titles, matter);
        Self {
            matter,
            bpf_words,
            bpf_paths,
            is_test,
            brings_new: brings_new(&titles),
            is_crash: !is_test && mends_harm(&titles, &matter.texts),
            titles,
        }
    }

    fn own_title(&self) -> &str {
        self.titles.first().map_or("", String::as_str)
    }

    /// Whether the title of something other than a test has a word.
    fn in_titles(&self, word: &str) -> bool {
        let mut titles = self.titles.iter().filter(|title| !is_test_title(title));
        titles.any(|title| has_word(title, word))
    }

    fn in_paths(&self, part: &str) -> bool {
        self.matter.paths.iter().any(|path| path.contains(part))
    }
}

fn adds_helper(e: &Evidence<'_>) -> bool {
    e.titles.iter().any(|title| {
        !is_test_title(title)
            && (has_word(title, "helper") || has_word(title, "helpers"))
            && is_new(title)
            && found(title, e.bpf_words).is_some()
    })
}

fn names_program_type(e: &Evidence<'_>) -> bool {
    names_type(&e.titles, "bpf_prog_type_")
        || e.in_titles("program type")
        || e.in_titles("prog type")
}

fn names_map_type(e: &Evidence<'_>) -> bool {
    let own = e.own_title();
    names_type(&e.titles, "bpf_map_type_")
        || e.in_titles("map type")
        || (is_new(own) && has_word(own, "map") && e.in_paths("uapi/"))
}

/// Whether a header of user space changes. A long path is shortened in front, so a copy under `tools/` may look like the real
/// file.
fn changes_uapi(e: &Evidence<'_>) -> bool {
    e.matter.paths.iter().any(|path| {
        path.contains("include/uapi/") && !path.starts_with("tools/") && !path.starts_with("...")
    })
}

fn is_about_breakage(e: &Evidence<'_>) -> bool {
    let text = e.matter.texts.first();
    BREAKAGES.iter().any(|word| e.in_titles(word))
        || text.is_some_and(|text| has_word(&text.to_lowercase(), "user-visible"))
}

/// Whether only the owners of a driver care. A driver that learns XDP, or crashed in it, is news for others too.
fn is_driver_only(e: &Evidence<'_>) -> bool {
    let is_own = |path: &str| path.starts_with("drivers/") && found(path, e.bpf_paths).is_none();
    !e.brings_new && !e.is_crash && is_all(&e.matter.paths, is_own)
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

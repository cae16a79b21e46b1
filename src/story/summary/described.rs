//! Decides whether a sentence describes the change, sums up, or depends on another one.

/// Words for the posted work.
#[rustfmt::skip]
pub(super) const WORKS: [&str; 19] = [
    "change", "changes", "changeset", "commit", "commits", "fix", "merge", "patch", "patches", "patchset",
    "patchsets", "patch-set", "patchseries", "proposal", "pull", "rfc", "series", "set", "work",
];
/// Words before those.
const POINTERS: [&str; 7] = ["this", "these", "the", "here", "current", "following", "my"];
/// Verbs after `this` and `it` that mean the work. Most other verbs describe the state before it.
#[rustfmt::skip]
const WORK_VERBS: [&str; 25] = [
    "adds", "avoids", "cleans", "converts", "drops", "enables", "ensures", "extends", "fixes", "implements",
    "introduces", "mends", "moves", "prevents", "refactors", "removes", "renames", "replaces",
    "reverts", "reworks", "simplifies", "splits", "teaches", "unifies", "updates",
];
/// Openings of a sentence that sums up a text, in lower case.
#[rustfmt::skip]
const SUMS_UP: [&str; 15] = [
    "as a consequence", "as a result", "as such", "consequently", "in short", "in summary", "root cause", "the aim", "the bug is",
    "the fix is", "the goal", "the idea", "the issue is", "the problem is", "the root cause",
];
/// Phrases that describe the change without an actor.
#[rustfmt::skip]
const SOLVED: [&str; 8] = [
    " addressed by ", " avoided by ", " fixed by ", " fixed with ", " mended by ", " prevented by ", " resolved by ",
    " solved by ",
];
/// Words that may stand before an imperative.
#[rustfmt::skip]
const LEADS: [&str; 12] = [
    "accordingly,", "also,", "also", "further,", "hence,", "hence", "instead,", "so,", "so",
    "therefore,", "therefore", "thus,",
];
/// The verbs of patch descriptions: `Add …`, `Adds …`, `We add …`. In alphabetical order.
#[rustfmt::skip]
const VERBS: [&str; 231] = [
    "adapt", "add", "address", "adjust", "adopt", "align", "allocate", "allow", "annotate", "append", "apply",
    "assign", "attach", "avoid", "bail", "bind", "bring", "build", "bump", "cache", "calculate", "cancel",
    "centralize", "change", "check", "clamp", "clarify", "clean", "cleanup", "clear", "clone", "close", "combine",
    "complete", "compute", "configure", "consolidate", "convert", "correct", "count", "cover", "create", "declare",
    "decouple", "decrease", "defer", "define", "delete", "demote", "deprecate", "derive", "describe", "destroy",
    "detect", "disable", "discard", "distinguish", "do", "document", "drop", "eliminate", "emit", "enable", "enforce",
    "enhance", "ensure", "expand", "explain", "export", "expose", "extend", "extract", "factor", "filter", "fix",
    "flush", "fold", "force", "free", "generalize", "grab", "guard", "handle", "hide", "hoist", "honor", "ignore",
    "implement", "improve", "include", "increase", "inherit", "inhibit", "initialize", "inline", "insert", "install",
    "introduce", "invalidate", "keep", "let", "lift", "limit", "load", "lower", "make", "mark", "merge", "migrate",
    "minimize", "mirror", "mitigate", "modify", "move", "narrow", "normalize", "notify", "omit", "open", "optimize",
    "override", "parameterize", "parse", "pass", "perform", "permit", "populate", "port", "postpone", "prefer",
    "preserve", "prevent", "print", "promote", "propagate", "protect", "provide", "pull", "put", "raise", "read",
    "rearrange", "rebuild", "recompute", "reconfigure", "record", "redirect", "reduce", "refactor", "refresh",
    "refuse", "register", "reinitialize", "reject", "relax", "release", "relocate", "remove", "rename", "reorder",
    "repair", "replace", "report", "require", "reserve", "reset", "resolve", "respect", "restore", "restrict",
    "retain", "retire", "retrieve", "return", "reuse", "revert", "revise", "rework", "rewrite", "run", "save",
    "select", "send", "separate", "serialize", "set", "shorten", "shrink", "silence", "simplify", "skip", "specify",
    "split", "start", "stash", "stop", "store", "strip", "substitute", "support", "suppress", "swap", "switch",
    "synchronize", "take", "teach", "terminate", "tighten", "toggle", "track", "transform", "translate", "treat",
    "trim", "turn", "undo", "unify", "unlock", "unregister", "unset", "update", "use", "validate", "verify", "warn",
    "widen", "wire", "wrap", "write", "zap", "zero",
];

/// Whether a sentence describes the author's change: `This series adds …`, `Add …`, `To fix it, let …`.
pub(super) fn describes_change(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let works = words.windows(2).enumerate().any(|(at, pair)| {
        POINTERS.contains(&bare(pair[0]))
            && (WORKS.contains(&bare(pair[1]))
                || (at < 2 && words.get(at + 2).is_some_and(|third| WORKS.contains(&bare(third)))))
            // `the set of states` is no work, `the set of patches` is one.
            && (pair[0].starts_with("th") && pair[0] != "the" || at < 2)
            && (words.get(at + 2) != Some(&"of")
                || words.iter().skip(at + 3).take(3).any(|word| WORKS.contains(&bare(word))))
    });
    let is_work = |word: &str| WORK_VERBS.contains(&bare(word));
    let does = matches!(words.as_slice(), ["it" | "this", verb, ..] if is_work(verb));
    if works || does || SOLVED.iter().any(|said| lower.contains(said)) {
        return true;
    }
    let is_verb = |word: &str| {
        let word = bare(word);
        let forms = [Some(word), word.strip_suffix('s'), word.strip_suffix("es")];
        let mut forms = forms.into_iter().flatten();
        forms.any(|form| VERBS.binary_search(&form).is_ok())
    };
    let mut rest = words.as_slice();
    while let Some(first) = rest.first()
        && LEADS.contains(first)
    {
        rest = &rest[1..];
    }
    let Some(first) = rest.first() else {
        return false;
    };
    // `Do not call it.` describes a change; `So do it there.` does not.
    if bare(first) == "do" {
        return rest.get(1).is_some_and(|second| bare(second) == "not");
    }
    if is_verb(first) {
        return true;
    }
    if first == &"for"
        && rest
            .iter()
            .take(4)
            .any(|word| bare(word).starts_with("reason"))
    {
        return rest.iter().skip(2).take(4).any(|word| is_verb(word));
    }
    if ["we", "i", "let's", "let"].contains(first) {
        return rest.iter().skip(1).take(3).any(|word| is_verb(word));
    }
    // `To fix it, let …`, `Fix that by …`.
    first == &"to"
        && rest
            .iter()
            .position(|word| word.ends_with(','))
            .and_then(|at| rest.get(at + 1))
            .is_some_and(|word| is_verb(word) || ["we", "this", "i", "let's"].contains(word))
}

/// Whether a sentence sums up a text: `As a result, maps leak.`
pub(super) fn sums_up(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    SUMS_UP.iter().any(|said| lower.starts_with(said))
        || [", the goal is ", ", the idea is "]
            .iter()
            .any(|said| lower.contains(said))
}

/// Whether a sentence leans on the one before it, and does not stand without: `Together with it, …`, `It was slow.`
pub(super) fn depends_on_previous(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    let mut words = lower.split_whitespace();
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let joins = [
        "also,", "besides,", "but", "however,", "it", "so", "that", "they", "together",
    ]
    .contains(&first);
    let points = ["this", "these"].contains(&first)
        && [
            "are", "can", "causes", "does", "happens", "has", "is", "leads", "makes", "means",
            "results", "was", "will",
        ]
        .contains(&second);
    (joins || points) && !describes_change(sentence)
}

/// Whether `It` opens a sentence and stands for something: `It works.`, but not `It is known that maps leak.`
pub(super) fn depends_on_missing(sentence: &str) -> bool {
    let mut words = sentence.split_whitespace();
    let stands_for_nothing = [
        "is", "was", "isn't", "wasn't", "has", "had", "would", "may", "might", "can", "should",
        "seems", "seemed", "appears", "looks", "turns", "turned", "takes", "makes", "happens",
    ];
    words.next() == Some("It")
        && words
            .next()
            .is_some_and(|verb| !stands_for_nothing.contains(&verb))
        && !describes_change(sentence)
}

/// A word without the punctuation around it.
pub(super) fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && c != '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_found_by_their_order() {
        assert!(VERBS.is_sorted());
    }

    #[test]
    fn sentences_that_sum_up_are_known() {
        assert!(sums_up("As a result, maps leak.") && sums_up("The idea is to paint maps."));
        assert!(!sums_up("Maps leak as a result."));
    }

    #[test]
    fn sentences_that_lean_are_known() {
        for (sentence, leaning) in [
            ("Together with it, maps are red.", true),
            ("This is slow.", true),
            ("This adds a map.", false),
            ("Maps are slow.", false),
            ("It adds a map.", false),
        ] {
            assert_eq!(depends_on_previous(sentence), leaning, "{sentence}");
        }
        for (sentence, leaning) in [
            ("It works, more or less.", true),
            ("It is known that maps leak.", false),
            ("It adds a map.", false),
            ("Maps work.", false),
        ] {
            assert_eq!(depends_on_missing(sentence), leaning, "{sentence}");
        }
    }

    #[test]
    fn a_work_or_a_verb_describes_a_change() {
        #[rustfmt::skip]
        let table = [
            ("This series adds a red map.", true),
            ("This small series paints maps.", true),
            ("In this patch the map is painted.", true),
            ("The following patches paint maps.", true),
            ("Add a red map.", true),
            ("Fixes the red map.", true),
            ("So let the map be red.", true),
            ("To help with it, introduce a red map.", true),
            ("We now also remove maps.", true),
            ("This adds a map.", true),
            ("This reads a map.", false),
            ("The leak is fixed by a lock.", true),
            ("For the reasons above stop painting maps.", true),
            ("Do not paint maps.", true),
            ("So do it in all of the maps.", false),
            ("Maps are blue today.", false),
            ("The verifier walks the set of states.", false),
            ("Addition is commutative.", false),
        ];
        for (sentence, wanted) in table {
            assert_eq!(describes_change(sentence), wanted, "{sentence}");
        }
    }
}

//! What a sentence is worth to a reader, judged by its words.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

/// What is said to reviewers and maintainers only, in lower case.
#[rustfmt::skip]
const SAYS_NOTHING: [&str; 154] = [
    "-by tag", "acked-by", "address comments", "address feedback", "address the comments", "addressed comments",
    "addressed feedback", "addressed the feedback", "addresses comments", "addresses feedback",
    "all tests pass", "all the feedback", "any comments", "any feedback", "any thoughts", "apologies", "applies cleanly",
    "applies on top", "apply cleanly", "are available in the git", "as organized as", "as usual,",
    "bcc", "be applied on top", "bear with me", "before this series", "can also be found", "can be found at", "can be found here",
    "can be found in http", "can be found in the git", "can you pick", "cc'ed", "cc'ing", "cc-ing", "changelog",
    "comments and suggestions", "comments are", "comments in the previous", "comments?", "could you please",
    "depends on the series", "diff for pull", "diff for this pull", "do you want", "feedback from the previous", "feedback is",
    "feedback on", "feedback welcome", "feel free to", "for review", "for the feedback", "for the review", "for their review",
    "from the previous version", "full changes can", "git tree", "go in asap", "happy to provide", "happy to test", "i also can push",
    "i am hesitant", "i am new to", "i am not sure", "i can also push", "i can provide", "i might have missed",
    "i will re-send", "i will resend", "i will send", "i'd appreciate", "i'll re-send", "i'll resend",
    "i'll send", "i'm hesitant", "i'll investigate", "i'm new to", "i'm not sure", "if you fix the bug", "if you see any problem", "internship", "in my next version", "in the next revision",
    "in this version", "is based on commit", "kept your", "kindly", "last version", "let me know", "let's see", "look forward",
    "looking forward", "merge window", "my first attempt", "my first contribution", "my first patch", "new revision", "next version",
    "no functional change", "no functional or code changes", "no material changes", "non-merge commits", "not sure if", "not sure whether", "organised as follows",
    "organized as follows", "other than that v", "please apply", "please consider", "please find",
    "please help", "please pull", "please review", "please see the individual", "please take a look",
    "please take it", "previous posting", "previous revision", "previous series", "previous version",
    "pull request contains", "pull-request contains", "re-post", "re-run", "re-sending", "re-spin",
    "re-verification", "rebased", "remains in rfc", "repost", "resend", "respin", "reviewed-by", "sending again",
    "sending this", "semi-automatic", "sent separately", "shall i ", "should go in", "should go through", "should i ", "sorry for",
    "structured as follows", "suggestions are", "tested-by", "thanks for", "thanks to everyone", "this cover letter",
    "this revision", "was presented at", "was previously presented", "were presented at", "what do you think", "your ack",
];
/// How a sentence points to what stood above it, and is left out.
#[rustfmt::skip]
const POINTS_ABOVE: [&str; 28] = [
    "above code", "above command", "above diagram", "above error", "above example", "above figure",
    "above listing", "above log", "above message", "above output", "above program", "above scenario",
    "above splat", "above table", "above trace", "above warning", "code above", "error above", "example above",
    "like below", "like the above", "listed below", "log above", "output above", "shown above", "shown below",
    "trace above", "warning below",
];
/// How sentences begin that are said to reviewers only, in lower case.
#[rustfmt::skip]
const OPENS_NOTHING: [&str; 57] = [
    "after this fix, all", "all comments", "also tested", "also, tested", "another version", "based on ", "based upon", "build tested", "build-tested", "cc ", "changes from", "changes since", "compile tested",
    "compile-tested",
    "follow up to ", "follow-up to ", "followup to ", "for details", "for reference", "fyi", "here are the ",
    "here is the ", "here's ", "honestly", "i am a beginner", "i dropped", "i have rebased", "i have tested", "i hope", "i reworded", "i tested", "let me know", "many thanks", "merge ", "more details in", "no changes",
    "note: this", "please ", "please note that this patch series", "prerequisite", "sorry", "tested ", "thank you",
    "thanks a lot", "thanks again", "thanks for", "thanks!", "thanks,", "the code is available", "the full ",
    "the series is also", "the series is available", "this applies",
    "this is my ", "you can find", "you will ", "your ",
];
/// What an author calls the work that is posted.
#[rustfmt::skip]
const WORKS: [&str; 19] = [
    "change", "changes", "changeset", "commit", "commits", "fix", "merge", "patch", "patches", "patchset",
    "patchsets", "patch-set", "patchseries", "proposal", "pull", "rfc", "series", "set", "work",
];
/// What stands before it.
const POINTERS: [&str; 7] = ["this", "these", "the", "here", "current", "following", "my"];
/// What `this` and `it` do where they mean the work: most other verbs tell how things were before.
#[rustfmt::skip]
const WORK_VERBS: [&str; 25] = [
    "adds", "avoids", "cleans", "converts", "drops", "enables", "ensures", "extends", "fixes", "implements",
    "introduces", "mends", "moves", "prevents", "refactors", "removes", "renames", "replaces",
    "reverts", "reworks", "simplifies", "splits", "teaches", "unifies", "updates",
];
/// How a sentence opens that sums up what a text tells of, in lower case.
#[rustfmt::skip]
const SUMS_UP: [&str; 15] = [
    "as a consequence", "as a result", "as such", "consequently", "in short", "in summary", "root cause", "the aim", "the bug is",
    "the fix is", "the goal", "the idea", "the issue is", "the problem is", "the root cause",
];
/// How a sentence tells what is done without naming who does it.
#[rustfmt::skip]
const SOLVED: [&str; 8] = [
    " addressed by ", " avoided by ", " fixed by ", " fixed with ", " mended by ", " prevented by ", " resolved by ",
    " solved by ",
];
/// What may stand before an imperative.
#[rustfmt::skip]
const LEADS: [&str; 12] = [
    "accordingly,", "also,", "also", "further,", "hence,", "hence", "instead,", "so,", "so",
    "therefore,", "therefore", "thus,",
];
/// No sentence ends with these.
#[rustfmt::skip]
const BREAKS_OFF: [&str; 20] = [
    "a", "an", "and", "as", "at", "because", "by", "for", "from", "if", "in", "is", "of", "or", "see", "than",
    "that", "the", "to", "with",
];
/// The verbs with which patches are told: `Add …`, `Adds …`, `We add …`. In the order of the alphabet.
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

/// What an author did to a series beside its code, as changelogs tell it, in lower case: `Rebased on …`.
#[rustfmt::skip]
const CHORES: [&str; 16] = [
    "address comment", "address feedback", "address review", "addressed comment", "addressed feedback",
    "addressed review", "addressing comment", "no change", "no code change", "no functional change",
    "no other change", "re-send", "rebase", "repost", "resend", "resent",
];
/// How they tell of trailers, in lower case.
#[rustfmt::skip]
const TAKES: [&str; 20] = [
    "add", "added", "adding", "adds", "append", "apply", "applied", "carry", "collect", "collected", "collecting",
    "fetch", "gather", "include", "included", "pick", "picked", "received", "take", "took",
];
/// What they call trailers, in lower case.
const TAGS: [&str; 8] = [
    "-by", "ack", "acks", "acked", "ack-by", "tag", "tags", "r-b",
];
/// The most words of such an item; a longer one tells something else too.
const CHORE_WORDS_MAX: usize = 12;
/// The most words of a sentence that only points to a reference.
const POINTER_WORDS_MAX: usize = 10;
/// Words with a comma behind them that open a sentence, and name nobody, in lower case; those that end in `ly` too.
#[rustfmt::skip]
const ADVERBS: [&str; 25] = [
    "also", "alternatively", "besides", "first", "further", "furthermore", "hence", "here", "however", "instead",
    "moreover", "nevertheless", "next", "now", "otherwise", "second", "so", "still", "then", "therefore", "third",
    "thus", "today", "unfortunately", "yes",
];

/// All of them are looked for at once: every sentence of every mail is asked.
static SAYS_NOTHING_ANYWHERE: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(SAYS_NOTHING).expect("few and short words"));

/// Whether a sentence is for those who handle the patches, and says nothing to a reader.
pub(super) fn says_nothing(sentence: &str) -> bool {
    let mut lower = sentence.to_lowercase();
    if lower.contains('’') {
        lower = lower.replace('’', "'");
    }
    let opening = lower.trim_start_matches(['(', '*', '"', '[', '-', ' ']);
    SAYS_NOTHING_ANYWHERE.is_match(&lower)
        || POINTS_ABOVE.iter().any(|said| lower.contains(said))
        || OPENS_NOTHING.iter().any(|said| opening.starts_with(said))
        || is_about_versions(opening)
        || is_about_base(opening)
        || letters(&lower) * 2 < lower.chars().filter(|c| !c.is_whitespace()).count()
        || is_pointer(&lower)
        || is_citation(&lower)
        || is_fragment(sentence)
        || is_aside(sentence)
        || is_short_pointer(opening)
        || is_to_somebody(sentence)
}

/// Whether a sentence sums up what a text tells of: `As a result, maps leak.`
pub(super) fn sums_up(sentence: &str) -> bool {
    let lower = sentence.to_lowercase();
    SUMS_UP.iter().any(|said| lower.starts_with(said))
        || [", the goal is ", ", the idea is "]
            .iter()
            .any(|said| lower.contains(said))
}

/// Whether a sentence leans on the one before it, and does not stand without: `Together with it, …`, `It was slow.`
pub(super) fn leans(sentence: &str) -> bool {
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
    (joins || points) && !tells_what_is_done(sentence)
}

/// Whether `It` opens a sentence and stands for something: `It works.`, but not `It is known that maps leak.`
pub(super) fn leans_on_nothing(sentence: &str) -> bool {
    let mut words = sentence.split_whitespace();
    let stands_for_nothing = [
        "is", "was", "isn't", "wasn't", "has", "had", "would", "may", "might", "can", "should",
        "seems", "seemed", "appears", "looks", "turns", "turned", "takes", "makes", "happens",
    ];
    words.next() == Some("It")
        && words
            .next()
            .is_some_and(|verb| !stands_for_nothing.contains(&verb))
        && !tells_what_is_done(sentence)
}

/// Whether an item of a changelog tells of trailers, a base or answers only, and not of the code.
pub(super) fn is_chore(item: &str) -> bool {
    let lower = item.trim_start_matches(['(', '[', ' ']).to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    if words.len() > CHORE_WORDS_MAX || lower.contains(" and ") && !lower.contains("-by") {
        return false;
    }
    let is_tag = |word: &&str| {
        let word = bare(word);
        TAGS.contains(&word) || word.ends_with("-by") || word.ends_with("-bys")
    };
    let takes = words.first().is_some_and(|first| TAKES.contains(first));
    let starts = CHORES.iter().any(|said| lower.starts_with(said)) && !lower.contains(':');
    starts || (takes && words.iter().skip(1).any(is_tag))
}

/// `See the next patch.`, `Here follows the new round.`: a longer one tells something too.
fn is_short_pointer(lower: &str) -> bool {
    ["see ", "here follow", "here come"]
        .iter()
        .any(|said| lower.starts_with(said))
        && lower.split_whitespace().count() <= POINTER_WORDS_MAX
}

/// A whole sentence in brackets.
fn is_aside(sentence: &str) -> bool {
    sentence.starts_with('(') && sentence.trim_end_matches('.').ends_with(')')
}

/// `Ann, I kept your paint.`
fn is_to_somebody(sentence: &str) -> bool {
    let Some((name, rest)) = sentence.split_once(", ") else {
        return false;
    };
    let lower = name.to_lowercase();
    let rest = rest.to_lowercase();
    let is_name = name.starts_with(char::is_uppercase)
        && name.chars().all(char::is_alphabetic)
        && !lower.ends_with("ly")
        && !ADVERBS.contains(&lower.as_str());
    let speaks = |word| {
        rest.split(|c: char| !c.is_alphanumeric())
            .any(|said| said == word)
    };
    is_name && (rest.starts_with("you ") || speaks("your") || (speaks("i") && speaks("you")))
}

/// `This is v3 of …`, `In v2 we …`, `v10 is almost …`.
fn is_about_versions(lower: &str) -> bool {
    let words: Vec<&str> = lower
        .split([' ', ',', '(', ')'])
        .filter(|word| !word.is_empty())
        .collect();
    let is_version = |word: &str| {
        let digits = word
            .trim_end_matches(['.', ':', ';'])
            .strip_prefix("rfc")
            .unwrap_or(word);
        let digits = digits
            .trim_end_matches(['.', ':', ';', ']'])
            .trim_start_matches('[');
        digits.strip_prefix('v').is_some_and(|digits| {
            !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit())
        })
    };
    let is_protocol = |word: &str| ["v4", "v6"].contains(&word.trim_end_matches(['.', ':', ';']));
    let both = ["v4", "v6"].iter().all(|version| {
        words
            .iter()
            .any(|word| word.trim_end_matches(['.', ':', ';']) == *version)
    });
    let tells_of_packets = both
        || ["packet", "ipv4", "ipv6", "nat", "address", "socket"]
            .iter()
            .any(|said| lower.contains(said));
    words.first().is_some_and(|word| is_version(word))
        || words.windows(2).enumerate().any(|(at, pair)| {
            let before = [
                "in", "since", "from", "is", "that", "the", "to", "on", "patch", "of", "for",
                "with", "rfc", "my", "our", "version",
            ];
            // Addresses, cgroups and the like come in versions too; a protocol is told by what stands near.
            let after = [
                "address",
                "addresses",
                "mapped",
                "socket",
                "sockets",
                "packet",
                "packets",
                "route",
                "routes",
                "hierarchy",
            ];
            is_version(pair[1])
                && before.contains(&pair[0])
                && !(is_protocol(pair[1]) && tells_of_packets)
                && !words
                    .get(at + 2)
                    .is_some_and(|word| after.contains(&word.trim_end_matches('.')))
        })
        || words
            .windows(2)
            .any(|pair| is_version(pair[0]) && pair[1] == "of")
        || (lower.starts_with("this is ")
            && words.iter().take(6).any(|word| {
                [
                    "version",
                    "revision",
                    "resubmission",
                    "repost",
                    "rfc,",
                    "rfc",
                    "continuation",
                    "follow-up",
                    "followup",
                ]
                .contains(word)
            }))
        || ["this revision", "this version", "this iteration"]
            .iter()
            .any(|said| lower.starts_with(said))
}

/// `This series is based on …`, `The patches apply to …`, `It depends on …`.
fn is_about_base(lower: &str) -> bool {
    let words = || lower.split_whitespace().take(9);
    let works = words().take(5).any(|word| WORKS.contains(&word))
        || (words().next() == Some("it") && words().nth(1).is_some());
    if !works {
        return false;
    }
    let head = words().collect::<Vec<_>>().join(" ");
    [
        " based on",
        " based upon",
        " applies to",
        " apply to",
        " applies on",
        " depends on",
        " depend on",
        " goes on top",
        " on top of",
        " is organized",
        " is organised",
        " is split",
        " are split",
        " is structured",
        " was tested",
        " were tested",
        " has been tested",
        " have been tested",
        " is against",
    ]
    .iter()
    .any(|said| head.contains(said))
}

/// What goes on with the sentence before it, and needs it; or breaks off where a noun must follow.
fn is_fragment(sentence: &str) -> bool {
    [
        "because ", "which ", "and ", "or ", "where ", "whereas ", "&& ", "|| ",
    ]
    .iter()
    .any(|joint| sentence.starts_with(joint))
        || breaks_off(sentence)
}

/// Whether a text breaks off where a noun must follow.
pub(super) fn breaks_off(text: &str) -> bool {
    let last = text.split_whitespace().next_back().unwrap_or_default();
    BREAKS_OFF.contains(&last)
}

/// Nothing but a commit's hash and its title.
fn is_citation(lower: &str) -> bool {
    let Some((hash, title)) = lower.trim_start_matches("commit ").split_once(' ') else {
        return false;
    };
    let is_hash = hash.len() >= 8 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash && title.starts_with("(\"") && title.trim_end_matches('.').ends_with("\")")
}

/// A sentence that ends in an address, or is about a reference: what it points to is not shown.
fn is_pointer(lower: &str) -> bool {
    let words = || lower.split_whitespace();
    let is_mark = |word: &str| {
        let word = word.trim_end_matches(['.', ',', ';', ':', ')']);
        let number = word
            .strip_prefix('[')
            .and_then(|word| word.strip_suffix(']'));
        number.is_some_and(|number| number.parse::<u8>().is_ok())
    };
    words().any(|word| word.contains("://")) && words().count() < 14
        || words().any(is_mark) && words().count() <= POINTER_WORDS_MAX
}

fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphabetic()).count()
}

/// Whether a sentence tells what the author's work does: `This series adds …`, `Add …`, `To fix it, let …`.
pub(super) fn tells_what_is_done(sentence: &str) -> bool {
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
    // `Do not call it.` tells; `So do it there.` does not.
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

/// A word without what stands around it.
fn bare(word: &str) -> &str {
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
    fn what_is_said_to_reviewers_says_nothing_to_readers() {
        #[rustfmt::skip]
        let table = [
            ("This is v3 of the red set.", true),
            ("Please review.", true),
            ("This series is based on the blue tree.", true),
            ("The patchset is organized as follows.", true),
            ("v10 is almost the same.", true),
            ("I am sending this again.", true),
            ("Sending again, as nobody looked.", true),
            ("The code lives at https://a.example/x", true),
            ("Thanks to it all maps are red.", false),
            ("Thanks to Ann for the review!", true),
            ("Programs run on Linux v6 and v4 mapped addresses.", false),
            ("The lookup depends on the size of the map.", false),
            ("Maps are now red.", false),
            ("0123456789ab (\"maps: paint them\").", true),
            ("I kept your Tested-by for the red map.", true),
            ("Ann, I kept your paint in this one.", true),
            ("Feel free to shout.", true),
            ("(Maintainers are not asked this time.)", true),
            ("In the code above maps are blue.", true),
            ("No functional changes are meant by it.", true),
            ("Here is the first try.", true),
            ("See the next patch.", true),
            ("This set was taken out of [1].", true),
            ("Maps were painted after a change in", true),
            ("&& maps is the same as !pens.", true),
            ("This is my first patch.", true),
            ("Tested with a red map and a blue one.", true),
            ("It flips packets from v4 to v6.", false),
            ("Currently, you need to paint your maps.", false),
            ("Since [1] came, all maps that are made by a program on its own are blue.", false),
            ("Maps are copied (see the table).", false),
        ];
        for (sentence, wanted) in table {
            assert_eq!(says_nothing(sentence), wanted, "{sentence}");
        }
    }

    #[test]
    fn chores_are_told_from_changes() {
        for (item, wanted) in [
            ("Rebased on the red tree", true),
            ("rebase and paint the map", false),
            ("Collect tags from Ann and Ben", false),
            ("add Ann's Acked-by", true),
            ("picked up Reviewed-by and Tested-by from Ann", true),
            ("Address comments from Ann", true),
            ("Address comments: paint the map", false),
            (
                "add a tag to each map that is painted so that all who read it may know what it is",
                false,
            ),
            ("no changes", true),
            ("add a map", false),
        ] {
            assert_eq!(is_chore(item), wanted, "{item}");
        }
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
            assert_eq!(leans(sentence), leaning, "{sentence}");
        }
        for (sentence, leaning) in [
            ("It works, more or less.", true),
            ("It is known that maps leak.", false),
            ("It adds a map.", false),
            ("Maps work.", false),
        ] {
            assert_eq!(leans_on_nothing(sentence), leaning, "{sentence}");
        }
    }

    #[test]
    fn what_is_done_is_told_by_work_or_verb() {
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
            assert_eq!(tells_what_is_done(sentence), wanted, "{sentence}");
        }
    }
}

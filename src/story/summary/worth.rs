//! Judges by its words whether a sentence is worth showing.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::described::{WORKS, bare};

/// Phrases addressed to reviewers and maintainers only, in lower case.
#[rustfmt::skip]
const SAYS_NOTHING: [&str; 155] = [
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
    "i'll send", "i'm hesitant", "i'll investigate", "i'm new to", "i'm not sure", "if you fix the", "if you see any problem", "internship", "in my next version", "in the next revision",
    "in this version", "is based on commit", "kept your", "kindly", "last version", "let me know", "let's see", "look forward", "looks good to me",
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
/// Phrases that point to text above, which is left out.
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
/// No sentence ends with these.
#[rustfmt::skip]
const BREAKS_OFF: [&str; 20] = [
    "a", "an", "and", "as", "at", "because", "by", "for", "from", "if", "in", "is", "of", "or", "see", "than",
    "that", "the", "to", "with",
];
/// Changes to a series beside its code, as changelogs put it, in lower case: `Rebased on …`.
#[rustfmt::skip]
const CHORES: [&str; 16] = [
    "address comment", "address feedback", "address review", "addressed comment", "addressed feedback",
    "addressed review", "addressing comment", "no change", "no code change", "no functional change",
    "no other change", "re-send", "rebase", "repost", "resend", "resent",
];
/// Words for collecting trailers, in lower case.
#[rustfmt::skip]
const TAKES: [&str; 20] = [
    "add", "added", "adding", "adds", "append", "apply", "applied", "carry", "collect", "collected", "collecting",
    "fetch", "gather", "include", "included", "pick", "picked", "received", "take", "took",
];
/// Words for trailers, in lower case.
const TAGS: [&str; 8] = [
    "-by", "ack", "acks", "acked", "ack-by", "tag", "tags", "r-b",
];
/// The most words of such an item; a longer one holds more.
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

/// Whether a sentence addresses only those who handle the patches.
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

/// Whether an item of a changelog is about trailers, a base or answers only, and not about the code.
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

/// `See the next patch.`, `Here follows the new round.`: a longer one holds more.
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

/// `Ann, I kept your paint.`, `I read your mail twice.`
fn is_to_somebody(sentence: &str) -> bool {
    let is_answer = ["I ", "I'm ", "I've ", "I'll "]
        .iter()
        .any(|start| sentence.starts_with(start));
    if is_answer
        && [" your ", " you "]
            .iter()
            .any(|said| sentence.contains(said))
    {
        return true;
    }
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

/// Words that may stand before a version of a series.
#[rustfmt::skip]
const BEFORE_VERSIONS: [&str; 16] = [
    "in", "since", "from", "is", "that", "the", "to", "on", "patch", "of", "for", "with", "rfc", "my", "our", "version",
];
/// Things other than series that have versions, such as addresses and cgroups.
#[rustfmt::skip]
const BEHIND_PROTOCOLS: [&str; 10] = [
    "address", "addresses", "mapped", "socket", "sockets", "packet", "packets", "route", "routes", "hierarchy",
];
/// Words after `this is` that mean a posting.
#[rustfmt::skip]
const POSTINGS: [&str; 9] = [
    "version", "revision", "resubmission", "repost", "rfc,", "rfc", "continuation", "follow-up", "followup",
];

/// `This is v3 of …`, `In v2 we …`, `v10 is almost …`.
fn is_about_versions(lower: &str) -> bool {
    let words: Vec<&str> = lower
        .split([' ', ',', '(', ')'])
        .filter(|word| !word.is_empty())
        .collect();
    let of_protocols = describes_protocols(&words);
    words.first().is_some_and(|word| is_version(word))
        || words.windows(2).enumerate().any(|(at, pair)| {
            let behind = words.get(at + 2).map(|word| word.trim_end_matches('.'));
            is_version(pair[1])
                && BEFORE_VERSIONS.contains(&pair[0])
                && !(is_protocol(pair[1]) && of_protocols)
                && !behind.is_some_and(|word| BEHIND_PROTOCOLS.contains(&word))
        })
        || words
            .windows(2)
            .any(|pair| is_version(pair[0]) && pair[1] == "of")
        || (lower.starts_with("this is ")
            && words.iter().take(6).any(|word| POSTINGS.contains(word)))
        || ["this revision", "this version", "this iteration"]
            .iter()
            .any(|said| lower.starts_with(said))
}

fn is_version(word: &str) -> bool {
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
}

/// Whether a word may be a version of the internet protocol.
fn is_protocol(word: &str) -> bool {
    ["v4", "v6"].contains(&word.trim_end_matches(['.', ':', ';']))
}

/// Whether a sentence names both versions of the internet protocol, or a packet.
fn describes_protocols(words: &[&str]) -> bool {
    let has = |version: &str| {
        words
            .iter()
            .any(|word| word.trim_end_matches(['.', ':', ';']) == version)
    };
    let starts = [
        "packet", "ipv4", "ipv6", "nat4", "nat6", "address", "socket",
    ];
    (has("v4") && has("v6"))
        || words
            .iter()
            .any(|word| starts.iter().any(|start| word.starts_with(start)))
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

/// Whether a sentence depends on the one before it, or breaks off where a noun must follow.
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

/// Whether a sentence ends in an address, or is about a reference. The reader does not see its target.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_to_reviewers_say_nothing_to_readers() {
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
            ("I read your mail on red maps twice.", true),
            ("I read two mails on red maps.", false),
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
    fn chores_are_no_changes() {
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
}

//! Sentences that claim a patch was applied: how much of it, and where. Questions, attempts, conditions and plans are no claims.

use std::sync::LazyLock;

use regex::Regex;

use super::ending::Share;
use super::sentences::{Sentence, is_one_of, sentences};
use super::tree::{NamedTree, read_tree};
use crate::item::trailer::trailers;
use crate::story::StoredItem;

/// A claim that a patch was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The tree and its branch; empty where none is named.
    pub place: NamedTree,
    /// How much.
    pub share: Share,
    /// Whether the sentence is about nothing else: `Applied to TREE.`
    pub is_plain: bool,
}

/// The claim in a person's mail; `None` if there is none.
pub fn claim(item: &StoredItem) -> Option<Claim> {
    // A tester also says that he applied a patch.
    if trailers(&item.text).any(|trailer| trailer.is("Tested-by")) {
        return None;
    }
    let sentences = sentences(&item.text);
    let mut claims = sentences.iter().filter_map(|said| claimed(said, false));
    claims.next()
}

/// Whether a person's answer to a pull request says that it was pulled.
pub fn says_pulled(item: &StoredItem) -> bool {
    static PULLED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?i:(?:thanks|thank you|thx|ok|okay|and|now|all|both|great|done|it's|this is|i've|i have|i)\W+)*(?i:pulled)\b")
            .expect("the pattern is sound")
    });
    let is_pulled = |said: &Sentence| {
        let mut words = said.text.split(' ');
        !said.is_question
            && PULLED.is_match(&said.text)
            && !words.any(|word| is_one_of(word, &CONDITIONS))
    };
    sentences(&item.text).iter().any(is_pulled) || claim(item).is_some()
}

/// The same above a list of commits, which says more than the sentence.
pub(super) fn heading(text: &str) -> Option<Claim> {
    sentences(text).iter().find_map(|said| claimed(said, true))
}

/// Words that make a sentence a wish, a plan, a condition or a denial.
const HEDGES: [&str; 43] = [
    "if", "when", "once", "unless", "until", "till", "whether", "would", "could", "can", "should",
    "shall", "may", "might", "will", "i'll", "we'll", "let", "not", "never", "cannot", "can't",
    "don't", "didn't", "doesn't", "haven't", "isn't", "wasn't", "won't", "need", "needs", "please",
    "to", "be", "being", "by", "were", "was", "who", "which", "you", "assuming", "without",
];
/// Words that turn an action into a condition.
const CONDITIONS: [&str; 14] = [
    "if", "when", "once", "unless", "until", "whether", "would", "could", "should", "assuming",
    "after", "before", "while", "suppose",
];
/// Words of a person who tried a patch and did not take it.
const TRIED: [&str; 23] = [
    "tested",
    "locally",
    "works",
    "worked",
    "fails",
    "failed",
    "builds",
    "boots",
    "booted",
    "able",
    "retested",
    "reproduce",
    "reproduced",
    "crashes",
    "crashed",
    "my",
    "unable",
    "ran",
    "saw",
    "see",
    "got",
    "noticed",
    "confirm",
];
/// Words before `applied` at the start of a sentence that mean nothing.
const LEADS: [&str; 39] = [
    "thanks",
    "thank",
    "you",
    "thx",
    "ok",
    "okay",
    "great",
    "nice",
    "cool",
    "lgtm",
    "looks",
    "good",
    "to",
    "me",
    "all",
    "perfect",
    "so",
    "and",
    "both",
    "now",
    "series",
    "patch",
    "patches",
    "patchset",
    "set",
    "whole",
    "the",
    "fixed",
    "up",
    "squashed",
    "excellent",
    "anyway",
    "acked",
    "alright",
    "very",
    "much",
    "done",
    "reviewed",
    "just",
];

/// The claim in a sentence. Above a list of commits `queued` counts too, and a tree by any name.
fn claimed(sentence: &Sentence, is_heading: bool) -> Option<Claim> {
    if sentence.is_question {
        return None;
    }
    let words: Vec<&str> = sentence.text.split(' ').collect();
    (0..words.len()).find_map(|at| {
        let verb = words[at].trim_matches(['(', ')', ',', ':', '*', '"']);
        let is_verb = is_one_of(verb, &["applied", "pushed", "merged"])
            || is_heading && is_one_of(verb, &["queued"]);
        let is_taken = is_one_of(verb, &["took", "picked"]);
        if !is_verb && !is_taken {
            return None;
        }
        let before = &words[..at];
        let way = ClaimWay::of(before, words[at])?;
        if is_taken && way != ClaimWay::First {
            return None;
        }
        let mut after = words[at + 1..].join(" ");
        if is_one_of(verb, &["picked", "queued"])
            && let Some(rest) = after.strip_prefix("up")
        {
            after = rest.trim_start().to_owned();
        }
        let ended = words[at].ends_with([',', ':', ')']);
        let mut claim = read_rest(&after, ended)?;
        claim.is_plain = way == ClaimWay::Bare && is_one_of(verb, &["applied"]);
        let is_loose = matches!(way, ClaimWay::Clause) || is_taken;
        if is_loose && !claim.place.is_sure && !is_heading {
            return None;
        }
        if let ClaimWay::Passive(share) = way {
            claim.share = share;
        } else if claim.share == Share::Answered {
            claim.share = share_before(before);
        }
        Some(claim)
    })
}

/// The form in which a sentence has its verb.
#[derive(Debug, PartialEq, Eq)]
enum ClaimWay {
    /// `Applied …`, `Thanks, applied …`.
    Bare,
    /// `I've applied …`.
    First,
    /// `The set is applied`: how much.
    Passive(Share),
    /// `…, applied …`: counts where a tree is named.
    Clause,
}

impl ClaimWay {
    fn of(before: &[&str], verb: &str) -> Option<Self> {
        if before.iter().all(|word| {
            is_one_of(word, &LEADS) || word.trim_matches(['#', ',', '-']).bytes().all(is_number)
        }) {
            // `the patch applied fine` describes the patch's fit, not an action.
            return Some(Self::Bare);
        }
        let head = before.iter().rposition(|word| {
            let word = word.trim_start_matches(['(', '"']);
            is_one_of(word, &["i", "i've", "we", "we've"])
        });
        if let Some(head) = head {
            const BETWEEN: [&str; 8] = [
                "have", "just", "now", "also", "already", "went", "ahead", "and",
            ];
            let is_unconditional = !before[..head]
                .iter()
                .any(|word| is_one_of(word, &CONDITIONS));
            if is_unconditional && before[head + 1..].iter().all(|w| is_one_of(w, &BETWEEN)) {
                return Some(Self::First);
            }
        }
        if let Some(share) = passive(before) {
            return Some(Self::Passive(share));
        }
        let is_clause = before.last().is_some_and(|word| {
            word.ends_with([',', ')']) || is_one_of(word, &["and"]) && !verb.ends_with(',')
        });
        let is_unconditional = !before.iter().any(|word| {
            is_one_of(word, &HEDGES) && !is_one_of(word, &["to", "by", "without", "you"])
        });
        (is_clause && is_unconditional).then_some(Self::Clause)
    }
}

fn is_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'/')
}

/// `The set is`, `Patch 1 is now`, `Patches 3-12 are`.
fn passive(before: &[&str]) -> Option<Share> {
    static SUBJECT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:the |this |your |whole |entire )*(?:(series|set|patchset|patches)|patch(?:es)? ((?:#?\d+[-,/& ]*(?:and )?)+)|patch)(?: is| are| has been| have been)(?: now)?$")
            .expect("the pattern is sound")
    });
    let before = before.join(" ");
    let found = SUBJECT.captures(&before)?;
    Some(match (found.get(1), found.get(2)) {
        (Some(_), _) => Share::Series,
        (None, Some(numbers)) => Share::Parts(numbers_in(numbers.as_str())),
        (None, None) => Share::This,
    })
}

/// How much the words before a bare verb speak of: `Series applied`, `Patch 4 applied`.
fn share_before(before: &[&str]) -> Share {
    let numbers = before
        .iter()
        .flat_map(|word| numbers_in(word))
        .collect::<Vec<_>>();
    if !numbers.is_empty() {
        return Share::Parts(numbers);
    }
    let is_series = |word: &&str| is_one_of(word, &["series", "set", "patchset", "both", "all"]);
    if before.iter().any(is_series) {
        Share::Series
    } else {
        Share::Answered
    }
}

/// The numbers in `3-12`, `1, 2 and 5`, `1/2` (the first of two).
fn numbers_in(text: &str) -> Vec<u32> {
    static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(\d{1,3})(?:/\d{1,3}|\s*-\s*(\d{1,3}))?").expect("the pattern is sound")
    });
    let mut numbers = Vec::new();
    for found in NUMBERS.captures_iter(text) {
        let number = |at: usize| found.get(at).and_then(|n| n.as_str().parse::<u32>().ok());
        if let Some(from) = number(1) {
            numbers.extend(from..=number(2).unwrap_or(from));
        }
    }
    numbers
}

/// Reads the words behind the verb: the object, the place and the rest.
fn read_rest(after: &str, ended: bool) -> Option<Claim> {
    static WHAT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?ix)^(?:
              (?P<numbers>(?:only\ |the\ |just\ )*(?:patch(?:es)?\ )?\#?\d{1,3}(?:/\d{1,3})?(?:(?:\s*-\s*|,\ ?|\ ?&\ ?|\ and\ )\#?\d{1,3}(?:/\d{1,3})?)*)
            | (?P<some>(?:only\ |the\ )*(?:first|last|other|remaining|rest)\b(?:\ of\ (?:the|this)\ (?:series|set))?(?:\ (?:\w+\ )?patch(?:es)?|\ (?:\d+|one|two|three|four|five|six|seven|eight))?|the\ \S+\ (?:one|part|parts|bits?)|some\ of\ (?:it|them))
            | (?P<this>(?:only\ )?(?:this\ one|this\ patch|the\ patch|your\ patch|it|this))
            | (?P<series>(?:(?:this|the|your|whole|entire|all|these|both)\ )+(?:patch\ ?)?(?:series|set|patchset|patches|changes)|them|these|both|all(?:\ of\ (?:it|them|these))?|everything|series|patchset)
            )(?P<end>[,.!:]?)(?:\ |$)",
        )
        .expect("the pattern is sound")
    });
    let (mut rest, mut ended) = (after.trim_start(), ended);
    rest = skip(rest, &["now", "already", "just"]);
    let mut share = Share::Answered;
    if !ended && let Some(found) = WHAT.captures(rest) {
        share = if let Some(numbers) = found.name("numbers") {
            Share::Parts(numbers_in(numbers.as_str()))
        } else if found.name("some").is_some() {
            Share::Some
        } else if found.name("this").is_some() {
            let is_sole = found[0].to_lowercase().contains("one") || found[0].contains("patch");
            if is_sole {
                Share::This
            } else {
                Share::Answered
            }
        } else {
            Share::Series
        };
        ended = found.name("end").is_some_and(|end| !end.is_empty());
        rest = &rest[found[0].len()..];
    }
    rest = skip(rest, &["now", "already", "out"]);
    let mut at = NamedTree::default();
    let preposition = rest.split(' ').next().unwrap_or_default();
    if !ended && is_one_of(preposition, &["to", "into", "in", "on", "onto"]) {
        let (found, left, is_end) = read_tree(rest[preposition.len()..].trim_start())?;
        (at, rest, ended) = (found, left, is_end);
    }
    let is_over = rest.is_empty() || ended;
    if !is_over && !follows(rest) {
        return None;
    }
    let tail: Vec<&str> = rest.split(' ').collect();
    if tail.iter().any(|word| is_one_of(word, &TRIED)) {
        return None;
    }
    const LESS: [&str; 5] = ["except", "minus", "without", "excluding", "only"];
    if tail.iter().any(|word| is_one_of(word, &LESS)) {
        share = Share::Some;
    }
    Some(Claim {
        place: at,
        share,
        is_plain: false,
    })
}

/// Leaves out words at the beginning that say nothing.
fn skip<'a>(mut rest: &'a str, words: &[&str]) -> &'a str {
    while let Some((first, left)) = rest.split_once(' ') {
        if !is_one_of(first, words) || first.ends_with([',', '.']) {
            break;
        }
        rest = left;
    }
    rest
}

/// Whether a sentence may continue like this after the object and the place.
fn follows(rest: &str) -> bool {
    const NEXT: [&str; 24] = [
        "with", "for", "after", "and", "now", "today", "since", "but", "because", "thanks",
        "thank", "thx", "modulo", "while", "via", "minus", "except", "fixing", "changing",
        "cheers", "though", "instead", "so", "too",
    ];
    let mut words = rest.split(' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let is_hash = |word: &str| word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if is_one_of(first, &["as"]) {
        return second.is_some_and(|word| is_one_of(word, &["is", "commit"]) || is_hash(word));
    }
    first.starts_with(['(', '-', '–', '—', ':', ',']) || is_one_of(first, &NEXT)
}

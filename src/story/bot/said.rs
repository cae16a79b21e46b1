//! What people say in sentences: that they applied patches, take them back, refuse them, or put others in their place.
//!
//! A sentence is read only where a person wrote it himself, up to his signature. What is asked, supposed or planned is
//! said of nothing that happened.

use std::sync::LazyLock;

use regex::Regex;

use super::tree::{Place, place};
use crate::item::prose::lines;
use crate::item::trailer::trailers;
use crate::story::Kept;

/// The most sentences that are read of one mail: who applies something says so early or at the end of a page.
const SENTENCES_MAX: usize = 400;
/// The most characters of a sentence that says that something was done.
const SENTENCE_CHARS_MAX: usize = 400;

/// How much of what was answered a sentence speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// All of what was answered, as far as it says.
    Answered,
    /// The series, in so many words.
    Series,
    /// What was answered alone: `this one`, `this patch`.
    This,
    /// These parts.
    Parts(Vec<u32>),
    /// Some parts that it does not name by number.
    Some,
}

/// What a sentence says was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The tree and its branch; empty where none is named.
    pub place: Place,
    /// How much.
    pub share: Share,
    /// Whether the sentence is about nothing else: `Applied to TREE.`
    pub is_plain: bool,
}

/// What a person's answer does to a series beside talking of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Its author takes it back.
    Withdrawn,
    /// Somebody refuses it.
    Nacked,
    /// Something else takes its place.
    Superseded,
}

/// What a person says was applied; `None` where no sentence of his says so.
pub fn claim(kept: &Kept) -> Option<Claim> {
    // Who tests what others made says that he applied it, too.
    if trailers(&kept.text).any(|trailer| trailer.is("Tested-by")) {
        return None;
    }
    let sentences = sentences(&kept.text);
    let mut claims = sentences.iter().filter_map(|said| claimed(said, false));
    claims.next()
}

/// The same above a list of commits, which says more than the sentence.
pub(super) fn heading(text: &str) -> Option<Claim> {
    sentences(text).iter().find_map(|said| claimed(said, true))
}

/// The strongest such word in what is not quoted, and how much of what was answered it is about.
pub fn word(kept: &Kept, is_author: bool) -> Option<(Word, Share)> {
    if !is_author && trailers(&kept.text).any(|t| t.is("Nacked-by") || t.is("NAKed-by")) {
        return Some((Word::Nacked, Share::Answered));
    }
    let sentences = sentences(&kept.text);
    for (at, said) in sentences.iter().enumerate() {
        let rest = &sentences[at..sentences.len().min(at + 3)];
        if let Some(share) = superseded(said, is_author) {
            // A part has no revision of its own: what comes is the next one of the series.
            let is_series = share == Share::Answered && rest.iter().any(is_followed);
            return Some((
                Word::Superseded,
                if is_series { Share::Series } else { share },
            ));
        }
        if !is_author && refused(said) {
            return Some((Word::Nacked, Share::Answered));
        }
        if !is_author {
            continue;
        }
        if let Some(share) = withdrawn(said) {
            return match rest {
                rest if rest.iter().any(is_double) => None,
                rest if rest.iter().any(is_followed) => Some((Word::Superseded, share)),
                _ => Some((Word::Withdrawn, share)),
            };
        }
    }
    None
}

/// A sentence that a person wrote, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    /// Its words, without what ends it.
    text: String,
    /// Whether it asks.
    asks: bool,
}

/// The sentences that a person wrote himself: no quotes, no lists, nothing below his signature.
fn sentences(text: &str) -> Vec<Said> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in lines(text) {
        if matches!(line.trim_end(), "--" | "---") {
            break;
        }
        let bare = line.trim();
        // A list of commits is no prose, and neither is what a line of a patch says.
        let is_prose = !bare.is_empty() && !bare.starts_with(['>', '|', '[', '+']);
        if !is_prose {
            is_open = false;
            continue;
        }
        match paragraphs.last_mut() {
            Some(last) if is_open || ends_open(last) => {
                last.push(' ');
                last.push_str(bare);
            }
            Some(_) | None => paragraphs.push(bare.to_owned()),
        }
        is_open = true;
    }
    let split = paragraphs.iter().flat_map(|paragraph| split(paragraph));
    split.take(SENTENCES_MAX).collect()
}

/// Whether a paragraph waits for what stands on a line of its own: `Applied to`, then a tree's address.
fn ends_open(paragraph: &str) -> bool {
    let last = paragraph.trim_end_matches(':');
    matches!(last, "Applied to" | "applied to") || last.ends_with(" applied to")
}

/// Cuts a paragraph where a sentence ends; `for-6.1` and `e.g.` within one are left alone as far as that is told.
fn split(paragraph: &str) -> Vec<Said> {
    let mut said = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let mut put = |words: &mut Vec<&str>, asks: bool| {
        let text = words.join(" ");
        let text = text.trim_end_matches(['.', '!', '?', ';']).to_owned();
        if !text.is_empty() && text.chars().count() <= SENTENCE_CHARS_MAX {
            said.push(Said { text, asks });
        }
        words.clear();
    };
    for word in paragraph.split_whitespace() {
        words.push(word);
        let bare = word.trim_end_matches([')', '"', '\'']);
        let is_short = matches!(bare, "e.g." | "i.e." | "etc." | "vs." | "w.r.t." | "no.");
        if !is_short && bare.ends_with(['.', '!', '?', ';']) {
            put(&mut words, bare.ends_with('?'));
        }
    }
    put(&mut words, false);
    said
}

/// Words that make what follows a wish, a plan, a condition or its contrary.
const HEDGES: [&str; 43] = [
    "if", "when", "once", "unless", "until", "till", "whether", "would", "could", "can", "should",
    "shall", "may", "might", "will", "i'll", "we'll", "let", "not", "never", "cannot", "can't",
    "don't", "didn't", "doesn't", "haven't", "isn't", "wasn't", "won't", "need", "needs", "please",
    "to", "be", "being", "by", "were", "was", "who", "which", "you", "assuming", "without",
];
/// Words that make what somebody did the condition of something else.
const CONDITIONS: [&str; 14] = [
    "if", "when", "once", "unless", "until", "whether", "would", "could", "should", "assuming",
    "after", "before", "while", "suppose",
];
/// Words of a person who tried something, and did not take it.
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
/// What may stand before `applied` at the beginning of a sentence, and says nothing.
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

/// Whether a word is one of a list, whatever its case and what stands around it.
fn is_one_of(word: &str, list: &[&str]) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    list.iter().any(|other| word.eq_ignore_ascii_case(other))
}

/// What a sentence says was applied. Above a list of commits `queued` counts too, and a tree by any name.
fn claimed(said: &Said, is_heading: bool) -> Option<Claim> {
    if said.asks {
        return None;
    }
    let words: Vec<&str> = said.text.split(' ').collect();
    (0..words.len()).find_map(|at| {
        let verb = words[at].trim_matches(['(', ')', ',', ':', '*', '"']);
        let is_verb = is_one_of(verb, &["applied", "pushed", "merged"])
            || is_heading && is_one_of(verb, &["queued"]);
        let is_taken = is_one_of(verb, &["took", "picked"]);
        if !is_verb && !is_taken {
            return None;
        }
        let before = &words[..at];
        let way = Way::of(before, words[at])?;
        if is_taken && way != Way::First {
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
        claim.is_plain = way == Way::Bare && is_one_of(verb, &["applied"]);
        let is_loose = matches!(way, Way::Clause) || is_taken;
        if is_loose && !claim.place.is_sure && !is_heading {
            return None;
        }
        if let Way::Passive(share) = way {
            claim.share = share;
        } else if claim.share == Share::Answered {
            claim.share = share_before(before);
        }
        Some(claim)
    })
}

/// How a sentence comes to its verb.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// `Applied …`, `Thanks, applied …`.
    Bare,
    /// `I've applied …`.
    First,
    /// `The set is applied`: how much.
    Passive(Share),
    /// `…, applied …`: counts where a tree is named.
    Clause,
}

impl Way {
    fn of(before: &[&str], verb: &str) -> Option<Self> {
        if before.iter().all(|word| {
            is_one_of(word, &LEADS) || word.trim_matches(['#', ',', '-']).bytes().all(is_number)
        }) {
            // `the patch applied fine`: of what it did, not of what was done with it.
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
            let is_told = !before[..head]
                .iter()
                .any(|word| is_one_of(word, &CONDITIONS));
            if is_told && before[head + 1..].iter().all(|w| is_one_of(w, &BETWEEN)) {
                return Some(Self::First);
            }
        }
        if let Some(share) = passive(before) {
            return Some(Self::Passive(share));
        }
        let is_clause = before.last().is_some_and(|word| {
            word.ends_with([',', ')']) || is_one_of(word, &["and"]) && !verb.ends_with(',')
        });
        let is_told = !before.iter().any(|word| {
            is_one_of(word, &HEDGES) && !is_one_of(word, &["to", "by", "without", "you"])
        });
        (is_clause && is_told).then_some(Self::Clause)
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
    match before.iter().any(is_series) {
        true => Share::Series,
        false => Share::Answered,
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

/// What stands behind the verb: what, where, and the rest.
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
            match is_sole {
                true => Share::This,
                false => Share::Answered,
            }
        } else {
            Share::Series
        };
        ended = found.name("end").is_some_and(|end| !end.is_empty());
        rest = &rest[found[0].len()..];
    }
    rest = skip(rest, &["now", "already", "out"]);
    let mut at = Place::default();
    let preposition = rest.split(' ').next().unwrap_or_default();
    if !ended && is_one_of(preposition, &["to", "into", "in", "on", "onto"]) {
        let (found, left, is_end) = place(rest[preposition.len()..].trim_start())?;
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

/// Whether a sentence may go on so once it has said what was applied and where.
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

/// Whether a sentence refuses: `NACK.`, `Nacked.`
fn refused(said: &Said) -> bool {
    static NACKED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?i:nack|nak)\b[.!, ]*(?:$|[A-Z])").expect("the pattern is sound")
    });
    !said.asks && NACKED.is_match(&said.text)
}

/// Whether a sentence says that something else took the place of what was answered, and of how much of it.
fn superseded(said: &Said, is_author: bool) -> Option<Share> {
    static SUPERSEDED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:(?:this|the|my|that|v\d+|it)(?: v\d+)?(?: (series|set|patchset|version)| (patch|one))? (?:is|was|has been|got|are)(?: now| already)? superseded\b|superseded\b)")
            .expect("the pattern is sound")
    });
    if said.asks || is_supposed(&said.text) {
        return None;
    }
    let found = SUPERSEDED.captures(&said.text)?;
    let share = match (found.get(1), found.get(2)) {
        (Some(_), _) => Share::Series,
        (None, Some(_)) => Share::This,
        (None, None) => Share::Answered,
    };
    // Others speak of many things that something took the place of.
    (is_author || share != Share::Answered || found[0].len() == "superseded".len()).then_some(share)
}

/// Whether a sentence's author takes back what he sent, and how much of it.
fn withdrawn(said: &Said) -> Option<Share> {
    static ASKED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?ix)^(?:(?:sorry|hi|hello|hey|so|ok|okay|oops|ah|all|and|everyone|folks|but|anyway|apologies|my\ bad|for\ now|for\ the\ noise|actually)\W+)*
              (?:please|pls|kindly|you\ can|let's|let\ us|just)?,?\ ?(?:kindly\ |just\ )?
              (?:ignore|disregard|drop|discard|forget(?:\ about)?|skip)\ (?P<what>.*)$",
        )
        .expect("the pattern is sound")
    });
    static BESIDE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(?:[,;:] |\b(?:and|so) )(?:please|pls|kindly) (?:just )?(?:ignore|disregard|drop|discard) (?P<what>.*)$")
            .expect("the pattern is sound")
    });
    static TAKEN_BACK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?ix)^(?:(?:sorry|so|ok|okay|hence|therefore)\W+)*(?:(?:i|we)(?:\ am|'m|\ are|'re|'ll|\ will|\ have|'ve)?(?:\ now|\ just)?\ (?:withdraw(?:ing|n)?|retract(?:ing|ed)?|drop(?:ping|ped)?|abandon(?:ing|ed)?)\ (?P<what>.*)
            |(?P<passive>(?:this|the|my)\ (?:\w+\ )?\w+)\ (?:is|has\ been)(?:\ now|\ hereby)?\ (?:withdrawn|retracted)\b.*)$",
        )
        .expect("the pattern is sound")
    });
    static SELF_NACK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:(?:sorry|so|oops|hmm)\W+)*self[- ]?nac?k\b")
            .expect("the pattern is sound")
    });
    if said.asks || is_supposed(&said.text) {
        return None;
    }
    if SELF_NACK.is_match(&said.text) {
        return Some(Share::Answered);
    }
    let asked = ASKED
        .captures(&said.text)
        .or_else(|| BESIDE.captures(&said.text));
    if let Some(found) = asked {
        return taken_back(&found["what"]);
    }
    let found = TAKEN_BACK.captures(&said.text)?;
    taken_back(found.name("what").or(found.name("passive"))?.as_str())
}

/// What is taken back: a series in so many words, what was answered, or nothing of that kind (a mail, a line).
fn taken_back(what: &str) -> Option<Share> {
    static WHAT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"(?ix)^(?:(?P<series>(?:this|the|my|these|that|whole|entire|old|v\d+|\ )+\ ?(?:patch\ ?)?(?:series|set|patchset|version|submission|patches|v\d+)\b|v\d+\b)
            |(?P<this>(?:this|the|my)\ (?:v\d+\ |rfc\ |single\ |bpf\ )?(?:patch|one)\b)
            |(?P<bare>this)(?:[,.!:]|\ for\ now|\ please|$))(?P<rest>.*)$",
        )
        .expect("the pattern is sound")
    });
    let found = WHAT.captures(what.trim())?;
    // Of a line, a hunk or a part of it.
    let rest = found["rest"].trim_start().to_lowercase();
    if ["from ", "in ", "of ", "'s ", "number", "#"]
        .iter()
        .any(|part| rest.starts_with(part))
    {
        return None;
    }
    Some(match (found.name("series"), found.name("this")) {
        (Some(_), _) => Share::Series,
        (None, Some(_)) => Share::This,
        (None, None) => Share::Answered,
    })
}

/// Whether a sentence supposes: it holds under a condition.
fn is_supposed(text: &str) -> bool {
    const IFS: [&str; 8] = [
        "if", "unless", "whether", "maybe", "perhaps", "could", "should", "would",
    ];
    text.split(' ').any(|word| is_one_of(word, &IFS))
}

/// Whether a sentence says that what was sent is there twice.
fn is_double(said: &Said) -> bool {
    let text = said.text.to_lowercase();
    [
        "identical to",
        "duplicate",
        "sent twice",
        "sent it twice",
        "same as the previous",
        "already sent",
    ]
    .iter()
    .any(|double| text.contains(double))
}

/// Whether a sentence says that another revision comes or came.
fn is_followed(said: &Said) -> bool {
    static NEXT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:v\d+|(?:new|next|another|updated|fixed|correct|corrected|right) (?:version|revision|patch|series|one)|re-?send|re-?sent|repost|re-?spin)\b")
            .expect("the pattern is sound")
    });
    static SENDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:send|sent|sending|post|posted|posting|resend|resent|repost|respin|see|submit|submitted|prepare|follow|coming|is out)\b")
            .expect("the pattern is sound")
    });
    NEXT.is_match(&said.text) && SENDS.is_match(&said.text)
}

#[cfg(test)]
mod tests;

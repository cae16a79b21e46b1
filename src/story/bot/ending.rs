//! Sentences that end a series: its author withdraws it, a maintainer refuses it, or another series replaces it. Questions and
//! conditions end nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::sentences::{Sentence, is_one_of, sentences};
use crate::item::trailer::trailers;
use crate::story::StoredItem;

/// How much of the answered posting a sentence is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Share {
    /// All of it, unless the sentence says otherwise.
    Answered,
    /// The series, in so many words.
    Series,
    /// The answered mail alone: `this one`, `this patch`.
    This,
    /// These parts.
    Parts(Vec<u32>),
    /// Some parts that it does not name by number.
    Some,
}

/// The effect of an answer on a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerEffect {
    /// Its author takes it back.
    Withdrawn,
    /// Somebody refuses it.
    Nacked,
    /// Something else takes its place.
    Superseded,
}

/// The strongest effect in the unquoted text, and how much of the posting it is about.
pub fn answer_effect(item: &StoredItem, is_author: bool) -> Option<(AnswerEffect, Share)> {
    if !is_author && trailers(&item.text).any(|t| t.is("Nacked-by") || t.is("NAKed-by")) {
        return Some((AnswerEffect::Nacked, Share::Answered));
    }
    let sentences = sentences(&item.text);
    for (at, said) in sentences.iter().enumerate() {
        let rest = &sentences[at..sentences.len().min(at + 3)];
        if let Some(share) = superseded(said, is_author) {
            // A part has no revision of its own, so the next revision is the series'.
            let is_series = share == Share::Answered && rest.iter().any(is_followed);
            return Some((
                AnswerEffect::Superseded,
                if is_series { Share::Series } else { share },
            ));
        }
        if !is_author && refused(said) {
            return Some((AnswerEffect::Nacked, Share::Answered));
        }
        if !is_author {
            continue;
        }
        if let Some(share) = withdrawn(said) {
            return match rest {
                rest if rest.iter().any(is_double) => None,
                rest if rest.iter().any(is_followed) => Some((AnswerEffect::Superseded, share)),
                _ => Some((AnswerEffect::Withdrawn, share)),
            };
        }
    }
    None
}

/// Whether the unquoted text sets the state of the posting to `changes requested`, as kernel.org's patchwork bot reads it. The bot
/// obeys the author, maintainers, and a few reviewers.
pub fn requests_changes(item: &StoredItem) -> bool {
    const WORDS: [&str; 3] = ["cr", "changes-requested", "changes requested"];
    let mut commands = trailers(&item.text).filter(|trailer| trailer.is("pw-bot"));
    commands.any(|trailer| {
        let value = trailer.value.to_ascii_lowercase();
        WORDS.contains(&value.as_str())
    })
}

/// Whether a sentence refuses: `NACK.`, `Nacked.`
fn refused(sentence: &Sentence) -> bool {
    static NACKED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?i:nack|nak)\b[.!, ]*(?:$|[A-Z])").expect("the pattern is sound")
    });
    !sentence.is_question && NACKED.is_match(&sentence.text)
}

/// Whether a sentence says that another posting replaces the answered one, and how much of it.
fn superseded(sentence: &Sentence, is_author: bool) -> Option<Share> {
    static SUPERSEDED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:(?:this|the|my|that|v\d+|it)(?: v\d+)?(?: (series|set|patchset|version)| (patch|one))? (?:is|was|has been|got|are)(?: now| already)? superseded\b|superseded\b)")
            .expect("the pattern is sound")
    });
    if sentence.is_question || is_supposed(&sentence.text) {
        return None;
    }
    let found = SUPERSEDED.captures(&sentence.text)?;
    let share = match (found.get(1), found.get(2)) {
        (Some(_), _) => Share::Series,
        (None, Some(_)) => Share::This,
        (None, None) => Share::Answered,
    };
    // Others speak of many things that something took the place of.
    (is_author || share != Share::Answered || found[0].len() == "superseded".len()).then_some(share)
}

/// Whether the author of a sentence withdraws the posting, and how much of it.
fn withdrawn(sentence: &Sentence) -> Option<Share> {
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
    if sentence.is_question || is_supposed(&sentence.text) {
        return None;
    }
    if SELF_NACK.is_match(&sentence.text) {
        return Some(Share::Answered);
    }
    let asked = ASKED
        .captures(&sentence.text)
        .or_else(|| BESIDE.captures(&sentence.text));
    if let Some(found) = asked {
        return taken_back(&found["what"]);
    }
    let found = TAKEN_BACK.captures(&sentence.text)?;
    taken_back(found.name("what").or(found.name("passive"))?.as_str())
}

/// The object of a withdrawal: a named series, the answered posting, or neither (a mail, a line).
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

/// Whether a sentence says that the posting was sent twice.
fn is_double(sentence: &Sentence) -> bool {
    let text = sentence.text.to_lowercase();
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
fn is_followed(sentence: &Sentence) -> bool {
    static NEXT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:v\d+|(?:new|next|another|updated|fixed|correct|corrected|right) (?:version|revision|patch|series|one)|re-?send|re-?sent|repost|re-?spin)\b")
            .expect("the pattern is sound")
    });
    static SENDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:send|sent|sending|post|posted|posting|resend|resent|repost|respin|see|submit|submitted|prepare|follow|coming|is out)\b")
            .expect("the pattern is sound")
    });
    NEXT.is_match(&sentence.text) && SENDS.is_match(&sentence.text)
}

#[cfg(test)]
mod tests;

//! What people say in sentences that ends a series: they take it back, refuse it, or put another in its place. What is
//! asked or supposed ends nothing.

use std::sync::LazyLock;

use regex::Regex;

use super::sentences::{Said, is_one_of, sentences};
use crate::item::trailer::trailers;
use crate::story::Kept;

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

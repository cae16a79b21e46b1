//! The sentences of a story worth showing: extracted from what its author wrote, never invented.
//!
//! A text is read in four steps, each in a file of its own: `lines` tells what a line is, `blocks` keeps the prose,
//! `sentences` splits it, `worth` judges a sentence. `changes` reads changelogs, `faults` checks what comes out.

mod blocks;
mod changes;
mod faults;
mod lines;
mod sentences;
mod worth;

pub use changes::change;
pub use faults::faults;

use blocks::Block;

/// The most sentences of a summary: more is not read under a title.
const SENTENCES_MAX: usize = 3;
/// The most characters of one sentence; a longer one is cut.
const SENTENCE_CHARS_MAX: usize = 300;
/// The most characters of a whole summary, spaces between its sentences included.
const SUMMARY_CHARS_MAX: usize = 600;
/// The fewest words of a sentence that says something on its own.
const WORDS_MIN: usize = 4;

/// A sentence that may be shown.
struct Candidate {
    text: String,
    /// The number of its block.
    block: usize,
    /// It says what the author's work does.
    tells: bool,
}

/// The sentences of a summary: two or three of a cover letter, a merge message, a commit or a mail; fewer where there
/// are no more. Each has at most 300 characters, all together 600; every word is the author's.
pub fn summary(text: &str) -> Vec<String> {
    let text = sentences::without_marks(text);
    let blocks = blocks::blocks(&text);
    let mut candidates = Vec::new();
    let mut lists = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let prose = sentences::split(&block.lead);
        let last = prose.len().saturating_sub(1);
        for (at, sentence) in prose.iter().enumerate() {
            // A sentence that points to what is left out, or comes from there, says nothing without it.
            let dangles = (at == last && block.dangles) || announces(sentence);
            let resumes = at == 0 && block.resumes;
            if dangles || resumes || is_too_short(sentence) || worth::says_nothing(sentence) {
                continue;
            }
            candidates.push(Candidate {
                text: sentence.clone(),
                block: number,
                tells: worth::tells_what_is_done(sentence),
            });
        }
        if let Some(list) = joined_list(block, prose.last()) {
            lists.push(Candidate {
                tells: worth::tells_what_is_done(&list),
                text: list,
                block: number,
            });
        }
    }
    // What does not pair was written or split wrong; a reader stumbles over it.
    if candidates
        .iter()
        .any(|candidate| sentences::is_balanced(&candidate.text))
    {
        candidates.retain(|candidate| sentences::is_balanced(&candidate.text));
    }
    // A list is for when no sentence says what is done.
    if !candidates.iter().any(|candidate| candidate.tells) {
        let told = lists.iter().position(|list| list.tells);
        match told {
            Some(at) => {
                let list = lists.swap_remove(at);
                let place = candidates
                    .iter()
                    .position(|candidate| candidate.block > list.block)
                    .unwrap_or(candidates.len());
                candidates.insert(place, list);
            }
            None if candidates.is_empty() => candidates.extend(lists.into_iter().next()),
            None => {}
        }
    }
    if candidates.is_empty() {
        return dangling(&blocks);
    }
    within_limits(picked(&candidates))
}

/// The sentences to show, in the author's order: the opening, and what tells what is done.
fn picked(candidates: &[Candidate]) -> Vec<&Candidate> {
    let told = candidates.iter().position(|candidate| candidate.tells);
    let mut picked: Vec<&Candidate> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let (has_told, left) = match told {
            Some(told) => (at > told, SENTENCES_MAX - picked.len()),
            None => (true, SENTENCES_MAX - picked.len()),
        };
        if left == 0 {
            break;
        }
        let is_told = told == Some(at);
        // The first sentence sets the scene; of a long background one more is enough.
        let is_opening = picked.is_empty();
        let follows = picked
            .last()
            .is_some_and(|last| last.block == candidate.block);
        let take = if is_told || is_opening {
            true
        } else if has_told {
            follows || picked.len() < 2
        } else {
            // One place is kept for the sentence that tells.
            left > 1 && follows
        };
        if take {
            picked.push(candidate);
        }
    }
    picked
}

fn within_limits(picked: Vec<&Candidate>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut chars = 0;
    for candidate in picked {
        let sentence = sentences::cut(&candidate.text, SENTENCE_CHARS_MAX);
        let more = sentence.chars().count() + usize::from(!kept.is_empty());
        if chars + more > SUMMARY_CHARS_MAX {
            continue;
        }
        chars += more;
        kept.push(sentence);
    }
    kept
}

/// The list of a block on one line, behind the sentence that announces it.
fn joined_list(block: &Block, lead: Option<&String>) -> Option<String> {
    if block.items.is_empty() {
        return None;
    }
    let mut line = lead
        .filter(|lead| lead.ends_with(':') && !worth::says_nothing(lead))
        .cloned()
        .unwrap_or_default();
    let mut taken = 0;
    for item in &block.items {
        let item = item.trim_end_matches(['.', ';', ',', ':']);
        if worth::says_nothing(item) {
            continue;
        }
        let joint = match (line.is_empty(), taken) {
            (true, _) => "",
            (false, 0) => " ",
            (false, _) => "; ",
        };
        if taken > 0
            && line.chars().count() + joint.len() + item.chars().count() + 3 > SENTENCE_CHARS_MAX
        {
            line.push_str("; …");
            break;
        }
        line.push_str(joint);
        line.push_str(item);
        taken += 1;
    }
    (taken > 0 && !is_too_short(&line)).then_some(line)
}

/// What is left where nothing but sentences that announce something were written.
fn dangling(blocks: &[Block]) -> Vec<String> {
    blocks
        .iter()
        .filter_map(|block| {
            let sentences = sentences::split(&block.lead);
            sentences.last().cloned()
        })
        .find(|sentence| !is_too_short(sentence) && !worth::says_nothing(sentence))
        .map(|sentence| {
            let said = sentence.trim_end_matches([':', ' ', ',']);
            sentences::cut(&format!("{said} …"), SENTENCE_CHARS_MAX)
        })
        .into_iter()
        .collect()
}

/// Whether a sentence ends where it announces something.
fn announces(sentence: &str) -> bool {
    [":", ",", "e.g.", "i.e."]
        .iter()
        .any(|end| sentence.ends_with(end))
}

/// `Add a map.` is short and says all there is.
fn is_too_short(sentence: &str) -> bool {
    let words = sentence.split_whitespace().count();
    words < WORDS_MIN && (words < 2 || !worth::tells_what_is_done(sentence))
}

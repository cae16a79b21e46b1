//! The sentences that a person wrote in a mail: joined over lines, cut at their ends, without quotes and signature.

use crate::item::prose::lines;

/// The most sentences read of one mail. Reports of applying stand early, or at the end of a page.
const SENTENCES_MAX: usize = 400;
/// The most characters of a sentence that says that something was done.
const SENTENCE_CHARS_MAX: usize = 400;

/// A sentence that a person wrote, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    /// Its words, without the final punctuation.
    pub(super) text: String,
    /// Whether it asks.
    pub(super) is_question: bool,
}

/// The sentences that a person wrote himself: no quotes, no lists, nothing below his signature.
pub(super) fn sentences(text: &str) -> Vec<Sentence> {
    let mut paragraphs: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in lines(text) {
        if matches!(line.trim_end(), "--" | "---") {
            break;
        }
        let bare = line.trim();
        // A list of commits and a line of a patch are no prose.
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

/// Whether a paragraph continues on a line of its own: `Applied to`, then the address of a tree.
fn ends_open(paragraph: &str) -> bool {
    let last = paragraph.trim_end_matches(':');
    matches!(last, "Applied to" | "applied to") || last.ends_with(" applied to")
}

/// Splits a paragraph into sentences. `for-6.1` and `e.g.` do not end one, as far as can be recognised.
fn split(paragraph: &str) -> Vec<Sentence> {
    let mut said = Vec::new();
    let mut words: Vec<&str> = Vec::new();
    let mut put = |words: &mut Vec<&str>, is_question: bool| {
        let text = words.join(" ");
        let text = text.trim_end_matches(['.', '!', '?', ';']).to_owned();
        if !text.is_empty() && text.chars().count() <= SENTENCE_CHARS_MAX {
            said.push(Sentence { text, is_question });
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

/// Whether a word is in a list, regardless of case and surrounding punctuation.
pub(super) fn is_one_of(word: &str, list: &[&str]) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    list.iter().any(|other| word.eq_ignore_ascii_case(other))
}

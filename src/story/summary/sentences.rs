//! Prose to sentences. Code names, abbreviations and versions are kept whole.

use std::borrow::Cow;

use crate::item::prose::lines;

/// Abbreviations before a full stop that ends no sentence, in lower case.
const ABBREVIATIONS: [&str; 23] = [
    "a.k.a", "aka", "al", "approx", "ca", "cf", "dr", "e.g", "eg", "esp", "i.e", "ie", "incl",
    "jr", "mr", "mrs", "ms", "resp", "st", "viz", "vs", "w.r.t", "wrt",
];
/// Abbreviations before a number only.
const NUMBERED: [&str; 10] = [
    "ch", "eq", "fig", "figs", "no", "nr", "p", "pp", "sec", "vol",
];
/// Abbreviations that may end a sentence if a capital follows.
const MAY_END: [&str; 4] = ["al", "etc", "inc", "ltd"];
/// A bracket that closes further away than this was never meant to pair.
const BRACKET_CHARS_MAX: usize = 400;
/// A reference mark behind these words stands for a noun: without it the sentence would break.
#[rustfmt::skip]
const BEFORE_NOUNS: [&str; 64] = [
    "a", "about", "after", "against", "although", "and", "are", "around", "as", "at", "be", "because", "before",
    "between", "both", "both:", "but", "by", "commit", "commits", "following", "for", "from", "given", "how",
    "if", "in", "into", "is", "like", "of", "on", "only", "onto", "or", "over", "patch", "per", "posted", "see",
    "since", "than", "that", "the", "this", "though", "through", "to", "towards", "under", "unless", "until",
    "upon", "using", "via", "was", "were", "what", "when", "where", "whether", "while", "with", "without",
];

/// Whether a noun must follow a word: without it the sentence would break.
pub(super) fn needs_noun(word: &str) -> bool {
    let word = word.trim_start_matches('(').to_lowercase();
    BEFORE_NOUNS.contains(&word.as_str())
}

/// Splits a paragraph, given on one line, into its sentences.
pub(super) fn split(paragraph: &str) -> Vec<String> {
    let chars: Vec<char> = paragraph.chars().collect();
    let mut sentences = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < chars.len() {
        if let Some(close) = closing(&chars, at) {
            at = close;
        } else if matches!(chars[at], '.' | '!' | '?')
            && let Some(end) = sentence_end(&chars, start, at)
        {
            push(&mut sentences, &chars[start..end]);
            start = end;
            at = end;
            continue;
        }
        at += 1;
    }
    push(&mut sentences, &chars[start..]);
    sentences
}

fn push(sentences: &mut Vec<String>, chars: &[char]) {
    let mut sentence = String::with_capacity(chars.len());
    for word in chars
        .split(|c| c.is_whitespace())
        .filter(|word| !word.is_empty())
    {
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.extend(word);
    }
    // A stop that was set apart belongs to no sentence.
    let bare = sentence.trim_start_matches(". ");
    if !bare.is_empty() {
        sentences.push(bare.to_owned());
    }
}

/// Where the bracket, backtick or quotation that opens at `at` closes.
fn closing(chars: &[char], at: usize) -> Option<usize> {
    let opens = chars[at];
    let before = at.checked_sub(1).map(|before| chars[before]);
    let ahead = chars
        .iter()
        .enumerate()
        .skip(at + 1)
        .take(BRACKET_CHARS_MAX);
    match opens {
        '(' => {
            let mut depth = 1;
            for (place, c) in ahead {
                match c {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    // Sentence ends behind a closing bracket are looked for at the stop inside it: keep the bracket.
                    return Some(place);
                }
            }
            None
        }
        '`' => ahead
            .into_iter()
            .find(|(_, c)| **c == '`')
            .map(|(place, _)| place),
        '"' | '“' if before.is_none_or(|c| c.is_whitespace() || c == '(') => {
            let close = if opens == '"' { '"' } else { '”' };
            let (place, _) = ahead.into_iter().find(|(_, c)| **c == close)?;
            // `"Like this."` ends a sentence: the stop before the quotation mark is looked at.
            Some(if matches!(chars[place - 1], '.' | '!' | '?') {
                place - 2
            } else {
                place
            })
        }
        _ => None,
    }
}

/// The end of the sentence, in characters, if its stop is at `at`.
fn sentence_end(chars: &[char], start: usize, at: usize) -> Option<usize> {
    let mut end = at + 1;
    while end < chars.len()
        && matches!(
            chars[end],
            '"' | '\'' | ')' | '”' | '’' | '`' | '.' | '!' | '?'
        )
    {
        end += 1;
    }
    if end == chars.len() {
        return Some(end);
    }
    if !chars[end].is_whitespace() {
        return None;
    }
    let next: String = chars[end..]
        .iter()
        .skip_while(|c| c.is_whitespace())
        .take_while(|c| !c.is_whitespace())
        .collect();
    let first = next
        .chars()
        .find(|c| !matches!(c, '"' | '\'' | '(' | '`' | '“' | '*'))?;
    if chars[at] != '.' {
        // `foo()?` and `!` alone end nothing before small letters.
        return (!first.is_lowercase()).then_some(end);
    }
    let is_ellipsis = at > start && chars[at - 1] == '.' || chars.get(at + 1) == Some(&'.');
    if is_ellipsis {
        return first.is_uppercase().then_some(end);
    }
    let from = chars[start..at].iter().rposition(|c| c.is_whitespace());
    let word: String = chars[from.map_or(start, |from| start + from + 1)..at]
        .iter()
        .collect();
    if word.is_empty() {
        return None;
    }
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_lowercase();
    let is_first = chars[start..at]
        .iter()
        .filter(|c| c.is_whitespace())
        .count()
        == usize::from(chars[start].is_whitespace());
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let is_enumerator = is_first && !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    if is_initial || is_enumerator {
        return None;
    }
    if NUMBERED.contains(&lower.as_str()) {
        return (!first.is_ascii_digit()).then_some(end);
    }
    if MAY_END.contains(&lower.as_str()) {
        return first.is_uppercase().then_some(end);
    }
    if ABBREVIATIONS.contains(&lower.as_str()) {
        return None;
    }
    Some(end)
}

/// The text without reference marks such as ` [1]`, except where one stands for a noun (`see [1]`). A mark right behind
/// a word is one where the text explains it: `ring[0]` is code.
pub(super) fn without_marks(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'[', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let explained: Vec<&str> = lines(text)
        .map(str::trim)
        .filter(|line| line.starts_with('[') || line.ends_with(']'))
        .filter_map(|line| {
            let head = line
                .split_once(']')
                .map(|(head, _)| head)
                .filter(|head| head.starts_with('['));
            let tail = line.rsplit_once('[').and_then(|(before, tail)| {
                before
                    .contains("://")
                    .then(|| tail.strip_suffix(']'))
                    .flatten()
            });
            head.map(|head| &head[1..]).or(tail)
        })
        .filter(|mark| is_mark(mark))
        .collect();
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'[', rest.as_bytes()) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        let line = match memchr::memchr(b'\n', from.as_bytes()) {
            Some(end) => &from[..=end],
            None => from,
        };
        let Some(end) = memchr::memchr(b']', line.as_bytes()) else {
            kept.push_str(line);
            rest = &from[line.len()..];
            continue;
        };
        let marks = &from[1..end];
        let after = &from[end + 1..];
        let drop = marks
            .split([',', ' '])
            .filter(|mark| !mark.is_empty())
            .all(is_mark)
            && !marks.trim().is_empty()
            && is_dropped(&kept, after, marks, &explained);
        if drop {
            kept.truncate(kept.trim_end_matches([' ', '\t']).len());
        } else {
            kept.push_str(&from[..=end]);
        }
        rest = after;
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

fn is_mark(mark: &str) -> bool {
    !mark.is_empty() && mark.len() <= 2 && mark.bytes().all(|b| b.is_ascii_digit())
}

fn is_dropped(before: &str, after: &str, mark: &str, explained: &[&str]) -> bool {
    let this_line = before.rsplit('\n').next().unwrap_or_default();
    // At the start of a line a mark explains, or belongs to a line wrapped before it.
    if this_line.trim().is_empty() {
        return before.ends_with(|c: char| c == '\n' || c.is_whitespace())
            && after.starts_with(['.', ',', ';', ')'])
            && !before.trim_end().is_empty();
    }
    let word = before.split_whitespace().next_back().unwrap_or_default();
    if !before.ends_with(char::is_whitespace) {
        let behind_word = before
            .ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | '"' | '.' | ',' | ':'));
        let parted = after.starts_with(|c: char| c.is_whitespace() || ".,;:)".contains(c))
            || after.is_empty();
        return behind_word
            && parted
            && mark.split([',', ' ']).any(|mark| explained.contains(&mark));
    }
    // `It is so. [1] added it.`
    let opens = word.ends_with(['.', '!', '?']) && after.starts_with(" ");
    let goes_on = after
        .trim_start()
        .starts_with(|c: char| c.is_ascii_lowercase());
    !(needs_noun(word) || opens && goes_on)
}

/// A sentence of at most `chars_max` characters, `…` included: cut behind a clause if that keeps half, else a word;
/// never inside brackets or backticks where that can be helped.
pub(super) fn cut(sentence: &str, chars_max: usize) -> String {
    if sentence.chars().count() <= chars_max {
        return sentence.to_owned();
    }
    let head: String = sentence.chars().take(chars_max - 1).collect();
    let ends = |is_end: fn(&str) -> bool| {
        head.match_indices(' ')
            .map(|(at, _)| &head[..at])
            .rfind(|text| text.len() > head.len() / 2 && is_balanced(text) && is_end(text))
    };
    let word_end = match (head.rfind(' '), head.char_indices().next_back()) {
        (Some(at), _) => &head[..at],
        // One word longer than all that is allowed: there is no better place.
        (None, last) => &head[..last.map_or(0, |(at, _)| at)],
    };
    let kept = ends(|text| text.ends_with([',', ';', ':']))
        .or_else(|| ends(|_| true))
        .unwrap_or(word_end);
    format!("{} …", kept.trim_end_matches([',', ';', ':', ' ', '-']))
}

/// A list item without the words that join it to the next: `one, and` becomes `one`.
pub(super) fn bare_item(item: &str) -> &str {
    let ends = ['.', ';', ',', ':', ' '];
    let item = item.trim_end_matches(ends);
    item.strip_suffix(" and")
        .map_or(item, |item| item.trim_end_matches(ends))
}

/// Whether brackets and backticks pair. Marks of lists (`a)`) and faces (`:)`) do not count.
pub(super) fn is_balanced(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let before = |at: usize, back: usize| at.checked_sub(back).map_or(' ', |at| chars[at]);
    let mut depth = 0_u32;
    let mut in_code = false;
    for (at, &c) in chars.iter().enumerate() {
        let last = before(at, 1);
        let is_face =
            matches!(last, ':' | ';') || last == '-' && matches!(before(at, 2), ':' | ';');
        match c {
            '`' => in_code = !in_code,
            // gcc and old manuals quote `like this'.
            '\'' if in_code && !chars.get(at + 1).is_some_and(|c| c.is_alphanumeric()) => {
                in_code = false
            }
            // A parenthesis inside code, as in `` `call(` ``, is part of a name.
            '(' | ')' if in_code => {}
            '(' if !is_face => depth += 1,
            ')' if depth > 0 => depth -= 1,
            ')' if !(is_face || last.is_alphanumeric() && before(at, 2).is_whitespace()) => {
                return false;
            }
            _ => {}
        }
    }
    depth == 0 && !in_code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_end() {
        #[rustfmt::skip]
        let table = [
            "It is red.|It is blue.",
            "See ring.c and foo.bar for it.|bar_baz() reads v6.12 of it.",
            "Some maps, e.g. arrays, i.e. flat ones vs. hashes, are fast.|Others etc.|Are not.",
            "Sec. 3 tells more.|Say no.|Then go.",
            "Call bpf_foo_bar() (it is fast. Really.) to win.|Done!",
            "Use `a. B` or \"c. D\" now.|Why?|Because of it.",
            "She said \"it is red.\"|Then she left.",
            "Wait... what is that?|It is 1.5 times as fast.",
            "Ann B. Cee wrote struct foo * for it.|Linux 6.1.|Next.",
            "1. First we eat.|2. Then we sleep.",
            "no stop at all",
        ];
        for wanted in table {
            let text = wanted.replace('|', " ");
            assert_eq!(split(&text).join("|"), wanted);
        }
    }

    #[test]
    fn marks_go_where_the_sentence_stands_without() {
        #[rustfmt::skip]
        let table = [
            ("It was found [0].", "It was found."),
            ("It was found [0, 1] there.", "It was found there."),
            ("As told in [1], it was.", "As told in [1], it was."),
            ("It went since it broke when [1] came.", "It went since it broke when [1] came."),
            ("It broke. [1] mended it.", "It broke. [1] mended it."),
            ("It broke. [1]\nIt works.", "It broke.\nIt works."),
            ("It reads ring[0] now.", "It reads ring[0] now."),
            ("It was found[0].\n\n[0] https://a.example", "It was found.\n\n[0] https://a.example"),
            ("A set [a, b] stays [x86].", "A set [a, b] stays [x86]."),
            ("An open [ stays.", "An open [ stays."),
        ];
        for (text, wanted) in table {
            assert_eq!(without_marks(text), wanted);
        }
    }

    #[test]
    fn long_sentences_are_cut_at_clauses() {
        #[rustfmt::skip]
        let table = [
            ("short", 10, "short"),
            ("one two three, four five", 20, "one two three …"),
            ("one two three four five", 20, "one two three four …"),
            ("one two three (four five six)", 22, "one two three …"),
            ("ééééééééééé", 10, "éééééééé …"),
        ];
        for (text, most, wanted) in table {
            let cut = cut(text, most);
            assert_eq!(cut, wanted);
            assert!(cut.chars().count() <= most);
        }
        assert!(
            is_balanced("a) b (c) :) `d` `e' `f(`")
                && !is_balanced("(a")
                && !is_balanced("ab cd)")
                && !is_balanced("`a")
        );
    }
}

//! Finds text that must not stand in a summary. It looks at the summary alone.

use super::headings;
use super::lines::{
    is_closing, is_diffstat, is_marked_prose, is_quote, is_reference, is_trailer, without_greeting,
};
use super::sentences::is_balanced;

/// The faults of a sentence in a summary; empty if there are none.
pub fn faults(sentence: &str) -> Vec<&'static str> {
    let first = sentence.split_whitespace().next().unwrap_or_default();
    let said = sentence.trim_end_matches(['…', ' ']);
    let last = said.split_whitespace().next_back().unwrap_or_default();
    let is_diff = ["diff --git", "@@ ", "+++ ", "--- ", "index "]
        .iter()
        .any(|start| sentence.starts_with(start))
        || is_diffstat(sentence);
    let is_base = ["base-commit", "prerequisite-", "change-id"]
        .iter()
        .any(|word| sentence.contains(&format!("{word}:")) || first.starts_with(word));
    let is_signed = is_closing(sentence)
        || sentence.contains("Signed-off-by:")
        || sentence.contains("Reviewed-by:");
    let ends_short = ["e.g.", "i.e.", "vs.", "cf."].contains(&last.to_lowercase().as_str());
    let is_cut = last
        .strip_suffix('-')
        .is_some_and(|word| word.ends_with(char::is_alphanumeric))
        || ends_short
        || first.starts_with([',', ';', ')', '.', ']'])
            && !first[1..].starts_with(|c: char| c.is_alphabetic() || c == '.');
    let words_are_addresses = sentence
        .split_whitespace()
        .all(|word| word.contains("://") || word.starts_with('['));
    #[rustfmt::skip]
    let checks = [
        ("greeting", without_greeting(sentence) != sentence),
        ("sign-off", is_signed),
        ("diff line", is_diff),
        ("trailer", is_trailer(sentence) && !is_base),
        ("cut word", is_cut),
        ("quote", is_quote(sentence) || sentence.contains(" > > ")),
        ("address only", words_are_addresses || is_reference(sentence) && !is_marked_prose(sentence)),
        ("changelog header", headings::is_header(sentence)),
        ("base commit", is_base),
        ("unbalanced", !is_balanced(sentence)),
        ("dangling colon", said.ends_with(':')),
        ("frame", sentence.contains("====") || sentence.contains("-----")),
        ("line break", sentence.contains(['\n', '\t'])),
    ];
    checks
        .into_iter()
        .filter(|(_, found)| *found)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_found() {
        #[rustfmt::skip]
        let table = [
            ("Hi all,", "greeting"), ("Thanks,", "sign-off"), ("Signed-off-by: A <a@b.c>", "sign-off trailer"),
            ("@@ -1 +1 @@", "diff line"), ("a/b.c | 2 +-", "diff line"), ("Fixes: 012345678901 (\"x\")", "trailer"),
            ("It is half-", "cut word"), ("Some maps, e.g.", "cut word"), (", and so on.", "cut word"),
            ("> so you say", "quote"), ("https://a.example/1", "address only"), ("[1] made all of it red.", ""), ("Changes in v3:", "changelog header dangling colon"),
            ("base-commit: 0123", "base commit"), ("It (and that", "unbalanced"), ("Use `it", "unbalanced"),
            ("Like this:", "dangling colon"), ("Pens ==== are red", "frame"), ("a\nb", "line break"),
            ("It is red (or blue).", ""), ("Cut behind a word …", ""), ("no stop", ""), (".text holds code.", ""),
        ];
        for (sentence, wanted) in table {
            assert_eq!(faults(sentence).join(" "), wanted, "{sentence}");
        }
    }
}

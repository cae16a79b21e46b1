//! The `[relevance]` table.

use super::keys::TableName;
use super::reader::{Field, Table};
use crate::story::relevance::{FoldRules, REASONS};

/// The most words of a list.
const WORDS_MAX: usize = 500;
/// The longest word, in characters.
const WORD_CHARS_MAX: usize = 80;
/// The largest weight of a reason, positive or negative.
const WEIGHT_MAX: i64 = 100;

pub(super) fn read_relevance(mut table: Table<'_, '_>) -> FoldRules {
    let mut words = FoldRules::default();
    if let Some(field) = table.take("title_words") {
        words.title = read_words(field);
    }
    if let Some(field) = table.take("path_words") {
        words.paths = read_words(field);
    }
    let weights = table.take("weights");
    let weights = weights.and_then(|field| {
        field.table(
            TableName::Weights,
            "a table: write [relevance.weights], the reasons below",
        )
    });
    if let Some(mut weights) = weights {
        for reason in &REASONS {
            let weight = weights
                .take(reason.name)
                .and_then(|field| field.signed(WEIGHT_MAX));
            if let Some(weight) = weight {
                words.weights.insert(reason.name, weight);
            }
        }
        weights.finish();
    }
    table.finish();
    words
}

/// Reads words that match in any case.
fn read_words(field: Field<'_, '_>) -> Vec<String> {
    const RIGHT: &str = "a list of words, such as [\"bpf\", \"xdp\"]";
    let members = field.list(RIGHT, WORDS_MAX).unwrap_or_default();
    let words = members.iter().filter_map(|member| {
        const RIGHT: &str = "a word of 2 to 80 characters";
        let word = member.text(RIGHT)?.trim().to_lowercase();
        if !(2..=WORD_CHARS_MAX).contains(&word.chars().count()) {
            member.expected(RIGHT);
            return None;
        }
        Some(word)
    });
    words.collect()
}

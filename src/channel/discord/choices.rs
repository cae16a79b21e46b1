//! Completions in Discord's format.

use serde_json::{Value, json};

use crate::channel::text::cut;
use crate::chat::Choice;
use crate::post::plain;

/// Discord's limits for completions.
const CHOICES_MAX: usize = 25;
const CHOICE_CHARS_MAX: usize = 100;

/// Choices in Discord's format. Discord shows no markdown there. Values that are too long are left out.
pub(super) fn shown(choices: &[Choice]) -> Vec<Value> {
    let choices = choices.iter().filter_map(|choice| {
        let name = cut(plain(&choice.shown).trim(), CHOICE_CHARS_MAX);
        let fits = (1..=CHOICE_CHARS_MAX).contains(&choice.value.chars().count());
        let is_good = fits && !name.is_empty() && !choice.value.trim().is_empty();
        is_good.then(|| json!({"name": name, "value": choice.value}))
    });
    choices.take(CHOICES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_with_any_text_are_within_the_limits() {
        let choice = |shown: &str, value: &str| Choice {
            shown: shown.to_owned(),
            value: value.to_owned(),
        };
        let hostile = [
            choice(&"a\u{301}".repeat(80), "a"),
            choice("\u{202e}@everyone\u{0} <@1>", "b"),
            choice(&"x".repeat(10_000), &"v".repeat(100)),
            choice("too long to be handed over", &"v".repeat(101)),
            choice("", "no name"),
            choice("no value", ""),
            choice(" \u{200b} ", "blank"),
        ];
        let shown_ones = shown(&hostile);
        let names: Vec<&str> = shown_ones
            .iter()
            .filter_map(|choice| choice["name"].as_str())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names[0].ends_with("a\u{301}…"), "{}", names[0]);
        assert_eq!(names[1], "@everyone  <@1>");
        assert!(
            names
                .iter()
                .all(|name| (1..=100).contains(&name.chars().count()))
        );
        assert_eq!(shown(&vec![choice("a", "a"); 60]).len(), 25);
    }
}

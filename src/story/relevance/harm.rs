//! Whether a story mends something that took a machine down or lost data: by its titles, or by the report that a fix quotes.

use super::titles::{has_word, is_test_title};
use crate::item::prose;

/// How titles call it, in lower case.
const HARMS: [&str; 37] = [
    "crash",
    "crashes",
    "crashing",
    "panic",
    "panics",
    "oops",
    "null pointer",
    "null-pointer",
    "null ptr",
    "null-ptr-deref",
    "null-deref",
    "null deref",
    "null dereference",
    "null dereferences",
    "general protection fault",
    "page fault",
    "segfault",
    "segmentation fault",
    "divide by zero",
    "division by zero",
    "double free",
    "double-free",
    "use-after-free",
    "use after free",
    "uaf",
    "out-of-bounds",
    "out of bounds",
    "stack overflow",
    "deadlock",
    "deadlocks",
    "lockup",
    "hang",
    "infinite loop",
    "infinite recursion",
    "corruption",
    "corrupts",
    "data loss",
];

/// The words with which the title of a fix opens.
const MENDS: [&str; 17] = [
    "fix", "fixes", "fixed", "fixing", "fixup", "avoid", "avoids", "prevent", "prevents",
    "resolve", "handle", "guard", "protect", "don't", "stop", "reject", "address",
];

/// How the kernel reports it, as fixes quote it.
const REPORTS: [&str; 12] = [
    "BUG: KASAN:",
    "BUG: KFENCE:",
    "BUG: unable to handle",
    "BUG: kernel NULL pointer dereference",
    "Unable to handle kernel",
    "general protection fault",
    "kernel BUG at ",
    "Kernel panic - not syncing",
    "BUG: soft lockup",
    "detected stall",
    "blocked for more than",
    "UBSAN: array-index-out-of-bounds",
];

/// Whether titles, which are in lower case, or texts say so.
pub(super) fn mends_harm(titles: &[String], texts: &[String]) -> bool {
    let names_harm = |title: &String| {
        !is_test_title(title) && mends(title) && HARMS.iter().any(|harm| has_word(title, harm))
    };
    titles.iter().any(names_harm) || texts.iter().any(|text| quotes_report(text))
}

/// Whether a title is that of a fix.
fn mends(title: &str) -> bool {
    let what = title.rsplit_once(": ").map_or(title, |(_, what)| what);
    let first = what.split_whitespace().next().unwrap_or_default();
    MENDS.contains(&first) || has_word(title, "fix") || has_word(title, "fixes")
}

/// Whether the text of a fix quotes the kernel's report.
fn quotes_report(text: &str) -> bool {
    REPORTS
        .iter()
        .any(|report| prose::find(text, report).is_some())
        && prose::lines(text).any(|line| line.starts_with("Fixes: "))
}

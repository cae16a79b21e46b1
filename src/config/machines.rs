//! The `[machines]` table: senders that are machines, and senders that are people.

use super::reader::{Field, Table};
use crate::story::machine::{MachineKind, Machines};

/// The most patterns of a list.
const PATTERNS_MAX: usize = 200;
/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 200;

/// The keys that list machines, with the sort of each.
const SORTS: [(&str, MachineKind); 5] = [
    ("ai_review", MachineKind::AiReview),
    ("ci", MachineKind::Ci),
    ("build", MachineKind::Build),
    ("notices", MachineKind::Notices),
    ("other", MachineKind::Other),
];

pub(super) fn read_machines(mut table: Table<'_, '_>) -> Machines {
    let mut machines = Machines::default();
    for (key, sort) in SORTS {
        let field = table.take(key);
        let patterns = field.map(read_patterns).unwrap_or_default();
        let patterns = patterns.into_iter().map(|pattern| (pattern, sort));
        machines.senders.extend(patterns);
    }
    if let Some(field) = table.take("people") {
        machines.people = read_patterns(field);
    }
    table.finish();
    machines
}

/// Reads addresses. The part before the `@` may contain `*`.
fn read_patterns(field: Field<'_, '_>) -> Vec<String> {
    const RIGHT: &str =
        "a list of addresses, such as [\"review-bot@example.org\", \"ci+*@example.org\"]";
    let members = field.list(RIGHT, PATTERNS_MAX).unwrap_or_default();
    let patterns = members.iter().filter_map(|member| {
        const RIGHT: &str =
            "an address with its domain, such as \"ci+*@example.org\"; * only before the @";
        let pattern = member.text(RIGHT)?.trim().to_lowercase();
        let is_good = pattern.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && domain.contains('.')
                && !domain.contains(['*', '@'])
                && pattern.len() <= PATTERN_BYTES_MAX
                && !pattern.contains(|c: char| c.is_whitespace() || c.is_control())
        });
        if !is_good {
            member.expected(RIGHT);
            return None;
        }
        Some(pattern)
    });
    patterns.collect()
}

//! Why a story matters, in a few quiet words beside its title. Pure.

use crate::story::relevance::REASONS;
use crate::story::{Story, StoryKind};

/// The most words of this kind in a post.
const SHOWN_MAX: usize = 3;
/// The reasons of a score that posts show, in the order of display, with their words.
#[rustfmt::skip]
const REASONS_SHOWN: [(&str, &str); 12] = [
    ("security", "security fix"), ("breakage", "regression"), ("revert", "revert"), ("kfunc", "kfunc"),
    ("helper", "new helper"), ("map_type", "map type"), ("program_type", "program type"), ("uapi", "uapi"),
    ("sched_ext", "sched_ext"), ("arena", "arena"), ("verifier", "verifier"), ("jit", "JIT"),
];
/// Where one of these holds, nothing matters to a reader.
const SMALL: [&str; 3] = ["selftests_only", "trivial", "backport"];
/// How the title of a patch opens that brings something new.
#[rustfmt::skip]
const OPENS_NEW: [&str; 8] = [
    "add", "adds", "adding", "introduce", "introduces", "implement", "implements", "new",
];

/// At most three short words or pairs of words: `new kfunc`, `uapi`, `verifier`; none where nothing matters.
pub(super) fn matters(story: &Story) -> Vec<String> {
    match story.kind {
        StoryKind::Series | StoryKind::Commit | StoryKind::Pull | StoryKind::Thread => {}
        StoryKind::Article | StoryKind::Release | StoryKind::Video => return Vec::new(),
    }
    if SMALL.iter().any(|name| weight(story, name).is_some()) {
        return Vec::new();
    }
    REASONS_SHOWN
        .iter()
        .filter(|(name, _)| weight(story, name).is_some_and(|weight| weight > 0))
        .take(SHOWN_MAX)
        .map(|(_, words)| {
            if is_new(story, words) {
                format!("new {words}")
            } else {
                (*words).to_owned()
            }
        })
        .collect()
}

/// The weight of a reason in a story's score; `None` if it does not apply or weighs nothing.
fn weight(story: &Story, name: &str) -> Option<i32> {
    let reason = REASONS.iter().find(|reason| reason.name == name)?;
    reason.weight_in(&story.why)
}

/// Whether the title, or a patch's, adds one of the things that `words` name; tests do not count.
fn is_new(story: &Story, words: &str) -> bool {
    if !["kfunc", "map type", "program type"].contains(&words) {
        return false;
    }
    let patches = story.revisions.last().map(|newest| newest.patches.iter());
    let patches = patches.into_iter().flatten().map(|patch| &patch.subject);
    std::iter::once(&story.title).chain(patches).any(|title| {
        let title = title.to_lowercase();
        let what = title
            .rsplit_once(": ")
            .map_or(title.as_str(), |(_, what)| what);
        let first = what.split(' ').next().unwrap_or_default();
        OPENS_NEW.contains(&first) && what.contains(words) && !title.contains("test")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn story(kind: &str, title: &str, why: &[&str]) -> Story {
        let story = json!({
            "id": "a", "aliases": [], "kind": kind, "title": title, "author": null, "url": null, "tree": null,
            "state": "posted", "score": 1, "relevant": true, "why": why, "first_at": "2025-03-01T00:00:00Z",
            "last_at": "2025-03-01T00:00:00Z", "feeds": [], "revisions": [], "follow_ups": 0, "people": [],
            "events": [], "applied": [], "mainline": null, "stable": [], "fixes": [], "cves": [], "messages": [],
            "commits": [], "summary": [], "changes": {},
        });
        serde_json::from_value(story).expect("a story")
    }

    #[test]
    fn words_follow_from_the_reasons_of_the_score() {
        let kfunc = "is about kfuncs (+3)";
        let uapi = "changes what user space sees (uapi) (+3)";
        let verifier = "touches the verifier (+2)";
        #[rustfmt::skip]
        let table: [(&str, &str, &[&str], &str); 9] = [
            ("series", "bpf: Add a kfunc for paint", &[kfunc, uapi], "new kfunc, uapi"),
            ("series", "bpf: Mend the paint kfunc", &[kfunc, verifier], "kfunc, verifier"),
            ("series", "bpf: Paint", &["about BPF: \"bpf\" in the title", "was applied (+2)"], ""),
            ("commit", "bpf: Paint", &["mends a security hole (+4)"], "security fix"),
            ("series", "bpf: Paint", &[kfunc, uapi, verifier, "touches a JIT (+2)"], "kfunc, uapi, verifier"),
            ("series", "selftests/bpf: Paint", &["touches a JIT (+2)", "changes tests only (-3)"], ""),
            ("series", "bpf: Paint", &["touches the verifier (-1)"], ""),
            ("series", "bpf: Test a kfunc", &[kfunc], "kfunc"),
            ("article", "Paint in the verifier", &[verifier], ""),
        ];
        for (kind, title, why, wanted) in table {
            let words_of_reason = matters(&story(kind, title, why)).join(", ");
            assert_eq!(words_of_reason, wanted, "{title}: {why:?}");
        }
    }

    #[test]
    fn every_word_has_a_reason() {
        for name in REASONS_SHOWN.iter().map(|(name, _)| name).chain(&SMALL) {
            assert!(REASONS.iter().any(|reason| reason.name == *name), "{name}");
        }
    }
}

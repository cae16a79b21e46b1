//! Who reviewed a story, and how many answers people gave, in one line of its post.

use super::plain;
use super::words::counted;
use crate::story::{PersonRole, Story, StoryKind};

/// The most names after one word; the others are counted.
const NAMES_MAX: usize = 3;
/// The roles that a post shows, in the order of display.
const ROLES: [PersonRole; 4] = [
    PersonRole::Nacker,
    PersonRole::Reviewer,
    PersonRole::Acker,
    PersonRole::Tester,
];

/// `reviewed by A. Reader and B. Reader · acked by C. Owner · 5 answers`; empty if nobody answered.
pub(super) fn reviews(story: &Story) -> String {
    let mut parts: Vec<String> = ROLES
        .iter()
        .filter_map(|role| Some(format!("{} {}", role.by(), names(story, *role)?)))
        .collect();
    let is_talk = matches!(
        story.kind,
        StoryKind::Series | StoryKind::Pull | StoryKind::Thread
    );
    if is_talk && story.follow_ups > 0 {
        parts.push(counted(story.follow_ups, "answer"));
    }
    parts.join(" · ")
}

/// The people with a role, without the author: `A`, `A and B`, `A, B, C and 2 more`.
fn names(story: &Story, role: PersonRole) -> Option<String> {
    let is_author = |name: &str| story.author.as_deref() == Some(name);
    let all: Vec<String> = story
        .people
        .iter()
        .filter(|person| person.role == role && !is_author(&person.name))
        .map(|person| plain(&person.name).trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let (last, before) = all.split_last()?;
    Some(match (before.len(), all.len()) {
        (0, _) => last.clone(),
        (_, many) if many > NAMES_MAX => {
            let shown = all[..NAMES_MAX].join(", ");
            format!("{shown} and {} more", many - NAMES_MAX)
        }
        _ => format!("{} and {last}", before.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn story(kind: &str, people: &[(&str, &str)], follow_ups: u32) -> Story {
        let people: Vec<_> = people
            .iter()
            .map(|(role, name)| json!({"role": role, "name": name}))
            .collect();
        let story = json!({
            "id": "a", "aliases": [], "kind": kind, "title": "bpf: Paint", "author": "A. Author", "url": null,
            "tree": null, "state": "posted", "score": 1, "relevant": true, "why": [],
            "first_at": "2025-03-01T00:00:00Z", "last_at": "2025-03-01T00:00:00Z", "feeds": [], "revisions": [],
            "follow_ups": follow_ups, "people": people, "events": [], "applied": [], "mainline": null, "stable": [],
            "fixes": [], "cves": [], "messages": [], "commits": [], "summary": [], "changes": {},
        });
        serde_json::from_value(story).expect("a story")
    }

    #[test]
    fn people_are_named_by_role_and_counted() {
        let many: Vec<(&str, &str)> = ["B", "C", "D", "E", "F"]
            .map(|name| ("reviewer", name))
            .to_vec();
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], u32, &'a str);
        #[rustfmt::skip]
        let table: [Case; 7] = [
            ("series", &[], 0, ""),
            ("series", &[("author", "A. Author")], 1, "1 answer"),
            ("series", &[("acker", "B"), ("reviewer", "C"), ("reviewer", "D")], 4, "reviewed by C and D · acked by B · 4 answers"),
            ("series", &many, 0, "reviewed by B, C, D and 2 more"),
            ("series", &[("nacker", "B"), ("acker", "A. Author"), ("tester", "\u{202e}\n")], 0, "refused by B"),
            ("commit", &[("tester", "B")], 3, "tested by B"),
            ("thread", &[], 12, "12 answers"),
        ];
        for (kind, people, follow_ups, wanted) in table {
            assert_eq!(
                reviews(&story(kind, people, follow_ups)),
                wanted,
                "{kind} {people:?}"
            );
        }
    }
}

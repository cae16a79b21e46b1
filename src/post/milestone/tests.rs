//! Which milestones a story reached, and which of them a channel announces.

use chrono::TimeZone as _;
use serde_json::json;

use super::*;
use crate::story::{Landed, Revision};

fn day(day: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 3, day, 9, 0, 0)
        .single()
        .expect("a time")
}

/// A series with these versions, a day apart.
fn series(versions: &[u32]) -> Story {
    let mut story: Story = serde_json::from_value(json!({
        "id": "abc123", "aliases": [], "kind": "series", "title": "Let maps grow", "author": "A. Author",
        "url": "https://lore.kernel.org/bpf/1@example.org/", "tree": "bpf-next", "state": "discussed", "score": 40,
        "relevant": true, "why": [], "first_at": day(1), "last_at": day(1), "feeds": ["bpf"], "revisions": [],
        "follow_ups": 0, "people": [], "events": [], "applied": [], "mainline": null, "stable": [], "fixes": [],
        "cves": [], "messages": [], "commits": [], "summary": [], "changes": {},
    }))
    .expect("a story");
    let revision = |(at, version): (usize, &u32)| Revision {
        version: *version,
        posted_at: day(1 + u32::try_from(at).expect("few")),
        root: format!("{version}@example.org"),
        cover: false,
        total: 1,
        patches: Vec::new(),
    };
    story.revisions = versions.iter().enumerate().map(revision).collect();
    story
}

fn event(state: Step, at: DateTime<Utc>, by: &str) -> Event {
    Event {
        at,
        state,
        by: by.to_owned(),
        source: "m@example.org".to_owned(),
        link: Some("https://lore.kernel.org/bpf/m@example.org/".to_owned()),
        ..Event::default()
    }
}

/// What a channel announces of a story if it knew `known`, each with its words.
fn announced(story: &Story, ways: &MilestoneWays, known: &[&str], now: u32) -> Vec<String> {
    let since = day(now) - chrono::TimeDelta::days(7);
    let told = to_announce(reached(story), ways, |key| known.contains(&key), since);
    told.into_iter()
        .map(|(step, way)| format!("{way:?} {}: {}", step.key, step.what))
        .collect()
}

#[test]
fn each_word_has_one_milestone() {
    let mut all: Vec<MilestoneKind> = MilestoneKind::NAMED.to_vec();
    all.extend([2, 3, 99].map(MilestoneKind::Revision));
    for kind in all {
        assert_eq!(MilestoneKind::parse(&kind.word()), Some(kind));
        assert_eq!(
            MilestoneKind::parse(&kind.word().to_uppercase()),
            Some(kind)
        );
    }
    for wrong in [
        "", "v", "v+", "v1+", "v100+", "v2", "v-2+", "v٣+", "applied ", "nack+",
    ] {
        assert_eq!(MilestoneKind::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn only_the_newest_revision_is_announced_and_only_from_the_wanted_one_on() {
    let reply = |word: &str| {
        let kind = MilestoneKind::parse(word).expect("a milestone");
        MilestoneWays::all(&[kind], MilestoneWay::Reply)
    };
    let story = series(&[1, 2, 4]);
    assert_eq!(
        announced(&story, &reply("v2+"), &["v2"], 4),
        ["Reply v4: v2 → v4"]
    );
    assert_eq!(
        announced(&story, &reply("v2+"), &[], 4),
        ["Reply v4: v2 → v4"]
    );
    assert_eq!(
        announced(&story, &reply("v4+"), &["v2"], 4),
        ["Reply v4: v2 → v4"]
    );
    assert!(announced(&story, &reply("v5+"), &["v2"], 4).is_empty());
    assert!(announced(&story, &reply("v2+"), &["v2", "v4"], 4).is_empty());
    // The mail with v2 came late: v4 was announced, and v2 is history.
    assert!(announced(&story, &reply("v2+"), &["v4"], 4).is_empty());
    // The first revision here, and one that was sent again.
    assert_eq!(
        announced(&series(&[3]), &reply("v2+"), &[], 4),
        ["Reply v3: v3"]
    );
    assert!(announced(&series(&[1, 1]), &reply("v2+"), &[], 4).is_empty());
    let both = MilestoneWays::new(vec![
        (MilestoneKind::Revision(2), MilestoneWay::Reply),
        (MilestoneKind::Revision(4), MilestoneWay::Thread),
    ]);
    assert_eq!(announced(&story, &both, &["v2"], 4), ["Thread v4: v2 → v4"]);
    assert_eq!(
        announced(&series(&[1, 2]), &both, &[], 4),
        ["Reply v2: v1 → v2"]
    );
}

#[test]
fn a_refusal_counts_once_for_each_revision_and_names_its_person() {
    let ways = MilestoneWays::usual(MilestoneWay::Reply);
    let mut story = series(&[1, 2]);
    story.events = vec![
        event(Step::Nacked, day(1), "One \u{202e}Maintainer"),
        event(Step::Nacked, day(3), "Another"),
        event(Step::Nacked, day(4), "A third"),
    ];
    assert_eq!(
        announced(&story, &ways, &[], 5),
        [
            "Reply nack-v1: NACK by One Maintainer",
            "Reply nack-v2: NACK by Another"
        ]
    );
    assert!(announced(&story, &ways, &["nack-v1", "nack-v2"], 5).is_empty());
    let links: Vec<_> = reached(&story)
        .into_iter()
        .filter_map(|step| step.link)
        .collect();
    assert_eq!(links, ["https://lore.kernel.org/bpf/m@example.org/"; 2]);
    // A week later it is no news, whatever brought it.
    assert!(announced(&story, &ways, &[], 12).is_empty());
    story.events = vec![event(Step::ChangesRequested, day(2), "M")];
    assert!(
        announced(&story, &ways, &[], 5).is_empty(),
        "nobody asked for it"
    );
    let asked = MilestoneWays::all(&[MilestoneKind::ChangesRequested], MilestoneWay::Thread);
    assert_eq!(
        announced(&story, &asked, &[], 5),
        ["Thread changes-requested-v2: changes requested by M"]
    );
}

#[test]
fn of_several_steps_towards_the_users_the_last_one_that_is_asked_for_is_announced() {
    let mut story = series(&[1]);
    story.mainline = Some(Landed {
        link: None,
        hash: "0123456789ab".to_owned(),
        at: day(2),
        span: None,
        release: Some("v6.15-rc1".to_owned()),
    });
    story.state = State::Mainline;
    let usual = MilestoneWays::usual(MilestoneWay::Reply);
    assert_eq!(
        announced(&story, &usual, &[], 5),
        ["Reply mainline: in v6.15-rc1"]
    );
    assert_eq!(
        announced(&story, &usual, &["applied"], 5),
        ["Reply mainline: in v6.15-rc1"]
    );
    assert!(
        announced(&story, &usual, &["mainline"], 5).is_empty(),
        "a later step implies the earlier ones"
    );
    assert!(announced(&story, &usual, &["applied", "pulled", "mainline"], 5).is_empty());
    let applied = MilestoneWays::all(&[MilestoneKind::Applied], MilestoneWay::Reply);
    assert_eq!(
        announced(&story, &applied, &[], 5),
        ["Reply applied: in v6.15-rc1"]
    );
    story.state = State::Stable;
    let keys: Vec<String> = keys(&story).collect();
    assert_eq!(
        keys,
        ["applied", "pulled", "mainline", "stable", "v6.15-rc1"]
    );
    let released = MilestoneWays::all(&[MilestoneKind::Released], MilestoneWay::Reply);
    assert_eq!(
        announced(&story, &released, &["mainline"], 5),
        ["Reply v6.15-rc1: in v6.15-rc1"]
    );
}

#[test]
fn the_ends_of_a_story_are_milestones() {
    let all = MilestoneWays::all(&MilestoneKind::NAMED, MilestoneWay::Reply);
    let mut story = series(&[1, 2]);
    story.state = State::Withdrawn;
    story.events = vec![event(Step::Withdrawn, day(3), "A. Author")];
    assert_eq!(
        announced(&story, &all, &["v2"], 5),
        ["Reply withdrawn-v2: withdrawn by A. Author"]
    );
    story.state = State::Superseded;
    assert_eq!(
        announced(&story, &all, &["v2"], 5),
        ["Reply superseded-v2: superseded"]
    );
    story.state = State::Applied;
    story.events = vec![
        event(Step::Reverted, day(3), ""),
        event(Step::Cve, day(4), ""),
    ];
    story.cves = vec!["CVE-2025-1234".to_owned(), "CVE-2025-1235".to_owned()];
    assert_eq!(
        announced(&story, &all, &["v2", "applied", "CVE-2025-1234"], 5),
        [
            "Reply reverted: reverted by a later commit",
            "Reply CVE-2025-1235: CVE-2025-1235"
        ]
    );
    story.events.clear();
    story.cves.clear();
    story.revisions.clear();
    (story.kind, story.state) = (StoryKind::Article, State::Free);
    assert_eq!(
        announced(&story, &all, &[], 5),
        ["Reply free: free to read"]
    );
    (story.kind, story.state) = (StoryKind::Pull, State::Mainline);
    assert_eq!(
        announced(&story, &all, &["pulled"], 5),
        ["Reply mainline: in mainline"]
    );
}

#[test]
fn the_older_key_and_the_usual_milestones_announce_other_steps() {
    let older = MilestoneWays::of_older_key(MilestoneWay::Thread);
    assert!(older.uses_threads());
    assert_eq!(older.words(), "applied, mainline, free");
    let usual = MilestoneWays::usual(MilestoneWay::Reply);
    assert!(!usual.uses_threads());
    assert_eq!(usual.words(), "applied, mainline, withdrawn, nack");
    assert_eq!(MilestoneWays::usual(MilestoneWay::Edit).words(), "");
    assert_eq!(usual.way(MilestoneKind::Revision(2)), MilestoneWay::Edit);
}

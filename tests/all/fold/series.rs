//! The rules that make mails one series, and revisions one story.

use super::scenario::Scenario;

const STAT: &str = "Do it.\n---\n kernel/bpf/core.c | 2 +-\n 1 file changed";

#[track_caller]
fn check(scenario: &Scenario, wanted: &[&str]) {
    assert_eq!(scenario.sketches(), wanted);
}

/// Times are whole seconds, and ids sort as text: `v10` before `v9`.
#[test]
fn versions_that_came_in_one_second_are_in_their_order() {
    let mut scenario = Scenario::default();
    for version in 8..=11 {
        let subject = format!("[PATCH bpf-next v{version}] bpf: Add a thing");
        scenario = scenario.mail(&format!("p{version}"), "Ann Author", 0, &subject, &[], STAT);
    }
    let story = &scenario.stories()[0];
    let versions: Vec<u32> = story
        .revisions
        .iter()
        .map(|revision| revision.version)
        .collect();
    assert_eq!(versions, [8, 9, 10, 11]);
}

#[test]
fn cover_parts_and_replies_are_one() {
    let scenario = Scenario::default()
        .mail(
            "c",
            "Ann Author",
            0,
            "[PATCH bpf-next 0/2] bpf: Add a thing",
            &[],
            "This adds a thing.",
        )
        .mail(
            "p1",
            "Ann Author",
            0,
            "[PATCH bpf-next 1/2] bpf: Add it",
            &["c"],
            STAT,
        )
        .mail(
            "p2",
            "Ann Author",
            0,
            "[PATCH bpf-next 2/2] selftests/bpf: Test it",
            &["c"],
            STAT,
        )
        .mail(
            "r",
            "Bob Reader",
            5,
            "Re: [PATCH bpf-next 1/2] bpf: Add it",
            &["c", "p1"],
            "Why?",
        )
        .mail(
            "a",
            "Ann Author",
            6,
            "Re: [PATCH bpf-next 1/2] bpf: Add it",
            &["c", "p1", "r"],
            "Because.",
        );
    check(
        &scenario,
        &["series discussed: bpf: Add a thing | v1 0+2/2 | c p1 p2 r a"],
    );
    let story = &scenario.stories()[0];
    assert_eq!(story.follow_ups, 2);
    assert_eq!(story.tree.as_deref(), Some("bpf-next"));
    assert_eq!(story.author.as_deref(), Some("Ann Author"));
    assert_eq!(
        story.url.as_deref(),
        Some("https://lore.kernel.org/bpf/c@example.org/")
    );
}

#[test]
fn answers_to_a_missing_cover_join_its_parts() {
    let scenario = Scenario::default()
        .mail(
            "p1",
            "Ann Author",
            0,
            "[PATCH net-next 1/3] net: one",
            &["ghost"],
            STAT,
        )
        .mail(
            "p3",
            "Ann Author",
            0,
            "[PATCH net-next 3/3] net: three",
            &["ghost"],
            STAT,
        )
        .mail(
            "r",
            "Bob Reader",
            5,
            "Re: [PATCH net-next 0/3] net: all",
            &["ghost"],
            "Fine.",
        );
    check(
        &scenario,
        &["series discussed: net: one | v1 2/3 | p1 p3 r"],
    );
}

#[test]
fn every_shape_of_prefix_is_read() {
    for (first, second) in [
        ("[PATCH 0/1] bpf: x", "[PATCHv2 0/1] bpf: x"),
        ("[bpf-next 0/1] bpf: x", "[PATCH,bpf-next v2 0/1] bpf: x"),
        (
            "[RFC bpf-next 0/1] bpf: x",
            "[PATCH bpf-next/net v2 0/1] bpf: x",
        ),
        ("[net-next PATCH V1 0/1] bpf: x", "[PATCH 0/1] [v2] bpf: x"),
        ("[RFC PATCH 0/1] bpf: x", "[PATCH RESEND v2 0/1] bpf: x"),
        ("[PATCH][next] bpf: x", "[PATCH][next][V2] bpf: x"),
    ] {
        let scenario = Scenario::default()
            .mail("a", "Ann Author", 0, first, &[], "Text.")
            .mail("b", "Ann Author", 90, second, &[], "Text.");
        let revisions: Vec<_> = scenario
            .stories()
            .iter()
            .flat_map(|story| {
                story
                    .revisions
                    .iter()
                    .map(|r| r.version)
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(
            (scenario.stories().len(), revisions),
            (1, vec![1, 2]),
            "{first} {second}"
        );
    }
}

#[test]
fn a_retitled_cover_is_joined_by_its_link() {
    let link =
        "Changes in v2:\n- a new name\n- Link to v1: https://lore.kernel.org/r/a@example.org";
    let scenario = Scenario::default()
        .mail(
            "a",
            "Ann Author",
            0,
            "[PATCH 0/2] bpf: wholly other words",
            &[],
            "Text.",
        )
        .mail(
            "b",
            "Ann Author",
            90,
            "[PATCH v2 0/2] libbpf: something new",
            &[],
            link,
        );
    check(
        &scenario,
        &["series posted: libbpf: something new | v1 0+0/2, v2 0+0/2 | a b"],
    );
}

#[test]
fn links_are_believed_only_where_they_speak_of_revisions() {
    for (text, joins) in [
        ("v1: https://lore.kernel.org/bpf/a@example.org/", true),
        (
            "v1 -> v2:\n - more\n - https://patch.msgid.link/a@example.org",
            true,
        ),
        (
            "Since the previous version [1] it is faster.\n\n[1] https://lore.kernel.org/all/a@example.org",
            true,
        ),
        (
            "This depends on [1].\n\n[1] https://lore.kernel.org/all/a@example.org",
            false,
        ),
        (
            "It was talked of here: https://lore.kernel.org/r/a@example.org",
            false,
        ),
        ("> v1: https://lore.kernel.org/bpf/a@example.org/", false),
    ] {
        let scenario = Scenario::default()
            .mail(
                "a",
                "Ann Author",
                0,
                "[PATCH 0/2] bpf: wholly other words",
                &[],
                "Text.",
            )
            .mail(
                "b",
                "Ann Author",
                90,
                "[PATCH v2 0/2] libbpf: something new",
                &[],
                text,
            );
        assert_eq!(
            scenario.stories().len(),
            if joins { 1 } else { 2 },
            "{text}"
        );
    }
}

#[test]
fn a_change_id_joins_and_another_keeps_apart() {
    let id = |id: &str| format!("Text.\n\n---\nchange-id: {id}\n");
    let scenario = Scenario::default()
        .mail(
            "a",
            "Ann Author",
            0,
            "[PATCH 0/2] bpf: old words",
            &[],
            &id("20170502-x-0123456789ab"),
        )
        .mail(
            "b",
            "Ann Author",
            90,
            "[PATCH v2 0/2] net: new name",
            &[],
            &id("20170502-x-0123456789ab"),
        )
        .mail(
            "c",
            "Ann Author",
            95,
            "[PATCH v3 0/2] net: new names",
            &[],
            &id("20170502-y-ba9876543210"),
        );
    check(
        &scenario,
        &[
            "series posted: net: new name | v1 0+0/2, v2 0+0/2 | a b",
            "series posted: net: new names | v3 0+0/2 | c",
        ],
    );
}

#[test]
fn two_authors_with_one_subject_are_two() {
    let scenario = Scenario::default()
        .mail("a", "Ann Author", 0, "[PATCH] bpf: fix a leak", &[], STAT)
        .mail(
            "b",
            "Bob Builder",
            10,
            "[PATCH v2] bpf: fix a leak",
            &[],
            STAT,
        );
    assert_eq!(scenario.stories().len(), 2);
}

#[test]
fn one_title_for_several_files_is_several_patches_and_one_file_is_one() {
    let stat = |path: &str| format!("Do it.\n---\n {path} | 2 +-\n");
    let scenario = Scenario::default()
        .mail(
            "a",
            "Ann Author",
            0,
            "[PATCH] fix a leak in main()",
            &[],
            &stat("samples/a.c"),
        )
        .mail(
            "b",
            "Ann Author",
            1,
            "[PATCH] fix a leak in main()",
            &[],
            &stat("samples/b.c"),
        )
        .mail(
            "c",
            "Ann Author",
            2,
            "[PATCH] fix a leak in main()",
            &[],
            &stat("samples/a.c"),
        );
    check(
        &scenario,
        &[
            "series posted: fix a leak in main() | v1 1/1, v1 1/1 | a c",
            "series posted: fix a leak in main() | v1 1/1 | b",
        ],
    );
    // The story names the pairs that were not joined.
    let stories = scenario.stories();
    let told = format!(
        "perhaps one with {}: the same author and title, but nothing more",
        stories[0].id
    );
    assert!(stories[1].why.contains(&told), "{:?}", stories[1].why);
}

#[test]
fn a_second_version_sent_as_an_answer_is_the_same_story() {
    let scenario = Scenario::default()
        .mail("a", "Ann Author", 0, "[PATCH] bpf: fix a leak", &[], STAT)
        .mail(
            "r",
            "Bob Reader",
            5,
            "Re: [PATCH] bpf: fix a leak",
            &["a"],
            "Please split.",
        )
        .mail(
            "b1",
            "Ann Author",
            9,
            "[PATCH v2 1/2] bpf: one",
            &["a", "r"],
            STAT,
        )
        .mail(
            "b2",
            "Ann Author",
            9,
            "[PATCH v2 2/2] bpf: two",
            &["a", "r"],
            STAT,
        );
    check(
        &scenario,
        &["series discussed: bpf: one | v1 1/1, v2 2/2 | a r b1 b2"],
    );
}

#[test]
fn a_patch_that_somebody_else_answers_with_is_a_story_of_its_own() {
    let scenario = Scenario::default()
        .mail("a", "Ann Author", 0, "[PATCH] bpf: fix a leak", &[], STAT)
        .mail(
            "b",
            "Bob Builder",
            5,
            "[PATCH] bpf: mend it elsewhere",
            &["a"],
            STAT,
        )
        .mail(
            "r",
            "Ann Author",
            6,
            "Re: [PATCH] bpf: mend it elsewhere",
            &["a", "b"],
            "Better.",
        );
    check(
        &scenario,
        &[
            "series posted: bpf: fix a leak | v1 1/1 | a",
            "series discussed: bpf: mend it elsewhere | v1 1/1 | b r",
        ],
    );
}

#[test]
fn a_series_sent_in_two_runs_is_one() {
    let scenario = Scenario::default()
        .mail(
            "20170502120000.11-1-a@x.org",
            "Ann Author",
            0,
            "[PATCH v4 0/4] bpf: all",
            &[],
            "Text.",
        )
        .mail(
            "20170502120000.11-2-a@x.org",
            "Ann Author",
            0,
            "[PATCH v4 1/4] bpf: one",
            &["20170502120000.11-1-a@x.org"],
            STAT,
        )
        .mail(
            "20170502120000.11-3-a@x.org",
            "Ann Author",
            0,
            "[PATCH v4 2/4] bpf: two",
            &["20170502120000.11-1-a@x.org"],
            STAT,
        )
        .mail(
            "20170502130000.12-1-a@x.org",
            "Ann Author",
            1,
            "[PATCH v4 3/4] bpf: three",
            &[],
            STAT,
        )
        .mail(
            "20170502130000.12-2-a@x.org",
            "Ann Author",
            1,
            "[PATCH v4 4/4] bpf: four",
            &["20170502130000.12-1-a@x.org"],
            STAT,
        );
    let stories = scenario.stories();
    assert_eq!(
        (
            stories.len(),
            stories[0].revisions.len(),
            stories[0].revisions[0].patches.len()
        ),
        (1, 1, 4)
    );
}

#[test]
fn parts_that_were_not_threaded_are_one_run() {
    let scenario = Scenario::default()
        .mail(
            "20170502120000.11-1-a@x.org",
            "Ann Author",
            0,
            "[PATCH 1/3] bpf: one",
            &[],
            STAT,
        )
        .mail(
            "20170502120000.11-2-a@x.org",
            "Ann Author",
            0,
            "[PATCH 2/3] bpf: two",
            &[],
            STAT,
        )
        .mail(
            "20170502120000.11-3-a@x.org",
            "Ann Author",
            0,
            "[PATCH 3/3] bpf: three",
            &[],
            STAT,
        );
    assert_eq!(scenario.stories()[0].revisions[0].patches.len(), 3);
}

#[test]
fn the_version_begins_again_after_an_rfc() {
    let scenario = Scenario::default()
        .mail(
            "a",
            "Ann Author",
            0,
            "[RFC PATCH v3 0/2] bpf: add a thing",
            &[],
            "Text.",
        )
        .mail(
            "b",
            "Ann Author",
            900,
            "[PATCH 0/2] bpf: add a thing",
            &[],
            "Text.",
        );
    check(
        &scenario,
        &["series posted: bpf: add a thing | v3 0+0/2, v1 0+0/2 | a b"],
    );
}

#[test]
fn numbered_efforts_are_not_versions_of_each_other() {
    let scenario = Scenario::default()
        .mail(
            "a",
            "Ann Author",
            0,
            "[PATCH 0/2] bpf: use the helpers, part 4",
            &[],
            "Text.",
        )
        .mail(
            "b",
            "Ann Author",
            50,
            "[PATCH v2 0/2] bpf: use the helpers, part 5",
            &[],
            "Text.",
        );
    assert_eq!(scenario.stories().len(), 2);
}

#[test]
fn a_late_mail_may_split_a_story() {
    // v2 seems to follow the only stored v1, until the v2 that really follows it arrives.
    let scenario = Scenario::default()
        .mail(
            "a",
            "Ann Author",
            0,
            "[PATCH 0/2] bpf: add the private stack to programs",
            &[],
            "Text.",
        )
        .mail(
            "b",
            "Ann Author",
            50,
            "[PATCH v2 0/2] bpf: add the private stack to all programs",
            &[],
            "Text.",
        );
    assert_eq!(scenario.stories().len(), 1);
    let scenario = scenario.mail(
        "c",
        "Ann Author",
        40,
        "[PATCH v2 0/2] bpf: add the private stack to programs",
        &[],
        "Text.",
    );
    assert_eq!(scenario.stories().len(), 2, "{:?}", scenario.sketches());
}

#[test]
fn threads_without_patches_stand_alone() {
    let scenario = Scenario::default()
        .mail("q", "Bob Reader", 0, "How does a map work?", &[], "How?")
        .mail(
            "r",
            "Ann Author",
            5,
            "Re: How does a map work?",
            &["q"],
            "Like this.",
        )
        .mail(
            "s",
            "Cay Other",
            6,
            "Re: How does a map work?",
            &["gone", "q"],
            "Or so.",
        )
        .mail("t", "Cay Other", 7, "Re: Something else", &["lost"], "Yes.");
    check(
        &scenario,
        &[
            "thread open: How does a map work? | q r s",
            "thread open: Something else | t",
        ],
    );
}

#[test]
fn a_relayed_author_is_known_by_name() {
    let scenario = Scenario::default()
        .mail(
            "a",
            "Ann Author via B4 Relay <devnull+ann.author.example.org@kernel.org>",
            0,
            "[PATCH] bpf: fix it",
            &[],
            STAT,
        )
        .mail("b", "Ann Author", 50, "[PATCH v2] bpf: fix it", &[], STAT);
    check(
        &scenario,
        &["series posted: bpf: fix it | v1 1/1, v2 1/1 | a b"],
    );
    assert_eq!(scenario.stories()[0].author.as_deref(), Some("Ann Author"));
}

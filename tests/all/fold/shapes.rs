//! Series in every form that senders give them: tags that disagree, titles that change, batches, later additions,
//! backports.

use super::scenario::Scenario;

const ANN: &str = "Ann Author";
const BOB: &str = "Bob Reader";

#[track_caller]
fn check(scenario: &Scenario, wanted: &[&str]) {
    assert_eq!(scenario.sketches(), wanted);
}

/// A patch of one file that replaces `old` by `new`, line by line.
fn patch(prose: &str, file: &str, old: &[&str], new: &[&str]) -> String {
    let removed: String = old.iter().map(|line| format!("-\t{line}\n")).collect();
    let added: String = new.iter().map(|line| format!("+\t{line}\n")).collect();
    format!(
        "{prose}\n---\n {file} | 9 +++---\n 1 file changed\n\ndiff --git a/{file} b/{file}\nindex 1..2 100644\n\
         --- a/{file}\n+++ b/{file}\n@@ -1,9 +1,9 @@ void f(void)\n{removed}{added}-- \n2.51.0\n"
    )
}

const OLD: [&str; 2] = [
    "count = first_count(map);",
    "last = last_entry(map, count);",
];
const NEW: [&str; 3] = [
    "count = safe_count(map, flags);",
    "last = last_entry_safe(map, count);",
    "check_entry(map, last, flags);",
];

fn core() -> String {
    patch("Do it.", "kernel/bpf/core.c", &OLD, &NEW)
}

fn other(file: &str) -> String {
    patch(
        "Do it.",
        file,
        &["drop_all(ring, budget);"],
        &["drop_some(ring, budget);"],
    )
}

#[test]
fn parts_belong_to_their_cover_even_if_tags_differ() {
    for (cover, parts) in [
        ("[PATCHSET v10 sched_ext/for-6.19] x", "[PATCH N/2] x: y"),
        ("[PATCH net,v2 0/2] x", "[PATCH net N/2] x: y"),
        ("[PATCH bpf-next v6 0/1] x", "[PATCH bpf-next v6 N/2] x: y"),
        ("[PATCH RESEND v3 0/2] x", "[PATCH v3 N/2] x: y"),
    ] {
        let part = |number: u32| {
            let subject = parts.replace('N', &number.to_string());
            format!("{subject} {number}")
        };
        let scenario = Scenario::default()
            .mail("c", ANN, 0, cover, &[], "All of it.")
            .mail("p1", ANN, 0, &part(1), &["c"], &core())
            .mail("p2", ANN, 0, &part(2), &["c"], &other("net/b.c"));
        let stories = scenario.stories();
        assert_eq!(stories.len(), 1, "{cover}: {:?}", scenario.sketches());
        let revision = &stories[0].revisions[0];
        assert_eq!(stories[0].revisions.len(), 1, "{cover}");
        assert_eq!((revision.total, revision.patches.len()), (2, 2), "{cover}");
        assert!(revision.cover, "{cover}");
    }
}

#[test]
fn a_later_version_in_the_first_ones_thread_is_a_revision_of_its_own() {
    let scenario = Scenario::default()
        .mail("c", ANN, 0, "[PATCH bpf-next 0/2] x", &[], "All of it.")
        .mail("p1", ANN, 0, "[PATCH bpf-next 1/2] x: y 1", &["c"], &core())
        .mail(
            "q1",
            ANN,
            2,
            "[PATCH bpf-next v2 1/2] x: y 1",
            &["c"],
            &core(),
        );
    check(
        &scenario,
        &["series posted: x: y 1 | v1 0+1/2, v2 1/2 | c p1 q1"],
    );
}

#[test]
fn a_cover_that_a_provider_renamed_or_that_came_late_has_its_parts() {
    let list = "All.\n\nAnn Author (2):\n  x: y one\n  x: y two\n";
    let renamed = Scenario::default()
        .mail("qq_1", ANN, 0, "[bpf-next v2 0/2] x: both", &[], list)
        .mail(
            "qq_2",
            ANN,
            0,
            "[bpf-next v2 1/2] x: y one",
            &["never"],
            &core(),
        )
        .mail(
            "qq_3",
            ANN,
            0,
            "[bpf-next v2 2/2] x: y two",
            &["never"],
            &other("b.c"),
        );
    check(
        &renamed,
        &["series posted: x: both | v2 0+2/2 | qq_1 qq_2 qq_3"],
    );
    let late = Scenario::default()
        .mail("p1", ANN, 0, "[PATCH 1/2] x: y one", &[], &core())
        .mail("p2", ANN, 0, "[PATCH 2/2] x: y two", &[], &other("b.c"))
        .mail("c", ANN, 1, "[PATCH 0/2] x: both", &["elsewhere"], list);
    check(&late, &["series posted: x: both | v1 0+2/2 | p1 p2 c"]);
    // A cover that lists other patches belongs to another series.
    let other_list = list.replace("y one", "z").replace("y two", "z");
    let strange = Scenario::default()
        .mail("p1", ANN, 0, "[PATCH 1/2] x: y one", &["gone"], &core())
        .mail(
            "p2",
            ANN,
            0,
            "[PATCH 2/2] x: y two",
            &["gone"],
            &other("b.c"),
        )
        .mail("c", ANN, 1, "[PATCH 0/2] z: both", &[], &other_list);
    assert_eq!(strange.stories().len(), 2);
}

#[test]
fn an_addendum_by_anyone_belongs_to_the_series_that_it_answers() {
    let scenario = Scenario::default()
        .mail("c", ANN, 0, "[PATCH 0/1] hid: fixes", &[], "All.")
        .mail("p1", ANN, 0, "[PATCH 1/1] hid: one", &["c"], &core())
        .mail(
            "p2",
            BOB,
            5,
            "[PATCH 2/1] hid: one more",
            &["c"],
            &other("b.c"),
        );
    check(
        &scenario,
        &["series posted: hid: fixes | v1 0+2/1 | c p1 p2"],
    );
}

#[test]
fn a_version_is_known_by_its_lines_when_its_title_changes() {
    let scenario = Scenario::default()
        .mail("a", ANN, 0, "[PATCH bpf] bpf: Fix counting", &[], &core())
        .mail(
            "b",
            ANN,
            20,
            "[PATCH bpf v2] bpf: Use the safe helpers",
            &[],
            &core(),
        );
    check(
        &scenario,
        &["series posted: bpf: Use the safe helpers | v1 1/1, v2 1/1 | a b"],
    );
    // Another patch of the same file is another effort, and so are the same lines by another author.
    let elsewhere = other("kernel/bpf/core.c");
    let apart = Scenario::default()
        .mail("a", ANN, 0, "[PATCH bpf] bpf: Fix counting", &[], &core())
        .mail(
            "b",
            ANN,
            20,
            "[PATCH bpf v2] bpf: Drop less",
            &[],
            &elsewhere,
        )
        .mail(
            "c",
            BOB,
            30,
            "[PATCH bpf v2] bpf: Use the safe helpers",
            &[],
            &core(),
        );
    assert_eq!(apart.stories().len(), 3);
}

#[test]
fn titles_that_differ_in_a_number_are_compared_by_their_lines() {
    let of = |lines: &str| format!("[PATCH bpf-next {lines}");
    let first = of("v2] bpf: Allow up to 14 arguments");
    let next = of("v3] bpf: Allow up to 12 arguments");
    let one = Scenario::default()
        .mail("a", ANN, 0, &first, &[], &core())
        .mail("b", ANN, 30, &next, &[], &core());
    assert_eq!(one.stories().len(), 1);
    let two = Scenario::default()
        .mail("a", ANN, 0, &first, &[], &core())
        .mail("b", ANN, 30, &next, &[], &other("kernel/bpf/core.c"));
    assert_eq!(two.stories().len(), 2);
}

#[test]
fn a_maintainers_batches_of_one_title_are_efforts_of_their_own() {
    let title = "Some fixes for net";
    let batch = |scenario: Scenario, id: &str, hours: i64, tags: &str, names: [&str; 2]| {
        let mut scenario = scenario.mail(
            id,
            ANN,
            hours,
            &format!("[PATCH {tags} 0/2] {title}"),
            &[],
            "All.",
        );
        for (number, name) in names.iter().enumerate() {
            let subject = format!("[PATCH net {}/2] {name}", number + 1);
            let text = format!(
                "From: {BOB} <bob.reader@example.org>\n\n{}",
                other(&format!("net/{name}.c"))
            );
            scenario = scenario.mail(&format!("{id}{number}"), ANN, hours, &subject, &[id], &text);
        }
        scenario
    };
    let scenario = batch(Scenario::default(), "a", 0, "net", ["one", "two"]);
    let scenario = batch(scenario, "b", 100, "net", ["three", "four"]);
    // Only the cover of the second batch's second version states the version.
    let scenario = batch(scenario, "c", 120, "net,v2", ["three", "five"]);
    check(
        &scenario,
        &[
            "series posted: Some fixes for net | v1 0+2/2 | a0 a1 a",
            "series posted: Some fixes for net | v1 0+2/2, v2 0+2/2 | b0 b1 b c0 c1 c",
        ],
    );
}

#[test]
fn a_batch_that_begins_with_anothers_patch_is_not_that_ones_next_version() {
    let named = format!("From: {BOB} <bob.reader@example.org>\n\n{}", core());
    let scenario = Scenario::default()
        .mail(
            "v1",
            BOB,
            0,
            "[PATCH net] flow: fix a timeout",
            &[],
            &core(),
        )
        .mail(
            "m1",
            ANN,
            50,
            "[PATCH net 1/2] flow: fix a timeout",
            &["gone"],
            &named,
        )
        .mail(
            "m2",
            ANN,
            50,
            "[PATCH net 2/2] flow: fix a leak",
            &["gone"],
            &other("b.c"),
        );
    assert_eq!(scenario.stories().len(), 2);
}

#[test]
fn a_new_change_id_does_not_part_versions_of_one_title() {
    let b4 = |id: &str| format!("20240115-{id}");
    let scenario = Scenario::default()
        .mail(
            &b4("thing-v1-1-0123456789ab"),
            ANN,
            0,
            "[PATCH] bpf: Add a thing",
            &[],
            &core(),
        )
        .mail(
            &b4("new-v2-1-ba9876543210"),
            ANN,
            90,
            "[PATCH v2] bpf: Add a thing",
            &[],
            &core(),
        );
    assert_eq!(scenario.stories().len(), 1);
    // Without a version number, they are two stories.
    let twice = Scenario::default()
        .mail(
            &b4("thing-v1-1-0123456789ab"),
            ANN,
            0,
            "[PATCH] bpf: Add a thing",
            &[],
            &core(),
        )
        .mail(
            &b4("new-v1-1-ba9876543210"),
            ANN,
            90,
            "[PATCH] bpf: Add a thing",
            &[],
            &core(),
        );
    assert_eq!(twice.stories().len(), 2);
}

#[test]
fn a_link_to_version_one_joins_for_any_author() {
    let text = |line: &str| format!("{line}\n\n{}", core());
    let link = "https://lore.kernel.org/r/a@example.org";
    for (line, count) in [
        (format!("- Link to v1: {link}"), 1),
        (format!("v1: {link}"), 1),
        (format!("This needs v1 of the other series: {link}"), 2),
    ] {
        let scenario = Scenario::default()
            .mail(
                "a",
                ANN,
                0,
                "[PATCH] hid: assorted fixes",
                &[],
                &other("b.c"),
            )
            .mail(
                "b",
                BOB,
                90,
                "[PATCH v2] tests: build on older kernels",
                &[],
                &text(&line),
            );
        assert_eq!(scenario.stories().len(), count, "{line}");
    }
}

#[test]
fn a_first_version_that_moderation_held_back_is_the_first() {
    let mut scenario = Scenario::default()
        .mail("b", ANN, 2, "[PATCH v2] bpf: Add a thing", &[], &core())
        .mail("a", ANN, 0, "[PATCH] bpf: Add a thing", &[], &core());
    // It arrives a day after it was sent.
    scenario.items[1].0.at = Some(super::scenario::begin() + chrono::TimeDelta::hours(24));
    assert_eq!(scenario.stories().len(), 1);
}

#[test]
fn one_posting_of_backports_is_one_story() {
    let copy = "commit 0123456789abcdef0123456789abcdef01234567 upstream.\n\nText.";
    let scenario = Scenario::default()
        .mail(
            "c",
            ANN,
            0,
            "[PATCH 6.12.y 0/2] bpf: backports",
            &[],
            "All.",
        )
        .mail("p1", ANN, 0, "[PATCH 6.12.y 1/2] bpf: one", &["c"], copy)
        .mail("p2", ANN, 0, "[PATCH 6.12.y 2/2] bpf: two", &["c"], copy)
        .mail(
            "o",
            ANN,
            0,
            "[PATCH bpf-next v2 1/2] bpf: one",
            &[],
            &core(),
        );
    check(
        &scenario,
        &[
            "series posted: bpf: backports | v1 0+2/2 | c p1 p2",
            "series posted: bpf: one | v2 1/2 | o",
        ],
    );
}

#[test]
fn a_list_that_puts_its_name_first_and_rewrites_senders_changes_nothing() {
    let via = "Ann Author via Some-list <some-list@example.org>";
    let other_via = "Bob Reader via Some-list <some-list@example.org>";
    let scenario = Scenario::default()
        .mail(
            "a",
            via,
            0,
            "[Some-list] [PATCH net] igc: fix it",
            &[],
            &core(),
        )
        .mail(
            "b",
            ANN,
            20,
            "[Some-list] [PATCH net v2] igc: fix it",
            &[],
            &core(),
        )
        .mail(
            "c",
            other_via,
            30,
            "[Some-list] [PATCH net v3] igc: fix it",
            &[],
            &core(),
        )
        .mail(
            "r",
            BOB,
            31,
            "Re: [Some-list] [PATCH net v2] igc: fix it",
            &["b"],
            "Fine.",
        );
    check(
        &scenario,
        &[
            "series discussed: igc: fix it | v1 1/1, v2 1/1 | a b r",
            "series posted: igc: fix it | v3 1/1 | c",
        ],
    );
}

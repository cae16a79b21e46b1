//! Each line of an issue is true: hashes, counts, links.

use bpfnews::issue::{Entry, Issue, SectionKind, markdown};
use bpfnews::item::Item;
use bpfnews::publish;
use bpfnews::store::stories::find_story;

use super::weeks::{shelf, week};
use super::{Set, issue_of};
use crate::fold::scenario::Scenario;

/// A series of three patches and a cover letter: its mails are `NAME-0` to `NAME-3`.
fn series(scenario: Scenario, name: &str, hours: i64, parts: [&str; 3]) -> Scenario {
    let cover = format!("{name}-0");
    let mut scenario = scenario.mail(
        &cover,
        "Ann Author",
        hours,
        &format!("[PATCH bpf-next 0/3] {name} for pens"),
        &[],
        "Pens get caps, so that they last.",
    );
    for (number, part) in (1..).zip(parts) {
        let subject = format!("[PATCH bpf-next {number}/3] {part}");
        let id = format!("{name}-{number}");
        let folder = match part.starts_with("selftests/") {
            true => "tools/testing/selftests/bpf",
            false => "kernel/bpf",
        };
        scenario = scenario.mail(
            &id,
            "Ann Author",
            hours,
            &subject,
            &[&cover],
            &format!("It is needed.\n---\n {folder}/pen.c | 1 +"),
        );
    }
    scenario
}

/// A notice by patchwork-bot about applied patches, each with its commit.
fn notice(scenario: Scenario, name: &str, hours: i64, commits: &[(u32, &str, &str)]) -> Scenario {
    let listed: Vec<String> = commits
        .iter()
        .map(|(number, subject, hash)| format!("  - [bpf-next,{number}/3] {subject}\n    https://git.kernel.org/pens/pens-next/c/{hash}"))
        .collect();
    let text = format!(
        "Hello:\n\nThis series was applied to pens/pens-next.git (master)\nby Mae Maintainer <mae@example.org>:\n\n\
         On Tue, 9 May 2017 you wrote:\n> Pens get caps.\n\nHere is the summary with links:\n{}\n\nYou are awesome, thank you!",
        listed.join("\n")
    );
    let cover = format!("{name}-0");
    let by = "patchwork-bot+netdevbpf@kernel.org <patchwork-bot+netdevbpf@kernel.org>";
    scenario.mail(
        &format!("{name}-applied"),
        by,
        hours,
        &format!("Re: [PATCH bpf-next 0/3] {name} for pens"),
        &[&cover],
        &text,
    )
}

fn items(scenario: Scenario) -> Vec<Item> {
    scenario.items.into_iter().map(|(item, _)| item).collect()
}

fn entries(issue: &Issue) -> impl Iterator<Item = &Entry> {
    issue.sections.iter().flat_map(|section| &section.entries)
}

const PARTS: [&str; 3] = [
    "bpf: Cap pens",
    "bpf: Count caps",
    "selftests/bpf: Test caps",
];

#[tokio::test]
async fn a_series_of_many_commits_is_one_line_without_a_single_hash() {
    let scenario = series(Scenario::default(), "Caps", 1, PARTS);
    let scenario = notice(
        scenario,
        "Caps",
        30,
        &[
            (1, PARTS[0], "111111111111"),
            (2, PARTS[1], "222222222222"),
            (3, PARTS[2], "333333333333"),
        ],
    );
    let (_folder, ingest) = shelf(&items(scenario)).await;
    let issue = issue_of(&ingest.store, 1, week(0), None).await;
    let entry = entries(&issue).next().expect("an entry");
    assert_eq!(entry.commit, None);
    let body = markdown::body(&issue, &[], None);
    let told = "[Caps for pens](https://lore.kernel.org/bpf/Caps-0@example.org/) (3 commits in pens-next, \
                [111111111111](https://git.kernel.org/pens/pens-next/c/111111111111) to \
                [333333333333](https://git.kernel.org/pens/pens-next/c/333333333333), 2017-05-";
    assert!(body.contains(told), "{body}");
}

#[tokio::test]
async fn one_applied_part_does_not_represent_its_series() {
    let scenario = series(Scenario::default(), "Caps", 1, PARTS);
    let scenario = notice(scenario, "Caps", 30, &[(3, PARTS[2], "333333333333")]);
    let (_folder, ingest) = shelf(&items(scenario)).await;
    let issue = issue_of(&ingest.store, 1, week(0), None).await;
    let body = markdown::body(&issue, &[], None);
    let told = "[Caps for pens](https://lore.kernel.org/bpf/Caps-0@example.org/) (1 of 3 patches in pens-next: \
                [333333333333](https://git.kernel.org/pens/pens-next/c/333333333333) (selftests/bpf: Test caps, 2017-05-";
    assert!(body.contains(told), "{body}");
}

#[tokio::test]
async fn the_merge_of_a_series_represents_it_with_its_own_subject_and_link() {
    let scenario = series(Scenario::default(), "Caps", 1, PARTS);
    let scenario = notice(
        scenario,
        "Caps",
        30,
        &[(1, PARTS[0], "111111111111"), (2, PARTS[1], "222222222222")],
    );
    let mut merge = items(Scenario::default().commit(
        "4c",
        "Mae Maintainer",
        29,
        "Merge branch 'caps-for-pens'",
        "next",
        "Ann Author <ann.author@example.org> says:\n\nPens get caps.\n\nLink: https://lore.kernel.org/bpf/Caps-0@example.org",
    ));
    let mut all = items(scenario);
    all.append(&mut merge);
    let (_folder, ingest) = shelf(&all).await;
    let issue = issue_of(&ingest.store, 1, week(0), None).await;
    let commit = entries(&issue).find_map(|entry| entry.commit.as_ref());
    let commit = commit.expect("the merge");
    assert_eq!(
        (commit.digits.as_str(), commit.subject.as_str()),
        ("4c4c4c4c4c4c", "Merge branch 'caps-for-pens'")
    );
    assert_eq!(issue.counts, ["1 applied"]);
    let mut issue = issue;
    let body = markdown::body(&issue, &[], Some("https://news.example/"));
    assert!(body.contains("/commit/?id=4c4c4c4c4c4c"), "{body}");
    // A hash without a known link has no link, and never one to a mail.
    for entry in issue
        .sections
        .iter_mut()
        .flat_map(|section| &mut section.entries)
    {
        entry
            .commit
            .iter_mut()
            .for_each(|commit| commit.link = None);
    }
    let body = markdown::body(&issue, &[], Some("https://news.example/"));
    let told = "4c4c4c4c4c4c (Merge branch 'caps-for-pens', 2017-05-";
    assert!(
        body.contains(told) && !body.contains("[4c4c4c4c4c4c]"),
        "{body}"
    );
}

/// The number of stories with this movement in all sections of an issue, and of those left out.
fn told(issue: &Issue, kind: SectionKind) -> u32 {
    let moved = entries(issue).filter(|entry| entry.moved == Some(kind));
    let left_out = issue.sections.iter().filter(|section| section.kind == kind);
    let left_out: u32 = left_out.map(|section| section.left_out).sum();
    u32::try_from(moved.count()).expect("few") + left_out
}

#[tokio::test]
async fn the_opening_counts_the_lines_below_and_spelling_is_only_among_patches() {
    let mut scenario = Scenario::default();
    for number in 0..14_i64 {
        let id = format!("p{number}");
        let what = ["Hold", "Turn", "Sell"][usize::try_from(number % 3).expect("few")];
        let title = format!("[PATCH bpf-next] bpf: {what} pen {number}");
        scenario = scenario.mail(
            &id,
            &format!("Author {number}"),
            number,
            &title,
            &[],
            "It is needed.\n---\n kernel/bpf/pen.c | 1 +",
        );
    }
    scenario = scenario.mail(
        "typo",
        "Tim Typist",
        20,
        "[PATCH bpf-next] bpf: Fix a typo",
        &[],
        "Mend it.\n---\n kernel/bpf/pen.c | 1 +",
    );
    scenario = scenario.mail(
        "map",
        "Ann Author",
        21,
        "[PATCH bpf-next] bpf: Add a map type",
        &[],
        "Maps are useful.\n---\n kernel/bpf/a.c | 1 +",
    );
    scenario = series(scenario, "Caps", 22, PARTS);
    scenario = notice(
        scenario,
        "Caps",
        30,
        &[
            (1, PARTS[0], "111111111111"),
            (2, PARTS[1], "222222222222"),
            (3, PARTS[2], "333333333333"),
        ],
    );
    let (_folder, ingest) = shelf(&items(scenario)).await;
    let issue = issue_of(&ingest.store, 1, week(0), None).await;
    assert_eq!(issue.counts, ["16 new patches and series", "1 applied"]);
    assert_eq!(told(&issue, SectionKind::NewSeries), 16);
    assert_eq!(told(&issue, SectionKind::Applied), 1);
    let new = issue
        .sections
        .iter()
        .find(|section| section.kind == SectionKind::NewSeries);
    let new = new.expect("new series");
    assert_eq!((new.entries.len(), new.elsewhere, new.left_out), (10, 1, 5));
    assert!(
        new.entries
            .iter()
            .all(|entry| !entry.title.contains("typo"))
    );
    let body = markdown::body(&issue, &[], None);
    let rest = "1 more is listed in other sections. 5 more are among the patches below.";
    assert!(
        body.contains(rest) && body.contains("[PATCH bpf-next] bpf: Fix a typo"),
        "{body}"
    );
}

#[tokio::test]
async fn a_story_is_found_by_the_id_that_an_issue_of_the_past_gave_it() {
    let week_h = 7 * 24;
    let text = "It is needed.\n---\n kernel/bpf/pen.c | 1 +";
    let links = "Pens last.\n---\nChanges in v3:\n- Count caps.\n- Link to v2: https://lore.kernel.org/r/b2@example.org\n\n\
                 Changes in v2:\n- Link to v1: https://lore.kernel.org/r/a1@example.org\n\n kernel/bpf/pen.c | 1 +";
    let scenario = Scenario::default()
        .mail(
            "a1",
            "Ann Author",
            1,
            "[PATCH bpf-next] bpf: Cap pens",
            &[],
            text,
        )
        .mail(
            "b2",
            "Ann Author",
            week_h + 1,
            "[PATCH bpf-next v2] bpf: Ink that dries slowly",
            &[],
            "Ink dries.\n---\n net/core/ink.c | 1 +",
        )
        .mail(
            "c3",
            "Ann Author",
            2 * week_h + 1,
            "[PATCH bpf-next v3] bpf: Pens that last",
            &[],
            links,
        );
    let (_folder, ingest) = shelf(&items(scenario)).await;
    let set = Set::new();
    let (since, now) = (week(0).from, week(4).to);
    let mut ids = Vec::new();
    let made = publish::backfill(&ingest.store, set.rules(), since, "test", now, |issue| {
        ids.extend(entries(issue).filter_map(|entry| entry.story.clone()));
    });
    made.await.expect("issues");
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(
        ids[0] != ids[1] && ids[0] == ids[2],
        "two stories that became one: {ids:?}"
    );
    let mut found = Vec::new();
    for id in &ids {
        let story = find_story(ingest.store.read(), id, 0)
            .await
            .expect("an answer");
        found.push(story.unwrap_or_else(|| panic!("{id} leads nowhere")).id);
    }
    found.dedup();
    assert_eq!(found, [ids[0].clone()]);
}

#[tokio::test]
async fn an_answer_without_its_first_mail_is_no_thread_worth_reading() {
    let text = "Who has seen a regression in bpf pens?";
    let scenario = Scenario::default()
        .mail("q", "Ann Author", 1, "bpf: a regression in pens", &[], text)
        .mail(
            "a",
            "Bob Reader",
            2,
            "Re: [PATCH bpf] bpf: mend a regression in caps",
            &["gone"],
            text,
        );
    let (_folder, ingest) = shelf(&items(scenario)).await;
    let issue = issue_of(&ingest.store, 1, week(0), None).await;
    let titles: Vec<&str> = entries(&issue).map(|entry| &*entry.title).collect();
    assert_eq!(titles, ["bpf: a regression in pens"]);
    assert_eq!(issue.counts, ["1 thread"]);
}

/// Much discussed and applied, so a highlight. But if it changes only tests, it is not even a development.
#[tokio::test]
async fn a_change_of_tests_only_is_under_applied() {
    for (area, section) in [("bpf", "highlights"), ("selftests/bpf", "applied")] {
        let parts = ["Cap pens", "Count caps", "Test caps"].map(|part| format!("{area}: {part}"));
        let mut scenario = series(
            Scenario::default(),
            "Caps",
            1,
            parts.each_ref().map(String::as_str),
        );
        for (hours, who) in [(2, "Bob Reader"), (3, "Cid Critic"), (4, "Dan Doubter")] {
            let subject = "Re: [PATCH bpf-next 0/3] Caps for pens";
            scenario = scenario.mail(
                &who.replace(' ', "-"),
                who,
                hours,
                subject,
                &["Caps-0"],
                "How large are they?",
            );
        }
        let scenario = notice(
            scenario,
            "Caps",
            30,
            &[
                (1, &parts[0], "111111111111"),
                (2, &parts[1], "222222222222"),
                (3, &parts[2], "333333333333"),
            ],
        );
        let (_folder, ingest) = shelf(&items(scenario)).await;
        let issue = issue_of(&ingest.store, 1, week(0), None).await;
        let words: Vec<&str> = issue
            .sections
            .iter()
            .map(|section| section.kind.word())
            .collect();
        let story = find_story(ingest.store.read(), "Caps-0@example.org", 0)
            .await
            .expect("an answer")
            .expect("a story");
        assert_eq!(words, [section], "{} {:?}", story.score, story.why);
    }
}

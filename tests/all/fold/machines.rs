//! Machines are not people. Their mails are no replies and no activity, but their reports are shown.

use bpfnews::post::story::compose;
use bpfnews::story::machine::MachineKind;
use bpfnews::story::waiting::waiting;
use bpfnews::story::{State, Step, Story};
use chrono::TimeDelta;

use super::scenario::{Scenario, begin};

const STAT: &str = "Do it.\n---\n kernel/bpf/core.c | 2 +-\n 1 file changed";
const SASHIKO: &str = "<sashiko-bot@kernel.org>";

fn series(version: &str, hours: i64) -> Scenario {
    add_series(Scenario::default(), version, hours)
}

/// A cover `c` and two patches `p1` and `p2`, with the version after each id.
fn add_series(scenario: Scenario, version: &str, hours: i64) -> Scenario {
    let (cover, first, second) = (
        format!("c{version}"),
        format!("p1{version}"),
        format!("p2{version}"),
    );
    let tag = match version {
        "" => String::new(),
        version => format!(" {version}"),
    };
    scenario
        .mail(
            &cover,
            "Ann Author",
            hours,
            &format!("[PATCH bpf-next{tag} 0/2] bpf: Add a thing"),
            &[],
            "This adds a thing.",
        )
        .mail(
            &first,
            "Ann Author",
            hours,
            &format!("[PATCH bpf-next{tag} 1/2] bpf: Add it"),
            &[&cover],
            STAT,
        )
        .mail(
            &second,
            "Ann Author",
            hours,
            &format!("[PATCH bpf-next{tag} 2/2] bpf: Use it"),
            &[&cover],
            STAT,
        )
}

fn review(list: &str) -> String {
    format!(
        "Thank you for your contribution! Sashiko AI review found 9 potential issue(s) to consider:\n{list}--\n\n\
         commit 0123\nAuthor: Ann Author <ann.author@example.org>\n\nbpf: Add it\n\nReviewed-by: Machine Made <m@example.org>\n\n\
         > +\tx = y;\n\n[Severity: High]\nIs x right?\n\n-- \nSashiko AI review · https://sashiko.dev/#/patchset/c@example.org?part=1\n"
    )
}

#[track_caller]
fn one(scenario: &Scenario) -> Story {
    let mut stories = scenario.stories();
    assert_eq!(stories.len(), 1, "{:#?}", scenario.sketches());
    stories.remove(0)
}

fn checks(story: &Story) -> Vec<&str> {
    let checks = story.checks.iter();
    checks.map(|check| check.text.as_str()).collect()
}

fn names(story: &Story) -> Vec<&str> {
    story.people.iter().map(|part| part.name.as_str()).collect()
}

#[test]
fn an_ai_review_is_shown_and_is_no_answer() {
    let scenario = series("", 0).mail(
        "s1",
        SASHIKO,
        1,
        "Re: [PATCH bpf-next 1/2] bpf: Add it",
        &["c", "p1"],
        &review("- [High] One.\n- [Low] Two.\n"),
    );
    let story = one(&scenario);
    assert_eq!((story.state, story.follow_ups), (State::Posted, 0));
    assert_eq!(story.last_at, story.first_at);
    assert_eq!(names(&story), ["Ann Author"]);
    let waits = waiting(&story, begin() + TimeDelta::days(3));
    assert_eq!(waits, Some(TimeDelta::days(3)));
    let event = story
        .events
        .iter()
        .find(|event| event.state == Step::ReviewedByMachine)
        .expect("a review");
    assert_eq!(
        (
            event.by.as_str(),
            event.text.as_str(),
            event.link.as_deref()
        ),
        (
            "Sashiko",
            "AI review: 2 findings (1 high)",
            Some("https://sashiko.dev/#/patchset/c@example.org?part=1")
        )
    );
    assert_eq!(compose(&story).checks, "AI review: 2 findings (1 high)");

    let scenario = scenario.mail(
        "a",
        "Ann Author",
        2,
        "Re: [PATCH bpf-next 1/2] bpf: Add it",
        &["c", "p1", "s1"],
        "Will fix.",
    );
    let story = one(&scenario);
    assert_eq!(story.follow_ups, 1, "an answer to a machine is a person's");
    assert_eq!(story.last_at, begin() + TimeDelta::hours(2));
}

#[test]
fn verdicts_are_summed_by_revision_and_the_latest_of_each_patch_counts() {
    let subject = |part: u32| format!("Re: [PATCH bpf-next {part}/2] bpf: Add it");
    let old = "\nPre-existing issues:\n- [Critical] Old.\n";
    let scenario = series("", 0)
        .mail(
            "s1",
            SASHIKO,
            1,
            &subject(1),
            &["c", "p1"],
            &review("- [High] One.\n"),
        )
        .mail(
            "s2",
            SASHIKO,
            1,
            &subject(2),
            &["c", "p2"],
            &review("- [Medium] Two.\n"),
        );
    let story = one(&scenario);
    assert_eq!(checks(&story), ["AI review: 2 findings (1 high)"]);
    assert_eq!(
        story.checks[0].link.as_deref(),
        Some("https://sashiko.dev/#/patchset/c@example.org"),
        "the page of the whole"
    );
    let again = scenario
        .clone()
        .mail("s3", SASHIKO, 2, &subject(1), &["c", "p1"], &review(old));
    assert_eq!(checks(&one(&again)), ["AI review: 1 finding (1 medium)"]);

    let newer = add_series(again, "v2", 20)
        .mail("s4", SASHIKO, 21, &subject(1), &["cv2", "p1v2"], &review("- [Low] Three.\n"))
        .mail(
            "k",
            "kernel test robot <lkp@intel.com>",
            22,
            &subject(1),
            &["cv2", "p1v2"],
            "kernel test robot noticed the following build errors:\n\n[auto build test ERROR on bpf-next/master]\n",
        )
        .mail(
            "k2",
            "kernel test robot <lkp@intel.com>",
            23,
            &subject(1),
            &["cv2", "p1v2"],
            "kernel test robot noticed the following build warnings:\n\n[auto build test WARNING on bpf-next/master]\n",
        );
    let story = one(&newer);
    assert_eq!(
        compose(&story).checks,
        "AI review: 1 finding (1 low) · build broken",
        "a later warning mends no error"
    );
    assert_eq!(story.checks.len(), 3, "{:?}", story.checks);
}

#[test]
fn nothing_found_in_one_patch_says_nothing_of_the_other() {
    let fine = "> bpf: Add it\n\nSashiko has reviewed this patch and found no issues. It looks great!\n\n-- \nSashiko AI review · x\n";
    let scenario = series("", 0).mail(
        "s1",
        SASHIKO,
        1,
        "Re: [PATCH bpf-next 1/2] bpf: Add it",
        &["c", "p1"],
        fine,
    );
    assert_eq!(
        checks(&one(&scenario)),
        ["AI review: no findings in 1 of 2 patches"]
    );
    let scenario = scenario.mail(
        "s2",
        SASHIKO,
        1,
        "Re: [PATCH bpf-next 2/2] bpf: Use it",
        &["c", "p2"],
        fine,
    );
    assert_eq!(checks(&one(&scenario)), ["AI review: no findings"]);
}

#[test]
fn faults_from_before_the_patch_are_no_verdict_on_it() {
    let story = one(&series("", 0).mail(
        "s1",
        SASHIKO,
        1,
        "Re: [PATCH bpf-next 1/2] bpf: Add it",
        &["c", "p1"],
        &review("\nPre-existing issues:\n- [Critical] Old.\n"),
    ));
    assert!(story.checks.is_empty());
    let told: Vec<Step> = story.events.iter().map(|event| event.state).collect();
    assert_eq!(told, [Step::Posted, Step::Reported]);
}

#[test]
fn a_forged_name_applies_nothing_and_an_unknown_bot_has_a_reason() {
    let notice = "Hello:\n\nThis series was applied to bpf/bpf-next.git (master)\nby Mae Maintainer <mae@example.org>:\n\n\
                  Here is the summary with links:\n  - [bpf-next,1/2] bpf: Add it\n    https://git.kernel.org/bpf/bpf-next/c/111111111111\n";
    let from = |who: &str| {
        one(&series("", 0).mail(
            "b",
            who,
            30,
            "Re: [PATCH bpf-next 0/2] bpf: Add a thing",
            &["c"],
            notice,
        ))
    };
    for forged in [
        "patchwork-bot+netdevbpf <mae@kernel.org>",
        "patchwork-bot+netdevbpf <patchwork-bot+netdevbpf@evil.example>",
    ] {
        let story = from(forged);
        assert!(story.applied.is_empty(), "{forged}: {:?}", story.applied);
    }
    let story = from("<bot+patches@evil.example>");
    assert_eq!((story.state, story.follow_ups), (State::Posted, 0));
    let why = story
        .why
        .iter()
        .find(|why| why.contains("bot+patches@evil.example"));
    assert!(
        why.is_some_and(|why| why.contains("its address")),
        "{:?}",
        story.why
    );
}

#[test]
fn headers_reveal_a_program() {
    let answer = |scenario: Scenario| {
        scenario.mail(
            "r",
            "Tess Tester",
            5,
            "Re: [PATCH bpf-next 0/2] bpf: Add a thing",
            &["c"],
            "It works.\n\n-- \nThis is an automated message.",
        )
    };
    assert_eq!(one(&answer(series("", 0))).state, State::Discussed);
    for (header, value) in [("Auto-Submitted", "auto-generated"), ("Precedence", "bulk")] {
        let story = one(&answer(series("", 0)).header(header, value));
        assert_eq!(story.state, State::Posted, "{header}");
        assert!(
            story.why.iter().any(|why| why.contains(header)),
            "{:?}",
            story.why
        );
    }
}

#[test]
fn the_configuration_names_machines_and_people() {
    let mut scenario = series("", 0).mail(
        "r",
        "Lab <results@lab.example>",
        5,
        "Re: [PATCH bpf-next 0/2] bpf: Add a thing",
        &["c"],
        "Status: SUCCESS\n",
    );
    assert_eq!(one(&scenario).follow_ups, 1);
    let ci = ("*@lab.example".to_owned(), MachineKind::Ci);
    scenario.words.machines.senders = vec![ci];
    let story = one(&scenario);
    assert_eq!((story.follow_ups, checks(&story)), (0, vec!["CI passed"]));
    scenario.words.machines.people = vec!["results@lab.example".to_owned()];
    assert_eq!(one(&scenario).follow_ups, 1);
}

#[test]
fn a_patch_that_a_machine_sends_for_a_person_is_that_persons() {
    let patch = |id: &str, hours: i64, author: &str, version: &str| {
        let text = format!(
            "From: {author}\n\nDo it.\n\nAssisted-by: Tool:model\n---\n kernel/bpf/core.c | 2 +-\n"
        );
        Scenario::default().mail(
            id,
            "\"syzbot\" <syzbot@kernel.org>",
            hours,
            &format!("[PATCH{version}] bpf: Mend it"),
            &[],
            &text,
        )
    };
    let story = one(&patch("1", 0, "Ann Author <ann@example.org>", ""));
    assert_eq!(story.author.as_deref(), Some("Ann Author"));
    assert_eq!(
        (names(&story), story.revisions.len()),
        (vec!["Ann Author"], 1)
    );
    // One account does not mean one author.
    let mut two = patch("1", 0, "Ann Author <ann@example.org>", "");
    two.items
        .extend(patch("2", 5, "Bob Writer <bob@example.org>", " v2").items);
    assert_eq!(two.stories().len(), 2);
    // A patch that names only machines belongs to a machine.
    let own = patch("1", 0, "kernel test robot <lkp@intel.com>", "");
    assert!(one(&own).revisions.is_empty());
}

#[test]
fn machines_in_trailers_are_no_people_of_a_story() {
    let text = "Mend it.\n\nReported-by: Sashiko AI <sashiko-bot@kernel.org>\nReported-by: bot+bpf-ci@kernel.org\n\
                Reported-by: Real Person <real@example.org>\nTested-by: syzbot+01@syzkaller.appspotmail.com\n---\n kernel/bpf/core.c | 2 +-\n";
    let story =
        one(&Scenario::default().mail("1", "Ann Author", 0, "[PATCH bpf] bpf: Mend it", &[], text));
    assert_eq!(names(&story), ["Ann Author", "Real Person"]);
}

#[test]
fn an_ai_review_that_a_person_sends_is_his_and_marked() {
    let text = "This is an AI-generated review of your patch. The human sending this\nemail has considered the AI review valid.\n---\n> +\tx = y;\n\nIs x right?\n";
    let story = one(&series("", 0).mail(
        "r",
        "Mae Maintainer",
        5,
        "Re: [PATCH bpf-next 1/2] bpf: Add it",
        &["c", "p1"],
        text,
    ));
    assert_eq!((story.state, story.follow_ups), (State::Discussed, 1));
    let by: Vec<(Step, &str)> = story.events[1..]
        .iter()
        .map(|event| (event.state, event.by.as_str()))
        .collect();
    assert_eq!(
        by,
        [
            (Step::Discussed, "Mae Maintainer"),
            (Step::ReviewedByMachine, "Mae Maintainer")
        ]
    );
    assert!(story.events[1].text.contains("AI"), "{:?}", story.events);
    assert!(story.checks.is_empty(), "it is no machine's verdict");
    assert!(
        story.why.iter().any(|why| why.contains("AI's review")),
        "{:?}",
        story.why
    );
    assert_eq!(waiting(&story, begin() + TimeDelta::days(3)), None);
}

#[test]
fn a_machines_own_thread_has_no_summary_and_no_people() {
    let story = one(&Scenario::default().mail(
        "1",
        "syzbot <syzbot+01@syzkaller.appspotmail.com>",
        0,
        "[syzbot] [bpf?] WARNING in add_it",
        &[],
        "Hello,\n\nsyzbot found the following issue on: a tree that is long to tell of, and with many words to it.",
    ));
    assert!(story.summary.is_empty() && story.people.is_empty());
    assert_eq!(story.follow_ups, 0);
}

//! The fate of a series: bots and their ambiguous mails, maintainers' sentences, commits, pull requests, backports.

use bpfnews::story::{PersonRole, State, Step, Story};

use super::scenario::{Scenario, long};

const STAT: &str = "Do it.\n---\n kernel/bpf/core.c | 2 +-\n 1 file changed";
const BOT: &str = "patchwork-bot+netdevbpf@kernel.org <patchwork-bot+netdevbpf@kernel.org>";
const TRACKER: &str = "pr-tracker-bot@kernel.org <pr-tracker-bot@kernel.org>";

fn series() -> Scenario {
    Scenario::default()
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
}

fn notice(list: &str) -> String {
    format!(
        "Hello:\n\nThis series was applied to bpf/bpf-next.git (master)\nby Mae Maintainer <mae@example.org>:\n\n\
         On Tue, 2 May 2017 you wrote:\n> This adds a thing.\n\nHere is the summary with links:\n{list}\n\nYou are awesome, thank you!"
    )
}

fn subject(title: &str) -> String {
    format!("Re: [PATCH bpf-next 0/2] {title}")
}

#[track_caller]
fn one(scenario: &Scenario) -> Story {
    let mut stories = scenario.stories();
    assert_eq!(stories.len(), 1, "{:#?}", scenario.sketches());
    stories.remove(0)
}

fn steps(story: &Story) -> Vec<Step> {
    story.events.iter().map(|event| event.state).collect()
}

#[test]
fn patchworks_notice_names_tree_branch_person_and_commits() {
    let list = "  - [bpf-next,1/2] bpf: Add it\n    https://git.kernel.org/bpf/bpf-next/c/111111111111\n  \
                - [bpf-next,2/2] selftests/bpf: Test it\n    https://git.kernel.org/bpf/bpf-next/c/222222222222";
    let story = one(&series().mail(
        "b",
        BOT,
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        &notice(list),
    ));
    assert_eq!(story.state, State::Applied);
    let applied = &story.applied[0];
    assert_eq!(
        (
            applied.tree.as_str(),
            applied.branch.as_deref(),
            applied.by.as_str(),
            applied.claimed
        ),
        ("bpf/bpf-next.git", Some("master"), "Mae Maintainer", false)
    );
    let commits: Vec<_> = applied
        .commits
        .iter()
        .map(|c| (c.hash.as_str(), c.number, c.subject.as_str()))
        .collect();
    assert_eq!(
        commits,
        [
            ("111111111111", Some(1), "bpf: Add it"),
            ("222222222222", Some(2), "selftests/bpf: Test it")
        ]
    );
    assert_eq!(story.follow_ups, 0);
}

#[test]
fn a_last_part_without_a_commit_makes_it_partly_applied() {
    let list = "  - [bpf-next,1/2] bpf: Add it\n    https://git.kernel.org/bpf/bpf-next/c/222222222222\n  \
                - [bpf-next,2/2] selftests/bpf: Test it\n    (no matching commit)";
    let story = one(&series().mail(
        "b",
        BOT,
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        &notice(list),
    ));
    assert_eq!(story.state, State::PartlyApplied);
    assert_eq!(story.commits, ["222222222222"]);
}

#[test]
fn without_any_commit_it_is_only_claimed_until_one_comes() {
    let list = "  - [bpf-next,1/2] bpf: Add it\n    (no matching commit)\n  - [bpf-next,2/2] x\n    (no matching commit)";
    let scenario = series().mail(
        "b",
        BOT,
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        &notice(list),
    );
    let story = one(&scenario);
    assert!(story.applied[0].claimed && steps(&story).contains(&Step::Claimed));
    let story = one(&scenario.commit("1a", "Ann Author", 20, "bpf: Add it", "next", "Do it."));
    assert!(
        story.applied.iter().all(|applied| !applied.claimed),
        "{:?}",
        story.applied
    );
}

#[test]
fn a_quote_of_the_bot_applies_nothing() {
    let list = "> This series was applied to bpf/bpf-next.git (master)\n> by Mae Maintainer <mae@example.org>:\n\
                >   - [bpf-next,1/2] bpf: Add it\n>     https://git.kernel.org/bpf/bpf-next/c/111111111111\n\nGreat!";
    let story = one(&series().mail(
        "r",
        "Bob Reader",
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        list,
    ));
    assert!(story.applied.is_empty() && story.state == State::Discussed);
}

#[test]
fn a_persons_mail_in_the_bots_words_is_no_notice() {
    let list = "  - [bpf-next,1/2] bpf: Add it\n    (no matching commit)";
    let story = one(&series().mail(
        "r",
        "Bob Reader",
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        &notice(list),
    ));
    assert!(story.applied.is_empty());
}

#[test]
fn a_thank_you_mail_lists_commits() {
    let text = "On Tue, 02 May 2017 12:00:00 +0000, Ann Author wrote:\n> This adds a thing.\n\nApplied to hid/hid.git (for-4.13/bpf), thanks!\n\n\
                [1/2] bpf: Add it\n      https://git.kernel.org/hid/hid/c/111111111111\n[2/2] selftests/bpf: Test it\n      (no commit info)\n";
    let story = one(&series().mail(
        "t",
        "Mae Maintainer",
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        text,
    ));
    assert_eq!(story.state, State::PartlyApplied);
    assert_eq!(
        (
            story.applied[0].tree.as_str(),
            story.applied[0].branch.as_deref(),
            story.applied[0].by.as_str()
        ),
        ("hid/hid.git", Some("for-4.13/bpf"), "Mae Maintainer")
    );
}

#[test]
fn other_lists_of_commits_are_read_too() {
    let text = "On Tue, 02 May 2017 12:00:00 +0000, Ann Author wrote:\n> This adds a thing.\n\nApplied, thanks!\n\n\
                [1/2] bpf: Add it\n      commit: 1111111111111111111111111111111111111111\n[2/2] selftests/bpf: Test it\n      commit: 2222222222222222222222222222222222222222\n";
    let story = one(&series().mail(
        "t",
        "Mae Maintainer",
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        text,
    ));
    assert_eq!(
        (
            story.state,
            story.applied[0].tree.as_str(),
            story.commits.len()
        ),
        (State::Applied, "bpf-next", 2)
    );
    let text = "The following commit has been merged into the perf/core branch of tip:\n\nCommit-ID:     1111111111111111111111111111111111111111\n\
                Gitweb:        https://git.kernel.org/tip/1111\nAuthor:        Ann Author <a@x>\nCommitter:     Mae Maintainer <m@x>\n\nbpf: Add it\n";
    let story = one(&series().mail(
        "t",
        "tip-bot2 for Ann Author <tip-bot2@linutronix.de>",
        30,
        "[tip: perf/core] bpf: Add it",
        &["p1"],
        text,
    ));
    assert_eq!(
        (
            story.state,
            story.applied[0].tree.as_str(),
            story.applied[0].branch.as_deref(),
            story.applied[0].by.as_str()
        ),
        (
            State::PartlyApplied,
            "tip/tip.git",
            Some("perf/core"),
            "Mae Maintainer"
        )
    );
}

#[test]
fn a_sentence_is_a_claim_that_a_commit_confirms() {
    for (text, tree) in [
        ("Applied, thanks.", Some("bpf-next")),
        ("Applied to bpf-next/net. Thanks.", Some("bpf-next/net")),
        ("Applied to the bpf tree. Thanks.", Some("bpf")),
        ("> Applied, thanks.\n\nWhen will it be pulled?", None),
        ("I applied it here and it fails to build.", None),
        ("applied correctly, it would work", None),
        ("It cannot be applied to bpf-next, please rebase.", None),
    ] {
        let scenario = series().mail(
            "r",
            "Mae Maintainer",
            30,
            &subject("bpf: Add a thing"),
            &["c"],
            text,
        );
        let story = one(&scenario);
        let claimed = story.applied.first().filter(|applied| applied.claimed);
        assert_eq!(claimed.map(|applied| applied.tree.as_str()), tree, "{text}");
    }
}

#[test]
fn its_author_applies_nothing_by_a_sentence() {
    let story = one(&series().mail(
        "r",
        "Ann Author",
        30,
        &subject("bpf: Add a thing"),
        &["c"],
        "Applied, thanks.",
    ));
    assert!(story.applied.is_empty());
}

#[test]
fn commits_join_by_link_by_title_and_by_the_merge_that_carries_the_cover() {
    let link = "Do it.\n\nLink: https://lore.kernel.org/bpf/p1@example.org";
    let merge =
        "Ann Author says:\n\n====================\nThis adds a thing.\n====================\n";
    let story = one(&series()
        .commit(
            "1a",
            "Ann Author",
            20,
            "bpf: Add it, reworded",
            "next",
            link,
        )
        .commit(
            "2b",
            "Ann Author",
            20,
            "selftests/bpf: Test it",
            "next",
            "Do it.",
        )
        .commit(
            "3c",
            "Mae Maintainer",
            21,
            "Merge branch 'bpf-add-a-thing'",
            "next",
            merge,
        ));
    assert_eq!(story.commits.len(), 3);
    assert_eq!(story.state, State::Applied);
    assert_eq!(story.applied[0].tree, "bpf/bpf-next.git");
}

#[test]
fn a_link_to_a_discussion_does_not_join() {
    let scenario = Scenario::default()
        .mail("q", "Bob Reader", 0, "It crashes", &[], "Help.")
        .commit(
            "1a",
            "Ann Author",
            20,
            "bpf: Mend it",
            "next",
            "Do it.\n\nLink: https://lore.kernel.org/bpf/q@example.org",
        );
    assert_eq!(scenario.stories().len(), 2);
}

#[test]
fn mainline_and_stable_follow_the_commit() {
    let upstream = format!("commit {} upstream.\n\nDo it.", long("2b"));
    let story = one(&series()
        .commit(
            "2b",
            "Ann Author",
            20,
            "selftests/bpf: Test it",
            "next",
            "Do it.",
        )
        .commit(
            "2b",
            "Ann Author",
            20,
            "selftests/bpf: Test it",
            "mainline",
            "Do it.",
        )
        .commit(
            "4d",
            "Ann Author",
            300,
            "selftests/bpf: Test it",
            "stable",
            &upstream,
        ));
    assert_eq!(
        story.mainline.as_ref().map(|landed| landed.hash.as_str()),
        Some(long("2b").as_str())
    );
    assert_eq!(story.stable.len(), 1);
    assert_eq!(
        (story.stable[0].branch.as_str(), story.state),
        ("linux-4.11.y", State::Stable)
    );
}

const PULL: &str = "The following changes since commit 123:\n\nare available in the Git repository at:\n\n  \
    https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git tags/bpf-next-4.13\n\nfor you to fetch.\n\n\
    Ann Author (2):\n      bpf: Add it\n      selftests/bpf: Test it\n";

#[test]
fn a_pull_request_carries_the_stories_that_it_lists_into_mainline() {
    let merged = "The pull request you sent on Tue:\n\n> https://git.kernel.org/x tags/bpf-next-4.13\n\nhas been merged into torvalds/linux.git:\n\
                  https://git.kernel.org/torvalds/c/9999999999999999999999999999999999999999\n\nThank you!";
    let scenario = series().mail(
        "g",
        "Mae Maintainer",
        100,
        "[GIT PULL] BPF changes for 4.13",
        &[],
        PULL,
    );
    let stories = scenario.stories();
    assert_eq!(
        stories.iter().map(|story| story.state).collect::<Vec<_>>(),
        [State::Pulled, State::Open]
    );
    let scenario = scenario.mail(
        "m",
        TRACKER,
        120,
        "Re: [GIT PULL] BPF changes for 4.13",
        &["g"],
        merged,
    );
    let stories = scenario.stories();
    assert_eq!(stories[1].state, State::Mainline);
    assert_eq!(
        stories[1]
            .mainline
            .as_ref()
            .map(|landed| landed.hash.as_str()),
        Some("9999999999999999999999999999999999999999")
    );
    assert_eq!(stories[0].state, State::Mainline);
}

#[test]
fn a_pull_request_that_linus_took_is_in_mainline_and_not_in_the_bots_tree() {
    let text = "This pull request was applied to bpf/bpf-next.git (master)\nby Linus Torvalds <torvalds@example.org>:\n";
    let scenario = Scenario::default()
        .mail(
            "g",
            "Mae Maintainer",
            100,
            "[GIT PULL] BPF changes for 4.13",
            &[],
            PULL,
        )
        .mail(
            "b",
            BOT,
            120,
            "Re: [GIT PULL] BPF changes for 4.13",
            &["g"],
            text,
        );
    let story = one(&scenario);
    assert_eq!(story.state, State::Mainline);
    assert!(story.applied.is_empty());
}

#[test]
fn fixes_and_reverts_of_a_commit_are_steps_of_its_story() {
    let scenario = series()
        .commit("1a", "Ann Author", 20, "bpf: Add it", "next", "Do it.")
        .commit(
            "5e",
            "Bob Builder",
            200,
            "bpf: Mend it",
            "next",
            &format!("Fixes: {} (\"bpf: Add it\")", &long("1a")[..12]),
        )
        .commit(
            "6f",
            "Mae Maintainer",
            300,
            "Revert \"bpf: Add it\"",
            "next",
            &format!("This reverts commit {}.", long("1a")),
        )
        .mail(
            "v",
            "Greg Keeper",
            400,
            "CVE-2017-12345: bpf: Mend it",
            &[],
            &format!("Fixed in 4.12 with commit {}", long("5e")),
        )
        .announced()
        .mail(
            "w",
            "Mal Forger",
            410,
            "CVE-2017-99999: bpf: Mend it",
            &[],
            &format!("Fixed in 4.12 with commit {}", long("5e")),
        );
    let stories = scenario.stories();
    let first = &stories[0];
    assert!(
        steps(first).contains(&Step::Fixed) && steps(first).contains(&Step::Reverted),
        "{:?}",
        first.events
    );
    let mended = stories
        .iter()
        .find(|story| story.title == "bpf: Mend it")
        .expect("the fix");
    assert_eq!(mended.fixes, [&long("1a")[..12]]);
    assert_eq!(mended.cves, ["CVE-2017-12345"]);
}

#[test]
fn machines_report_and_never_review() {
    let scenario = series()
        .mail(
            "k",
            "kernel test robot <lkp@intel.com>",
            10,
            "Re: [PATCH bpf-next 1/2] bpf: Add it",
            &["c", "p1"],
            "Hi Ann,\n\nkernel test robot noticed the following build errors.",
        )
        .mail(
            "ci",
            "bot+bpf-ci@kernel.org <bot+bpf-ci@kernel.org>",
            11,
            "Re: [PATCH bpf-next 0/2] bpf: Add a thing",
            &["c"],
            "CI has tested the following submission:\nStatus:     FAILURE\n",
        );
    let story = one(&scenario);
    assert_eq!((story.state, story.follow_ups), (State::Posted, 0));
    assert_eq!(
        steps(&story),
        [Step::Posted, Step::BuildBroken, Step::CiFailed]
    );
    assert_eq!(story.last_at, story.first_at);
    assert!(
        story
            .people
            .iter()
            .all(|part| part.role == PersonRole::Author)
    );
}

#[test]
fn withdrawn_refused_and_superseded_count_for_the_newest_revision_only() {
    for (who, text, state) in [
        (
            "Ann Author",
            "Please ignore this series, it is broken.",
            State::Withdrawn,
        ),
        (
            "Mae Maintainer",
            "No.\n\nNacked-by: Mae Maintainer <mae@example.org>",
            State::Rejected,
        ),
        (
            "Mae Maintainer",
            "> Nacked-by: Mae Maintainer <mae@example.org>\n\nWhy that?",
            State::Discussed,
        ),
        (
            "Ann Author",
            "This is superseded by another series.",
            State::Superseded,
        ),
        ("Ann Author", "Sorry, self-NACK.", State::Withdrawn),
        (
            "Ann Author",
            "Please drop it. Nobody needs that line.",
            State::Posted,
        ),
        ("Bob Reader", "Can we ignore this error?", State::Discussed),
    ] {
        let scenario = series().mail("r", who, 10, &subject("bpf: Add a thing"), &["c"], text);
        assert_eq!(one(&scenario).state, state, "{text}");
        let scenario = scenario.mail(
            "c2",
            "Ann Author",
            50,
            "[PATCH bpf-next v2 0/2] bpf: Add a thing",
            &[],
            "Again.",
        );
        let again = one(&scenario).state;
        assert!(
            matches!(again, State::Posted | State::Discussed),
            "{text}: {again:?}"
        );
    }
}

#[test]
fn reviewers_are_people_with_their_own_trailers() {
    let scenario = series()
        .mail("r", "Bob Reader", 10, &subject("bpf: Add a thing"), &["c"], "Nice.\n\nReviewed-by: Bob Reader <bob@example.org>\n> Acked-by: Quoted One <q@example.org>");
    let people: Vec<_> = one(&scenario)
        .people
        .into_iter()
        .map(|part| format!("{} {}", part.role.word(), part.name))
        .collect();
    assert_eq!(people, ["author Ann Author", "reviewer Bob Reader"]);
}

#[test]
fn a_patch_for_a_stable_tree_joins_its_original_and_a_batch_is_one_story() {
    let copy = |hash: &str| format!("[ Upstream commit {} ]\n\nDo it.", long(hash));
    let stan = |scenario: Scenario, id: &str, tags: &str, hash: &str, above: &[&str]| {
        let subject = format!("[PATCH AUTOSEL {tags}] selftests/bpf: Test it");
        scenario.mail(id, "Stan Stable", 300, &subject, above, &copy(hash))
    };
    let title = "selftests/bpf: Test it";
    let scenario = series().commit("2b", "Ann Author", 20, title, "next", "Do it.");
    let scenario = stan(scenario, "s1", "4.11", "2b", &[]);
    let scenario = stan(scenario, "t1", "4.9 01/99", "2b", &[]);
    let scenario = stan(scenario, "t2", "4.9 02/99", "77", &["t1"]);
    let stories = scenario.stories();
    assert_eq!(stories.len(), 2);
    assert!(stories[0].messages.contains(&"s1@example.org".to_owned()));
    assert_eq!(stories[0].revisions.len(), 1);
    assert_eq!(stories[1].messages, ["t1@example.org", "t2@example.org"]);
}

#[test]
fn an_article_that_links_a_mail_stands_alone() {
    let scenario = series().article(
        "https://example.org/a",
        50,
        "On things",
        "See https://lore.kernel.org/bpf/c@example.org/ for more.",
    );
    assert_eq!(scenario.stories().len(), 2);
}

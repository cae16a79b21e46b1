//! Stories built from mails and commits of our own.

use chrono::DateTime;

use super::*;
use crate::item::DKIM_HEADER;
use crate::item::{MessageId, Person};
use crate::story::machine::Machines;
use crate::story::{Carrier, PersonRole, StoredItem, fold, key};

/// Mails and commits of our own, folded by themselves.
#[derive(Default)]
struct Bench(Vec<Reading>);

impl Bench {
    /// A mail: its id before the `@`, its sender (`Name` or `Name <address>`), the hour, its subject, the ids of the mails above
    /// (nearest last), its text.
    fn mail(
        mut self,
        id: &str,
        who: &str,
        hour: i64,
        title: &str,
        above: &[&str],
        text: &str,
    ) -> Self {
        let full = |id: &&str| MessageId::parse(&format!("{id}@example.org")).expect("an id");
        let references: Vec<String> = above.iter().map(|id| format!("<{}>", full(id))).collect();
        let mut item = self.item(ItemKind::Message, &format!("{id}@example.org"), who, hour);
        item.parent = above.last().map(|id| key::mail(&full(id)));
        item.headers = vec![("References".to_owned(), references.join(" "))];
        (item.title, item.text) = (title.to_owned(), text.to_owned());
        self.0.push(Reading::of(item, &Machines::default()));
        self
    }

    /// The archive's server says that anybody may have sent the last mail.
    fn denied(mut self) -> Self {
        let mut item = self.0.pop().expect("a mail").item;
        item.headers
            .push((DKIM_HEADER.to_owned(), "none".to_owned()));
        self.0.push(Reading::of(item, &Machines::default()));
        self
    }

    /// A commit in a tree that is followed.
    fn commit(mut self, hash: &str, who: &str, hour: i64, title: &str) -> Self {
        let mut item = self.item(ItemKind::Commit, &hash.repeat(40 / hash.len()), who, hour);
        item.title = title.to_owned();
        item.feeds = vec![Carrier {
            name: "hid".to_owned(),
            kind: "tree".to_owned(),
            url: Some("https://git.example.org/pub/hid/hid.git".to_owned()),
            role: Some("next".to_owned()),
            branch: Some("for-next".to_owned()),
            home: false,
            seen_at: None,
            absent_at: None,
        }];
        self.0.push(Reading::of(item, &Machines::default()));
        self
    }

    fn item(&self, kind: ItemKind, reference: &str, who: &str, hour: i64) -> StoredItem {
        let at = DateTime::from_timestamp(1_493_726_400 + hour * 3_600, 0).expect("a time");
        let (name, email) = match who.split_once(" <") {
            Some((name, email)) => (name.to_owned(), email.trim_end_matches('>').to_owned()),
            None => (
                who.to_owned(),
                format!("{}@example.org", who.to_lowercase().replace(' ', ".")),
            ),
        };
        StoredItem {
            id: i64::try_from(self.0.len()).expect("few"),
            kind,
            reference: reference.to_owned(),
            title: String::new(),
            author: Person { name, email },
            at,
            known_at: at,
            written_at: Some(at),
            url: None,
            parent: None,
            paid: None,
            freed_at: None,
            feeds: vec![Carrier {
                name: "some-list".to_owned(),
                kind: "archive".to_owned(),
                url: Some("https://lore.example.org/some-list/".to_owned()),
                role: None,
                branch: None,
                home: false,
                seen_at: None,
                absent_at: None,
            }],
            text: String::new(),
            headers: Vec::new(),
        }
    }

    fn stories(mut self) -> Vec<Story> {
        fold::sort(&mut self.0);
        let groups = fold::groups(&self.0);
        let (outside, words) = (Outside::default(), FoldRules::default());
        let stories = groups.iter().map(|group| build(group, &outside, &words));
        stories.collect()
    }

    #[track_caller]
    fn one(self) -> Story {
        let mut stories = self.stories();
        let titles: Vec<&String> = stories.iter().map(|story| &story.title).collect();
        assert_eq!(stories.len(), 1, "{titles:?}");
        stories.remove(0)
    }
}

const STAT: &str = "Do it.\n---\n kernel/hid/core.c | 2 +-\n 1 file changed";
const BOT: &str = "patchwork-bot <patchwork-bot+hidlist@kernel.org>";
const TITLES: [&str; 8] = [
    "hid: Add it",
    "hid: Use it here",
    "hid: Use it there",
    "hid: Tell of it",
    "hid: Weigh it",
    "hid: Bound it",
    "hid: Clear it up",
    "selftests/hid: Test it",
];

/// A series of Ann's with a cover letter: `total` parts of the titles above.
fn series(tags: &str, total: usize) -> Bench {
    let bench = Bench::default().mail(
        "c",
        "Ann Author",
        0,
        &format!("[{tags} 0/{total}] hid: A thing for all"),
        &[],
        "This adds a thing.",
    );
    (1..=total).fold(bench, |bench, number| {
        let title = format!("[{tags} {number}/{total}] {}", TITLES[number - 1]);
        bench.mail(&format!("p{number}"), "Ann Author", 0, &title, &["c"], STAT)
    })
}

fn steps(story: &Story) -> Vec<Step> {
    let all = story.events.iter().map(|event| event.state);
    all.filter(|step| !matches!(step, Step::Posted | Step::Revised | Step::Discussed))
        .collect()
}

/// A notice of patchwork-bot over the parts: `#` has a commit, `.` has none.
fn notice(parts: &str) -> String {
    let total = parts.len();
    let lines: Vec<String> = parts
        .chars()
        .enumerate()
        .map(|(at, part)| {
            let below = match part {
                '#' => format!("https://git.example.org/hid/hid/c/{:012x}", 0xabc0 + at),
                _ => "(no matching commit)".to_owned(),
            };
            format!("  - [{}/{total}] {}\n    {below}", at + 1, TITLES[at])
        })
        .collect();
    format!(
        "Hello:\n\nThis series was applied to hid/hid.git (master)\nby Mae Maintainer <mae@example.org>:\n\n\
         Here is the summary with links:\n{}\n\nYou are awesome, thank you!",
        lines.join("\n")
    )
}

#[test]
fn a_gap_before_parts_that_have_commits_is_an_edited_part_and_one_at_the_end_is_not() {
    let (all, some) = (
        (State::Applied, Step::Applied),
        (State::PartlyApplied, Step::PartlyApplied),
    );
    for (parts, wanted) in [
        ("####", all),
        (".#", all),
        ("#.#", all),
        ("###.####", all),
        ("#.", some),
        ("###.", some),
        ("#...", some),
        ("....#...", some),
        ("..#", some),
        (".#.#", some),
    ] {
        let text = notice(parts);
        let story = series("PATCH hid", parts.len())
            .mail(
                "b",
                BOT,
                9,
                "Re: [PATCH hid 0/9] hid: A thing for all",
                &["c"],
                &text,
            )
            .one();
        let (state, step) = wanted;
        assert_eq!((story.state, steps(&story)), (state, vec![step]), "{parts}");
    }
}

#[test]
fn a_bot_is_known_by_its_whole_address() {
    for (who, applied) in [
        (BOT, true),
        ("x <patchwork-bot@kernel.org>", true),
        ("patchwork-bot+hidlist <mae@kernel.org>", false),
        (
            "patchwork-bot <patchwork-bot+hidlist@kernel.org.example.net>",
            false,
        ),
        ("patchwork-bot <patchwork-bot+hidlist@example.net>", false),
        ("patchwork-bot <patchwork-bot-hidlist@kernel.org>", false),
    ] {
        let text = notice("##");
        let story = series("PATCH hid", 2)
            .mail(
                "b",
                who,
                9,
                "Re: [PATCH hid 0/2] hid: A thing for all",
                &["c"],
                &text,
            )
            .one();
        assert_eq!(!story.applied.is_empty(), applied, "{who}");
    }
    for (who, mainline) in [
        (
            "pr-tracker-bot@kernel.org <pr-tracker-bot@kernel.org>",
            true,
        ),
        (
            "pr-tracker-bot@kernel.org <pr-tracker-bot@example.net>",
            false,
        ),
    ] {
        let text = "has been merged into torvalds/linux.git:\nhttps://git.example.org/torvalds/c/9999999999999999\n";
        let story = Bench::default()
            .mail(
                "g",
                "Mae Maintainer",
                0,
                "[GIT PULL] HID for 4.13",
                &[],
                "Please pull.",
            )
            .mail("t", who, 9, "Re: [GIT PULL] HID for 4.13", &["g"], text)
            .one();
        assert_eq!(story.mainline.is_some(), mainline, "{who}");
    }
}

/// A commit is made in its tree, and comes to mainline later: the step has the time when it was seen there.
#[test]
fn mainline_is_dated_by_the_sighting_there() {
    let hour =
        |hour: i64| DateTime::from_timestamp(1_493_726_400 + hour * 3_600, 0).expect("a time");
    // When the mainline tree showed it, if that has a time of its own; when it became known; the date of the step.
    for (seen, known, wanted) in [
        (Some(96), 1, 96),
        // The mainline tree showed it first.
        (None, 50, 50),
        // As history.
        (None, 0, 0),
        // A clock was wrong: it cannot be there before it is made.
        (Some(-5), 0, 0),
    ] {
        for is_reversed in [false, true] {
            let mut bench = Bench::default()
                .commit("ab", "Ann Author", 0, "hid: Add it")
                .commit("cd", "Ann Author", 300, "hid: Something else");
            let item = &mut bench.0[0].item;
            item.known_at = hour(known);
            let tree = |name: &str, seen: Option<i64>| Carrier {
                name: name.to_owned(),
                role: Some("mainline".to_owned()),
                seen_at: seen.map(|at| hour(at).timestamp()),
                ..item.feeds[0].clone()
            };
            // A second mainline tree that is polled later changes nothing.
            let late = tree("a-mirror", Some(400));
            let first = tree("linux", seen);
            item.feeds.extend([late, first]);
            if is_reversed {
                item.feeds.reverse();
                bench.0.reverse();
            }
            let stories = bench.stories();
            let story = stories
                .iter()
                .find(|story| story.title == "hid: Add it")
                .expect("its story");
            let landed = story.mainline.as_ref().expect("it is in mainline");
            assert_eq!((landed.at, story.last_at), (hour(wanted), hour(wanted)));
            assert_eq!(story.applied[0].at, hour(0), "its tree had it at once");
        }
    }
}

/// Commits of a series that are seen at once: the first of them stands for it.
#[test]
fn the_first_commit_of_a_series_stands_for_it_in_mainline() {
    let mut bench = Bench::default()
        .mail(
            "c",
            "Ann Author",
            0,
            "[PATCH hid 0/2] hid: A thing",
            &[],
            "Two.",
        )
        .mail(
            "p1",
            "Ann Author",
            0,
            "[PATCH hid 1/2] hid: Add it",
            &["c"],
            "",
        )
        .mail(
            "p2",
            "Ann Author",
            0,
            "[PATCH hid 2/2] hid: Use it",
            &["c"],
            "",
        )
        .commit("fe", "Ann Author", 5, "hid: Add it")
        .commit("12", "Ann Author", 6, "hid: Use it");
    for reading in &mut bench.0[3..] {
        let mut linux = reading.item.feeds[0].clone();
        linux.role = Some("mainline".to_owned());
        linux.seen_at = Some(1_493_726_400 + 100 * 3_600);
        reading.item.feeds.push(linux);
    }
    let story = bench.one();
    let landed = story.mainline.expect("it is in mainline");
    assert!(landed.hash.starts_with("fefe"), "{landed:?}");
}

const THANKS: &str = "Applied to hid/hid.git (for-next), thanks!\n\n[1/2] hid: Add it\n      \
    https://git.example.org/hid/hid/c/00000000abc0\n[2/2] hid: Use it here\n      https://git.example.org/hid/hid/c/00000000abc1\n";

#[test]
fn commits_that_only_a_persons_mail_lists_are_claimed_until_a_commit_or_the_bot_confirms_them() {
    let said = || {
        let subject = "Re: [PATCH hid 0/2] hid: A thing for all";
        series("PATCH hid", 2).mail("t", "Mae Maintainer", 9, subject, &["c"], THANKS)
    };
    let story = said().one();
    assert_eq!(
        (story.state, steps(&story)),
        (State::Applied, vec![Step::Claimed])
    );
    assert!(story.applied[0].claimed && story.applied[0].commits.len() == 2);

    let subject = "Re: [PATCH hid 0/2] hid: A thing for all";
    let story = said()
        .mail("b", BOT, 10, subject, &["c"], &notice("##"))
        .one();
    assert!(
        story.applied.iter().all(|applied| !applied.claimed),
        "{:?}",
        story.applied
    );

    let whole = format!("00000000abc0{}", "7".repeat(28));
    let story = said().commit(&whole, "Ann Author", 20, TITLES[0]).one();
    assert_eq!(steps(&story), [Step::Applied]);
    assert!(!story.applied[0].claimed && story.applied[0].commits[0].hash == whole);

    // A notice that the archive's server does not vouch for confirms nothing, and neither does a forged merge.
    let denied = series("PATCH hid", 2).mail("b", BOT, 10, subject, &["c"], &notice("##"));
    let story = denied.denied().one();
    assert_eq!(steps(&story), [Step::Claimed]);
    assert!(story.applied[0].claimed && story.applied[0].commits.len() == 2);
    let story = series("PATCH hid", 2)
        .mail("b", BOT, 10, subject, &["c"], &notice("##"))
        .denied()
        .commit(&whole, "Ann Author", 20, TITLES[0])
        .one();
    assert!(!story.applied[0].claimed, "{:?}", story.applied);

    // A commit of another hash says nothing of those that were listed.
    let story = said().commit("7a", "Ann Author", 20, TITLES[0]).one();
    let claimed = |applied: &Applied| applied.claimed;
    assert!(story.applied.len() == 2 && story.applied.iter().any(claimed));
}

#[test]
fn a_sentence_below_a_part_speaks_of_the_whole_only_where_it_is_at_home() {
    let (whole, part) = (State::Applied, State::PartlyApplied);
    for (tags, above, number, text, state) in [
        ("PATCH hid", "c", 0, "Applied, thanks.", whole),
        ("PATCH hid", "p1", 1, "Applied, thanks.", whole),
        ("PATCH", "p1", 1, "Applied, thanks.", part),
        ("PATCH", "p3", 3, "Applied to bpf-next, thanks.", whole),
        ("PATCH", "p2", 2, "Applied to mips-next.", part),
        ("PATCH hid", "p2", 2, "Applied to mips-next.", part),
        (
            "PATCH hid",
            "p2",
            2,
            "Applied to hid/hid.git, thanks.",
            whole,
        ),
        ("PATCH hid", "p2", 2, "I've applied this one, thanks.", part),
        ("PATCH hid", "c", 0, "Applied 1 to hid/for-7.1-fixes.", part),
        (
            "PATCH hid",
            "c",
            0,
            "Applied 1-3 to hid/for-7.1-fixes.",
            whole,
        ),
        ("PATCH hid", "p2", 2, "The set is applied.", whole),
    ] {
        let subject = format!("Re: [{tags} {number}/3] x");
        let story = series(tags, 3)
            .mail("r", "Mae Maintainer", 9, &subject, &["c", above], text)
            .one();
        assert_eq!(
            (story.state, steps(&story)),
            (state, vec![Step::Claimed]),
            "{text}"
        );
    }
    let story = series("PATCH hid", 3)
        .mail(
            "r",
            "Mae Maintainer",
            9,
            "Re: (subset) [PATCH hid 0/3] x",
            &["c"],
            "Applied, thanks!",
        )
        .one();
    assert_eq!(story.state, State::PartlyApplied);
}

#[test]
fn an_author_applies_his_own_only_to_a_tree_that_he_names() {
    for (text, claims) in [
        ("Applied to cgroup/for-7.1-fixes.", true),
        ("Applied, thanks.", false),
        ("I've applied them in v6.", false),
        ("Applied to my tree.", false),
        ("I've pushed it to bpf-next.", false),
    ] {
        let story = series("PATCH hid", 2)
            .mail("r", "Ann Author", 9, "Re: [PATCH hid 0/2] x", &["c"], text)
            .one();
        assert_eq!(!story.applied.is_empty(), claims, "{text}");
    }
}

#[test]
fn words_about_a_part_or_an_answer_do_not_end_the_series() {
    let (open, withdrawn) = (State::Posted, State::Withdrawn);
    for (above, number, text, state) in [
        (&["c"][..], 0, "Please ignore this.", withdrawn),
        (&["c"], 0, "Please ignore this patch.", withdrawn),
        (&["c", "p2"], 2, "Please ignore this series.", withdrawn),
        (&["c", "p2"], 2, "Please ignore this patch.", open),
        (&["c", "p2"], 2, "Self NACK.", open),
        (&["c", "a"], 0, "Please ignore this.", open),
        (&["c", "a"], 0, "Please ignore this series.", withdrawn),
    ] {
        let subject = format!("Re: [PATCH hid {number}/3] x");
        let story = series("PATCH hid", 3)
            .mail(
                "a",
                "Ann Author",
                5,
                "Re: [PATCH hid 0/3] x",
                &["c"],
                "I mean line 3.",
            )
            .mail("r", "Ann Author", 9, &subject, above, text)
            .one();
        assert_eq!(story.state, state, "{text} below {above:?}");
    }
    for (above, number, state) in [("c", 0, State::Rejected), ("p2", 2, State::Discussed)] {
        let subject = format!("Re: [PATCH hid {number}/3] x");
        let story = series("PATCH hid", 3)
            .mail("r", "Mae Maintainer", 9, &subject, &["c", above], "NACK.")
            .one();
        assert_eq!(
            (story.state, steps(&story)),
            (state, vec![Step::Nacked]),
            "{above}"
        );
    }
}

#[test]
fn words_about_an_older_revision_say_nothing_of_the_newer() {
    for text in [
        "Superseded. v2 is just sent out.",
        "Please ignore this series.",
    ] {
        let story = series("PATCH hid", 2)
            .mail(
                "d",
                "Ann Author",
                5,
                "[PATCH hid v2 0/2] hid: A thing for all",
                &[],
                "Again.",
            )
            .mail(
                "q1",
                "Ann Author",
                5,
                "[PATCH hid v2 1/2] hid: Add it",
                &["d"],
                STAT,
            )
            .mail(
                "q2",
                "Ann Author",
                5,
                "[PATCH hid v2 2/2] hid: Use it here",
                &["d"],
                STAT,
            )
            .mail("r", "Ann Author", 9, "Re: [PATCH hid 0/2] x", &["c"], text)
            .one();
        assert_eq!(
            (story.state, steps(&story)),
            (State::Posted, Vec::new()),
            "{text}"
        );
    }
}

#[test]
fn a_part_that_goes_its_own_way_does_not_take_the_effort_over() {
    let alone = || {
        let link = "Do it.\n\nLink to v1: https://lore.kernel.org/bpf/c@example.org";
        series("PATCH hid", 8).mail(
            "s",
            "Ann Author",
            50,
            "[PATCH hid v2] hid: Tell of it",
            &[],
            &format!("{link}\n---\n kernel/hid/core.c | 2 +-"),
        )
    };
    let story = alone().one();
    assert_eq!(
        (story.title.as_str(), story.revisions.len()),
        ("hid: A thing for all", 2)
    );
    let said = &story.changes["v2"];
    assert!(
        said.starts_with("Part 4 of 8 now goes its own way."),
        "{said}"
    );

    let text = notice("#").replace(TITLES[0], TITLES[3]);
    let story = alone()
        .mail(
            "b",
            BOT,
            60,
            "Re: [PATCH hid v2] hid: Tell of it",
            &["s"],
            &text,
        )
        .one();
    assert_eq!(story.state, State::PartlyApplied);

    let story = alone()
        .mail(
            "r",
            "Ann Author",
            60,
            "Re: [PATCH hid v2] hid: Tell of it",
            &["s"],
            "Self NACK.",
        )
        .one();
    assert_eq!(story.state, State::Posted);
}

#[test]
fn a_shorter_revision_of_the_whole_takes_over() {
    let link = "Again.\n\nLink to v1: https://lore.kernel.org/bpf/c@example.org";
    let story = series("PATCH hid", 8)
        .mail(
            "d",
            "Ann Author",
            50,
            "[PATCH hid v2 0/2] hid: A better thing",
            &[],
            link,
        )
        .mail(
            "q1",
            "Ann Author",
            50,
            "[PATCH hid v2 1/2] hid: Add it",
            &["d"],
            STAT,
        )
        .mail(
            "q2",
            "Ann Author",
            50,
            "[PATCH hid v2 2/2] hid: Use it here",
            &["d"],
            STAT,
        )
        .one();
    assert_eq!(story.title, "hid: A better thing");
}

#[test]
fn answers_to_a_patch_that_is_not_here_are_nobodys_thread() {
    let story = Bench::default()
        .mail(
            "r",
            "Bob Reader",
            5,
            "Re: [PATCH hid 2/3] hid: Add it",
            &["gone"],
            "Why so?",
        )
        .one();
    assert_eq!(
        story.title,
        "Replies to a patch that is not here: hid: Add it"
    );
    assert!(answers_missing_patch(&story) && story.author.is_none());
    assert!(
        story
            .people
            .iter()
            .all(|part| part.role != PersonRole::Author)
    );
    let story = Bench::default()
        .mail("r", "Bob Reader", 5, "Re: A question", &["gone"], "Why so?")
        .one();
    assert!(!answers_missing_patch(&story) && story.title == "A question");
}

#[test]
fn the_first_line_names_the_author_of_a_cover_letter_too() {
    let named = "From: Ulf Unsent <ulf@example.org>\n\nThis adds a thing.";
    let story = Bench::default()
        .mail(
            "c",
            "Ann Author",
            0,
            "[PATCH hid 0/2] hid: A thing",
            &[],
            named,
        )
        .mail(
            "p1",
            "Ann Author",
            0,
            "[PATCH hid 1/2] hid: Add it",
            &["c"],
            &format!("{named}\n"),
        )
        .mail(
            "p2",
            "Ann Author",
            0,
            "[PATCH hid 2/2] hid: Use it",
            &["c"],
            STAT,
        )
        .one();
    assert_eq!(story.author.as_deref(), Some("Ulf Unsent"));
    let people: Vec<_> = story
        .people
        .iter()
        .map(|p| (p.role.word(), p.name.as_str()))
        .collect();
    assert_eq!(people, [("author", "Ann Author"), ("author", "Ulf Unsent")]);
}

#[test]
fn only_a_tag_names_a_tree() {
    for (tags, tree) in [
        ("PATCH bpf-next", Some("bpf-next")),
        ("PATCH some-list", None),
        ("PATCH tests", None),
        ("PATCH tests bpf", Some("bpf")),
        ("PATCH conntrack-tools", Some("conntrack-tools")),
        ("PATCH TOPIC", None),
    ] {
        let story = Bench::default()
            .mail(
                "p",
                "Ann Author",
                0,
                &format!("[{tags}] x: Add it"),
                &[],
                STAT,
            )
            .one();
        assert_eq!(story.tree.as_deref(), tree, "{tags}");
    }
}

#[test]
fn a_notice_below_a_mail_that_is_no_patch_is_no_pull_request() {
    let text = notice("#").replace("This series", "This patch");
    let story = Bench::default()
        .mail("b", BOT, 9, "Re: [PATCH hid] hid: Add it", &["gone"], &text)
        .one();
    assert_eq!(steps(&story), [Step::Applied]);
}

#[test]
fn tests_only_looks_at_the_covers_files_and_at_parts_that_are_not_here() {
    let is_only_tests = |cover: &str, total: u32| {
        let title = format!("[PATCH hid 0/{total}] hid: Check it");
        let part = format!("[PATCH hid 1/{total}] selftests/hid: Check it");
        let stat = "Do it.\n---\n .../testing/selftests/hid/a.c | 2 +-\n";
        let story = Bench::default()
            .mail("c", "Ann Author", 0, &title, &[], cover)
            .mail("p1", "Ann Author", 0, &part, &["c"], stat)
            .one();
        story.why.iter().any(|why| why.contains("tests only"))
    };
    let listed = |title: &str| format!("Ann Author (2):\n  selftests/hid: Check it\n  {title}\n");
    assert!(is_only_tests("It checks it.", 1));
    assert!(!is_only_tests("It checks it.", 2), "one part is not known");
    assert!(is_only_tests(&listed("selftests/hid: More"), 2));
    assert!(!is_only_tests(&listed("hid: Change it"), 2));
    assert!(!is_only_tests(
        "It.\n\n kernel/hid/core.c | 9 +\n .../testing/selftests/hid/a.c | 2 +-\n",
        2
    ));
    assert!(is_only_tests(
        "It.\n\n tools/testing/selftests/hid/a.c | 2 +-\n",
        2
    ));
}

#[test]
fn a_command_to_the_patchwork_bot_asks_for_changes() {
    for (text, asked) in [
        ("Please fix it.\n\npw-bot: cr\n", true),
        ("pw-bot: changes-requested", true),
        ("PW-Bot: CR", true),
        ("> pw-bot: cr\n\nWhy?", false),
        ("pw-bot: under-review", false),
        ("I would say pw-bot: cr here.", false),
        ("pw-bot: crash", false),
    ] {
        let story = series("PATCH hid", 2)
            .mail(
                "r",
                "Mae Maintainer",
                9,
                "Re: [PATCH hid 0/2] x",
                &["c"],
                text,
            )
            .one();
        let wanted = if asked {
            vec![Step::ChangesRequested]
        } else {
            Vec::new()
        };
        assert_eq!(steps(&story), wanted, "{text}");
        assert_eq!(story.state, State::Discussed, "{text}: it moves no state");
    }
}

#[test]
fn a_persons_report_that_a_request_was_pulled_ends_its_wait() {
    let now = |story: &Story| story.first_at + TimeDelta::days(8);
    for (who, text, waits) in [
        ("Mae Maintainer", "Pulled, thanks!", false),
        ("Mae Maintainer", "Thanks, pulled into hid-next.", false),
        ("Mae Maintainer", "Now pulled.", false),
        ("Mae Maintainer", "Merged to hid-next.", false),
        ("Mae Maintainer", "Pulled?", true),
        ("Mae Maintainer", "Pulled if the tests pass.", true),
        ("Mae Maintainer", "> Pulled, thanks!\n\nWhere?", true),
        ("Mae Maintainer", "I will look.", true),
        ("Ann Author", "Pulled, thanks!", true),
    ] {
        let request = "Please pull.\n\nThe following changes since commit 1:\n";
        let story = Bench::default()
            .mail(
                "g",
                "Ann Author",
                0,
                "[GIT PULL] hid for 4.13",
                &[],
                request,
            )
            .mail("r", who, 9, "Re: [GIT PULL] hid for 4.13", &["g"], text)
            .one();
        assert_eq!(
            (story.kind, story.state),
            (StoryKind::Pull, State::Open),
            "{text}"
        );
        let waited = super::super::waiting::pull_waits(&story, now(&story));
        assert_eq!(waited.is_some(), waits, "{who}: {text}");
    }
}

impl Bench {
    /// A mainline tree has the last commit: it was read without it at the first hour, and with it at the second.
    fn in_mainline(mut self, hours: Option<(i64, i64)>) -> Self {
        let mut item = self.0.pop().expect("a commit").item;
        let at = |hour: i64| 1_493_726_400 + hour * 3_600;
        item.feeds.push(Carrier {
            name: "mainline".to_owned(),
            kind: "tree".to_owned(),
            url: Some("https://git.example.org/pub/torvalds/linux.git".to_owned()),
            role: Some("mainline".to_owned()),
            branch: Some("master".to_owned()),
            home: false,
            seen_at: hours.map(|(_, seen)| at(seen)),
            absent_at: hours.map(|(absent, _)| at(absent)),
        });
        self.0.push(Reading::of(item, &Machines::default()));
        self
    }
}

#[test]
fn the_span_in_which_a_story_came_to_mainline_is_that_between_two_polls() {
    let landed = |first: Option<(i64, i64)>, second: Option<(i64, i64)>| {
        let story = series("PATCH hid", 2)
            .commit("1a", "Ann Author", 10, TITLES[0])
            .in_mainline(first)
            .commit("2b", "Ann Author", 11, TITLES[1])
            .in_mainline(second)
            .one();
        let hours = |at: DateTime<Utc>| (at.timestamp() - 1_493_726_400) / 3_600;
        let span = story.mainline.expect("it is in mainline").span;
        span.map(|(after, by)| (hours(after), hours(by)))
    };
    // A day before the poll that did not have it, until the poll that had it.
    assert_eq!(landed(Some((100, 101)), Some((100, 101))), Some((76, 101)));
    assert_eq!(landed(Some((100, 101)), Some((200, 202))), Some((76, 202)));
    assert_eq!(
        landed(Some((100, 101)), None),
        None,
        "nobody knows of the second"
    );
}

#[test]
fn a_merge_of_a_pull_request_was_made_between_the_request_and_the_report() {
    let text = "has been merged into torvalds/linux.git:\nhttps://git.example.org/torvalds/c/9999999999999999\n";
    let story = Bench::default()
        .mail(
            "g",
            "Mae Maintainer",
            5,
            "[GIT PULL] HID for 4.13",
            &[],
            "Please pull.",
        )
        .mail(
            "t",
            "pr-tracker-bot@kernel.org <pr-tracker-bot@kernel.org>",
            9,
            "Re: [GIT PULL] HID for 4.13",
            &["g"],
            text,
        )
        .one();
    let landed = story.mainline.expect("it is in mainline");
    let (after, by) = landed.span.expect("both mails are here");
    assert_eq!((after, by), (story.first_at, landed.at));
    assert_eq!((by - after).num_hours(), 4);
}

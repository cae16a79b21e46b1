//! Sentences that say so, and sentences that only look it.

use chrono::DateTime;

use super::super::claim::claim;
use super::*;
use crate::item::{ItemKind, Person};

fn item(text: &str) -> StoredItem {
    StoredItem {
        id: 1,
        kind: ItemKind::Message,
        reference: "1@example.org".to_owned(),
        title: "Re: [PATCH bpf-next 0/3] x".to_owned(),
        author: Person::default(),
        at: DateTime::UNIX_EPOCH,
        known_at: DateTime::UNIX_EPOCH,
        written_at: None,
        url: None,
        parent: None,
        paid: None,
        freed_at: None,
        feeds: Vec::new(),
        text: text.to_owned(),
        headers: Vec::new(),
    }
}

#[test]
fn a_claim_names_tree_branch_and_share() {
    use Share::{Answered, Parts, Series, Some as Few, This};
    let some = |branch: &str| Some(branch.to_owned());
    #[rustfmt::skip]
    let table: [(&str, &str, Option<String>, Share); 36] = [
        ("Applied, thanks.", "", None, Answered),
        ("Lgtm, applied, thanks!", "", None, Answered),
        ("Looks good, applied thanks! Any plans for more?", "", None, Answered),
        ("> x\n\nThank you both. Applied to bpf-next.\nThanks", "bpf-next", None, Answered),
        ("Applied to bpf-next/net. Thanks.", "bpf-next/net", None, Answered),
        ("Applied to cgroup/for-7.1-fixes.\n\nThanks.\n\n-- \nx", "cgroup/for-7.1-fixes", None, Answered),
        ("Applied 1 to cgroup/for-7.1-fixes.", "cgroup/for-7.1-fixes", None, Parts(vec![1])),
        ("Applied patches 3-5.", "", None, Parts(vec![3, 4, 5])),
        ("Patch 4 applied to powerpc/next.", "powerpc/next", None, Parts(vec![4])),
        ("Patch 1 is applied. Thanks.", "", None, Parts(vec![1])),
        ("Patch 1-3 is applied with the minor changes that I wrote.", "", None, Parts(vec![1, 2, 3])),
        ("The set is applied. Please follow up if I erred.", "", None, Series),
        ("Series applied, thanks Ann!", "", None, Series),
        ("I've applied the set, thanks.", "", None, Series),
        ("I have applied the set after fixing up patch 7.", "", None, Series),
        ("I've applied these to the asm-generic tree now", "asm-generic", None, Series),
        ("All three look good to me, I've applied them to bpf tree.", "bpf", None, Series),
        ("I've applied this one to the docs tree, thanks.", "docs", None, This),
        ("I applied the first 2, but this patch had conflicts.", "", None, Few),
        ("applied the tools/perf one.", "", None, Few),
        ("Applied all patches except the last one.", "", None, Few),
        ("Applied to the vfs-7.1.kino branch of the vfs/vfs.git tree.", "vfs/vfs.git", some("vfs-7.1.kino"), Answered),
        ("Applied to linux-kselftest kunit branch for next.", "linux-kselftest", some("kunit"), Answered),
        ("Applied now to linux-kselftest fixes for the next rc", "linux-kselftest", some("fixes"), Answered),
        ("Applied to hid/hid.git (for-4.13/bpf), thanks!", "hid/hid.git", some("for-4.13/bpf"), Answered),
        ("Applied to\n\n  https://git.example.org/pub/kbuild/linux.git kbuild-next-unstable\n\nThanks!", "kbuild/linux.git", some("kbuild-next-unstable"), Answered),
        ("Applied to\nhttps://git.example.org/pub/a/linux.git/log/?h=power\n\nthanks,", "a/linux.git", some("power"), Answered),
        ("With minor edits, applied to for-next/seccomp, thanks!", "for-next/seccomp", None, Answered),
        ("fixed up \"testing/bpf\" to \"selftests/bpf\" and\npushed to bpf-next, thanks.", "bpf-next", None, Answered),
        ("Either way, this mends the problem, pushed\nto bpf-next. Thanks!", "bpf-next", None, Answered),
        ("I fixed up the prefix, pushed to bpf-next.", "bpf-next", None, Answered),
        ("Looks like the bot didn't reply, I've pushed it to bpf, thanks!", "bpf", None, Answered),
        ("Since it is trivial and mends a problem I've\napplied to the bpf tree.", "bpf", None, Answered),
        ("It was broken for long, I took this into bpf-next.", "bpf-next", None, Answered),
        ("I fixed the line above\nand pushed it out to bpf-next.", "bpf-next", None, Answered),
        ("Applied with the changes mentioned above.", "", None, Answered),
    ];
    for (text, tree, branch, share) in table {
        let claim = claim(&item(text));
        let wanted = claim.map(|claim| (claim.place.tree, claim.place.branch, claim.share));
        assert_eq!(wanted, Some((tree.to_owned(), branch, share)), "{text}");
    }
}

#[test]
fn tries_plans_conditions_questions_and_quotes_are_no_claims() {
    for text in [
        "With this series\napplied, I was able to build it.",
        "I applied this locally to test.",
        "I applied it here and it fails to build.",
        "I applied this series to bpf-next and it works.",
        "Applied this on top of bpf-next, builds fine.",
        "I've applied both of those patches on top of yours.",
        "To confirm I applied this as well before applying yours.",
        "I applied this patch to a 9.6 kernel and my colleague has tested it.",
        "I applied this patch and ran the test without any issues.",
        "Applied your diff to my tree with one change.",
        "Applied to bpf-next.\n\nTested-by: Bob Reader <bob@example.org>",
        "applied correctly, it would work",
        "It cannot be applied to bpf-next, please rebase.",
        "I'll apply this to net, thanks.",
        "Once this is applied to bpf-next, I will send the rest.",
        "If I applied this to bpf-next, it would conflict.",
        "Should this be applied to bpf-next?",
        "Applied to bpf-next?",
        "> Applied to bpf-next, thanks.\n\nWhen is it pulled?",
        "I said that\n-- \nApplied to bpf-next, thanks.",
        "I've applied them in v6.",
        "Applied to v6, thanks.",
        "I applied that patch so you should see a conflict.",
        "So I've pushed back on such changes.",
        "I have pushed the libbpf changes.",
        "This limit is only applied to new connections.",
        "until your series is applied before doing a v2.",
        "I'm not applying these two.",
        "Please apply, thanks.",
        "Queued for 6.6, thanks.",
    ] {
        assert_eq!(claim(&item(text)), None, "{text}");
    }
}

#[test]
fn an_author_withdraws_his_own_postings_only() {
    use AnswerEffect::{Superseded, Withdrawn};
    use Share::{Answered, Series, This};
    #[rustfmt::skip]
    let table: [(&str, Option<(AnswerEffect, Share)>); 33] = [
        ("Please ignore this series, it is broken.", Some((Withdrawn, Series))),
        ("Please disregard the patch, as it was sent by accident.", Some((Withdrawn, This))),
        ("It works with the new tool. Please ignore\nmy patch, the tool was old.", Some((Withdrawn, This))),
        ("Sorry, I'll drop this patch.", Some((Withdrawn, This))),
        ("Sorry, self-NACK.", Some((Withdrawn, Answered))),
        ("I'm withdrawing this patchset.", Some((Withdrawn, Series))),
        ("This series is withdrawn.", Some((Withdrawn, Series))),
        ("Let's drop v3.", Some((Withdrawn, Series))),
        ("Ignore this.", Some((Withdrawn, Answered))),
        ("\tIgnore this, will send v2 with more checks...", Some((Superseded, Answered))),
        ("Please ignore this patch. I will resend it.", Some((Superseded, This))),
        ("I will send another patch, please\nignore this one.", Some((Superseded, This))),
        ("Superseded, will send a v3 soon.", Some((Superseded, Series))),
        ("This is superseded by another series.", Some((Superseded, Answered))),
        ("This patch was superseded.", Some((Superseded, This))),
        ("Please disregard this patch as it is identical to the previous one.", None),
        ("Please ignore it.", None),
        ("Please ignore this mail, I read the wrong one.", None),
        ("Please ignore this comment.", None),
        ("Fine by me, we can\ndrop this patch from the series.", None),
        ("I guess we can just\ndrop this patch, as it is only output.", None),
        ("Please drop this patch from the series.", None),
        ("Please drop it. Nobody needs that line.", None),
        ("If nobody needs it, please drop this series.", None),
        ("Please ignore this series if v3 is in already.", None),
        ("You could ignore this series.", None),
        ("Can we ignore this series?", None),
        ("> Please ignore this series.\n\nWhy?", None),
        ("You wrote \"please ignore this series\".", None),
        ("\"Please ignore this series\" is what I read.", None),
        ("I'm dropping this patch in v3.", None),
        ("This helper was superseded by a kfunc.", None),
        ("-- \nIgnore this.", None),
    ];
    for (text, wanted) in table {
        assert_eq!(answer_effect(&item(text), true), wanted, "{text}");
    }
}

#[test]
fn others_refuse_and_take_nothing_back() {
    #[rustfmt::skip]
    let table = [
        ("NACK.", Some(AnswerEffect::Nacked)),
        ("No.\n\nNacked-by: Mae Maintainer <mae@example.org>", Some(AnswerEffect::Nacked)),
        ("> Nacked-by: Mae Maintainer <mae@example.org>\n\nWhy?", None),
        ("NACK?", None),
        ("nack is a word", None),
        ("Please ignore this series.", None),
        ("Self NACK.", None),
        ("This series is superseded by the one of Bob.", Some(AnswerEffect::Superseded)),
        ("It was superseded by cgroup v2.", None),
    ];
    for (text, wanted) in table {
        assert_eq!(
            answer_effect(&item(text), false).map(|(word, _)| word),
            wanted,
            "{text}"
        );
    }
}

#[test]
fn reading_a_mail_of_one_kind_of_words_takes_no_longer_than_its_length() {
    for text in [
        "applied ".repeat(8_000),
        "I applied, ".repeat(6_000),
        "> a\n\nb. ".repeat(7_000),
    ] {
        let begun = std::time::Instant::now();
        let item = item(&text);
        let _ = (
            claim(&item),
            answer_effect(&item, true),
            answer_effect(&item, false),
        );
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }
}

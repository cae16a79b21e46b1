//! The editors' round in chat: suggest, decide, draft, pin, note, write, publish, correct; and the rights for each.

use bpfnews::store::issues;
use chrono::TimeDelta;
use insta::assert_snapshot;

use crate::command::house::{House, NEWS, OPS, ROOM, boss, discord, matrix, reader};
use crate::documents::mail;

/// A person whom `[issue]` names.
const EDITORS: &str = "discord_users = [\"111111\"]\nmatrix_users = [\"@boss:x.example\"]\ncooldown_s = 0\n\n\
                       [issue]\ndiscord_users = [\"333333\"]\nmatrix_users = [\"@ed:x.example\"]\n";

/// A house with three stories of the week.
async fn house() -> House {
    let mut house = House::with(EDITORS).await;
    house
        .post(&[
            mail("a", 130, "[PATCH bpf-next 0/2] bpf: Add a map type", ""),
            mail("a1", 131, "[PATCH bpf-next 1/2] bpf: Add the map", "a"),
            mail(
                "a2",
                132,
                "[PATCH bpf-next 2/2] selftests/bpf: Test the map",
                "a",
            ),
            mail("b", 133, "[PATCH bpf] bpf: Fix a leak", ""),
            mail("c", 134, "[PATCH bpf-next] libbpf: Rename a thing", ""),
        ])
        .await;
    // An item of this same second belongs to the next issue.
    house.advance(TimeDelta::minutes(1));
    house
}

fn editor() -> bpfnews::chat::Requester {
    matrix("@ed:x.example", ROOM)
}

/// The ids of stories come from Message-IDs, so they stay the same, and so do the draft's times.
#[tokio::test]
async fn an_issue_is_drafted_finished_published_and_shown() {
    let house = house().await;
    assert_snapshot!("draft", house.ask(&editor(), "edit draft").await);
    let thanks = house
        .ask(&reader(), "suggest https://blog.example/bpf A good read")
        .await;
    assert!(
        thanks.contains("It is saved for the next issue"),
        "{thanks}"
    );
    house.pass().await;
    let ops = house.chat.room(OPS);
    assert_eq!(ops, ["suggestion 1: "], "editors are asked");
    let waiting = house.ask(&editor(), "edit suggestions").await;
    assert!(waiting.contains("1: A good read"), "{waiting}");

    let accepted = house
        .ask(&editor(), "edit accept 1 title=\"On maps\" section=missed")
        .await;
    assert!(
        accepted.contains("is accepted for the coming issue"),
        "{accepted}"
    );
    house.pass().await;
    let ops = house.chat.room(OPS);
    assert_eq!(
        ops,
        ["suggestion 1: accepted by @ed:x.example"],
        "it says so where it was asked"
    );
    let told = house.chat.room(NEWS);
    assert!(
        told.iter()
            .any(|told| told == "A suggestion from here was accepted for the coming issue"),
        "the reader gets the answer where they suggested it: {told:?}"
    );

    for (asked, wanted) in [
        ("edit pin bpf: Fix a leak", "at the top of its section"),
        (
            "edit move \"libbpf: Rename a thing\" projects",
            "is under “Projects”",
        ),
        (
            "edit note \"bpf: Fix a leak\" See [the report](https://bugs.example/1) & `free()`.",
            "is under the story",
        ),
        (
            "edit drop bpf: Add a map type",
            "left out of the coming issue",
        ),
        ("edit undo bpf: Add a map type", "Undone: drop"),
        ("edit intro Not this.", "starts with it"),
        ("edit intro A *quiet* week.", "starts with it"),
    ] {
        let told = house.ask(&editor(), asked).await;
        assert!(told.contains(wanted), "{asked}: {told}");
    }
    assert_snapshot!("finished", house.ask(&editor(), "edit draft").await);
    let wrong = house.ask(&editor(), "edit publish 2").await;
    assert!(wrong.contains("the coming issue is 1, not 2"), "{wrong}");
    let out = house.ask(&editor(), "edit publish 1").await;
    assert!(
        out.contains("BPF updates 01 is published") && out.contains("one channel"),
        "{out}"
    );
    house.pass().await;
    let told = house.chat.room(NEWS);
    let issues = told
        .iter()
        .filter(|told| told.starts_with("BPF updates 01"))
        .count();
    assert_eq!(issues, 1, "{told:?}");
    assert_snapshot!("latest", house.ask(&reader(), "latest").await);

    let corrected = house
        .ask(&editor(), "edit correct 1 The leak was *not* fixed.")
        .await;
    assert!(corrected.contains("at the top of the issue"), "{corrected}");
    let latest = house.ask(&reader(), "issue 1").await;
    assert!(
        latest.contains("Correction, ") && latest.contains("The leak was not fixed."),
        "{latest}"
    );
    // A replaced introduction is not used for the next issue.
    house.advance(TimeDelta::days(7));
    let next = house.ask(&editor(), "edit draft").await;
    assert!(!next.contains("Not this."), "{next}");
    let none = house.ask(&reader(), "issue 2").await;
    assert!(none.contains("the last one is 1"), "{none}");
    // The log has the editors' actions.
    let audit = house.ask(&boss(), "admin audit").await;
    for what in [
        "published issue 1",
        "issue: pin ",
        "issue: accepted suggestion 1",
    ] {
        assert!(
            audit
                .replace("\n▏   ", " ")
                .replace("\n▏ ", " ")
                .contains(what),
            "{what}: {audit}"
        );
    }
}

#[tokio::test]
async fn a_person_without_the_right_learns_and_changes_nothing() {
    let house = house().await;
    let before = house.ask(&editor(), "edit draft").await;
    for by in [
        reader(),
        matrix("@mallory:x.example", OPS),
        discord("333334", NEWS, "900900900"),
    ] {
        for asked in [
            "edit draft",
            "edit pin bpf: Fix a leak",
            "edit intro Mine",
            "edit suggestions",
            "edit accept 1",
            "edit publish 1",
            "edit correct 1 x",
        ] {
            let told = house.ask(&by, asked).await;
            assert!(told.contains("Only editors may do that"), "{asked}: {told}");
        }
    }
    // An editor edits, but has no other right of maintainers.
    let told = house.ask(&editor(), "admin audit").await;
    assert!(told.contains("Only maintainers may do that"), "{told}");
    assert_eq!(house.ask(&editor(), "edit draft").await, before);
    let named = house
        .ask(&discord("333333", NEWS, "900900900"), "edit draft")
        .await;
    assert!(named.contains("Draft of BPF updates 01"), "{named}");
}

#[tokio::test]
async fn two_editors_at_once_publish_one_issue_and_lose_no_edit() {
    let house = house().await;
    let (ed, boss) = (editor(), boss());
    let (one, other) = tokio::join!(
        house.ask(&ed, "edit note \"bpf: Fix a leak\" By one."),
        house.ask(&boss, "edit note \"bpf: Fix a leak\" By the other.")
    );
    // One text is saved. The other editor sees both texts, and saves them as one.
    let (late, refused) = match one.contains("is under the story") {
        true => (&boss, &other),
        false => (&ed, &one),
    };
    for words in ["Your text was not saved", "By one.", "By the other."] {
        assert!(refused.contains(words), "{words}: {refused}");
    }
    let version = refused.split("version=").nth(1).expect("the version");
    let version = version.split('.').next().unwrap_or_default();
    let stale = "edit note version=0 \"bpf: Fix a leak\" Again.";
    assert!(house.ask(late, stale).await.contains("was not saved"));
    let both = format!("edit note version={version} \"bpf: Fix a leak\" By one. By the other.");
    let saved = house.ask(late, &both).await;
    assert!(saved.contains("is under the story"), "{saved}");
    let draft = house.ask(&ed, "edit draft").await;
    assert!(draft.contains("By "), "{draft}");
    let (one, other) = tokio::join!(
        house.ask(&ed, "edit publish 1"),
        house.ask(&boss, "edit publish 1")
    );
    let out = [&one, &other]
        .into_iter()
        .filter(|told| told.contains("updates 01 is published"))
        .count();
    assert_eq!(out, 1, "{one}\n{other}");
    let late = [&one, &other]
        .into_iter()
        .filter(|told| told.contains("that one is out"))
        .count();
    assert_eq!(late, 1, "{one}\n{other}");
    let issue = issues::issue(house.live.store.read().into(), 1)
        .await
        .expect("a question");
    let issue = serde_json::to_string(&issue).expect("JSON");
    assert!(
        issue.contains("By one.") && issue.contains("By the other."),
        "{issue}"
    );
    house.pass().await;
    let told = house.chat.room(NEWS);
    assert_eq!(
        told.iter()
            .filter(|told| told.starts_with("BPF updates"))
            .count(),
        1,
        "{told:?}"
    );
}

#[tokio::test]
async fn undecided_suggestions_carry_over_and_no_fold_loses_an_edit() {
    let mut house = house().await;
    house
        .ask(&reader(), "suggest https://blog.example/later")
        .await;
    house
        .ask(
            &editor(),
            "edit note \"libbpf: Rename a thing\" Mind the name.",
        )
        .await;
    // The story changes: a new version, and an earlier mail that changes its id.
    house
        .post(&[
            mail("c0", 120, "[PATCH RFC bpf-next] libbpf: Rename a thing", ""),
            mail("c2", 300, "[PATCH bpf-next v2] libbpf: Rename a thing", "c"),
        ])
        .await;
    house.advance(TimeDelta::minutes(1));
    let draft = house
        .ask(&editor(), "edit draft")
        .await
        .replace("\n▏   ", " ");
    assert!(draft.contains("Mind the name."), "{draft}");
    house.ask(&editor(), "edit publish 1").await;
    house.advance(TimeDelta::days(7));
    let draft = house.ask(&editor(), "edit draft").await;
    assert!(draft.contains("1 suggestion without a decision"), "{draft}");
    assert!(
        !draft.contains("Mind the name."),
        "it went into the first: {draft}"
    );
    // A pin holds even if nothing happened to the story.
    house
        .ask(&editor(), "edit pin bpf: Add a map type section=missed")
        .await;
    let draft = house.ask(&editor(), "edit draft").await;
    assert!(
        draft.contains("In case you missed it") && draft.contains("Add a map type"),
        "{draft}"
    );
    let declined = house.ask(&editor(), "edit decline 1").await;
    assert!(declined.contains("is declined"), "{declined}");
    house.pass().await;
    let told = house.chat.room(NEWS);
    assert!(
        !told.iter().any(|told| told.contains("suggestion")),
        "a declined suggestion is not shown in public: {told:?}"
    );
    house.ask(&editor(), "edit publish 2").await;
    let again = house.ask(&editor(), "edit accept 1").await;
    assert!(
        again.contains("is accepted"),
        "it is in no issue yet: {again}"
    );
    house.advance(TimeDelta::days(7));
    house.pass().await;
    house.ask(&editor(), "edit publish 3").await;
    let third = house.ask(&reader(), "issue 3").await;
    assert!(third.contains("https://blog.example/later"), "{third}");
    let late = house.ask(&editor(), "edit decline 1").await;
    assert!(late.contains("is in issue 3"), "{late}");
}

//! Withdrawals and undo: an issue that was probably published by mistake, a published issue, and the texts of editors.

use bpfnews::config::{IssueConfig, Schedule};
use bpfnews::publish::schedule;
use bpfnews::store::issues;
use chrono::{NaiveTime, TimeDelta, Weekday};

use super::Set;
use crate::command::house::{House, NEWS, OPS, ROOM, SERVER, boss, discord, matrix, reader};
use crate::documents::mail;

const EDITORS: &str = "discord_users = [\"111111\"]\nmatrix_users = [\"@boss:x.example\"]\ncooldown_s = 0\n\n\
                       [issue]\ndiscord_users = [\"333333\"]\nmatrix_users = [\"@ed:x.example\"]\n";

async fn house() -> House {
    let mut house = House::with(EDITORS).await;
    house
        .post(&[mail("b", 133, "[PATCH bpf] bpf: Fix a leak", "")])
        .await;
    house.advance(TimeDelta::minutes(1));
    house
}

fn editor() -> bpfnews::chat::Requester {
    matrix("@ed:x.example", ROOM)
}

async fn out(house: &House) -> usize {
    let rows = issues::list_issues(house.live.store.read().into()).await;
    rows.expect("issues").len()
}

fn issues_in(house: &House) -> Vec<String> {
    let told = house.chat.room(NEWS).into_iter();
    told.filter(|told| told.starts_with("BPF updates"))
        .collect()
}

/// One line, without the terminal's prefix of each line.
fn flat(told: &str) -> String {
    let lines = told.lines().map(|line| line.trim_start_matches(['▏', ' ']));
    lines.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn an_unusual_issue_needs_a_second_command() {
    let house = house().await;
    let first = house.ask(&editor(), "edit publish 1").await;
    assert!(first.contains("BPF updates 01 is published"), "{first}");
    house.advance(TimeDelta::seconds(2));
    let asked = flat(&house.ask(&editor(), "edit publish 2").await);
    for wanted in [
        "Issue 2 is not published yet",
        "The last issue ended 1 minute before.",
        "it would be empty",
        "!bpfnews-edit publish 2 sure=yes",
    ] {
        assert!(asked.contains(wanted), "{asked}");
    }
    assert_eq!(out(&house).await, 1);
    let sure = house.ask(&editor(), "edit publish 2 sure=yes").await;
    assert!(sure.contains("BPF updates 02 is published"), "{sure}");
    // Nobody polled for months.
    house.advance(TimeDelta::days(430));
    let asked = flat(&house.ask(&editor(), "edit publish 3").await);
    for wanted in [
        "It would cover 14 months at once.",
        "was not read: bpf since ",
    ] {
        assert!(asked.contains(wanted), "{asked}");
    }
    assert_eq!(out(&house).await, 2);
}

#[tokio::test]
async fn the_newest_issue_is_withdrawn_while_nothing_depends_on_it() {
    let mut house = house().await;
    house
        .ask(&editor(), "edit note \"bpf: Fix a leak\" Mind this.")
        .await;
    house.ask(&editor(), "edit publish 1").await;
    house.pass().await;
    assert_eq!(issues_in(&house).len(), 1);
    let stranger = house.ask(&reader(), "edit withdraw 1").await;
    assert!(stranger.contains("Only editors"), "{stranger}");
    let wrong = house.ask(&editor(), "edit withdraw 2").await;
    assert!(flat(&wrong).contains("issue 1 is the newest"), "{wrong}");
    let back = house.ask(&editor(), "edit withdraw 1").await;
    assert!(
        back.contains("BPF updates 01 is withdrawn")
            && back.contains("Its one post is being removed"),
        "{back}"
    );
    house.pass().await;
    assert!(issues_in(&house).is_empty(), "{:?}", house.chat.room(NEWS));
    let none = house.ask(&reader(), "issue 1").await;
    assert!(none.contains("There is no issue 1"), "{none}");
    assert_eq!(house.rows("withdrawn_issues").await, 1, "it is kept");
    let audit = house.audit().await;
    assert!(
        audit.iter().any(|row| row.ends_with(": withdrew issue 1")),
        "{audit:?}"
    );
    // Its number is free, and its decisions belong to the next issue.
    house
        .post(&[mail("d", 300, "[PATCH bpf] bpf: Fix another leak", "")])
        .await;
    house.advance(TimeDelta::minutes(1));
    let again = house.ask(&editor(), "edit publish 1").await;
    assert!(again.contains("BPF updates 01 is published"), "{again}");
    house.pass().await;
    assert_eq!(issues_in(&house).len(), 1);
    let latest = house.ask(&reader(), "latest").await;
    assert!(
        latest.contains("Fix another leak") && latest.contains("Mind this."),
        "{latest}"
    );
    house.ask(&editor(), "edit correct 1 Not so.").await;
    let late = house.ask(&editor(), "edit withdraw 1").await;
    assert!(flat(&late).contains("it was corrected since"), "{late}");
    assert_eq!(out(&house).await, 1);
}

/// An issue that is withdrawn before its posts are sent is posted nowhere.
#[tokio::test]
async fn an_issue_withdrawn_before_its_posts_is_posted_nowhere() {
    let house = house().await;
    house.ask(&editor(), "edit publish 1").await;
    house.ask(&editor(), "edit withdraw 1").await;
    for _ in 0..2 {
        house.pass().await;
    }
    assert!(issues_in(&house).is_empty(), "{:?}", house.chat.room(NEWS));
}

#[tokio::test]
async fn editors_texts_keep_their_lines_and_history() {
    let house = house().await;
    let (ed, boss) = (editor(), boss());
    house.ask(&ed, "edit intro First.\n\n- one\n- two").await;
    let draft = house.ask(&ed, "edit draft").await;
    assert!(
        draft.contains("First.\n▏ - one\n▏ - two\n"),
        "it keeps its lines: {draft}"
    );
    // Discord passes one line.
    house.chat.forget();
    // Nobody replaces another person's text without having seen it.
    let asked = house.ask(&boss, "edit intro Second.\\n\\nOf two.").await;
    let version = asked.split("version=").nth(1).expect("the version");
    let version = version.split('.').next().unwrap_or_default();
    let asked = flat(&asked);
    for wanted in ["Your text was not saved", "First.  - one - two", "Second."] {
        assert!(asked.contains(wanted), "{wanted}: {asked}");
    }
    let again = format!("edit intro version={version} Second.\\n\\nOf two.");
    let changed = house.ask(&boss, &again).await;
    let shown = flat(&changed);
    assert!(
        shown.contains("It replaces that of @ed:x.example on matrix on ")
            && shown.contains("which /bpfnews-edit undo restores: First.  - one - two"),
        "{changed}"
    );
    house.pass().await;
    let ops = house.chat.room(OPS);
    assert_eq!(
        ops,
        ["111111 on discord changed the introduction"],
        "the others hear of it"
    );
    let draft = house.ask(&ed, "edit draft").await;
    assert!(draft.contains("Second.\n▏ Of two.\n"), "{draft}");
    // One step at a time, each with an answer.
    let undone = flat(&house.ask(&ed, "edit undo").await);
    assert!(
        undone.contains("Undone: intro: Second.") && undone.contains("intro: First."),
        "{undone}"
    );
    assert!(house.ask(&ed, "edit draft").await.contains("First."));
    let undone = flat(&house.ask(&ed, "edit undo").await);
    assert!(undone.contains("There is no earlier decision"), "{undone}");
    let undone = house.ask(&ed, "edit undo").await;
    assert!(undone.contains("There is no decision to undo"), "{undone}");
    let audit = house.audit().await.join("\n");
    for wanted in [
        "wrote the introduction: First.\n\n- one\n- two",
        "wrote the introduction: Second.\n\nOf two.",
        "undid the decision of 111111 on discord about The introduction: intro: Second.",
    ] {
        assert!(audit.contains(wanted), "{wanted}: {audit}");
    }
}

#[tokio::test]
async fn two_editors_see_each_others_decisions() {
    let house = house().await;
    let other = discord("333333", NEWS, SERVER);
    house.ask(&editor(), "edit drop bpf: Fix a leak").await;
    let told = flat(
        &house
            .ask(&other, "edit note \"bpf: Fix a leak\" Good.")
            .await,
    );
    assert!(
        told.contains("Before that, @ed:x.example on matrix decided on ")
            && told.contains(": drop."),
        "{told}"
    );
    // Nobody is notified of their own edits.
    let told = house.ask(&other, "edit pin bpf: Fix a leak").await;
    assert!(!told.contains("Before that,"), "{told}");
    // One step back: the pin is removed; the note and all earlier edits stay.
    let undone = flat(&house.ask(&editor(), "edit undo bpf: Fix a leak").await);
    assert!(
        undone.contains("Undone: pin") && undone.contains("note: Good."),
        "{undone}"
    );
    house.ask(&editor(), "edit undo bpf: Fix a leak").await;
    let undone = flat(&house.ask(&editor(), "edit undo bpf: Fix a leak").await);
    assert!(undone.contains("Undone: drop"), "{undone}");
}

/// A house whose issues come out on Wednesdays, on a Wednesday after that hour, and the rules for its issues.
async fn wednesday(set: &mut Set) -> House {
    let house = house().await;
    set.issue = IssueConfig {
        publish: Some(Schedule {
            day: Some(Weekday::Wed),
            at: NaiveTime::from_hms_opt(16, 0, 0).expect("a time"),
        }),
        ..IssueConfig::default()
    };
    house
}

async fn pass(house: &House, set: &Set) {
    let generation = house.live.now();
    let destinations = || generation.ingest.destinations();
    let looked = schedule::pass(&house.live.store, destinations, set.rules(), house.now()).await;
    looked.expect("a database");
    house.pass().await;
}

async fn until_wednesday(house: &House) {
    use chrono::Datelike as _;
    loop {
        house.advance(TimeDelta::hours(1));
        let now = house.now();
        if now.weekday() == Weekday::Wed && now.format("%H").to_string() == "17" {
            return;
        }
    }
}

fn held(house: &House) -> usize {
    let told = house.chat.room(OPS).into_iter();
    told.filter(|told| told.contains("is held back")).count()
}

#[tokio::test]
async fn the_issue_of_an_unread_week_is_held_and_maintainers_get_one_question() {
    let mut set = Set::new();
    let house = wednesday(&mut set).await;
    until_wednesday(&house).await;
    house.pass().await;
    pass(&house, &set).await;
    assert_eq!(out(&house).await, 1, "all was read");
    // From now on, the list answers with a wall.
    house.put_raw(
        "/bpf/new.atom",
        crate::rude::answer("403 Forbidden", &[], "<html>Are you a person?</html>"),
    );
    house.advance(TimeDelta::days(1));
    until_wednesday(&house).await;
    for _ in 0..3 {
        house.pass().await;
        pass(&house, &set).await;
        house.advance(TimeDelta::minutes(30));
    }
    assert_eq!(out(&house).await, 1, "{:?}", house.chat.room(OPS));
    assert_eq!(held(&house), 1, "{:?}", house.chat.room(OPS));
    let asked = flat(&house.ask(&editor(), "edit publish 2").await);
    assert!(asked.contains("was not read: bpf since "), "{asked}");
    let sure = house.ask(&editor(), "edit publish 2 sure=yes").await;
    assert!(sure.contains("BPF updates 02 is published"), "{sure}");
    assert_eq!(house.rows("troubles WHERE subject = 'issue'").await, 0);
}

#[tokio::test]
async fn the_issue_of_an_empty_week_is_held_until_there_is_news() {
    let mut set = Set::new();
    let mut house = wednesday(&mut set).await;
    until_wednesday(&house).await;
    house.pass().await;
    pass(&house, &set).await;
    assert_eq!(out(&house).await, 1);
    house.advance(TimeDelta::days(1));
    until_wednesday(&house).await;
    for _ in 0..3 {
        house.pass().await;
        pass(&house, &set).await;
        house.advance(TimeDelta::minutes(30));
    }
    assert_eq!((out(&house).await, held(&house)), (1, 1));
    let minutes = (house.now() - crate::world::noon()).num_minutes();
    house
        .post(&[mail("e", minutes, "[PATCH bpf] bpf: Fix it all", "")])
        .await;
    house.advance(TimeDelta::minutes(1));
    pass(&house, &set).await;
    assert_eq!(out(&house).await, 2, "it comes out by itself");
}

#[tokio::test]
async fn a_withdrawn_issue_is_not_published_again_that_day() {
    let mut set = Set::new();
    let house = wednesday(&mut set).await;
    until_wednesday(&house).await;
    house.pass().await;
    pass(&house, &set).await;
    assert_eq!(out(&house).await, 1);
    house.ask(&editor(), "edit withdraw 1").await;
    for _ in 0..3 {
        house.advance(TimeDelta::hours(5));
        pass(&house, &set).await;
        pass(&house, &set).await;
    }
    assert_eq!(out(&house).await, 0);
    until_wednesday(&house).await;
    house.pass().await;
    pass(&house, &set).await;
    assert_eq!(out(&house).await, 1, "a week later it does");
    let latest = house.ask(&reader(), "latest").await;
    assert!(
        latest.contains("Fix a leak"),
        "from where it began: {latest}"
    );
}

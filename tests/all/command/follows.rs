//! Follows: people get direct messages, at most one in a quarter of an hour, and each piece of news once. On request,
//! everything about them is erased.

use bpfnews::channel::{Scope, SendError};
use bpfnews::chat::{Completes, Requester};
use chrono::TimeDelta;
use insta::assert_snapshot;
use sqlx::Row as _;

use super::house::{House, NEWS, SERVER, boss, discord, matrix, reader};
use crate::documents::{Mail, mail};

/// A person on Discord. The id is long enough to search the database for it.
const ANN: &str = "777000111222333";
const PATCH: &str = "[PATCH bpf-next] bpf: Let maps grow";

fn ann() -> Requester {
    discord(ANN, NEWS, SERVER)
}

/// A house with a series that was posted two hours ago, and the id of the series.
async fn house() -> (House, String) {
    let mut house =
        House::with("discord_users = [\"111111\"]\ncooldown_s = 0\n\n[follow]\neach_max = 3\n")
            .await;
    house.post(&[mail("a", 60, PATCH, "")]).await;
    let offered = house.offered(&reader(), Completes::Story, "maps").await;
    let id = offered[0].rsplit(" = ").next().expect("an id").to_owned();
    house.chat.by_clock(&house.live.clock);
    (house, id)
}

/// A mail that was sent now.
fn now(house: &House, id: &str, subject: &str, parent: &str) -> Mail {
    let minutes = (house.now() - crate::world::noon()).num_minutes();
    mail(id, minutes, subject, parent)
}

/// The mail arrives. The next poll reads it two hours later, and messages are sent a quarter of an hour after that.
async fn moves(house: &mut House, id: &str, subject: &str) {
    let mail = now(house, id, subject, "a");
    house.post(&[mail]).await;
    house.advance(TimeDelta::minutes(15));
    house.pass().await;
}

/// The lines of the messages to a person.
fn told(house: &House, person: &str) -> Vec<Vec<String>> {
    let told = house.chat.told_to(person, true);
    told.into_iter().map(|told| told.lines).collect()
}

#[tokio::test]
async fn a_story_is_followed_and_left() {
    let (mut house, id) = house().await;
    assert_snapshot!(house.ask(&ann(), &format!("follow {id}")).await);
    assert_snapshot!(house.ask(&ann(), &format!("follow {id}")).await);
    assert_eq!(
        told(&house, ANN),
        [[""; 0]; 0],
        "what moved before is no news"
    );
    let second = now(&house, "b", "[PATCH bpf-next v2] bpf: Let maps grow", "a");
    house.post(&[second]).await;
    assert_eq!(told(&house, ANN), [[""; 0]; 0], "news are gathered");
    house.advance(TimeDelta::minutes(14));
    house.pass().await;
    assert_eq!(told(&house, ANN), [[""; 0]; 0]);
    house.advance(TimeDelta::minutes(1));
    house.pass().await;
    assert_eq!(told(&house, ANN), [["bpf: Let maps grow: v2"]]);
    assert_snapshot!(house.ask(&ann(), "follows").await);
    assert_snapshot!(house.ask(&reader(), "follows").await);
    assert_snapshot!(house.ask(&reader(), "unfollow 1").await);
    assert_snapshot!(house.ask(&ann(), "unfollow 1").await);
    moves(
        &mut house,
        "c",
        "Re: [PATCH bpf-next v2] bpf: Let maps grow",
    )
    .await;
    assert_eq!(told(&house, ANN).len(), 1);
}

#[tokio::test]
async fn several_follows_are_one_message_with_one_line() {
    let (mut house, id) = house().await;
    let bob = matrix("@bob:x.example", "!room:x.example");
    for what in [id.as_str(), "author:A. Author", "a. author"] {
        house.ask(&ann(), &format!("follow {what}")).await;
        house.ask(&bob, &format!("follow {what}")).await;
    }
    let mails = [
        now(&house, "b", "[PATCH bpf-next v2] bpf: Let maps grow", "a"),
        now(&house, "x", "[PATCH bpf-next] bpf: Let rings shrink", ""),
    ];
    house.post(&mails).await;
    house.advance(TimeDelta::minutes(15));
    house.pass().await;
    for person in [ANN, "@bob:x.example"] {
        let told = told(&house, person);
        assert_eq!(told.len(), 1, "{person}: {told:?}");
        let mut lines = told[0].clone();
        lines.sort();
        assert_eq!(
            lines,
            ["bpf: Let maps grow: v2", "bpf: Let rings shrink: posted"]
        );
    }
}

#[tokio::test]
async fn limits_and_wrong_words_are_explained() {
    let (house, id) = house().await;
    for what in [id.as_str(), "author:Ann One", "author:Ann Two"] {
        house.ask(&ann(), &format!("follow {what}")).await;
    }
    assert_snapshot!(house.ask(&ann(), "follow author:Ann Three").await);
    assert_snapshot!(house.ask(&ann(), "follow author:x").await);
    assert_snapshot!(house.ask(&ann(), "follow nothing of the kind").await);
    assert_snapshot!(house.ask(&ann(), "unfollow all").await);
    assert_snapshot!(house.ask(&ann(), "follows").await);
}

#[tokio::test]
async fn closed_messages_are_named_once_where_the_person_asked() {
    let (mut house, id) = house().await;
    house.ask(&ann(), &format!("follow {id}")).await;
    house.ask(&reader(), &format!("follow {id}")).await;
    let closed = SendError::Never {
        scope: Scope::Channel,
        why: "closed".to_owned(),
    };
    house.chat.close(ANN, Some(closed));
    for (round, id) in ["b", "c", "d"].into_iter().enumerate() {
        let subject = format!("[PATCH bpf-next v{}] bpf: Let maps grow", round + 2);
        moves(&mut house, id, &subject).await;
    }
    assert_eq!(told(&house, ANN), [[""; 0]; 0]);
    assert_eq!(told(&house, "555555").len(), 3, "others get theirs");
    let mentions = house.chat.told_to(ANN, false);
    assert_eq!(mentions.len(), 1);
    assert_eq!(mentions[0].lines, ["Your direct messages are closed"]);
    assert_eq!(
        house.rows("troubles").await,
        0,
        "maintainers have nothing to do"
    );
    // The person opens direct messages again, and asks again.
    house.chat.close(ANN, None);
    assert_snapshot!(house.ask(&ann(), &format!("follow {id}")).await);
    moves(&mut house, "e", "[PATCH bpf-next v5] bpf: Let maps grow").await;
    assert_eq!(told(&house, ANN).len(), 1);
}

#[tokio::test]
async fn a_person_may_be_mentioned_in_the_thread_instead() {
    let (mut house, id) = house().await;
    house.ask(&ann(), &format!("follow way=thread {id}")).await;
    moves(&mut house, "b", "[PATCH bpf-next v2] bpf: Let maps grow").await;
    assert_eq!(told(&house, ANN), [[""; 0]; 0]);
    let mentions = house.chat.told_to(ANN, false);
    assert_eq!(mentions.len(), 1);
    assert_eq!(mentions[0].lines, ["bpf: Let maps grow: v2"]);
    // On another platform, a person does not see that post.
    let stranger = discord("888000111222333", "1", "2");
    house
        .ask(&stranger, &format!("follow way=thread {id}"))
        .await;
    moves(&mut house, "c", "[PATCH bpf-next v3] bpf: Let maps grow").await;
    assert_eq!(told(&house, "888000111222333").len(), 1);
    assert_eq!(house.chat.told_to(ANN, false).len(), 2);
}

#[tokio::test]
async fn at_most_one_message_comes_in_a_quarter_of_an_hour() {
    let (house, id) = house().await;
    house.ask(&ann(), &format!("follow {id}")).await;
    let mut mails = 0;
    for minute in 0..600 {
        if minute % 3 == 0 {
            mails += 1;
            let answer = now(&house, &format!("r{minute}"), &format!("Re: {PATCH}"), "a");
            house.list(&[answer]);
        }
        house.advance(TimeDelta::minutes(1));
        house.pass().await;
    }
    house.advance(TimeDelta::hours(3));
    house.pass().await;
    house.advance(TimeDelta::minutes(15));
    house.pass().await;
    let told = house.chat.told_to(ANN, true);
    assert!(told.len() >= 3, "{told:?}");
    for pair in told.windows(2) {
        assert!(pair[1].at - pair[0].at >= 900, "{pair:?}");
    }
    let counted: usize = told
        .iter()
        .flat_map(|told| &told.lines)
        .map(|line| match line.rsplit_once(": ").expect("what moved").1 {
            "a new mail" => 1,
            many => many
                .split(' ')
                .next()
                .and_then(|many| many.parse().ok())
                .unwrap_or(1),
        })
        .sum();
    assert!(counted <= mails, "{counted} of {mails}");
}

/// All texts in all tables that contain the person's id.
async fn traces(house: &House, person: &str) -> Vec<String> {
    let mut reader = house
        .live
        .store
        .read()
        .acquire()
        .await
        .expect("a connection");
    let tables: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'story_search%'",
    )
    .fetch_all(&mut *reader)
    .await
    .expect("the database answers");
    let mut found = Vec::new();
    for (table,) in tables {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("SELECT * FROM {table}")))
            .fetch_all(&mut *reader)
            .await
            .expect("the database answers");
        for row in rows {
            for column in 0..row.columns().len() {
                let text: Option<String> = row.try_get_unchecked(column).ok();
                let bytes: Option<Vec<u8>> = row.try_get_unchecked(column).ok();
                let has = text.is_some_and(|text| text.contains(person))
                    || bytes.is_some_and(|bytes| contains(&bytes, person));
                if has {
                    let name = sqlx::Column::name(&row.columns()[column]);
                    found.push(format!("{table}.{name}"));
                }
            }
        }
    }
    found
}

fn contains(bytes: &[u8], person: &str) -> bool {
    bytes
        .windows(person.len())
        .any(|part| part == person.as_bytes())
}

#[tokio::test]
async fn forget_me_leaves_no_trace_and_says_what_there_was() {
    let (mut house, id) = house().await;
    let keeper = discord(ANN, NEWS, SERVER);
    // A maintainer who also reads: all places that store an id.
    std::fs::write(
        &house.file,
        std::fs::read_to_string(&house.file)
            .expect("a file")
            .replace("[\"111111\"]", &format!("[\"111111\", \"{ANN}\"]")),
    )
    .expect("room on the disk");
    house.live.reload().await.expect("a good file");
    house.ask(&keeper, &format!("follow {id}")).await;
    house.ask(&keeper, "follow author:Some Body").await;
    moves(&mut house, "b", "[PATCH bpf-next v2] bpf: Let maps grow").await;
    house
        .ask(&keeper, "suggest https://one.example/ because")
        .await;
    house.ask(&keeper, "edit accept 1").await;
    house.ask(&keeper, &format!("edit pin {id}")).await;
    house.ask(&keeper, "edit intro Hello").await;
    house.ask(&keeper, "admin mute words something dull").await;
    house.put_blog("/blog.rss", &["One"]);
    house
        .ask(
            &keeper,
            &format!(
                "admin feeds add blog http://127.0.0.1:{}/blog.rss",
                house.port()
            ),
        )
        .await;
    house.ask(&keeper, "admin suggest ban 444444444444").await;
    house
        .ask(&boss(), &format!("admin suggest ban {ANN}"))
        .await;
    house.pass().await;
    let before = traces(&house, ANN).await;
    for column in [
        "recipients.address",
        "suggestions.person",
        "suggestions.decided_by",
        "audit.person",
        "audit.what",
        "bans.person",
        "bans.banned_by",
        "edits.person",
        "mutes.muted_by",
        "additions.added_by",
        "posts.content",
    ] {
        assert!(
            before.iter().any(|one| one == column),
            "{column} of {before:?}"
        );
    }
    assert_snapshot!(house.ask(&keeper, "forget me").await);
    house.pass().await;
    assert_eq!(traces(&house, ANN).await, [""; 0]);
    assert_eq!(house.rows("follows").await, 0);
    let file = house.live.now().effective.config.database.clone();
    house
        .live
        .store
        .checkpoint()
        .await
        .expect("room on the disk");
    for ending in ["", "-wal"] {
        let path = format!("{}{ending}", file.display());
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!contains(&bytes, ANN), "{path} still has it");
    }
    // The ban stays, and maintainers can lift it.
    assert_snapshot!(house.ask(&ann(), "suggest https://two.example/").await);
    assert_snapshot!(
        house
            .ask(&boss(), &format!("admin suggest lift {ANN}"))
            .await
    );
    assert_snapshot!(house.ask(&reader(), "forget me").await);
}

#[tokio::test]
async fn a_filter_is_followed_and_explained() {
    let (mut house, _) = house().await;
    let filter = "kind:series and not title:maps";
    assert_snapshot!(house.ask(&ann(), &format!("follow {filter}")).await);
    assert_snapshot!(house.ask(&ann(), "follow kind:sries").await);
    assert_snapshot!(house.ask(&ann(), "follow title:/a+/").await);
    assert_snapshot!(
        house
            .ask(&ann(), "follow author:\"A. Author\" and kind:pull")
            .await
    );
    let mails = [
        now(&house, "x", "[PATCH bpf-next] bpf: Let rings shrink", ""),
        now(&house, "y", "[PATCH bpf-next] bpf: Let maps shrink", ""),
        now(&house, "z", "A thread about BPF", ""),
    ];
    house.post(&mails).await;
    house.advance(TimeDelta::minutes(15));
    house.pass().await;
    assert_eq!(told(&house, ANN), [["bpf: Let rings shrink: posted"]]);
}

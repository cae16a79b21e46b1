//! Rights: every command, given by every kind of person.

use bpfnews::chat::{Audience, Requester, table::COMMANDS};
use chrono::TimeDelta;

use super::house::{
    FOREIGN, House, NEWS, OPS, ROOM, SERVER, boss, discord, managing, matrix, reader,
};

fn with_role(mut by: Requester, role: &str) -> Requester {
    by.roles.push(role.to_owned());
    by
}

/// Whether a person is refused for lack of rights.
async fn is_refused(house: &House, by: &Requester, text: &str) -> bool {
    house
        .ask(by, text)
        .await
        .contains("Only maintainers may do that")
}

fn admin_calls() -> Vec<String> {
    let admin = COMMANDS
        .iter()
        .filter(|spec| spec.audience == Audience::Maintainers);
    let text = |spec: &'static bpfnews::chat::CommandSpec| {
        let needed = spec.args.iter().filter(|arg| arg.is_required);
        let call = spec.call(needed.map(|arg| (arg.name.to_owned(), "12345".to_owned())));
        format!("admin {}", call.expect("a call").words())
    };
    admin.map(text).collect()
}

#[tokio::test]
async fn nobody_without_the_right_changes_anything() {
    let house = House::new().await;
    // The handler learns the server of the channel, and so knows its managers.
    house.ask(&reader(), "status").await;
    #[rustfmt::skip]
    let table = [
        ("a reader", reader(), true),
        ("a reader in the room", matrix("@a:x.example", ROOM), true),
        ("a manager of a foreign server", managing(discord("5", "7", FOREIGN)), true),
        ("a moderator of a foreign room", managing(matrix("@a:x.example", "!other:x.example")), true),
        ("a Matrix account by a Discord id", matrix("111111", ROOM), true),
        ("a role of another number", with_role(reader(), "222223"), true),
        ("a maintainer", boss(), false),
        ("a maintainer elsewhere", discord("111111", "7", FOREIGN), false),
        ("a role", with_role(reader(), "222222"), false),
        ("a maintainer's account", matrix("@boss:x.example", OPS), false),
        ("a manager of the server", managing(discord("5", "7", SERVER)), false),
        ("a moderator of the room", managing(matrix("@a:x.example", ROOM)), false),
    ];
    for (who, by, refused) in table {
        for call in admin_calls() {
            assert_eq!(
                is_refused(&house, &by, &call).await,
                refused,
                "{who}: {call}"
            );
        }
    }
}

#[tokio::test]
async fn a_refused_person_changes_nothing_and_learns_nothing() {
    let house = House::new().await;
    let foreign = managing(discord("5", "7", FOREIGN));
    let before = [
        house.rows("audit").await,
        house.rows("additions").await,
        house.rows("mutes").await,
        house.rows("bans").await,
    ];
    for call in admin_calls() {
        for by in [&reader(), &foreign] {
            let told = house.ask(by, &call).await;
            assert!(told.starts_with("(privately)"), "{call}: {told}");
            for secret in ["127.0.0.1", ROOM, OPS, "111111", "config.toml"] {
                assert!(!told.contains(secret), "{call} shows {secret}: {told}");
            }
        }
    }
    let after = [
        house.rows("audit").await,
        house.rows("additions").await,
        house.rows("mutes").await,
        house.rows("bans").await,
    ];
    assert_eq!(after, before);
    assert_eq!(house.asked(), [""; 0], "nothing was fetched for them");
}

#[tokio::test]
async fn managers_of_a_channel_that_was_added_in_chat_have_no_rights() {
    let house = House::new().await;
    let there = "300300300";
    let told = house
        .ask(&boss(), &format!("admin route add other room={there}"))
        .await;
    assert!(told.contains("other was added"), "{told}");
    // They speak in the channel itself, so its server is known. The file still names no channel there.
    let manager = managing(discord("5", there, FOREIGN));
    house.ask(&manager, "status").await;
    assert!(is_refused(&house, &manager, "admin audit").await);
}

#[tokio::test]
async fn managers_add_and_remove_channels_where_they_are() {
    let house = House::new().await;
    let manager = managing(discord("5", NEWS, SERVER));
    let elsewhere = house
        .ask(&manager, "admin route add x room=300300300")
        .await;
    assert!(elsewhere.contains("leave out room"), "{elsewhere}");
    let mods = managing(discord("5", "400400400", SERVER));
    assert!(
        house
            .ask(&mods, "admin route add mods")
            .await
            .contains("mods was added")
    );
    house
        .ask(&boss(), "admin route add other room=300300300")
        .await;
    let told = house.ask(&manager, "admin route remove other").await;
    assert!(told.contains("is not part of it"), "{told}");
    assert!(
        house
            .ask(&mods, "admin route remove mods")
            .await
            .contains("mods was removed")
    );
    assert!(
        house
            .ask(&boss(), "admin route remove other")
            .await
            .contains("other was removed")
    );
}

#[tokio::test]
async fn answers_for_maintainers_only_are_not_shown_to_everybody() {
    let house = House::new().await;
    let by_room = |room: &str| matrix("@boss:x.example", room);
    for call in [
        "feeds list",
        "feeds test bpf",
        "route list",
        "mute list",
        "suggest list",
        "audit",
    ] {
        let call = format!("admin {call}");
        let open = house.ask(&by_room(ROOM), &call).await;
        assert!(
            open.contains("only in the maintainers' room"),
            "{call}: {open}"
        );
        let own = house.ask(&by_room(OPS), &call).await;
        assert!(
            !own.contains("only in the maintainers' room"),
            "{call}: {own}"
        );
        // On Discord, nobody else sees the answer.
        assert!(
            house.ask(&boss(), &call).await.starts_with("(privately)"),
            "{call}"
        );
    }
}

#[tokio::test]
async fn a_person_who_asks_too_fast_is_warned_once_and_then_ignored() {
    let house = House::with("discord_users = [\"111111\"]\ncooldown_s = 10\n").await;
    for _ in 0..5 {
        assert!(house.ask(&reader(), "status").await.contains("feeds work"));
    }
    assert!(house.ask(&reader(), "status").await.contains("Slow down"));
    assert_eq!(house.ask(&reader(), "status").await, "(silence)");
    assert!(house.ask(&boss(), "status").await.contains("feeds work"));
    house.advance(TimeDelta::seconds(10));
    assert!(house.ask(&reader(), "status").await.contains("feeds work"));
    // Calls that make no sense count too.
    assert!(house.ask(&reader(), "dance").await.contains("Slow down"));
}

//! After a restore, a new device reads the messages of an older one: in plain rooms at once, in encrypted ones with the
//! recovery key.

use bpfnews::post::story::Digest;

use super::*;

fn list(mark: &str, stories: &[&str]) -> Content {
    let lines = stories.iter().map(|story| match line("Posted", story) {
        Content::Line(line) => line,
        _ => unreachable!("it is a line"),
    });
    Content::Digest(Digest {
        title: "BPF news".to_owned(),
        lines: lines.collect(),
        mark: mark.to_owned(),
    })
}

/// The marks of the messages in a room, and of the stories in lists, sorted.
async fn marks(bot: &Matrix, room: &RoomId, since: i64) -> Result<Vec<String>, SendError> {
    let found = bot.standing(room.as_str(), since).await?;
    let mut marks: Vec<String> = found
        .iter()
        .map(|found| format!("{} {:?}", found.mark, found.lists))
        .collect();
    marks.sort();
    Ok(marks)
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_a_new_device_finds_standing_messages() {
    let home = Home::start(&[]);
    let (before, after) = (
        TempDir::new().expect("a temporary folder"),
        TempDir::new().expect("a temporary folder"),
    );
    let alice = home.person("alice").await;
    let since = chrono::Utc::now().timestamp() - 5;
    let bot = home.bot(before.path());
    let mut rooms = Vec::new();
    for is_encrypted in [false, true] {
        let room = room(&alice, &home.text("bot", "id"), is_encrypted).await;
        alice.sync_once(SyncSettings::new()).await.expect("a sync");
        let key = |key: &str| format!("{is_encrypted}-{key}");
        let first = bot.deliver(&send(&room, "a", &key("1"))).await;
        let receipt = first.expect("a post");
        // A story can get another id when more of it arrives.
        let edit = Act::Edit {
            receipt,
            content: line("Applied", "a2"),
        };
        bot.deliver(&work(&room, edit, &key("2")))
            .await
            .expect("an edit");
        let gone = bot.deliver(&send(&room, "b", &key("3"))).await;
        let remove = Act::Remove {
            receipt: gone.expect("a post"),
        };
        bot.deliver(&work(&room, remove, &key("4")))
            .await
            .expect("a removal");
        let list = Act::Send {
            content: list("d1", &["c", "e"]),
            under: None,
        };
        bot.deliver(&work(&room, list, &key("5")))
            .await
            .expect("a list");
        rooms.push(room);
    }
    let key = bot.make_recovery_key().await.expect("a key");
    let wanted = ["a []", "a2 []", "d1 [\"c\", \"e\"]"];
    for room in &rooms {
        assert_eq!(
            marks(&bot, room, since).await.expect("it can be read"),
            wanted
        );
    }
    // bpfnews asks only for newer messages, but a page may bring more.
    let later = chrono::Utc::now().timestamp() + 60;
    assert!(bot.standing(rooms[0].as_str(), later).await.is_ok());
    drop(bot);

    let bot = home.bot(after.path());
    assert_eq!(
        marks(&bot, &rooms[0], since).await.expect("a plain room"),
        wanted
    );
    let unread = marks(&bot, &rooms[1], since).await;
    let is_told = matches!(
        &unread,
        Err(SendError::Never { scope: Scope::Channel, why }) if why.contains("bpfnews matrix recover")
    );
    assert!(is_told, "nobody can read the messages there: {unread:?}");
    bot.recover(&key).await.expect("recovered");
    assert_eq!(
        marks(&bot, &rooms[1], since)
            .await
            .expect("an encrypted room"),
        wanted
    );
}

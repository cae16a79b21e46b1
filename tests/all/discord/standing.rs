//! After a restore, all messages in a channel are found.

use std::collections::BTreeSet;

use bpfnews::channel::Platform as _;
use bpfnews::post::story::{Content, Digest, Line};

use super::fake::{Fake, Right, Room};
use super::{FORUM, OTHER, ROOM, discord, line, send};

#[tokio::test]
async fn all_messages_are_found_with_the_stories_in_lists() {
    let rooms = [Room::text(ROOM), Room::text(OTHER), Room::forum(FORUM, &[])];
    let fake = Fake::start(&rooms).await;
    fake.limit_messages(1000, std::time::Duration::from_secs(1));
    let discord = discord(&fake);
    // More messages than one page has.
    for number in 0..120 {
        let content = line(&format!("mark{number}"), "A story");
        let key = format!("k{number}");
        discord
            .deliver(&send(ROOM, &key, content))
            .await
            .expect("it is sent");
    }
    let listed = |number: usize| match line(&format!("list0000{number:02}"), "A story") {
        Content::Line(line) => line,
        _ => unreachable!("it is a line"),
    };
    let lines: Vec<Line> = (0..15).map(listed).collect();
    let named: Vec<String> = lines.iter().map(|line| line.mark.clone()).collect();
    let list = Content::Digest(Digest {
        title: "BPF news".to_owned(),
        lines,
        mark: "dabc".to_owned(),
    });
    discord
        .deliver(&send(ROOM, "list", list))
        .await
        .expect("it is sent");
    let found = discord.standing(ROOM, 0).await.expect("it can be read");
    assert_eq!(found.len(), 121);
    let marks: BTreeSet<&str> = found.iter().map(|found| found.mark.as_str()).collect();
    assert!((0..120).all(|number| marks.contains(format!("mark{number}").as_str())));
    let list = found.iter().find(|found| found.mark == "dabc");
    let last = list.expect("the list stands");
    assert_eq!(last.title, "BPF news");
    assert_eq!(last.lists, named);
    let others = found.iter().filter(|found| found.mark != "dabc");
    assert!(others.into_iter().all(|found| found.lists.is_empty()));
    // In a forum, each message is a thread, and one is archived.
    for mark in ["a", "b"] {
        discord
            .deliver(&send(FORUM, mark, line(mark, mark)))
            .await
            .expect("it is sent");
    }
    let thread = fake.threads(FORUM)[0].id.clone();
    fake.change(&thread, |thread| thread.is_archived = true);
    let found = discord.standing(FORUM, 0).await.expect("it can be read");
    let mut marks: Vec<(&str, bool)> = found
        .iter()
        .map(|found| (&*found.mark, found.receipt.thread.is_some()))
        .collect();
    marks.sort_unstable();
    assert_eq!(marks, [("a", true), ("b", true)]);
    // A channel whose history cannot be read does not count as empty.
    discord
        .deliver(&send(OTHER, "o", line("o", "o")))
        .await
        .expect("it is sent");
    fake.change(OTHER, |room| {
        room.denied.insert(Right::ReadHistory);
    });
    assert!(discord.standing(OTHER, 0).await.is_err());
}

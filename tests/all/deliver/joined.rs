//! Two stories prove to be one: the younger post is removed, and leaves no stub.

use chrono::TimeDelta;

use super::platform::Chat;
use super::{list, put_mails};
use crate::documents::mail;

#[tokio::test]
async fn the_younger_post_of_two_that_became_one_is_taken_away() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    // The mail that the second one answers is not stored yet.
    let mut mails = vec![
        mail("p1", 62, "[PATCH bpf-next] bpf: Do it", ""),
        mail(
            "q3",
            70,
            "[PATCH bpf-next v3] bpftool: Show maps in colour, Do it",
            "p2",
        ),
    ];
    put_mails(&world, &mails);
    world.poll().await;
    let delivery_loop = chat.delivery_loop(&world);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.bpf().len(), 2, "{:?}", chat.bpf());
    mails.push(mail("p2", 66, "[PATCH bpf-next v2] bpf: Do it", "p1"));
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    for _ in 0..2 {
        delivery_loop.pass().await.expect("a pass");
        world.advance(TimeDelta::minutes(1));
    }
    let told = chat.bpf();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("Show maps in colour"), "{told:?}");
    assert!(!told[0].contains("another post"), "{told:?}");
}

/// A story separates again: a removed post is sent anew, and a post that still stands is edited.
#[tokio::test]
async fn a_post_is_restored_when_its_story_separates_again() {
    for removal in ["done", "owed"] {
        let chat = Chat::new();
        let mut world = list(&chat).await;
        let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")];
        put_mails(&world, &mails);
        world.poll().await;
        let delivery_loop = chat.delivery_loop(&world);
        delivery_loop.pass().await.expect("a pass");
        // As if another post had covered its story, and this post's message was removed or queued for removal.
        let mut tx = world.ingest.store.write().await.expect("a transaction");
        let joined = sqlx::query("UPDATE posts SET state = 'joined' WHERE content LIKE '%Do it%'");
        joined
            .execute(&mut *tx)
            .await
            .expect("the database answers");
        let removed = sqlx::query(
            "INSERT INTO deliveries (id, channel_id, post_id, verb, nonce, due_at, state)
             SELECT (SELECT MAX(id) + 1 FROM deliveries), channel_id, id, 'remove', 77, 0, $1
             FROM posts WHERE state = 'joined'",
        );
        let removed = removed.bind(removal).execute(&mut *tx).await;
        removed.expect("the database answers");
        tx.commit().await.expect("it is kept");
        if removal == "done" {
            chat.delete_all();
        }
        let sends = chat.sends();
        mails.push(mail("p2", 200, "[PATCH bpf-next v2] bpf: Do it", "p1"));
        put_mails(&world, &mails);
        world.poll_when_due("bpf").await;
        for _ in 0..2 {
            delivery_loop.pass().await.expect("a pass");
            world.advance(TimeDelta::minutes(1));
        }
        assert_eq!(chat.bpf(), ["bpf: Do it: v2"], "{removal}");
        let is_new = usize::from(removal == "done");
        let healthy = 1;
        assert!(chat.sends() - sends <= is_new + healthy, "{removal}");
    }
}

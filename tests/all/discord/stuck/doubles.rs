//! The first request for a forum post arrives after the retry made the post: only one of the two stays.

use super::*;

/// A forum with a channel, and a delivery loop whose requests may take [`HASTE`].
async fn forum() -> Stage {
    Stage::new(&[Room::forum(FORUM, &["Posted"])], vec![channel(FORUM)]).await
}

const MAKES: &str = "POST /channels/100015/threads";

/// The threads of the forum whose post still exists, by id.
fn standing(fake: &Fake) -> Vec<String> {
    let threads = fake.threads(FORUM).into_iter();
    let threads = threads.filter(|thread| !fake.titles(&thread.id).is_empty());
    threads.map(|thread| thread.id).collect()
}

#[tokio::test]
async fn a_first_request_that_arrives_after_the_retry_leaves_one_post() {
    let mut stage = forum().await;
    let delivery_loop = stage.hasty_delivery_loop(HASTE);
    stage.fake.fail(On::Says(MAKES, "Do it"), Fault::Held);
    stage.patch("p", "bpf: Do it").await;
    for _ in 0..3 {
        delivery_loop.pass().await.expect("a pass");
        stage.world.advance(TimeDelta::seconds(40));
    }
    let threads = stage.fake.threads(FORUM);
    let kept = threads.iter().find(|thread| thread.name == "bpf: Do it");
    let kept = kept.expect("the retry made it").id.clone();
    assert_eq!(titles(&stage.fake, FORUM), ["bpf: Do it"]);
    stage.fake.land();
    assert_eq!(titles(&stage.fake, FORUM).len(), 2, "both stand");
    // The next request to the forum is about another story.
    tokio::time::sleep(HASTE * 3).await;
    stage.patch("q", "bpf: Do it too").await;
    delivery_loop.pass().await.expect("a pass");
    let mut told = titles(&stage.fake, FORUM);
    told.sort();
    assert_eq!(told, ["bpf: Do it", "bpf: Do it too"]);
    assert!(standing(&stage.fake).contains(&kept), "the older one stays");
    let threads = stage.fake.threads(FORUM);
    let emptied = threads
        .iter()
        .find(|thread| stage.fake.titles(&thread.id).is_empty());
    assert!(emptied.expect("the double's thread").is_archived);
    // A later change goes to the post that stays.
    stage.world.advance(TimeDelta::hours(3));
    stage.second("p", "bpf: Do it").await;
    delivery_loop.pass().await.expect("a pass");
    let post = stage.fake.messages(&kept)[0].to_string();
    assert!(post.contains("v2"), "{post}");
}

/// The threads that are about the stories of the test.
fn ours(fake: &Fake) -> Vec<String> {
    let threads = fake.threads(FORUM).into_iter();
    let ours = threads.filter(|thread| thread.name.starts_with("bpf: Do it"));
    let standing = standing(fake);
    let ours = ours.filter(|thread| standing.contains(&thread.id));
    ours.map(|thread| thread.id).collect()
}

/// The process ends between the retry and the arrival of the first request. The next process knows which post to look for.
#[tokio::test]
async fn a_first_request_that_arrives_after_a_restart_leaves_one_post() {
    for is_edited in [false, true] {
        let mut stage = forum().await;
        let delivery_loop = stage.hasty_delivery_loop(HASTE);
        stage.fake.fail(On::Says(MAKES, "Do it"), Fault::Held);
        stage.patch("p", "bpf: Do it").await;
        for _ in 0..3 {
            delivery_loop.pass().await.expect("a pass");
            stage.world.advance(TimeDelta::seconds(40));
        }
        let kept = ours(&stage.fake);
        assert_eq!(kept.len(), 1, "the retry made it");
        drop(delivery_loop);
        stage.fake.land();
        assert_eq!(ours(&stage.fake).len(), 2, "both stand");
        let store = stage.world.ingest.store.read();
        let channel = stage.world.ingest.destinations()[0].row.id;
        let watched = outbox::retried_sends(store, channel).await;
        assert_eq!(
            watched.expect("it answers").len(),
            1,
            "the restart forgets nothing"
        );
        // The first request of the next process is a change of the post, or another post.
        let next = stage.hasty_delivery_loop(HASTE);
        match is_edited {
            true => stage.second("p", "bpf: Do it").await,
            false => stage.patch("q", "bpf: Do it too").await,
        }
        stage.world.advance(TimeDelta::minutes(3));
        next.pass().await.expect("a pass");
        let left = ours(&stage.fake);
        assert!(left.contains(&kept[0]), "the older one stays");
        assert_eq!(left.len(), if is_edited { 1 } else { 2 });
        // Its content is forgotten when a double can no longer arrive.
        stage.world.advance(TimeDelta::hours(3));
        stage.patch("r", "bpf: Do it thrice").await;
        next.pass().await.expect("a pass");
        let store = stage.world.ingest.store.read();
        let watched = outbox::retried_sends(store, channel).await;
        assert!(watched.expect("it answers").is_empty());
    }
}

/// A post that was removed and sent again is no double of the one before.
#[tokio::test]
async fn a_post_that_is_sent_again_is_no_double() {
    let fake = Fake::start(&[Room::forum(FORUM, &["Posted"])]).await;
    let settings = bpfnews::channel::discord::DiscordSettings {
        base: fake.base(),
        token: super::super::fake::TOKEN.to_owned().into(),
        page: "https://example.org/bpfnews".to_owned(),
    };
    let discord = bpfnews::channel::discord::Discord::with_timeout(settings, HASTE);
    let discord = discord.expect("the settings are well");
    let mut post = send(FORUM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    (post.is_retry, post.tried_ago) = (true, Some(Duration::from_mins(1)));
    let receipt = discord.deliver(&post).await.expect("it is made");
    let act = bpfnews::channel::Act::Remove { receipt };
    let remove = super::super::work(FORUM, "k2", act);
    discord.deliver(&remove).await.expect("it is taken back");
    tokio::time::sleep(HASTE * 3).await;
    let again = send(FORUM, "k3", story("m", "bpf: Do it", "posted", Tone::New));
    discord
        .deliver(&again)
        .await
        .expect("the post is sent again");
    tokio::time::sleep(HASTE * 3).await;
    let other = send(
        FORUM,
        "k4",
        story("n", "bpf: Do it too", "posted", Tone::New),
    );
    discord.deliver(&other).await.expect("it is made");
    assert_eq!(titles(&fake, FORUM).len(), 2);
}

/// The first request arrived between the look and the second request: the older post stays, and the younger is removed.
#[tokio::test]
async fn of_two_posts_that_stand_after_a_retry_the_older_stays() {
    let fake = Fake::start(&[Room::forum(FORUM, &["Posted"])]).await;
    let discord = discord(&fake);
    let mut post = send(FORUM, "k1", story("m", "bpf: Do it", "posted", Tone::New));
    fake.fail(On::Change, Fault::After(502, ""));
    discord.deliver(&post).await.expect_err("no answer came");
    let older = standing(&fake)[0].clone();
    (post.is_retry, post.tried_ago) = (true, Some(Duration::from_mins(1)));
    let nothing = r#"{"threads":[],"members":[],"has_more":false}"#;
    let looks = || On::Path("threads/active".to_owned());
    fake.fail(looks(), Fault::Before(200, nothing));
    let receipt = discord.deliver(&post).await.expect("it stands");
    assert_eq!(receipt.thread.as_ref(), Some(&older));
    assert_eq!(standing(&fake), [older]);
}

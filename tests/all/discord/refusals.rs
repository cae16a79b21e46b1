//! Refusals of Discord, their consequences, and limits that the client respects without asking.

use std::time::Duration;

use bpfnews::channel::discord::Discord;
use bpfnews::channel::{Act, Below, Platform as _, Scope, SendError};

use super::fake::{Fake, Fault, On, Room, TOKEN};
use super::{FORUM, OTHER, ROOM, discord, edit, line, send, with_token, work};

async fn start() -> (Fake, Discord) {
    let fake = Fake::start(&[Room::text(ROOM), Room::text(OTHER), Room::forum(FORUM, &[])]).await;
    let discord = discord(&fake);
    (fake, discord)
}

#[tokio::test]
async fn sends_edits_answers_and_removes() {
    let (fake, discord) = start().await;
    assert_eq!(discord.dedupes_for(ROOM), Duration::ZERO);
    let first = send(ROOM, "k1", line("mark-1", "One"));
    let receipt = discord.deliver(&first).await.expect("it is sent");
    assert!(discord.dedupes_for(ROOM) > Duration::from_secs(60));
    assert_eq!(discord.find(&first).await, Ok(Some(receipt.clone())));
    let other = send(ROOM, "k", line("mark-2", "One"));
    assert_eq!(discord.find(&other).await, Ok(None));
    let below = work(
        ROOM,
        "k2",
        Act::Send {
            content: line("mark-3", "Two"),
            under: Some(Below::Answer(receipt.clone())),
        },
    );
    discord.deliver(&below).await.expect("it is sent");
    assert_eq!(
        fake.messages(ROOM)[1]["message_reference"]["message_id"],
        receipt.message
    );
    let change = edit(ROOM, "k3", &receipt, line("mark-1", "Three"));
    assert_eq!(discord.deliver(&change).await, Ok(receipt.clone()));
    assert_eq!(fake.titles(ROOM), ["Three", "Two"]);
    let receipt_of = receipt.clone();
    let remove = work(
        ROOM,
        "k4",
        Act::Remove {
            receipt: receipt_of,
        },
    );
    for _ in 0..2 {
        assert_eq!(discord.deliver(&remove).await, Ok(receipt.clone()));
    }
    assert_eq!(discord.deliver(&change).await, Err(SendError::Gone));
    assert_eq!(fake.titles(ROOM), ["Two"]);
}

#[tokio::test]
async fn each_refusal_has_its_consequence() {
    use Scope::{Channel, Delivery, Platform};
    #[rustfmt::skip]
    let table = [
        (401, r#"{"code":0,"message":"401: Unauthorized"}"#, None, Platform),
        (403, r#"{"code":50013,"message":"x"}"#, None, Channel), (403, r#"{"code":50001,"message":"x"}"#, None, Channel),
        (404, r#"{"code":10003,"message":"x"}"#, None, Channel), (404, r#"{"code":10004,"message":"x"}"#, None, Channel),
        (404, r#"{"code":10008,"message":"x"}"#, None, Delivery), (400, r#"{"code":50083,"message":"x"}"#, None, Channel),
        (400, r#"{"code":50035,"message":"a-token.that.is-none"}"#, None, Delivery),
        (400, r#"{"code":200000,"message":"x"}"#, None, Delivery),
        (429, r#"{"code":30046,"message":"x"}"#, Some(3600.0), Delivery),
        (429, r#"{"code":20016,"retry_after":7,"message":"x"}"#, Some(7.0), Channel),
        (429, r#"{"retry_after":3,"global":true,"message":"x"}"#, Some(3.0), Platform),
        (429, "<html>", Some(5.0), Platform),
        (403, "<html>", Some(300.0), Platform),
    ];
    for (status, text, wait, wanted) in table {
        let (fake, discord) = start().await;
        fake.fail(On::Change, Fault::Before(status, text));
        let error = discord
            .deliver(&send(ROOM, "k1", line("m", "One")))
            .await
            .expect_err(text);
        assert!(!error.to_string().contains(TOKEN), "{error}");
        match (&error, wait) {
            (
                SendError::Later { after, scope, .. } | SendError::Failed { after, scope, .. },
                Some(wait),
            ) => {
                assert_eq!(
                    (*after, *scope),
                    (Duration::from_secs_f64(wait), wanted),
                    "{text}"
                );
            }
            (SendError::Never { scope, .. }, None) => assert_eq!(*scope, wanted, "{text}"),
            _ => panic!("{status} {text}: {error:?}"),
        }
        let asked = fake.seen("").len();
        let other = discord.deliver(&send(OTHER, "k2", line("n", "Two"))).await;
        let holds_all = status == 429 && wanted == Platform;
        assert_eq!(other.is_err(), holds_all, "{text}");
        assert_eq!(fake.seen("").len() == asked, holds_all, "{text}");
    }
}

/// Without a code that concerns the channel, a post is refused and the channel is not judged. A change is refused for good.
#[tokio::test]
async fn a_refusal_without_a_reason_judges_no_channel() {
    for (status, text) in [
        (
            403,
            r#"{"code":20009,"message":"Explicit content cannot be sent"}"#,
        ),
        (404, r#"{"code":0,"message":"404: Not Found"}"#),
    ] {
        let (fake, discord) = start().await;
        let sent = discord.deliver(&send(ROOM, "k1", line("m", "One"))).await;
        let receipt = sent.expect("it is sent");
        fake.fail(On::Change, Fault::Before(status, text));
        let refused = discord.deliver(&send(ROOM, "k2", line("n", "Two"))).await;
        assert!(
            matches!(&refused, Err(SendError::Refused { why }) if why.contains("Discord answered")),
            "{refused:?}"
        );
        fake.fail(On::Change, Fault::Before(status, text));
        let change = edit(ROOM, "k3", &receipt, line("m", "One more"));
        let refused = discord.deliver(&change).await;
        let is_lone = matches!(
            &refused,
            Err(SendError::Never {
                scope: Scope::Delivery,
                ..
            })
        );
        assert!(is_lone, "{refused:?}");
    }
}

#[tokio::test]
async fn limits_hold_without_asking_and_pass() {
    let (fake, discord) = start().await;
    fake.limit_messages(2, Duration::from_millis(400));
    for key in ["k1", "k2"] {
        discord
            .deliver(&send(ROOM, key, line(key, "One")))
            .await
            .expect("it is sent");
    }
    let asked = fake.seen("").len();
    let third = send(ROOM, "k3", line("k3", "Three"));
    let error = discord.deliver(&third).await;
    assert!(
        matches!(
            error,
            Err(SendError::Later {
                scope: Scope::Channel,
                ..
            })
        ),
        "{error:?}"
    );
    assert_eq!(fake.seen("").len(), asked);
    discord
        .deliver(&send(OTHER, "k4", line("k4", "Four")))
        .await
        .expect("another channel has its own");
    tokio::time::sleep(Duration::from_millis(450)).await;
    discord
        .deliver(&third)
        .await
        .expect("the bucket is full again");
}

/// The fake detects requests that arrive too early; the tests of limits depend on that.
#[tokio::test]
async fn the_fake_detects_requests_that_are_too_early() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    fake.limit_messages(1, Duration::from_secs(60));
    for key in ["k1", "k2"] {
        // A client without knowledge of the one before it.
        let _ = discord(&fake)
            .deliver(&send(ROOM, key, line(key, "One")))
            .await;
    }
    let wrongs = fake.wrongs();
    assert!(
        wrongs.len() == 1 && wrongs[0].contains("earlier"),
        "{wrongs:?}"
    );
}

#[tokio::test]
async fn wrong_addresses_and_settings_are_explained() {
    let (_fake, discord) = start().await;
    for (address, words) in [("404404", "invited"), ("../1", "number"), ("", "number")] {
        let error = discord
            .deliver(&send(address, "k", line("m", "One")))
            .await
            .expect_err(address);
        assert!(error.to_string().contains(words), "{error}");
    }
    let settings = |base: &str, token: &str| bpfnews::channel::discord::DiscordSettings {
        base: base.to_owned(),
        token: token.to_owned().into(),
        page: "https://x.org".to_owned(),
    };
    for (base, token) in [
        ("http://discord.com", TOKEN),
        ("https://discord.com", "a\nb"),
        ("https://discord.com", " "),
    ] {
        let error = Discord::new(settings(base, token))
            .expect_err(base)
            .to_string();
        assert!(token == " " || !error.contains(token), "{error}");
    }
    let nobody = with_token("http://127.0.0.1:1".to_owned(), TOKEN);
    let error = nobody.deliver(&send(ROOM, "k1", line("m", "One"))).await;
    assert!(
        matches!(
            error,
            Err(SendError::Later {
                scope: Scope::Platform,
                ..
            })
        ),
        "{error:?}"
    );
}

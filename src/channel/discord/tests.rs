//! Deliveries to a Discord of our own, and what it must never be sent.

use std::time::Duration;

use chrono::DateTime;
use serde_json::{Value, json};

use super::fake::{CLOSED, FORUM, Fake, Fault, TOKEN, wrongs_by_description, wrongs_by_hand};
use super::render::{body, carries};
use super::text::{count, cut, escape};
use super::*;
use crate::post::About;
use crate::post::story::{Digest, Line, Post, Tone};

const ROOM: &str = "1";

fn post(text: &str, link: &str) -> Content {
    Content::Story(Box::new(Post {
        mark: "5tab1e0001".to_owned(),
        about: About::Series,
        state: text.to_owned(),
        tone: Tone::Applied,
        tree: text.to_owned(),
        title: text.to_owned(),
        author: text.to_owned(),
        at: DateTime::from_timestamp(1_700_000_000, 0).expect("a time of our own"),
        feeds: vec![text.to_owned(), "bpf-next".to_owned()],
        notes: vec![text.to_owned()],
        parts: (1..=12)
            .map(|n| (format!("{n}/20"), text.to_owned()))
            .collect(),
        parts_left_out: 8,
        summary: text.to_owned(),
        change: text.to_owned(),
        steps: vec![text.to_owned(), "v2 3 May".to_owned()],
        link: Some(link.to_owned()),
        refs: vec![text.to_owned()],
    }))
}

fn line(title: &str, mark: &str) -> Line {
    Line {
        what: "Applied to bpf-next".to_owned(),
        title: title.to_owned(),
        link: Some("https://lore.kernel.org/bpf/a(b)c/".to_owned()),
        tone: Tone::Applied,
        mark: mark.to_owned(),
    }
}

fn send_to(address: &str, key: &str, title: &str) -> Work {
    Work {
        address: address.to_owned(),
        act: Act::Send {
            content: Content::Line(line(title, &format!("mark-{key}"))),
            under: None,
        },
        key: key.to_owned(),
        is_retry: false,
    }
}

async fn start() -> (Fake, Discord) {
    let (fake, base) = Fake::start().await;
    (fake, discord(base, TOKEN))
}

fn discord(base: String, token: &str) -> Discord {
    Discord::new(Settings {
        base,
        token: token.to_owned().into(),
        page: "https://example.org/bpfnews".to_owned(),
    })
    .expect("the settings are well")
}

#[test]
fn hostile_text_is_plain_text() {
    #[rustfmt::skip]
    let table = [
        ("__sk_buff and *ptr", r"\_\_sk\_buff and \*ptr"),
        ("#include <linux/bpf.h>", r"\#include \<linux/bpf.h>"),
        ("`a` ||b|| ~~c~~", r"\`a\` \|\|b\|\| \~\~c\~\~"),
        ("- a", r"\- a"), ("  > a", r"  \> a"), ("a - b > c # d", "a - b > c # d"),
        ("a\n# b", "a\n\\# b"), ("-# small", r"\-# small"), ("12. a", r"12\. a"), ("6.12 is out", r"6\.12 is out"),
        ("[x](https://evil.example)", r"\[x\](https://evil.example)"),
        ("@everyone @here a@kernel.org", r"\@everyone \@here a@kernel.org"),
        ("<@1> <#1> <t:1:R> <@&2> <:a:1>", r"\<@1> \<#1> \<t\:1:R> \<@&2> \<\:a:1>"),
        (":tada: bpf: a::b", r"\:tada: bpf: a::b"),
        ("see https://x.org/a_b_c*d.", "see https://x.org/a_b_c*d."),
        ("(https://x.org/a_(b))", "(https://x.org/a_(b))"),
        ("https://**b**", r"https\://\*\*b\*\*"),
        ("steam://run_x", r"steam\://run\_x"),
        (r"\*a\*", r"\\\*a\\\*"),
    ];
    for (text, wanted) in table {
        assert_eq!(escape(text), wanted, "{text}");
    }
}

#[test]
fn cuts_keep_pieces_whole() {
    #[rustfmt::skip]
    let table = [
        ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abcd", 0, ""), ("abcd", 1, "…"),
        ("one two three", 9, "one two…"),
        (r"ab\*c", 4, "ab…"), (r"ab\*cd", 5, r"ab\*…"),
        ("see https://x.org/abc now", 20, "see…"),
        ("ae\u{301}b", 3, "a…"), ("a👍🏽bc", 3, "a…"), ("a🇩🇪🇫🇷", 4, "a🇩🇪…"), ("👩‍💻👩‍💻", 5, "👩‍💻…"),
    ];
    for (text, max, wanted) in table {
        assert_eq!(cut(text, max), wanted, "{text} {max}");
    }
    for max in 0..60 {
        for text in hostile() {
            let cut = cut(&escape(&text), max);
            assert!(count(&cut) <= max, "{max} {cut}");
            let before = cut.trim_end_matches('…');
            let slashes = before.len() - before.trim_end_matches('\\').len();
            assert!(slashes.is_multiple_of(2), "half an escape: {cut}");
        }
    }
}

fn hostile() -> Vec<String> {
    let mut texts = vec![String::new(), " ".to_owned()];
    for piece in [
        "*",
        "👩‍👩‍👧‍👦",
        "שלום ",
        "a\u{301}\u{302}",
        "https://x.org/a_b ",
        "@everyone ",
        "\\",
        "word ",
        "🇩🇪",
        "`|~_",
    ] {
        for times in [1, 40, 256, 257, 5000] {
            texts.push(piece.repeat(times));
        }
    }
    texts
}

#[test]
fn whatever_it_says_a_body_is_within_the_limits() {
    let send = "/channels/{channel_id}/messages";
    for text in hostile() {
        let digest = Digest {
            title: text.clone(),
            lines: vec![line(&text, "a"); 60],
            mark: "digest-1".to_owned(),
        };
        let notice = Content::Notice {
            title: text.clone(),
            text: text.clone(),
            mark: "notice-1".to_owned(),
        };
        let contents = [
            post(&text, "https://x.org/"),
            post(&text, "javascript:alert(1)"),
            Content::Line(line(&text, "line-1")),
            Content::Digest(digest),
            notice,
        ];
        for content in contents {
            let body = body(&content);
            let start: String = text.chars().take(20).collect();
            assert_eq!(wrongs_by_hand(&body), [""; 0], "{start}");
            let footer = body["embeds"][0]["footer"]["text"].as_str();
            assert!(carries(footer.expect("there is one"), content.mark()));
        }
    }
    for text in ["a", "👩‍👩‍👧‍👦"].map(|text| text.repeat(5000)) {
        let body = body(&post(&text, "https://x.org/"));
        assert_eq!(wrongs_by_description(send, "post", &body), [""; 0]);
    }
}

#[test]
fn the_checks_bite() {
    let good = body(&post("a", "https://x.org/"));
    assert_eq!(wrongs_by_hand(&good), [""; 0]);
    let spoil = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("the body has it") = value;
        bad
    };
    let bad = [
        spoil("/embeds/0/title", "a".repeat(257).into()),
        spoil("/embeds/0/description", "a".repeat(4097).into()),
        spoil("/embeds/0/author/name", "a".repeat(257).into()),
        spoil("/embeds/0/footer/text", "a".repeat(2049).into()),
    ];
    let has_description = !wrongs_by_description(
        "/channels/{channel_id}/messages",
        "post",
        &json!({"embeds": 1}),
    )
    .is_empty();
    for bad in bad {
        assert_eq!(wrongs_by_hand(&bad).len(), 1, "{bad}");
        let by_description = wrongs_by_description("/channels/{channel_id}/messages", "post", &bad);
        assert_eq!(!by_description.is_empty(), has_description);
    }
    for bad in [
        spoil("/embeds/0/url", "javascript:a".into()),
        spoil("/allowed_mentions", json!({"parse": ["users"]})),
    ] {
        assert_eq!(wrongs_by_hand(&bad).len(), 1, "{bad}");
    }
}

#[test]
fn a_digest_links_safely_and_cuts_whole_lines() {
    let lines = vec![line("A [b](https://evil.example)", "a"); 100];
    let digest = Digest {
        title: "Week".to_owned(),
        lines,
        mark: "m".to_owned(),
    };
    let body = body(&Content::Digest(digest));
    let text = body["embeds"][0]["description"]
        .as_str()
        .expect("there is one");
    let first = r"- Applied to bpf-next: [A \[b\](https\://evil.example)](https://lore.kernel.org/bpf/a%28b%29c/)";
    let (last, others) = text
        .lines()
        .collect::<Vec<_>>()
        .split_last()
        .map(|(l, o)| (*l, o.to_vec()))
        .expect("lines");
    assert!(others.iter().all(|line| *line == first), "{text}");
    assert_eq!(last, format!("… and {} more", 100 - others.len()));
    assert!(count(text) > 3900);
}

#[test]
fn a_story_looks_so() {
    let Content::Story(mut post) = post("x", "https://x.org/") else {
        unreachable!("it is a story")
    };
    post.state = "applied to bpf-next".to_owned();
    post.tree = "bpf-next".to_owned();
    post.title = "bpf: Add __sk_buff".to_owned();
    post.parts.truncate(1);
    let body = body(&Content::Story(post));
    let wanted = json!({"allowed_mentions": {"parse": []}, "embeds": [{
        "author": {"name": "x"}, "title": r"bpf: Add \_\_sk\_buff", "url": "https://x.org/", "color": 0x22_C5_5E,
        "description": "**applied to bpf-next** · x\n\nx\n\n**What changed:** x\n\n- **1/20** x\n… and 8 more\n\nx → v2 3 May\n\nx",
        "footer": {"text": "series · x, bpf-next · 5tab1e0001"}, "timestamp": "2023-11-14T22:13:20Z"}]});
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn sends_edits_answers_and_removes() {
    let (fake, discord) = start().await;
    assert_eq!(discord.dedupes_for(ROOM), Duration::ZERO);
    let work = send_to(ROOM, "k1", "One");
    let receipt = discord.deliver(&work).await.expect("it is sent");
    assert_eq!(discord.dedupes_for(ROOM), NONCE_LASTS);
    assert_eq!(discord.find(&work).await, Ok(Some(receipt.clone())));
    assert_eq!(discord.find(&send_to(ROOM, "k", "One")).await, Ok(None));
    let mut below = send_to(ROOM, "k2", "Two");
    let Act::Send { under, .. } = &mut below.act else {
        unreachable!("it is a send")
    };
    *under = Some(Below::Answer(receipt.clone()));
    discord.deliver(&below).await.expect("it is sent");
    assert_eq!(
        fake.in_room(ROOM)[1]["message_reference"]["message_id"],
        receipt.message
    );
    let content = Content::Line(line("Three", "mark-k1"));
    let edit = Work {
        act: Act::Edit {
            receipt: receipt.clone(),
            content,
        },
        ..work.clone()
    };
    assert_eq!(discord.deliver(&edit).await, Ok(receipt.clone()));
    assert_eq!(fake.in_room(ROOM)[0]["embeds"][0]["title"], "Three");
    let remove = Work {
        act: Act::Remove {
            receipt: receipt.clone(),
        },
        ..work
    };
    assert_eq!(discord.deliver(&remove).await, Ok(receipt.clone()));
    assert_eq!(discord.deliver(&remove).await, Ok(receipt));
    assert_eq!(discord.deliver(&edit).await, Err(SendError::Gone));
    assert_eq!(fake.in_room(ROOM).len(), 1);
    assert_eq!(fake.kept().wrongs, [""; 0]);
}

#[tokio::test]
async fn an_unknown_outcome_makes_one_message() {
    for fault in [
        Fault::Before(500, vec![], "oops"),
        Fault::After(502, "<html>"),
        Fault::DropAfter,
        Fault::After(200, "garbage"),
    ] {
        let (fake, discord) = start().await;
        fake.fail(fault.clone());
        let mut work = send_to(ROOM, "k1", "One");
        let first = discord.deliver(&work).await;
        assert!(
            matches!(first, Err(SendError::Unknown { .. })),
            "{fault:?} {first:?}"
        );
        work.is_retry = true;
        discord.deliver(&work).await.expect("the retry is well");
        assert_eq!(fake.in_room(ROOM).len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_forum_gets_a_thread_and_one_alone() {
    let (fake, discord) = start().await;
    let mut work = send_to(FORUM, "k1", "One");
    fake.fail(Fault::After(502, ""));
    assert!(matches!(
        discord.deliver(&work).await,
        Err(SendError::Unknown { .. })
    ));
    assert_eq!(discord.dedupes_for(FORUM), Duration::ZERO);
    work.is_retry = true;
    let receipt = discord.deliver(&work).await.expect("it is found");
    assert_eq!(fake.kept().threads.len(), 1);
    assert_eq!(receipt.thread.as_ref(), Some(&receipt.message));
    assert_eq!(discord.find(&work).await, Ok(Some(receipt.clone())));
    let content = Content::Line(line("Two", "mark-k1"));
    let edit = Work {
        act: Act::Edit {
            receipt: receipt.clone(),
            content,
        },
        ..work.clone()
    };
    assert_eq!(discord.deliver(&edit).await, Ok(receipt.clone()));
    assert_eq!(
        fake.in_room(&receipt.message)[0]["embeds"][0]["title"],
        "Two"
    );
    let mut other = send_to(FORUM, "k2", "One");
    other.is_retry = true;
    discord
        .deliver(&other)
        .await
        .expect("another mark is another post");
    assert_eq!(fake.kept().threads.len(), 2);
    assert_eq!(fake.kept().wrongs, [""; 0]);
}

#[tokio::test]
async fn refusals_say_what_follows() {
    use Scope::{Channel, Delivery, Platform};
    let later = |seconds: f64, scope| (Some(Duration::from_secs_f64(seconds)), scope);
    #[rustfmt::skip]
    let table = [
        (429, vec![("retry-after", "2"), ("x-ratelimit-scope", "user")], r#"{"retry_after":1.5}"#, later(2.0, Channel)),
        (429, vec![("x-ratelimit-scope", "shared")], r#"{"retry_after":1.5,"global":false}"#, later(1.5, Channel)),
        (429, vec![("retry-after", "soon"), ("x-ratelimit-scope", "user")], "{}", later(5.0, Channel)),
        (429, vec![("retry-after", "1"), ("x-ratelimit-scope", "global")], "{}", later(1.0, Platform)),
        (429, vec![], r#"{"retry_after":3,"global":true}"#, later(3.0, Platform)),
        (429, vec![("retry-after", "99999")], "<html>", later(3600.0, Platform)),
        (429, vec![], r#"{"code":30046,"message":"x"}"#, later(3600.0, Delivery)),
        (429, vec![], r#"{"code":20016,"retry_after":7}"#, later(7.0, Channel)),
        (401, vec![], "{}", (None, Platform)),
        (403, vec![], r#"{"code":50013}"#, (None, Channel)), (403, vec![], r#"{"code":50001}"#, (None, Channel)),
        (404, vec![], r#"{"code":10003}"#, (None, Channel)), (404, vec![], r#"{"code":10004}"#, (None, Channel)),
        (404, vec![], r#"{"code":10008}"#, (None, Delivery)), (400, vec![], r#"{"code":50083}"#, (None, Channel)),
        (400, vec![], r#"{"code":50035,"message":"a-token.that.is-none"}"#, (None, Delivery)),
        (400, vec![], r#"{"code":200000}"#, (None, Delivery)), (400, vec![], r#"{"code":40067}"#, (None, Delivery)),
    ];
    for (status, headers, text, (wait, wanted)) in table {
        let (fake, discord) = start().await;
        fake.fail(Fault::Before(status, headers, text));
        let error = discord
            .deliver(&send_to(ROOM, "k1", "One"))
            .await
            .expect_err(text);
        assert!(!error.to_string().contains(TOKEN), "{error}");
        match (&error, wait) {
            (SendError::Later { after, scope, .. }, Some(wait)) => {
                assert_eq!((*after, *scope), (wait, wanted), "{text}")
            }
            (SendError::Never { scope, .. }, None) => assert_eq!(*scope, wanted, "{text}"),
            _ => panic!("{status} {text}: {error:?}"),
        }
        let asked = fake.kept().requests.len();
        let other = discord.deliver(&send_to("2", "k2", "Two")).await;
        let holds_all = wait.is_some() && wanted == Platform;
        assert_eq!(other.is_err(), holds_all, "{text}");
        assert_eq!(fake.kept().requests.len() == asked, holds_all, "{text}");
    }
    let (_, discord) = start().await;
    for (address, words) in [
        (CLOSED, "View Channel"),
        ("404", "invited"),
        ("../1", "number"),
    ] {
        let error = discord
            .deliver(&send_to(address, "k", "One"))
            .await
            .expect_err(address);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn limits_hold_without_asking_and_pass() {
    let (fake, discord) = start().await;
    fake.kept().limits = vec![
        ("x-ratelimit-bucket", "b"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset-after", "0.3"),
    ];
    discord
        .deliver(&send_to(ROOM, "k1", "One"))
        .await
        .expect("it is sent");
    let asked = fake.kept().requests.len();
    let error = discord.deliver(&send_to(ROOM, "k2", "Two")).await;
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
    assert_eq!(fake.kept().requests.len(), asked);
    discord
        .deliver(&send_to("2", "k3", "Three"))
        .await
        .expect("another channel has its own");
    tokio::time::sleep(Duration::from_millis(350)).await;
    discord
        .deliver(&send_to(ROOM, "k2", "Two"))
        .await
        .expect("the bucket is full again");
}

#[tokio::test]
async fn a_global_limit_holds_all_and_ends() {
    let (fake, discord) = start().await;
    let headers = vec![("retry-after", "0.3"), ("x-ratelimit-scope", "global")];
    fake.fail(Fault::Before(429, headers, "{}"));
    for room in [ROOM, "2"] {
        let error = discord.deliver(&send_to(room, "k1", "One")).await;
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
    assert!(matches!(
        discord.look("3").await,
        Err(SendError::Later { .. })
    ));
    tokio::time::sleep(Duration::from_millis(350)).await;
    discord
        .deliver(&send_to(ROOM, "k1", "One"))
        .await
        .expect("the limit is over");
    assert_eq!(fake.in_room(ROOM).len(), 1);
}

#[tokio::test]
async fn a_thread_that_is_archived_or_gone_leaves_its_forum_alone() {
    let (fake, discord) = start().await;
    let receipt = Receipt {
        message: "5".to_owned(),
        thread: Some("5".to_owned()),
    };
    let content = Content::Line(line("Two", "m"));
    let edit = Work {
        act: Act::Edit { receipt, content },
        ..send_to(FORUM, "k1", "One")
    };
    fake.fail(Fault::Before(400, vec![], r#"{"code":50083}"#));
    let error = discord.deliver(&edit).await;
    assert!(
        matches!(
            error,
            Err(SendError::Never {
                scope: Scope::Delivery,
                ..
            })
        ),
        "{error:?}"
    );
    fake.fail(Fault::Before(404, vec![], r#"{"code":10003}"#));
    assert_eq!(discord.deliver(&edit).await, Err(SendError::Gone));
}

#[tokio::test]
async fn nobody_there_and_bad_settings() {
    let discord = discord("http://127.0.0.1:1".to_owned(), TOKEN);
    let error = discord.deliver(&send_to(ROOM, "k1", "One")).await;
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
    for (base, token) in [
        ("http://discord.com", TOKEN),
        ("https://discord.com", "a\nb"),
        ("https://discord.com", " "),
    ] {
        let settings = Settings {
            base: base.to_owned(),
            token: token.to_owned().into(),
            page: "https://x.org".to_owned(),
        };
        let error = Discord::new(settings).expect_err(base).to_string();
        assert!(token == " " || !error.contains(token), "{error}");
    }
}

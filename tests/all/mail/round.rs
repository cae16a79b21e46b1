//! The whole round: sign up, confirm, get an issue, leave.

use bpfnews::mailing::SignUp;
use chrono::TimeDelta;

use super::sink::Sink;
use super::world::{MailWorld, links};

/// Opens a page like a program that opens every link of a mail.
async fn open(url: &str) -> reqwest::Response {
    let answer = reqwest::get(url).await.expect("an answer");
    let head = reqwest::Client::new()
        .head(url)
        .send()
        .await
        .expect("an answer");
    assert_eq!(head.status(), answer.status());
    answer
}

async fn post(url: &str, body: &'static str) -> (u16, String) {
    let request = reqwest::Client::new().post(url).body(body);
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a text"))
}

/// Fills in the form.
async fn sign_up(world: &MailWorld, address: &str, from: Option<&str>) -> (u16, String) {
    let page = open(&format!("{}mail", world.url)).await;
    assert_eq!(page.headers()["cache-control"], "no-store");
    let page = page.text().await.expect("a text");
    let stamp = page
        .split("name=\"stamp\" type=\"hidden\" value=\"")
        .nth(1)
        .expect("a stamp");
    let stamp = stamp.split('"').next().expect("its end").to_owned();
    world.advance(TimeDelta::seconds(5));
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("address", address), ("site", ""), ("stamp", &stamp)])
        .finish();
    let mut request = reqwest::Client::new()
        .post(format!("{}mail", world.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    if let Some(from) = from {
        request = request.header("sec-fetch-site", from);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a text"))
}

#[tokio::test]
async fn the_whole_round_by_the_pages() {
    let world = MailWorld::new(Sink::start().await).await;
    let (status, said) = sign_up(&world, "Reader@Example.org", Some("same-origin")).await;
    assert_eq!(status, 200, "{said}");
    assert!(said.contains("Look into your mailbox"), "{said}");
    assert_eq!(world.send().await, 1);
    let asked = world.sink.taken().pop().expect("the question");
    assert_eq!(asked.to, "Reader@example.org");
    assert_eq!(
        asked.header("List-Unsubscribe"),
        None,
        "nobody is on the list yet"
    );
    let (text, html) = asked.parts();
    // A scanner opens every link, again and again.
    for link in links(&text) {
        for _ in 0..3 {
            assert_eq!(open(&link).await.status(), 200, "{link}");
        }
    }
    assert_eq!(world.state("reader@example.org").await, "asked");
    let link = links(&text).pop().expect("the link to confirm");
    assert!(
        link.contains("/mail/confirm/") && html.contains(&link),
        "{link}"
    );
    let (status, said) = post(&format!("{link}0"), "").await;
    assert_eq!(status, 410, "another code: {said}");
    let (status, said) = post(&link, "").await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(world.state("reader@example.org").await, "on");

    world.advance(TimeDelta::hours(1));
    world.publish(7).await;
    world.sink.forget();
    assert_eq!(world.send().await, 1);
    let mail = world.sink.taken().pop().expect("the issue");
    let (text, html) = mail.parts();
    for part in [&text, &html] {
        for wanted in [
            "BPF updates 07",
            "Let maps grow",
            "https://lore.example/bpf/1/",
            "b0e92279d3ec",
            "Linux 6.14-rc5",
        ] {
            assert!(part.contains(wanted), "{wanted}: {part}");
        }
    }
    let leave = mail.header("List-Unsubscribe").expect("a way out");
    let leave = leave.trim_matches(['<', '>']).to_owned();
    assert_eq!(
        mail.header("List-Unsubscribe-Post").as_deref(),
        Some("List-Unsubscribe=One-Click")
    );
    assert!(text.contains(&leave) && html.contains(&leave));
    for link in links(&text)
        .iter()
        .filter(|link| link.starts_with(&world.url))
    {
        open(link).await;
    }
    assert_eq!(world.state("reader@example.org").await, "on");
    assert!(world.has_bytes("reader@example.org").await);
    for _ in 0..2 {
        let (status, said) = post(&leave, "List-Unsubscribe=One-Click").await;
        assert_eq!(status, 200, "{said}");
    }
    assert_eq!(world.state("reader@example.org").await, "unknown");
    assert!(
        !world.has_bytes("reader@example.org").await,
        "the address is erased"
    );
    let (status, _) = post(&link, "").await;
    assert_eq!(status, 410, "an old link signs nobody up again");
    world.publish(8).await;
    world.sink.forget();
    assert_eq!(world.send().await, 0);
    world.sink.check();
}

#[tokio::test]
async fn the_form_answers_alike_for_all_addresses_and_takes_no_foreign_form() {
    let world = MailWorld::new(Sink::start().await).await;
    world.subscribe(["known@example.org".to_owned()]).await;
    let (known, new) = (
        sign_up(&world, "known@example.org", None).await,
        sign_up(&world, "new@example.org", None).await,
    );
    assert_eq!(known, new);
    assert_eq!(world.send().await, 1, "only the new one gets a mail");
    assert_eq!(world.sink.taken()[0].to, "new@example.org");
    for from in ["cross-site", "same-site"] {
        let (status, said) = sign_up(&world, "other@example.org", Some(from)).await;
        assert_eq!(status, 400, "{said}");
    }
    for wrong in [
        "",
        "x",
        "a@b",
        "a@example.org\r\nBcc: b@example.org",
        "<script>@example.org",
    ] {
        let (status, said) = sign_up(&world, wrong, None).await;
        assert_eq!(status, 400, "{wrong}");
        assert!(
            said.contains("role=\"alert\"") && !said.contains("<script>"),
            "{said}"
        );
    }
    let body = "address=other%40example.org&stamp=1-00";
    let (status, _) = post(&format!("{}mail", world.url), body).await;
    assert_eq!(status, 400, "a stamp that is not ours");
    assert_eq!(world.state("other@example.org").await, "unknown");
    let mut statuses = Vec::new();
    for number in 0..20 {
        let (status, _) = sign_up(&world, &format!("many{number}@example.org"), None).await;
        statuses.push(status);
    }
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[19], 429, "{statuses:?}");
    world.sink.check();
}

#[tokio::test]
async fn an_address_gets_few_questions_and_is_erased_without_an_answer() {
    let world = MailWorld::new(Sink::start().await).await;
    assert_eq!(world.ask("a@example.org").await, SignUp::Asked);
    assert_eq!(
        world.ask("A@example.org").await,
        SignUp::TooMany,
        "within ten minutes"
    );
    for right in [
        SignUp::Asked,
        SignUp::Asked,
        SignUp::TooMany,
        SignUp::TooMany,
    ] {
        world.advance(TimeDelta::minutes(11));
        assert_eq!(world.ask("a@example.org").await, right);
    }
    world.send().await;
    let mails = world.sink.taken();
    assert_eq!(mails.len(), 3);
    let link = links(&mails[0].parts().0).pop().expect("a link");
    world.advance(TimeDelta::hours(47));
    world.send().await;
    assert_eq!(world.state("a@example.org").await, "asked");
    world.advance(TimeDelta::hours(2));
    world.send().await;
    assert_eq!(world.state("a@example.org").await, "unknown");
    assert!(!world.has_bytes("a@example.org").await);
    assert_eq!(post(&link, "").await.0, 410);
    assert_eq!(
        world.ask("a@example.org").await,
        SignUp::Asked,
        "it may ask again"
    );
}

#[tokio::test]
async fn a_withdrawn_issue_is_not_sent_and_its_number_is_sent_again() {
    let world = MailWorld::new(Sink::start().await).await;
    world.subscribe(["a@example.org".to_owned()]).await;
    world.publish(1).await;
    assert_eq!(world.send().await, 1);
    let first = world.sink.taken()[0].header("Message-ID");
    // Its mail is queued, and then the issue is withdrawn.
    world.publish(2).await;
    let now = bpfnews::clock::Clock::now(&*world.clock);
    world
        .desk
        .mailing
        .pass(&world.store, now)
        .await
        .expect("a good database");
    let mut tx = world.store.write().await.expect("a transaction");
    bpfnews::store::withdrawn::withdraw_issue(&mut tx, 2, "a test", now)
        .await
        .expect("an issue");
    tx.commit().await.expect("room on the disk");
    world.sink.forget();
    assert_eq!(world.send().await, 0);
    world.advance(TimeDelta::hours(1));
    world.publish(2).await;
    assert_eq!(world.send().await, 1);
    assert_ne!(world.sink.taken()[0].header("Message-ID"), first);
    world.sink.check();
}

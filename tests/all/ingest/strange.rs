//! Documents that can be parsed, but whose content is wrong.

use chrono::{TimeDelta, TimeZone as _, Utc};

use crate::documents::{Article, Mail, articles, mail, mails_atom, public_inbox, rss};
use crate::rude::answer;
use crate::world::{World, archive, feed, noon};

#[tokio::test]
async fn a_wrong_charset_is_guessed() {
    let document = rss(&articles("Café “quoted”"));
    let latin = encoding_rs::WINDOWS_1252.encode(&document).0.into_owned();
    let table = [
        ("latin bytes that claim to be utf-8", latin.clone(), "utf-8"),
        (
            "utf-8 that claims to be latin",
            document.clone().into_bytes(),
            "iso-8859-1",
        ),
        (
            "a charset that there is not",
            document.into_bytes(),
            "x-none",
        ),
    ];
    for (name, bytes, charset) in table {
        let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
        let header = format!("Content-Type: application/rss+xml; charset={charset}");
        world.put_answer("/blog.rss", answer("200 OK", &[&header], bytes));
        world.poll().await;
        world.check_ok("blog").await;
        assert_eq!(world.titles("blog").await, ["Café", "“quoted”"], "{name}");
    }
}

#[tokio::test]
async fn an_entry_that_appears_twice_is_one_item() {
    let mut world = World::new(&[feed("blog", "/blog.rss"), archive("bpf", "/bpf/")]).await;
    let mut twice = articles("Two One Two");
    twice[2].title = "Two, older".to_owned();
    world.put("/blog.rss", rss(&twice));
    let mails = [
        mail("1", -5, "a", ""),
        mail("1", -5, "a", ""),
        mail("2", -9, "b", ""),
    ];
    world.put(
        "/bpf/new.atom",
        mails_atom("http://list.example/bpf/", &mails),
    );
    for _ in 0..2 {
        world.poll_when_due("blog").await;
        world.check_ok("blog").await;
        world.check_ok("bpf").await;
        assert_eq!(world.titles("blog").await, ["One", "Two"]);
        assert_eq!(world.titles("bpf").await, ["a", "b"]);
        assert_eq!(world.row("blog").await.items, 2);
    }
    assert_eq!(world.tell().await.len(), 2, "a sample each");
}

#[tokio::test]
async fn entries_without_dates_are_dated_by_when_they_came() {
    let undated = |titles: &str| -> Vec<Article> {
        let articles = articles(titles).into_iter();
        articles
            .map(|article| Article {
                at: None,
                ..article
            })
            .collect()
    };
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put("/blog.rss", rss(&undated("C B A")));
    world.poll().await;
    world.check_ok("blog").await;
    assert_eq!(world.tell().await, [["C"]]);
    world.put("/blog.rss", rss(&undated("E D C B A")));
    world.poll_when_due("blog").await;
    let came_at = world.now().timestamp();
    world.check_ok("blog").await;
    let mut told = world.tell().await;
    told.sort();
    assert_eq!(told, [["D"], ["E"]]);
    assert!(
        world.items("blog").await[..2]
            .iter()
            .all(|item| item.at == came_at)
    );
    // C was removed, and an older entry slides in at the end.
    world.put("/blog.rss", rss(&undated("E D B A Zero")));
    world.poll_when_due("blog").await;
    assert!(world.tell().await.is_empty());
    assert_eq!(
        world.titles("blog").await,
        ["A", "B", "C", "D", "E", "Zero"]
    );
}

#[tokio::test]
async fn a_date_alone_is_a_date() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let document = rss(&articles("A")).replace(&noon().to_rfc2822(), "2025-01-09");
    world.put("/blog.rss", document);
    world.poll().await;
    let day = Utc
        .with_ymd_and_hms(2025, 1, 9, 0, 0, 0)
        .single()
        .expect("a moment");
    assert_eq!(world.items("blog").await[0].at, day.timestamp());
}

#[tokio::test]
async fn a_future_date_neither_stays_nor_hides_later_entries() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let future = Utc.with_ymd_and_hms(2099, 1, 1, 0, 0, 0).single();
    let mut all = articles("B A");
    all[0].at = future;
    world.put("/blog.rss", rss(&all));
    world.poll().await;
    world.check_ok("blog").await;
    world.tell().await;
    assert!(
        world
            .items("blog")
            .await
            .iter()
            .all(|item| item.at <= world.now().timestamp())
    );
    // The feed overflows. The future date does not hide that entries were missed.
    world.advance(TimeDelta::days(3));
    let later: Vec<Article> = articles("E D")
        .into_iter()
        .map(|article| Article {
            at: Some(world.now()),
            ..article
        })
        .collect();
    world.put("/blog.rss", rss(&later));
    world.poll().await;
    assert_eq!(world.tell().await.len(), 2);
    assert_eq!(world.gaps("blog").await.len(), 1);
}

#[tokio::test]
async fn a_mail_from_the_future_does_not_move_the_cursor() {
    let mut world = World::new(&[archive("bpf", "/bpf/")]).await;
    let future = Mail {
        at: noon() + TimeDelta::days(900),
        ..mail("9", 0, "future", "")
    };
    let mut mails = vec![future, mail("1", -5, "a", "")];
    for (number, title) in ["b", "c", "d"].into_iter().enumerate() {
        let shown = mails.clone();
        world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &shown, 3, path));
        world.poll_when_due("bpf").await;
        world.check_ok("bpf").await;
        assert_eq!(world.titles("bpf").await.len(), mails.len());
        let minutes = 70 * i64::try_from(number).expect("few");
        mails.push(mail(title, minutes, title, ""));
        mails.push(mail(&format!("{title}2"), minutes + 1, title, ""));
    }
}

#[tokio::test]
async fn a_bad_entry_among_good_ones_is_a_recorded_fault() {
    let mut world = World::new(&[feed("blog", "/blog.rss"), archive("bpf", "/bpf/")]).await;
    let mut all = articles("C B A");
    all[1] = Article {
        guid: "7".to_owned(),
        link: String::new(),
        title: String::new(),
        text: String::new(),
        at: None,
    };
    world.put("/blog.rss", rss(&all));
    let document = mails_atom(
        "http://list.example/bpf/",
        &[mail("1", -5, "a", ""), mail("2", -9, "b", "")],
    );
    world.put(
        "/bpf/new.atom",
        document.replace("http://list.example/bpf/1@x.example/", "nowhere"),
    );
    for _ in 0..2 {
        world.poll_when_due("blog").await;
        world.check_ok("blog").await;
        world.check_ok("bpf").await;
        assert_eq!(world.titles("blog").await, ["A", "C"]);
        assert_eq!(world.titles("bpf").await, ["b"]);
        assert_eq!(
            world.faults("blog").await,
            ["an entry with neither title nor link nor text"]
        );
        assert_eq!(world.faults("bpf").await.len(), 1);
    }
}

#[tokio::test]
async fn a_feed_of_nothing_but_bad_entries_fails() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    let bad = Article {
        guid: "7".to_owned(),
        link: String::new(),
        title: String::new(),
        text: String::new(),
        at: None,
    };
    world.put("/blog.rss", rss(&[bad]));
    world.poll().await;
    let row = world.row("blog").await;
    world.check_failed(&row, "backing_off", 1, "none that can be read");
    assert_eq!(row.seeded_at, None);
}

//! One thing is one item, whichever feeds carry it and however they word it. Two things are two items.

use bpfnews::config::{FeedKind, Identity};
use chrono::TimeDelta;

use crate::documents::{Article, articles, cgit, commit, mail, public_inbox, rss};
use crate::rude::answer;
use crate::world::{World, archive, feed, lwn, noon, tree};

#[tokio::test]
async fn one_mail_on_three_lists_is_one_item_and_one_post() {
    let lists = [
        archive("bpf", "/bpf/"),
        archive("netdev", "/netdev/"),
        archive("xdp", "/xdp/"),
    ];
    let mut world = World::new(&lists).await;
    let mut mails = vec![mail("1", -5, "a question", "")];
    for round in 0..3 {
        for folder in ["/bpf/", "/netdev/", "/xdp/"] {
            let shown = mails.clone();
            world.put_folder(folder, move |path| public_inbox(folder, &shown, 5, path));
        }
        world.advance(TimeDelta::hours(2));
        world.poll().await;
        for list in ["bpf", "netdev", "xdp"] {
            world.check_ok(list).await;
            assert_eq!(world.titles(list).await.len(), mails.len());
        }
        let told = world.tell().await;
        assert_eq!(told.len(), 1, "round {round}: {told:?}");
        let newest = world.items("bpf").await.remove(0);
        let sighted = ["bpf", "netdev", "xdp"]
            .iter()
            .all(|list| newest.feeds.contains(&format!("\"{list}\"")));
        assert!(sighted, "{}", newest.feeds);
        mails.insert(
            0,
            mail(
                &format!("{}", round + 2),
                121 * (round + 1),
                "another one",
                "",
            ),
        );
    }
}

#[tokio::test]
async fn one_commit_in_three_trees_is_one_item_and_one_post() {
    let trees = [
        tree("bpf-next", "/bpf-next/", &[]),
        tree("net-next", "/net-next/", &[]),
        tree("linux", "/linux/", &[]),
    ];
    let mut world = World::new(&trees).await;
    let line: Vec<_> = (90..=103).rev().map(commit).collect();
    let serve = |world: &World, folder: &'static str, skip: usize| {
        let line = line[skip..].to_vec();
        world.put_folder(folder, move |path| cgit(folder, &line, 3, 2, path));
    };
    for folder in ["/bpf-next/", "/net-next/", "/linux/"] {
        serve(&world, folder, 4);
    }
    world.poll().await;
    world.tell().await;
    for (round, folder) in ["/bpf-next/", "/net-next/", "/linux/"]
        .into_iter()
        .enumerate()
    {
        world.advance(TimeDelta::days(1));
        serve(&world, folder, 0);
        world.poll().await;
        let told = world.tell().await;
        assert_eq!(
            told.len(),
            if round == 0 { 4 } else { 0 },
            "{folder}: {told:?}"
        );
    }
    for name in ["bpf-next", "net-next", "linux"] {
        world.check_ok(name).await;
        let items = world.items(name).await;
        assert_eq!(items.len(), 7, "three of the seed and four that came");
        assert!(
            items
                .iter()
                .all(|item| item.feeds.matches("name").count() == 3)
        );
    }
}

#[tokio::test]
async fn one_article_in_two_feeds_is_one_item_for_good() {
    let mut world = World::new(&[feed("blog", "/blog.rss"), feed("planet", "/planet.rss")]).await;
    world.put("/blog.rss", rss(&articles("A")));
    let told_by_planet = |titles: &str, guid: &str| -> Vec<Article> {
        let articles = articles(titles).into_iter();
        articles
            .map(|article| Article {
                guid: format!("{guid}-{}", article.title),
                title: format!("Planet: {}", article.title),
                link: format!("{}?utm_source=planet#top", article.link),
                ..article
            })
            .collect()
    };
    world.put("/planet.rss", rss(&told_by_planet("A", "p")));
    world.poll().await;
    world.tell().await;
    for titles in ["B A", "C B A", "C B A", "D C B A"] {
        world.put("/blog.rss", rss(&articles(titles)));
        world.put("/planet.rss", rss(&told_by_planet(titles, "p")));
        let before = world.items("blog").await.len();
        world.poll_when_due("blog").await;
        world.poll_when_due("planet").await;
        let count = titles.split(' ').count();
        assert_eq!(world.items("blog").await.len(), count);
        assert_eq!(world.items("planet").await.len(), count);
        assert!(
            world
                .items("planet")
                .await
                .iter()
                .all(|item| item.feeds.matches("name").count() == 2)
        );
        assert_eq!(world.tell().await.len(), count - before, "{titles}");
    }
}

#[tokio::test]
async fn two_feeds_that_word_an_article_differently_do_not_fight_over_it() {
    let mut world = World::new(&[feed("blog", "/blog.rss"), feed("planet", "/planet.rss")]).await;
    world.put("/blog.rss", rss(&articles("A")));
    world.poll().await;
    let mut copy = articles("A");
    copy[0].title = "Planet: A".to_owned();
    world.put("/planet.rss", rss(&copy));
    for _ in 0..3 {
        world.poll_when_due("planet").await;
        assert_eq!(
            world.titles("blog").await,
            ["A"],
            "the first feed's title is kept"
        );
        world.poll_when_due("blog").await;
    }
    let mut edited = articles("A");
    edited[0].title = "A, corrected".to_owned();
    world.put("/blog.rss", rss(&edited));
    world.poll_when_due("blog").await;
    world.poll_when_due("planet").await;
    assert_eq!(world.titles("planet").await, ["A, corrected"]);
}

#[tokio::test]
async fn bare_guids_of_two_sites_do_not_collide() {
    let mut world = World::new(&[feed("blog", "/blog.rss"), feed("other", "/other.rss")]).await;
    let other = world.url("localhost", "/other.rss");
    world
        .restart(|config| {
            std::sync::Arc::make_mut(&mut config.feeds[2]).url = other.parse().expect("a URL")
        })
        .await;
    let numbered = |site: &str| -> Vec<Article> {
        let articles = articles("2 1").into_iter();
        articles
            .map(|article| Article {
                guid: article.title.clone(),
                link: format!("https://{site}.example/{}", article.title),
                title: format!("{site} {}", article.title),
                ..article
            })
            .collect()
    };
    world.put("/blog.rss", rss(&numbered("blog")));
    world.put("/other.rss", rss(&numbered("other")));
    for _ in 0..2 {
        world.poll_when_due("blog").await;
        assert_eq!(world.titles("blog").await, ["blog 1", "blog 2"]);
        assert_eq!(world.titles("other").await, ["other 1", "other 2"]);
    }
}

#[tokio::test]
async fn an_item_has_the_present_text_of_its_entry() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put("/blog.rss", rss(&articles("B A")));
    world.poll().await;
    world.tell().await;
    let mut edited = articles("B A");
    edited[0].title = "B, corrected".to_owned();
    // Sites that edit often also change the date.
    edited[0].at = Some(noon() + TimeDelta::minutes(50));
    world.put("/blog.rss", rss(&edited));
    world.poll_when_due("blog").await;
    world.check_ok("blog").await;
    assert_eq!(world.titles("blog").await, ["A", "B, corrected"]);
    assert!(world.tell().await.is_empty());
}

#[tokio::test]
async fn a_paid_article_that_becomes_free_is_the_same_article() {
    let mut world = World::new(&[lwn("lwn", "/lwn.rss")]).await;
    let on_lwn = |number: u32, title: &str| Article {
        guid: format!("https://lwn.net/Articles/{number}/"),
        link: format!("https://lwn.net/Articles/{number}/rss"),
        ..Article::new(1, title)
    };
    world.put("/lwn.rss", rss(&[on_lwn(1, "Old")]));
    world.poll().await;
    world.tell().await;
    world.put(
        "/lwn.rss",
        rss(&[on_lwn(2, "[$] BPF and the $ sign"), on_lwn(1, "Old")]),
    );
    world.poll_when_due("lwn").await;
    let paid = world
        .items("lwn")
        .await
        .into_iter()
        .find(|item| item.title.starts_with("BPF"));
    let free_on = paid
        .expect("without its prefix")
        .free_on
        .expect("it is paid");
    // The world begins on a Friday: the next edition is on the 16th, and its articles are free on the 23rd.
    assert_eq!(
        bpfnews::store::items::day(free_on),
        chrono::NaiveDate::from_ymd_opt(2025, 1, 23)
    );
    assert_eq!(world.tell().await, [["BPF and the $ sign"]]);
    world.put(
        "/lwn.rss",
        rss(&[on_lwn(2, "BPF and the $ sign"), on_lwn(1, "Old")]),
    );
    world.poll_when_due("lwn").await;
    let items = world.items("lwn").await;
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item.free_on.is_none()));
    assert!(world.tell().await.is_empty());
}

#[tokio::test]
async fn a_permanent_redirect_is_stored_after_it_proved_good() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    // Bare numbers identify an article only within their site. After a move they must not make new articles.
    let numbered = |titles: &str| -> Vec<Article> {
        let articles = articles(titles).into_iter();
        articles
            .map(|article| Article {
                guid: article.title.len().to_string(),
                ..article
            })
            .collect()
    };
    world.put("/blog.rss", rss(&numbered("AA A")));
    world.poll().await;
    world.tell().await;
    let new_place = world.url("localhost", "/new.rss");
    let moved = answer(
        "301 Moved Permanently",
        &[&format!("Location: {new_place}")],
        "",
    );
    world.put_answer("/blog.rss", moved);
    world.put_answer("/new.rss", answer("503 Service Unavailable", &[], ""));
    world.poll_when_due("blog").await;
    let row = world.row("blog").await;
    world.check_failed(&row, "backing_off", 1, "503");
    assert_eq!(row.moved_to, None, "the new place is not good yet");
    world.put("/new.rss", rss(&numbered("AAA AA A")));
    world.poll_when_due("blog").await;
    world.check_ok("blog").await;
    assert_eq!(world.row("blog").await.moved_to, Some(new_place));
    assert_eq!(world.tell().await, [["AAA"]]);
    let asked = world.asked("/blog.rss").len();
    world.put("/new.rss", rss(&numbered("AAAA AAA AA A")));
    world.poll_when_due("blog").await;
    world.check_ok("blog").await;
    assert_eq!(
        world.asked("/blog.rss").len(),
        asked,
        "the old place is left alone"
    );
    assert_eq!(world.tell().await, [["AAAA"]]);
    assert_eq!(world.items("blog").await.len(), 4);

    // The new address fails, and the feed is at the old one again.
    world.put_answer("/new.rss", answer("503 Service Unavailable", &[], ""));
    for failures in 1..=3 {
        world.poll_when_due("blog").await;
        let row = world.row("blog").await;
        world.check_failed(&row, "backing_off", failures, "503");
    }
    world.put("/blog.rss", rss(&numbered("AAAAA AAAA AAA AA A")));
    world.poll_when_due("blog").await;
    world.check_ok("blog").await;
    assert_eq!(world.tell().await, [["AAAAA"]]);
}

#[tokio::test]
async fn a_temporary_redirect_is_followed_once() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put_answer(
        "/blog.rss",
        answer("302 Found", &["Location: /new.rss"], ""),
    );
    world.put("/new.rss", rss(&articles("A")));
    world.poll().await;
    world.check_ok("blog").await;
    assert_eq!(world.row("blog").await.moved_to, None);
    assert_eq!(world.titles("blog").await, ["A"]);
}

/// One article under these guids in turn, beside another that stays.
fn under(guid: &str, title: &str) -> Vec<Article> {
    let renamed = Article {
        guid: guid.to_owned(),
        link: "https://blog.example/renamed".to_owned(),
        at: Some(noon() + TimeDelta::minutes(20)),
        ..Article::new(0, title)
    };
    let other = Article {
        at: Some(noon() + TimeDelta::minutes(10)),
        ..Article::new(0, "Other")
    };
    vec![renamed, other]
}

#[tokio::test]
async fn one_link_under_a_new_guid_is_one_article() {
    let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
    world.put("/blog.rss", rss(&articles("Z")));
    world.poll().await;
    world.tell().await;
    world.put("/blog.rss", rss(&under("1", "A")));
    world.poll_when_due("blog").await;
    assert_eq!(world.tell().await.len(), 2);
    for (guid, title) in [("2", "A"), ("3", "A, in other words"), ("1", "A")] {
        world.restart(|_| ()).await;
        world.put("/blog.rss", rss(&under(guid, title)));
        world.poll_when_due("blog").await;
        world.check_ok("blog").await;
        let mut titles = world.titles("blog").await;
        titles.sort();
        let mut right = ["Other", title, "Z"];
        right.sort_unstable();
        assert_eq!(titles, right);
        assert!(world.tell().await.is_empty(), "{guid}");
    }
}

#[tokio::test]
async fn a_new_guid_and_another_feed_with_the_link_are_still_one_article() {
    for order in [["blog", "planet"], ["planet", "blog"]] {
        let mut world =
            World::new(&[feed("blog", "/blog.rss"), feed("planet", "/planet.rss")]).await;
        for file in ["/blog.rss", "/planet.rss"] {
            world.put(file, rss(&articles("Z")));
        }
        world.poll().await;
        world.tell().await;
        for (round, feeds) in [order, ["blog", "planet"], ["planet", "blog"]]
            .iter()
            .enumerate()
        {
            for name in feeds {
                let shown = under(&format!("{name} {round}"), "A");
                world.put(&format!("/{name}.rss"), rss(&shown));
                world.poll_when_due(name).await;
            }
            let told = world.tell().await.len();
            assert_eq!(told, if round == 0 { 2 } else { 0 }, "{order:?} {round}");
        }
        assert_eq!(world.items("blog").await.len(), 3);
    }
}

#[tokio::test]
async fn entries_with_one_link_are_distinguished_by_guids_from_then_on() {
    for link in ["https://blog.example/", "https://blog.example/changes"] {
        let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
        let shown = |titles: &str| -> Vec<Article> {
            let articles = articles(titles).into_iter();
            articles
                .map(|article| Article {
                    guid: format!("id {}", article.title),
                    link: link.to_owned(),
                    ..article
                })
                .collect()
        };
        world.put("/blog.rss", rss(&shown("B A")));
        world.poll().await;
        world.tell().await;
        for (titles, told) in [("C B A", 1), ("D", 1), ("D", 0), ("E", 1)] {
            world.restart(|_| ()).await;
            world.put("/blog.rss", rss(&shown(titles)));
            world.poll_when_due("blog").await;
            assert_eq!(world.tell().await.len(), told, "{link} {titles}");
        }
        assert_eq!(world.items("blog").await.len(), 5, "{link}");
    }
}

#[tokio::test]
async fn a_feed_whose_guids_alone_decide_says_so() {
    for (identity, told) in [(Identity::Guid, 1), (Identity::Link, 0)] {
        let mut world = World::new(&[feed("blog", "/blog.rss")]).await;
        world
            .restart(|config| {
                let feed = config.feeds.iter_mut().find(|feed| feed.name == "blog");
                let feed = feed.expect("the blog");
                std::sync::Arc::make_mut(feed).kind = FeedKind::Feed {
                    gives: None,
                    identity,
                };
            })
            .await;
        world.put("/blog.rss", rss(&under("1", "A")));
        world.poll().await;
        world.tell().await;
        world.put("/blog.rss", rss(&under("2", "B")));
        world.poll_when_due("blog").await;
        assert_eq!(world.tell().await.len(), told, "{identity:?}");
    }
}

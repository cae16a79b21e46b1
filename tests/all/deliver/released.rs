//! The first release with a story: a post names it if the polls prove it, and as soon as it is out.

use bpfnews::config::{FeedKind, TreeRole, WebConfig};
use bpfnews::post::milestone::{MilestoneKind, MilestoneWay, MilestoneWays};
use chrono::{DateTime, TimeDelta, Utc};

use super::platform::Chat;
use super::put_mails;
use crate::documents::{Article, Commit, cgit, commit, mail, rss};
use crate::world::{Upstream, World, archive, feed, tree};

fn mainline() -> Upstream {
    let kind = FeedKind::Tree {
        branch: "master".to_owned(),
        paths: Vec::new(),
        role: TreeRole::Mainline,
    };
    ("mainline", kind, "/mainline")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// kernel.org's feed of releases: mainline at these times.
fn put_releases(world: &World, releases: &[(&str, &str)]) {
    let release = |(version, day): &(&str, &str)| Article {
        at: Some(at(day)),
        ..Article::new(0, &format!("{version}: mainline"))
    };
    let newest_first: Vec<Article> = releases.iter().rev().map(release).collect();
    world.put("/kdist.xml", rss(&newest_first).replace("Blog", "Linux"));
}

fn put_tree(world: &World, folder: &'static str, commits: &[Commit]) {
    let mut all = vec![commit(90)];
    all.extend(commits.iter().cloned());
    all.reverse();
    world.put_folder(folder, move |path| cgit(folder, &all, 10, 10, path));
}

const RC6: (&str, &str) = ("6.13-rc6", "2025-01-05T22:00:00Z");
const RC7: (&str, &str) = ("6.13-rc7", "2025-01-12T22:00:00Z");

/// A world in which a patch was posted, applied, and merged into mainline.
async fn landed(chat: &Chat, ways: MilestoneWays) -> World {
    let upstreams = [
        archive("bpf", "/bpf/"),
        tree("tree", "/tree", &[]),
        mainline(),
        feed("releases", "/kdist.xml"),
    ];
    let mut world = World::new(&upstreams).await;
    world
        .restart(|config| {
            config.channels[0].milestones = ways;
            config.web = Some(WebConfig {
                listen: ([127, 0, 0, 1], 0).into(),
                url: "https://news.example/".parse().ok(),
            });
        })
        .await;
    put_mails(&world, &[]);
    put_tree(&world, "/tree/", &[]);
    put_tree(&world, "/mainline/", &[]);
    put_releases(&world, &[RC6]);
    world.poll().await;
    world.advance(TimeDelta::hours(2));
    put_mails(&world, &[mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")]);
    world.poll().await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    let made = Commit {
        subject: "bpf: Do it".to_owned(),
        at: world.now(),
        ..commit(101)
    };
    for (name, folder) in [("tree", "/tree/"), ("mainline", "/mainline/")] {
        put_tree(&world, folder, std::slice::from_ref(&made));
        world.poll_when_due(name).await;
        chat.delivery_loop(&world).pass().await.expect("a pass");
        world.advance(TimeDelta::hours(2));
    }
    world
}

#[tokio::test]
async fn a_new_release_is_named_in_the_posts_of_its_stories() {
    let chat = Chat::new();
    let kinds = [MilestoneKind::Mainline, MilestoneKind::Released];
    let ways = MilestoneWays::all(&kinds, MilestoneWay::Reply);
    let mut world = landed(&chat, ways).await;
    let told = |chat: &Chat| {
        let mut told = chat.bpf();
        told.sort();
        told
    };
    assert_eq!(
        told(&chat),
        ["bpf: Do it: in mainline", "in mainline: bpf: Do it"]
    );
    world.advance(at(RC7.1) - world.now() + TimeDelta::hours(1));
    put_releases(&world, &[RC6, RC7]);
    for _ in 0..2 {
        world.poll_when_due("releases").await;
        chat.delivery_loop(&world).pass().await.expect("a pass");
        assert_eq!(
            told(&chat),
            [
                "bpf: Do it: in v6.13-rc7",
                "in mainline: bpf: Do it",
                "in v6.13-rc7: bpf: Do it"
            ]
        );
        let without_page =
            "SELECT COUNT(*) FROM posts WHERE json_extract(content, '$.page') IS NULL";
        let (many,): (i64,) = sqlx::query_as(without_page)
            .fetch_one(&mut *world.reader().await)
            .await
            .expect("the database answers");
        assert_eq!(many, 0, "the release takes no post's link to its page");
    }
}

/// A release is not named if it was made while nobody polled, or if an earlier one is possible.
#[tokio::test]
async fn a_release_is_not_named_where_another_one_is_possible() {
    let chat = Chat::new();
    let quiet = || MilestoneWays::usual(MilestoneWay::Edit);
    let mut world = landed(&chat, quiet()).await;
    world.advance(TimeDelta::days(12));
    put_releases(&world, &[RC6, ("6.14-rc1", "2025-01-20T22:00:00Z")]);
    world.poll_when_due("releases").await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: in mainline"]);
    // rc7 was made between the two polls of mainline.
    let chat = Chat::new();
    let mut world = World::new(&[
        archive("bpf", "/bpf/"),
        mainline(),
        feed("releases", "/kdist.xml"),
    ])
    .await;
    world
        .restart(|config| config.channels[0].milestones = quiet())
        .await;
    put_mails(&world, &[]);
    put_tree(&world, "/mainline/", &[]);
    put_releases(&world, &[RC6]);
    world.poll().await;
    world.advance(TimeDelta::hours(2));
    put_mails(&world, &[mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")]);
    world.poll().await;
    let made = Commit {
        subject: "bpf: Do it".to_owned(),
        at: world.now(),
        ..commit(101)
    };
    world.advance(TimeDelta::days(5));
    put_tree(&world, "/mainline/", &[made]);
    put_releases(&world, &[RC6, RC7, ("6.13", "2025-01-19T22:00:00Z")]);
    world.poll().await;
    world.advance(TimeDelta::days(6));
    world.poll().await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: in mainline"]);
}

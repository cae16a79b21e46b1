//! A clock that jumps a year ahead, or back again, causes no flood and stops nothing.

use bpfnews::config::{ChannelMode, Schedule};
use chrono::{NaiveTime, TimeDelta};

use crate::deliver::platform::Chat;
use crate::documents::{Article, Mail, mail, public_inbox, rss};
use crate::world::{GAP_S, JITTER, World, archive, before_polls, everything, feed};

fn put_mails(world: &World, mails: &[Mail]) {
    let mut all = mails.to_vec();
    all.push(mail("seed", -60, "hello", ""));
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &all, 25, path));
}

fn patch(number: i64, minutes: i64) -> Mail {
    mail(
        &format!("p{number}"),
        minutes,
        &format!("[PATCH bpf-next] bpf: Do it {number}"),
        "",
    )
}

fn article(minutes: i64, title: &str) -> Article {
    Article {
        at: Some(crate::world::noon() + TimeDelta::minutes(minutes)),
        ..Article::new(0, title)
    }
}

/// One pass of everything that `run` does.
async fn pass(world: &mut World, chat: &Chat) {
    before_polls(&world.ingest).await;
    world.poll().await;
    chat.delivery_loop(world).pass().await.expect("a pass");
}

async fn begin(chat: &Chat) -> World {
    let mut world = World::new(&[archive("bpf", "/bpf/"), feed("blog", "/blog.rss")]).await;
    world
        .restart(|config| {
            config.channels[0].hourly_max = Some(3);
            let mut daily = everything();
            (daily.name, daily.address) = ("daily".to_owned(), "daily".to_owned());
            let at = NaiveTime::from_hms_opt(8, 0, 0).expect("a time");
            daily.mode = ChannelMode::Digest {
                when: Schedule { day: None, at },
            };
            config.channels.push(daily);
        })
        .await;
    put_mails(&world, &[]);
    world.put("/blog.rss", rss(&[article(-60, "Zero")]));
    pass(&mut world, chat).await;
    world.advance(TimeDelta::hours(2));
    pass(&mut world, chat).await;
    world
}

#[tokio::test]
async fn a_year_ahead_and_back() {
    let chat = Chat::new();
    let mut world = begin(&chat).await;
    let before = chat.room("").len();

    // Ahead: the present news is announced, and nothing twice.
    world.advance(TimeDelta::days(365));
    put_mails(&world, &[patch(1, 130)]);
    world.put(
        "/blog.rss",
        rss(&[article(131, "One"), article(-60, "Zero")]),
    );
    let asked = world.requests();
    pass(&mut world, &chat).await;
    pass(&mut world, &chat).await;
    assert!(
        world.requests() - asked <= 6,
        "{} requests",
        world.requests() - asked
    );
    let told = chat.room("");
    assert_eq!(
        told.len() - before,
        3,
        "the patch, the article, one of the healthy feed: {told:?}"
    );
    assert!(
        told.contains(&"bpf: Do it 1: posted".to_owned()),
        "{told:?}"
    );
    for name in ["bpf", "blog"] {
        world.check_ok(name).await;
    }

    // Some stories wait for a list, and one waits for its hour.
    put_mails(&world, &[patch(1, 130), patch(2, 140), patch(3, 141)]);
    world.advance(TimeDelta::minutes(66));
    pass(&mut world, &chat).await;

    // Back: feeds are polled again within a gap, news is announced at once, and lists are made at their time.
    world.advance(TimeDelta::days(-365));
    pass(&mut world, &chat).await;
    for name in ["bpf", "blog"] {
        let wait = world.row(name).await.next_poll_at - world.now().timestamp();
        assert!(
            wait as f64 <= GAP_S as f64 * JITTER,
            "{name} waits {wait} s"
        );
    }
    put_mails(
        &world,
        &[patch(1, 130), patch(2, 140), patch(3, 141), patch(4, 250)],
    );
    world.put(
        "/blog.rss",
        rss(&[
            article(250, "Two"),
            article(131, "One"),
            article(-60, "Zero"),
        ]),
    );
    world.advance(TimeDelta::minutes(70));
    pass(&mut world, &chat).await;
    world.advance(TimeDelta::minutes(70));
    pass(&mut world, &chat).await;
    world.advance(TimeDelta::days(1));
    for _ in 0..3 {
        pass(&mut world, &chat).await;
    }
    // Each patch and each article is once in the first room, alone or in a list, and once in the daily list.
    let marks = chat.marks();
    let mut once = marks.clone();
    once.dedup();
    let twice: Vec<&String> = once
        .iter()
        .filter(|mark| marks.iter().filter(|other| other == mark).count() != 2)
        .collect();
    // The last article of the healthy feed may wait for its list.
    assert!(twice.len() <= 3, "{twice:?} of {marks:?}");
    assert!(once.len() >= 4 + 2, "{once:?}");
    assert!(chat.room("daily").len() <= 4, "{:?}", chat.room("daily"));
}

#[tokio::test]
async fn after_a_clock_step_back_nothing_waits_for_a_year() {
    let chat = Chat::new();
    let mut world = begin(&chat).await;
    world.advance(TimeDelta::days(365));
    // A series in parts waits ten minutes for the rest.
    put_mails(
        &world,
        &[mail("s1", 130, "[PATCH bpf-next 1/2] bpf: Do it so", "s0")],
    );
    pass(&mut world, &chat).await;
    assert_eq!(chat.bpf(), [""; 0]);
    world.advance(TimeDelta::days(-365));
    pass(&mut world, &chat).await;
    world.advance(TimeDelta::minutes(11));
    pass(&mut world, &chat).await;
    assert_eq!(chat.bpf().len(), 1, "{:?}", chat.bpf());
}

//! Milestones are messages of their own. Each is sent once, in the way that the channel chose. History sends none.

use bpfnews::config::QuietHours;
use bpfnews::post::milestone::{MilestoneKind, MilestoneWay, MilestoneWays};
use chrono::{NaiveTime, TimeDelta};

use super::crash::{drop_at, run_and_die, seeds, settle, trouble};
use super::platform::{Answer, Chat};
use super::{list, put_mails};
use crate::documents::{Mail, answer_mail, mail};
use crate::world::{World, noon};
use bpfnews::config::Config;

/// Runs in CI.
const SEEDS: u64 = 20;

fn ways(all: &[(&str, MilestoneWay)]) -> MilestoneWays {
    let way = |(word, way): &(&str, MilestoneWay)| {
        (MilestoneKind::parse(word).expect("a milestone"), *way)
    };
    MilestoneWays::new(all.iter().map(way).collect())
}

/// A seeded list whose channel has these milestones, and a posted patch.
async fn posted(chat: &Chat, milestones: MilestoneWays) -> (World, Vec<Mail>) {
    let mut world = list(chat).await;
    world
        .restart(|config| config.channels[0].milestones = milestones)
        .await;
    let mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")];
    put_mails(&world, &mails);
    world.poll().await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: posted"]);
    (world, mails)
}

/// One more mail arrives, and everything is delivered.
async fn comes(chat: &Chat, world: &mut World, mails: &mut Vec<Mail>, next: Mail) {
    mails.push(next);
    put_mails(world, mails);
    world.poll_when_due("bpf").await;
    chat.delivery_loop(world).pass().await.expect("a pass");
}

fn minutes(world: &World) -> i64 {
    (world.now() - noon()).num_minutes()
}

#[tokio::test]
async fn each_milestone_is_one_message_by_its_own_way() {
    let chat = Chat::new();
    let milestones = ways(&[
        ("v2+", MilestoneWay::Thread),
        ("nack", MilestoneWay::Reply),
        ("withdrawn", MilestoneWay::Reply),
        ("changes-requested", MilestoneWay::Edit),
    ]);
    let (mut world, mut mails) = posted(&chat, milestones).await;
    let first = mails[0].clone();
    let steps: [(&str, Option<Mail>); 5] = [
        ("NACK.\n\nIt is wrong.", None),
        ("Nacked-by: Mae Maintainer <m@x.example>", None),
        ("pw-bot: cr", None),
        (
            "",
            Some(mail("p2", 0, "[PATCH bpf-next v2] bpf: Do it", "p1")),
        ),
        (
            "",
            Some(Mail {
                text: "Please ignore this series.".to_owned(),
                ..mail("w", 0, "Re: [PATCH bpf-next v2] bpf: Do it", "p2")
            }),
        ),
    ];
    for (number, (text, whole)) in steps.into_iter().enumerate() {
        world.advance(TimeDelta::minutes(90));
        let now = minutes(&world);
        let next = match whole {
            Some(next) => Mail {
                at: world.now(),
                ..next
            },
            None => answer_mail(&format!("a{number}"), now, &first, text),
        };
        comes(&chat, &mut world, &mut mails, next).await;
    }
    assert_eq!(
        chat.below(""),
        [
            ("NACK by Mae Maintainer: bpf: Do it".to_owned(), false),
            ("v1 → v2: bpf: Do it".to_owned(), true),
            ("withdrawn by A. Author: bpf: Do it".to_owned(), false),
        ]
    );
    assert!(chat.bpf()[0].ends_with(": withdrawn"), "{:?}", chat.bpf());
    // Nothing is sent again, whatever else changes.
    let more = answer_mail("b", minutes(&world), &first, "I see.");
    comes(&chat, &mut world, &mut mails, more).await;
    assert_eq!(chat.below("").len(), 3);
}

#[tokio::test]
async fn without_the_setting_there_are_only_edits() {
    let chat = Chat::new();
    let (mut world, mut mails) = posted(&chat, MilestoneWays::usual(MilestoneWay::Edit)).await;
    let nack = answer_mail("n", minutes(&world), &mails[0], "NACK.");
    comes(&chat, &mut world, &mut mails, nack).await;
    assert_eq!(chat.bpf(), ["bpf: Do it: refused"]);
}

/// A message that was not sent yet includes the milestone itself.
#[tokio::test]
async fn steps_in_the_first_message_are_not_announced_again() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let reply = MilestoneWays::usual(MilestoneWay::Reply);
    world
        .restart(|config| config.channels[0].milestones = reply)
        .await;
    let mut mails = vec![mail("p1", 62, "[PATCH bpf-next] bpf: Do it", "")];
    put_mails(&world, &mails);
    world.poll().await;
    let nack = answer_mail("n", minutes(&world), &mails[0], "NACK.");
    comes(&chat, &mut world, &mut mails, nack).await;
    assert_eq!(chat.bpf(), ["bpf: Do it: refused"]);
}

/// Old mails arrive from a new feed, from a file, or late. Stories are folded again. The bot is upgraded. None of that is
/// news.
#[tokio::test]
async fn history_announces_nothing() {
    let chat = Chat::new();
    let (mut world, mut mails) = posted(&chat, MilestoneWays::usual(MilestoneWay::Reply)).await;
    world.advance(TimeDelta::days(20));
    // A refusal of some weeks ago, in the history of a new feed.
    let nack = answer_mail("n", 90, &mails[0], "NACK.");
    world
        .restart(|config| {
            let mut second = (*config.feeds[1]).clone();
            second.name = "second".to_owned();
            second.url = second.url.join("/second/").expect("a URL");
            config.feeds.push(std::sync::Arc::new(second));
        })
        .await;
    world.put(
        "/second/new.atom",
        crate::documents::mails_atom("http://list.example/bpf/", [&nack]),
    );
    world.poll().await;
    world.check_ok("second").await;
    let delivery_loop = chat.delivery_loop(&world);
    delivery_loop.pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: refused"], "the edit comes");
    // Another one reached the list itself, weeks late.
    let late = Mail {
        at: noon() + TimeDelta::minutes(95),
        ..answer_mail("n2", 0, &mails[0], "NACK.")
    };
    mails.push(late);
    let recent = answer_mail("r", minutes(&world), &mails[0], "I see.");
    comes(&chat, &mut world, &mut mails, recent).await;
    // Stories are folded again by rules that find more.
    let mut tx = world.ingest.store.write().await.expect("a transaction");
    let unread = sqlx::query("UPDATE posts SET reached = NULL");
    unread
        .execute(&mut *tx)
        .await
        .expect("the database answers");
    tx.commit().await.expect("it is kept");
    let again = answer_mail("r2", minutes(&world), &mails[0], "So it is.");
    comes(&chat, &mut world, &mut mails, again).await;
    assert_eq!(chat.bpf(), ["bpf: Do it: refused"]);
    // Mails that arrive from now on are news.
    let second = Mail {
        at: world.now(),
        ..mail("p2", 0, "[PATCH bpf-next v2] bpf: Do it", "p1")
    };
    comes(&chat, &mut world, &mut mails, second.clone()).await;
    let now = answer_mail("n3", minutes(&world), &second, "NACK.");
    comes(&chat, &mut world, &mut mails, now).await;
    assert_eq!(
        chat.below(""),
        [("NACK by Mae Maintainer: bpf: Do it".to_owned(), false)]
    );
}

/// Quiet hours delay a separate message, but no edit.
#[tokio::test]
async fn in_quiet_hours_a_milestone_waits_and_edits_do_not() {
    let chat = Chat::new();
    let milestones = ways(&[("v2+", MilestoneWay::Reply)]);
    let (mut world, mut mails) = posted(&chat, milestones).await;
    let at = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("a time of day");
    let quiet = QuietHours {
        from: at(12),
        to: at(22),
    };
    world
        .restart(|config: &mut Config| config.channels[0].quiet = Some(quiet))
        .await;
    for version in 2..4 {
        world.advance(TimeDelta::minutes(61));
        let next = Mail {
            at: world.now(),
            ..mail(
                &format!("p{version}"),
                0,
                &format!("[PATCH bpf-next v{version}] bpf: Do it"),
                "p1",
            )
        };
        comes(&chat, &mut world, &mut mails, next).await;
        assert_eq!(chat.bpf(), [format!("bpf: Do it: v{version}")]);
    }
    world.advance(TimeDelta::hours(9));
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.below("").len(), 2, "{:?}", chat.below(""));
}

/// The program dies at any one await, with or without its answer: there is one message, and it is correct.
#[tokio::test]
async fn killed_at_every_await_a_milestone_is_announced_once() {
    let mut kills = 0;
    for way in [MilestoneWay::Reply, MilestoneWay::Thread] {
        for polls in 1.. {
            let chat = Chat::new();
            let milestones = ways(&[("nack", way)]);
            let (mut world, mut mails) = posted(&chat, milestones).await;
            let nack = answer_mail("n", minutes(&world), &mails[0], "NACK.");
            mails.push(nack);
            put_mails(&world, &mails);
            world.poll_when_due("bpf").await;
            if polls % 2 == 0 {
                chat.answer_next(&[Answer::Lost, Answer::Lost, Answer::Lost, Answer::Lost]);
            }
            let has_ended = drop_at(chat.delivery_loop(&world).pass(), polls).await;
            world.restart(|_| {}).await;
            chat.answer_next(&[]);
            for _ in 0..4 {
                world.advance(TimeDelta::minutes(20));
                chat.delivery_loop(&world).pass().await.expect("a pass");
            }
            let is_thread = way == MilestoneWay::Thread;
            assert_eq!(
                chat.below(""),
                [("NACK by Mae Maintainer: bpf: Do it".to_owned(), is_thread)],
                "killed at await {polls}"
            );
            assert!(chat.all_keys_stand_once(), "killed at await {polls}");
            kills += 1;
            if has_ended {
                break;
            }
        }
    }
    crate::real::say(&format!("{kills} kills"));
    assert!(kills > 20, "{kills}");
}

/// One run with kills, lost answers and failures between many revisions. Each revision is announced once.
async fn run(seed: u64) -> Result<usize, String> {
    const STORIES: usize = 4;
    let mut random = fastrand::Rng::with_seed(seed);
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let milestones = ways(&[("v2+", MilestoneWay::Reply)]);
    world
        .restart(|config| config.channels[0].milestones = milestones)
        .await;
    let mut mails: Vec<Mail> = Vec::new();
    let mut versions = [0; STORIES];
    for round in 0..6 {
        for (story, version) in versions.iter_mut().enumerate() {
            if round > 0 && random.bool() {
                continue;
            }
            *version += 1;
            let parent = match *version {
                1 => String::new(),
                _ => format!("s{story}v1"),
            };
            mails.push(Mail {
                at: world.now(),
                ..mail(
                    &format!("s{story}v{version}"),
                    0,
                    &format!("[PATCH bpf-next v{version}] bpf: Do it {story}"),
                    &parent,
                )
            });
        }
        put_mails(&world, &mails);
        world.poll_when_due("bpf").await;
        if round == 0 {
            chat.delivery_loop(&world).pass().await.expect("a pass");
        }
        for _ in 0..random.u32(1..4) {
            chat.answer_next(&trouble(&mut random));
            run_and_die(&chat, &world, &mut random).await;
            world.restart(|_| {}).await;
            world.advance(TimeDelta::seconds(random.i64(1..600)));
        }
        world.advance(TimeDelta::hours(2));
    }
    settle(&chat, &world).await?;
    let mut told: Vec<String> = chat.below("").into_iter().map(|(words, _)| words).collect();
    told.sort();
    let wanted = versions.iter().enumerate().flat_map(|(story, last)| {
        (2..=*last).map(move |version| format!("v{} → v{version}: bpf: Do it {story}", version - 1))
    });
    let mut wanted: Vec<String> = wanted.collect();
    wanted.sort();
    match told == wanted {
        true => Ok(wanted.len()),
        false => Err(format!("seed {seed}: {told:?}, not {wanted:?}")),
    }
}

#[tokio::test]
async fn whenever_it_dies_each_revision_is_announced_once() {
    let seeds = seeds(SEEDS);
    let mut announced = 0;
    for seed in 0..seeds {
        announced += run(seed).await.unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    crate::real::say(&format!("{seeds} runs, {announced} milestones"));
    assert!(announced > 0);
}

/// A request, sent so many days before the time of the world.
fn request(world: &World, id: &str, subject: &str, days_ago: i64) -> Mail {
    Mail {
        at: world.now() - TimeDelta::days(days_ago),
        ..mail(id, 0, subject, "")
    }
}

async fn warn(chat: &Chat, world: &World) {
    world.ingest.warn_of_pulls().await.expect("a warning");
    chat.delivery_loop(world).pass().await.expect("a pass");
}

#[tokio::test]
async fn a_channel_is_warned_once_of_a_pull_request_that_waits() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let ask = |days: i64| {
        move |config: &mut Config| {
            let channel = &mut config.channels[0];
            channel.milestones =
                MilestoneWays::all(&[MilestoneKind::PullWaits], MilestoneWay::Reply);
            channel.pull_waits = TimeDelta::days(days);
        }
    };
    let mut mails = vec![
        request(&world, "g1", "[GIT PULL] bpf: Do it first", 0),
        request(&world, "g2", "[GIT PULL] bpf: Do it and take it", 0),
        request(&world, "g3", "[GIT PULL] bpf: Do it again", 0),
    ];
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.bpf().len(), 3);
    world.advance(TimeDelta::days(1));
    let pulled = answer_mail("t2", minutes(&world), &mails[1], "Pulled, thanks!");
    let again = request(&world, "g4", "[GIT PULL] bpf: Do it again", 0);
    mails.extend([pulled, again]);
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    // Without the setting there is no warning, and later it is too early for one.
    world.advance(TimeDelta::days(5));
    warn(&chat, &world).await;
    world.restart(ask(7)).await;
    warn(&chat, &world).await;
    assert_eq!(chat.below(""), []);
    let once = || ("not pulled for 7 days: bpf: Do it first".to_owned(), false);
    world.advance(TimeDelta::hours(26));
    for _ in 0..3 {
        warn(&chat, &world).await;
        assert_eq!(chat.below(""), [once()]);
        world.restart(|_| {}).await;
    }
    world.advance(TimeDelta::days(1));
    let last = ("not pulled for 7 days: bpf: Do it again".to_owned(), false);
    for _ in 0..2 {
        warn(&chat, &world).await;
        assert_eq!(chat.below(""), [once(), last.clone()]);
        world.advance(TimeDelta::days(9));
    }
}

/// A channel that turns warnings on later gets none for requests that already wait long.
#[tokio::test]
async fn a_pull_request_of_long_ago_is_no_warning() {
    let chat = Chat::new();
    let mut world = list(&chat).await;
    let mails = [request(&world, "g1", "[GIT PULL] bpf: Do it first", 0)];
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    world.advance(TimeDelta::days(15));
    world
        .restart(|config| {
            config.channels[0].milestones =
                MilestoneWays::all(&[MilestoneKind::PullWaits], MilestoneWay::Reply);
        })
        .await;
    warn(&chat, &world).await;
    assert_eq!(chat.below(""), []);
}

/// A mail of a series: its number of two, 0 for the cover letter.
fn part(world: &World, version: &str, number: u32) -> Mail {
    let title = ["bpf: Do it", "bpf: Do one half", "selftests/bpf: Do it"][number as usize];
    let parent = if number > 0 {
        format!("{version}-0")
    } else {
        String::new()
    };
    let subject = format!("[PATCH bpf-next {version} {number}/2] {title}");
    mail(
        &format!("{version}-{number}"),
        minutes(world),
        &subject,
        &parent,
    )
}

/// A channel that announces revisions, and a series that was posted there.
async fn posted_series(chat: &Chat) -> (World, Vec<Mail>) {
    let mut world = list(chat).await;
    let revisions = ways(&[("v2+", MilestoneWay::Reply)]);
    world
        .restart(|config| config.channels[0].milestones = revisions)
        .await;
    world.advance(TimeDelta::minutes(60));
    let mails: Vec<Mail> = (0..3).map(|number| part(&world, "v1", number)).collect();
    put_mails(&world, &mails);
    world.poll_when_due("bpf").await;
    chat.delivery_loop(&world).pass().await.expect("a pass");
    assert_eq!(chat.bpf(), ["bpf: Do it: posted"]);
    (world, mails)
}

#[tokio::test]
async fn a_revision_is_announced_when_its_mails_are_there() {
    let chat = Chat::new();
    let (mut world, mut mails) = posted_series(&chat).await;
    world.advance(TimeDelta::minutes(90));
    // The last patch comes first, and the story has its title for a moment.
    let last = part(&world, "v2", 2);
    comes(&chat, &mut world, &mut mails, last).await;
    assert_eq!(chat.below(""), []);
    mails.push(part(&world, "v2", 1));
    let cover = part(&world, "v2", 0);
    comes(&chat, &mut world, &mut mails, cover).await;
    assert_eq!(chat.below(""), [("v1 → v2: bpf: Do it".to_owned(), false)]);
    // A revision whose other mails never come is announced as it is.
    world.advance(TimeDelta::minutes(90));
    let lone = part(&world, "v3", 2);
    comes(&chat, &mut world, &mut mails, lone).await;
    assert_eq!(chat.below("").len(), 1);
    world.advance(TimeDelta::minutes(11));
    chat.delivery_loop(&world).pass().await.expect("a pass");
    let below = chat.below("");
    assert_eq!(below.len(), 2);
    assert!(below[1].0.starts_with("v2 → v3: "), "{below:?}");
}

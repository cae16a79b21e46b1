//! Archives, read from a real public-inbox.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::bot::Bot;
use super::{Server, check_holds, check_same, corpus_mails, ids, is_long, say, seeds};
use crate::mails::{Mail, Mails};

/// The start and the end of the tests' part of the corpus: 2024-11-01 and 2025-01-10, in unix seconds.
const CORPUS_FROM: i64 = 1_730_419_200;
const CORPUS_CUT: i64 = 1_736_467_200;
/// The start for a long run: the first mail of the corpus.
const CORPUS_FIRST: i64 = 1_714_521_600;
/// The longest time until a kill.
const KILL_WITHIN: Duration = Duration::from_millis(400);

/// Seeds a feed with `first` mails, publishes all others at once, is killed `kills` times while it catches up, and at the
/// end has every published mail once.
fn check_catch_up(mails: &[Mail], first: usize, kills: u32, seed: u64) {
    let mut server = Server::inbox(mails, first);
    let mut bot = Bot::with_gap(&Bot::archive(&server.url), 15);
    bot.seed(seed);
    bot.poll("bpf");
    assert_eq!(server.let_in(mails.len()), mails.len());
    let met = bot.kill_amid(&["poll", "--feed", "bpf"], kills, KILL_WITHIN);
    bot.poll_until_quiet("bpf");
    say(&format!(
        "{} mails came, killed {met} times, seed {seed}",
        mails.len() - first
    ));
    let known = bot.known("bpf", "message_id");
    check_holds("since the seed", &ids(&mails[first..]), &known);
    check_holds("in the inbox", &known, &ids(mails));
    bot.check_well("bpf");
    bot.check_stories("bpf");
    check_titles(&bot, mails);
}

/// Fails unless every item has the subject of its mail.
fn check_titles(bot: &Bot, mails: &[Mail]) {
    let titles: HashMap<&str, &str> = mails
        .iter()
        .map(|mail| (mail.id.as_str(), mail.title.as_str()))
        .collect();
    for item in bot.items("bpf") {
        let id = item["message_id"].as_str().expect("a mail has one");
        let wanted = titles[id];
        if !wanted.is_empty() {
            assert_eq!(item["title"], wanted, "{id}");
        }
    }
}

#[test]
fn real_archive_catches_up_though_it_is_killed() {
    for seed in seeds() {
        let mails = Mails::new(seed).threads(700).done();
        check_catch_up(&mails, 100, 12, seed);
    }
}

#[test]
fn real_archive_catches_up_on_the_corpus_though_it_is_killed() {
    let Some(mails) = corpus_mails("lists/bpf-dev.mbox.gz", CORPUS_FROM) else {
        return;
    };
    let first = mails.iter().filter(|mail| mail.at <= CORPUS_CUT).count();
    for seed in seeds() {
        let until = mails.len().min(first + 450);
        check_catch_up(&mails[..until], first, 12, seed);
    }
}

#[test]
fn real_archive_is_followed_in_small_steps() {
    for seed in seeds() {
        let mails = Mails::new(seed + 100)
            .threads(60)
            .with_one_from_the_future()
            .threads(140)
            .done();
        check_small_steps(&mails, 30, seed);
        if let Some(mails) = corpus_mails("lists/bpf-dev.mbox.gz", CORPUS_FROM) {
            check_small_steps(&mails[..mails.len().min(200)], 30, seed);
        }
    }
}

fn check_small_steps(mails: &[Mail], first: usize, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut server = Server::inbox(mails, first);
    let mut bot = Bot::new(&Bot::archive(&server.url));
    bot.poll("bpf");
    let mut inside = first;
    while inside < mails.len() {
        inside = server.let_in(random.usize(1..30));
        if random.bool() {
            bot.kill_amid(&["poll", "--feed", "bpf"], 1, KILL_WITHIN / 4);
        }
        bot.poll("bpf");
    }
    bot.poll_until_quiet("bpf");
    let known = bot.known("bpf", "message_id");
    check_holds("since the seed", &ids(&mails[first..]), &known);
    bot.check_well("bpf");
}

/// Many mails of one second fill several pages, so the time does not move from page to page.
#[test]
fn real_archive_gets_past_a_second_with_many_mails() {
    let mails = Mails::new(3)
        .threads(40)
        .in_one_second(70)
        .threads(60)
        .done();
    check_catch_up(&mails, 40, 0, 3);
    let ends_in_it = Mails::new(4).threads(40).in_one_second(70).done();
    check_catch_up(&ends_in_it, 40, 4, 4);
    let begins_in_it = Mails::new(5).in_one_second(70).threads(120).done();
    check_catch_up(&begins_in_it, 30, 0, 5);
}

/// After a long downtime, the mbox of a search fills the stretch.
#[test]
fn real_archive_catches_up_after_a_long_time_off() {
    let mails = Mails::new(6)
        .threads(60)
        .silence(40)
        .threads(500)
        .in_one_second(40)
        .with_one_from_the_future()
        .silence(9)
        .threads(100)
        .done();
    let first = 50;
    let mut server = Server::inbox(&mails, first);
    let mut bot = Bot::with_gap(&Bot::archive(&server.url), 15);
    bot.poll("bpf");
    server.let_in(mails.len());
    bot.been_away();
    bot.kill_amid(&["poll", "--feed", "bpf"], 3, KILL_WITHIN);
    bot.been_away();
    bot.poll_until_quiet("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[first..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
    check_titles(&bot, &mails);
}

fn check_backfill(mails: &[Mail], since: &str, kills: u32) {
    let server = Server::inbox(mails, mails.len());
    let mut bot = Bot::with_gap(&Bot::archive(&server.url), 15);
    let backfill = ["backfill", "--feed", "bpf", "--since", since];
    let met = bot.kill_amid(&backfill, kills, KILL_WITHIN);
    bot.ask(&backfill);
    bot.ask(&backfill);
    say(&format!(
        "{} mails walked back to, killed {met} times",
        mails.len()
    ));
    check_same("the inbox", &ids(mails), &bot.known("bpf", "message_id"));
    bot.check_stories("bpf");
    check_titles(&bot, mails);
}

#[test]
fn real_archive_is_walked_back_to_its_first_mail_though_it_is_killed() {
    let mails = Mails::new(7)
        .threads(300)
        .silence(30)
        .in_one_second(60)
        .threads(300)
        .done();
    check_backfill(&mails, "2024-02-28", 6);
    let from = if is_long() { CORPUS_FIRST } else { CORPUS_FROM };
    if let Some(mails) = corpus_mails("lists/bpf-dev.mbox.gz", from) {
        check_backfill(&mails, "2024-05-01", 6);
    }
}

#[test]
fn real_archive_is_walked_back_only_as_far_as_asked() {
    let mails = Mails::new(8).threads(80).silence(20).threads(80).done();
    let server = Server::inbox(&mails, mails.len());
    let bot = Bot::new(&Bot::archive(&server.url));
    let old_until = mails[79].at.max(mails[80].at);
    let day = chrono::DateTime::from_timestamp(old_until + 5 * 86_400, 0).expect("a date");
    let since = day.format("%Y-%m-%d").to_string();
    bot.ask(&["backfill", "--feed", "bpf", "--since", &since]);
    let young: Vec<Mail> = mails
        .iter()
        .filter(|mail| mail.at > old_until + 86_400)
        .cloned()
        .collect();
    check_same(&since, &ids(&young), &bot.known("bpf", "message_id"));
}

/// The right results of a search for `s:bpf`, computed from the subjects.
fn with_bpf(mails: &[Mail]) -> BTreeSet<String> {
    let named = mails.iter().filter(|mail| {
        let mut words = mail.title.split(|c: char| !c.is_alphanumeric());
        words.any(|word| word.eq_ignore_ascii_case("bpf"))
    });
    named.map(|mail| mail.id.clone()).collect()
}

#[test]
fn real_archive_narrowed_by_a_query_catches_up() {
    let mails = Mails::new(9).threads(500).done();
    let first = 100;
    let mut server = Server::inbox(&mails, first);
    let feed = format!("{}query = \"s:bpf\"\n", Bot::archive(&server.url));
    let mut bot = Bot::with_gap(&feed, 15);
    bot.poll("bpf");
    server.let_in(mails.len());
    bot.kill_amid(&["poll", "--feed", "bpf"], 8, KILL_WITHIN);
    bot.poll_until_quiet("bpf");
    let known = bot.known("bpf", "message_id");
    check_holds("since the seed", &with_bpf(&mails[first..]), &known);
    check_holds("that match", &known, &with_bpf(&mails));
    bot.check_well("bpf");
}

/// A search without results is answered by 404, which is no failure. The first result is news.
#[test]
fn real_archive_narrowed_to_nothing_is_fine_and_posts_later_mails() {
    let mut mails = Mails::new(10).threads(30).done();
    mails.extend(Mails::new(11).in_one_second(1).done());
    let first = mails.len() - 1;
    let mut server = Server::inbox(&mails, first);
    let feed = format!(
        "{}query = \"s:\\\"sent at once\\\"\"\n",
        Bot::archive(&server.url)
    );
    let bot = Bot::new(&feed);
    bot.poll("bpf");
    bot.check_well("bpf");
    assert_eq!(bot.count("bpf"), 0);
    server.let_in(1);
    let told = bot.poll("bpf");
    assert_eq!(bot.count("bpf"), 1);
    assert!(told.contains("one of many, sent at once"), "{told}");
    bot.check_well("bpf");
}

#[test]
fn real_archive_that_is_empty_is_fine_and_posts_its_first_mail() {
    let mails = Mails::new(12).in_one_second(1).threads(40).done();
    let mut server = Server::inbox(&mails, 0);
    let bot = Bot::new(&Bot::archive(&server.url));
    bot.poll("bpf");
    bot.check_well("bpf");
    bot.poll("bpf");
    server.let_in(1);
    let told = bot.poll("bpf");
    assert!(told.contains("one of many, sent at once"), "{told}");
    bot.check_well("bpf");
    server.let_in(mails.len());
    bot.poll_until_quiet("bpf");
    check_same("the inbox", &ids(&mails), &bot.known("bpf", "message_id"));
}

/// Mails that another list brought earlier prove nothing about the cursor of this list.
#[test]
fn real_archive_catches_up_behind_another_that_shares_its_newest_mails() {
    let shared = Mails::new(30)
        .in_one_second(1)
        .silence(5)
        .threads(70)
        .done();
    let own = Mails::new(31).threads(90).done();
    let mails: Vec<Mail> = own.iter().chain(&shared[1..]).cloned().collect();
    let mut other = Server::inbox(&shared, 1);
    let mut server = Server::inbox(&mails, 30);
    let feeds = [
        Bot::archive(&server.url),
        Bot::archive_named("netdev", &other.url),
    ];
    let bot = Bot::new(&feeds.concat());
    bot.poll("bpf");
    bot.poll("netdev");
    other.let_in(shared.len());
    server.let_in(mails.len());
    bot.poll_until_quiet("netdev");
    check_same("netdev", &ids(&shared), &bot.known("netdev", "message_id"));
    bot.poll_until_quiet("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[30..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

/// Search knows new mails only later. A walk by search must not leave a second full of mails before search knows all of
/// them.
#[test]
fn real_archive_waits_for_search_where_only_search_helps() {
    let before = Mails::new(32).threads(40).done();
    let mut many = Mails::new(33).in_one_second(60).done();
    let now = chrono::Utc::now().timestamp();
    for mail in &mut many {
        mail.at = now;
    }
    let mails = [before.clone(), many].concat();
    let mut server = Server::inbox_with(&mails, before.len(), &["--lag"]);
    let bot = Bot::new(&Bot::archive(&server.url));
    bot.poll("bpf");
    server.let_in(60);
    bot.poll("bpf");
    server.command("refresh");
    bot.poll("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[before.len()..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

/// The server goes away in the middle of a catch-up, and comes back.
#[test]
fn real_archive_that_goes_down_is_caught_up_with_when_it_is_back() {
    let mails = Mails::new(40).threads(300).done();
    let first = 40;
    let mut server = Server::inbox(&mails, first);
    let mut bot = Bot::with_gap(&Bot::archive(&server.url), 15);
    bot.poll("bpf");
    server.let_in(mails.len());
    bot.kill_amid(&["poll", "--feed", "bpf"], 2, KILL_WITHIN);
    server.command("down");
    for failures in 1..=2 {
        let output = bot.run(&["poll", "--feed", "bpf"]);
        assert_eq!(output.status.code(), Some(1), "the feed failed");
        let feed = bot.feed("bpf");
        assert_eq!(feed["state"], "backing_off", "{feed}");
        assert_eq!(feed["failures"], failures, "{feed}");
    }
    server.command("up");
    bot.poll_until_quiet("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[first..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

/// Several processes may use one database.
#[test]
fn real_archive_is_polled_by_several_at_once() {
    let mails = Mails::new(41).threads(300).done();
    let first = 40;
    let mut server = Server::inbox(&mails, first);
    let bot = Bot::with_gap(&Bot::archive(&server.url), 5);
    bot.poll_at_once("bpf", 3);
    server.let_in(mails.len());
    bot.poll_at_once("bpf", 3);
    bot.poll_until_quiet("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[first..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

//! Archives, read by git from a real public-inbox.

use std::collections::BTreeSet;
use std::time::Duration;

use super::bot::Bot;
use super::{Server, check_holds, check_same, corpus_mails, ids, say, seeds};
use crate::mails::{Mail, Mails};

/// The longest time until a kill.
const KILL_WITHIN: Duration = Duration::from_millis(500);
/// The number of mails at the seed.
const SEEN_AT_FIRST: usize = 25;
/// The start of the tests' part of the corpus: 2024-11-01, in unix seconds.
const CORPUS_FROM: i64 = 1_730_419_200;

fn bot(server: &Server, host_gap_ms: u32) -> Bot {
    let url = format!("git+{}", server.url);
    Bot::with_gap(&Bot::archive(&url), host_gap_ms)
}

/// The mails of the seed and all later ones.
fn wanted(mails: &[Mail], first: usize) -> BTreeSet<String> {
    ids(&mails[first.saturating_sub(SEEN_AT_FIRST)..])
}

fn known(bot: &Bot) -> BTreeSet<String> {
    bot.known("bpf", "message_id")
}

/// Seeds a feed with `first` mails, publishes all others at once, and is killed while it catches up.
fn check_catch_up(mails: &[Mail], first: usize, kills: u32, seed: u64) {
    let mut server = Server::inbox(mails, first);
    let mut bot = bot(&server, 15);
    bot.seed(seed);
    bot.poll("bpf");
    assert_eq!(server.let_in(mails.len()), mails.len());
    let met = bot.kill_amid(&["poll", "--feed", "bpf"], kills, KILL_WITHIN);
    bot.poll_until_quiet("bpf");
    say(&format!(
        "{} mails came, killed {met} times, seed {seed}",
        mails.len() - first
    ));
    check_same("the archive", &wanted(mails, first), &known(&bot));
    bot.check_well("bpf");
    bot.check_stories("bpf");
}

#[test]
fn real_gitarchive_catches_up_though_it_is_killed() {
    for seed in seeds() {
        let mails = Mails::new(seed)
            .threads(300)
            .in_one_second(70)
            .with_one_from_the_future()
            .threads(400)
            .done();
        check_catch_up(&mails, 100, 8, seed);
    }
}

#[test]
fn real_gitarchive_catches_up_on_the_corpus() {
    let Some(mails) = corpus_mails("lists/bpf-dev.mbox.gz", CORPUS_FROM) else {
        return;
    };
    let until = mails.len().min(700);
    check_catch_up(&mails[..until], 200, 4, 0);
}

#[test]
fn real_gitarchive_is_followed_in_small_steps_over_epochs() {
    let mails = Mails::new(21).threads(160).done();
    let mut random = fastrand::Rng::with_seed(21);
    let first = 30;
    let mut server = Server::inbox(&mails, first);
    let mut bot = bot(&server, 0);
    bot.poll("bpf");
    let (mut inside, mut step) = (first, 0);
    while inside < mails.len() {
        step += 1;
        if step % 4 == 0 {
            server.command("epoch");
        }
        inside = server.let_in(random.usize(1..20));
        if random.bool() {
            bot.kill_amid(&["poll", "--feed", "bpf"], 1, KILL_WITHIN / 4);
        }
        if random.bool() {
            bot.poll("bpf");
        }
    }
    bot.poll_until_quiet("bpf");
    say(&format!("{step} steps, {} epochs", step / 4 + 1));
    check_same("the archive", &wanted(&mails, first), &known(&bot));
    bot.check_well("bpf");
}

/// A purge rewrites an epoch, and a removal adds a commit without a mail.
#[test]
fn real_gitarchive_goes_on_after_a_purge() {
    let mails = Mails::new(22).threads(200).done();
    let (first, then) = (60, 120);
    let mut server = Server::inbox(&mails, first);
    let bot = bot(&server, 0);
    bot.poll("bpf");
    server.let_in(then - first);
    bot.poll_until_quiet("bpf");
    let before = known(&bot);
    server.command("purge 40");
    server.command("rm 50");
    let told = bot.poll_until_quiet("bpf");
    assert!(
        !told.contains('@') && told.is_empty(),
        "posted again: {told}"
    );
    // Purged mails stay in our database. Mails from before the seed may arrive, as history.
    check_holds("after the purge", &before, &known(&bot));
    server.command("purge 70");
    server.let_in(mails.len());
    bot.poll_until_quiet("bpf");
    check_holds("what came", &wanted(&mails, first), &known(&bot));
    check_holds("the archive", &known(&bot), &ids(&mails));
    bot.check_well("bpf");
}

#[test]
fn real_gitarchive_does_without_its_copy() {
    let mails = Mails::new(23).threads(120).done();
    let first = 60;
    let mut server = Server::inbox(&mails, first);
    let bot = bot(&server, 0);
    bot.poll("bpf");
    let folder = bot.database().with_extension("git");
    for count in [1, 40, mails.len()] {
        std::fs::remove_dir_all(&folder).expect("git's copies");
        server.let_in(count);
        bot.poll_until_quiet("bpf");
    }
    check_same("the archive", &wanted(&mails, first), &known(&bot));
    bot.check_well("bpf");
}

#[test]
fn real_gitarchive_is_walked_back_over_epochs_though_it_is_killed() {
    let mails = Mails::new(24).threads(120).silence(20).threads(120).done();
    let split = (1..mails.len()).max_by_key(|&at| mails[at].at - mails[at - 1].at);
    let split = split.expect("two mails at least");
    let mut server = Server::inbox(&mails, 40);
    for count in [60, 60, mails.len()] {
        server.command("epoch");
        server.let_in(count);
    }
    let mut bot = bot(&server, 15);
    let day =
        chrono::DateTime::from_timestamp(mails[split - 1].at + 5 * 86_400, 0).expect("a date");
    let since = day.format("%Y-%m-%d").to_string();
    bot.ask(&["backfill", "--feed", "bpf", "--since", &since]);
    let some = known(&bot);
    let young = ids(&mails[split..]);
    let both: BTreeSet<String> = young.union(&wanted(&mails, mails.len())).cloned().collect();
    check_same("the young mails", &both, &some);
    let backfill = ["backfill", "--feed", "bpf", "--since", "2000-01-01"];
    bot.kill_amid(&backfill, 4, KILL_WITHIN);
    bot.ask(&backfill);
    check_same("the archive", &ids(&mails), &known(&bot));
    bot.check_well("bpf");
    bot.check_stories("bpf");
}

/// Mails arrived in several epochs while the pages were read. Then the list is read only by git.
#[test]
fn real_gitarchive_takes_over_across_epochs() {
    let mails = Mails::new(26).threads(200).done();
    let first = 40;
    let mut server = Server::inbox(&mails, first);
    let mut bot = Bot::new(&Bot::archive(&server.url));
    bot.poll_until_quiet("bpf");
    for count in [mails.len() / 3, mails.len() * 2 / 3, mails.len()] {
        server.command("epoch");
        server.let_in(count);
    }
    bot.reconfigure(&Bot::archive(&format!("git+{}", server.url)));
    bot.kill_amid(&["poll", "--feed", "bpf"], 3, KILL_WITHIN);
    bot.poll_until_quiet("bpf");
    check_holds("what came", &ids(&mails[first..]), &known(&bot));
    bot.check_well("bpf");
}

/// The same mails by HTTP and by git are the same items.
#[test]
fn real_gitarchive_and_http_are_the_same_items() {
    let mails = Mails::new(25).threads(80).done();
    let first = 40;
    let mut server = Server::inbox(&mails, first);
    let by_git = bot(&server, 0);
    let by_http = Bot::new(&Bot::archive(&server.url));
    for bot in [&by_git, &by_http] {
        bot.poll("bpf");
    }
    server.let_in(mails.len());
    let shown = [&by_git, &by_http].map(|bot| {
        bot.poll_until_quiet("bpf");
        let items = bot.items("bpf").into_iter();
        let came = ids(&mails[first..]);
        let items = items
            .filter(|item| came.contains(item["message_id"].as_str().expect("a mail has one")));
        let shown = items.map(|item| {
            ["key", "title", "author", "at"]
                .map(|key| item[key].to_string())
                .join(" ")
        });
        shown.collect::<BTreeSet<_>>()
    });
    assert_eq!(shown[0].len(), mails.len() - first);
    check_same("by git and by HTTP", &shown[1], &shown[0]);
}

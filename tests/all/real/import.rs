//! Mails from files: the counts are right, and a second run adds nothing. Needs no server.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::bot::Bot;
use super::{check_same, corpus, ids, say};
use crate::mails::{Mails, mboxrd};

/// A list that is only imported; nothing is fetched.
const FEED: &str = "http://127.0.0.1:9/bpf/";

fn items(bot: &Bot, list: &str) -> usize {
    let lines = bot.ask(&["items", "--format", "json", "--feed", list, "--limit", "0"]);
    lines.lines().count()
}

#[test]
fn import_reads_mbox_gzip_and_maildir_and_a_second_run_adds_nothing() {
    let mails = Mails::new(20).threads(400).in_one_second(30).done();
    let mbox = mboxrd(&mails);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&mbox).expect("memory");
    let packed = packed.finish().expect("memory");
    let bot = Bot::new(&Bot::archive(FEED));
    bot.file("list.mbox", &mbox);
    bot.file("list.mbox.gz", &packed);
    for (number, mail) in mails.iter().enumerate() {
        let folder = if number % 2 == 0 { "cur" } else { "new" };
        bot.file(&format!("maildir/{folder}/{number}.host:2,S"), &mail.raw);
    }
    std::fs::create_dir_all(bot.database().with_file_name("maildir").join("tmp"))
        .expect("a temporary folder");
    for files in [&["list.mbox.gz"], &["list.mbox"], &["maildir"]] {
        let fresh = Bot::new(&Bot::archive(FEED));
        for run in 1..=2 {
            let path = bot.database().with_file_name(files[0]);
            fresh.ask(&["import", "--list", "bpf", path.to_str().expect("text")]);
            let known = fresh.known("bpf", "message_id");
            check_same(&format!("{files:?}, run {run}"), &ids(&mails), &known);
        }
    }
}

#[test]
fn import_that_is_killed_leaves_whole_stories() {
    let mails = Mails::new(21).threads(3_000).done();
    let mut bot = Bot::new(&Bot::archive(FEED));
    let file = bot.file("list.mbox", &mboxrd(&mails));
    let import = ["import", "--list", "bpf", file.as_str()];
    let met = bot.kill_amid(&import, 10, Duration::from_millis(1_200));
    say(&format!(
        "import of {} mails, killed {met} times",
        mails.len()
    ));
    bot.ask(&import);
    check_same("the list", &ids(&mails), &bot.known("bpf", "message_id"));
    bot.check_stories("bpf");
}

#[test]
fn import_counts_the_lists_of_the_corpus() {
    let lists = [
        ("bpf-dev", 3_297),
        ("nonbpf-dev", 1_001),
        ("xdp-newbies", 1_773),
    ];
    let bot = Bot::new(&Bot::archive(FEED));
    for (list, count) in lists {
        let Some(path) = corpus(&format!("lists/{list}.mbox.gz")) else {
            continue;
        };
        let path = path.to_str().expect("text");
        for run in 1..=2 {
            let started = Instant::now();
            bot.ask(&["import", "--list", list, path]);
            let seconds = started.elapsed().as_secs_f64();
            say(&format!(
                "import of {list}, run {run}: {count} mails in {seconds:.2} s, {:.0} mails/s",
                f64::from(count) / seconds
            ));
            assert_eq!(items(&bot, list), usize::try_from(count).expect("a count"));
        }
    }
}

//! Archives, read from a real public-inbox by NNTP, and by NNTP and HTTP in turns.

use std::time::Duration;

use super::bot::Bot;
use super::{Server, check_holds, check_same, ids, say, seeds};
use crate::mails::{Mail, Mails};

const KILL_WITHIN: Duration = Duration::from_millis(400);

/// An inbox by NNTP: the server, the URL of its pages behind a proxy, and the URL of the newsgroup.
fn inbox(mails: &[Mail], first: usize) -> (Server, String, String) {
    let server = Server::inbox_with(mails, first, &["--news"]);
    let addresses: Vec<String> = server.url.split(' ').map(str::to_owned).collect();
    (server, addresses[0].clone(), addresses[1].clone())
}

/// A feed with several addresses.
fn by(addresses: &[&str]) -> String {
    format!("[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nurl = {addresses:?}\n")
}

/// The report of `bpfnews feeds` about the feed.
fn notes(bot: &Bot) -> String {
    bot.ask(&["feeds"])
}

#[test]
fn real_news_bursts_and_drips_are_read_whole_though_it_is_killed() {
    for seed in seeds() {
        let mails = Mails::new(seed + 200).threads(1_700).done();
        let first = 100;
        let (mut server, _, news) = inbox(&mails, first);
        let mut bot = Bot::with_gap(&Bot::archive(&news), 15);
        bot.seed(seed);
        bot.poll("bpf");
        assert_eq!(
            bot.count("bpf"),
            25,
            "the first poll reads the newest mails"
        );
        let mut inside = server.let_in(1_000);
        let met = bot.kill_amid(&["poll", "--feed", "bpf"], 12, KILL_WITHIN);
        bot.poll_until_quiet("bpf");
        check_holds(
            "the burst",
            &ids(&mails[first..inside]),
            &bot.known("bpf", "message_id"),
        );
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..10 {
            inside = server.let_in(random.usize(1..60));
            if random.bool() {
                bot.kill_amid(&["poll", "--feed", "bpf"], 1, KILL_WITHIN / 4);
            }
            bot.poll("bpf");
        }
        server.command("news-down");
        inside = inside.max(server.let_in_quietly(mails.len()));
        let output = bot.run(&["poll", "--feed", "bpf"]);
        assert_eq!(output.status.code(), Some(1), "the server is down");
        server.command("news-up");
        bot.poll_until_quiet("bpf");
        let known = bot.known("bpf", "message_id");
        say(&format!(
            "{inside} mails by NNTP, killed {met} times in the burst"
        ));
        check_holds("since the seed", &ids(&mails[first..]), &known);
        check_holds("in the inbox", &known, &ids(&mails));
        bot.check_well("bpf");
        bot.check_stories("bpf");
        assert!(notes(&bot).contains("0 absent"), "{}", notes(&bot));
    }
}

#[test]
fn real_news_of_a_purged_archive_is_no_gap() {
    let mails = Mails::new(210).threads(200).done();
    let (mut server, _, news) = inbox(&mails, 100);
    let bot = Bot::new(&Bot::archive(&news));
    bot.poll("bpf");
    server.command("more 40");
    // One read mail, the last one, and two that were not read yet.
    for index in [99, 105, 139] {
        server.command(&format!("remove {}", mails[index].id));
    }
    bot.poll_until_quiet("bpf");
    server.command("more 20");
    bot.poll_until_quiet("bpf");
    server.command(&format!("remove {}", mails[159].id));
    bot.poll_until_quiet("bpf");
    server.command("more 500");
    bot.poll_until_quiet("bpf");
    let kept = |index: &usize| !matches!(index, 105 | 139);
    let kept: Vec<Mail> = (100..mails.len())
        .filter(kept)
        .map(|i| mails[i].clone())
        .collect();
    check_holds(
        "since the seed",
        &ids(&kept),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

#[test]
fn real_news_is_walked_back() {
    let mails = Mails::new(220).threads(300).silence(30).threads(300).done();
    let (_server, _, news) = inbox(&mails, mails.len());
    let mut bot = Bot::with_gap(&Bot::archive(&news), 15);
    let backfill = ["backfill", "--feed", "bpf", "--since", "2024-02-28"];
    let met = bot.kill_amid(&backfill, 6, KILL_WITHIN);
    bot.ask(&backfill);
    say(&format!(
        "{} mails walked back to, killed {met} times",
        mails.len()
    ));
    check_same("the inbox", &ids(&mails), &bot.known("bpf", "message_id"));
    bot.check_stories("bpf");
}

/// The same mails arrive by NNTP and by HTTP, in either order, with the same text.
#[test]
fn real_news_has_the_items_of_the_pages() {
    let mails = Mails::new(230).threads(120).done();
    let (_server, web, news) = inbox(&mails, mails.len());
    let since = ["backfill", "--feed", "bpf", "--since", "2024-02-28"];
    let (by_news, by_web) = (
        Bot::new(&Bot::archive(&news)),
        Bot::new(&Bot::archive(&web)),
    );
    by_news.ask(&since);
    by_web.ask(&since);
    let facts = |bot: &Bot| {
        let items = bot.items("bpf").into_iter();
        let mut facts: Vec<String> = items
            .map(|item| format!("{} {} {}", item["message_id"], item["title"], item["at"]))
            .collect();
        facts.sort();
        facts
    };
    assert_eq!(facts(&by_news), facts(&by_web));
}

/// A wall at the first address: news continues by the next one, maintainers get one notice, and nothing is lost or doubled.
#[test]
fn real_news_goes_on_when_a_wall_comes_up_before_the_pages() {
    for seed in seeds() {
        let mails = Mails::new(seed + 240).threads(900).done();
        let first = 60;
        let (mut server, web, news) = inbox(&mails, first);
        let feed = format!(
            "{}\n[[channel]]\nname = \"terminal\"\nplatform = \"terminal\"\nmaintainers = true\n",
            by(&[&web, &news])
        );
        let bot = Bot::new(&feed);
        let mut told = bot.poll("bpf");
        server.command("more 40");
        told.push_str(&bot.poll_until_quiet("bpf"));
        assert!(
            notes(&bot).contains(&format!("read by {web}")),
            "{}",
            notes(&bot)
        );

        server.command("wall");
        let inside = server.let_in(30);
        told.push_str(&bot.poll("bpf"));
        let known = bot.known("bpf", "message_id");
        check_holds("behind the wall", &ids(&mails[first..inside]), &known);
        let said = notes(&bot);
        assert!(said.contains(&format!("read by {news}")), "{said}");
        assert!(
            said.contains("1 times in a row") || said.contains("tried again"),
            "{said}"
        );
        for _ in 0..4 {
            server.command("more 70");
            told.push_str(&bot.poll_until_quiet("bpf"));
        }
        let notices = told.matches("bpf is read by another address").count();
        assert_eq!(notices, 1, "{told}");
        bot.check_well("bpf");

        // The wall is gone, and the best address is tried again at its time.
        server.command("unwall");
        bot.end_pause();
        told.push_str(&bot.poll_until_quiet("bpf"));
        assert!(
            notes(&bot).contains(&format!("read by {web}")),
            "{}",
            notes(&bot)
        );
        let ends = told
            .matches("bpf is read by its best address again")
            .count();
        assert_eq!(ends, 1, "{told}");
        server.command("wall");
        server.command("more 40");
        bot.poll_until_quiet("bpf");

        // The reverse: the wall is gone, and so is the news server.
        server.command("unwall");
        server.command("news-down");
        server.let_in_quietly(mails.len());
        bot.poll_until_quiet("bpf");
        server.command("news-up");
        bot.poll_until_quiet("bpf");
        let known = bot.known("bpf", "message_id");
        say(&format!(
            "{} mails by two ways, seed {seed}",
            mails.len() - first
        ));
        check_holds("since the seed", &ids(&mails[first..]), &known);
        check_holds("in the inbox", &known, &ids(&mails));
        bot.check_well("bpf");
        bot.check_stories("bpf");
    }
}

/// The configuration changes from pages to the newsgroup, and reading continues from the cursor.
#[test]
fn real_news_takes_over_from_the_pages() {
    let mails = Mails::new(250).threads(300).done();
    let (mut server, web, news) = inbox(&mails, 100);
    let mut bot = Bot::new(&Bot::archive(&web));
    bot.poll("bpf");
    server.command("more 120");
    bot.reconfigure(&Bot::archive(&news));
    bot.poll_until_quiet("bpf");
    server.command("more 1000");
    bot.reconfigure(&by(&[&news, &web]));
    bot.poll_until_quiet("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[100..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

/// TLS with the certificate authorities of the system, which are one file here.
#[test]
fn real_news_comes_by_tls_from_a_server_that_proves_itself() {
    let mails = Mails::new(260).threads(100).done();
    let (mut server, _, _) = inbox(&mails, 60);
    let addresses: Vec<String> = server.url.split(' ').map(str::to_owned).collect();
    let (news, certificate) = (&addresses[2], &addresses[3]);
    let mut bot = Bot::new(&Bot::archive(news));
    let output = bot.run(&["poll", "--feed", "bpf"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(1),
        "nobody vouches for the server"
    );
    assert!(said.contains("the TLS handshake failed"), "{said}");
    bot.trust(certificate);
    bot.poll("bpf");
    server.command("more 1000");
    bot.poll_until_quiet("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[60..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
    // By the IP address, which the certificate names too.
    bot.reconfigure(&Bot::archive(&news.replace("localhost", "127.0.0.1")));
    bot.poll_until_quiet("bpf");
    bot.check_well("bpf");
}

/// INN, the news server of Usenet, has its own numbers and lists.
#[test]
fn real_news_comes_from_inn_as_well() {
    if !std::path::Path::new("/usr/lib/news/bin/innd").exists() {
        say("INN is absent (Debian's inn2): only public-inbox is tested");
        return;
    }
    let mut server = Server::start("innd.py", &["30".as_ref()], None);
    let bot = Bot::new(&Bot::archive(&server.url));
    bot.poll("bpf");
    assert_eq!(
        bot.count("bpf"),
        25,
        "the first poll reads the newest articles"
    );
    assert_eq!(server.command("more 300"), 330);
    // One read mail, two that were not read, and the last one.
    for number in [10, 40, 41, 330] {
        server.command(&format!("cancel {number}"));
    }
    bot.poll_until_quiet("bpf");
    for more in [1, 7, 60] {
        server.command(&format!("more {more}"));
        bot.poll("bpf");
    }
    let kept = (31..=398).filter(|number| ![40, 41, 330].contains(number));
    let kept = kept.map(|number| format!("{number}@inn.invalid")).collect();
    let known = bot.known("bpf", "message_id");
    check_holds("since the seed", &kept, &known);
    assert_eq!(known.len(), 25 + kept.len());
    bot.check_well("bpf");
    bot.check_stories("bpf");
    let said = notes(&bot);
    assert!(said.contains("60 listed, 60 stored, 0 absent"), "{said}");
}

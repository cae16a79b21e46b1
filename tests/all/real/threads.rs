//! Threads that began before the first poll, completed from a real public-inbox.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::bot::{Bot, number};
use super::{Server, check_holds, check_same, ids, is_long, say, seeds};
use crate::mails::{Mail, Mails};

const KILL_WITHIN: Duration = Duration::from_millis(1_200);
/// What the first poll reads.
const WINDOW: usize = 25;
const POLLS_MAX: usize = 60;
const POSTS: &str = "SELECT COUNT(*) FROM posts";

/// Whether no series is half sent before this mail.
fn is_between_series(mails: &[Mail], at: usize) -> bool {
    let next = mails.get(at).map_or("", |mail| &mail.title);
    next.starts_with("Re: ") || next.contains(" 0/")
}

/// How many mails must be in the archive so that the first poll begins in the middle of a long series, and no series is half
/// sent.
fn first_in_a_series(mails: &[Mail]) -> usize {
    let is_middle = |mail: &Mail| {
        let part = mail.title.split_once(']').map_or("", |(tags, _)| tags);
        ["3/5", "3/6", "3/7", "4/8", "3/8"]
            .iter()
            .any(|number| part.ends_with(number))
    };
    let fits = |at: &usize| is_middle(&mails[*at]) && is_between_series(mails, at + WINDOW);
    let at = (100..mails.len()).find(fits);
    at.expect("there is a long series") + WINDOW
}

/// Lets some twenty more mails in; returns how many are in.
fn let_some_in(server: &mut Server, mails: &[Mail], inside: usize) -> usize {
    let until = (inside + 20..mails.len()).find(|&at| is_between_series(mails, at));
    server.let_in(until.expect("there are more") - inside)
}

fn feed(bot: &Bot) -> Value {
    bot.feed("bpf")["missing_mails"].clone()
}

/// Polls until nothing is wanted any more.
fn poll_until_complete(bot: &Bot) {
    for _ in 0..POLLS_MAX {
        bot.poll("bpf");
        if feed(bot)["wanted"] == 0 {
            return;
        }
    }
    panic!("still wanted after {POLLS_MAX} polls: {}", feed(bot));
}

/// The stories by their titles.
fn stories(bot: &Bot) -> Vec<Value> {
    let lines = bot.ask(&[
        "stories", "--all", "--feed", "bpf", "--format", "json", "--limit", "0",
    ]);
    let stories = lines.lines().map(serde_json::from_str::<Value>);
    stories.map(|story| story.expect("a JSON object")).collect()
}

/// Fails unless every series is whole.
fn check_whole(bot: &Bot) -> usize {
    let mut whole = 0;
    for story in stories(bot) {
        for revision in story["revisions"].as_array().expect("a list") {
            let patches = revision["patches"].as_array().expect("a list").len();
            assert_eq!(revision["total"], patches, "{}: {revision}", story["title"]);
            let has_cover = patches == 1 || revision["cover"] == true;
            assert!(has_cover, "{}: {revision}", story["title"]);
            whole += 1;
        }
        let title = story["title"].as_str().expect("text");
        assert!(
            !title.starts_with("Replies to a patch that is not here"),
            "{title}"
        );
    }
    whole
}

/// The mails that belong to the threads of these: themselves, and those that are above or below them.
fn threads_of<'a>(mails: &'a [Mail], some: &[Mail]) -> Vec<&'a Mail> {
    let mut root: BTreeMap<&str, &str> = BTreeMap::new();
    for mail in mails {
        let raw = std::str::from_utf8(&mail.raw).unwrap_or_default();
        let parent = raw
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix("In-Reply-To: <"))
            .and_then(|line| line.strip_suffix('>'));
        let above = parent.and_then(|parent| root.get(parent).copied());
        root.insert(&mail.id, above.unwrap_or(&mail.id));
    }
    let wanted: Vec<&str> = some.iter().map(|mail| root[mail.id.as_str()]).collect();
    let is_wanted = |mail: &&Mail| wanted.contains(&root[mail.id.as_str()]);
    mails.iter().filter(is_wanted).collect()
}

/// A list by one way: its stories become whole, nothing more is posted than without, and kills lose and double nothing.
fn check_way(url_at: usize, seed: u64) {
    let mails = Mails::new(seed + 300).threads(900).done();
    let first = first_in_a_series(&mails);
    let mut server = Server::inbox_with(&mails, first, &["--news"]);
    let url = server
        .url
        .split(' ')
        .nth(url_at)
        .expect("an address")
        .to_owned();
    let feed_of = |url: &str| {
        format!(
            "{}bpf_only = true\n\n[[channel]]\nname = \"terminal\"\nplatform = \"terminal\"\noff_topic = true\n",
            Bot::archive(url)
        )
    };
    let plain = Bot::new(&feed_of(&url));
    let mut bot = Bot::completing(&feed_of(&url), 15);
    bot.seed(seed);
    plain.poll("bpf");
    assert_eq!(plain.count("bpf"), WINDOW);
    let (mut inside, mut met) = (first, 0);
    for round in 0..4 {
        if round > 0 {
            inside = let_some_in(&mut server, &mails, inside);
            plain.poll_until_quiet("bpf");
        }
        met += bot.kill_amid(
            &["poll", "--feed", "bpf"],
            if is_long() { 25 } else { 5 },
            KILL_WITHIN,
        );
        bot.end_thread_pauses();
        bot.poll_until_quiet("bpf");
        poll_until_complete(&bot);
    }
    let said = feed(&bot);
    say(&format!("threads by {url}: {said}, killed {met} times"));
    assert_eq!(
        (&said["given_up"], said["fetched"].as_u64() > Some(1)),
        (&Value::from(0), true),
        "{said}"
    );
    let known = bot.known("bpf", "message_id");
    check_holds(
        "since the seed",
        &ids(&mails[first - WINDOW..inside]),
        &known,
    );
    check_holds("in the inbox", &known, &ids(&mails[..inside]));
    if url.starts_with("http") {
        // The threads of what polls brought, and no other mail.
        let whole = threads_of(&mails[..inside], &mails[first - WINDOW..inside]);
        let whole: Vec<Mail> = whole.into_iter().cloned().collect();
        check_same("the threads", &ids(&whole), &known);
    }
    assert!(check_whole(&bot) > 5);
    let posts = |bot: &Bot| number(&bot.database(), POSTS);
    assert_eq!(posts(&bot), posts(&plain), "posts with and without");
    bot.check_well("bpf");
    bot.check_stories("bpf");
}

#[test]
fn real_threads_are_completed_by_pages() {
    for seed in seeds() {
        check_way(0, seed);
    }
}

#[test]
fn real_threads_are_completed_by_news() {
    for seed in seeds() {
        check_way(1, seed);
    }
}

/// The first address is walled: the newsgroup gives the threads. By git alone, the reason is recorded.
#[test]
fn real_threads_come_by_the_way_that_works() {
    let mails = Mails::new(320).threads(500).done();
    let first = first_in_a_series(&mails);
    let mut server = Server::inbox_with(&mails, first, &["--news"]);
    let addresses: Vec<String> = server.url.split(' ').map(str::to_owned).collect();
    server.command("wall");
    let feeds = format!(
        "[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nbpf_only = true\nurl = {:?}\n",
        &addresses[..2]
    );
    let bot = Bot::completing(&feeds, 0);
    poll_until_complete(&bot);
    assert!(feed(&bot)["fetched"].as_u64() > Some(0), "{}", feed(&bot));
    check_whole(&bot);

    server.command("unwall");
    let git = format!("git+{}", addresses[4]);
    let bot = Bot::completing(&Bot::archive(&git), 0);
    poll_until_complete(&bot);
    let said = bot.ask(&["feeds"]);
    assert!(
        said.contains("given up") && said.contains("read by git alone"),
        "{said}"
    );
    bot.check_well("bpf");
}

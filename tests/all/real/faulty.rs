//! Real servers behind a front end that misbehaves: nothing is lost without a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::bot::Bot;
use super::proxy::{Answer, Proxy};
use super::repository::{History, Repository};
use super::{Server, check_holds, ids};
use crate::mails::Mails;

#[test]
fn real_tree_with_a_log_page_that_ends_early_is_whole() {
    let mut history = History::new(400);
    let old = history.line(0, 30, "kernel/bpf/verifier.c");
    let side = history.old_line(old, 60, "net/core/dev.c");
    let main = history.line(old, 500, "kernel/bpf/verifier.c");
    let new = history.commit(&[main, side], "merged");
    let repository = Repository::new(&history);
    repository.serve(old);
    let server = Server::cgit(&repository.path());
    let pages = AtomicUsize::new(0);
    let proxy = Proxy::new(&server.url, move |path| {
        let is_fourth = path.contains("/log/") && pages.fetch_add(1, Ordering::Relaxed) == 4;
        (
            path.to_owned(),
            if is_fourth {
                Answer::Cut(50)
            } else {
                Answer::Whole
            },
        )
    });
    let bot = Bot::new(&Bot::tree(&proxy.url, &[]));
    bot.poll("tree");
    repository.serve(new);
    let output = bot.run(&["poll", "--feed", "tree"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("ends too early"), "{said}");
    bot.poll_until_quiet("tree");
    let range = format!("{}..{}", repository.hash(old), repository.hash(new));
    check_holds(
        "since the seed",
        &repository.list(&[&range]),
        &bot.known("tree", "hash"),
    );
    bot.check_well("tree");
}

#[test]
fn real_archive_whose_front_end_ignores_the_time_is_read_by_search() {
    let mails = Mails::new(401).threads(400).done();
    let first = mails.len() - 285;
    let mut server = Server::inbox(&mails, first);
    let proxy = Proxy::new(&server.url, |path| {
        let path = path.split("?t=").next().unwrap_or(path);
        (path.to_owned(), Answer::Whole)
    });
    let bot = Bot::new(&Bot::archive(&proxy.url));
    bot.poll("bpf");
    server.let_in(mails.len());
    bot.poll_until_quiet("bpf");
    check_holds(
        "since the seed",
        &ids(&mails[first..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

#[test]
fn real_archive_that_refuses_old_pages_has_a_gap_that_a_backfill_closes() {
    let mails = Mails::new(402).threads(400).done();
    let first = mails.len() - 285;
    let mut server = Server::inbox(&mails, first);
    let is_open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&is_open);
    let proxy = Proxy::new(&server.url, move |path| {
        let is_refused = path.contains('?') && !opened.load(Ordering::Relaxed);
        (
            path.to_owned(),
            if is_refused {
                Answer::Refused
            } else {
                Answer::Whole
            },
        )
    });
    let bot = Bot::new(&Bot::archive(&proxy.url));
    bot.poll("bpf");
    server.let_in(mails.len());
    bot.poll_until_quiet("bpf");
    let feed = bot.feed("bpf");
    assert_eq!(feed["state"], "ok", "{feed}");
    let gaps = feed["gaps"].as_array().expect("a list");
    assert_eq!(gaps.len(), 1, "{feed}");
    is_open.store(true, Ordering::Relaxed);
    bot.ask(&["backfill", "--feed", "bpf", "--since", "2024-01-01"]);
    check_holds(
        "since the seed",
        &ids(&mails[first..]),
        &bot.known("bpf", "message_id"),
    );
    bot.check_well("bpf");
}

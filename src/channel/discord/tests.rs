//! How posts and hostile text look on Discord. Sending is tested over sockets in `tests/all/discord`.

use chrono::DateTime;
use serde_json::json;

use super::escape::escape;
use super::render::body;
use crate::channel::text::{count, cut};
use crate::post::About;
use crate::post::story::{Content, Digest, Line, Post, Tone};

fn post(text: &str, link: &str) -> Content {
    Content::Story(Box::new(Post {
        mark: "5tab1e0001".to_owned(),
        about: About::Series,
        state: text.to_owned(),
        tone: Tone::Applied,
        tree: text.to_owned(),
        title: text.to_owned(),
        author: text.to_owned(),
        at: DateTime::from_timestamp(1_700_000_000, 0).expect("a time of our own"),
        feeds: vec![text.to_owned(), "bpf-next".to_owned()],
        notes: vec![text.to_owned()],
        parts: (1..=12)
            .map(|n| (format!("{n}/20"), text.to_owned()))
            .collect(),
        parts_left_out: 8,
        summary: text.to_owned(),
        change: text.to_owned(),
        checks: text.to_owned(),
        steps: vec![text.to_owned(), "v2 3 May".to_owned()],
        link: Some(link.to_owned()),
        refs: vec![text.to_owned()],
    }))
}

fn line(title: &str, mark: &str) -> Line {
    Line {
        what: "Applied to bpf-next".to_owned(),
        title: title.to_owned(),
        link: Some("https://lore.kernel.org/bpf/a(b)c/".to_owned()),
        tone: Tone::Applied,
        mark: mark.to_owned(),
    }
}

#[test]
fn hostile_text_is_plain_text() {
    #[rustfmt::skip]
    let table = [
        ("__sk_buff and *ptr", r"\_\_sk\_buff and \*ptr"),
        ("#include <linux/bpf.h>", r"\#include \<linux/bpf.h>"),
        ("`a` ||b|| ~~c~~", r"\`a\` \|\|b\|\| \~\~c\~\~"),
        ("- a", r"\- a"), ("  > a", r"  \> a"), ("a - b > c # d", "a - b > c # d"),
        ("a\n# b", "a\n\\# b"), ("-# small", r"\-# small"), ("12. a", r"12\. a"), ("6.12 is out", r"6\.12 is out"),
        ("[x](https://evil.example)", r"\[x\](https://evil.example)"),
        ("@everyone @here a@kernel.org", r"\@everyone \@here a@kernel.org"),
        ("<@1> <#1> <t:1:R> <@&2> <:a:1>", r"\<@1> \<#1> \<t\:1:R> \<@&2> \<\:a:1>"),
        (":tada: bpf: a::b", r"\:tada: bpf: a::b"),
        ("see https://x.org/a_b_c*d.", "see https://x.org/a_b_c*d."),
        ("(https://x.org/a_(b))", "(https://x.org/a_(b))"),
        ("https://**b**", r"https\://\*\*b\*\*"),
        ("steam://run_x", r"steam\://run\_x"),
        (r"\*a\*", r"\\\*a\\\*"),
    ];
    for (text, wanted) in table {
        assert_eq!(escape(text), wanted, "{text}");
    }
}

#[test]
fn cuts_keep_pieces_whole() {
    #[rustfmt::skip]
    let table = [
        ("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abcd", 0, ""), ("abcd", 1, "…"),
        ("one two three", 9, "one two…"),
        (r"ab\*c", 4, "ab…"), (r"ab\*cd", 5, r"ab\*…"),
        ("see https://x.org/abc now", 20, "see…"),
        ("ae\u{301}b", 3, "a…"), ("a👍🏽bc", 3, "a…"), ("a🇩🇪🇫🇷", 4, "a🇩🇪…"), ("👩‍💻👩‍💻", 5, "👩‍💻…"),
    ];
    for (text, max, wanted) in table {
        assert_eq!(cut(text, max), wanted, "{text} {max}");
    }
    for max in 0..60 {
        for text in hostile() {
            let cut = cut(&escape(&text), max);
            assert!(count(&cut) <= max, "{max} {cut}");
            let before = cut.trim_end_matches('…');
            let slashes = before.len() - before.trim_end_matches('\\').len();
            assert!(slashes.is_multiple_of(2), "half an escape: {cut}");
        }
    }
}

fn hostile() -> Vec<String> {
    let mut texts = vec![String::new(), " ".to_owned()];
    for piece in [
        "*",
        "👩‍👩‍👧‍👦",
        "שלום ",
        "a\u{301}\u{302}",
        "https://x.org/a_b ",
        "@everyone ",
        "\\",
        "word ",
        "🇩🇪",
        "`|~_",
    ] {
        for times in [1, 40, 256, 257, 5000] {
            texts.push(piece.repeat(times));
        }
    }
    texts
}

#[test]
fn a_digest_links_safely_and_cuts_whole_lines() {
    let lines = vec![line("A [b](https://evil.example)", "a"); 100];
    let digest = Digest {
        title: "Week".to_owned(),
        lines,
        mark: "m".to_owned(),
    };
    let body = body(&Content::Digest(digest));
    let text = body["embeds"][0]["description"]
        .as_str()
        .expect("there is one");
    let first = r"- Applied to bpf-next: [A \[b\](https\://evil.example)](https://lore.kernel.org/bpf/a%28b%29c/)";
    let (last, others) = text
        .lines()
        .collect::<Vec<_>>()
        .split_last()
        .map(|(l, o)| (*l, o.to_vec()))
        .expect("lines");
    assert!(others.iter().all(|line| *line == first), "{text}");
    assert_eq!(last, format!("… and {} more", 100 - others.len()));
    assert!(count(text) > 3900);
}

#[test]
fn a_story_looks_so() {
    let Content::Story(mut post) = post("x", "https://x.org/") else {
        unreachable!("it is a story")
    };
    post.state = "applied to bpf-next".to_owned();
    post.tree = "bpf-next".to_owned();
    post.title = "bpf: Add __sk_buff".to_owned();
    post.parts.truncate(1);
    let body = body(&Content::Story(post));
    let wanted = json!({"allowed_mentions": {"parse": []}, "embeds": [{
        "author": {"name": "x"}, "title": r"bpf: Add \_\_sk\_buff", "url": "https://x.org/", "color": 0x22_C5_5E,
        "description": "**applied to bpf-next** · x\n\nx\n\n**What changed:** x\n\n- **1/20** x\n… and 8 more\n\nx\n\nx → v2 3 May\n\nx",
        "footer": {"text": "series · x, bpf-next · 5tab1e0001"}, "timestamp": "2023-11-14T22:13:20Z"}],
        "components": [{"type": 1, "components": [{"type": 2, "style": 2, "label": "Follow", "disabled": false,
            "custom_id": "page:r:0:follow 5tab1e0001"}]}]});
    assert_eq!(body, wanted);
}

//! Text that a stranger types is never anything but text.

use bpfnews::chat::Completes;
use bpfnews::post::story::Content;

use super::house::{House, NEWS, SERVER, boss, discord};
use crate::documents::mail;

/// Texts of attackers, or pasted by mistake.
fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "@everyone",
        "<@123456789012345678> <#1> <@&1>",
        "[x](javascript:alert(1))",
        "`code` ||spoiler|| **bold** # heading",
        "\u{202e}gnp.exe \u{200b}\u{feff}",
        "\u{1b}[31mred\u{7}",
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "\" AND \"",
        "title: people: words:",
        "NEAR(a b, 1) AND NOT c ^d {e} -f :g *",
        "\"unclosed",
        "a\u{0}b",
        "\u{1f600}\u{1f600}",
        "../../etc/passwd",
        "%00%2e%2e",
        "=page=2=",
        "page=\"1",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push("x".repeat(10_000));
    all.push("\u{e4}\u{303}".repeat(3_000));
    all.push("a ".repeat(4_000));
    all.push("\"a\" ".repeat(2_000));
    all.push("(".repeat(2_000));
    all
}

fn words_of(content: &Content) -> Vec<&str> {
    match content {
        Content::Story(post) => vec![&post.title, &post.author, &post.summary],
        Content::Line(line) => vec![&line.what, &line.title],
        Content::Digest(digest) => {
            let lines = digest.lines.iter();
            lines
                .flat_map(|line| [line.what.as_str(), line.title.as_str()])
                .chain([digest.title.as_str()])
                .collect()
        }
        Content::Issue(issue) => {
            let lines = issue.parts.iter().flat_map(|part| &part.lines);
            lines
                .flat_map(|line| [line.what.as_str(), line.title.as_str()])
                .chain([issue.title.as_str(), issue.lead.as_str()])
                .collect()
        }
        Content::Suggestion(told) => vec![&told.link, &told.note, &told.known],
        Content::Notice { title, text, .. } => vec![title, text],
    }
}

#[tokio::test]
async fn no_text_breaks_a_command_or_is_active_in_an_answer() {
    let mut house = House::new().await;
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    let commands = [
        "story",
        "search",
        "issue",
        "latest",
        "suggest",
        "suggest https://a.example/",
        "help",
        "",
        "status",
        "admin feeds add x",
        "admin feeds add",
        "admin feeds pause",
        "admin feeds remove",
        "admin feeds test",
        "admin route add",
        "admin route add x room=300300300 words=",
        "admin route add y kinds=",
        "admin route remove",
        "admin mute story",
        "admin mute author",
        "admin mute words",
        "admin mute lift",
        "admin retract",
        "admin suggest ban",
        "admin suggest lift",
        "admin help",
        "admin audit",
        "admin",
    ];
    for text in hostile() {
        for command in commands {
            let asked = format!("{command} {text}");
            let Some(reply) = house.reply(&boss(), &asked).await else {
                continue;
            };
            let shown: String = asked.chars().take(60).collect();
            for words in words_of(&reply.content) {
                assert!(
                    !words.contains("This is an error of the bot"),
                    "{shown}: {words}"
                );
                let is_alive = |c: char| {
                    (c.is_control() && c != '\n') || "\u{202e}\u{200b}\u{feff}".contains(c)
                };
                assert!(!words.contains(is_alive), "{shown}: {words:?}");
                assert!(
                    words.chars().count() < 4_000,
                    "{shown}: {} characters",
                    words.chars().count()
                );
            }
        }
        for completes in [
            Completes::Story,
            Completes::Feed,
            Completes::Channel,
            Completes::Command,
        ] {
            for choice in house.offered(&boss(), completes, &text).await {
                assert!(choice.chars().count() <= 203, "{choice}");
            }
            house.advance(chrono::TimeDelta::seconds(3));
        }
    }
    // Only the allowed part was stored.
    let feeds = house.live.now().effective.config.feeds.len();
    assert_eq!(feeds, 1);
}

#[tokio::test]
async fn ids_of_strangers_are_text_too() {
    let house = House::new().await;
    for id in ["' OR '1'='1", "\u{202e}x", "@everyone", ""] {
        let by = discord(id, NEWS, SERVER);
        let told = house.ask(&by, "suggest https://a.example/1").await;
        assert!(told.contains("Thank you"), "{told}");
        assert!(
            house
                .ask(&by, "admin audit")
                .await
                .contains("Only maintainers")
        );
    }
    let listed = house.ask(&boss(), "admin suggest list").await;
    assert!(!listed.contains('\u{202e}'), "{listed}");
}

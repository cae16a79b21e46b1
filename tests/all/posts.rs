//! Every kind of post, as text on a terminal, in Discord and in Matrix. `cargo run --example posts` makes a page of the
//! same posts for people to look at.

#[path = "../../examples/posts/cases.rs"]
pub(crate) mod cases;

use std::fmt::Write as _;

use bpfnews::channel::{discord, terminal};
use bpfnews::post::story::Content;
use cases::cases;

/// The text on each platform.
fn words(content: &Content) -> String {
    let text = anstream::adapter::strip_str(&terminal::render(content, 76)).to_string();
    let mut words = format!("--- terminal\n{text}");
    let body = discord::render::body(content);
    let embed = &body["embeds"][0];
    let _ = writeln!(words, "--- Discord");
    for (name, value) in [
        ("author", &embed["author"]["name"]),
        ("title", &embed["title"]),
        ("link", &embed["url"]),
        ("", &embed["description"]),
        ("footer", &embed["footer"]["text"]),
    ] {
        if let Some(value) = value.as_str() {
            let name = if name.is_empty() {
                String::new()
            } else {
                format!("{name}: ")
            };
            let _ = writeln!(words, "{name}{value}");
        }
    }
    assert_eq!(body["allowed_mentions"], serde_json::json!({"parse": []}));
    #[cfg(feature = "matrix")]
    {
        let event = bpfnews::channel::matrix::render::event(content);
        let text = |key: &str| event[key].as_str().expect("a text").to_owned();
        let _ = write!(
            words,
            "--- Matrix\n{}\n--- Matrix, HTML\n{}\n",
            text("body"),
            text("formatted_body")
                .replace("</p>", "</p>\n")
                .replace("</ul>", "</ul>\n")
        );
        assert_eq!(event["m.mentions"], serde_json::json!({}));
    }
    words
}

#[test]
fn every_kind_of_post_has_its_text() {
    let cases = cases();
    assert!(cases.len() > 25, "{} kinds", cases.len());
    for (name, content) in &cases {
        let name = name.replace([' ', ','], "_");
        insta::assert_snapshot!(name, words(content));
    }
}

//! An editor's work on Discord with the whole program: a suggestion is posted with buttons, an editor presses one, and
//! the issue is finished, published, posted once, and shown.

use serde_json::Value;

use super::child::{LONG, Program, upstream};
use super::fake::{Fake, Person, Room, TOKEN};
use super::{OPS, ROOM};

const EDITOR: &str = "333333";

fn title(message: &Value) -> String {
    let title = message["embeds"][0]["title"].as_str();
    title.unwrap_or_default().to_owned()
}

fn text(message: &Value) -> String {
    let text = message["embeds"][0]["description"].as_str();
    text.unwrap_or_default().to_owned()
}

fn with_title(fake: &Fake, room: &str, wanted: &str) -> Vec<Value> {
    let messages = fake.messages(room).into_iter();
    messages
        .filter(|message| title(message).starts_with(wanted))
        .collect()
}

/// Presses a button of a message for maintainers. Returns the answer, which only the person who pressed it sees.
async fn pressed(fake: &Fake, by: &Person, message: &Value, button: &str) -> String {
    let token = fake.press_below(by, OPS, message, button).await;
    let answer = fake.answers(&token, 1, LONG).await.remove(0).body;
    let (kind, flags) = (&answer["type"], &answer["data"]["flags"]);
    assert_eq!((kind, flags), (&4.into(), &64.into()), "{answer}");
    text(&answer["data"])
}

/// Gives a command and returns its answer, which is private if `is_private`.
async fn ask(
    fake: &Fake,
    by: &Person,
    words: &[&str],
    options: &[(&str, Value)],
    is_private: bool,
) -> String {
    let token = fake.give(by, ROOM, words, options).await;
    let answers = fake.answers(&token, 1, LONG).await;
    let data = &answers[0].body["data"];
    assert_eq!(data["flags"] == 64, is_private, "{words:?}: {data}");
    format!("{}\n{}", title(data), text(data))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_finished_and_published_on_discord() {
    let fake = Fake::start(&[Room::text(ROOM), Room::text(OPS)]).await;
    let upstream = upstream().await;
    let tables = format!(
        "[[channel]]\nname = \"news\"\nplatform = \"discord\"\nid = \"{ROOM}\"\nissues = true\n\
         [[channel]]\nname = \"ops\"\nplatform = \"discord\"\nid = \"{OPS}\"\nmaintainers = true\n\
         [commands]\ncooldown_s = 0\n[issue]\ndiscord_users = [\"{EDITOR}\"]\n"
    );
    let program = Program::start_with(&fake, &upstream, TOKEN, &tables);
    fake.until_connected().await;
    fake.until("the sample", LONG, |fake| !fake.messages(ROOM).is_empty())
        .await;
    let (reader, editor) = (Person::reader("200001"), Person::reader(EDITOR));

    let url = ("url", "https://blog.example/bpf".into());
    let told = ask(
        &fake,
        &reader,
        &["bpfnews", "suggest"],
        &[url, ("note", "Good @everyone".into())],
        true,
    )
    .await;
    assert!(told.contains("saved for the next issue"), "{told}");
    fake.until("editors are asked", LONG, |fake| {
        !with_title(fake, OPS, "Suggestion 1").is_empty()
    })
    .await;
    let asked = with_title(&fake, OPS, "Suggestion 1").remove(0);
    assert!(
        text(&asked).contains(r"Good \@everyone"),
        "{}",
        text(&asked)
    );
    let buttons = asked["components"][0]["components"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let buttons: Vec<&str> = buttons
        .iter()
        .filter_map(|button| button["custom_id"].as_str())
        .collect();
    assert_eq!(buttons, ["page:e:0:accept 1", "page:e:0:decline 1"]);
    // Buttons do nothing for other people.
    let answer = pressed(&fake, &reader, &asked, buttons[0]).await;
    assert!(answer.contains("Only editors may do that"), "{answer}");
    let answer = pressed(&fake, &editor, &asked, buttons[0]).await;
    assert!(
        answer.contains("is accepted for the coming issue"),
        "{answer}"
    );
    fake.until("it says so where it was asked", LONG, |fake| {
        let asked = with_title(fake, OPS, "Suggestion 1").remove(0);
        text(&asked).contains(&format!("accepted by {EDITOR}"))
            && asked["components"] == serde_json::json!([])
    })
    .await;
    fake.until("its reader is told", LONG, |fake| {
        !with_title(fake, ROOM, "A suggestion from here was accepted").is_empty()
    })
    .await;

    let told = ask(&fake, &editor, &["bpfnews-edit", "draft"], &[], true).await;
    assert!(told.contains("Draft of BPF updates 01"), "{told}");
    assert!(told.contains("https://blog.example/bpf"), "{told}");
    let story = ("story", Value::from("Article 2"));
    for (command, option, wanted) in [
        ("pin", None, "at the top of its section"),
        (
            "note",
            Some(("text", Value::from("Read *this* <@1>."))),
            "is under the story",
        ),
    ] {
        let options: Vec<_> = [story.clone()].into_iter().chain(option).collect();
        let told = ask(&fake, &editor, &["bpfnews-edit", command], &options, true).await;
        assert!(told.contains(wanted), "{command}: {told}");
    }
    let intro = ("text", Value::from("Hello from the editors."));
    ask(&fake, &editor, &["bpfnews-edit", "intro"], &[intro], true).await;
    let refused = ask(
        &fake,
        &reader,
        &["bpfnews-edit", "publish"],
        &[("number", 1.into())],
        true,
    )
    .await;
    assert!(refused.contains("Only editors may do that"), "{refused}");
    // Two requests at the same time.
    let number = [("number", Value::from(1))];
    let one = fake
        .give(&editor, ROOM, &["bpfnews-edit", "publish"], &number)
        .await;
    let other = fake
        .give(&editor, OPS, &["bpfnews-edit", "publish"], &number)
        .await;
    let one = fake.answers(&one, 1, LONG).await.remove(0).body.to_string();
    let other = fake
        .answers(&other, 1, LONG)
        .await
        .remove(0)
        .body
        .to_string();
    let out = [&one, &other]
        .into_iter()
        .filter(|told| told.contains("is published\""))
        .count();
    assert_eq!(out, 1, "{one}\n{other}");
    fake.until("the issue is posted", LONG, |fake| {
        !with_title(fake, ROOM, "BPF updates 01").is_empty()
    })
    .await;
    let latest = ask(&fake, &reader, &["bpfnews", "latest"], &[], false).await;
    for wanted in [
        "BPF updates 01",
        "Hello from the editors.",
        r"Read this \<@1>.",
        "https://blog.example/bpf",
    ] {
        assert!(latest.contains(wanted), "{wanted}: {latest}");
    }
    // Answers have another footer.
    let mut posted = with_title(&fake, ROOM, "BPF updates 01");
    posted.retain(|message| message["embeds"][0]["footer"]["text"] == "issue-1");
    assert_eq!(posted.len(), 1, "{posted:?}");
    assert!(
        text(&posted[0]).contains("Hello from the editors."),
        "{}",
        text(&posted[0])
    );
    assert_eq!(fake.wrongs(), [""; 0]);
    assert!(!program.said().contains("ERROR"), "{}", program.said());
}

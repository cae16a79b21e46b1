//! Bodies in Discord's format, also with hostile text, and a proof that the checker finds violations.

use bpfnews::channel::discord::registered;
use bpfnews::channel::discord::render::{body, carries, thread_name};
use bpfnews::channel::text::count;
use bpfnews::post::story::{CommitRef, Content, Digest, Line, Tone};
use serde_json::{Value, json};

use super::fake::check::{is_described, wrongs_in_answer, wrongs_in_request};
use super::{line, story};

const SEND: &str = "/channels/{channel_id}/messages";
const EDIT: &str = "/channels/{channel_id}/messages/{message_id}";
const FORUM: &str = "/channels/{channel_id}/threads";
const THREAD: &str = "/channels/{channel_id}";
const CALLBACK: &str = "/interactions/{interaction_id}/{interaction_token}/callback";
const COMMANDS: &str = "/applications/{application_id}/commands";

fn hostile() -> Vec<String> {
    let mut texts = vec![String::new(), " ".to_owned()];
    for piece in [
        "*",
        "👩‍👩‍👧‍👦",
        "שלום ",
        "a\u{301}\u{302}",
        "https://x.org/a_b ",
        "@everyone ",
        "<@1> ",
        "<@&1>",
        "\\",
        "word ",
        "🇩🇪",
        "`|~_",
        "\u{202e}",
        "[x](javascript:alert(1)) ",
        "# ",
        "||x|| ",
    ] {
        for times in [1, 40, 256, 257, 5000] {
            texts.push(piece.repeat(times));
        }
    }
    texts
}

#[test]
fn a_body_with_any_text_is_within_the_limits() {
    let texts = hostile();
    for (number, text) in texts.iter().enumerate() {
        let of = |link: Option<&str>| Line {
            what: text.clone(),
            title: text.clone(),
            author: text.clone(),
            summary: text.clone(),
            link: link.map(str::to_owned),
            tone: Tone::New,
            mark: "line-1".to_owned(),
        };
        let digest = Digest {
            title: text.clone(),
            lines: vec![of(Some("https://x.org/")); 60],
            mark: "digest-1".to_owned(),
        };
        let notice = Content::Notice {
            title: text.clone(),
            text: text.clone(),
            mark: "notice-1".to_owned(),
        };
        let mut post = story("5tab1e0001", text, text, Tone::Applied);
        if let Content::Story(post) = &mut post {
            post.author = text.clone();
            post.summary = text.clone();
            post.change = text.clone();
            post.tree = text.clone();
            post.notes = vec![text.clone()];
            post.steps = vec![text.clone(); 3];
            let commit = CommitRef {
                words: text.clone(),
                link: Some(text.clone()),
            };
            post.commit = Some(commit);
            post.feeds = vec![text.clone()];
            post.parts = (1..=12)
                .map(|n| (format!("{n}/20"), text.clone()))
                .collect();
            post.parts_left_out = 8;
            post.link = Some("javascript:alert(1)".to_owned());
        }
        for content in [
            post,
            Content::Line(of(None)),
            Content::Digest(digest),
            notice,
        ] {
            let start: String = text.chars().take(20).collect();
            let body = body(&content);
            let footer = body["embeds"][0]["footer"]["text"].as_str();
            assert!(carries(footer.expect("there is one"), content.mark()));
            let thread = json!({"name": thread_name(&content), "message": body});
            assert!(count(&thread_name(&content)) <= 100);
            // Discord's own description is slow; the longest texts of each kind are enough for it.
            if number % 5 == 1 {
                assert_eq!(wrongs_in_request(SEND, "post", &body), [""; 0], "{start}");
                assert_eq!(
                    wrongs_in_request(FORUM, "post", &thread),
                    [""; 0],
                    "{start}"
                );
            }
            // In Markdown, no bracket of a stranger's text may end the label of a link.
            for part in ["title", "description"] {
                let shown = body["embeds"][0][part].as_str().unwrap_or_default();
                let shown = shown.replace(r"\]", "");
                assert!(!shown.contains("](javascript:"), "{start}");
            }
        }
    }
}

#[test]
fn the_commands_have_discords_form() {
    let commands = registered();
    assert_eq!(wrongs_in_request(COMMANDS, "put", &commands), [""; 0]);
    let names: Vec<&str> = commands
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|command| command["name"].as_str())
        .collect();
    assert_eq!(names, ["bpfnews", "bpfnews-edit", "bpfnews-admin"]);
    for open in &commands.as_array().expect("a list")[..2] {
        assert_eq!(open.get("default_member_permissions"), None);
    }
    assert_eq!(
        commands[2]["default_member_permissions"], "32",
        "Manage Server"
    );
    let find = |of: &Value, name: &str| {
        let options = of["options"].as_array().expect("it has options").clone();
        options
            .into_iter()
            .find(|option| option["name"] == name)
            .expect("it is registered")
    };
    let search = find(&commands[0], "search");
    assert_eq!(find(&search, "words")["required"], true);
    assert_eq!(find(&search, "page")["min_value"], 1);
    assert_eq!(
        find(&find(&commands[0], "story"), "story")["autocomplete"],
        true
    );
    let add = find(&find(&commands[2], "feeds"), "add");
    assert_eq!(
        find(&add, "kind")["choices"].as_array().map(Vec::len),
        Some(4)
    );
    let route = find(&find(&commands[2], "route"), "add");
    assert_eq!(
        (
            find(&route, "room")["type"].as_u64(),
            find(&route, "score_min")["min_value"].as_i64()
        ),
        (Some(7), Some(-1000))
    );
}

/// One line for each option: its path, type and limits, without descriptions.
fn outline(above: &str, option: &Value, lines: &mut Vec<String>) {
    let name = option["name"].as_str().expect("a name");
    let path = format!("{above} {name}");
    let mut line = path.clone();
    for key in [
        "type",
        "required",
        "autocomplete",
        "min_value",
        "max_value",
        "channel_types",
        "contexts",
        "integration_types",
        "default_member_permissions",
    ] {
        if let Some(value) = option.get(key) {
            line.push_str(&format!(" {key}={value}"));
        }
    }
    let choices = option["choices"].as_array().cloned().unwrap_or_default();
    for choice in choices {
        assert_eq!(choice["name"], choice["value"]);
        line.push_str(&format!(" {}", choice["name"]));
    }
    lines.push(line.trim().to_owned());
    let options = option["options"].as_array().cloned().unwrap_or_default();
    for option in &options {
        outline(&path, option, lines);
    }
}

/// People and scripts use these names, so they must change only on purpose.
#[test]
fn names_and_options_of_commands_stay() {
    let mut lines = Vec::new();
    for command in registered().as_array().expect("a list") {
        outline("", command, &mut lines);
    }
    insta::assert_snapshot!("commands", lines.join("\n"));
    let matrix = bpfnews::chat::table::COMMANDS.iter();
    let usage = matrix.map(|spec| format!("!{} {}", spec.audience.command(), spec.usage()));
    insta::assert_snapshot!("usage", usage.collect::<Vec<_>>().join("\n"));
}

/// A good body, made wrong in one place.
fn spoilt(good: &Value, pointer: &str, value: Value) -> Value {
    let mut bad = good.clone();
    let (above, key) = pointer.rsplit_once('/').expect("a pointer");
    let place = bad.pointer_mut(above).expect("the body has it");
    match place {
        Value::Array(list) => list[key.parse::<usize>().expect("a number")] = value,
        place => place[key] = value,
    }
    bad
}

#[test]
fn the_checks_bite() {
    let message = body(&story("m", "a", "posted", Tone::New));
    let with_buttons = json!({"embeds": message["embeds"], "allowed_mentions": {"parse": []},
        "components": [{"type": 1, "components": [{"type": 2, "style": 2, "custom_id": "a", "label": "Next"}]}]});
    let forum = json!({"name": "a", "message": message, "applied_tags": ["1"]});
    let answer = json!({"type": 4, "data": with_buttons});
    let choices = json!({"type": 8, "data": {"choices": [{"name": "a", "value": "b"}]}});
    let thread = json!({"name": "a", "archived": false});
    let commands = registered();
    let long = |many: usize| json!("a".repeat(many));
    let fields = |name: Value, value: Value| json!([{"name": name, "value": value}]);
    let button = json!({"type": 2, "style": 2, "custom_id": "a", "label": "Next"});
    for (template, method, good) in [
        (SEND, "post", &message),
        (EDIT, "patch", &with_buttons),
        (FORUM, "post", &forum),
        (CALLBACK, "post", &answer),
        (CALLBACK, "post", &choices),
        (THREAD, "patch", &thread),
        (COMMANDS, "put", &commands),
    ] {
        assert_eq!(
            wrongs_in_request(template, method, good),
            [""; 0],
            "{template}"
        );
    }
    #[rustfmt::skip]
    let table: Vec<(&str, &str, Value)> = vec![
        (SEND, "post", spoilt(&message, "/embeds/0/title", long(257))),
        (SEND, "post", spoilt(&message, "/embeds/0/title", " ".into())),
        (SEND, "post", spoilt(&message, "/embeds/0/description", long(4097))),
        (SEND, "post", spoilt(&message, "/embeds/0/author/name", long(257))),
        (SEND, "post", spoilt(&message, "/embeds/0/footer/text", long(2049))),
        (SEND, "post", spoilt(&message, "/embeds/0/url", "javascript:alert(1)".into())),
        (SEND, "post", spoilt(&message, "/embeds/0/url", format!("https://x.org/{}", "a".repeat(2048)).into())),
        (SEND, "post", spoilt(&message, "/embeds/0/fields", fields("a".into(), " ".into()))),
        (SEND, "post", spoilt(&message, "/embeds/0/fields", fields(long(257), "a".into()))),
        (SEND, "post", spoilt(&message, "/embeds/0/fields", json!(vec![json!({"name": "a", "value": "b"}); 26]))),
        (SEND, "post", spoilt(&message, "/embeds/0/colour", 1.into())),
        (SEND, "post", spoilt(&message, "/embeds", json!([]))),
        (SEND, "post", spoilt(&message, "/embeds", json!(vec![json!({"title": "a"}); 11]))),
        (SEND, "post", spoilt(&message, "/embeds", json!(vec![json!({"description": "a".repeat(3001)}); 2]))),
        (SEND, "post", spoilt(&message, "/content", long(2001))),
        (SEND, "post", spoilt(&message, "/contents", "a".into())),
        (SEND, "post", spoilt(&message, "/allowed_mentions", json!({"parse": ["everyone"]}))),
        (SEND, "post", spoilt(&message, "/allowed_mentions", json!({"parse": [], "users": ["1"]}))),
        (SEND, "post", spoilt(&message, "/allowed_mentions", Value::Null)),
        (SEND, "post", spoilt(&message, "/nonce", "a".into())),
        (SEND, "post", spoilt(&spoilt(&message, "/nonce", long(26)), "/enforce_nonce", true.into())),
        (SEND, "post", spoilt(&message, "/flags", (1 << 15).into())),
        (EDIT, "patch", spoilt(&with_buttons, "/components/0/components/0/custom_id", long(101))),
        (EDIT, "patch", spoilt(&with_buttons, "/components/0/components/0/label", long(81))),
        (EDIT, "patch", spoilt(&with_buttons, "/components/0/components", json!(vec![button.clone(); 6]))),
        (EDIT, "patch", spoilt(&with_buttons, "/components/0/components", json!(vec![button.clone(); 2]))),
        (EDIT, "patch", spoilt(&with_buttons, "/components", json!(vec![json!({"type": 1, "components": [button]}); 6]))),
        (EDIT, "patch", spoilt(&with_buttons, "/allowed_mentions", json!({}))),
        (FORUM, "post", spoilt(&forum, "/name", long(101))),
        (FORUM, "post", spoilt(&forum, "/name", "".into())),
        (FORUM, "post", spoilt(&forum, "/applied_tags", json!(["1", "2", "3", "4", "5", "6"]))),
        (FORUM, "post", spoilt(&forum, "/applied_tags", json!(["1", "1"]))),
        (FORUM, "post", spoilt(&forum, "/content", "a".into())),
        (FORUM, "post", spoilt(&forum, "/message/allowed_mentions", Value::Null)),
        (THREAD, "patch", json!({})),
        (THREAD, "patch", spoilt(&thread, "/title", "a".into())),
        (CALLBACK, "post", spoilt(&answer, "/type", 3.into())),
        (CALLBACK, "post", spoilt(&answer, "/type", 5.into())),
        (CALLBACK, "post", spoilt(&answer, "/data/allowed_mentions", Value::Null)),
        (CALLBACK, "post", spoilt(&choices, "/data/choices/0/name", long(101))),
        (CALLBACK, "post", spoilt(&choices, "/data/choices/0/name", "".into())),
        (CALLBACK, "post", spoilt(&choices, "/data/choices/0/value", long(101))),
        (CALLBACK, "post", spoilt(&choices, "/data/choices", json!(vec![json!({"name": "a", "value": "a"}); 26]))),
        (COMMANDS, "put", spoilt(&commands, "/0/name", "Bpfnews".into())),
        (COMMANDS, "put", spoilt(&commands, "/0/name", "bpf news".into())),
        (COMMANDS, "put", spoilt(&commands, "/0/name", long(33))),
        (COMMANDS, "put", spoilt(&commands, "/1/name", "bpfnews".into())),
        (COMMANDS, "put", spoilt(&commands, "/0/description", Value::Null)),
        (COMMANDS, "put", spoilt(&commands, "/0/description", long(101))),
        (COMMANDS, "put", spoilt(&commands, "/0/contexts", json!([0, 1]))),
        (COMMANDS, "put", spoilt(&commands, "/0/permission", "1".into())),
        (COMMANDS, "put", spoilt(&commands, "/0/options/0/options", json!([
            {"type": 3, "name": "a", "description": "a"}, {"type": 3, "name": "b", "description": "b", "required": true}]))),
        (COMMANDS, "put", spoilt(&commands, "/0/options", json!([
            {"type": 3, "name": "a", "description": "a"}, {"type": 1, "name": "b", "description": "b"}]))),
        (COMMANDS, "put", spoilt(&commands, "/0/options/0/options", json!([
            {"type": 4, "name": "a", "description": "a", "max_value": i64::MAX}]))),
        (COMMANDS, "put", spoilt(&commands, "/0/options/0/options", json!(vec![json!({"type": 3, "name": "a", "description": "a"}); 26]))),
    ];
    for (template, method, bad) in &table {
        assert_ne!(
            wrongs_in_request(template, method, bad),
            [""; 0],
            "{template} {bad}"
        );
    }
    assert!(table.len() > 50);
}

/// Violations that only Discord's description covers.
#[test]
fn the_description_bites() {
    if !is_described() {
        return;
    }
    let message = body(&line("m", "a"));
    #[rustfmt::skip]
    let table: Vec<(&str, &str, Value)> = vec![
        (SEND, "post", spoilt(&message, "/embeds/0/color", 0x0100_0000.into())),
        (SEND, "post", spoilt(&message, "/embeds/0/timestamp", "yesterday".into())),
        (SEND, "post", spoilt(&message, "/embeds", json!({"title": "a"}))),
        (SEND, "post", spoilt(&message, "/message_reference", json!({"message_id": "a"}))),
        (CALLBACK, "post", json!({"type": 8, "data": {"choices": [{"name": "a"}]}})),
        ("/channels/{channel_id}/messages/{message_id}/threads", "post", json!({"name": "a", "auto_archive_duration": 61})),
    ];
    for (template, method, bad) in &table {
        assert_ne!(
            wrongs_in_request(template, method, bad),
            [""; 0],
            "{template} {bad}"
        );
    }
    for (template, method, status, bad) in [
        (SEND, "post", 200, json!({"id": "1"})),
        (THREAD, "get", 200, json!({"id": "1", "type": 15})),
        (COMMANDS, "put", 200, json!([{"name": "a"}])),
        (SEND, "post", 404, json!({"message": "no code"})),
    ] {
        assert_ne!(
            wrongs_in_answer(template, method, status, &bad),
            [""; 0],
            "{template} {bad}"
        );
    }
}

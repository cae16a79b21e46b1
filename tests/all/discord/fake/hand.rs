//! Violations of rules that Discord documents but its description lacks. Limits are counted in code points, after
//! Discord's trimming.

use serde_json::Value;

/// The content and the mentions of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Create,
    Change,
}

const MESSAGE: [&str; 14] = [
    "content",
    "nonce",
    "enforce_nonce",
    "tts",
    "embeds",
    "allowed_mentions",
    "message_reference",
    "components",
    "sticker_ids",
    "files",
    "payload_json",
    "attachments",
    "flags",
    "poll",
];
const EMBED: [&str; 13] = [
    "title",
    "type",
    "description",
    "url",
    "timestamp",
    "color",
    "footer",
    "image",
    "thumbnail",
    "video",
    "provider",
    "author",
    "fields",
];
const COMMAND: [&str; 11] = [
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "options",
    "default_member_permissions",
    "dm_permission",
    "integration_types",
    "contexts",
    "type",
    "nsfw",
];
const OPTION: [&str; 14] = [
    "type",
    "name",
    "name_localizations",
    "description",
    "description_localizations",
    "required",
    "choices",
    "options",
    "channel_types",
    "min_value",
    "max_value",
    "min_length",
    "max_length",
    "autocomplete",
];
/// Discord's numbers for options that hold options.
const SUB_COMMAND: u64 = 1;
const GROUP: u64 = 2;
/// All characters of a command's names, descriptions and values together.
const COMMAND_CHARS_MAX: usize = 8000;

pub(super) fn wrongs_in_request(template: &str, method: &str, body: &Value) -> Vec<String> {
    let mut wrongs = Vec::new();
    match (template, method) {
        ("/channels/{channel_id}/messages", "post")
        | ("/webhooks/{webhook_id}/{webhook_token}", "post") => {
            message(body, Say::Create, &mut wrongs);
        }
        ("/channels/{channel_id}/messages/{message_id}", "patch")
        | ("/webhooks/{webhook_id}/{webhook_token}/messages/@original", "patch") => {
            message(body, Say::Change, &mut wrongs);
        }
        ("/channels/{channel_id}/threads", "post") => {
            keys(
                body,
                &[
                    "name",
                    "auto_archive_duration",
                    "rate_limit_per_user",
                    "message",
                    "applied_tags",
                ],
                "thread",
                &mut wrongs,
            );
            text(&body["name"], 1..=100, "the thread's name", &mut wrongs);
            tags(body, &mut wrongs);
            message(&body["message"], Say::Create, &mut wrongs);
        }
        ("/channels/{channel_id}", "patch") => {
            keys(
                body,
                &[
                    "name",
                    "archived",
                    "locked",
                    "auto_archive_duration",
                    "applied_tags",
                ],
                "thread",
                &mut wrongs,
            );
            if let Some(name) = body.get("name") {
                text(name, 1..=100, "the thread's name", &mut wrongs);
            }
            tags(body, &mut wrongs);
            if body.as_object().is_none_or(serde_json::Map::is_empty) {
                wrongs.push("a change of nothing".to_owned());
            }
        }
        ("/channels/{channel_id}/messages/{message_id}/threads", "post") => {
            keys(
                body,
                &["name", "auto_archive_duration", "rate_limit_per_user"],
                "thread",
                &mut wrongs,
            );
            text(&body["name"], 1..=100, "the thread's name", &mut wrongs);
        }
        ("/interactions/{interaction_id}/{interaction_token}/callback", "post") => {
            callback(body, &mut wrongs)
        }
        ("/applications/{application_id}/commands", "put") => commands(body, &mut wrongs),
        _ => {}
    }
    wrongs
}

fn message(body: &Value, say: Say, wrongs: &mut Vec<String>) {
    keys(body, &MESSAGE, "message", wrongs);
    if let Some(content) = body.get("content").filter(|content| !content.is_null()) {
        text(content, 0..=2000, "the content", wrongs);
    }
    let embeds = body["embeds"].as_array().map_or(&[][..], Vec::as_slice);
    let says_something = body["content"]
        .as_str()
        .is_some_and(|content| !content.trim().is_empty())
        || !embeds.is_empty()
        || body["components"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty());
    if say == Say::Create && !says_something {
        wrongs.push("it says nothing".to_owned());
    }
    if embeds.len() > 10 {
        wrongs.push(format!("{} embeds", embeds.len()));
    }
    let total: usize = embeds.iter().map(|one| embed(one, wrongs)).sum();
    if total > 6000 {
        wrongs.push(format!("{total} characters in all embeds"));
    }
    let mentions = &body["allowed_mentions"];
    let is_empty = mentions["parse"].as_array().is_some_and(Vec::is_empty);
    let is_single = mentions.as_object().is_some_and(|map| map.len() == 1);
    // It mentions the person who asked for that, and nobody else.
    let is_of_one = mentions["users"].as_array().is_some_and(|users| {
        users.len() == 1 && body["content"] == format!("<@{}>", users[0].as_str().unwrap_or("-"))
    });
    if !is_single || !(is_empty || is_of_one) {
        // Discord accepts others too, but this bot must not mention them.
        wrongs.push(format!("it may mention somebody: {mentions}"));
    }
    if mentions.get("parse").is_some() && mentions.get("users").is_some() {
        wrongs.push("allowed mentions: either parse or users".to_owned());
    }
    if let Some(nonce) = body.get("nonce") {
        let is_short = nonce
            .as_str()
            .is_some_and(|nonce| (1..=25).contains(&nonce.chars().count()));
        if !is_short || body["enforce_nonce"] != true {
            wrongs.push(format!("the nonce {nonce}"));
        }
    }
    if let Some(flags) = body.get("flags") {
        // Suppressed embeds, silence and privacy. A message made of components has no embeds.
        let known: u64 = 4 | 64 | 4096;
        if flags.as_u64().is_none_or(|flags| flags & !known != 0) {
            wrongs.push(format!("the flags {flags}"));
        }
    }
    components(&body["components"], wrongs);
}

/// The characters of an embed that count for its limit.
fn embed(embed: &Value, wrongs: &mut Vec<String>) -> usize {
    keys(embed, &EMBED, "embed", wrongs);
    keys(
        &embed["author"],
        &["name", "url", "icon_url"],
        "author",
        wrongs,
    );
    keys(&embed["footer"], &["text", "icon_url"], "footer", wrongs);
    let limits = [
        ("/title", 256),
        ("/description", 4096),
        ("/author/name", 256),
        ("/footer/text", 2048),
    ];
    let mut total = 0;
    for (part, max) in limits {
        if let Some(value) = embed.pointer(part) {
            total += text(value, 1..=max, part, wrongs);
        }
    }
    for link in [
        "/url",
        "/author/url",
        "/footer/icon_url",
        "/image/url",
        "/thumbnail/url",
    ] {
        if let Some(url) = embed.pointer(link) {
            let url = url.as_str().unwrap_or_default();
            let is_web = url.starts_with("https://") || url.starts_with("http://");
            if !is_web || url.chars().count() > 2048 {
                wrongs.push(format!("the address {url}"));
            }
        }
    }
    let fields = embed["fields"].as_array().map_or(&[][..], Vec::as_slice);
    if fields.len() > 25 {
        wrongs.push(format!("{} fields", fields.len()));
    }
    for field in fields {
        total += text(&field["name"], 1..=256, "a field's name", wrongs);
        total += text(&field["value"], 1..=1024, "a field's value", wrongs);
    }
    if total == 0 {
        wrongs.push("an embed that says nothing".to_owned());
    }
    total
}

fn components(rows: &Value, wrongs: &mut Vec<String>) {
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    if rows.len() > 5 {
        wrongs.push(format!("{} rows of buttons", rows.len()));
    }
    let mut seen: Vec<&str> = Vec::new();
    for row in rows {
        keys(row, &["type", "components", "id"], "row", wrongs);
        let buttons = row["components"].as_array().map_or(&[][..], Vec::as_slice);
        if row["type"] != 1 || !(1..=5).contains(&buttons.len()) {
            wrongs.push(format!("a row of {} buttons", buttons.len()));
        }
        for button in buttons {
            keys(
                button,
                &[
                    "type",
                    "style",
                    "label",
                    "emoji",
                    "custom_id",
                    "url",
                    "disabled",
                    "id",
                ],
                "button",
                wrongs,
            );
            let id = button["custom_id"].as_str().unwrap_or_default();
            if !(1..=100).contains(&id.chars().count()) {
                wrongs.push(format!("the button's id {id:?}"));
            }
            if seen.contains(&id) {
                wrongs.push(format!("two buttons {id:?}"));
            }
            seen.push(id);
            text(&button["label"], 1..=80, "a button's label", wrongs);
        }
    }
}

fn callback(body: &Value, wrongs: &mut Vec<String>) {
    keys(body, &["type", "data"], "answer", wrongs);
    let data = &body["data"];
    match body["type"].as_u64() {
        Some(4 | 7) => message(data, Say::Create, wrongs),
        Some(5) => {
            keys(data, &["flags"], "deferral", wrongs);
            if data.get("flags").is_some_and(|flags| flags != 64) {
                wrongs.push("a deferral's flags".to_owned());
            }
        }
        Some(6) => {}
        Some(8) => {
            let choices = data["choices"].as_array();
            if choices.is_none_or(|choices| choices.len() > 25) {
                wrongs.push("the number of choices".to_owned());
            }
            for choice in choices.into_iter().flatten() {
                keys(
                    choice,
                    &["name", "name_localizations", "value"],
                    "choice",
                    wrongs,
                );
                text(&choice["name"], 1..=100, "a choice's name", wrongs);
                text(&choice["value"], 1..=100, "a choice's value", wrongs);
            }
        }
        _ => wrongs.push("the kind of the answer".to_owned()),
    }
}

fn commands(body: &Value, wrongs: &mut Vec<String>) {
    let commands = body.as_array().map_or(&[][..], Vec::as_slice);
    let mut names: Vec<&str> = Vec::new();
    for command in commands {
        keys(command, &COMMAND, "command", wrongs);
        let name = command["name"].as_str().unwrap_or_default();
        command_name(name, wrongs);
        if names.contains(&name) {
            wrongs.push(format!("two commands {name}"));
        }
        names.push(name);
        let mut total = name.chars().count()
            + text(
                &command["description"],
                1..=100,
                "a command's description",
                wrongs,
            );
        total += options(&command["options"], 0, wrongs);
        if total > COMMAND_CHARS_MAX {
            wrongs.push(format!("{total} characters in the command {name}"));
        }
        if command["contexts"] != serde_json::json!([0]) {
            wrongs.push(format!("{name} is not for servers alone"));
        }
    }
    if names.is_empty() || names.len() > 100 {
        wrongs.push(format!("{} commands", names.len()));
    }
}

/// The characters of options that count for their limit.
fn options(options: &Value, depth: usize, wrongs: &mut Vec<String>) -> usize {
    let options = options.as_array().map_or(&[][..], Vec::as_slice);
    if options.len() > 25 {
        wrongs.push(format!("{} options", options.len()));
    }
    let (mut total, mut may_be_left_out) = (0, false);
    let mut names: Vec<&str> = Vec::new();
    let holds = |option: &Value| matches!(option["type"].as_u64(), Some(SUB_COMMAND | GROUP));
    if options.iter().any(holds) && !options.iter().all(holds) {
        wrongs.push("sub-commands beside options".to_owned());
    }
    for option in options {
        keys(option, &OPTION, "option", wrongs);
        let name = option["name"].as_str().unwrap_or_default();
        command_name(name, wrongs);
        if names.contains(&name) {
            wrongs.push(format!("two options {name}"));
        }
        names.push(name);
        total += name.chars().count()
            + text(
                &option["description"],
                1..=100,
                "an option's description",
                wrongs,
            );
        let kind = option["type"].as_u64().unwrap_or_default();
        match (kind, depth) {
            (GROUP, 0) => {
                if option["options"].as_array().is_none_or(Vec::is_empty) {
                    wrongs.push(format!("the group {name} is empty"));
                }
                total += self::options(&option["options"], 1, wrongs);
            }
            (SUB_COMMAND, 0 | 1) => total += self::options(&option["options"], 2, wrongs),
            (SUB_COMMAND | GROUP, _) => wrongs.push(format!("{name} is too deep")),
            _ => {}
        }
        if option["required"] == true && may_be_left_out {
            wrongs.push(format!(
                "{name} must be there, after one that may be left out"
            ));
        }
        may_be_left_out |= option["required"] != true;
        let choices = option["choices"].as_array().map_or(&[][..], Vec::as_slice);
        if choices.len() > 25 || (!choices.is_empty() && option["autocomplete"] == true) {
            wrongs.push(format!("the choices of {name}"));
        }
        for choice in choices {
            total += text(&choice["name"], 1..=100, "a choice's name", wrongs);
            total += text(&choice["value"], 1..=100, "a choice's value", wrongs);
        }
        for bound in ["min_value", "max_value"] {
            let Some(value) = option.get(bound) else {
                continue;
            };
            let is_within = value.as_i64().is_some_and(|value| value.abs() < 1 << 53);
            if kind != 4 || !is_within {
                wrongs.push(format!("{bound} of {name}: {value}"));
            }
        }
    }
    total
}

fn command_name(name: &str, wrongs: &mut Vec<String>) {
    let is_plain = |c: char| c == '-' || c == '_' || (c.is_alphanumeric() && !c.is_uppercase());
    if !(1..=32).contains(&name.chars().count()) || !name.chars().all(is_plain) {
        wrongs.push(format!("the name {name:?}"));
    }
}

fn tags(body: &Value, wrongs: &mut Vec<String>) {
    let tags = body["applied_tags"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let mut sorted: Vec<&str> = tags.iter().filter_map(Value::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    if tags.len() > 5 || sorted.len() != tags.len() {
        wrongs.push(format!("the tags {tags:?}"));
    }
}

/// Checks the length of a text.
fn text(
    value: &Value,
    range: std::ops::RangeInclusive<usize>,
    what: &str,
    wrongs: &mut Vec<String>,
) -> usize {
    let Some(text) = value.as_str() else {
        wrongs.push(format!("{what} is no text: {value}"));
        return 0;
    };
    let length = text.trim().chars().count();
    if !range.contains(&length) {
        wrongs.push(format!("{what} has {length} characters"));
    }
    length
}

fn keys(object: &Value, known: &[&str], what: &str, wrongs: &mut Vec<String>) {
    for key in object
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
    {
        if !known.contains(&key.as_str()) {
            wrongs.push(format!("a {what} has no {key}"));
        }
    }
}

//! Checks requests and responses against Discord's own description, if it is installed. Its validators are made once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Registry, Resource, Validator};
use serde_json::{Value, json};

use super::hand;
use crate::world::corpus;

struct Description {
    text: Value,
    registry: Registry<'static>,
}

static DESCRIPTION: LazyLock<Option<Description>> = LazyLock::new(|| {
    let text = std::fs::read(corpus()?.join("discord/openapi.json")).ok()?;
    let mut text: Value = serde_json::from_slice(&text).expect("the description is JSON");
    // The description says integers. Discord's documentation says strings, and Discord accepts both.
    for schema in [
        "ApplicationCommandUpdateRequest",
        "ApplicationCommandCreateRequest",
    ] {
        let path = format!("/components/schemas/{schema}/properties/default_member_permissions");
        let property = text.pointer_mut(&path).expect("the description has it");
        *property = json!({"type": ["integer", "string", "null"]});
    }
    let registry = Registry::new()
        .add("urn:discord", Resource::from_contents(text.clone()))
        .expect("the name is a URI")
        .prepare()
        .expect("the description is whole");
    Some(Description { text, registry })
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Whether Discord's description is installed.
pub(crate) fn is_described() -> bool {
    DESCRIPTION.is_some()
}

/// The violations in a request. `template` is the path as in the description.
pub(crate) fn wrongs_in_request(template: &str, method: &str, body: &Value) -> Vec<String> {
    let mut wrongs = hand::wrongs_in_request(template, method, body);
    let schema = match (template, method) {
        ("/interactions/{interaction_id}/{interaction_token}/callback", _) => {
            schema(match body["type"].as_u64() {
                Some(4 | 5) => "CreateMessageInteractionCallbackRequest",
                Some(6 | 7) => "UpdateMessageInteractionCallbackRequest",
                Some(8) => "ApplicationCommandAutocompleteCallbackRequest",
                _ => return [wrongs, vec!["the kind of the answer".to_owned()]].concat(),
            })
        }
        ("/channels/{channel_id}/threads", _) => schema("CreateForumThreadRequest"),
        ("/channels/{channel_id}", "patch") => schema("UpdateThreadRequestPartial"),
        ("/webhooks/{webhook_id}/{webhook_token}", "post") => {
            schema("IncomingWebhookRequestPartial")
        }
        _ => path(template, method, "requestBody"),
    };
    wrongs.extend(wrongs_by(&schema, body));
    wrongs
}

/// The violations in a response of the fake, so that it stays like Discord's.
pub(crate) fn wrongs_in_answer(
    template: &str,
    method: &str,
    status: u16,
    body: &Value,
) -> Vec<String> {
    let schema = match (template, method, status) {
        (_, _, 204) => {
            return match body.is_null() {
                true => Vec::new(),
                false => vec!["an answer of 204 has no body".to_owned()],
            };
        }
        // The schema of errors: a number and words.
        (_, _, 400..) => {
            let is_good = body["code"].is_u64() && body["message"].is_string();
            return match is_good || status == 429 {
                true => Vec::new(),
                false => vec![format!("an error without code or message: {body}")],
            };
        }
        ("/channels/{channel_id}", "get", _) => match body["type"].as_u64() {
            Some(1) => schema("PrivateChannelResponse"),
            Some(10..=12) => schema("ThreadResponse"),
            _ => schema("GuildChannelResponse"),
        },
        ("/channels/{channel_id}", "patch", _) => schema("ThreadResponse"),
        _ => path(template, method, &format!("responses/{status}")),
    };
    wrongs_by(&schema, body)
}

fn escape(part: &str) -> String {
    part.replace('~', "~0").replace('/', "~1")
}

fn path(template: &str, method: &str, part: &str) -> String {
    format!(
        "/paths/{}/{method}/{part}/content/{}/schema",
        escape(template),
        escape("application/json")
    )
}

fn schema(name: &str) -> String {
    format!("/components/schemas/{name}")
}

fn wrongs_by(pointer: &str, body: &Value) -> Vec<String> {
    let Some(description) = DESCRIPTION.as_ref() else {
        return Vec::new();
    };
    let mut validators = VALIDATORS
        .lock()
        .expect("no holder of the validators panics");
    let known = validators.get(pointer).cloned();
    let validator = known.unwrap_or_else(|| {
        assert!(
            description.text.pointer(pointer).is_some(),
            "the description has no {pointer}"
        );
        let place = pointer.replace('{', "%7B").replace('}', "%7D");
        let made = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&description.registry)
            .should_validate_formats(true)
            .build(&json!({"$ref": format!("urn:discord#{place}")}))
            .expect("the description can be followed");
        let made = Arc::new(made);
        validators.insert(pointer.to_owned(), Arc::clone(&made));
        made
    });
    let errors = validator.iter_errors(body);
    errors
        .map(|error| {
            let said: String = error.to_string().chars().take(300).collect();
            format!("{} {said}", error.instance_path())
        })
        .collect()
}

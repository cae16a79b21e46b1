//! The description of the API: it lists every path, and every answer matches it.

use serde_json::{Value, json};

use super::story::scenario;
use super::{Served, serve};
use crate::issue::pages::hostile;

/// The differences between an answer and the schema that the description has for its path.
fn faults(description: &Value, path: &str, answer: &Value) -> Vec<String> {
    let of = &description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        ["schema"];
    assert!(of.is_object(), "{path} is described");
    let mut schema = of.clone();
    schema["components"] = description["components"].clone();
    // A key without a description is an error as well.
    let names: Vec<String> = schema["components"]["schemas"]
        .as_object()
        .expect("schemas")
        .keys()
        .cloned()
        .collect();
    for name in names {
        let schema = &mut schema["components"]["schemas"][&name];
        if schema.get("properties").is_some()
            && schema.get("additionalProperties").is_none()
            && !is_part(description, &name)
        {
            schema["additionalProperties"] = json!(false);
        }
    }
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    validator
        .iter_errors(answer)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Whether a schema is only one part of another schema.
fn is_part(description: &Value, name: &str) -> bool {
    let all = description["components"]["schemas"].to_string();
    all.contains(&format!(
        "\"allOf\":[{{\"$ref\":\"#/components/schemas/{name}\"}}"
    ))
}

async fn description(served: &Served) -> Value {
    served.json("api/openapi.json").await
}

#[tokio::test]
async fn every_answer_is_as_described() {
    let (_house, served) = serve(&scenario()).await;
    let description = description(&served).await;
    assert_eq!(description["openapi"], "3.1.0");
    let paths: Vec<&String> = description["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .collect();
    assert_eq!(
        paths,
        [
            "/api/issue/{number}",
            "/api/issues",
            "/api/search",
            "/api/stories",
            "/api/story/{id}"
        ]
    );
    let stories = served.json("api/stories?limit=100").await;
    assert_eq!(faults(&description, "/api/stories", &stories), [""; 0]);
    assert_eq!(
        faults(
            &description,
            "/api/search",
            &served.json("api/search?q=bpf").await
        ),
        [""; 0]
    );
    for story in stories["stories"].as_array().expect("stories") {
        let id = story["id"].as_str().expect("an id");
        let whole = served.json(&format!("api/story/{id}")).await;
        assert_eq!(faults(&description, "/api/story/{id}", &whole), [""; 0]);
    }
    let (_house, pages) = hostile().await;
    for (path, of) in [
        ("api/issues", "/api/issues"),
        ("api/issue/1", "/api/issue/{number}"),
    ] {
        let text = pages.get(path).await.text().await.expect("a text");
        let answer = serde_json::from_str(&text).expect("JSON");
        assert_eq!(faults(&description, of, &answer), [""; 0]);
    }
    // Proves that the comparison can fail.
    let mut wrong = stories.clone();
    wrong["stories"][0]["state"] = json!("good");
    assert!(!faults(&description, "/api/stories", &wrong).is_empty());
    wrong = stories.clone();
    wrong["stories"][0]["secret"] = json!(1);
    assert!(!faults(&description, "/api/stories", &wrong).is_empty());
    wrong = stories;
    wrong["stories"][0]
        .as_object_mut()
        .expect("a story")
        .remove("page");
    assert!(!faults(&description, "/api/stories", &wrong).is_empty());
}

#[tokio::test]
async fn the_document_for_people_names_every_path_and_parameter() {
    let (_house, served) = serve(&scenario()).await;
    let description = description(&served).await;
    let document = include_str!("../../../docs/api.md");
    for (path, operations) in description["paths"].as_object().expect("paths") {
        assert!(document.contains(&format!("`{path}`")), "{path}");
        let parameters = operations["get"]["parameters"]
            .as_array()
            .expect("parameters");
        for parameter in parameters {
            let name = parameter["name"].as_str().expect("a name");
            assert!(document.contains(&format!("`{name}`")), "{name} of {path}");
        }
    }
}

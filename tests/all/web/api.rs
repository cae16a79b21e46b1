//! The read API as programs use it: filters, paging, errors, limits.

use std::collections::HashSet;

use bpfnews::web::ApiAllowance;
use chrono::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::story::scenario;
use super::{Served, serve, title};
use crate::fold::scenario::{FoldStore, Scenario, begin};
use crate::issue::pages::hostile;

fn ids(page: &Value) -> Vec<String> {
    let stories = page["stories"].as_array().expect("stories").iter();
    stories
        .map(|story| story["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn filters_choose_and_cursors_go_through_all() {
    let mut all = scenario();
    for number in 0..30_i64 {
        let title = format!("[PATCH bpf] bpf: {}", title(number.unsigned_abs()));
        all = all.mail(
            &format!("m{number}"),
            "Moe Maker",
            500 + number,
            &title,
            &[],
            "x",
        );
    }
    let (_house, served) = serve(&all).await;
    let whole = ids(&served.json("api/stories?limit=100").await);
    assert!(whole.len() >= 33, "{}", whole.len());
    let (mut path, mut found) = ("api/stories?limit=7".to_owned(), Vec::new());
    loop {
        let answer = served.get(&path).await;
        let link = answer
            .headers()
            .get("link")
            .map(|link| link.to_str().expect("a text").to_owned());
        let page: Value =
            serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON");
        found.extend(ids(&page));
        let Some(next) = page["next"].as_str() else {
            assert_eq!(link, None);
            break;
        };
        let link = link.expect("the next page");
        let target = link
            .strip_prefix('<')
            .and_then(|link| link.strip_suffix(">; rel=\"next\""));
        let target = target
            .expect("one target")
            .strip_prefix(&served.url)
            .expect("our own");
        assert_eq!(target, format!("api/stories?limit=7&cursor={next}"));
        path = target.to_owned();
    }
    assert_eq!(found, whole, "each once, in one order");
    assert_eq!(found.iter().collect::<HashSet<_>>().len(), whole.len());
    for (filter, many) in [
        ("author=moe%20maker&limit=100", 30),
        ("author=Moe", 0),
        ("kind=article", 1),
        ("state=mainline&kind=series", 1),
        ("tree=bpf&author=Moe%20Maker&limit=100", 30),
        ("tree=%25", 0),
        ("until=2017-05-03", 0),
        ("since=2017-05-23T14:00:00Z&author=Moe%20Maker", 24),
    ] {
        let page = served.json(&format!("api/stories?{filter}")).await;
        assert_eq!(ids(&page).len(), many, "{filter}");
    }
    let searched = served.json("api/search?q=people:moe&limit=20").await;
    let rest = served
        .json(&format!(
            "api/search?q=people:moe&limit=20&cursor={}",
            searched["next"].as_str().expect("more")
        ))
        .await;
    let mut both = ids(&searched);
    both.extend(ids(&rest));
    assert_eq!((both.len(), rest["next"].is_null()), (30, true));
    assert_eq!(both.iter().collect::<HashSet<_>>().len(), 30);
}

#[tokio::test]
async fn a_story_and_an_issue_come_whole() {
    let (_house, served) = serve(&scenario()).await;
    let listed = served.json("api/stories?kind=series").await["stories"][0].clone();
    let id = listed["id"].as_str().expect("an id");
    let whole = served.json(&format!("api/story/{id}")).await;
    assert_eq!(whole["page"], format!("{}story/{id}", served.url));
    assert_eq!(listed["page"], whole["page"]);
    assert_eq!(whole["revisions"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&listed["version"], &listed["patches"]),
        (&2.into(), &2.into())
    );
    assert_eq!(whole["changes"]["v2"], "Rename it. (Rae)");
    assert_eq!(whole["state"], "mainline");
    for key in [
        "aliases", "why", "events", "people", "checks", "applied", "stable", "fixes", "cves",
        "messages", "summary",
    ] {
        assert!(whole[key].is_array(), "{key}");
    }
    let (_house, pages) = hostile().await;
    let get = async |path: &str| -> Value {
        let text = pages.get(path).await.text().await.expect("a text");
        serde_json::from_str(&text).expect("JSON")
    };
    let issues = get("api/issues").await;
    assert_eq!(issues["issues"][0]["number"], 1);
    let issue = get("api/issue/1").await;
    assert_eq!(
        (&issue["number"], &issue["title"]),
        (&1.into(), &"BPF updates 01".into())
    );
    assert_eq!(issue["corrections"][0]["text"], "<i>None</i> of it.");
    assert_eq!(issue["previous"], Value::Null);
    let sections = issue["sections"].as_array().expect("sections");
    let story = sections
        .iter()
        .flat_map(|section| section["entries"].as_array().expect("entries"));
    let story = story
        .map(|entry| entry["story"].as_str().expect("a story"))
        .next()
        .expect("an entry");
    assert_eq!(get(&format!("api/story/{story}")).await["id"], story);
}

#[tokio::test]
async fn errors_are_json_with_a_sentence() {
    let (_house, served) =
        serve(&Scenario::default().mail("m", "Ann Author", 0, "[PATCH bpf] bpf: x", &[], "x"))
            .await;
    let other_list = served.json("api/search?q=bpf&limit=1").await;
    assert!(other_list["next"].is_null());
    for (path, status, words) in [
        ("api/stories?kind=novel", 400, "novel"),
        ("api/stories?state=good", 400, "good"),
        ("api/stories?limit=0", 400, "1 to 100"),
        ("api/stories?limit=101", 400, "1 to 100"),
        ("api/stories?limit=many", 400, "limit"),
        ("api/stories?since=yesterday", 400, "2026-01-31"),
        ("api/stories?colour=red", 400, "colour"),
        ("api/stories?cursor=", 400, "cursor"),
        ("api/stories?cursor=747474", 400, "cursor"),
        ("api/stories?limit=1&limit=2", 400, "duplicate"),
        ("api/search", 400, "q"),
        ("api/search?q=%22%22", 400, "word"),
        ("api/search?q=%00", 400, "word"),
        ("api/story/none", 404, "no such story"),
        ("api/story/%FF", 400, "UTF-8"),
        ("api/issue/1", 404, "no such issue"),
        ("api/issue/-9223372036854775808", 404, "no such issue"),
        ("api/issue/99999999999999999999", 400, "i64"),
        ("api", 404, "/api/openapi.json"),
        ("api/none/of/it", 404, "/api/openapi.json"),
    ] {
        let answer = served.get(path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(
            answer.headers()["content-type"],
            "application/json",
            "{path}"
        );
        assert_eq!(
            answer.headers()["access-control-allow-origin"],
            "*",
            "{path}"
        );
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        let said: Value =
            serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON");
        let said = said["error"].as_str().expect("a sentence");
        assert!(said.contains(words), "{path}: {said}");
    }
    let long = format!("api/search?q={}", "x".repeat(201));
    assert_eq!(served.get(&long).await.status(), 400);
}

#[tokio::test]
async fn scripts_of_other_sites_may_read_and_nobody_may_write() {
    let (_house, served) =
        serve(&Scenario::default().mail("m", "Ann Author", 0, "[PATCH bpf] bpf: x", &[], "x"))
            .await;
    let client = reqwest::Client::new();
    let ask = |method: Method| client.request(method, format!("{}api/stories", served.url));
    let asked = ask(Method::OPTIONS)
        .header("origin", "https://other.example")
        .header("access-control-request-headers", "if-none-match");
    let asked = asked.send().await.expect("an answer");
    assert_eq!(asked.status(), StatusCode::NO_CONTENT);
    assert_eq!(asked.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        asked.headers()["access-control-allow-headers"],
        "If-None-Match"
    );
    assert!(
        !asked
            .headers()
            .contains_key("access-control-allow-credentials")
    );
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let refused = ask(method).body("{}").send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert!(
            refused.headers()["allow"]
                .to_str()
                .expect("a text")
                .contains("GET")
        );
        assert!(
            refused
                .text()
                .await
                .expect("a text")
                .contains("for reading")
        );
    }
    let page = served.get("").await;
    assert!(
        !page.headers().contains_key("access-control-allow-origin"),
        "only the API"
    );
}

#[tokio::test]
async fn a_client_that_asks_too_often_waits_and_others_do_not() {
    let house = FoldStore::new().await;
    let rate = ApiAllowance {
        burst: 3,
        every: TimeDelta::seconds(5),
    };
    let served = Served::start(house.store.clone(), begin(), rate).await;
    let client = reqwest::Client::new();
    let ask = async |by: &str| {
        let request = client.get(format!("{}api/stories", served.url));
        request
            .header("x-forwarded-for", by)
            .send()
            .await
            .expect("an answer")
    };
    for _ in 0..3 {
        assert_eq!(ask("192.0.2.1").await.status(), 200);
    }
    let refused = ask("198.51.100.9, 192.0.2.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "5");
    assert_eq!(refused.headers()["content-type"], "application/json");
    assert_eq!(ask("192.0.2.2").await.status(), 200);
    assert!(
        served.get("").await.status().is_success(),
        "pages have no such limit"
    );
}

//! The front page, lists by tree and person, and caching.

use std::collections::HashSet;

use bpfnews::store::stories;
use chrono::TimeDelta;

use super::{Served, links, seen, serve, title, unlimited};
use crate::fold::scenario::{FoldStore, Scenario, begin};

/// This many patches by one author, one each hour.
fn patches(many: usize, tree: &str) -> Scenario {
    patches_with(many, tree, |_| "It is so.".to_owned())
}

/// The same, with the text of each.
pub(super) fn patches_with(many: usize, tree: &str, text: impl Fn(usize) -> String) -> Scenario {
    let mut scenario = Scenario::default();
    for number in 0..many {
        let hours = i64::try_from(number).expect("few");
        let subject = format!("[PATCH {tree}] bpf: {}", title(number as u64));
        scenario = scenario.mail(
            &format!("m{number}"),
            "Ann Author",
            hours,
            &subject,
            &[],
            &text(number),
        );
    }
    scenario
}

#[tokio::test]
async fn pages_of_a_list_have_each_story_once() {
    let (_house, served) = serve(&patches(120, "bpf-next")).await;
    for first in ["stories", "tree/bpf-next", "person/Ann%20Author"] {
        let (mut path, mut found, mut pages) = (first.to_owned(), Vec::new(), 0);
        loop {
            let page = served.text(&path).await;
            pages += 1;
            let links = links(&page);
            found.extend(
                links
                    .iter()
                    .filter(|(href, _)| href.starts_with("/story/"))
                    .map(|(href, _)| href.clone()),
            );
            let Some((next, _)) = links.iter().find(|(_, text)| text.starts_with("Earlier")) else {
                break;
            };
            path = next[1..].to_owned();
        }
        assert_eq!((pages, found.len()), (3, 120), "{first}");
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), 120, "{first}");
    }
    assert_eq!(served.get("stories?after=abc").await.status(), 404);
    assert!(seen(&served.text("folder/no/such%2F%3Cb%3E").await).contains("No story about BPF"));
    let of_other_list = links(&served.text("stories").await);
    let (next, _) = of_other_list
        .iter()
        .find(|(_, text)| text.starts_with("Earlier"))
        .expect("a next page");
    let cursor = next.split_once("after=").expect("a cursor").1;
    assert_eq!(
        served
            .get(&format!("person/Ann%20Author?after={cursor}"))
            .await
            .status(),
        404
    );
    assert!(seen(&served.text("tree/nowhere").await).contains("No story about BPF"));
    assert!(
        seen(&served.text("person/Ann").await).contains("No story about BPF names this person")
    );
}

#[tokio::test]
async fn a_tree_is_known_by_its_last_word_and_a_person_by_the_whole_name() {
    let scenario = patches(2, "bpf-next")
        .mail(
            "x",
            "Ann Author Other",
            9,
            "[PATCH bpf] bpf: Quite another one",
            &[],
            "It is so.",
        )
        .mail(
            "y",
            "Rae Reviewer",
            10,
            "Re: [PATCH bpf] bpf: Quite another one",
            &["x"],
            "Acked-by: Rae Reviewer <rae@example.org>",
        )
        .commit(
            "3",
            "Ann Author",
            20,
            &format!("bpf: {}", title(0)),
            "next",
            "It is so.",
        );
    let (_house, served) = serve(&scenario).await;
    let page = seen(&served.text("person/Ann%20Author").await);
    assert!(!page.contains("Quite another one"), "{page}");
    let page = seen(&served.text("person/rae%20reviewer").await);
    assert!(
        page.contains("Quite another one") && page.contains("acker"),
        "{page}"
    );
    let tree = seen(&served.text("tree/bpf-next").await);
    assert!(
        tree.contains(&title(1)) && !tree.contains("Quite another one"),
        "{tree}"
    );
    assert!(seen(&served.text("tree/bpf").await).contains("Quite another one"));
}

#[tokio::test]
async fn the_front_page_always_has_something_to_read() {
    let house = FoldStore::new().await;
    let at = |days: i64| begin() + TimeDelta::days(days);
    let empty = Served::start(house.store.clone(), at(0), unlimited()).await;
    let page = seen(&empty.text("").await);
    assert!(
        page.contains("No issue of BPF updates is out yet") && page.contains("first polls"),
        "{page}"
    );
    house.take(&patches(3, "bpf").items).await;
    // The week begins on a Tuesday.
    let same_week = Served::start(house.store.clone(), at(2), unlimited()).await;
    let page = seen(&same_week.text("").await);
    assert!(page.contains("This week, since 1 May 2017 bpf: "), "{page}");
    assert!(page.contains("Waiting for an answer bpf: "), "{page}");
    assert!(
        page.contains("Trees bpf") && page.contains("Authors Ann Author"),
        "{page}"
    );
    let monday = Served::start(house.store.clone(), at(6), unlimited()).await;
    let page = seen(&monday.text("").await);
    assert!(page.contains("The last seven days bpf: "), "{page}");
}

#[tokio::test]
async fn a_page_that_a_client_has_is_not_sent_again() {
    let (house, served) = serve(&patches(3, "bpf")).await;
    let client = reqwest::Client::new();
    let ask = |path: &str, tag: Option<&str>| {
        let request = client.get(format!("{}{path}", served.url));
        let request = match tag {
            Some(tag) => request.header("if-none-match", tag),
            None => request,
        };
        async { request.send().await.expect("an answer") }
    };
    for path in [
        "",
        "stories",
        "search?q=bpf",
        "style.css",
        "stories.atom",
        "api/stories",
        "api/openapi.json",
    ] {
        let first = ask(path, None).await;
        let tag = first.headers()["etag"].to_str().expect("a text").to_owned();
        assert_eq!(
            first.headers()["cache-control"],
            "public, max-age=60",
            "{path}"
        );
        let again = ask(path, Some(&format!("\"x\", W/{tag}"))).await;
        assert_eq!(again.status(), 304, "{path}");
        assert_eq!(again.headers()["etag"], tag.as_str());
        assert_eq!(again.headers()["cache-control"], "public, max-age=60");
        assert!(again.headers().contains_key("content-security-policy"));
        assert!(again.text().await.expect("nothing").is_empty());
        assert_eq!(ask(path, Some("\"other\"")).await.status(), 200, "{path}");
    }
    let before = ask("stories", None).await.headers()["etag"].clone();
    house
        .take(
            &Scenario::default()
                .mail("n", "Bea Builder", 40, "[PATCH bpf] bpf: New one", &[], "x")
                .items,
        )
        .await;
    let after = ask("stories", Some(before.to_str().expect("a text"))).await;
    assert_eq!(after.status(), 200, "it changed");
    for path in ["nothing", "story/none", "api/story/none"] {
        let missing = ask(path, None).await;
        assert_eq!(
            (
                missing.status().as_u16(),
                missing.headers().contains_key("etag")
            ),
            (404, false),
            "{path}"
        );
    }
}

/// Nearly every story has some words. The time of a search must not grow with their number.
#[tokio::test]
async fn of_too_many_matches_the_newest_are_ranked() {
    let house = FoldStore::new().await;
    house.take(&patches(1, "bpf-next").items).await;
    let mut tx = house.store.write().await.expect("a transaction");
    for statement in [
        "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n LIMIT 3100)
         INSERT INTO stories (number, id, item_id, cluster, kind, state, first_at, last_at, score, relevant, told)
         SELECT i, 's' || i, (SELECT MIN(id) FROM items), i, 'series', 'posted', i, i, 1, 1, (SELECT told FROM stories) FROM n",
        "INSERT INTO story_search (rowid, title, people, words)
         SELECT number, iif(number = 10, 'zebra', 'zebra among other animals'), '', iif(number = 10, 'alone', '')
         FROM stories WHERE number >= 10",
        "INSERT INTO story_values (story, score, parts, version, replies, folders)
         SELECT number, 1, -1, -1, 0, 0 FROM stories WHERE number >= 10",
    ] {
        let done = sqlx::query(statement).execute(&mut *tx).await;
        done.expect(statement);
    }
    tx.commit().await.expect("a commit");
    let found = async |words: &str| {
        let found = stories::ranked_stories(house.store.read(), words, 0, 0, 5_000).await;
        let found = found.expect("a database").into_iter();
        found.map(|listed| listed.number).collect::<Vec<_>>()
    };
    let many = found("zebra").await;
    assert_eq!((many.len(), many.iter().min()), (1_500, Some(&1_610)));
    assert_eq!(
        found("zebra alone").await,
        [10],
        "fewer matches are all ranked"
    );
}

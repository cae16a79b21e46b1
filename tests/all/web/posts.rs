//! Posts lead to the page of their story, if pages are public.

use bpfnews::post::story::Content;

use crate::command::house::{House, boss};
use crate::documents::mail;

/// The contents of all stored posts.
async fn contents(house: &House) -> Vec<Content> {
    let rows: Vec<(String,)> = {
        let mut reader = house
            .live
            .store
            .read()
            .acquire()
            .await
            .expect("a connection");
        let rows = sqlx::query_as("SELECT content FROM posts ORDER BY id");
        rows.fetch_all(&mut *reader).await.expect("posts")
    };
    let rows = rows.into_iter();
    rows.map(|(content,)| serde_json::from_str(&content).expect("a content"))
        .collect()
}

#[tokio::test]
async fn a_post_has_a_link_to_its_page_only_if_pages_are_public() {
    let with = "discord_users = [\"111111\"]\ncooldown_s = 0\n\n[web]\nlisten = \"127.0.0.1:0\"\nurl = \"https://news.example/\"\n";
    let without = "discord_users = [\"111111\"]\ncooldown_s = 0\n";
    for (config, is_public) in [(with, true), (without, false)] {
        let mut house = House::with(config).await;
        house
            .post(&[mail("a", 130, "[PATCH bpf-next] bpf: Do it", "")])
            .await;
        let mut seen = 0;
        for content in contents(&house).await {
            let Content::Story(post) = content else {
                continue;
            };
            seen += 1;
            let page = is_public.then(|| format!("https://news.example/story/{}", post.mark));
            assert_eq!(post.page, page);
        }
        assert!(seen >= 1, "{seen} posts");
        let told = house
            .reply(&boss(), "story a@x.example")
            .await
            .expect("an answer");
        let Content::Story(post) = told.content else {
            panic!("a story: {:?}", told.content);
        };
        assert_eq!(post.page.is_some(), is_public);
    }
}

/// A row of an older version has no such key.
#[test]
fn an_older_post_is_read_without_a_page() {
    let older = r#"{"is":"story","mark":"abc","about":"series","state":"v2","tone":"new","tree":"","title":"t","author":"",
        "at":"2025-01-01T00:00:00Z","feeds":[],"notes":[],"parts":[],"parts_left_out":0,"summary":"","change":"","steps":[],
        "link":null,"refs":[]}"#;
    let Content::Story(post) = serde_json::from_str(older).expect("a content") else {
        panic!("a story");
    };
    assert_eq!((post.page, post.state.as_str()), (None, "v2"));
}

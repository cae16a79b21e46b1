//! The page of a story: each step, version, patch and relative has a link.

use crate::fold::scenario::{Scenario, long};

use super::{links, seen, serve};

const BOT: &str = "patchwork-bot+netdevbpf@kernel.org <patchwork-bot+netdevbpf@kernel.org>";

fn patch(files: &str) -> String {
    format!(
        "It is done here.\n\nSigned-off-by: Ann Author <ann.author@example.org>\n---\n{files}\n"
    )
}

/// A series in two versions, with reviews, a notice, its way to mainline, a fix, a revert and an article.
pub(crate) fn scenario() -> Scenario {
    let one = patch(
        " kernel/bpf/core.c | 12 ++++++++----\n 1 file changed, 8 insertions(+), 4 deletions(-)",
    );
    let two = patch(
        " tools/testing/x.c | Bin 0 -> 3 bytes\n tools/y.c | 1 +\n 2 files changed, 1 insertion(+)",
    );
    let notice = "Hello:\n\nThis series was applied to bpf/bpf-next.git (master)\nby Mae Maintainer <mae@example.org>:\n\n\
        On Tue, 2 May 2017 you wrote:\n> This adds a thing.\n\nHere is the summary with links:\n  - [bpf-next,v2,1/2] bpf: Add it\n    \
        https://git.kernel.org/bpf/bpf-next/c/111111111111\n  - [bpf-next,v2,2/2] selftests/bpf: Test it\n    \
        https://git.kernel.org/bpf/bpf-next/c/222222222222\n\nYou are awesome, thank you!";
    let cover = "This adds a thing.\n\nChanges in v2:\n- Rename it. (Rae)\n\nRange-diff: https://git.example.org/compare/a...b\n";
    Scenario::default()
        .mail("c", "Ann Author", 0, "[PATCH bpf-next 0/2] bpf: Add a thing", &[], "This adds a thing.")
        .mail("p1", "Ann Author", 0, "[PATCH bpf-next 1/2] bpf: Add it", &["c"], &one)
        .mail("p2", "Ann Author", 0, "[PATCH bpf-next 2/2] selftests/bpf: Test it", &["c"], &two)
        .mail("r", "Rae Reviewer", 3, "Re: [PATCH bpf-next 1/2] bpf: Add it", &["c", "p1"], "Rename it.")
        .mail("d", "Ann Author", 24, "[PATCH bpf-next v2 0/2] bpf: Add a thing", &[], cover)
        .mail("q1", "Ann Author", 24, "[PATCH bpf-next v2 1/2] bpf: Add it", &["d"], &one)
        .mail("q2", "Ann Author", 24, "[PATCH bpf-next v2 2/2] selftests/bpf: Test it", &["d"], &two)
        .mail("s", "Rae Reviewer", 26, "Re: [PATCH bpf-next v2 1/2] bpf: Add it", &["d", "q1"],
              "Good.\n\nAcked-by: Rae Reviewer <rae.reviewer@example.org>\n> Acked-by: Quoted Person <q@example.org>")
        .mail("t", "Ann Author", 27, "Re: [PATCH bpf-next v2 1/2] bpf: Add it", &["d", "q1", "s"], "Thanks.")
        .mail("u", "Tim Tester", 28, "Re: [PATCH bpf-next v2 1/2] bpf: Add it", &["d", "q1", "s", "t"],
              "Tested-by: Tim Tester <tim.tester@example.org>")
        .mail("v", "Wim Whole", 28, "Re: [PATCH bpf-next v2 0/2] bpf: Add a thing", &["d"],
              "Reviewed-by: Wim Whole <wim.whole@example.org>")
        .mail("b", BOT, 30, "Re: [PATCH bpf-next v2 0/2] bpf: Add a thing", &["d"], notice)
        .commit("1", "Ann Author", 30, "bpf: Add it", "next", "It is done here.")
        .commit("1", "Ann Author", 200, "bpf: Add it", "mainline", "It is done here.")
        .commit("7", "Fay Fixer", 300, "bpf: Mend it", "mainline", "Fixes: 111111111111 (\"bpf: Add it\")")
        .commit("8", "Rob Reverter", 400, "Revert \"selftests/bpf: Test it\"", "next",
                "This reverts commit 222222222222222222222222222222222222222222222222.")
        .article("https://lwn.example.net/1", 210, "A thing for BPF",
                 "See https://lore.kernel.org/bpf/d@example.org/ for it.")
}

#[tokio::test]
async fn every_step_version_patch_and_relative_leads_on() {
    let (_house, served) = serve(&scenario()).await;
    let found = served.json("api/search?q=title:thing").await;
    let id = found["stories"].as_array().expect("stories").iter();
    let id = id
        .clone()
        .find(|story| story["kind"] == "series")
        .expect("a series")["id"]
        .clone();
    let page = served
        .text(&format!("story/{}", id.as_str().expect("an id")))
        .await;
    let (links, seen) = (links(&page), seen(&page));
    let lore = |id: &str| format!("https://lore.kernel.org/bpf/{id}@example.org/");
    let has = |target: &str, text: &str| {
        let is_it = |(href, shown): &(String, String)| href == target && shown.contains(text);
        assert!(
            links.iter().any(is_it),
            "{text} → {target}\n{links:#?}\n{seen}"
        );
    };
    // Steps.
    has(&lore("c"), "posted");
    has(&lore("r"), "first answered by Rae Reviewer");
    has(&lore("c"), "v1");
    has(&lore("d"), "v2");
    has(&lore("b"), "applied to bpf-next by Mae Maintainer");
    has(
        "https://git.kernel.org/bpf/bpf-next/c/222222222222",
        "222222222222",
    );
    let mainline = links
        .iter()
        .find(|(href, text)| href.contains(&long("1")) && text.contains("mainline"));
    assert!(mainline.is_some(), "{links:#?}");
    assert!(
        seen.contains("v1 → v2 by Ann Author, what changed"),
        "{seen}"
    );
    // Versions.
    assert!(
        seen.contains("v1 → v2, 3 May 2017, 2 patches, range-diff"),
        "{seen}"
    );
    assert!(seen.contains("Rename it."), "{seen}");
    has("https://git.example.org/compare/a...b", "range-diff");
    // Patches, each with its trailers, and the trailers of the whole series. A quoted trailer does not count.
    has(&lore("q1"), "bpf: Add it");
    has(&lore("q2"), "selftests/bpf: Test it");
    assert!(seen.contains("1 file, +8 −4"), "{seen}");
    assert!(seen.contains("2 files, +1 −0"), "{seen}");
    assert!(
        seen.contains("acked by Rae Reviewer · tested by Tim Tester"),
        "{seen}"
    );
    assert!(
        seen.contains("The whole series: reviewed by Wim Whole"),
        "{seen}"
    );
    assert!(!seen.contains("Quoted Person"), "{seen}");
    has("/person/Rae%20Reviewer", "Rae Reviewer");
    has("/tree/bpf-next", "bpf-next");
    has("/folder/kernel/bpf", "kernel/bpf/");
    let folder = served.text("folder/kernel/bpf").await;
    assert!(
        super::seen(&folder).contains("bpf: Add a thing"),
        "{folder}"
    );
    assert!(
        served
            .text("folder/kernel")
            .await
            .contains("bpf: Add a thing")
    );
    assert!(!served.text("folder/ker").await.contains("bpf: Add a thing"));
    // Relatives, with links to their own pages.
    for (heading, title) in [
        ("Fixed by", "bpf: Mend it"),
        ("Reverted by", "Revert \"selftests/bpf: Test it\""),
        ("Articles and talks", "A thing for BPF"),
    ] {
        let below = seen
            .split_once(&format!("{heading} "))
            .map(|(_, below)| below);
        assert!(
            below.is_some_and(|below| below.starts_with(title)),
            "{heading}: {seen}"
        );
        let own = links
            .iter()
            .find(|(href, text)| href.starts_with("/story/") && text == title);
        let (href, _) = own.expect("a page of its own");
        assert!(served.get(&href[1..]).await.status().is_success());
    }
    // And back: the fix links to this story.
    let (fix, _) = links
        .iter()
        .find(|(_, text)| text == "bpf: Mend it")
        .expect("the fix");
    let fix = served.text(&fix[1..]).await;
    assert!(
        super::links(&fix)
            .iter()
            .any(|(href, _)| *href == format!("/story/{}", id.as_str().expect("an id")))
    );
}

#[tokio::test]
async fn a_long_series_is_folded_and_a_missing_patch_is_named() {
    let mut scenario = Scenario::default().mail(
        "c",
        "Ann Author",
        0,
        "[PATCH bpf-next 00/40] bpf: Add a lot",
        &[],
        "This adds a lot.",
    );
    for number in 1..=38 {
        let title =
            format!("[PATCH bpf-next {number:02}/40] bpf: Add part number {number} of the lot");
        scenario = scenario.mail(
            &format!("p{number}"),
            "Ann Author",
            0,
            &title,
            &["c"],
            &patch(" x.c | 1 +\n 1 file changed, 1 insertion(+)"),
        );
    }
    let (_house, served) = serve(&scenario).await;
    let id = served.json("api/stories").await["stories"][0]["id"].clone();
    let page = served
        .text(&format!("story/{}", id.as_str().expect("an id")))
        .await;
    let html = scraper::Html::parse_document(&page);
    let count = |selector: &str| {
        let selector = scraper::Selector::parse(selector).expect("a selector");
        html.select(&selector).count()
    };
    assert_eq!(count("article > ol.parts > li"), 15);
    assert_eq!(count("article > details ol.parts > li"), 23);
    assert_eq!(count("article > details[open]"), 0);
    assert!(
        seen(&page).contains("2 patches of this version are not stored"),
        "{page}"
    );
}

#[tokio::test]
async fn text_and_links_of_strangers_do_nothing_on_a_storys_page() {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let diffstat = format!(
        "Range-diff: javascript:alert(3) https://127.0.0.1/compare/x\n\nAcked-by: {evil} <x@example.org>\n---\n {evil} | 3 +++\n 1 file changed, 3 insertions(+)\n"
    );
    let scenario = Scenario::default()
        .mail(
            "c",
            "Ann Author",
            0,
            &format!("[PATCH bpf-next 0/2] bpf: {evil}"),
            &[],
            "x",
        )
        .mail(
            "p1",
            "Ann Author",
            0,
            &format!("[PATCH bpf-next 1/2] bpf: one {evil}"),
            &["c"],
            &diffstat,
        )
        .mail(
            "p2",
            "Ann Author",
            0,
            "[PATCH bpf-next 2/2] bpf: two",
            &["c"],
            &diffstat,
        )
        .mail(
            "d",
            &format!("\"{evil}\" <evil@example.org>"),
            9,
            "[PATCH bpf-next v2 0/2] bpf: two",
            &["c"],
            &diffstat,
        );
    let (_house, served) = serve(&scenario).await;
    for story in served.json("api/stories").await["stories"]
        .as_array()
        .expect("stories")
    {
        let id = story["id"].as_str().expect("an id");
        let page = served.text(&format!("story/{id}")).await.to_lowercase();
        for bad in [
            "<script",
            "<img",
            "href=\"javascript",
            "127.0.0.1/compare",
            "href=\"x",
        ] {
            assert!(!page.contains(bad), "{bad}: {page}");
        }
    }
    let person = format!(
        "person/{}",
        evil.replace('%', "%25")
            .replace('"', "%22")
            .replace('/', "%2F")
            .replace('#', "%23")
            .replace('?', "%3F")
    );
    let page = served.text(&person).await.to_lowercase();
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<img"),
        "{page}"
    );
}

//! Lists by subsystem.

use bpfnews::filter::Subsystems;
use bpfnews::store::Store;
use chrono::TimeDelta;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::lists::patches_with;
use super::{Served, links, seen, serve};
use crate::fold::scenario::{FoldStore, Scenario, begin};

const MAINTAINERS: &str = "BPF [CORE]\nF:\tkernel/bpf/core.c\nF:\tkernel/bpf/verifier.c\n\n\
    BPF [GENERAL] (Safe & fast)\nF:\tkernel/bpf/\nX:\tkernel/bpf/old/\nN:\t/bpf_jit\n\n\
    NETWORKING [<b>]\nF:\tnet/\n\n\
    WOODWORK\nF:\tdrivers/wood/\n\n\
    THE REST\nF:\t*\nF:\t*/\n";

fn maintainers() -> Subsystems {
    Subsystems::parse(MAINTAINERS).expect("a MAINTAINERS file")
}

/// Many stories, each with one file.
fn scenario() -> Scenario {
    let files = [
        "kernel/bpf/core.c",
        "kernel/bpf/verifier.c",
        "kernel/bpf/old/core.c",
        "arch/arm64/net/bpf_jit_comp.c",
        "net/core/filter.c",
    ];
    patches_with(300, "bpf-next", |number| {
        let file = files[number % files.len()];
        format!(
            "It is so.\n---\n {file} | 12 ++++++++----\n 1 file changed, 8 insertions(+), 4 deletions(-)\n"
        )
    })
}

async fn served_with(subsystems: Subsystems) -> (FoldStore, Served) {
    let house = FoldStore::new().await;
    house.take(&scenario().items).await;
    let now = begin() + TimeDelta::days(13);
    let served = Served::start_with(house.store.clone(), now, subsystems).await;
    (house, served)
}

/// The ids of the stories in a list, over all its pages.
async fn listed(served: &Served, first: &str) -> Vec<String> {
    let (mut path, mut found) = (first.to_owned(), Vec::new());
    loop {
        let links = links(&served.text(&path).await);
        let stories = links
            .iter()
            .filter_map(|(href, _)| href.strip_prefix("/story/"));
        found.extend(stories.map(str::to_owned));
        let Some((next, _)) = links.iter().find(|(_, text)| text.starts_with("Earlier")) else {
            return found;
        };
        path = next[1..].to_owned();
    }
}

#[tokio::test]
async fn a_list_by_subsystem_has_the_stories_that_change_its_files() {
    let (house, served) = served_with(maintainers()).await;
    let table = [
        ("BPF%20%5BCORE%5D", 120),
        ("bpf%20%5Bcore%5D", 120),
        ("BPF%20%5BGENERAL%5D%20%28Safe%20%26%20fast%29", 180),
        ("NETWORKING%20%5B%3Cb%3E%5D", 60),
        ("WOODWORK", 0),
        ("THE%20REST", 300),
    ];
    for (name, many) in table {
        let mut found = listed(&served, &format!("subsystem/{name}")).await;
        assert_eq!(found.len(), many, "{name}");
        found.sort();
        found.dedup();
        assert_eq!(found.len(), many, "{name}: each once");
    }
    for wrong in ["BPF", "nothing", "%00"] {
        let answer = served.get(&format!("subsystem/{wrong}")).await;
        assert_eq!(answer.status(), 404, "{wrong}");
    }
    assert_eq!(served.get("subsystem/WOODWORK?after=x").await.status(), 404);
    let index = served.text("subsystems").await;
    let names: Vec<(String, String)> = links(&index);
    let names: Vec<&str> = names.iter().map(|(_, text)| &**text).collect();
    assert_eq!(
        names,
        [
            "BPF [CORE]",
            "BPF [GENERAL] (Safe & fast)",
            "NETWORKING [<b>]"
        ],
        "those with stories, without the rest"
    );
    // New stories join the lists that were read before.
    let body = "It is so.\n---\n drivers/wood/saw.c | 1 +\n 1 file changed, 1 insertion(+)\n";
    let more = Scenario::default().mail(
        "w",
        "Ann Author",
        400,
        "[PATCH bpf-next] bpf: Saw it",
        &[],
        body,
    );
    house.take(&more.items).await;
    assert_eq!(listed(&served, "subsystem/WOODWORK").await.len(), 1);
}

#[tokio::test]
async fn stories_and_lists_lead_to_their_subsystems() {
    let (_house, served) = served_with(maintainers()).await;
    let has = |page: &str, target: &str| links(page).iter().any(|(href, _)| href == target);
    let core = "/subsystem/BPF%20%5BCORE%5D";
    let front = served.text("").await;
    assert!(has(&front, core) && has(&front, "/subsystems"), "{front}");
    assert!(has(&served.text("stories").await, "/subsystems"));
    let story = &listed(&served, &core[1..]).await[0];
    let page = served.text(&format!("story/{story}")).await;
    assert!(has(&page, core), "{page}");
    assert!(!seen(&page).contains("THE REST"), "{page}");
}

#[tokio::test]
async fn without_maintainers_there_are_no_such_lists() {
    let (_house, served) = serve(&scenario()).await;
    for path in ["subsystems", "subsystem/BPF"] {
        let answer = served.get(path).await;
        assert_eq!(answer.status(), 404);
        let page = answer.text().await.expect("a text");
        assert!(page.contains("no MAINTAINERS file"), "{page}");
    }
    for path in ["", "stories"] {
        assert!(!served.text(path).await.contains("ubsystem"), "{path}");
    }
}

#[tokio::test]
async fn an_upgrade_fills_the_files_of_stored_stories() {
    let (house, served) = served_with(maintainers()).await;
    let before = listed(&served, "subsystem/BPF%20%5BCORE%5D").await;
    drop(served);
    let file = house.file();
    house.store.close().await;
    let options = SqliteConnectOptions::new().filename(&file);
    let mut raw: SqliteConnection = options.connect().await.expect("a database");
    for change in [
        "DROP TABLE story_files",
        "DROP TABLE files",
        "DROP INDEX stories_by_tree",
        "DROP INDEX stories_by_author",
        "ALTER TABLE stories DROP COLUMN tree_name",
        "DELETE FROM _sqlx_migrations WHERE version = 26",
    ] {
        sqlx::query(change).execute(&mut raw).await.expect(change);
    }
    raw.close().await.expect("closed");
    let store = Store::open(&file).await.expect("an upgrade");
    let now = begin() + TimeDelta::days(13);
    let served = Served::start_with(store, now, maintainers()).await;
    assert_eq!(listed(&served, "subsystem/BPF%20%5BCORE%5D").await, before);
}

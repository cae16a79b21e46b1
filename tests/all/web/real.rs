//! The API and the pages as real programs see them: a validator of OpenAPI, a fuzzer, and axe-core in a browser.
//! `tests/run` installs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::story::scenario;
use super::week::DemoWeek;
use super::{Served, serve, unlimited};

/// The longest time of the fuzzer, in seconds; with `BPFNEWS_LONG`, the longer time.
const FUZZ_S: u64 = 8;
const FUZZ_LONG_S: u64 = 120;

/// The Python environment of the checkers.
fn checker() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/checker")
}

async fn run(command: Command) -> (bool, String) {
    let mut command = command;
    command.stdin(Stdio::null());
    // It runs on another thread, so that the pages can answer meanwhile.
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("it ran").expect("tests/run installs it");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn real_validator_accepts_the_description() {
    let (_house, served) = serve(&scenario()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("openapi.json");
    let text = served.text("api/openapi.json").await;
    let check = async |text: &str| {
        std::fs::write(&file, text).expect("room on the disk");
        let mut command = Command::new(checker().join("bin/python"));
        command.args(["-m", "openapi_spec_validator"]).arg(&file);
        run(command).await
    };
    let (is_good, said) = check(&text).await;
    assert!(is_good, "{said}");
    let (is_good, said) = check(&text.replacen("\"responses\"", "\"answers\"", 1)).await;
    assert!(!is_good, "a validator that finds nothing: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_fuzzer_finds_no_fault_in_the_api() {
    // Real stories and issues, and no rate limit, so that the fuzzer meets more than refusals.
    let week = DemoWeek::new().await;
    week.publish_the_week().await;
    let (store, now) = (week.house.live.store.clone(), week.house.now());
    let served = Served::start(store, now, unlimited()).await;
    let seconds = if std::env::var_os("BPFNEWS_LONG").is_some() {
        FUZZ_LONG_S
    } else {
        FUZZ_S
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(checker().join("bin/st"));
    command
        .current_dir(folder.path())
        .arg("run")
        .arg(format!("{}api/openapi.json", served.url))
        .arg(format!("--max-time={seconds}"))
        .args([
            "--checks=all",
            "--exclude-checks=positive_data_acceptance",
            "--continue-on-failure",
            "--no-color",
        ]);
    let (is_good, said) = run(command).await;
    let review = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/review");
    std::fs::create_dir_all(&review).expect("room on the disk");
    std::fs::write(review.join("fuzz.txt"), &said).expect("room on the disk");
    assert!(is_good, "{said}");
    assert!(!said.contains("429"), "the rate is not limited: {said}");
    assert!(
        said.contains("5 / 5") || said.contains("5/5") || said.contains("5 selected"),
        "all paths: {said}"
    );
}

/// axe-core's findings on a page, as `rule: target`. The page is loaded from a file, with the script and the style inside,
/// because our own policy allows no script.
async fn axe(served: &Served, path: &str, size: &str, is_dark: bool) -> Vec<String> {
    let page = served.get(path).await.text().await.expect("a text");
    let style = served.text("style.css").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.html");
    let script = axe_script();
    let page = page.replace(
        "</head>",
        &format!(
            "<style>{style}</style><script>{script}</script><script>window.addEventListener('load', async () => {{ \
             const found = await axe.run(); const out = document.createElement('pre'); out.id = 'found'; \
             out.textContent = JSON.stringify(found.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ')))) \
             + '#' + found.passes.length; document.body.append(out); }});</script></head>"
        ),
    );
    std::fs::write(&file, page).expect("room on the disk");
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--virtual-time-budget=20000",
        "--dump-dom",
    ]);
    command.arg(format!("--window-size={size}"));
    command.arg(format!(
        "--user-data-dir={}",
        folder.path().join("profile").display()
    ));
    if is_dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    command.arg(format!("file://{}", file.display()));
    let (is_good, dom) = run(command).await;
    assert!(is_good, "{dom}");
    let dom = scraper::Html::parse_document(&dom);
    let found = scraper::Selector::parse("#found").expect("a selector");
    let found: String = dom
        .select(&found)
        .next()
        .expect("axe-core ran")
        .text()
        .collect();
    let (found, passes) = found.rsplit_once('#').expect("two parts");
    assert!(
        passes.parse::<u32>().expect("a number") > 5,
        "{path}: too few rules applied"
    );
    let found: Vec<Value> = serde_json::from_str(found).expect("JSON");
    found
        .iter()
        .map(|fault| format!("{path}: {}", fault.as_str().unwrap_or_default()))
        .collect()
}

fn axe_script() -> String {
    let pythons =
        std::fs::read_dir(checker().join("lib")).expect("tests/run installs the checkers");
    let mut scripts = pythons.flatten().map(|python| {
        python
            .path()
            .join("site-packages/axe_playwright_python/axe.min.js")
    });
    let script = scripts.find(|script| script.exists()).expect("axe.min.js");
    std::fs::read_to_string(script).expect("a script")
}

#[tokio::test(flavor = "multi_thread")]
async fn real_axe_finds_nothing_on_the_pages() {
    let (_house, served) = serve(&scenario()).await;
    let id = served.json("api/stories?kind=series").await["stories"][0]["id"].clone();
    let story = format!("story/{}", id.as_str().expect("an id"));
    let mut found = Vec::new();
    for path in [
        "",
        &story,
        "stories",
        "tree/bpf-next",
        "person/Rae%20Reviewer",
        "search?q=thing",
        "issues",
        "nothing",
    ] {
        for is_dark in [false, true] {
            found.extend(axe(&served, path, "820,1200", is_dark).await);
        }
    }
    assert_eq!(found, [""; 0]);
}

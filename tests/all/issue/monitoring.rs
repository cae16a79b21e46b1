//! The metrics, and the dashboard that shows them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::pages::hostile;

fn dashboard() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/grafana-dashboard.json");
    let text = std::fs::read_to_string(file).expect("the dashboard");
    serde_json::from_str(&text).expect("JSON")
}

/// The queries of all panels.
fn queries(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let queries = targets.map(|target| target["expr"].as_str().expect("a query").to_owned());
    queries.collect()
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    words.filter(|word| word.starts_with("bpfnews_")).collect()
}

#[tokio::test]
async fn each_feed_and_each_channel_has_figures() {
    let (_house, pages) = hostile().await;
    let metrics = pages.text("metrics").await;
    for wanted in [
        "bpfnews_feed_failures{feed=\"bpf\"} 0",
        "bpfnews_feed_paused{feed=\"bpf\"} 0",
        "bpfnews_feed_gaps{feed=\"bpf\"} 0",
        "bpfnews_feed_items_total{feed=\"bpf\"} 5",
        "# TYPE bpfnews_feed_items_total counter",
        "bpfnews_channel_paused{channel=\"news\",platform=\"discord\"} 0",
    ] {
        assert!(
            metrics.lines().any(|line| line == wanted),
            "{wanted}: {metrics}"
        );
    }
    // Each metric is described once, before its values.
    let types: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("# TYPE "))
        .collect();
    let unique: BTreeSet<&&str> = types.iter().collect();
    assert_eq!(types.len(), unique.len());
}

#[tokio::test]
async fn the_dashboard_asks_for_metrics_that_exist() {
    let (_house, pages) = hostile().await;
    let metrics = pages.text("metrics").await;
    let all = named(&metrics);
    let dashboard = dashboard();
    let whole = dashboard.to_string();
    let asked = named(&whole);
    let unknown: Vec<_> = asked.difference(&all).collect();
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");
    let forgotten: Vec<_> = all.difference(&asked).collect();
    assert!(
        forgotten.is_empty(),
        "the dashboard does not show {forgotten:?}"
    );
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels
        .iter()
        .filter_map(|panel| panel["id"].as_i64())
        .collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels {
        let at = &panel["gridPos"];
        let right = at["x"].as_i64().expect("a place") + at["w"].as_i64().expect("a width");
        assert!(right <= 24, "it fits the grid: {panel}");
        let is_row = panel["type"] == "row";
        assert_ne!(is_row, panel["description"].is_string(), "{panel}");
        assert_ne!(is_row, panel["targets"].is_array(), "{panel}");
    }
    // No two panels lie on each other.
    let cells = panels.iter().flat_map(|panel| {
        let of = |key: &str| panel["gridPos"][key].as_i64().expect("a number");
        let (x, y, w, h) = (of("x"), of("y"), of("w"), of("h"));
        (y..y + h).flat_map(move |y| (x..x + w).map(move |x| (x, y)))
    });
    let cells: Vec<(i64, i64)> = cells.collect();
    let unique: BTreeSet<&(i64, i64)> = cells.iter().collect();
    assert_eq!(cells.len(), unique.len());
}

/// Prometheus' own tool reads the metrics, and the queries of the dashboard.
#[tokio::test]
async fn real_promtool_accepts_the_metrics_and_the_queries() {
    let (_house, pages) = hostile().await;
    let metrics = pages.text("metrics").await;
    promtool(&["check", "metrics"], &metrics);
    let folder = crate::cli::folder();
    let rules: Vec<String> = queries(&dashboard())
        .iter()
        .enumerate()
        .map(|(number, query)| {
            let query = query.replace("$job", ".*");
            let query = serde_json::to_string(&query).expect("text");
            format!("  - record: panel:q{number}\n    expr: {query}\n")
        })
        .collect();
    let file = folder.path().join("rules.yml");
    let text = format!("groups:\n- name: all\n  rules:\n{}", rules.concat());
    std::fs::write(&file, text).expect("room on the disk");
    promtool(&["check", "rules", file.to_str().expect("a path")], "");
}

/// Runs promtool with an input; it must report nothing.
#[track_caller]
fn promtool(args: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool: run tests/run once, which installs it");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let ended = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success() && said.is_empty(),
        "{args:?}: {said}"
    );
}

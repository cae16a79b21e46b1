//! The issue of the demo's week, compared with the one that a person wrote, if that is installed.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bpfnews::cli::edit_the_demo;
use bpfnews::clock::FixedClock;
use bpfnews::demo;
use bpfnews::demo::editor::{DECISIONS, EditorDecision};
use bpfnews::ingest::Ingest;
use bpfnews::issue::markdown;
use bpfnews::publish;
use bpfnews::store::Store;
use bpfnews::store::items::{ItemFilter, list_items, text_of};
use insta::assert_snapshot;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{HOME, Set};
use crate::world::corpus;

/// The demo's week, polled as in the demo.
pub(crate) async fn play(folder: &Path) -> Store {
    let steps = demo::steps();
    let clock = Arc::new(FixedClock::new(steps[0].at));
    let server = demo::server::start(clock.clone()).await.expect("a server");
    let database = folder.join("demo.sqlite");
    let config = demo::config(&server.base, &database);
    let store = Store::open(&database).await.expect("a database");
    let ingest = Ingest::open(store, &config, clock.clone())
        .await
        .expect("an ingest");
    let links = demo::reader_links().expect("links").into_iter();
    let ingest = ingest.with_links(links.collect());
    let end = demo::period().to;
    for step in steps.into_iter().filter(|step| step.at < end) {
        clock.set(step.at);
        let passed = ingest.pass(&CancellationToken::new(), |_| ()).await;
        passed.expect("a pass");
    }
    ingest.store.clone()
}

/// Issue 02 as the demo publishes it, with the decisions of its editor.
async fn written(store: &Store) -> String {
    let set = Set::new();
    let now = demo::period().to;
    let mut tx = store.write().await.expect("a transaction");
    let before = Some(demo::period_before());
    let first = publish::publish(&mut tx, &[], set.rules(), 1, before, "x", now).await;
    first.expect("a database").expect("issue 01");
    tx.commit().await.expect("a commit");
    edit_the_demo(store, now).await.expect("decisions");
    let mut tx = store.write().await.expect("a transaction");
    let week = Some(demo::period());
    let second = publish::publish(&mut tx, &[], set.rules(), 2, week, "x", now).await;
    let issue = second.expect("a database").expect("issue 02");
    tx.commit().await.expect("a commit");
    markdown::file(&issue, &[], Some(HOME))
}

#[tokio::test]
async fn the_issue_of_the_demos_week() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = play(folder.path()).await;
    assert_snapshot!("issue_02", written(&store).await);
}

/// A line of the newsletter that a person wrote.
#[derive(Debug, Deserialize)]
struct Pick {
    issue: String,
    section: String,
    kind: String,
    title: String,
    author: Option<String>,
    url: String,
    parent: Option<String>,
}

/// The words as a reader sees them, without Markdown's characters.
fn seen(markdown: &str) -> String {
    markdown.replace(['`', '\\'], "").replace("**", "__")
}

/// Whether our issue has the line, in the form that the person wrote.
fn has(ours: &str, pick: &Pick, picks: &[Pick]) -> bool {
    let title = seen(&pick.title);
    let mut lines = ours.lines();
    match (pick.section.as_str(), pick.kind.as_str()) {
        ("Patches", "series-part") => {
            let is_cover = |other: &&Pick| {
                other.kind == "series-cover" && Some(&other.url) == pick.parent.as_ref()
            };
            let cover = picks.iter().find(is_cover);
            let cover = cover.expect("a part has a cover letter");
            let cover = format!(", [{}](", seen(&cover.title));
            let below = lines.skip_while(|line| !(line.starts_with("- ") && line.contains(&cover)));
            let mut below = below.skip(1).take_while(|line| line.starts_with("  - "));
            below.any(|line| line.starts_with(&format!("  - [{title}](")))
        }
        ("Patches", _) => {
            let author = pick.author.as_deref().unwrap_or_default();
            let wanted = format!("- {author}, [{title}](");
            lines.any(|line| line.starts_with(&wanted))
        }
        // A line of its own, or the end of the line of its story.
        ("highlights", "commit") => lines.any(|line| {
            let rest = line.split_once(&format!("[{}]({}) (", pick.title, pick.url));
            rest.is_some_and(|(_, rest)| rest.contains(", 2017-0"))
        }),
        // A pull request, by its day: for us, `2nd May 2017` is `2 May 2017`.
        ("intro", "mail") if pick.title.ends_with(" 2017") => {
            let day = pick.title.replace("nd ", " ").replace("th ", " ");
            let mut pulls = lines.filter(|line| line.contains("[GIT] Networking"));
            pulls.any(|line| line.contains(&format!("[{day}](")))
        }
        ("intro", "mail") => {
            ours.contains(&format!("] {title}](")) || ours.contains(&format!("{title}]("))
        }
        _ => ours.contains(&format!("]({})", pick.url)),
    }
}

#[tokio::test]
async fn the_issue_has_the_lines_that_a_person_picked() {
    let picks = corpus().map(|corpus| corpus.join("newsletters/picks.jsonl"));
    let Some(picks) = picks.filter(|file| file.exists()) else {
        say("left out: no newsletters (BPFNEWS_CORPUS, or ../shared/corpus)");
        return;
    };
    let picks = std::fs::read_to_string(picks).expect("the picks");
    let picks = picks
        .lines()
        .map(|line| serde_json::from_str(line).expect("a pick"));
    let picks: Vec<Pick> = picks.filter(|pick: &Pick| pick.issue == "02").collect();
    assert!(picks.len() > 60, "{}", picks.len());
    let folder = tempfile::tempdir().expect("a folder");
    let store = play(folder.path()).await;
    let ours = seen(&written(&store).await);
    // All texts and links of the demo's items.
    let all = ItemFilter {
        most: i64::MAX,
        ..ItemFilter::default()
    };
    let mut held = String::new();
    for item in list_items(store.read(), &all, None).await.expect("items") {
        let text = text_of(store.read(), item.id).await.expect("a text");
        held.push_str(&format!("{text} {}\n", item.url.unwrap_or_default()));
    }
    // The whole link, not the beginning of a longer one.
    let is_held = |pick: &&Pick| {
        held.match_indices(&pick.url).any(|(at, url)| {
            let after = held[at + url.len()..].chars().next();
            after.is_none_or(|c| c.is_whitespace() || ".\"<)".contains(c))
        })
    };
    let (held, people): (Vec<&Pick>, Vec<&Pick>) = picks.iter().partition(|pick| is_held(pick));
    let missing: Vec<&&Pick> = held
        .iter()
        .filter(|pick| !has(&ours, pick, &picks))
        .collect();
    say(&format!(
        "of {} links of issue 02 the data hold {}, and our issue has all but {} of those, in the same form; \
         only a person could add:",
        picks.len(),
        held.len(),
        missing.len()
    ));
    for pick in &people {
        say(&format!("  {} / {}: {}", pick.section, pick.kind, pick.url));
    }
    assert!(missing.is_empty(), "{missing:#?}\n{ours}");
    assert!(held.len() > 50, "{}", held.len());
    // Proves that the comparison can fail.
    let without = ours.replace("thunderx-xdp", "").replace("2/9", "9/2");
    assert!(held.iter().any(|pick| !has(&without, pick, &picks)));
}

#[expect(clippy::print_stderr, reason = "the counts are for people to see")]
fn say(what: &str) {
    eprintln!("{what}");
}

/// The words of a text, in lower case and without punctuation.
fn words(text: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The longest run of words that a text of the demo may share with the newsletters.
const WORDS_SHARED_MAX: usize = 7;

#[tokio::test]
async fn no_text_of_the_demo_is_copied() {
    let Some(newsletters) = corpus().map(|corpus| corpus.join("newsletters")) else {
        say("left out: no newsletters (BPFNEWS_CORPUS, or ../shared/corpus)");
        return;
    };
    let mut runs: HashSet<Vec<String>> = HashSet::new();
    for issue in ["01.md", "02.md", "03.md"] {
        let issue = std::fs::read_to_string(newsletters.join(issue)).expect("an issue");
        runs.extend(
            words(&issue)
                .windows(WORDS_SHARED_MAX + 1)
                .map(<[String]>::to_vec),
        );
    }
    assert!(runs.len() > 3_000, "{}", runs.len());
    let folder = tempfile::tempdir().expect("a folder");
    let store = play(folder.path()).await;
    let all = ItemFilter {
        most: i64::MAX,
        ..ItemFilter::default()
    };
    let mut texts = Vec::new();
    for item in list_items(store.read(), &all, None).await.expect("items") {
        texts.push(text_of(store.read(), item.id).await.expect("a text"));
    }
    for decision in DECISIONS {
        texts.push(match *decision {
            EditorDecision::Introduction(text) | EditorDecision::Remark { text, .. } => {
                without_links(text)
            }
            EditorDecision::Entry { title, note, .. } => format!("{title} {note}"),
        });
    }
    for text in texts {
        for run in words(&text).windows(WORDS_SHARED_MAX + 1) {
            assert!(!runs.contains(run), "copied: {run:?} in {text}");
        }
    }
}

/// Markdown without the names and addresses of its links: a title is a fact.
fn without_links(markdown: &str) -> String {
    let mut text = String::new();
    for (at, part) in markdown.split('[').enumerate() {
        match (at, part.split_once(')')) {
            (0, _) | (_, None) => text.push_str(part),
            (_, Some((_, after))) => text.push_str(after),
        }
    }
    text
}

#[tokio::test]
async fn every_decision_of_the_demos_editor_is_in_the_issue() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = play(folder.path()).await;
    let issue = seen(&written(&store).await);
    for decision in DECISIONS {
        let told = match *decision {
            EditorDecision::Introduction(text) | EditorDecision::Remark { text, .. } => text,
            EditorDecision::Entry { note, .. } => note,
        };
        let first = told.split(['.', '[', '`']).next().expect("a beginning");
        assert!(issue.contains(first.trim()), "{first}\n{issue}");
    }
}

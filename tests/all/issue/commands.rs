//! The newsletter on the command line, and the pages of `run` and of `demo --web`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{bpfnews, err, folder, out, run};

/// The longest that the program may take for any step here, on a busy machine.
const LONG: Duration = Duration::from_secs(30);

fn config(folder: &Path, more: &str) {
    let text = format!(
        "{more}[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\n[[feed]]\nname = \"list\"\n\
         kind = \"archive\"\nurl = \"http://127.0.0.1:1/list/\"\nbpf_only = true\npoll_gap_s = 86400\n"
    );
    std::fs::write(folder.join("config.toml"), text).expect("room on the disk");
}

/// Three weeks of mails, with nothing in the second.
fn import(folder: &Path) {
    let mail = |id: &str, day: u32, title: &str| {
        format!(
            "From x Thu Jan  1 00:00:00 1970\nFrom: A. Author <a@x.example>\nMessage-ID: <{id}@x.example>\n\
             Date: {day} Jan 2025 09:00:00 +0000\nSubject: [PATCH bpf-next] {title}\n\nWords.\n---\n a | 1 +\n\n"
        )
    };
    let mails = [mail("1", 7, "bpf: First"), mail("3", 21, "bpf: Third")].concat();
    std::fs::write(folder.join("some.mbox"), mails).expect("room on the disk");
    let imported = run(folder, &["import", "--list", "list", "some.mbox"]);
    assert!(imported.status.success(), "{}", err(&imported));
}

fn well(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", err(&output));
    out(&output)
}

#[test]
fn issues_are_drafted_backfilled_shown_and_published() {
    let folder = folder();
    let folder = folder.path();
    config(folder, "[issue]\nfolder = \"issues\"\n");
    import(folder);
    let draft = well(folder, &["issue", "draft", "--week", "2025-W02"]);
    assert!(
        draft.starts_with("---\npath: '/blog/2025/1/12/bpf-updates-01'\n"),
        "{draft}"
    );
    assert!(
        draft.contains("bpf: First") && !draft.contains("bpf: Third"),
        "{draft}"
    );
    let same = well(
        folder,
        &[
            "issue",
            "draft",
            "--from",
            "2025-01-06",
            "--to",
            "2025-01-13",
        ],
    );
    assert_eq!(same, draft);
    let json = well(
        folder,
        &["issue", "draft", "--week", "2025-W02", "--format", "json"],
    );
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["number"], 1);
    let html = well(
        folder,
        &["issue", "draft", "--week", "2025-W02", "--format", "html"],
    );
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains("bpf: First"),
        "{html}"
    );
    assert!(!html.contains("href=\"/"), "it needs nothing else: {html}");
    assert!(well(folder, &["issue", "list"]).contains("No issue is out."));

    let made = well(folder, &["issue", "backfill", "--since", "2024-12-01"]);
    assert!(
        made.ends_with("3 issues, posted to no channel; bpfnews issue show N prints one.\n"),
        "{made}"
    );
    let listed = well(folder, &["issue", "list"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert!(
        lines[0].starts_with("BPF updates 03  2025-01-20 to 2025-01-26, published "),
        "{listed}"
    );
    assert!(
        lines[2].starts_with("BPF updates 01  2025-01-06 to 2025-01-12, published "),
        "{listed}"
    );
    let shown = well(folder, &["issue", "show", "1"]);
    assert_eq!(shown, draft, "the issue equals the draft");
    let quiet = well(folder, &["issue", "show", "2"]);
    assert!(
        quiet.contains("It was a quiet time")
            && quiet.contains("The issue before: BPF updates 01, 12 January 2025."),
        "{quiet}"
    );
    let file = std::fs::read_to_string(folder.join("issues/bpf-updates-03.md")).expect("a file");
    assert_eq!(file, well(folder, &["issue", "show", "3"]));

    for (arguments, why) in [
        (
            &["issue", "backfill", "--since", "2024-12-01"][..],
            "issue 3 is published",
        ),
        (&["issue", "show", "9"], "issue 9 is not out"),
        (
            &["issue", "publish", "--week", "2025-W04"],
            "there is no time between",
        ),
        (
            &[
                "issue",
                "publish",
                "--from",
                "2025-01-20",
                "--to",
                "2025-02-20",
            ],
            "the last issue ends on 27 January 2025",
        ),
        (
            &[
                "issue",
                "draft",
                "--from",
                "2025-01-20",
                "--to",
                "2025-01-20",
            ],
            "--to must be later",
        ),
    ] {
        let refused = run(folder, arguments);
        assert_eq!(
            refused.status.code(),
            Some(1),
            "{arguments:?}: {}",
            out(&refused)
        );
        assert!(
            err(&refused).contains(why),
            "{arguments:?}: {}",
            err(&refused)
        );
    }
    let wrong = run(folder, &["issue", "draft", "--week", "2025-W60"]);
    assert_eq!(wrong.status.code(), Some(2));
    // Nothing is known about the long time since then, and no person is there to answer a question.
    let refused = run(folder, &["issue", "publish"]);
    assert_eq!(refused.status.code(), Some(1), "{}", out(&refused));
    for why in ["It would cover ", "it would be empty", "--yes publishes it"] {
        assert!(err(&refused).contains(why), "{why}: {}", err(&refused));
    }
    let listed = well(folder, &["issue", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let published = well(folder, &["issue", "publish", "--yes"]);
    assert!(
        published.starts_with("BPF updates 04 is out."),
        "{published}"
    );
    // The newest issue is withdrawn, with its file. Older ones are not.
    let file = folder.join("issues/bpf-updates-04.md");
    assert!(file.exists());
    let refused = run(folder, &["issue", "withdraw", "3"]);
    assert!(
        err(&refused).contains("issue 4 is the newest"),
        "{}",
        err(&refused)
    );
    let withdrawn = well(folder, &["issue", "withdraw", "4"]);
    assert!(
        withdrawn.starts_with("BPF updates 04 is withdrawn. Posts to remove: "),
        "{withdrawn}"
    );
    assert!(!file.exists());
    let listed = well(folder, &["issue", "list"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    well(folder, &["issue", "publish", "--yes"]);
    assert!(file.exists(), "its number is free again");
}

#[test]
fn a_search_for_nothing_is_answered_in_a_sentence() {
    let folder = folder();
    let folder = folder.path();
    config(folder, "");
    import(folder);
    for words in ["", "*", "(", "\"\"", "title:", "-", "NEAR("] {
        let told = run(folder, &["search", "--", words]);
        let said = format!("{}{}", out(&told), err(&told));
        assert!(
            said.contains("There is no word in that to look for")
                || said.contains("No stories match."),
            "{words:?}: {said}"
        );
        assert!(!said.contains("fts5"), "{words:?}: {said}");
    }
    let found = well(folder, &["search", "First"]);
    assert!(found.contains("bpf: First"), "{found}");
}

/// A child that ends with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn interrupt_and_wait(&mut self) -> Option<i32> {
        let killed = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        assert!(killed.expect("there is a kill").success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("a child of ours") {
                return status.code();
            }
            assert!(begun.elapsed() < LONG, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

async fn get(url: &str) -> (u16, String) {
    let answer = reqwest::get(url).await.expect("an answer");
    (
        answer.status().as_u16(),
        answer.text().await.expect("a text"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_its_pages_until_it_is_stopped() {
    let folder = folder();
    let child = bpfnews(folder.path())
        .args(["demo", "--web"])
        .stdout(Stdio::piped())
        .spawn();
    let mut program = Program(child.expect("the program starts"));
    let mut lines = BufReader::new(program.0.stdout.take().expect("its output")).lines();
    let told = lines.find_map(|line| {
        let line = line.expect("a line");
        let url = line.strip_prefix("The pages are at ")?;
        Some(url.split(' ').next().unwrap_or_default().to_owned())
    });
    let url = told.expect("it prints the address");
    let (status, page) = get(&url).await;
    assert_eq!(status, 200);
    let issue = page.split("href=\"/issues/").nth(1).expect("an issue");
    let issue = format!("{url}issues/{}", issue.split('"').next().expect("its end"));
    let (status, page) = get(&issue).await;
    assert_eq!(status, 200);
    assert!(page.contains("thunderx-xdp"), "{page}");
    // Its stories have no address elsewhere, so titles link to their pages.
    let story = page.split("href=\"/story/").nth(1).expect("a story");
    let story = format!("{url}story/{}", story.split('"').next().expect("its end"));
    assert_eq!(get(&story).await.0, 200);
    assert_eq!(program.interrupt_and_wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_serves_the_pages_that_are_configured() {
    let folder = folder();
    let folder = folder.path();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = port.local_addr().expect("an address");
    config(
        folder,
        &format!("[web]\nlisten = \"{address}\"\nurl = \"https://news.example/\"\n\n"),
    );
    import(folder);
    well(folder, &["issue", "backfill", "--since", "2025-01-01"]);
    // Another program has the port.
    let refused = run(folder, &["run"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        err(&refused).contains(&format!("listening on {address} for the pages; [web]")),
        "{}",
        err(&refused)
    );
    drop(port);
    let child = bpfnews(folder)
        .arg("run")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut program = Program(child.expect("the program starts"));
    let begun = Instant::now();
    while reqwest::get(format!("http://{address}/healthz"))
        .await
        .is_err()
    {
        assert!(begun.elapsed() < LONG, "nothing is served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, page) = get(&format!("http://{address}/issues/3")).await;
    assert!(page.contains("bpf: Third"), "{page}");
    let (_, feed) = get(&format!("http://{address}/issues.atom")).await;
    assert!(
        feed.contains("<id>https://news.example/issues/3</id>"),
        "{feed}"
    );
    assert_eq!(program.interrupt_and_wait(), Some(0));
}

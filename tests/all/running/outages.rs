//! One cause that stops all feeds is reported once: by `check --online`, by `poll`, and in the log of `run`.

use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use crate::cli::{bpfnews, err, folder, out, run};

/// Feeds whose hosts refuse every connection.
const FEEDS: usize = 5;

fn refused() -> tempfile::TempDir {
    let folder = folder();
    let mut text = "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n".to_owned();
    for number in 1..=FEEDS {
        let _ = write!(
            text,
            "[[feed]]\nname = \"feed-{number}\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:{number}/x.rss\"\n"
        );
    }
    std::fs::write(folder.path().join("config.toml"), text).expect("room on the disk");
    folder
}

#[test]
fn check_and_poll_group_the_feeds_that_one_cause_stops() {
    let folder = refused();
    let checked = run(folder.path(), &["check", "--online"]);
    assert_eq!(checked.status.code(), Some(1));
    let polled = run(folder.path(), &["poll"]);
    assert_eq!(polled.status.code(), Some(1));
    for told in [out(&checked), err(&polled)] {
        assert!(
            told.contains("5 feeds: cannot be reached (Connection refused"),
            "{told}"
        );
        assert_eq!(
            told.matches("Connection refused").count(),
            2,
            "the cause and an example: {told}"
        );
        for number in 1..=FEEDS {
            assert!(told.contains(&format!("feed-{number}")), "{told}");
        }
    }
}

#[test]
fn the_log_has_one_line_for_all_feeds_that_one_cause_stops() {
    let folder = refused();
    let child = bpfnews(folder.path())
        .arg("run")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program was built");
    std::thread::sleep(Duration::from_secs(10));
    let pid = child.id().to_string();
    let stopped = std::process::Command::new("kill").arg(&pid).status();
    assert!(stopped.expect("there is a kill").success());
    let ended = child.wait_with_output().expect("our child");
    let log = err(&ended);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("5 feeds could not be polled: cannot be reached (Connection refused"),
        "{log}"
    );
}

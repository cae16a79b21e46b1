//! The program reads the configuration again while it runs. It accepts the whole file, or refuses it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::house::{House, NEWS, OPS};
use crate::deliver::platform::Answer;
use crate::documents::mail;
use bpfnews::channel::{Scope, SendError};

fn change(house: &House, from: &str, to: &str) {
    let text = std::fs::read_to_string(&house.file).expect("it was written");
    assert!(text.contains(from), "{from}");
    std::fs::write(&house.file, text.replace(from, to)).expect("room on the disk");
}

#[tokio::test]
async fn a_good_file_is_in_effect_at_once() {
    let mut house = House::new().await;
    change(
        &house,
        "[commands]",
        "[[channel]]\nname = \"third\"\nplatform = \"discord\"\nid = \"300300300\"\n\n[commands]",
    );
    let before = house.live.now();
    house.live.reload().await.expect("the file is good");
    assert_eq!(house.live.now().effective.config.channels.len(), 4);
    assert_eq!(
        before.effective.config.channels.len(),
        3,
        "a poll in progress continues with its old configuration"
    );
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    assert!(
        house
            .chat
            .room("300300300")
            .contains(&"bpf: Do it: posted".to_owned())
    );
    assert_eq!(house.chat.room(OPS), [""; 0]);
}

#[tokio::test]
async fn news_of_a_poll_that_began_before_goes_to_the_present_channels() {
    let house = House::new().await;
    let before = house.live.now();
    change(
        &house,
        "[commands]",
        "[[channel]]\nname = \"third\"\nplatform = \"discord\"\nid = \"300300300\"\n\n[commands]",
    );
    house.live.reload().await.expect("the file is good");
    house.list(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")]);
    house.advance(TimeDelta::hours(2));
    let stop = CancellationToken::new();
    let mut fresh = 0;
    let polled = before.ingest.pass(&stop, |report| fresh += report.fresh);
    polled.await.expect("no feed stops a pass");
    assert_eq!(fresh, 1, "the poll of before brought it");
    house.pass().await;
    let told = "bpf: Do it: posted";
    assert_eq!(house.chat.room(NEWS), [told]);
    // A new channel shows a sample first.
    assert_eq!(house.chat.room("300300300"), ["hello: open", told]);
}

#[tokio::test]
async fn a_bad_file_is_refused_as_a_whole_and_reported() {
    let mut house = House::new().await;
    change(&house, "name = \"news\"", "name = \"renamed\"");
    change(
        &house,
        "bpf_only = true",
        "bpf_only = true\npoll_gap = 7\nbranch = \"x\"",
    );
    house.live.reload().await.expect("the database is good");
    assert_eq!(house.live.now().effective.config.channels[0].name, "news");
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Do it: posted"]);
    assert_eq!(house.chat.room(OPS), ["The configuration was not reloaded"]);
    let said = house.chat.notice_in(OPS);
    assert!(
        said.contains(
            "config.toml:18: feed[1] \"bpf\": poll_gap: unknown key; did you mean \"poll_gap_s\"?"
        ),
        "{said}"
    );
    assert!(said.contains("belongs to feeds of kind \"tree\""), "{said}");
    assert!(
        said.contains("The previous configuration stays in effect."),
        "{said}"
    );
    // A file that would need other platforms or another database is refused as well.
    change(&house, "\npoll_gap = 7\nbranch = \"x\"", "");
    change(&house, "token_file = \"token\"", "token_file = \"other\"");
    house.live.reload().await.expect("the database is good");
    assert_eq!(house.live.now().effective.config.channels[0].name, "news");
    change(&house, "token_file = \"other\"", "token_file = \"token\"");
    house.live.reload().await.expect("the file is good");
    assert_eq!(
        house.live.now().effective.config.channels[0].name,
        "renamed"
    );
    house.live.reload().await.expect("the file is good");
    house.pass().await;
    let told = house.chat.room(OPS);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[2], "The configuration was reloaded", "once");
}

#[tokio::test]
async fn waits_are_kept_and_refused_channels_are_tried_again() {
    let mut house = House::new().await;
    let later = SendError::Later {
        after: Duration::from_secs(600),
        scope: Scope::Channel,
        why: "slow down".to_owned(),
    };
    house.chat.answer_in(NEWS, &[Answer::Fails(later)]);
    house
        .post(&[mail("p1", 60, "[PATCH bpf-next] bpf: Do it", "")])
        .await;
    house.live.reload().await.expect("the file is good");
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), [""; 0], "the server asked to wait");
    house.advance(TimeDelta::minutes(11));
    let never = SendError::Never {
        scope: Scope::Channel,
        why: "the bot lacks a permission".to_owned(),
    };
    house.chat.answer_in(NEWS, &[Answer::Fails(never)]);
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), [""; 0], "paused");
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), [""; 0]);
    house.live.reload().await.expect("the file is good");
    house.pass().await;
    assert_eq!(house.chat.room(NEWS), ["bpf: Do it: posted"]);
}

/// The running program, and the lines of its log.
struct Running {
    child: Child,
    log: Receiver<String>,
}

impl Running {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bpfnews"))
            .current_dir(folder)
            .env_remove("BPFNEWS_CONFIG")
            .env("RUST_LOG", "bpfnews=info,warn")
            .args(["--config", "config.toml", "run"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let (lines, log) = channel();
        let stderr = child.stderr.take().expect("it is piped");
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        Self { child, log }
    }

    /// Waits for a line with these words.
    fn wait_for(&self, words: &str) -> String {
        let until = Instant::now() + Duration::from_secs(30);
        let mut seen = Vec::new();
        while let Ok(line) = self
            .log
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if line.contains(words) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line says {words:?}:\n{}", seen.join("\n"));
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(status.expect("kill is there").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sighup_has_the_real_program_read_its_file_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    let feed = |name: &str| {
        format!(
            "[[feed]]\nname = \"{name}\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:1/{name}\"\n"
        )
    };
    let network = "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n";
    let write = |text: &str| std::fs::write(&file, text).expect("room on the disk");
    write(&format!("{network}{}", feed("one")));
    let mut running = Running::start(folder.path());
    running.wait_for("polling 1 feeds");
    running.wait_for("one: ");
    write(&format!("{network}{}{}", feed("one"), feed("two")));
    running.signal("HUP");
    running.wait_for("was reloaded: 2 feeds, 0 channels");
    running.wait_for("two: ");
    write(&format!("{network}{}kind = 7\n", feed("three")));
    running.signal("HUP");
    let why = running.wait_for("not reloaded: ");
    assert!(why.contains("config.toml:"), "{why}");
    write("");
    running.signal("HUP");
    let why = running.wait_for("not reloaded: ");
    assert!(why.contains("none; write a [[feed]]"), "{why}");
    write(&format!(
        "{network}{}{}{}",
        feed("one"),
        feed("two"),
        feed("three")
    ));
    running.signal("HUP");
    running.wait_for("was reloaded: 3 feeds");
    running.wait_for("three: ");
    running.signal("TERM");
    let ended = running.child.wait().expect("it ends");
    assert!(ended.success(), "{ended}");
}

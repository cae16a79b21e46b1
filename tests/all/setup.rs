//! `setup` writes a configuration from answers on a terminal or from flags, and `check` finds the reasons for which `run`
//! would not start.

use std::io::{Read, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use bpfnews::config::Config;

use crate::cli::{bpfnews, config, err, folder, out, run};
use crate::discord::ROOM;
use crate::discord::fake::{Fake, Room, TOKEN};

/// How long an answer may take on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn read(folder: &Path) -> (String, Config) {
    let file = folder.join("config.toml");
    let text = std::fs::read_to_string(&file).expect("it was written");
    let config = Config::parse(&text, &file).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    (text, config)
}

/// Runs the program with this on its standard input.
fn run_with(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = bpfnews(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that has ended reads no input, so the write may fail.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("our child")
}

const TERMINAL: [&str; 7] = [
    "setup",
    "--contact",
    "me@example.org",
    "--post",
    "terminal",
    "--topics",
    "reading,core",
];

#[test]
fn flags_answer_every_question_and_no_file_is_overwritten_without_force() {
    let folder = folder();
    let written = run(folder.path(), &TERMINAL);
    assert!(written.status.success(), "{}", err(&written));
    let (text, config) = read(folder.path());
    assert_eq!(config.network.contact.as_deref(), Some("me@example.org"));
    assert!(config.channels.is_empty() && config.discord.is_none());
    let names: Vec<&str> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
    for name in ["bpf", "bpf-next", "bpf-list", "mainline", "lwn", "nakryiko"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for name in ["net-next", "sched_ext", "libbpf", "stable-6.12"] {
        assert!(!names.contains(&name), "{names:?}");
    }
    assert!(
        !text.contains("untried") && text.contains("# Topic core: "),
        "{text}"
    );
    let checked = run(folder.path(), &["check"]);
    assert!(checked.status.success(), "{}", out(&checked));

    let again = run(folder.path(), &TERMINAL);
    assert_eq!(again.status.code(), Some(2));
    assert!(
        err(&again).contains("config.toml is there already") && err(&again).contains("--force"),
        "{}",
        err(&again)
    );
    assert_eq!(read(folder.path()).0, text);
    let mut other = TERMINAL.to_vec();
    other[6] = "releases";
    other.push("--force");
    assert!(run(folder.path(), &other).status.success());
    let (_, config) = read(folder.path());
    assert!(config.feeds.iter().any(|feed| feed.name == "stable-6.12"));
    assert!(config.feeds.iter().all(|feed| feed.name != "lwn"));
    let files = std::fs::read_dir(folder.path()).expect("our folder");
    assert_eq!(files.count(), 1, "nothing is left beside the configuration");
}

#[test]
fn without_a_terminal_the_missing_flags_are_named() {
    let folder = folder();
    for (given, missing) in [
        (&["setup"][..], &["--contact", "--post", "--topics"][..]),
        (
            &["setup", "--contact", "", "--post", "discord"],
            &["--channel", "--token-file", "--test-message", "--topics"],
        ),
        (
            &[
                "setup",
                "--contact",
                "",
                "--topics",
                "all",
                "--post",
                "matrix",
            ],
            &["--homeserver", "--user", "--channel", "--password-file"],
        ),
    ] {
        let refused = run(folder.path(), given);
        assert_eq!(refused.status.code(), Some(2), "{given:?}");
        for flag in missing {
            assert!(err(&refused).contains(flag), "{given:?}: {}", err(&refused));
        }
    }
    for (flag, value, said) in [
        ("--topics", "core,wifi", "there is no topic \"wifi\""),
        ("--contact", "me (there)", "without parentheses"),
    ] {
        let mut wrong = TERMINAL.to_vec();
        let place = wrong.iter().position(|word| *word == flag).expect("a flag");
        wrong[place + 1] = value;
        let refused = run(folder.path(), &wrong);
        assert!(!refused.status.success());
        let told = err(&refused);
        assert!(told.contains(said) && told.contains(flag), "{told}");
    }
    let strange = run(
        folder.path(),
        &[&TERMINAL[..], &["--token-file", "x"]].concat(),
    );
    assert!(
        err(&strange).contains("--token-file belongs to --post discord"),
        "{}",
        err(&strange)
    );
    let mut nowhere = TERMINAL.to_vec();
    nowhere.extend(["--config", "not/there/config.toml"]);
    let refused = run(folder.path(), &nowhere);
    assert!(
        err(&refused).contains("there is no folder not/there"),
        "{}",
        err(&refused)
    );
    let files = std::fs::read_dir(folder.path()).expect("our folder");
    assert_eq!(files.count(), 0, "nothing was written");
}

/// The flags for a channel of the simulated Discord.
fn discord<'a>(base: &'a str, test: &'a str) -> Vec<&'a str> {
    vec![
        "setup",
        "--contact",
        "me@example.org",
        "--post",
        "discord",
        "--api",
        base,
        "--channel",
        ROOM,
        "--token-file",
        "discord-token",
        "--test-message",
        test,
        "--topics",
        "core",
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_goes_to_its_own_file_and_a_test_message_to_the_channel() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let (base, folder) = (fake.base(), folder());
    let missing = run(folder.path(), &discord(&base, "yes"));
    assert!(
        err(&missing).contains("--token-file names discord-token, which is not there"),
        "{}",
        err(&missing)
    );
    assert!(!folder.path().join("config.toml").exists());

    let written = run_with(folder.path(), &discord(&base, "yes"), &format!("{TOKEN}\n"));
    assert!(
        written.status.success(),
        "{}{}",
        out(&written),
        err(&written)
    );
    assert_eq!(fake.titles(ROOM), ["News about BPF will be posted here"]);
    let file = folder.path().join("discord-token");
    let token = std::fs::read_to_string(&file).expect("it was written");
    assert_eq!(token.trim_end(), TOKEN);
    let mode = std::fs::metadata(&file).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let (text, config) = read(folder.path());
    assert!(
        !text.contains(TOKEN) && !out(&written).contains(TOKEN) && !err(&written).contains(TOKEN)
    );
    assert_eq!(config.channels[0].address, ROOM);
    let checked = run(folder.path(), &["check"]);
    assert!(checked.status.success(), "{}", out(&checked));

    // The file with the token is used again, and never overwritten.
    let mut again = discord(&base, "no");
    again.push("--force");
    let written = run_with(folder.path(), &again, "another-token\n");
    assert!(written.status.success(), "{}", err(&written));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), token);
    assert_eq!(fake.messages(ROOM).len(), 1, "no test message was wanted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_test_message_is_reported_and_the_files_stay() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let (base, folder) = (fake.base(), folder());
    let refused = run_with(
        folder.path(),
        &discord(&base, "yes"),
        "another-token.that-is.none\n",
    );
    assert_eq!(refused.status.code(), Some(1), "{}", out(&refused));
    let told = out(&refused);
    assert!(
        told.contains("no test message was posted: ") && told.contains("token"),
        "{told}"
    );
    assert!(!told.contains("another-token"), "{told}");
    read(folder.path());
}

/// The program on a pseudo-terminal, and all its output.
struct OnTerminal {
    child: std::process::Child,
    shown: std::sync::mpsc::Receiver<u8>,
    text: String,
}

impl OnTerminal {
    fn start(folder: &Path, arguments: &str) -> Self {
        let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_bpfnews"));
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .current_dir(folder)
            .env_remove("BPFNEWS_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("util-linux has a terminal");
        let mut stdout = child.stdout.take().expect("a pipe");
        let (sender, shown) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut byte = [0];
            while matches!(stdout.read(&mut byte), Ok(1)) && sender.send(byte[0]).is_ok() {}
        });
        Self {
            child,
            shown,
            text: String::new(),
        }
    }

    /// Waits until the terminal shows this after the earlier output, then types a line.
    fn answer(&mut self, label: &str, line: &str) {
        self.wait_for(label);
        // The echo is turned off after the label of a secret is printed.
        std::thread::sleep(Duration::from_millis(300));
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{line}").expect("the program reads");
    }

    fn wait_for(&mut self, label: &str) {
        let (begun, from) = (Instant::now(), self.text.len());
        while !self.text[from..].contains(label) {
            match self.shown.recv_timeout(LONG) {
                Ok(byte) => self.text.push(char::from(byte)),
                Err(error) => panic!("no {label:?} ({error}): {}", self.text),
            }
            assert!(begun.elapsed() < LONG, "no {label:?}: {}", self.text);
        }
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_answers_on_a_terminal_and_the_token_is_not_shown() {
    let fake = Fake::start(&[Room::text(ROOM)]).await;
    let folder = folder();
    let mut terminal = OnTerminal::start(folder.path(), &format!("setup --api {}", fake.base()));
    terminal.answer("Contact: ", "me (here)");
    terminal.wait_for("without parentheses");
    terminal.answer("Contact: ", "me@example.org");
    terminal.answer("[terminal]", "discord");
    terminal.answer("Channel id: ", "general");
    terminal.wait_for("the channel's id, a number");
    terminal.answer("Channel id: ", ROOM);
    terminal.answer("[discord-token]", "");
    terminal.answer("Token (it is not shown): ", TOKEN);
    terminal.answer("yes or no", "");
    terminal.answer("[all]", "core, sched_ext");
    terminal.wait_for("posted a test message to the channel #");
    terminal.wait_for("Next: bpfnews check --online");
    assert!(!terminal.text.contains(TOKEN), "{}", terminal.text);
    assert_eq!(fake.messages(ROOM).len(), 1);
    let (text, config) = read(folder.path());
    assert!(config.feeds.iter().any(|feed| feed.name == "scx"));
    assert!(config.feeds.iter().all(|feed| feed.name != "net"));
    assert!(!text.contains(TOKEN));
}

/// `check` and `run` give the same reason.
#[test]
fn check_finds_the_reasons_for_which_run_would_not_start() {
    let folder = folder();
    let file = config(folder.path());
    let feeds = std::fs::read_to_string(&file).expect("it was written");
    std::fs::create_dir(folder.path().join("a-folder")).expect("room on the disk");
    std::fs::write(folder.path().join("empty"), "\n").expect("room on the disk");
    #[cfg_attr(not(feature = "matrix"), expect(unused_mut))]
    let mut table = vec![
        ("[discord]\n", "no token for Discord"),
        ("[discord]\ntoken_file = \"nowhere\"\n", "nowhere"),
        ("[discord]\ntoken_file = \"a-folder\"\n", "a-folder"),
        ("[discord]\ntoken_file = \"empty\"\n", "the token is empty"),
    ];
    #[cfg(feature = "matrix")]
    table.extend([
        (
            "[matrix]\nhomeserver = \"http://127.0.0.1:1\"\nuser = \"@a:b\"\n",
            "has not logged in yet",
        ),
        (
            "[matrix]\nhomeserver = \"http://127.0.0.1:1\"\nuser = \"@a:b\"\npassword_file = \"a-folder\"\n",
            "reading the secret from a-folder",
        ),
    ]);
    let check = |text: &str, said: &str| {
        std::fs::write(&file, text).expect("room on the disk");
        let refuses = |arguments: &[&str]| {
            bpfnews(folder.path())
                .args(arguments)
                .env_remove("BPFNEWS_DISCORD_TOKEN")
                .env_remove("BPFNEWS_MATRIX_PASSWORD")
                .env_remove("CREDENTIALS_DIRECTORY")
                .output()
                .expect("the program was built")
        };
        let checked = refuses(&["check"]);
        assert_eq!(checked.status.code(), Some(2), "{text}");
        let told = out(&checked);
        assert!(
            told.contains(said) && told.contains("would not start"),
            "{told}"
        );
        let ran = refuses(&["run"]);
        assert!(!ran.status.success(), "{text}");
        assert!(err(&ran).contains(said), "{}", err(&ran));
    };
    for (tables, said) in table {
        check(&format!("{tables}{feeds}"), said);
    }
    check(
        &format!("database = \"not/there.sqlite\"\n{feeds}"),
        "there is no folder",
    );
    // All reasons at once.
    let text = format!("database = \"not/there.sqlite\"\n[discord]\n{feeds}");
    std::fs::write(&file, text).expect("room on the disk");
    let told = out(&run(folder.path(), &["check"]));
    assert!(
        told.contains("no token for Discord") && told.contains("there is no folder"),
        "{told}"
    );
}

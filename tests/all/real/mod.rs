//! The program against the real public-inbox, the real cgit and the real Synapse, on loopback. Nothing is missed and
//! nothing is stored twice, also if the program is killed at any moment.
//!
//! Tests that need those servers have names that begin with `real_`; `tests/run` installs those servers.

mod bot;
mod faulty;
mod gitarchive;
mod gitattack;
mod gitfile;
mod gitway;
mod import;
mod inbox;
#[cfg(feature = "matrix")]
mod kills;
mod mail;
#[cfg(feature = "matrix")]
mod matrix;
mod news;
mod proxy;
mod repository;
mod threads;
mod tree;
mod ways;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use flate2::read::MultiGzDecoder;
use tempfile::TempDir;

use crate::mails::{self, Mail};

/// A real server, run by a script of `tests/real`. It ends when its standard input does, so it ends with the test.
struct Server {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Its address.
    url: String,
    /// The number of mails or repositories that it has.
    _files: Option<TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.commands = None;
        // Its exit status adds nothing to the result of the test.
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(script: &str, args: &[&Path], files: Option<TempDir>) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/real")
            .join(script);
        Self::start_with(Path::new("python3"), &path, args, files)
    }

    /// Starts a script with a Python of its own.
    fn start_with(python: &Path, path: &Path, args: &[&Path], files: Option<TempDir>) -> Self {
        let script = path.display();
        let mut child = Command::new(python)
            .arg(path)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!(
                    "{script} does not start ({e}): run tests/run, which installs its dependencies"
                )
            });
        let mut errors = child.stderr.take().expect("it is piped");
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            // The readable part of a failed server's output helps.
            let _ = errors.read_to_string(&mut said);
            said
        });
        let mut answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut url = String::new();
        answers
            .read_line(&mut url)
            .expect("a script's output is text");
        if url.is_empty() {
            let _ = child.wait();
            let said = said.join().expect("it only reads");
            panic!(
                "{script} could not start its server: run tests/run, which installs its dependencies \
                 (tests/run --hermetic goes without real servers)\n{said}"
            );
        }
        Self {
            commands: child.stdin.take(),
            child,
            answers,
            url: url.trim().to_owned(),
            _files: files,
        }
    }

    /// An inbox that holds the first of these mails.
    fn inbox(mails: &[Mail], first: usize) -> Self {
        Self::inbox_with(mails, first, &[])
    }

    fn inbox_with(mails: &[Mail], first: usize, more: &[&str]) -> Self {
        let files = TempDir::new().expect("a temporary folder");
        let mbox = files.path().join("mails.mbox");
        std::fs::write(&mbox, mails::mboxrd(mails)).expect("a file in a temporary folder");
        let first = first.to_string();
        let mut args: Vec<&Path> = vec![&mbox, Path::new("--first"), Path::new(&first)];
        args.extend(more.iter().map(Path::new));
        Self::start("inbox.py", &args, Some(files))
    }

    /// cgit over a repository.
    fn cgit(repository: &Path) -> Self {
        Self::start("cgit.py", &[repository], None)
    }

    /// Git's own server over a repository: `git http-backend`, or `git daemon` with `--daemon`.
    fn git(repository: &Path, more: &[&str]) -> Self {
        let mut args = vec![repository];
        args.extend(more.iter().map(Path::new));
        Self::start("gitserver.py", &args, None)
    }

    /// Publishes more mails; returns how many are published.
    fn let_in(&mut self, count: usize) -> usize {
        self.command(&format!("more {count}"))
    }

    /// Publishes more mails while a server that could show them is down.
    fn let_in_quietly(&mut self, count: usize) -> usize {
        self.command(&format!("quietly {count}"))
    }

    /// The next line that the script says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("a script's output is text");
        line
    }

    /// The script's answer to a command.
    fn ask(&mut self, command: &str) -> String {
        let commands = self.commands.as_mut().expect("the server runs");
        writeln!(commands, "{command}").expect("the server listens");
        self.line()
    }

    fn command(&mut self, command: &str) -> usize {
        let answer = self.ask(command);
        let count = answer.trim().strip_prefix("ok ");
        let count = count.unwrap_or_else(|| panic!("the server said {answer:?} to {command:?}"));
        count.parse().expect("a count")
    }
}

/// A file of the corpus, if that is installed; the tests then also run on it.
fn corpus(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("BPFNEWS_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    let path = folder.join(file);
    if path.exists() {
        return Some(path);
    }
    say(&format!(
        "the corpus is absent ({file}): only what was made up is tested"
    ));
    None
}

/// The mails of a list of the corpus that arrived since then (unix seconds).
fn corpus_mails(file: &str, since: i64) -> Option<Vec<Mail>> {
    let packed = std::fs::File::open(corpus(file)?).expect("the corpus can be read");
    let mut mbox = Vec::new();
    MultiGzDecoder::new(packed)
        .read_to_end(&mut mbox)
        .expect("a gzip file");
    let mut mails = mails::read_mboxrd(&mbox);
    mails.retain(|mail| mail.at >= since);
    mails.sort_by_key(|mail| mail.at);
    Some(mails)
}

fn ids(mails: &[Mail]) -> BTreeSet<String> {
    mails.iter().map(|mail| mail.id.clone()).collect()
}

/// Fails with the missing and the surplus values.
#[track_caller]
fn check_same(what: &str, wanted: &BTreeSet<String>, got: &BTreeSet<String>) {
    let missing: Vec<_> = wanted.difference(got).collect();
    let extra: Vec<_> = got.difference(wanted).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{what}: {} wanted, {} found; {} missing: {:?}; {} too many: {:?}",
        wanted.len(),
        got.len(),
        missing.len(),
        &missing[..missing.len().min(8)],
        extra.len(),
        &extra[..extra.len().min(8)]
    );
}

/// As [`check_same`], but surplus values are allowed.
#[track_caller]
fn check_holds(what: &str, wanted: &BTreeSet<String>, got: &BTreeSet<String>) {
    let both = got.intersection(wanted).cloned().collect();
    check_same(what, wanted, &both);
}

/// Whether the longer variants run (`tests/run --long`).
pub(crate) fn is_long() -> bool {
    std::env::var_os("BPFNEWS_LONG").is_some()
}

/// The random numbers for the moments of kills.
fn seeds() -> std::ops::Range<u64> {
    if is_long() { 0..10 } else { 0..1 }
}

/// Prints a message for people who run the tests, with or without `--nocapture`.
pub(crate) fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

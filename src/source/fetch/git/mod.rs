//! Git's own program, for trees and archives that are read by git.
//!
//! The `gix` crate cannot fetch without files (a partial clone), and a whole kernel tree is several gigabytes; so git's program
//! runs, in an environment that this module builds. The rules of the HTTP client hold: the same gates, addresses that were
//! checked, and limits of time and bytes; besides them a limit of disk.
//!
//! - `child`: runs a program within limits
//! - `program`: finds git; its settings and its environment
//! - `repository`: git's copy of a repository on disk
//! - `history`: makes the commits of a range available, however old
//! - `commits`, `files`, `mails`: answer questions
//! - `failure`: the meaning of git's messages

mod child;
mod commits;
mod failure;
mod files;
mod history;
mod mails;
mod program;
mod repository;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use url::{Host, Url};

use self::child::ChildFailure;
use self::failure::GitFailure;
use self::program::{GitRemote, Program};
use self::repository::GitRun;
use super::address::{self, Lookup};
use super::words::{root_cause, shown};
use super::{Fetcher, gate_key};
use crate::config::{NetworkConfig, as_http};
use crate::item::hex;
use crate::source::question::GitQuestion;
use crate::source::{Answer, FetchError, Request};

/// A fetch may take so many times as long as a request: it may bring months of history.
const FETCH_TIMES: u32 = 10;

/// Git, as the HTTP client uses it.
pub(super) struct GitClient {
    program: OnceLock<Program>,
    /// The folder of the copies.
    folder: PathBuf,
    user_agent: String,
    gap: Duration,
    timeout: Duration,
    disk_bytes: u64,
    lookup: Lookup,
}

impl GitClient {
    pub(super) fn new(config: &NetworkConfig, user_agent: &str, lookup: Lookup) -> Self {
        Self {
            program: OnceLock::new(),
            // Git runs in another folder than bpfnews.
            folder: std::path::absolute(&config.git_folder)
                .unwrap_or_else(|_| config.git_folder.clone()),
            user_agent: user_agent.to_owned(),
            gap: config.host_gap,
            timeout: config.request_timeout,
            disk_bytes: config.git_bytes_max,
            lookup,
        }
    }

    /// Git's program. If there is none, the next question looks again.
    fn program(&self) -> Result<&Program, String> {
        if let Some(program) = self.program.get() {
            return Ok(program);
        }
        let found = Program::find()?;
        Ok(self.program.get_or_init(|| found))
    }
}

/// Finds git, for checks. Returns its version, or a message that says what to install.
///
/// # Errors
///
/// If git is not installed or too old.
pub fn git_version() -> Result<String, String> {
    Program::find().map(|program| program.version)
}

/// Stops the work when the caller does not wait any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Fetcher {
    /// Answers a question for git, in the host's turn.
    pub(super) async fn ask_git(
        &self,
        request: &Request,
        question: &GitQuestion,
    ) -> Result<Answer, FetchError> {
        let url = &request.url;
        let broken = |why: &str| FetchError::Broken {
            why: format!("{}: {why}", shown(url)),
        };
        let http = as_http(url).ok_or_else(|| broken("this is no address that git reads"))?;
        self.allowed.check(&http).map_err(|why| broken(&why))?;
        self.git.program().map_err(|why| broken(&why))?;
        let turn = self.gates.enter(&gate_key(&http)).await;
        let turn = turn.map_err(|held| self.held(url, &held))?;
        let hosts = self.hosts_of(url, &http).await?;
        let is_cancelled = Arc::<AtomicBool>::default();
        let _cancel = CancelOnDrop(Arc::clone(&is_cancelled));
        let work = {
            let (git, question) = (Arc::clone(&self.git), question.clone());
            let remote = GitRemote::new(url, &http, &hosts);
            let (folder, bytes_max) = (git.folder.join(name_of(url)), request.bytes_max);
            tokio::task::spawn_blocking(move || {
                // The host is free when git has ended, even if nobody waits any more.
                let _turn = turn;
                git.answer(&question, &remote, &folder, bytes_max, &is_cancelled)
            })
        };
        let answered = work.await;
        let answered =
            answered.unwrap_or_else(|_| Err(GitFailure::Odd("reading it failed".to_owned())));
        let is_loopback = hosts.iter().all(IpAddr::is_loopback);
        match answered.map_err(|failure| failure.into_error(&shown(url))) {
            Ok(bytes) => {
                if !is_loopback {
                    self.reach.answered();
                }
                Ok(Answer::without_headers(url, bytes))
            }
            Err(FetchError::Unreachable { why }) if !is_loopback => {
                Err(self.unreachable(&http, why))
            }
            Err(error) => Err(error),
        }
    }

    /// The addresses of the host that may be connected to.
    async fn hosts_of(&self, url: &Url, http: &Url) -> Result<Vec<IpAddr>, FetchError> {
        let name = match http.host() {
            Some(Host::Ipv4(address)) => return Ok(vec![IpAddr::V4(address)]),
            Some(Host::Ipv6(address)) => return Ok(vec![IpAddr::V6(address)]),
            Some(Host::Domain(name)) => name,
            None => "",
        };
        let looking_up = (self.git.lookup)(name.to_owned());
        let found = tokio::time::timeout(self.request_timeout / 2, looking_up).await;
        let found = found.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        match found {
            Ok(found) => {
                address::usable(&self.allowed, name, &found).map_err(|error| FetchError::Broken {
                    why: format!("{}: {error}", shown(url)),
                })
            }
            Err(error) => {
                let why = format!("{} cannot be reached ({})", shown(url), root_cause(&error));
                Err(self.unreachable(http, why))
            }
        }
    }

    fn unreachable(&self, http: &Url, why: String) -> FetchError {
        match self.reach.failed(http.host_str().unwrap_or_default()) {
            true => FetchError::Offline {
                why: format!("our own network seems to be down: {why}"),
            },
            false => FetchError::Unreachable { why },
        }
    }
}

impl GitClient {
    /// Answers a question. It blocks.
    fn answer(
        &self,
        question: &GitQuestion,
        remote: &GitRemote,
        folder: &Path,
        bytes_max: u64,
        is_cancelled: &AtomicBool,
    ) -> Result<Vec<u8>, GitFailure> {
        let program = self.program().map_err(GitFailure::Odd)?;
        let run = GitRun {
            program,
            remote,
            user_agent: &self.user_agent,
            is_cancelled,
            gap: self.gap,
            ask_time: self.timeout,
            fetch_time: self.timeout * FETCH_TIMES,
            output_bytes: bytes_max,
            disk_bytes: self.disk_bytes,
        };
        let answered = match question {
            GitQuestion::Tip { branch } => {
                let hash = tip(&run, branch.as_deref())?;
                return Ok(hash.into_bytes());
            }
            GitQuestion::Commits(range) => commits::answer(run, folder, range),
            GitQuestion::File { branch, path } => files::answer(run, folder, branch, path),
            GitQuestion::Mails(range) => mails::answer(run, folder, range),
        };
        if let Err(failure) = &answered
            && (failure.is_of_our_copy()
                || matches!(failure, GitFailure::Child(ChildFailure::TooMuchDisk(_))))
        {
            // The next question makes it anew.
            repository::remove(folder)?;
        }
        answered
    }
}

/// The tip of a branch: its hash, or nothing.
fn tip(run: &GitRun<'_>, branch: Option<&str>) -> Result<String, GitFailure> {
    let name = branch.map_or_else(
        || "HEAD".to_owned(),
        |branch| format!("refs/heads/{branch}"),
    );
    let output = run.ask(&["ls-remote", "--quiet", &run.remote.address, &name])?;
    let text = String::from_utf8_lossy(&output.bytes);
    // A pattern also matches the end of longer names.
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    let hash = lines
        .filter(|(_, found)| *found == name)
        .map(|(hash, _)| hash);
    Ok(hash.take(1).collect())
}

/// The name of the folder for a repository: its last word for people, and a hash of its address. The epochs of an archive
/// share one.
fn name_of(url: &Url) -> String {
    let (list, epoch) = url.as_str().rsplit_once("/git/").unwrap_or_default();
    let digits = epoch.strip_suffix(".git").unwrap_or("none");
    let is_epoch = digits.bytes().all(|digit| digit.is_ascii_digit());
    let address = if is_epoch { list } else { url.as_str() };
    let digest = Sha256::digest(address.as_bytes());
    let last = address.trim_end_matches('/').rsplit('/').next();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let last: String = last
        .unwrap_or_default()
        .chars()
        .filter(is_plain)
        .take(30)
        .collect();
    format!("{last}-{}", hex(&digest[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_plain_name_of_its_own() {
        let name = |text: &str| name_of(&Url::parse(text).expect("a URL"));
        let one = name("git+https://h.example/a/bpf-next.git/");
        assert!(one.starts_with("bpf-nextgit-"), "{one}");
        assert_ne!(one, name("git+https://h.example/b/bpf-next.git/"));
        assert_eq!(
            name("git+https://h.example/bpf/git/0.git"),
            name("git+https://h.example/bpf/git/12.git")
        );
        assert!(
            name("git://h.example/%2e%2e/..%2f")
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        );
    }
}

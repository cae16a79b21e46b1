//! The meaning of git's messages: retry, give up, or notify maintainers. Git runs with `LC_ALL=C`, so its messages are English.

use std::time::Duration;

use super::super::super::FetchError;
use super::super::words::clean;
use super::child::{ChildFailure, ending};

/// The most characters of a message of git's that are shown.
const SAID_CHARS_MAX: usize = 200;

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum GitFailure {
    /// A run of git failed.
    Child(ChildFailure),
    /// The files of a repository could not be written or read.
    Disk(std::io::Error),
    /// The wanted commit does not exist, or not any more.
    NoSuchCommit(String),
    /// The answer makes no sense.
    Odd(String),
}

impl From<ChildFailure> for GitFailure {
    fn from(failure: ChildFailure) -> Self {
        Self::Child(failure)
    }
}

impl From<std::io::Error> for GitFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

impl GitFailure {
    /// Git's messages, if it failed by itself.
    fn said(&self) -> &str {
        match self {
            Self::Child(ChildFailure::Failed { said, .. }) => said,
            Self::Child(_) | Self::Disk(_) | Self::NoSuchCommit(_) | Self::Odd(_) => "",
        }
    }

    /// Whether the server does not have a commit that was asked for by its hash.
    pub(super) fn is_unknown_commit(&self) -> bool {
        const WORDS: [&str; 4] = [
            "not our ref",
            "unadvertised object",
            "no such remote ref",
            "couldn't find remote ref",
        ];
        WORDS.iter().any(|words| self.said().contains(words))
    }

    /// Whether perhaps no commit is as young as the fetch asked for. Over HTTP, the server's words are lost; by git's own
    /// protocol, it only hangs up.
    pub(super) fn is_perhaps_too_young(&self) -> bool {
        const WORDS: [&str; 3] = [
            "no commits selected for shallow requests",
            "error processing shallow info",
            "hung up unexpectedly",
        ];
        WORDS.iter().any(|words| self.said().contains(words))
    }

    /// Whether the repository on disk cannot be used: it is damaged, or an earlier git left a lock.
    pub(super) fn is_of_our_copy(&self) -> bool {
        const WORDS: [&str; 9] = [
            ".lock': File exists",
            "not a git repository",
            "loose object",
            "packfile",
            "object file",
            "bad object",
            "is corrupt",
            "did not send all necessary objects",
            "shallow file has changed",
        ];
        // A server that sends a damaged pack is reported by the programs that read it.
        let is_theirs = self.said().contains("remote error") || self.said().contains("index-pack");
        !is_theirs && WORDS.iter().any(|words| self.said().contains(words))
    }

    /// The error for the caller. `shown` is the address, for messages.
    pub(super) fn into_error(self, shown: &str) -> FetchError {
        let later = |why: String| FetchError::Later { after: None, why };
        match self {
            Self::Child(ChildFailure::Failed { status, said }) => {
                of_message(shown, &said, &ending(status))
            }
            Self::Child(ChildFailure::Io(error)) => {
                later(format!("{shown}: git cannot be run: {error}"))
            }
            Self::Child(ChildFailure::TookTooLong(limit)) => later(format!(
                "{shown} did not answer git in full within {} s",
                whole_seconds(limit)
            )),
            Self::Child(ChildFailure::TooMuchOutput(most)) => FetchError::TooBig {
                why: format!("{shown}: git lists more than {most} bytes"),
            },
            Self::Child(ChildFailure::TooMuchDisk(most)) => FetchError::TooBig {
                why: format!(
                    "{shown}: git's copy would take more than {} MB; set git_max_mb under [network] higher if it should",
                    most >> 20
                ),
            },
            Self::Child(ChildFailure::Cancelled) => later(format!("{shown}: stopped")),
            Self::Disk(error) => later(format!("{shown}: git's copy cannot be used: {error}")),
            Self::NoSuchCommit(hash) => FetchError::Missing {
                why: format!("{shown} has no commit {hash}"),
                page: String::new(),
            },
            Self::Odd(why) => FetchError::Broken {
                why: format!("{shown}: {why}"),
            },
        }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().max(1)
}

/// The last line that says why git failed.
fn cause(said: &str) -> String {
    let lines = said.lines().rev();
    let cause = lines
        .clone()
        .find(|line| line.starts_with("fatal: ") || line.starts_with("error: "));
    let cause = cause.or_else(|| lines.into_iter().find(|line| !line.trim().is_empty()));
    clean(cause.unwrap_or_default(), SAID_CHARS_MAX)
}

fn of_message(shown: &str, said: &str, ending: &str) -> FetchError {
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let cause = match cause(said) {
        cause if cause.is_empty() => format!("git ended with {ending}"),
        cause => cause,
    };
    let why = format!("{shown}: {cause}");
    let status = said
        .split_once("returned error: ")
        .and_then(|(_, rest)| rest.get(..3))
        .and_then(|digits| digits.parse::<u16>().ok());
    match status {
        Some(404) => {
            return FetchError::Missing {
                why,
                page: String::new(),
            };
        }
        Some(410) => return FetchError::Gone { why },
        Some(408 | 425 | 429 | 500..=599) => return FetchError::Later { after: None, why },
        Some(301 | 302 | 303 | 307 | 308) => {
            let why = format!(
                "{why}: it redirects, which git does not follow here; write its new address"
            );
            return FetchError::Broken { why };
        }
        Some(401 | 403) => return FetchError::Walled { why },
        _ => {}
    }
    if has(&["terminal prompts disabled"]) {
        let why = format!("{shown} asks for a password");
        return FetchError::Walled { why };
    }
    if has(&["is this a git repository?"]) {
        let why = format!("{why}; perhaps it answers with a page for people");
        return FetchError::Walled { why };
    }
    if has(&[
        "Failed to connect",
        "unable to connect",
        "Couldn't connect",
        "Could not connect",
    ]) {
        return FetchError::Unreachable { why };
    }
    if has(&["repository not exported", "not found", "does not exist"]) {
        return FetchError::Missing {
            why,
            page: String::new(),
        };
    }
    const CUT: [&str; 9] = [
        "hung up",
        "early EOF",
        "unexpected disconnect",
        "RPC failed",
        "Operation too slow",
        "Connection reset",
        "timed out",
        "SSL",
        "bytes of",
    ];
    match has(&CUT) {
        true => FetchError::Later { after: None, why },
        false => FetchError::Broken { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_decisions() {
        #[rustfmt::skip]
        let table = [
            ("fatal: unable to access 'http://h/': The requested URL returned error: 404", "Missing"),
            ("fatal: repository 'http://h/x/' not found", "Missing"),
            ("fatal: remote error: access denied or repository not exported: /x", "Missing"),
            ("fatal: unable to access 'http://h/': The requested URL returned error: 503", "Later"),
            ("fatal: unable to access 'http://h/': The requested URL returned error: 301", "Broken"),
            ("fatal: unable to access 'http://h/': The requested URL returned error: 403", "Walled"),
            ("fatal: http://h/info/refs not valid: is this a git repository?", "Walled"),
            ("fatal: unable to access 'http://h/': Failed to connect to h port 1 after 0 ms", "Unreachable"),
            ("fatal: unable to connect to 127.0.0.1:\n127.0.0.1: errno=Connection refused", "Unreachable"),
            ("error: RPC failed; curl 18\nfatal: early EOF", "Later"),
            ("fatal: the remote end hung up unexpectedly", "Later"),
            ("fatal: fsck error in pack objects", "Broken"),
            ("", "Broken"),
        ];
        for (said, wanted) in table {
            let error = of_message("h", said, "status 128");
            assert!(
                format!("{error:?}").starts_with(wanted),
                "{said}: {error:?}"
            );
        }
    }

    #[test]
    fn the_cause_is_one_visible_line() {
        assert_eq!(
            cause("warning: x\nfatal: \u{1b}[31mwhy\nmore\n"),
            "fatal: [31mwhy"
        );
        assert_eq!(cause("\n\n"), "");
    }
}

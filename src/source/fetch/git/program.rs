//! Git's program: where it is, which version it is, and the environment in which it runs.
//!
//! Git reads no configuration of the host, runs no hooks, asks nobody, and keeps no passwords. It uses one protocol and
//! connects to one address, which was checked before.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use url::Url;

use super::child::{self, ChildLimits};
use crate::config::protocol;

/// The oldest version that can be used: 2.37 brought `http.curloptResolve` and `--since-as-filter`.
const VERSION_MIN: (u32, u32) = (2, 37);

/// Bytes a second, and seconds: slower connections are given up.
const SLOW_BYTES: &str = "http.lowSpeedLimit=200";
const SLOW_S: &str = "http.lowSpeedTime=60";

/// The most addresses of a host that libcurl tries.
const PINNED_MAX: usize = 8;

/// The most memory of a run, in kilobytes: a list of references may never end.
const MEMORY_KB_MAX: u64 = 3_000_000;

/// Settings for every run. A repository's own file has more.
const SETTINGS: [&str; 22] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "core.packedGitLimit=256m",
    "core.packedGitWindowSize=32m",
    "core.deltaBaseCacheLimit=64m",
    "core.bigFileThreshold=16m",
    "pack.threads=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "transfer.bundleURI=false",
    "transfer.credentialsInUrl=die",
    "protocol.version=2",
    "http.followRedirects=false",
    "http.proxy=",
    "http.sslVerify=true",
    SLOW_BYTES,
    SLOW_S,
];

/// Git's program.
#[derive(Debug, Clone)]
pub(super) struct Program {
    path: PathBuf,
    /// Its version, as it writes it: `2.47.3`.
    pub(super) version: String,
}

/// The place that git may connect to.
#[derive(Debug, Clone)]
pub(super) struct GitRemote {
    /// The address for git.
    pub(super) address: String,
    protocol: String,
    /// `HOST:PORT:ADDRESS,ADDRESS`, for libcurl.
    pinned: Option<String>,
    /// The name that git's own protocol sends to servers with several names.
    virtual_host: Option<String>,
}

impl GitRemote {
    /// The remote repository at `url`, an address of git's. Git's own protocol connects to the address itself, and sends the
    /// name beside it; libcurl resolves the name to those addresses only. So the host is one that was checked.
    pub(super) fn new(url: &Url, http: &Url, hosts: &[IpAddr]) -> Self {
        let protocol = protocol(url).to_owned();
        let name = http.host_str().unwrap_or_default();
        let port = http.port_or_known_default().unwrap_or_default();
        let mut shown = hosts.iter().map(|host| match host {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
        if protocol == "git" {
            let first = shown.next().unwrap_or_default();
            return Self {
                address: format!("git://{first}:{port}{}", http.path()),
                protocol,
                pinned: None,
                virtual_host: Some(format!("{name}:{port}")),
            };
        }
        let is_name = http.domain().is_some();
        let shown: Vec<String> = shown.take(PINNED_MAX).collect();
        Self {
            address: http.as_str().to_owned(),
            protocol,
            pinned: is_name.then(|| format!("{name}:{port}:{}", shown.join(","))),
            virtual_host: None,
        }
    }
}

impl Program {
    /// Finds git and checks its version. The error says what to install.
    pub(super) fn find() -> Result<Self, String> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&folders)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("git"))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                format!(
                    "git is not installed; install version {} or newer",
                    oldest()
                )
            })?;
        let limits = ChildLimits {
            time: Duration::from_secs(20),
            output_bytes: 1_000,
            folder: None,
        };
        let mut command = Command::new(&path);
        command.env_clear().arg("--version");
        let output = child::run(&mut command, b"", &limits, &AtomicBool::new(false));
        let output = output.map_err(|_| format!("{} cannot be run", path.display()))?;
        let said = String::from_utf8_lossy(&output.bytes).trim().to_owned();
        let version = said.strip_prefix("git version ").unwrap_or(&said);
        let version = version.split_whitespace().next().unwrap_or_default();
        match numbers(version) {
            Some(found) if found >= VERSION_MIN => Ok(Self {
                path,
                version: version.to_owned(),
            }),
            Some(_) => Err(format!(
                "git {version} is too old; install version {} or newer",
                oldest()
            )),
            None => Err(format!("{} is no git: it says {said:?}", path.display())),
        }
    }

    /// A command without network. `repository`: a bare repository of ours.
    pub(super) fn local(&self, repository: &Path, args: &[&str]) -> Command {
        let mut command = self.command(repository, "none", "bpfnews");
        command.args(args);
        command
    }

    /// A command that may connect to `remote`. Without a repository it runs in `folder`.
    pub(super) fn remote(
        &self,
        folder: &Path,
        remote: &GitRemote,
        user_agent: &str,
        args: &[&str],
    ) -> Command {
        let mut command = self.command(folder, &remote.protocol, user_agent);
        if let Some(pinned) = &remote.pinned {
            command.args(["-c", &format!("http.curloptResolve={pinned}")]);
        }
        if let Some(host) = &remote.virtual_host {
            command.env("GIT_OVERRIDE_VIRTUAL_HOST", host);
        }
        command.args(args);
        command
    }

    fn command(&self, folder: &Path, protocols: &str, user_agent: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        // Without the right to limit memory, git runs without that limit.
        let limited = format!("ulimit -v {MEMORY_KB_MAX} 2>/dev/null; exec \"$0\" \"$@\"");
        command.arg("-c").arg(limited).arg(&self.path);
        let bin = self.path.parent().map_or(OsStr::new(""), Path::as_os_str);
        let mut path = bin.to_owned();
        path.push(":/usr/bin:/bin");
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", "/nonexistent")
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("GIT_DIR", folder)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", protocols)
            // From version 2.45 on; older ones fail because no protocol is allowed.
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_LITERAL_PATHSPECS", "1")
            // Servers recognise git by the first word.
            .env(
                "GIT_USER_AGENT",
                format!("git/{} {user_agent}", self.version),
            )
            .current_dir("/");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
    }
}

fn oldest() -> String {
    format!("{}.{}", VERSION_MIN.0, VERSION_MIN.1)
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::config::as_http;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(numbers("2.9.1").is_some_and(|found| found < VERSION_MIN));
        assert!(numbers("2.37.0-rc1").is_some_and(|found| found >= VERSION_MIN));
        assert!(numbers("3.0").is_some_and(|found| found >= VERSION_MIN));
        assert_eq!(numbers("windows"), None);
    }

    #[test]
    fn the_checked_address_is_the_only_one() {
        let remote = |text: &str, hosts: &[IpAddr]| {
            let url = Url::parse(text).expect("a URL");
            let http = as_http(&url).expect("git's");
            let remote = GitRemote::new(&url, &http, hosts);
            (remote.address, remote.pinned, remote.virtual_host)
        };
        let four = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
        assert_eq!(
            remote("git+https://h.example/a.git", &[six, four]),
            (
                "https://h.example/a.git".to_owned(),
                Some("h.example:443:[::1],192.0.2.1".to_owned()),
                None
            )
        );
        assert_eq!(
            remote("git://h.example/a.git", &[six, four]),
            (
                "git://[::1]:9418/a.git".to_owned(),
                None,
                Some("h.example:9418".to_owned())
            )
        );
    }
}

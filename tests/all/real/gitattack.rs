//! Servers that mislead git: each question ends in time, with bounded memory and disk, and with an error that says why.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bpfnews::config::NetworkConfig;
use bpfnews::item::CommitHash;
use bpfnews::source::fetch::Fetcher;
use bpfnews::source::git::{CommitRange, GitQuestion};
use bpfnews::source::{Answer, Body, Expect, FetchError, Method, Request, Validators};
use tempfile::TempDir;
use url::Url;

use super::Server;
use super::bot::Bot;
use super::repository::{Commit, History, Repository};

/// The longest time of a question without a fetch. A fetch has ten times as much.
const TIMEOUT: Duration = Duration::from_secs(2);
const DISK_MB: u64 = 30;
const HASH: &str = "0123456789012345678901234567890123456789";

/// A server on loopback; each connection is a call of its function.
struct Rude {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Rude {
    fn new(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let port = listener.local_addr().expect("it is bound").port();
        let connections = Arc::<AtomicUsize>::default();
        let (count, answer) = (Arc::clone(&connections), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || answer(stream));
            }
        });
        Self { port, connections }
    }

    /// Answers each HTTP request by its first line. The client may stop reading.
    fn http(
        answer: impl Fn(&str, &mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                    break;
                }
                let line = line.to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let _ = answer(&first, &mut stream);
        })
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}/a.git", self.port)
    }
}

fn config(folder: &TempDir, allowed: &[&str]) -> NetworkConfig {
    NetworkConfig {
        allow_private_hosts: allowed.iter().map(|&host| host.to_owned()).collect(),
        host_gap: Duration::ZERO,
        request_timeout: TIMEOUT,
        git_folder: folder.path().join("copies"),
        git_bytes_max: DISK_MB << 20,
        ..NetworkConfig::default()
    }
}

fn request(url: &str, question: GitQuestion) -> Request {
    Request {
        url: Url::parse(url).expect("a URL"),
        method: Method::Git(Box::new(question)),
        expect: Expect::Bytes,
        validators: Validators::default(),
        bytes_max: 1 << 20,
    }
}

fn tip() -> GitQuestion {
    GitQuestion::Tip {
        branch: Some("master".to_owned()),
    }
}

fn commits() -> GitQuestion {
    GitQuestion::Commits(CommitRange {
        to: CommitHash::parse(HASH).expect("a hash"),
        from: None,
        from_at: 0,
        since: None,
        paths: Vec::new(),
        skip: 0,
        count: 10,
    })
}

/// Asks a question, and checks that it ends in time.
async fn ask(url: &str, question: GitQuestion, within: Duration) -> Result<Answer, FetchError> {
    let folder = TempDir::new().expect("a temporary folder");
    let fetcher = Fetcher::new(&config(&folder, &["127.0.0.1"])).expect("a client");
    let started_at = Instant::now();
    let answer = fetcher.fetch(&request(url, question)).await;
    let took = started_at.elapsed();
    assert!(took < within, "it took {took:?}: {answer:?}");
    answer
}

#[track_caller]
fn check_error(got: &Result<Answer, FetchError>, kind: &str, words: &str) {
    let error = got.as_ref().expect_err("it fails");
    let shown = format!("{error:?}");
    assert!(shown.starts_with(kind), "{shown}");
    assert!(error.to_string().contains(words), "{error}");
}

fn head(out: &mut dyn Write, status: &str, kind: &str) -> std::io::Result<()> {
    write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nLocation: http://127.0.0.1:1/\r\n\r\n"
    )
}

/// A line of git's protocol.
fn packet(out: &mut dyn Write, bytes: &[u8]) -> std::io::Result<()> {
    write!(out, "{:04x}", bytes.len() + 4)?;
    out.write_all(bytes)
}

/// The answer to `info/refs` by a server with version 2 of the protocol.
fn capabilities(out: &mut dyn Write) -> std::io::Result<()> {
    head(out, "200 OK", "application/x-git-upload-pack-advertisement")?;
    packet(out, b"version 2\n")?;
    packet(out, b"ls-refs\n")?;
    packet(out, b"fetch=shallow filter\n")?;
    packet(out, b"object-format=sha1\n")?;
    out.write_all(b"0000")
}

#[tokio::test]
async fn real_git_is_given_up_if_a_server_does_not_answer() {
    let silent = Rude::new(|stream| {
        std::thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    for scheme in ["git+http", "git"] {
        let got = ask(&silent.url(scheme), tip(), TIMEOUT * 3).await;
        check_error(&got, "Later", "did not answer git in full within 2 s");
    }
}

#[tokio::test]
async fn real_git_reports_the_fault_of_a_server() {
    let table = [
        ("404 Not Found", "text/plain", "Missing", "not found"),
        ("410 Gone", "text/plain", "Gone", "410"),
        ("503 Busy", "text/plain", "Later", "503"),
        ("302 Found", "text/plain", "Broken", "it redirects"),
        ("403 Forbidden", "text/html", "Walled", "403"),
        (
            "401 Unauthorized",
            "text/plain",
            "Walled",
            "asks for a password",
        ),
        ("200 OK", "text/html", "Walled", "a page for people"),
    ];
    for (status, kind, wanted, words) in table {
        let server = Rude::http(move |_, out| {
            head(out, status, kind)?;
            out.write_all(b"<html>\n<title>Making sure you are not a bot</title>\n</html>\n")
        });
        let got = ask(&server.url("git+http"), tip(), TIMEOUT * 3).await;
        check_error(&got, wanted, words);
    }
    let got = ask("git+http://127.0.0.1:1/a.git", tip(), TIMEOUT * 3).await;
    check_error(&got, "Unreachable", "127.0.0.1");
}

#[tokio::test]
async fn real_git_is_given_up_if_a_list_of_references_does_not_end() {
    let endless = |out: &mut dyn Write| -> std::io::Result<()> {
        for number in 0_u64.. {
            packet(
                out,
                format!("{HASH} refs/heads/{}{number}\n", "x".repeat(900)).as_bytes(),
            )?;
        }
        Ok(())
    };
    let new = Rude::http(move |first, out| {
        if first.starts_with("GET") {
            return capabilities(out);
        }
        head(out, "200 OK", "application/x-git-upload-pack-result")?;
        endless(out)
    });
    let old = Rude::http(move |_, out| {
        head(out, "200 OK", "application/x-git-upload-pack-advertisement")?;
        packet(out, b"# service=git-upload-pack\n")?;
        out.write_all(b"0000")?;
        endless(out)
    });
    for server in [new, old] {
        let got = ask(&server.url("git+http"), tip(), TIMEOUT * 4).await;
        assert!(got.is_err(), "{got:?}");
    }
}

#[tokio::test]
async fn real_git_believes_only_the_branch_that_was_asked_for() {
    let server = Rude::http(|first, out| {
        if first.starts_with("GET") {
            return capabilities(out);
        }
        head(out, "200 OK", "application/x-git-upload-pack-result")?;
        for name in ["refs/heads/evil/refs/heads/master", "refs/heads/master-2"] {
            packet(out, format!("{HASH} {name}\n").as_bytes())?;
        }
        out.write_all(b"0000")
    });
    let got = ask(&server.url("git+http"), tip(), TIMEOUT * 3).await;
    let body = got.expect("it answers").body;
    let Body::Bytes { bytes, .. } = body else {
        panic!("{body:?}");
    };
    assert_eq!(bytes, b"");
}

/// A server whose pack has this many files, each with a megabyte that cannot be compressed.
fn endless_pack(files: u32) -> Rude {
    Rude::http(move |first, out| {
        if first.starts_with("GET") {
            return capabilities(out);
        }
        head(out, "200 OK", "application/x-git-upload-pack-result")?;
        packet(out, b"shallow-info\n")?;
        packet(out, format!("shallow {HASH}").as_bytes())?;
        out.write_all(b"0001")?;
        packet(out, b"packfile\n")?;
        let band = |out: &mut dyn Write, bytes: &[u8]| -> std::io::Result<()> {
            for part in bytes.chunks(60_000) {
                packet(out, &[&[1], part].concat())?;
            }
            Ok(())
        };
        band(out, &[b"PACK\0\0\0\x02", &files.to_be_bytes()[..]].concat())?;
        for number in 0_u64.. {
            let mut file = vec![7; 1 << 20];
            file[..8].copy_from_slice(&number.to_be_bytes());
            // The kind of a file, and its size: four bits, then seven, then seven, then the rest.
            let size = file.len();
            let mut object = vec![0xb0 | (size & 15) as u8];
            let mut rest = size >> 4;
            while rest > 127 {
                object.push(0x80 | (rest & 127) as u8);
                rest >>= 7;
            }
            object.push(rest as u8);
            let packer = flate2::write::ZlibEncoder::new(object, flate2::Compression::none());
            let mut packer = packer;
            packer.write_all(&file)?;
            band(out, &packer.finish()?)?;
        }
        Ok(())
    })
}

#[tokio::test]
async fn real_git_is_given_up_if_a_pack_does_not_end() {
    let server = endless_pack(1 << 20);
    let got = ask(&server.url("git+http"), commits(), TIMEOUT * 10).await;
    check_error(&got, "TooBig", "git_max_mb");
    // For this many files, git reserves more memory than it may have.
    let server = endless_pack(u32::MAX);
    let got = ask(&server.url("git+http"), commits(), TIMEOUT * 10).await;
    check_error(&got, "Broken", "");
}

#[tokio::test]
async fn real_git_connects_to_no_private_host() {
    let server = Rude::new(drop);
    let folder = TempDir::new().expect("a temporary folder");
    let fetcher = Fetcher::new(&config(&folder, &[])).expect("a client");
    for host in ["127.0.0.1", "localhost", "0x7f.1", "[::1]"] {
        for scheme in ["git", "git+http"] {
            let url = format!("{scheme}://{host}:{}/a.git", server.port);
            let got = fetcher.fetch(&request(&url, tip())).await;
            check_error(&got, "Broken", "is a private address");
        }
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 0);
}

/// If the caller drops the question, git ends, and the host is free for the next one.
#[tokio::test]
async fn real_git_ends_with_the_question() {
    let (sender, ended) = std::sync::mpsc::channel();
    let server = Rude::new(move |mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
        let _ = sender.send(());
    });
    let folder = TempDir::new().expect("a temporary folder");
    let fetcher = Fetcher::new(&config(&folder, &["127.0.0.1"])).expect("a client");
    let asked = request(&server.url("git"), tip());
    let given_up = tokio::time::timeout(Duration::from_millis(500), fetcher.fetch(&asked)).await;
    assert!(given_up.is_err());
    let closed = tokio::task::spawn_blocking(move || ended.recv_timeout(Duration::from_secs(1)));
    closed
        .await
        .expect("it waits")
        .expect("git closed the connection");
}

/// A commit with a message of many megabytes is left out and reported. Its neighbours are stored, and one of them is odd.
#[test]
fn real_git_leaves_out_a_commit_that_is_far_too_long() {
    let mut history = History::new(5);
    let old = history.line(0, 5, "kernel/bpf/verifier.c");
    let at = history.commits[old - 1].at + 60;
    let large = history.push(Commit {
        message: format!(
            "bpf: long\n\n{}\n",
            "A line of a message.\n".repeat(1_000_000)
        ),
        parents: vec![old],
        file: "kernel/bpf/btf.c".to_owned(),
        written_at: at,
        at,
    });
    let odd = history.push(Commit {
        message: "bpf: an \u{1b}[31modd one\n\nBefore\0after.\n".to_owned(),
        parents: vec![large],
        file: "kernel/bpf/\"odd\\n name\"".to_owned(),
        written_at: at,
        at,
    });
    let modules = history.commit(&[odd], ".gitmodules");
    let new = history.line(modules, 3, "kernel/bpf/core.c");
    let repository = Repository::new(&history);
    repository.serve(old);
    let server = Server::git(&repository.path(), &[]);
    let bot = Bot::new(&Bot::tree(&server.url, &[]));
    bot.poll("tree");
    repository.serve(new);
    let output = bot.run(&["poll", "--feed", "tree"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("1 unreadable"),
        "{said}"
    );
    let known = bot.known("tree", "hash");
    assert_eq!(known.len(), 10);
    assert!(!known.contains(&repository.hash(large)));
    let odd = repository.hash(odd);
    let items = bot.items("tree");
    let odd = items.iter().find(|item| item["hash"] == *odd);
    assert_eq!(odd.expect("it is stored")["title"], "bpf: an [31modd one");
    bot.check_well("tree");
}

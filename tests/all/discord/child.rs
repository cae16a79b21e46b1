//! `bpfnews run` as users run it, with a simulated Discord: it posts, answers and stops, and no socket of it leaves the
//! machine.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::fake::{Fake, Person, Room, TOKEN};
use super::{FORUM, ROOM};
use crate::documents::{Article, rss};
use crate::rude::{Rude, answer};

/// The longest that the program may take for any step here, on a busy machine.
pub(super) const LONG: Duration = Duration::from_secs(60);

pub(super) struct Program {
    child: Child,
    home: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(fake: &Fake, upstream: &Rude, token: &str) -> Self {
        let channels = format!(
            "[[channel]]\nname = \"news\"\nplatform = \"discord\"\nid = \"{ROOM}\"\noff_topic = true\n\
             [[channel]]\nname = \"forum\"\nplatform = \"discord\"\nid = \"{FORUM}\"\noff_topic = true\n"
        );
        Self::start_with(fake, upstream, token, &channels)
    }

    /// The same with these channels and other tables.
    pub(super) fn start_with(fake: &Fake, upstream: &Rude, token: &str, tables: &str) -> Self {
        let home = TempDir::new().expect("a temporary folder");
        let config = format!(
            "database = \"bpfnews.sqlite\"\n[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\n\
             [discord]\ntoken_file = \"token\"\napi = \"{}\"\n\
             {tables}[[feed]]\nname = \"blog\"\nkind = \"feed\"\nurl = \"{}\"\n",
            fake.base(),
            upstream.url("/blog.rss")
        );
        fs::write(home.path().join("config.toml"), config).expect("a temporary folder");
        fs::write(home.path().join("token"), token).expect("a temporary folder");
        let errors = fs::File::create(home.path().join("errors")).expect("a temporary folder");
        let child = Command::new(env!("CARGO_BIN_EXE_bpfnews"))
            .args(["run", "--config"])
            .arg(home.path().join("config.toml"))
            .current_dir(home.path())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("the program starts");
        Self { child, home }
    }

    pub(super) fn said(&self) -> String {
        fs::read_to_string(self.home.path().join("errors")).expect("its errors are kept")
    }

    /// Waits for the exit. Returns the status and the time it took.
    async fn ended(&mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return (status, begun.elapsed());
            }
            assert!(begun.elapsed() < LONG, "it does not end: {}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(killed.expect("there is a kill").success());
    }

    /// The addresses that its sockets are connected to now.
    fn peers(&self) -> BTreeSet<SocketAddr> {
        let folder = format!("/proc/{}/fd", self.child.id());
        let open = fs::read_dir(folder).into_iter().flatten().flatten();
        let links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let sockets: BTreeSet<String> = links
            .filter_map(|link| {
                let link = link.to_string_lossy().into_owned();
                let number = link.strip_prefix("socket:[")?.strip_suffix(']')?;
                Some(number.to_owned())
            })
            .collect();
        let mut peers = BTreeSet::new();
        for table in ["tcp", "tcp6", "udp", "udp6"] {
            let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
            for line in text.lines().skip(1) {
                let columns: Vec<&str> = line.split_whitespace().collect();
                let (Some(remote), Some(inode)) = (columns.get(2), columns.get(9)) else {
                    continue;
                };
                if sockets.contains(*inode)
                    && let Some(peer) = address(remote)
                {
                    peers.insert(peer);
                }
            }
        }
        peers
    }
}

/// An address as the kernel prints it: groups of four bytes in the machine's order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let groups = (0..address.len()).step_by(8);
    let bytes: Vec<u8> = groups
        .filter_map(|at| u32::from_str_radix(address.get(at..at + 8)?, 16).ok())
        .flat_map(u32::to_ne_bytes)
        .collect();
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?)),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

fn is_here(peer: &SocketAddr) -> bool {
    let ip = peer.ip().to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

pub(super) async fn upstream() -> Rude {
    let article = |number: usize| Article {
        at: Some(chrono::Utc::now() - chrono::TimeDelta::hours(number as i64)),
        ..Article::new(number, &format!("bpf: Article {number} <@1> @everyone"))
    };
    let articles: Vec<Article> = (1..4).map(article).collect();
    Rude::always(answer("200 OK", &[], rss(&articles))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn run_posts_answers_and_stops_and_no_socket_leaves_the_machine() {
    let rooms = [
        Room::text(ROOM),
        Room::forum(FORUM, &["article", "published"]),
    ];
    let fake = Fake::start(&rooms).await;
    let upstream = upstream().await;
    let mut program = Program::start(&fake, &upstream, TOKEN);
    let mut peers = BTreeSet::new();
    let begun = Instant::now();
    let all_told = |fake: &Fake| {
        !fake.messages(ROOM).is_empty() && !fake.threads(FORUM).is_empty() && fake.commands().1 == 1
    };
    while !all_told(&fake) {
        peers.extend(program.peers());
        assert!(
            begun.elapsed() < LONG,
            "nothing is posted: {}",
            program.said()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let title = &fake.titles(ROOM)[0];
    assert!(
        title.starts_with("bpf: Article") && title.contains(r"\@everyone"),
        "{title}"
    );
    let thread = &fake.threads(FORUM)[0];
    assert_eq!(
        thread.tag_names(&fake.room(FORUM)),
        ["published", "article"]
    );
    // A person's command is answered from the real database.
    let person = Person::reader("200001");
    let token = fake.give(&person, ROOM, &["bpfnews", "status"], &[]).await;
    let answers = fake.answers(&token, 1, LONG).await;
    assert!(answers[0].after < Duration::from_secs(3));
    let token = fake
        .give(
            &person,
            ROOM,
            &["bpfnews", "search"],
            &[("words", "Article".into())],
        )
        .await;
    let answers = fake.answers(&token, 1, LONG).await;
    assert!(
        answers[0].body.to_string().contains("Article"),
        "{:?}",
        answers[0].body
    );
    let token = fake
        .give(&person, ROOM, &["bpfnews-admin", "audit"], &[])
        .await;
    let answers = fake.answers(&token, 1, LONG).await;
    assert_eq!(
        answers[0].body["data"]["flags"], 64,
        "a reader is refused in private: {:?}",
        answers[0].body
    );
    peers.extend(program.peers());
    program.terminate();
    let (status, took) = program.ended().await;
    assert!(status.success(), "{status}: {}", program.said());
    assert!(took < Duration::from_secs(5), "{took:?}");
    let here = fake
        .base()
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    assert!(
        peers.contains(&here),
        "its sockets were not seen: {peers:?}"
    );
    let away: Vec<&SocketAddr> = peers.iter().filter(|peer| !is_here(peer)).collect();
    assert!(away.is_empty(), "{away:?}");
    assert!(!program.said().contains(TOKEN), "{}", program.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn run_with_a_wrong_token_ends_with_a_clear_error() {
    let fake = Fake::start(&[Room::text(ROOM), Room::forum(FORUM, &[])]).await;
    let upstream = upstream().await;
    let mut program = Program::start(&fake, &upstream, "another-token.that-is.none");
    let (status, _) = program.ended().await;
    let said = program.said();
    // It has a status of its own, so that no supervisor restarts it.
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("token: set a valid one"), "{said}");
    assert!(!said.contains("another-token"), "{said}");
    assert!(fake.seen("").len() < 5, "no loop: {:?}", fake.seen(""));
}

#[test]
fn the_kernels_addresses_are_read_right() {
    assert_eq!(
        address("0100007F:1F90"),
        Some(SocketAddr::from(([127, 0, 0, 1], 8080)))
    );
    let six = address("00000000000000000000000001000000:0050").expect("an address");
    assert!(is_here(&six) && six.is_ipv6());
    let away = address("08080808:0035").expect("an address");
    assert!(!is_here(&away));
}

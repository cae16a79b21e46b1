//! SIGTERM ends the program within ten seconds, under every load. `attacks` has the blocked output, and `discord` and
//! `matrix` have sends in progress.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::{bpfnews, folder};
use crate::rude::{Act, Rude, answer};

/// The longest time of a stop.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(10);
/// The longest time of any other step here, on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// `bpfnews run` in a folder with a configuration. It ends with this value.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(home: &Path) -> Self {
        let log = std::fs::File::create(home.join("log")).expect("room on the disk");
        let child = bpfnews(home)
            .arg("run")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it was built");
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_up(&mut self) -> bool {
        self.0.try_wait().expect("a child of ours").is_none()
    }

    /// Sends SIGTERM, waits for the end, and checks the time against [`STOP_MAX`].
    pub(crate) async fn stop(mut self, what: &str) {
        assert!(self.is_up(), "{what}: it ended too early");
        let killed = Command::new("kill").arg(self.id().to_string()).status();
        assert!(killed.expect("there is a kill").success());
        let begun = Instant::now();
        while self.is_up() {
            assert!(begun.elapsed() <= STOP_MAX, "{what}: it goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < LONG, "{what}: not within {LONG:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) fn configure(home: &Path, tables: &str) {
    let network = "[network]\nallow_private_hosts = [\"127.0.0.1\"]\nhost_gap_ms = 0\nrequest_timeout_s = 600\n";
    std::fs::write(home.join("config.toml"), format!("{network}{tables}")).expect("room");
    std::fs::write(home.join("secret"), "a-token.that.is-none").expect("room");
}

pub(crate) fn feed(name: &str, url: &str) -> String {
    format!("[[feed]]\nname = \"{name}\"\nkind = \"feed\"\nurl = \"{url}\"\npoll_gap_s = 1\n")
}

pub(crate) const ARTICLE: &str = "<rss version='2.0'><channel><title>t</title><item><title>bpf: One</title></item></channel></rss>";

/// A server that answers with an article below `/well`, and otherwise never.
async fn silent() -> Rude {
    Rude::start(|path, _| {
        vec![match path.starts_with("/well") {
            true => Act::Send(answer("200 OK", &[], ARTICLE)),
            false => Act::Stall,
        }]
    })
    .await
}

/// Starts the program, waits until the server gets a request whose path contains `part`, and stops the program.
async fn stop_when_asked(server: &Rude, tables: &str, part: &str) {
    let home = folder();
    configure(home.path(), tables);
    let running = Running::start(home.path());
    until(part, || {
        let seen = server.seen();
        seen.iter().any(|seen| seen.what().contains(part))
    })
    .await;
    // A request is in progress, and more may be due.
    tokio::time::sleep(Duration::from_millis(500)).await;
    running.stop(part).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_of_a_silent_server_holds_up_no_stop() {
    let server = silent().await;
    let tables = feed("silent", &server.url("/silent"));
    stop_when_asked(&server, &tables, "/silent").await;
}

/// Documents that take long to read, in all threads that read at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_document_that_is_read_holds_up_no_stop() {
    let size = (16 << 20) - 1_000;
    let elements = "<media:group/>".repeat(size / 14);
    let space = "<rss version='2.0' xmlns:media='http://search.yahoo.com/mrss/'>";
    let flood = format!("{space}<channel><item><title>x</title>{elements}</item></channel></rss>");
    let attributes: String = (0..20_000).map(|n| format!(" a{n}")).collect();
    let entry = |n| {
        format!(
            "<item><guid>{n}</guid><title>x</title><description>&lt;a{attributes}></description></item>"
        )
    };
    let entries: String = (0..64).map(entry).collect();
    let many = format!("<rss version='2.0'><channel>{entries}</channel></rss>");
    for (name, document) in [("flood", flood), ("attributes", many)] {
        let served = answer("200 OK", &[], document);
        let server = Rude::start(move |_, _| vec![Act::Send(served.clone())]).await;
        let feeds = (0..8).map(|n| feed(&format!("bad{n}"), &server.url(&format!("/{name}{n}"))));
        stop_when_asked(&server, &feeds.collect::<String>(), name).await;
    }
}

/// A platform that accepts connections and answers nothing, from the first request on.
#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_is_silent_holds_up_no_stop() {
    let server = silent().await;
    let base = server.url("");
    let channel = |platform: &str, id: &str| {
        format!(
            "[[channel]]\nname = \"{platform}\"\nplatform = \"{platform}\"\nid = \"{id}\"\noff_topic = true\n"
        )
    };
    let well = feed("well", &server.url("/well"));
    let discord = format!(
        "[discord]\ntoken_file = \"secret\"\napi = \"{base}\"\n{}{well}",
        channel("discord", "100001")
    );
    stop_when_asked(&server, &discord, "/api/v10/channels/100001").await;
    if cfg!(feature = "matrix") {
        let account = "user = \"@bot:x.example\"\npassword_file = \"secret\"\n";
        let matrix = format!(
            "[matrix]\nhomeserver = \"{base}\"\n{account}{}{well}",
            channel("matrix", "!room:x.example")
        );
        stop_when_asked(&server, &matrix, "/_matrix/").await;
    }
}

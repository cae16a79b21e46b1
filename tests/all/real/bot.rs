//! The program as a person or a supervisor runs it: started, asked, killed.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// The most polls that a catch-up in these tests may take.
const POLLS_MAX: u32 = 30;
/// The message of a poll that was cut short.
const MORE: &str = "more at the next poll";
/// The message of a poll that found another process polling.
const OVERTAKEN: &str = "another poll of this feed came first";
/// The message of a command that gave up waiting for another one.
const IN_USE: &str = "One process at a time polls and posts";

/// A folder with a configuration and a database.
pub(super) struct Bot {
    home: TempDir,
    random: fastrand::Rng,
    /// A file with certificate authorities that replaces the system's.
    authorities: Option<String>,
}

impl Bot {
    /// With these `[[feed]]` tables.
    pub(super) fn new(feeds: &str) -> Self {
        Self::with_gap(feeds, 0)
    }

    /// The same with a pause between requests, so that a kill hits the middle of a walk.
    pub(super) fn with_gap(feeds: &str, host_gap_ms: u32) -> Self {
        Self::with_threads(feeds, host_gap_ms, 0)
    }

    /// The same, but it fetches mails that stories lack. The others have only what polls bring.
    pub(super) fn completing(feeds: &str, host_gap_ms: u32) -> Self {
        Self::with_threads(feeds, host_gap_ms, 1_000)
    }

    fn with_threads(feeds: &str, host_gap_ms: u32, threads: u32) -> Self {
        let home = TempDir::new().expect("a temporary folder");
        let config = format!(
            "database = \"bpfnews.sqlite\"\n\n[network]\nallow_private_hosts = [\"127.0.0.1\", \"localhost\"]\nhost_gap_ms = {host_gap_ms}\nthreads_per_day_max = {threads}\n\n{feeds}"
        );
        std::fs::write(home.path().join("config.toml"), config).expect("a temporary folder");
        Self {
            home,
            random: fastrand::Rng::with_seed(0),
            authorities: None,
        }
    }

    /// Trusts the certificates in this file.
    pub(super) fn trust(&mut self, file: &str) {
        self.authorities = Some(file.to_owned());
    }

    /// Changes the `[[feed]]` tables.
    pub(super) fn reconfigure(&mut self, feeds: &str) {
        let path = self.home.path().join("config.toml");
        let config = std::fs::read_to_string(&path).expect("the configuration");
        let (head, _) = config.split_once("[[feed]]").expect("it has feeds");
        std::fs::write(&path, format!("{head}{feeds}")).expect("a temporary folder");
    }

    pub(super) fn archive(url: &str) -> String {
        Self::archive_named("bpf", url)
    }

    pub(super) fn archive_named(name: &str, url: &str) -> String {
        format!("[[feed]]\nname = \"{name}\"\nkind = \"archive\"\nurl = \"{url}\"\n")
    }

    pub(super) fn tree(url: &str, paths: &[&str]) -> String {
        format!(
            "[[feed]]\nname = \"tree\"\nkind = \"tree\"\nurl = \"{url}\"\nbranch = \"master\"\npaths = {paths:?}\n"
        )
    }

    pub(super) fn database(&self) -> std::path::PathBuf {
        self.home.path().join("bpfnews.sqlite")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bpfnews"));
        command
            .arg("--config")
            .arg(self.home.path().join("config.toml"))
            .args(args)
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        if let Some(file) = &self.authorities {
            command.env("SSL_CERT_FILE", file);
        }
        command
    }

    /// Runs a command; returns its output and status.
    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// Runs a command that must succeed; returns its standard output.
    #[track_caller]
    pub(super) fn ask(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{args:?}: {}\n{errors}",
            output.status
        );
        assert!(!errors.contains("panicked"), "{args:?}: {errors}");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// Polls once; returns the output.
    #[track_caller]
    pub(super) fn poll(&self, feed: &str) -> String {
        in_one_line(self.ask(&["poll", "--feed", feed]).as_bytes())
    }

    /// Polls until a poll is complete and finds nothing; returns the output.
    #[track_caller]
    pub(super) fn poll_until_quiet(&self, feed: &str) -> String {
        let (mut told, mut items) = (String::new(), self.count(feed));
        for _ in 0..POLLS_MAX {
            let output = self.run(&["poll", "--feed", feed]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            told.push_str(&in_one_line(&output.stdout));
            let now = self.count(feed);
            if now == items && !said.contains(MORE) {
                return told;
            }
            items = now;
        }
        panic!("{feed} is not quiet after {POLLS_MAX} polls");
    }

    /// Runs a command and kills it after a random time within `within`, this many times. Returns how often the command was
    /// still running.
    #[track_caller]
    pub(super) fn kill_amid(&mut self, args: &[&str], times: u32, within: Duration) -> u32 {
        let mut met = 0;
        for _ in 0..times {
            let mut child = self
                .command(args)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the program starts");
            let millis = u64::try_from(within.as_millis()).expect("a short time");
            std::thread::sleep(Duration::from_millis(self.random.u64(0..millis)));
            if child.try_wait().expect("a child of ours").is_none() {
                met += 1;
            }
            // SIGKILL; it may just have ended.
            let _ = child.kill();
            child.wait().expect("a child of ours");
        }
        met
    }

    /// Polls several times at once. All must succeed, but one may find that another process was first.
    #[track_caller]
    pub(super) fn poll_at_once(&self, feed: &str, times: usize) {
        let args = ["poll", "--feed", feed];
        let children: Vec<_> = (0..times)
            .map(|_| {
                let mut command = self.command(&args);
                let piped = command.stdout(Stdio::null()).stderr(Stdio::piped());
                piped.spawn().expect("the program starts")
            })
            .collect();
        let mut polled = 0;
        for child in children {
            let output = child.wait_with_output().expect("a child of ours");
            let said = String::from_utf8_lossy(&output.stderr);
            polled += usize::from(output.status.success());
            // On a busy machine, the first may take longer than the others wait for it.
            let gave_way = said.contains(OVERTAKEN) || said.contains(IN_USE);
            assert!(output.status.success() || gave_way, "{args:?}: {said}");
        }
        assert!(polled > 0, "one of them polls");
    }

    pub(super) fn seed(&mut self, seed: u64) {
        self.random = fastrand::Rng::with_seed(seed);
    }

    fn lines(&self, args: &[&str]) -> Vec<Value> {
        let lines = self.ask(args);
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// All items of a feed.
    #[track_caller]
    pub(super) fn items(&self, feed: &str) -> Vec<Value> {
        self.lines(&["items", "--format", "json", "--feed", feed, "--limit", "0"])
    }

    /// The identities of a feed's items: `message_id` or `hash`. Each is stored once, and the feed's own count agrees.
    #[track_caller]
    pub(super) fn known(&self, feed: &str, by: &str) -> BTreeSet<String> {
        let items = self.items(feed);
        let keys: HashSet<&str> = items
            .iter()
            .filter_map(|item| item["key"].as_str())
            .collect();
        assert_eq!(keys.len(), items.len(), "an item is kept twice");
        let known: BTreeSet<String> = items
            .iter()
            .map(|item| item[by].as_str().expect("all have it").to_owned())
            .collect();
        assert_eq!(known.len(), items.len(), "a {by} is kept twice");
        assert_eq!(self.count(feed), known.len(), "the feed's count is another");
        known
    }

    #[track_caller]
    pub(super) fn feed(&self, name: &str) -> Value {
        self.lines(&["feeds", "--format", "json"])
            .into_iter()
            .find(|feed| feed["name"] == name)
            .expect("the feed is configured")
    }

    #[track_caller]
    pub(super) fn count(&self, feed: &str) -> usize {
        let items = self.feed(feed)["items"].as_u64().expect("a count");
        usize::try_from(items).expect("not that many")
    }

    /// Fails unless the feed is healthy and has no gap.
    #[track_caller]
    pub(super) fn check_well(&self, feed: &str) {
        let feed = self.feed(feed);
        assert_eq!(feed["state"], "ok", "{feed}");
        assert_eq!(feed["failures"], 0, "{feed}");
        assert_eq!(feed["gaps"], Value::Array(Vec::new()), "{feed}");
    }

    /// Every mail of a feed is in exactly one story, and a refold changes nothing: no kill left a partial fold.
    #[track_caller]
    pub(super) fn check_stories(&self, feed: &str) {
        let lines = self.ask(&["stories", "--all", "--feed", feed, "--format", "json"]);
        let mut told = BTreeSet::new();
        for line in lines.lines() {
            let story: Value = serde_json::from_str(line).expect("a JSON object");
            for id in story["messages"].as_array().expect("a list") {
                let id = id.as_str().expect("text").to_owned();
                assert!(told.insert(id.clone()), "{id} is in two stories");
            }
        }
        assert_eq!(told, self.known(feed, "message_id"), "mails in stories");
        let said = self.ask(&["refold"]);
        assert!(said.contains("nothing changed"), "{said}");
    }

    /// Writes a file beside the configuration; returns its path.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.home.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a temporary folder");
        }
        std::fs::write(&path, bytes).expect("a temporary folder");
        name.to_owned()
    }

    /// Ends the pause of the address that was read first.
    pub(super) fn end_pause(&self) {
        let change = "UPDATE feeds SET cursor = json_set(cursor, '$.ways[0].left_until', 0)";
        sql(&self.database(), change);
    }

    /// Makes all wanted mails due.
    pub(super) fn end_thread_pauses(&self) {
        sql(&self.database(), "UPDATE wanted_mails SET due_at = 0");
    }

    /// Sets the last reading of the subsystems in the database to long ago.
    pub(super) fn forget_when_subsystems_were_read(&self) {
        let change = "UPDATE subsystem_files SET read_at = min(read_at, 0), tried_at = 0";
        sql(&self.database(), change);
    }

    /// Sets all polls in the database to long ago, as after a long downtime.
    pub(super) fn been_away(&self) {
        let change = "UPDATE feeds SET cursor = json_set(cursor, '$.polled_at', 0)";
        sql(&self.database(), change);
    }
}

/// What a query of one number gives.
pub(super) fn number(database: &Path, query: &'static str) -> i64 {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(database)
            .read_only(true);
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .expect("the database opens");
        let number = sqlx::query_scalar(query).fetch_one(&mut connection).await;
        connection.close().await.expect("it closes");
        number.expect("the query is good SQL")
    })
}

/// Text before a terminal's width broke it into lines, with a bar before each.
fn in_one_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let words = text.split_whitespace().filter(|&word| word != "▌");
    words.collect::<Vec<_>>().join(" ")
}

/// Changes a database from outside of the program.
fn sql(database: &Path, change: &'static str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        use sqlx::Connection as _;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .expect("the database opens");
        sqlx::query(change)
            .execute(&mut connection)
            .await
            .expect("the change is good SQL");
        connection.close().await.expect("it closes");
    });
}

//! A whole bpfnews in a test: an upstream on loopback whose documents the test sets, a real database, a clock that the test
//! moves, and polls that the test starts. Beside the feeds under test there is always a healthy one. Every poll fails the
//! test unless the healthy feed continues unharmed.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bpfnews::clock::{Clock as _, FixedClock};
use bpfnews::config::{
    ChannelConfig, CommandsConfig, Config, FeedAddresses, FeedConfig, FeedKind, FollowConfig,
    Identity, IssueConfig, NetworkConfig, TreeRole,
};
use bpfnews::deliver::DeliveryLoop;
use bpfnews::filter::Subsystems;
use bpfnews::ingest::{Ingest, Report};
use bpfnews::store::ReadConnection;
use bpfnews::store::Store;
use bpfnews::store::backup;
use bpfnews::store::feeds::{self, FeedRow};
use bpfnews::store::items::{self, ItemFilter, ItemRow};
use bpfnews::store::outbox::{self, Letter, LetterDecision, LetterFate};
use bpfnews::story::relevance::FoldRules;
use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::documents::{Article, rss};
use crate::rude::{Act, Rude, Seen, answer};

/// The feed that nothing may affect.
const HEALTHY: &str = "healthy";
/// The poll gap of every feed, in seconds.
pub(crate) const GAP_S: i64 = 3600;
/// The longest part of a pause that comes from jitter.
pub(crate) const JITTER: f64 = 1.1;

type Pages = Arc<Mutex<HashMap<String, Vec<Act>>>>;
type Folder = (String, Arc<dyn Fn(&str) -> Vec<u8> + Send + Sync>);

/// The upstream, the database and the program over it.
pub(crate) struct World {
    /// The part that polls.
    pub(crate) ingest: Ingest,
    upstream: Rude,
    pages: Pages,
    folders: Arc<Mutex<Vec<Folder>>>,
    clock: Arc<FixedClock>,
    config: Config,
    healthy: Vec<Article>,
    _home: TempDir,
}

/// A feed of a world: its name, its kind, and its path on the upstream.
pub(crate) type Upstream = (&'static str, FeedKind, &'static str);

/// A feed of articles.
pub(crate) fn feed(name: &'static str, path: &'static str) -> Upstream {
    (
        name,
        FeedKind::Feed {
            gives: None,
            identity: Identity::default(),
        },
        path,
    )
}

/// LWN.
pub(crate) fn lwn(name: &'static str, path: &'static str) -> Upstream {
    (name, FeedKind::Lwn, path)
}

/// A mailing list.
pub(crate) fn archive(name: &'static str, path: &'static str) -> Upstream {
    (name, FeedKind::Archive { query: None }, path)
}

/// A mailing list narrowed by a search.
pub(crate) fn search(name: &'static str, path: &'static str) -> Upstream {
    let query = Some("s:bpf".to_owned());
    (name, FeedKind::Archive { query }, path)
}

/// A kernel tree, whole or limited to paths.
pub(crate) fn tree(name: &'static str, path: &'static str, paths: &[&str]) -> Upstream {
    let kind = FeedKind::Tree {
        branch: "master".to_owned(),
        paths: paths.iter().map(|&path| path.to_owned()).collect(),
        role: TreeRole::Next,
    };
    (name, kind, path)
}

/// A channel that accepts all stories.
pub(crate) fn everything() -> ChannelConfig {
    let mut channel = ChannelConfig::terminal();
    channel.route.off_topic = true;
    channel
}

/// The start of a world: 10 January 2025 at noon.
pub(crate) fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2025, 1, 10, 12, 0, 0)
        .single()
        .expect("a moment")
}

impl World {
    /// A world with these feeds, none of them polled yet.
    pub(crate) async fn new(upstreams: &[Upstream]) -> Self {
        let pages = Pages::default();
        let folders: Arc<Mutex<Vec<Folder>>> = Arc::default();
        let (shown, made) = (Arc::clone(&pages), Arc::clone(&folders));
        let upstream = Rude::start(move |path, _| {
            let shown = shown.lock().expect("no holder panics");
            if let Some(acts) = shown.get(path) {
                return acts.clone();
            }
            // An archive with less than a page of mails answers a climb with its newest page.
            let newest = path
                .split_once("?t=")
                .and_then(|(newest, _)| shown.get(newest));
            if let Some(acts) = newest {
                return acts.clone();
            }
            let folders = made.lock().expect("no holder panics");
            let folder = folders.iter().find(|(below, _)| path.starts_with(below));
            vec![Act::Send(match folder {
                Some((_, make)) => make(path),
                None => answer("404 Not Found", &[], "Not Found"),
            })]
        })
        .await;
        let home = TempDir::new().expect("a folder");
        let all = [feed(HEALTHY, "/healthy.rss")];
        let config = Config {
            database: home.path().join("bpfnews.db"),
            relevance: FoldRules::default(),
            network: NetworkConfig {
                allow_private_hosts: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
                contact: None,
                page: None,
                installation_id: false,
                host_gap: Duration::ZERO,
                request_timeout: Duration::from_secs(3),
                ..NetworkConfig::default()
            },
            feeds: all
                .iter()
                .chain(upstreams)
                .map(|(name, kind, path)| {
                    Arc::new(FeedConfig {
                        name: (*name).to_owned(),
                        url: Url::parse(&upstream.url(path)).expect("the test's URL"),
                        bpf_only: false,
                        addresses: FeedAddresses::default(),
                        new_max: FeedConfig::NEW_MAX,
                        poll_gap: Duration::from_secs(GAP_S.unsigned_abs()),
                        kind: kind.clone(),
                    })
                })
                .collect(),
            discord: None,
            matrix: None,
            channels: vec![everything()],
            commands: CommandsConfig::default(),
            follow: FollowConfig::default(),
            issue: IssueConfig::default(),
            web: None,
            mail: None,
            subsystems: Subsystems::default(),
            from_chat: BTreeSet::new(),
        };
        let clock = Arc::new(FixedClock::new(noon()));
        Self {
            ingest: open(&config, &clock).await,
            upstream,
            pages,
            folders,
            clock,
            config,
            healthy: Vec::new(),
            _home: home,
        }
    }

    /// Restarts the program over the same database; `change` alters its configuration.
    pub(crate) async fn restart(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.ingest.store.close().await;
        self.ingest = open(&self.config, &self.clock).await;
    }

    /// The path of the database.
    pub(crate) fn database(&self) -> &Path {
        &self.config.database
    }

    /// Stops the program, restores the database from a backup, and starts it again.
    pub(crate) async fn restore(&mut self, backup: &Path) {
        self.ingest.store.close().await;
        let ready = backup::prepare(&self.config.database, backup).await;
        let ready = ready.expect("a good backup");
        let aside = backup::beside(
            &self.config.database,
            &format!(".{}", self.now().timestamp()),
        );
        ready
            .put_in_place(&aside)
            .await
            .expect("files can be renamed");
        self.ingest = open(&self.config, &self.clock).await;
    }

    /// From now on, the upstream answers `path` (query included) with a good document.
    pub(crate) fn put(&self, path: &str, document: impl AsRef<[u8]>) {
        self.put_answer(path, answer("200 OK", &[], document));
    }

    /// From now on, the upstream answers `path` with these bytes, status line included.
    pub(crate) fn put_answer(&self, path: &str, bytes: Vec<u8>) {
        self.put_acts(path, vec![Act::Send(bytes)]);
    }

    /// From now on, the upstream plays this script for requests to `path`.
    pub(crate) fn put_acts(&self, path: &str, acts: Vec<Act>) {
        let mut pages = self.pages.lock().expect("no holder panics");
        pages.insert(path.to_owned(), acts);
    }

    /// From now on, `make` answers all requests below `path` that have no [`World::put`].
    pub(crate) fn put_folder(
        &self,
        path: &str,
        make: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) {
        let mut folders = self.folders.lock().expect("no holder panics");
        folders.insert(0, (path.to_owned(), Arc::new(make)));
    }

    /// A URL of the upstream, with this host name.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.upstream.port())
    }

    /// The requests for `path` so far.
    pub(crate) fn asked(&self, path: &str) -> Vec<Seen> {
        let wanted = format!("GET {path}");
        let seen = self.upstream.seen().into_iter();
        seen.filter(|seen| seen.what() == wanted).collect()
    }

    /// The number of requests, without those for the healthy feed.
    pub(crate) fn requests(&self) -> usize {
        let seen = self.upstream.seen().into_iter();
        seen.filter(|seen| !seen.what().ends_with("/healthy.rss"))
            .count()
    }

    /// The time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Moves the clock.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    /// Moves the clock to the time when `name` is due, and all feeds that are due before it.
    pub(crate) async fn advance_to(&self, name: &str) {
        let due = self.row(name).await.next_poll_at;
        let due = DateTime::from_timestamp(due, 0).expect("a moment") + TimeDelta::seconds(1);
        self.clock.set(due.max(self.clock.now()));
    }

    /// One pass over all due feeds, and a check that the healthy feed continues.
    pub(crate) async fn poll(&mut self) -> Vec<Report> {
        let is_due = self.row(HEALTHY).await.next_poll_at <= self.now().timestamp();
        self.publish_health();
        let mut reports = Vec::new();
        self.ingest
            .pass(&CancellationToken::new(), |report| reports.push(report))
            .await
            .expect("no feed stops a pass");
        if is_due {
            let row = self.row(HEALTHY).await;
            assert_eq!(
                (row.state.word(), row.failures, row.last_error),
                ("ok", 0, None)
            );
            let published = i64::try_from(self.healthy.len()).expect("few");
            assert_eq!(row.items, published, "the healthy feed is polled");
        }
        reports.retain(|report| report.feed != HEALTHY);
        reports
    }

    /// One pass at the time when `name` is due.
    pub(crate) async fn poll_when_due(&mut self, name: &str) {
        self.advance_to(name).await;
        self.poll().await;
    }

    /// Begins a pass and drops it after `wakes` wake-ups. Returns whether it had ended before that.
    pub(crate) async fn poll_and_give_up(&mut self, wakes: usize) -> bool {
        let ended = self.give_up(wakes).await;
        assert_eq!(self.ingest.waiting(), 0, "nobody waits any more");
        // A commit may still be in progress. The next writer waits for it, as a restarted program does.
        let tx = self.ingest.store.write().await;
        drop(tx.expect("the database may be written"));
        ended
    }

    async fn give_up(&self, wakes: usize) -> bool {
        let stop = CancellationToken::new();
        let mut pass = pin!(self.ingest.pass(&stop, |_| ()));
        let mut left = wakes;
        std::future::poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(false);
            }
            left -= 1;
            pass.as_mut().poll(context).map(|ended| {
                ended.expect("no feed stops a pass");
                true
            })
        })
        .await
    }

    fn publish_health(&mut self) {
        let number = self.healthy.len();
        let article = Article {
            at: Some(self.now()),
            ..Article::new(number, &format!("Healthy {number}"))
        };
        self.healthy.insert(0, article);
        self.put("/healthy.rss", rss(&self.healthy));
    }

    /// The state of `name`.
    pub(crate) async fn row(&self, name: &str) -> FeedRow {
        let rows = feeds::list_feeds(self.ingest.store.read()).await;
        let mut rows = rows.expect("the database answers").into_iter();
        rows.find(|row| row.name == name).expect("it is configured")
    }

    /// The states of these feeds.
    pub(crate) async fn rows(&self, names: &[&str]) -> Vec<FeedRow> {
        let mut rows = Vec::new();
        for name in names {
            rows.push(self.row(name).await);
        }
        rows
    }

    /// Fails unless the last poll of `name` went well.
    pub(crate) async fn check_ok(&self, name: &str) {
        let row = self.row(name).await;
        assert_eq!((row.state.word(), row.failures), ("ok", 0), "{row:?}");
        assert_eq!(row.last_error, None);
    }

    /// Fails unless `name` is in this state, with this text and this many failures. Returns the pause until its next poll,
    /// in seconds.
    #[track_caller]
    pub(crate) fn check_failed(
        &self,
        row: &FeedRow,
        state: &str,
        failures: i64,
        words: &str,
    ) -> i64 {
        assert_eq!(
            (row.state.word(), row.failures),
            (state, failures),
            "{row:?}"
        );
        let why = row.last_error.as_deref().expect("a reason");
        assert!(why.contains(words), "{why}");
        row.next_poll_at - self.now().timestamp()
    }

    /// The items of `name`, newest first.
    pub(crate) async fn items(&self, name: &str) -> Vec<ItemRow> {
        let filter = ItemFilter {
            feed: Some(name.to_owned()),
            most: 10_000,
            ..ItemFilter::default()
        };
        let items = items::list_items(self.ingest.store.read(), &filter, None).await;
        items.expect("the database answers")
    }

    /// The titles of the items of `name`, sorted.
    pub(crate) async fn titles(&self, name: &str) -> Vec<String> {
        let items = self.items(name).await.into_iter();
        let mut titles: Vec<String> = items.map(|item| item.title).collect();
        titles.sort();
        titles
    }

    /// The faults of `name`.
    pub(crate) async fn faults(&self, name: &str) -> Vec<String> {
        let id = self.row(name).await.id;
        let faults = feeds::list_faults(self.ingest.store.read()).await;
        let faults = faults.expect("the database answers").into_iter();
        faults
            .filter(|fault| fault.0 == id)
            .map(|fault| fault.1)
            .collect()
    }

    /// The gaps of `name`, from and to.
    pub(crate) async fn gaps(&self, name: &str) -> Vec<(i64, i64)> {
        let id = self.row(name).await.id;
        let gaps = feeds::list_gaps(self.ingest.store.read()).await;
        let gaps = gaps.expect("the database answers").into_iter();
        gaps.filter(|(feed, _)| *feed == id)
            .map(|(_, gap)| (gap.from_at, gap.to_at))
            .collect()
    }

    /// Runs this many passes of a delivery loop, eleven minutes apart.
    pub(crate) async fn pass(&self, delivery_loop: &DeliveryLoop, times: usize) {
        for _ in 0..times {
            delivery_loop.pass().await.expect("a pass");
            self.advance(TimeDelta::minutes(11));
        }
    }

    /// The dead letters, and the deliveries that fail repeatedly.
    pub(crate) async fn letters(&self) -> Vec<Letter> {
        let letters = outbox::letters(self.ingest.store.read(), 100).await;
        letters.expect("the database answers")
    }

    /// Decides about one dead letter, or (`None`) about all of them.
    pub(crate) async fn decide_letters(
        &self,
        which: Option<i64>,
        fate: LetterFate,
    ) -> LetterDecision {
        let mut tx = self.ingest.store.write().await.expect("a transaction");
        let decided = outbox::decide_letters(&mut tx, which, fate, self.now()).await;
        tx.commit().await.expect("it is kept");
        decided.expect("the database answers")
    }

    /// Retracts the posts of the story with this title; returns their number.
    pub(crate) async fn retract(&self, title: &str) -> usize {
        let mut tx = self.ingest.store.write().await.expect("a transaction");
        let item = "SELECT item_id FROM posts WHERE content LIKE '%' || $1 || '%'";
        let (item,): (i64,) = sqlx::query_as(item)
            .bind(title)
            .fetch_one(&mut *tx)
            .await
            .expect("its post");
        let retracted = bpfnews::plan::retract(&mut tx, &[item], self.now()).await;
        tx.commit().await.expect("it is kept");
        retracted.expect("the database answers")
    }

    /// A connection to query the database by hand.
    pub(crate) async fn reader(&self) -> ReadConnection {
        let reader = self.ingest.store.read().acquire().await;
        reader.expect("a connection")
    }

    /// The posts that are due now, as the titles of their items, without those of the healthy feed.
    pub(crate) async fn owed(&self) -> Vec<Vec<String>> {
        self.owed_at(self.now()).await
    }

    /// The posts that are due at that time.
    pub(crate) async fn owed_at(&self, at: DateTime<Utc>) -> Vec<Vec<String>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT (SELECT json_group_array(i.title ORDER BY i.at, i.id) FROM members m JOIN items i ON i.id = m.item_id
                     WHERE m.story = (SELECT s.story FROM members s WHERE s.item_id = p.item_id))
             FROM deliveries d JOIN posts p ON p.id = d.post_id
             WHERE d.verb = 'send' AND d.state = 'owed' AND d.due_at <= $1 ORDER BY d.due_at, d.id",
        )
        .bind(at.timestamp())
        .fetch_all(&mut *self.reader().await)
        .await
        .expect("the database answers");
        let titles = rows.iter().map(|(titles,)| serde_json::from_str(titles));
        let mut titles: Vec<Vec<String>> = titles.map(|titles| titles.expect("titles")).collect();
        titles.retain(|titles| !titles.iter().any(|title| title.starts_with("Healthy ")));
        titles
    }

    /// Sends all queued posts, also later ones. Returns them like [`World::owed`].
    pub(crate) async fn tell(&self) -> Vec<Vec<String>> {
        let told = self.owed_at(self.now() + TimeDelta::days(1)).await;
        let mut tx = self
            .ingest
            .store
            .write()
            .await
            .expect("the database may be written");
        sqlx::query("UPDATE deliveries SET state = 'done', attempts = 1, settled_at = due_at WHERE state = 'owed'")
            .execute(&mut *tx)
            .await
            .expect("the database may be written");
        tx.commit().await.expect("the database may be written");
        told
    }

    /// All data that must not depend on the order of events: for each feed its state and its items' identities with all
    /// sightings, then the posts.
    pub(crate) async fn end(&self) -> Vec<String> {
        let mut end = Vec::new();
        let rows = feeds::list_feeds(self.ingest.store.read()).await;
        for row in rows.expect("the database answers") {
            if row.name == HEALTHY {
                continue;
            }
            end.push(format!("{} {} {}", row.name, row.state.word(), row.items));
            let items = self.items(&row.name).await.into_iter();
            let mut items: Vec<_> = items
                .map(|item| format!("  {} {}", item.reference, item.title))
                .collect();
            items.sort();
            end.extend(items);
        }
        let mut posts = self.owed_at(self.now() + TimeDelta::days(1)).await;
        posts.sort();
        end.extend(posts.into_iter().map(|titles| titles.join(" + ")));
        end
    }
}

/// The work that `run` does before its polls.
pub(crate) async fn before_polls(ingest: &Ingest) {
    ingest.repair_clock().await.expect("the clock is repaired");
    ingest.end_recalls().await.expect("posts are matched");
    ingest.make_digests().await.expect("digests");
}

async fn open(config: &Config, clock: &Arc<FixedClock>) -> Ingest {
    let store = Store::open(&config.database).await.expect("a database");
    let clock = Arc::clone(clock);
    Ingest::open(store, config, clock)
        .await
        .expect("the program starts")
}

/// The folder of real samples, if it is beside this checkout.
pub(crate) fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("BPFNEWS_CORPUS").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    Some(named.unwrap_or_else(beside)).filter(|folder| folder.is_dir())
}

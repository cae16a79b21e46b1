//! A bpfnews that sends mail to a sink: its database, its pages, its delivery loop.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bpfnews::app::letters::MailDesk;
use bpfnews::channel::Platform;
use bpfnews::channel::mail::{MailPlatform, SmtpEncryption, SmtpSettings};
use bpfnews::clock::{Clock, FixedClock};
use bpfnews::config::{Config, MailAddress, PlatformKind};
use bpfnews::deliver::DeliveryLoop;
use bpfnews::destination;
use bpfnews::filter::Subsystems;
use bpfnews::issue::Issue;
use bpfnews::mailing::SignUp;
use bpfnews::store::subscribers::{self, SubscriberRow};
use bpfnews::store::{Store, issues, mailings};
use bpfnews::web::{self, MailPages, Site};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::sink::Sink;
use crate::world::noon;

/// The configuration below its feed.
pub(super) fn config_text(port: u16, home: &str, more: &str) -> String {
    format!(
        "[[feed]]\nname = \"a\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:9/feed\"\npoll_gap_s = 86400\n\n\
         [network]\nallow_private_hosts = [\"127.0.0.1\"]\n\n\
         [web]\nlisten = \"127.0.0.1:0\"\nurl = \"{home}\"\n\n\
         [mail]\nfrom = \"news@bpf.example\"\nname = \"BPF \u{fc}pdates, weekly\"\nbounces = \"bounces@bpf.example\"\n\
         host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\n{more}"
    )
}

/// An issue with one example of everything that a mail can contain.
pub(crate) fn issue(number: u32) -> Issue {
    let commit = json!({"digits": "b0e92279d3ec", "subject": "Merge branch 'maps-grow'", "on": "2025-03-02",
                        "link": "https://git.example/c/?id=b0e92279d3ec"});
    let entry = |title: &str, text: &str| {
        json!({"story": "4j1x9k2m0q", "title": title, "link": "https://lore.example/bpf/1/", "author": "An\u{ed}bal Author",
               "stands": "v3", "on": "2025-03-02", "commit": null, "commits": null, "text": text, "notes": [],
               "is_pinned": false, "moved": null})
    };
    let mut applied = entry("bpf: Let maps grow", "");
    applied["commit"] = commit;
    let mut noted = entry(
        "bpf: Count <everything> & \"more\"",
        "It counts everything, and then it counts it again, which takes more than one line of text in a mail.",
    );
    noted["notes"] = json!(["Read **this** [first](https://good.example/?a=1&b=2)."]);
    let posted = json!({"story": "abc", "title": "[PATCH bpf-next 0/2] Let maps grow", "link": "https://lore.example/bpf/2/",
                        "parts": [["[PATCH bpf-next 1/2] bpf: Grow", "https://lore.example/bpf/3/"]]});
    let section = |kind: &str, entries: Vec<serde_json::Value>| json!({"kind": kind, "entries": entries, "left_out": 0, "elsewhere": 0});
    let many: Vec<serde_json::Value> = (0..70).map(|_| posted.clone()).collect();
    let issue = json!({
        "name": "BPF updates", "number": number,
        "period": {"from": "2025-02-24T00:00:00Z", "to": "2025-03-03T00:00:00Z"},
        "intro": "Hello, **reader**.", "counts": ["3 new series", "1 article"],
        "cycle": {"stands": "Linux 6.14-rc5 is out.", "link": "https://kernel.example/", "pulls": []},
        "sections": [
            section("lwn", vec![entry("A look at arenas", "Arenas are shared memory.")]),
            section("highlights", vec![noted]),
            section("applied", vec![applied]),
            section("videos", vec![entry("A talk", "")]),
        ],
        "patches": [{"author": "A. Author", "posted": many}],
        "missing": ["lwn could not be read in full."], "last": null,
    });
    serde_json::from_value(issue).expect("an issue")
}

pub(super) struct MailWorld {
    pub(super) store: Store,
    pub(super) clock: Arc<FixedClock>,
    pub(super) desk: Arc<MailDesk>,
    pub(super) sink: Sink,
    pub(super) delivery_loop: DeliveryLoop,
    /// The address of the pages.
    pub(super) url: String,
    pub(super) database: PathBuf,
    _home: TempDir,
    _stop: DropGuard,
}

impl MailWorld {
    pub(super) async fn new(sink: Sink) -> Self {
        Self::with(sink, "", Duration::from_secs(5)).await
    }

    /// A world with more keys below `[mail]`, and a time limit for the server's answers.
    pub(super) async fn with(sink: Sink, more: &str, timeout: Duration) -> Self {
        let home = TempDir::new().expect("a folder");
        let listener = web::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let text = config_text(sink.port, &url, more);
        let config = Config::parse(&text, &home.path().join("config.toml"));
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let store = Store::open(&config.database).await.expect("a database");
        let clock = Arc::new(FixedClock::new(noon()));
        let shared: Arc<dyn Clock> = clock.clone();
        let desk = MailDesk::of(&config, &store, &shared).expect("random bytes");
        let desk = desk.expect("there is a [mail]");
        let settings = SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: sink.port,
            encryption: SmtpEncryption::None,
            login: None,
            hello: "bpf.example".to_owned(),
            timeout,
        };
        let mail: Arc<dyn Platform> = Arc::new(MailPlatform::new(settings, desk.clone()));
        let mut tx = store.write().await.expect("a transaction");
        let own = destination::personal(&mut tx, &[PlatformKind::Mail], clock.now()).await;
        let own = own.expect("a channel for mail");
        tx.commit().await.expect("room on the disk");
        let platforms = HashMap::from([(PlatformKind::Mail, mail)]);
        let delivery_loop = DeliveryLoop::new(store.clone(), shared.clone(), own.into(), platforms);
        let site = Site {
            store: store.clone(),
            clock: shared,
            name: "BPF updates".to_owned(),
            home: url.clone(),
            mail: Some(MailPages::new(desk.mailing.clone(), Arc::new(|| {}))),
            subsystems: Subsystems::default(),
        };
        let stop = CancellationToken::new();
        tokio::spawn(web::serve(listener, site, stop.clone()));
        Self {
            store,
            clock,
            desk,
            sink,
            delivery_loop,
            url,
            database: config.database,
            _home: home,
            _stop: stop.drop_guard(),
        }
    }

    pub(super) fn advance(&self, by: TimeDelta) {
        self.clock.set(self.clock.now() + by);
    }

    /// Queues all due deliveries, and sends them.
    pub(super) async fn send(&self) -> usize {
        let mut sent = 0;
        loop {
            let now = self.clock.now();
            let passed = self.desk.mailing.pass(&self.store, now).await;
            passed.expect("a good database");
            let done = self.delivery_loop.pass().await.expect("a good database");
            sent += done;
            let open = mailings::open_mailing(self.store.read()).await;
            if done == 0 && open.expect("a good database").is_none() {
                return sent;
            }
            if done == 0 {
                // The other deliveries are queued for later: the caller continues.
                let queued = mailings::count_queued(self.store.read()).await;
                if queued.expect("a good database") > 0 {
                    return sent;
                }
            }
        }
    }

    /// An address signs up without using the page.
    pub(super) async fn ask(&self, address: &str) -> SignUp {
        let address = MailAddress::read(address).expect("an address");
        let mut tx = self.store.write().await.expect("a transaction");
        let asked = self.desk.mailing.ask(&mut tx, &address, self.clock.now());
        let asked = asked.await.expect("a good database");
        tx.commit().await.expect("room on the disk");
        asked
    }

    /// Confirmed subscribers; no mails are sent about it.
    pub(super) async fn subscribe(&self, addresses: impl IntoIterator<Item = String>) {
        subscribe(&self.store, addresses, self.clock.now()).await;
    }

    pub(super) async fn publish(&self, number: u32) {
        let mut tx = self.store.write().await.expect("a transaction");
        let now = self.clock.now();
        issues::put_issue(&mut tx, &issue(number), "a test", now)
            .await
            .expect("a new number");
        mailings::begin_mailing(&mut tx, number, now)
            .await
            .expect("a good database");
        tx.commit().await.expect("room on the disk");
    }

    pub(super) async fn row(&self, address: &str) -> Option<SubscriberRow> {
        let row = subscribers::subscriber_of(self.store.read().into(), address).await;
        row.expect("a good database")
    }

    pub(super) async fn state(&self, address: &str) -> &'static str {
        self.row(address)
            .await
            .map_or("unknown", |row| row.state.word())
    }

    /// Whether the database's files contain these bytes.
    pub(super) async fn has_bytes(&self, wanted: &str) -> bool {
        self.store.checkpoint().await.expect("a good database");
        let bytes = std::fs::read(&self.database).expect("a file");
        let wanted = wanted.as_bytes();
        bytes
            .windows(wanted.len())
            .any(|found| found.eq_ignore_ascii_case(wanted))
    }
}

/// Confirmed subscribers; no mails are sent about it.
pub(crate) async fn subscribe(
    store: &Store,
    addresses: impl IntoIterator<Item = String>,
    now: DateTime<Utc>,
) {
    let mut tx = store.write().await.expect("a transaction");
    for address in addresses {
        let secret: [u8; 32] = std::array::from_fn(|_| fastrand::u8(..));
        let new = subscribers::NewSubscriber {
            address: &address,
            folded: &address.to_lowercase(),
            secret: &secret,
        };
        let asked = subscribers::ask(&mut tx, new, now).await;
        let subscribers::AskResult::Confirm(id) = asked.expect("a good database") else {
            panic!("{address} is known");
        };
        let confirmed = subscribers::confirm(&mut tx, id, now).await;
        confirmed.expect("a good database");
    }
    tx.commit().await.expect("room on the disk");
}

/// The links of a text.
pub(crate) fn links(text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    let links = words.filter(|word| word.starts_with("http://") || word.starts_with("https://"));
    links.map(str::to_owned).collect()
}

//! Measures the time from "the archive has it" to "the channel shows it", in the loop of `run`.
//!
//! An archive on loopback gets a mail now and then; a feed polls it every second; a chat answers at once. Only the time beyond
//! the poll gap counts.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use bpfnews::app;
use bpfnews::channel::Platform;
use bpfnews::clock::SystemClock;
use bpfnews::config::PlatformKind;
use bpfnews::live::Live;
use bpfnews::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chat::Chat;
use crate::measure::{Measure, percentiles};
use crate::world;

const GAP: Duration = Duration::from_secs(1);
/// Between two mails, on average, not in step with the polls.
const PAUSE: Duration = Duration::from_millis(730);
const TOLD_WITHIN: Duration = Duration::from_secs(30);
/// Entries of a page.
const PAGE: usize = 25;

type Mails = Arc<Mutex<Vec<(usize, DateTime<Utc>)>>>;

pub(crate) async fn lag(scratch: &Path, many: usize) -> anyhow::Result<Value> {
    world::empty(scratch)?;
    let mails: Mails = Arc::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let archive = Router::new()
        .route("/bpf/new.atom", get(page))
        .with_state(Arc::clone(&mails));
    tokio::spawn(async move { axum::serve(listener, archive).await });
    let text = format!(
        "[discord]\ntoken_file = \"token\"\n[[feed]]\nname = \"bpf\"\nkind = \"archive\"\nbpf_only = true\npoll_gap_s = {}\n\
         url = \"http://127.0.0.1:{port}/bpf/\"\n[[channel]]\nname = \"news\"\nplatform = \"discord\"\nid = \"100000000000000000\"\n\
         hourly_max = 100\n",
        GAP.as_secs()
    );
    let file = world::configured(scratch, &text)?;
    let store = Store::open(&file.config.database).await?;
    let chat = Chat::new();
    let platforms = [(
        PlatformKind::Discord,
        Arc::clone(&chat) as Arc<dyn Platform>,
    )];
    let live = Live::open(file, store, Arc::new(SystemClock), platforms.into()).await?;
    // The first poll reads history, which is not posted except for a sample.
    mails
        .lock()
        .expect("no holder panics")
        .extend((0..PAGE).map(|n| (n, Utc::now() - TimeDelta::days(1))));
    let stop = CancellationToken::new();
    let measure = Measure::start()?;
    let come = async {
        tokio::time::sleep(GAP * 3).await;
        let mut came = Vec::new();
        for number in PAGE..PAGE + many {
            came.push((number, Instant::now()));
            mails
                .lock()
                .expect("no holder panics")
                .push((number, Utc::now()));
            tokio::time::sleep(PAUSE + Duration::from_millis(fastrand::u64(0..150))).await;
        }
        let until = Instant::now() + TOLD_WITHIN;
        let is_told = |number: usize| {
            let title = title(number);
            chat.sent().iter().any(|(_, sent)| sent.contains(&title))
        };
        while !(PAGE..PAGE + many).all(is_told) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
        Ok::<_, anyhow::Error>(came)
    };
    let ((), came) = tokio::try_join!(app::run(&live, Vec::new(), None, &stop), come)?;
    let sent = chat.sent();
    let mut beyond = Vec::new();
    for (number, at) in came {
        let title = title(number);
        let shown = sent.iter().find(|(_, sent)| sent.contains(&title));
        let (shown, _) =
            shown.with_context(|| format!("the mail {number} was not told: {:?}", sent.last()))?;
        beyond.push(shown.duration_since(at).saturating_sub(GAP));
    }
    ensure!(beyond.len() == many, "{} were told", beyond.len());
    let (p50, p99) = percentiles(&mut beyond);
    measure.end(
        "lag",
        "ours",
        many as u64,
        &json!({"p50_ms": p50 / 1e3, "p99_ms": p99 / 1e3, "mails": many}),
    )
}

/// The end of a mail's title.
fn title(number: usize) -> String {
    format!("number {number}.")
}

/// The newest page.
async fn page(State(mails): State<Mails>) -> String {
    let mails = mails.lock().expect("no holder panics");
    let entry = |(number, at): &(usize, DateTime<Utc>)| {
        format!(
            "<entry><author><name>Author {number}</name><email>a{number}@example.org</email></author><title type=\"html\">\
             [PATCH bpf-next] bpf: Fix a leak in the map of number {number}.</title><updated>{}</updated>\
             <link href=\"http://archive.example/bpf/m{number}@example.org/\"/><id>urn:uuid:{number}</id>\
             <content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\"><pre>It leaks, and now it does not.\n</pre></div>\
             </content></entry>",
            at.format("%FT%TZ")
        )
    };
    let entries: String = mails.iter().rev().take(PAGE).map(entry).collect();
    format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>bpf</title><id>mailto:bpf@example.org</id>{entries}</feed>"
    )
}

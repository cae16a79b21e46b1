//! The pages of stories, the lists, and the read API, over sockets.

mod api;
mod described;
mod lists;
mod pictures;
mod posts;
mod real;
mod story;
mod subsystems;
mod week;

use std::sync::Arc;

use bpfnews::clock::FixedClock;
use bpfnews::filter::Subsystems;
use bpfnews::store::Store;
use bpfnews::web::{self, ApiAllowance, Site};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::fold::scenario::{FoldStore, Scenario, begin};

/// A site over a database, until this value is dropped.
pub(crate) struct Served {
    pub(crate) url: String,
    _stop: DropGuard,
}

impl Served {
    pub(crate) async fn start(store: Store, now: DateTime<Utc>, rate: ApiAllowance) -> Self {
        Self::begin(store, now, rate, Subsystems::default()).await
    }

    /// A site whose configuration names a MAINTAINERS file.
    async fn start_with(store: Store, now: DateTime<Utc>, subsystems: Subsystems) -> Self {
        Self::begin(store, now, unlimited(), subsystems).await
    }

    async fn begin(
        store: Store,
        now: DateTime<Utc>,
        rate: ApiAllowance,
        subsystems: Subsystems,
    ) -> Self {
        let listener = web::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let site = Site {
            store,
            clock: Arc::new(FixedClock::new(now)),
            name: "BPF updates".to_owned(),
            home: url.clone(),
            subsystems,
            mail: None,
        };
        let stop = CancellationToken::new();
        tokio::spawn(web::serve_at_rate(listener, site, rate, stop.clone()));
        Self {
            url,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.url);
        reqwest::get(&url).await.expect("an answer")
    }

    pub(crate) async fn text(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.expect("a text")
    }

    pub(crate) async fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(path).await).expect("JSON")
    }
}

/// No limit of requests.
pub(crate) fn unlimited() -> ApiAllowance {
    ApiAllowance {
        burst: 1,
        every: TimeDelta::zero(),
    }
}

/// The items of a scenario, folded and served two months after its start.
pub(crate) async fn serve(scenario: &Scenario) -> (FoldStore, Served) {
    let house = FoldStore::new().await;
    house.take(&scenario.items).await;
    let now = begin() + TimeDelta::days(60);
    let served = Served::start(house.store.clone(), now, unlimited()).await;
    (house, served)
}

/// The text of a page as a reader sees it, with single spaces.
pub(crate) fn seen(html: &str) -> String {
    let mut html = html.to_owned();
    for block in ["h1", "h2", "li", "p", "summary"] {
        let end = format!("</{block}>");
        html = html.replace(&end, &format!("{end} "));
    }
    let page = scraper::Html::parse_document(&html);
    let main = scraper::Selector::parse("main").expect("a selector");
    let main = page.select(&main).next().expect("a page has a main part");
    let text: String = main.text().collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The links of a page: each target with its text.
pub(crate) fn links(html: &str) -> Vec<(String, String)> {
    let page = scraper::Html::parse_document(html);
    let link = scraper::Selector::parse("main a[href]").expect("a selector");
    let links = page.select(&link);
    links
        .map(|link| {
            let text: String = link.text().collect();
            (link.attr("href").unwrap_or_default().to_owned(), text)
        })
        .collect()
}

/// A unique title of three generated words. Similar titles would become one story.
pub(crate) fn title(number: u64) -> String {
    let mut random = fastrand::Rng::with_seed(number + 1);
    let mut word = || (0..9).map(|_| random.lowercase()).collect::<String>();
    format!("{} {} {}", word(), word(), word())
}

//! Makes the requests of walks with the right HTTP client, and reads the answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::shared_state::SharedState;
use crate::clock::Clock;
use crate::config::{Config, FeedConfig, host_and_port};
use crate::source::fetch::Fetcher;
use crate::source::git::GitQuestion;
use crate::source::{Answer, Body, FetchError, Goal, Method, Page, Request, Source, Walk};
use crate::store::feeds::FeedRow;
use crate::story::machine::Machines;
use crate::story::reading::EarlyReadings;

/// The most requests to look at a feed: for a news server it takes two, for each address.
const LOOK_REQUESTS_MAX: usize = 20;

pub(super) struct FeedReader {
    /// For feeds of the configuration file.
    pub(super) fetcher: Arc<Fetcher>,
    /// For feeds that were added in chat.
    guarded: Fetcher,
    /// The names of the feeds that were added in chat.
    from_chat: BTreeSet<String>,
    clock: Arc<dyn Clock>,
    shared: Arc<SharedState>,
    machines: Arc<Machines>,
}

impl FeedReader {
    pub(super) fn new(
        config: &Config,
        fetcher: Arc<Fetcher>,
        clock: Arc<dyn Clock>,
        shared: Arc<SharedState>,
    ) -> Self {
        Self {
            guarded: fetcher.narrowed(&config.network, &places(config)),
            fetcher,
            from_chat: config.from_chat.clone(),
            clock,
            shared,
            machines: Arc::new(config.relevance.machines.clone()),
        }
    }

    /// Fetches a feed once without storing anything, and returns the page.
    pub(super) async fn look(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        self.look_by(feed, self.fetcher_of(&feed.name)).await
    }

    /// The same for a feed with an address from chat.
    pub(super) async fn look_guarded(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        self.look_by(feed, &self.guarded).await
    }

    async fn look_by(&self, feed: &FeedConfig, fetcher: &Fetcher) -> Result<Page, FetchError> {
        let source = Source::open(feed);
        let mut walk = source
            .begin(None, Goal::Poll, self.clock.now())
            .map_err(|why| FetchError::Broken { why })?;
        for _ in 0..LOOK_REQUESTS_MAX {
            let Some(request) = walk.next() else {
                break;
            };
            // A look only asks git whether the branch or the list is there.
            if brings_history(&request) {
                break;
            }
            let answer = fetcher.fetch(&request).await;
            let (walked, read) = self.shared.pool.read(walk, answer, None).await;
            let page = read?;
            if !page.is_interim {
                return Ok(page);
            }
            walk = walked;
        }
        Ok(Page::default())
    }

    /// Makes a walk's request, unless the process died while it read the same document.
    pub(super) async fn fetch(
        &self,
        row: &FeedRow,
        request: &Request,
    ) -> Result<Answer, FetchError> {
        let until = self
            .shared
            .attempts()
            .and_then(|attempts| attempts.left_alone_until(row.id, &request.url, self.clock.now()));
        if let Some(until) = until {
            let until = until.format("%Y-%m-%d %H:%M");
            let why = format!(
                "{}: bpfnews crashed more than once while it read this, so it skips it until {until} UTC",
                request.url
            );
            return Err(FetchError::Broken { why });
        }
        self.fetcher_of(&row.name).fetch(request).await
    }

    /// Reads the answer to a walk's request.
    pub(super) async fn read(
        &self,
        row: &FeedRow,
        request: &Request,
        walk: Walk,
        answer: Result<Answer, FetchError>,
    ) -> (Walk, Result<Page, FetchError>) {
        let has_document = |answer: &Answer| matches!(answer.body, Body::Bytes { .. });
        let is_read = answer.as_ref().is_ok_and(has_document);
        let attempts = self.shared.attempts().filter(|_| is_read);
        let attempt = attempts.and_then(|attempts| attempts.begin(row.id, &request.url));
        self.shared.pool.read(walk, answer, attempt).await
    }

    /// Reads the items of a page that no feed has shown, before the transaction that stores them.
    pub(super) async fn read_early(
        &self,
        page: Page,
        unknown: Vec<usize>,
    ) -> Result<(Page, EarlyReadings), FetchError> {
        let machines = Arc::clone(&self.machines);
        self.shared.pool.read_early(page, unknown, machines).await
    }

    fn fetcher_of(&self, feed: &str) -> &Fetcher {
        match self.from_chat.contains(feed) {
            true => &self.guarded,
            false => &self.fetcher,
        }
    }
}

/// Whether git would fetch commits for this request.
fn brings_history(request: &Request) -> bool {
    match &request.method {
        Method::Git(question) => !matches!(**question, GitQuestion::Tip { .. }),
        Method::Get | Method::Post | Method::News(_) => false,
    }
}

/// The hosts and ports of the file's own feeds. Feeds from chat may use them too.
fn places(config: &Config) -> Vec<(String, u16)> {
    let own = |feed: &&Arc<FeedConfig>| !config.from_chat.contains(&feed.name);
    let places = |feed: &Arc<FeedConfig>| {
        let places = feed.ways().iter().filter_map(host_and_port);
        let places: Vec<_> = places.collect();
        places
    };
    let places = config.feeds.iter().filter(own).flat_map(places);
    places
        .map(|(host, port)| (host.to_string(), port))
        .collect()
}

//! Makes the requests of walks with the right HTTP client, and reads the answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::shared_state::SharedState;
use crate::clock::Clock;
use crate::config::{Config, FeedConfig, as_http, is_git};
use crate::source::fetch::Fetcher;
use crate::source::{Answer, Body, FetchError, Goal, Page, Request, Source, Walk};
use crate::store::feeds::FeedRow;

pub(super) struct FeedReader {
    /// For feeds of the configuration file.
    pub(super) fetcher: Arc<Fetcher>,
    /// For feeds that were added in chat.
    guarded: Fetcher,
    /// The names of the feeds that were added in chat.
    from_chat: BTreeSet<String>,
    clock: Arc<dyn Clock>,
    shared: Arc<SharedState>,
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
        let Some(request) = walk.next() else {
            return Ok(Page::default());
        };
        let answer = fetcher.fetch(&request).await;
        let (_, read) = self.shared.pool.read(walk, answer, None).await;
        read
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
                "{}: bpfnews ended more than once while it read this, so it is left alone until {until} UTC",
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

    fn fetcher_of(&self, feed: &str) -> &Fetcher {
        match self.from_chat.contains(feed) {
            true => &self.guarded,
            false => &self.fetcher,
        }
    }
}

/// The hosts and ports of the file's own feeds. Feeds from chat may use them too.
fn places(config: &Config) -> Vec<(String, u16)> {
    let own = |feed: &&Arc<FeedConfig>| !config.from_chat.contains(&feed.name);
    let place = |feed: &Arc<FeedConfig>| {
        let url = match is_git(&feed.url) {
            true => as_http(&feed.url)?,
            false => feed.url.clone(),
        };
        Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
    };
    config.feeds.iter().filter(own).filter_map(place).collect()
}

//! Which HTTP client asks for a feed, and looking at one without keeping anything.

use std::sync::Arc;

use super::Ingest;
use crate::config::{Config, FeedConfig, as_http, is_git};
use crate::source::fetch::Fetcher;
use crate::source::git::GitQuestion;
use crate::source::{Answer, Body, FetchError, Goal, Method, Page, Request, Source, Walk};
use crate::store::feeds::FeedRow;

impl Ingest {
    /// Fetches a feed once without storing anything, and returns the page.
    ///
    /// # Errors
    ///
    /// Returns the error of the request, or of the page.
    pub async fn look(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        self.look_by(feed, self.fetcher_of(&feed.name)).await
    }

    /// The same for a feed with an address from chat.
    ///
    /// # Errors
    ///
    /// Returns the error of the request, or of the page.
    pub async fn look_guarded(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        self.look_by(feed, &self.guarded).await
    }

    async fn look_by(&self, feed: &FeedConfig, fetcher: &Fetcher) -> Result<Page, FetchError> {
        let source = Source::open(feed);
        let mut walk = source
            .begin(None, Goal::Poll, self.clock.now())
            .map_err(|why| FetchError::Broken { why })?;
        let is_by_git = is_git(&feed.url);
        let mut page = Page::default();
        while let Some(request) = walk.next() {
            if is_by_git && brings_history(&request) {
                break;
            }
            let answer = fetcher.fetch(&request).await;
            let (walked, read) = self.lasting.reading.read(walk, answer, None).await;
            page = read?;
            walk = walked;
            if !is_by_git {
                break;
            }
        }
        Ok(page)
    }

    /// Makes a walk's request, unless the process died while it read the same document.
    pub(super) async fn fetch(
        &self,
        row: &FeedRow,
        request: &Request,
    ) -> Result<Answer, FetchError> {
        let attempts = self.lasting.attempts.get();
        let until = attempts
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
    pub(super) async fn read_answer(
        &self,
        row: &FeedRow,
        request: &Request,
        walk: Walk,
        answer: Result<Answer, FetchError>,
    ) -> (Walk, Result<Page, FetchError>) {
        let has_document = |answer: &Answer| matches!(answer.body, Body::Bytes { .. });
        let is_read = answer.as_ref().is_ok_and(has_document);
        let attempts = self.lasting.attempts.get().filter(|_| is_read);
        let attempt = attempts.and_then(|attempts| attempts.begin(row.id, &request.url));
        self.lasting.reading.read(walk, answer, attempt).await
    }

    /// The HTTP client for a feed.
    pub(super) fn fetcher_of(&self, feed: &str) -> &Fetcher {
        match self.from_chat.contains(feed) {
            true => &self.guarded,
            false => &self.fetcher,
        }
    }
}

/// Whether git would fetch commits for this request. A look only asks whether they are there.
fn brings_history(request: &Request) -> bool {
    match &request.method {
        Method::Git(question) => !matches!(**question, GitQuestion::Tip { .. }),
        Method::Get | Method::Post => false,
    }
}

/// The hosts and ports of the file's own feeds. Feeds from chat may use them too.
pub(super) fn places(config: &Config) -> Vec<(String, u16)> {
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

//! Which HTTP client asks for a feed, and looking at one without keeping anything.

use std::sync::Arc;

use super::Ingest;
use crate::config::{Config, FeedConfig};
use crate::source::fetch::Fetcher;
use crate::source::{FetchError, Goal, Page, Source};

impl Ingest {
    /// Fetches a feed once without keeping anything, and says what it saw.
    ///
    /// # Errors
    ///
    /// Why it gave nothing.
    pub async fn look(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
        self.look_by(feed, self.fetcher_of(&feed.name)).await
    }

    /// The same for a feed whose address somebody gave in chat.
    ///
    /// # Errors
    ///
    /// Why it gave nothing.
    pub async fn look_guarded(&self, feed: &FeedConfig) -> Result<Page, FetchError> {
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
        walk.read(fetcher.fetch(&request).await)
    }

    /// The HTTP client for a feed.
    pub(super) fn fetcher_of(&self, feed: &str) -> &Fetcher {
        match self.from_chat.contains(feed) {
            true => &self.guarded,
            false => &self.fetcher,
        }
    }
}

/// Where the file's own feeds are read: what was added in chat may be read there too.
pub(super) fn places(config: &Config) -> Vec<(String, u16)> {
    let own = |feed: &&Arc<FeedConfig>| !config.from_chat.contains(&feed.name);
    let place = |feed: &Arc<FeedConfig>| {
        let host = feed.url.host_str()?.to_owned();
        Some((host, feed.url.port_or_known_default()?))
    };
    config.feeds.iter().filter(own).filter_map(place).collect()
}

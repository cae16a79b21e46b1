//! Mailing-list archives, read by NNTP (RFC 3977): `nntps://HOST/GROUP`.
//!
//! A server gives each article of a group a number, in the order of arrival, and never gives a number twice. So the number of
//! the last article that was read is the cursor. A poll without news asks for the group's highest number, and that is all. If
//! the number has moved, the walk reads the articles behind the cursor, oldest first, in pages of fifty. Before each page the
//! server lists the numbers that exist, so the walk knows whether the page is complete:
//!
//! - a number that is not listed was expired or purged, or is still to come: it is asked for again for two days;
//! - a listed article that does not come is a gap, and is asked for again for longer.
//!
//! The Message-ID of the last article is kept too. If its number leads to another article, or the highest number went back
//! and leads to an unknown one, the group was made anew. Then the walk searches for the time of the last article instead.

pub(in crate::source) mod frame;
mod holes;
mod search;
mod walk;

use url::Url;

pub use self::walk::NewsWalk;
pub(in crate::source) use self::walk::{CURSOR_WORD, completeness, read_to};
use super::request::{NewsQuestion, NewsRequest, Request};
use crate::config::{NewsLogin, host_and_port};

/// The largest number of an article (RFC 3977, section 6).
pub(in crate::source) const NUMBER_MAX: u64 = (1 << 31) - 1;

/// A newsgroup.
#[derive(Debug, Clone)]
pub struct Newsgroup {
    url: Url,
    login: Option<NewsLogin>,
}

impl Newsgroup {
    /// The group at `url` (`nntps://HOST/GROUP`), read with this account if there is one.
    pub fn new(url: &Url, login: Option<&NewsLogin>) -> Self {
        Self {
            url: url.clone(),
            login: login.cloned(),
        }
    }

    /// Its name in cursors: numbers mean something only there.
    fn identity(&self) -> String {
        let group = self.url.path().trim_matches('/');
        match host_and_port(&self.url) {
            Some((host, port)) => format!("{host}:{port}/{group}"),
            None => group.to_owned(),
        }
    }

    pub(in crate::source) fn request(&self, ask: NewsQuestion) -> Request {
        let login = self.login.clone();
        Request::news(self.url.clone(), NewsRequest { ask, login })
    }
}

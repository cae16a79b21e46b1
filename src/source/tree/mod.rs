//! Kernel trees: the commit feed of cgit or of GitHub, and the way back past its window.
//!
//! A commit feed shows the newest ten or twenty commits and nothing of its history's shape. When its tip has moved,
//! cgit's log page for `LAST..TIP` tells every commit that came, merges and what they brought included; one mbox of
//! patches then fills in what the log leaves out. Where the log does not answer (GitHub has none, a wall may stand
//! before it) or the last tip is gone (the branch was rebased), the feed is walked back by hash instead, which is
//! complete on a straight line and is recorded as a gap where merges were met.

mod page;
mod walk;

use url::Url;

use crate::item::CommitHash;

use self::walk::Pending;
pub use self::walk::Walk;

/// A branch of a tree, limited to some paths or whole.
#[derive(Debug, Clone)]
pub struct Tree {
    base: Url,
    branch: String,
    /// At least one; the empty path is the whole tree.
    paths: Vec<String>,
}

impl Tree {
    /// The tree at `base`: a cgit repository or a GitHub one.
    pub fn new(base: &Url, branch: &str, paths: &[String]) -> Self {
        let paths = if paths.is_empty() {
            vec![String::new()]
        } else {
            paths.to_vec()
        };
        Self {
            base: base.clone(),
            branch: branch.to_owned(),
            paths,
        }
    }

    fn is_github(&self) -> bool {
        self.base.host_str() == Some("github.com")
    }

    fn feed_url(&self, path: &str, revision: &str) -> Url {
        if self.is_github() {
            let ending = if path.is_empty() {
                format!("{revision}.atom")
            } else {
                format!("{revision}/{path}.atom")
            };
            return self.below("commits", &ending);
        }
        let mut url = self.below("atom", path);
        url.query_pairs_mut().append_pair("h", revision);
        url
    }

    fn log_url(&self, path: &str, log: &Pending) -> Url {
        let range = match &log.from {
            Some(from) => format!("{from}..{}", log.to),
            None => log.to.to_string(),
        };
        let mut url = self.below("log", path);
        url.query_pairs_mut()
            .append_pair("h", &self.branch)
            .append_pair("qt", "range")
            .append_pair("q", &range)
            .append_pair("showmsg", "1");
        if log.offset > 0 {
            url.query_pairs_mut()
                .append_pair("ofs", &log.offset.to_string());
        }
        url
    }

    fn patches_url(&self, path: &str, from: &CommitHash, to: &CommitHash) -> Url {
        let mut url = self.below("patch", path);
        url.query_pairs_mut()
            .append_pair("id", to.as_str())
            .append_pair("id2", from.as_str());
        url
    }

    /// `BASE/page/path`, with the slash that cgit wants behind `page` where there is no path.
    fn below(&self, page: &str, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(page).extend(path.split('/'));
        }
        url
    }
}

/// Where a person reads a commit of the tree at `base`.
pub fn commit_url(base: &Url, hash: &str) -> Url {
    let mut url = base.clone();
    let github = base.host_str() == Some("github.com");
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .push("commit")
            .push(if github { hash } else { "" });
    }
    if !github {
        url.query_pairs_mut().append_pair("id", hash);
    }
    url
}

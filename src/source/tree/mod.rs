//! Kernel trees: the commit feed of cgit or of GitHub, and the older commits below it.
//!
//! A commit feed shows the newest ten or twenty commits and not how they descend from each other. When its tip has moved,
//! cgit's log page for `LAST..TIP` lists every new commit, with merges and the commits that they brought. One mbox of patches
//! then adds author addresses, author dates and diffstats. If the log does not answer (GitHub has none, a wall may stand
//! before it) or the last tip is gone (the branch was rebased), the walk reads the feed as of the oldest commit it has, again
//! and again. That is complete on a straight line; if there are merges, a gap is recorded.

mod page;
mod walk;

use url::Url;

use crate::item::CommitHash;

use self::walk::PendingLog;
pub use self::walk::TreeWalk;

/// A branch of a tree, limited to some paths or whole.
#[derive(Debug, Clone)]
pub struct Tree {
    base: Url,
    branch: String,
    /// Never empty; an empty path is the whole tree.
    paths: Vec<String>,
}

impl Tree {
    /// The paths, or one empty path for the whole branch.
    pub(super) fn paths(&self) -> &[String] {
        &self.paths
    }

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

    fn log_url(&self, path: &str, log: &PendingLog, with_messages: bool) -> Url {
        let range = match &log.from {
            Some(from) => format!("{from}..{}", log.to),
            None => log.to.to_string(),
        };
        let mut url = self.below("log", path);
        url.query_pairs_mut()
            .append_pair("h", &self.branch)
            .append_pair("qt", "range")
            .append_pair("q", &range);
        if with_messages {
            url.query_pairs_mut().append_pair("showmsg", "1");
        }
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

    /// GitHub's mbox of a commit; for a merge, of the commits that it brought.
    fn merge_url(&self, merge: &CommitHash) -> Url {
        self.below("commit", &format!("{merge}.patch"))
    }

    /// `BASE/page/path`. cgit needs the slash behind `page` even if there is no path.
    fn below(&self, page: &str, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(page).extend(path.split('/'));
        }
        url
    }
}

/// The page on which a person reads a commit of the tree at `base`.
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

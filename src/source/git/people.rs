//! The pages that people read of what git reads, where a rule leads from one to the other.

use url::Url;

use crate::config::as_http;
use crate::source::{archive, tree};

/// The page of a commit of the repository at `base`: on GitHub, and on kernel.org, whose cgit has the same paths. `None` for
/// other hosts.
pub(crate) fn commit_page(base: &Url, hash: &str) -> Option<Url> {
    let mut page = as_http(base)?;
    match page.host_str()? {
        "github.com" => {
            let path = page.path().trim_end_matches('/');
            let path = path.strip_suffix(".git").unwrap_or(path).to_owned();
            page.set_path(&path);
        }
        "git.kernel.org" => {}
        _ => return None,
    }
    Some(tree::commit_url(&secure(page)?, hash))
}

/// The page of a mail: public-inbox serves pages, and repositories below them. `None` for git's own protocol, except at
/// kernel.org.
pub(crate) fn message_page(base: &Url, id: &str) -> Option<Url> {
    let page = as_http(base)?;
    if base.scheme() != "git" {
        return Some(archive::message_url(&page, id));
    }
    let is_lore = page.host_str() == Some("lore.kernel.org");
    let page = is_lore.then(|| secure(page)).flatten()?;
    Some(archive::message_url(&page, id))
}

fn secure(mut page: Url) -> Option<Url> {
    page.set_scheme("https").ok()?;
    page.set_port(None).ok()?;
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_from_known_hosts_only() {
        let hash = "0123456789012345678901234567890123456789";
        let commit = |base: &str| {
            let page = commit_page(&Url::parse(base).expect("a URL"), hash);
            page.map(|page| page.as_str().replace(hash, "HASH"))
        };
        #[rustfmt::skip]
        let table = [
            ("git+https://github.com/torvalds/linux.git", Some("https://github.com/torvalds/linux/commit/HASH")),
            ("git://git.kernel.org/pub/scm/a/b.git", Some("https://git.kernel.org/pub/scm/a/b.git/commit/?id=HASH")),
            ("git+https://git.kernel.org/pub/scm/a/b.git", Some("https://git.kernel.org/pub/scm/a/b.git/commit/?id=HASH")),
            ("git+https://git.example.org/a.git", None),
        ];
        for (base, page) in table {
            assert_eq!(commit(base).as_deref(), page, "{base}");
        }
        let mail = |base: &str| {
            let page = message_page(&Url::parse(base).expect("a URL"), "1@x");
            page.map(String::from)
        };
        assert_eq!(
            mail("git+https://lore.kernel.org/bpf/").as_deref(),
            Some("https://lore.kernel.org/bpf/1@x/")
        );
        assert_eq!(
            mail("git://lore.kernel.org/bpf/").as_deref(),
            Some("https://lore.kernel.org/bpf/1@x/")
        );
        assert_eq!(mail("git://example.org/bpf/"), None);
    }
}

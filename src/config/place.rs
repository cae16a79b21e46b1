//! The URL of a feed, in the canonical form of its kind.

use url::Url;

use super::git_address::{as_http, back, is_git};
use super::reader::{Field, quoted};
use super::upstream::UpstreamKind;

pub(super) const URL_RIGHT: &str = "an http or https URL, such as \"https://lore.kernel.org/bpf/\"";

const GIT_RIGHT: &str =
    "an address that git reads, such as \"git+https://git.example.org/linux.git\"";

/// Reads a URL into the canonical form of its kind, so that one place has one spelling.
pub(super) fn read_url(field: &Field<'_, '_>, kind: Option<UpstreamKind>) -> Option<Url> {
    let text = field.text(URL_RIGHT)?;
    let checked = check_url(text, kind).and_then(|url| match is_git(&url) {
        true => git_url(&url, kind),
        false => url_of_kind(url, kind),
    });
    checked.map_err(|message| field.note(message)).ok()
}

fn url_of_kind(url: Url, kind: Option<UpstreamKind>) -> Result<Url, String> {
    match kind {
        Some(UpstreamKind::Tree) => tree_url(url),
        Some(UpstreamKind::Archive) => archive_url(url),
        Some(UpstreamKind::Lwn | UpstreamKind::Feed) | None => Ok(url),
    }
}

/// An address that git reads has the form of the same address without `git+`.
fn git_url(url: &Url, kind: Option<UpstreamKind>) -> Result<Url, String> {
    let wrong = || format!("expected {GIT_RIGHT}, found {}", quoted(url.as_str()));
    let http = as_http(url).ok_or_else(wrong)?;
    let http = url_of_kind(http, kind).map_err(|message| {
        let scheme = url.scheme();
        format!("{message} (with {scheme}: in front, as git reads it)")
    })?;
    back(url, &http).ok_or_else(wrong)
}

/// The rules for every URL. Messages never repeat a URL that may contain a password.
fn check_url(text: &str, kind: Option<UpstreamKind>) -> Result<Url, String> {
    let shown = if text.contains('@') {
        "one with an \"@\" in it".to_owned()
    } else {
        quoted(text)
    };
    let wrong = |why: &str| Err(format!("expected {URL_RIGHT}, found {shown}{why}"));
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return wrong(" with a space or a control character in it");
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(&format!(": {error}")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        let message = "has a user or a password in it; never write secrets into the configuration";
        return Err(message.to_owned());
    }
    let may_be_git = !matches!(kind, Some(UpstreamKind::Lwn | UpstreamKind::Feed));
    if is_git(&url) && !may_be_git {
        return wrong("; git reads feeds of kind \"tree\" and \"archive\" only");
    }
    if !matches!(url.scheme(), "http" | "https") && !is_git(&url) {
        return wrong("");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return wrong(", which has no host");
    }
    if url.fragment().is_some() {
        return Err(
            "has a fragment (from the \"#\" on), which is never sent; remove it".to_owned(),
        );
    }
    Ok(url)
}

/// A tree's URL is its repository's page, without a trailing slash.
fn tree_url(mut url: Url) -> Result<Url, String> {
    if url.query().is_some() {
        return Err(
            "has a query (from the \"?\" on); name a branch by `branch`, folders by `paths`"
                .to_owned(),
        );
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let host = url.host_str().unwrap_or_default();
    if host == "github.com" || host == "www.github.com" {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let [owner, repository] = parts[..] else {
            return Err(
                "expected https://github.com/OWNER/REPOSITORY for a tree on GitHub".to_owned(),
            );
        };
        let repository = repository.strip_suffix(".git").unwrap_or(repository);
        if host != "github.com" || owner.is_empty() || repository.is_empty() {
            return Err(
                "expected https://github.com/OWNER/REPOSITORY for a tree on GitHub".to_owned(),
            );
        }
        let path = format!("/{owner}/{repository}");
        url.set_path(&path);
        return Ok(url);
    }
    if path.is_empty() {
        let message = "is only a host; expected a cgit repository, such as \
                       https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git";
        return Err(message.to_owned());
    }
    // cgit's pages are directly below the repository, which ends in .git at kernel.org.
    if let Some((repository, page)) = path.split_once(".git/") {
        url.set_path(&format!("{repository}.git"));
        return Err(format!(
            "leads to the page {} inside a repository; write {}",
            quoted(page),
            url.as_str()
        ));
    }
    url.set_path(&path);
    Ok(url)
}

/// An archive's URL is the list's base URL, with a trailing slash.
fn archive_url(mut url: Url) -> Result<Url, String> {
    if url.query().is_some() {
        return Err("has a query (from the \"?\" on); write a search as `query`".to_owned());
    }
    let path = url.path().to_owned();
    if let Some((list, page)) = path
        .rsplit_once('/')
        .filter(|(_, page)| page.ends_with(".atom"))
    {
        let page = page.to_owned();
        url.set_path(&format!("{list}/"));
        return Err(format!(
            "leads to {page}, one page of the list; write {}",
            url.as_str()
        ));
    }
    if path == "/" && url.host_str() == Some("lore.kernel.org") {
        return Err("is not a list; expected one such as https://lore.kernel.org/bpf/".to_owned());
    }
    if !path.ends_with('/') {
        url.set_path(&format!("{path}/"));
    }
    Ok(url)
}

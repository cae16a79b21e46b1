//! Parsing one `[[feed]]`: the keys of its kind, and their values. Never touches the network.

use std::path::Path;
use std::time::Duration;

use url::Url;

use super::git_address::is_git;
use super::network::NetworkConfig;
use super::place::{URL_RIGHT, is_news, read_urls};
use super::platform::read_path as read_file_path;
use super::reader::{Field, Table, quoted};
use super::upstream::{
    FeedAddresses, FeedConfig, FeedKind, Gives, Identity, KINDS, NewsLogin, TreeRole, UpstreamKind,
};

/// The longest name of a feed, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The shortest poll gap in seconds, except for private hosts: no public server gets more than two polls a minute.
const POLL_GAP_S_MIN: u64 = 30;

/// The longest poll gap: one week, in seconds.
const POLL_GAP_S_MAX: u64 = 7 * 24 * 60 * 60;

/// The most paths of one tree: each costs a request at every poll.
const PATHS_MAX: usize = 32;

/// The largest `new_max`, which is also the most entries read from one document.
const NEW_MAX_MOST: u64 = 2_000;

const BRANCH_DEFAULT: &str = "master";

/// Keys that only one kind has.
const OWN_KEYS: &[(&str, UpstreamKind)] = &[
    ("branch", UpstreamKind::Tree),
    ("paths", UpstreamKind::Tree),
    ("role", UpstreamKind::Tree),
    ("query", UpstreamKind::Archive),
    ("gives", UpstreamKind::Feed),
    ("identity", UpstreamKind::Feed),
];

/// The default poll gap of the kind, in seconds.
fn poll_gap_s(kind: UpstreamKind) -> u64 {
    match kind {
        UpstreamKind::Tree => 600,
        UpstreamKind::Archive => 300,
        UpstreamKind::Lwn => 1800,
        UpstreamKind::Feed => 3600,
    }
}

pub(super) struct ReadFeed {
    /// Its name in messages: `feed[3] "bpf-next"`.
    pub(super) place: String,
    /// Its name and the line of the name, if it is valid. No other feed may use it, even if this one is bad.
    pub(super) name: Option<(String, usize)>,
    /// The line of its URL, or of its header if it has none.
    pub(super) line: usize,
    /// The identities of its upstream, one for each address, if those keys are good. Two feeds with the same one would read
    /// everything twice.
    pub(super) upstreams: Vec<String>,
    /// The feed, if all of it is good.
    pub(super) feed: Option<FeedConfig>,
}

/// The keys that depend on the kind. `None` if a value is wrong.
struct KindKeys {
    branch: Option<String>,
    paths: Option<Vec<String>>,
    role: Option<TreeRole>,
    query: Option<Option<String>>,
    gives: Option<Option<Gives>>,
    identity: Option<Identity>,
    new_max: Option<usize>,
}

impl KindKeys {
    fn upstream(&self, kind: UpstreamKind, url: &Url) -> Option<String> {
        let part = match kind {
            UpstreamKind::Tree => self.branch.as_deref()?,
            UpstreamKind::Archive => self.query.as_ref()?.as_deref().unwrap_or_default(),
            UpstreamKind::Lwn | UpstreamKind::Feed => "",
        };
        Some(format!("{} {url} {part}", kind.word()))
    }

    fn into_kind(self, kind: UpstreamKind) -> Option<FeedKind> {
        Some(match kind {
            UpstreamKind::Tree => FeedKind::Tree {
                branch: self.branch?,
                paths: self.paths?,
                role: self.role?,
            },
            UpstreamKind::Archive => FeedKind::Archive { query: self.query? },
            UpstreamKind::Lwn => FeedKind::Lwn,
            UpstreamKind::Feed => FeedKind::Feed {
                gives: self.gives?,
                identity: self.identity?,
            },
        })
    }
}

/// Reads one `[[feed]]` and records its problems.
pub(super) fn read(mut table: Table<'_, '_>, network: &NetworkConfig, folder: &Path) -> ReadFeed {
    let name = read_name(&mut table);
    let kind = table.need("kind", "one of tree, archive, lwn, feed");
    let kind = kind.and_then(|field| field.one_of(KINDS));
    let url_field = table.need("url", URL_RIGHT);
    let line = url_field.as_ref().map_or(table.line(), Field::line);
    let urls = url_field.and_then(|field| read_urls(field, kind));
    let url = urls.as_deref().and_then(page_address);
    let poll_gap = read_poll_gap(&mut table, kind, url.as_ref(), network);
    let bpf_only = match table.take("bpf_only") {
        Some(field) => field.truth(),
        // A blog, a project or a video channel is listed because all of it is about BPF.
        None => Some(kind == Some(UpstreamKind::Feed)),
    };
    let login = read_login(&mut table, urls.as_deref(), network, folder);
    let own = read_own(&mut table, kind, urls.as_deref());
    let new_max = own.new_max;
    let place = table.place().to_owned();
    table.finish();
    let upstreams = kind.into_iter().flat_map(|kind| {
        let urls = urls.iter().flatten();
        urls.filter_map(|url| own.upstream(kind, url))
            .collect::<Vec<_>>()
    });
    let upstreams = upstreams.collect();
    let kind = kind.and_then(|kind| own.into_kind(kind));
    let addresses = urls.zip(login).map(|(urls, login)| FeedAddresses {
        all: if urls.len() > 1 { urls } else { Vec::new() },
        login,
    });
    let place_of_it = url.zip(addresses);
    let feed = match (&name, place_of_it, poll_gap, kind, bpf_only, new_max) {
        (
            Some((name, _)),
            Some((url, addresses)),
            Some(poll_gap),
            Some(kind),
            Some(bpf_only),
            Some(new_max),
        ) => Some(FeedConfig {
            name: name.clone(),
            url,
            addresses,
            poll_gap,
            bpf_only,
            new_max,
            kind,
        }),
        _ => None,
    };
    ReadFeed {
        place,
        name,
        line,
        upstreams,
        feed,
    }
}

/// The address with pages for people: the first by http, or else the first.
fn page_address(urls: &[Url]) -> Option<Url> {
    let page = urls.iter().find(|url| url.scheme().starts_with("http"));
    page.or_else(|| urls.first()).cloned()
}

/// Reads the account at a news server; `None` if it is wrong. A password is sent in clear text only to private hosts.
fn read_login(
    table: &mut Table<'_, '_>,
    urls: Option<&[Url]>,
    network: &NetworkConfig,
    folder: &Path,
) -> Option<Option<NewsLogin>> {
    const USER: &str = "the name of an account at the news server";
    const FILE: &str = "the path of a file that holds the account's password";
    let (user, file) = (table.take("user"), table.take("password_file"));
    let (user, file) = match (user, file) {
        (None, None) => return Some(None),
        (Some(user), Some(file)) => (user, file),
        (Some(user), None) => {
            user.note("needs `password_file` beside it");
            return None;
        }
        (None, Some(file)) => {
            file.note("needs `user` beside it");
            return None;
        }
    };
    let name = user.text(USER)?.to_owned();
    if name.is_empty() || name.len() > 100 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        user.expected(USER);
        return None;
    }
    let password_file = read_file_path(&file, FILE, folder)?;
    let news: Vec<&Url> = urls
        .unwrap_or_default()
        .iter()
        .filter(|url| is_news(url))
        .collect();
    if urls.is_some() && news.is_empty() {
        user.note("belongs to feeds with an nntps:// address");
        return None;
    }
    let in_clear = |url: &&&Url| url.scheme() == "nntp" && !network.allows_private(url);
    if news.iter().any(|url| in_clear(&url)) {
        user.note("would be sent to an nntp:// address in clear text; use nntps://");
        return None;
    }
    Some(Some(NewsLogin {
        user: name,
        password_file,
    }))
}

/// Reads the name, which later messages about the table include.
pub(super) fn read_name(table: &mut Table<'_, '_>) -> Option<(String, usize)> {
    const RIGHT: &str = "a name of 1 to 64 letters, digits and any of . _ - / +";
    let field = table.need("name", RIGHT)?;
    let name = field.text(RIGHT)?.to_owned();
    let is_good = |c: char| c.is_ascii_alphanumeric() || "._-/+".contains(c);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(is_good) {
        field.expected(RIGHT);
        return None;
    }
    table.call(&name);
    Some((name, field.line()))
}

/// Reads the poll gap; the default depends on the kind.
fn read_poll_gap(
    table: &mut Table<'_, '_>,
    kind: Option<UpstreamKind>,
    url: Option<&Url>,
    network: &NetworkConfig,
) -> Option<Duration> {
    let Some(field) = table.take("poll_gap_s") else {
        return kind.map(|kind| Duration::from_secs(poll_gap_s(kind)));
    };
    let least = match url {
        Some(url) if network.allows_private(url) => 1,
        // A bad URL may mean a private host. A gap that would be right there is not reported.
        None if network.allow_private_hosts.is_empty() => POLL_GAP_S_MIN,
        None if field.number().is_some_and(|gap_s| gap_s >= 1) => 1,
        Some(_) | None => POLL_GAP_S_MIN,
    };
    let seconds = field.whole("seconds", least..=POLL_GAP_S_MAX)?;
    Some(Duration::from_secs(seconds))
}

/// Reads the keys that only one kind has. If the kind itself is wrong, checks them all and refuses none.
fn read_own(
    table: &mut Table<'_, '_>,
    kind: Option<UpstreamKind>,
    urls: Option<&[Url]>,
) -> KindKeys {
    for (key, owner) in OWN_KEYS {
        let Some(kind) = kind.filter(|kind| kind != owner) else {
            continue;
        };
        if let Some(field) = table.take(key) {
            let (owner, kind) = (owner.word(), kind.word());
            field.note(format!(
                "belongs to feeds of kind \"{owner}\"; this feed is of kind \"{kind}\""
            ));
        }
    }

    let branch = match table.take("branch") {
        Some(field) => read_branch(&field),
        None => Some(BRANCH_DEFAULT.to_owned()),
    };
    let paths = match table.take("paths") {
        Some(field) => read_paths(field),
        None => Some(Vec::new()),
    };
    let role = match table.take("role") {
        Some(field) => field.one_of(&TreeRole::ALL.map(|role| (role.word(), role))),
        None => Some(TreeRole::Topic),
    };
    let query = match table.take("query") {
        Some(field) if urls.is_some_and(|urls| urls.iter().all(is_git)) => {
            field.note("git cannot search; use the list's http address, or leave this key out");
            None
        }
        Some(field) => read_query(&field, urls).map(Some),
        None => Some(None),
    };
    let gives = match table.take("gives") {
        Some(field) => field
            .one_of(&Gives::ALL.map(|gives| (gives.word(), gives)))
            .map(Some),
        None => Some(None),
    };
    let identity = match table.take("identity") {
        Some(field) => field.one_of(&[("link", Identity::Link), ("guid", Identity::Guid)]),
        None => Some(Identity::default()),
    };

    let new_max = match table.take("new_max") {
        Some(field) => read_new_max(&field, kind),
        None => Some(FeedConfig::NEW_MAX),
    };

    KindKeys {
        branch,
        paths,
        role,
        query,
        gives,
        identity,
        new_max,
    }
}

/// Reads the limit for one poll. Trees and archives resume at their cursor, so they have none.
fn read_new_max(field: &Field<'_, '_>, kind: Option<UpstreamKind>) -> Option<usize> {
    if let Some(kind @ (UpstreamKind::Tree | UpstreamKind::Archive)) = kind {
        let kind = kind.word();
        field.note(format!(
            "belongs to feeds of kind \"feed\" or \"lwn\"; this feed is of kind \"{kind}\""
        ));
        return None;
    }
    let most = field.whole("entries", 1..=NEW_MAX_MOST)?;
    usize::try_from(most).ok()
}

/// Reads a branch by git's rules for reference names.
fn read_branch(field: &Field<'_, '_>) -> Option<String> {
    const RIGHT: &str = "the name of a branch, such as \"master\"";
    let branch = field.text(RIGHT)?;
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let wrong = branch.is_empty()
        || branch.contains(is_bad)
        || branch.contains("..")
        || branch.contains("//")
        || branch.starts_with(['-', '/'])
        || branch.ends_with(['.', '/']);
    if wrong {
        field.expected(RIGHT);
        return None;
    }
    Some(branch.to_owned())
}

/// Reads the paths of a tree. One bad path rejects the list, because the feed would return too much or too little
/// without it.
fn read_paths(field: Field<'_, '_>) -> Option<Vec<String>> {
    const RIGHT: &str = "a list of paths, such as [\"kernel/bpf\", \"net/bpf\"]";
    let members = field.list(RIGHT, PATHS_MAX)?;
    let many = members.len();
    let mut paths = Vec::with_capacity(many);
    for member in members {
        let Some(path) = read_path(&member) else {
            continue;
        };
        if paths.contains(&path) {
            member.note(format!("{} is in this list twice", quoted(&path)));
        } else {
            paths.push(path);
        }
    }
    (paths.len() == many).then_some(paths)
}

fn read_path(field: &Field<'_, '_>) -> Option<String> {
    const RIGHT: &str =
        "a path from the top of the tree, without \"..\", \"*\" or a slash before it";
    let path = field.text(RIGHT)?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_bad_part = |part: &str| matches!(part, "" | "." | "..");
    if path.split('/').any(is_bad_part) || path.contains(|c: char| c.is_control() || c == '*') {
        field.expected(RIGHT);
        return None;
    }
    Some(path.to_owned())
}

fn read_query(field: &Field<'_, '_>, urls: Option<&[Url]>) -> Option<String> {
    const RIGHT: &str = "a search as public-inbox takes it, such as \"s:bpf OR s:xdp\"";
    if urls.is_some_and(|urls| urls.iter().any(is_news)) {
        field.note("needs http addresses; a news server has no search");
        return None;
    }
    let query = field.text(RIGHT)?.trim();
    if query.is_empty() || query.contains(char::is_control) {
        field.expected(RIGHT);
        return None;
    }
    Some(query.to_owned())
}

//! The `[network]` table.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::reader::{Field, Table};

/// The most hosts in `allow_private_hosts`.
const PRIVATE_HOSTS_MAX: usize = 1000;

/// The longest `contact`, in bytes: every request contains it.
const CONTACT_BYTES_MAX: usize = 200;

const HOST_GAP_MS_MAX: u64 = 60_000;

const REQUEST_TIMEOUT_S_MAX: u64 = 600;

const HOST_GAP_MS_DEFAULT: u64 = 1000;
const REQUEST_TIMEOUT_S_DEFAULT: u64 = 60;

/// Megabytes of git's copy of one repository.
const GIT_MB_DEFAULT: u64 = 2_000;
const GIT_MB_MAX: u64 = 1_000_000;

/// Threads that are fetched in a day because mails of them are missing.
const THREADS_PER_DAY_DEFAULT: u64 = 50;
const THREADS_PER_DAY_MAX: u64 = 10_000;

/// Behaviour on the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Loopback or private hosts that feeds may use: names or addresses.
    pub allow_private_hosts: Vec<String>,
    /// How a site's operator can reach the bot's operator: an address or a page, sent in the User-Agent.
    pub contact: Option<String>,
    /// A page that describes the bot to a site's operator, sent in the User-Agent.
    pub page: Option<Url>,
    /// Whether the User-Agent has a random id of this installation.
    pub installation_id: bool,
    /// The pause between two requests to one host (`host_gap_ms`).
    pub host_gap: Duration,
    /// The longest time from the start of a request to its last byte (`request_timeout_s`).
    pub request_timeout: Duration,
    /// The folder of git's copies of repositories: beside the database. It may be deleted at any time.
    pub git_folder: PathBuf,
    /// The most bytes of one of them (`git_max_mb`).
    pub git_bytes_max: u64,
    /// The most threads that are fetched in a day because mails of them are missing (`threads_per_day_max`); 0: none.
    pub threads_per_day_max: u64,
}

impl NetworkConfig {
    /// Whether `allow_private_hosts` names the host of this URL.
    pub fn allows_private(&self, url: &Url) -> bool {
        let host = match url.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return false,
        };
        self.allow_private_hosts.contains(&host)
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        NetworkConfig {
            allow_private_hosts: Vec::new(),
            contact: None,
            page: None,
            installation_id: true,
            host_gap: Duration::from_millis(HOST_GAP_MS_DEFAULT),
            request_timeout: Duration::from_secs(REQUEST_TIMEOUT_S_DEFAULT),
            git_folder: PathBuf::from("bpfnews.git"),
            git_bytes_max: GIT_MB_DEFAULT << 20,
            threads_per_day_max: THREADS_PER_DAY_DEFAULT,
        }
    }
}

pub(super) fn read_network(mut table: Table<'_, '_>) -> NetworkConfig {
    let default = NetworkConfig::default();
    let hosts = table.take("allow_private_hosts");
    let contact = table.take("contact");
    let page = table.take("page");
    let id = table.take("installation_id");
    let gap = table.take("host_gap_ms");
    let gap = gap.and_then(|field| field.whole("milliseconds", 0..=HOST_GAP_MS_MAX));
    let timeout = table.take("request_timeout_s");
    let timeout = timeout.and_then(|field| field.whole("seconds", 1..=REQUEST_TIMEOUT_S_MAX));
    let git = table.take("git_max_mb");
    let git = git.and_then(|field| field.whole("megabytes", 1..=GIT_MB_MAX));
    let threads = table.take("threads_per_day_max");
    let threads = threads.and_then(|field| field.whole("threads", 0..=THREADS_PER_DAY_MAX));
    table.finish();
    NetworkConfig {
        allow_private_hosts: hosts.map(read_hosts).unwrap_or_default(),
        contact: contact.and_then(|field| read_contact(&field)),
        page: page.and_then(|field| read_page(&field)),
        installation_id: id.is_none_or(|field| field.truth().unwrap_or_default()),
        host_gap: gap.map_or(default.host_gap, Duration::from_millis),
        request_timeout: timeout.map_or(default.request_timeout, Duration::from_secs),
        git_folder: default.git_folder,
        git_bytes_max: git.map_or(default.git_bytes_max, |mb| mb << 20),
        threads_per_day_max: threads.unwrap_or(default.threads_per_day_max),
    }
}

/// Reads names and addresses into the form that URLs use, IPv6 without brackets.
fn read_hosts(field: Field<'_, '_>) -> Vec<String> {
    const RIGHT: &str = "a list of names or addresses, such as [\"127.0.0.1\", \"localhost\"]";
    let members = field.list(RIGHT, PRIVATE_HOSTS_MAX).unwrap_or_default();
    members.iter().filter_map(read_host).collect()
}

fn read_host(field: &Field<'_, '_>) -> Option<String> {
    const RIGHT: &str =
        "a name or an address without scheme, port or path, such as \"127.0.0.1\" or \"localhost\"";
    let text = field.text(RIGHT)?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let name = text.trim_end_matches('.');
    let is_name = name
        .chars()
        .all(|c| c.is_alphanumeric() || "-_.".contains(c));
    match Host::parse(name) {
        Ok(host) if is_name => Some(host.to_string()),
        Ok(_) | Err(_) => {
            field.expected(RIGHT);
            None
        }
    }
}

fn read_page(field: &Field<'_, '_>) -> Option<Url> {
    const RIGHT: &str = "the address of a page, such as \"https://example.org/bpfnews\"";
    let page = Url::parse(field.text(RIGHT)?.trim()).ok();
    // In the User-Agent header this is a comment, which parentheses would end.
    let page = page.filter(|url| {
        ["http", "https"].contains(&url.scheme())
            && url.username().is_empty()
            && url.password().is_none()
            && url.as_str().len() <= CONTACT_BYTES_MAX
            && !url.as_str().contains(['(', ')', '\\'])
    });
    if page.is_none() {
        field.expected(RIGHT);
    }
    page
}

fn read_contact(field: &Field<'_, '_>) -> Option<String> {
    const RIGHT: &str =
        "an address or a page in plain ASCII without parentheses, such as \"bpfnews@example.org\"";
    let contact = field.text(RIGHT)?.trim();
    // In the User-Agent header this is a comment, which parentheses and backslashes would end or change.
    let is_good = |c: char| (c.is_ascii_graphic() || c == ' ') && !"()\\".contains(c);
    if contact.is_empty() || contact.len() > CONTACT_BYTES_MAX || !contact.chars().all(is_good) {
        field.expected(RIGHT);
        return None;
    }
    Some(contact.to_owned())
}

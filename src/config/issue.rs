//! The `[issue]` and `[web]` tables: the newsletter with its editors and schedule, and the pages.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use url::Url;

use super::channel::{is_snowflake, read_when};
use super::commands::read_ids;
use super::platform::is_account;
use super::reader::{Field, Table};
use super::times::Schedule;

/// The longest name of a newsletter.
const NAME_CHARS_MAX: usize = 60;
const NAME_DEFAULT: &str = "BPF updates";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueConfig {
    pub name: String,
    /// The schedule of automatic publication; `None`: an editor publishes each issue.
    pub publish: Option<Schedule>,
    /// The folder for each issue as a Markdown file.
    pub folder: Option<PathBuf>,
    /// Ids of editors on Discord.
    pub discord_users: Vec<String>,
    /// Ids of roles on Discord that make an editor.
    pub discord_roles: Vec<String>,
    /// Accounts of editors on Matrix.
    pub matrix_users: Vec<String>,
}

impl Default for IssueConfig {
    fn default() -> Self {
        Self {
            name: NAME_DEFAULT.to_owned(),
            publish: None,
            folder: None,
            discord_users: Vec::new(),
            discord_roles: Vec::new(),
            matrix_users: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebConfig {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The public address; ends with a slash.
    pub url: Option<Url>,
}

/// Reads `[issue]`.
pub(super) fn read_issue(mut table: Table<'_, '_>, folder: &Path) -> IssueConfig {
    const NAME: &str = "a name of 1 to 60 characters, such as \"BPF updates\"";
    const FOLDER: &str = "the path of a folder, such as \"issues\"";
    const USER: &str = "a list of people's ids on Discord, such as \"123456789012345678\": copy them from their menus";
    const ROLE: &str = "a list of roles' ids on Discord, such as \"123456789012345678\": copy them from their menus";
    const ACCOUNT: &str = "a list of accounts on Matrix, such as \"@alice:example.org\"";
    let name = table.take("name").and_then(|field| {
        let name = field.text(NAME)?;
        let is_good = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
            && !name.chars().any(char::is_control)
            && name.chars().any(|c| c.is_ascii_alphanumeric());
        if !is_good {
            field.expected(NAME);
            return None;
        }
        Some(name.to_owned())
    });
    let publish = table.take("publish").and_then(|field| read_when(&field));
    let files = table.take("folder").and_then(|field| {
        let path = field.text(FOLDER)?;
        if path.is_empty() || path.contains(char::is_control) || path.starts_with("~/") {
            field.expected(FOLDER);
            return None;
        }
        Some(folder.join(path))
    });
    let discord_users = read_ids(&mut table, "discord_users", USER, is_snowflake);
    let discord_roles = read_ids(&mut table, "discord_roles", ROLE, is_snowflake);
    let matrix_users = read_ids(&mut table, "matrix_users", ACCOUNT, is_account);
    table.finish();
    IssueConfig {
        name: name.unwrap_or_else(|| NAME_DEFAULT.to_owned()),
        publish,
        folder: files,
        discord_users,
        discord_roles,
        matrix_users,
    }
}

/// Reads `[web]`; `None` if it is wrong.
pub(super) fn read_web(mut table: Table<'_, '_>) -> Option<WebConfig> {
    const LISTEN: &str = "an address and a port, such as \"127.0.0.1:8080\"";
    let listen = table.need("listen", LISTEN).and_then(|field| {
        let address = field.text(LISTEN)?.parse().ok();
        if address.is_none() {
            field.expected(LISTEN);
        }
        address
    });
    let url = table.take("url").map(|field| read_home(&field));
    table.finish();
    Some(WebConfig {
        listen: listen?,
        url: match url {
            Some(url) => Some(url?),
            None => None,
        },
    })
}

fn read_home(field: &Field<'_, '_>) -> Option<Url> {
    const HOME: &str = "the address at which readers find the pages, a host of their own such as \"https://bpfnews.example.org/\"";
    let url = Url::parse(field.text(HOME)?).ok();
    let is_good = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    let good = url.filter(is_good);
    if good.is_none() {
        field.expected(HOME);
    }
    good
}

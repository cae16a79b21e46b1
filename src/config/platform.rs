//! The `[discord]` and `[matrix]` tables: access to chat systems.

use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::reader::{Field, Table};

const API_DEFAULT: &str = "https://discord.com";
const API: &str =
    "an https address, such as \"https://discord.com\"; http only for this machine's loopback";
const HOMESERVER: &str = "the server's name, such as \"matrix.org\", or the homeserver's https address, such as \"https://matrix.example.org\"; http only for this machine's loopback";
/// The most people who may invite.
const INVITERS_MAX: usize = 1000;
/// The longest pause between two messages to Matrix.
const SEND_GAP_S_MAX: u64 = 600;
/// The rate that homeservers allow by default.
const SEND_GAP_S_DEFAULT: u32 = 5;
/// Matrix' limit for ids, in bytes.
const ID_BYTES_MAX: usize = 255;

/// Access to Discord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscordConfig {
    /// The file with the bot's token. Without it, `BPFNEWS_DISCORD_TOKEN` holds the token.
    pub token_file: Option<PathBuf>,
    /// Discord's address, or that of a compatible server.
    pub api: String,
}

/// Access to Matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixConfig {
    /// The homeserver's address, or the name of a server whose `.well-known` names the address.
    pub homeserver: String,
    /// The bot's account: `@name:server`.
    pub user: String,
    /// The file with an access token of a device that no other program uses, needed for the first login only. Without it,
    /// `BPFNEWS_MATRIX_TOKEN` holds the token.
    pub token_file: Option<PathBuf>,
    /// The file with the account's password, needed for the first login only. Without it, `BPFNEWS_MATRIX_PASSWORD`
    /// holds the password.
    pub password_file: Option<PathBuf>,
    /// The folder for the session and keys; `None`: beside the database.
    pub folder: Option<PathBuf>,
    /// Accounts that may invite the bot to a room: ids, or `*:server`.
    pub inviters: Vec<String>,
    /// Seconds between messages, after nine at once; zero if the server does not limit the account.
    pub send_gap_s: u32,
}

/// Reads `[discord]`.
pub(super) fn read_discord(mut table: Table<'_, '_>, folder: &Path) -> DiscordConfig {
    const FILE: &str = "the path of a file that holds the bot's token";
    let token_file = table.take("token_file");
    let token_file = token_file.and_then(|field| read_path(&field, FILE, folder));
    let api = table.take("api");
    let api = api.and_then(|field| read_server(&field, API));
    table.finish();
    DiscordConfig {
        token_file,
        api: api.unwrap_or_else(|| API_DEFAULT.to_owned()),
    }
}

fn read_server(field: &Field<'_, '_>, right: &str) -> Option<String> {
    let text = field.text(right)?;
    let is_good = |url: &Url| {
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
    };
    let url = Url::parse(text).ok().filter(is_good);
    if url.is_none() {
        if is_bare_host(text) {
            // The scheme is missing, so suggest it.
            field.expected(&format!("{right}; try \"https://{text}\""));
        } else {
            field.expected(right);
        }
    }
    url.map(|url| url.as_str().trim_end_matches('/').to_owned())
}

/// Whether the text is only a host name, such as `matrix.org`.
fn is_bare_host(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    text.contains('.') && !text.contains("//") && text.bytes().all(is_of_name)
}

/// Reads `[matrix]`; `None` if it is wrong.
pub(super) fn read_matrix(mut table: Table<'_, '_>, folder: &Path) -> Option<MatrixConfig> {
    const USER: &str = "the bot's account, such as \"@bpfnews:example.org\"";
    const INVITERS: &str =
        "a list of accounts, such as \"@alice:example.org\" or \"*:example.org\"";
    const FILE: &str = "the path of a file that holds the account's password";
    const TOKEN: &str = "the path of a file that holds an access token of the account";
    const FOLDER: &str = "the path of a folder of the bot's own";
    let homeserver = table.need("homeserver", HOMESERVER);
    let homeserver = homeserver.and_then(|field| match field.text(HOMESERVER)? {
        name if is_bare_host(name) => Some(name.to_ascii_lowercase()),
        _ => read_server(&field, HOMESERVER),
    });
    let user = table.need("user", USER);
    let user = user.and_then(|field| {
        let text = field.text(USER)?;
        if !is_account(text) {
            field.expected(USER);
            return None;
        }
        Some(text.to_owned())
    });
    let password_file = table.take("password_file");
    let password_file = password_file.and_then(|field| read_path(&field, FILE, folder));
    let token_file = table.take("token_file");
    let token_file = token_file.and_then(|field| read_path(&field, TOKEN, folder));
    let own = table.take("folder");
    let own = own.and_then(|field| read_path(&field, FOLDER, folder));
    let mut inviters = Vec::new();
    let members = table.take("inviters");
    let members = members.and_then(|field| field.list(INVITERS, INVITERS_MAX));
    for member in members.unwrap_or_default() {
        match member.text(INVITERS) {
            Some(text) if is_account(text) || text.strip_prefix("*:").is_some_and(is_host) => {
                inviters.push(text.to_owned());
            }
            Some(_) => member.expected(INVITERS),
            None => {}
        }
    }
    let send_gap_s = table.take("send_gap_s");
    let send_gap_s = send_gap_s.and_then(|field| field.whole("seconds", 0..=SEND_GAP_S_MAX));
    table.finish();
    Some(MatrixConfig {
        homeserver: homeserver?,
        user: user?,
        token_file,
        password_file,
        folder: own,
        inviters,
        send_gap_s: send_gap_s
            .and_then(|gap| u32::try_from(gap).ok())
            .unwrap_or(SEND_GAP_S_DEFAULT),
    })
}

pub(super) fn is_account(text: &str) -> bool {
    let parts = text.strip_prefix('@').and_then(|rest| rest.split_once(':'));
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain
        && text.len() <= ID_BYTES_MAX
        && parts.is_some_and(|(name, host)| !name.is_empty() && is_host(host))
}

fn is_host(text: &str) -> bool {
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of_host)
}

pub(super) fn read_path(field: &Field<'_, '_>, right: &str, folder: &Path) -> Option<PathBuf> {
    match field.text(right)? {
        "" => {
            field.expected(right);
            None
        }
        path => Some(folder.join(path)),
    }
}

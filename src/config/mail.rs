//! The `[mail]` table: the mail server, and the sender as mails name it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use url::Host;

use super::mail_address::MailAddress;
use super::platform::read_path;
use super::reader::{Field, Table};

/// The longest name of a sender.
const NAME_CHARS_MAX: usize = 60;
const PER_DAY_DEFAULT: u32 = 2_000;
const PER_DAY_MAX: u64 = 1_000_000;
/// The longest user name, in bytes.
const USER_BYTES_MAX: usize = 255;

/// The longest name of the address for bounces, without its domain.
const BOUNCES_BYTES_MAX: usize = 30;

/// How the connection to the server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// It starts in plain text and must be encrypted before anything else.
    StartTls,
    /// It is encrypted from its first byte.
    Implicit,
    /// It is not encrypted, which only a server on a private network may ask for.
    None,
}

/// Access to a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailConfig {
    /// The sender of all mails.
    pub from: MailAddress,
    /// The sender's name; `None`: the newsletter's.
    pub name: Option<String>,
    /// The address for bounces, to which each mail adds its own token after a `+`; `None`: bounces go to `from`.
    pub bounces: Option<MailAddress>,
    /// The server's name or address.
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    /// The account at the server; `None`: the server asks for none.
    pub user: Option<String>,
    /// The file with the account's password. Without it, `BPFNEWS_MAIL_PASSWORD` holds the password.
    pub password_file: Option<PathBuf>,
    /// The most mails in 24 hours.
    pub per_day_max: u32,
    /// The list's id, by which mail programs sort (`list_id`); `None`: `bpfnews.` and the sender's domain.
    pub list_id: Option<String>,
}

impl MailConfig {
    /// The id of the list.
    pub fn list_id(&self) -> String {
        let named = self.list_id.clone();
        named.unwrap_or_else(|| format!("bpfnews.{}", self.from.domain()))
    }
}

/// Reads `[mail]`; `None` if it is wrong.
pub(super) fn read_mail(mut table: Table<'_, '_>, folder: &Path) -> Option<MailConfig> {
    const FROM: &str = "the address that mails come from, such as \"bpfnews@example.org\"";
    const BOUNCES: &str = "the address for bounces, such as \"bpfnews-bounces@example.org\"";
    const HOST: &str = "the mail server's name or address, such as \"mail.example.org\"";
    const USER: &str = "the account at the mail server, such as \"bpfnews\"";
    const FILE: &str = "the path of a file that holds the account's password";
    const LIST: &str = "the list's id, such as \"bpf-updates.example.org\"";
    let from = table.need("from", FROM);
    let from = from.and_then(|field| read_address(&field, FROM));
    let name = table.take("name").and_then(|field| read_name(&field));
    let bounces = table.take("bounces");
    let bounces = bounces.and_then(|field| {
        let bounces = read_address(&field, BOUNCES)?;
        // A token follows, and servers limit both to 64 bytes.
        let has_room = bounces.local().len() <= BOUNCES_BYTES_MAX && !bounces.local().contains('+');
        if !has_room {
            field.note("the part before the @ has at most 30 characters and no \"+\": each mail adds its own token");
        }
        has_room.then_some(bounces)
    });
    let host_field = table.need("host", HOST);
    let host = host_field.as_ref().and_then(|field| read_host(field, HOST));
    let tls = match table.take("tls") {
        Some(field) => read_tls(&field, host.as_ref()),
        None => Some(MailTls::StartTls),
    };
    let port = table
        .take("port")
        .map(|field| field.whole("port", 1..=u64::from(u16::MAX)));
    let user = table.take("user").and_then(|field| {
        let user = field.text(USER)?;
        let is_good =
            !user.is_empty() && user.len() <= USER_BYTES_MAX && !user.contains(char::is_control);
        if !is_good {
            field.expected(USER);
        }
        is_good.then(|| user.to_owned())
    });
    let password_file = table.take("password_file");
    if let (Some(field), None) = (&password_file, &user) {
        field.note("there is no `user` for this password; set `user`, or remove this");
    }
    let password_file = password_file.and_then(|field| read_path(&field, FILE, folder));
    let per_day = table.take("per_day_max");
    let per_day = per_day.and_then(|field| field.whole("mails", 1..=PER_DAY_MAX));
    let list_id = table.take("list_id").and_then(|field| {
        let id = field.text(LIST)?;
        let is_good =
            MailAddress::read(&format!("list@{id}")).is_some_and(|read| read.domain() == id);
        if !is_good {
            field.expected(LIST);
        }
        is_good.then(|| id.to_owned())
    });
    table.finish();
    let tls = tls?;
    let default_port = match tls {
        MailTls::StartTls => 587,
        MailTls::Implicit => 465,
        MailTls::None => 25,
    };
    let port = match port {
        Some(port) => u16::try_from(port?).ok()?,
        None => default_port,
    };
    Some(MailConfig {
        from: from?,
        name,
        bounces,
        host: match host? {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        },
        port,
        tls,
        user,
        password_file,
        per_day_max: per_day
            .and_then(|most| u32::try_from(most).ok())
            .unwrap_or(PER_DAY_DEFAULT),
        list_id,
    })
}

fn read_address(field: &Field<'_, '_>, right: &str) -> Option<MailAddress> {
    let read = MailAddress::read(field.text(right)?);
    if read.is_none() {
        field.expected(right);
    }
    read
}

fn read_name(field: &Field<'_, '_>) -> Option<String> {
    const NAME: &str = "the sender's name in at most 60 characters, such as \"BPF updates\"";
    let name = field.text(NAME)?;
    let is_good = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && crate::post::plain(name) == name;
    if !is_good {
        field.expected(NAME);
    }
    is_good.then(|| name.trim().to_owned())
}

/// Reads a name or an address; an IPv6 address may have brackets.
fn read_host(field: &Field<'_, '_>, right: &str) -> Option<Host> {
    let text = field.text(right)?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Some(match address {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        });
    }
    let is_name = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || "-.".contains(c));
    let host = Host::parse(text).ok().filter(|_| is_name);
    if host.is_none() {
        field.expected(right);
    }
    host
}

/// Reads the encryption. A password and people's addresses must not cross a network in plain text.
fn read_tls(field: &Field<'_, '_>, host: Option<&Host>) -> Option<MailTls> {
    const TLS: &str = "\"starttls\", \"implicit\" or \"none\"";
    let tls = match field.text(TLS)? {
        "starttls" => MailTls::StartTls,
        "implicit" => MailTls::Implicit,
        "none" => MailTls::None,
        _ => {
            field.expected(TLS);
            return None;
        }
    };
    let is_private = host.is_none_or(|host| match host {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback() || address.is_private(),
        Host::Ipv6(address) => address.is_loopback() || address.is_unique_local(),
    });
    if tls == MailTls::None && !is_private {
        field.note(
            "\"none\" is only for localhost and for private addresses such as \"10.0.0.1\"; use \"starttls\" or \"implicit\"",
        );
        return None;
    }
    Some(tls)
}

//! The keys of a `[[channel]]` that is a webhook.

use std::path::{Path, PathBuf};

use url::Url;

use super::platform::read_path;
use super::reader::{Field, Table};
use crate::chat::PlatformKind;

const URL: &str = "an https address that takes events, such as \"https://example.org/hook\"; http only for hosts under allow_private_hosts";

/// The receiver of a channel's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookConfig {
    pub url: HookUrl,
    /// The file with the secret that signs the events.
    pub secret_file: Option<PathBuf>,
    /// The file with the template of the body.
    pub template_file: Option<PathBuf>,
}

/// Where the address of a webhook is written. Those of chat systems are secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookUrl {
    Here(Url),
    File(PathBuf),
}

impl HookUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Option<Url> {
        let url = Url::parse(text.trim()).ok()?;
        let is_web = matches!(url.scheme(), "https" | "http") && url.has_host();
        (is_web && url.fragment().is_none()).then_some(url)
    }
}

/// Reads the keys; `None` if one is wrong, or if the channel is none.
pub(super) fn read_hook(
    table: &mut Table<'_, '_>,
    platform: Option<PlatformKind>,
    folder: &Path,
) -> Option<HookConfig> {
    const SECRET: &str = "the path of a file that holds the secret for signatures";
    const TEMPLATE: &str = "the path of a template";
    const URL_FILE: &str = "the path of a file that holds the address";
    if platform != Some(PlatformKind::Webhook) {
        for key in ["url", "url_file", "secret_file", "template_file"] {
            if let Some(field) = table.take(key) {
                field.note("only valid with platform = \"webhook\"");
            }
        }
        return None;
    }
    let secret = table.take("secret_file");
    let secret_file = secret.and_then(|field| read_path(&field, SECRET, folder));
    let template = table.take("template_file");
    let template_file = template.and_then(|field| read_path(&field, TEMPLATE, folder));
    let url = match table.take("url_file") {
        Some(file) => {
            if let Some(url) = table.take("url") {
                url.note("there is url_file too; remove one of them");
            }
            HookUrl::File(read_path(&file, URL_FILE, folder)?)
        }
        None => HookUrl::Here(read_url(&table.need("url", URL)?)?),
    };
    if secret_file.is_none() && template_file.is_none() {
        table.need("secret_file", SECRET)?;
    }
    Some(HookConfig {
        url,
        secret_file,
        template_file,
    })
}

fn read_url(field: &Field<'_, '_>) -> Option<Url> {
    let url = HookUrl::parse(field.text(URL)?);
    if url.is_none() {
        field.expected(URL);
    }
    url
}

//! Sets up the webhooks of the configuration, without a request to them.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use crate::channel::webhook::{HookEndpoint, HookKey, Webhook, read_template};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, HookConfig, HookUrl};
use crate::source::fetch::WebCaller;

/// Sets up all webhooks.
///
/// # Errors
///
/// Returns an error that names the channel if a secret, a template or an address cannot be read.
pub(super) fn connect_webhooks(config: &Config) -> anyhow::Result<Webhook> {
    let mut endpoints = HashMap::new();
    for channel in &config.channels {
        let Some(hook) = &channel.hook else { continue };
        let endpoint = endpoint(hook).with_context(|| format!("the webhook {}", channel.name))?;
        endpoints.insert(channel.address.clone(), endpoint);
    }
    let caller = WebCaller::new(&config.network, &[]);
    let now = Arc::new(|| SystemClock.now().timestamp());
    Ok(Webhook::new(caller, endpoints, now))
}

fn endpoint(hook: &HookConfig) -> anyhow::Result<HookEndpoint> {
    let secret = hook.secret_file.as_ref().map(|file| {
        let text = fs::read_to_string(file);
        let text = text.with_context(|| format!("reading the secret from {}", file.display()))?;
        HookKey::read(&text).with_context(|| format!("the secret in {}", file.display()))
    });
    let template = hook.template_file.as_deref().map(read_template);
    Ok(HookEndpoint {
        url: url(&hook.url)?,
        secret: secret.transpose()?,
        template: template.transpose()?,
    })
}

fn url(url: &HookUrl) -> anyhow::Result<Url> {
    match url {
        HookUrl::Here(url) => Ok(url.clone()),
        HookUrl::File(file) => {
            let text = fs::read_to_string(file);
            let text =
                text.with_context(|| format!("reading the address from {}", file.display()))?;
            HookUrl::parse(&text).with_context(|| {
                format!(
                    "{} holds no address; it must begin with https://",
                    file.display()
                )
            })
        }
    }
}

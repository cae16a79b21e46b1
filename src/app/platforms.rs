//! The configured chat systems, set up once for sending and for listening.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{BoxFuture, FutureExt as _};
#[cfg(feature = "matrix")]
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
#[cfg(feature = "matrix")]
use url::Url;

use super::letters::MailDesk;
use super::webhooks;
use crate::channel::discord::{self, ChannelFacts, Discord};
use crate::channel::mail::{LetterWriter, MailPlatform, SmtpEncryption, SmtpSettings};
#[cfg(feature = "matrix")]
use crate::channel::matrix::{self, Matrix};
use crate::channel::terminal::Terminal;
use crate::channel::webhook::Webhook;
use crate::channel::{Platform, SendError};
use crate::chat::SharedHandler;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{ChannelConfig, Config, MailConfig, MailTls, PlatformKind};
#[cfg(feature = "matrix")]
use crate::source::fetch::WebCaller;
use crate::store::{Store, registered};

/// The page sent to Discord, which requires one, if none is configured.
const PAGE: &str = "https://bpfnews.invalid/";
/// The environment variable with the folder of systemd's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The environment variable with the bot's token, used if no file is configured.
const DISCORD_TOKEN: &str = "BPFNEWS_DISCORD_TOKEN";
/// The environment variable with the Matrix password, used if no file is configured.
#[cfg(feature = "matrix")]
const MATRIX_PASSWORD: &str = "BPFNEWS_MATRIX_PASSWORD";
/// The environment variable with an access token for Matrix, used if no file is configured.
#[cfg(feature = "matrix")]
const MATRIX_TOKEN: &str = "BPFNEWS_MATRIX_TOKEN";

/// The environment variable with the mail server's password, used if no file is configured.
const MAIL_PASSWORD: &str = "BPFNEWS_MAIL_PASSWORD";
/// The longest wait for one answer of the mail server.
const SMTP_TIMEOUT: Duration = Duration::from_secs(60);

/// A chat system refuses the bot or cannot be set up. A person must correct it; a retry does not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

pub struct Platforms {
    /// Set if there is a `[discord]`.
    pub discord: Option<Arc<Discord>>,
    /// Set if there is a `[matrix]`.
    #[cfg(feature = "matrix")]
    pub matrix: Option<Arc<Matrix>>,
    /// Set if there is a `[mail]`.
    pub mail: Option<SmtpSettings>,
    /// Set if a channel is a webhook.
    pub webhook: Option<Arc<Webhook>>,
}

impl Platforms {
    /// Sets up the configured platforms without a request to them.
    ///
    /// # Errors
    ///
    /// Returns [`Refused`] with a line for each platform that cannot be set up: a secret is missing or cannot be read, or a
    /// client cannot be made.
    pub fn connect(config: &Config) -> Result<Self, Refused> {
        let mut problems = Vec::new();
        let discord = config.discord.is_some().then(|| connect_discord(config));
        let discord = set_up(discord, &mut problems);
        #[cfg(feature = "matrix")]
        let matrix = config.matrix.is_some().then(|| connect_matrix(config));
        #[cfg(feature = "matrix")]
        let matrix = set_up(matrix, &mut problems);
        #[cfg(not(feature = "matrix"))]
        if config.matrix.is_some() {
            problems.push(
                "there is a [matrix], but this bpfnews was built without it: build it with the feature \"matrix\""
                    .to_owned(),
            );
        }
        let mail = config.mail.as_ref().map(smtp_settings);
        let mail = set_up(mail, &mut problems);
        let is_hook = |channel: &ChannelConfig| channel.hook.is_some();
        let webhook = config.channels.iter().any(is_hook);
        let webhook = webhook.then(|| webhooks::connect_webhooks(config));
        let webhook = set_up(webhook, &mut problems);
        if !problems.is_empty() {
            return Err(Refused(problems.join("\n")));
        }
        Ok(Self {
            mail,
            discord: discord.map(Arc::new),
            #[cfg(feature = "matrix")]
            matrix: matrix.map(Arc::new),
            webhook: webhook.map(Arc::new),
        })
    }

    /// Checks with a channel's platform that the bot may post there. Returns a description of the channel, or `None`
    /// for the terminal and for platforms that are not set up.
    pub async fn look(&self, channel: &ChannelConfig) -> Option<anyhow::Result<String>> {
        match channel.platform {
            PlatformKind::Terminal | PlatformKind::Mail => None,
            // A call would be an event.
            PlatformKind::Webhook => None,
            PlatformKind::Discord => {
                let needs = discord::Needs {
                    threads: channel.milestones.uses_threads(),
                };
                let facts = self.discord.as_ref()?.check(&channel.address, needs).await;
                let described = |facts: ChannelFacts| {
                    let kind = if facts.is_forum() { "forum" } else { "channel" };
                    format!("the {kind} #{} on Discord", facts.name)
                };
                Some(facts.map(described).map_err(Into::into))
            }
            #[cfg(feature = "matrix")]
            PlatformKind::Matrix => {
                let facts = self.matrix.as_ref()?.look(&channel.address).await;
                let described = |facts: matrix::RoomFacts| {
                    let kind = if facts.is_encrypted {
                        "encrypted room"
                    } else {
                        "room"
                    };
                    format!("the {kind} {} on Matrix", facts.name)
                };
                Some(facts.map(described).map_err(Into::into))
            }
            #[cfg(not(feature = "matrix"))]
            PlatformKind::Matrix => None,
        }
    }

    /// The platforms, by kind, for sending; mail only with a desk that writes it.
    pub fn senders(
        &self,
        desk: Option<&Arc<MailDesk>>,
    ) -> HashMap<PlatformKind, Arc<dyn Platform>> {
        let terminal: Arc<dyn Platform> = Arc::new(Terminal::default());
        let mut senders = HashMap::from([(PlatformKind::Terminal, terminal)]);
        if let Some(discord) = &self.discord {
            senders.insert(
                PlatformKind::Discord,
                Arc::clone(discord) as Arc<dyn Platform>,
            );
        }
        if let Some(webhook) = &self.webhook {
            senders.insert(
                PlatformKind::Webhook,
                Arc::clone(webhook) as Arc<dyn Platform>,
            );
        }
        #[cfg(feature = "matrix")]
        if let Some(matrix) = &self.matrix {
            senders.insert(
                PlatformKind::Matrix,
                Arc::clone(matrix) as Arc<dyn Platform>,
            );
        }
        if let (Some(settings), Some(desk)) = (&self.mail, desk) {
            let letters = Arc::clone(desk) as Arc<dyn LetterWriter>;
            let mail = MailPlatform::new(settings.clone(), letters);
            senders.insert(PlatformKind::Mail, Arc::new(mail) as Arc<dyn Platform>);
        }
        senders
    }
}

/// The platform, or `None` with a line for its problem.
fn set_up<P>(platform: Option<anyhow::Result<P>>, problems: &mut Vec<String>) -> Option<P> {
    match platform? {
        Ok(platform) => Some(platform),
        Err(error) => {
            problems.push(format!("{error:#}"));
            None
        }
    }
}

/// Follows a platform until it is stopped. It ends early only if the platform refuses the bot.
pub type Listener = BoxFuture<'static, Result<(), SendError>>;

impl Platforms {
    /// Follows each platform and passes commands to `handler`.
    pub fn listeners(
        &self,
        handler: &SharedHandler,
        store: &Store,
        stop: &CancellationToken,
    ) -> Vec<(PlatformKind, Listener)> {
        let discord = self.discord.iter().map(|discord| {
            let (discord, handler, stop) = (Arc::clone(discord), Arc::clone(handler), stop.clone());
            let memory = Arc::new(Registered(store.clone()));
            let listener: Listener =
                async move { discord.listen(handler, memory, &stop).await }.boxed();
            (PlatformKind::Discord, listener)
        });
        #[cfg(feature = "matrix")]
        let matrix = self.matrix.iter().map(|matrix| {
            let (matrix, handler, stop) = (Arc::clone(matrix), Arc::clone(handler), stop.clone());
            let listener: Listener = async move { matrix.listen(handler, &stop).await }.boxed();
            (PlatformKind::Matrix, listener)
        });
        #[cfg(not(feature = "matrix"))]
        let matrix = std::iter::empty();
        discord.chain(matrix).collect()
    }
}

/// Stores in the database which commands are registered at Discord.
pub struct Registered(pub Store);

impl discord::RegistrationStore for Registered {
    fn registered<'a>(
        &'a self,
        application: &'a str,
    ) -> BoxFuture<'a, anyhow::Result<Option<String>>> {
        registered::registered_commands(self.0.read(), application).boxed()
    }

    fn keep<'a>(
        &'a self,
        application: &'a str,
        hash: &'a str,
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        async move {
            let mut tx = self.0.write().await?;
            let now = SystemClock.now();
            registered::keep_registered_commands(&mut tx, application, hash, now).await?;
            tx.commit().await?;
            Ok(())
        }
        .boxed()
    }
}

/// The path of a secret passed by systemd's `LoadCredential`.
fn credential(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(CREDENTIALS)?;
    Some(Path::new(&folder).join(name)).filter(|file| file.exists())
}

/// The settings of the mail server.
///
/// # Errors
///
/// Returns an error if the password is missing or its file cannot be read.
pub fn smtp_settings(mail: &MailConfig) -> anyhow::Result<SmtpSettings> {
    let login = match &mail.user {
        Some(user) => Some((user.clone(), mail_password(mail)?.into())),
        None => None,
    };
    Ok(SmtpSettings {
        host: mail.host.clone(),
        port: mail.port,
        encryption: match mail.tls {
            MailTls::StartTls => SmtpEncryption::StartTls,
            MailTls::Implicit => SmtpEncryption::Implicit,
            MailTls::None => SmtpEncryption::None,
        },
        login,
        hello: mail.from.domain().to_owned(),
        timeout: SMTP_TIMEOUT,
    })
}

fn mail_password(mail: &MailConfig) -> anyhow::Result<String> {
    let file = mail.password_file.clone();
    if let (None, Ok(password)) = (&file, std::env::var(MAIL_PASSWORD)) {
        return Ok(password);
    }
    let file = file.or_else(|| credential("mail-password")).with_context(|| {
        format!("no password for the mail server: set password_file under [mail], or {MAIL_PASSWORD}")
    })?;
    let password = std::fs::read_to_string(&file)
        .with_context(|| format!("reading the mail server's password from {}", file.display()))?;
    Ok(password.trim_end_matches(['\r', '\n']).to_owned())
}

/// Sets up Discord without a request to it.
///
/// # Errors
///
/// Returns an error if the token is missing or the client cannot be made.
pub fn connect_discord(config: &Config) -> anyhow::Result<Discord> {
    let discord = config
        .discord
        .as_ref()
        .context("there is no [discord] in the configuration")?;
    let file = discord.token_file.clone();
    let token = match (std::env::var(DISCORD_TOKEN), credential("discord-token")) {
        (Ok(token), _) if file.is_none() => token,
        (_, handed) => {
            let file = file.or(handed).with_context(|| {
                format!("no token for Discord: set token_file under [discord], or {DISCORD_TOKEN}")
            })?;
            std::fs::read_to_string(&file)
                .with_context(|| format!("reading the bot's token from {}", file.display()))?
        }
    };
    Discord::new(discord::DiscordSettings {
        base: discord.api.clone(),
        token: token.trim().to_owned().into(),
        page: page_of(config),
    })
}

/// Sets up Matrix without a request to it.
#[cfg(feature = "matrix")]
fn connect_matrix(config: &Config) -> anyhow::Result<Matrix> {
    let settings = matrix_settings(config)?;
    if let Err(SendError::Never { why, .. }) = settings.check_login() {
        anyhow::bail!(why);
    }
    Ok(Matrix::new(settings))
}

/// The settings of the Matrix client.
///
/// # Errors
///
/// Returns an error if there is no `[matrix]` or the password's file cannot be read.
#[cfg(feature = "matrix")]
pub fn matrix_settings(config: &Config) -> anyhow::Result<matrix::MatrixSettings> {
    let matrix = config
        .matrix
        .as_ref()
        .context("there is no [matrix] in the configuration")?;
    let password = login_secret(
        matrix.password_file.as_deref(),
        "matrix-password",
        MATRIX_PASSWORD,
    )?;
    let token = login_secret(matrix.token_file.as_deref(), "matrix-token", MATRIX_TOKEN)?;
    // The operator chose this host, so it may be private.
    let own = Url::parse(&matrix.homeserver).ok();
    let own: Vec<&Url> = own.iter().filter(|url| url.has_host()).collect();
    let channels = config.channels.iter();
    let rooms = channels.filter(|channel| channel.platform == PlatformKind::Matrix);
    Ok(matrix::MatrixSettings {
        homeserver: matrix.homeserver.clone(),
        user: matrix.user.clone(),
        password,
        way: token.map(matrix::LoginWay::AccessToken),
        folder: config.matrix_folder(),
        inviters: matrix.inviters.clone(),
        rooms: rooms.map(|room| room.address.clone()).collect(),
        send_gap: Duration::from_secs(matrix.send_gap_s.into()),
        request_max: matrix::REQUEST_MAX,
        now: Arc::new(|| SystemClock.now().timestamp()),
        web: Arc::new(WebCaller::new(&config.network, &own)),
        page: page_of(config),
    })
}

/// The page about the bot.
fn page_of(config: &Config) -> String {
    let page = config.network.page.as_ref();
    page.map_or_else(|| PAGE.to_owned(), ToString::to_string)
}

/// Reads a secret for a login: from its file, from systemd's credential, or from the environment.
#[cfg(feature = "matrix")]
fn login_secret(
    file: Option<&Path>,
    handed: &str,
    variable: &str,
) -> anyhow::Result<Option<SecretString>> {
    let secret = match (file, credential(handed)) {
        (Some(file), _) => read_secret(file)?,
        (None, Some(handed)) if std::env::var_os(variable).is_none() => read_secret(&handed)?,
        (None, _) => std::env::var(variable).ok(),
    };
    let secret = secret.map(|secret| secret.trim_end_matches(['\r', '\n']).to_owned());
    Ok(secret.filter(|secret| !secret.is_empty()).map(Into::into))
}

/// Reads a secret. The file may be gone after the first login.
#[cfg(feature = "matrix")]
fn read_secret(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(secret) => Ok(Some(secret)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("reading the secret from {}", file.display()))
        }
    }
}

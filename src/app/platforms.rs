//! The chat systems that the configuration names: set up once, for sending and for listening.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "matrix")]
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio_util::sync::CancellationToken;

use crate::channel::discord::{self, ChannelFacts, Discord};
#[cfg(feature = "matrix")]
use crate::channel::matrix::{self, Matrix};
use crate::channel::terminal::Terminal;
use crate::channel::{Platform, SendError};
use crate::clock::{Clock as _, SystemClock};
use crate::command::heard::Ear;
use crate::config::{ChannelConfig, Config, Milestones, PlatformKind};
use crate::store::{Store, registered};

/// Told to Discord, which insists on a page, where the configuration names none.
const PAGE: &str = "https://bpfnews.invalid/";
/// The environment variable that names the folder of the secrets that systemd hands over.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// The environment variable that holds the bot's token where no file is named.
const DISCORD_TOKEN: &str = "BPFNEWS_DISCORD_TOKEN";
/// The environment variable that holds the Matrix account's password where no file is named.
#[cfg(feature = "matrix")]
const MATRIX_PASSWORD: &str = "BPFNEWS_MATRIX_PASSWORD";

/// The chat systems, set up.
pub struct Platforms {
    /// Discord, where there is a `[discord]`.
    pub discord: Option<Arc<Discord>>,
    /// Matrix, where there is a `[matrix]`.
    #[cfg(feature = "matrix")]
    pub matrix: Option<Arc<Matrix>>,
}

impl Platforms {
    /// Sets up what the configuration has tables for; nothing is asked of them yet.
    ///
    /// # Errors
    ///
    /// When a secret is missing, or a client cannot be made.
    pub fn connect(config: &Config) -> anyhow::Result<Self> {
        let discord = config.discord.is_some().then(|| connect_discord(config));
        #[cfg(feature = "matrix")]
        let matrix = config.matrix.is_some().then(|| matrix_settings(config));
        #[cfg(not(feature = "matrix"))]
        anyhow::ensure!(
            config.matrix.is_none(),
            "there is a [matrix], but this bpfnews was built without it: build it with the feature \"matrix\""
        );
        Ok(Self {
            discord: discord.transpose()?.map(Arc::new),
            #[cfg(feature = "matrix")]
            matrix: matrix
                .transpose()?
                .map(|settings| Arc::new(Matrix::new(settings))),
        })
    }

    /// What a channel's platform says of it, once it lets the bot do there what it will be asked to; nothing where there is none to ask.
    pub async fn look(&self, channel: &ChannelConfig) -> Option<anyhow::Result<String>> {
        match channel.platform {
            PlatformKind::Terminal => None,
            PlatformKind::Discord => {
                let needs = discord::Needs {
                    threads: channel.milestones == Milestones::Thread,
                };
                let facts = self.discord.as_ref()?.check(&channel.address, needs).await;
                let told = |facts: ChannelFacts| {
                    let kind = if facts.is_forum() { "forum" } else { "channel" };
                    format!("the {kind} #{} on Discord", facts.name)
                };
                Some(facts.map(told).map_err(Into::into))
            }
            #[cfg(feature = "matrix")]
            PlatformKind::Matrix => {
                let facts = self.matrix.as_ref()?.look(&channel.address).await;
                let told = |facts: matrix::RoomFacts| {
                    let kind = if facts.is_encrypted {
                        "encrypted room"
                    } else {
                        "room"
                    };
                    format!("the {kind} {} on Matrix", facts.name)
                };
                Some(facts.map(told).map_err(Into::into))
            }
            #[cfg(not(feature = "matrix"))]
            PlatformKind::Matrix => None,
        }
    }

    /// What sends to each platform.
    pub fn senders(&self) -> HashMap<PlatformKind, Arc<dyn Platform>> {
        let terminal: Arc<dyn Platform> = Arc::new(Terminal);
        let mut senders = HashMap::from([(PlatformKind::Terminal, terminal)]);
        if let Some(discord) = &self.discord {
            senders.insert(
                PlatformKind::Discord,
                Arc::clone(discord) as Arc<dyn Platform>,
            );
        }
        #[cfg(feature = "matrix")]
        if let Some(matrix) = &self.matrix {
            senders.insert(
                PlatformKind::Matrix,
                Arc::clone(matrix) as Arc<dyn Platform>,
            );
        }
        senders
    }
}

/// What follows a platform until it is stopped; it ends early only with an error that refuses the bot.
pub type Listener = BoxFuture<'static, Result<(), SendError>>;

impl Platforms {
    /// What follows each platform and hands `ear` what people ask.
    pub fn listeners(
        &self,
        ear: &Ear,
        store: &Store,
        stop: &CancellationToken,
    ) -> Vec<(PlatformKind, Listener)> {
        let discord = self.discord.iter().map(|discord| {
            let (discord, ear, stop) = (Arc::clone(discord), Arc::clone(ear), stop.clone());
            let memory = Arc::new(Registered(store.clone()));
            let listener: Listener =
                async move { discord.listen(ear, memory, &stop).await }.boxed();
            (PlatformKind::Discord, listener)
        });
        #[cfg(feature = "matrix")]
        let matrix = self.matrix.iter().map(|matrix| {
            let (matrix, ear, stop) = (Arc::clone(matrix), Arc::clone(ear), stop.clone());
            let listener: Listener = async move { matrix.listen(ear, &stop).await }.boxed();
            (PlatformKind::Matrix, listener)
        });
        #[cfg(not(feature = "matrix"))]
        let matrix = std::iter::empty();
        discord.chain(matrix).collect()
    }
}

/// The database as Discord's memory of what is registered there.
pub struct Registered(pub Store);

impl discord::Memory for Registered {
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

/// A secret that systemd hands over, where the unit's `LoadCredential` names it.
fn credential(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(CREDENTIALS)?;
    Some(Path::new(&folder).join(name)).filter(|file| file.exists())
}

/// Sets up Discord; nothing is asked of it yet.
///
/// # Errors
///
/// When its token is missing, or the client cannot be made.
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
    let page = config.network.page.as_ref();
    Discord::new(discord::Settings {
        base: discord.api.clone(),
        token: token.trim().to_owned().into(),
        page: page.map_or_else(|| PAGE.to_owned(), ToString::to_string),
    })
}

/// How Matrix is reached.
///
/// # Errors
///
/// When there is no `[matrix]`, or the password's file cannot be read.
#[cfg(feature = "matrix")]
pub fn matrix_settings(config: &Config) -> anyhow::Result<matrix::Settings> {
    let matrix = config
        .matrix
        .as_ref()
        .context("there is no [matrix] in the configuration")?;
    let password = match (&matrix.password_file, credential("matrix-password")) {
        (Some(file), _) => read_password(file)?,
        (None, Some(handed)) if std::env::var_os(MATRIX_PASSWORD).is_none() => {
            read_password(&handed)?
        }
        (None, _) => std::env::var(MATRIX_PASSWORD).ok(),
    };
    let channels = config.channels.iter();
    let rooms = channels.filter(|channel| channel.platform == PlatformKind::Matrix);
    Ok(matrix::Settings {
        homeserver: matrix.homeserver.clone(),
        user: matrix.user.clone(),
        password: password.map(|password| password.trim_end_matches(['\r', '\n']).into()),
        folder: config.matrix_folder(),
        inviters: matrix.inviters.clone(),
        rooms: rooms.map(|room| room.address.clone()).collect(),
        send_gap: Duration::from_secs(matrix.send_gap_s.into()),
        request_max: matrix::REQUEST_MAX,
        now: Arc::new(|| SystemClock.now().timestamp()),
    })
}

/// The password; it may be gone once the account has logged in.
#[cfg(feature = "matrix")]
fn read_password(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(password) => Ok(Some(password)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("reading the password from {}", file.display()))
        }
    }
}

//! The commands for the Matrix account: log in, make the recovery key, use it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use super::secrets::ask;
use crate::app::platforms;
use crate::channel::SendError;
use crate::channel::matrix::{DeviceCode, LoginOffer, LoginWay, Matrix, MatrixSettings, RoomFacts};
use crate::config::Config;
use crate::post::plain;

/// The subcommands for the account.
#[derive(Debug, clap::Subcommand)]
pub(super) enum MatrixCommand {
    /// Log in, or open the stored session; print the ways to log in that the server offers, the user, the device and its rooms.
    #[command(
        after_help = "Examples:\n  bpfnews matrix login\n  bpfnews matrix login --with oauth\n  bpfnews matrix login --anew --with token < token"
    )]
    Login {
        /// Log the stored session out, delete it with its keys, and log in as a new device.
        #[arg(long)]
        anew: bool,
        /// How to log in. Without it: with the token or the password that is configured, else with a code in a browser if the
        /// server offers that, else with the password, which the command asks for.
        #[arg(long, value_enum, value_name = "WAY")]
        with: Option<WayFlag>,
    },
    /// Make the account's recovery key and print it, once. A key that was made before is of no use then.
    #[command(
        after_help = "Example:\n  bpfnews matrix recovery-key > recovery-key   # and keep it elsewhere"
    )]
    RecoveryKey {
        /// First give the account new keys, if the old ones and their recovery key are lost. People who verified the bot must do
        /// so again. Needs its password.
        #[arg(long)]
        new_identity: bool,
    },
    /// Make a new device trusted, and let it read messages sent to older ones. The command asks for the recovery key, or reads
    /// it from standard input.
    #[command(
        after_help = "Examples:\n  bpfnews matrix recover\n  bpfnews matrix recover < recovery-key"
    )]
    Recover,
}

/// A way to log in, as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum WayFlag {
    /// With the account's password.
    Password,
    /// With an access token of a device that no other program uses.
    Token,
    /// With a token for one login, which another device or a single sign-on page gave.
    LoginToken,
    /// With a code that you confirm in a browser (OAuth 2.0).
    Oauth,
}

pub(super) async fn run(path: &Path, command: &MatrixCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let mut settings = platforms::matrix_settings(&config)?;
    match command {
        MatrixCommand::Login { anew, with } => {
            if *anew && let Some(why) = settings.forget().await.map_err(told)? {
                writeln!(
                    anstream::stderr(),
                    "The old device was not logged out ({why}). Remove it with another client."
                )?;
            }
            if !settings.is_logged_in() {
                choose_way(&mut settings, *with).await?;
            }
            login(settings).await
        }
        MatrixCommand::RecoveryKey { new_identity: true } => {
            if settings.password.is_none() {
                settings.password = Some(ask_password(&settings)?);
            }
            let matrix = Matrix::new(settings);
            matrix.begin_anew().await.map_err(told)?;
            recovery_key(&matrix).await
        }
        MatrixCommand::RecoveryKey {
            new_identity: false,
        } => {
            choose_way_if_needed(&mut settings).await?;
            recovery_key(&Matrix::new(settings)).await
        }
        MatrixCommand::Recover => {
            choose_way_if_needed(&mut settings).await?;
            recover(settings).await
        }
    }
}

fn ask_password(settings: &MatrixSettings) -> anyhow::Result<SecretString> {
    ask(&format!("Password of {}: ", settings.user))
}

async fn choose_way_if_needed(settings: &mut MatrixSettings) -> anyhow::Result<()> {
    match settings.is_logged_in() {
        true => Ok(()),
        false => choose_way(settings, None).await,
    }
}

/// Prints the ways that the server offers, and sets one of them: the wanted one, or the one that needs the least of a person.
async fn choose_way(settings: &mut MatrixSettings, wanted: Option<WayFlag>) -> anyhow::Result<()> {
    let offer = settings.offer().await.map_err(told)?;
    writeln!(anstream::stderr(), "{}", described(&offer))?;
    let has_token = settings.way.is_some();
    let way = match wanted {
        Some(way) => way,
        None if has_token => WayFlag::Token,
        None if settings.password.is_some() && offer.password => WayFlag::Password,
        None if offer.device_code => WayFlag::Oauth,
        None if offer.password => WayFlag::Password,
        None if offer.login_token => WayFlag::LoginToken,
        None => anyhow::bail!(
            "{} offers no way to log in that a bot can use. Give it an access token: token_file under [matrix]",
            offer.homeserver
        ),
    };
    settings.way = Some(match (way, settings.way.take()) {
        (WayFlag::Token, Some(way)) => way,
        (WayFlag::Token, None) => LoginWay::AccessToken(ask("Access token: ")?),
        (WayFlag::Password, _) => LoginWay::Password(match settings.password.take() {
            Some(password) => password,
            None => ask_password(settings)?,
        }),
        (WayFlag::LoginToken, _) => {
            if offer.single_sign_on {
                writeln!(anstream::stderr(), "{}", sign_on_advice(&offer.homeserver))?;
            }
            LoginWay::LoginToken(ask("Login token: ")?)
        }
        (WayFlag::Oauth, _) => LoginWay::DeviceCode(Arc::new(show_code)),
    });
    Ok(())
}

/// `https://… offers: a password, a code in a browser (OAuth 2.0). …`
fn described(offer: &LoginOffer) -> String {
    let ways = [
        (offer.device_code, "a code in a browser (--with oauth)"),
        (offer.password, "a password (--with password)"),
        (offer.login_token, "a login token (--with login-token)"),
        (
            offer.single_sign_on,
            "single sign-on, which gives a login token",
        ),
        (
            offer.other_oauth,
            "OAuth without a code, which a bot cannot use",
        ),
    ];
    let ways = ways.iter().filter(|(is_offered, _)| *is_offered);
    let mut ways: Vec<String> = ways.map(|(_, way)| (*way).to_owned()).collect();
    ways.extend(
        offer
            .unknown
            .iter()
            .map(|kind| format!("{kind}, which bpfnews does not know")),
    );
    ways.push("an access token that you have (--with token)".to_owned());
    format!("{} offers: {}.", offer.homeserver, ways.join("; "))
}

fn sign_on_advice(homeserver: &str) -> String {
    format!(
        "Open {homeserver}/_matrix/client/v3/login/sso/redirect?redirectUrl=http%3A%2F%2Flocalhost%2F and sign in. The \
         browser then shows a page that does not exist; copy the text after loginToken= from its address."
    )
}

fn show_code(code: &DeviceCode) {
    let minutes = code.valid_for.as_secs().div_ceil(60);
    let (page, with_code) = (&code.page, &code.page_with_code);
    let mut text = format!("Open {page} and enter the code {}", code.code);
    if let Some(page) = with_code {
        text.push_str(&format!(", or open {page}"));
    }
    // A terminal that is gone shows nothing, and the login ends when the code does.
    let _ = writeln!(
        anstream::stderr(),
        "{text}. Log in there as the bot, and confirm. The code is valid for {minutes} minutes."
    );
}

async fn login(settings: MatrixSettings) -> anyhow::Result<ExitCode> {
    let folder = settings.folder.clone();
    let account = Matrix::new(settings).account().await.map_err(told)?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "{}, device {}; its keys are in {}",
        account.user,
        account.device,
        folder.display()
    )?;
    match (account.is_trusted, account.is_recoverable) {
        (true, true) => writeln!(out, "The device is trusted, and there is a recovery key.")?,
        (true, false) => writeln!(
            out,
            "The device is trusted. There is no recovery key yet: bpfnews matrix recovery-key"
        )?,
        (false, _) => writeln!(
            out,
            "The device is NOT trusted: people are warned of it. bpfnews matrix recover"
        )?,
    }
    match account.rooms.len() {
        0 => writeln!(
            out,
            "In no room yet: invite it; bpfnews run joins where an inviter under [matrix] asks it to."
        )?,
        1 => writeln!(out, "In one room:")?,
        many => writeln!(out, "In {many} rooms:")?,
    }
    for room in &account.rooms {
        writeln!(out, "  {}", line(room))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(room: &RoomFacts) -> String {
    let encrypted = match room.is_encrypted {
        true => ", encrypted",
        false => "",
    };
    let mute = match room.can_send {
        true => "",
        false => ", where it may not send messages",
    };
    format!("{} {}{encrypted}{mute}", room.id, plain(&room.name))
}

async fn recovery_key(matrix: &Matrix) -> anyhow::Result<ExitCode> {
    let key = matrix.make_recovery_key().await.map_err(told)?;
    writeln!(std::io::stdout(), "{}", key.expose_secret())?;
    writeln!(
        anstream::stderr(),
        "Keep this key away from this machine: it is shown once, and bpfnews does not have it. Anybody with this key and the \
         account's password can read the bot's encrypted rooms. bpfnews matrix recover uses it, after the folder with \
         the session was lost."
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn recover(settings: MatrixSettings) -> anyhow::Result<ExitCode> {
    let key = ask("Recovery key: ")?;
    let matrix = Matrix::new(settings);
    matrix.recover(&key).await.map_err(told)?;
    let account = matrix.account().await.map_err(told)?;
    anyhow::ensure!(
        account.is_trusted,
        "the key was taken, but the account did not sign this device; make a new key with the account's other device"
    );
    writeln!(
        anstream::stdout(),
        "Device {} of {} is trusted now.",
        account.device,
        account.user
    )?;
    Ok(ExitCode::SUCCESS)
}

fn told(error: SendError) -> anyhow::Error {
    match error {
        SendError::Later { why, .. }
        | SendError::Failed { why, .. }
        | SendError::Unknown { why }
        | SendError::Never { why, .. }
        | SendError::Refused { why } => {
            anyhow::anyhow!(why)
        }
        replaced @ SendError::Replaced { .. } => replaced.into(),
        SendError::Gone => anyhow::anyhow!("it is gone"),
    }
}

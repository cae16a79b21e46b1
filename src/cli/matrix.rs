//! The commands for the Matrix account: log in, make the recovery key, use it.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use secrecy::ExposeSecret as _;

use super::secrets::ask;
use crate::app::platforms;
use crate::channel::SendError;
use crate::channel::matrix::{Matrix, MatrixSettings, RoomFacts};
use crate::config::Config;
use crate::post::plain;

/// The subcommands for the account.
#[derive(Debug, clap::Subcommand)]
pub(super) enum MatrixCommand {
    /// Log in, or open the stored session; print the user, the device and its rooms.
    #[command(after_help = "Example:\n  bpfnews matrix login")]
    Login {
        /// Forget the session that is kept, which somebody revoked, and its keys; log in as a new device.
        #[arg(long)]
        anew: bool,
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

pub(super) async fn run(path: &Path, command: &MatrixCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let mut settings = platforms::matrix_settings(&config)?;
    let is_asked_for = match command {
        MatrixCommand::Login { anew } => *anew,
        MatrixCommand::RecoveryKey { new_identity } => *new_identity,
        MatrixCommand::Recover => false,
    };
    let needs_password = is_asked_for || !settings.is_logged_in();
    if needs_password && settings.password.is_none() {
        settings.password = Some(ask(&format!("Password of {}: ", settings.user))?);
    }
    match command {
        MatrixCommand::Login { anew } => {
            if *anew {
                settings.forget().map_err(told)?;
            }
            login(settings).await
        }
        MatrixCommand::RecoveryKey { new_identity: true } => {
            let matrix = Matrix::new(settings);
            matrix.begin_anew().await.map_err(told)?;
            recovery_key(&matrix).await
        }
        MatrixCommand::RecoveryKey {
            new_identity: false,
        } => recovery_key(&Matrix::new(settings)).await,
        MatrixCommand::Recover => recover(settings).await,
    }
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
        "Keep this key away from this machine: it is shown once, and bpfnews does not have it. Whoever holds it and the \
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

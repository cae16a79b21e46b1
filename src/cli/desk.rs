//! `desk-link` and `desk-revoke`: the ways into the editors' desk, for operators.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use chrono::Utc;
use clap::Subcommand;

use super::opening::open;
use super::operator::hand;
use crate::post::plain;
use crate::publish::desk_access;
use crate::store::audit;
use crate::store::desk_keys::{self, DeskKey};

#[derive(Debug, Subcommand)]
pub(super) enum DeskCommand {
    /// Print a link that opens the editors' desk once. It works beside a running bpfnews with [web] in its configuration.
    #[command(after_help = "Example:\n  bpfnews desk-link --as alice")]
    DeskLink {
        /// The name that is stored with the edits.
        #[arg(long = "as", value_name = "NAME", default_value = "operator")]
        name: String,
    },
    /// End the desk's sessions, and take back its links: of one person, or of everybody.
    #[command(
        after_help = "Examples:\n  bpfnews desk-revoke\n  bpfnews desk-revoke --person 123456789012345678"
    )]
    DeskRevoke {
        /// The id of a person on Discord or Matrix, or the name of a desk-link.
        #[arg(long, value_name = "ID")]
        person: Option<String>,
    },
}

/// Carries out a command.
pub(super) async fn run(path: &Path, command: &DeskCommand) -> anyhow::Result<ExitCode> {
    match command {
        DeskCommand::DeskLink { name } => link(path, name).await,
        DeskCommand::DeskRevoke { person } => revoke(path, person.as_deref()).await,
    }
}

/// Prints a link that opens the desk once.
async fn link(path: &Path, name: &str) -> anyhow::Result<ExitCode> {
    let (config, ingest) = open(path).await?;
    let home = config.desk_home().context(
        "bpfnews serves no pages, so there is no desk; set listen, and url for others, under [web] in the configuration",
    )?;
    let mut actor = hand();
    actor.person = plain(name);
    let by = DeskKey {
        platform: actor.platform.clone(),
        person: actor.person.clone(),
        room: actor.room.clone(),
        community: None,
        roles: Vec::new(),
        manages: false,
        ends_at: 0,
    };
    let now = Utc::now();
    let mut tx = ingest.store.write().await?;
    let secret = desk_access::make_link(&mut tx, &by, now).await?;
    audit::record(&mut tx, &actor, "asked for a link to the desk", now).await?;
    tx.commit().await?;
    writeln!(
        anstream::stderr(),
        "The link opens the desk once, within {} minutes, for {}:",
        desk_access::LINK_LIFE.num_minutes(),
        by.person
    )?;
    writeln!(
        anstream::stdout(),
        "{home}{}",
        desk_access::link_path(&secret)
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Ends sessions, and takes back links.
async fn revoke(path: &Path, person: Option<&str>) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let mut tx = ingest.store.write().await?;
    let many = desk_keys::drop_keys(&mut tx, person).await?;
    let what = format!(
        "ended the desk's sessions of {}",
        person.unwrap_or("everybody")
    );
    audit::record(&mut tx, &hand(), &what, Utc::now()).await?;
    tx.commit().await?;
    writeln!(anstream::stdout(), "Sessions and links that ended: {many}.")?;
    Ok(ExitCode::SUCCESS)
}

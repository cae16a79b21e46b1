//! The commands for mail: who gets it, a test of the server, and mail that came back. They work while `run` does.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::Format;
use crate::app::letters::outgoing;
use crate::app::platforms::smtp_settings;
use crate::channel::mail::send_once;
use crate::config::{Config, MailAddress};
use crate::mailing::{BounceKind, MailSender, Mailing, SignUp, read_bounce, test_mail};
use crate::store::Store;
use crate::store::subscribers::{self, SubscriberRow};

/// Subscribers that are read at once.
const PAGE: i64 = 500;
/// The most bytes of a mail that came back.
const BOUNCE_BYTES_MAX: u64 = 1 << 20;
/// Environment variables in which postfix names the address that a mail came to.
const RECIPIENTS: [&str; 2] = ["ORIGINAL_RECIPIENT", "RECIPIENT"];
/// The exit status with which postfix tries a command again later.
const TRY_LATER: u8 = 75;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub(super) enum MailCommand {
    /// List the subscribers with their addresses.
    #[command(
        after_help = "Example:\n  bpfnews mail list --format json | jq 'select(.state == \"suspended\")'"
    )]
    List {
        /// How to print them; json is one object a line.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Ask the owner of an address to confirm that issues shall come by mail. A running bpfnews sends the question.
    #[command(after_help = "Example:\n  bpfnews mail add reader@example.org")]
    Add {
        /// The address.
        #[arg(value_name = "ADDRESS", value_parser = address)]
        address: MailAddress,
    },
    /// Turn mail off for an address, and erase the address. Its number stays, so that an old link finds that mail is off.
    #[command(after_help = "Example:\n  bpfnews mail remove reader@example.org")]
    Remove {
        /// The address.
        #[arg(value_name = "ADDRESS", value_parser = address)]
        address: MailAddress,
    },
    /// Erase everything about an address, and overwrite it in the database's files.
    #[command(after_help = "Example:\n  bpfnews mail erase reader@example.org")]
    Erase {
        /// The address.
        #[arg(value_name = "ADDRESS", value_parser = address)]
        address: MailAddress,
    },
    /// Send a mail to an address at once, to test the server.
    #[command(after_help = "Example:\n  bpfnews mail test me@example.org")]
    Test {
        /// The address.
        #[arg(value_name = "ADDRESS", value_parser = address)]
        address: MailAddress,
    },
    /// Read a mail that came back from standard input, and suspend its subscriber if the address is at fault. For an alias of
    /// postfix: see docs/mail.md.
    #[command(
        after_help = "Example, in /etc/aliases:\n  bpfnews-bounces: \"|bpfnews --config /etc/bpfnews/config.toml mail bounce\""
    )]
    Bounce {
        /// The address that it came to. By default, the mail and postfix' environment say so.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
}

fn address(text: &str) -> Result<MailAddress, String> {
    MailAddress::read(text)
        .ok_or_else(|| "expected an address for mail, such as reader@example.org".to_owned())
}

pub(super) async fn run(path: &Path, command: &MailCommand) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let identity = MailSender::of(&config)
        .context("there is no [mail] in the configuration; docs/mail.md explains it")?;
    if let MailCommand::Test { address } = command {
        return test(&config, &identity, address).await;
    }
    let store = Store::open(&config.database).await;
    let store = match (store, command) {
        (Err(error), MailCommand::Bounce { .. }) => return Ok(try_later(&error)),
        (store, _) => store?,
    };
    let mailing = Mailing::new(identity)?;
    let code = match command {
        MailCommand::List { format } => list(&store, *format).await?,
        MailCommand::Add { address } => add(&store, &mailing, address).await?,
        MailCommand::Remove { address } => remove(&store, &mailing, address).await?,
        MailCommand::Erase { address } => erase(&store, &mailing, address).await?,
        MailCommand::Bounce { to } => match bounce(&store, &mailing, to.clone()).await {
            Ok(code) => code,
            Err(error) => try_later(&error),
        },
        MailCommand::Test { .. } => ExitCode::SUCCESS,
    };
    store.close().await;
    Ok(code)
}

fn try_later(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(anstream::stderr(), "bpfnews: {error:#}");
    ExitCode::from(TRY_LATER)
}

async fn list(store: &Store, format: Format) -> anyhow::Result<ExitCode> {
    let mut out = anstream::stdout().lock();
    let (mut after, mut many) = (0, 0);
    loop {
        let rows = subscribers::list_subscribers(store.read(), after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in &rows {
            many += 1;
            let address = row.address.as_deref().unwrap_or_default();
            match format {
                Format::Json => writeln!(out, "{}", as_json(row, address))?,
                Format::Text => writeln!(out, "{}", as_text(row, address))?,
            }
        }
    }
    if many == 0 && format == Format::Text {
        writeln!(anstream::stderr(), "Nobody signed up for mail.")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn stamp(seconds: i64) -> String {
    let at = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn as_json(row: &SubscriberRow, address: &str) -> serde_json::Value {
    json!({
        "number": row.id,
        "address": address,
        "state": row.state.word(),
        "since": stamp(row.changed_at),
        "why": row.why,
    })
}

fn as_text(row: &SubscriberRow, address: &str) -> String {
    let why = row
        .why
        .as_deref()
        .map_or_else(String::new, |why| format!(" ({why})"));
    let (state, since) = (row.state.word(), stamp(row.changed_at));
    format!("{}  {address}  {state} since {since}{why}", row.id)
}

async fn add(store: &Store, mailing: &Mailing, address: &MailAddress) -> anyhow::Result<ExitCode> {
    let mut tx = store.write().await?;
    let asked = mailing.ask(&mut tx, address, Utc::now()).await?;
    tx.commit().await?;
    let said = match asked {
        SignUp::Asked => {
            "A mail with a link to confirm is queued; a running bpfnews sends it. The link is valid for two days."
        }
        SignUp::Known => "This address gets mail already.",
        SignUp::TooMany => bail!(
            "this address got such a mail within ten minutes, or three of them within a day; try again later"
        ),
    };
    writeln!(anstream::stdout(), "{said}")?;
    Ok(ExitCode::SUCCESS)
}

/// The number of the subscriber with an address.
async fn number_of(store: &Store, address: &MailAddress) -> anyhow::Result<i64> {
    let row = subscribers::subscriber_of(store.read().into(), &address.folded()).await?;
    let row = row.context("no subscriber has this address; bpfnews mail list has all")?;
    Ok(row.id)
}

async fn remove(
    store: &Store,
    mailing: &Mailing,
    address: &MailAddress,
) -> anyhow::Result<ExitCode> {
    let id = number_of(store, address).await?;
    let mut tx = store.write().await?;
    mailing.remove(&mut tx, id, Utc::now()).await?;
    tx.commit().await?;
    writeln!(
        anstream::stdout(),
        "Mail is off for subscriber {id}, and the address is erased."
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn erase(
    store: &Store,
    mailing: &Mailing,
    address: &MailAddress,
) -> anyhow::Result<ExitCode> {
    let id = number_of(store, address).await?;
    let mut tx = store.write().await?;
    mailing.erase(&mut tx, id, Utc::now()).await?;
    tx.commit().await?;
    let is_clean = store.checkpoint().await?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "Everything about subscriber {id} is erased from the database."
    )?;
    if !is_clean {
        writeln!(
            out,
            "The database's log (-wal) is in use and may have the address until bpfnews stops, or writes much more."
        )?;
    }
    writeln!(out, "Backups have it until you delete them.")?;
    Ok(ExitCode::SUCCESS)
}

async fn test(
    config: &Config,
    identity: &MailSender,
    address: &MailAddress,
) -> anyhow::Result<ExitCode> {
    let mail = config.mail.as_ref().context("there is no [mail]")?;
    let settings = smtp_settings(mail)?;
    let letter = outgoing(&test_mail(identity, address, Utc::now())?);
    let sent = send_once(&settings, &letter).await;
    sent.with_context(|| {
        format!(
            "the mail server {}:{} did not take it",
            mail.host, mail.port
        )
    })?;
    writeln!(
        anstream::stdout(),
        "The mail server took it. Look into the mailbox, and into its spam."
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn bounce(store: &Store, mailing: &Mailing, to: Option<String>) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .take(BOUNCE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .context("reading the mail from standard input")?;
    ensure!(
        !bytes.is_empty(),
        "standard input is empty; it must be a mail that came back"
    );
    let mut out = anstream::stdout();
    let Some(report) = read_bounce(&bytes) else {
        writeln!(
            out,
            "This is no report of a mail server, so nothing is changed."
        )?;
        return Ok(ExitCode::SUCCESS);
    };
    let BounceKind::Failed(refusal) = report.kind else {
        writeln!(
            out,
            "The mail is late or was delivered, so nothing is changed."
        )?;
        return Ok(ExitCode::SUCCESS);
    };
    let named = RECIPIENTS
        .iter()
        .filter_map(|name| std::env::var(name).ok());
    let mut tx = store.write().await?;
    for returned_to in to.into_iter().chain(named).chain(report.returned_to) {
        let Some(id) = mailing.bounced(&mut tx, &returned_to).await? else {
            continue;
        };
        let is_suspended = mailing.refused(&mut tx, id, refusal, Utc::now()).await?;
        tx.commit().await?;
        match is_suspended {
            true => writeln!(out, "Subscriber {id} is suspended: {refusal}.")?,
            false => writeln!(out, "A refusal of subscriber {id} is counted: {refusal}.")?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(
        out,
        "No address of the report has a token of ours, so nothing is changed."
    )?;
    Ok(ExitCode::SUCCESS)
}

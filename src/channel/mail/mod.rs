//! Mail: sends each delivery as one mail to one subscriber, over SMTP.
//!
//! SMTP has no idempotency key. After a connection was lost between the end of a mail and the server's answer, nobody knows
//! whether it was taken. Such a mail is sent again with the same Message-ID, by which mail programs recognise it.

mod connection;
mod failure;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt as _};
use secrecy::SecretString;
use tokio::sync::{Mutex, Semaphore};

use self::connection::SmtpConnection;
pub use self::failure::SmtpFault;
use self::failure::{SmtpStep, to_send_error};
use super::{Act, Platform, PostedMessage, Receipt, Scope, SendError, Work};
use crate::post::story::Content;

/// Connections at once.
const CONNECTIONS_MAX: usize = 4;
/// Mails of one connection. Servers limit them, postfix to 100.
const MAILS_A_CONNECTION_MAX: u32 = 50;
/// How long a delivery waits after the bound of a day is reached.
const BOUND_WAIT: Duration = Duration::from_mins(15);

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpEncryption {
    StartTls,
    Implicit,
    None,
}

/// The mail server, and how to reach it.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub encryption: SmtpEncryption,
    /// The account and its password.
    pub login: Option<(String, SecretString)>,
    /// The name by which we greet the server.
    pub hello: String,
    /// The longest wait for one answer of the server.
    pub timeout: Duration,
}

/// A mail in its envelope.
#[derive(Debug, Clone)]
pub struct OutgoingMail {
    /// The address that it comes back to.
    pub return_path: String,
    pub to: String,
    /// The whole message, headers included.
    pub bytes: Vec<u8>,
}

/// Why a mail is not sent.
#[derive(Debug)]
pub enum NoLetter {
    /// Nobody gets it any more.
    Off,
    /// The bound of a day is reached.
    Bound,
    Failed(anyhow::Error),
}

/// A refusal for good by the server: the reply code, and the first words behind it, which may begin with an enhanced code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedMail {
    pub code: u16,
    pub said: String,
}

/// The mails of the deliveries, and the addresses of subscribers. The channel itself knows neither.
pub trait LetterWriter: Send + Sync {
    /// Counts and writes the mail of a delivery to a subscriber, named by its number.
    fn write<'a>(
        &'a self,
        subscriber: &'a str,
        content: &'a Content,
    ) -> BoxFuture<'a, Result<OutgoingMail, NoLetter>>;

    /// Notes that the server took a mail.
    fn taken<'a>(&'a self, subscriber: &'a str) -> BoxFuture<'a, anyhow::Result<()>>;

    /// Notes that the server refused an address or its mail for good.
    fn refused<'a>(
        &'a self,
        subscriber: &'a str,
        refusal: RefusedMail,
    ) -> BoxFuture<'a, anyhow::Result<()>>;
}

/// The platform for mail.
pub struct MailPlatform {
    settings: SmtpSettings,
    letters: Arc<dyn LetterWriter>,
    seats: Semaphore,
    idle: Mutex<Vec<SmtpConnection>>,
}

impl MailPlatform {
    pub fn new(settings: SmtpSettings, letters: Arc<dyn LetterWriter>) -> Self {
        Self {
            settings,
            letters,
            seats: Semaphore::new(CONNECTIONS_MAX),
            idle: Mutex::default(),
        }
    }

    async fn send(&self, work: &Work, content: &Content) -> Result<Receipt, SendError> {
        let _seat = self.seats.acquire().await;
        // The mail is written, and counted, only when there is a connection for it.
        let kept = self.idle.lock().await.pop();
        let (connection, was_kept) = match kept {
            Some(connection) => (connection, true),
            None => {
                let opened = SmtpConnection::open(&self.settings).await;
                (opened.map_err(|fault| to_send_error(&fault))?, false)
            }
        };
        let letter = match self.letters.write(&work.address, content).await {
            Ok(letter) => letter,
            Err(why) => {
                self.keep(connection).await;
                return Err(not_written(why));
            }
        };
        let sent = self.hand_over(connection, was_kept, &letter).await;
        let noted = match &sent {
            Ok(()) => self.letters.taken(&work.address).await,
            Err(fault) => match fault.refusal() {
                Some(refusal) => self.letters.refused(&work.address, refusal).await,
                None => Ok(()),
            },
        };
        if let Err(error) = noted {
            // The mail is out or refused all the same, and the next one to this address will show it again.
            tracing::warn!("noting what became of a mail: {error:#}");
        }
        let receipt = Receipt {
            message: work.key.clone(),
            thread: None,
        };
        sent.map(|()| receipt)
            .map_err(|fault| to_send_error(&fault))
    }

    /// Sends a mail over a connection; over a new one, if this one was idle and the server closed it meanwhile.
    async fn hand_over(
        &self,
        mut connection: SmtpConnection,
        was_kept: bool,
        letter: &OutgoingMail,
    ) -> Result<(), SmtpFault> {
        let mut sent = connection.send(letter).await;
        // The server cannot have taken anything before it had the sender's address.
        let is_closed =
            |fault: &SmtpFault| fault.stage == SmtpStep::Sender && fault.is_of_connection();
        if was_kept && sent.as_ref().is_err_and(is_closed) {
            connection = SmtpConnection::open(&self.settings).await?;
            sent = connection.send(letter).await;
        }
        self.keep(connection).await;
        sent
    }

    /// Keeps a connection for the next mail, if it is usable.
    async fn keep(&self, mut connection: SmtpConnection) {
        if connection.is_usable() && connection.mails() < MAILS_A_CONNECTION_MAX {
            self.idle.lock().await.push(connection);
        } else {
            connection.close().await;
        }
    }
}

/// The queue's answer to a mail that was not written.
fn not_written(why: NoLetter) -> SendError {
    match why {
        NoLetter::Off => SendError::Never {
            scope: Scope::Delivery,
            why: "mail is off for this subscriber, or the issue was withdrawn".to_owned(),
        },
        NoLetter::Bound => SendError::Later {
            after: BOUND_WAIT,
            scope: Scope::Platform,
            why: "per_day_max mails were sent in the last 24 hours".to_owned(),
        },
        NoLetter::Failed(error) => SendError::Failed {
            after: Duration::ZERO,
            scope: Scope::Delivery,
            why: format!("the mail could not be written: {error:#}"),
        },
    }
}

/// Greets the server, encrypts and logs in, without a mail. Returns a description of the connection.
///
/// # Errors
///
/// Returns the stage that failed and the server's answer.
pub async fn probe(settings: &SmtpSettings) -> Result<String, SmtpFault> {
    let mut connection = SmtpConnection::open(settings).await?;
    let described = connection.describe(settings);
    connection.close().await;
    Ok(described)
}

/// Sends one mail at once, outside the queue.
///
/// # Errors
///
/// Returns the stage that failed and the server's answer.
pub async fn send_once(settings: &SmtpSettings, letter: &OutgoingMail) -> Result<(), SmtpFault> {
    let mut connection = SmtpConnection::open(settings).await?;
    let sent = connection.send(letter).await;
    connection.close().await;
    sent
}

impl Platform for MailPlatform {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn dedupes_for(&self, _address: &str) -> Duration {
        Duration::ZERO
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move {
            match &work.act {
                Act::Send { content, .. } => self.send(work, content).await,
                // A mail that was sent stays as it is.
                Act::Edit { .. } | Act::Remove { .. } => Err(SendError::Gone),
            }
        }
        .boxed()
    }

    /// Nobody can look into the mailboxes of others.
    fn find<'a>(&'a self, _work: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async { Ok(None) }.boxed()
    }

    fn standing<'a>(
        &'a self,
        _address: &'a str,
        _since: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

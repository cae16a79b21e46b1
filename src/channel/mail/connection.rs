//! One SMTP connection. Each step has its own time limit, and says at which stage it failed.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret as _;

use super::failure::{SmtpFault, SmtpStep};
use super::{OutgoingMail, SmtpEncryption, SmtpSettings};

/// How long a server may take for the answer to a whole mail, which it may check for spam meanwhile: as RFC 5321 asks.
const TAKEN_MAX: Duration = Duration::from_mins(10);
/// How long a farewell may take.
const FAREWELL_MAX: Duration = Duration::from_secs(2);

/// A connection after the greeting and the login.
pub(super) struct SmtpConnection {
    smtp: AsyncSmtpConnection,
    timeout: Duration,
    mails: u32,
    is_usable: bool,
}

impl SmtpConnection {
    /// Connects, encrypts and logs in.
    pub(super) async fn open(settings: &SmtpSettings) -> Result<Self, SmtpFault> {
        let hello = ClientId::Domain(settings.hello.clone());
        let tls = || {
            TlsParameters::new(settings.host.clone())
                .map_err(|error| SmtpFault::of(SmtpStep::Tls, &error))
        };
        let at_once = match settings.encryption {
            SmtpEncryption::Implicit => Some(tls()?),
            SmtpEncryption::StartTls | SmtpEncryption::None => None,
        };
        let server = (settings.host.as_str(), settings.port);
        let limit = Some(settings.timeout);
        let connecting = AsyncSmtpConnection::connect_tokio1(server, limit, &hello, at_once, None);
        // The greeting and its answer follow the connection.
        let smtp = within(settings.timeout * 3, SmtpStep::Connect, connecting).await?;
        let mut connection = Self {
            smtp,
            timeout: settings.timeout,
            mails: 0,
            is_usable: true,
        };
        if settings.encryption == SmtpEncryption::StartTls {
            let upgrading = connection.smtp.starttls(tls()?, &hello);
            within(settings.timeout * 2, SmtpStep::Tls, upgrading).await?;
        }
        if let Some((user, password)) = &settings.login {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            let logging_in = connection
                .smtp
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            within(settings.timeout * 2, SmtpStep::Login, logging_in).await?;
        }
        Ok(connection)
    }

    /// Sends a mail to its one address.
    pub(super) async fn send(&mut self, letter: &OutgoingMail) -> Result<(), SmtpFault> {
        self.mails += 1;
        let sent = self.steps(letter).await;
        if let Err(fault) = &sent {
            // A server that answered forgets the mail on RSET.
            let is_open = !fault.is_of_connection();
            self.is_usable = is_open
                && within(self.timeout, fault.stage, self.smtp.command(Rset))
                    .await
                    .is_ok();
        }
        sent
    }

    async fn steps(&mut self, letter: &OutgoingMail) -> Result<(), SmtpFault> {
        let address = |text: &str| {
            text.parse::<Address>()
                .map_err(|_| SmtpFault::ours("an address that no server takes"))
        };
        let (from, to) = (address(&letter.return_path)?, address(&letter.to)?);
        let timeout = self.timeout;
        let mail = MailFrom::new(Some(from), Vec::new());
        within(timeout, SmtpStep::Sender, self.smtp.command(mail)).await?;
        let rcpt = Rcpt::new(to, Vec::new());
        within(timeout, SmtpStep::Recipient, self.smtp.command(rcpt)).await?;
        let ready: Response = within(timeout, SmtpStep::Data, self.smtp.command(Data)).await?;
        if !ready.has_code(354) {
            return Err(SmtpFault::ours(
                "the server did not ask for the mail after DATA",
            ));
        }
        let message = self.smtp.message(&letter.bytes);
        within(TAKEN_MAX.min(timeout * 10), SmtpStep::Message, message).await?;
        Ok(())
    }

    pub(super) fn is_usable(&self) -> bool {
        self.is_usable && !self.smtp.has_broken()
    }

    /// Mails that were sent over it.
    pub(super) fn mails(&self) -> u32 {
        self.mails
    }

    /// How it is encrypted and logged in, for the operator.
    pub(super) fn describe(&self, settings: &SmtpSettings) -> String {
        let encrypted = match self.smtp.is_encrypted() {
            true => "encrypted",
            false => "not encrypted",
        };
        let login = match &settings.login {
            Some((user, _)) => format!("logged in as {user}"),
            None => "without a login".to_owned(),
        };
        format!("{}:{}, {encrypted}, {login}", settings.host, settings.port)
    }

    pub(super) async fn close(&mut self) {
        let _ = tokio::time::timeout(FAREWELL_MAX, self.smtp.abort()).await;
    }
}

/// Waits for a step of the conversation.
async fn within<T>(
    limit: Duration,
    stage: SmtpStep,
    step: impl Future<Output = Result<T, lettre::transport::smtp::Error>>,
) -> Result<T, SmtpFault> {
    match tokio::time::timeout(limit, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(SmtpFault::of(stage, &error)),
        Err(_) => Err(SmtpFault::late(stage)),
    }
}

//! Faults of an SMTP conversation, and the queue's answers to them.

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp;

use super::super::text::cut;
use super::super::{Scope, SendError};
use super::RefusedMail;
use crate::post::plain;

/// The most characters of a server's words.
const SAID_CHARS_MAX: usize = 200;
/// How long all mails wait after the server could not be reached, and after it refused us.
const UNREACHED_WAIT: Duration = Duration::from_secs(30);
const REFUSED_WAIT: Duration = Duration::from_mins(5);
/// How long a mail waits if the server asks to try it later. Servers that do so to everybody at first wait for five minutes.
const LATER_WAIT: Duration = Duration::from_mins(5);

/// A step of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmtpStep {
    Connect,
    Tls,
    Login,
    /// The address of the sender.
    Sender,
    /// The address of the recipient.
    Recipient,
    /// The request to send the mail.
    Data,
    /// The mail itself: the server may have taken it.
    Message,
    /// Before the conversation.
    Ours,
}

impl SmtpStep {
    /// The step in words.
    fn word(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Tls => "encrypting",
            Self::Login => "logging in",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "the end of the mail",
            Self::Ours => "before sending",
        }
    }
}

/// A step that failed. Its words never contain an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {said}", .stage.word())]
pub struct SmtpFault {
    pub(super) stage: SmtpStep,
    /// The reply code of the server, if it answered.
    code: Option<u16>,
    said: String,
}

impl SmtpFault {
    pub(super) fn of(stage: SmtpStep, error: &smtp::Error) -> Self {
        let code = error.status().map(u16::from);
        let source = error.source().map(ToString::to_string);
        let words = source.unwrap_or_else(|| error.to_string());
        let said = match code {
            Some(code) => format!("{code} {}", without_addresses(&words)),
            None => without_addresses(&words),
        };
        Self { stage, code, said }
    }

    pub(super) fn late(stage: SmtpStep) -> Self {
        Self {
            stage,
            code: None,
            said: "the server did not answer in time".to_owned(),
        }
    }

    pub(super) fn ours(said: &str) -> Self {
        Self {
            stage: SmtpStep::Ours,
            code: None,
            said: said.to_owned(),
        }
    }

    fn is_permanent(&self) -> bool {
        self.code.is_some_and(|code| code >= 500)
    }

    /// Whether the connection is to blame: it broke, or the server closes it.
    pub(super) fn is_of_connection(&self) -> bool {
        self.stage != SmtpStep::Ours && self.code.is_none_or(|code| code == 421)
    }

    /// The refusal, if the server refused the recipient or the mail for good.
    pub(super) fn refusal(&self) -> Option<RefusedMail> {
        let is_of_mail = matches!(self.stage, SmtpStep::Recipient | SmtpStep::Message);
        let code = self.code.filter(|_| is_of_mail && self.is_permanent())?;
        let digits = code.to_string();
        let said = self.said.strip_prefix(&digits).unwrap_or(&self.said);
        Some(RefusedMail {
            code,
            said: said.trim_start().to_owned(),
        })
    }
}

/// A server's words without anything that may be an address. Servers like to repeat it, sometimes without its domain.
fn without_addresses(words: &str) -> String {
    let words: Vec<&str> = words
        .split_whitespace()
        .map(
            |word| match word.contains(['@', '<', '>', '"', '\'']) || word.contains("%40") {
                true => "…",
                false => word,
            },
        )
        .collect();
    cut(&plain(&words.join(" ")), SAID_CHARS_MAX)
}

/// The queue's answer to a fault.
pub(super) fn to_send_error(fault: &SmtpFault) -> SendError {
    let why = fault.to_string();
    let later = |after, scope| SendError::Failed {
        after,
        scope,
        why: why.clone(),
    };
    match fault.stage {
        SmtpStep::Connect | SmtpStep::Tls => later(UNREACHED_WAIT, Scope::Platform),
        SmtpStep::Sender | SmtpStep::Recipient | SmtpStep::Data if fault.is_of_connection() => {
            later(UNREACHED_WAIT, Scope::Platform)
        }
        // The sender or the account is refused, and so would be every mail. A person must correct that; nothing is lost.
        SmtpStep::Login | SmtpStep::Sender => later(REFUSED_WAIT, Scope::Platform),
        SmtpStep::Message if fault.code.is_none() => SendError::Unknown { why },
        SmtpStep::Recipient | SmtpStep::Data | SmtpStep::Message if fault.is_permanent() => {
            SendError::Never {
                scope: Scope::Delivery,
                why,
            }
        }
        SmtpStep::Recipient | SmtpStep::Data | SmtpStep::Message | SmtpStep::Ours => {
            later(LATER_WAIT, Scope::Delivery)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_keep_no_address() {
        #[rustfmt::skip]
        let table = [
            ("5.1.1 <reader@example.org>: Recipient address rejected: User unknown", "5.1.1 … Recipient address rejected: User unknown"),
            ("no such user: Reader@EXAMPLE.org.", "no such user: …"),
            ("see https://mx.example.net/?to=reader%40example.org", "see …"),
            ("mailbox \"reader\" is full", "mailbox … is full"),
            ("4.7.1 Greylisted\nfor 300 s", "4.7.1 Greylisted for 300 s"),
        ];
        for (words, right) in table {
            assert_eq!(without_addresses(words), right);
        }
        assert!(without_addresses(&"long ".repeat(1_000)).chars().count() <= SAID_CHARS_MAX);
    }

    #[test]
    fn each_stage_has_its_own_consequence() {
        let fault = |stage, code: Option<u16>| SmtpFault {
            stage,
            code,
            said: "words".to_owned(),
        };
        #[rustfmt::skip]
        let table = [
            (SmtpStep::Connect, None, "later platform"), (SmtpStep::Connect, Some(554), "later platform"), (SmtpStep::Tls, None, "later platform"),
            (SmtpStep::Login, Some(535), "later platform"), (SmtpStep::Sender, Some(550), "later platform"),
            (SmtpStep::Sender, Some(451), "later platform"), (SmtpStep::Recipient, Some(451), "later delivery"),
            (SmtpStep::Recipient, Some(550), "never delivery"), (SmtpStep::Recipient, None, "later platform"),
            (SmtpStep::Recipient, Some(421), "later platform"), (SmtpStep::Data, Some(451), "later delivery"),
            (SmtpStep::Data, Some(554), "never delivery"), (SmtpStep::Message, None, "unknown"),
            (SmtpStep::Message, Some(451), "later delivery"), (SmtpStep::Message, Some(421), "later delivery"),
            (SmtpStep::Message, Some(554), "never delivery"),
        ];
        for (stage, code, right) in table {
            let word = |scope| match scope {
                Scope::Delivery => "delivery",
                Scope::Channel => "channel",
                Scope::Platform => "platform",
            };
            let got = match to_send_error(&fault(stage, code)) {
                SendError::Failed { scope, .. } => format!("later {}", word(scope)),
                SendError::Never { scope, .. } => format!("never {}", word(scope)),
                SendError::Unknown { .. } => "unknown".to_owned(),
                other => panic!("{other}"),
            };
            assert_eq!(got, right, "{stage:?} {code:?}");
        }
        let refused = fault(SmtpStep::Recipient, Some(550))
            .refusal()
            .expect("a refusal");
        assert_eq!(refused.code, 550);
        for (stage, code) in [
            (SmtpStep::Sender, 550),
            (SmtpStep::Recipient, 450),
            (SmtpStep::Data, 554),
            (SmtpStep::Login, 535),
        ] {
            assert_eq!(
                fault(stage, Some(code)).refusal(),
                None,
                "the address is not to blame"
            );
        }
    }
}

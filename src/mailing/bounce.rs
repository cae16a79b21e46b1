//! Mail that came back: reports by RFC 3464, and the codes by which servers refuse an address.

use chrono::{DateTime, Utc};
use mail_parser::{MessageParser, MimeHeaders as _};

use super::Mailing;
use crate::store::Tx;
use crate::store::subscribers;

/// The most bytes of a report that are read. Most of it is the mail that came back.
const REPORT_BYTES_MAX: usize = 1 << 20;
/// The most bytes of the part for programs, and the most addresses that are tried.
const FIELDS_BYTES_MAX: usize = 64 << 10;
const ADDRESSES_MAX: usize = 20;
/// Refusals in a row, none of which says that the address is wrong, before an address is suspended.
const REFUSALS_MAX: i64 = 3;
/// Headers that hold the address to which a report was sent.
const RECIPIENT_HEADERS: [&str; 4] = ["Delivered-To", "X-Original-To", "Envelope-To", "To"];

/// A code by RFC 3463: class, subject, detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnhancedCode {
    pub class: u16,
    pub subject: u16,
    pub detail: u16,
}

impl EnhancedCode {
    /// Reads a code at the beginning of a text, such as `5.1.1 no such user`.
    pub fn read(text: &str) -> Option<Self> {
        let word = text.trim_start().split([' ', '\t', '(', ';']).next()?;
        let mut parts = word.split('.').map(|part| {
            let is_short = (1..=3).contains(&part.len());
            let is_digits = part.bytes().all(|byte| byte.is_ascii_digit());
            (is_short && is_digits).then(|| part.parse().ok()).flatten()
        });
        let code = Self {
            class: parts.next()??,
            subject: parts.next()??,
            detail: parts.next()??,
        };
        (parts.next().is_none() && matches!(code.class, 2 | 4 | 5)).then_some(code)
    }
}

impl std::fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// A refusal for good: the reply code of SMTP, and the enhanced code if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailRefusal {
    pub code: Option<u16>,
    pub enhanced: Option<EnhancedCode>,
}

impl MailRefusal {
    /// Whether the fault is the address's. Policy, size, a full mailbox and faults of systems are not.
    fn is_of_address(self) -> bool {
        match (self.enhanced, self.code) {
            (Some(code), _) => matches!(
                (code.subject, code.detail),
                (1, 0 | 1 | 2 | 3 | 6 | 10) | (2, 0 | 1) | (0, 0) | (4, 4)
            ),
            (None, Some(code)) => matches!(code, 550 | 551 | 553),
            (None, None) => false,
        }
    }
}

impl std::fmt::Display for MailRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.code, self.enhanced) {
            (Some(code), Some(enhanced)) => write!(f, "{code} {enhanced}"),
            (Some(code), None) => write!(f, "{code}"),
            (None, Some(enhanced)) => write!(f, "{enhanced}"),
            (None, None) => f.write_str("refused"),
        }
    }
}

/// The meaning of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BounceKind {
    /// The mail was not delivered, and will not be.
    Failed(MailRefusal),
    /// It is late, was delivered, or was passed on.
    Other,
}

/// A report about a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    pub kind: BounceKind,
    /// The addresses that the report may have been sent to.
    pub returned_to: Vec<String>,
}

/// Reads a report from the bytes of a mail; `None` if it is no report by RFC 3464. The text for people is ignored, because
/// anybody can write it.
pub fn read_bounce(bytes: &[u8]) -> Option<Bounce> {
    let bytes = &bytes[..bytes.len().min(REPORT_BYTES_MAX)];
    let mail = MessageParser::default().parse(bytes)?;
    let root = mail.root_part();
    let kind = root
        .content_type()
        .and_then(|kind| kind.attribute("report-type"));
    let is_report = root.is_content_type("multipart", "report")
        && kind.is_some_and(|kind| kind.eq_ignore_ascii_case("delivery-status"));
    if !is_report {
        return None;
    }
    let mut parts = mail.parts.iter();
    let fields = parts.find(|part| part.is_content_type("message", "delivery-status"))?;
    let fields = fields.contents();
    let fields = String::from_utf8_lossy(&fields[..fields.len().min(FIELDS_BYTES_MAX)]);
    let mut returned_to = Vec::new();
    for name in RECIPIENT_HEADERS {
        let values = mail
            .headers_raw()
            .filter(|(of, _)| of.eq_ignore_ascii_case(name));
        let words = values.flat_map(|(_, value)| {
            value.split(|c: char| c.is_whitespace() || "<>,;\"".contains(c))
        });
        returned_to.extend(words.filter(|word| word.contains('@')).map(str::to_owned));
    }
    returned_to.truncate(ADDRESSES_MAX);
    Some(Bounce {
        kind: read_fields(&fields),
        returned_to,
    })
}

/// Reads the groups of fields for each recipient.
fn read_fields(fields: &str) -> BounceKind {
    let (mut is_failed, mut enhanced) = (false, None);
    // An empty line ends a group.
    for line in fields.lines().chain([""]) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "action" => is_failed = value.trim().eq_ignore_ascii_case("failed"),
            "status" => enhanced = EnhancedCode::read(value),
            "" if is_failed && enhanced.is_none_or(|code| code.class == 5) => {
                return BounceKind::Failed(MailRefusal {
                    code: None,
                    enhanced,
                });
            }
            "" => (is_failed, enhanced) = (false, None),
            _ => {}
        }
    }
    BounceKind::Other
}

impl Mailing {
    /// Counts a refusal, and suspends the address if it is to blame. Returns whether it is suspended now.
    ///
    /// # Errors
    ///
    /// Returns an error if the database fails.
    pub async fn refused(
        &self,
        tx: &mut Tx,
        id: i64,
        refusal: MailRefusal,
        now: DateTime<Utc>,
    ) -> anyhow::Result<bool> {
        let why = refusal.to_string();
        let many = subscribers::count_refusal(tx, id, &why).await?;
        if !refusal.is_of_address() && many < REFUSALS_MAX {
            return Ok(false);
        }
        subscribers::suspend(tx, id, &why, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kind: &str, fields: &str, to: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx.example.org\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type={kind};\r\n boundary=\"b\"\r\n\r\n--b\r\n\
             Content-Type: text/plain\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\n{fields}\r\n--b\r\n\
             Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny\r\n--b--\r\n"
        )
    }

    const TOP: &str = "Reporting-MTA: dns; mx.example.org\r\n\r\n";

    #[test]
    fn the_part_for_programs_decides() {
        let failed = |class, subject, detail| {
            BounceKind::Failed(MailRefusal {
                code: None,
                enhanced: Some(EnhancedCode {
                    class,
                    subject,
                    detail,
                }),
            })
        };
        #[rustfmt::skip]
        let table = [
            ("Final-Recipient: rfc822; a@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n", failed(5, 1, 1)),
            ("ACTION:  Failed\r\nSTATUS: 5.2.2 (over quota)\r\n", failed(5, 2, 2)),
            ("Action: delayed\r\nStatus: 4.4.1\r\n", BounceKind::Other),
            ("Action: failed\r\nStatus: 4.4.7\r\n", BounceKind::Other),
            ("Action: delivered\r\nStatus: 2.0.0\r\n", BounceKind::Other),
            ("Action: relayed\r\nStatus: 2.0.0\r\n\r\nAction: failed\r\nStatus: 5.7.1\r\n", failed(5, 7, 1)),
            ("Action: failed\r\n", BounceKind::Failed(MailRefusal { code: None, enhanced: None })),
            ("Action: delayed\r\n\r\nStatus: 5.1.1\r\n", BounceKind::Other),
            ("", BounceKind::Other),
        ];
        for (fields, right) in table {
            let bytes = report(
                "delivery-status",
                &format!("{TOP}{fields}"),
                "b+1-ab@example.org",
            );
            let bounce = read_bounce(bytes.as_bytes()).expect("a report");
            assert_eq!(bounce.kind, right, "{fields}");
            assert_eq!(bounce.returned_to, ["b+1-ab@example.org"]);
        }
    }

    #[test]
    fn other_mail_is_no_report() {
        let fields = format!("{TOP}Action: failed\r\nStatus: 5.1.1\r\n");
        let feedback = report("feedback-report", &fields, "b@example.org");
        let answer = "To: b+1-ab@example.org\r\nSubject: I am away\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n";
        for bytes in [
            feedback.as_str(),
            answer,
            "",
            "\0\0",
            "Content-Type: multipart/report",
        ] {
            assert_eq!(read_bounce(bytes.as_bytes()), None, "{bytes}");
        }
        let many = "x@example.org, ".repeat(5_000);
        let bounce = report("delivery-status", &fields, &many);
        let bounce = read_bounce(bounce.as_bytes()).expect("a report");
        assert_eq!(bounce.returned_to.len(), ADDRESSES_MAX);
    }

    #[test]
    fn the_code_says_whether_the_address_is_wrong() {
        #[rustfmt::skip]
        let table = [
            (Some(550), Some("5.1.1"), true), (Some(550), Some("5.7.1"), false), (Some(554), Some("5.7.1"), false),
            (Some(552), Some("5.2.2"), false), (Some(550), Some("5.2.1"), true), (Some(550), None, true),
            (Some(553), None, true), (Some(554), None, false), (Some(552), None, false), (None, Some("5.1.10"), true),
            (None, Some("5.3.4"), false), (None, Some("5.6.0"), false), (None, None, false), (None, Some("5.4.4"), true),
        ];
        for (code, enhanced, right) in table {
            let refusal = MailRefusal {
                code,
                enhanced: enhanced.and_then(EnhancedCode::read),
            };
            assert_eq!(refusal.enhanced.is_some(), enhanced.is_some());
            assert_eq!(refusal.is_of_address(), right, "{refusal}");
        }
        for wrong in [
            "", "5", "5.1", "5.1.1.1", "3.1.1", "5.1.x", "5.1.1234", "no 5.1.1",
        ] {
            assert_eq!(EnhancedCode::read(wrong), None, "{wrong}");
        }
    }
}

//! Mails for measurements: those of an mbox, or generated ones.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{Message, MessageParser};

/// Patches and answers that are generated if there is no mbox.
const MADE: usize = 500;

/// A mail as it was sent, and its entry on a page.
pub(crate) struct Mail {
    pub(crate) id: String,
    pub(crate) answers: Option<String>,
    pub(crate) subject: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) text: String,
    pub(crate) raw: Vec<u8>,
}

/// The mails of an mbox, gzipped or not; generated ones without an mbox.
pub(crate) fn read(mbox: Option<&Path>) -> anyhow::Result<Vec<Mail>> {
    let raw = match mbox {
        Some(path) => raw_of(path).with_context(|| format!("reading {}", path.display()))?,
        None => (0..MADE).map(made).collect(),
    };
    let mails: Vec<Mail> = raw.into_iter().filter_map(mail).collect();
    if mails.len() < 100 {
        bail!(
            "{} mails are too few to measure over; 100 are needed",
            mails.len()
        );
    }
    Ok(mails)
}

fn raw_of(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
        bytes = plain;
    }
    let mails = MessageIterator::new(BufReader::new(bytes.as_slice()));
    mails.map(|mail| Ok(mail?.contents().to_vec())).collect()
}

fn mail(raw: Vec<u8>) -> Option<Mail> {
    let parsed: Message<'_> = MessageParser::default().parse(&raw)?;
    let from = parsed.from().and_then(|from| from.first());
    let mail = Mail {
        id: parsed.message_id()?.to_owned(),
        answers: parsed.in_reply_to().as_text().map(str::to_owned),
        subject: parsed
            .subject()?
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        name: from
            .and_then(|from| from.name())
            .unwrap_or("Some One")
            .to_owned(),
        email: from.and_then(|from| from.address())?.to_owned(),
        at: DateTime::from_timestamp(parsed.date()?.to_timestamp(), 0)?,
        text: parsed.body_text(0)?.into_owned(),
        raw: Vec::new(),
    };
    Some(Mail { raw, ..mail })
}

/// A patch with an explanation and a diff of the usual length, or an answer that quotes one.
fn made(number: usize) -> Vec<u8> {
    let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(7 * number as i64);
    let patch = number - number % 3;
    let mut mail = String::new();
    let _ = write!(
        mail,
        "From: Author {} <author{}@example.org>\nTo: bpf@example.org\nDate: {}\nMessage-ID: <made-{number}@example.org>\n",
        patch % 41,
        patch % 41,
        at.to_rfc2822()
    );
    let subject = format!(
        "[PATCH bpf-next v{}] bpf: Teach maps the trick number {patch}",
        1 + patch % 4
    );
    if number == patch {
        let _ = write!(mail, "Subject: {subject}\n\n");
        for line in 0..40 {
            let _ = writeln!(
                mail,
                "Line {line} says what the verifier sees of program {number}, and why that is good."
            );
        }
        let _ = write!(
            mail,
            "\nSigned-off-by: Author {} <author@example.org>\n---\n kernel/bpf/maps.c | 60 +++\n\n",
            patch % 41
        );
        let _ = write!(
            mail,
            "diff --git a/kernel/bpf/maps.c b/kernel/bpf/maps.c\n--- a/kernel/bpf/maps.c\n+++ b/kernel/bpf/maps.c\n@@ -1,3 +1,63 @@\n"
        );
        for line in 0..60 {
            let _ = writeln!(mail, "+\tif (trick[{line}] < {number}) return -EINVAL;");
        }
    } else {
        let _ = write!(
            mail,
            "In-Reply-To: <made-{patch}@example.org>\nSubject: Re: {subject}\n\n"
        );
        for line in 0..30 {
            let _ = writeln!(
                mail,
                "> Line {line} says what the verifier sees of program {patch}, and why that is good."
            );
        }
        let _ = write!(
            mail,
            "\nLooks good to me.\n\nAcked-by: Author {} <author@example.org>\n",
            number % 41
        );
    }
    mail.into_bytes()
}

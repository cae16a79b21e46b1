//! Raw mails as mail programs send them, in every encoding of a body.

use std::fmt::Write as _;

use super::words::Words;

/// The end of each body, to verify that it was read whole.
pub(crate) const LAST: &str = "So ends what is said of größe.";

/// A mail, and the expected result.
pub(crate) struct Mail {
    pub(crate) name: &'static str,
    pub(crate) raw: Vec<u8>,
    pub(crate) title: &'static str,
}

/// One of each kind.
pub(crate) fn mails() -> Vec<Mail> {
    let mut words = Words::new(5);
    let patch = format!("{}{LAST}\n", words.patch());
    let answer = format!("{}{LAST}\n", words.answer());
    let page = format!("<html><body>{}</body></html>", paragraphs(&answer));
    let text = |coding: &str, body: &str| {
        format!(
            "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: {coding}\n\n{body}"
        )
    };
    let (series, reply) = (
        "[PATCH bpf-next v3 2/7] bpf: track what a loop spills",
        "Re: [PATCH bpf] bpf: die Größe einer Karte",
    );
    // `Größe` as an encoded word, as mail programs write it.
    let reply_sent = "Re: [PATCH bpf] bpf: die =?UTF-8?Q?Gr=C3=B6=C3=9Fe?= einer Karte";
    vec![
        mail(
            "plain patch",
            &mut words,
            (series, series),
            text("8bit", &patch),
        ),
        mail(
            "quoted-printable answer",
            &mut words,
            (reply, reply_sent),
            text("quoted-printable", &quoted_printable(&answer)),
        ),
        mail(
            "base64 patch",
            &mut words,
            (series, series),
            text("base64", &base64(patch.as_bytes())),
        ),
        mail(
            "multipart with a patch attached",
            &mut words,
            (reply, reply_sent),
            multipart(&answer, &page, &words_of_an_attachment()),
        ),
        mail(
            "HTML alone",
            &mut words,
            (reply, reply_sent),
            format!("Content-Type: text/html; charset=utf-8\n\n{page}"),
        ),
    ]
}

fn words_of_an_attachment() -> String {
    let mut words = Words::new(6);
    words.patch()
}

fn mail(
    name: &'static str,
    words: &mut Words,
    (title, sent): (&'static str, &str),
    body: String,
) -> Mail {
    let mut raw = String::new();
    for hop in 0..4 {
        let _ = write!(
            raw,
            "Received: from host{hop}.example.org (host{hop}.example.org [192.0.2.{hop}])\n\tby mx{hop}.example.org with ESMTPS id \
             {hop}00;\n\tWed, 01 Jan 2025 00:00:0{hop} +0000 (UTC)\n"
        );
    }
    let _ = write!(
        raw,
        "From: Ada Example <ada@example.org>\nTo: bpf@example.org\nCc: "
    );
    for _ in 0..12 {
        let (_, email) = words.person();
        let _ = write!(raw, "{email},\n\t");
    }
    let _ = write!(
        raw,
        "netdev@example.org\nSubject: {sent}\nDate: Tue, 31 Dec 2024 23:59:00 +0000\n\
         Message-ID: <20241231235900.2-3-ada@example.org>\nIn-Reply-To: <20241231235900.2-1-ada@example.org>\n\
         References: <20241231235900.2-1-ada@example.org>\nX-Mailer: git-send-email 2.51.0\nMIME-Version: 1.0\n{body}"
    );
    Mail {
        name,
        raw: raw.into_bytes(),
        title,
    }
}

fn multipart(plain: &str, page: &str, patch: &str) -> String {
    format!(
        "Content-Type: multipart/mixed; boundary=\"outer\"\n\n--outer\n\
         Content-Type: multipart/alternative; boundary=\"inner\"\n\n\
         --inner\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n\n{}\n\
         --inner\nContent-Type: text/html; charset=UTF-8\nContent-Transfer-Encoding: base64\n\n{}\n--inner--\n\n\
         --outer\nContent-Type: text/x-patch; charset=UTF-8; name=\"0001.patch\"\n\
         Content-Disposition: attachment; filename=\"0001.patch\"\nContent-Transfer-Encoding: base64\n\n{}\n--outer--\n",
        quoted_printable(plain),
        base64(page.as_bytes()),
        base64(patch.as_bytes())
    )
}

fn paragraphs(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let paragraphs = escaped.split("\n\n").map(|part| format!("<p>{part}</p>\n"));
    paragraphs.collect()
}

/// Quoted-printable, lines cut at 76 characters.
fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut room = 75;
        for byte in line.bytes() {
            let is_plain = matches!(byte, b' '..=b'~') && byte != b'=';
            let width = if is_plain { 1 } else { 3 };
            if width > room {
                out.push_str("=\n");
                room = 75;
            }
            room -= width;
            let _ = match is_plain {
                true => write!(out, "{}", char::from(byte)),
                false => write!(out, "={byte:02X}"),
            };
        }
        out.push('\n');
    }
    out
}

/// Base64, in lines of 76 characters.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (number, group) in bytes.chunks(3).enumerate() {
        if number > 0 && number % 19 == 0 {
            out.push('\n');
        }
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = usize::try_from(bits >> (18 - 6 * digit) & 63).expect("six bits");
            out.push(match digit <= group.len() {
                true => char::from(DIGITS[value]),
                false => '=',
            });
        }
    }
    out
}

//! Generated mails: threads with all the oddities of real lists, the same for the same seed.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

/// When a generated list begins, unix seconds: 2024-03-01.
pub(crate) const BEGIN: i64 = 1_709_251_200;

/// A mail as an archive receives it.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    /// Its Message-ID, without brackets.
    pub(crate) id: String,
    /// Its subject as a person reads it, if it was generated.
    pub(crate) title: String,
    /// When it arrives, unix seconds.
    pub(crate) at: i64,
    /// The mail itself.
    pub(crate) raw: Vec<u8>,
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy)]
enum Coding {
    Plain,
    QuotedPrintable,
    Base64,
}

/// Generates mails, one after the other.
pub(crate) struct Mails {
    random: fastrand::Rng,
    now: i64,
    mails: Vec<Mail>,
}

/// The given parts of one mail; the others are generated.
struct Draft<'a> {
    title: String,
    parent: Option<&'a str>,
    body: String,
    /// Seconds by which `Date:` is before the arrival.
    late_s: i64,
}

impl Mails {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            now: BEGIN,
            mails: Vec::new(),
        }
    }

    /// At least `count` more mails, in threads, hours or seconds apart.
    pub(crate) fn threads(mut self, count: usize) -> Self {
        let until = self.mails.len() + count;
        while self.mails.len() < until {
            self.pass_time();
            match self.random.u8(0..20) {
                0..8 => self.series(),
                8..17 => self.reply(),
                17 => self.late_reply(),
                _ => self.lone_patch(),
            }
        }
        self
    }

    /// `count` mails that arrive within the same second.
    pub(crate) fn in_one_second(mut self, count: usize) -> Self {
        self.now += 4_000;
        for number in 1..=count {
            let title =
                format!("[PATCH bpf-next {number:02}/{count}] one of many, sent at once #{number}");
            self.send(Draft::new(title));
        }
        self.now += 4_000;
        self
    }

    /// A mail with an arrival five years in the future.
    pub(crate) fn with_one_from_the_future(mut self) -> Self {
        let now = std::mem::replace(&mut self.now, Utc::now().timestamp() + 5 * 365 * 86_400);
        self.send(Draft::new(
            "a clock that runs ahead of the others".to_owned(),
        ));
        self.now = now;
        self
    }

    /// Nothing arrives for some days.
    pub(crate) fn silence(mut self, days: i64) -> Self {
        self.now += days * 86_400;
        self
    }

    pub(crate) fn done(self) -> Vec<Mail> {
        self.mails
    }

    fn pass_time(&mut self) {
        self.now += match self.random.u8(0..10) {
            0..4 => self.random.i64(0..5),
            4..9 => self.random.i64(5..900),
            _ => self.random.i64(900..20_000),
        };
    }

    fn series(&mut self) {
        let total = self.random.usize(1..9);
        let tree = self.pick(&["bpf", "bpf-next", "net-next"]);
        let what = self.subject();
        let cover = (total > 1).then(|| {
            self.send(Draft::new(format!(
                "[PATCH {tree} v2 0/{total}] {what} & <friends>"
            )))
        });
        for number in 1..=total {
            self.now += self.random.i64(0..3);
            let part = self.subject();
            let title = format!("[PATCH {tree} v2 {number}/{total}] {part}");
            self.send(Draft {
                parent: cover.as_deref(),
                body: patch(number),
                ..Draft::new(title)
            });
        }
    }

    fn lone_patch(&mut self) {
        let title = format!("[PATCH bpf] {}", self.subject());
        self.send(Draft {
            body: patch(0),
            ..Draft::new(title)
        });
    }

    fn reply(&mut self) {
        let Some(parent) = self.recent() else {
            return self.lone_patch();
        };
        let title = reply_to(&parent.title);
        let body = format!(
            "On that day, somebody wrote:\n> {}\n>> From of old\n\nFrom here it looks good.\n\nAcked-by: Zoë Ng <z@x.invalid>\n",
            parent.title
        );
        self.send(Draft {
            parent: Some(&parent.id),
            body,
            ..Draft::new(title)
        });
    }

    /// A mail that took weeks to arrive: its date is old, its arrival is not.
    fn late_reply(&mut self) {
        let Some(parent) = self.recent() else {
            return self.lone_patch();
        };
        let title = reply_to(&parent.title);
        self.send(Draft {
            parent: Some(&parent.id),
            late_s: 20 * 86_400,
            ..Draft::new(title)
        });
    }

    fn recent(&mut self) -> Option<Mail> {
        let from = self.mails.len().saturating_sub(30);
        self.random.choice(&self.mails[from..]).cloned()
    }

    fn subject(&mut self) -> String {
        let what = self.pick(&[
            "verifier: track \"scalars\" across <= and >=",
            "libbpf: größere Ringpuffer für perf",
            "selftests/bpf: 100% of s:arena tests, #2",
            "bpf, x86: don't emit `lfence` & friends",
            "xdp: 帧 sizes beyond 4K",
            "bpf: fix a leak in error path",
        ]);
        format!("{what} ({})", self.random.u16(..))
    }

    fn message_id(&mut self) -> String {
        let number = self.mails.len();
        let noise = self.random.u64(..);
        match self.random.u8(0..10) {
            0 => format!("{number}/{noise:x}+plus%2Fpercent=equals_@odd.invalid"),
            1 => format!("CAB{number}=_+{noise:x}-Zq=w@mail.invalid"),
            2 => format!("a&b'c~d!{number}*{noise:x}$@odd.invalid"),
            3 => format!("what?{number}#{noise:x};x,y@odd.invalid"),
            _ => format!("20240301-{number}-{noise:x}-1-someone@kernel.invalid"),
        }
    }

    /// Sends a mail; gives its Message-ID.
    fn send(&mut self, draft: Draft<'_>) -> String {
        let id = self.message_id();
        let author = self.pick(&[
            "Jörg Ünal",
            "Ada Example",
            "Robert \"Bob\" O'Neil",
            "王小明",
        ]);
        let coding = self
            .random
            .choice([
                Coding::Plain,
                Coding::Plain,
                Coding::QuotedPrintable,
                Coding::Base64,
            ])
            .expect("there are four");
        let date = stamp(self.now - draft.late_s, "%a, %d %b %Y %H:%M:%S +0000");
        let mut raw = format!(
            "From: {} <dev{}@x.invalid>\nTo: bpf@vger.kernel.org\nCc: netdev@vger.kernel.org,\n\tlinux-kernel@vger.kernel.org\n",
            encoded_words(author),
            self.random.u8(0..9)
        );
        let _ = write!(
            raw,
            "Subject: {}\nDate: {date}\n",
            encoded_words(&draft.title)
        );
        // Some mailers put a long Message-ID on a line of its own.
        let fold = if self.random.bool() { "" } else { "\n" };
        let _ = writeln!(raw, "Message-ID:{fold} <{id}>");
        if let Some(parent) = draft.parent {
            let _ = write!(raw, "In-Reply-To: <{parent}>\nReferences: <{parent}>\n");
        }
        let (name, body) = match coding {
            Coding::Plain => ("8bit", draft.body),
            Coding::QuotedPrintable => ("quoted-printable", quoted_printable(&draft.body)),
            Coding::Base64 => ("base64", base64(draft.body.as_bytes())),
        };
        let _ = write!(
            raw,
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {name}\n\n{body}\n"
        );
        self.mails.push(Mail {
            id: id.clone(),
            title: draft.title,
            at: self.now,
            raw: raw.into_bytes(),
        });
        id
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.random.choice(from).expect("there are some")
    }
}

impl Draft<'_> {
    fn new(title: String) -> Self {
        let body = format!("{title}: this says why, with ünïcode and <tags> & ampersands.\n");
        Draft {
            title,
            parent: None,
            body,
            late_s: 0,
        }
    }
}

/// The mails as an mboxrd whose `From ` lines give the arrivals.
pub(crate) fn mboxrd<'a>(mails: impl IntoIterator<Item = &'a Mail>) -> Vec<u8> {
    let mut mbox = Vec::new();
    for mail in mails {
        let from = stamp(mail.at, "From mboxrd@z %a %b %e %H:%M:%S %Y\n");
        mbox.extend_from_slice(from.as_bytes());
        for line in mail.raw.split_inclusive(|&b| b == b'\n') {
            let unquoted = line
                .iter()
                .position(|&b| b != b'>')
                .map_or(line, |at| &line[at..]);
            if unquoted.starts_with(b"From ") {
                mbox.push(b'>');
            }
            mbox.extend_from_slice(line);
        }
        mbox.push(b'\n');
    }
    mbox
}

/// The mails of an mboxrd; their titles are not read.
pub(crate) fn read_mboxrd(mbox: &[u8]) -> Vec<Mail> {
    let mut mails: Vec<Mail> = Vec::new();
    for line in mbox.split_inclusive(|&b| b == b'\n') {
        if let Some(stamp) = line.strip_prefix(b"From mboxrd@z ") {
            let stamp = String::from_utf8_lossy(stamp);
            let at = chrono::NaiveDateTime::parse_from_str(stamp.trim(), "%a %b %e %H:%M:%S %Y")
                .expect("a date in a From line");
            mails.push(Mail {
                id: String::new(),
                title: String::new(),
                at: at.and_utc().timestamp(),
                raw: Vec::new(),
            });
            continue;
        }
        let mail = mails.last_mut().expect("an mbox begins with a From line");
        let quotes = line.iter().take_while(|&&b| b == b'>').count();
        let is_quoted = quotes > 0 && line[quotes..].starts_with(b"From ");
        mail.raw.extend_from_slice(&line[usize::from(is_quoted)..]);
    }
    for mail in &mut mails {
        if mail.raw.ends_with(b"\n\n") {
            mail.raw.pop();
        }
        mail.id = message_id(&mail.raw);
    }
    mails
}

/// The Message-ID in a mail's header, read by hand, so that no parser of ours checks itself.
fn message_id(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let head = text.split("\n\n").next().unwrap_or_default();
    let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
    let value = unfolded
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("message-id").then_some(value)
        })
        .expect("a mail has a Message-ID");
    value
        .trim()
        .trim_matches(['<', '>'])
        .split_whitespace()
        .collect()
}

fn stamp(at: i64, format: &str) -> String {
    DateTime::from_timestamp(at, 0)
        .expect("a time within reach")
        .format(format)
        .to_string()
}

fn reply_to(title: &str) -> String {
    if title.starts_with("Re: ") {
        title.to_owned()
    } else {
        format!("Re: {title}")
    }
}

fn patch(number: usize) -> String {
    format!(
        "This fixes what was broken.\n\nFixes: 0123456789ab (\"bpf: break it\")\nSigned-off-by: Ada Example <a@x.invalid>\n---\n kernel/bpf/v.c | 2 +-\n 1 file changed\n\n\
         diff --git a/kernel/bpf/v.c b/kernel/bpf/v.c\nindex 1..2 100644\n--- a/kernel/bpf/v.c\n+++ b/kernel/bpf/v.c\n@@ -1,3 +1,3 @@ int f(void)\n \tint a;\n-\tint b;\n+\tint c = {number};\n--\n2.45.0\n"
    )
}

/// RFC 2047: whole words, each encoded only if necessary. White space between encoded words is not shown, so it is encoded
/// with the word that follows.
fn encoded_words(text: &str) -> String {
    let mut out = String::new();
    let mut follows_encoded = false;
    for word in text.split(' ') {
        let plain = word.is_ascii() && !word.contains(['"', '=']);
        if !out.is_empty() {
            out.push(' ');
        }
        if plain {
            out.push_str(word);
        } else {
            let lead = if follows_encoded { "_" } else { "" };
            let bytes: String = word.bytes().map(|b| format!("={b:02X}")).collect();
            let _ = write!(out, "=?UTF-8?q?{lead}{bytes}?=");
        }
        follows_encoded = !plain;
    }
    out
}

fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut width = 0;
        for byte in line.bytes() {
            let safe = byte.is_ascii_graphic() && byte != b'=';
            let piece = if safe || (byte == b' ' && width > 0) {
                char::from(byte).to_string()
            } else {
                format!("={byte:02X}")
            };
            if width + piece.len() > 70 {
                out.push_str("=\n");
                width = 0;
            }
            width += piece.len();
            out.push_str(&piece);
        }
        out.push('\n');
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (place, three) in bytes.chunks(3).enumerate() {
        let number = three
            .iter()
            .fold(0_u32, |number, &byte| (number << 8) | u32::from(byte))
            << (8 * (3 - three.len()));
        for digit in 0..4 {
            out.push(if digit <= three.len() {
                char::from(DIGITS[(number >> (18 - 6 * digit)) as usize & 63])
            } else {
                '='
            });
        }
        if place % 19 == 18 {
            out.push('\n');
        }
    }
    out
}

#[test]
fn the_same_seed_makes_the_same_mails_and_a_mailbox_gives_them_back() {
    let make = || {
        Mails::new(1)
            .threads(100)
            .in_one_second(30)
            .with_one_from_the_future()
            .done()
    };
    let mails = make();
    let again = read_mboxrd(&mboxrd(&make()));
    assert_eq!(mails.len(), again.len());
    for (mail, read) in mails.iter().zip(&again) {
        assert_eq!((&mail.id, mail.at), (&read.id, read.at));
        assert_eq!(mail.raw, read.raw, "{}", mail.title);
    }
}

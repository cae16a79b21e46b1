//! Reads an mbox mail by mail, in bounded memory.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use mail_parser::mailbox::mbox::MessageIterator;

/// The largest mail that is read, in bytes; archives refuse far smaller ones.
pub const MAIL_BYTES_MAX: usize = 8 << 20;
/// The most members of one gzip stream; some archives write one member for each mail.
const MEMBERS_MAX: usize = 200_000;
/// The most bytes that are kept of a mail's `From ` line.
const FROM_BYTES_MAX: usize = 1_000;

/// The beginning of the line before each mail.
const FROM: &[u8] = b"From ";

/// A mail of an mbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawMail {
    /// The sender in its `From ` line; in git's patches, the commit's hash.
    pub from: String,
    /// The arrival time in its `From ` line, in unix seconds; meaningless if the line has none.
    pub internal_date: u64,
    /// Its headers and body.
    pub contents: Vec<u8>,
}

/// A mail larger than [`MAIL_BYTES_MAX`], which was skipped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("skipped a mail of {bytes} bytes at byte {at}: larger than {MAIL_BYTES_MAX}")]
pub struct MailTooLarge {
    /// The offset of its `From ` line.
    pub at: u64,
    /// Its length without that line.
    pub bytes: u64,
}

/// Iterates over the mails of an mbox. Lines that begin with `>From ` lose the `>`. Text before the first mail is skipped. One
/// mail is in memory at a time.
#[derive(Debug)]
pub struct Mails<R> {
    reader: R,
    /// The number of bytes that were read.
    at: u64,
    /// The next mail's `From ` line, and its offset.
    opening: Option<(Vec<u8>, u64)>,
}

impl<R: BufRead> Mails<R> {
    /// Reads mails from a reader.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            at: 0,
            opening: None,
        }
    }

    /// Appends a line to `kept`, up to `most` bytes in all. Returns its length, and whether it is a `From ` line; that is moved
    /// to `opening` instead.
    fn line(&mut self, kept: &mut Vec<u8>, most: usize) -> io::Result<(u64, bool)> {
        let (start, mut length) = (kept.len(), 0_u64);
        let mut head = Vec::with_capacity(FROM.len());
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            let found = memchr::memchr(b'\n', buffer);
            let part = &buffer[..found.map_or(buffer.len(), |at| at + 1)];
            let wanted = FROM.len() - head.len();
            head.extend_from_slice(&part[..part.len().min(wanted)]);
            let room = most.saturating_sub(kept.len());
            kept.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len();
            length += used as u64;
            let is_end = found.is_some() || used == 0;
            self.reader.consume(used);
            if is_end {
                break;
            }
        }
        let at = self.at;
        self.at += length;
        let opens = head == FROM;
        if opens {
            let mut opening = kept.split_off(start);
            opening.truncate(FROM_BYTES_MAX);
            self.opening = Some((opening, at));
        } else {
            unquote(kept, start);
        }
        Ok((length, opens))
    }

    fn read(&mut self) -> io::Result<Option<Result<RawMail, MailTooLarge>>> {
        let mut contents = Vec::new();
        while self.opening.is_none() {
            let (length, _) = self.line(&mut contents, FROM_BYTES_MAX)?;
            contents.clear();
            if length == 0 {
                return Ok(None);
            }
        }
        let Some((opening, at)) = self.opening.take() else {
            return Ok(None);
        };
        let mut bytes = 0;
        loop {
            // The spare bytes hold the next `From ` line.
            let (length, opens) = self.line(&mut contents, MAIL_BYTES_MAX + FROM_BYTES_MAX)?;
            if opens || length == 0 {
                break;
            }
            bytes += length;
            if bytes > MAIL_BYTES_MAX as u64 {
                contents = Vec::new();
            }
        }
        if bytes > MAIL_BYTES_MAX as u64 {
            return Ok(Some(Err(MailTooLarge { at, bytes })));
        }
        let (from, internal_date) = opened_by(&opening);
        Ok(Some(Ok(RawMail {
            from,
            internal_date,
            contents,
        })))
    }
}

impl<R: BufRead> Iterator for Mails<R> {
    type Item = io::Result<Result<RawMail, MailTooLarge>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Removes the first `>` of a line `>From `.
fn unquote(contents: &mut Vec<u8>, start: usize) {
    let line = &contents[start..];
    let marks = line.iter().take_while(|&&byte| byte == b'>').count();
    if marks > 0 && line[marks..].starts_with(FROM) {
        contents.remove(start);
    }
}

/// The sender and the arrival time in a `From ` line.
fn opened_by(line: &[u8]) -> (String, u64) {
    let opened = MessageIterator::new(line).next().and_then(Result::ok);
    opened.map_or_else(Default::default, |mail| {
        (mail.from().to_owned(), mail.internal_date())
    })
}

/// Decompresses a gzip stream of many members. [`flate2::bufread::MultiGzDecoder`] has no bound on their number; an empty
/// member has twenty bytes, and each takes time.
#[derive(Debug)]
pub struct Gunzip<R> {
    decoder: Option<GzDecoder<R>>,
    members: usize,
}

impl<R: BufRead> Gunzip<R> {
    /// Decompresses the bytes of a reader.
    pub fn new(reader: R) -> Self {
        Self {
            decoder: Some(GzDecoder::new(reader)),
            members: 1,
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(decoder) = &mut self.decoder else {
                return Ok(0);
            };
            let read = decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(mut rest) = self.decoder.take().map(GzDecoder::into_inner) else {
                return Ok(0);
            };
            if rest.fill_buf()?.is_empty() {
                return Ok(0);
            }
            if self.members >= MEMBERS_MAX {
                let why = format!("a gzip stream of more than {MEMBERS_MAX} members");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
            self.members += 1;
            self.decoder = Some(GzDecoder::new(rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write as _};

    use super::*;

    fn all(mbox: impl BufRead) -> Vec<Result<RawMail, MailTooLarge>> {
        let mails = Mails::new(mbox).map(|mail| mail.expect("memory"));
        mails.collect()
    }

    #[test]
    fn mails_come_one_by_one_as_their_crate_reads_them() {
        let mbox = b"junk\nFrom a@b Thu Jan  1 00:00:05 1970\nSubject: 1\n\n>From x\n>>From y\n> z\nFrom: w\n\
            From mboxrd@z Fri Jan  2 00:00:00 1970\nSubject: 2\n\nend";
        let ours: Vec<(String, u64, Vec<u8>)> = all(&mbox[..])
            .into_iter()
            .map(|mail| mail.expect("a small mail"))
            .map(|mail| (mail.from, mail.internal_date, mail.contents))
            .collect();
        let theirs: Vec<(String, u64, Vec<u8>)> = MessageIterator::new(&mbox[..])
            .map(|mail| mail.expect("memory"))
            .map(|mail| {
                (
                    mail.from().to_owned(),
                    mail.internal_date(),
                    mail.contents().to_vec(),
                )
            })
            .collect();
        assert_eq!(ours, theirs);
        assert_eq!(ours.len(), 2);
        assert!(
            ours[0].2.ends_with(b"\nFrom x\n>From y\n> z\nFrom: w\n"),
            "{ours:?}"
        );
        // However its bytes come.
        assert_eq!(all(BufReader::with_capacity(3, &mbox[..])), all(&mbox[..]));
    }

    #[test]
    fn a_mail_that_is_too_large_is_skipped_and_its_place_reported() {
        let line = b"x".repeat(MAIL_BYTES_MAX + 1);
        let lines = b"xxxxxxx\n".repeat(MAIL_BYTES_MAX / 8 + 1);
        for large in [line, lines] {
            let before = b"From a 1\nSubject: 1\n\n";
            let mbox = [
                &before[..],
                b"From b 2\n",
                &large,
                b"\nFrom c 3\nSubject: 3\n\n",
            ]
            .concat();
            let mails = all(&mbox[..]);
            let [Ok(first), Err(second), Ok(third)] = &mails[..] else {
                panic!("{} mails", mails.len());
            };
            assert_eq!(second.at, before.len() as u64);
            assert!(second.bytes > MAIL_BYTES_MAX as u64);
            assert_eq!(
                (&first.contents[..], &third.contents[..]),
                (&b"Subject: 1\n\n"[..], &b"Subject: 3\n\n"[..])
            );
        }
    }

    #[test]
    fn a_gzip_stream_has_so_many_members_at_the_most() {
        let pack = |text: &[u8]| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(text).expect("memory");
            gzip.finish().expect("memory")
        };
        let mut text = String::new();
        let two = [pack(b"one "), pack(b""), pack(b"two")].concat();
        Gunzip::new(&two[..])
            .read_to_string(&mut text)
            .expect("it is whole");
        assert_eq!(text, "one two");
        let empty = pack(b"").repeat(MEMBERS_MAX + 1);
        let error = Gunzip::new(&empty[..])
            .read_to_string(&mut text)
            .expect_err("too many");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}

//! Lines of NNTP, within limits: status lines, lists, and articles that end in a line with a dot.

use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader};

/// The longest status line; the standard has 512 bytes.
const STATUS_BYTES_MAX: usize = 4096;
/// A longer line of an article is read in pieces.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// A connection to a server.
pub(super) trait NewsStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> NewsStream for T {}

/// Lines from a server, with the bytes that one answer may still take.
pub(super) struct NewsLines {
    pub(super) stream: BufReader<Box<dyn NewsStream>>,
    pub(super) bytes_left: u64,
    /// Whether the server turned out not to list a range of numbers.
    pub(super) lists_no_ranges: bool,
    /// Whether the server is our own computer.
    pub(super) is_own: bool,
}

/// A status line: its code, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u16,
    pub(super) text: String,
}

/// Why an answer ended early.
#[derive(Debug)]
pub(super) enum WireError {
    /// The connection broke.
    Io(io::Error),
    /// More bytes than allowed.
    TooBig,
    /// Not NNTP; what came instead.
    Nonsense(String),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl NewsLines {
    /// Appends a line, or a piece of a long one, to `piece`; `false` at the end of the stream.
    async fn piece(&mut self, piece: &mut Vec<u8>, most: usize) -> Result<bool, WireError> {
        loop {
            let buffer = self.stream.fill_buf().await?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let room = most - piece.len();
            let found = memchr::memchr(b'\n', buffer).map_or(buffer.len(), |at| at + 1);
            let taken = found.min(room);
            piece.extend_from_slice(&buffer[..taken]);
            self.stream.consume(taken);
            let rest = self.bytes_left.checked_sub(taken as u64);
            self.bytes_left = rest.ok_or(WireError::TooBig)?;
            if piece.ends_with(b"\n") || piece.len() >= most {
                return Ok(true);
            }
        }
    }

    /// The next status line.
    pub(super) async fn status(&mut self) -> Result<Status, WireError> {
        let mut line = Vec::new();
        if !self.piece(&mut line, STATUS_BYTES_MAX).await? {
            return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        parse_status(&line).ok_or_else(|| {
            let start = &line[..line.len().min(80)];
            WireError::Nonsense(String::from_utf8_lossy(start).into_owned())
        })
    }

    /// Reads a list to its end; `take` gets each line without its ending.
    ///
    /// A status line in place of a number ends the list as well: public-inbox 1.9 answers so to a range without articles.
    pub(super) async fn list(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), WireError> {
        let (mut piece, mut is_start) = (Vec::new(), true);
        loop {
            piece.clear();
            if !self.piece(&mut piece, PIECE_BYTES_MAX).await? {
                return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            let line = piece.trim_ascii_end();
            let is_refusal = is_start
                && parse_status(&piece).is_some_and(|s| s.code >= 400)
                && line.get(3) == Some(&b' ');
            if is_start && (line == b"." || is_refusal) {
                return Ok(());
            }
            if is_start {
                take(line);
            }
            is_start = piece.ends_with(b"\n");
        }
    }

    /// Reads an article to its end, without its dots and carriage returns. `None`: it has more than `most` bytes. Beyond
    /// `patience` bytes that is an error, because the article may never end.
    pub(super) async fn article(
        &mut self,
        most: usize,
        patience: u64,
    ) -> Result<Option<Vec<u8>>, WireError> {
        let mut article = Vec::new();
        let (mut piece, mut is_start) = (Vec::new(), true);
        let (mut read, mut is_too_large) = (0_u64, false);
        loop {
            piece.clear();
            if !self.piece(&mut piece, PIECE_BYTES_MAX).await? {
                return Err(WireError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            if is_start && matches!(&piece[..], b".\r\n" | b".\n") {
                return Ok((!is_too_large).then_some(article));
            }
            read += piece.len() as u64;
            if read > patience {
                return Err(WireError::TooBig);
            }
            let is_end = piece.ends_with(b"\n");
            if is_end && piece.ends_with(b"\r\n") {
                piece.truncate(piece.len() - 2);
                piece.push(b'\n');
            }
            let line = piece
                .strip_prefix(b".")
                .filter(|_| is_start)
                .unwrap_or(&piece);
            is_too_large |= article.len() + line.len() > most;
            if is_too_large {
                article = Vec::new();
            } else {
                article.extend_from_slice(line);
            }
            is_start = is_end;
        }
    }
}

fn parse_status(line: &[u8]) -> Option<Status> {
    let line = line.strip_suffix(b"\n")?;
    let (code, text) = line.split_at_checked(3)?;
    let code = str::from_utf8(code).ok()?.parse().ok()?;
    let is_word = text.is_empty() || text[0].is_ascii_whitespace();
    (is_word && (100..600).contains(&code)).then(|| Status {
        code,
        text: String::from_utf8_lossy(text).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &'static [u8]) -> NewsLines {
        let stream: Box<dyn NewsStream> = Box::new(tokio::io::join(text, tokio::io::sink()));
        NewsLines {
            stream: BufReader::with_capacity(7, stream),
            bytes_left: 200_000,
            lists_no_ranges: false,
            is_own: true,
        }
    }

    #[tokio::test]
    async fn an_article_loses_its_dots_and_carriage_returns() {
        let mut lines =
            lines(b"220 1 <a@x> article\r\nSubject: x\r\n\r\n..a\r\n. b\n.\r\n111 x\r\n");
        let status = lines.status().await.expect("a status");
        assert_eq!(
            (status.code, status.text.as_str()),
            (220, "1 <a@x> article")
        );
        let article = lines.article(1_000, 2_000).await.expect("an article");
        assert_eq!(article.as_deref(), Some(&b"Subject: x\n\n.a\n b\n"[..]));
        assert_eq!(lines.status().await.expect("the next").code, 111);
    }

    #[tokio::test]
    async fn a_list_ends_with_a_dot_or_a_refusal() {
        for ending in ["4\r\n.\r\n", "4\r\n420 No article(s) selected\r\n"] {
            let text: &'static str = Box::leak(format!("{ending}223 x\r\n").into_boxed_str());
            let (mut lines, mut seen) = (lines(text.as_bytes()), Vec::new());
            let list = lines.list(|line| seen.push(line.to_vec())).await;
            list.expect("a list");
            assert_eq!(seen, [b"4"]);
            assert_eq!(lines.status().await.expect("the next").code, 223);
        }
    }

    #[tokio::test]
    async fn an_endless_answer_is_cut_off() {
        let endless: &'static [u8] = Box::leak(vec![b'a'; 300_000].into_boxed_slice());
        assert!(matches!(
            lines(endless).status().await,
            Err(WireError::Nonsense(_))
        ));
        assert!(matches!(
            lines(endless).list(|_| ()).await,
            Err(WireError::TooBig)
        ));
        let article = lines(endless).article(1_000, 100_000).await;
        assert!(matches!(article, Err(WireError::TooBig)));
        let cut = lines(b"Subject: x\r\n").article(1_000, 100_000).await;
        assert!(matches!(cut, Err(WireError::Io(_))));
        let large = lines(b"0123456789\r\n.\r\n").article(5, 1_000).await;
        assert!(matches!(large, Ok(None)));
    }
}

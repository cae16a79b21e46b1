//! Reads an answer's body: decompresses it while it comes, and limits its bytes before and after that.

use std::io;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use futures_util::TryStreamExt;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt};
use tokio_util::io::StreamReader;

use super::words;

/// The largest window of a zstd frame, as a power of two: 8 MiB, the limit of RFC 9659.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The most members of one gzip or zstd stream; honest servers send a few.
const MEMBERS_MAX: usize = 10_000;

/// The reason why a body could not be read; the message follows the URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// More bytes than allowed, compressed or decompressed.
    TooBig(String),
    /// It is cut off.
    Cut(String),
    /// It makes no sense.
    Broken(String),
}

/// The whole body, decompressed.
pub(super) async fn read(response: Response, bytes_max: u64) -> Result<Vec<u8>, BodyError> {
    let too_big = || BodyError::TooBig(format!("the answer is larger than {bytes_max} bytes"));
    let coding = Coding::of(response.headers())?;
    if response
        .content_length()
        .is_some_and(|length| length > bytes_max)
    {
        return Err(too_big());
    }
    let bytes = match coding {
        Coding::Identity | Coding::Brotli => {
            let mut reader = decoded(response, coding, bytes_max).take(bytes_max.saturating_add(1));
            let mut bytes = Vec::new();
            let read = reader.read_to_end(&mut bytes).await;
            read.map(|_| bytes)
        }
        Coding::Gzip | Coding::Zstd => members(response, coding, bytes_max).await,
    };
    let bytes = bytes.map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge => too_big(),
        _ => judge(&error, coding),
    })?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_big());
    }
    Ok(bytes)
}

/// Decompresses every member of a gzip or zstd stream. An empty member has ten or twenty bytes and still takes time, so their
/// number is bounded, and the task yields after each.
async fn members(response: Response, coding: Coding, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut wire = wire(response, bytes_max);
    let mut bytes = Vec::new();
    for _ in 0..MEMBERS_MAX {
        let room = bytes_max.saturating_add(1) - bytes.len() as u64;
        match coding {
            Coding::Zstd => {
                let params = [DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)];
                let decoder = ZstdDecoder::with_params(&mut wire, &params);
                decoder.take(room).read_to_end(&mut bytes).await?;
            }
            _ => {
                let decoder = GzipDecoder::new(&mut wire);
                decoder.take(room).read_to_end(&mut bytes).await?;
            }
        }
        if bytes.len() as u64 > bytes_max || wire.fill_buf().await?.is_empty() {
            return Ok(bytes);
        }
        tokio::task::yield_now().await;
    }
    Err(io::ErrorKind::FileTooLarge.into())
}

/// The first `bytes_max` bytes of an error page, as far as they can be read.
pub(super) async fn read_start(response: Response, bytes_max: u64) -> Vec<u8> {
    let Ok(coding) = Coding::of(response.headers()) else {
        return Vec::new();
    };
    let mut bytes = Vec::new();
    let mut reader = decoded(response, coding, u64::MAX).take(bytes_max);
    // The page only explains the error.
    let _ = reader.read_to_end(&mut bytes).await;
    bytes
}

/// A supported content encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Brotli,
    Zstd,
}

impl Coding {
    fn of(headers: &HeaderMap) -> Result<Self, BodyError> {
        let mut named = String::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            named.push_str(if named.is_empty() { "" } else { ", " });
            named.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        match named.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "br" => Ok(Self::Brotli),
            "zstd" => Ok(Self::Zstd),
            other => {
                let other = words::clean(other, 40);
                let why =
                    format!("the answer has a content encoding that was not requested ({other})");
                Err(BodyError::Broken(why))
            }
        }
    }
}

/// The body as a reader that decompresses it. It fails with `FileTooLarge` beyond `wire_bytes_max` compressed bytes.
fn decoded(
    response: Response,
    coding: Coding,
    wire_bytes_max: u64,
) -> Box<dyn AsyncRead + Send + Unpin> {
    let wire = wire(response, wire_bytes_max);
    match coding {
        Coding::Identity => Box::new(wire),
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(wire);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Coding::Brotli => Box::new(BrotliDecoder::new(wire)),
        Coding::Zstd => {
            let params = [DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)];
            let mut decoder = ZstdDecoder::with_params(wire, &params);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
    }
}

fn wire(response: Response, bytes_max: u64) -> impl AsyncBufRead + Send + Unpin {
    let mut left = bytes_max;
    let chunks = response.bytes_stream().map_err(io::Error::other);
    let capped = chunks.and_then(move |chunk| {
        let rest = left.checked_sub(chunk.len() as u64);
        left = rest.unwrap_or(0);
        let chunk = rest
            .map(|_| chunk)
            .ok_or(io::ErrorKind::FileTooLarge.into());
        std::future::ready(chunk)
    });
    StreamReader::new(capped)
}

/// Whether a failed read is the connection's fault or the document's.
fn judge(error: &io::Error, coding: Coding) -> BodyError {
    if words::find_cause::<reqwest::Error>(error).is_some() {
        let cause = words::root_cause(error);
        return BodyError::Cut(format!("the connection broke off ({cause})"));
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return BodyError::Cut(format!(
            "the answer ends in the middle of its {coding:?} stream"
        ));
    }
    let cause = words::root_cause(error);
    BodyError::Broken(format!(
        "the answer cannot be decompressed ({coding:?}: {cause})"
    ))
}

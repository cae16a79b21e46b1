//! The HTTP client against a server with every fault: each answer leads to the right decision, in bounded time and memory.

mod answers;
mod bodies;
mod news;
mod redirects;
mod refusals;
mod turns;

use std::io::Write;
use std::time::{Duration, Instant};

use bpfnews::config::NetworkConfig;
use bpfnews::source::fetch::Fetcher;
use bpfnews::source::{Answer, Body, Expect, FetchError, Method, Request, Validators};
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::rude::{Act, Rude, answer};

const FEED: &str = "<?xml version=\"1.0\"?><feed/>";
const PAGE: &str = "<!doctype html><html><title>Are you a bot?</title></html>";

fn config() -> NetworkConfig {
    NetworkConfig {
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        contact: Some("ops@example.org".to_owned()),
        page: None,
        installation_id: false,
        host_gap: Duration::ZERO,
        request_timeout: Duration::from_secs(5),
        ..NetworkConfig::default()
    }
}

fn fetcher() -> Fetcher {
    Fetcher::new(&config()).expect("a client")
}

fn impatient() -> Fetcher {
    let config = NetworkConfig {
        request_timeout: Duration::from_millis(300),
        ..config()
    };
    Fetcher::new(&config).expect("a client")
}

fn request(url: &str) -> Request {
    Request {
        url: Url::parse(url).expect("the test's URL"),
        method: Method::Get,
        expect: Expect::Feed,
        validators: Validators::default(),
        bytes_max: 10_000,
    }
}

fn known(url: &str) -> Request {
    let validators = Validators {
        etag: Some("\"v1\"".to_owned()),
        last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
    };
    Request {
        validators,
        ..request(url)
    }
}

/// The decision of a new client about one answer.
async fn decide(bytes: impl Into<Vec<u8>>) -> Result<Answer, FetchError> {
    let server = Rude::always(bytes).await;
    fetcher()
        .fetch(&request(&server.url("/feed?key=secret")))
        .await
}

fn bytes_of(answer: Result<Answer, FetchError>) -> Vec<u8> {
    match answer.expect("a good answer").body {
        Body::Bytes { bytes, .. } => bytes,
        Body::Unchanged => panic!("304 where bytes were due"),
    }
}

/// Fails unless the decision is the right one and its text may be shown.
#[track_caller]
fn check_why(got: &Result<Answer, FetchError>, variant: &str, words: &str) {
    let error = got.as_ref().expect_err("no good answer was possible");
    let name = format!("{error:?}");
    assert!(name.starts_with(&format!("{variant} ")), "{name}");
    let why = error.to_string();
    assert!(why.contains(words), "{why}");
    assert!(why.contains("http://127.0.0.1"), "{why}");
    assert!(!why.contains("secret"), "{why}");
    assert!(!why.chars().any(char::is_control), "{why:?}");
    assert!(why.chars().count() < 500, "{why}");
}

async fn packed(coding: &str, body: &[u8]) -> Vec<u8> {
    use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
    macro_rules! with {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all(body).await.expect("memory");
            encoder.shutdown().await.expect("memory");
            encoder.into_inner()
        }};
    }
    match coding {
        "gzip" => with!(GzipEncoder),
        "br" => with!(BrotliEncoder),
        "zstd" => with!(ZstdEncoder),
        other => panic!("no such encoding: {other}"),
    }
}

/// Two kilobytes that do not compress away.
fn noise() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..2000).map(|_| random.alphanumeric() as u8).collect()
}

//! The HTTP client against a server without manners: every answer ends in the right decision, in time and in memory.

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
        host_gap: Duration::ZERO,
        request_timeout: Duration::from_secs(5),
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

/// What a fresh client makes of one answer.
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

/// Fails unless the decision is the one wanted and its words are fit to be shown.
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

#[tokio::test]
async fn a_good_answer_is_handed_on_with_what_it_says_of_itself() {
    let headers = [
        "Content-Type: application/atom+xml; charset=ISO-8859-1",
        "ETag: W/\"7\"",
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "Cache-Control: max-age=600",
    ];
    let server = Rude::always(answer("200 OK", &headers, FEED)).await;
    let url = server.url("/a/feed?x=1");
    let got = fetcher().fetch(&request(&url)).await;
    let want = Answer {
        url: Url::parse(&url).expect("the same"),
        moved_to: None,
        body: Body::Bytes {
            bytes: FEED.into(),
            charset: Some("ISO-8859-1".to_owned()),
        },
        validators: Validators {
            etag: Some("W/\"7\"".to_owned()),
            last_modified: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        },
        fresh_for: Some(Duration::from_secs(600)),
    };
    assert_eq!(got, Ok(want));
}

#[tokio::test]
async fn a_request_says_who_we_are_and_no_more() {
    let server = Rude::always(answer("200 OK", &[], FEED)).await;
    let _ = fetcher().fetch(&request(&server.url("/a?b=c"))).await;
    let seen = server.seen();
    let agent = seen[0].header("user-agent").expect("a User-Agent");
    assert!(agent.starts_with(concat!("bpfnews/", env!("CARGO_PKG_VERSION"), " (")));
    assert!(
        agent.ends_with("ops@example.org)") && !agent.contains("Mozilla"),
        "{agent}"
    );
    assert_eq!(seen[0].what(), "GET /a?b=c");
    assert_eq!(seen[0].header("accept-encoding"), Some("gzip, br, zstd"));
    assert!(
        seen[0]
            .header("accept")
            .is_some_and(|a| a.contains("application/atom+xml"))
    );
    for absent in [
        "referer",
        "cookie",
        "if-none-match",
        "if-modified-since",
        "authorization",
    ] {
        assert_eq!(seen[0].header(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn what_is_known_is_asked_for_conditionally() {
    let bare = answer("304 Not Modified", &["Cache-Control: max-age=9"], "");
    let renewed = answer("304 Not Modified", &["ETag: \"v2\""], "");
    let server = Rude::start(move |_, before| {
        vec![Act::Send(if before == 0 {
            bare.clone()
        } else {
            renewed.clone()
        })]
    })
    .await;
    let (fetcher, request) = (fetcher(), known(&server.url("/")));
    let first = fetcher.fetch(&request).await.expect("304 is good");
    assert_eq!(first.body, Body::Unchanged);
    assert_eq!(first.validators, request.validators);
    assert_eq!(first.fresh_for, Some(Duration::from_secs(9)));
    let second = fetcher.fetch(&request).await.expect("304 is good");
    assert_eq!(second.validators.etag.as_deref(), Some("\"v2\""));
    assert_eq!(
        second.validators.last_modified,
        request.validators.last_modified
    );
    for seen in server.seen() {
        assert_eq!(seen.header("if-none-match"), Some("\"v1\""));
        assert_eq!(
            seen.header("if-modified-since"),
            Some("Sun, 06 Nov 1994 08:49:37 GMT")
        );
    }
}

#[tokio::test]
async fn a_304_nobody_asked_for_is_broken() {
    let got = decide(answer("304 Not Modified", &[], "")).await;
    check_why(&got, "Broken", "304");
}

#[tokio::test]
async fn content_encodings_are_undone() {
    for coding in ["gzip", "br", "zstd"] {
        let header = format!("Content-Encoding: {coding}");
        let body = [FEED.as_bytes(), &noise()].concat();
        let got = decide(answer("200 OK", &[&header], packed(coding, &body).await)).await;
        assert_eq!(bytes_of(got), body, "{coding}");
    }
}

#[tokio::test]
async fn every_member_of_a_gzip_stream_is_read() {
    let body = [
        packed("gzip", b"<feed>").await,
        packed("gzip", b"</feed>").await,
    ]
    .concat();
    let got = decide(answer("200 OK", &["Content-Encoding: x-gzip"], body)).await;
    assert_eq!(bytes_of(got), b"<feed></feed>");
}

#[tokio::test]
async fn encodings_nobody_asked_for_are_broken() {
    for headers in [
        &["Content-Encoding: deflate"][..],
        &["Content-Encoding: gzip, gzip"],
        &["Content-Encoding: gzip", "Content-Encoding: br"],
        &["Content-Encoding: ab\u{202e}cd"],
    ] {
        check_why(
            &decide(answer("200 OK", headers, FEED)).await,
            "Broken",
            "encoding",
        );
    }
    let got = decide(answer("200 OK", &["Content-Encoding: gzip"], FEED)).await;
    check_why(&got, "Broken", "cannot be decompressed");
}

#[tokio::test]
async fn a_zip_bomb_is_dropped_at_the_cap() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..16 {
        gzip.write_all(&zeros).expect("memory");
    }
    let block = gzip.finish().expect("memory");
    // A gigabyte: the same 16 MiB, 64 times, which is one valid stream.
    let bomb = block.repeat(64);
    let server = Rude::always(answer("200 OK", &["Content-Encoding: gzip"], &bomb)).await;
    let request = Request {
        bytes_max: bomb.len() as u64,
        ..request(&server.url("/"))
    };
    let started_at = Instant::now();
    let got = fetcher().fetch(&request).await;
    check_why(&got, "TooBig", "larger than");
    assert!(started_at.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_cap_holds_for_bytes_as_sent_and_is_not_off_by_one() {
    let at_cap = answer("200 OK", &[], [b'x'; 10_000]);
    assert_eq!(bytes_of(decide(at_cap).await).len(), 10_000);
    let over = answer("200 OK", &[], [b'x'; 10_001]);
    check_why(&decide(over).await, "TooBig", "10000 bytes");
    let untold = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    check_why(
        &decide([untold, vec![b'x'; 10_001]].concat()).await,
        "TooBig",
        "10000 bytes",
    );
}

#[tokio::test]
async fn an_endless_body_ends_at_the_cap() {
    let server = Rude::start(|_, _| {
        let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        vec![
            Act::Send(head),
            Act::Forever(vec![b'x'; 1000], Duration::ZERO),
        ]
    })
    .await;
    let got = fetcher().fetch(&request(&server.url("/"))).await;
    check_why(&got, "TooBig", "larger than");
}

#[tokio::test]
async fn a_dripping_body_ends_at_the_time_limit() {
    let server = Rude::start(|_, _| {
        let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        vec![
            Act::Send(head),
            Act::Forever(b"x".to_vec(), Duration::from_millis(10)),
        ]
    })
    .await;
    let got = impatient().fetch(&request(&server.url("/"))).await;
    check_why(&got, "Later", "within 0.3 s");
}

#[tokio::test]
async fn a_silent_host_ends_at_the_time_limit() {
    let server = Rude::start(|_, _| vec![Act::Stall]).await;
    let started_at = Instant::now();
    let got = impatient().fetch(&request(&server.url("/"))).await;
    check_why(&got, "Later", "within 0.3 s");
    assert!(started_at.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn the_time_limit_covers_all_redirects_together() {
    let server = Rude::start(|_, _| {
        let to = answer("302 Found", &["Location: /again"], "");
        vec![Act::Wait(Duration::from_millis(120)), Act::Send(to)]
    })
    .await;
    let got = impatient().fetch(&request(&server.url("/"))).await;
    check_why(&got, "Later", "within 0.3 s");
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_fetched_again_later() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<feed>".to_vec();
    check_why(&decide(cut).await, "Later", "broke off");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<feed>\r\n".to_vec();
    check_why(&decide(chunked).await, "Later", "broke off");
    check_why(
        &decide(b"HTTP/1.1 200 OK\r\nContent-".to_vec()).await,
        "Later",
        "broke off",
    );
    check_why(
        &decide(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()).await,
        "Later",
        "broke off",
    );
    check_why(&decide(Vec::new()).await, "Later", "broke off");
    for coding in ["gzip", "br", "zstd"] {
        let mut body = packed(coding, &noise()).await;
        body.truncate(body.len() / 2);
        let header = format!("Content-Encoding: {coding}");
        check_why(
            &decide(answer("200 OK", &[&header], body)).await,
            "Later",
            "middle",
        );
    }
}

#[tokio::test]
async fn retry_after_is_honoured_and_holds_the_host() {
    let check = async |status: &str, header: &str, least: u64, most: u64| {
        let server = Rude::always(answer(status, &[header], "")).await;
        let fetcher = fetcher();
        let url = server.url("/a");
        let got = fetcher.fetch(&request(&url)).await;
        check_why(&got, "Later", status);
        let wait = |got: &Result<Answer, FetchError>| match got {
            Err(FetchError::Later { after, .. }) => after.expect("a delay").as_secs_f64(),
            other => panic!("{other:?}"),
        };
        let asked = wait(&got);
        assert!((least as f64..=most as f64).contains(&asked), "{asked}");
        let held = fetcher.fetch(&request(&server.url("/b"))).await;
        check_why(&held, "Later", "asked us to stay away");
        assert!(wait(&held) <= asked && wait(&held) > asked - 5.0);
        assert_eq!(server.seen().len(), 1, "a held host was asked");
    };
    let in_a_minute = std::time::SystemTime::now() + Duration::from_secs(60);
    let date = format!("Retry-After: {}", httpdate::fmt_http_date(in_a_minute));
    check("429 Too Many Requests", "Retry-After: 30", 30, 30).await;
    check("503 Service Unavailable", &date, 55, 60).await;
    check(
        "429 Too Many Requests",
        "Retry-After: 31536000000",
        172_800,
        172_800,
    )
    .await;
    check("403 Forbidden", "Retry-After: 60", 60, 60).await;
}

#[tokio::test]
async fn a_hold_ends_and_is_one_hosts_own() {
    let other = Rude::always(answer("200 OK", &[], FEED)).await;
    let server = Rude::start(|_, before| {
        let refused = answer("429 Too Many Requests", &["Retry-After: 1"], PAGE);
        vec![Act::Send(if before == 0 {
            refused
        } else {
            answer("200 OK", &[], FEED)
        })]
    })
    .await;
    let fetcher = fetcher();
    check_why(
        &fetcher.fetch(&request(&server.url("/"))).await,
        "Later",
        "429",
    );
    check_why(
        &fetcher.fetch(&request(&server.url("/"))).await,
        "Later",
        "stay away",
    );
    assert!(fetcher.fetch(&request(&other.url("/"))).await.is_ok());
    tokio::time::sleep(Duration::from_millis(1010)).await;
    assert!(fetcher.fetch(&request(&server.url("/"))).await.is_ok());
}

#[tokio::test]
async fn a_failing_server_is_asked_again_later() {
    for status in [
        "500 Internal Server Error",
        "502 Bad Gateway",
        "408 Request Timeout",
    ] {
        let server = Rude::always(answer(status, &[], PAGE)).await;
        let fetcher = fetcher();
        for _ in 0..2 {
            let got = fetcher.fetch(&request(&server.url("/"))).await;
            check_why(&got, "Later", status);
            assert!(matches!(got, Err(FetchError::Later { after: None, .. })));
        }
        assert_eq!(server.seen().len(), 2);
    }
    let got = decide(answer("500 Internal Server Error", &["Retry-After: 5"], "")).await;
    assert!(matches!(got, Err(FetchError::Later { after: Some(wait), .. }) if wait.as_secs() == 5));
}

#[tokio::test]
async fn a_page_for_people_is_a_wall_whatever_its_type() {
    for content_type in ["Content-Type: text/html", "Content-Type: application/xml"] {
        let got = decide(answer("200 OK", &[content_type], PAGE)).await;
        check_why(&got, "Walled", "“Are you a bot?”");
    }
    check_why(
        &decide(answer("403 Forbidden", &[], PAGE)).await,
        "Walled",
        "“Are you a bot?”",
    );
    check_why(
        &decide(answer("403 Forbidden", &[], "{}")).await,
        "Broken",
        "403 Forbidden",
    );
    check_why(
        &decide(answer("503 Service Unavailable", &[], PAGE)).await,
        "Later",
        "503",
    );
    let honest = answer("200 OK", &["Content-Type: text/html"], FEED);
    assert_eq!(bytes_of(decide(honest).await), FEED.as_bytes());
}

#[tokio::test]
async fn what_is_expected_decides_what_a_wall_is() {
    let server = Rude::start(|path, _| {
        let body = if path == "/empty" { "" } else { PAGE };
        vec![Act::Send(answer("200 OK", &[], body))]
    })
    .await;
    let fetcher = fetcher();
    let check = async |path: &str, expect: Expect, want: Option<&str>| {
        let request = Request {
            expect,
            ..request(&server.url(path))
        };
        let got = fetcher.fetch(&request).await;
        match want {
            Some(variant) => check_why(&got, variant, path),
            None => assert!(got.is_ok(), "{got:?}"),
        }
    };
    check("/page", Expect::Feed, Some("Walled")).await;
    check("/page", Expect::Bytes, Some("Walled")).await;
    check("/page", Expect::Html, None).await;
    check("/empty", Expect::Feed, Some("Broken")).await;
    check("/empty", Expect::Bytes, None).await;
    check("/empty", Expect::Html, None).await;
}

#[tokio::test]
async fn other_statuses_are_decisions_too() {
    let page = [b"\xffno such list".to_vec(), vec![b'x'; 9000]].concat();
    match decide(answer("404 Not Found", &[], page)).await {
        Err(FetchError::Missing { why, page }) => {
            assert!(why.contains("/feed answers 404 Not Found"), "{why}");
            assert!(page.starts_with("\u{fffd}no such listxxx"));
            assert!((4000..=4200).contains(&page.len()), "{}", page.len());
        }
        other => panic!("{other:?}"),
    }
    let packed_page = packed("gzip", b"[No messages]").await;
    match decide(answer(
        "404 Not Found",
        &["Content-Encoding: gzip"],
        packed_page,
    ))
    .await
    {
        Err(FetchError::Missing { page, .. }) => assert_eq!(page, "[No messages]"),
        other => panic!("{other:?}"),
    }
    check_why(
        &decide(answer("410 Gone", &[], PAGE)).await,
        "Gone",
        "410 Gone",
    );
    check_why(
        &decide(answer("204 No Content", &[], "")).await,
        "Broken",
        "204",
    );
    check_why(
        &decide(answer("206 Partial Content", &[], FEED)).await,
        "Broken",
        "206",
    );
    check_why(
        &decide(answer("418 I'm a teapot", &[], FEED)).await,
        "Broken",
        "418",
    );
}

/// A server that redirects `/1` to `/2` with the first status, `/2` to `/3` with the second, and so on.
async fn chain(statuses: &'static [&'static str]) -> Rude {
    Rude::start(move |path, _| {
        let place: usize = path[1..].parse().expect("a number");
        let location = format!("Location: /{}#top", place + 1);
        vec![Act::Send(match statuses.get(place - 1) {
            Some(status) => answer(status, &[&location], ""),
            None => answer("200 OK", &["ETag: \"end\""], FEED),
        })]
    })
    .await
}

#[tokio::test]
async fn redirects_are_followed_and_permanent_ones_told() {
    let check = async |statuses: &'static [&'static str], moved: bool| {
        let server = chain(statuses).await;
        let got = fetcher()
            .fetch(&known(&server.url("/1")))
            .await
            .expect("it ends well");
        let end = Url::parse(&server.url(&format!("/{}", statuses.len() + 1))).expect("a URL");
        assert_eq!(got.url, end);
        assert_eq!(got.moved_to, moved.then_some(end), "{statuses:?}");
        let seen = server.seen();
        assert_eq!(seen.len(), statuses.len() + 1);
        assert!(seen.iter().all(|seen| seen.header("referer").is_none()));
    };
    check(&[], false).await;
    check(&["301 Moved"], true).await;
    check(&["308 Moved", "301 Moved"], true).await;
    check(&["302 Found"], false).await;
    check(&["301 Moved", "307 Temporary", "301 Moved"], false).await;
    check(
        &[
            "303 See",
            "301 Moved",
            "308 Moved",
            "302 Found",
            "301 Moved",
        ],
        false,
    )
    .await;
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let server = Rude::always(answer("301 Moved", &["Location: /loop?secret=1"], "")).await;
    let got = fetcher().fetch(&request(&server.url("/loop"))).await;
    check_why(&got, "Broken", "more than 5 times");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn redirects_that_say_nothing_are_broken() {
    check_why(
        &decide(answer("301 Moved", &[], "")).await,
        "Broken",
        "without a place",
    );
    check_why(
        &decide(answer("302 Found", &["Location: http://[::x/"], "")).await,
        "Broken",
        "no URL",
    );
    check_why(
        &decide(answer("300 Choices", &["Location: /a"], "")).await,
        "Broken",
        "300",
    );
}

#[tokio::test]
async fn a_redirect_may_not_lead_inside() {
    let inside = Rude::always(answer("200 OK", &[], FEED)).await;
    let port = inside.port();
    let config = NetworkConfig {
        allow_private_hosts: vec!["127.0.0.1".to_owned()],
        ..config()
    };
    for (to, words) in [
        (
            format!("http://127.0.0.2:{port}/"),
            "127.0.0.2 is a private address",
        ),
        (format!("http://[::1]:{port}/"), "::1 is a private address"),
        (
            "http://10.0.0.1/".to_owned(),
            "10.0.0.1 is a private address",
        ),
        (
            "http://169.254.169.254/latest".to_owned(),
            "allow_private_hosts under [network]",
        ),
        (
            "//0xa9fea9fe/".to_owned(),
            "169.254.169.254 is a private address",
        ),
        ("file:///etc/passwd".to_owned(), "only http and https"),
        ("ftp://127.0.0.1/x".to_owned(), "only http and https"),
    ] {
        let location = format!("Location: {to}");
        let server = Rude::always(answer("302 Found", &[&location], "")).await;
        let fetcher = Fetcher::new(&config).expect("a client");
        let got = fetcher.fetch(&request(&server.url("/a"))).await;
        let error = got.expect_err("it leads inside");
        assert!(matches!(error, FetchError::Broken { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn a_name_may_not_lead_inside_unless_it_is_allowed() {
    let server = Rude::always(answer("200 OK", &[], FEED)).await;
    let url = format!("http://localhost:{}/", server.port());
    let check = async |allow: &[&str], works: bool| {
        let config = NetworkConfig {
            allow_private_hosts: allow.iter().map(|&host| host.to_owned()).collect(),
            ..config()
        };
        let fetcher = Fetcher::new(&config).expect("a client");
        let got = fetcher.fetch(&request(&url)).await;
        assert_eq!(got.is_ok(), works, "{allow:?}: {got:?}");
        if let Err(error) = got {
            assert!(matches!(error, FetchError::Broken { .. }), "{error:?}");
            assert!(error.to_string().contains("localhost ("), "{error}");
            assert!(
                error.to_string().contains("add it to allow_private_hosts"),
                "{error}"
            );
        }
    };
    check(&["10.0.0.1"], false).await;
    assert!(server.seen().is_empty());
    check(&["127.0.0.1"], true).await;
    check(&["LocalHost"], true).await;
}

#[tokio::test]
async fn a_password_in_a_redirect_is_not_sent() {
    let server = Rude::start(|path, _| {
        vec![Act::Send(match path {
            "/a" => answer("301 Moved", &["Location: //me:pw@127.0.0.1:PORT/b"], ""),
            _ => answer("200 OK", &[], FEED),
        })]
    })
    .await;
    let target = format!("Location: //me:pw@127.0.0.1:{}/b", server.port());
    let first = Rude::always(answer("301 Moved", &[&target], "")).await;
    let got = fetcher()
        .fetch(&request(&first.url("/a")))
        .await
        .expect("it ends well");
    assert_eq!(got.moved_to.map(String::from), Some(server.url("/b")));
    assert_eq!(server.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_post_keeps_its_method_or_is_given_up() {
    let check = async |status: &'static str, ends: bool| {
        let server = Rude::start(move |path, _| {
            vec![Act::Send(match path {
                "/a" => answer(status, &["Location: /b"], ""),
                _ => answer("200 OK", &[], "From mboxrd@z"),
            })]
        })
        .await;
        let request = Request {
            method: Method::Post,
            expect: Expect::Bytes,
            ..known(&server.url("/a"))
        };
        let got = fetcher().fetch(&request).await;
        let seen = server.seen();
        assert_eq!(got.is_ok(), ends, "{status}: {got:?}");
        assert_eq!(seen.len(), if ends { 2 } else { 1 });
        for seen in seen {
            assert!(seen.what().starts_with("POST /"), "{}", seen.what());
            assert_eq!(seen.header("content-length"), Some("0"));
            assert_eq!(seen.header("if-none-match"), None);
        }
        if !ends {
            check_why(&got, "Broken", "POST");
        }
    };
    check("307 Temporary Redirect", true).await;
    check("308 Permanent Redirect", true).await;
    check("301 Moved Permanently", false).await;
    check("302 Found", false).await;
    check("303 See Other", false).await;
}

#[tokio::test]
async fn a_host_gets_one_request_at_a_time_with_a_gap() {
    const GAP: Duration = Duration::from_millis(40);
    let server = Rude::start(|path, _| {
        let (status, location) = match path {
            "/moved" => ("302 Found", "Location: /end"),
            _ => ("200 OK", "X: y"),
        };
        vec![
            Act::Wait(Duration::from_millis(20)),
            Act::Send(answer(status, &[location], FEED)),
        ]
    })
    .await;
    let config = NetworkConfig {
        host_gap: GAP,
        // Waiting for a turn does not count: all of them together take longer than this.
        request_timeout: Duration::from_millis(250),
        ..config()
    };
    let fetcher = Fetcher::new(&config).expect("a client");
    let urls = ["/1", "/moved", "/2", "/3", "/moved", "/4"].map(|path| request(&server.url(path)));
    let got =
        futures_util::future::join_all(urls.iter().map(|request| fetcher.fetch(request))).await;
    assert!(got.iter().all(Result::is_ok), "{got:?}");
    let mut seen = server.seen();
    assert_eq!(seen.len(), 8);
    seen.sort_by_key(|seen| seen.from);
    for pair in seen.windows(2) {
        let between = pair[1].from.saturating_duration_since(pair[0].until);
        assert!(between >= GAP - Duration::from_millis(5), "{between:?}");
    }
    let order: Vec<&str> = seen.iter().take(6).map(|seen| seen.what()).collect();
    assert_eq!(
        order,
        [
            "GET /1",
            "GET /moved",
            "GET /2",
            "GET /3",
            "GET /moved",
            "GET /4"
        ]
    );
}

#[tokio::test]
async fn a_slow_host_does_not_stop_another() {
    let slow = Rude::start(|_, _| vec![Act::Stall]).await;
    let quick = Rude::always(answer("200 OK", &[], FEED)).await;
    let fetcher = fetcher();
    let (slow_request, quick_request) = (request(&slow.url("/")), request(&quick.url("/")));
    let got = tokio::select! {
        got = fetcher.fetch(&slow_request) => panic!("{got:?}"),
        got = async {
            while slow.seen().is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            fetcher.fetch(&quick_request).await
        } => got,
    };
    assert!(got.is_ok(), "{got:?}");
}

#[tokio::test]
async fn a_request_that_is_dropped_frees_its_host() {
    let server = Rude::start(|_, before| match before {
        0 => vec![Act::Stall],
        _ => vec![Act::Send(answer("200 OK", &[], FEED))],
    })
    .await;
    let fetcher = fetcher();
    let request = request(&server.url("/"));
    let dropped = tokio::time::timeout(Duration::from_millis(100), fetcher.fetch(&request)).await;
    assert!(dropped.is_err());
    assert!(fetcher.fetch(&request).await.is_ok());
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_and_never_offline() {
    let gone = |_| async {
        let server = Rude::always(Vec::new()).await;
        server.url("/")
    };
    let fetcher = fetcher();
    for n in 0..3 {
        let url = gone(n).await;
        // The listener closes when its task is gone.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let got = fetcher.fetch(&request(&url)).await;
        check_why(&got, "Unreachable", "cannot be reached");
    }
}

#[tokio::test]
async fn a_failed_tls_handshake_is_asked_again_later() {
    let server = Rude::start(|_, _| vec![Act::Stall]).await;
    let url = format!("https://127.0.0.1:{}/", server.port());
    let got = impatient().fetch(&request(&url)).await;
    assert!(
        matches!(got, Err(FetchError::Unreachable { .. })),
        "{got:?}"
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    let plain = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let got = fetcher()
        .fetch(&request(&format!("https://127.0.0.1:{port}/")))
        .await;
    let error = got.expect_err("no TLS there");
    assert!(
        matches!(error, FetchError::Later { after: None, .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("TLS handshake failed"),
        "{error}"
    );
    plain.abort();
}

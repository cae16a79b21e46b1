//! The headers of a good answer, and those of our own requests.

use super::*;

#[tokio::test]
async fn a_good_answer_is_returned_with_its_headers() {
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
async fn a_request_names_the_bot_and_nothing_else() {
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
async fn a_known_document_is_requested_conditionally() {
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
async fn a_304_without_a_conditional_request_is_broken() {
    let got = decide(answer("304 Not Modified", &[], "")).await;
    check_why(&got, "Broken", "304");
}

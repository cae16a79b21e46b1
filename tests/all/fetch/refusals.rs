//! Statuses, walls, and hosts that do not answer.

use super::*;

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
async fn the_expected_type_decides_if_a_page_is_a_wall() {
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

#[tokio::test]
async fn a_refused_connection_is_unreachable_and_never_offline() {
    let fetcher = fetcher();
    for _ in 0..3 {
        let server = Rude::always(Vec::new()).await;
        let url = server.url("/");
        drop(server);
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

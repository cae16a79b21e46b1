//! Bodies that are compressed, endless, slow or cut short: each ends in bounded time and memory.

use super::*;

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
    // A gigabyte: the same 16 MiB, 64 times, in one valid stream.
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
async fn an_endless_body_that_unpacks_to_nothing_ends_at_the_cap() {
    let nothing = packed("gzip", b"").await.repeat(50);
    let server = Rude::start(move |_, _| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
        vec![
            Act::Send(head),
            Act::Forever(nothing.clone(), Duration::ZERO),
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

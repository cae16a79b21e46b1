//! One request at a time to a host, a gap between two, and none while the host asks for a pause.

use super::*;

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
            Err(FetchError::Held { after, .. }) => after.as_secs_f64(),
            other => panic!("{other:?}"),
        };
        let asked = wait(&got);
        assert!((least as f64..=most as f64).contains(&asked), "{asked}");
        let held = fetcher.fetch(&request(&server.url("/b"))).await;
        check_why(&held, "Held", "asked us to stay away");
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
        "Held",
        "stay away",
    );
    assert!(fetcher.fetch(&request(&other.url("/"))).await.is_ok());
    tokio::time::sleep(Duration::from_millis(1010)).await;
    assert!(fetcher.fetch(&request(&server.url("/"))).await.is_ok());
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
        // The wait for a turn is not part of the time limit: all requests together take longer than it.
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

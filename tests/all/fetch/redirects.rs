//! The allowed targets of a redirect, and the part of them that an error shows.

use super::*;

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
async fn redirects_are_followed_and_permanent_ones_reported() {
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
async fn a_redirect_may_not_lead_to_a_private_host() {
    let inside = Rude::always(answer("200 OK", &[], FEED)).await;
    let port = inside.port();
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
        let got = fetcher().fetch(&request(&server.url("/a"))).await;
        let error = got.expect_err("it leads inside");
        assert!(matches!(error, FetchError::Broken { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn a_name_may_not_point_to_a_private_host_unless_allowed() {
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
    let server = Rude::always(answer("200 OK", &[], FEED)).await;
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

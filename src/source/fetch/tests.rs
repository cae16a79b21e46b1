//! Tests that need a table of names: names with private addresses, names without any, hosts that never answer.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::{Expect, Validators};
use super::*;

/// A client that resolves names by `table` only.
fn fetcher(allow: &[&str], table: &[(&str, &[&str])]) -> Fetcher {
    let address = |text: &&str| text.parse::<IpAddr>().expect("the test's address");
    let table: HashMap<String, Vec<IpAddr>> = table
        .iter()
        .map(|(name, found)| ((*name).to_owned(), found.iter().map(address).collect()))
        .collect();
    let lookup: Lookup = Arc::new(move |name| {
        let found = table.get(name.trim_end_matches('.')).cloned();
        Box::pin(async move {
            match found {
                Some(found) => Ok(found),
                None if name == "slow.example" => std::future::pending().await,
                None => Err(io::Error::other("Temporary failure in name resolution")),
            }
        })
    });
    let config = NetworkConfig {
        allow_private_hosts: allow.iter().map(|&host| host.to_owned()).collect(),
        contact: None,
        page: None,
        installation_id: false,
        host_gap: Duration::ZERO,
        request_timeout: Duration::from_millis(600),
        ..NetworkConfig::default()
    };
    Fetcher::with_lookup(&config, None, lookup).expect("a client")
}

async fn get(fetcher: &Fetcher, url: &str) -> Result<Answer, FetchError> {
    let request = Request {
        url: Url::parse(url).expect("the test's URL"),
        method: Method::Get,
        expect: Expect::Bytes,
        validators: Validators::default(),
        bytes_max: 100,
    };
    fetcher.fetch(&request).await
}

/// Answers one connection on loopback; gives the port.
fn answer_once() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the test connects");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    port
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_the_connection_uses() {
    let names: &[(&str, &[&str])] = &[
        ("inside.example", &["10.0.0.1", "::1", "169.254.169.254"]),
        ("mixed.example", &["127.0.0.1", "10.255.255.1", "127.0.0.9"]),
    ];
    let strict = fetcher(&[], names);
    for url in ["http://inside.example/", "https://INSIDE.example./"] {
        let Err(FetchError::Broken { why }) = get(&strict, url).await else {
            panic!("{url} was asked");
        };
        let advice = "is a private address; if you mean it, add it to allow_private_hosts";
        assert!(why.contains(advice), "{why}");
    }
    let port = answer_once();
    let by_address = fetcher(&["127.0.0.1"], names);
    let answer = get(&by_address, &format!("http://mixed.example:{port}/")).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn a_private_name_that_is_allowed_is_asked() {
    let port = answer_once();
    let by_name = fetcher(&["Mixed.Example"], &[("mixed.example", &["127.0.0.1"])]);
    let answer = get(&by_name, &format!("http://mixed.example:{port}/")).await;
    assert!(answer.is_ok(), "{answer:?}");
}

#[tokio::test]
async fn two_hosts_out_of_reach_mean_our_own_network_is_down() {
    let fetcher = fetcher(&["127.0.0.1"], &[]);
    for url in ["http://a.example/x", "http://a.example/y"] {
        let got = get(&fetcher, url).await;
        assert!(
            matches!(got, Err(FetchError::Unreachable { .. })),
            "{got:?}"
        );
    }
    // A refusal on our own computer is no evidence, and its answers none to the contrary.
    let refused = get(&fetcher, "http://127.0.0.1:1/").await;
    assert!(
        matches!(refused, Err(FetchError::Unreachable { .. })),
        "{refused:?}"
    );
    let local = get(&fetcher, &format!("http://127.0.0.1:{}/", answer_once())).await;
    assert!(local.is_ok(), "{local:?}");
    for url in ["http://slow.example/", "http://a.example/"] {
        let got = get(&fetcher, url).await;
        let Err(FetchError::Offline { why }) = got else {
            panic!("{got:?}");
        };
        assert!(
            why.starts_with("our own network seems to be down: http://"),
            "{why}"
        );
    }
    fetcher.reach.answered();
    let got = get(&fetcher, "http://a.example/").await;
    assert!(
        matches!(got, Err(FetchError::Unreachable { .. })),
        "{got:?}"
    );
}

#[tokio::test]
async fn a_refused_connection_is_no_sign_of_an_outage() {
    let fetcher = fetcher(
        &["127.0.0.1"],
        &[("a.example", &["127.0.0.1"]), ("b.example", &["127.0.0.1"])],
    );
    for url in [
        "http://a.example:1/",
        "http://b.example:1/",
        "http://c.example/",
    ] {
        let got = get(&fetcher, url).await;
        assert!(
            matches!(got, Err(FetchError::Unreachable { .. })),
            "{url}: {got:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_cannot_be_made_is_our_own_trouble_and_tried_again() {
    let good = fetcher(&["127.0.0.1"], &[]);
    let is_there = Arc::new(AtomicBool::new(false));
    let (make, made) = (good.make_client, Arc::clone(&is_there));
    let late = Fetcher {
        client: OnceLock::new(),
        make_client: Box::new(move || match made.load(Ordering::Relaxed) {
            true => make(),
            false => anyhow::bail!("no certificate authorities"),
        }),
        ..good
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}/");
    let Err(FetchError::Offline { why }) = get(&late, &url).await else {
        panic!("it was asked without a client");
    };
    assert!(why.contains("no certificate authorities"), "{why}");
    is_there.store(true, Ordering::Relaxed);
    let asked = get(&late, &url).await;
    assert!(
        matches!(asked, Err(FetchError::Unreachable { .. })),
        "{asked:?}"
    );
}

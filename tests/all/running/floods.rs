//! A thousand connections to the pages without a whole request: the program keeps file handles for its polls.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::stops::{ARTICLE, Running, configure, feed, until};
use crate::cli::folder;
use crate::rude::{Rude, answer};

/// The number of connections with half a request.
const HALF_OPEN: usize = 1_000;
/// The usual limit of file handles of a process.
const HANDLES: usize = 1_024;
/// The longest that a page may take while others hold the connections.
const PAGE_MAX: Duration = Duration::from_secs(90);

/// Sets the limit of file handles of a process.
fn limit_handles(process: u32, most: usize) {
    let limit = Command::new("prlimit")
        .args(["--pid", &process.to_string()])
        .arg(format!("--nofile={most}:"))
        .status();
    assert!(limit.expect("util-linux is there").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_half_open_connections_hold_up_no_poll() {
    // The other ends of the connections belong to this process.
    limit_handles(std::process::id(), HALF_OPEN * 4);
    let upstream = Rude::always(answer("200 OK", &[], ARTICLE)).await;
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let pages = free.local_addr().expect("a bound socket has one");
    drop(free);
    let home = folder();
    let web = format!("[web]\nlisten = \"{pages}\"\nurl = \"http://{pages}/\"\n");
    let tables = format!("{web}{}", feed("well", &upstream.url("/well")));
    configure(home.path(), &tables);
    let mut running = Running::start(home.path());
    limit_handles(running.id(), HANDLES);
    until("it polls", || !upstream.seen().is_empty()).await;
    let mut held = Vec::new();
    for number in 0..HALF_OPEN {
        let stream = tokio::time::timeout(PAGE_MAX, TcpStream::connect(pages)).await;
        let mut stream = stream.expect("the kernel takes it").expect("a connection");
        if number % 2 == 0 {
            let half = b"GET / HTTP/1.1\r\nHost: ";
            stream.write_all(half).await.expect("it is sent");
        }
        held.push(stream);
    }
    let (before, begun) = (upstream.seen().len(), Instant::now());
    until("it polls beside them", || {
        upstream.seen().len() >= before + 5
    })
    .await;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "each second: {:?}",
        begun.elapsed()
    );
    let mut asks = TcpStream::connect(pages).await.expect("a connection");
    let request = b"GET /healthz HTTP/1.0\r\n\r\n";
    asks.write_all(request).await.expect("it is sent");
    let mut heard = String::new();
    let answered = tokio::time::timeout(PAGE_MAX, asks.read_to_string(&mut heard)).await;
    answered.expect("in time").expect("an answer");
    assert!(heard.contains(" 200 OK\r\n"), "{heard}");
    assert!(running.is_up());
    let log = std::fs::read_to_string(home.path().join("log")).expect("its log");
    assert!(!log.contains("not polled"), "{log}");
    assert!(!log.contains("os error 24"), "no handle was missing: {log}");
    drop(held);
    running.stop("after the flood").await;
}

//! Accepts connections, with limits on their number and duration so that the rest of the program keeps file handles.
//! Speaks HTTP/1; put a proxy in front for newer versions.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// The pause after a failed accept. The process may have no free file handle.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The limits of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; further ones wait.
    pub(super) at_once: usize,
    /// The time until a request has arrived, for the first and each further one.
    pub(super) request: Duration,
    /// The longest life of a connection.
    pub(super) whole: Duration,
}

/// A process usually has 1,024 file handles; this leaves three quarters of them.
pub(super) const LIMITS: Limits = Limits {
    at_once: 256,
    request: Duration::from_secs(10),
    whole: Duration::from_mins(2),
};

/// The other end of a connection: a client, or the proxy in front.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerAddress(pub(super) IpAddr);

/// Serves until `stop` is cancelled, and then finishes the requests in progress.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: &CancellationToken,
) {
    let (seats, connections) = (Arc::new(Semaphore::new(limits.at_once)), TaskTracker::new());
    let next = async || {
        let seat = Arc::clone(&seats).acquire_owned().await;
        (listener.accept().await, seat)
    };
    loop {
        let (accepted, seat) = tokio::select! {
            next = next() => next,
            () = stop.cancelled() => break,
        };
        let Ok(seat) = seat else { break };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop) = (router.clone(), stop.clone());
                let peer = PeerAddress(peer.ip());
                connections.spawn(answer(stream, peer, router, limits, stop, seat));
            }
            Err(error) if is_of_the_other(&error) => {}
            Err(error) => {
                warn!("no connection for the pages can be taken: {error}");
                let _ = timeout(ACCEPT_AGAIN_AFTER, stop.cancelled()).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Whether the client disconnected before the connection was accepted.
fn is_of_the_other(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

async fn answer(
    stream: TcpStream,
    peer: PeerAddress,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
    seat: OwnedSemaphorePermit,
) {
    let pages = TowerToHyperService::new(router);
    let with_peer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        pages.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request)
        .serve_connection(TokioIo::new(stream), with_peer);
    tokio::pin!(connection);
    let (whole, mut is_stopping) = (sleep(limits.whole), false);
    tokio::pin!(whole);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!("a connection for the pages: {error}");
                }
                break;
            }
            () = &mut whole => break,
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
    drop(seat);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SHORT: Limits = Limits {
        at_once: 4,
        request: Duration::from_millis(300),
        whole: Duration::from_millis(1_500),
    };

    async fn start() -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let until = stop.clone();
        let router = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(async move { serve(listener, router, SHORT, &until).await });
        (address, stop)
    }

    /// Sends `text` and returns the response, until the connection ends.
    async fn say(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(text.as_bytes()).await.expect("it is sent");
        let mut heard = Vec::new();
        // A reset connection may have sent the whole response.
        let _ = stream.read_to_end(&mut heard).await;
        String::from_utf8_lossy(&heard).into_owned()
    }

    #[tokio::test]
    async fn an_idle_connection_is_closed_and_others_get_their_turn() {
        let (address, _stop) = start().await;
        let begun = Instant::now();
        let mut idle = Vec::new();
        for _ in 0..12 {
            idle.push(TcpStream::connect(address).await.expect("a connection"));
        }
        for stream in idle.iter_mut().step_by(2) {
            let half = b"GET / HTTP/1.1\r\nHost: ";
            stream.write_all(half).await.expect("it is sent");
        }
        let heard = say(address, "GET / HTTP/1.0\r\n\r\n").await;
        assert!(heard.ends_with("here"), "{heard}");
        // Four at once: twelve requests took three rounds.
        let waited = begun.elapsed();
        assert!(waited >= SHORT.request * 3, "{waited:?}");
        for mut stream in idle {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            assert!(!rest.ends_with(b"here"));
        }
    }

    #[tokio::test]
    async fn a_connection_is_closed_after_its_time_in_any_case() {
        let (address, _stop) = start().await;
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let begun = Instant::now();
        let mut answers = 0;
        loop {
            let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let mut heard = [0; 1024];
            match (asked, stream.read(&mut heard).await) {
                (Ok(()), Ok(1..)) => answers += 1,
                _ => break,
            }
            assert!(begun.elapsed() < SHORT.whole * 10, "it goes on");
            sleep(Duration::from_millis(100)).await;
        }
        assert!(answers > 3, "it is kept for a while: {answers}");
        assert!(begun.elapsed() >= SHORT.whole / 2);
    }

    #[tokio::test]
    async fn http_2_is_not_spoken() {
        let (address, _stop) = start().await;
        let settings = "\0\0\0\x04\0\0\0\0\0";
        let heard = say(
            address,
            &format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{settings}"),
        )
        .await;
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 400"),
            "{heard:?}"
        );
    }

    #[tokio::test]
    async fn a_stop_ends_idle_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let until = stop.clone();
        let router = Router::new().route("/", get(|| async { "here" }));
        let served = tokio::spawn(async move { serve(listener, router, LIMITS, &until).await });
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let asked = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(asked).await.expect("it is sent");
        let mut heard = [0; 1024];
        assert!(stream.read(&mut heard).await.expect("an answer") > 0);
        stop.cancel();
        let ended = timeout(Duration::from_secs(5), served).await;
        ended.expect("it stops").expect("it does not panic");
    }
}

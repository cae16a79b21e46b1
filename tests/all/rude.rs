//! A server with every fault, on loopback: it sends exactly the bytes of a script, or cuts, drips, stalls, never ends.
//!
//! It reads one request per connection, answers by the request's path, and records the requests with their times.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One action of the server on a connection.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Sends these bytes again and again, with a pause after each, until the peer leaves.
    Forever(Vec<u8>, Duration),
    /// Leaves the connection open until the peer closes it.
    Stall,
}

/// A request as it arrived, and the times of its arrival and of the end of the connection's script.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The request line and headers, as sent.
    pub(crate) head: String,
    /// The arrival of the request.
    pub(crate) from: Instant,
    /// The end of the script.
    pub(crate) until: Instant,
}

impl Seen {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// `GET /path`.
    pub(crate) fn what(&self) -> &str {
        self.head.split(" HTTP/").next().unwrap_or_default()
    }
}

type Script = dyn Fn(&str, usize) -> Vec<Act> + Send + Sync;

/// The server; it stops when it is dropped.
pub(crate) struct Rude {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: JoinHandle<()>,
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Rude {
    /// Starts a server whose `script` gets the path and the number of earlier requests.
    pub(crate) async fn start<F>(script: F) -> Self
    where
        F: Fn(&str, usize) -> Vec<Act> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let log = Arc::clone(&seen);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self {
            port,
            seen,
            accepting,
        }
    }

    /// A server that answers every request with these bytes.
    pub(crate) async fn always(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |_, _| vec![Act::Send(answer.clone())]).await
    }

    /// A URL on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The requests so far, in their order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no holder panics").clone()
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Script>, log: Arc<Mutex<Vec<Seen>>>) {
    let Some(head) = read_head(&mut stream).await else {
        return;
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let from = Instant::now();
    let place = {
        let mut log = log.lock().expect("no holder panics");
        log.push(Seen {
            head,
            from,
            until: from,
        });
        log.len() - 1
    };
    for act in script(&path, place) {
        if play(&mut stream, act).await.is_err() {
            break;
        }
    }
    log.lock().expect("no holder panics")[place].until = Instant::now();
    // The peer may still be sending. A clean close needs no more than this.
    let _ = stream.shutdown().await;
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn play(stream: &mut TcpStream, act: Act) -> std::io::Result<()> {
    match act {
        Act::Send(bytes) => stream.write_all(&bytes).await,
        Act::Wait(time) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Act::Forever(bytes, pause) => loop {
            stream.write_all(&bytes).await?;
            tokio::time::sleep(pause).await;
        },
        Act::Stall => {
            let mut rest = [0; 64];
            while stream.read(&mut rest).await? > 0 {}
            Ok(())
        }
    }
}

/// An answer with a status line, header lines, a body and its length. Then the connection closes.
pub(crate) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for header in headers {
        bytes.push_str(header);
        bytes.push_str("\r\n");
    }
    if !status.starts_with("304") {
        bytes.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    bytes.push_str("\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

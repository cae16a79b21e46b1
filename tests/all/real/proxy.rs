//! A proxy before a real server. It misbehaves like a front end: right statuses and lengths, wrong pages.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// The path of a request as it is passed on, and the fault of its answer.
pub(super) type Fault = dyn Fn(&str) -> (String, Answer) + Send + Sync;

/// How the proxy answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Whole,
    /// The body is cut to so many hundredths.
    Cut(usize),
    Refused,
}

pub(super) struct Proxy {
    /// The server's URL through the proxy.
    pub(super) url: String,
}

impl Proxy {
    /// A proxy before the server at `url`.
    pub(super) fn new(
        url: &str,
        fault: impl Fn(&str) -> (String, Answer) + Send + Sync + 'static,
    ) -> Self {
        let rest = url.strip_prefix("http://").expect("http");
        let (server, path) = rest.split_once('/').expect("a path");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (server, fault): (String, Arc<Fault>) = (server.to_owned(), Arc::new(fault));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, fault) = (server.clone(), Arc::clone(&fault));
                // A client that closes the connection is no failure of the test.
                std::thread::spawn(move || drop(serve(client, &server, &*fault)));
            }
        });
        Self {
            url: format!("http://{address}/{path}"),
        }
    }
}

fn serve(mut client: TcpStream, server: &str, fault: &Fault) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (path, answer) = fault(path);
    if answer == Answer::Refused {
        return client.write_all(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
    }
    let mut upstream = TcpStream::connect(server)?;
    write!(
        upstream,
        "{method} {path} HTTP/1.0\r\nHost: {server}\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut whole = Vec::new();
    upstream.read_to_end(&mut whole)?;
    let end = whole.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = whole.split_at(end.map_or(whole.len(), |end| end + 4));
    let head = String::from_utf8_lossy(head);
    let body = match answer {
        Answer::Cut(share) => &body[..body.len() * share / 100],
        Answer::Whole | Answer::Refused => body,
    };
    let mut lines = head.lines();
    let status = lines
        .next()
        .unwrap_or_default()
        .replace("HTTP/1.0", "HTTP/1.1");
    write!(client, "{status}\r\n")?;
    for line in lines.filter(|line| !line.is_empty()) {
        let name = line
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if !["content-length", "connection", "transfer-encoding"].contains(&&*name) {
            write!(client, "{line}\r\n")?;
        }
    }
    write!(
        client,
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    client.write_all(body)
}

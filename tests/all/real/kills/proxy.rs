//! A proxy between the program and a chat server. It passes requests and answers on, but it loses answers, fails before and
//! after the effect, delays, and reports every step to the killer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::killer::{Killer, Moment};
use crate::rude::answer;

/// The fault of a message that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// The proxy refuses it before it has an effect.
    FailsBefore,
    /// It has its effect, but the answer is an error.
    FailsAfter,
    /// It has its effect, and the answer is lost.
    AnswerLost,
    /// It is lost before the server.
    RequestLost,
    /// It is delayed.
    Late,
}

impl Fault {
    pub(super) const ALL: [Self; 5] = [
        Self::FailsBefore,
        Self::FailsAfter,
        Self::AnswerLost,
        Self::RequestLost,
        Self::Late,
    ];
}

/// A change of a request on its way, for controls that break something that the program relies on.
pub(super) type Twist = fn(&mut Request);

/// The request that is passed on.
#[derive(Debug)]
pub(super) struct Request {
    method: reqwest::Method,
    pub(super) path: String,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Whether it makes or changes a message.
    fn is_send(&self) -> bool {
        let is_matrix = self.path.contains("/send/") || self.path.contains("/redact/");
        let is_discord = self.path.contains("/channels/") && self.method != reqwest::Method::GET;
        is_matrix || is_discord
    }
}

#[derive(Default)]
struct Inside {
    faults: VecDeque<Option<Fault>>,
    met: BTreeMap<Fault, usize>,
    sends: usize,
}

/// The proxy; it stops when it is dropped.
pub(super) struct Proxy {
    pub(super) url: String,
    inside: Arc<Mutex<Inside>>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Line {
    upstream: String,
    client: reqwest::Client,
    killer: Killer,
    twist: Option<Twist>,
    inside: Arc<Mutex<Inside>>,
}

impl Proxy {
    pub(super) async fn start(upstream: &str, killer: Killer, twist: Option<Twist>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let inside: Arc<Mutex<Inside>> = Arc::default();
        let line = Arc::new(Line {
            upstream: upstream.trim_end_matches('/').to_owned(),
            client: reqwest::Client::new(),
            killer,
            twist,
            inside: Arc::clone(&inside),
        });
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let line = Arc::clone(&line);
                // A client may close the connection at any time.
                tokio::spawn(async move { line.serve(stream).await.unwrap_or_default() });
            }
        });
        Self {
            url,
            inside,
            accepting,
        }
    }

    /// The faults of the next messages, one after the other. After them, nothing fails.
    pub(super) fn faults(&self, faults: impl IntoIterator<Item = Option<Fault>>) {
        let mut inside = self.inside.lock().expect("no holder panics");
        inside.faults = faults.into_iter().collect();
    }

    /// The faults that happened, and the number of messages.
    pub(super) fn met(&self) -> (BTreeMap<Fault, usize>, usize) {
        let inside = self.inside.lock().expect("no holder panics");
        (inside.met.clone(), inside.sends)
    }
}

impl Line {
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut request = read(&mut stream).await?;
        if !request.is_send() {
            let answer = self.hand_on(request).await;
            return stream.write_all(&answer).await;
        }
        let fault = {
            let mut inside = self.inside.lock().expect("no holder panics");
            inside.sends += 1;
            let fault = inside.faults.pop_front().flatten();
            if let Some(fault) = fault {
                *inside.met.entry(fault).or_default() += 1;
            }
            fault
        };
        if self.killer.passes(Moment::SendAsked) {
            return Ok(());
        }
        if let Some(twist) = self.twist {
            twist(&mut request);
        }
        match fault {
            Some(Fault::FailsBefore) => {
                return stream
                    .write_all(&answer("502 Bad Gateway", &[], "no"))
                    .await;
            }
            Some(Fault::RequestLost) => return Ok(()),
            Some(Fault::Late) => tokio::time::sleep(Duration::from_millis(400)).await,
            Some(Fault::FailsAfter | Fault::AnswerLost) | None => {}
        }
        let answered = self.hand_on(request).await;
        self.killer.passes(Moment::SendDone);
        match fault {
            Some(Fault::FailsAfter) => {
                stream
                    .write_all(&answer("502 Bad Gateway", &[], "no"))
                    .await?;
            }
            Some(Fault::AnswerLost) => {}
            Some(Fault::FailsBefore | Fault::RequestLost | Fault::Late) | None => {
                stream.write_all(&answered).await?;
                stream.shutdown().await?;
                self.killer.passes(Moment::SendAnswered);
            }
        }
        Ok(())
    }

    /// Sends the request to the server; returns the bytes of its answer.
    async fn hand_on(&self, request: Request) -> Vec<u8> {
        let url = format!("{}{}", self.upstream, request.path);
        let mut asked = self.client.request(request.method, url).body(request.body);
        for (name, value) in &request.headers {
            asked = asked.header(name, value);
        }
        let Ok(answered) = asked.send().await else {
            return answer("502 Bad Gateway", &[], "no server");
        };
        let status = answered.status().to_string();
        let own = ["connection", "transfer-encoding", "content-length"];
        let headers: Vec<String> = answered
            .headers()
            .iter()
            .filter(|(name, _)| !own.contains(&name.as_str()))
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()))
            .collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        match answered.bytes().await {
            Ok(body) => answer(&status, &headers, body),
            Err(_) => answer("502 Bad Gateway", &[], "cut off"),
        }
    }
}

async fn read(stream: &mut TcpStream) -> std::io::Result<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let method = first.next().unwrap_or_default().parse().unwrap_or_default();
    let path = first.next().unwrap_or_default().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length
        .and_then(|(_, length)| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let own = ["host", "connection", "content-length"];
    let headers = headers
        .into_iter()
        .filter(|(name, _)| !own.contains(&name.as_str()));
    Ok(Request {
        method,
        path,
        headers: headers.collect(),
        body,
    })
}

//! A mail server on loopback that stores all mails, fails where a test asks for it, and reports every fault of its client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A step at which the sink may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SinkStep {
    Greeting,
    Sender,
    Recipient,
    Data,
    /// The whole mail was read.
    End,
}

/// The sink's action at a step.
#[derive(Debug, Clone)]
pub(super) enum SinkAct {
    /// Answers like a healthy server.
    Take,
    /// Answers with this line.
    Answer(&'static str),
    /// Closes the connection.
    Cut,
    /// Stores the mail, and closes the connection without an answer.
    TakeAndCut,
    /// Answers late.
    Slow(Duration),
}

/// A mail that the sink accepted.
#[derive(Debug, Clone)]
pub(super) struct TakenMail {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) bytes: Vec<u8>,
}

impl TakenMail {
    /// The values of a header, unfolded.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let mail = mail_parser::MessageParser::default().parse(&self.bytes)?;
        let mut values = mail
            .headers_raw()
            .filter(|(of, _)| of.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        assert_eq!(values.next(), None, "{name} is there once");
        Some(value.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The text part and the HTML part, decoded.
    pub(super) fn parts(&self) -> (String, String) {
        let mail = mail_parser::MessageParser::default();
        let mail = mail.parse(&self.bytes).expect("a mail");
        let text = mail.body_text(0).expect("a text part").into_owned();
        let html = mail.body_html(0).expect("an HTML part").into_owned();
        (text, html)
    }
}

type Script = dyn Fn(SinkStep, &str) -> SinkAct + Send + Sync;

#[derive(Default)]
struct SinkState {
    taken: Vec<TakenMail>,
    faults: Vec<String>,
    connections: usize,
    /// Whether only the envelopes are kept.
    is_counting: bool,
}

/// The server. It ends with its runtime.
#[derive(Clone)]
pub(super) struct Sink {
    pub(super) port: u16,
    state: Arc<Mutex<SinkState>>,
}

impl Sink {
    /// A sink that accepts everything.
    pub(super) async fn start() -> Self {
        Self::with(|_, _| SinkAct::Take).await
    }

    /// A sink that acts as `script` says for a step and the recipient of the mail; the recipient is empty before it is known.
    pub(super) async fn with(
        script: impl Fn(SinkStep, &str) -> SinkAct + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(SinkState::default()));
        let script: Arc<Script> = Arc::new(script);
        let sink = Self {
            port,
            state: Arc::clone(&state),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                state.lock().expect("nobody panics").connections += 1;
                let conversation = SinkConversation {
                    stream: BufReader::new(stream),
                    script: Arc::clone(&script),
                    state: Arc::clone(&state),
                    to: String::new(),
                };
                tokio::spawn(conversation.run());
            }
        });
        sink
    }

    /// A sink that takes everything, and keeps the envelopes alone.
    pub(super) async fn counting() -> Self {
        let sink = Self::start().await;
        sink.state.lock().expect("nobody panics").is_counting = true;
        sink
    }

    /// How many mails it took.
    pub(super) fn count(&self) -> usize {
        self.state.lock().expect("nobody panics").taken.len()
    }

    pub(super) fn taken(&self) -> Vec<TakenMail> {
        self.state.lock().expect("nobody panics").taken.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.state.lock().expect("nobody panics").connections
    }

    /// Forgets the mails.
    pub(super) fn forget(&self) {
        self.state.lock().expect("nobody panics").taken.clear();
    }

    /// Fails if the client broke the protocol.
    pub(super) fn check(&self) {
        let faults = &self.state.lock().expect("nobody panics").faults;
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

struct SinkConversation {
    stream: BufReader<TcpStream>,
    script: Arc<Script>,
    state: Arc<Mutex<SinkState>>,
    to: String,
}

impl SinkConversation {
    fn fault(&self, what: String) {
        self.state.lock().expect("nobody panics").faults.push(what);
    }

    async fn say(&mut self, line: &str) -> Option<()> {
        let line = format!("{line}\r\n");
        self.stream.get_mut().write_all(line.as_bytes()).await.ok()
    }

    /// One command, without its line end.
    async fn hear(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(2_000);
        if bounded.read_until(b'\n', &mut line).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8(line).unwrap_or_else(|_| "not ASCII".to_owned());
        if !text.ends_with("\r\n") || text.len() > 512 || !text.is_ascii() {
            self.fault(format!("a command that is none: {text:?}"));
        }
        let text = text.trim_end_matches(['\r', '\n']);
        if text.contains(['\r', '\n', '\0']) {
            self.fault(format!("a line break inside a command: {text:?}"));
        }
        Some(text.to_owned())
    }

    /// Carries out a step. Returns whether the client may continue, or `None` if the connection ends.
    async fn act(&mut self, step: SinkStep, good: &str) -> Option<bool> {
        match (self.script)(step, &self.to) {
            SinkAct::Take => self.say(good).await.map(|()| true),
            SinkAct::Answer(line) => self.say(line).await.map(|()| false),
            SinkAct::Cut | SinkAct::TakeAndCut => None,
            SinkAct::Slow(time) => {
                tokio::time::sleep(time).await;
                self.say(good).await.map(|()| true)
            }
        }
    }

    async fn run(mut self) -> Option<()> {
        if !self.act(SinkStep::Greeting, "220 sink ESMTP").await? {
            return None;
        }
        let (mut is_greeted, mut from) = (false, None);
        loop {
            let command = self.hear().await?;
            let upper = command.to_ascii_uppercase();
            if upper.starts_with("EHLO ") {
                is_greeted = true;
                self.say("250-sink\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
                    .await?;
            } else if upper == "QUIT" {
                self.say("221 2.0.0 Bye").await?;
                return None;
            } else if upper == "RSET" {
                (from, self.to) = (None, String::new());
                self.say("250 2.0.0 Ok").await?;
            } else if let Some(path) = path_of(&command, "MAIL FROM:") {
                if !is_greeted || from.is_some() {
                    self.fault(format!("out of order: {command}"));
                }
                if self.act(SinkStep::Sender, "250 2.1.0 Ok").await? {
                    from = Some(path);
                }
            } else if let Some(path) = path_of(&command, "RCPT TO:") {
                if from.is_none() || !self.to.is_empty() {
                    self.fault(format!("out of order, or a second recipient: {command}"));
                }
                self.to = path;
                if !self.act(SinkStep::Recipient, "250 2.1.5 Ok").await? {
                    self.to.clear();
                }
            } else if upper == "DATA" {
                if from.is_none() || self.to.is_empty() {
                    self.fault("DATA without an envelope".to_owned());
                }
                if self.act(SinkStep::Data, "354 Go on").await? {
                    self.data(from.take().unwrap_or_default()).await?;
                    self.to.clear();
                }
            } else {
                self.fault(format!("an unknown command: {command:?}"));
                self.say("500 5.5.1 What?").await?;
            }
        }
    }

    /// Reads the mail, without the dots that the client doubled.
    async fn data(&mut self, from: String) -> Option<()> {
        let mut bytes = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await.ok()? == 0 {
                return None;
            }
            if !line.ends_with(b"\r\n") || line.len() > 1_000 {
                self.fault(format!(
                    "a line of {} bytes: {:?}",
                    line.len(),
                    String::from_utf8_lossy(&line)
                ));
            }
            if line[..line.len().saturating_sub(2)].contains(&b'\r') || !line.is_ascii() {
                self.fault(format!(
                    "a bare CR, or bytes that are not ASCII: {:?}",
                    String::from_utf8_lossy(&line)
                ));
            }
            if line == b".\r\n" {
                break;
            }
            bytes.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        if self.state.lock().expect("nobody panics").is_counting {
            bytes.clear();
        }
        let mail = TakenMail {
            from,
            to: self.to.clone(),
            bytes,
        };
        let act = (self.script)(SinkStep::End, &self.to);
        if matches!(act, SinkAct::Take | SinkAct::TakeAndCut | SinkAct::Slow(_)) {
            self.state.lock().expect("nobody panics").taken.push(mail);
        }
        match act {
            SinkAct::Take => self.say("250 2.0.0 Taken").await,
            SinkAct::Answer(line) => self.say(line).await,
            SinkAct::Cut | SinkAct::TakeAndCut => None,
            SinkAct::Slow(time) => {
                tokio::time::sleep(time).await;
                self.say("250 2.0.0 Taken").await
            }
        }
    }
}

/// The address of a command, from between its angle brackets.
fn path_of(command: &str, word: &str) -> Option<String> {
    let head = command.get(..word.len())?;
    let path = command[word.len()..].strip_prefix('<')?;
    let (path, _) = path.split_once('>')?;
    head.eq_ignore_ascii_case(word).then(|| path.to_owned())
}

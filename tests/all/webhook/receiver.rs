//! A receiver of webhooks: it checks each request by the documentation alone, and fails in every way.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The receiver's reaction to a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Treatment {
    /// It accepts the event.
    Takes,
    /// It accepts the event, and the answer has this status.
    TakesAndSays(u16),
    /// It does not accept the event, and reports that.
    Says(u16),
    /// 429 with this many seconds.
    Slower(u64),
    /// It accepts the event, and the answer is cut off.
    TakesAndCuts,
    /// It accepts the event, and answers too late.
    TakesLate(Duration),
    /// It redirects to another address.
    Redirects,
}

/// An event that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) id: String,
    pub(super) body: Value,
}

#[derive(Default)]
pub(super) struct Inside {
    pub(super) next: VecDeque<Treatment>,
    /// All accepted events, doubles included.
    pub(super) taken: Vec<Taken>,
    /// The bytes of each id.
    bodies: HashMap<String, Vec<u8>>,
    /// The requests that broke a rule.
    pub(super) wrong: Vec<String>,
    pub(super) requests: usize,
}

pub(super) struct Receiver {
    pub(super) url: String,
    inside: Arc<Mutex<Inside>>,
}

pub(super) const SECRET: &str = "a secret of more than twenty-four bytes";

struct Shared {
    inside: Arc<Mutex<Inside>>,
    schema: Option<jsonschema::Validator>,
}

impl Receiver {
    /// `checked`: whether the requests are events of the documented form, with signatures.
    pub(super) async fn start(checked: bool) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!(
            "http://{}/hook?key=s3cret",
            listener.local_addr().expect("an address")
        );
        let inside = Arc::<Mutex<Inside>>::default();
        let shared = Arc::new(Shared {
            inside: Arc::clone(&inside),
            schema: checked.then(schema),
        });
        let app = Router::new().fallback(answer).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, inside }
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("no holder panics")
    }

    pub(super) fn treat(&self, treatments: &[Treatment]) {
        self.inside().next.extend(treatments);
    }

    /// The events, each once, in the order in which they first arrived.
    pub(super) fn events(&self) -> Vec<Value> {
        let inside = self.inside();
        let mut seen = std::collections::HashSet::new();
        let first = inside
            .taken
            .iter()
            .filter(|taken| seen.insert(taken.id.clone()));
        first.map(|taken| taken.body.clone()).collect()
    }

    /// The messages, as a receiver stores them that follows the rules: by id, the title of the highest revision.
    pub(super) fn stands(&self) -> Vec<String> {
        let mut messages: Vec<(String, u64, String)> = Vec::new();
        for event in self.events() {
            let id = event["message"]["id"].as_str().expect("an id").to_owned();
            let revision = event["message"]["revision"].as_u64().expect("a number");
            let content = &event["content"];
            let text = match event["event"].as_str() {
                Some("removed") => "-".to_owned(),
                _ => format!(
                    "{}: {}",
                    content["title"].as_str().unwrap_or("?"),
                    content["state"].as_str().unwrap_or("?")
                ),
            };
            match messages.iter_mut().find(|(known, ..)| *known == id) {
                Some(known) if known.1 < revision => (known.1, known.2) = (revision, text),
                Some(_) => {}
                None => messages.push((id, revision, text)),
            }
        }
        let mut stands: Vec<String> = messages.into_iter().map(|(_, _, text)| text).collect();
        stands.retain(|text| text != "-");
        stands.sort();
        stands
    }
}

pub(super) fn schema() -> jsonschema::Validator {
    let text = include_str!("../../../docs/webhook.schema.json");
    let schema: Value = serde_json::from_str(text).expect("the schema is JSON");
    assert!(jsonschema::meta::is_valid(&schema), "the schema is one");
    jsonschema::validator_for(&schema).expect("the schema is one")
}

/// HMAC-SHA256 by its definition (RFC 2104), so that the same library does not check itself.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = match key.len() {
        0..=64 => key.to_vec(),
        _ => Sha256::digest(key).to_vec(),
    };
    let pad = |with: u8| -> Vec<u8> {
        let bytes = (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with);
        bytes.collect()
    };
    let inner = Sha256::digest([pad(0x36).as_slice(), message].concat());
    Sha256::digest([pad(0x5c).as_slice(), &inner].concat()).to_vec()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for place in 0..4 {
            match place <= three.len() {
                true => text.push(char::from(
                    LETTERS[(bits >> (18 - 6 * place) & 63) as usize],
                )),
                false => text.push('='),
            }
        }
    }
    text
}

/// The fault of a request.
fn check(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if id.is_empty()
        || timestamp.parse::<i64>().is_err()
        || header("content-type") != "application/json"
    {
        return Some(format!("headers: {headers:?}"));
    }
    let schema = shared.schema.as_ref()?;
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    let right = format!("v1,{}", base64(&hmac(SECRET.as_bytes(), &signed)));
    if header("webhook-signature") != right {
        return Some(format!(
            "signature {:?} of {id}, not {right}",
            header("webhook-signature")
        ));
    }
    let event: Value = match serde_json::from_slice(body) {
        Ok(event) => event,
        Err(error) => return Some(error.to_string()),
    };
    if let Err(error) = schema.validate(&event) {
        return Some(format!("{error}: {event}"));
    }
    (event["id"] != id).then(|| format!("{id} is not the id of {event}"))
}

fn plain(status: u16) -> Response {
    let mut response = Response::new(Body::from("as the test wants it"));
    *response.status_mut() = StatusCode::from_u16(status).expect("tests name real ones");
    response
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let treatment = {
        let mut inside = shared.inside.lock().expect("no holder panics");
        inside.requests += 1;
        if let Some(wrong) = check(&shared, &headers, &body) {
            inside.wrong.push(wrong);
        }
        let treatment = inside.next.pop_front().unwrap_or(Treatment::Takes);
        let id = headers["webhook-id"]
            .to_str()
            .unwrap_or_default()
            .to_owned();
        let is_taken = !matches!(
            treatment,
            Treatment::Says(_) | Treatment::Slower(_) | Treatment::Redirects
        );
        if is_taken {
            let before = inside.bodies.insert(id.clone(), body.to_vec());
            if before.is_some_and(|before| before != body) {
                inside.wrong.push(format!("{id} came with another body"));
            }
            let body = serde_json::from_slice(&body).unwrap_or_default();
            inside.taken.push(Taken { id, body });
        }
        treatment
    };
    match treatment {
        Treatment::Takes => plain(204),
        Treatment::TakesAndSays(status) | Treatment::Says(status) => plain(status),
        Treatment::Slower(seconds) => {
            let mut response = plain(429);
            let value = seconds.to_string().parse().expect("digits");
            response.headers_mut().insert("retry-after", value);
            response
        }
        Treatment::TakesAndCuts => {
            let half = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{")),
                Err(std::io::Error::other("the line broke")),
            ]);
            Response::new(Body::from_stream(half))
        }
        Treatment::TakesLate(wait) => {
            tokio::time::sleep(wait).await;
            plain(204)
        }
        Treatment::Redirects => {
            let mut response = plain(302);
            let to = "http://127.0.0.1:1/elsewhere".parse().expect("plain text");
            response.headers_mut().insert("location", to);
            response
        }
    }
}

//! Chromium, driven over its DevTools protocol. The protocol goes through a pipe, so there is no port and no other program.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The flags of every Chromium of the tests: it does nothing of its own, and is alike everywhere.
pub(crate) const CHROMIUM_FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];
/// The longest time until an answer or a page.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// A browser that runs until this and its tabs are dropped.
#[derive(Clone)]
pub(crate) struct Chromium {
    pipe: Arc<Mutex<DevTools>>,
}

/// The protocol's pipe.
struct DevTools {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    /// Events that nobody waited for yet.
    events: VecDeque<Value>,
    last_id: i64,
    _profile: TempDir,
}

impl Drop for DevTools {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl DevTools {
    fn next(&mut self, until: Instant) -> Value {
        let left = until.saturating_duration_since(Instant::now());
        self.from.recv_timeout(left).expect("the browser answers")
    }

    /// The result of a command; a session is a tab.
    fn call(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser runs");
        self.to.flush().expect("the browser runs");
        let until = Instant::now() + ANSWER_MAX;
        loop {
            let mut answer = self.next(until);
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push_back(answer);
        }
    }

    /// Waits for an event of a tab.
    fn wait(&mut self, session: &str, method: &str) {
        let is_it = |event: &Value| event["sessionId"] == session && event["method"] == method;
        if let Some(place) = self.events.iter().position(is_it) {
            self.events.remove(place);
            return;
        }
        let until = Instant::now() + ANSWER_MAX;
        loop {
            let event = self.next(until);
            if is_it(&event) {
                return;
            }
            self.events.push_back(event);
        }
    }
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = TempDir::new().expect("a folder");
        // The browser reads the protocol from file 3 and writes it to file 4.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null",
                "sh",
            ])
            .arg("chromium")
            .args(CHROMIUM_FLAGS)
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromium is installed; tests/run installs it");
        let to = child.stdin.take().expect("it is piped");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while lines.read_until(0, &mut message).is_ok_and(|many| many > 0) {
                message.pop();
                let read = serde_json::from_slice(&message).expect("JSON");
                message.clear();
                if sender.send(read).is_err() {
                    break;
                }
            }
        });
        let pipe = DevTools {
            child,
            to,
            from,
            events: VecDeque::new(),
            last_id: 0,
            _profile: profile,
        };
        Self {
            pipe: Arc::new(Mutex::new(pipe)),
        }
    }

    /// A tab of a person who shares no cookie with those of other tabs.
    pub(crate) fn tab(&self) -> Tab {
        let mut pipe = self.pipe.lock().expect("no holder panics");
        let context = pipe.call(None, "Target.createBrowserContext", json!({}));
        let context = &context["browserContextId"];
        let target = pipe.call(
            None,
            "Target.createTarget",
            json!({"url": "about:blank", "browserContextId": context}),
        );
        let session = pipe.call(
            None,
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        );
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        pipe.call(Some(&session), "Page.enable", json!({}));
        drop(pipe);
        Tab {
            browser: self.clone(),
            session,
        }
    }
}

pub(crate) struct Tab {
    browser: Chromium,
    session: String,
}

impl Tab {
    fn pipe(&self) -> std::sync::MutexGuard<'_, DevTools> {
        self.browser.pipe.lock().expect("no holder panics")
    }

    fn call(&self, method: &str, parameters: Value) -> Value {
        self.pipe().call(Some(&self.session), method, parameters)
    }

    /// Does something that loads a page, and waits until the page is there.
    fn load(&self, act: impl FnOnce()) {
        self.pipe()
            .events
            .retain(|event| event["sessionId"] != self.session);
        act();
        self.pipe().wait(&self.session, "Page.loadEventFired");
    }

    pub(crate) fn open(&self, url: &str) {
        self.load(|| {
            let answer = self.call("Page.navigate", json!({"url": url}));
            assert!(answer["errorText"].is_null(), "{url}: {answer}");
        });
    }

    /// The value of an expression in the page. The page's own policy does not hold for it.
    pub(crate) fn value(&self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", asked);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].take()
    }

    /// The text that a reader sees.
    pub(crate) fn text(&self) -> String {
        let text = self.value("document.body.innerText");
        text.as_str().expect("a text").to_owned()
    }

    /// The value of a field.
    pub(crate) fn field(&self, selector: &str) -> String {
        let value = self.value(&format!(
            "document.querySelector({}).value",
            json!(selector)
        ));
        value.as_str().expect("a text").to_owned()
    }

    /// Types a text into a field, in place of what is there.
    pub(crate) fn write(&self, selector: &str, text: &str) {
        let selector = json!(selector);
        self.value(&format!(
            "(() => {{ const field = document.querySelector({selector}); field.focus(); field.select(); }})()"
        ));
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses a link or a button that leads to another page, with the mouse.
    pub(crate) fn press(&self, selector: &str) {
        let selector = json!(selector);
        let place = self.value(&format!(
            "(() => {{ const it = document.querySelector({selector}); it.scrollIntoView({{block: 'center'}}); \
             const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        self.load(|| {
            for kind in ["mousePressed", "mouseReleased"] {
                let press = json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
                self.call("Input.dispatchMouseEvent", press);
            }
        });
    }

    /// Makes the window as wide, and the colours as the reader wants them.
    pub(crate) fn look(&self, width: u32, is_dark: bool) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if is_dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", media);
    }

    /// A picture of the whole page; of a very long one, its beginning.
    pub(crate) fn picture(&self, file: &Path) {
        let size = self.call("Page.getLayoutMetrics", json!({}));
        let size = &size["cssContentSize"];
        let height = size["height"].as_f64().expect("a number").min(6_000.0);
        let clip = json!({"x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1});
        let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.call("Page.captureScreenshot", asked);
        let picture = STANDARD.decode(picture["data"].as_str().expect("a text"));
        std::fs::write(file, picture.expect("Base64")).expect("room on the disk");
    }
}

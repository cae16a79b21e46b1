//! A chat platform that answers at once and records the time of each message.

use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bpfnews::channel::{Act, Platform, PostedMessage, Receipt, SendError, Work};
use bpfnews::post::story::Content;
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::time::Instant;

#[derive(Default)]
pub(crate) struct Chat {
    sent: Mutex<Vec<(Instant, String)>>,
    marks: Option<File>,
}

impl Chat {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One that also appends the channel and the mark of each message to a file, before it answers.
    pub(crate) fn marking(marks: Option<File>) -> Arc<Self> {
        Arc::new(Self {
            marks,
            ..Self::default()
        })
    }

    /// The time of each title.
    pub(crate) fn sent(&self) -> Vec<(Instant, String)> {
        self.sent.lock().expect("no holder panics").clone()
    }
}

fn title(content: &Content) -> String {
    match content {
        Content::Story(post) => post.title.clone(),
        Content::Line(line) => line.title.clone(),
        Content::Digest(digest) => digest.title.clone(),
        Content::Issue(post) => post.title.clone(),
        Content::Suggestion(suggestion) => suggestion.link.clone(),
        Content::Notice { title, .. } => title.clone(),
    }
}

impl Platform for Chat {
    fn name(&self) -> &'static str {
        "discord"
    }

    fn dedupes_for(&self, _: &str) -> Duration {
        Duration::from_secs(120)
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move {
            let mut sent = self.sent.lock().expect("no holder panics");
            if let Act::Send { content, .. } = &work.act {
                sent.push((Instant::now(), title(content)));
                if let Some(mut marks) = self.marks.as_ref() {
                    // One write, so that a tracer of the program sees all of it.
                    let line = format!("{} {}\n", work.address, content.mark());
                    marks
                        .write_all(line.as_bytes())
                        .expect("marks can be written");
                }
            }
            Ok(Receipt {
                message: sent.len().to_string(),
                thread: None,
            })
        }
        .boxed()
    }

    fn find<'a>(&'a self, _: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async { Ok(None) }.boxed()
    }

    fn standing<'a>(
        &'a self,
        _: &'a str,
        _: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}

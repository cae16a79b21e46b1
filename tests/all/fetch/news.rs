//! The NNTP client against a news server with every fault.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bpfnews::config::NewsLogin;
use bpfnews::source::{NewsQuestion, NewsRequest};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// A news server that answers each line by a script, and records the lines.
struct News {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Drop for News {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl News {
    /// The script gets a line and the number of the connection. The first line of each connection is `greeting`.
    async fn start<F>(script: F) -> Self
    where
        F: Fn(&str, usize) -> Vec<Act> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let (log, counter, script) = (
            Arc::clone(&asked),
            Arc::clone(&connections),
            Arc::new(script),
        );
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                tokio::spawn(async move {
                    let (reader, mut writer) = stream.into_split();
                    let mut lines = BufReader::new(reader).lines();
                    let mut line = "greeting".to_owned();
                    loop {
                        for act in script(&line, number) {
                            if !perform(act, &mut writer).await {
                                return;
                            }
                        }
                        let Ok(Some(next)) = lines.next_line().await else {
                            return;
                        };
                        log.lock().expect("no holder panics").push(next.clone());
                        line = next;
                    }
                });
            }
        });
        Self {
            port,
            asked,
            connections,
            accepting,
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder panics").clone()
    }

    fn request(&self, ask: NewsQuestion) -> Request {
        let url = format!("nntp://127.0.0.1:{}/a.list", self.port);
        Request {
            url: Url::parse(&url).expect("the test's URL"),
            method: Method::News(NewsRequest { ask, login: None }),
            expect: Expect::Bytes,
            validators: Validators::default(),
            bytes_max: 40 << 20,
        }
    }

    async fn ask(&self, fetcher: &Fetcher, ask: NewsQuestion) -> Result<String, FetchError> {
        text(fetcher.fetch(&self.request(ask)).await)
    }
}

async fn perform(act: Act, writer: &mut (impl AsyncWriteExt + Unpin)) -> bool {
    match act {
        Act::Send(bytes) => writer.write_all(&bytes).await.is_ok(),
        Act::Wait(time) => {
            tokio::time::sleep(time).await;
            true
        }
        Act::Forever(bytes, pause) => {
            while writer.write_all(&bytes).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
            false
        }
        Act::Stall => std::future::pending().await,
    }
}

fn text(answer: Result<Answer, FetchError>) -> Result<String, FetchError> {
    answer.map(|answer| match answer.body {
        Body::Bytes { bytes, .. } => String::from_utf8_lossy(&bytes).into_owned(),
        Body::Unchanged => panic!("news is never unchanged"),
    })
}

fn send(text: &str) -> Vec<Act> {
    vec![Act::Send(text.as_bytes().to_vec())]
}

/// The first lines of a correct server.
fn polite(line: &str) -> Option<Vec<Act>> {
    match line {
        "greeting" => Some(send("200 hello\r\n")),
        "MODE READER" => Some(send("201 no posting\r\n")),
        _ => None,
    }
}

fn articles(first: u64, last: u64) -> NewsQuestion {
    NewsQuestion::Articles {
        first,
        last,
        most: 50,
        anchor: Some(first - 1),
    }
}

#[track_caller]
fn check(got: &Result<String, FetchError>, kind: &str, words: &str) {
    let shown = format!("{got:?}");
    assert!(
        shown.starts_with(&format!("Err({kind}")) && shown.contains(words),
        "{shown}"
    );
}

#[tokio::test]
async fn one_connection_is_kept_and_made_again_once() {
    let server = News::start(|line, number| {
        polite(line).unwrap_or_else(|| match number {
            1 => send("211 9 1 9 a.list\r\n"),
            _ => send("211 9 1 12 a.list\r\n"),
        })
    })
    .await;
    let fetcher = fetcher();
    for _ in 0..3 {
        let group = server.ask(&fetcher, NewsQuestion::Group).await;
        assert_eq!(group, Ok("group 1 9\n".to_owned()));
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let asked = [
        "MODE READER",
        "GROUP a.list",
        "GROUP a.list",
        "GROUP a.list",
    ];
    assert_eq!(server.asked(), asked, "a poll without news is one question");

    let closing = News::start(|line, number| {
        let mut acts = polite(line).unwrap_or_else(|| send("211 9 1 9 a.list\r\n"));
        if line.starts_with("GROUP") && number == 1 {
            acts.push(Act::Wait(Duration::from_millis(20)));
            acts.push(Act::Send(b"400 idle for too long\r\n".to_vec()));
        }
        acts
    })
    .await;
    for _ in 0..2 {
        let group = closing.ask(&fetcher, NewsQuestion::Group).await;
        assert_eq!(group, Ok("group 1 9\n".to_owned()));
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert_eq!(closing.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn refusals_are_decisions() {
    let check_answer = async |reply: &'static str, kind: &str, words: &str| {
        let server = News::start(move |line, _| polite(line).unwrap_or_else(|| send(reply))).await;
        check(
            &server.ask(&fetcher(), NewsQuestion::Group).await,
            kind,
            words,
        );
    };
    check_answer("411 no such group\r\n", "Missing", "no such group").await;
    check_answer("480 authentication required\r\n", "Broken", "password_file").await;
    check_answer("483 encryption needed\r\n", "Broken", "nntps://").await;
    check_answer("400 going down\r\n", "Later", "going down").await;
    check_answer("502 go away\r\n", "Broken", "does not let bpfnews in").await;
    check_answer("211 9 1 9223372036854775808 a.list\r\n", "Broken", "NNTP").await;
    check_answer("211 9 1 18446744073709551616 a.list\r\n", "Broken", "NNTP").await;
    check_answer("211 few\r\n", "Broken", "NNTP").await;
    check_answer("211\u{0} 1 2 3\r\n", "Broken", "NNTP").await;
    check_answer("\r\n", "Broken", "NNTP").await;
}

#[tokio::test]
async fn a_greeting_that_never_comes_or_never_ends_is_an_error() {
    let check_greeting = async |acts: Vec<Act>, kind: &str, words: &str| {
        let server = News::start(move |_, _| acts.clone()).await;
        let began = Instant::now();
        check(
            &server.ask(&impatient(), NewsQuestion::Group).await,
            kind,
            words,
        );
        assert!(began.elapsed() < Duration::from_secs(3));
    };
    check_greeting(vec![Act::Stall], "Later", "did not answer in full").await;
    let page = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    check_greeting(vec![Act::Send(page)], "Broken", "does not speak NNTP").await;
    let endless = Act::Forever(vec![b'2'; 10_000], Duration::ZERO);
    check_greeting(vec![endless], "Broken", "does not speak NNTP").await;
    let drip = Act::Forever(b"2".to_vec(), Duration::from_millis(5));
    check_greeting(vec![drip], "Later", "did not answer in full").await;
    check_greeting(send("502 you again\r\n"), "Broken", "you again").await;
    // INN greets, and refuses readers afterwards.
    let busy = News::start(|line, _| match line {
        "greeting" => send("200 hello\r\n"),
        _ => send("400 load at 22.39, try later\r\n"),
    })
    .await;
    check(
        &busy.ask(&impatient(), NewsQuestion::Group).await,
        "Later",
        "try later",
    );
}

/// A server with three articles, of which `second` is the second one.
async fn three(second: Vec<Act>) -> News {
    News::start(move |line, _| {
        polite(line).unwrap_or_else(|| match line {
            "LISTGROUP a.list 2-4" => send("211 4 1 4 a.list\r\n2\r\n3\r\n4\r\n.\r\n"),
            "STAT 1" => send("223 1 <1@x> there\r\n"),
            "ARTICLE 3" => second.clone(),
            other => {
                let number = other.strip_prefix("ARTICLE ").unwrap_or("0");
                send(&format!(
                    "220 {number} <{number}@x>\r\nSubject: x\r\n\r\n..\r\n.\r\n"
                ))
            }
        })
    })
    .await
}

#[tokio::test]
async fn articles_come_with_the_numbers_that_exist() {
    let whole = "anchor 1 1@x\ncovers 2 4\nlisted 2 3 4\narticle 2 14\nSubject: x\n\n.\n";
    let absent = three(send("423 no such article\r\n")).await;
    let got = absent.ask(&fetcher(), articles(2, 4)).await;
    let wanted = format!("{whole}absent 3\narticle 4 14\nSubject: x\n\n.\n");
    assert_eq!(got, Ok(wanted));
    let asked = absent.asked();
    assert_eq!(asked[1..3], ["LISTGROUP a.list 2-4", "STAT 1"]);

    // public-inbox 1.9 sends a refusal before the articles that it still looks for.
    let early = News::start(|line, _| {
        polite(line).unwrap_or_else(|| match line {
            "LISTGROUP a.list 2-4" => send("211 4 1 4 a.list\r\n2\r\n3\r\n4\r\n.\r\n"),
            "STAT 1" => send("423 none\r\n"),
            "ARTICLE 4" => send("423 none\r\n220 3 <3@x>\r\nb\r\n.\r\n220 2 <2@x>\r\na\r\n.\r\n"),
            _ => Vec::new(),
        })
    })
    .await;
    let got = early.ask(&fetcher(), articles(2, 4)).await;
    let wanted = "anchor 1 -\ncovers 2 4\nlisted 2 3 4\narticle 2 2\na\narticle 3 2\nb\nabsent 4\n";
    assert_eq!(got, Ok(wanted.to_owned()));
}

#[tokio::test]
async fn an_article_that_does_not_end_is_cut_off_and_the_others_stay() {
    let head = b"220 3 <3@x>\r\n".to_vec();
    let endless = vec![
        Act::Send(head.clone()),
        Act::Forever(vec![b'a'; 1 << 16], Duration::ZERO),
    ];
    let lines = vec![
        Act::Send(head.clone()),
        Act::Forever(b"a line\r\n".repeat(4096), Duration::ZERO),
    ];
    for acts in [endless, lines] {
        let server = three(acts).await;
        let got = server
            .ask(&fetcher(), articles(2, 4))
            .await
            .expect("what came");
        assert!(got.ends_with("large 3\nuntil 3\n"), "{got}");
    }
    for acts in [
        vec![Act::Send(head.clone()), Act::Stall],
        vec![
            Act::Send(head),
            Act::Forever(b"a".to_vec(), Duration::from_millis(10)),
        ],
        vec![Act::Stall],
    ] {
        let server = three(acts).await;
        let got = server
            .ask(&impatient(), articles(2, 4))
            .await
            .expect("what came");
        assert!(
            got.contains("article 2 ") && got.ends_with("until 2\n"),
            "{got}"
        );
        let alone = server.ask(&impatient(), articles(3, 3)).await;
        assert!(alone.is_err(), "{alone:?}");
    }
    for reply in [
        "220 9 <9@x>\r\n.\r\n",
        "220 2 <2@x>\r\n.\r\n",
        "220 x\r\n.\r\n",
    ] {
        let server = three(send(reply)).await;
        let got = server
            .ask(&fetcher(), articles(2, 4))
            .await
            .expect("what came");
        assert!(got.ends_with("until 2\n"), "{got}");
    }
}

#[tokio::test]
async fn a_list_that_lies_or_never_ends_is_bounded() {
    let list = async |acts: Vec<Act>| {
        News::start(move |line, _| {
            polite(line).unwrap_or_else(|| match line.split(' ').next() {
                Some("LISTGROUP") => acts.clone(),
                Some("STAT") => send("423 none\r\n"),
                Some("OVER") => send("500 what\r\n"),
                Some("XOVER") => send("224 overview\r\n3\tSubject\tx\r\n99\tSubject\r\n.\r\n"),
                Some("GROUP") => send("211 4 1 4 a.list\r\n"),
                _ => send("220 3 <3@x>\r\na\r\n.\r\n"),
            })
        })
        .await
    };
    let endless = vec![
        Act::Send(b"211 4 1 4 a.list\r\n".to_vec()),
        Act::Forever(b"3\r\n".repeat(9999), Duration::ZERO),
    ];
    let server = list(endless).await;
    check(
        &server.ask(&fetcher(), articles(2, 4)).await,
        "TooBig",
        "too large",
    );
    // Numbers outside the range, or twice in it, are left out.
    let other = list(send("211 4 1 4 a.list\r\n1\r\n3\r\n3\r\n9\r\n.\r\n")).await;
    let wanted = "anchor 1 -\ncovers 2 4\nlisted 3\narticle 3 2\na\n".to_owned();
    assert_eq!(
        other.ask(&fetcher(), articles(2, 4)).await,
        Ok(wanted.clone())
    );
    // Without a list, or with public-inbox 1.9's list, the overview has the numbers.
    let strange = "211 4 1 4 a.list\r\nARRAY(0x55a12a6cabd0)\r\n.\r\n";
    for reply in ["500 what\r\n", "501 syntax\r\n", strange] {
        let server = list(send(reply)).await;
        let fetcher = fetcher();
        for _ in 0..2 {
            assert_eq!(
                server.ask(&fetcher, articles(2, 4)).await,
                Ok(wanted.clone())
            );
        }
        let asked = server.asked();
        let lists = asked.iter().filter(|line| line.starts_with("LISTGROUP"));
        assert_eq!(lists.count(), 1, "{asked:?}");
    }
    // A range without articles.
    for reply in [
        "211 4 1 4 a.list\r\n420 none\r\n",
        "423 none\r\n",
        "211 0 1 4 a.list\r\n.\r\n",
    ] {
        let server = list(send(reply)).await;
        let got = server.ask(&fetcher(), articles(2, 4)).await;
        assert_eq!(got, Ok("anchor 1 -\ncovers 2 4\nlisted \n".to_owned()));
    }
}

#[tokio::test]
async fn private_hosts_are_asked_by_permission_only() {
    let server =
        News::start(|line, _| polite(line).unwrap_or_else(|| send("211 9 1 9 a.list\r\n"))).await;
    let strict = NetworkConfig {
        allow_private_hosts: Vec::new(),
        ..config()
    };
    let strict = Fetcher::new(&strict).expect("a client");
    for host in [
        "127.0.0.1",
        "127.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0x7f.1",
    ] {
        let mut request = server.request(NewsQuestion::Group);
        let url = format!("nntp://{host}:{}/a.list", server.port);
        request.url = Url::parse(&url).expect("the test's URL");
        let got = text(strict.fetch(&request).await);
        check(&got, "Broken", "allow_private_hosts");
    }
    // For a feed from chat, a private host is used only if the file's own feeds use it.
    let guarded = fetcher().narrowed(&config(), &[("127.0.0.1".to_owned(), 1)]);
    check(
        &server.ask(&guarded, NewsQuestion::Group).await,
        "Broken",
        "no public address",
    );
    let guarded = fetcher().narrowed(&config(), &[("127.0.0.1".to_owned(), server.port)]);
    assert!(server.ask(&guarded, NewsQuestion::Group).await.is_ok());
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_account_is_used_if_there_is_one() {
    let server = News::start(|line, _| {
        polite(line).unwrap_or_else(|| match line {
            "AUTHINFO USER me" => send("381 more\r\n"),
            "AUTHINFO PASS secret" => send("281 welcome\r\n"),
            "GROUP a.list" => send("211 9 1 9 a.list\r\n"),
            _ => send("481 wrong\r\n"),
        })
    })
    .await;
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().join("password");
    let request = || {
        let login = NewsLogin {
            user: "me".to_owned(),
            password_file: file.clone(),
        };
        let ask = NewsQuestion::Group;
        Request {
            method: Method::News(NewsRequest {
                ask,
                login: Some(login),
            }),
            ..server.request(NewsQuestion::Group)
        }
    };
    let ask = async || text(fetcher().fetch(&request()).await);
    check(&ask().await, "Broken", "the password cannot be read");
    std::fs::write(&file, "secret\nQUIT\n").expect("a file");
    check(&ask().await, "Broken", "more than one line");
    std::fs::write(&file, "other\n").expect("a file");
    check(&ask().await, "Broken", "does not let bpfnews in");
    std::fs::write(&file, "secret\n").expect("a file");
    assert_eq!(ask().await, Ok("group 1 9\n".to_owned()));
}

/// The group of [`News::request`] with `a@x`, whose overview is `around`.
fn thread_server(around: &'static str) -> impl Fn(&str, usize) -> Vec<Act> {
    move |line: &str, _| {
        polite(line).unwrap_or_else(|| match line {
            "GROUP a.list" => send("211 9 100 900 a.list\r\n"),
            "ARTICLE <a@x>" => send("220 0 <a@x>\r\nMessage-ID: <a@x>\r\n\r\n..hello\r\n.\r\n"),
            "STAT <a@x>" => send("223 120 <a@x>\r\n"),
            "STAT 120" => send("223 120 <a@x>\r\n"),
            "STAT <other@x>" => send("223 0 <other@x>\r\n"),
            // This server names the number in another group.
            "STAT <far@x>" => send("223 121 <far@x>\r\n"),
            "STAT 121" => send("223 121 <b@x>\r\n"),
            "ARTICLE <far@x>" => send(
                "220 121 <far@x>\r\nXref: news b.list:121\r\nMessage-ID: <far@x>\r\n\r\nx\r\n.\r\n",
            ),
            "OVER 100-270" => send("500 what?\r\n"),
            "XOVER 100-270" => send(around),
            _ => send("430 No such article\r\n"),
        })
    }
}

fn ids(texts: &[&str]) -> Vec<bpfnews::item::MessageId> {
    let parse = |text: &&str| bpfnews::item::MessageId::parse(text).expect("a Message-ID");
    texts.iter().map(parse).collect()
}

fn around(id: &str) -> NewsQuestion {
    NewsQuestion::Around {
        id: ids(&[id]).remove(0),
        within: 150,
    }
}

#[tokio::test]
async fn a_thread_comes_by_message_ids_and_from_the_overview() {
    let near = "224 overview\r\n119\tRe: x\tA\tdate\t<b@x>\t<r@x> <a@x>\t9\t9\r\nnonsense\r\n120\tx\tA\tdate\t<a@x>\t\t9\t9\r\n\
                121\tx\tA\tdate\tno id here\t<a@x>\r\n.\r\n";
    let server = News::start(thread_server(near)).await;
    let fetcher = fetcher();
    let long = format!("{}@x", "l".repeat(600));
    let by_id = NewsQuestion::ById(ids(&["gone@x", "a@x", &long, "far@x"]));
    assert_eq!(
        server.ask(&fetcher, by_id).await.expect("an answer"),
        "absent 1\narticle 2 26\nMessage-ID: <a@x>\n\n.hello\nabsent 3\nabsent 4\n"
    );
    assert_eq!(
        server
            .ask(&fetcher, around("a@x"))
            .await
            .expect("an answer"),
        "around \nnear b@x r@x a@x\nnear a@x \n"
    );
    for unknown in ["gone@x", "other@x", "far@x"] {
        let answer = server.ask(&fetcher, around(unknown)).await;
        assert_eq!(answer.expect("an answer"), "around \n");
    }
    let too_long = server.asked().iter().any(|line| line.len() > 300);
    assert!(!too_long, "a command has at most 512 bytes");
}

#[tokio::test]
async fn an_overview_that_never_ends_is_bounded() {
    let server = News::start(|line: &str, number| match line {
        "STAT <a@x>" | "STAT 880" => send("223 880 <a@x>\r\n"),
        "OVER 730-900" => vec![
            Act::Send(b"224 overview\r\n".to_vec()),
            Act::Forever(b"1\tx\r\n".repeat(9_999), Duration::ZERO),
        ],
        line => thread_server("")(line, number),
    })
    .await;
    let error = server.ask(&fetcher(), around("a@x")).await;
    let error = error.expect_err("it does not end");
    assert!(matches!(error, FetchError::TooBig { .. }), "{error:?}");
}

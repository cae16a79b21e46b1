//! Mail through a real postfix, read in neomutt and in a browser: the whole round with a kill, bounces, and a wrong
//! certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bpfnews::store::{Store, issues, mailings};
use chrono::Utc;
use tempfile::TempDir;

use super::Server;
use crate::issue::reader::browse;
use crate::mail::world::{issue, links};

const LIMIT: Duration = Duration::from_secs(60);

/// The folder of the pictures that people can look at.
fn review() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/review/mail");
    fs::create_dir_all(&folder).expect("room on the disk");
    folder
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A bpfnews with a postfix.
struct MailHouse {
    home: TempDir,
    boxes: PathBuf,
    authority: PathBuf,
    _postfix: Server,
}

/// The ports of a postfix.
struct PostfixPorts {
    /// Anybody on this machine may send.
    open: String,
    /// With STARTTLS and a login.
    login: String,
    /// Encrypted from the first byte, with a login.
    implicit: String,
}

impl MailHouse {
    fn new() -> Self {
        Self::with(|ports| format!("port = {}\n", ports.open))
    }

    /// With these keys about the connection below `[mail]`.
    fn with(connection: impl Fn(&PostfixPorts) -> String) -> Self {
        let home = TempDir::new().expect("a folder");
        // Postfix runs its alias as the user nobody.
        let opened = Command::new("chown")
            .arg("nobody")
            .arg(home.path())
            .status();
        assert!(
            opened.expect("chown is there").success(),
            "these tests run as root"
        );
        let config = home.path().join("config.toml");
        let bounce = format!(
            "{} --config {} mail bounce >>{}/bounced 2>&1",
            env!("CARGO_BIN_EXE_bpfnews"),
            config.display(),
            home.path().display()
        );
        let postfix = Server::start("postfix.py", &[Path::new(&bounce)], None);
        let words: Vec<&str> = postfix.url.split(' ').collect();
        let [open, boxes, authority, login, implicit] = words[..] else {
            panic!("{}", postfix.url);
        };
        let [open, login, implicit] = [open, login, implicit].map(str::to_owned);
        let connection = connection(&PostfixPorts {
            open,
            login,
            implicit,
        });
        let pages = free_port();
        let url = format!("http://127.0.0.1:{pages}/");
        let text = format!(
            "[[feed]]\nname = \"a\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:9/feed\"\npoll_gap_s = 86400\n\n\
             [network]\nallow_private_hosts = [\"127.0.0.1\"]\n\n\
             [web]\nlisten = \"127.0.0.1:{pages}\"\nurl = \"{url}\"\n\n\
             [mail]\nfrom = \"news@bpf.example\"\nbounces = \"bounces@bpf.example\"\nhost = \"localhost\"\n{connection}"
        );
        fs::write(&config, text).expect("room on the disk");
        let (boxes, authority) = (PathBuf::from(boxes), PathBuf::from(authority));
        Self {
            home,
            boxes,
            authority,
            _postfix: postfix,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bpfnews"));
        command
            .args(args)
            .arg("--config")
            .arg(self.home.path().join("config.toml"))
            .env("SSL_CERT_FILE", &self.authority)
            .env_remove("SSL_CERT_DIR");
        command
    }

    fn ask(&self, args: &[&str]) -> String {
        let output: Output = self.command(args).output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}{errors}");
        said
    }

    fn run(&self) -> Child {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.home.path().join("log"));
        self.command(&["run"])
            .stdout(Stdio::null())
            .stderr(log.expect("a file"))
            .spawn()
            .expect("the program starts")
    }

    /// All logs, for a test that fails.
    fn logs(&self) -> String {
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let home = self.home.path();
        let postfix = self.boxes.with_file_name("log");
        format!(
            "{}\n{}\n{}",
            read(home.join("log")),
            read(home.join("bounced")),
            read(postfix)
        )
    }

    /// Waits until a condition holds.
    fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(started.elapsed() < LIMIT, "{what}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The mails of the reader's mailbox.
    fn mails(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let entries = fs::read_dir(self.boxes.join("reader/new"))
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter_map(|entry| Some((entry.path(), fs::read(entry.path()).ok()?)))
            .collect()
    }

    /// The text and the HTML of the mail whose subject has these words.
    fn mail(&self, words: &str) -> (String, String) {
        self.wait(words, || {
            self.mails().iter().find_map(|(_, bytes)| {
                let mail = mail_parser::MessageParser::default().parse(bytes)?;
                mail.subject().filter(|subject| subject.contains(words))?;
                Some((
                    mail.body_text(0)?.into_owned(),
                    mail.body_html(0)?.into_owned(),
                ))
            })
        })
    }

    fn listed(&self) -> Vec<(String, String)> {
        let said = self.ask(&["mail", "list", "--format", "json"]);
        let rows = said.lines().map(|line| {
            let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            (text("address"), text("state"))
        });
        rows.collect()
    }

    /// Ends the wait of five minutes after the server refused the login.
    async fn end_wait(&self) {
        let file = self.home.path().join("bpfnews.sqlite");
        let store = Store::open(&file).await.expect("a database");
        let mut tx = store.write().await.expect("a transaction");
        for change in [
            "UPDATE channels SET held_to = 0",
            "UPDATE deliveries SET due_at = 0 WHERE state = 'owed'",
        ] {
            let changed = sqlx::query(change).execute(&mut *tx).await;
            changed.expect("good SQL");
        }
        tx.commit().await.expect("room on the disk");
        store.close().await;
    }

    /// An issue is published.
    async fn publish(&self, number: u32) {
        let store = Store::open(&self.home.path().join("bpfnews.sqlite"))
            .await
            .expect("a database");
        let mut tx = store.write().await.expect("a transaction");
        issues::put_issue(&mut tx, &issue(number), "a test", Utc::now())
            .await
            .expect("a new number");
        mailings::begin_mailing(&mut tx, number, Utc::now())
            .await
            .expect("a good database");
        tx.commit().await.expect("room on the disk");
        store.close().await;
    }
}

fn end(mut child: Child) {
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}

async fn post(url: &str) -> u16 {
    let answer = reqwest::Client::new()
        .post(url)
        .send()
        .await
        .expect("an answer");
    answer.status().as_u16()
}

/// Runs a command that must fail; returns its errors.
fn refused(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{errors}");
    errors
}

#[tokio::test(flavor = "multi_thread")]
async fn real_mail_goes_the_whole_round_through_postfix() {
    let house = MailHouse::new();
    let said = house.ask(&["mail", "test", "reader@reader.example"]);
    assert!(said.contains("took it"), "{said}");
    house.mail("A test of bpfnews");
    house.ask(&["mail", "add", "reader@reader.example"]);
    let child = house.run();
    let (text, _) = house.mail("Confirm");
    let link = links(&text).pop().expect("a link");
    for _ in 0..2 {
        assert!(
            reqwest::get(&link)
                .await
                .expect("an answer")
                .status()
                .is_success()
        );
    }
    assert_eq!(house.listed()[0].1, "asked");
    assert_eq!(post(&link).await, 200);
    assert_eq!(house.listed()[0].1, "on");
    end(child);
    std::thread::sleep(Duration::from_secs(1));
    house.publish(3).await;
    let child = house.run();
    let (text, html) = house.mail("BPF updates 03");
    end(child);
    // After a kill, nothing is sent twice.
    let child = house.run();
    std::thread::sleep(Duration::from_secs(2));
    let issues = house
        .mails()
        .into_iter()
        .filter(|(_, bytes)| String::from_utf8_lossy(bytes).contains("BPF updates 03"));
    assert_eq!(issues.count(), 1);
    read_in_neomutt(&house);
    read_in_a_browser(&html);
    let leave = links(&text)
        .into_iter()
        .find(|link| link.contains("/mail/leave/"));
    let leave = leave.expect("a way out");
    reqwest::get(&leave).await.expect("an answer");
    assert_eq!(house.listed()[0].1, "on");
    assert_eq!(post(&leave).await, 200);
    assert_eq!(house.listed(), []);
    end(child);
    assert!(
        !fs::read_to_string(house.home.path().join("log"))
            .expect("a log")
            .contains("reader@")
    );
}

/// The newest mail, as neomutt shows it on a terminal of 80 columns.
fn read_in_neomutt(house: &MailHouse) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/mutt.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(house.boxes.join("reader"))
        .output();
    let output = output.expect("Python 3 is installed");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::write(review().join("neomutt.txt"), &shown).expect("room on the disk");
    for wanted in [
        "From: BPF updates <news@bpf.example>",
        "Subject: BPF updates 03, 2 March 2025",
        "Highlights\n----------",
        "* An\u{ed}bal Author, bpf: Count <everything> & \"more\" (v3): It counts\n  everything,",
        "  https://lore.example/bpf/1/",
        "To unsubscribe:",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    assert!(
        !shown.contains("=3D") && !shown.contains("<html"),
        "{shown}"
    );
}

/// The HTML part as pictures of a phone and a desktop, light and dark.
fn read_in_a_browser(html: &str) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("mail.html");
    fs::write(&file, html).expect("room on the disk");
    let url = format!("file://{}", file.display());
    let (output, asked) = browse(folder.path(), &url, &["--dump-dom"]);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("Happy hacking!"), "{shown}");
    let away: Vec<&String> = asked
        .iter()
        .filter(|asked| asked.starts_with("http"))
        // The browser's own requests, for any page.
        .filter(|asked| !asked.contains("google") && !asked.contains("gvt1.com"))
        .collect();
    assert!(away.is_empty(), "a mail loads nothing: {away:?}");
    for (name, size) in [("phone", "400,1800"), ("desktop", "1000,1600")] {
        for (shade, more) in [
            ("light", "--blink-settings=preferredColorScheme=1"),
            ("dark", "--blink-settings=preferredColorScheme=0"),
        ] {
            let picture = review().join(format!("mail-{name}-{shade}.png"));
            let shot = format!("--screenshot={}", picture.display());
            browse(
                folder.path(),
                &url,
                &[&format!("--window-size={size}"), &shot, more],
            );
            assert!(
                fs::metadata(&picture).is_ok_and(|picture| picture.len() > 10_000),
                "{name} {shade}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_mail_that_postfix_refuses_or_returns_suspends_its_address() {
    let house = MailHouse::new();
    let store = Store::open(&house.home.path().join("bpfnews.sqlite"))
        .await
        .expect("a database");
    let addresses = [
        "nobody@reader.example",
        "returned@gone.example",
        "reader@reader.example",
    ];
    crate::mail::world::subscribe(&store, addresses.map(str::to_owned), Utc::now()).await;
    store.close().await;
    // The alias opens the database as another user.
    let opened = Command::new("chown")
        .arg("-R")
        .arg("nobody")
        .arg(house.home.path())
        .status();
    assert!(opened.expect("chown is there").success());
    house.publish(3).await;
    let child = house.run();
    house.mail("BPF updates 03");
    house.wait("both addresses are suspended", || {
        let listed = house.listed();
        let suspended = listed
            .iter()
            .filter(|(_, state)| state == "suspended")
            .count();
        (suspended == 2).then_some(())
    });
    let listed = house.listed();
    assert_eq!(
        listed[2],
        (addresses[2].to_owned(), "on".to_owned()),
        "{listed:?}"
    );
    let bounced = fs::read_to_string(house.home.path().join("bounced")).expect("the alias ran");
    assert!(
        bounced.contains("Subscriber 2 is suspended: 5.1.1."),
        "{bounced}"
    );
    assert!(!bounced.contains('@'), "{bounced}");
    end(child);
}

#[test]
fn real_mail_servers_must_show_a_certificate_that_we_trust() {
    let house = MailHouse::new();
    let mut trusting = house.command(&["check", "--online"]);
    let said = String::from_utf8_lossy(&trusting.output().expect("it runs").stdout).into_owned();
    assert!(
        said.contains("mail: localhost:") && said.contains("encrypted, without a login"),
        "{said}"
    );
    let mut doubting = house.command(&["mail", "test", "reader@reader.example"]);
    doubting.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
    let errors = refused(&mut doubting);
    assert!(errors.contains("encrypting"), "{errors}");
    assert_eq!(house.mails().len(), 0);
}

/// The keys for a login.
fn with_login(ports: &PostfixPorts, tls: &str) -> String {
    let port = match tls {
        "implicit" => &ports.implicit,
        _ => &ports.login,
    };
    format!("port = {port}\ntls = \"{tls}\"\nuser = \"bpfnews\"\npassword_file = \"password\"\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn real_mail_logs_in_after_starttls_and_over_implicit_tls() {
    for tls in ["starttls", "implicit"] {
        let house = MailHouse::with(|ports| with_login(ports, tls));
        let password = house.home.path().join("password");
        fs::write(&password, "a secret\n").expect("room on the disk");
        let checked = house.command(&["check", "--online"]).output();
        let said = String::from_utf8_lossy(&checked.expect("it runs").stdout).into_owned();
        assert!(
            said.contains("encrypted, logged in as bpfnews"),
            "{tls}: {said}"
        );
        let said = house.ask(&["mail", "test", "reader@reader.example"]);
        assert!(said.contains("took it"), "{tls}: {said}");
        house.mail("A test of bpfnews");
        let (_, bytes) = house.mails().remove(0);
        let bytes = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            bytes.contains("(Authenticated sender: bpfnews)") && bytes.contains("ESMTPSA"),
            "{tls}: {bytes}"
        );

        // With a wrong password nothing is sent, nobody is suspended, and no mail is lost.
        fs::write(&password, "another\n").expect("room on the disk");
        let errors = refused(&mut house.command(&["mail", "test", "reader@reader.example"]));
        assert!(errors.contains("logging in: 535"), "{tls}: {errors}");
        assert!(!errors.contains("another"), "{errors}");
        let store = Store::open(&house.home.path().join("bpfnews.sqlite"))
            .await
            .expect("a database");
        let reader = ["reader@reader.example".to_owned()];
        crate::mail::world::subscribe(&store, reader, Utc::now()).await;
        store.close().await;
        house.publish(3).await;
        let child = house.run();
        house.wait("the refusal is logged", || {
            house.logs().contains("logging in").then_some(())
        });
        std::thread::sleep(Duration::from_secs(1));
        end(child);
        assert_eq!(house.mails().len(), 1);
        assert_eq!(house.listed()[0].1, "on");
        fs::write(&password, "a secret\n").expect("room on the disk");
        house.end_wait().await;
        let child = house.run();
        house.mail("BPF updates 03");
        end(child);
    }
}

#[test]
fn real_mail_servers_that_want_a_login_take_nothing_without() {
    let house = MailHouse::with(|ports| format!("port = {}\n", ports.login));
    let errors = refused(&mut house.command(&["mail", "test", "reader@reader.example"]));
    assert!(errors.contains("RCPT TO: 554"), "{errors}");
    assert!(!errors.contains("reader@"), "{errors}");
}

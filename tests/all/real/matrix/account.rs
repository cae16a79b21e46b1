//! The account's keys: created, lost and recovered, by hand and by the commands.

use std::process::{Command, Output, Stdio};

use secrecy::ExposeSecret as _;

use super::*;

/// The bot loses its keys, as if its folder was lost.
fn lose(folder: &Path) {
    let mut lost = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            std::fs::remove_dir_all(path).expect("a store");
            lost += 1;
        }
    }
    assert_eq!(lost, 1, "one store");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_a_lost_store_is_recovered_with_the_key() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let alice = home.person("alice").await;
    let room = room(&alice, &home.text("bot", "id"), true).await;
    alice.sync_once(at_once()).await.expect("a sync");
    let bot = home.bot(folder.path());
    let first = bot.deliver(&send(&room, "a", "1")).await.expect("a post");
    let account = bot.account().await.expect("an account");
    assert!(account.is_trusted && !account.is_recoverable, "{account:?}");
    assert_eq!(account.rooms.len(), 1);
    assert!(account.rooms[0].is_encrypted && account.rooms[0].can_send);
    let key = bot.make_recovery_key().await.expect("a key");
    assert!(bot.account().await.expect("an account").is_recoverable);
    drop(bot);

    lose(folder.path());
    let bot = home.bot(folder.path());
    let second = bot.account().await.expect("an account");
    assert_ne!(
        second.device, account.device,
        "keys are never those of another device"
    );
    assert!(!second.is_trusted && !second.is_recoverable, "{second:?}");
    let doubtful = bot.find(&send(&room, "a", "1")).await;
    let is_told = matches!(
        &doubtful,
        Err(SendError::Never { scope: Scope::Channel, why }) if why.contains("bpfnews matrix recover")
    );
    assert!(
        is_told,
        "messages of the lost device cannot be read: {doubtful:?}"
    );
    let none = bot.make_recovery_key().await;
    let is_told =
        matches!(&none, Err(SendError::Never { why, .. }) if why.contains("--new-identity"));
    assert!(
        is_told,
        "no secret exists that a key could protect: {none:?}"
    );
    for wrong in ["EsTx not a key", ""] {
        assert!(bot.recover(&wrong.into()).await.is_err(), "{wrong:?}");
    }
    bot.recover(&key).await.expect("recovered");
    let recovered = bot.account().await.expect("an account");
    assert!(
        recovered.is_trusted && recovered.is_recoverable,
        "{recovered:?}"
    );
    wait_for("the lost device's keys", async || {
        bot.find(&send(&room, "a", "1")).await == Ok(Some(first.clone()))
    })
    .await;
    bot.deliver(&send(&room, "b", "2")).await.expect("a post");
    assert_eq!(
        seen(&alice, &room).await,
        [POSTED, POSTED],
        "alice reads both devices"
    );
    drop(bot);

    // The store and the key are lost.
    lose(folder.path());
    let bot = home.bot(folder.path());
    assert!(!bot.account().await.expect("an account").is_trusted);
    bot.begin_anew().await.expect("new keys");
    assert!(bot.account().await.expect("an account").is_trusted);
    let other = bot.make_recovery_key().await.expect("a key");
    assert_ne!(other.expose_secret(), key.expose_secret());
    bot.deliver(&send(&room, "c", "3")).await.expect("a post");
    assert_eq!(seen(&alice, &room).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_wrong_accounts_are_refused_and_nothing_is_lost() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let mut settings = home.settings(folder.path());
    settings.password = Some("wrong".into());
    let refused = Matrix::new(settings.clone()).open().await;
    let is_told = matches!(
        &refused,
        Err(SendError::Never { scope: Scope::Platform, why }) if why.contains("cannot log in")
    );
    assert!(is_told, "{refused:?}");
    settings.password = None;
    let refused = Matrix::new(settings).open().await;
    let is_told =
        matches!(&refused, Err(SendError::Never { why, .. }) if why.contains("password_file"));
    assert!(is_told, "{refused:?}");

    home.bot(folder.path()).open().await.expect("a login");
    let mut settings = home.settings(folder.path());
    settings.user = home.text("mallory", "id");
    let refused = Matrix::new(settings).open().await;
    let is_told =
        matches!(&refused, Err(SendError::Never { why, .. }) if why.contains("another folder"));
    assert!(is_told, "{refused:?}");
    let mut settings = home.settings(folder.path());
    settings.password = None;
    Matrix::new(settings)
        .open()
        .await
        .expect("the session that was kept");
}

/// The program's output, checked for secrets.
struct Said {
    is_good: bool,
    out: String,
    err: String,
}

/// Runs the program as its user would.
fn bpfnews(
    folder: &Path,
    args: &[&str],
    password: Option<&str>,
    input: &str,
    secrets: &[&str],
) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bpfnews"));
    command
        .current_dir(folder)
        .env_remove("BPFNEWS_CONFIG")
        .env_remove("RUST_LOG")
        .env_remove("BPFNEWS_MATRIX_PASSWORD")
        .args(["-vv"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(password) = password {
        command.env("BPFNEWS_MATRIX_PASSWORD", password);
    }
    let mut child = command.spawn().expect("the program was built");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A program that reads no answer may have ended by now.
    let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    drop(stdin);
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("an end");
    let said = Said {
        is_good: status.success(),
        out: String::from_utf8(stdout).expect("UTF-8"),
        err: String::from_utf8(stderr).expect("UTF-8"),
    };
    let token = token(folder);
    for secret in secrets.iter().copied().chain(token.as_deref()) {
        let is_told = said.out.contains(secret) || said.err.contains(secret);
        assert!(
            !is_told,
            "{args:?} prints a secret: {}\n{}",
            said.out, said.err
        );
    }
    said
}

/// A configuration with one feed, which no server serves, and one room.
fn write_config(home: &Home, folder: &Path, room: &RoomId) {
    let text = format!(
        "[[feed]]\nname = \"a\"\nkind = \"feed\"\nurl = \"http://127.0.0.1:1/\"\n[network]\n\
         allow_private_hosts = [\"127.0.0.1\"]\n[matrix]\nhomeserver = \"{}\"\nuser = \"{}\"\n\
         folder = \"bot.matrix\"\n[[channel]]\nname = \"here\"\nplatform = \"matrix\"\nid = \"{room}\"\n",
        home.server.url,
        home.text("bot", "id")
    );
    std::fs::write(folder.join("config.toml"), text).expect("room on the disk");
}

/// A running bot; it ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The token of the saved session.
fn token(folder: &Path) -> Option<String> {
    let kept = std::fs::read_to_string(folder.join("bot.matrix/session.json")).ok()?;
    let kept: Value = serde_json::from_str(&kept).ok()?;
    kept["session"]["access_token"].as_str().map(str::to_owned)
}

async fn log_out(home: &Home, token: &str) {
    let url = format!("{}/_matrix/client/v3/logout", home.server.url);
    let out = reqwest::Client::new()
        .post(url)
        .bearer_auth(token)
        .send()
        .await;
    assert!(out.expect("an answer").status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_a_running_bot_joins_answers_and_ends_when_it_is_logged_out() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let folder = folder.path();
    let room = home.room("alice", false).await;
    write_config(&home, folder, &room);
    let question = json!({"msgtype": "m.text", "body": "!bpfnews help", "m.mentions": {}});
    let say = format!("/rooms/{room}/send/m.room.message");
    // No bot runs yet, so this question is from before its login.
    home.call("alice", "PUT", &format!("{say}/q0"), question.clone())
        .await;
    let password = home.text("bot", "password");
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    let bot = Command::new(env!("CARGO_BIN_EXE_bpfnews"))
        .current_dir(folder)
        .env_remove("BPFNEWS_CONFIG")
        .env("RUST_LOG", "debug")
        .env("BPFNEWS_MATRIX_PASSWORD", &password)
        .arg("run")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("the program was built");
    let mut bot = Running(bot);
    let members = format!("/rooms/{room}/joined_members");
    wait_for("the bot in the room", async || {
        let joined = home.call("alice", "GET", &members, json!({})).await;
        !joined["joined"]["@bot:localhost"].is_null()
    })
    .await;
    let asked = home
        .call("alice", "PUT", &format!("{say}/q1"), question)
        .await;
    let messages = format!("/rooms/{room}/messages?dir=b&limit=20");
    let answers = async || {
        let told = home.call("alice", "GET", &messages, json!({})).await;
        let mut told = told["chunk"].as_array().expect("a list").clone();
        told.retain(|event| {
            event["sender"] == "@bot:localhost" && event["type"] == "m.room.message"
        });
        told
    };
    wait_for("an answer", async || !answers().await.is_empty()).await;
    let answers = answers().await;
    let content = &answers[0]["content"];
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert_eq!(content["m.relates_to"]["rel_type"], "m.thread");
    assert_eq!(content["m.relates_to"]["event_id"], asked["event_id"]);
    assert!(
        content["body"]
            .as_str()
            .is_some_and(|body| body.contains("latest")),
        "{content}"
    );

    let token = token(folder).expect("a session");
    log_out(&home, &token).await;
    let mut status = None;
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    while status.is_none() && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200)).await;
        status = bot.0.try_wait().expect("a child of ours");
    }
    let said = std::fs::read_to_string(folder.join("log")).expect("a log");
    let status = status.unwrap_or_else(|| panic!("a bot that is logged out must end:\n{said}"));
    assert!(!status.success());
    // A closing connection may still log DEBUG lines, because this test turns them on.
    let mut lines = said.trim_end().lines();
    let last = lines
        .rfind(|line| !line.contains(" DEBUG "))
        .unwrap_or_default();
    assert!(last.contains("bpfnews matrix login --anew"), "{last}");
    for secret in [token.as_str(), &password] {
        assert!(!said.contains(secret), "the log has a secret");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_the_commands_log_in_and_recover() {
    let home = Home::start(&[]);
    let folder = TempDir::new().expect("a temporary folder");
    let folder = folder.path();
    let (user, password) = (home.text("bot", "id"), home.text("bot", "password"));
    let room = home.room("alice", true).await;
    write_config(&home, folder, &room);
    let secrets = [password.as_str()];
    let run = |args: &[&str], password: Option<&str>, input: &str| {
        let said = bpfnews(folder, args, password, input, &secrets);
        // The SDK's own log lines are not for operators.
        assert!(!said.err.contains("matrix_sdk"), "{}", said.err);
        said
    };

    let nobody = run(&["matrix", "login"], None, "");
    assert!(
        !nobody.is_good && nobody.err.contains("nothing was given for \"Password of"),
        "{}",
        nobody.err
    );
    let first = run(&["matrix", "login"], None, &format!("{password}\n"));
    assert!(first.is_good, "{}", first.err);
    assert!(
        first.out.starts_with(&format!("{user}, device ")),
        "{}",
        first.out
    );
    assert!(
        first.out.contains("There is no recovery key yet"),
        "{}",
        first.out
    );
    assert!(first.out.contains("In no room yet"), "{}", first.out);

    let checked = run(&["check", "--online"], None, "");
    assert!(
        checked
            .out
            .contains("here: the encrypted room BPF news on Matrix"),
        "{}{}",
        checked.out,
        checked.err
    );

    let made = run(&["matrix", "recovery-key"], None, "");
    assert!(made.is_good, "{}", made.err);
    let key = made.out.trim();
    assert!(key.starts_with("Es") && key.lines().count() == 1, "{key}");
    assert!(
        made.err.contains("shown once") && !made.err.contains(key),
        "{}",
        made.err
    );

    // A person revokes the session.
    let token = token(folder).expect("a session");
    log_out(&home, &token).await;
    let revoked = run(&["matrix", "login"], None, "");
    assert!(
        !revoked.is_good && revoked.err.contains("bpfnews matrix login --anew"),
        "{}",
        revoked.err
    );

    let anew = run(&["matrix", "login", "--anew"], Some(&password), "");
    assert!(
        anew.is_good && anew.out.contains("NOT trusted"),
        "{}{}",
        anew.out,
        anew.err
    );
    assert!(
        anew.out.contains(&format!("{room} BPF news, encrypted")),
        "{}",
        anew.out
    );
    let wrong = run(&["matrix", "recover"], None, "EsTw rong\n");
    assert!(
        !wrong.is_good && wrong.err.contains("the newest key"),
        "{}",
        wrong.err
    );
    let recovered = run(&["matrix", "recover"], None, &format!("{key}\n"));
    assert!(
        recovered.is_good && recovered.out.contains("is trusted now"),
        "{}",
        recovered.err
    );

    let bot = home.bot(&folder.join("bot.matrix"));
    bot.open().await.expect("a session");
    let second = run(&["matrix", "login"], None, "");
    assert!(
        !second.is_good && second.err.contains("another bpfnews uses"),
        "{}",
        second.err
    );
}

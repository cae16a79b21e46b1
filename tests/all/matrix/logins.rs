//! The ways to log in, against the simulated homeserver and OAuth server.

use std::os::unix::fs::PermissionsExt as _;

use bpfnews::channel::matrix::{DeviceCode, LoginOffer, LoginWay};

use super::oauth::{CodeStep, OAuthDouble};
use super::server::LOGIN_TOKEN;
use super::*;

type Shown = Arc<Mutex<Vec<DeviceCode>>>;

/// Settings for a login by OAuth, and the codes that are shown.
fn by_code(server: &Server, folder: &Path) -> (MatrixSettings, Shown) {
    let shown = Shown::default();
    let sink = Arc::clone(&shown);
    let show = move |code: &DeviceCode| sink.lock().expect("no holder panics").push(code.clone());
    let settings = MatrixSettings {
        way: Some(LoginWay::DeviceCode(Arc::new(show))),
        password: None,
        ..settings(server, folder)
    };
    (settings, shown)
}

/// A homeserver with an OAuth server.
async fn with_oauth(steps: &[CodeStep]) -> (Server, OAuthDouble) {
    let (server, oauth) = (
        Server::start(&[ROOM]).await,
        OAuthDouble::start(steps).await,
    );
    server.state().oauth = Some((oauth.url.clone(), Arc::clone(&oauth.valid)));
    server.state().flows = None;
    (server, oauth)
}

async fn refusal(settings: MatrixSettings) -> String {
    match Matrix::new(settings).open().await {
        Err(SendError::Never {
            scope: Scope::Platform,
            why,
        }) => why,
        other => panic!("{other:?}"),
    }
}

fn saved(folder: &Path) -> serde_json::Value {
    let text = std::fs::read(folder.join("session.json")).expect("a session");
    serde_json::from_slice(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_a_person_confirms_logs_in_and_tokens_are_refreshed_and_kept() {
    use CodeStep::{Approve, Cut, Pending, SlowDown, Status};
    let steps = [Pending, Status(503), Pending, Approve];
    let (server, oauth) = with_oauth(&steps).await;
    let home = TempDir::new().expect("a folder");
    let (settings, shown) = by_code(&server, home.path());
    let matrix = Matrix::new(settings.clone());
    let sent = matrix
        .deliver(&send("k1", "One"))
        .await
        .expect("it is sent");
    {
        let shown = shown.lock().expect("no holder panics");
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].code, "WDJB-MJHT");
        assert_eq!(shown[0].page.as_str(), "https://auth.example/link");
        assert_eq!(shown[0].valid_for, Duration::from_secs(60));
    }
    assert_eq!(oauth.state().broken, [""; 0]);
    assert_eq!(saved(home.path())["access_token"].as_str(), None);
    assert_eq!(saved(home.path())["session"]["access_token"], "access-1");
    let mode = std::fs::metadata(home.path().join("session.json"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    // The token expires: the next message is sent with a new one, which is saved, and the message is sent once.
    oauth.expire();
    matrix
        .deliver(&send("k2", "Two"))
        .await
        .expect("it is sent");
    assert_eq!(server.bodies(ROOM), ["Posted: One", "Posted: Two"]);
    assert_eq!(saved(home.path())["session"]["access_token"], "access-2");
    assert_eq!(saved(home.path())["session"]["refresh_token"], "refresh-2");
    drop(matrix);

    // After a restart, the saved tokens are used, and refreshed again. Nobody is asked.
    oauth.expire();
    let matrix = Matrix::new(MatrixSettings {
        way: None,
        ..settings.clone()
    });
    assert_eq!(matrix.deliver(&send("k1", "One")).await, Ok(sent));
    assert_eq!(saved(home.path())["session"]["refresh_token"], "refresh-3");
    assert_eq!(oauth.state().given, 3);
    assert_eq!(oauth.state().broken, [""; 0]);
    drop(matrix);

    // If the server does not know the refresh token, the bot stops with advice.
    oauth.expire();
    let mut kept = saved(home.path());
    kept["session"]["refresh_token"] = "stolen".into();
    std::fs::write(home.path().join("session.json"), kept.to_string()).expect("room on the disk");
    let why = refusal(settings.clone()).await;
    assert!(why.contains("bpfnews matrix login --anew"), "{why}");

    // A new login ends the old one, and asks less often if the server wants that.
    assert_eq!(settings.forget().await, Ok(None));
    assert_eq!(oauth.state().revoked, ["refresh_token stolen"]);
    oauth.state().broken.clear();
    oauth.state().steps.extend([SlowDown, Cut, Approve]);
    Matrix::new(settings.clone())
        .open()
        .await
        .expect("it logs in");
    assert_eq!(oauth.state().broken, [""; 0]);
    assert_eq!(shown.lock().expect("no holder panics").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_nobody_confirms_is_explained() {
    for (step, words) in [
        (CodeStep::Deny, "declined in the browser"),
        (CodeStep::Expire, "nobody confirmed the code in time"),
        (
            CodeStep::Strange,
            "refuses the login: invalid_client as the test wants it",
        ),
        (CodeStep::Status(404), "status 404"),
    ] {
        let (server, _oauth) = with_oauth(&[step]).await;
        let home = TempDir::new().expect("a folder");
        let why = refusal(by_code(&server, home.path()).0).await;
        assert!(why.contains(words), "{step:?}: {why}");
        assert!(!home.path().join("session.json").exists());
    }
    // The code expires although the server says nothing.
    let (server, oauth) = with_oauth(&[]).await;
    oauth.state().code_valid_s = 2;
    let home = TempDir::new().expect("a folder");
    let why = refusal(by_code(&server, home.path()).0).await;
    assert!(why.contains("in time"), "{why}");
    // A server that allows no registration.
    let (server, oauth) = with_oauth(&[]).await;
    oauth.state().registers = false;
    let why = refusal(by_code(&server, home.path()).0).await;
    assert!(
        why.contains("registration") && why.contains("invalid_client_metadata"),
        "{why}"
    );
    // A server without OAuth.
    let server = Server::start(&[ROOM]).await;
    let why = refusal(by_code(&server, home.path()).0).await;
    assert!(why.contains("no login by OAuth"), "{why}");
    // Another account confirmed the code.
    let (server, _oauth) = with_oauth(&[CodeStep::Approve]).await;
    server.state().owner = "@mallory:x.example";
    let why = refusal(by_code(&server, home.path()).0).await;
    assert!(
        why.contains("@mallory:x.example") && why.contains(ME),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_taken_if_its_device_is_free() {
    let server = Server::start(&[ROOM]).await;
    let home = TempDir::new().expect("a folder");
    let with = |token: &str| MatrixSettings {
        way: Some(LoginWay::AccessToken(token.to_owned().into())),
        password: None,
        ..settings(&server, home.path())
    };
    let why = refusal(with("revoked")).await;
    assert!(why.contains("does not know the access token"), "{why}");
    server.state().device = None;
    let why = refusal(with("good")).await;
    assert!(why.contains("no device"), "{why}");
    server.state().device = Some("DEVICE");
    server.state().has_keys = true;
    let why = refusal(with("good")).await;
    assert!(why.contains("another program"), "{why}");
    server.state().has_keys = false;
    server.state().owner = "@other:x.example";
    let why = refusal(with("good")).await;
    assert!(why.contains("@other:x.example"), "{why}");
    let why = refusal(with("a\u{e9}\n")).await;
    assert!(why.contains("no header"), "{why}");
    server.state().owner = ME;
    let matrix = Matrix::new(with("good"));
    matrix
        .deliver(&send("k1", "One"))
        .await
        .expect("it is sent");
    drop(matrix);
    // Later, the token is not needed any more, and a new login revokes it.
    let later = MatrixSettings {
        way: None,
        ..with("good")
    };
    assert_eq!(later.check_login(), Ok(()));
    Matrix::new(later.clone())
        .open()
        .await
        .expect("the saved session");
    assert_eq!(later.forget().await, Ok(None));
    assert_eq!(server.state().logged_out, ["good"]);
    assert!(later.check_login().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_token_is_taken_where_it_is_offered() {
    let server = Server::start(&[ROOM]).await;
    let home = TempDir::new().expect("a folder");
    let with = |token: &str| MatrixSettings {
        way: Some(LoginWay::LoginToken(token.to_owned().into())),
        ..settings(&server, home.path())
    };
    let why = refusal(with(LOGIN_TOKEN)).await;
    assert!(
        why.contains("takes no login tokens (it offers m.login.password)"),
        "{why}"
    );
    server.state().flows = Some(vec!["m.login.token", "m.login.sso"]);
    let why = refusal(with("wrong")).await;
    assert!(why.contains("refuses the login token"), "{why}");
    let matrix = Matrix::new(with(LOGIN_TOKEN));
    matrix
        .deliver(&send("k1", "One"))
        .await
        .expect("it is sent");
    drop(matrix);
    // A server that does not answer the logout: the session ends all the same, and the reason is known.
    server.fail_always("logout", "", Fault::Says(500, "{}"));
    let ended = with(LOGIN_TOKEN)
        .forget()
        .await
        .expect("the session is deleted");
    assert!(ended.is_some_and(|why| why.contains("status 500")));
    assert!(!with(LOGIN_TOKEN).is_logged_in());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ways_of_a_server_are_listed_and_its_name_is_resolved() {
    let (server, oauth) = with_oauth(&[]).await;
    let home = TempDir::new().expect("a folder");
    let offer = settings(&server, home.path())
        .offer()
        .await
        .expect("an offer");
    let only_code = LoginOffer {
        homeserver: server.url.clone(),
        device_code: true,
        ..LoginOffer::default()
    };
    assert_eq!(offer, only_code);
    server.state().oauth = None;
    server.state().flows = Some(vec![
        "m.login.password",
        "m.login.token",
        "m.login.sso",
        "org.\u{1b}[31mnew",
    ]);
    let offer = settings(&server, home.path())
        .offer()
        .await
        .expect("an offer");
    assert!(offer.password && offer.login_token && offer.single_sign_on && !offer.device_code);
    assert_eq!(offer.unknown.len(), 1);
    assert!(!offer.unknown[0].contains('\u{1b}'));
    drop(oauth);

    // The name of a server: its document names the homeserver.
    let named = Server::start(&[]).await;
    let name = named.url.trim_start_matches("http://").to_owned();
    let by_name = |allowed: &[&str]| {
        let config = NetworkConfig {
            allow_private_hosts: allowed.iter().map(|&host| host.to_owned()).collect(),
            ..NetworkConfig::default()
        };
        MatrixSettings {
            homeserver: name.clone(),
            web: Arc::new(WebCaller::new(&config, &[])),
            ..settings(&server, home.path())
        }
    };
    let failed = |outcome: Result<LoginOffer, SendError>| match outcome {
        Err(SendError::Never { why, .. } | SendError::Later { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    let why = failed(by_name(&[]).offer().await);
    assert!(
        why.contains("private address") && why.contains("allow_private_hosts"),
        "{why}"
    );
    let why = failed(by_name(&["127.0.0.1"]).offer().await);
    assert!(
        why.contains("does not exist") && why.contains("Set homeserver"),
        "{why}"
    );
    for (base, words) in [
        ("not an address", "is not an address"),
        ("ftp://127.0.0.1/", "only http and https"),
        ("http://10.1.2.3/", "private address"),
        ("http://169.254.169.254/latest", "private address"),
        ("http://matrix.example.com/", "use https"),
    ] {
        named.state().well_known = Some(base.to_owned());
        let why = failed(by_name(&["127.0.0.1"]).offer().await);
        assert!(why.contains(words), "{base}: {why}");
    }
    named.state().well_known = Some(format!("{}/", server.url));
    let matrix = Matrix::new(by_name(&["127.0.0.1"]));
    matrix
        .deliver(&send("k1", "One"))
        .await
        .expect("it is sent");
    assert_eq!(saved(home.path())["homeserver"], server.url);
    drop(matrix);
    // The saved address is used later, also if the document is gone.
    named.state().well_known = None;
    Matrix::new(by_name(&["127.0.0.1"]))
        .open()
        .await
        .expect("the saved session");
}

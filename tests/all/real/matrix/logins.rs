//! The ways to log in, against a real Synapse: with a password, an access token, and a token for one login.

use bpfnews::channel::matrix::LoginWay;

use super::*;

/// The devices of the bot's account, asked by its first session.
async fn devices(home: &Home) -> Vec<String> {
    let listed = home.call("bot", "GET", "/devices", json!({})).await;
    let devices = listed["devices"].as_array().expect("a list");
    let ids = devices
        .iter()
        .map(|device| device["device_id"].as_str().expect("an id").to_owned());
    ids.collect()
}

/// A token for one login, as another client of the account asks for it.
async fn login_token(home: &Home) -> String {
    let url = format!("{}/_matrix/client/v1/login/get_token", home.server.url);
    let answer = reqwest::Client::new()
        .post(&url)
        .bearer_auth(home.text("bot", "token"))
        .body("{}")
        .send()
        .await
        .expect("an answer");
    assert!(answer.status().is_success(), "{}", answer.status());
    let answer: Value = serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON");
    answer["login_token"].as_str().expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn real_matrix_each_way_logs_in_and_posts_to_an_encrypted_room() {
    let home = Home::start(&[]);
    let alice = home.person("alice").await;
    let offer = home
        .settings(Path::new("nowhere"))
        .offer()
        .await
        .expect("an offer");
    assert!(offer.password && offer.login_token, "{offer:?}");
    assert!(
        !offer.device_code && !offer.other_oauth && !offer.single_sign_on,
        "{offer:?}"
    );
    let room = room(&alice, &home.text("bot", "id"), true).await;
    alice.sync_once(at_once()).await.expect("a sync");
    let ways = [
        // The device of this token has no keys yet. It is the first, so it also makes the account's keys.
        (
            "token",
            LoginWay::AccessToken(home.text("bot", "token").into()),
        ),
        (
            "password",
            LoginWay::Password(home.text("bot", "password").into()),
        ),
        (
            "login-token",
            LoginWay::LoginToken(login_token(&home).await.into()),
        ),
    ];
    let mut posted = Vec::new();
    for (name, way) in ways {
        let folder = TempDir::new().expect("a temporary folder");
        let settings = MatrixSettings {
            way: Some(way),
            password: None,
            ..home.settings(folder.path())
        };
        let bot = Matrix::new(settings.clone());
        bot.deliver(&send(&room, name, name)).await.expect("a post");
        posted.push(POSTED);
        assert_eq!(seen(&alice, &room).await, posted, "{name}");
        let account = bot.account().await.expect("an account");
        assert!(devices(&home).await.contains(&account.device), "{name}");
        drop(bot);
        // The saved session needs none of them.
        let later = MatrixSettings {
            way: None,
            ..settings.clone()
        };
        let again = Matrix::new(later.clone());
        assert_eq!(
            again.account().await.expect("an account").device,
            account.device
        );
        drop(again);
        if name == "token" {
            assert!(account.is_trusted, "{account:?}");
            // The device has keys now, so no other folder may use it.
            let other = TempDir::new().expect("a temporary folder");
            let settings = MatrixSettings {
                folder: other.path().to_owned(),
                ..settings
            };
            let refused = Matrix::new(settings).open().await;
            let is_told = matches!(&refused, Err(SendError::Never { why, .. }) if why.contains("another program"));
            assert!(is_told, "{refused:?}");
        } else {
            // The old device is logged out.
            assert_eq!(later.forget().await, Ok(None), "{name}");
            assert!(!devices(&home).await.contains(&account.device), "{name}");
        }
    }
    let used = MatrixSettings {
        way: Some(LoginWay::LoginToken("syl_never_given".into())),
        ..home.settings(TempDir::new().expect("a temporary folder").path())
    };
    let refused = Matrix::new(used).open().await;
    let is_told =
        matches!(&refused, Err(SendError::Never { why, .. }) if why.contains("login token"));
    assert!(is_told, "{refused:?}");
}

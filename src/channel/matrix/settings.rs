//! The client's settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::channel::{Scope, SendError};
use crate::source::fetch::WebCaller;

/// The file with the session, in the folder.
pub(super) const SESSION_FILE: &str = "session.json";

/// Returns the time in unix seconds.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Shows a person the code to confirm.
pub type ShowCode = Arc<dyn Fn(&DeviceCode) + Send + Sync>;

/// A code that a person confirms in a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// The page to open.
    pub page: Url,
    /// The same page with the code in its address.
    pub page_with_code: Option<Url>,
    pub code: String,
    /// How long the code is valid.
    pub valid_for: Duration,
}

/// How an account logs in.
#[derive(Clone)]
pub enum LoginWay {
    Password(SecretString),
    /// The access token of a device that no other program uses.
    AccessToken(SecretString),
    /// A token for one login (`m.login.token`), which another device of the account or a single sign-on page gave.
    LoginToken(SecretString),
    /// OAuth 2.0: a person confirms a code in a browser.
    DeviceCode(ShowCode),
}

/// The settings of the client.
#[derive(Clone)]
pub struct MatrixSettings {
    /// The homeserver's address, or the name of a server whose `.well-known` names the address.
    pub homeserver: String,
    /// The account: `@name:server`.
    pub user: String,
    /// The password, for the first login and for new keys.
    pub password: Option<SecretString>,
    /// How to log in; `None`: with the password.
    pub way: Option<LoginWay>,
    /// The folder of the session and the keys.
    pub folder: PathBuf,
    /// The accounts, or `*:server`, whose invites are accepted.
    pub inviters: Vec<String>,
    /// The configured rooms, joined after any invite.
    pub rooms: Vec<String>,
    /// The time between messages after a burst of nine.
    pub send_gap: Duration,
    /// The time limit of one request: [`super::REQUEST_MAX`], except in tests.
    pub request_max: Duration,
    pub now: Now,
    /// Sends the requests of a login that the SDK does not send.
    pub web: Arc<WebCaller>,
    /// A page about the bot, for servers that show one beside a program's name.
    pub page: String,
}

impl MatrixSettings {
    /// Whether the account logged in from this folder before.
    pub fn is_logged_in(&self) -> bool {
        self.folder.join(SESSION_FILE).exists()
    }

    /// Checks that the account can log in: there is a saved session, a token or a password. Makes no request.
    ///
    /// # Errors
    ///
    /// Returns an error if all are missing.
    pub fn check_login(&self) -> Result<(), SendError> {
        match self.is_logged_in() {
            true => Ok(()),
            false => self.login_way().map(drop),
        }
    }

    /// How to log in.
    pub(super) fn login_way(&self) -> Result<LoginWay, SendError> {
        let password = || self.password.clone().map(LoginWay::Password);
        self.way.clone().or_else(password).ok_or_else(|| {
            refused(format!(
                "{} has not logged in yet: run bpfnews matrix login, which asks for what it needs. For an unattended login, \
                 give an access token by token_file under [matrix], or the password by password_file or by \
                 BPFNEWS_MATRIX_PASSWORD",
                self.user
            ))
        })
    }

    /// Whether `homeserver` is the name of a server.
    pub(super) fn names_server(&self) -> bool {
        !self.homeserver.contains("://")
    }
}

/// An error that a retry does not end.
pub(super) fn refused(why: impl Into<String>) -> SendError {
    SendError::Never {
        scope: Scope::Platform,
        why: why.into(),
    }
}

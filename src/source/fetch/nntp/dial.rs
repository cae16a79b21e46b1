//! Connects to a news server: its address by our rules, TLS, the greeting, the account.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError};
use url::Host;

use super::super::address::{Allowed, Lookup, usable};
use super::wire::{NewsLines, NewsStream, WireError};
use super::{NewsError, NewsPlace};
use crate::config::NewsLogin;

/// The most bytes of a file with a password.
const PASSWORD_BYTES_MAX: u64 = 1024;
/// The most bytes of a server's answers until it is ready.
const GREETING_BYTES_MAX: u64 = 64 * 1024;

/// What a connection needs besides the place.
pub(super) struct Dialer<'a> {
    pub(super) allowed: &'a Allowed,
    pub(super) lookup: &'a Lookup,
    pub(super) timeout: Duration,
}

/// Settings of TLS with the certificate authorities of the system.
pub(super) fn tls() -> Result<TlsConnector, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(&provider))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Dialer<'_> {
    /// The addresses that may be asked.
    async fn addresses(&self, place: &NewsPlace) -> Result<Vec<SocketAddr>, NewsError> {
        let found = match &place.host {
            Host::Ipv4(address) => vec![(*address).into()],
            Host::Ipv6(address) => vec![(*address).into()],
            Host::Domain(name) => {
                let found = match (self.lookup)(name.clone()).await {
                    Err(_) if self.allowed.is_narrowed() => Vec::new(),
                    found => found.map_err(NewsError::NotConnected)?,
                };
                usable(self.allowed, name, &found)
                    .map_err(|error| NewsError::Forbidden(error.to_string()))?
            }
        };
        let port = place.port;
        Ok(found
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect())
    }

    async fn connect(&self, place: &NewsPlace) -> Result<TcpStream, NewsError> {
        let dial = async {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in self.addresses(place).await? {
                match TcpStream::connect(address).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(NewsError::NotConnected(last))
        };
        match tokio::time::timeout(self.timeout, dial).await {
            Ok(stream) => stream,
            Err(_) => Err(NewsError::NotConnected(io::ErrorKind::TimedOut.into())),
        }
    }

    /// A connection that is ready for questions.
    pub(super) async fn dial(
        &self,
        place: &NewsPlace,
        connector: Option<&TlsConnector>,
        login: Option<&NewsLogin>,
    ) -> Result<NewsLines, NewsError> {
        let stream = self.connect(place).await?;
        let is_own = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
        // Questions are short, and each waits for its answer.
        let _ = stream.set_nodelay(true);
        let stream: Box<dyn NewsStream> = match connector {
            None => Box::new(stream),
            Some(connector) => {
                let name = ServerName::try_from(
                    place.host.to_string().trim_matches(['[', ']']).to_owned(),
                )
                .map_err(|_| {
                    NewsError::Forbidden("its name cannot be in a certificate".to_owned())
                })?;
                let shaking = connector.connect(name, stream);
                match tokio::time::timeout(self.timeout, shaking).await {
                    Ok(Ok(stream)) => Box::new(stream),
                    Ok(Err(error)) => return Err(NewsError::Handshake(error.to_string())),
                    Err(_) => return Err(NewsError::Handshake("it took too long".to_owned())),
                }
            }
        };
        let mut lines = NewsLines {
            stream: BufReader::with_capacity(16 * 1024, stream),
            bytes_left: GREETING_BYTES_MAX,
            lists_no_ranges: false,
            is_own,
        };
        let greeting = lines.status().await?;
        if !matches!(greeting.code, 200 | 201) {
            return Err(NewsError::Refused(greeting));
        }
        // Some servers read news only after this; others do not know it.
        let status = ask(&mut lines, "MODE READER").await?;
        if !matches!(status.code, 200 | 201 | 500 | 501) {
            return Err(NewsError::Refused(status));
        }
        if let Some(login) = login {
            log_in(&mut lines, login).await?;
        }
        Ok(lines)
    }
}

/// Sends a line and reads the status.
async fn ask(lines: &mut NewsLines, line: &str) -> Result<super::wire::Status, NewsError> {
    send(lines, line).await?;
    Ok(lines.status().await?)
}

/// Sends commands, each with its line ending except the last.
pub(super) async fn send(lines: &mut NewsLines, commands: &str) -> Result<(), WireError> {
    let stream = lines.stream.get_mut();
    stream.write_all(commands.as_bytes()).await?;
    stream.write_all(b"\r\n").await?;
    stream.flush().await?;
    Ok(())
}

async fn log_in(lines: &mut NewsLines, login: &NewsLogin) -> Result<(), NewsError> {
    let password = read_password(login).await.map_err(|error| {
        let file = login.password_file.display();
        NewsError::Forbidden(format!("the password cannot be read from {file} ({error})"))
    })?;
    let mut status = ask(lines, &format!("AUTHINFO USER {}", login.user)).await?;
    if status.code == 381 {
        status = ask(lines, &format!("AUTHINFO PASS {password}")).await?;
    }
    match status.code {
        281 => Ok(()),
        _ => Err(NewsError::Refused(status)),
    }
}

async fn read_password(login: &NewsLogin) -> io::Result<String> {
    let file = tokio::fs::File::open(&login.password_file).await?;
    let mut password = String::new();
    file.take(PASSWORD_BYTES_MAX)
        .read_to_string(&mut password)
        .await?;
    let password = password.trim_end_matches(['\r', '\n']);
    match password.chars().any(char::is_control) || password.is_empty() {
        true => Err(io::Error::other("it is empty, or has more than one line")),
        false => Ok(password.to_owned()),
    }
}

//! The meaning of failed requests: retry, give up, or notify maintainers.

use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use url::{Host, Url};

use super::super::{Expect, FetchError};
use super::address::PrivateAddress;
use super::body::BodyError;
use super::sniff;
use super::words::{find_cause, root_cause, shown};

/// Whether a `Retry-After` with this status applies to the whole host: 429, 503, and 403, which GitHub uses for rate limits.
pub(super) fn is_for_whole_host(status: StatusCode) -> bool {
    matches!(status.as_u16(), 403 | 429 | 503)
}

/// Whether the page with this status says more than the status.
pub(super) fn needs_page(status: StatusCode) -> bool {
    matches!(status.as_u16(), 401 | 403 | 404)
}

/// The error for a status other than 200, 304 and redirects; `page` is the start of the body.
pub(super) fn of_status(
    url: &Url,
    status: StatusCode,
    after: Option<Duration>,
    page: &[u8],
) -> FetchError {
    let why = format!("{} answers {status}", shown(url));
    match status.as_u16() {
        404 => FetchError::Missing {
            why,
            page: sniff::start_as_text(page, page.len()),
        },
        410 => FetchError::Gone { why },
        408 | 425 | 429 | 500..=599 => FetchError::Later { after, why },
        400..=499 if after.is_some() => FetchError::Later { after, why },
        401 | 403 => match sniff::html_title(page) {
            Some(title) => FetchError::Walled {
                why: format!("{why} with an HTML page{}", quoted(&title)),
            },
            None => FetchError::Broken { why },
        },
        200..=299 => FetchError::Broken {
            why: format!("{why}, which is no whole document"),
        },
        _ => FetchError::Broken { why },
    }
}

/// The error for a request without an answer.
pub(super) fn of_failure(url: &Url, error: &reqwest::Error) -> FetchError {
    let url_shown = shown(url);
    if let Some(private) = find_cause::<PrivateAddress>(error) {
        let why = format!("{url_shown}: {private}");
        return FetchError::Broken { why };
    }
    let cause = root_cause(error);
    if !error.is_connect() {
        let why = format!("{url_shown}: the connection broke off ({cause})");
        return FetchError::Later { after: None, why };
    }
    if is_handshake_failure(error) {
        let why = format!("{url_shown}: the TLS handshake failed ({cause})");
        return FetchError::Later { after: None, why };
    }
    let why = format!("{url_shown} cannot be reached ({cause})");
    FetchError::Unreachable { why }
}

/// Whether this failure may mean that our own network is down.
///
/// A refusal came over the network, so the network works. Our own computer is always reachable.
pub(super) fn is_sign_of_outage(url: &Url, error: &reqwest::Error) -> bool {
    let refused = find_cause::<io::Error>(error)
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    !refused && !url.host().is_some_and(|host| is_own_computer(&host))
}

pub(super) fn is_own_computer(host: &Host<impl AsRef<str>>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref().trim_end_matches('.') == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether TCP connected and TLS failed. TLS errors have no error number of the system. A peer that cuts the connection was
/// reached.
fn is_handshake_failure(error: &reqwest::Error) -> bool {
    if error.is_dns() || error.is_timeout() {
        return false;
    }
    find_cause::<io::Error>(error).is_some_and(|error| {
        let cut = matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
        );
        cut || error.raw_os_error().is_none()
    })
}

/// The error for a body that could not be read.
pub(super) fn of_body(url: &Url, error: BodyError) -> FetchError {
    let said = |why: String| format!("{}: {why}", shown(url));
    match error {
        BodyError::TooBig(why) => FetchError::TooBig { why: said(why) },
        BodyError::Cut(why) => FetchError::Later {
            after: None,
            why: said(why),
        },
        BodyError::Broken(why) => FetchError::Broken { why: said(why) },
    }
}

/// Checks that a whole body can have the expected form.
pub(super) fn check_document(url: &Url, expect: Expect, bytes: &[u8]) -> Result<(), FetchError> {
    if expect == Expect::Feed && sniff::is_blank(bytes) {
        let why = format!("{} sends an empty answer", shown(url));
        return Err(FetchError::Broken { why });
    }
    let title = match expect {
        Expect::Feed | Expect::Bytes => sniff::html_title(bytes),
        Expect::Html => None,
    };
    match title {
        Some(title) => {
            let why = format!(
                "{} answers with an HTML page, as walls do{}",
                shown(url),
                quoted(&title)
            );
            Err(FetchError::Walled { why })
        }
        None => Ok(()),
    }
}

fn quoted(title: &str) -> String {
    match title {
        "" => String::new(),
        title => format!(" titled “{title}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_decision() {
        let url = Url::parse("https://example.org/a?secret=1").expect("well-formed");
        let check = |status: u16, after: Option<u64>, page: &str, want: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            let after = after.map(Duration::from_secs);
            let got = of_status(&url, status, after, page.as_bytes());
            let name = format!("{got:?}");
            assert!(name.starts_with(want), "{status}: {name}");
            assert!(got.to_string().starts_with("https://example.org/a answers"));
            if let FetchError::Later { after: got, .. } = got {
                assert_eq!(got, after);
            }
        };
        for status in [408, 425, 429, 500, 502, 503, 504, 520, 599] {
            check(status, None, "<html>", "Later");
            check(status, Some(9), "", "Later");
        }
        for status in [400, 402, 405, 406, 418, 451] {
            check(status, None, "<html>", "Broken");
            check(status, Some(9), "", "Later");
        }
        for status in [401, 403] {
            check(status, None, "<!doctype html><title>No</title>", "Walled");
            check(status, None, "{}", "Broken");
            check(status, Some(9), "<html>", "Later");
        }
        for status in [201, 204, 206, 600, 999] {
            check(status, None, "", "Broken");
        }
        check(404, None, "<html>", "Missing");
        check(404, Some(9), "", "Missing");
        check(410, None, "", "Gone");
    }
}

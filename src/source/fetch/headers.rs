//! The headers of requests, and the meaning of an answer's headers.

use std::time::{Duration, SystemTime};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, EXPIRES,
    HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    RETRY_AFTER,
};

use super::super::{Expect, Method, Request, Validators};

/// The longest wait that a server may ask for: a wrong `Retry-After` must not end a feed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The longest time for which an answer is fresh.
const FRESH_FOR_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest validator that is sent: servers refuse long headers.
const VALIDATOR_BYTES_MAX: usize = 1024;

/// The longest name of a charset; the longest registered one has 45 letters.
const CHARSET_BYTES_MAX: usize = 64;

/// The most characters of the contact in the User-Agent.
const CONTACT_CHARS_MAX: usize = 200;

/// The User-Agent: name, version, id of the installation, home page and the operator's contact.
///
/// It never claims to be a browser: walls challenge browsers only.
pub(super) fn user_agent(home: &str, contact: Option<&str>, installation: Option<&str>) -> String {
    let contact = contact.map(plain_contact).filter(|text| !text.is_empty());
    let home = (!home.is_empty()).then(|| format!("+{home}"));
    let about: Vec<String> = [home, contact].into_iter().flatten().collect();
    let id = installation.map_or_else(String::new, |id| format!("+{id}"));
    let name = format!("bpfnews/{}{id}", env!("CARGO_PKG_VERSION"));
    if about.is_empty() {
        name
    } else {
        format!("{name} ({})", about.join("; "))
    }
}

/// The contact without characters that a header's comment must not contain.
fn plain_contact(contact: &str) -> String {
    let plain: String = contact
        .chars()
        .filter(|&c| (c.is_ascii_graphic() || c == ' ') && !"()\\".contains(c))
        .take(CONTACT_CHARS_MAX)
        .collect();
    plain.trim().replace("Mozilla", "mozilla")
}

/// The headers of one request.
pub(super) fn of_request(request: &Request) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(accept(request.expect)));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, br, zstd"));
    if request.method == Method::Post {
        // Servers answer 411 to a POST without a length, even if there is no body.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if is_conditional(request) {
        let Validators {
            etag,
            last_modified,
        } = &request.validators;
        for (name, value) in [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)] {
            if let Some(value) = value.as_deref().and_then(sendable) {
                headers.insert(name, value);
            }
        }
    }
    headers
}

/// Whether a request sends validators, so that 304 is a possible answer.
pub(super) fn is_conditional(request: &Request) -> bool {
    let Validators {
        etag,
        last_modified,
    } = &request.validators;
    let mut sent = [etag, last_modified].into_iter().flatten();
    request.method == Method::Get && sent.any(|value| sendable(value).is_some())
}

fn sendable(validator: &str) -> Option<HeaderValue> {
    let fits = !validator.is_empty() && validator.len() <= VALIDATOR_BYTES_MAX;
    fits.then(|| HeaderValue::from_str(validator).ok())
        .flatten()
}

fn accept(expect: Expect) -> &'static str {
    match expect {
        Expect::Feed => {
            "application/atom+xml, application/rss+xml, application/feed+json, \
             application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.1"
        }
        Expect::Html => "text/html, application/xhtml+xml;q=0.9, */*;q=0.1",
        Expect::Bytes => "text/plain, application/mbox, application/gzip, */*;q=0.5",
    }
}

/// An answer's validators; a missing one is taken from `sent`.
pub(super) fn validators(headers: &HeaderMap, sent: &Validators) -> Validators {
    let read = |name: HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        (!value.is_empty() && value.len() <= VALIDATOR_BYTES_MAX).then(|| value.to_owned())
    };
    Validators {
        etag: read(ETAG).or_else(|| sent.etag.clone()),
        last_modified: read(LAST_MODIFIED).or_else(|| sent.last_modified.clone()),
    }
}

/// The `charset` of the Content-Type, as sent.
pub(super) fn charset(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let charset = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        is_charset.then(|| value.trim().trim_matches(['"', '\'']).trim())
    })?;
    (!charset.is_empty() && charset.len() <= CHARSET_BYTES_MAX).then(|| charset.to_owned())
}

/// The wait that a server asks for: `Retry-After` in seconds or as a date, at most two days.
///
/// `None` if there is none, or if its date has passed.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match seconds(text) {
        Some(wait) => wait,
        // The date is by the server's own clock, which may be wrong.
        None => httpdate::parse_http_date(text)
            .ok()?
            .duration_since(date(headers, DATE).unwrap_or(now))
            .ok()?,
    };
    (!wait.is_zero()).then(|| wait.min(RETRY_AFTER_MAX))
}

/// How long an answer stays fresh: `Cache-Control: max-age` or `Expires`, less its `Age`; at most a day.
///
/// `None` if the server sends none, or forbids caching.
pub(super) fn fresh_for(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let lifetime = match max_age(headers) {
        MaxAge::For(lifetime) => lifetime,
        MaxAge::Never => return None,
        MaxAge::Absent => {
            let from = date(headers, DATE).unwrap_or(now);
            date(headers, EXPIRES)?.duration_since(from).ok()?
        }
    };
    let age = headers.get(AGE).and_then(|age| seconds(age.to_str().ok()?));
    let left = lifetime.saturating_sub(age.unwrap_or_default());
    Some(left.min(FRESH_FOR_MAX))
}

/// The meaning of `Cache-Control`.
enum MaxAge {
    For(Duration),
    Never,
    Absent,
}

fn max_age(headers: &HeaderMap) -> MaxAge {
    let mut found = MaxAge::Absent;
    let values = headers.get_all(CACHE_CONTROL).iter();
    for directive in values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
    {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-cache" | "no-store" => return MaxAge::Never,
            // A lifetime that cannot be read is none (RFC 9111, 4.2.1).
            "max-age" if matches!(found, MaxAge::Absent) => {
                found = seconds(value.trim().trim_matches('"')).map_or(MaxAge::Never, MaxAge::For);
            }
            _ => {}
        }
    }
    found
}

/// A whole number of seconds, however large.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn map(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").expect("name: value");
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        headers
    }

    #[test]
    fn the_user_agent_names_the_bot_and_never_mozilla() {
        let name = format!("bpfnews/{}", env!("CARGO_PKG_VERSION"));
        let check = |home: &str, contact: Option<&str>, want: &str| {
            let got = user_agent(home, contact, None);
            assert_eq!(got, format!("{name}{want}"));
            assert!(HeaderValue::from_str(&got).is_ok());
        };
        check("", None, "");
        check("", Some(" \n"), "");
        check("", Some("me@example.org"), " (me@example.org)");
        check("https://a.example/b", None, " (+https://a.example/b)");
        check(
            "https://a.example/b",
            Some("me@x.org"),
            " (+https://a.example/b; me@x.org)",
        );
        let got = user_agent("", Some("me@x.org"), Some("1-2"));
        assert_eq!(got, format!("{name}+1-2 (me@x.org)"));
        check("", Some("a)b\r\nX: (Mozilla/5.0) ü"), " (abX: mozilla/5.0)");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_two_days() {
        let check = |lines: &[&'static str], want: Option<u64>| {
            let got = retry_after(&map(lines), now());
            assert_eq!(got, want.map(Duration::from_secs), "{lines:?}");
        };
        check(&[], None);
        check(&["retry-after: 120"], Some(120));
        check(&["retry-after:  7 "], Some(7));
        check(&["retry-after: 0"], None);
        check(&["retry-after: -1"], None);
        check(&["retry-after: 1.5"], None);
        check(&["retry-after: soon"], None);
        check(&["retry-after: 172801"], Some(172_800));
        check(&["retry-after: 99999999999999999999999999"], Some(172_800));
        check(&["retry-after: Sun, 06 Nov 1994 08:50:37 GMT"], Some(60));
        check(&["retry-after: Sun, 06 Nov 1994 08:49:37 GMT"], None);
        check(&["retry-after: Sat, 05 Nov 1994 08:49:37 GMT"], None);
        check(
            &["retry-after: Fri, 31 Dec 9999 23:59:59 GMT"],
            Some(172_800),
        );
        let skewed = [
            "date: Sun, 06 Nov 1994 09:00:00 GMT",
            "retry-after: Sun, 06 Nov 1994 09:00:05 GMT",
        ];
        check(&skewed, Some(5));
    }

    #[test]
    fn freshness_is_max_age_or_expires_less_age_and_at_most_a_day() {
        let check = |lines: &[&'static str], want: Option<u64>| {
            let got = fresh_for(&map(lines), now());
            assert_eq!(got, want.map(Duration::from_secs), "{lines:?}");
        };
        let expires = "expires: Sun, 06 Nov 1994 08:50:37 GMT";
        check(&[], None);
        check(&["cache-control: max-age=300"], Some(300));
        check(&["cache-control: public, MAX-AGE=\"300\""], Some(300));
        check(
            &["cache-control: public", "cache-control: max-age=300"],
            Some(300),
        );
        check(&["cache-control: max-age=300", "age: 100"], Some(200));
        check(&["cache-control: max-age=300", "age: 900"], Some(0));
        check(&["cache-control: max-age=300", "age: old"], Some(300));
        check(&["cache-control: max-age=300, no-cache"], None);
        check(&["cache-control: no-store", expires], None);
        check(&["cache-control: max-age=-5", expires], None);
        check(
            &["cache-control: max-age=99999999999999999999"],
            Some(86_400),
        );
        check(&["cache-control: s-maxage=5", expires], Some(60));
        check(&[expires], Some(60));
        check(&[expires, "date: Sun, 06 Nov 1994 08:50:00 GMT"], Some(37));
        check(&[expires, "date: Sun, 06 Nov 1994 08:51:00 GMT"], None);
        check(&[expires, "cache-control: max-age=10"], Some(10));
        check(&["expires: 0"], None);
        check(&["expires: Fri, 31 Dec 9999 23:59:59 GMT"], Some(86_400));
    }

    #[test]
    fn the_charset_comes_from_the_content_type() {
        let check = |line: &'static str, want: Option<&str>| {
            assert_eq!(charset(&map(&[line])).as_deref(), want, "{line}");
        };
        check(
            "content-type: text/xml; charset=ISO-8859-1",
            Some("ISO-8859-1"),
        );
        check(
            "content-type: text/xml;a=b; Charset = \"utf-8\" ;c",
            Some("utf-8"),
        );
        check("content-type: text/xml; charset=", None);
        check("content-type: charset", None);
    }

    #[test]
    fn only_a_get_with_usable_validators_is_conditional() {
        let check = |method: Method, etag: &str, want: bool| {
            let request = Request {
                url: Url::parse("http://example.org/").expect("well-formed"),
                method,
                expect: Expect::Feed,
                validators: Validators {
                    etag: Some(etag.to_owned()),
                    last_modified: None,
                },
                bytes_max: 1,
            };
            assert_eq!(is_conditional(&request), want, "{etag:?}");
            assert_eq!(
                of_request(&request).contains_key(IF_NONE_MATCH),
                want,
                "{etag:?}"
            );
        };
        check(Method::Get, "W/\"a\"", true);
        check(Method::Post, "W/\"a\"", false);
        check(Method::Get, "", false);
        check(Method::Get, "a\r\nX-Evil: 1", false);
    }
}

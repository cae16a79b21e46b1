//! Addresses that git reads: `git+https://…`, `git+http://…`, `git://…`.

use url::Url;

/// The beginning of addresses that git reads by HTTP.
const OVER_HTTP: &str = "git+";
/// The port of git's own protocol.
const GIT_PORT: u16 = 9418;

/// Whether git reads this address.
pub fn is_git(url: &Url) -> bool {
    matches!(url.scheme(), "git" | "git+http" | "git+https")
}

/// The same address as an http or https URL, with the port that git connects to. The URL crate knows the rules for hosts
/// and ports of those schemes only.
pub fn as_http(url: &Url) -> Option<Url> {
    let text = url.as_str();
    if let Some(http) = text.strip_prefix(OVER_HTTP) {
        return Url::parse(http).ok();
    }
    let rest = text.strip_prefix("git://")?;
    let mut http = Url::parse(&format!("http://{rest}")).ok()?;
    if url.port().is_none() {
        http.set_port(Some(GIT_PORT)).ok()?;
    }
    Some(http)
}

/// The scheme of the connection: `http`, `https` or `git`.
pub fn protocol(url: &Url) -> &str {
    let scheme = url.scheme();
    scheme.strip_prefix(OVER_HTTP).unwrap_or(scheme)
}

/// The address of git's whose URL for HTTP is `http`, in the form of `url`.
pub(super) fn back(url: &Url, http: &Url) -> Option<Url> {
    if url.scheme() != "git" {
        return Url::parse(&format!("{OVER_HTTP}{http}")).ok();
    }
    let mut git = Url::parse(&format!("git{}", http.as_str().strip_prefix("http")?)).ok()?;
    let port = http.port_or_known_default();
    let port = port.filter(|port| *port != GIT_PORT);
    git.set_port(port).ok()?;
    Some(git)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_by_its_scheme() {
        #[rustfmt::skip]
        let table = [
            ("git+https://h.example/a.git", Some("https://h.example/a.git"), Some(443)),
            ("git+http://h.example:8080/a", Some("http://h.example:8080/a"), Some(8080)),
            ("git://h.example/a.git", Some("http://h.example:9418/a.git"), Some(9418)),
            ("git://h.example:80/a.git", Some("http://h.example/a.git"), Some(80)),
            ("git+https://0x7f.1/a", Some("https://127.0.0.1/a"), Some(443)),
            ("https://h.example/a.git", None, None),
            ("git+ssh://h.example/a.git", None, None),
        ];
        for (text, http, port) in table {
            let url = Url::parse(text).expect("a URL");
            let found = Some(&url).filter(|url| is_git(url)).and_then(as_http);
            assert_eq!(found.as_ref().map(Url::as_str), http, "{text}");
            let known = found.as_ref().and_then(Url::port_or_known_default);
            assert_eq!(known, port, "{text}");
            let again = found.and_then(|http| as_http(&back(&url, &http)?));
            assert_eq!(again.as_ref().map(Url::as_str), http, "{text}");
        }
    }
}

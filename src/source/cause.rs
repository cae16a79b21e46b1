//! The cause of a failed request without its address, so that failures of many feeds can be grouped.

/// The start of the message of [`FetchError::Offline`](super::FetchError::Offline).
pub const OWN_NETWORK: &str = "our own network seems to be down: ";

/// The message of a failure without URLs and without their hosts: the same for all feeds that fail for one cause.
pub fn cause_of(why: &str) -> String {
    let why = why.strip_prefix(OWN_NETWORK).unwrap_or(why);
    let is_url = |word: &&str| word.contains("://");
    let host = why.split(' ').find(is_url).and_then(|word| {
        let url = url::Url::parse(word.trim_end_matches(':')).ok()?;
        Some(url.host_str()?.to_owned())
    });
    let is_of_feed = |word: &&str| {
        is_url(word)
            || host
                .as_deref()
                .is_some_and(|host| word.trim_matches([':', ',']) == host)
    };
    let words = why.split(' ').filter(|word| !is_of_feed(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_the_same_for_all_feeds_that_it_stops() {
        #[rustfmt::skip]
        let table = [
            ("https://a.example/x cannot be reached (dns error)", "cannot be reached (dns error)"),
            ("our own network seems to be down: https://b.example/ cannot be reached (dns error)", "cannot be reached (dns error)"),
            ("https://a.example/: the TLS handshake failed (x)", "the TLS handshake failed (x)"),
            ("https://a.example/: a.example asked us to stay away for 5 s more", "asked us to stay away for 5 s more"),
            ("https://a.example/ answers 403 Forbidden with an HTML page titled “No”", "answers 403 Forbidden with an HTML page titled “No”"),
            ("the archive is empty", "the archive is empty"),
            ("", ""),
        ];
        for (why, cause) in table {
            assert_eq!(cause_of(why), cause);
        }
    }
}

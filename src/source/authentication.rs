//! How an archive's own server judged a mail's DKIM signatures (`Authentication-Results`, RFC 8601).

/// The most bytes of a header that are read.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// Whether the server judged the DKIM signatures of a mail, and found no valid one of the sender's domain. `header` is the
/// topmost `Authentication-Results`, which the last server wrote; any other may come from the sender. `email` is the address
/// in `From:`. Without a result, nothing is known, and this is false.
pub(super) fn denies_sender(header: &str, email: &str) -> bool {
    let header = header.get(..header.floor_char_boundary(HEADER_BYTES_MAX));
    let header = without_comments(header.unwrap_or_default());
    let Some((_, domain)) = email.rsplit_once('@') else {
        return false;
    };
    let results = header.split(';').filter_map(DkimResult::parse);
    let mut results = results.peekable();
    results.peek().is_some() && !results.any(|result| result.vouches_for(domain))
}

/// One `dkim=` result.
struct DkimResult<'a> {
    is_pass: bool,
    /// The signing domain: `header.d`, or the domain in `header.i`.
    domain: &'a str,
}

impl<'a> DkimResult<'a> {
    fn parse(part: &'a str) -> Option<Self> {
        let mut words = part.split_whitespace();
        let (method, result) = words.next()?.split_once('=')?;
        // A method may have a version: "dkim/1".
        let method = method.split('/').next().unwrap_or(method);
        if !method.eq_ignore_ascii_case("dkim") {
            return None;
        }
        let mut domain = "";
        for word in words {
            match word.split_once('=') {
                Some(("header.d", value)) => domain = value,
                Some(("header.i", value)) if domain.is_empty() => {
                    domain = value.rsplit_once('@').map_or(value, |(_, domain)| domain);
                }
                _ => {}
            }
        }
        Some(Self {
            is_pass: result.eq_ignore_ascii_case("pass"),
            domain: domain.trim_matches('"'),
        })
    }

    /// Whether the signature is valid, and its domain is the sender's, one above it, or one below it.
    fn vouches_for(&self, sender: &str) -> bool {
        // A whole top-level domain signs nothing.
        self.is_pass
            && self.domain.contains('.')
            && (is_below(sender, self.domain) || is_below(self.domain, sender))
    }
}

/// Whether `domain` is `above` or a subdomain of it.
fn is_below(domain: &str, above: &str) -> bool {
    let Some(at) = domain.len().checked_sub(above.len()) else {
        return false;
    };
    let ends = domain
        .get(at..)
        .is_some_and(|end| end.eq_ignore_ascii_case(above));
    ends && (at == 0 || domain.as_bytes()[at - 1] == b'.')
}

/// A header without its comments, which stand in nested parentheses.
fn without_comments(header: &str) -> String {
    let mut depth = 0_u32;
    let mut is_escaped = false;
    let mut text = String::with_capacity(header.len());
    for c in header.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if depth > 0 => is_escaped = true,
            '(' => depth += 1,
            ')' if depth > 0 => depth -= 1,
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOT: &str = "bot+list@lists.example.org";

    #[test]
    fn only_a_valid_signature_of_the_senders_domain_vouches_for_it() {
        for (header, denies) in [
            ("mx.example.org; dkim=pass header.d=example.org", false),
            (
                "mx; dkim=pass (2048-bit key; a (nested) one) header.d=Example.ORG header.i=@example.org",
                false,
            ),
            ("mx; dkim=pass header.i=@lists.example.org", false),
            ("mx; dkim=pass header.d=a.lists.example.org", false),
            (
                "mx; spf=pass; dkim=fail header.d=example.org; dkim/1=pass header.d=example.org",
                false,
            ),
            // No result: nothing is known.
            ("mx; none", false),
            ("mx; spf=fail smtp.mailfrom=x.example; dmarc=fail", false),
            ("", false),
            ("mx; dkim=none", true),
            (
                "mx; dkim=fail (bad; dkim=pass header.d=example.org) header.d=example.org",
                true,
            ),
            ("mx; dkim=pass header.d=evil.example", true),
            ("mx; dkim=pass header.d=evilexample.org", true),
            ("mx; dkim=pass header.d=org", true),
            ("mx; dkim=pass header.d=", true),
            ("mx; dkim=pass", true),
            ("mx; dkim=pass (header.d=example.org", true),
        ] {
            assert_eq!(denies_sender(header, BOT), denies, "{header}");
        }
        assert!(!denies_sender("mx; dkim=none", "no address"));
    }

    #[test]
    fn long_and_odd_headers_are_read_in_bounds() {
        assert!(!denies_sender(&"(".repeat(1 << 20), BOT));
        assert!(!denies_sender(&"ä;".repeat(1 << 20), BOT));
        let long = format!("mx; {}dkim=none", "x=y; ".repeat(1 << 16));
        assert!(!denies_sender(&long, BOT), "the rest is cut off");
    }
}

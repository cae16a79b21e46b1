//! An address for mail, in the form that every server understands.

use url::Host;

/// The limits of RFC 5321, in bytes.
const ADDRESS_BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;

/// An address for mail: ASCII, `name@domain`, without quotes and comments. An international domain is in its ASCII form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MailAddress {
    local: String,
    domain: String,
}

impl MailAddress {
    /// Reads an address that a person typed.
    pub fn read(typed: &str) -> Option<Self> {
        let (local, domain) = typed.trim().rsplit_once('@')?;
        let is_of_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-.".contains(c);
        let is_dotted = |text: &str| text.split('.').all(|part| !part.is_empty());
        if local.len() > LOCAL_BYTES_MAX || !local.chars().all(is_of_local) || !is_dotted(local) {
            return None;
        }
        // Percent signs would be decoded.
        let is_name = |c: char| c.is_alphanumeric() || "-.".contains(c);
        if domain.len() > ADDRESS_BYTES_MAX || !domain.chars().all(is_name) {
            return None;
        }
        let Ok(Host::Domain(domain)) = Host::parse(domain) else {
            return None;
        };
        let is_label = |label: &str| {
            (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        let is_good = domain.contains('.') && domain.split('.').all(is_label);
        let read = Self {
            local: local.to_owned(),
            domain,
        };
        (is_good && read.to_string().len() <= ADDRESS_BYTES_MAX).then_some(read)
    }

    /// The part before the `@`.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The part after the `@`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The address in lower case: nearly all servers ignore case, so two spellings are one person.
    pub fn folded(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

impl std::fmt::Display for MailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_common_form() {
        #[rustfmt::skip]
        let table = [
            ("reader@example.org", Some("reader@example.org")),
            ("  Reader.One+bpf@Example.ORG ", Some("Reader.One+bpf@example.org")),
            ("o'neil@example.org", Some("o'neil@example.org")),
            ("a@b\u{fc}cher.example", Some("a@xn--bcher-kva.example")),
            ("reader", None), ("@example.org", None), ("reader@", None), ("reader@example", None),
            ("reader@127.0.0.1", None), ("reader@[127.0.0.1]", None), ("reader@example..org", None),
            (".reader@example.org", None), ("re..ader@example.org", None), ("reader.@example.org", None),
            ("\"re ader\"@example.org", None), ("re ader@example.org", None), ("r\u{e9}ader@example.org", None),
            ("reader@exam ple.org", None), ("reader@example.org\r\nBcc: x@example.org", None),
            ("reader@example.org>\r\nRCPT TO:<x@example.org", None), ("reader@-example.org", None),
            ("reader@ex%61mple.org", None), ("a@b@example.org", None), ("reader(me)@example.org", None),
            ("<reader@example.org>", None), ("reader@example.org,x@example.org", None), ("", None),
        ];
        for (typed, right) in table {
            let read = MailAddress::read(typed).map(|read| read.to_string());
            assert_eq!(read.as_deref(), right, "{typed:?}");
        }
        assert!(MailAddress::read(&format!("{}@example.org", "x".repeat(65))).is_none());
        assert!(MailAddress::read(&format!("a@{}.org", "x".repeat(64))).is_none());
        assert!(MailAddress::read(&format!("a@{}org", "xy.".repeat(90))).is_none());
        let read = MailAddress::read("Reader@Example.org").expect("an address");
        assert_eq!(read.folded(), "reader@example.org");
    }
}

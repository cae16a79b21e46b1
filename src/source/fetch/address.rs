//! Decides which hosts may be asked: feeds and redirects must not reach into the network the bot runs in.
//!
//! The rule is applied twice. An address in a URL is checked before anything is sent. A name is checked by the connection's own
//! resolver, so that it cannot resolve to one address for the check and to another for the connection.
//!
//! For addresses that people gave in chat the rule is stricter: see [`Allowed::narrowed`].

use std::collections::HashSet;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// The result of a lookup, as a future.
pub(super) type LookingUp = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves a name: by the system, or in tests by a table.
pub(super) type Lookup = Arc<dyn Fn(String) -> LookingUp + Send + Sync>;

/// Asks the system's resolver.
pub(super) fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// The hosts that may be asked although their addresses are private.
#[derive(Debug, Default, Clone)]
pub(super) struct Allowed {
    names: HashSet<String>,
    addresses: HashSet<IpAddr>,
    /// The only hosts and ports of those that may be asked; `None`: all.
    places: Option<HashSet<(String, u16)>>,
}

impl Allowed {
    /// Reads `allow_private_hosts`: names in any case, addresses, IPv6 with or without brackets.
    pub(super) fn new(hosts: &[String]) -> Self {
        let mut allowed = Self::default();
        for host in hosts {
            let host = host.trim().trim_start_matches('[').trim_end_matches(']');
            match host.parse::<IpAddr>() {
                Ok(address) => allowed.addresses.insert(address),
                Err(_) => allowed.names.insert(plain_name(host)),
            };
        }
        allowed
    }

    /// The rule for addresses that people gave in chat: they must not explore the bot's own network. Of private hosts, only
    /// these hosts and ports may be asked, which the bot reads anyway. The errors do not reveal the addresses of names.
    pub(super) fn narrowed(hosts: &[String], places: &[(String, u16)]) -> Self {
        let places = places.iter().map(|(host, port)| (plain_name(host), *port));
        Self {
            places: Some(places.collect()),
            ..Self::new(hosts)
        }
    }

    /// Checks a URL before anything is sent: only http and https, and no private address. Names are checked when they are
    /// resolved. The error is a message for a maintainer.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err("only http and https are read".to_owned());
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(name)) if self.permits_name(name) && !self.permits_place(url) => {
                return Err(PrivateAddress::Undisclosed.to_string());
            }
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err("a URL without a host".to_owned()),
        };
        let is_permitted = self.addresses.contains(&address) && self.permits_place(url);
        match (is_private(address) && !is_permitted, &self.places) {
            (false, _) => Ok(()),
            (true, None) => Err(PrivateAddress::Named(address.to_string()).to_string()),
            (true, Some(_)) => Err(PrivateAddress::Undisclosed.to_string()),
        }
    }

    /// Whether the configuration names the host of this URL.
    pub(super) fn lists(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.addresses.contains(&IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.addresses.contains(&IpAddr::V6(address)),
            Some(Host::Domain(name)) => self.permits_name(name),
            None => false,
        }
    }

    /// Whether errors must not reveal addresses.
    pub(super) fn is_narrowed(&self) -> bool {
        self.places.is_some()
    }

    /// Whether an address that a name resolves to may be asked.
    fn permits(&self, address: IpAddr) -> bool {
        !is_private(address) || (self.places.is_none() && self.addresses.contains(&address))
    }

    fn permits_place(&self, url: &Url) -> bool {
        let host = plain_name(url.host_str().unwrap_or_default());
        let place = url.port_or_known_default().map(|port| (host, port));
        match (&self.places, place) {
            (None, _) => true,
            (Some(places), Some(place)) => places.contains(&place),
            (Some(_), None) => false,
        }
    }

    /// The error for a host that may not be asked.
    fn refusal(&self, what: String) -> PrivateAddress {
        match &self.places {
            None => PrivateAddress::Named(what),
            Some(_) => PrivateAddress::Undisclosed,
        }
    }

    fn permits_name(&self, name: &str) -> bool {
        self.names.contains(&plain_name(name))
    }
}

/// A name for comparison: in lower case, without the final dot.
fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// The error for a host that only has private addresses.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrivateAddress {
    /// For a maintainer: with the address and the remedy.
    #[error(
        "{0} is a private address; if you mean it, add it to allow_private_hosts under [network]"
    )]
    Named(String),
    /// For people in chat: it does not reveal whether the name exists.
    #[error("no public address is known for this host")]
    Undisclosed,
}

/// The connections' resolver: it returns only addresses that may be asked.
pub(super) struct GuardedResolver {
    allowed: Arc<Allowed>,
    lookup: Lookup,
}

impl GuardedResolver {
    pub(super) fn new(allowed: Arc<Allowed>, lookup: Lookup) -> Self {
        Self { allowed, lookup }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.allowed);
        let name = name.as_str().to_owned();
        let looking_up = (self.lookup)(name.clone());
        Box::pin(async move {
            let found = match looking_up.await {
                Err(_) if allowed.places.is_some() => Vec::new(),
                found => found?,
            };
            let usable = usable(&allowed, &name, &found)?;
            let addresses = usable
                .into_iter()
                .map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The addresses of `name` that may be connected to.
pub(super) fn usable(
    allowed: &Allowed,
    name: &str,
    found: &[IpAddr],
) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
    let Some(first) = found.first() else {
        return Err(match &allowed.places {
            None => "the name has no address".into(),
            Some(_) => Box::new(PrivateAddress::Undisclosed),
        });
    };
    if allowed.permits_name(name) {
        return Ok(found.to_vec());
    }
    let usable: Vec<IpAddr> = found
        .iter()
        .copied()
        .filter(|&address| allowed.permits(address))
        .collect();
    if usable.is_empty() {
        return Err(Box::new(allowed.refusal(format!("{name} ({first})"))));
    }
    Ok(usable)
}

/// Whether an address is not a public host's, by the special-purpose registries of IANA, strictly read.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        // This network, private, loopback, link-local (where clouds keep their credentials), private again.
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] => true,
        [172, b, ..] => (16..=31).contains(&b),
        // Carrier-grade NAT.
        [100, b, ..] => (64..=127).contains(&b),
        // Protocol assignments, documentation, the relays of 6to4.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Benchmarking.
        [198, 18 | 19, ..] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    }
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // Addresses that carry an IPv4 address are as private as that: mapped, NAT64 (how a network without IPv4
        // reaches a host without IPv6), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_private_v4(embedded(high, low))
        }
        [0x2002, high, low, ..] => is_private_v4(embedded(high, low)),
        // Protocol assignments, among them Teredo and benchmarking; documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => true,
        // Nothing outside 2000::/3 is a public host: loopback, unspecified, IPv4-compatible, unique local, link-local,
        // site-local, multicast and unassigned addresses.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("the test's URL is well-formed")
    }

    #[test]
    fn private_addresses_are_refused_in_every_spelling() {
        let allowed = Allowed::default();
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.0.1./",
            "http://0x7f.0.0.1/",
            "http://2130706433/",
            "http://017700000001/",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://0/",
            "http://0.0.0.0/",
            "http://10.1.2.3/",
            "http://172.16.0.1/",
            "http://172.31.255.255/",
            "http://192.168.1.1:8080/",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://100.127.255.255/",
            "http://192.0.0.8/",
            "http://192.0.2.1/",
            "http://198.51.100.1/",
            "http://203.0.113.1/",
            "http://198.18.0.1/",
            "http://198.19.255.255/",
            "http://224.0.0.1/",
            "http://240.0.0.1/",
            "http://255.255.255.255/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::127.0.0.1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a00:1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[64:ff9b:1::1]/",
            "http://[2002:7f00:1::]/",
            "http://[2001:0:4136:e378::1]/",
            "http://[2001:db8::1]/",
            "http://[3fff::1]/",
            "http://[fc00::1]/",
            "http://[fd12:3456::1]/",
            "http://[fe80::1]/",
            "http://[fec0::1]/",
            "http://[ff02::1]/",
        ] {
            let why = allowed.check(&url(text)).expect_err(text);
            assert!(why.contains("allow_private_hosts"), "{text}: {why}");
        }
    }

    #[test]
    fn public_addresses_and_names_pass() {
        let allowed = Allowed::default();
        for text in [
            "http://1.1.1.1/",
            "https://100.63.255.255/",
            "https://100.128.0.1/",
            "http://172.15.0.1/",
            "http://172.32.0.1/",
            "http://192.0.1.1/",
            "http://198.17.0.1/",
            "http://223.255.255.255/",
            "http://[2606:4700::1111]/",
            "http://[2001:200::1]/",
            "http://[64:ff9b::1.1.1.1]/",
            "http://[::ffff:1.1.1.1]/",
            "https://example.org/",
        ] {
            assert_eq!(allowed.check(&url(text)), Ok(()), "{text}");
        }
    }

    #[test]
    fn only_http_and_https_are_read() {
        for text in ["file:///etc/passwd", "ftp://example.org/", "data:,x"] {
            let why = Allowed::default().check(&url(text)).expect_err(text);
            assert!(why.contains("only http and https"), "{why}");
        }
    }

    #[test]
    fn the_allow_list_names_hosts_in_any_spelling() {
        let list = ["[::1]", "10.0.0.7", "Mirror.LAN", "fd00::2"].map(str::to_owned);
        let allowed = Allowed::new(&list);
        for text in ["http://[::1]/", "http://10.0.0.7/", "http://[fd00:0::2]/"] {
            assert_eq!(allowed.check(&url(text)), Ok(()), "{text}");
        }
        assert!(allowed.check(&url("http://10.0.0.8/")).is_err());
        assert!(allowed.permits_name("mirror.lan."));
        assert!(!allowed.permits_name("other.lan"));
    }

    #[test]
    fn feeds_from_chat_reach_no_further_than_the_files_feeds() {
        let list = ["127.0.0.1", "10.0.0.7", "mirror.lan", "::1"].map(str::to_owned);
        let places = [
            ("127.0.0.1".to_owned(), 8080),
            ("Mirror.LAN".to_owned(), 443),
            ("[::1]".to_owned(), 80),
        ];
        let allowed = Allowed::narrowed(&list, &places);
        for good in [
            "http://127.0.0.1:8080/x",
            "https://mirror.lan/",
            "http://[::1]/",
            "https://example.org/",
            "http://1.1.1.1:22/",
        ] {
            assert_eq!(allowed.check(&url(good)), Ok(()), "{good}");
        }
        for bad in [
            "http://127.0.0.1/",
            "http://127.0.0.1:22/",
            "http://10.0.0.7/",
            "http://mirror.lan/",
            "http://[::1]:8080/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/",
        ] {
            let why = allowed.check(&url(bad)).expect_err(bad);
            assert_eq!(why, "no public address is known for this host", "{bad}");
        }
        let address = |text: &str| text.parse::<IpAddr>().expect("the test's address");
        // A stranger's name for a host of ours, a name of our own, and no name at all: nobody learns which it was.
        for found in [
            vec![address("10.0.0.7")],
            vec![address("192.168.1.1")],
            Vec::new(),
        ] {
            let why = usable(&allowed, "evil.example", &found).expect_err("nothing public");
            assert_eq!(why.to_string(), "no public address is known for this host");
        }
        let both = [address("10.0.0.7"), address("1.1.1.1")];
        let public = usable(&allowed, "evil.example", &both).map_err(|e| e.to_string());
        assert_eq!(public, Ok(vec![address("1.1.1.1")]));
    }

    #[test]
    fn a_name_gives_only_the_addresses_that_may_be_used() {
        let address = |text: &str| text.parse::<IpAddr>().expect("the test's address");
        let check = |list: &[&str], found: &[&str], want: Result<&[&str], &str>| {
            let list: Vec<String> = list.iter().map(|&host| host.to_owned()).collect();
            let found: Vec<IpAddr> = found.iter().map(|text| address(text)).collect();
            let got = usable(&Allowed::new(&list), "a.example", &found).map_err(|e| e.to_string());
            match want {
                Ok(want) => {
                    let want: Vec<IpAddr> = want.iter().map(|text| address(text)).collect();
                    assert_eq!(got, Ok(want));
                }
                Err(want) => assert!(got.as_ref().is_err_and(|e| e.contains(want)), "{got:?}"),
            }
        };
        check(&[], &["1.1.1.1"], Ok(&["1.1.1.1"]));
        check(&[], &["10.0.0.1", "1.1.1.1", "::1"], Ok(&["1.1.1.1"]));
        check(&[], &["10.0.0.1"], Err("a.example (10.0.0.1) is a private"));
        check(&[], &[], Err("no address"));
        check(&["10.0.0.1"], &["10.0.0.1", "10.0.0.2"], Ok(&["10.0.0.1"]));
        let both: &[&str] = &["10.0.0.1", "::1"];
        check(&["A.example"], both, Ok(both));
    }
}

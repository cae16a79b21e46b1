//! The client of a request.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::HeaderMap;

/// The header in which a proxy names its client.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that counts for a request, or its network for IPv6. `peer` is the other end of the connection. A proxy on this
/// machine or in the private network names its client; of a list, the last address is the one that the proxy saw itself.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    let named = || {
        let last = headers.get_all(FORWARDED_FOR).iter().next_back()?;
        let last = last.to_str().ok()?.rsplit(',').next()?;
        last.trim().parse::<IpAddr>().ok()
    };
    let client = match is_near(peer) {
        true => named().unwrap_or(peer),
        false => peer,
    };
    network_of(client.to_canonical())
}

/// Whether an address may be that of our own proxy.
fn is_near(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    }
}

/// A person has a whole network of IPv6.
fn network_of(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_near_proxy_is_believed_and_a_network_of_ipv6_is_one_client() {
        #[rustfmt::skip]
        let table = [
            ("198.51.100.7", &[][..], "198.51.100.7"),
            ("198.51.100.7", &["192.0.2.1"], "198.51.100.7"),
            ("203.0.113.9", &[], "203.0.113.9"),
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("127.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["192.0.2.9, 192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["192.0.2.9", "192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["10.9.9.9, 198.51.100.1"], "198.51.100.1"),
            ("127.0.0.1", &["nonsense"], "127.0.0.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["unknown"], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::"),
            ("::1", &["2001:db8:1:2:ffff::9"], "2001:db8:1:2::"),
            ("::1", &["2001:db8:1:2:ffff::1"], "2001:db8:1:2::"),
        ];
        for (peer, forwarded, wanted) in table {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
            }
            let found = client(peer.parse().expect("an address"), &headers);
            assert_eq!(found.to_string(), wanted, "{peer} {forwarded:?}");
        }
    }
}

//! The rate limit of the API: for each address a burst, then one request per interval. The table of addresses is bounded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;

use axum::extract::Request;
use chrono::{DateTime, TimeDelta, Utc};

use crate::web::serve::PeerAddress;

/// The most addresses that are remembered. When it is reached, those whose burst is full again are forgotten first.
const CLIENTS_MAX: usize = 10_000;
/// The header in which a proxy names its client.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// How often one address may ask.
#[derive(Debug, Clone, Copy)]
pub struct ApiAllowance {
    /// So many requests at once …
    pub burst: i32,
    /// … and then one per interval.
    pub every: TimeDelta,
}

impl Default for ApiAllowance {
    fn default() -> Self {
        Self {
            burst: 120,
            every: TimeDelta::milliseconds(500),
        }
    }
}

/// When each address has its whole burst again.
pub(super) struct Requests {
    rate: ApiAllowance,
    full_at: Mutex<HashMap<IpAddr, DateTime<Utc>>>,
}

impl Requests {
    pub(super) fn new(rate: ApiAllowance) -> Self {
        Self {
            rate,
            full_at: Mutex::default(),
        }
    }

    /// Counts a request of an address. If it asks too often, returns the seconds to wait.
    pub(super) fn count(&self, client: IpAddr, now: DateTime<Utc>) -> Result<(), u32> {
        let ApiAllowance { burst, every } = self.rate;
        let mut clients = self.full_at.lock().expect("no holder of the table panics");
        if clients.len() >= CLIENTS_MAX {
            clients.retain(|_, full_at| *full_at > now);
        }
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        let whole = every * burst;
        let full_at = clients.entry(client).or_insert(now);
        // After a clock was set back, nobody waits longer than for a whole burst.
        let next = (*full_at).clamp(now, now + whole) + every;
        let over = next - (now + whole);
        if over > TimeDelta::zero() {
            let seconds = (over.num_milliseconds() + 999) / 1_000;
            return Err(u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        *full_at = next;
        Ok(())
    }
}

/// The address that counts for a request. A proxy on this machine or in the private network names its client; of a list,
/// the last address is the one that the proxy saw itself.
pub(super) fn client(request: &Request) -> IpAddr {
    const UNKNOWN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let peer = request.extensions().get::<PeerAddress>();
    let peer = peer.map_or(UNKNOWN, |peer| peer.0.to_canonical());
    let named = || {
        let lines = request.headers().get_all(FORWARDED_FOR);
        let last = lines.iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
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
    use axum::body::Body;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time")
    }

    #[test]
    fn a_burst_is_followed_by_one_request_per_interval_and_others_are_not_held() {
        let rate = ApiAllowance {
            burst: 3,
            every: TimeDelta::seconds(10),
        };
        let requests = Requests::new(rate);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().expect("an address"));
        for _ in 0..3 {
            assert_eq!(requests.count(one, at(0)), Ok(()));
        }
        assert_eq!(requests.count(one, at(0)), Err(10));
        assert_eq!(requests.count(one, at(8)), Err(2));
        assert_eq!(requests.count(other, at(8)), Ok(()));
        assert_eq!(requests.count(one, at(10)), Ok(()));
        assert_eq!(requests.count(one, at(11)), Err(9));
        assert_eq!(
            requests.count(one, at(-900)),
            Err(10),
            "the clock was set back"
        );
        assert_eq!(requests.count(one, at(60)), Ok(()));
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let requests = Requests::new(ApiAllowance::default());
        for number in 0..3 * u32::try_from(CLIENTS_MAX).expect("a number") {
            let client = IpAddr::V4(number.into());
            assert_eq!(requests.count(client, at(0)), Ok(()));
            let clients = requests.full_at.lock().expect("a table");
            assert!(clients.len() <= CLIENTS_MAX);
        }
    }

    #[test]
    fn only_a_near_proxy_is_believed_and_a_network_of_ipv6_is_one_client() {
        let client_of = |peer: &str, forwarded: &[&str]| {
            let mut request = Request::new(Body::empty());
            let peer = peer.parse().expect("an address");
            request.extensions_mut().insert(PeerAddress(peer));
            for line in forwarded {
                let value = line.parse().expect("a value");
                request.headers_mut().append(FORWARDED_FOR, value);
            }
            client(&request).to_string()
        };
        for (peer, forwarded, wanted) in [
            ("198.51.100.7", &["192.0.2.1"][..], "198.51.100.7"),
            ("127.0.0.1", &["192.0.2.9, 192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["192.0.2.9", "192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("127.0.0.1", &["unknown"], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", &[], "2001:db8:1:2::"),
            ("::1", &["2001:db8:1:2:ffff::9"], "2001:db8:1:2::"),
        ] {
            assert_eq!(client_of(peer, forwarded), wanted, "{peer} {forwarded:?}");
        }
    }
}

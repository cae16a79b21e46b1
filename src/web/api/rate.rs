//! The rate limit of the API: for each address a burst, then one request per interval.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::rate::RateLimit;

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

/// Counts the requests of each address.
pub(super) struct Requests {
    every: TimeDelta,
    limit: RateLimit<IpAddr>,
}

impl Requests {
    pub(super) fn new(rate: ApiAllowance) -> Self {
        Self {
            every: rate.every,
            limit: RateLimit::new(rate.burst),
        }
    }

    /// Counts a request of an address. If it asks too often, returns the seconds to wait.
    pub(super) fn count(&self, client: IpAddr, now: DateTime<Utc>) -> Result<(), u32> {
        let counted = self.limit.take(client, self.every, now);
        counted.map_err(|too_fast| {
            let seconds = (too_fast.wait.num_milliseconds() + 999) / 1_000;
            u32::try_from(seconds).unwrap_or(u32::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::PEOPLE_MAX;

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
        for number in 0..3 * u32::try_from(PEOPLE_MAX).expect("a number") {
            let client = IpAddr::V4(number.into());
            assert_eq!(requests.count(client, at(0)), Ok(()));
            assert!(requests.limit.remembered() <= PEOPLE_MAX);
        }
    }
}

//! How fast one account may send: some messages at once, then one per gap, which homeservers allow by default.

use std::time::Duration;

use tokio::time::Instant;

/// Homeservers allow ten. One is kept back: on its way a message may catch up with those before it.
const BURST: u32 = 9;

/// A bucket of turns.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    /// When the bucket is full again.
    full_at: Option<Instant>,
}

impl Pace {
    /// A full bucket; no gap is no limit.
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, full_at: None }
    }

    /// Takes a turn, or tells how long until there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let empty = self.gap * (BURST - 1);
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let over = (full_at - now).saturating_sub(empty);
        if !over.is_zero() {
            return Err(over);
        }
        self.full_at = Some(full_at + self.gap);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_at_once_then_one_per_gap() {
        let mut pace = Pace::new(Duration::from_secs(5));
        let start = Instant::now();
        for _ in 0..9 {
            assert_eq!(pace.take(start), Ok(()));
        }
        assert_eq!(pace.take(start), Err(Duration::from_secs(5)));
        let later = start + Duration::from_secs(5);
        assert_eq!(pace.take(later), Ok(()));
        assert_eq!(pace.take(later), Err(Duration::from_secs(5)));
        let much_later = start + Duration::from_secs(3600);
        let taken = (0..50).take_while(|_| pace.take(much_later).is_ok());
        assert_eq!(taken.count(), 9, "a rest fills the bucket, and no more");
    }

    #[test]
    fn no_gap_is_no_limit() {
        let mut pace = Pace::new(Duration::ZERO);
        assert!((0..1000).all(|_| pace.take(Instant::now()).is_ok()));
    }
}

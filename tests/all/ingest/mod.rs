//! Reading as a whole: feeds that misbehave end in a clear recorded state and harm no other, nothing is missed, nothing
//! is kept or told twice.

mod breaks;
mod failures;
mod identity;
mod order;
mod posts;
mod seeds;
mod strange;
mod together;
mod windows;

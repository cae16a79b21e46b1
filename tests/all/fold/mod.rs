//! Items folded into stories, through a real database, in many orders.

pub(crate) mod desk;
mod lives;
mod machines;
pub(crate) mod order;
mod series;

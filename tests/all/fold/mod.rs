//! Items folded into stories, through a real database, in many orders.

mod desk;
mod lives;
mod order;
mod series;

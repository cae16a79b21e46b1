//! Items folded into stories, through a real database, in many orders.

mod cache;
mod growth;
mod lives;
mod machines;
pub(crate) mod order;
pub(crate) mod scenario;
mod series;
mod shapes;
#[expect(dead_code, reason = "the bench takes in whole years")]
#[path = "../../../benches/made/years.rs"]
mod years;

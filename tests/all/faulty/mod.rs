//! Upstreams with small faults: a page that is cut off, a query that is ignored, a wrong clock. Every loss is recorded as a
//! gap, and gaps heal when the upstream has recovered.

mod archive;
mod repository;
mod told;
mod tree;

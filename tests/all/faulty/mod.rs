//! Upstreams that are a little wrong: a page that is cut off, a query that is ignored, a wrong clock. Nothing may be lost without
//! a gap, and gaps must heal when the upstream has recovered.

mod archive;
mod repository;
mod told;
mod tree;

//! The prose of a mail or commit message: what people wrote, without diffs.

/// The most text kept of one item. Long review threads quote much; beyond this nobody reads.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

//! Compression (zstd). Each thread creates its contexts once, because creating one takes longer than compressing a
//! short text.

use std::cell::RefCell;

use anyhow::Context as _;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::get_frame_content_size;

/// zstd's default: higher levels save 2 % of short texts and take twice as long.
const LEVEL: i32 = 3;
/// Larger contents are unpacked as a stream, not into one buffer of the announced size.
const AT_ONCE_BYTES_MAX: u64 = 16 * 1024 * 1024;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses. Equal input gives equal output.
pub(super) fn pack(plain: &[u8]) -> anyhow::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(Compressor::new(LEVEL)?),
        };
        compressor.compress(plain).context("compressing")
    })
}

pub(super) fn unpack(packed: &[u8]) -> anyhow::Result<Vec<u8>> {
    let Ok(Some(size @ ..=AT_ONCE_BYTES_MAX)) = get_frame_content_size(packed) else {
        return zstd::decode_all(packed).context("unpacking");
    };
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(Decompressor::new()?),
        };
        let size = usize::try_from(size)?;
        decompressor.decompress(packed, size).context("unpacking")
    })
}

/// Concatenated values, for a statement that takes many of them.
#[derive(Default)]
pub(super) struct EndToEnd(pub(super) Vec<u8>);

impl EndToEnd {
    /// Adds a value. Returns its position, counted from 1 as in SQLite, and its length.
    pub(super) fn put(&mut self, value: &[u8]) -> (usize, usize) {
        let at = self.0.len() + 1;
        self.0.extend_from_slice(value);
        (at, value.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_data_is_unpacked_and_damaged_data_is_an_error() {
        for plain in [b"".as_slice(), b"short", &[7; 100_000]] {
            let packed = pack(plain).expect("room in memory");
            assert_eq!(packed, pack(plain).expect("room in memory"), "equal bytes");
            assert_eq!(unpack(&packed).expect("whole"), plain);
            let cut = &packed[..packed.len() - 1];
            assert!(unpack(cut).is_err());
        }
        assert!(unpack(b"no frame at all").is_err());
        assert_eq!(
            unpack(&pack(b"still well").expect("room")).expect("whole"),
            b"still well"
        );
    }
}

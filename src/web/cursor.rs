//! The place in a list at which its next page begins, as an opaque text. A person could guess its parts, so it only ever
//! names a place: no filter and no right.

use sha2::{Digest as _, Sha256};

use crate::item::hex;

/// Precedes the bytes in the checksum; another form of cursors needs another one.
const FORM: &[u8] = b"bpfnews cursor 1";
/// Bytes of the checksum, which finds cursors that were cut or made up.
const CHECK_BYTES: usize = 4;
/// The letter of its list, and two numbers.
const BYTES: usize = 1 + 8 + 8;

/// A place in a list: behind the last entry that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a list by time.
    Time { last_at: i64, number: i64 },
    /// In a list by number.
    Number(i64),
    /// Behind so many matches of a search.
    Rank(i64),
}

pub(super) struct Cursor;

impl Cursor {
    pub(super) fn write(place: Place) -> String {
        let (letter, first, second) = match place {
            Place::Time { last_at, number } => (b't', last_at, number),
            Place::Number(number) => (b'n', number, 0),
            Place::Rank(skip) => (b'r', skip, 0),
        };
        let mut bytes = vec![letter];
        bytes.extend(first.to_be_bytes());
        bytes.extend(second.to_be_bytes());
        bytes.extend(check(&bytes));
        hex(&bytes)
    }

    /// Reads a cursor as [`Cursor::write`] wrote it; `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Place> {
        let digits = text.as_bytes();
        if digits.len() != 2 * (BYTES + CHECK_BYTES) || !digits.is_ascii() {
            return None;
        }
        let pairs = digits.chunks_exact(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let bytes = bytes?;
        let number = |at: usize| bytes[at..at + 8].try_into().ok().map(i64::from_be_bytes);
        let place = match (bytes[0], number(1)?, number(9)?) {
            (b't', last_at, number) => Place::Time { last_at, number },
            (b'n', number, 0) => Place::Number(number),
            (b'r', skip @ 0.., 0) => Place::Rank(skip),
            _ => return None,
        };
        (Self::write(place) == text).then_some(place)
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Sha256::new().chain_update(FORM).chain_update(bytes);
    let digest = digest.finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_comes_back_and_a_changed_cursor_is_none(first: i64, second: i64, at in 0_usize..42) {
            let places = [
                Place::Time { last_at: first, number: second },
                Place::Number(first),
                Place::Rank(first.saturating_abs()),
            ];
            for place in places {
                let text = Cursor::write(place);
                prop_assert_eq!(Cursor::parse(&text), Some(place));
                let mut changed = text.clone().into_bytes();
                changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
                let changed = String::from_utf8(changed).expect("digits");
                prop_assert_eq!(Cursor::parse(&changed), None);
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,60}") {
            prop_assert!(Cursor::parse(&text).is_none());
        }
    }

    #[test]
    fn a_cursor_is_written_in_one_way() {
        let text = Cursor::write(Place::Number(255));
        assert_eq!(Cursor::parse(&text.to_uppercase()), None);
        assert_eq!(Cursor::parse(&text[1..]), None);
    }
}

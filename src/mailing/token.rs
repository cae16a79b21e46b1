//! Codes in links, in return paths and in Message-IDs. Each is made with a secret of its subscriber, so nobody can guess one, and
//! a subscriber who is erased leaves only codes that mean nothing.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::item::hex;

/// The bytes of a secret.
pub(super) const SECRET_BYTES: usize = 32;
/// Hexadecimal digits of a code: 128 bits, and 80 in a return path, which servers limit to 64 bytes.
const DIGITS: usize = 32;
const BOUNCE_DIGITS: usize = 20;
/// The longest token that is read.
const TOKEN_BYTES_MAX: usize = 100;

/// The purpose of a code. A code for one purpose is of no use for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To turn mail on.
    Confirm,
    /// To turn mail off.
    Leave,
    /// To find the subscriber of a bounced mail.
    Bounce,
    /// To recognise a mail that was sent twice.
    Message,
    /// To fill in the form.
    Form,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Leave => "leave",
            Self::Bounce => "bounce",
            Self::Message => "message",
            Self::Form => "form",
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Bounce => BOUNCE_DIGITS,
            Self::Confirm | Self::Leave | Self::Message | Self::Form => DIGITS,
        }
    }
}

/// Random bytes that nobody can foresee.
///
/// # Errors
///
/// Returns an error if the system has none.
pub(super) fn new_secret() -> anyhow::Result<[u8; SECRET_BYTES]> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret)
        .map_err(|error| anyhow::anyhow!("asking the system for random bytes: {error}"))?;
    Ok(secret)
}

/// The code for a purpose in hexadecimal digits.
pub(super) fn code(secret: &[u8], purpose: Purpose, what: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length will do");
    // The words contain no line break, so two purposes never share an input.
    mac.update(purpose.word().as_bytes());
    mac.update(b"\n");
    mac.update(what.as_bytes());
    let bytes = mac.finalize().into_bytes();
    hex(&bytes)[..purpose.digits()].to_owned()
}

/// Whether `given` is the code, compared in a time that does not depend on it.
pub(super) fn is_code(secret: &[u8], purpose: Purpose, what: &str, given: &str) -> bool {
    let right = code(secret, purpose, what);
    right.as_bytes().ct_eq(given.as_bytes()).into()
}

/// A token: a subscriber, the time of its sign-up if that matters, and a code for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) subscriber: i64,
    /// Unix seconds; zero if the token does not expire.
    pub(super) at: i64,
    code: String,
}

impl Token {
    /// The text of a token.
    pub(super) fn write(secret: &[u8], purpose: Purpose, subscriber: i64, at: i64) -> String {
        let code = code(secret, purpose, &format!("{subscriber} {at}"));
        match at {
            0 => format!("{subscriber:x}-{code}"),
            at => format!("{subscriber:x}-{at:x}-{code}"),
        }
    }

    /// Reads the text of a token, which anybody may have written.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let number = |text: &str| {
            let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hex.then(|| i64::from_str_radix(text, 16).ok()).flatten()
        };
        let parts: Vec<&str> = text.split('-').collect();
        let (subscriber, at, code) = match parts.as_slice() {
            [subscriber, code] => (number(subscriber)?, 0, code),
            [subscriber, at, code] => (number(subscriber)?, number(at)?, code),
            _ => return None,
        };
        Some(Self {
            subscriber,
            at,
            code: code.to_ascii_lowercase(),
        })
    }

    /// Whether its code is right.
    pub(super) fn is_good(&self, secret: &[u8], purpose: Purpose) -> bool {
        let what = format!("{} {}", self.subscriber, self.at);
        is_code(secret, purpose, &what, &self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_person_one_purpose_and_one_time() {
        let (ours, other) = ([7; SECRET_BYTES], [8; SECRET_BYTES]);
        for purpose in [Purpose::Confirm, Purpose::Leave, Purpose::Bounce] {
            let text = Token::write(&ours, purpose, 300, 1_735_689_600);
            let token = Token::read(&text).expect("a token");
            assert_eq!((token.subscriber, token.at), (300, 1_735_689_600));
            assert!(token.is_good(&ours, purpose));
            assert!(!token.is_good(&other, purpose), "another person's secret");
            for wrong in [Purpose::Confirm, Purpose::Leave, Purpose::Bounce] {
                assert_eq!(token.is_good(&ours, wrong), wrong == purpose);
            }
            let others = text.replacen("12c-", "12d-", 1);
            let token = Token::read(&others).expect("a token");
            assert!(!token.is_good(&ours, purpose), "another number");
            let later = text.replacen("-677", "-678", 1);
            assert_ne!(later, text);
            assert!(
                !Token::read(&later)
                    .expect("a token")
                    .is_good(&ours, purpose)
            );
        }
        // Servers may change the case of a return path.
        let text = Token::write(&ours, Purpose::Bounce, 300, 0).to_uppercase();
        assert!(
            Token::read(&text)
                .expect("a token")
                .is_good(&ours, Purpose::Bounce)
        );
        let short = Token::write(&ours, Purpose::Leave, 300, 0);
        let short = Token::read(&short[..short.len() - 1]).expect("a token");
        assert!(!short.is_good(&ours, Purpose::Leave));
    }

    #[test]
    fn nonsense_is_no_token() {
        let long = format!("1-{}", "a".repeat(200));
        for text in [
            "",
            "-",
            "1",
            "x-abc",
            "1-2-3-4",
            "-1-abc",
            "+1-abc",
            " 1-abc",
            "ffffffffffffffffff-abc",
            &long,
        ] {
            assert_eq!(Token::read(text), None, "{text}");
        }
        assert!(
            !Token::read("1-")
                .expect("a token without a code")
                .is_good(&[0; 32], Purpose::Leave)
        );
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // Checked with Python's hmac module.
        let code = code(b"key", Purpose::Leave, "1 0");
        assert_eq!(code, "1c2725ac93efd3674d56abebd207107a");
    }
}

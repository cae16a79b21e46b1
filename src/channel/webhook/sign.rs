//! Signatures as the Standard Webhooks specification has them: HMAC-SHA256 over `id.timestamp.body`.

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The beginning of a secret that is written in Base64.
const PREFIX: &str = "whsec_";
/// The fewest bytes of a secret.
const SECRET_BYTES_MIN: usize = 24;

/// A key for signatures.
#[derive(Clone)]
pub struct HookKey(Vec<u8>);

impl HookKey {
    /// Reads a secret: Base64 behind `whsec_`, or any text.
    ///
    /// # Errors
    ///
    /// Returns an error if it is too short, or no Base64.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|error| {
                anyhow::anyhow!("the text behind {PREFIX} is not Base64: {error}")
            })?,
            None => text.as_bytes().to_vec(),
        };
        ensure!(
            bytes.len() >= SECRET_BYTES_MIN,
            "the secret has {} bytes, which can be guessed; make one with: openssl rand -base64 32",
            bytes.len()
        );
        Ok(Self(bytes))
    }

    /// The signature of an event, as its header has it.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The example in the documentation of Standard Webhooks' libraries.
        let secret = HookKey::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("a secret");
        let signed = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            b"{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        for bad in ["", "short", "whsec_???", "whsec_c2hvcnQ="] {
            assert!(HookKey::read(bad).is_err(), "{bad}");
        }
        assert!(HookKey::read("a text of more than twenty-four bytes").is_ok());
    }
}

//! A new key.

use super::digest_of;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;

/// Start of every key, so that one that got lost is recognised for what it is.
const START: &str = "nl_";

/// A new key of 256 bits of the operating system's, and what it hashes to, in hexadecimal.
///
/// # Errors
/// If the operating system has no random bits to give.
pub fn draw() -> std::io::Result<(String, String)> {
    let mut bits = [0; 32];
    OsRng.try_fill_bytes(&mut bits).map_err(std::io::Error::other)?;
    let key = format!("{START}{}", URL_SAFE_NO_PAD.encode(bits));
    let digest = digest_of(&key).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((key, digest))
}

//! What tells one log from another.

/// A new log's identity: 64 random bits as hexadecimal digits.
pub(crate) fn new_log_identity() -> String {
    format!("{:016x}", rand::random::<u64>())
}

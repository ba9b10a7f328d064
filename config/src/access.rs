//! `[access]`: who may call.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `[access]`: who may call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessSection {
    /// File of the keys; empty: none are asked for.
    pub keys_file: String,
    /// Whether listeners beyond loopback may be open to everybody.
    pub insecure: bool,
}

impl AccessSection {
    /// Whether a listener on `ip` may be open without a key: nobody else reaches it, or it is wanted so.
    pub fn may_be_open(&self, ip: IpAddr) -> bool {
        self.insecure || ip.to_canonical().is_loopback()
    }
}

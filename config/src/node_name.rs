//! The name of a node that was given none: the host's, and the port of its API.

use nearline_model::identifier::MAX_ID_BYTES;

/// Where Linux keeps the host's name.
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// A name that this node has again after a restart, so that it takes its partitions back at once; empty
/// (a random one is made) where the host has none, or the port is any.
pub(super) fn of_this_host(http_address: &str) -> String {
    let host = std::fs::read_to_string(HOST_NAME).ok().or_else(|| std::env::var("HOSTNAME").ok());
    named(host.as_deref().unwrap_or_default().trim(), http_address)
}

fn named(host: &str, http_address: &str) -> String {
    let port = http_address.rsplit(':').next().and_then(|port| port.parse::<u16>().ok()).unwrap_or(0);
    if host.is_empty() || port == 0 {
        return String::new();
    }
    let end = format!("-{port}");
    let letter = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let start: String = host.chars().map(letter).take(MAX_ID_BYTES - end.len()).collect();
    start + &end
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::identifier::is_id;

    #[test]
    fn a_name_is_an_id_made_of_host_and_port() {
        assert_eq!(named("web-1.example.org", "0.0.0.0:7700"), "web-1-example-org-7700");
        assert!(is_id(&named(&"x".repeat(300), "[::1]:65535")));
        assert_eq!(named("host", "127.0.0.1:0"), "");
        assert_eq!(named("", "127.0.0.1:7700"), "");
    }
}

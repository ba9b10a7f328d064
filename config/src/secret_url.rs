//! A URL that may hold a password, which never shows in logs.

use serde::{Deserialize, Serialize};

/// One URL, or several separated by commas. `Debug` and `Display` hide user and password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// Wraps `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The URL as it was configured, password included: for connecting, not for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Each of the URLs.
    pub(super) fn each(&self) -> impl Iterator<Item = &str> {
        self.0.split(',').map(str::trim)
    }

    /// The URLs as they may be shown. Where a part without a scheme has an `@`, what is before it may be the password of the URL that
    /// began last, with commas in it: all of that is hidden.
    fn shown(&self) -> Vec<String> {
        let mut whole: Vec<String> = Vec::new();
        let mut begun = 0;
        for part in self.each() {
            if part.contains("://") || !part.contains('@') {
                begun = if part.contains("://") { whole.len() } else { begun };
                whole.push(part.to_owned());
            } else {
                let url = whole.drain(begun..).chain([part.to_owned()]).collect::<Vec<_>>().join(",");
                whole.push(url);
            }
        }
        whole.iter().map(|url| redact(url)).collect()
    }
}

/// `url` with everything up to the last `@` of its authority hidden.
fn redact(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let separator = if scheme.is_empty() { "" } else { "://" };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{separator}***@{host}"),
        None => url.to_owned(),
    }
}

impl std::fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown().join(","))
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_hidden() {
        for (url, shown) in [
            ("redis://:secret@host:6379/0", "redis://***@host:6379/0"),
            ("nats://user:se@cret@host:4222", "nats://***@host:4222"),
            ("nats://token@a:4222,nats://token@b:4222", "nats://***@a:4222,nats://***@b:4222"),
            ("redis://:se/cret@host", "redis://***@host"),
            ("nats://nl:s3cr%t,pw,cret@host:4222", "nats://***@host:4222"),
            ("nats://nl:se,cret@a:4222,nats://b:4222", "nats://***@a:4222,nats://b:4222"),
            ("redis://host:6379", "redis://host:6379"),
            (":secret@host", "***@host"),
        ] {
            assert_eq!(SecretUrl::new(url).to_string(), shown);
            assert!(!format!("{:?}", SecretUrl::new(url)).contains("cret@"));
        }
    }
}

//! The file of keys: who may call, what for, and for how long.
//!
//! It holds what keys hash to, never a key. Whoever reads it can let nobody in.

use nearline_model::timestamp::parse_rfc3339_ms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Bytes of a key's name at most.
const KEY_NAME_BYTES: usize = 64;
/// Keys of one file at most: each caller's is compared with every one of them.
const MOST_KEYS: usize = 1_000;
/// Keys that share a name at most: the one in use, and the one that takes its place.
const MOST_OF_A_NAME: usize = 2;
/// Bytes of the file at most.
const MOST_BYTES: u64 = 1 << 20;

/// What a key is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Sending events, erasing members.
    Publish,
    /// Asking.
    Query,
    /// Putting and withdrawing titles.
    Catalogue,
    /// Looking at what the console shows, and changing nothing.
    View,
    /// All of that, and the operators' routes.
    Admin,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Publish, Self::Query, Self::Catalogue, Self::View, Self::Admin];

    /// Its name, as in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Query => "query",
            Self::Catalogue => "catalogue",
            Self::View => "view",
            Self::Admin => "admin",
        }
    }
}

/// One key: `[[keys]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySection {
    /// Whose it is, for logs, limits and the audit log. Two keys may have one name: the old and the new.
    pub name: String,
    /// What the key hashes to: SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// When it ends, RFC 3339; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Requests a second at most, of all keys of the name together, on each node; none: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
}

impl KeySection {
    /// The hash.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let hex = self.sha256.as_bytes();
        let mut digest = [0; 32];
        if hex.len() != 2 * digest.len() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            let digit = |sign: u8| (sign as char).to_digit(16);
            *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
        }
        Some(digest)
    }

    /// When it ends, in milliseconds since 1970.
    pub fn expires_ms(&self) -> Option<i64> {
        self.expires.as_deref().and_then(|text| parse_rfc3339_ms(text).ok())
    }

    /// What is wrong with it, if anything.
    fn problem(&self) -> Option<String> {
        let is_name = |name: &str| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
            (1..=KEY_NAME_BYTES).contains(&name.len()) && name.bytes().all(known)
        };
        if !is_name(&self.name) {
            return Some(format!(
                "`name` is {:?}; expected 1 to {KEY_NAME_BYTES} of A-Z, a-z, 0-9 and -_.@",
                self.name
            ));
        }
        if self.digest().is_none() {
            // Not shown: whoever writes the key itself there must not find it in a log.
            return Some(
                "`sha256` is no hash; expected 64 hexadecimal digits, as `nearline key new` prints".into(),
            );
        }
        if self.scopes.is_empty() {
            return Some("`scopes` is empty; expected some of publish, query, catalogue, admin".into());
        }
        if let Some(text) = &self.expires
            && let Err(problem) = parse_rfc3339_ms(text)
        {
            return Some(format!("`expires`: {problem}"));
        }
        (self.requests_per_second == Some(0))
            .then(|| "`requests_per_second` is 0; expected 1 or more, or no such line".into())
    }
}

/// Why a file of keys was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It could not be read.
    #[error(
        "the keys of `access.keys_file`, {path}, cannot be read: {detail}; check the path and its permissions"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What happened.
        detail: String,
    },
    /// It had keys, and has none.
    #[error(
        "`access.keys_file`, {0}, has no keys any more; where it still has none in two seconds, nobody is let in"
    )]
    Empty(String),
    /// It is no list of keys.
    #[error("the keys of `access.keys_file`, {path}, are refused: {detail}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, and where.
        detail: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    #[serde(default)]
    keys: Vec<KeySection>,
}

/// The keys of a file, checked.
///
/// # Errors
/// Why it cannot be read, or the first thing that is wrong, without what the line holds.
pub fn read_keys(path: &Path) -> Result<Vec<KeySection>, KeysError> {
    let shown = path.display().to_string();
    let unreadable = |detail: String| KeysError::Unreadable { path: shown.clone(), detail };
    let length = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > MOST_BYTES {
        return Err(unreadable(format!("it has {length} bytes, and {MOST_BYTES} are taken")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    keys_of(&text).map_err(|detail| KeysError::Malformed { path: shown, detail })
}

/// A key, as it stands in the file.
pub fn key_text(key: KeySection) -> String {
    toml::to_string(&KeysFile { keys: vec![key] }).expect("a table of scalars and lists of them")
}

/// The keys that the text of a file has.
///
/// # Errors
/// The first thing that is wrong, without what the line holds.
pub fn keys_of(text: &str) -> Result<Vec<KeySection>, String> {
    let file: KeysFile = toml::from_str(text).map_err(|error| {
        // The error's own text quotes the line, which may hold a key.
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        format!("line {}: {}", text[..at].matches('\n').count() + 1, error.message())
    })?;
    if file.keys.len() > MOST_KEYS {
        return Err(format!("there are {} keys; expected {MOST_KEYS} at most", file.keys.len()));
    }
    let mut named: BTreeMap<&str, Vec<&KeySection>> = BTreeMap::new();
    for (index, key) in file.keys.iter().enumerate() {
        let place = |problem: &str| format!("[[keys]] number {}: {problem}", index + 1);
        if let Some(problem) = key.problem() {
            return Err(place(&problem));
        }
        let others = named.entry(&key.name).or_default();
        if others.len() == MOST_OF_A_NAME {
            return Err(place(&format!(
                "{:?} has {MOST_OF_A_NAME} keys already, the old and the new one; take one out",
                key.name
            )));
        }
        if others.iter().any(|other| other.requests_per_second != key.requests_per_second) {
            return Err(place(&format!(
                "`requests_per_second` differs from the other key of {:?}, which it is shared with",
                key.name
            )));
        }
        others.push(key);
    }
    let mut digests: Vec<_> = file.keys.iter().filter_map(KeySection::digest).collect();
    digests.sort_unstable();
    if digests.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("one key stands there twice; give every caller a key of its own".to_owned());
    }
    Ok(file.keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, digit: char, more: &str) -> String {
        let sha256 = digit.to_string().repeat(64);
        format!("[[keys]]\nname = \"{name}\"\nsha256 = \"{sha256}\"\nscopes = [\"query\"]\n{more}\n")
    }

    #[test]
    fn an_old_and_a_new_key_may_share_a_name_and_a_third_may_not() {
        let two = key("player", 'a', "") + &key("player", 'b', "expires = \"2027-01-01T00:00:00Z\"");
        let keys = keys_of(&two).expect("two");
        assert_eq!((keys[0].digest(), keys[0].expires_ms()), (Some([0xaa; 32]), None));
        assert_eq!(keys[1].expires_ms(), Some(1_798_761_600_000));
        let third = keys_of(&(two + &key("player", 'c', ""))).expect_err("too many");
        assert!(third.contains("number 3") && third.contains("take one out"), "{third}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place_and_without_what_it_holds() {
        let secret = "nl_secretsecretsecret";
        for (text, says) in [
            (key("a b", 'a', ""), "`name` is \"a b\""),
            (key("a", 'a', "").replace(&"a".repeat(64), secret), "`sha256` is no hash"),
            (key("a", 'a', "").replace("\"query\"", ""), "`scopes` is empty"),
            (key("a", 'a', "").replace("\"query\"", "\"root\""), "line 4"),
            (key("a", 'a', "expires = \"tomorrow\""), "`expires`: \"tomorrow\" is no"),
            (key("a", 'a', "requests_per_second = 0"), "1 or more"),
            (key("a", 'a', "colour = 1"), "line"),
            (key("a", 'a', "") + &key("b", 'a', ""), "twice"),
            (key("a", 'a', "") + &key("a", 'b', "requests_per_second = 5"), "differs from the other key"),
            (format!("{}key = {secret}", key("a", 'a', "")), "line 6"),
        ] {
            let error = keys_of(&text).expect_err(says);
            assert!(error.contains(says), "{says}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(keys_of("").expect("none"), []);
    }
}

//! Keys of callers: whose it is, whether they may, and whether not too often.
//!
//! A key is 256 random bits. What is kept of it is its SHA-256: of so many bits no slow hash is needed, since none can be
//! guessed. Every comparison takes the same time, and goes through all keys.

mod drawn;

pub use drawn::draw;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use nearline_config::{AccessSection, KeySection, KeysError, Scope, read_keys};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Time between two looks at the file.
pub const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Who calls: the name of a key, or nobody that is known where none is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller(pub Option<Arc<str>>);

/// Why a caller is turned away.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key was shown.
    #[error("a key is asked for here; send it as `Authorization: Bearer nl_…`")]
    Missing,
    /// It is none of the keys.
    #[error("the key is not known; ask whoever runs this for another one")]
    Unknown,
    /// It has ended.
    #[error("the key of {0:?} has ended; ask whoever runs this for another one")]
    Ended(Arc<str>),
    /// It is for something else.
    #[error("the key of {0:?} may not do this; it needs the scope {scopes}", scopes = either(.1))]
    NotFor(Arc<str>, Vec<Scope>),
    /// More requests than were agreed on.
    #[error("{0:?} may send {1} requests a second, and sent more; try again after `Retry-After`")]
    TooOften(Arc<str>, u32, Duration),
}

fn either(scopes: &[Scope]) -> String {
    let names: Vec<String> = scopes.iter().map(|scope| format!("`{}`", scope.name())).collect();
    names.join(" or ")
}

impl Refusal {
    /// One word, for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unknown => "unknown",
            Self::Ended(_) => "ended",
            Self::NotFor(..) => "scope",
            Self::TooOften(..) => "rate",
        }
    }
}

/// Whoever was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Who it is.
    pub caller: Caller,
    /// Whether they may do everything.
    pub is_admin: bool,
}

/// One key, as it is compared.
struct Key {
    name: Arc<str>,
    digest: [u8; 32],
    scopes: Vec<Scope>,
    ends_ms: Option<i64>,
    limit: Option<Arc<Limit>>,
}

/// Requests that all keys of a name may send together.
struct Limit {
    per_second: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
}

/// The keys as the file had them last.
struct Keys {
    read: Vec<KeySection>,
    keys: Vec<Key>,
}

impl Key {
    fn is_admin(&self) -> bool {
        self.scopes.contains(&Scope::Admin)
    }
}

impl Keys {
    /// The key that is shown, if it is good for one of what `needs` says.
    fn good(&self, shown: Option<&str>, needs: &[Scope], now_ms: i64) -> Result<&Key, Refusal> {
        let digest = digest_of(shown.ok_or(Refusal::Missing)?);
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.digest.ct_eq(&digest)) {
                found = Some(key);
            }
        }
        let key = found.ok_or(Refusal::Unknown)?;
        if key.ends_ms.is_some_and(|ends_ms| ends_ms <= now_ms) {
            return Err(Refusal::Ended(key.name.clone()));
        }
        let may = needs.is_empty() || needs.iter().any(|needs| key.scopes.contains(needs));
        if !key.is_admin() && !may {
            return Err(Refusal::NotFor(key.name.clone(), needs.to_vec()));
        }
        Ok(key)
    }

    /// Whoever keeps name and limit goes on where they were: reading again is no way to get a new allowance.
    fn new(read: Vec<KeySection>, before: Option<&Self>) -> Self {
        let mut limits: HashMap<String, Arc<Limit>> = HashMap::new();
        for key in before.iter().flat_map(|before| &before.keys) {
            limits.extend(key.limit.clone().map(|limit| (key.name.to_string(), limit)));
        }
        let mut limit_of = |section: &KeySection| {
            let per_second = NonZeroU32::new(section.requests_per_second?)?;
            let known = limits.get(&section.name).filter(|limit| limit.per_second == per_second).cloned();
            let limit = known.unwrap_or_else(|| {
                Arc::new(Limit { per_second, limiter: RateLimiter::direct(Quota::per_second(per_second)) })
            });
            limits.insert(section.name.clone(), limit.clone());
            Some(limit)
        };
        let key = |section: &KeySection| {
            Some(Key {
                name: section.name.as_str().into(),
                digest: section.digest()?,
                scopes: section.scopes.clone(),
                ends_ms: section.expires_ms(),
                limit: limit_of(section),
            })
        };
        let keys = read.iter().filter_map(key).collect();
        Self { read, keys }
    }
}

/// The keys that are taken.
pub struct KeyRing {
    file: Option<PathBuf>,
    keys: RwLock<Arc<Keys>>,
    /// Whether the file was empty when it was looked at last, though there are keys.
    is_empty: AtomicBool,
}

impl KeyRing {
    /// Reads the file that is configured, if one is.
    ///
    /// # Errors
    /// Why it was refused.
    pub fn open(section: &AccessSection) -> Result<Self, KeysError> {
        let file = (!section.keys_file.is_empty()).then(|| PathBuf::from(&section.keys_file));
        let read = file.as_deref().map(read_keys).transpose()?.unwrap_or_default();
        if file.is_some() && read.is_empty() {
            tracing::warn!(
                "`access.keys_file` has no key: nobody may call; make one with `nearline key new`"
            );
        }
        Ok(Self { file, keys: RwLock::new(Arc::new(Keys::new(read, None))), is_empty: AtomicBool::default() })
    }

    /// Whether callers need a key.
    pub fn is_asked_for(&self) -> bool {
        self.file.is_some()
    }

    /// Who it is that shows `shown`, if they may do one of what `needs` says right now.
    ///
    /// # Errors
    /// Why they may not.
    pub fn check(&self, shown: Option<&str>, needs: &[Scope], now_ms: i64) -> Result<Caller, Refusal> {
        self.admit(shown, needs, now_ms).map(|admitted| admitted.caller)
    }

    /// As [`Self::check`], and what else the key is for: asked in one go, it counts once against the key's rate.
    ///
    /// # Errors
    /// Why they may not.
    pub fn admit(&self, shown: Option<&str>, needs: &[Scope], now_ms: i64) -> Result<Admitted, Refusal> {
        if !self.is_asked_for() {
            return Ok(Admitted { caller: Caller::default(), is_admin: true });
        }
        let keys = self.keys.read().clone();
        let key = keys.good(shown, needs, now_ms)?;
        let name = || key.name.clone();
        if let Some(limit) = &key.limit
            && let Err(later) = limit.limiter.check()
        {
            let wait = later.wait_time_from(DefaultClock::default().now());
            return Err(Refusal::TooOften(name(), limit.per_second.get(), wait));
        }
        Ok(Admitted { caller: Caller(Some(name())), is_admin: key.is_admin() })
    }

    /// Whether a key that was good still is; asking counts for nothing.
    pub fn is_still_good(&self, shown: Option<&str>, needs: &[Scope], now_ms: i64) -> bool {
        !self.is_asked_for() || self.keys.read().clone().good(shown, needs, now_ms).is_ok()
    }

    /// Reads the file again; what cannot be read or is refused leaves the keys as they were, and is said once.
    pub fn read_again(&self) {
        let Some(file) = &self.file else { return };
        if let Err(error) = self.take(file) {
            metrics::counter!("nearline_keys_read_failures_total").increment(1);
            tracing::error!(%error, "the keys stay as they were");
        }
    }

    fn take(&self, file: &Path) -> Result<(), KeysError> {
        let read = read_keys(file)?;
        let before = self.keys.read().clone();
        // A file that is being written is empty for a moment; one that is still empty at the next look is meant so.
        if !read.is_empty() || before.read.is_empty() {
            self.is_empty.store(false, Relaxed);
        } else if !self.is_empty.swap(true, Relaxed) {
            return Err(KeysError::Empty(file.display().to_string()));
        }
        if before.read != read {
            tracing::info!(event = "keys_read", keys = read.len(), "the keys were read again");
            *self.keys.write() = Arc::new(Keys::new(read, Some(&before)));
        }
        Ok(())
    }

    /// Milliseconds until the next name is without a key that is good, of those whose keys end; below 0: it has been for so long.
    pub fn next_end_ms(&self, now_ms: i64) -> Option<i64> {
        let keys = self.keys.read().clone();
        let mut ends: HashMap<&str, i64> = HashMap::new();
        for key in &keys.keys {
            let end = ends.entry(&key.name).or_insert(i64::MIN);
            *end = key.ends_ms.unwrap_or(i64::MAX).max(*end);
        }
        ends.into_values().filter(|end| *end != i64::MAX).min().map(|end| end - now_ms)
    }
}

/// What a key hashes to.
fn digest_of(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests;

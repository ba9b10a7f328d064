//! A bounded memory of recent results: two generations, the older one dropped when the younger is full.

use hashbrown::HashMap;

/// Values by fingerprint, each until a time. Holds at most the limit; what was not asked for while half
/// of that many came in is forgotten.
#[derive(Debug)]
pub struct Remembered<V> {
    young: HashMap<u64, (i64, V)>,
    old: HashMap<u64, (i64, V)>,
    limit: usize,
    name: &'static str,
}

impl<V: Clone> Remembered<V> {
    /// An empty memory; `name` labels its metric.
    pub fn new(name: &'static str, limit: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), limit: limit.max(2), name }
    }

    /// The value of `key`, if there is one and its time is not over.
    pub fn get(&mut self, key: u64, now_ms: i64) -> Option<V> {
        if let Some((until_ms, value)) = self.young.get(&key) {
            return (now_ms < *until_ms).then(|| value.clone());
        }
        let (until_ms, value) = self.old.remove(&key)?;
        (now_ms < until_ms).then(|| {
            self.put(key, until_ms, value.clone());
            value
        })
    }

    /// Remembers `value` until `until_ms`.
    pub fn put(&mut self, key: u64, until_ms: i64, value: V) {
        if self.young.len() >= self.limit / 2 && !self.young.contains_key(&key) {
            if !self.old.is_empty() {
                metrics::counter!("nearline_artwork_limit_hits_total", "limit" => self.name).increment(1);
            }
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.old.remove(&key);
        self.young.insert(key, (until_ms, value));
    }

    /// Values remembered, those included whose time is over.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_by_time_and_by_number() {
        let mut remembered = Remembered::new("test", 10);
        remembered.put(1, 100, "one");
        assert_eq!(remembered.get(1, 99), Some("one"));
        assert_eq!(remembered.get(1, 100), None);
        remembered.put(2, 1_000, "two");
        for key in 10..40 {
            remembered.put(key, 1_000, "other");
            assert_eq!(remembered.get(2, 0), Some("two"), "what is asked for stays");
            assert!(remembered.len() <= 10);
        }
        assert_eq!(remembered.get(10, 0), None);
    }
}

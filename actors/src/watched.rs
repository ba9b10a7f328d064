//! A value whose changes can be waited for.
//!
//! Like `tokio::sync::watch`, but whoever began to wait first is woken first: that one spreads its
//! waiters at random, and a simulation must depend on its seed alone.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::Notify;

/// The value.
#[derive(Debug)]
pub(crate) struct Watched<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    /// With the number of changes so far.
    value: Mutex<(u64, T)>,
    changed: Notify,
}

impl<T: Clone> Watched<T> {
    /// A value that has not changed yet.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Inner { value: Mutex::new((0, value)), changed: Notify::new() }))
    }

    /// The value now.
    pub fn get(&self) -> T {
        self.0.value.lock().1.clone()
    }

    /// Changes the value.
    pub fn set(&self, value: T) {
        let mut current = self.0.value.lock();
        *current = (current.0 + 1, value);
        drop(current);
        self.0.changed.notify_waiters();
    }

    /// Changes the value if it differs.
    pub fn set_if_new(&self, value: T)
    where
        T: PartialEq,
    {
        if self.0.value.lock().1 != value {
            self.set(value);
        }
    }

    /// Waits for changes from now on.
    pub fn watch(&self) -> Watch<T> {
        Watch { seen: self.0.value.lock().0, watched: Self(self.0.clone()) }
    }
}

/// Waits for changes of one value.
#[derive(Debug)]
pub(crate) struct Watch<T> {
    watched: Watched<T>,
    seen: u64,
}

impl<T: Clone> Watch<T> {
    /// The value now; [`Watch::changed`] waits for what comes after it.
    pub fn look(&mut self) -> T {
        let current = self.watched.0.value.lock();
        self.seen = current.0;
        current.1.clone()
    }

    /// Waits until the value has changed since it was looked at last, and looks. Cancel-safe.
    pub async fn changed(&mut self) -> T {
        let inner = self.watched.0.clone();
        loop {
            let changed = inner.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if inner.value.lock().0 != self.seen {
                return self.look();
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::{LocalSet, spawn_local};

    #[tokio::test]
    async fn a_change_is_seen_whether_it_comes_before_or_while_one_waits() {
        let watched = Watched::new(1);
        let mut watch = watched.watch();
        watched.set(2);
        assert_eq!(watch.changed().await, 2);
        let (seen, ()) = tokio::join!(watch.changed(), async { watched.set(3) });
        assert_eq!(seen, 3);
        watched.set_if_new(3);
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(5), watch.changed()).await;
        assert!(nothing.is_err(), "the same value is no change");
    }

    #[tokio::test]
    async fn whoever_waited_first_is_woken_first() {
        let watched = Watched::new(0);
        let order = Arc::new(Mutex::new(Vec::new()));
        let waiting = async {
            let tasks: Vec<_> = (0..20)
                .map(|number| {
                    let (mut watch, order) = (watched.watch(), order.clone());
                    spawn_local(async move {
                        watch.changed().await;
                        order.lock().push(number);
                    })
                })
                .collect();
            tokio::task::yield_now().await;
            watched.set(1);
            for task in tasks {
                task.await.expect("it does not panic");
            }
        };
        LocalSet::new().run_until(waiting).await;
        assert_eq!(*order.lock(), (0..20).collect::<Vec<_>>());
    }
}

//! What clients publish: events of simulated members, each with an id of its own.

use super::plan::Load;
use nearline_audience::dice::Dice;
use nearline_model::identifier::partition_of;
use nearline_model::timestamp::format_rfc3339;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// An event, ready to be published.
#[derive(Debug, Clone)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// Its member.
    pub member: String,
    /// As JSON.
    pub json: String,
}

/// Makes events, and remembers which were acknowledged.
#[derive(Debug)]
pub struct Workload {
    run: String,
    load: Load,
    started: Instant,
    next: AtomicU64,
    acknowledged: Mutex<Acknowledged>,
    given_up: AtomicU64,
}

#[derive(Debug, Default)]
struct Acknowledged {
    ids: HashSet<String>,
    /// By second of the run.
    by_second: Vec<u64>,
}

/// Unix milliseconds.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl Workload {
    /// Of a load that runs from `started` on; ids of different runs differ.
    pub fn new(load: &Load, seed: u64, started: Instant) -> Self {
        Self {
            run: format!("c{seed}-{:x}", now_ms()),
            load: load.clone(),
            started,
            next: AtomicU64::new(0),
            acknowledged: Mutex::default(),
            given_up: AtomicU64::new(0),
        }
    }

    /// The next event: impressions and plays mostly.
    pub fn event(&self, dice: &mut Dice) -> Published {
        let member = format!("m{}", dice.within(1, self.load.members));
        let title = format!("t{}", dice.within(1, self.load.titles));
        let (kind, fields) = match dice.within(0, 9) {
            0..=4 => ("impression", r#","device":"tv""#),
            5..=8 => ("play", r#","country":"BR","watched_s":60"#),
            _ => ("list_add", ""),
        };
        self.make("e", &member, kind, &title, fields)
    }

    /// An event that is refused by its type.
    pub fn bad_event(&self, dice: &mut Dice) -> Published {
        let member = format!("m{}", dice.within(1, self.load.members));
        self.make("bad", &member, "yawn", "t1", "")
    }

    /// A play of `member` with an id that begins with `label`.
    pub fn play(&self, label: &str, member: &str) -> Published {
        self.make(label, member, "play", "t1", "")
    }

    fn make(&self, label: &str, member: &str, kind: &str, title: &str, fields: &str) -> Published {
        let id = format!("{label}-{}-{}", self.run, self.next.fetch_add(1, Relaxed));
        let at = format_rfc3339(now_ms());
        let json = format!(
            r#"{{"id":"{id}","type":"{kind}","member":"{member}","title":"{title}","at":"{at}"{fields}}}"#
        );
        Published { id, member: member.to_owned(), json }
    }

    /// The start of ids of `label` in this run.
    pub fn id_start(&self, label: &str) -> String {
        format!("{label}-{}-", self.run)
    }

    /// A member of `partition`.
    pub fn member_of(partition: u16, partitions: u16) -> String {
        (0..)
            .map(|at| format!("probe{at}"))
            .find(|member| partition_of(member, partitions).0 == partition)
            .expect("every partition has members")
    }

    /// Any member.
    pub fn any_member(&self, dice: &mut Dice) -> String {
        format!("m{}", dice.within(1, self.load.members))
    }

    /// The log has acknowledged an event.
    pub fn acknowledge(&self, id: &str) {
        let second = self.started.elapsed().as_secs() as usize;
        let mut acknowledged = self.acknowledged.lock();
        if acknowledged.ids.insert(id.to_owned()) {
            let seconds = acknowledged.by_second.len().max(second + 1);
            acknowledged.by_second.resize(seconds, 0);
            acknowledged.by_second[second] += 1;
        }
    }

    /// The run ended before an event was acknowledged.
    pub fn give_up(&self, events: u64) {
        self.given_up.fetch_add(events, Relaxed);
    }

    /// Events that were never acknowledged.
    pub fn given_up(&self) -> u64 {
        self.given_up.load(Relaxed)
    }

    /// Events acknowledged in each second of the run.
    pub fn acknowledged_by_second(&self) -> Vec<u64> {
        self.acknowledged.lock().by_second.clone()
    }

    /// Ids of the events that were acknowledged. Nothing may be acknowledged afterwards.
    pub fn take_acknowledged(&self) -> HashSet<String> {
        std::mem::take(&mut self.acknowledged.lock().ids)
    }
}

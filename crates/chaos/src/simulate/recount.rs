//! Counts what the log holds without the fold: by what each publisher meant, each id once.

use super::scenario::{Counted, Planned};
use nearline_model::{LogRecord, Position};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Impressions and plays by title, and the positions of what is to be refused.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recount {
    /// By title.
    pub impressions: BTreeMap<String, u64>,
    /// By title.
    pub plays: BTreeMap<String, u64>,
    /// Plays by country, where one was told.
    pub countries: BTreeMap<String, u64>,
    /// Positions of refused events.
    pub refused: BTreeSet<Position>,
}

impl Recount {
    /// Counts one partition's log.
    pub fn add(&mut self, log: &[LogRecord], planned: &HashMap<&[u8], &Planned>) {
        let mut seen = HashSet::new();
        let mut erased_ms: HashMap<&str, i64> = HashMap::new();
        // A world lasts seconds: no jump of the log's clock goes on for long enough to be believed.
        let mut now_ms = 0;
        for record in log {
            if now_ms == 0 || record.log_ms <= now_ms + 86_400_000 {
                now_ms = now_ms.max(record.log_ms);
            }
            let Some(planned) = planned.get(&*record.payload) else { continue };
            if matches!(planned.counted, Counted::Bad | Counted::Poison)
                || self.refused.contains(&record.position)
            {
                self.refused.insert(record.position);
                continue;
            }
            if !seen.insert(&*planned.event.id) {
                continue;
            }
            let erased = erased_ms.entry(&planned.event.member).or_insert(i64::MIN);
            let at_ms = planned.at_ms.min(now_ms);
            if at_ms < *erased || (at_ms == *erased && planned.at_ms == at_ms) {
                continue;
            }
            match planned.counted {
                Counted::Impression(title) => count(&mut self.impressions, title),
                Counted::Play(title) => {
                    count(&mut self.plays, title);
                    if let Some(country) = country_of(&record.payload) {
                        *self.countries.entry(country).or_default() += 1;
                    }
                }
                Counted::Forget => *erased = at_ms,
                Counted::Other | Counted::Bad | Counted::Poison => {}
            }
        }
    }
}

/// The country that a publisher told, read without parsing: it is never escaped.
fn country_of(payload: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(payload).ok()?;
    let (_, behind) = text.split_once(r#""country":""#)?;
    Some(behind.get(..2)?.to_owned())
}

fn count(counts: &mut BTreeMap<String, u64>, title: u8) {
    *counts.entry(format!("t{title}")).or_default() += 1;
}

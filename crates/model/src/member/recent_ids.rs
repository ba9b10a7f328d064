//! The ring of recent event ids, by which redelivered and retried events are dropped.

use super::make_room;
use crate::check_invariant;
use crate::settings::FoldSettings;
use get_size2::GetSize;

/// Fingerprints of recent event ids with the log's second they came at, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, GetSize)]
pub struct RecentIds {
    pub(super) ids: Vec<u64>,
    pub(super) log_s: Vec<u32>,
}

impl RecentIds {
    /// Whether `id` is among the ids remembered at the log's second `now_s`.
    pub fn contains(&self, id: u64, now_s: u32, settings: &FoldSettings) -> bool {
        // Whole blocks without a way out in the middle: compiled to vector instructions. Nearly every
        // event is new, so that all ids are looked at anyway.
        let in_block = |block: &[u64]| block.iter().fold(false, |found, known| found | (*known == id));
        self.ids.chunks(32).any(in_block)
            && self
                .ids
                .iter()
                .rposition(|known| *known == id)
                .is_some_and(|at| self.log_s[at].saturating_add(settings.recent_seconds) >= now_s)
    }

    /// Remembers `id`; forgets what is too old or too much.
    pub fn insert(&mut self, id: u64, now_s: u32, settings: &FoldSettings) {
        let by_age =
            self.log_s.iter().take_while(|then| then.saturating_add(settings.recent_seconds) < now_s).count();
        let by_count = (self.ids.len() + 1).saturating_sub(settings.recent_ids.max(1));
        let forget = by_age.max(by_count);
        if forget > 0 {
            self.ids.drain(..forget);
            self.log_s.drain(..forget);
        }
        make_room(&mut self.ids);
        self.ids.push(id);
        make_room(&mut self.log_s);
        self.log_s.push(now_s);
        check_invariant!(
            I8,
            self.ids.len() <= settings.recent_ids.max(1),
            "{} event ids are remembered, the limit is {}",
            self.ids.len(),
            settings.recent_ids
        );
    }

    /// Ids remembered.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no id is remembered.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

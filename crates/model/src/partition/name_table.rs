//! The names of one partition: titles, devices, rows, artworks, variants.
//!
//! A table of bounded size that strangers cannot fill for everybody. Names are numbered as they come, and up to
//! a boundary they stay for good. Behind it is a ring of newcomers: when the ring is full, the name that was not
//! used since the hand came by last makes room (CLOCK, second chance; Corbató: "A Paging Experiment with the
//! Multics System", 1968), so that what is used stays and what came once goes. Its number is never given to another
//! name, and keeps its string: members may hold it. One that comes back has its old number, so that who held it then holds
//! it once. One member brings a bounded share of all of it.
//!
//! What the hand does depends on the log alone, and the ring is stored with the partition (I3).

use crate::identifier::fingerprint;
use crate::symbols::{NONE, Symbol, Symbols};
use get_size2::GetSize;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Most newcomers at a time: the ring is stored with every commit once there are any.
const MOST_NEWCOMERS: usize = 8_192;
/// Part of the table, and of the ring, that one member may bring.
const SHARES: usize = 16;
/// Names that one member may bring however small the table is.
const LEAST_SHARE: usize = 64;

/// A member has brought as many names as one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the member has brought {share} titles, devices, rows and artworks that nobody knew, which is all that one \
     member may of {limit}; known ones are taken as ever"
)]
pub struct ShareUsed {
    /// Names that one member may bring.
    pub share: usize,
    /// The limit of the partition.
    pub limit: usize,
}

/// A name that is not there for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, GetSize)]
struct Newcomer {
    /// Who brought it; 0: another member has used it since.
    by: u32,
    /// Used since the hand came by last.
    is_used: bool,
}

/// The names of one partition, by number.
#[derive(Debug, GetSize)]
pub struct NameTable {
    symbols: Symbols,
    limit: usize,
    /// Last number of those that stay for good.
    last_kept: Symbol,
    newcomers: HashMap<Symbol, Newcomer>,
    /// Newcomers in the order in which the hand comes by.
    ring: VecDeque<Symbol>,
    /// Names that made room, by fingerprint; of two with the same one, the later number.
    retired: HashMap<u64, Symbol>,
    /// Newcomers by who brought them.
    brought: HashMap<u32, usize>,
}

/// Stored form of what the list of names does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NamesForm {
    last_kept: Symbol,
    /// Newcomers in the order of the ring: number, who brought it, whether it was used.
    ring: Vec<(Symbol, u32, bool)>,
}

impl NameTable {
    /// A table of at most `limit` names at a time.
    pub fn new(limit: usize) -> Self {
        let newcomers = (limit / 2).clamp(1, MOST_NEWCOMERS);
        Self {
            symbols: Symbols::new(usize::MAX - 1),
            limit,
            last_kept: Symbol(u32::try_from(limit.saturating_sub(newcomers)).unwrap_or(u32::MAX)),
            newcomers: HashMap::new(),
            ring: VecDeque::new(),
            retired: HashMap::new(),
            brought: HashMap::new(),
        }
    }

    /// Takes in what is stored: all names ever given out, and the form; without one, all of them stay.
    pub(super) fn restore(&mut self, names: &[Arc<str>], form: Option<NamesForm>) -> Result<(), String> {
        let form = form.unwrap_or_else(|| NamesForm {
            last_kept: self.last_kept.max(Symbol::at(names.len())),
            ring: Vec::new(),
        });
        self.last_kept = form.last_kept;
        for (symbol, by, is_used) in form.ring {
            self.ring.push_back(symbol);
            self.newcomers.insert(symbol, Newcomer { by, is_used });
            *self.brought.entry(by).or_default() += 1;
        }
        for (name, number) in names.iter().zip((1..).map(Symbol)) {
            if number > self.last_kept && !self.newcomers.contains_key(&number) {
                self.symbols.push_retired(name);
                self.remember(number);
            } else if self.symbols.intern(name).ok() != Some(number) {
                return Err(format!("number {} ({name:?}) is out of place", number.0));
            }
        }
        Ok(())
    }

    /// What is stored beside the list of names.
    pub(super) fn form(&self) -> NamesForm {
        let stored = |symbol: &Symbol| {
            let newcomer = self.newcomers[symbol];
            (*symbol, newcomer.by, newcomer.is_used)
        };
        NamesForm { last_kept: self.last_kept, ring: self.ring.iter().map(stored).collect() }
    }

    /// The number of `name`, given out now if it is new; `introduced` counts the names that `member` has brought.
    ///
    /// # Errors
    /// [`ShareUsed`] where it is new and the member has brought too many.
    pub fn number(&mut self, name: &str, member: &str, introduced: &mut u32) -> Result<Symbol, ShareUsed> {
        if let Some(symbol) = self.symbols.get(name) {
            if symbol > self.last_kept {
                self.use_newcomer(symbol, member);
            }
            return Ok(symbol);
        }
        if name.is_empty() {
            return Ok(NONE);
        }
        let share = (self.limit / SHARES).max(LEAST_SHARE);
        let is_kept = self.symbols.len() <= self.last_kept.index();
        if is_kept && *introduced as usize >= share {
            metrics::counter!("nearline_fold_limit_hits_total", "limit" => "names_of_member").increment(1);
            return Err(ShareUsed { share, limit: self.limit });
        }
        *introduced = introduced.saturating_add(1);
        if !is_kept {
            self.make_room(brought_by(member));
        }
        let symbol = self.back_again(name).or_else(|| self.symbols.intern(name).ok()).unwrap_or(NONE);
        if !is_kept {
            let by = brought_by(member);
            self.ring.push_back(symbol);
            self.newcomers.insert(symbol, Newcomer { by, is_used: false });
            *self.brought.entry(by).or_default() += 1;
        }
        Ok(symbol)
    }

    /// The string of `symbol`, also of one that made room; the empty one for one never given out.
    pub fn text(&self, symbol: Symbol) -> &Arc<str> {
        self.symbols.text(symbol)
    }

    /// Every number's string from `first` on.
    pub fn since(&self, first: usize) -> &[Arc<str>] {
        self.symbols.since(first)
    }

    /// All numbers given out, 0 included.
    pub(super) fn len(&self) -> usize {
        self.symbols.len()
    }

    /// The table behind it, for a delta.
    pub(super) fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// Names that are known.
    pub fn live(&self) -> usize {
        (self.symbols.len() - 1).min(self.last_kept.index()) + self.newcomers.len()
    }

    fn use_newcomer(&mut self, symbol: Symbol, member: &str) {
        let Some(newcomer) = self.newcomers.get_mut(&symbol) else { return };
        newcomer.is_used = true;
        if newcomer.by != 0 && newcomer.by != brought_by(member) {
            let by = std::mem::take(&mut newcomer.by);
            self.let_go(by);
            *self.brought.entry(0).or_default() += 1;
        }
    }

    /// Makes room for one more newcomer, brought by `by`.
    fn make_room(&mut self, by: u32) {
        let capacity = self.limit.saturating_sub(self.last_kept.index()).max(1);
        let share = (capacity / SHARES).max(LEAST_SHARE).min(capacity);
        if self.brought.get(&by).is_some_and(|brought| *brought >= share) {
            let oldest = self.ring.iter().position(|symbol| self.newcomers[symbol].by == by);
            if let Some(symbol) = oldest.and_then(|place| self.ring.remove(place)) {
                self.retire(symbol);
            }
        }
        while self.ring.len() >= capacity {
            let Some(symbol) = self.ring.pop_front() else { break };
            match self.newcomers.get_mut(&symbol) {
                Some(newcomer) if newcomer.is_used => {
                    newcomer.is_used = false;
                    self.ring.push_back(symbol);
                }
                _ => self.retire(symbol),
            }
        }
    }

    fn retire(&mut self, symbol: Symbol) {
        metrics::counter!("nearline_fold_limit_hits_total", "limit" => "names").increment(1);
        if let Some(newcomer) = self.newcomers.remove(&symbol) {
            self.let_go(newcomer.by);
        }
        self.symbols.retire(symbol);
        self.remember(symbol);
    }

    /// `symbol` has made room.
    fn remember(&mut self, symbol: Symbol) {
        let before = self.retired.entry(fingerprint(self.symbols.text(symbol))).or_insert(symbol);
        *before = symbol.max(*before);
    }

    /// The number that `name` had before it made room, as its own again.
    fn back_again(&mut self, name: &str) -> Option<Symbol> {
        let key = fingerprint(name);
        let symbol =
            self.retired.get(&key).copied().filter(|symbol| **self.symbols.text(*symbol) == *name)?;
        self.retired.remove(&key);
        self.symbols.revive(symbol);
        Some(symbol)
    }

    fn let_go(&mut self, by: u32) {
        if let Some(brought) = self.brought.get_mut(&by) {
            *brought -= 1;
            if *brought == 0 {
                self.brought.remove(&by);
            }
        }
    }
}

fn brought_by(member: &str) -> u32 {
    (fingerprint(member) as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bring(table: &mut NameTable, name: &str, member: &str) -> Symbol {
        table.number(name, member, &mut 0).expect("its share is not used")
    }

    #[test]
    fn what_is_used_stays_and_what_came_once_makes_room() {
        let mut table = NameTable::new(8);
        for name in ["a", "b", "c", "d", "new"] {
            bring(&mut table, name, "m");
        }
        for junk in 0..100 {
            bring(&mut table, &format!("junk{junk}"), &format!("stranger{junk}"));
            bring(&mut table, "new", "n");
        }
        for name in ["a", "b", "c", "d", "new"] {
            assert_eq!(table.symbols.get(name).map(|symbol| &**table.text(symbol)), Some(name));
        }
        assert_eq!((table.live(), table.len()), (8, 106));
        assert_eq!(table.symbols.get("junk3"), None);
    }

    #[test]
    fn a_name_that_comes_back_has_its_old_number() {
        let mut table = NameTable::new(8);
        for name in ["a", "b", "c", "d", "back"] {
            bring(&mut table, name, "m");
        }
        let before = table.symbols.get("back").expect("it is known");
        for junk in 0..20 {
            bring(&mut table, &format!("junk{junk}"), &format!("stranger{junk}"));
        }
        assert_eq!(table.symbols.get("back"), None, "it made room");
        let (names, form) = (table.since(1).to_vec(), table.form());
        let mut again = NameTable::new(8);
        again.restore(&names, Some(form)).expect("what was stored is in place");
        for table in [&mut table, &mut again] {
            let len = table.len();
            assert_eq!(bring(table, "back", "n"), before);
            assert_eq!((table.len(), table.live()), (len, 8));
        }
    }

    #[test]
    fn one_member_brings_a_bounded_share() {
        let mut table = NameTable::new(10_000);
        let mut introduced = 0;
        let mut brought = |name: String| table.number(&name, "m", &mut introduced).is_ok();
        assert_eq!(
            (0..10_000).map(|junk| format!("junk{junk}")).filter(|name| brought(name.clone())).count(),
            625
        );
        assert!(table.number("junk1", "m", &mut introduced).is_ok(), "known ones are taken as ever");
        assert!(table.number("other", "n", &mut 0).is_ok());
    }

    #[test]
    fn what_is_restored_goes_on_as_if_nothing_had_been() {
        let (mut table, mut again) = (NameTable::new(8), NameTable::new(8));
        let names = |round: usize| format!("t{}", (round * round + round / 3) % 13);
        let mut stored: Vec<Arc<str>> = Vec::new();
        for round in 0..200 {
            let member = format!("m{}", round % 3);
            let number = bring(&mut table, &names(round), &member);
            assert_eq!(bring(&mut again, &names(round), &member), number, "round {round}");
            stored.extend_from_slice(table.since(stored.len() + 1));
            assert!(table.live() <= 8);
            let form = table.form();
            assert_eq!(again.form(), form);
            assert!(table.len() <= 14, "each of the 13 names has one number");
            again = NameTable::new(8);
            again.restore(&stored, Some(form)).expect("what was stored is in place");
        }
    }
}

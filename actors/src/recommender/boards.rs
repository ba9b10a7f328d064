//! What is the same for everybody who asks: what trends where, and what is new. It is made when the sums have changed, and
//! not for each caller; the more it costs, the seldomer.

use super::Sources;
use crate::background::BackgroundThread;
use crate::event_loop::Threads;
use nearline_model::aggregates::ALL;
use nearline_model::symbols::NONE;
use nearline_ranking::page::NewTitles;
use nearline_ranking::position_bias::PositionBias;
use nearline_ranking::trending::{Board, BoardSums};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Titles kept of a board: who asks for more has it made from the sums.
const BOARD_TITLES: usize = 1_000;
/// Boards kept; who asks for others has them made from the sums.
const BOARDS: usize = 256;
/// Share of the time, 1 in so many, that making one thing may take.
const REST: u32 = 20;
/// What takes longer to make is made in the background, and callers get what was made before.
const MOST_AT_ONCE: Duration = Duration::from_millis(2);

/// Something made of the sums, and when it is to be made again.
struct Made<T> {
    value: Arc<T>,
    /// When it was made, or when making it anew was begun: whoever does that may die.
    since: Instant,
    took: Duration,
    /// The sums it is of.
    sums: Arc<str>,
}

/// What was made last.
#[derive(Clone)]
pub(super) struct Shared {
    sources: Sources,
    threads: Threads,
    boards: Arc<Mutex<HashMap<String, Made<Board>>>>,
    new_titles: Arc<Mutex<HashMap<(), Made<NewTitles>>>>,
    background: Arc<BackgroundThread>,
}

impl Shared {
    pub(super) fn new(sources: Sources, threads: Threads) -> Self {
        let background = Arc::new(BackgroundThread::new("nearline-boards", || {}));
        Self { sources, threads, boards: Arc::default(), new_titles: Arc::default(), background }
    }

    /// What trends in `dimensions`; none: everywhere.
    ///
    /// The caller holds no lock of the sums.
    pub(super) fn board(&self, dimensions: &[&str]) -> Arc<Board> {
        let key = dimensions.join(" ");
        let owned: Vec<String> = dimensions.iter().map(|name| (*name).to_owned()).collect();
        self.current(&self.boards, key, BOARDS, move |sources| board(sources, &owned))
    }

    /// What is new.
    ///
    /// The caller holds no lock of the sums or the catalogue.
    pub(super) fn new_titles(&self) -> Arc<NewTitles> {
        self.current(&self.new_titles, (), 1, new_titles)
    }

    /// The thing under `key`, as it was made last or, where that is due and cheap, now.
    fn current<K, T>(
        &self,
        all: &Arc<Mutex<HashMap<K, Made<T>>>>,
        key: K,
        most_kept: usize,
        make: impl Fn(&Sources) -> T + Send + 'static,
    ) -> Arc<T>
    where
        K: Eq + std::hash::Hash + Clone + Send + 'static,
        T: Send + Sync + 'static,
    {
        // Where nothing runs beside, everything is exact.
        if self.threads == Threads::Here {
            return Arc::new(make(&self.sources));
        }
        let sums = self.sources.aggregates.read().title_id(NONE).clone();
        if let Some(known) = all.lock().get_mut(&key)
            && Arc::ptr_eq(&known.sums, &sums)
        {
            if known.since.elapsed() < known.took * REST {
                return known.value.clone();
            }
            if known.took > MOST_AT_ONCE {
                known.since = Instant::now();
                let (sources, all, value) = (self.sources.clone(), all.clone(), known.value.clone());
                let remake = move || drop(put(&all, key, most_kept, sums, &sources, &make));
                if let Err(error) = self.background.run(remake) {
                    tracing::warn!(%error, "no thread to see what trends: what was seen before is shown");
                }
                return value;
            }
        }
        put(all, key, most_kept, sums, &self.sources, &make)
    }
}

/// Makes it and keeps it.
fn put<K: Eq + std::hash::Hash, T>(
    all: &Mutex<HashMap<K, Made<T>>>,
    key: K,
    most_kept: usize,
    sums: Arc<str>,
    sources: &Sources,
    make: &impl Fn(&Sources) -> T,
) -> Arc<T> {
    let begun = Instant::now();
    let value = Arc::new(make(sources));
    let since = Instant::now();
    let entry = Made { value: value.clone(), since, took: since - begun, sums };
    let mut all = all.lock();
    if all.len() >= most_kept && !all.contains_key(&key) {
        // The one made longest ago: nobody has asked for it since.
        let oldest = all.values().map(|made| made.since).min();
        all.retain(|_, made| Some(made.since) != oldest);
    }
    all.insert(key, entry);
    value
}

/// Titles whose plays are looked up in one go.
const TITLES_AT_ONCE: usize = 1_024;

/// What is new, by sums that are looked at in pieces.
fn new_titles(sources: &Sources) -> NewTitles {
    let titles: Vec<_> = sources.catalogue.titles.read().iter().cloned().collect();
    let mut plays = Vec::with_capacity(titles.len());
    for some in titles.chunks(TITLES_AT_ONCE) {
        let aggregates = sources.aggregates.read();
        let of = |id: &str| aggregates.title(id).map_or(0, |symbol| aggregates.plays(symbol));
        plays.extend(some.iter().map(|title| of(&title.id)));
    }
    NewTitles::by_plays(&titles, &plays)
}

/// The board of `dimensions`, from sums that are looked at in pieces.
fn board(sources: &Sources, dimensions: &[String]) -> Board {
    let learned = sources.learned.read().clone();
    let bias = {
        let aggregates = sources.aggregates.read();
        match learned.associations.are_of(&aggregates) {
            true => learned.position_bias.clone(),
            false => PositionBias::of(&aggregates),
        }
    };
    let list = |name: &str| {
        let mut sums = BoardSums::new(name);
        while sums.look(&sources.aggregates.read(), &bias) {}
        sums.trends(&sources.aggregates.read())
    };
    let lists = match dimensions {
        [] => vec![list(ALL)],
        several => several.iter().map(|name| list(name)).collect(),
    };
    Board::together(lists).cut(BOARD_TITLES)
}

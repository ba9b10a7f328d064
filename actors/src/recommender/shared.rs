//! What is common to all who ask: what trends where, and what is new. It is made when the sums have changed, and
//! not for each caller; the more it costs, the seldomer. What nobody has asked for before is made beside the threads that
//! serve, once for all who wait for it.

use super::Sources;
use crate::background::BackgroundThread;
use crate::event_loop::Threads;
use nearline_model::aggregates::{ALL, TITLES_AT_ONCE};
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
/// Looks at whether a query still holds what was replaced, and time between two of them.
const LET_GO_LOOKS: u32 = 100;
const LET_GO_LOOK: Duration = Duration::from_millis(5);
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

/// What one question may need of it.
#[derive(Clone)]
pub(super) struct Common {
    /// By their dimensions; those of the dimensions asked for follow that of `all`.
    boards: Vec<(String, Arc<Board>)>,
    asked: usize,
    /// Where it was asked for.
    pub new_titles: Option<Arc<NewTitles>>,
}

impl Common {
    /// What trends in `dimensions`.
    pub fn board(&self, dimensions: &[&str]) -> Arc<Board> {
        let key = dimensions.join(" ");
        let found = self.boards.iter().find(|(name, _)| *name == key);
        found.map(|(_, board)| board.clone()).unwrap_or_default()
    }

    /// Those of the dimensions asked for in which anything trends.
    pub fn known_dimensions(&self) -> Vec<&str> {
        let asked = self.boards.iter().skip(1).take(self.asked);
        asked.filter(|(_, board)| !board.is_empty()).map(|(name, _)| name.as_str()).collect()
    }
}

/// What was made last.
#[derive(Clone)]
pub(super) struct Shared {
    sources: Sources,
    threads: Threads,
    boards: Arc<Mutex<HashMap<String, Made<Board>>>>,
    new_titles: Arc<Mutex<HashMap<(), Made<NewTitles>>>>,
    background: Arc<BackgroundThread>,
    first: First,
}

/// Has made what is not there, once for all who want it at that time.
#[derive(Clone, Default)]
struct First(Arc<tokio::sync::Mutex<()>>);

impl First {
    /// Waits until it `is_there`, which `make` sees to on another thread. If that panics, it is not there.
    async fn once(&self, is_there: impl Fn() -> bool, make: impl FnOnce() + Send + 'static) {
        let _turn = self.0.lock().await;
        if !is_there() {
            let _made = Threads::Own.compute(make).await;
        }
    }
}

impl Shared {
    pub(super) fn new(sources: Sources, threads: Threads) -> Self {
        let background = Arc::new(BackgroundThread::new("nearline-boards", || {}));
        Self {
            sources,
            threads,
            boards: Arc::default(),
            new_titles: Arc::default(),
            background,
            first: First::default(),
        }
    }

    /// What a question about a country and a device may need; what is new, if that is wanted.
    pub(super) async fn common(&self, country: Option<&str>, device: Option<&str>, new: bool) -> Common {
        let country = country.map(|country| format!("country:{country}"));
        let device = device.map(|device| format!("device:{device}"));
        let asked: Vec<String> = country.into_iter().chain(device).collect();
        if self.threads == Threads::Own && !self.has(&asked, new) {
            let (me, theirs) = (self.clone(), asked.clone());
            self.first.once(|| self.has(&asked, new), move || drop(me.look_up(&theirs, new))).await;
        }
        self.look_up(&asked, new)
    }

    /// Whether all of it was made before.
    fn has(&self, asked: &[String], new: bool) -> bool {
        let boards = self.boards.lock();
        let is_known = |name: &&String| boards.get(*name).is_some_and(|made| !made.value.is_empty());
        let known: Vec<&str> = asked.iter().filter(is_known).map(String::as_str).collect();
        let are_made = boards.contains_key("") && asked.iter().all(|name| boards.contains_key(name));
        are_made
            && (known.len() < 2 || boards.contains_key(&known.join(" ")))
            && (!new || !self.new_titles.lock().is_empty())
    }

    /// The caller holds no lock of the sums or the catalogue.
    fn look_up(&self, asked: &[String], new: bool) -> Common {
        let mut boards = vec![(ALL.to_owned(), self.board(&[]))];
        boards.extend(asked.iter().map(|name| (name.clone(), self.board(&[name]))));
        let new_titles = new.then(|| self.current(&self.new_titles, (), 1, new_titles));
        let mut common = Common { boards, asked: asked.len(), new_titles };
        let known = common.known_dimensions();
        if known.len() > 1 {
            let together = (known.join(" "), self.board(&known));
            common.boards.push(together);
        }
        common
    }

    /// What trends in `dimensions`; none: everywhere.
    fn board(&self, dimensions: &[&str]) -> Arc<Board> {
        let key = dimensions.join(" ");
        let owned: Vec<String> = dimensions.iter().map(|name| (*name).to_owned()).collect();
        self.current(&self.boards, key, BOARDS, move |sources| board(sources, &owned))
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
        if let Some(known) = all.lock().get_mut(&key) {
            let is_of_these = Arc::ptr_eq(&known.sums, &sums);
            if is_of_these && known.since.elapsed() < known.took * REST {
                return known.value.clone();
            }
            if known.took > MOST_AT_ONCE {
                // Once for all who ask meanwhile, also where these sums have taken the place of others.
                known.since = Instant::now();
                known.sums = sums.clone();
                let (sources, all, value) = (self.sources.clone(), all.clone(), known.value.clone());
                let before = value.clone();
                let remake = move || {
                    drop(put(&all, key, most_kept, sums, &sources, &make));
                    let_go(before);
                };
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

/// Lets go of what was replaced, as the last one if may be: it takes long to free, and who serves is not to be held up.
fn let_go<T>(replaced: Arc<T>) {
    for _ in 0..LET_GO_LOOKS {
        if Arc::strong_count(&replaced) == 1 {
            break;
        }
        std::thread::sleep(LET_GO_LOOK);
    }
}

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
    let is_learned = learned.associations.are_of(&sources.aggregates.read());
    let bias = match is_learned {
        true => learned.position_bias.clone(),
        false => PositionBias::looked_at(|shown| shown.look(&sources.aggregates.read())),
    };
    let list = |name: &str| {
        let mut sums = BoardSums::new(name);
        while sums.look(&sources.aggregates.read(), &bias) {}
        sums.trends()
    };
    let lists = match dimensions {
        [] => vec![list(ALL)],
        several => several.iter().map(|name| list(name)).collect(),
    };
    Board::together(lists).cut(BOARD_TITLES)
}

#[cfg(test)]
mod tests {
    use super::First;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[tokio::test]
    async fn what_many_ask_for_first_is_made_once_and_nobody_goes_on_without_it() {
        let (first, made) = (First::default(), Arc::new(AtomicUsize::new(0)));
        let ask = || async {
            let making = made.clone();
            let make = move || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                making.fetch_add(1, SeqCst);
            };
            first.once(|| made.load(SeqCst) > 0, make).await;
            made.load(SeqCst)
        };
        let seen = futures_util::future::join_all((0..16).map(|_| ask())).await;
        assert_eq!(seen, [1; 16]);
    }
}

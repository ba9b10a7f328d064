//! Works out, now and then and off the path of queries, what the ranking needs beside the sums.
//!
//! Solving takes longer the more titles there are, so pauses are as many times as long: it never takes
//! more than a small share of one core. So it is with choosing weights, which takes longer and has pauses of its own: what is
//! learned of titles must not wait for it. It is done by a thread that gives way to all others, and takes what
//! it needs of the sums in pieces: a writer that waits at their lock holds every query up. Nothing happens
//! while nothing was learned.
//!
//! While plays grow as fast as when a node catches up with its log, weights are not chosen: what they are chosen by is about to be
//! overtaken, and the processor is wanted for getting there. That waits for half a minute at most. Nor is anything solved anew, for as
//! long at most, until a node that has started has caught up: it is sent no queries before. While plays come as a
//! flood, which hardly any service's members make, nothing is solved either, for some seconds at most.
//!
//! What is chosen is shared by all nodes (`shared_tuning`).
//!
//! On [`Threads::Here`] it is done at once, and pauses do not depend on how long it took.

mod shared_tuning;

use crate::background::BackgroundThread;
use crate::engine::catalogue::SharedCatalogue;
use crate::event_loop::Threads;
use crate::readiness::Readiness;
use nearline_model::Aggregates;
use nearline_ranking::Learned;
use nearline_ranking::appeal::Study;
use nearline_ranking::associations::{Associations, Problem};
use nearline_ranking::learned::CountedTitles;
use nearline_ranking::lift::Lifts;
use nearline_ranking::newcomers::LittlePlayed;
use nearline_ranking::position_bias::PositionBias;
use nearline_ranking::taste::{GenreSums, Genres};
use nearline_ranking::tuning::{Examination, Tuning, grew_fast, plays_of};
use parking_lot::{Mutex, RwLock};
pub(crate) use shared_tuning::SharedTuning;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// Pause between two looks at the sums.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Pause after a solve, as a multiple of the time it took.
const PAUSE_FACTOR: u32 = 50;
/// Longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(600);
/// How long pieces of the sums are looked at until the processor is given away.
const TURN_LENGTH: Duration = Duration::from_millis(1);
/// How long a choice of weights that is due waits for plays that grow fast.
const CHOICE_PATIENCE: Duration = Duration::from_secs(30);
/// How long a solve waits for a node that has started to catch up.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Plays between two looks that are a flood, if they are many beside those before, too.
const FLOOD_PLAYS: u64 = 2_500;
/// How long a solve waits for a flood to end.
const FLOOD_PATIENCE: Duration = Duration::from_secs(5);

/// Keeps [`Learned`] up to date.
pub(crate) struct Solver {
    pub aggregates: Arc<RwLock<Aggregates>>,
    pub catalogue: Arc<SharedCatalogue>,
    pub learned: Arc<RwLock<Arc<Learned>>>,
    /// Titles solved at most.
    pub solved_titles: usize,
    pub stopping: Arc<AtomicBool>,
    /// Whether the node has caught up since it started.
    pub readiness: Arc<Readiness>,
    /// Where it is done.
    pub threads: Threads,
    /// The weights that were chosen.
    pub tuning: SharedTuning,
    /// When weights are chosen again.
    pub choice: Mutex<NextChoice>,
    /// Solves on a thread that gives way to others, which must hold no lock that they wait for.
    pub background: BackgroundThread,
}

impl Solver {
    /// Runs until the engine stops.
    pub async fn run(self) {
        let solver = Arc::new(self);
        let mut changes_then = None;
        let mut pause = LOOK_INTERVAL;
        let mut flood = Flood::default();
        let start_ends = Instant::now() + START_PATIENCE;
        while !solver.stopping.load(Relaxed) {
            solver.tuning.share().await;
            // Newcomers follow from years, too: not only a title that is added is to be learned of.
            let changes = Some(solver.catalogue.titles.read().changes());
            let is_owed = solver.choice.lock().is_owed || solver.tuning.is_solve_owed();
            if solver.is_current() && changes == changes_then && !is_owed {
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            let plays = plays_of(&solver.aggregates.read());
            let now = Instant::now();
            let is_starting = now < start_ends && !solver.readiness.has_caught_up();
            if (flood.is_waited_for(plays, now) || is_starting) && solver.is_of_these_sums() {
                tokio::time::sleep(LOOK_INTERVAL).await;
                continue;
            }
            changes_then = changes;
            let working = solver.clone();
            if let Some(Some(took)) = solver.threads.compute(move || working.work()).await {
                pause = solver.pause_after(took);
            }
            let resume = Instant::now() + pause;
            while Instant::now() < resume && !solver.is_wanted_at_once() && !solver.stopping.load(Relaxed) {
                tokio::time::sleep(LOOK_INTERVAL.min(resume.saturating_duration_since(Instant::now()))).await;
                // The pause may be long.
                solver.tuning.share().await;
            }
        }
    }

    /// The pause after a solve that took so long of the processor.
    fn pause_after(&self, took: Duration) -> Duration {
        match self.threads {
            Threads::Own => (took * PAUSE_FACTOR).clamp(LOOK_INTERVAL, MAX_PAUSE),
            Threads::Here => LOOK_INTERVAL,
        }
    }

    /// Sums in the place of others are ranked without weights until they are solved, and what other nodes chose is taken over.
    fn is_wanted_at_once(&self) -> bool {
        !self.is_of_these_sums() || self.tuning.is_solve_owed()
    }

    fn is_of_these_sums(&self) -> bool {
        let learned = self.learned.read().clone();
        learned.associations.are_of(&self.aggregates.read())
    }

    fn is_current(&self) -> bool {
        let (learned, aggregates) = (self.learned.read().clone(), self.aggregates.read());
        let associations = &learned.associations;
        associations.are_of(&aggregates) && associations.positions() == aggregates.positions()
    }

    /// Works out everything anew. `None`: the sums were replaced meanwhile, or the engine is stopping.
    ///
    /// Returns what it took of the processor.
    fn work(&self) -> Option<Duration> {
        let started = (Instant::now(), processor_time());
        let mut problem = self.look(|aggregates| Problem::begin(aggregates, self.solved_titles));
        loop {
            let is_more = self.look(|aggregates| problem.is_of(aggregates) && problem.look(aggregates));
            if !is_more {
                break;
            }
            problem.take_in();
        }
        let before = self.learned.read().clone();
        let tuning = self.tuning.current();
        let is_due = self.is_choice_due(&tuning);
        let examination = is_due.then(|| {
            let mut examination = Examination::begin(&problem);
            let genres = self.genres();
            self.look(|aggregates| examination.look(aggregates, &genres));
            examination
        });
        let Solved { associations, tuning, took: solving, choosing } =
            self.solve(problem, examination, tuning)?;
        if is_due {
            metrics::histogram!("nearline_ranking_choice_duration_seconds").record(choosing);
            self.choice.lock().from = Instant::now() + self.pause_after(choosing);
        }
        let bias = PositionBias::looked_at(|shown| self.look(|aggregates| shown.look(aggregates)));
        let mut lifts = Lifts::new(bias);
        while self.look(|aggregates| lifts.look(aggregates)) {}
        let genres = self.genres();
        let mut little = LittlePlayed::begin(&self.catalogue.titles.read());
        while self.look(|aggregates| little.look(aggregates)) {}
        let mut study = self.look(|aggregates| Study::begin(&before.appeal, aggregates));
        while self.look(|aggregates| study.look(aggregates, &associations, &genres)) {
            study.take_in();
        }
        let appeal = study.learned();
        let counted =
            self.look(|aggregates| associations.are_of(aggregates).then(|| CountedTitles::of(aggregates)))?;
        let learned = Learned::solved(counted, &little, associations, (&lifts, genres), (tuning, appeal));
        learned.prepare_as(&before);
        tell(&learned);
        metrics::gauge!("nearline_ranking_solved_titles").set(learned.associations.titles().len() as f64);
        self.tuning.applied(&learned.tuning);
        *self.learned.write() = Arc::new(learned);
        metrics::histogram!("nearline_ranking_solve_duration_seconds").record(started.0.elapsed());
        Some(match (started.1, processor_time()) {
            (Some(before), Some(now)) => now.saturating_sub(before) + solving,
            _ => started.0.elapsed(),
        })
    }

    /// Looks at one piece of the sums. Who loses the processor in the middle of it holds up everybody who adds, so it is given away
    /// before, now and then.
    fn look<T>(&self, look: impl FnOnce(&Aggregates) -> T) -> T {
        thread_local! {
            static TURN: Cell<Option<Instant>> = const { Cell::new(None) };
        }
        if TURN.get().is_none_or(|began| began.elapsed() >= TURN_LENGTH) {
            std::thread::yield_now();
            TURN.set(Some(Instant::now()));
        }
        let aggregates = self.aggregates.read();
        let began = Instant::now();
        let looked = look(&aggregates);
        drop(aggregates);
        metrics::histogram!("nearline_ranking_look_duration_seconds").record(began.elapsed());
        looked
    }

    /// Whether weights are to be chosen now.
    fn is_choice_due(&self, tuning: &Tuning) -> bool {
        let may_choose = self.tuning.may_choose();
        let (is_due, plays) =
            self.look(|aggregates| (may_choose && tuning.is_due(aggregates), plays_of(aggregates)));
        self.choice.lock().is_now(is_due, plays, Instant::now())
    }

    fn genres(&self) -> Genres {
        let mut sums = GenreSums::default();
        while self.look(|aggregates| sums.look(aggregates, &self.catalogue.titles.read())) {}
        sums.genres()
    }

    /// Solves in the background; on this thread, if there are no others.
    fn solve(&self, problem: Problem, examination: Option<Examination>, before: Tuning) -> Option<Solved> {
        if self.stopping.load(Relaxed) {
            return None;
        }
        if self.threads == Threads::Here {
            return Some(Solved::of(problem, examination, before));
        }
        self.background.wait_for(move || {
            let began = processor_time().unwrap_or_default();
            let solved = Solved::of(problem, examination, before);
            let all = processor_time().unwrap_or_default().saturating_sub(began);
            Solved { took: all.saturating_sub(solved.choosing), ..solved }
        })
    }
}

/// Plays that come as fast as they do where a node catches up.
#[derive(Default)]
struct Flood {
    /// Plays that were learned at the last look.
    plays: u64,
    since: Option<Instant>,
}

impl Flood {
    /// Whether a solve waits for it to end, with so many plays `now`.
    fn is_waited_for(&mut self, plays: u64, now: Instant) -> bool {
        let before = std::mem::replace(&mut self.plays, plays);
        let is_flood = grew_fast(before, plays) && plays.saturating_sub(before) >= FLOOD_PLAYS;
        self.since = is_flood.then(|| self.since.unwrap_or(now));
        let is_waited_for = self.since.is_some_and(|since| now < since + FLOOD_PATIENCE);
        if !is_waited_for {
            self.since = None;
        }
        is_waited_for
    }
}

/// When weights are chosen again.
pub(crate) struct NextChoice {
    /// Not before.
    from: Instant,
    /// Plays that were learned at the last look.
    plays: u64,
    /// Whether they are to be chosen though nothing more is learned.
    is_owed: bool,
}

impl NextChoice {
    /// At once, where so many plays were there from the start.
    pub fn at_once(plays: u64) -> Self {
        Self { from: Instant::now(), plays, is_owed: false }
    }

    /// Whether a choice that `is_due`, with so many plays, is made `now`: not while they grow fast, but for so long.
    fn is_now(&mut self, is_due: bool, plays: u64, now: Instant) -> bool {
        let grew = grew_fast(std::mem::replace(&mut self.plays, plays), plays);
        let may = now >= self.from && (!grew || now >= self.from + CHOICE_PATIENCE);
        self.is_owed = is_due && grew && !may;
        is_due && may
    }
}

/// What a solve came to.
struct Solved {
    associations: Associations,
    tuning: Tuning,
    /// Time of a processor, on a thread of its own, without the choice of weights.
    took: Duration,
    /// What the choice took.
    choosing: Duration,
}

impl Solved {
    fn of(problem: Problem, examination: Option<Examination>, before: Tuning) -> Self {
        let began = processor_time();
        let tuning = match examination {
            Some(examination) => before.chosen_by(&examination),
            None => before,
        };
        let choosing = match (began, processor_time()) {
            (Some(began), Some(now)) => now.saturating_sub(began),
            _ => Duration::ZERO,
        };
        let associations = problem.solve(tuning.weighing);
        Self { associations, tuning, took: Duration::ZERO, choosing }
    }
}

/// Counts what was learned.
fn tell(learned: &Learned) {
    let Tuning { weighing, groups, .. } = &learned.tuning;
    metrics::gauge!("nearline_ranking_regularisation").set(weighing.regularisation);
    metrics::gauge!("nearline_ranking_direct_share").set(weighing.direct_share);
    metrics::gauge!("nearline_ranking_contests").set(learned.appeal.contests() as f64);
    for (feature, weight) in learned.appeal.weights() {
        metrics::gauge!("nearline_ranking_appeal_weight", "feature" => feature).set(weight);
    }
    for group in groups {
        let from = group.from_plays.to_string();
        metrics::gauge!("nearline_ranking_tuning_probes", "from_plays" => from.clone())
            .set(group.probes as f64);
        metrics::gauge!("nearline_ranking_tuning_gain", "from_plays" => from.clone()).set(group.gain);
        metrics::gauge!("nearline_ranking_step_weight", "from_plays" => from).set(group.weights.step);
    }
}

/// Time that this thread has had of a processor, where that is known.
fn processor_time() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solve_waits_for_a_flood_of_plays_and_not_for_much_or_long() {
        let (from, mut flood) = (Instant::now(), Flood { plays: 100_000, since: None });
        let mut waits = |plays, after_ms| flood.is_waited_for(plays, from + Duration::from_millis(after_ms));
        assert!(!waits(104_999, 0), "as many beside those before are no flood");
        assert!(waits(120_000, 250) && waits(140_000, 500));
        assert!(!waits(140_000, 750), "it has ended");
        assert!(waits(160_000, 1_000) && waits(180_000, 5_999));
        assert!(!waits(200_000, 6_000), "it has lasted for too long");
        assert!(waits(220_000, 6_250), "and what comes after is waited for again");
        let mut flood = Flood { plays: 10_000, since: None };
        assert!(!flood.is_waited_for(12_499, from) && flood.is_waited_for(14_999, from));
        let mut flood = Flood::default();
        let few = (1..20).all(|look| !flood.is_waited_for(look * (FLOOD_PLAYS - 1), from));
        assert!(few, "a service that has just begun is no flood");
    }

    #[test]
    fn a_choice_waits_while_plays_grow_fast_but_not_for_good() {
        let from = Instant::now();
        for (after_ms, grew, may) in
            [(0, false, true), (0, true, false), (29_999, true, false), (30_000, true, true)]
        {
            let mut next = NextChoice { from, plays: 1_000, is_owed: false };
            let (plays, now) = (if grew { 1_100 } else { 1_000 }, from + Duration::from_millis(after_ms));
            assert_eq!(next.is_now(true, plays, now), may, "{after_ms} {grew}");
            assert_eq!(next.is_owed, !may, "what waits is made up for without another play");
            assert!(may || next.is_now(true, plays, now), "it is, once they have stopped");
        }
        let mut next = NextChoice { from: from + Duration::from_millis(1), plays: 0, is_owed: false };
        assert!(!next.is_now(true, 0, from), "it pauses after the one before");
        assert!(!next.is_now(false, 0, next.from) && !next.is_owed, "what is not due is not owed");
    }
}

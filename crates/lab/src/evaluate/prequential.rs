//! Prequential evaluation: before each play (or first rating) of a title that the member has not seen,
//! what would have been recommended? Then the event is learned, and on to the next.
//!
//! Nothing is held back from learning: the first part of the events only is not asked about. Repeats
//! are learned, and asked about beside: what would have been served before each play, titles that the member knows
//! among it where members come back to them. Beside the
//! member's own list stands, for each query, the list of titles most popular just then that the member
//! had not seen: what the same engine answers where it knows nothing of the member.

mod breakdown;

pub use breakdown::{Part, QueryClass};

use super::metrics;
use super::replay::{Replay, ReplaySettings, Replayed};
use super::summary::{Outcome, Timing};
use super::timed_event::TimedEvent;
use hashbrown::{HashMap, HashSet};
use nearline_model::{Event, EventKind, MemberSnapshot, Title};
use nearline_ranking::exploration::Seed;
use nearline_ranking::tuning::Tuning;
use nearline_ranking::{Query, Ranked};
use std::sync::Arc;
use std::time::Instant;

/// Titles seen from which on a member counts as warm.
pub const WARM_TITLES: usize = 5;
/// Events between two reports of progress.
const PROGRESS_EVENTS: usize = 500;

/// What is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Share of the events, in the order of time, that are learned before the first query.
    pub train_fraction: f64,
    /// Titles recommended.
    pub k: usize,
    /// The settings of a node.
    pub settings: ReplaySettings,
    /// Whether places are given to new titles as to who asks; otherwise every title stands at its own place.
    pub explore: bool,
}

impl Options {
    /// The first event that is asked about.
    pub(super) fn boundary(&self, events: usize) -> usize {
        ((events as f64 * self.train_fraction).round() as usize).min(events)
    }
}

/// Where what was played stood in the list as it would have been served.
pub struct Served {
    /// Where it stood.
    pub outcome: Outcome,
    /// Whether the member had seen it before.
    pub is_repeat: bool,
}

/// What came out.
pub struct Prequential {
    /// What was evaluated.
    pub options: Options,
    /// Events replayed.
    pub events: usize,
    /// Events learned before the first query.
    pub train_events: usize,
    /// Events dropped as duplicates, or from before their member was erased.
    pub dropped: u64,
    /// Events that the fold refused, with the first reason.
    pub refused: (u64, Option<String>),
    /// Members seen.
    pub members: usize,
    /// Titles known at the end.
    pub titles: usize,
    /// Time of the first and last event that was asked about.
    pub tested: Option<(i64, i64)>,
    /// One for each query, in the order of time.
    pub outcomes: Vec<Outcome>,
    /// One for each play, repeats among them, of the list as it would have been served.
    pub served: Vec<Served>,
    /// Distinct titles recommended.
    pub recommended: usize,
    /// Mean self-information of what was recommended, in bits.
    pub novelty_bits: f64,
    /// The ranking's weights as they were chosen last.
    pub tuning: Tuning,
    /// Time of a query: the member's snapshot and the ranking.
    pub query: Timing,
    /// Time of an event: parsing, fold, commit and learning.
    pub event: Timing,
}

/// Replays `events` (in the order of time) and asks before each play; `progress` hears now and then
/// how many are done.
///
/// # Errors
/// None that can happen with events that were parsed before.
pub fn run(
    events: &[TimedEvent],
    titles: Vec<Title>,
    options: Options,
    progress: impl FnMut(usize),
) -> anyhow::Result<Prequential> {
    run_heard(events, titles, options, progress, |_| {})
}

/// What happens while events are replayed.
pub enum Heard<'a> {
    /// This list was recommended before the event of this number.
    List(usize, &'a [Ranked]),
    /// All events are learned.
    End(&'a mut Replay),
}

/// The same, and `heard` is told of every list, and of the end.
///
/// # Errors
/// None that can happen with events that were parsed before.
pub fn run_heard(
    events: &[TimedEvent],
    titles: Vec<Title>,
    options: Options,
    mut progress: impl FnMut(usize),
    mut heard: impl FnMut(Heard<'_>),
) -> anyhow::Result<Prequential> {
    let mut replay = Replay::new(&options.settings, titles);
    let train_events = options.boundary(events.len());
    let mut members: HashMap<String, u32> = HashMap::new();
    let mut recommended: HashSet<Arc<str>> = HashSet::new();
    let mut novelty = Vec::new();
    let mut report = Prequential::begun(events, train_events, options);
    for (at, timed) in events.iter().enumerate() {
        if at % PROGRESS_EVENTS == 0 {
            progress(at);
        }
        let event = Event::parse(&timed.payload, report.options.settings.fold.event_bytes)?;
        let known = members.len() as u32;
        let member = *members.entry_ref(&*event.member).or_insert(known);
        let is_asked = at >= train_events && matches!(event.kind, EventKind::Play | EventKind::Rating);
        let answer = match is_asked {
            true => Some(report.ask(&mut replay, &event, (at, timed.at_ms, member))?),
            false => None,
        };
        let started = Instant::now();
        let learned = replay.learn(timed)?;
        report.event.add(started.elapsed());
        if report.count(learned, &event.id)
            && let Some(Answer { served, unseen }) = answer
        {
            // A rating of what was just played is no play of it again.
            if event.kind == EventKind::Play || unseen.is_some() {
                report.served.push(served);
            }
            let Some((outcome, own, bits)) = unseen else { continue };
            heard(Heard::List(at, &own));
            report.outcomes.push(outcome);
            novelty.extend((!own.is_empty()).then_some(bits));
            recommended.extend(own.into_iter().map(|ranked| ranked.title));
        }
    }
    progress(events.len());
    replay.recommender.refresh();
    heard(Heard::End(&mut replay));
    report.members = members.len();
    report.titles = replay.recommender.titles();
    report.recommended = recommended.len();
    report.tuning = replay.recommender.tuning().clone();
    report.novelty_bits = metrics::mean(novelty);
    Ok(report)
}

/// What was recommended before a play.
struct Answer {
    served: Served,
    /// Of a title that the member had not seen, the list without such, and its mean self-information in bits.
    unseen: Option<(Outcome, Vec<Ranked>, f64)>,
}

impl Prequential {
    /// Asks before `event`, of this number, time and member.
    fn ask(
        &mut self,
        replay: &mut Replay,
        event: &Event<'_>,
        (at, at_ms, member): (usize, i64, u32),
    ) -> anyhow::Result<Answer> {
        replay.recommender.refresh();
        let started = Instant::now();
        let state = replay.member(&event.member)?;
        let recommender = &replay.recommender;
        let seed = self.options.explore.then_some(Seed { member: &event.member, now_ms: at_ms });
        let asks = Query { seed, ..query(event, self.options.k) };
        let is_repeat = has_seen(&state, &event.title);
        let list = match is_repeat && !recommender.may_repeat() {
            true => Vec::new(),
            false => {
                let list = recommender.recommend(Some(&state), &asks);
                self.query.add(started.elapsed());
                list
            }
        };
        let outcome = Outcome {
            event: at,
            at_ms,
            member,
            seen: state.history.len() + state.seen.len(),
            plays: recommender.plays(&event.title),
            gap_s: state.history.last().map(|last| at_ms / 1_000 - i64::from(last.at_s)),
            rank: rank_of(&list, &event.title),
            popular: None,
        };
        let served = Served { outcome, is_repeat };
        if is_repeat {
            return Ok(Answer { served, unseen: None });
        }
        let own = match recommender.may_repeat() {
            true => recommender.recommend_unseen(Some(&state), &asks),
            false => list,
        };
        let popular = rank_of(&popular(replay, &state, event, self.options.k), &event.title);
        let outcome = Outcome { rank: rank_of(&own, &event.title), popular, ..outcome };
        let bits =
            metrics::mean(own.iter().map(|ranked| replay.recommender.self_information_bits(&ranked.title)));
        Ok(Answer { served, unseen: Some((outcome, own, bits)) })
    }

    /// A report of nothing yet.
    fn begun(events: &[TimedEvent], train_events: usize, options: Options) -> Self {
        Self {
            events: events.len(),
            train_events,
            dropped: 0,
            refused: (0, None),
            members: 0,
            titles: 0,
            tested: events.get(train_events).zip(events.last()).map(|(from, to)| (from.at_ms, to.at_ms)),
            outcomes: Vec::new(),
            served: Vec::new(),
            recommended: 0,
            novelty_bits: f64::NAN,
            tuning: Tuning::default(),
            query: Timing::default(),
            event: Timing::default(),
            options,
        }
    }

    /// Counts what became of an event; whether it changed anything.
    fn count(&mut self, learned: Replayed, id: &str) -> bool {
        match learned {
            Replayed::Changed => return true,
            Replayed::Dropped => self.dropped += 1,
            Replayed::Refused(reject) => {
                self.refused.0 += 1;
                self.refused.1.get_or_insert_with(|| format!("event {id}: {reject}"));
            }
        }
        false
    }
}

fn query<'a>(event: &'a Event<'_>, k: usize) -> Query<'a> {
    let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
    Query { limit: k, country: given(&event.country), device: given(&event.device), ..Query::default() }
}

/// The titles that the engine answers with where it knows nothing of the member, of the same candidates.
fn popular(replay: &Replay, state: &MemberSnapshot, event: &Event<'_>, k: usize) -> Vec<Ranked> {
    let exclude = state.known().chain(state.disliked()).map(|title| &**title).collect();
    replay.recommender.recommend(None, &Query { exclude, ..query(event, k) })
}

fn has_seen(member: &MemberSnapshot, title: &str) -> bool {
    member.known().any(|known| &**known == title)
}

fn rank_of(ranked: &[Ranked], title: &str) -> Option<usize> {
    ranked.iter().position(|ranked| &*ranked.title == title).map(|at| at + 1)
}

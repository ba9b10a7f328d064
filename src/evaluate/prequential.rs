//! Prequential evaluation: before each play (or first rating) of a title that the member has not seen,
//! what would have been recommended? Then the event is learned, and on to the next.
//!
//! Nothing is held back from learning: the first part of the events only is not asked about. Repeats
//! are learned but not asked about, since titles that were seen are not recommended. Beside the
//! member's own list stands, for each query, the list of titles most popular just then that the member
//! had not seen: what the same engine answers where it knows nothing of the member.

use super::event_file::TimedEvent;
use super::replay::{Learned, Replay};
use super::summary::{Outcome, Scores, Timing};
use super::{figure, metrics};
use hashbrown::{HashMap, HashSet};
use nearline_model::ranking::{Query, Ranked};
use nearline_model::settings::AggregateSettings;
use nearline_model::timestamp::format_rfc3339;
use nearline_model::{Event, EventKind, FoldSettings, MemberSnapshot, Title};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Instant;

/// Titles seen from which on a member counts as warm.
pub const WARM_TITLES: usize = 5;
/// Parts of equal numbers of queries that the tested time is cut into.
const PARTS: usize = 20;
/// Lower bounds of the classes by titles seen.
const SEEN_CLASSES: [usize; 8] = [0, 1, 5, 10, 20, 50, 100, 200];
/// Events between two reports of progress.
const PROGRESS_EVENTS: usize = 500;

/// What is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Share of the events, in the order of time, that are learned before the first query.
    pub train_fraction: f64,
    /// Titles recommended.
    pub k: usize,
    /// Settings of the fold.
    pub fold: FoldSettings,
    /// Settings of the aggregates.
    pub aggregates: AggregateSettings,
}

impl Options {
    /// The first event that is asked about.
    pub(super) fn boundary(&self, events: usize) -> usize {
        ((events as f64 * self.train_fraction).round() as usize).min(events)
    }
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
    /// Distinct titles recommended.
    pub recommended: usize,
    /// Mean self-information of what was recommended, in bits.
    pub novelty_bits: f64,
    /// Time of a query: the member's snapshot and the ranking.
    pub query: Timing,
    /// Time of an event: parsing, fold, commit and learning.
    pub event: Timing,
}

/// A part of the queries, by time.
pub struct Part {
    /// Event time of its first query.
    pub from_ms: i64,
    /// Means of the member's own lists.
    pub own: Scores,
    /// Means of the popular titles.
    pub popular: Scores,
}

/// Queries of members who had seen about as many titles.
pub struct SeenClass {
    /// How many, in words.
    pub seen: String,
    /// Means of the member's own lists.
    pub own: Scores,
    /// Means of the popular titles.
    pub popular: Scores,
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
    mut progress: impl FnMut(usize),
) -> anyhow::Result<Prequential> {
    let mut replay = Replay::new(&options.fold, &options.aggregates, titles);
    let train_events = options.boundary(events.len());
    let mut members: HashMap<String, u32> = HashMap::new();
    let mut recommended: HashSet<Arc<str>> = HashSet::new();
    let mut novelty = Vec::new();
    let mut report = Prequential {
        events: events.len(),
        train_events,
        dropped: 0,
        refused: (0, None),
        members: 0,
        titles: 0,
        tested: events.get(train_events).zip(events.last()).map(|(from, to)| (from.at_ms, to.at_ms)),
        outcomes: Vec::new(),
        recommended: 0,
        novelty_bits: f64::NAN,
        query: Timing::default(),
        event: Timing::default(),
        options,
    };
    for (at, timed) in events.iter().enumerate() {
        if at % PROGRESS_EVENTS == 0 {
            progress(at);
        }
        let event = Event::parse(&timed.payload, report.options.fold.event_bytes)?;
        let known = members.len() as u32;
        let member = *members.entry_ref(&*event.member).or_insert(known);
        let mut asked = None;
        if at >= train_events && matches!(event.kind, EventKind::Play | EventKind::Rating) {
            let started = Instant::now();
            let state = replay.member(&event.member)?;
            if !has_seen(&state, &event.title) {
                let own = replay.recommender.recommend(Some(&state), &query(&event, report.options.k));
                report.query.add(started.elapsed());
                asked = Some((state, own));
            }
        }
        let answer = asked.map(|(state, own)| {
            let popular = popular(&replay, &state, &event, report.options.k);
            let outcome = Outcome {
                at_ms: timed.at_ms,
                member,
                seen: state.history.len() + state.seen.len(),
                rank: rank_of(&own, &event.title),
                popular: rank_of(&popular, &event.title),
            };
            let bits = metrics::mean(
                own.iter().map(|ranked| replay.recommender.self_information_bits(&ranked.title)),
            );
            (outcome, bits, own)
        });
        let started = Instant::now();
        let learned = replay.learn(timed)?;
        report.event.add(started.elapsed());
        match learned {
            Learned::Changed => {
                if let Some((outcome, bits, own)) = answer {
                    report.outcomes.push(outcome);
                    novelty.extend((!own.is_empty()).then_some(bits));
                    recommended.extend(own.into_iter().map(|ranked| ranked.title));
                }
            }
            Learned::Dropped => report.dropped += 1,
            Learned::Refused(reject) => {
                report.refused.0 += 1;
                report.refused.1.get_or_insert_with(|| format!("event {}: {reject}", event.id));
            }
        }
    }
    progress(events.len());
    report.members = members.len();
    report.titles = replay.recommender.titles();
    report.recommended = recommended.len();
    report.novelty_bits = metrics::mean(novelty);
    Ok(report)
}

fn query<'a>(event: &'a Event<'_>, k: usize) -> Query<'a> {
    let given = |text: &'a str| Some(text).filter(|text| !text.is_empty());
    Query { limit: k, country: given(&event.country), device: given(&event.device), ..Query::default() }
}

/// The titles that the engine answers with where it knows nothing of the member, of the same candidates.
fn popular(replay: &Replay, state: &MemberSnapshot, event: &Event<'_>, k: usize) -> Vec<Ranked> {
    let disliked = state.opinions.iter().filter(|opinion| opinion.thumb == Some(-1));
    let exclude = state
        .history
        .iter()
        .map(|watched| &*watched.title)
        .chain(state.seen.iter().map(|title| &**title))
        .chain(disliked.map(|opinion| &*opinion.title))
        .collect();
    replay.recommender.recommend(None, &Query { exclude, ..query(event, k) })
}

fn has_seen(member: &MemberSnapshot, title: &str) -> bool {
    member.history.iter().any(|watched| &*watched.title == title)
        || member.seen.iter().any(|seen| &**seen == title)
}

fn rank_of(ranked: &[Ranked], title: &str) -> Option<usize> {
    ranked.iter().position(|ranked| &*ranked.title == title).map(|at| at + 1)
}

impl Prequential {
    /// Means over all queries.
    pub fn own(&self) -> Scores {
        Scores::of(&self.outcomes, |outcome| outcome.rank)
    }

    /// Means over all queries, of the titles most popular just then.
    pub fn popular(&self) -> Scores {
        Scores::of(&self.outcomes, |outcome| outcome.popular)
    }

    /// Means over the queries of members who had seen few titles (`true`) or enough.
    pub fn cold(&self, cold: bool) -> (Scores, Scores) {
        let of = |outcome: &&Outcome| (outcome.seen < WARM_TITLES) == cold;
        (
            Scores::of(self.outcomes.iter().filter(of), |outcome| outcome.rank),
            Scores::of(self.outcomes.iter().filter(of), |outcome| outcome.popular),
        )
    }

    /// Share of all known titles that was recommended at least once.
    pub fn coverage(&self) -> f64 {
        self.recommended as f64 / self.titles as f64
    }

    /// The queries in parts of equal size, by time.
    pub fn over_time(&self) -> Vec<Part> {
        let size = self.outcomes.len().div_ceil(PARTS).max(1);
        let parts = self.outcomes.chunks(size);
        parts
            .map(|part| Part {
                from_ms: part[0].at_ms,
                own: Scores::of(part, |outcome| outcome.rank),
                popular: Scores::of(part, |outcome| outcome.popular),
            })
            .collect()
    }

    /// The queries by the number of titles that the member had seen; classes without queries are left out.
    pub fn by_seen(&self) -> Vec<SeenClass> {
        let classes = SEEN_CLASSES.iter().enumerate().map(|(at, from)| {
            let below = SEEN_CLASSES.get(at + 1).copied();
            let of =
                |outcome: &&Outcome| outcome.seen >= *from && below.is_none_or(|below| outcome.seen < below);
            let seen = match below {
                Some(below) if below == from + 1 => from.to_string(),
                Some(below) => format!("{from}–{}", below - 1),
                None => format!("{from} or more"),
            };
            SeenClass {
                seen,
                own: Scores::of(self.outcomes.iter().filter(of), |outcome| outcome.rank),
                popular: Scores::of(self.outcomes.iter().filter(of), |outcome| outcome.popular),
            }
        });
        classes.filter(|class| class.own.queries > 0).collect()
    }

    /// How many queries had the title at each rank.
    pub fn ranks(&self) -> Vec<usize> {
        let mut ranks = vec![0; self.options.k];
        for rank in self.outcomes.iter().filter_map(|outcome| outcome.rank) {
            ranks[rank - 1] += 1;
        }
        ranks
    }

    /// The report as one JSON object. All but `timing` depends on events and settings alone.
    pub fn json(&self, bad_lines: u64) -> Value {
        let k = self.options.k;
        let mut report = self.own().json(k);
        let (cold, warm) = (self.cold(true), self.cold(false));
        let both = |(own, popular): (Scores, Scores)| {
            let mut scores = own.json(k);
            scores.insert("popular".to_owned(), Value::Object(popular.json(k)));
            Value::Object(scores)
        };
        let time = |ms: i64| Value::from(format_rfc3339(ms));
        let more = [
            ("evaluation", Value::from("prequential")),
            ("k", Value::from(k)),
            ("events", Value::from(self.events)),
            ("bad_lines", Value::from(bad_lines)),
            ("dropped_events", Value::from(self.dropped)),
            ("refused_events", Value::from(self.refused.0)),
            ("train_fraction", Value::from(self.options.train_fraction)),
            ("train_events", Value::from(self.train_events)),
            ("test_events", Value::from(self.events - self.train_events)),
            ("tested_from", self.tested.map_or(Value::Null, |(from, _)| time(from))),
            ("tested_to", self.tested.map_or(Value::Null, |(_, to)| time(to))),
            ("members", Value::from(self.members)),
            ("titles", Value::from(self.titles)),
            ("popular", Value::Object(self.popular().json(k))),
            ("cold", both(cold)),
            ("warm", both(warm)),
        ];
        report.extend(more.map(|(name, value)| (name.to_owned(), value)));
        report.insert(format!("coverage_at_{k}"), figure(self.coverage()));
        report.insert(format!("novelty_bits_at_{k}"), figure(self.novelty_bits));
        report.insert("hits_by_rank".to_owned(), Value::from(self.ranks()));
        let parts = self.over_time().into_iter().map(|part| {
            let mut scores: Map<String, Value> = part.own.json(k);
            scores.insert("from".to_owned(), time(part.from_ms));
            scores.insert("popular".to_owned(), Value::Object(part.popular.json(k)));
            Value::Object(scores)
        });
        report.insert("over_time".to_owned(), parts.collect());
        let classes = self.by_seen().into_iter().map(|class| {
            let mut scores: Map<String, Value> = class.own.json(k);
            scores.insert("seen".to_owned(), Value::from(class.seen));
            scores.insert("popular".to_owned(), Value::Object(class.popular.json(k)));
            Value::Object(scores)
        });
        report.insert("by_titles_seen".to_owned(), classes.collect());
        report.insert(
            "timing".to_owned(),
            json!({
                "query_p50_us": figure(self.query.quantile_us(0.5)),
                "query_p99_us": figure(self.query.quantile_us(0.99)),
                "event_p50_us": figure(self.event.quantile_us(0.5)),
                "event_p99_us": figure(self.event.quantile_us(0.99)),
            }),
        );
        Value::Object(report)
    }
}

//! Evaluation on impressions (MIND style): of what one request showed, was what was played ranked
//! above what was not?
//!
//! The titles of a request are ranked by the state before its first impression, whatever order they
//! were shown in; then its impressions and plays are learned like all events. A play belongs to the
//! request that it names. Requests of which everything or nothing was played are not counted.

use super::figure;
use super::metrics::{ScoredList, mean};
use super::prequential::{Options, WARM_TITLES};
use super::replay::{Replay, Replayed};
use super::summary::Timing;
use super::timed_event::TimedEvent;
use hashbrown::{HashMap, HashSet};
use nearline_model::{Event, EventKind, Title};
use nearline_ranking::Query;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// Events between two reports of progress.
const PROGRESS_EVENTS: usize = 500;

/// What one request showed, and what of it was played.
#[derive(Debug, Default)]
struct Request {
    /// Number of its first event among all events, be it a play: what was not known before it is not to be known here.
    first: Option<usize>,
    /// Distinct titles, in the order of their events.
    shown: Vec<String>,
    played: HashSet<String>,
}

/// Metrics of one ranked list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListMetrics {
    /// Area under the ROC curve.
    pub auc: f64,
    /// Mean reciprocal rank of all that was played.
    pub mrr: f64,
    /// nDCG of the first 5.
    pub ndcg_5: f64,
    /// nDCG of the first 10.
    pub ndcg_10: f64,
}

impl ListMetrics {
    fn of(scores: &[f64], played: &[bool]) -> Self {
        let list = ScoredList::new(scores.iter().copied().zip(played.iter().copied()));
        Self { auc: list.auc(), mrr: list.mrr(), ndcg_5: list.ndcg(5), ndcg_10: list.ndcg(10) }
    }

    /// Means over several lists.
    pub fn mean_of<'a>(lists: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self {
            auc: mean(lists.clone().map(|list| list.auc)),
            mrr: mean(lists.clone().map(|list| list.mrr)),
            ndcg_5: mean(lists.clone().map(|list| list.ndcg_5)),
            ndcg_10: mean(lists.map(|list| list.ndcg_10)),
        }
    }

    fn json(self) -> Map<String, Value> {
        let figures =
            [("auc", self.auc), ("mrr", self.mrr), ("ndcg_at_5", self.ndcg_5), ("ndcg_at_10", self.ndcg_10)];
        figures.into_iter().map(|(name, value)| (name.to_owned(), figure(value))).collect()
    }
}

/// One request that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedRequest {
    /// Titles that the member had seen before.
    pub seen: usize,
    /// Titles shown.
    pub shown: usize,
    /// The member's own ranking.
    pub own: ListMetrics,
    /// The ranking for somebody nothing is known of.
    pub popular: ListMetrics,
}

/// What came out.
pub struct Impressions {
    /// What was evaluated.
    pub options: Options,
    /// Events replayed.
    pub events: usize,
    /// Events learned before the first request that was measured.
    pub train_events: usize,
    /// Requests with impressions, after the events learned before.
    pub requests: usize,
    /// Those with both something played and something not, in the order of time.
    pub ranked: Vec<RankedRequest>,
    /// Events dropped as duplicates, or from before their member was erased.
    pub dropped: u64,
    /// Events that the fold refused.
    pub refused: u64,
    /// Members seen.
    pub members: usize,
    /// Contests that were learned from in the end, and what each feature counts for by its name.
    pub contests: usize,
    /// See [`contests`](Self::contests).
    pub weights: Vec<(&'static str, f64)>,
    /// Time of a query: the member's snapshot and the scores of what was shown.
    pub query: Timing,
    /// Time of an event: parsing, fold, commit and learning.
    pub event: Timing,
}

/// Replays `events` (in the order of time); `progress` hears now and then how many are done.
///
/// # Errors
/// None that can happen with events that were parsed before.
pub fn run(
    events: &[TimedEvent],
    titles: Vec<Title>,
    options: Options,
    mut progress: impl FnMut(usize),
) -> anyhow::Result<Impressions> {
    let Requests { requests, members, plays } = requests_of(events, &options)?;
    let train_events = options.boundary(events.len());
    let by_first: HashMap<usize, Request> = requests
        .into_values()
        .filter(|request| !request.shown.is_empty())
        .filter_map(|request| Some((request.first.filter(|first| *first >= train_events)?, request)))
        .collect();
    let mut replay = Replay::new(&options.settings, titles);
    replay.recommender.expect(plays);
    let mut report = Impressions {
        events: events.len(),
        train_events,
        requests: by_first.len(),
        ranked: Vec::new(),
        dropped: 0,
        refused: 0,
        members,
        query: Timing::default(),
        event: Timing::default(),
        contests: 0,
        weights: Vec::new(),
        options,
    };
    for (at, timed) in events.iter().enumerate() {
        if at % PROGRESS_EVENTS == 0 {
            progress(at);
        }
        if let Some(request) = by_first.get(&at) {
            let event = Event::parse(&timed.payload, report.options.settings.fold.event_bytes)?;
            report.measure(&mut replay, &event, timed.at_ms, request)?;
        }
        let started = Instant::now();
        let learned = replay.learn(timed)?;
        report.event.add(started.elapsed());
        match learned {
            Replayed::Changed => {}
            Replayed::Dropped => report.dropped += 1,
            Replayed::Refused(_) => report.refused += 1,
        }
    }
    progress(events.len());
    let appeal = replay.recommender.appeal();
    (report.contests, report.weights) = (appeal.contests(), appeal.weights());
    Ok(report)
}

/// All requests, by member and id, and the numbers of members and plays.
struct Requests {
    requests: HashMap<(String, String), Request>,
    members: usize,
    plays: u64,
}

/// What each request of a member showed and what of it was played.
fn requests_of(events: &[TimedEvent], options: &Options) -> anyhow::Result<Requests> {
    let mut requests: HashMap<(String, String), Request> = HashMap::new();
    let (mut members, mut plays) = (HashSet::new(), 0);
    for (at, timed) in events.iter().enumerate() {
        let event = Event::parse(&timed.payload, options.settings.fold.event_bytes)?;
        plays += u64::from(event.kind == EventKind::Play);
        members.get_or_insert_with(&*event.member, |member| (*member).to_owned());
        if event.request.is_empty() || !matches!(event.kind, EventKind::Impression | EventKind::Play) {
            continue;
        }
        let key = (event.member.to_string(), event.request.to_string());
        let request = requests.entry(key).or_default();
        request.first.get_or_insert(at);
        let title = event.title.into_owned();
        if event.kind == EventKind::Play {
            request.played.insert(title);
        } else if !request.shown.contains(&title) {
            request.shown.push(title);
        }
    }
    Ok(Requests { requests, members: members.len(), plays })
}

impl Impressions {
    /// Ranks what a request showed, if it tells anything.
    fn measure(
        &mut self,
        replay: &mut Replay,
        event: &Event<'_>,
        at_ms: i64,
        request: &Request,
    ) -> anyhow::Result<()> {
        let played: Vec<bool> = request.shown.iter().map(|title| request.played.contains(title)).collect();
        if played.iter().all(|played| *played) || !played.contains(&true) {
            return Ok(());
        }
        let shown: Vec<&str> = request.shown.iter().map(String::as_str).collect();
        let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let query = Query {
            limit: shown.len(),
            country: given(&event.country),
            device: given(&event.device),
            ..Query::default()
        };
        replay.recommender.refresh();
        let started = Instant::now();
        let state = replay.complete_member(&event.member)?;
        let own = replay.recommender.score(Some(&state), &query, &shown, at_ms);
        self.query.add(started.elapsed());
        let popular = replay.recommender.score(None, &query, &shown, at_ms);
        self.ranked.push(RankedRequest {
            seen: state.history.len() + state.seen.len(),
            shown: shown.len(),
            own: ListMetrics::of(&own, &played),
            popular: ListMetrics::of(&popular, &played),
        });
        Ok(())
    }

    /// Means over the requests that `pick` picks: their number, own and popular.
    pub fn means(&self, pick: impl Fn(&RankedRequest) -> bool) -> (usize, ListMetrics, ListMetrics) {
        let picked: Vec<&RankedRequest> = self.ranked.iter().filter(|request| pick(request)).collect();
        (
            picked.len(),
            ListMetrics::mean_of(picked.iter().map(|request| &request.own)),
            ListMetrics::mean_of(picked.iter().map(|request| &request.popular)),
        )
    }

    /// Means over the requests of members who had seen few titles (`true`) or enough.
    pub fn cold(&self, cold: bool) -> (usize, ListMetrics, ListMetrics) {
        self.means(|request| (request.seen < WARM_TITLES) == cold)
    }

    /// The report as one JSON object. All but `timing` depends on events and settings alone.
    pub fn json(&self, bad_lines: u64) -> Value {
        let both = |(requests, own, popular): (usize, ListMetrics, ListMetrics)| {
            let mut scores = own.json();
            scores.insert("requests_ranked".to_owned(), Value::from(requests));
            scores.insert("popular".to_owned(), Value::Object(popular.json()));
            scores
        };
        let mut report = both(self.means(|_| true));
        let more = [
            ("evaluation", Value::from("impressions")),
            ("events", Value::from(self.events)),
            ("bad_lines", Value::from(bad_lines)),
            ("dropped_events", Value::from(self.dropped)),
            ("refused_events", Value::from(self.refused)),
            ("train_fraction", Value::from(self.options.train_fraction)),
            ("train_events", Value::from(self.train_events)),
            ("test_events", Value::from(self.events - self.train_events)),
            ("members", Value::from(self.members)),
            ("requests", Value::from(self.requests)),
            ("contests", Value::from(self.contests)),
            (
                "weights",
                self.weights.iter().map(|(name, weight)| ((*name).to_owned(), figure(*weight))).collect(),
            ),
            ("titles_shown_mean", figure(mean(self.ranked.iter().map(|request| request.shown as f64)))),
            ("cold", Value::Object(both(self.cold(true)))),
            ("warm", Value::Object(both(self.cold(false)))),
            (
                "timing",
                json!({
                    "query_p50_us": figure(self.query.quantile_us(0.5)),
                    "query_p99_us": figure(self.query.quantile_us(0.99)),
                    "event_p50_us": figure(self.event.quantile_us(0.5)),
                    "event_p99_us": figure(self.event.quantile_us(0.99)),
                }),
            ),
        ];
        report.extend(more.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(report)
    }
}

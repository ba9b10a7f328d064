//! What the outcomes of a prequential evaluation come to: over all queries, for cold and warm members, over
//! time, by length of history; and all of it as JSON.

use super::{Prequential, WARM_TITLES};
use crate::evaluate::figure;
use crate::evaluate::summary::{Outcome, Scores};
use nearline_model::timestamp::format_rfc3339;
use serde_json::{Map, Value, json};

/// Parts of equal numbers of queries that the tested time is cut into.
const PARTS: usize = 20;
/// Lower bounds of the classes by titles that the member had played.
const SEEN_CLASSES: [u64; 6] = [0, 1, 2, 3, 6, 21];
/// Lower bounds of the classes by plays of the title.
const PLAYS_CLASSES: [u64; 6] = [0, 1, 10, 50, 200, 1_000];
/// Lower bounds of the classes by seconds since the member's last play, with their names.
const GAP_CLASSES: [(i64, &str); 5] = [
    (i64::MIN, "below a minute"),
    (60, "a minute to half an hour"),
    (1_800, "half an hour to a day"),
    (86_400, "a day to a week"),
    (7 * 86_400, "a week or more"),
];

/// A part of the queries, by time.
pub struct Part {
    /// Event time of its first query.
    pub from_ms: i64,
    /// Means of the member's own lists.
    pub own: Scores,
    /// Means of the popular titles.
    pub popular: Scores,
}

/// Queries that are alike in something.
pub struct QueryClass {
    /// In what, in words.
    pub name: String,
    /// Means of the member's own lists.
    pub own: Scores,
    /// Means of the popular titles.
    pub popular: Scores,
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

    /// Means over all plays, of the lists as they would have been served; or over repeats alone.
    pub fn as_served(&self, repeats_alone: bool) -> Scores {
        let served = self.served.iter().filter(|served| served.is_repeat || !repeats_alone);
        Scores::of(served.map(|served| &served.outcome), |outcome| outcome.rank)
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

    /// The queries by the number of titles that the member had played; classes without queries are left out.
    pub fn by_seen(&self) -> Vec<QueryClass> {
        self.by_number(&SEEN_CLASSES, |outcome| outcome.seen as u64)
    }

    /// The queries by how often the title had been played by anybody.
    pub fn by_plays(&self) -> Vec<QueryClass> {
        self.by_number(&PLAYS_CLASSES, |outcome| outcome.plays)
    }

    /// The queries by the time since the member's last play.
    pub fn by_gap(&self) -> Vec<QueryClass> {
        let first = self.class("first play".to_owned(), |outcome| outcome.gap_s.is_none());
        let classes = GAP_CLASSES.iter().enumerate().map(|(at, (from, name))| {
            let below = GAP_CLASSES.get(at + 1).map_or(i64::MAX, |(below, _)| *below);
            self.class((*name).to_owned(), |outcome| {
                outcome.gap_s.is_some_and(|gap| (*from..below).contains(&gap))
            })
        });
        [first].into_iter().chain(classes).filter(|class| class.own.queries > 0).collect()
    }

    fn by_number(&self, bounds: &[u64], number: impl Fn(&Outcome) -> u64) -> Vec<QueryClass> {
        let classes = bounds.iter().enumerate().map(|(at, from)| {
            let below = bounds.get(at + 1).copied();
            let name = match below {
                Some(below) if below == from + 1 => from.to_string(),
                Some(below) => format!("{from}–{}", below - 1),
                None => format!("{from} or more"),
            };
            self.class(name, |outcome| (*from..below.unwrap_or(u64::MAX)).contains(&number(outcome)))
        });
        classes.filter(|class| class.own.queries > 0).collect()
    }

    fn class(&self, name: String, is_in: impl Fn(&Outcome) -> bool) -> QueryClass {
        let outcomes = || self.outcomes.iter().filter(|outcome| is_in(outcome));
        QueryClass {
            name,
            own: Scores::of(outcomes(), |outcome| outcome.rank),
            popular: Scores::of(outcomes(), |outcome| outcome.popular),
        }
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
        let mut served = self.as_served(false).json(k);
        served.insert("repeats".to_owned(), Value::Object(self.as_served(true).json(k)));
        report.insert("as_served".to_owned(), Value::Object(served));
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
        let classes = |name: &str, classes: Vec<QueryClass>| {
            let class = |class: QueryClass| {
                let mut scores: Map<String, Value> = class.own.json(k);
                scores.insert(name.to_owned(), Value::from(class.name));
                scores.insert("popular".to_owned(), Value::Object(class.popular.json(k)));
                Value::Object(scores)
            };
            classes.into_iter().map(class).collect::<Value>()
        };
        report.insert("by_titles_seen".to_owned(), classes("seen", self.by_seen()));
        report.insert("by_plays_of_title".to_owned(), classes("plays", self.by_plays()));
        report.insert("by_gap".to_owned(), classes("gap", self.by_gap()));
        report.insert("ranking".to_owned(), serde_json::to_value(&self.tuning).unwrap_or_default());
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

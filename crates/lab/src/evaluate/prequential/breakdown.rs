//! What the outcomes of a prequential evaluation come to: over all queries, for cold and warm members, over
//! time, by length of history; and all of it as JSON.

use super::{Prequential, WARM_TITLES};
use crate::evaluate::figure;
use crate::evaluate::summary::{Outcome, Scores};
use nearline_model::timestamp::format_rfc3339;
use serde_json::{Map, Value, json};

/// Parts of equal numbers of queries that the tested time is cut into.
const PARTS: usize = 20;
/// Lower bounds of the classes by titles seen.
const SEEN_CLASSES: [usize; 8] = [0, 1, 5, 10, 20, 50, 100, 200];

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

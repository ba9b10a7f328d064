//! What the demo counts: events, queries, and how often what was played had been recommended.

use comfy_table::{CellAlignment, Table};
use hdrhistogram::Histogram;
use nearline_actors::{Engine, Question, Source};
use nearline_audience::GeneratedEvent;
use nearline_model::Position;
use nearline_terminal::grouped;
use std::time::{Duration, Instant};

/// Titles among which a play counts as a hit.
const HIT_TITLES: usize = 10;

/// Counts and latencies.
pub(super) struct Figures {
    warm_up: u64,
    published: u64,
    started: Instant,
    latency_us: Histogram<u64>,
    asked: u64,
    not_live: u64,
    new_plays: u64,
    hits: u64,
    last_position_of_followed: Option<Position>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            warm_up: 0,
            published: 0,
            started: Instant::now(),
            latency_us: Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are valid"),
            asked: 0,
            not_live: 0,
            new_plays: 0,
            hits: 0,
            last_position_of_followed: None,
        }
    }
}

impl Figures {
    /// The show begins: what was published so far was warm-up.
    pub fn start(&mut self) {
        self.warm_up = std::mem::take(&mut self.published);
        self.started = Instant::now();
    }

    /// The log acknowledged an event.
    pub fn published(&mut self, position: Position, of_followed: bool) {
        self.published += 1;
        if of_followed {
            self.last_position_of_followed = Some(position);
        }
    }

    /// Events published in the show.
    pub fn events(&self) -> u64 {
        self.published
    }

    /// Events per second of the show so far.
    pub fn events_per_s(&self) -> f64 {
        self.published as f64 / self.started.elapsed().as_secs_f64().max(1e-3)
    }

    /// Share of new plays that were among the first ten recommendations just before, in percent.
    pub fn hit_percent(&self) -> Option<f64> {
        (self.new_plays > 0).then(|| 100.0 * self.hits as f64 / self.new_plays as f64)
    }

    /// Where the followed member's last event is in the log.
    pub fn last_position_of_followed(&self) -> Option<Position> {
        self.last_position_of_followed
    }

    /// Asks what a member would be recommended, just before they play something.
    pub async fn ask_before_play(&mut self, engine: &Engine, play: &GeneratedEvent) {
        let Ok(known) = engine.member(&play.member, false, None).await else { return };
        let asked = Instant::now();
        let question = Question { member: play.member.clone(), limit: HIT_TITLES, ..Question::default() };
        let Ok(answer) = engine.recommend(&question).await else { return };
        self.latency_us.saturating_record(asked.elapsed().as_micros() as u64);
        self.asked += 1;
        self.not_live += u64::from(answer.source != Source::Live);
        // What was seen before is never recommended again: it can be no hit.
        let seen = known.snapshot.is_some_and(|member| {
            let mut titles = member.history.iter().map(|watched| &watched.title).chain(&member.seen);
            titles.any(|title| **title == *play.title)
        });
        if !seen {
            self.new_plays += 1;
            self.hits += u64::from(answer.offered.iter().any(|offered| *offered.title == *play.title));
        }
    }

    /// The summary at the end.
    pub fn summary(&self, engine: &Engine, measured: Duration) -> Table {
        let folded: u64 = engine.partitions().iter().map(|partition| partition.events).sum();
        let latency =
            |quantile| format!("{:.2} ms", self.latency_us.value_at_quantile(quantile) as f64 / 1_000.0);
        let hits = self.hit_percent().map_or("no new plays yet".into(), |percent| {
            format!("{percent:.1} % of {} new plays", grouped(self.new_plays))
        });
        let sizes = engine.sizes();
        let (titles, known) = (sizes.titles, sizes.catalogue_titles);
        let mut table = Table::new();
        table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
        table.set_header(["demo", ""]);
        for (name, value) in [
            ("time", format!("{:.1} s", measured.as_secs_f64())),
            ("events published", grouped(self.published)),
            ("  before the show", grouped(self.warm_up)),
            ("events folded since the start", grouped(folded)),
            ("events/s", format!("{:.0}", self.published as f64 / measured.as_secs_f64().max(1e-3))),
            ("titles played or shown", format!("{} of {}", grouped(titles as u64), grouped(known as u64))),
            ("recommendations asked", grouped(self.asked)),
            ("  not from live state", grouped(self.not_live)),
            ("  p50", latency(0.5)),
            ("  p99", latency(0.99)),
            ("played from the top 10", hits),
        ] {
            table.add_row([name.to_owned(), value]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }
}

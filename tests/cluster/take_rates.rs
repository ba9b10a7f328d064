//! Take rates of a stream with redeliveries, disorder and plays that come too late, on both backends and
//! at several numbers of partitions: every cell equals a batch computation over all events at once.

use crate::bed::{Bed, run};
use nearline_actors::{Engine, EngineSettings};
use nearline_model::Aggregates;
use nearline_model::delta::epoch_of;
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::NewEvent;
use std::collections::{BTreeMap, BTreeSet};

/// 2018-06-06T12:00:00Z.
const START_MS: i64 = 1_528_286_400_000;
const SPAN_MS: i64 = 6 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
/// The defaults of `quality_seconds` and `quality_window_seconds`.
const QUALITY_S: u32 = 120;
const QUALITY_WINDOW_MS: i64 = 14_400_000;
const EVENTS: usize = 20_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Impression,
    Play,
    Progress,
}

#[derive(Debug, Clone)]
struct Happening {
    kind: Kind,
    member: usize,
    title: usize,
    request: String,
    at_ms: i64,
    row: usize,
    position: u32,
    watched_s: Option<u32>,
}

impl Happening {
    fn country(&self) -> &'static str {
        ["US", "BR", "JP", "FR", "KR"][self.member % 5]
    }

    fn json(&self, id: usize) -> String {
        let kind = ["impression", "play", "progress"][self.kind as usize];
        let Self { member, title, request, row, position, .. } = self;
        let (at, country) = (format_rfc3339(self.at_ms), self.country());
        let mut json = format!(
            r#"{{"id":"e{id}","type":"{kind}","member":"m{member}","title":"t{title}","at":"{at}","country":"{country}""#
        );
        if self.kind != Kind::Progress {
            json += &format!(r#","request":"{request}""#);
        }
        if self.kind == Kind::Impression {
            json += &format!(r#","row":"row{row}","position":{position},"device":"tv""#);
        }
        if let Some(watched_s) = self.watched_s {
            json += &format!(r#","watched_s":{watched_s}"#);
        }
        json + "}"
    }
}

/// Whole numbers at random: xorshift64* (Vigna, 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % limit
    }

    fn ms(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from) as usize) as i64
    }

    /// Most of all a low number.
    fn skewed(&mut self, limit: usize) -> usize {
        let (a, b) = (self.below(limit), self.below(limit));
        self.below(a.min(b) + 1)
    }
}

/// What happened, each once.
fn happenings(random: &mut Random) -> Vec<Happening> {
    let mut happenings = Vec::new();
    let distinct = EVENTS - EVENTS / 100;
    let mut request = 0;
    while happenings.len() < distinct {
        request += 1;
        let variant = ["", "", "-x-home-a", "-x-home-b", "-x-search_2-b"][random.below(5)];
        let name = format!("r{request}{variant}");
        let (member, shown_ms) = (random.below(700), START_MS + random.ms(0, SPAN_MS));
        let titles: BTreeSet<usize> = (0..14).map(|_| random.skewed(60)).collect();
        for title in titles {
            let shown = Happening {
                kind: Kind::Impression,
                member,
                title,
                request: name.clone(),
                at_ms: shown_ms + random.ms(0, 20_000),
                row: random.below(4),
                position: random.below(60) as u32,
                watched_s: None,
            };
            let delay_ms = match random.below(100) {
                0..18 => Some(random.ms(0, 120_000)),
                18..22 => Some(random.ms(0, HOUR_MS)),
                22 => Some(HOUR_MS + random.ms(-3, 4)),
                23 => Some(random.ms(HOUR_MS + 1, 2 * HOUR_MS)),
                24 => Some(-1),
                _ => None,
            };
            if let Some(delay_ms) = delay_ms {
                let at_ms = shown.at_ms + delay_ms;
                let early_s = (random.below(20) == 0).then_some(QUALITY_S);
                let play = Happening { kind: Kind::Play, at_ms, watched_s: early_s, ..shown.clone() };
                for _ in 0..random.below(3) {
                    happenings.push(Happening {
                        kind: Kind::Progress,
                        at_ms: at_ms + random.ms(0, 2 * HOUR_MS),
                        watched_s: Some(QUALITY_S - 60 + 20 * random.below(6) as u32),
                        ..shown.clone()
                    });
                }
                happenings.push(play);
            }
            happenings.push(shown);
        }
        // Found by search: no impression.
        happenings.push(Happening {
            kind: Kind::Play,
            member: random.below(700),
            title: random.skewed(60),
            request: format!("s{request}"),
            at_ms: START_MS + random.ms(0, SPAN_MS),
            row: 0,
            position: 0,
            watched_s: None,
        });
    }
    happenings.truncate(distinct);
    happenings
}

/// The stream in the order of arrival: 5 % late by up to a minute, 1 % delivered again within five.
fn arrivals(happenings: &[Happening], random: &mut Random) -> Vec<NewEvent> {
    let mut order: Vec<(i64, usize)> = Vec::new();
    for (id, happening) in happenings.iter().enumerate() {
        let late_ms = if random.below(20) == 0 { random.ms(1, 60_000) } else { 0 };
        order.push((happening.at_ms + late_ms, id));
    }
    for _ in happenings.len()..EVENTS {
        let (arrival_ms, id) = order[random.below(happenings.len())];
        order.push((arrival_ms + random.ms(100, 300_000), id));
    }
    order.sort_unstable();
    let event = |(_, id): (i64, usize)| {
        let happening = &happenings[id];
        NewEvent {
            member: format!("m{}", happening.member),
            id: format!("e{id}"),
            payload: happening.json(id).into(),
        }
    };
    order.into_iter().map(event).collect()
}

/// Impressions, attributed plays, quality plays by dimension (a country, a row, a variant), title and
/// epoch.
type Cells = BTreeMap<(String, String, u32), [u32; 3]>;

fn batch_answer(happenings: &[Happening]) -> Cells {
    let mut cells = Cells::new();
    let mut count = |shown: &Happening, stage: usize| {
        let (title, epoch) = (format!("t{}", shown.title), epoch_of(shown.at_ms));
        let mut dimensions = vec![
            (format!("country:{}", shown.country()), title.clone()),
            (format!("row:row{}", shown.row), title.clone()),
            ("all".to_owned(), title),
        ];
        if let Some((_, variant)) = shown.request.split_once("-x-") {
            dimensions.push((variant.to_owned(), String::new()));
        }
        for (dimension, title) in dimensions {
            cells.entry((dimension, title, epoch)).or_default()[stage] += 1;
        }
    };
    let of_kind = |kind| happenings.iter().filter(move |happening| happening.kind == kind);
    let key = |happening: &Happening| (happening.member, happening.request.clone(), happening.title);
    let plays: BTreeMap<_, _> = of_kind(Kind::Play).map(|play| (key(play), play)).collect();
    for shown in of_kind(Kind::Impression) {
        count(shown, 0);
        let Some(play) = plays.get(&key(shown)) else { continue };
        if !(0..=HOUR_MS).contains(&(play.at_ms - shown.at_ms)) {
            continue;
        }
        count(shown, 1);
        let is_quality = |seen: &Happening| {
            seen.kind != Kind::Impression
                && (seen.member, seen.title) == (play.member, play.title)
                && seen.watched_s >= Some(QUALITY_S)
                && (0..=QUALITY_WINDOW_MS).contains(&(seen.at_ms - play.at_ms))
        };
        if happenings.iter().any(is_quality) {
            count(shown, 2);
        }
    }
    cells
}

fn engine_answer(aggregates: &Aggregates) -> Cells {
    let mut cells = Cells::new();
    for dimension in aggregates.dimension_names() {
        if !(dimension == "all" || dimension.starts_with("country:") || dimension.starts_with("row:")) {
            continue;
        }
        let table = aggregates.counters(dimension).expect("named");
        for (title, counters) in table.titles() {
            for (epoch, counts) in &counters.epochs {
                let counts = [counts.impressions, counts.attributed, counts.quality];
                if counts != [0; 3] {
                    let title = aggregates.title_id(title).to_string();
                    cells.insert((dimension.to_owned(), title, *epoch), counts);
                }
            }
        }
    }
    for (experiment, variant) in aggregates.variants() {
        for (epoch, counts) in aggregates.variant_counts(experiment, variant).expect("named").epochs {
            let counts = [counts.impressions, counts.attributed, counts.quality];
            cells.insert((format!("{experiment}-{variant}"), String::new(), epoch), counts);
        }
    }
    cells
}

async fn every_cell_is_right(bed: &Bed, settings: EngineSettings) {
    let mut random = Random(0x5eed);
    let happenings = happenings(&mut random);
    let answer = batch_answer(&happenings);
    let total = |stage: usize| -> u32 {
        answer.iter().filter(|((dimension, ..), _)| dimension == "all").map(|(_, counts)| counts[stage]).sum()
    };
    assert!(total(0) > 10_000 && total(1) > 1_500 && total(2) > 300, "the stream has everything in it");
    let engine: Engine = bed.engine(settings).await;
    bed.append(arrivals(&happenings, &mut random)).await;
    engine.caught_up().await.expect("caught up");
    let found = engine_answer(&engine.aggregates().read());
    let wrong: Vec<_> = answer
        .keys()
        .chain(found.keys())
        .filter(|cell| answer.get(*cell) != found.get(*cell))
        .map(|cell| (cell, answer.get(cell), found.get(cell)))
        .take(10)
        .collect();
    assert!(wrong.is_empty(), "cell, expected, found: {wrong:#?}");
    engine.stop().await;
}

#[test]
fn every_cell_equals_the_batch_answer_embedded() {
    run(async {
        for partitions in [1, 7, 16] {
            // Commits in the middle of everything, and members that come back from the store.
            let often = EngineSettings {
                commit_events: 500,
                batch_events: 64,
                cached_members: 200,
                ..EngineSettings::default()
            };
            every_cell_is_right(&Bed::embedded_with(partitions), often).await;
        }
    });
}

#[test]
fn every_cell_equals_the_batch_answer_on_nats_and_redis() {
    run(async {
        for partitions in [1, 7] {
            every_cell_is_right(&Bed::cluster_with(partitions).await, EngineSettings::default()).await;
        }
    });
}

#[test]
fn every_cell_equals_the_batch_answer_on_nats_and_redis_with_blocks() {
    run(async {
        for block in [2, 64] {
            every_cell_is_right(&Bed::cluster_of(7, block).await, EngineSettings::default()).await;
        }
    });
}

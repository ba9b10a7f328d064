//! The ranking finds what scoring every title finds: the same titles, in the same order, with the same
//! scores to the bit, for random states, members and queries.

use crate::harness::{Harness, START_MS, event, record};
use crate::row_reference::{LearnedThen, Reference};
use nearline_model::catalogue::{Catalogue, Title};
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, FoldSettings};
use nearline_ranking::settings::{RankingSettings, Repeats};
use nearline_ranking::{Query, next, rank, score_titles};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Titles: so many that they are in several blocks.
const TITLES: u32 = 400;
const GENRES: [&str; 5] = ["drama", "comedy", "crime", "family", "space"];
const MEMBERS: u8 = 12;

/// What a member does with a title.
#[derive(Debug, Clone)]
struct Act {
    kind: usize,
    member: u8,
    title: u32,
    gap_s: i64,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let kind = prop::sample::select(vec![0, 0, 1, 1, 1, 1, 1, 2, 3, 4]);
    // Few titles are played much, and most hardly ever.
    let title = (0.0..1.0_f64).prop_map(|at| (at * at * at * f64::from(TITLES)) as u32);
    let act = (kind, 0..MEMBERS, title, prop::sample::select(vec![1, 5, 60, 900, 7_200]));
    let act = act.prop_map(|(kind, member, title, gap_s)| Act { kind, member, title, gap_s });
    prop::collection::vec(act, 1..700)
}

/// A catalogue in which some titles have more to say than others, and one in seven was never played.
fn catalogue(size: u32) -> Catalogue {
    let mut catalogue = Catalogue::default();
    for number in 0..size {
        let genre = |step: u32| GENRES[(number / step % 5) as usize].to_owned();
        let id = if number.is_multiple_of(7) { format!("new{number}") } else { format!("t{number}") };
        catalogue.put(Title {
            id,
            genres: if number.is_multiple_of(11) { vec![] } else { vec![genre(1), genre(5)] },
            year: (number % 3 > 0).then(|| 2026 - (number % 9) as u16),
            countries: if number.is_multiple_of(5) { vec!["JP".into()] } else { vec![] },
            ..Title::default()
        });
    }
    catalogue
}

fn settings() -> impl Strategy<Value = RankingSettings> {
    let powers = (
        prop::sample::select(vec![0.0, 0.2, 0.5, 1.0]),
        prop::sample::select(vec![0.0, 1.0, 20.0]),
        prop::sample::select(vec![0.0, 1.0, 1.5, 2.0]),
        prop::sample::select(vec![0.0, 0.000_4, 0.2]),
    );
    let others = (
        prop::sample::select(vec![0.0, 0.0, 0.3]),
        prop::sample::select(vec![0.0, 0.1, 1.0]),
        prop::sample::select(vec![Repeats::Never, Repeats::Learned, Repeats::Always]),
        prop::sample::select(vec![0.5, 0.85]),
    );
    (powers, others).prop_map(|(powers, (diversity, freshness, repeats, step_weight))| RankingSettings {
        damping_power: powers.0,
        damping_plays: powers.1,
        lift_power: powers.2,
        popularity_weight: powers.3,
        diversity,
        freshness,
        repeats,
        step_weight,
        ..RankingSettings::default()
    })
}

/// What is asked for.
#[derive(Debug, Clone)]
struct Asked {
    limit: usize,
    country: Option<&'static str>,
    device: Option<&'static str>,
    exclude: Vec<u32>,
    /// Every how manieth title is admitted.
    admit: Option<u64>,
    boost: bool,
    settings: RankingSettings,
}

fn asked() -> impl Strategy<Value = Asked> {
    let narrowed = (
        prop::sample::select(vec![0, 1, 3, 20, 1_000, usize::MAX]),
        prop::sample::select(vec![None, Some("BR"), Some("JP"), Some("FR")]),
        prop::sample::select(vec![None, Some("tv")]),
        prop::collection::vec(0..40_u32, 0..4),
        prop::sample::select(vec![None, None, Some(2), Some(40)]),
        prop::bool::weighted(0.2),
        settings(),
    );
    narrowed.prop_map(|(limit, country, device, exclude, admit, boost, settings)| Asked {
        limit,
        country,
        device,
        exclude,
        admit,
        boost,
        settings,
    })
}

/// What the acts make of a partition; learned of are the first `learned_at` acts.
struct World {
    harness: Harness,
    aggregates: Aggregates,
    catalogue: Catalogue,
    learned: Option<LearnedThen>,
}

impl World {
    fn of(acts: &[Act], learned_at: Option<usize>, solved: usize, titles: u32) -> Self {
        let settings = FoldSettings { history_titles: 40, seen_titles: 10, ..FoldSettings::default() };
        let mut world = Self {
            harness: Harness::new(0, 1, settings),
            aggregates: Aggregates::new(1, AggregateSettings::default()),
            catalogue: catalogue(titles),
            learned: None,
        };
        let first = learned_at.unwrap_or_default().min(acts.len());
        let mut at_ms = START_MS;
        for (offset, part) in [(0, &acts[..first]), (first, &acts[first..])] {
            let records = part.iter().enumerate().map(|(at, act)| {
                at_ms += act.gap_s * 1_000;
                record((offset + at) as u64 + 1, at_ms, &event_of(offset + at, act, at_ms))
            });
            let records: Vec<_> = records.collect();
            if !records.is_empty() {
                world.harness.fold(&records);
                world.harness.commit();
                world.harness.add_to(&mut world.aggregates);
            }
            if offset == 0 && learned_at.is_some() {
                world.learned = Some(LearnedThen::of(&world.aggregates, &world.catalogue, solved));
            }
        }
        world
    }
}

fn event_of(number: usize, act: &Act, at_ms: i64) -> Value {
    let kind = ["impression", "play", "thumb", "rating", "progress"][act.kind];
    let mut fields = json!({
        "device": if act.title.is_multiple_of(2) { "tv" } else { "phone" },
        "country": if act.title.is_multiple_of(3) { "BR" } else { "JP" },
    });
    match act.kind {
        0 => (fields["row"], fields["position"]) = (json!("top_picks"), json!(act.title % 9)),
        2 => fields["value"] = json!([-1, 1, 2][(act.title % 3) as usize]),
        3 => fields["value"] = json!(1.0 + f64::from(act.title % 5)),
        4 => (fields["watched_s"], fields["duration_s"]) = (json!(act.title % 40), json!(300)),
        _ => {}
    }
    let (member, title) = (format!("m{}", act.member), format!("t{}", act.title));
    event(&format!("e{number}"), kind, &member, &title, at_ms, fields)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_ranking_is_that_of_scoring_every_title(
        acts in acts(),
        learned_at in prop::option::weighted(0.85, 0..700_usize),
        solved in prop::sample::select(vec![0, 1, 5, 60, 400]),
        titles in prop::sample::select(vec![0, 30, 300]),
        asked in prop::collection::vec(asked(), 4),
    ) {
        let mut world = World::of(&acts, learned_at, solved, titles);
        for (number, asked) in asked.iter().enumerate() {
            let member = (number > 0).then(|| world.harness.snapshot(&format!("m{number}")));
            let World { aggregates, catalogue, learned, .. } = &world;
            let exclude: Vec<String> = asked.exclude.iter().map(|title| format!("t{title}")).collect();
            let hash = nearline_model::identifier::fingerprint;
            let admit = |id: &str| asked.admit.is_none_or(|every| hash(id).is_multiple_of(every));
            let boost = |id: &str| [0.0, 0.5, 1.0, 9.0][(hash(id) % 4) as usize];
            let query = Query {
                limit: asked.limit,
                country: asked.country,
                device: asked.device,
                exclude: exclude.iter().map(String::as_str).collect(),
                explain: number % 2 == 0,
                admit: asked.admit.map(|_| &admit as &dyn Fn(&str) -> bool),
                boost: asked.boost.then_some(&boost as &dyn Fn(&str) -> f64),
                settings: Some(&asked.settings),
                learned: learned.as_ref().map(|then| &then.learned),
                seed: None,
            };
            // Diversity over an endless row is an endless sum of comparisons.
            let query = match asked.settings.diversity > 0.0 {
                true => Query { limit: asked.limit.min(20), ..query },
                false => query,
            };
            let reference = || Reference::new(aggregates, catalogue, learned.as_ref(), member.as_ref(), &query);
            let ranked = rank(aggregates, catalogue, member.as_ref(), &query);
            prop_assert_eq!(&ranked, &reference().rank());

            let ids = ["t0", "t1", "t7", "t30", "t399", "unheard-of"];
            let scores = score_titles(aggregates, catalogue, member.as_ref(), &query, &ids);
            let excluded = reference().excluded();
            let expected = ids.map(|id| match aggregates.title(id) {
                Some(title) if catalogue.is_available(id, query.country) && !excluded.contains(&title) => {
                    reference().score(title)
                }
                _ => 0.0,
            });
            prop_assert_eq!(&scores[..], &expected[..]);

            let alike = Query {
                limit: query.limit,
                country: query.country,
                settings: query.settings,
                learned: query.learned,
                ..Query::default()
            };
            for id in ["t0", "t3"] {
                // What comes next is neither fresh nor diverse.
                let plain = RankingSettings { freshness: 0.0, diversity: 0.0, ..asked.settings };
                let excluding = Query { exclude: vec![id], settings: Some(&plain), ..alike.clone() };
                let expected =
                    Reference::new(aggregates, catalogue, learned.as_ref(), None, &excluding).after(id);
                let expected = expected.map(|after| after.rank()).unwrap_or_default();
                prop_assert_eq!(next(aggregates, catalogue, id, &alike), expected);
            }
        }
    }
}

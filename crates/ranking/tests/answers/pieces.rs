//! Sums that are looked at in pieces while others add to them.

use nearline_model::aggregates::Added;
use nearline_model::delta::{Cell, Counts, PlaceCell, PositionBand, TakeCounts};
use nearline_model::settings::AggregateSettings;
use nearline_model::symbols::Symbol;
use nearline_model::{Aggregates, Delta, Position};
use nearline_ranking::associations::{Associations, Problem, Weighing};
use nearline_ranking::position_bias::{PositionBias, ShownPlaces};
use std::sync::Arc;

const EPOCH: u32 = 984_660;

fn counts(plays: u32) -> Counts {
    Counts { plays, ..Counts::default() }
}

/// Plays of `titles`, so many each, one after the other.
fn plays(position: u64, titles: &[(&str, u32)]) -> Delta {
    let strings = std::iter::once("").chain(titles.iter().map(|(title, _)| *title)).map(Arc::from).collect();
    let cells = (1..).zip(titles);
    let cells = cells.map(|(title, (_, plays))| Cell {
        title,
        epoch: EPOCH,
        country: 0,
        device: 0,
        counts: counts(*plays),
    });
    // Each after the one before it in the list.
    let transitions = (2..=titles.len() as u32).flat_map(|title| [title, 1, title - 1]).collect();
    Delta {
        after: Position(position - 1),
        position: Position(position),
        strings,
        cells: cells.collect(),
        transitions,
        ..Delta::default()
    }
}

/// Impressions of many titles at two places each, of which the first is taken so often.
fn shown(position: u64, epoch: u32, first_taken: u32) -> Delta {
    let titles = (0..300).map(|title| Arc::from(format!("t{title}").as_str()));
    let strings: Vec<Arc<str>> = [Arc::from(""), Arc::from("top")].into_iter().chain(titles).collect();
    let place = |title: u32, band: u32, attributed: u32| PlaceCell {
        title,
        epoch,
        row: 1,
        band: Some(PositionBand::of(band)),
        counts: TakeCounts { impressions: 10_000, attributed, ..TakeCounts::default() },
    };
    let titles = 2..strings.len() as u32;
    let places = titles.clone().flat_map(|title| [place(title, 0, first_taken), place(title, 1, 500)]);
    let cells = titles.map(|title| Cell { title, epoch, country: 0, device: 0, counts: counts(1) });
    Delta {
        after: Position(position - 1),
        position: Position(position),
        cells: cells.collect(),
        places: places.collect(),
        strings,
        ..Delta::default()
    }
}

fn sums(deltas: &[Delta]) -> Aggregates {
    let mut sums = Aggregates::new(1, AggregateSettings::default());
    deltas.iter().for_each(|delta| assert_eq!(sums.add(delta), Added::Now));
    sums
}

/// Looks to the end, and gives whether `meanwhile` still came before it.
fn looked_at(problem: &mut Problem, sums: &mut Aggregates, meanwhile: &Delta, looks: usize) -> bool {
    let mut looked = 0;
    loop {
        if looked == looks {
            assert_eq!(sums.add(meanwhile), Added::Now);
        }
        if !problem.look(sums) {
            return looked >= looks;
        }
        problem.take_in();
        looked += 1;
    }
}

#[test]
fn a_title_that_comes_while_a_solve_looks_is_not_in_it() {
    let names: Vec<String> = (0..2_300).map(|title| format!("t{title:04}")).collect();
    let listed: Vec<(&str, u32)> =
        names.iter().map(String::as_str).zip((5..).map(|plays| plays / 3)).collect();
    let before = [plays(1, &listed)];
    let later = plays(2, &[("t0001", 1), ("new", 5_000), ("t0002", 1)]);
    for most in [40, 2] {
        let ids = |titles: &[Symbol], sums: &Aggregates| -> Vec<Arc<str>> {
            titles.iter().map(|title| sums.title_id(*title).clone()).collect()
        };
        let whole = Associations::of(&sums(&before), most);
        for looks in 0.. {
            let mut sums = sums(&before);
            let mut problem = Problem::begin(&sums, most);
            let was_meanwhile = looked_at(&mut problem, &mut sums, &later, looks);
            if !was_meanwhile {
                assert!(looks > 10, "ids and pairs are looked at in several pieces each");
                break;
            }
            let solved = problem.solve(Weighing::default());
            assert_eq!(ids(solved.titles(), &sums), ids(whole.titles(), &sums), "{looks}");
            let new = sums.title("new").expect("counted");
            assert!(!solved.covers(new), "{looks}");
            for title in names.iter().filter_map(|id| sums.title(id)) {
                assert!(solved.outer(title).iter().all(|(to, _)| *to != new), "{looks}");
            }
        }
    }
}

#[test]
fn places_are_those_of_one_period_though_it_ends_while_they_are_looked_at() {
    let period = AggregateSettings::default().place_epochs;
    // Of the period that ends while they are looked at, the first place is better; in the one before, the second was.
    let before = [shown(1, EPOCH, 100), shown(2, EPOCH + period, 2_000)];
    let later = shown(3, EPOCH + 2 * period, 500);
    let before_it = PositionBias::of(&sums(&before));
    let after_it = PositionBias::of(&sums(&[&before[..], std::slice::from_ref(&later)].concat()));
    let first = |bias: &PositionBias| bias.band(Some(PositionBand::of(0)));
    assert!(first(&before_it) < 0.8 && first(&after_it) > 1.2, "{before_it:?} {after_it:?}");
    for looks in 0.. {
        let (mut sums, mut places, mut looked) = (sums(&before), ShownPlaces::default(), 0);
        while places.look(&sums) {
            places.take_in();
            looked += 1;
            if looked == looks {
                assert_eq!(sums.add(&later), Added::Now);
            }
        }
        let was_meanwhile = (1..=looked).contains(&looks);
        let expected = if was_meanwhile { &after_it } else { &before_it };
        assert_eq!(places.estimate(), *expected, "{looks}");
        if looks > looked {
            assert!(looked > 5, "titles and places are looked at in several pieces each");
            break;
        }
    }
}

#[test]
fn places_come_to_an_end_though_a_period_ends_with_every_look() {
    let period = AggregateSettings::default().place_epochs;
    let (mut sums, mut places) = (sums(&[shown(1, EPOCH, 100)]), ShownPlaces::default());
    for looked in 1.. {
        assert!(looked < 100, "it is begun anew for ever");
        assert_eq!(sums.add(&shown(looked + 1, EPOCH + looked as u32 * period, 100)), Added::Now);
        if !places.look(&sums) {
            break;
        }
        places.take_in();
    }
    let bias = places.estimate();
    assert!(bias.band(Some(PositionBand::of(0))) > 0.0, "{bias:?}");
}

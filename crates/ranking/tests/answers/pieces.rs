//! Sums that are looked at in pieces while others add to them: what comes of it is of the sums of some moment.

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

/// Impressions of two titles at two places, of which the first is taken more.
fn shown(position: u64, epoch: u32, first_taken: u32) -> Delta {
    let strings = ["", "a", "b", "top"].map(Arc::from).to_vec();
    let place = |title: u32, band: u32, attributed: u32| PlaceCell {
        title,
        epoch,
        row: 3,
        band: Some(PositionBand::of(band)),
        counts: TakeCounts { impressions: 10_000, attributed, ..TakeCounts::default() },
    };
    let places = [1, 2].into_iter().flat_map(|title| [place(title, 0, first_taken), place(title, 1, 500)]);
    let cells = [1, 2].map(|title| Cell { title, epoch, country: 0, device: 0, counts: counts(1) });
    Delta {
        after: Position(position - 1),
        position: Position(position),
        strings,
        cells: cells.to_vec(),
        places: places.collect(),
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
    let before = [plays(1, &[("a", 9), ("b", 8), ("c", 7), ("d", 6)])];
    let later = plays(2, &[("b", 1), ("new", 500), ("a", 1)]);
    for most in [10, 2] {
        let ids = |titles: &[Symbol], sums: &Aggregates| -> Vec<Arc<str>> {
            titles.iter().map(|title| sums.title_id(*title).clone()).collect()
        };
        let whole = Associations::of(&sums(&before), most);
        for looks in 0.. {
            let mut sums = sums(&before);
            let mut problem = Problem::begin(&sums, most);
            let was_meanwhile = looked_at(&mut problem, &mut sums, &later, looks);
            let solved = problem.solve(Weighing::default());
            let new = sums.title("new");
            if !was_meanwhile {
                assert!(looks > 1, "it is looked at in several pieces");
                break;
            }
            assert_eq!(ids(solved.titles(), &sums), ids(whole.titles(), &sums), "{looks}");
            assert!(new.is_some_and(|new| !solved.covers(new)), "{looks}");
            let a = sums.title("a").expect("counted");
            assert!(solved.outer(a).iter().all(|(title, _)| Some(*title) != new), "{looks}");
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
            assert!(looked > 2, "they are looked at in several pieces");
            break;
        }
    }
}

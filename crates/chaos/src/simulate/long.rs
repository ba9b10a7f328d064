//! Now and then a world is long: what goes wrong once in a thousand steps has its chance, too.

use super::scenario::{CALM_MS, Counted, Planned, START_MS, Scenario};
use bytes::Bytes;
use nearline_audience::dice::Dice;
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::NewEvent;

/// One world in so many.
const ONE_IN: u64 = 96;
/// Plays of a long world, and the members that they are of.
const PLAYS: u64 = 3_000;
const MEMBERS: u64 = 400;

/// Makes the scenario long, in some of the seeds: many plays of many members, a commit for each few of them, little
/// trouble.
pub fn stretch(scenario: &mut Scenario, seed: u64) {
    if seed % ONE_IN != ONE_IN / 2 {
        return;
    }
    let mut dice = Dice::new(seed).fork(9);
    let plays = (0..PLAYS).map(|number| play(&mut dice, number, number * (CALM_MS - 200) / PLAYS));
    scenario.publishers.insert(0, plays.collect());
    (scenario.commit_events, scenario.batch_events, scenario.cached_members) = (1, 4, 1_000);
    (scenario.slow_per_mille, scenario.panic_per_mille) = (0, 0);
    (scenario.server_fault_per_mille, scenario.trouble_per_mille) = (0, 0);
}

fn play(dice: &mut Dice, number: u64, publish_ms: u64) -> Planned {
    let (member, title) = (format!("long{}", dice.within(1, MEMBERS)), dice.within(0, 8) as u8);
    let at_ms = START_MS + publish_ms as i64;
    let (id, at) = (format!("long-{number}"), format_rfc3339(at_ms));
    let payload =
        format!(r#"{{"id":"{id}","type":"play","member":"{member}","title":"t{title}","at":"{at}"}}"#);
    Planned {
        event: NewEvent { member, id, payload: Bytes::from(payload) },
        at_ms,
        counted: Counted::Play(title),
        publish_ms,
        again_after_ms: None,
    }
}

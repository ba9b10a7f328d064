//! The closing questions: when all is learned, every node answers by the sums of the log, whatever it went
//! through.

use super::ask::ask;
use super::expected::{Basis, rows_of};
use super::rules;
use super::wanted::{Route, Wanted};
use crate::simulate::servers::Servers;
use crate::simulate::world::World;
use nearline_actors::{Engine, Source};
use nearline_model::catalogue::Catalogue;
use nearline_model::identifier::partition_of;
use nearline_model::symbols::Symbol;
use nearline_model::{Aggregates, MemberSnapshot};
use nearline_ranking::Learned;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

/// Members that are asked about on each node.
const MEMBERS: usize = 3;
/// Times that a node is asked everything at most, until nothing changed meanwhile, and the pause between two.
const ROUNDS: usize = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// What a node has not worked out yet of what it knows.
pub fn not_learned(engine: &Engine, servers: &Servers) -> Option<String> {
    let latest = servers.catalogue.latest();
    if let Some(id) = latest.iter().find(|(id, title)| engine.title(id).as_deref() != Some(**title)) {
        return Some(format!("does not know {} as it is", id.0));
    }
    let (aggregates, learned) = (engine.aggregates().read(), engine.learned());
    let is_solved = learned.associations.are_of(&aggregates)
        && learned.associations.positions() == aggregates.positions()
        && learned.is_of_titles(&aggregates, &catalogue(servers));
    (!is_solved).then(|| "has not solved what it learned".to_owned())
}

fn catalogue(servers: &Servers) -> Catalogue {
    let mut catalogue = Catalogue::default();
    servers.catalogue.latest().into_values().for_each(|title| catalogue.put(title.clone()));
    catalogue
}

/// Asks every node, and judges by `sums`, which no node has added up.
pub async fn judge(world: &World, sums: &Aggregates) {
    let catalogue = catalogue(&world.servers.borrow());
    let engines: Vec<Engine> = world.engines.borrow().iter().flatten().cloned().collect();
    for (number, engine) in engines.iter().enumerate() {
        for rounds_left in (0..ROUNDS).rev() {
            // What a node chose depends on what was chosen before: weights are made of the sums as it chose.
            let chosen = engine.learned().tuning.clone();
            let learned = Learned::tuned(chosen.clone(), sums, &catalogue, world.scenario.solved_titles);
            let broken = broken_answers(world, engine, (sums, &catalogue), &learned).await;
            // If others were chosen meanwhile, or sums taken over, some answers were by those.
            let is_settled =
                engine.learned().tuning == chosen && not_learned(engine, &world.servers.borrow()).is_none();
            if !is_settled && rounds_left > 0 {
                world.note(format_args!("node {number} is asked again: {} broken before", broken.len()));
                sleep(PAUSE).await;
                continue;
            }
            if !is_settled {
                world.violated("I2", format!("node {number} does not come to rest"));
            }
            for (invariant, what) in broken {
                world.violated(invariant, format!("node {number}: {what}"));
            }
            break;
        }
    }
}

/// What is wrong with what `engine` answers, with the invariant that it breaks.
async fn broken_answers(
    world: &World,
    engine: &Engine,
    (sums, catalogue): (&Aggregates, &Catalogue),
    learned: &Learned,
) -> Vec<(&'static str, String)> {
    let settings = world.scenario.ranking();
    let now_ms = world.servers.borrow().now_ms();
    let basis = Basis { aggregates: sums, catalogue, learned, settings: &settings, now_ms };
    let mut all_broken: Vec<_> =
        weights_differ(engine, sums, learned).map(|what| ("I2", what)).into_iter().collect();
    for wanted in questions(world) {
        // The simulated bugs are in the questions before.
        let offer = match ask(engine, &wanted, None, false).await {
            Ok(offer) => offer,
            Err(error) => {
                all_broken.push(("I7", format!("{error}: {wanted:?} was not answered")));
                continue;
            }
        };
        let member = offer.source.map(|_| state_at_the_end(world, &wanted.member));
        if offer.source.is_some_and(|source| source != Source::Live) {
            continue;
        }
        let broken = rules::for_everybody(&wanted, catalogue, &offer);
        let broken = broken.or_else(|| {
            member.as_ref().and_then(|member| rules::for_member(member, settings.repeats, &offer))
        });
        let broken = broken.or_else(|| {
            let expected = basis.expected(&wanted, member.as_ref());
            (expected != rows_of(&offer)).then(|| format!("expected is {expected:?}"))
        });
        if let Some(what) = broken {
            all_broken.push(("I7", format!("at the end: {what}: {wanted:?} was answered by {offer:?}")));
        }
    }
    all_broken
}

/// A row and a page for some members, and titles similar to some.
fn questions(world: &World) -> Vec<Wanted> {
    let acknowledged = world.acknowledged.borrow();
    let members: BTreeSet<&str> =
        acknowledged.iter().map(|(planned, _)| world.planned(*planned).event.member.as_str()).collect();
    let routes = [Route::Row, Route::Page(7)];
    let members = members.into_iter().take(MEMBERS);
    let mut questions: Vec<Wanted> =
        members.flat_map(|member| routes.map(|route| Wanted::everything(route, member, "t0"))).collect();
    for title in ["t0", "t1"] {
        questions.push(Wanted::everything(Route::Similar, "", title));
    }
    questions.push(Wanted::everything(Route::Trending, "", ""));
    questions
}

fn state_at_the_end(world: &World, member: &str) -> MemberSnapshot {
    let partition = partition_of(member, world.scenario.partitions);
    let servers = world.servers.borrow();
    let log = &servers.log.records[usize::from(partition.0)];
    let quarantine = &servers.store.row(partition).troubles.quarantine;
    let end = servers.log.last(partition);
    world.states.borrow_mut().at(partition, log, quarantine, (member, false), end)
}

/// Weights between titles that are not those of the sums.
fn weights_differ(engine: &Engine, sums: &Aggregates, expected: &Learned) -> Option<String> {
    let (aggregates, learned) = (engine.aggregates().read(), engine.learned());
    let (found, expected) = (&learned.associations, &expected.associations);
    let ids = |sums: &Aggregates, titles: &[Symbol]| -> Vec<String> {
        titles.iter().map(|title| sums.title_id(*title).to_string()).collect()
    };
    let (titles, wanted) = (ids(&aggregates, found.titles()), ids(sums, expected.titles()));
    if titles != wanted {
        return Some(format!("weights are of {titles:?}, and to be of {wanted:?}"));
    }
    let differs = found
        .titles()
        .iter()
        .zip(expected.titles())
        .find(|(found_from, from)| found.after(**found_from) != expected.after(**from));
    differs.map(|(_, from)| format!("weights after {} are not those of the sums", sums.title_id(*from)))
}

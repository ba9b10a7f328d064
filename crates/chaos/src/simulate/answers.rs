//! Callers who ask for rows, pages, similar and trending titles, and the judgement of every answer.
//!
//! Each answer is judged where it is given, before anything else happens: then the sums, the weights and the
//! catalogue are those that it was made of. The member's state is folded from the log up to the position that
//! the answer names ([`states`]). [`rules`] hold whatever titles score; [`expected`] says titles and order;
//! [`closing`] asks once more at the end, and judges by sums of the log.

pub mod ask;
pub mod closing;
pub mod expected;
pub mod rules;
pub mod states;
pub mod wanted;

use super::scenario::{QUERY_DEADLINE_MS, TIMER_MS};
use super::world::World;
use ask::{Offer, ask};
use expected::{Basis, rows_of};
use nearline_actors::{Engine, NotAnswered, Source};
use nearline_audience::dice::Dice;
use nearline_model::Position;
use nearline_model::catalogue::Catalogue;
use nearline_model::identifier::partition_of;
use nearline_model::{MemberSnapshot, PartitionId};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wanted::Wanted;

/// What is known of the time in which a question was under way.
#[derive(Debug, Clone, Copy)]
struct Meanwhile {
    /// One node alone ran the member's partition, under the current epoch and on a store that was not rolled
    /// back since.
    owned: bool,
    /// The store was not rolled back.
    kept: bool,
}

/// Asks one question after the other on node `number` in its `life`; `pauses` counts how often the node stood still.
pub async fn keep_asking(
    world: Rc<World>,
    engine: Engine,
    (number, life): (usize, u64),
    pauses: impl Fn() -> u64,
    mut dice: Dice,
) {
    let mutation = world.servers.borrow().mutation;
    let mut before: Option<Wanted> = None;
    loop {
        sleep(Duration::from_millis(dice.within(5, 160))).await;
        let wanted = match before.take().filter(|_| dice.chance(500)) {
            Some(next) => next,
            None => {
                let Some((member, position)) = world.recently_acknowledged(&mut dice) else { continue };
                let after = if dice.chance(300) { position } else { Position::START };
                Wanted::draw(&mut dice, &member, after)
            }
        };
        let partition = partition_of(&wanted.member, world.scenario.partitions);
        let rolled_back = || world.servers.borrow().store.rolled_back;
        let (started, paused, owner, store) =
            (Instant::now(), pauses(), world.sole_owner(partition), rolled_back());
        let answer = ask(&engine, &wanted, mutation, life > 0).await;
        let meanwhile = Meanwhile {
            owned: owner.is_some() && owner == world.sole_owner(partition),
            kept: store == rolled_back(),
        };
        let took_ms = started.elapsed().as_millis() as u64;
        if pauses() == paused && took_ms > QUERY_DEADLINE_MS + TIMER_MS {
            world.violated("I7", format!("an answer took {took_ms} ms: {wanted:?}"));
        }
        world.answers.set(world.answers.get() + 1);
        match answer {
            Ok(offer) => {
                world.note(format_args!("{:?} for {}: {offer:?}", wanted.route, wanted.member));
                if let Some(what) = judge(&world, &engine, &wanted, &offer, meanwhile, partition) {
                    world.violated("I7", format!("{what}: {wanted:?} was answered by {offer:?}"));
                }
                before = next_page(wanted, &offer);
            }
            Err(NotAnswered::NotReached(not_reached)) if !wanted.after.is_start() => {
                world.judge_not_reached(number, &not_reached);
            }
            Err(error) => world.violated("I7", format!("{error}: {wanted:?} was not answered")),
        }
    }
}

/// What is asked for next by who goes on with a cursor: the same, without what was given.
fn next_page(mut wanted: Wanted, offer: &Offer) -> Option<Wanted> {
    let given = offer.rows.iter().flat_map(|row| &row.titles).map(|offered| offered.title.clone());
    wanted.given.extend(given);
    let is_row = wanted.route == wanted::Route::Row && !wanted.given.is_empty();
    is_row.then_some(wanted)
}

/// What is wrong with an answer.
fn judge(
    world: &World,
    engine: &Engine,
    wanted: &Wanted,
    offer: &Offer,
    meanwhile: Meanwhile,
    partition: PartitionId,
) -> Option<String> {
    let is_new_enough = offer.position >= wanted.after || offer.source.is_none();
    if !is_new_enough || (offer.source == Some(Source::Popular)) && !offer.position.is_start() {
        return Some("it names the wrong position".to_owned());
    }
    let catalogue = match known_catalogue(world, engine) {
        Ok(catalogue) => catalogue,
        Err(what) => return Some(what),
    };
    if let Some(broken) = rules::for_everybody(wanted, &catalogue, offer) {
        return Some(broken);
    }
    let settings = world.scenario.ranking();
    let (aggregates, learned) = (engine.aggregates().read(), engine.learned());
    let basis = Basis {
        aggregates: &aggregates,
        catalogue: &catalogue,
        learned: &learned,
        settings: &settings,
        now_ms: world.servers.borrow().now_ms(),
    };
    let wrong = |member: Option<&MemberSnapshot>| {
        let broken = member.and_then(|member| rules::for_member(member, settings.repeats, offer));
        broken.or_else(|| {
            let expected = basis.expected(wanted, member);
            (expected != rows_of(offer)).then(|| format!("expected is {expected:?}"))
        })
    };
    match offer.source {
        None | Some(Source::Popular) => wrong(None),
        // A zombie may have folded what its successor stepped over.
        Some(Source::Live) if meanwhile.owned => wrong_at(world, wanted, partition, offer, false, wrong),
        // What is read of a member may be newer than the position.
        Some(Source::Store) if meanwhile.kept => wrong_at(world, wanted, partition, offer, true, wrong),
        Some(_) => None,
    }
}

/// What is wrong by the state at the position named; with `or_later`, and by every later one.
fn wrong_at(
    world: &World,
    wanted: &Wanted,
    partition: PartitionId,
    offer: &Offer,
    or_later: bool,
    wrong: impl Fn(Option<&MemberSnapshot>) -> Option<String>,
) -> Option<String> {
    let servers = world.servers.borrow();
    let log = &servers.log.records[usize::from(partition.0)];
    let quarantine = &servers.store.row(partition).troubles.quarantine;
    let mut states = world.states.borrow_mut();
    let mut at = |position| states.at(partition, log, quarantine, (&wanted.member, false), position);
    let what = wrong(Some(&at(offer.position)))?;
    let later = log.iter().filter(|record| or_later && record.position > offer.position);
    for record in later {
        wrong(Some(&at(record.position)))?;
    }
    Some(what)
}

/// The catalogue as the node knows it now: each title as it was put at some time.
fn known_catalogue(world: &World, engine: &Engine) -> Result<Catalogue, String> {
    let mut catalogue = Catalogue::default();
    let servers = world.servers.borrow();
    for id in servers.catalogue.latest().keys() {
        if let Some(title) = engine.title(id) {
            if !servers.catalogue.had(&title) {
                return Err(format!("{id} was never put as {title:?}"));
            }
            catalogue.put((*title).clone());
        }
    }
    Ok(catalogue)
}

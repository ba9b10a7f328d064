//! The ownership protocol, model-checked: every interleaving, within bounds, of nodes that announce,
//! hear late, pause, crash, restart and whose clocks jump, with the very machine that the engine runs
//! (`nearline_model::control::ownership`) and the store's rules around it.
//!
//! Proven within the bounds: no commit of an older epoch ever succeeds (I4, I5), and from every state
//! that can be reached, as soon as faults cease, every partition is owned by one node again. And the
//! proof can fail: take fencing out of the store, and the checker finds the fork.

#[path = "ownership_protocol/fair_run.rs"]
mod fair_run;
#[path = "ownership_protocol/world.rs"]
mod world;

use stateright::{Checker, Model, Property};
use std::time::Instant;
use world::{Bounds, Move, World};

const NO_FORK: &str = "no commit of an older epoch succeeds";
const OWNED_AGAIN: &str = "every partition is owned again";
const COMMITTED: &str = "a commit succeeds";
const FENCED: &str = "a commit is fenced";
const TWICE: &str = "two nodes run one partition";
const TAKEN: &str = "a partition that was given away is run by another node";
const HANDED_OVER: &str = "a partition is handed over";

/// What is checked, and within which bounds.
#[derive(Clone)]
struct Protocol {
    bounds: Bounds,
    /// Whether the store refuses commits of older epochs.
    fencing: bool,
}

impl Model for Protocol {
    type State = World;
    type Action = Move;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(&self.bounds)]
    }

    fn actions(&self, world: &World, moves: &mut Vec<Move>) {
        world.moves(&self.bounds, moves);
    }

    fn next_state(&self, world: &World, next: Move) -> Option<World> {
        let mut world = world.clone();
        world.make(next, self.fencing);
        Some(world)
    }

    fn within_boundary(&self, world: &World) -> bool {
        world.is_within(&self.bounds)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let no_fork = Property::always(NO_FORK, |_: &Self, world: &World| !world.forked);
        if !self.fencing {
            return vec![no_fork];
        }
        vec![
            no_fork,
            Property::always(OWNED_AGAIN, |_, world: &World| {
                fair_run::ends_with_every_partition_owned(world)
            }),
            // Without these a proof might be about a world in which nothing happens.
            Property::sometimes(COMMITTED, |_, world: &World| {
                world.store.iter().any(|row| !row.position.is_start())
            }),
            Property::sometimes(FENCED, |_, world: &World| world.fenced),
            Property::sometimes(TWICE, |_, world: &World| world.is_run_twice()),
            Property::sometimes(TAKEN, |_, world: &World| world.is_taken_after_a_give_away()),
            Property::sometimes(HANDED_OVER, |_, world: &World| world.is_handed_over()),
        ]
    }
}

/// Two nodes and a partition, a beat or so beyond the first, and the faults given.
///
/// `NEARLINE_MODEL_BOUNDS=ticks,commits,epochs,beats` explores further: each step takes about four
/// times as long.
fn bounds(ticks: u64, crashes: u8, leaves: u8, jumps: u8) -> Bounds {
    let further = std::env::var("NEARLINE_MODEL_BOUNDS").ok();
    let further =
        further.map(|text| text.split(',').map(|n| n.parse().expect("a number")).collect::<Vec<u64>>());
    let [ticks, commits, epochs, beats] =
        further.map_or([ticks, 1, 2, 3], |numbers| numbers.try_into().expect("ticks,commits,epochs,beats"));
    Bounds { nodes: 2, partitions: 1, ticks, commits, epochs, beats, crashes, leaves, jumps, declines: 0 }
}

/// Explores everything within `bounds`.
fn explore(name: &str, bounds: Bounds, fencing: bool) -> impl Checker<Protocol> {
    let started = Instant::now();
    let checker = Protocol { bounds, fencing }.checker().threads(2).spawn_bfs().join();
    println!(
        "{name}: {} states, {} of them distinct, {} moves deep, in {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        started.elapsed().as_secs_f64()
    );
    checker
}

/// Fails with the moves that lead to the state in which a promise is broken.
fn assert_kept(checker: &impl Checker<Protocol>) {
    for promise in [NO_FORK, OWNED_AGAIN] {
        if let Some(path) = checker.discovery(promise) {
            panic!("not true: {promise}, after {:?}", path.into_actions());
        }
    }
    assert!(checker.discovery(COMMITTED).is_some(), "nothing happened");
}

#[test]
fn whatever_is_delayed_or_paused_nothing_forks_and_nothing_stays_unowned() {
    let checker = explore("delays and pauses", bounds(1, 0, 0, 0), true);
    assert_kept(&checker);
    assert!(checker.discovery(TWICE).is_some(), "it never came about that {TWICE}");
    // With one beat more (`NEARLINE_MODEL_BOUNDS=1,1,2,4`, most of a minute) commits are fenced and
    // partitions handed over, too.
}

#[test]
fn with_a_crash_and_a_restart_nothing_forks_and_nothing_stays_unowned() {
    assert_kept(&explore("a crash and a restart", bounds(0, 1, 0, 0), true));
}

#[test]
fn when_a_clock_jumps_nothing_forks_and_nothing_stays_unowned() {
    assert_kept(&explore("a clock that jumps", bounds(1, 0, 0, 1), true));
}

#[test]
fn when_a_node_leaves_nothing_forks_and_nothing_stays_unowned() {
    assert_kept(&explore("a node that leaves", bounds(1, 0, 1, 0), true));
}

#[test]
fn when_a_partition_is_given_away_nothing_forks_and_nothing_stays_unowned() {
    let bounds = Bounds { declines: 1, epochs: 3, beats: 5, ..bounds(0, 0, 0, 0) };
    let checker = explore("a partition that is given away", bounds, true);
    for promise in [NO_FORK, OWNED_AGAIN] {
        assert!(checker.discovery(promise).is_none(), "not true: {promise}");
    }
    assert!(checker.discovery(TAKEN).is_some(), "nobody took what was given away");
}

#[test]
fn without_fencing_in_the_store_the_checker_finds_a_fork() {
    let checker = explore("no fencing", bounds(1, 0, 0, 0), false);
    let path = checker.discovery(NO_FORK).expect("a store that does not fence lets a zombie commit");
    println!("a fork after {:?}", path.into_actions());
}

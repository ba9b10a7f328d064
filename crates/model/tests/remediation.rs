//! The remediation policy: one table of what follows from what, and the properties that hold for any
//! sequence of faults.

use nearline_model::Position;
use nearline_model::control::remediation::{Action, FailureHistory, Fault, NodeHistory, RemediationSettings};
use nearline_model::quarantine::{Quarantined, Suspects};
use proptest::prelude::*;

fn poisoned(position: u64) -> Fault {
    Fault::Poisoned { position: Position(position), message: "index out of bounds".into() }
}

/// The bound of the wait, of which jitter takes up to half.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    Restart(u64),
    Quarantine(Position, u32, u64),
    Replace(u64),
    RecreateReader,
    Hold(u64),
    Stop,
    GiveAway,
    Exit(u64),
}

impl Expected {
    fn bound_ms(self) -> Option<u64> {
        match self {
            Self::Restart(wait)
            | Self::Quarantine(_, _, wait)
            | Self::Replace(wait)
            | Self::Hold(wait)
            | Self::Exit(wait) => Some(wait),
            Self::RecreateReader => Some(0),
            Self::Stop | Self::GiveAway => None,
        }
    }

    fn same_kind(self, action: Action) -> bool {
        match (self, action) {
            (Self::Quarantine(at, times, _), Action::Quarantine { position, attempts, .. }) => {
                (at, times) == (position, attempts)
            }
            (Self::Restart(_), Action::Restart { .. })
            | (Self::Replace(_), Action::Replace { .. })
            | (Self::RecreateReader, Action::RecreateReader)
            | (Self::Hold(_), Action::Hold { .. })
            | (Self::Stop, Action::Stop)
            | (Self::GiveAway, Action::GiveAway)
            | (Self::Exit(_), Action::Exit { .. }) => true,
            _ => false,
        }
    }
}

/// What happens to a partition, at a time in milliseconds, and what must follow.
enum Step {
    Live(u64),
    /// Another node would take the partition from now on, or none would.
    Taker(bool),
    Fails(u64, Fault, Expected),
}
use Expected::*;
use Step::*;

struct Row {
    what: &'static str,
    settings: RemediationSettings,
    steps: Vec<Step>,
}

fn row(what: &'static str, steps: Vec<Step>) -> Row {
    Row { what, settings: RemediationSettings::default(), steps }
}

#[rustfmt::skip]
fn table() -> Vec<Row> {
    let defaults = RemediationSettings::default;
    vec![
        row("the first panic is followed by a restart at once", vec![
            Live(0), Fails(50_000, Fault::Panicked, Restart(5)),
        ]),
        row("restarts in a row wait twice as long each, up to the bound", vec![
            Fails(0, Fault::Panicked, Restart(5)), Fails(10, Fault::Panicked, Restart(10)),
            Fails(20, Fault::Panicked, Restart(20)), Fails(30, Fault::Panicked, Restart(40)),
            Fails(40, Fault::Panicked, Restart(80)), Fails(50, Fault::Panicked, Restart(160)),
            Fails(60, Fault::Panicked, Restart(320)), Fails(70, Fault::Panicked, Restart(640)),
            Fails(80, Fault::Panicked, Restart(1_280)), Fails(90, Fault::Panicked, Restart(2_560)),
            Fails(99, Fault::Panicked, Restart(5_000)), Fails(99, Fault::Panicked, Restart(5_000)),
        ]),
        row("an actor that lived long has recovered, one that did not has not", vec![
            Fails(0, Fault::Panicked, Restart(5)), Live(10), Fails(9_000, Fault::Panicked, Restart(10)),
            Live(9_010), Fails(19_010, Fault::Panicked, Restart(5)),
        ]),
        row("the third crash on one event puts it into quarantine", vec![
            Live(0), Fails(1, poisoned(7), Restart(5)), Live(10), Fails(11, poisoned(7), Restart(10)),
            Live(30), Fails(31, poisoned(7), Quarantine(Position(7), 3, 20)),
        ]),
        row("crashes on different events are counted apart", vec![
            Fails(1, poisoned(7), Restart(5)), Fails(2, poisoned(9), Restart(10)),
            Fails(3, poisoned(7), Restart(20)), Fails(4, poisoned(9), Restart(40)),
            Fails(5, poisoned(9), Quarantine(Position(9), 3, 80)), Fails(6, poisoned(7), Quarantine(Position(7), 3, 160)),
        ]),
        row("crashes on one event are remembered however long ago they were", vec![
            Live(0), Fails(1, poisoned(7), Restart(5)), Live(10), Fails(90_000, poisoned(7), Restart(5)),
            Live(90_010), Fails(1_000_000, poisoned(7), Quarantine(Position(7), 3, 5)),
        ]),
        Row { what: "with one attempt, the first crash is enough",
            settings: RemediationSettings { poison_attempts: 1, ..defaults() },
            steps: vec![Fails(0, poisoned(3), Quarantine(Position(3), 1, 5))] },
        Row { what: "a full quarantine holds the partition instead of giving up ever more events",
            settings: RemediationSettings { poison_attempts: 1, quarantine_max: 0, ..defaults() },
            steps: vec![Fails(0, poisoned(3), Hold(5_000)), Fails(6_000, poisoned(3), Hold(5_000))] },
        row("a hung actor and one on a stuck thread are replaced", vec![
            Live(0), Fails(20_000, Fault::Hung, Replace(5)), Live(20_010),
            Fails(40_000, Fault::Blocked { leaked_threads: 1 }, Replace(5)),
            Fails(40_900, Fault::Blocked { leaked_threads: 4 }, Replace(10)),
        ]),
        row("more threads left behind than allowed end the process", vec![
            Live(0), Fails(1_000, Fault::Blocked { leaked_threads: 5 }, Exit(5_000)),
        ]),
        row("a stalled reader is recreated; the fourth time, the actor is rebuilt with it", vec![
            Live(0), Fails(1_000, Fault::ReaderStalled, RecreateReader),
            Fails(3_000, Fault::ReaderStalled, RecreateReader), Fails(5_000, Fault::ReaderStalled, RecreateReader),
            Fails(7_000, Fault::ReaderStalled, Restart(5)), Fails(9_000, Fault::ReaderStalled, RecreateReader),
        ]),
        row("readers that stall now and then are recreated each time", vec![
            Fails(0, Fault::ReaderStalled, RecreateReader), Fails(20_000, Fault::ReaderStalled, RecreateReader),
            Fails(40_000, Fault::ReaderStalled, RecreateReader), Fails(60_000, Fault::ReaderStalled, RecreateReader),
            Fails(80_000, Fault::ReaderStalled, RecreateReader),
        ]),
        row("while the store or the log is away the partition holds and tries again", vec![
            Fails(0, Fault::Unavailable, Hold(10)), Fails(10, Fault::Unavailable, Hold(20)),
            Fails(30, Fault::Unavailable, Hold(40)), Fails(70, Fault::Unavailable, Hold(80)),
            Fails(150, Fault::Unavailable, Hold(160)), Fails(310, Fault::Unavailable, Hold(320)),
            Fails(630, Fault::Unavailable, Hold(640)), Fails(2_000, Fault::Unavailable, Hold(1_000)),
            Fails(3_000, Fault::Unavailable, Hold(1_000)), Live(4_000), Fails(5_000, Fault::Unavailable, Hold(10)),
        ]),
        Row { what: "holding costs nothing of the node's budget",
            settings: RemediationSettings { node_rebuilds: 1, ..defaults() },
            steps: vec![Fails(0, Fault::Unavailable, Hold(10)), Fails(1, Fault::Unavailable, Hold(20)),
                Fails(2, Fault::Unavailable, Hold(40)), Fails(3, Fault::Panicked, Restart(5))] },
        row("what cannot be used is tried again slowly", vec![
            Fails(0, Fault::Unusable, Hold(5_000)), Fails(5_000, Fault::Unusable, Hold(5_000)),
        ]),
        row("a store that was set back is loaded again", vec![Fails(0, Fault::RolledBack, Restart(5))]),
        row("a fenced owner stops, whatever came before", vec![
            Fails(0, Fault::Panicked, Restart(5)), Fails(1, Fault::Fenced, Stop),
        ]),
        Row { what: "a node that rebuilds too often ends the process",
            settings: RemediationSettings { node_rebuilds: 2, node_window_ms: 1_000, ..defaults() },
            steps: vec![Fails(0, Fault::Panicked, Restart(5)), Fails(900, Fault::Hung, Replace(10)),
                Fails(950, Fault::Panicked, Exit(5_000)),
                // The oldest are out of the window again.
                Fails(2_500, Fault::Panicked, Restart(40))] },
        Row { what: "where another node would take the partition, it is given away; where none would, the process ends",
            settings: RemediationSettings { node_rebuilds: 1, ..defaults() },
            steps: vec![Taker(true), Fails(0, Fault::Panicked, Restart(5)), Fails(10, Fault::Panicked, GiveAway),
                Taker(false), Fails(20, Fault::Panicked, Exit(5_000))] },
    ]
}

#[test]
fn what_follows_from_what() {
    for Row { what, settings, steps } in table() {
        for seed in [0, 1, 7_919, u64::MAX] {
            let (mut history, mut node) = (FailureHistory::default(), NodeHistory::default());
            for (at, step) in steps.iter().enumerate() {
                match step {
                    Live(now_ms) => history.went_live(*now_ms),
                    Taker(is_there) => history.can_give_away = *is_there,
                    Fails(now_ms, fault, expected) => {
                        let action = history.judge(&mut node, &settings, fault, *now_ms, seed);
                        let waits = match (expected.bound_ms(), action.wait_ms()) {
                            (Some(bound), Some(wait)) => (bound / 2..=bound).contains(&wait),
                            (None, None) => true,
                            _ => false,
                        };
                        assert!(
                            expected.same_kind(action) && waits,
                            "{what}, step {at}: expected {expected:?}, got {action:?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn jitter_spreads_waits_over_half_of_the_bound() {
    let settings = RemediationSettings { restart_backoff_ms: 1_000, ..RemediationSettings::default() };
    let waits: std::collections::BTreeSet<_> = (0..10_000)
        .map(|seed| {
            let mut history = FailureHistory::default();
            history.judge(&mut NodeHistory::default(), &settings, &Fault::Panicked, 0, seed).wait_ms()
        })
        .collect();
    assert_eq!((waits.first(), waits.last()), (Some(&Some(500)), Some(&Some(1_000))));
    assert_eq!(waits.len(), 501, "every millisecond between");
}

#[test]
fn suspects_and_quarantined_events_read_back_what_was_written() {
    let mut suspects = Suspects::default();
    assert_eq!(suspects.crashed(Position(9), "first"), 1);
    assert_eq!(suspects.crashed(Position(4), &"ä".repeat(400)), 1);
    assert_eq!(suspects.crashed(Position(9), "again"), 2);
    let read = Suspects::decode(&suspects.encode()).expect("reads what it wrote");
    assert_eq!(read, suspects);
    let seen: Vec<_> = read.iter().map(|suspect| (suspect.position, suspect.crashes)).collect();
    assert_eq!(seen, [(Position(4), 1), (Position(9), 2)]);
    suspects.acquit(Position(4));
    assert!(
        !suspects.contains(Position(4)) && suspects.contains(Position(9)),
        "only what is committed is acquitted"
    );
    let entry = Quarantined::new(Position(9), 3, "again", 1_772_396_100_250);
    assert_eq!(Quarantined::decode(&entry.encode()), Ok(entry));
}

#[test]
fn the_list_of_suspects_is_bounded_and_keeps_the_one_just_accused() {
    let mut suspects = Suspects::default();
    for position in (1..=100).rev() {
        suspects.crashed(Position(position), "crash");
        assert!(suspects.contains(Position(position)));
    }
    suspects.crashed(Position(1_000), "crash");
    assert!(suspects.contains(Position(1_000)));
    assert_eq!(suspects.iter().count(), 16);
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => (1_u64..6).prop_map(poisoned),
        2 => Just(Fault::Panicked),
        1 => Just(Fault::Hung),
        1 => (1_usize..8).prop_map(|leaked_threads| Fault::Blocked { leaked_threads }),
        2 => Just(Fault::ReaderStalled),
        3 => Just(Fault::Unavailable),
        1 => Just(Fault::RolledBack),
        1 => Just(Fault::Unusable),
    ]
}

/// Plays faults as fast as the actions let them come: each comes `after_ms` behind the moment at which
/// its partition is live again. Gives the times at which partitions were rebuilt.
fn play(
    settings: &RemediationSettings,
    faults: &[(usize, Fault, u64, u64)],
    mut check: impl FnMut(&FailureHistory, Action),
) -> Vec<(usize, u64)> {
    let mut histories = [FailureHistory::default(), FailureHistory::default()];
    let mut free_at_ms = [0_u64; 2];
    let mut node = NodeHistory::default();
    let mut rebuilt = Vec::new();
    let mut now_ms = 0;
    for (partition, fault, after_ms, seed) in faults {
        now_ms = now_ms.max(free_at_ms[*partition] + after_ms);
        let history = &mut histories[*partition];
        let action = history.judge(&mut node, settings, fault, now_ms, *seed);
        check(history, action);
        match action {
            Action::RecreateReader => {}
            Action::Hold { wait_ms } => free_at_ms[*partition] = now_ms + wait_ms,
            Action::Quarantine { position, wait_ms, .. } => {
                history.quarantined += 1;
                history.suspects.remove(position);
                rebuilt.push((*partition, now_ms + wait_ms));
            }
            action => rebuilt.push((*partition, now_ms + action.wait_ms().expect("this node keeps it"))),
        }
        if let Some((at, when)) = rebuilt.last()
            && at == partition
        {
            free_at_ms[*partition] = free_at_ms[*partition].max(*when);
            histories[*partition].went_live(free_at_ms[*partition]);
        }
    }
    rebuilt
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn there_is_never_a_storm_of_rebuilds(
        faults in prop::collection::vec((0_usize..2, faults(), 0_u64..30, any::<u64>()), 1..400),
    ) {
        let settings = RemediationSettings::default();
        let rebuilt = play(&settings, &faults, |_, _| {});
        // Backoff: 5, 10, … 2,560 ms are ten rebuilds, then at least half of 5 s lies between two.
        let window_ms = 10_000;
        for partition in 0..2 {
            let times: Vec<u64> =
                rebuilt.iter().filter(|(at, _)| *at == partition).map(|(_, when)| *when).collect();
            for (at, from) in times.iter().enumerate() {
                let within = times[at..].iter().take_while(|time| **time < from + window_ms).count();
                prop_assert!(within <= 10 + 5, "{within} rebuilds within {window_ms} ms: {times:?}");
            }
        }
    }

    #[test]
    fn no_partition_is_ever_forgotten(
        faults in prop::collection::vec((0_usize..2, faults(), 0_u64..20_000, any::<u64>()), 1..300),
        can_give_away in any::<bool>(),
    ) {
        let settings = RemediationSettings::default();
        let longest = settings.restart_backoff_max_ms.max(settings.hold_backoff_max_ms);
        let (mut histories, mut node) = (FailureHistory::default(), NodeHistory::default());
        histories.can_give_away = can_give_away;
        let mut now_ms = 0;
        for (_, fault, after_ms, seed) in faults {
            now_ms += after_ms;
            match histories.judge(&mut node, &settings, &fault, now_ms, seed) {
                Action::GiveAway => prop_assert!(can_give_away, "only where somebody takes it"),
                Action::Stop => prop_assert!(false, "nobody else owns it"),
                action => {
                    let wait = action.wait_ms().expect("every other action goes on here");
                    prop_assert!(wait <= longest, "{action:?}");
                }
            }
        }
    }

    #[test]
    fn an_event_in_quarantine_crashed_exactly_as_often_as_is_asked_for(
        faults in prop::collection::vec((0_usize..2, faults(), 0_u64..30_000, any::<u64>()), 1..400),
        attempts in 1_u32..6,
    ) {
        let settings = RemediationSettings {
            poison_attempts: attempts,
            node_rebuilds: usize::MAX,
            ..RemediationSettings::default()
        };
        play(&settings, &faults, |history, action| {
            if let Action::Quarantine { position, attempts: crashed, .. } = action {
                assert_eq!(crashed, attempts);
                assert!(history.suspects.contains(position));
            } else {
                assert!(history.suspects.iter().all(|suspect| suspect.crashes < attempts));
            }
        });
    }
}

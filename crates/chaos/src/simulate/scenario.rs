//! What one seed stands for: events, settings, and what breaks when.

use super::network::Server;
use super::titles::TitlePlan;
use bytes::Bytes;
use nearline_audience::dice::Dice;
use nearline_model::FoldSettings;
use nearline_model::identifier::partition_of;
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::NewEvent;
use nearline_ranking::settings::{RankingSettings, Repeats};

/// Unix milliseconds at which worlds begin: 2026-03-01T00:00:00Z.
pub const START_MS: i64 = 1_772_323_200_000;

/// Faults happen, and events are published, before this virtual time.
pub const CALM_MS: u64 = 1_500;

/// Milliseconds within which a query must be answered.
pub const QUERY_DEADLINE_MS: u64 = 100;

/// Milliseconds that an answer may be late: timers have this resolution.
pub const TIMER_MS: u64 = 2;

/// How ids of poisonous events begin.
pub const POISON: &str = "poison";

/// Something that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A node's tasks are dropped wherever they stand; it starts again later.
    Kill {
        /// The node.
        node: usize,
        /// Milliseconds until it starts again.
        down_ms: u64,
    },
    /// A node stands still, and goes on later as if nothing had been: a zombie.
    Pause {
        /// The node.
        node: usize,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// A node is asked to stop: it hands over, ends, and starts again later.
    Terminate {
        /// The node.
        node: usize,
    },
    /// A program that no registry knows takes a partition over in the store, and does nothing with it.
    Usurp {
        /// The partition.
        partition: u16,
    },
    /// A server takes no calls.
    Outage {
        /// The server.
        server: Server,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// A node does not reach a server.
    Cut {
        /// The node.
        node: usize,
        /// The server.
        server: Server,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// The clock of the log's server is wrong, and so are those of some publishers beside it.
    ClockJump {
        /// Milliseconds ahead; below 0: behind.
        ahead_ms: i64,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// The store is copied.
    BackUp,
    /// The store is as it was at the last copy.
    RollBack,
}

/// What kind of event a publisher made: known here without parsing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// An impression of a title, by number.
    Impression(u8),
    /// A play of a title, by number.
    Play(u8),
    /// The member is erased.
    Forget,
    /// Nothing that is counted apart.
    Other,
    /// Refused: to be found in the dead letters.
    Bad,
    /// Folding it panics each time: stepped over, and to be found in the dead letters.
    Poison,
}

/// An event to publish.
#[derive(Debug, Clone)]
pub struct Planned {
    /// As published.
    pub event: NewEvent,
    /// The event's own time, Unix milliseconds.
    pub at_ms: i64,
    /// What it counts as.
    pub counted: Counted,
    /// Virtual milliseconds after which it is published.
    pub publish_ms: u64,
    /// Whether its publisher sends it once more after it was acknowledged, and when.
    pub again_after_ms: Option<u64>,
}

/// A whole world's plan.
#[derive(Debug)]
pub struct Scenario {
    /// Partitions of the log.
    pub partitions: u16,
    /// Nodes.
    pub nodes: usize,
    /// Events by publisher.
    pub publishers: Vec<Vec<Planned>>,
    /// The catalogue, and how it changes.
    pub catalogue: TitlePlan,
    /// Whether facts are captured.
    pub captures_facts: bool,
    /// What breaks, by virtual millisecond.
    pub faults: Vec<(u64, Fault)>,
    /// How long the log knows an id.
    pub duplicate_window_ms: i64,
    /// The servers' own faults, in a thousand calls.
    pub server_fault_per_mille: u64,
    /// Calls lost, unanswered and repeated, in a thousand each.
    pub trouble_per_mille: u64,
    /// Slow calls in a thousand.
    pub slow_per_mille: u64,
    /// Panics while folding, in a thousand records.
    pub panic_per_mille: u64,
    /// Events after which a partition commits.
    pub commit_events: u64,
    /// Milliseconds after which it does.
    pub commit_interval_ms: u64,
    /// Members held in memory.
    pub cached_members: usize,
    /// Records read at once.
    pub batch_events: usize,
    /// Milliseconds between snapshots of the aggregates.
    pub snapshot_interval_ms: u64,
    /// Nodes that add every delta; the others follow.
    pub adding_nodes: usize,
    /// Event ids that a member remembers.
    pub recent_ids: usize,
    /// Milliseconds of silence after which a node counts as dead.
    pub lease_ms: u64,
    /// Rebuilds within the window after which a node gives a partition away, or gives itself up.
    pub node_rebuilds: usize,
    /// Length of that window, in milliseconds.
    pub node_window_ms: u64,
    /// Titles between which weights are solved at most.
    pub solved_titles: usize,
    /// Milliseconds that a node that starts waits for the catalogue.
    pub catalogue_wait_ms: u64,
    /// Whether titles seen before may be offered again.
    pub repeats: Repeats,
    /// Share of places that go to new titles.
    pub exploration: f64,
    /// Seconds by which a stamp of the log may jump and be believed.
    pub clock_jump_seconds: u32,
}

impl Scenario {
    /// Draws the scenario of `seed`. Each kind of trouble is in about half of the seeds, so that some
    /// have little of it and go deep.
    pub fn draw(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let mut shape = dice.fork(1);
        let (partitions, nodes) = (shape.within(2, 4) as u16, shape.within(1, 3) as usize);
        let jumps = draw_jumps(&mut dice.fork(5));
        let mut publishers = draw_events(&mut dice.fork(2), partitions);
        jumps.iter().for_each(|jump| follow_clock(&mut dice.fork(6), &mut publishers, *jump));
        let mut faults = draw_faults(&mut dice.fork(3), partitions, nodes);
        faults.extend(jumps);
        faults.sort_by_key(|(at_ms, _)| *at_ms);
        let sometimes =
            |dice: &mut Dice, low, high| if dice.chance(500) { dice.within(low, high) } else { 0 };
        Self {
            partitions,
            nodes,
            publishers,
            faults,
            duplicate_window_ms: shape.within(5, 2_000) as i64,
            server_fault_per_mille: sometimes(&mut shape, 1, 60),
            trouble_per_mille: sometimes(&mut shape, 1, 60),
            slow_per_mille: sometimes(&mut shape, 10, 200),
            panic_per_mille: sometimes(&mut shape, 1, 15),
            commit_events: shape.within(1, 30),
            commit_interval_ms: shape.within(10, 200),
            cached_members: shape.within(1, 12) as usize * usize::from(partitions),
            batch_events: shape.within(1, 24) as usize,
            snapshot_interval_ms: shape.within(20, 200),
            adding_nodes: dice.fork(8).within(1, 3) as usize,
            recent_ids: 256,
            lease_ms: shape.within(100, 400),
            node_rebuilds: if shape.chance(500) { 1 } else { usize::MAX },
            node_window_ms: shape.within(200, 3_000),
            solved_titles: shape.within(0, 10) as usize,
            catalogue_wait_ms: shape.within(5, 1_000),
            repeats: match (shape.chance(200), shape.chance(300)) {
                (true, _) => Repeats::Always,
                (false, true) => Repeats::Learned,
                (false, false) => Repeats::Never,
            },
            clock_jump_seconds: FoldSettings::default().clock_jump_seconds,
            catalogue: TitlePlan::draw(&mut dice.fork(4), CALM_MS),
            captures_facts: dice.fork(7).chance(300),
            exploration: [0.0, 0.05, 0.5][dice.fork(8).below(3)],
        }
    }

    /// Settings of the ranking.
    pub fn ranking(&self) -> RankingSettings {
        RankingSettings { repeats: self.repeats, exploration: self.exploration, ..RankingSettings::default() }
    }

    /// Settings of the fold: limits small enough to be reached.
    pub fn fold(&self) -> FoldSettings {
        FoldSettings {
            history_titles: 4,
            seen_titles: 5,
            list_titles: 3,
            open_impressions: 4,
            transition_window: 3,
            recent_ids: self.recent_ids,
            clock_jump_seconds: self.clock_jump_seconds,
            ..FoldSettings::default()
        }
    }
}

fn draw_events(dice: &mut Dice, partitions: u16) -> Vec<Vec<Planned>> {
    let (publishers, total, members) = (dice.within(1, 3), dice.within(50, 200), dice.within(2, 14));
    let poison = if dice.chance(300) { 8 } else { 0 };
    let again = if dice.chance(500) { 60 } else { 0 };
    let mut publishers: Vec<Vec<Planned>> = (0..publishers)
        .map(|publisher| {
            let count = total / publishers;
            let mut events: Vec<Planned> = (0..count)
                .map(|at| {
                    let label = if dice.chance(poison) { POISON } else { "e" };
                    draw_event(dice, &format!("{label}{publisher}-{at}"), members, again)
                })
                .collect();
            events.sort_by_key(|planned| planned.publish_ms);
            events
        })
        .collect();
    publishers.push((0..partitions).map(|partition| closing_event(partition, partitions)).collect());
    publishers
}

/// One more event for a partition, after all faults: an owner whose store was rolled back notices it with
/// its next commit.
fn closing_event(partition: u16, partitions: u16) -> Planned {
    let member =
        (0..).map(|at| format!("closing{at}")).find(|member| partition_of(member, partitions).0 == partition);
    let member = member.expect("every partition has members");
    let (id, at_ms) = (format!("closing-{partition}"), START_MS + CALM_MS as i64);
    let at = format_rfc3339(at_ms);
    let payload = format!(r#"{{"id":"{id}","type":"play","member":"{member}","title":"t0","at":"{at}"}}"#);
    Planned {
        event: NewEvent { member, id, payload: Bytes::from(payload) },
        at_ms,
        counted: Counted::Play(0),
        publish_ms: CALM_MS + 300,
        again_after_ms: None,
    }
}

fn draw_event(dice: &mut Dice, id: &str, members: u64, again_per_mille: u64) -> Planned {
    let member = format!("m{}", dice.within(1, members));
    let title = dice.within(0, 8) as u8;
    let publish_ms = dice.within(0, CALM_MS - 200);
    let at_ms = START_MS + publish_ms as i64 - dice.within(0, 4_000) as i64;
    let at = format_rfc3339(at_ms);
    let (kind, fields, counted) = match dice.within(0, 99) {
        0..=34 => {
            let request = dice.within(0, 3);
            (
                "impression",
                format!(r#","request":"r{request}","device":"tv","artwork":"a{}""#, dice.within(0, 2)),
                Counted::Impression(title),
            )
        }
        35..=69 => {
            let country = ["BR", "JP"][dice.below(2)];
            let request = dice.within(0, 3);
            let fields = format!(r#","request":"r{request}","country":"{country}","watched_s":60"#);
            ("play", fields, Counted::Play(title))
        }
        70..=75 => (
            "progress",
            format!(r#","watched_s":{},"duration_s":5000"#, dice.within(1, 5_000)),
            Counted::Other,
        ),
        76..=81 => ("thumb", format!(r#","value":{}"#, [-1, 1, 2][dice.below(3)]), Counted::Other),
        82..=87 => ("list_add", String::new(), Counted::Other),
        88..=91 => ("list_remove", String::new(), Counted::Other),
        92..=93 => ("forget", String::new(), Counted::Forget),
        94..=96 => ("yawn", String::new(), Counted::Bad),
        _ => ("rating", r#","value":9"#.to_owned(), Counted::Bad),
    };
    let counted = if id.starts_with(POISON) { Counted::Poison } else { counted };
    let (kind, fields) = match counted {
        Counted::Poison => ("play", String::new()),
        _ => (kind, fields),
    };
    let payload = format!(
        r#"{{"id":"{id}","type":"{kind}","member":"{member}","title":"t{title}","at":"{at}"{fields}}}"#
    );
    Planned {
        event: NewEvent { member, id: id.to_owned(), payload: Bytes::from(payload) },
        at_ms,
        counted,
        publish_ms,
        again_after_ms: dice.chance(again_per_mille).then(|| dice.within(0, 600)),
    }
}

/// Jumps of the log's clock, drawn apart so that they change nothing else in a world.
fn draw_jumps(dice: &mut Dice) -> Vec<(u64, Fault)> {
    let days = |days: i64| days * 86_400_000;
    let count = if dice.chance(300) { dice.within(1, 2) } else { 0 };
    let jump = |dice: &mut Dice| {
        let ahead_ms = [days(2), days(30), days(400), days(-1), days(-400)][dice.below(5)];
        (dice.within(20, CALM_MS - 300), Fault::ClockJump { ahead_ms, for_ms: dice.within(1, 250) })
    };
    (0..count).map(|_| jump(dice)).collect()
}

/// Some of what is published while the clock is wrong tells the time of that clock.
fn follow_clock(dice: &mut Dice, publishers: &mut [Vec<Planned>], jump: (u64, Fault)) {
    let (from_ms, Fault::ClockJump { ahead_ms, for_ms }) = jump else { return };
    let during = |planned: &&mut Planned| (from_ms..from_ms + for_ms).contains(&planned.publish_ms);
    for planned in publishers.iter_mut().flatten().filter(during) {
        if ahead_ms > 0 && dice.chance(700) {
            let told = format_rfc3339(planned.at_ms);
            planned.at_ms += ahead_ms;
            let payload = String::from_utf8_lossy(&planned.event.payload)
                .replace(&told, &format_rfc3339(planned.at_ms));
            planned.event.payload = payload.into();
        }
    }
}

fn draw_faults(dice: &mut Dice, partitions: u16, nodes: usize) -> Vec<(u64, Fault)> {
    let kinds: Vec<u64> = (0..8).filter(|_| dice.chance(400)).collect();
    let mut faults = Vec::new();
    for kind in kinds {
        for _ in 0..dice.within(1, 3) {
            let at_ms = dice.within(20, CALM_MS - 100);
            let node = dice.below(nodes);
            let server = if dice.chance(500) { Server::Log } else { Server::Store };
            let fault = match kind {
                0 => Fault::Kill { node, down_ms: dice.within(10, 600) },
                1 => Fault::Pause { node, for_ms: dice.within(10, 800) },
                2 => Fault::Terminate { node },
                3 => Fault::Outage { server, for_ms: dice.within(10, 400) },
                4 => Fault::Cut { node, server, for_ms: dice.within(10, 600) },
                5 => Fault::Usurp { partition: dice.below(usize::from(partitions)) as u16 },
                _ => {
                    faults.push((at_ms, Fault::BackUp));
                    faults.push((at_ms + dice.within(10, 300), Fault::RollBack));
                    continue;
                }
            };
            faults.push((at_ms, fault));
        }
    }
    faults.sort_by_key(|(at_ms, _)| *at_ms);
    faults
}

//! What breaks, and when.

use super::CALM_MS;
use crate::simulate::network::Server;
use nearline_audience::dice::Dice;

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
    RollBack {
        /// Except for the snapshot of the sums, which another server holds.
        keeps_sums: bool,
    },
    /// A server's disk is full: it takes no writes, and answers what is read.
    Full {
        /// The server.
        server: Server,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// The store takes no writes of a node: it has no permission.
    Ban {
        /// The node.
        node: usize,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// The registry takes nothing of a node, which goes on with log and store.
    Mute {
        /// The node.
        node: usize,
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// The log lets go of what is committed, of all partitions.
    Trim,
    /// The registry of nodes is deleted.
    LoseRegistry,
    /// Some records of a partition cannot be read, from the one that is folded next on.
    Damage {
        /// The partition.
        partition: u16,
        /// Records that are passed over, then records that are damaged.
        records: (usize, usize),
        /// For how many milliseconds.
        for_ms: u64,
    },
    /// Under the log's address there is another log, with records of its own.
    ReplaceLog {
        /// For how many milliseconds.
        for_ms: u64,
    },
}

impl Fault {
    /// Whether a node notices it by proving that it can work.
    pub fn is_told_by_proofs(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Ban { .. } | Self::ReplaceLog { .. })
    }
}

/// Jumps of the log's clock, drawn apart so that they change nothing else in a world.
pub(super) fn draw_jumps(dice: &mut Dice) -> Vec<(u64, Fault)> {
    let days = |days: i64| days * 86_400_000;
    let count = if dice.chance(300) { dice.within(1, 2) } else { 0 };
    let jump = |dice: &mut Dice| {
        let ahead_ms = [days(2), days(30), days(400), days(-1), days(-400)][dice.below(5)];
        (dice.within(20, CALM_MS - 300), Fault::ClockJump { ahead_ms, for_ms: dice.within(1, 250) })
    };
    (0..count).map(|_| jump(dice)).collect()
}

/// Draws the faults that about half of all seeds have.
pub(super) fn draw_faults(dice: &mut Dice, partitions: u16, nodes: usize) -> Vec<(u64, Fault)> {
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
                    let back_ms = at_ms + dice.within(10, 300);
                    faults.push((back_ms, Fault::RollBack { keeps_sums: back_ms.is_multiple_of(3) }));
                    continue;
                }
            };
            faults.push((at_ms, fault));
        }
    }
    faults.sort_by_key(|(at_ms, _)| *at_ms);
    faults
}

/// Draws the faults that few seeds have: each kind by a fork of its own, so that another one changes no present seed.
pub(super) fn draw_rare(dice: &Dice, partitions: u16, nodes: usize) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    let mut some = |kind: u64, per_mille: u64, draw: &dyn Fn(&mut Dice) -> Fault| {
        let mut dice = dice.fork(kind);
        if !dice.chance(per_mille) {
            return;
        }
        for _ in 0..dice.within(1, 2) {
            faults.push((dice.within(20, CALM_MS - 100), draw(&mut dice)));
        }
    };
    some(1, 200, &|dice| {
        let server = if dice.chance(500) { Server::Log } else { Server::Store };
        Fault::Full { server, for_ms: dice.within(20, 600) }
    });
    some(2, 150, &|dice| Fault::Ban { node: dice.below(nodes), for_ms: dice.within(50, 1_000) });
    some(3, 200, &|_| Fault::Trim);
    some(4, 150, &|_| Fault::LoseRegistry);
    some(5, 200, &|dice| Fault::Damage {
        partition: dice.below(usize::from(partitions)) as u16,
        records: (dice.below(4), dice.within(1, 6) as usize),
        for_ms: dice.within(20, 800),
    });
    some(6, 150, &|dice| Fault::ReplaceLog { for_ms: dice.within(20, 600) });
    some(7, 150, &|dice| Fault::Mute { node: dice.below(nodes), for_ms: dice.within(200, 1_500) });
    faults
}

/// Draws the partition whose log is damaged in the end.
pub(super) fn draw_damaged(dice: &mut Dice, partitions: u16) -> Option<u16> {
    dice.chance(150).then(|| dice.below(usize::from(partitions)) as u16)
}

/// Draws the node that may not write in the end; where there is but one, nobody else could.
pub(super) fn draw_ban(dice: &mut Dice, nodes: usize) -> Option<usize> {
    (nodes > 1 && dice.chance(200)).then(|| dice.below(nodes))
}

//! What happens when a fault does.

use super::Play;
use crate::simulate::mutation::Mutation;
use crate::simulate::network::{Caller, Server};
use crate::simulate::node::{Node, Run};
use crate::simulate::scenario::CALM_MS;
use crate::simulate::scenario::faults::Fault;
use crate::simulate::servers::Servers;
use crate::simulate::servers::access::Access;
use crate::simulate::servers::log::IDENTITY;
use nearline_model::LogRecord;
use nearline_model::PartitionId;
use nearline_model::identifier::{partition_of, position_of};
use nearline_model::timestamp::format_rfc3339;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::task::spawn_local;
use tokio::time::{sleep, sleep_until};

/// Records by which another log may be longer than the right one.
const FOREIGN_RECORDS: usize = 8;
/// Lives of nodes that an operator starts anew.
const ANEW: u64 = 700;

impl Play {
    /// Lets every fault happen at its time.
    pub(super) async fn break_things(self: &Rc<Self>) {
        for (life, (at_ms, fault)) in (1..).zip(&self.world.scenario.faults) {
            sleep_until(self.world.started + Duration::from_millis(*at_ms)).await;
            self.world.note(format_args!("fault: {fault:?}"));
            self.break_one(*fault, life);
        }
        sleep_until(self.world.started + Duration::from_millis(CALM_MS)).await;
    }

    fn break_one(self: &Rc<Self>, fault: Fault, life: u64) {
        match fault {
            Fault::Kill { node, down_ms } => {
                self.nodes.borrow()[node].set_run(Run::Killed);
                self.later(down_ms, move |play| play.start_again(node, life));
            }
            Fault::Pause { node, for_ms } => {
                self.nodes.borrow()[node].set_run(Run::Paused);
                self.later(for_ms, move |play| play.nodes.borrow()[node].set_run(Run::Running));
            }
            Fault::Terminate { node } => self.nodes.borrow()[node].terminate(),
            Fault::Usurp { partition } => self.usurp(PartitionId(partition)),
            Fault::Outage { server, for_ms } => self.world.weather.borrow_mut().take_down(server, for_ms),
            Fault::Cut { node, server, for_ms } => {
                self.world.weather.borrow_mut().cut(Caller::Node(node), server, for_ms);
            }
            Fault::ClockJump { ahead_ms, for_ms } => {
                self.for_a_while(for_ms, move |servers, is_over| {
                    servers.log.ahead_ms = if is_over { 0 } else { ahead_ms };
                });
            }
            Fault::BackUp => {
                let mut servers = self.world.servers.borrow_mut();
                servers.store.back_up();
                servers.auditor.backed_up();
            }
            Fault::RollBack { keeps_sums } => self.roll_back(keeps_sums),
            Fault::Full { server, for_ms } => {
                self.for_a_while(for_ms, move |servers, is_over| servers.access.set_full(server, !is_over));
            }
            Fault::Ban { node, for_ms } => self.shut_out(node, for_ms, |access| &mut access.banned),
            Fault::Mute { node, for_ms } => self.shut_out(node, for_ms, |access| &mut access.mute),
            Fault::Trim => self.trim(),
            Fault::LoseRegistry => self.world.servers.borrow_mut().registry.lose(),
            Fault::Damage { partition, records: (passed, count), for_ms } => {
                let id = PartitionId(partition);
                self.for_a_while(for_ms, move |servers, is_over| {
                    let after = servers.store.row(id).position;
                    if is_over { servers.log.mend(id) } else { servers.log.damage(id, after, passed, count) }
                });
            }
            Fault::ReplaceLog { for_ms } => self.replace_log(for_ms),
        }
    }

    fn later(self: &Rc<Self>, after_ms: u64, then: impl FnOnce(&Rc<Self>) + 'static) {
        let play = self.clone();
        spawn_local(async move {
            sleep(Duration::from_millis(after_ms)).await;
            then(&play);
        });
    }

    /// Does something to the servers, and after a while, told that it is over, undoes it.
    fn for_a_while(self: &Rc<Self>, for_ms: u64, change: impl Fn(&mut Servers, bool) + 'static) {
        change(&mut self.world.servers.borrow_mut(), false);
        self.later(for_ms, move |play| {
            // In the calm all is well already, and what is broken then is no business of faults from before.
            if !play.is_calm.get() {
                change(&mut play.world.servers.borrow_mut(), true);
            }
        });
    }

    /// A node is among those of which something is not taken, for a while.
    fn shut_out(self: &Rc<Self>, node: usize, for_ms: u64, nodes: fn(&mut Access) -> &mut BTreeSet<usize>) {
        self.for_a_while(for_ms, move |servers, is_over| {
            let nodes = nodes(&mut servers.access);
            let _was_there = if is_over { nodes.remove(&node) } else { nodes.insert(node) };
        });
    }

    fn usurp(&self, partition: PartitionId) {
        let store = self.world.ports(Caller::Publisher).store;
        let settings = serde_json::to_string(&self.world.scenario.fold()).expect("plain numbers");
        spawn_local(async move {
            // Whether it succeeds or not, the owner has to cope.
            let _outcome = store.acquire(partition, IDENTITY, &settings).await;
        });
    }

    fn roll_back(&self, keeps_sums: bool) {
        let mut servers = self.world.servers.borrow_mut();
        // Who restores a store has the right log before him: a copy may be from before any log was known.
        if servers.log.identity() == IDENTITY && servers.store.roll_back(keeps_sums) {
            self.world.weather.borrow_mut().restart(Server::Store);
            servers.auditor.rolled_back();
        }
    }

    fn trim(&self) {
        let mut servers = self.world.servers.borrow_mut();
        for id in (0..self.world.scenario.partitions).map(PartitionId) {
            let is_careless = servers.mutation == Some(Mutation::TrimUncommitted);
            let upto = if is_careless { servers.log.last(id) } else { servers.store.covered(id) };
            servers.log.trim(id, upto);
        }
    }

    /// Another log is there, unless it would be the first one that the store hears of.
    fn replace_log(self: &Rc<Self>, for_ms: u64) {
        if !self.world.servers.borrow().store.knows_its_log() {
            return;
        }
        let records =
            (0..self.world.scenario.partitions).map(|partition| self.foreign(PartitionId(partition)));
        let records = records.collect();
        self.world.servers.borrow_mut().log.replace(records);
        self.later(for_ms, |play| play.put_log_back());
    }

    /// Records of another log of the same members: plays that nobody is to count, and some to be refused.
    fn foreign(&self, partition: PartitionId) -> Vec<LogRecord> {
        let (scenario, servers) = (&self.world.scenario, self.world.servers.borrow());
        let is_here = |member: &&str| partition_of(member, scenario.partitions) == partition;
        let mut members = scenario.publishers.iter().flatten().map(|planned| planned.event.member.as_str());
        let member = members.find(is_here).expect("every partition has a closing event");
        let (now_ms, last) = (servers.now_ms(), servers.log.bounds(partition).last);
        let count = last.0 as usize / usize::from(scenario.partitions) + FOREIGN_RECORDS;
        let record = |number: usize| {
            let (kind, at) = (if number.is_multiple_of(5) { "yawn" } else { "play" }, format_rfc3339(now_ms));
            let payload = format!(
                r#"{{"id":"foreign-{number}","type":"{kind}","member":"{member}","title":"t1","at":"{at}"}}"#
            );
            let position = position_of(number as u64, partition, scenario.partitions);
            LogRecord { position, log_ms: now_ms, payload: payload.into() }
        };
        (1..=count).map(record).collect()
    }

    /// The right log is back. Nodes that were started meanwhile follow the other one: they are started anew.
    fn put_log_back(self: &Rc<Self>) {
        if !self.world.servers.borrow_mut().log.put_back() {
            return;
        }
        for node in std::mem::take(&mut *self.world.follow_another.borrow_mut()) {
            self.nodes.borrow()[node].set_run(Run::Killed);
            self.later(5, move |play| play.start_again(node, ANEW + node as u64));
        }
    }

    /// Room, permissions, records and the log are as they were.
    fn mend_all(self: &Rc<Self>) {
        {
            let mut servers = self.world.servers.borrow_mut();
            servers.access = Access::default();
            servers.log.ahead_ms = 0;
            (0..self.world.scenario.partitions)
                .for_each(|partition| servers.log.mend(PartitionId(partition)));
        }
        self.put_log_back();
    }

    pub(super) fn start_again(self: &Rc<Self>, node: usize, life: u64) {
        let ended = matches!(self.nodes.borrow()[node].run(), Run::Killed | Run::Exited);
        if ended {
            self.world.note(format_args!("node {node} starts again"));
            let again = Node::start(&self.world, node, life);
            self.nodes.borrow_mut()[node] = again;
        }
    }

    /// Nothing breaks any more.
    pub(super) fn calm_down(self: &Rc<Self>) {
        self.world.note(format_args!("calm"));
        self.world.weather.borrow_mut().clear_up();
        self.world.servers.borrow_mut().fault_per_mille = 0;
        self.is_calm.set(true);
        self.mend_all();
        self.world.panic_per_mille.store(0, Relaxed);
        for node in 0..self.world.scenario.nodes {
            self.start_again(node, 90 + node as u64);
            self.nodes.borrow()[node].set_run(Run::Running);
        }
    }
}

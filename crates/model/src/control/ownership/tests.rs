use super::*;

const LEASE: Millis = Millis(2_000);
const BEAT: Millis = Millis(250);
const DECLINE: Millis = Millis(60_000);
const SETTINGS: OwnershipSettings =
    OwnershipSettings { partitions: 8, lease_ms: LEASE, beat_ms: BEAT, decline_ms: DECLINE, adding_nodes: 3 };

/// Nodes around a registry that delivers at once and a store that answers when it is told to.
struct Cluster {
    now: Millis,
    nodes: BTreeMap<NodeId, Node>,
    registry: BTreeMap<NodeId, Beat>,
    epoch: OwnerEpoch,
}

struct Node {
    machine: Ownership,
    starting: Vec<PartitionId>,
    stopping: Vec<PartitionId>,
    withdrew: bool,
}

impl Cluster {
    fn new(names: &[&str]) -> Self {
        let mut cluster = Self {
            now: Millis(10_000),
            nodes: BTreeMap::new(),
            registry: BTreeMap::new(),
            epoch: OwnerEpoch::NONE,
        };
        names.iter().for_each(|name| cluster.join(name, 1));
        cluster.settle();
        cluster
    }

    fn join(&mut self, name: &str, incarnation: u64) {
        let node = NodeId::new(name);
        let machine = Ownership::new(node.clone(), incarnation, SETTINGS);
        let (starting, stopping) = (vec![], vec![]);
        self.nodes.insert(node.clone(), Node { machine, starting, stopping, withdrew: false });
        for beat in self.registry.clone().into_values() {
            self.give(&node, Input::Heard(beat));
        }
        self.give(&node, Input::Tick);
    }

    fn node(&self, name: &str) -> &Node {
        &self.nodes[&NodeId::new(name)]
    }

    fn give(&mut self, to: &NodeId, input: Input) {
        let Some(node) = self.nodes.get_mut(to) else { return };
        for action in node.machine.step(self.now, input) {
            let node = self.nodes.get_mut(to).expect("it acts");
            match action {
                Action::Start(partition) => node.starting.push(partition),
                Action::Stop(partition) => node.stopping.push(partition),
                Action::Announce(beat) => {
                    self.registry.insert(to.clone(), beat.clone());
                    self.broadcast(&Input::Heard(beat));
                }
                Action::Bury(node, incarnation) => {
                    if self.registry.get(&node).is_some_and(|beat| beat.incarnation == incarnation) {
                        self.registry.remove(&node);
                        self.broadcast(&Input::Withdrawn(node));
                    }
                }
                Action::Withdraw => {
                    self.registry.remove(to);
                    node.withdrew = true;
                    self.broadcast(&Input::Withdrawn(to.clone()));
                }
            }
        }
    }

    fn broadcast(&mut self, input: &Input) {
        for node in self.nodes.keys().cloned().collect::<Vec<_>>() {
            self.give(&node, input.clone());
        }
    }

    /// The store gives what is asked of it, stopped partitions end.
    fn settle(&mut self) {
        loop {
            let mut inputs = Vec::new();
            for (name, node) in &mut self.nodes {
                let starting = node.starting.drain(..).map(|partition| {
                    self.epoch = self.epoch.next();
                    Input::Acquired(partition, self.epoch)
                });
                inputs.extend(starting.map(|input| (name.clone(), input)));
                inputs.extend(node.stopping.drain(..).map(|stopped| (name.clone(), Input::Ended(stopped))));
            }
            if inputs.is_empty() {
                return;
            }
            inputs.into_iter().for_each(|(node, input)| self.give(&node, input));
        }
    }

    fn pass(&mut self, ms: Millis) {
        let until = self.now + ms;
        while self.now < until {
            self.now += Millis(50);
            self.broadcast(&Input::Tick);
        }
    }

    fn held(&self, name: &str) -> Vec<PartitionId> {
        self.node(name).machine.held().collect()
    }

    /// Every partition is held by one node, and by the one that it is assigned to.
    fn assert_owned(&self) {
        for partition in (0..SETTINGS.partitions).map(PartitionId) {
            let holders: Vec<&NodeId> = self
                .nodes
                .iter()
                .filter(|(_, node)| node.machine.held().any(|held| held == partition))
                .map(|(name, _)| name)
                .collect();
            assert_eq!(holders.len(), 1, "{partition} is held by {holders:?}");
            assert!(self.nodes.values().all(|node| node.machine.owner_of(partition) == Some(holders[0])));
        }
    }
}

#[test]
fn a_node_on_its_own_owns_everything_as_soon_as_the_registry_knows_it() {
    let cluster = Cluster::new(&["a"]);
    assert_eq!(cluster.held("a").len(), 8);
    assert!(cluster.node("a").machine.is_settled());
}

#[test]
fn nothing_is_started_before_the_registry_knows_the_node() {
    let mut machine = Ownership::new(NodeId::new("a"), 1, SETTINGS);
    let first = machine.step(Millis::ZERO, Input::Tick);
    assert!(matches!(&first[..], [Action::Announce(beat)] if beat.sequence == 1 && beat.held.is_empty()));
    assert!(!machine.is_joined());
    assert!(machine.step(Millis(10), Input::Tick).is_empty());
}

#[test]
fn a_joining_node_waits_until_the_holder_lets_go() {
    let mut cluster = Cluster::new(&["a"]);
    cluster.join("b", 1);
    let given_up = cluster.node("a").stopping.clone();
    assert!(!given_up.is_empty(), "the holder is told to stop");
    assert_eq!(cluster.held("b"), [], "still committing");
    assert_eq!(cluster.held("a").len(), 8, "what is being stopped is still held");
    cluster.settle();
    assert_eq!(cluster.held("b"), given_up);
    cluster.assert_owned();
}

#[test]
fn a_leaving_node_hands_everything_over_then_withdraws() {
    let mut cluster = Cluster::new(&["a", "b"]);
    cluster.give(&NodeId::new("a"), Input::Leave);
    assert!(!cluster.node("a").withdrew, "it still commits");
    cluster.settle();
    assert!(cluster.node("a").withdrew);
    assert_eq!((cluster.held("a").len(), cluster.held("b").len()), (0, 8));
}

#[test]
fn a_dead_nodes_partitions_are_taken_after_a_lease_and_a_beat_at_most() {
    let mut cluster = Cluster::new(&["a", "b", "c"]);
    cluster.nodes.remove(&NodeId::new("b"));
    cluster.pass(Millis(LEASE.0 - BEAT.0 - 50));
    assert!(cluster.node("a").starting.is_empty(), "within the lease it may still live");
    cluster.pass(BEAT.times(2) + Millis(50));
    cluster.settle();
    cluster.assert_owned();
}

#[test]
fn a_node_that_joins_after_a_death_does_not_wait_for_the_dead() {
    let mut cluster = Cluster::new(&["a", "b"]);
    cluster.nodes.remove(&NodeId::new("b"));
    cluster.pass(LEASE + BEAT);
    cluster.settle();
    cluster.join("c", 1);
    cluster.settle();
    cluster.assert_owned();
}

#[test]
fn the_last_beat_of_a_dead_node_delivered_again_does_not_revive_it() {
    let mut cluster = Cluster::new(&["a", "b"]);
    let last = cluster.node("a").machine.others().next().expect("b").clone();
    cluster.nodes.remove(&NodeId::new("b"));
    cluster.pass(LEASE + BEAT);
    cluster.settle();
    cluster.give(&NodeId::new("a"), Input::Heard(last));
    assert_eq!(cluster.node("a").machine.others().count(), 0);
    cluster.assert_owned();
}

#[test]
fn a_node_whose_own_beats_do_not_come_back_buries_nobody_and_starts_nothing() {
    let mut cluster = Cluster::new(&["a", "b"]);
    let machine = &mut cluster.nodes.get_mut(&NodeId::new("a")).expect("a").machine;
    for now in (10_000..30_000).step_by(100) {
        for action in machine.step(Millis(now), Input::Tick) {
            assert!(matches!(action, Action::Announce(_)), "{action:?}");
        }
    }
    assert_eq!(machine.others().count(), 1);
}

#[test]
fn a_node_that_was_paused_hears_what_it_missed_before_it_judges() {
    let mut cluster = Cluster::new(&["a", "b"]);
    let mut paused = cluster.nodes.remove(&NodeId::new("a")).expect("a").machine;
    cluster.pass(LEASE.times(10));
    cluster.settle();
    let missed =
        Beat { held: BTreeMap::from([(PartitionId(0), OwnerEpoch(90))]), ..cluster_beat(&mut cluster, "b") };
    let Some(Action::Announce(own)) = paused.step(cluster.now, Input::Tick).pop() else { panic!("a beat") };
    paused.step(cluster.now + Millis(5), Input::Heard(missed));
    paused.step(cluster.now + Millis(6), Input::Heard(own));
    assert_eq!(paused.others().count(), 1, "b lives");
}

fn cluster_beat(cluster: &mut Cluster, name: &str) -> Beat {
    let node = cluster.nodes.get_mut(&NodeId::new(name)).expect("a node");
    let actions = node.machine.step(cluster.now + BEAT, Input::Tick);
    actions
        .into_iter()
        .find_map(|action| if let Action::Announce(beat) = action { Some(beat) } else { None })
        .expect("a beat")
}

#[test]
fn a_holder_that_hears_of_a_higher_epoch_stops() {
    let mut cluster = Cluster::new(&["a"]);
    let held = BTreeMap::from([(PartitionId(3), OwnerEpoch(1_000))]);
    let beat = Beat {
        node: NodeId::new("zz"),
        incarnation: 1,
        sequence: 1,
        held,
        leaving: true,
        declined: BTreeSet::new(),
        failing_ms: Millis::ZERO,
    };
    cluster.give(&NodeId::new("a"), Input::Heard(beat));
    assert_eq!(cluster.node("a").stopping, [PartitionId(3)]);
}

#[test]
fn a_holder_that_does_not_let_go_within_a_lease_is_overruled() {
    let mut cluster = Cluster::new(&["a"]);
    cluster.join("b", 1);
    let hung = cluster.node("a").stopping.clone();
    cluster.pass(Millis(LEASE.0 - 100));
    assert_eq!(cluster.node("b").starting, []);
    cluster.pass(Millis(200));
    assert_eq!(cluster.node("b").starting, hung);
}

#[test]
fn a_fenced_owner_waits_two_beats_before_it_tries_again_if_nobody_is_heard_of() {
    let mut cluster = Cluster::new(&["a"]);
    cluster.give(&NodeId::new("a"), Input::Ended(PartitionId(5)));
    assert!(!cluster.node("a").machine.is_settled());
    cluster.pass(Millis(2 * BEAT.0 - 50));
    assert_eq!(cluster.node("a").starting, []);
    cluster.pass(Millis(100));
    assert_eq!(cluster.node("a").starting, [PartitionId(5)]);
}

#[test]
fn when_the_registry_comes_back_nobody_is_dead_for_having_been_cut_off_too() {
    let mut cluster = Cluster::new(&["a", "b"]);
    let b = cluster.nodes.remove(&NodeId::new("b")).expect("b");
    // The registry is away for all; then a's first beat is through before b's.
    cluster.now += LEASE.times(10);
    cluster.give(&NodeId::new("a"), Input::Tick);
    assert_eq!(cluster.node("a").machine.others().count(), 1, "b may be about to announce itself");
    cluster.pass(Millis(LEASE.0 / 2));
    cluster.nodes.insert(NodeId::new("b"), b);
    cluster.pass(LEASE.times(3));
    assert_eq!(cluster.node("a").machine.others().count(), 1);
    cluster.assert_owned();
}

#[test]
fn a_restarted_node_of_the_same_name_takes_its_partitions_back_at_once() {
    let mut cluster = Cluster::new(&["a", "b"]);
    let before = cluster.held("b");
    cluster.nodes.remove(&NodeId::new("b"));
    cluster.join("b", 2);
    cluster.settle();
    assert_eq!(cluster.held("b"), before);
    cluster.assert_owned();
}

#[test]
fn a_replaced_node_stops_everything_and_falls_silent() {
    let mut cluster = Cluster::new(&["a"]);
    cluster.give(&NodeId::new("a"), Input::Replaced);
    assert_eq!(cluster.node("a").stopping.len(), 8);
    cluster.settle();
    cluster.pass(LEASE.times(5));
    assert_eq!(cluster.held("a"), []);
}

#[test]
fn a_partition_that_is_given_away_goes_to_another_node_and_comes_back_later() {
    let mut cluster = Cluster::new(&["a", "b"]);
    let (a, before) = (NodeId::new("a"), cluster.held("a"));
    let failing = before[0];
    assert!(cluster.node("a").machine.can_give_away(failing));
    cluster.give(&a, Input::Declined(failing));
    cluster.give(&a, Input::Ended(failing));
    cluster.settle();
    assert!(cluster.held("b").contains(&failing));
    assert_eq!(cluster.held("a").len(), before.len() - 1, "only what fails moves");
    assert!(!cluster.node("b").machine.can_give_away(failing), "nobody else would take it");
    cluster.assert_owned();
    cluster.pass(DECLINE + BEAT);
    cluster.settle();
    cluster.settle();
    assert_eq!(cluster.held("a"), before);
    cluster.assert_owned();
}

#[test]
fn a_node_on_its_own_gives_nothing_away() {
    let cluster = Cluster::new(&["a"]);
    assert!(!cluster.node("a").machine.can_give_away(PartitionId(0)));
}

#[test]
fn what_all_nodes_decline_is_owned_all_the_same() {
    let mut cluster = Cluster::new(&["a", "b"]);
    for node in ["a", "b"].map(NodeId::new) {
        cluster.give(&node, Input::Declined(PartitionId(0)));
        cluster.settle();
    }
    cluster.pass(LEASE);
    cluster.settle();
    cluster.assert_owned();
}

#[test]
fn one_node_keeps_the_sums_two_more_add_and_the_rest_follow() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut cluster = Cluster::new(&names[..3]);
    let roles = |cluster: &Cluster, names: &[&str]| -> BTreeMap<SumsRole, Vec<NodeId>> {
        let mut roles: BTreeMap<SumsRole, Vec<NodeId>> = BTreeMap::new();
        for name in names {
            let role = cluster.node(name).machine.sums_role().expect("it takes part");
            roles.entry(role).or_default().push(NodeId::new(*name));
        }
        roles
    };
    let few = roles(&cluster, &names[..3]);
    assert_eq!((few[&SumsRole::Keeps].len(), few[&SumsRole::Adds].len()), (1, 2), "all three add");
    names[3..].iter().for_each(|name| cluster.join(name, 1));
    cluster.pass(LEASE.times(2));
    cluster.settle();
    let many = roles(&cluster, &names);
    assert_eq!([1, 2, 3], [SumsRole::Keeps, SumsRole::Adds, SumsRole::Follows].map(|role| many[&role].len()));

    let keeper = many[&SumsRole::Keeps][0].clone();
    cluster.nodes.remove(&keeper);
    cluster.pass(LEASE.times(3));
    cluster.settle();
    let left: Vec<&str> = names.into_iter().filter(|name| *name != keeper.as_str()).collect();
    let after = roles(&cluster, &left);
    assert_eq!(
        [1, 2, 2],
        [SumsRole::Keeps, SumsRole::Adds, SumsRole::Follows].map(|role| after[&role].len())
    );
}

#[test]
fn who_has_not_joined_has_no_part_in_the_sums() {
    assert_eq!(Ownership::new(NodeId::new("a"), 1, SETTINGS).sums_role(), None);
}

//! What every `Membership` promises.

use super::{Fixture, soon};
use crate::{Announced, Announcement, MembershipEvent, Ports};
use bytes::Bytes;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::control::assignment::NodeId;
use nearline_model::control::ownership::Beat;
use nearline_model::control::ownership::Millis;
use nearline_model::identifier::OwnerEpoch;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::mpsc;

fn announcement(node: &str, incarnation: u64, sequence: u64) -> Announcement {
    let held = BTreeMap::from([(PartitionId(1), OwnerEpoch(7)), (PartitionId(2), OwnerEpoch::NONE)]);
    Announcement {
        beat: Beat {
            node: NodeId::new(node),
            incarnation,
            sequence,
            held,
            leaving: false,
            declined: BTreeSet::from([PartitionId(3)]),
            failing_ms: Millis(0),
        },
        address: "http://127.0.0.1:7700".into(),
        committed: BTreeMap::from([(PartitionId(1), Position(42))]),
        log: "a-log".into(),
    }
}

async fn announce(ports: &Ports, announcement: &Announcement) -> Announced {
    soon("acknowledgement", ports.membership.announce(announcement)).await.expect("announced")
}

async fn next(events: &mut mpsc::Receiver<MembershipEvent>) -> MembershipEvent {
    soon("event", events.recv()).await.expect("the watch goes on")
}

pub async fn a_watcher_gets_what_is_announced_its_own_included(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut events = ports.membership.watch().await.expect("watched");
    for sequence in 1..=3 {
        let said = announcement("a", 1, sequence);
        assert_eq!(announce(&ports, &said).await, Announced::Done);
        assert_eq!(next(&mut events).await, MembershipEvent::Announced(said));
    }
}

pub async fn a_late_watcher_gets_the_last_announcement_of_each_node(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    for (node, sequence) in [("a", 1), ("b", 1), ("a", 2)] {
        announce(&ports, &announcement(node, 1, sequence)).await;
    }
    let mut events = ports.membership.watch().await.expect("watched");
    let mut last = [next(&mut events).await, next(&mut events).await];
    last.sort_by_key(|event| format!("{event:?}"));
    let expected = [announcement("a", 1, 2), announcement("b", 1, 1)].map(MembershipEvent::Announced);
    assert_eq!(last, expected);
}

pub async fn all_watchers_hear_all_nodes_in_one_order(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut watchers = Vec::new();
    for _ in 0..3 {
        watchers.push(ports.membership.watch().await.expect("watched"));
    }
    let from = |node: &'static str| {
        let ports = ports.clone();
        async move {
            for sequence in 1..=10 {
                announce(&ports, &announcement(node, 1, sequence)).await;
            }
        }
    };
    tokio::join!(from("a"), from("b"));
    let mut heard = Vec::new();
    for watcher in &mut watchers {
        let mut events = Vec::new();
        for _ in 0..20 {
            events.push(next(watcher).await);
        }
        heard.push(events);
    }
    assert!(heard.windows(2).all(|two| two[0] == two[1]));
}

pub async fn a_node_that_withdraws_is_gone_for_everybody(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut events = ports.membership.watch().await.expect("watched");
    announce(&ports, &announcement("a", 1, 1)).await;
    next(&mut events).await;
    ports.membership.withdraw(&NodeId::new("a"), 1).await.expect("withdrawn");
    assert_eq!(next(&mut events).await, MembershipEvent::Withdrawn(NodeId::new("a")));
    assert_eq!(announce(&ports, &announcement("a", 2, 1)).await, Announced::Done, "it may come back");
}

pub async fn a_later_process_of_one_name_replaces_the_earlier(fixture: &dyn Fixture) {
    let first = fixture.ports().await;
    let second = fixture.ports_beside(&first).await;
    assert_eq!(announce(&first, &announcement("a", 1, 1)).await, Announced::Done);
    assert_eq!(announce(&second, &announcement("a", 2, 1)).await, Announced::Done);
    assert_eq!(announce(&first, &announcement("a", 1, 2)).await, Announced::Replaced);
    assert_eq!(announce(&second, &announcement("a", 2, 2)).await, Announced::Done);
    first.membership.withdraw(&NodeId::new("a"), 1).await.expect("nothing to do");
    assert_eq!(announce(&second, &announcement("a", 2, 3)).await, Announced::Done, "still there");
}

pub async fn a_question_reaches_the_node_it_is_for(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let (a, b) = (NodeId::new("a"), NodeId::new("b"));
    let mut questions_a = ports.membership.listen(&a).await.expect("listening");
    let mut questions_b = ports.membership.listen(&b).await.expect("listening");
    let answering = async {
        let question = soon("question", questions_b.recv()).await.expect("a question");
        let answer = [b"re: ", &question.body[..]].concat();
        question.reply.send(Bytes::from(answer)).expect("somebody waits");
    };
    let (answer, ()) = tokio::join!(ports.membership.ask(&b, Bytes::from_static(b"hello")), answering);
    assert_eq!(answer.expect("answered"), "re: hello");
    assert!(questions_a.try_recv().is_err());
}

pub async fn a_question_to_nobody_fails_at_once(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let asked = soon("refusal", ports.membership.ask(&NodeId::new("nobody"), Bytes::new())).await;
    assert!(asked.is_err_and(|error| error.is_transient()));
}

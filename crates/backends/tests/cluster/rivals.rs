//! Who counts as another process by a node's name, where the registry's bucket may be older than what was written.

use nearline_backends::nats::{NatsMembership, NatsSettings, connect};
use nearline_model::control::assignment::NodeId;
use nearline_model::control::ownership::{Beat, Millis};
use nearline_ports::{Announced, Announcement, Membership};
use nearline_servers::NatsServer;
use std::collections::{BTreeMap, BTreeSet};

const BUCKET: &str = "KV_nearline-nodes";

fn beat(incarnation: u64, sequence: u64) -> Announcement {
    Announcement {
        beat: Beat {
            node: NodeId::new("n"),
            incarnation,
            sequence,
            held: BTreeMap::new(),
            leaving: false,
            declined: BTreeSet::new(),
            failing_ms: Millis(0),
        },
        address: "http://127.0.0.1:7700".into(),
        committed: BTreeMap::new(),
        log: String::new(),
    }
}

async fn membership(nats: &NatsServer) -> NatsMembership {
    let settings = NatsSettings { url: nats.url(), partitions: 1, ..NatsSettings::default() };
    connect(settings).await.expect("connected").membership
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_life_in_a_bucket_that_was_set_back_is_no_rival() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let node = membership(&nats).await;
    for sequence in 1..=3 {
        assert_eq!(node.announce(&beat(1, sequence)).await.expect("announced"), Announced::Done);
    }
    for sequence in 1..=3 {
        assert_eq!(node.announce(&beat(2, sequence)).await.expect("announced"), Announced::Done);
    }
    // The bucket as it was before the node started again.
    let jetstream = async_nats::jetstream::new(async_nats::connect(nats.url()).await.expect("connected"));
    let config = jetstream.get_stream(BUCKET).await.expect("the bucket").cached_info().config.clone();
    jetstream.delete_stream(BUCKET).await.expect("removed");
    jetstream.create_stream(config).await.expect("made anew");
    assert_eq!(membership(&nats).await.announce(&beat(1, 3)).await.expect("announced"), Announced::Done);
    assert_eq!(node.announce(&beat(2, 4)).await.expect("announced"), Announced::Done, "it writes on");

    let rival = membership(&nats).await;
    assert_eq!(rival.announce(&beat(3, 1)).await.expect("announced"), Announced::Done);
    assert_eq!(node.announce(&beat(2, 5)).await.expect("announced"), Announced::Replaced);
}

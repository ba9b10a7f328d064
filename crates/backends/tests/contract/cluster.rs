//! The contract on real servers: NATS JetStream and Redis, both private to this test run.

use async_trait::async_trait;
use nearline_backends::cluster::connect_cluster;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_ports::Ports;
use nearline_ports::contract::Fixture;
use nearline_servers::{NatsServer, RedisServer};

struct Cluster {
    nats: NatsServer,
    redis: RedisServer,
    block_events: u16,
}

#[async_trait]
impl Fixture for Cluster {
    async fn ports(&self) -> Ports {
        let (url, block_events) = (self.nats.url(), self.block_events);
        let nats = NatsSettings { url, partitions: 4, block_events, ..NatsSettings::default() };
        let redis = RedisSettings { url: self.redis.url(), ..RedisSettings::default() };
        connect_cluster(nats, redis).await.expect("connected")
    }

    async fn ports_beside(&self, _open: &Ports) -> Ports {
        self.ports().await
    }
}

/// With a log whose messages hold up to so many events.
pub async fn cluster_of(block_events: u16) -> impl Fixture {
    Cluster {
        nats: NatsServer::start(None).expect("a NATS server"),
        redis: RedisServer::start().expect("a Redis server"),
        block_events,
    }
}

async fn cluster() -> impl Fixture {
    cluster_of(1).await
}

nearline_ports::contract_suite!(cluster);

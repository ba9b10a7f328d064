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
}

#[async_trait]
impl Fixture for Cluster {
    async fn ports(&self) -> Ports {
        let nats = NatsSettings { url: self.nats.url(), partitions: 4, ..NatsSettings::default() };
        let redis = RedisSettings { url: self.redis.url(), ..RedisSettings::default() };
        connect_cluster(nats, redis).await.expect("connected")
    }

    async fn ports_beside(&self, _open: &Ports) -> Ports {
        self.ports().await
    }
}

async fn cluster() -> impl Fixture {
    Cluster {
        nats: NatsServer::start(None).expect("a NATS server"),
        redis: RedisServer::start().expect("a Redis server"),
    }
}

nearline_ports::contract_suite!(cluster);

//! The contract of a log whose messages hold several events.

use async_trait::async_trait;
use nearline_backends::cluster::connect_cluster;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_ports::Ports;
use nearline_ports::contract::Fixture;
use nearline_servers::{NatsServer, RedisServer};

struct Blocks {
    nats: NatsServer,
    redis: RedisServer,
}

#[async_trait]
impl Fixture for Blocks {
    async fn ports(&self) -> Ports {
        let url = self.nats.url();
        let nats = NatsSettings { url, partitions: 4, block_events: 8, ..NatsSettings::default() };
        let redis = RedisSettings { url: self.redis.url(), ..RedisSettings::default() };
        connect_cluster(nats, redis).await.expect("connected")
    }

    async fn ports_beside(&self, _open: &Ports) -> Ports {
        self.ports().await
    }
}

async fn blocks() -> impl Fixture {
    Blocks {
        nats: NatsServer::start(None).expect("a NATS server"),
        redis: RedisServer::start().expect("a Redis server"),
    }
}

nearline_ports::contract_suite!(blocks: event_log);

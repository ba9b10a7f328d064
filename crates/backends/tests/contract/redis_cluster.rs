//! What is promised of stored state, on a Redis Cluster of three masters.

use async_trait::async_trait;
use nearline_backends::cluster::connect_cluster;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_ports::Ports;
use nearline_ports::contract::Fixture;
use nearline_servers::{NatsServer, RedisCluster};

struct Masters {
    nats: NatsServer,
    redis: RedisCluster,
}

#[async_trait]
impl Fixture for Masters {
    async fn ports(&self) -> Ports {
        let nats = NatsSettings { url: self.nats.url(), partitions: 4, ..NatsSettings::default() };
        let redis = RedisSettings { url: self.redis.url(), cluster: true, ..RedisSettings::default() };
        connect_cluster(nats, redis).await.expect("connected")
    }

    async fn ports_beside(&self, _open: &Ports) -> Ports {
        self.ports().await
    }
}

async fn masters() -> impl Fixture {
    Masters {
        nats: NatsServer::start(None).expect("a NATS server"),
        redis: RedisCluster::start(3).expect("a Redis Cluster"),
    }
}

nearline_ports::contract_suite!(masters: state_store quarantine);

//! The contract on servers that let nobody in who does not say who he is, and only over TLS: NATS with user,
//! password and client certificate, Redis with an ACL and one, too. The user has the rights that the production
//! overlay gives the engine, and no others.

#[path = "../cluster/authority.rs"]
mod authority;

use async_trait::async_trait;
use authority::Authority;
use nearline_backends::cluster::connect_cluster;
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_ports::Ports;
use nearline_ports::contract::Fixture;
use nearline_servers::{NatsServer, RedisServer, free_port};

/// Characters that a URL has other uses for.
const PASSWORD: &str = "s:e@c/r#e%t";
const IN_A_URL: &str = "s%3Ae%40c%2Fr%23e%25t";

/// What the production overlay gives the engine's user of NATS.
fn nats_rights() -> &'static str {
    let conf = include_str!("../../../../k8s/overlays/production/nats-cluster.conf");
    let (_, engine) = conf.split_once("user: nearline,").expect("the engine's user");
    let (_, rights) = engine.split_once("permissions: {").expect("its rights");
    rights.split_once('}').expect("an end").0
}

/// And of Redis.
fn redis_rights() -> &'static str {
    let users = include_str!("../../../../k8s/overlays/production/users.acl");
    users.lines().find_map(|line| line.strip_prefix("user nearline on #NEARLINE ")).expect("its rights")
}

struct Secured {
    authority: Authority,
    nats: NatsServer,
    _redis: RedisServer,
    redis_port: u16,
}

#[async_trait]
impl Fixture for Secured {
    async fn ports(&self) -> Ports {
        let file = |name: &str| self.authority.file(name).display().to_string();
        let nats = NatsSettings {
            url: self.nats.url().replace("nats://", &format!("nats://nearline:{IN_A_URL}@")),
            partitions: 4,
            ca_file: file("ca.pem"),
            certificate_file: file("client.pem"),
            key_file: file("client.key"),
            ..NatsSettings::default()
        };
        let redis = RedisSettings {
            url: format!("rediss://nearline:{IN_A_URL}@127.0.0.1:{}", self.redis_port),
            ca_file: file("ca.pem"),
            certificate_file: file("client.pem"),
            key_file: file("client.key"),
            ..RedisSettings::default()
        };
        connect_cluster(nats, redis).await.expect("connected")
    }

    async fn ports_beside(&self, _open: &Ports) -> Ports {
        self.ports().await
    }
}

async fn secured() -> impl Fixture {
    let authority = Authority::new();
    let tls = |name: &str| authority.file(name).display().to_string();
    let nats = format!(
        "jetstream {{ store_dir: $NATS_STORE_DIR }}\n\
         authorization {{ users: [ {{ user: nearline, password: \"{PASSWORD}\", permissions: {{ {} }} }} ] }}\n\
         tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}\n",
        nats_rights(),
        tls("server.pem"),
        tls("server.key"),
        tls("ca.pem")
    );
    let redis_port = free_port().expect("a port");
    let redis = format!(
        "save \"\"\nappendonly yes\ntls-port {redis_port}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\n\
         tls-auth-clients yes\nuser default off\nuser nearline on >{PASSWORD} {}\n",
        tls("server.pem"),
        tls("server.key"),
        tls("ca.pem"),
        redis_rights()
    );
    let (nats, redis) = (authority.write("nats.conf", &nats), authority.write("redis.conf", &redis));
    Secured {
        nats: NatsServer::start_with_file(&nats).expect("a NATS server"),
        _redis: RedisServer::start_with_file(&redis).expect("a Redis server"),
        authority,
        redis_port,
    }
}

nearline_ports::contract_suite!(secured);

//! What a user may not do on NATS and Redis is found before the start, by name.

use super::authority::Authority;
use nearline_backends::nats::{self, NatsSettings};
use nearline_backends::redis::{self, RedisSettings};
use nearline_ports::finding::{Finding, Verdict};
use nearline_servers::{NatsServer, RedisServer};

const EVENT_BYTES: usize = 1 << 16;

async fn found(authority: &Authority, accounts: &str) -> Vec<Finding> {
    let conf = format!("jetstream {{ store_dir: $NATS_STORE_DIR }}\n{accounts}");
    let server = NatsServer::start_with_file(&authority.write("nats.conf", &conf)).expect("a NATS server");
    let url = server.url().replace("//", "//ana:secret1@");
    let settings = NatsSettings { url, partitions: 2, timeout_ms: 1_000, ..NatsSettings::default() };
    nats::examine(settings, EVENT_BYTES).await.0
}

fn failures(findings: &[Finding]) -> Vec<String> {
    let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Fail);
    failed.map(|finding| format!("{} → {}", finding.says, finding.advice.as_deref().unwrap_or("-"))).collect()
}

#[tokio::test]
async fn a_right_on_nats_that_is_missing_is_named() {
    let authority = Authority::new();
    for (kind, denied, says) in [
        ("publish", "nearline.deadletters.>", "publish to nearline.deadletters.>"),
        ("publish", "$KV.nearline-nodes.>", "publish to $KV.nearline-nodes.>"),
        (
            "publish",
            "$JS.API.CONSUMER.>",
            "$JS.API.CONSUMER.CREATE.>, $JS.API.CONSUMER.DELETE.>, $JS.API.CONSUMER.MSG.NEXT.>",
        ),
        ("publish", "$JS.API.STREAM.UPDATE.*", "publish to $JS.API.STREAM.UPDATE.>"),
        ("subscribe", "nearline.queries.*", "subscribe to nearline.queries.*"),
    ] {
        let user =
            format!("user: ana, password: secret1, permissions: {{ {kind}: {{ deny: \"{denied}\" }} }}");
        let findings = found(&authority, &format!("authorization {{ users: [ {{ {user} }} ] }}\n")).await;
        let failures = failures(&findings);
        assert!(failures.len() == 1 && failures[0].contains(says), "{denied}: {failures:#?}");
    }
}

#[tokio::test]
async fn too_few_streams_are_counted_before_they_are_made() {
    let authority = Authority::new();
    let account = |most: usize| {
        let user = "{ user: ana, password: secret1 }";
        format!("accounts {{ A {{ jetstream: {{ max_streams: {most} }}, users: [ {user} ] }} }}\n")
    };
    let findings = found(&authority, &account(3)).await;
    let says = failures(&findings);
    assert!(says.len() == 1 && says[0].contains("the account takes 3"), "{says:#?}");
    let needed =
        says[0].split_once("streams to ").and_then(|(_, rest)| rest.split(' ').next()).expect("a number");
    let needed: usize = needed.parse().expect("a number");
    assert_eq!(failures(&found(&authority, &account(needed)).await), Vec::<String>::new());
    assert_eq!(failures(&found(&authority, &account(needed - 1)).await).len(), 1);
}

#[tokio::test]
async fn a_right_on_redis_that_is_missing_is_named() {
    let authority = Authority::new();
    for (rights, says) in
        [("~nl:* +@all -xtrim", "xtrim"), ("~nl:* +@all -hscan", "hscan"), ("~other:* +@all", "key")]
    {
        let conf = format!("save \"\"\nuser default off\nuser nearline on >secret1 {rights}\n");
        let file = authority.write("redis.conf", &conf);
        let server = RedisServer::start_with_file(&file).expect("a Redis server");
        let url = server.url().replace("//", "//nearline:secret1@");
        let settings = RedisSettings { url, timeout_ms: 2_000, ..RedisSettings::default() };
        let failures = failures(&redis::examine(settings, 2).await);
        assert_eq!(failures.len(), 1, "{rights}: {failures:#?}");
        let told = failures[0].to_lowercase();
        assert!(told.contains(says) && told.contains("users.acl"), "{rights}: {told}");
    }
}

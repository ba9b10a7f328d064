//! Servers that are away when the program starts: it waits, says for what, and goes on once they are there.

use crate::bed::{audience_events, eventually_here};
use crate::program::Program;
use nearline_servers::{NatsServer, RedisServer};

#[test]
fn a_program_that_starts_before_its_servers_says_what_it_waits_for_and_serves_once_they_are_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut nats = NatsServer::start(Some(&directory.path().join("nats"))).expect("nats");
    let mut redis = RedisServer::start().expect("redis");
    let backend = format!(
        "[backend]\nkind = \"cluster\"\n[nats]\nurl = \"{}\"\n[redis]\nurl = \"{}\"\n",
        nats.url(),
        redis.url()
    );
    nats.stop();
    redis.stop();
    let mut program = Program::start(directory.path(), &backend);
    let events = audience_events(50, 20, 23);
    let waits_for = |program: &Program, server: &str| {
        eventually_here(&format!("it waits for {server}"), || {
            let (status, body) = program.operators_ask("/livez");
            status == 200 && body.contains("waiting_for") && body.to_lowercase().contains(server)
        });
        let (status, body) = program.operators_ask("/readyz");
        assert!(status == 503 && body.contains("/problems/starting"), "{status}: {body}");
        let (status, body) = program.ask("/v1/trending");
        assert!(status == 503 && body.contains("/problems/starting"), "{status}: {body}");
        let (status, body) = program.operators_ask("/metrics");
        assert!(status == 200 && body.ends_with("nearline_ready 0\n"), "{status}: {body}");
        assert!(!program.publish(&events), "nothing is taken while there is no log");
    };
    waits_for(&program, "redis");
    redis.restart().expect("redis");
    waits_for(&program, "nats");
    assert!(!program.has_ended());
    nats.restart().expect("nats");
    eventually_here("it is ready", || program.operators_ask("/readyz").0 == 200);
    assert!(program.publish(&events));
    assert_eq!(program.ask("/v1/trending").0, 200);
}

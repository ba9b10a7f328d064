//! Simulated servers in fair weather, on a thread of their own.

use async_trait::async_trait;
use nearline_audience::dice::Dice;
use nearline_chaos::live::workload::now_ms;
use nearline_chaos::simulate::adapters::connect;
use nearline_chaos::simulate::network::{Caller, Link, Weather, carry};
use nearline_chaos::simulate::scenario::Scenario;
use nearline_chaos::simulate::servers::Servers;
use nearline_chaos::simulate::trace::Trace;
use nearline_ports::Ports;
use nearline_ports::contract::Fixture;
use parking_lot::Mutex;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

/// Whoever asks gets ports to the servers.
struct Simulated(mpsc::UnboundedSender<oneshot::Sender<Ports>>);

#[async_trait]
impl Fixture for Simulated {
    async fn ports(&self) -> Ports {
        let (reply, ports) = oneshot::channel();
        self.0.send(reply).expect("the servers run");
        ports.await.expect("the servers run")
    }

    async fn ports_beside(&self, _open: &Ports) -> Ports {
        self.ports().await
    }
}

async fn simulated() -> impl Fixture {
    let (asking, asked) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        LocalSet::new().block_on(&runtime.expect("a runtime"), serve(asked));
    });
    Simulated(asking)
}

async fn serve(mut asked: mpsc::UnboundedReceiver<oneshot::Sender<Ports>>) {
    let fair = Scenario {
        partitions: 4,
        duplicate_window_ms: 600_000,
        server_fault_per_mille: 0,
        trouble_per_mille: 0,
        slow_per_mille: 0,
        needs_proofs: true,
        ..Scenario::draw(1)
    };
    let trace = Arc::new(Mutex::new(Trace::new(false)));
    let mut servers = Servers::new(&fair, None, trace, Dice::new(1));
    servers.start_ms = now_ms();
    let servers = Rc::new(RefCell::new(servers));
    let (network, calls) = mpsc::unbounded_channel();
    let weather = Rc::new(RefCell::new(Weather::default()));
    spawn_local(carry(calls, weather, servers.clone(), Dice::new(2)));
    let mut number = 0;
    while let Some(reply) = asked.recv().await {
        let caller = Caller::Node(number);
        number += 1;
        let ports = connect(&servers.borrow(), |server| {
            Link::new(&network, caller, server).with_patience(Duration::from_secs(30))
        });
        let _gone = reply.send(ports);
    }
}

nearline_ports::contract_suite!(simulated: event_log state_store dead_letters quarantine catalogue_store membership
    fact_stream);

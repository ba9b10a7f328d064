//! The contract of a log whose messages hold several events.

use crate::cluster::cluster_of;
use nearline_ports::contract::Fixture;

async fn blocks() -> impl Fixture {
    cluster_of(8).await
}

nearline_ports::contract_suite!(blocks: event_log);

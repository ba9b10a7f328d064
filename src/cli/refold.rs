//! `nearline refold`: forgets what was folded, so that the next start folds the log anew.

use anyhow::{Context, bail};
use clap::Args;
use nearline_config::{BackendKind, Config, open_stored_ports};
use nearline_model::control::assignment::NodeId;
use nearline_ports::Ports;
use nearline_ports::membership::MembershipEvent;
use nearline_ports::refold::forget_state;
use nearline_terminal::print_all;
use std::collections::BTreeSet;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(
    after_help = "Stop every node first. The next `nearline serve` folds the whole log, under the fold of this version; events,
dead letters, quarantine and catalogue stay as they are. Refused where the log does not reach back to its beginning.

Example:
  nearline refold --yes && nearline serve"
)]
pub(super) struct RefoldArgs {
    /// Do it: what is stored of members and sums is forgotten.
    #[arg(long)]
    yes: bool,
}

/// A node that announces itself again within two leases. The registry also has those that died.
async fn running_node(ports: &Ports, lease: Duration) -> anyhow::Result<Option<NodeId>> {
    let mut events = ports.membership.watch().await?;
    let mut known = BTreeSet::new();
    let deadline = tokio::time::Instant::now() + 2 * lease;
    while let Ok(event) = tokio::time::timeout_at(deadline, events.recv()).await {
        match event.context("whether a node runs cannot be told: the registry broke off; try again")? {
            MembershipEvent::Announced(announcement) => {
                let node = announcement.beat.node;
                if !known.insert(node.clone()) {
                    return Ok(Some(node));
                }
            }
            MembershipEvent::Withdrawn(node) => drop(known.remove(&node)),
        }
    }
    Ok(None)
}

pub(super) async fn run(args: RefoldArgs, config: &Config) -> anyhow::Result<()> {
    if !args.yes {
        bail!("this forgets what is stored of members and sums, to fold the log anew; say so with --yes");
    }
    let ports = open_stored_ports(config).await?;
    if config.backend.kind == BackendKind::Cluster {
        let lease = Duration::from_millis(config.node.lease_ms);
        if let Some(node) = running_node(&ports, lease).await? {
            bail!(
                "node {node} is running: it would fold the log anew at once, and answer from what it has until then; stop every node \
                 first"
            );
        }
    }
    let forgotten = forget_state(&ports).await.context("nothing is folded again")?;
    print_all(&format!(
        "{} partitions are forgotten; the next `nearline serve` folds the log from its start up to position {}\n",
        forgotten.partitions, forgotten.last
    ))
}

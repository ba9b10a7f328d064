//! `nearline refold`: forgets what was folded, so that the next start folds the log anew.

use anyhow::{Context, bail};
use clap::Args;
use nearline_config::{Config, open_stored_ports};
use nearline_ports::refold::forget_state;
use nearline_terminal::print_all;

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

pub(super) async fn run(args: RefoldArgs, config: &Config) -> anyhow::Result<()> {
    if !args.yes {
        bail!("this forgets what is stored of members and sums, to fold the log anew; say so with --yes");
    }
    let ports = open_stored_ports(config).await?;
    let forgotten = forget_state(&ports).await.context("nothing is folded again")?;
    print_all(&format!(
        "{} partitions are forgotten; the next `nearline serve` folds the log from its start up to position {}\n",
        forgotten.partitions, forgotten.last
    ))
}

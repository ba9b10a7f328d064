//! `nearline evaluate`: what was, or would have been, worth how much, from logs.

mod policy;

use crate::config::Config;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    #[command(subcommand)]
    evaluation: Evaluation,
}

#[derive(Debug, Subcommand)]
enum Evaluation {
    /// Of logged decisions: what would another policy have earned? (Replay, IPS, SNIPS, DM, DR.)
    Policy(policy::PolicyArgs),
}

pub(super) async fn run(args: EvaluateArgs, config: &Config) -> anyhow::Result<()> {
    match args.evaluation {
        Evaluation::Policy(args) => policy::run(&args, config).await,
    }
}

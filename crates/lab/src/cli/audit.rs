//! `nearline-lab audit`: whether facts are as many as ever, whole, and what was served.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use nearline_config::Config;
use nearline_facts::{refuse_inside, usage};
use nearline_terminal::print_all;

use super::archive::captured;
use crate::audit::{AuditJob, audit, page};
use crate::places::Places;

/// Looks at archived events and facts: rows and nulls by day against the days before, whether facts of members leave events out, and
/// for a sample of members whether what they were answered from is what is kept. Fails if something is found.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The archive of events.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The folder of the facts.
    #[arg(long, value_name = "DIR")]
    facts: PathBuf,
    /// Share of the members that are looked at closely, above 0, at most 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    sample: f64,
    /// Folds all events again, and compares the sample's facts byte for byte.
    #[arg(long)]
    refold: bool,
    /// Writes a page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| "expected a number above 0, at most 1".into())
}

/// Runs the command.
///
/// # Errors
/// Folders that hold something else, files that cannot be read, and findings.
pub fn run(args: AuditArgs, config: &Config, places: &mut Places) -> anyhow::Result<()> {
    let job = AuditJob {
        archive: places.folder(&args.archive)?,
        facts: places.folder(&args.facts)?,
        sample: args.sample,
        refold: args.refold,
        fold: config.fold.clone(),
        capture: captured(config),
    };
    for folder in [&job.archive, &job.facts] {
        args.html.iter().try_for_each(|html| refuse_inside(html, folder))?;
    }
    let report = audit(&job)?;
    if let Some(html) = &args.html {
        std::fs::write(html, page(&report))
            .with_context(|| format!("{} cannot be written", html.display()))?;
    }
    print_all(&if args.json {
        format!("{}\n", serde_json::to_string(&report)?)
    } else {
        let (wall_s, cpu_s, peak_mib) = (report.wall_s, usage::cpu_s(), usage::peak_mib());
        format!("{}{wall_s:.2} s, {cpu_s:.2} CPU s, {peak_mib:.0} MiB\n", report.text())
    })?;
    match report.findings.len() {
        0 => Ok(()),
        findings => bail!("{findings} findings"),
    }
}

//! `nearline doctor`: whether everything is as it should be, and what to do where it is not.

use crate::doctor::examine;
use anyhow::bail;
use clap::Args;
use nearline_config::{Config, ConfigError};
use nearline_ports::finding::{Finding, Verdict};
use nearline_terminal::{clean, print_all, print_json};
use serde_json::json;
use std::fmt::Write as _;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nearline doctor\n  nearline --config config/cluster.toml doctor --json\n\n\
                        Exit codes: 0 nothing fails, 1 something does."
)]
pub(super) struct DoctorArgs {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Examines what was configured, or says why it was refused.
pub(super) async fn run(args: &DoctorArgs, config: Result<Config, ConfigError>) -> anyhow::Result<()> {
    let findings = match config {
        Ok(config) => examine(&config, super::now_ms()).await,
        Err(error) => {
            vec![Finding::fail("configuration", error.to_string(), "change what the message names")]
        }
    };
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (warned, failed) = (count(Verdict::Warn), count(Verdict::Fail));
    if args.json {
        let document = json!({ "findings": findings, "warnings": warned, "failures": failed });
        print_json(&document.to_string())?;
    } else {
        print_all(&shown(&findings)?)?;
    }
    match failed {
        0 => Ok(()),
        1 => bail!("one thing does not work"),
        many => bail!("{many} things do not work"),
    }
}

fn shown(findings: &[Finding]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Ok => "ok  ",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        writeln!(text, "{word}  {:<13} {}", finding.part, clean(&finding.says))?;
        if let Some(advice) = &finding.advice {
            writeln!(text, "      {:<13} → {}", "", clean(advice))?;
        }
    }
    Ok(text)
}

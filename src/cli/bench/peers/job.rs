//! The job as each program runs it.

use super::Peer;
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;

const DUCKDB: &str = include_str!("../../../../benches/peers/take_rates_duckdb.py");
const SPARK: &str = include_str!("../../../../benches/peers/take_rates_spark.py");
const FLINK: &str = include_str!("../../../../benches/peers/take_rates_flink.py");

/// Where a job finds what it needs.
pub struct Place {
    /// Of Python, one for each peer.
    pub environments: PathBuf,
    /// Directory of files with events.
    pub events: PathBuf,
    /// Where the answer goes.
    pub cells: PathBuf,
    /// A directory for whatever it keeps.
    pub work: PathBuf,
}

/// The package of a peer, as PyPI has it, and the module in it.
fn package(peer: Peer) -> (&'static str, &'static str) {
    match peer {
        Peer::Duckdb => ("duckdb==2.0.1", "duckdb"),
        Peer::Spark => ("pyspark==4.3.0", "pyspark.sql"),
        Peer::Flink => ("apache-flink==2.3.0", "pyflink.table"),
    }
}

/// The Python of a peer: an environment of its own, since what they depend on does not agree.
fn python(peer: Peer, environments: &Path) -> PathBuf {
    environments.join(peer.name()).join("bin/python")
}

/// Sees to it that a peer is there.
pub fn ready(peer: Peer, environments: &Path, install: bool) -> anyhow::Result<()> {
    let (python, (package, module)) = (python(peer, environments), package(peer));
    let is_there = || {
        let found = Command::new(&python).args(["-c", &format!("import {module}")]).output();
        found.is_ok_and(|output| output.status.success())
    };
    if !is_there() {
        anyhow::ensure!(
            install,
            "{} is not installed in {}; with --install it is, from PyPI, or leave it out with --only",
            peer.name(),
            environments.display()
        );
        eprintln!("installing {package} from PyPI in {}", environments.display());
        done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environments.join(peer.name())))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package];
        done(Command::new(&python).args(pip))?;
        anyhow::ensure!(is_there(), "{package} was installed, and {} does not find it", python.display());
    }
    if peer != Peer::Duckdb {
        let java = Command::new("java").arg("-version").output();
        anyhow::ensure!(
            java.is_ok_and(|output| output.status.success()),
            "{} needs Java 17 or newer on PATH (Debian: default-jre-headless), or leave it out with --only",
            peer.name()
        );
    }
    Ok(())
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {}", command.get_program().display()))?;
    anyhow::ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// This program's own.
pub fn nearline(place: &Place) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("finding this program")?);
    command.args(["bench", "takerate", "--json", "--out"]).args([&place.cells, &place.events]);
    Ok(command)
}

/// The job of a peer.
pub fn of(peer: Peer, place: &Place) -> anyhow::Result<Command> {
    let Place { environments, events, cells, work } = place;
    let job = work.join("take_rates.py");
    let text = match peer {
        Peer::Duckdb => DUCKDB,
        Peer::Spark => SPARK,
        Peer::Flink => FLINK,
    };
    std::fs::write(&job, text).with_context(|| format!("writing {}", job.display()))?;
    let mut command = Command::new(python(peer, environments));
    command.args([&job, events, cells, work]);
    Ok(command)
}

//! Commands and signals.

use crate::live::ChaosError;
use std::process::Command;

/// Runs a command that must succeed.
///
/// # Errors
/// [`ChaosError::System`] if it cannot be run, [`ChaosError::Engine`] if it fails.
pub fn run_command(command: &mut Command) -> Result<(), ChaosError> {
    let what = format!("{command:?}");
    let status = command.status().map_err(ChaosError::system(what.clone()))?;
    if status.success() { Ok(()) } else { Err(ChaosError::Engine(format!("{what} ended with {status}"))) }
}

/// Sends a signal to a process that was started here.
///
/// # Errors
/// Where `kill` fails.
pub fn signal(process: u32, name: &str) -> Result<(), ChaosError> {
    run_command(Command::new("kill").arg(format!("-{name}")).arg(process.to_string()))
}

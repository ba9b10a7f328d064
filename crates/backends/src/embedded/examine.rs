//! Whether the directory is as the engine needs it, without opening it: for `nearline doctor`.

use super::{EmbeddedSettings, directory, takes_writes};
use nearline_ports::finding::Finding;
use std::fs::File;
use std::path::Path;

const PART: &str = "directory";

/// Looks at the directory. Blocks.
pub fn examine(settings: &EmbeddedSettings) -> Vec<Finding> {
    let path = &settings.directory;
    let shown = path.display();
    if !path.exists() {
        let above = path.ancestors().skip(1).find(|above| above.is_dir()).unwrap_or(Path::new("."));
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        return vec![Finding::fail_unless(
            takes_writes(above),
            PART,
            format!("{shown} is not there yet; it is made in {}", above.display()),
            "let this user write there, or name another directory in embedded.directory",
        )];
    }
    let mut findings = vec![match directory::partitions_of(path) {
        Some(made_with) => Finding::fail_unless(
            made_with == settings.partitions,
            PART,
            format!("{shown} was made with {made_with} partitions, configured are {}", settings.partitions),
            "configure as many (engine.partitions), or use another directory",
        ),
        None if path.join("log").exists() || path.join("format.json").exists() => Finding::fail(
            PART,
            format!("{shown}: format.json cannot be read, though there is data"),
            "restore the file, or save what is there: nearline repair --to DIRECTORY",
        ),
        None => Finding::ok(PART, format!("{shown} is empty")),
    }];
    if is_held(path) {
        findings.push(Finding::ok(PART, format!("{shown} is held by a program that runs")));
    } else {
        findings.push(if takes_writes(path) {
            Finding::ok(PART, format!("{shown} takes writes"))
        } else {
            Finding::fail(
                PART,
                format!("{shown} takes no writes of 16 MiB"),
                "let this user write there, or make room",
            )
        });
    }
    findings
}

/// Whether another process has the directory open.
fn is_held(path: &Path) -> bool {
    let lock = File::options().read(true).open(path.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
}

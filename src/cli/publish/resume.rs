//! How far a file was acknowledged, remembered beside it.

use anyhow::{Context, bail};
use nearline_model::identifier::fingerprint;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes before the resume point that the file is known by.
const KNOWN_BYTES: u64 = 4_096;

/// Everything up to here was answered by the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumePoint {
    /// Lines answered, empty ones included.
    pub lines: u64,
    /// Bytes of these lines.
    pub bytes: u64,
    /// Of these lines: stored by the log.
    pub accepted: u64,
    /// Known to the log before.
    pub duplicates: u64,
    /// Refused.
    pub rejected: u64,
    /// Fingerprint of the last line that was answered; 0: of none.
    pub last_line: u64,
}

impl ResumePoint {
    /// What is remembered at `path`, if anything is.
    pub fn load(path: &Path) -> anyhow::Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let point = serde_json::from_str(&text).with_context(|| {
            format!(
                "{} does not say how far publishing came; remove it, or publish with --restart",
                path.display()
            )
        })?;
        Ok(Some(point))
    }

    /// Remembers this at `path`: the old file stays until the new one is whole.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let text = serde_json::to_string(self)?;
        let written = std::fs::write(&name, text + "\n").and_then(|()| std::fs::rename(&name, path));
        written.with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Checks that `file` still holds the lines that were answered.
    pub fn check(&self, file: &mut File, path: &Path, state: &Path) -> anyhow::Result<()> {
        let from = self.bytes.saturating_sub(KNOWN_BYTES);
        let mut before = vec![0; (self.bytes - from) as usize];
        let read = file.seek(SeekFrom::Start(from)).and_then(|_| file.read_exact(&mut before));
        let text = String::from_utf8_lossy(&before);
        let last = text.trim_end().rsplit('\n').next().unwrap_or_default().trim();
        // A line longer than what is looked at is not compared.
        let whole = text.trim_end().contains('\n') || from == 0;
        if read.is_err() || (self.last_line != 0 && whole && fingerprint(last) != self.last_line) {
            bail!(
                "{} is not the file of which {} remembers {} lines; remove that file, or publish with --restart",
                path.display(),
                state.display(),
                self.lines
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_found_again_and_only_fits_its_file() {
        let directory = tempfile::tempdir().expect("directory");
        let (path, state) = (directory.path().join("f"), directory.path().join("f.published"));
        assert_eq!(ResumePoint::load(&state).expect("absent"), None);
        let point = ResumePoint { lines: 2, bytes: 4, last_line: fingerprint("b"), ..ResumePoint::default() };
        point.save(&state).expect("saved");
        assert_eq!(ResumePoint::load(&state).expect("there"), Some(point));
        for (text, fits) in [("a\nb\nc\n", true), ("a\nb\n", true), ("a\nX\nc\n", false), ("a\n", false)] {
            std::fs::write(&path, text).expect("written");
            let checked = point.check(&mut File::open(&path).expect("open"), &path, &state);
            assert_eq!(checked.is_ok(), fits, "{text:?}");
        }
        std::fs::write(&state, "nonsense").expect("written");
        assert!(ResumePoint::load(&state).expect_err("nonsense").to_string().contains("--restart"));
    }
}

//! The file of the audit log: lines are added, never changed. Full, it becomes the one before, and the one before that goes.

use std::fs::File;
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

/// The file.
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Bytes of this file and the one before, at most.
    most: u64,
}

impl AuditFile {
    /// Opens a file, made if it is not there; the lines of it and of the one before.
    pub(super) fn open(path: &Path, most: u64) -> Result<(Self, Vec<String>)> {
        let named = |error: std::io::Error| {
            let detail = format!(
                "`admin.audit_file`, {}: {error}; correct its permissions, or name another",
                path.display()
            );
            std::io::Error::new(error.kind(), detail)
        };
        let file = File::options().create(true).append(true).open(path).map_err(named)?;
        let bytes = file.metadata().map_err(named)?.len();
        let mut lines = Vec::new();
        for one in [before(path), path.to_owned()] {
            let text = std::fs::read(one).unwrap_or_default();
            lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
        }
        Ok((Self { path: path.to_owned(), file, bytes, most }, lines))
    }

    /// Adds a line, on disk when this comes back.
    pub(super) fn append(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.most / 2 {
            std::fs::rename(&self.path, before(&self.path))?;
            self.file = File::options().create(true).append(true).open(&self.path)?;
            self.bytes = 0;
        }
        self.file.write_all(line.as_bytes())?;
        self.bytes += line.len() as u64;
        self.file.sync_data()
    }
}

/// The file before.
fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_added_to_those_of_before_and_never_take_more_than_they_may() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("audit.ndjson");
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        for round in 0..3 {
            let (mut file, lines) = AuditFile::open(&path, 200).expect("opened");
            assert_eq!(lines.last().map(String::as_str), (round > 0).then_some("line 9 of before"));
            for number in 0..10 {
                file.append(&format!("line {number} of before")).expect("added");
                assert!(size(&path) + size(&before(&path)) <= 200);
            }
        }
        let (_, lines) = AuditFile::open(&path, 200).expect("opened");
        assert!(lines.len() > 5 && lines.iter().all(|line| line.starts_with("line ")), "{lines:?}");
        assert!(
            AuditFile::open(&directory.path().join("none/a"), 200)
                .is_err_and(|e| e.to_string().contains("audit_file"))
        );
    }
}

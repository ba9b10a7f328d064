//! Where the events come from: files, or lines made beforehand.

use anyhow::Context;
use bytes::Bytes;
use nearline_actors::ports::NewEvent;
use nearline_model::event::routing_of;
use std::path::{Path, PathBuf};

/// Events in the order of arrival.
pub struct Source {
    files: std::vec::IntoIter<PathBuf>,
    name: String,
    lines: Bytes,
    line: usize,
}

impl Source {
    /// The files of `directory`, in the order of their names.
    pub fn files(directory: &Path) -> anyhow::Result<Self> {
        let reading = || format!("reading the directory {}", directory.display());
        let entries = std::fs::read_dir(directory).with_context(reading)?;
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        files.retain(|file| {
            file.is_file() && file.extension().is_some_and(|ending| ending == "json" || ending == "ndjson")
        });
        anyhow::ensure!(
            !files.is_empty(),
            "{} holds no files that end in .json or .ndjson",
            directory.display()
        );
        files.sort_unstable();
        Ok(Self { files: files.into_iter(), name: String::new(), lines: Bytes::new(), line: 0 })
    }

    /// Lines that are at hand.
    pub fn generated(lines: Bytes) -> Self {
        Self { files: Vec::new().into_iter(), name: "the generated events".to_owned(), lines, line: 0 }
    }

    /// Up to `most` events; `None` at the end.
    pub fn next(&mut self, most: usize) -> anyhow::Result<Option<Vec<NewEvent>>> {
        let mut events = Vec::with_capacity(most);
        while events.len() < most {
            if self.lines.is_empty() {
                let Some(file) = self.files.next() else { break };
                self.name = file.display().to_string();
                self.lines = std::fs::read(&file).with_context(|| format!("reading {}", self.name))?.into();
                self.line = 0;
                continue;
            }
            let end = memchr::memchr(b'\n', &self.lines).unwrap_or(self.lines.len());
            let payload = self.lines.split_to(end);
            if !self.lines.is_empty() {
                let _newline = self.lines.split_to(1);
            }
            self.line += 1;
            if payload.trim_ascii().is_empty() {
                continue;
            }
            let (id, member) = routing_of(&payload)
                .map_err(|reject| anyhow::anyhow!("{}, line {}: {}", self.name, self.line, reject.detail))?;
            let (id, member) = (id.into_owned(), member.into_owned());
            events.push(NewEvent { member, id, payload });
        }
        Ok((!events.is_empty()).then_some(events))
    }
}

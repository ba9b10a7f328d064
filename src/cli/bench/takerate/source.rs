//! Where the events come from: files, or lines made beforehand.

use anyhow::Context;
use bytes::{Buf, Bytes};
use nearline_model::event::routing_of;
use nearline_ports::NewEvent;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes read at once: small enough that the allocator gives the same memory again and again.
const CHUNK_BYTES: usize = 128 << 10;
/// Longest line; a longer one is no event.
const MAX_LINE_BYTES: usize = 1 << 20;

/// Files with events in `directory`, in the order of their names.
pub fn files_of(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reading = || format!("reading the directory {}", directory.display());
    let entries = std::fs::read_dir(directory).with_context(reading)?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|file| {
        file.is_file() && file.extension().is_some_and(|ending| ending == "json" || ending == "ndjson")
    });
    anyhow::ensure!(!files.is_empty(), "{} holds no files that end in .json or .ndjson", directory.display());
    files.sort_unstable();
    Ok(files)
}

/// Events in a file that is written.
const FILE_EVENTS: usize = 50_000;

/// Writes `lines` into files of a new directory, in the order of their names.
pub fn write_files(directory: &Path, lines: &[u8]) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    let mut rest = lines;
    for number in 0.. {
        let Some(last) = memchr::memchr_iter(b'\n', rest).take(FILE_EVENTS).last() else { break };
        let (lines, after) = rest.split_at(last + 1);
        let file = directory.join(format!("part-{number:05}.json"));
        std::fs::write(&file, lines).with_context(|| format!("writing {}", file.display()))?;
        rest = after;
    }
    Ok(())
}

/// Events in the order of arrival.
pub struct Source {
    files: std::vec::IntoIter<PathBuf>,
    file: Option<File>,
    name: String,
    /// Whole lines, and what is there of the line after them.
    lines: Bytes,
    rest: Vec<u8>,
    line: usize,
}

impl Source {
    /// The files of `directory`, in the order of their names.
    pub fn files(directory: &Path) -> anyhow::Result<Self> {
        let files = files_of(directory)?.into_iter();
        Ok(Self { files, ..Self::generated(Bytes::new()) })
    }

    /// Lines that are at hand.
    pub fn generated(lines: Bytes) -> Self {
        let name = "the generated events".to_owned();
        Self { files: Vec::new().into_iter(), file: None, name, lines, rest: Vec::new(), line: 0 }
    }

    /// Reads on; false at the end of the last file.
    fn read_on(&mut self) -> anyhow::Result<bool> {
        loop {
            let Some(file) = &mut self.file else {
                let Some(path) = self.files.next() else { return Ok(false) };
                self.name = path.display().to_string();
                self.file = Some(File::open(&path).with_context(|| format!("opening {}", self.name))?);
                self.line = 0;
                continue;
            };
            let mut chunk = Vec::with_capacity(CHUNK_BYTES + self.rest.len());
            chunk.append(&mut self.rest);
            let read = file.take(CHUNK_BYTES as u64).read_to_end(&mut chunk);
            let is_end = read.with_context(|| format!("reading {}", self.name))? == 0;
            if is_end {
                self.file = None;
            } else if let Some(end) = memchr::memrchr(b'\n', &chunk) {
                self.rest = chunk[end + 1..].to_vec();
                chunk.truncate(end + 1);
            } else {
                anyhow::ensure!(
                    chunk.len() <= MAX_LINE_BYTES,
                    "{}, line {}: longer than {MAX_LINE_BYTES} bytes",
                    self.name,
                    self.line + 1
                );
                self.rest = chunk;
                continue;
            }
            self.lines = chunk.into();
            if !self.lines.is_empty() {
                return Ok(true);
            }
        }
    }

    /// Up to `most` events; `None` at the end.
    pub fn next(&mut self, most: usize) -> anyhow::Result<Option<Vec<NewEvent>>> {
        let mut events = Vec::with_capacity(most);
        while events.len() < most {
            if self.lines.is_empty() {
                if !self.read_on()? {
                    break;
                }
                continue;
            }
            let end = memchr::memchr(b'\n', &self.lines).unwrap_or(self.lines.len());
            let payload = self.lines.split_to(end);
            self.lines.advance(self.lines.len().min(1));
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

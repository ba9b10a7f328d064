//! The lines that were refused, in a file of their own: what was answered of the first one is not sent again.

use anyhow::Context;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Where they go, if anywhere.
#[derive(Debug, Default)]
pub(super) struct RefusedLines {
    path: Option<PathBuf>,
    file: Option<BufWriter<File>>,
}

impl RefusedLines {
    pub fn into_file(path: PathBuf) -> Self {
        Self { path: Some(path), file: None }
    }

    /// Notes a line, if it has a text; with the first one that is refused the file begins anew, with others it goes on.
    pub fn put(&mut self, text: Option<&str>, is_first: bool) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let what = || format!("{} cannot be written", path.display());
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut options = OpenOptions::new();
                options.create(true).write(true).truncate(is_first).append(!is_first);
                none.insert(BufWriter::new(options.open(path).with_context(what)?))
            }
        };
        text.map_or(Ok(()), |text| writeln!(file, "{text}")).with_context(what)
    }

    /// All of them are in the file.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        flushed.with_context(|| format!("{} cannot be written", self.shown()))
    }

    fn shown(&self) -> String {
        self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }

    /// What to do with them.
    pub fn advice(&self) -> String {
        match &self.path {
            Some(path) => format!("they are in {}: correct them there and publish that file", path.display()),
            None => "correct them and publish them in a file of their own".to_owned(),
        }
    }
}

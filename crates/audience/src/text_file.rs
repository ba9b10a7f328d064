//! Text files as they are found: UTF-8 or Latin-1, with or without a byte order mark, with LF or CR LF,
//! plain or gzip (of one member or several), or standard input.
//!
//! The encoding is decided line by line: a line that is valid UTF-8 is taken as that, any other as Latin-1,
//! in which every byte is a character. So nothing is ever replaced, a file of either kind is read as it was
//! meant, and one bad byte does not spoil the rest of a UTF-8 file. How many lines were taken as Latin-1 is
//! counted, for whoever wants to know.

use anyhow::{Context, bail};
use flate2::bufread::MultiGzDecoder;
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// Bytes of a line that are kept at most: longer ones are told of, but not held.
pub const LONGEST_LINE: usize = 64 << 20;
const BUFFER_BYTES: usize = 1 << 20;
/// Bytes at the start of a file that tell what it is.
const MAGIC_BYTES: usize = 6;

/// A text file, read line by line.
pub struct TextFile {
    name: String,
    reader: Box<dyn BufRead + Send>,
    is_compressed: bool,
    lines: u64,
    bytes: u64,
    latin1_lines: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// Its number, from 1.
    pub number: u64,
    /// Bytes from the start (of what was decompressed) to its end.
    pub end: u64,
    /// Whether a line break ends it; the last line of a file may have none.
    pub is_ended: bool,
    /// What it says, without its end; `None` where it has more than [`LONGEST_LINE`] bytes.
    pub text: Option<String>,
}

impl TextFile {
    /// Opens `path`; `-` is standard input.
    ///
    /// # Errors
    /// A file that cannot be read, or that is none of text or gzip: with what it is, and what to do.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::read_from(std::io::stdin(), "standard input");
        }
        let name = path.display().to_string();
        let file = std::fs::File::open(path).with_context(|| format!("{name} cannot be read"))?;
        if file.metadata().is_ok_and(|about| about.is_dir()) {
            bail!("{name} is a directory; name a file in it");
        }
        Self::read_from(file, &name)
    }

    /// Reads from `source`, which errors call `name`.
    ///
    /// # Errors
    /// As [`TextFile::open`].
    pub fn read_from(mut source: impl Read + Send + 'static, name: &str) -> anyhow::Result<Self> {
        let mut magic = Vec::with_capacity(MAGIC_BYTES);
        let begun = source.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut magic);
        begun.with_context(|| format!("{name} cannot be read"))?;
        let is_compressed = magic.starts_with(&[0x1f, 0x8b]);
        if !is_compressed {
            refuse_what_is_no_text(name, &magic)?;
        }
        let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(magic).chain(source));
        let mut reader: Box<dyn BufRead + Send> = if is_compressed {
            Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(whole)))
        } else {
            Box::new(whole)
        };
        if is_compressed {
            let inside = reader.fill_buf().with_context(|| format!("{name} cannot be decompressed"))?;
            refuse_what_is_no_text(name, &inside[..inside.len().min(MAGIC_BYTES)])?;
        }
        Ok(Self { name: name.to_owned(), reader, is_compressed, lines: 0, bytes: 0, latin1_lines: 0 })
    }

    /// What errors call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lines that were no UTF-8 and were taken as Latin-1.
    pub fn latin1_lines(&self) -> u64 {
        self.latin1_lines
    }

    /// Whether it came compressed.
    pub fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// The bytes themselves, decompressed, for whoever finds lines on their own.
    pub fn into_reader(self) -> impl Read + Send {
        self.reader
    }

    /// The next line, empty ones included; `None` at the end.
    ///
    /// # Errors
    /// Where the file cannot be read further: a gzip file that is cut off, for one.
    pub fn next_line(&mut self) -> anyhow::Result<Option<TextLine>> {
        let mut bytes = Vec::new();
        let (mut length, mut is_whole, mut is_ended) = (0_u64, true, false);
        loop {
            let found = self.reader.fill_buf().with_context(|| {
                let hint = if self.is_compressed { "; is the gzip file whole?" } else { "" };
                format!("{}:{} cannot be read{hint}", self.name, self.lines + 1)
            })?;
            if found.is_empty() {
                break;
            }
            let end = found.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(found.len(), |at| at + 1);
            is_whole &= bytes.len() + taken <= LONGEST_LINE;
            if is_whole {
                bytes.extend_from_slice(&found[..taken]);
            }
            self.reader.consume(taken);
            length += taken as u64;
            if end.is_some() {
                is_ended = true;
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        self.lines += 1;
        self.bytes += length;
        let text = is_whole.then(|| {
            let (text, is_latin1) = decode(&bytes);
            self.latin1_lines += u64::from(is_latin1);
            // A byte order mark stands at the start of a file, and within it where files were joined.
            let text = text.trim_start_matches('\u{feff}');
            let text = text.strip_suffix('\n').unwrap_or(text);
            text.strip_suffix('\r').unwrap_or(text).to_owned()
        });
        Ok(Some(TextLine { number: self.lines, end: self.bytes, is_ended, text }))
    }
}

/// `bytes` as UTF-8 where they are valid, else as Latin-1; and whether it was the latter.
pub fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (bytes.iter().copied().map(char::from).collect(), true),
    }
}

/// Refuses by their first bytes what would come out as nonsense.
fn refuse_what_is_no_text(name: &str, magic: &[u8]) -> anyhow::Result<()> {
    let known: [(&[u8], &str); 10] = [
        (b"PK\x03\x04", "a zip archive; unpack it first"),
        (b"PAR1", "a Parquet file; use `nearline-lab to-jsonl FILE`, whose output can be piped on"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd; use `zstd -dc FILE`, whose output can be piped on"),
        (b"BZh", "compressed with bzip2; use `bzip2 -dc FILE`, whose output can be piped on"),
        (b"\xfd7zXZ", "compressed with xz; use `xz -dc FILE`, whose output can be piped on"),
        (b"\x1f\x8b", "compressed twice; use `gzip -dc FILE`, whose output can be piped on"),
        (b"\xff\xfe", "UTF-16; convert it first: `iconv -f UTF-16 -t UTF-8 FILE`"),
        (b"\xfe\xff", "UTF-16; convert it first: `iconv -f UTF-16 -t UTF-8 FILE`"),
        (b"SQLite", "an SQLite database; export the table as CSV or JSON lines"),
        (b"ARROW1", "an Arrow file; write it as Parquet or as JSON lines"),
    ];
    if let Some((_, what)) = known.iter().find(|(start, _)| magic.starts_with(start)) {
        bail!("{name} is {what}");
    }
    // Text without a mark in UTF-16: every other byte of what is written in JSON or CSV is 0.
    if magic.contains(&0) {
        bail!("{name} is no text (it holds a 0 byte); if it is UTF-16: `iconv -f UTF-16LE -t UTF-8 FILE`");
    }
    Ok(())
}

#[cfg(test)]
#[path = "text_file/tests.rs"]
mod tests;

//! How far a file was acknowledged, and where: remembered beside it.

use anyhow::{Context, bail};
use nearline_audience::text_file::TextFile;
use nearline_model::identifier::fingerprint;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Everything up to here was answered by the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResumePoint {
    /// Lines answered, empty ones included.
    pub lines: u64,
    /// Bytes of these lines (as they are decompressed).
    pub bytes: u64,
    /// Of these lines: stored by the log.
    pub accepted: u64,
    /// Known to the log before.
    pub duplicates: u64,
    /// Refused.
    pub rejected: u64,
    /// Fingerprint of the last line that was answered; 0: of none.
    pub last_line: u64,
    /// Whether the file ended without a line break there, which one more line brings.
    #[serde(default)]
    pub is_open: bool,
}

/// What is remembered of one file: how far it came at each place that it was published to.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    places: BTreeMap<String, ResumePoint>,
}

/// The file that remembers, and the place that is published to.
#[derive(Debug)]
pub(crate) struct Memory {
    path: Option<PathBuf>,
    place: String,
    remembered: Remembered,
}

impl Memory {
    /// What `path` remembers, for `place`. Without a path nothing is remembered.
    pub fn open(path: Option<PathBuf>, place: String) -> anyhow::Result<Self> {
        let remembered = match &path {
            Some(path) => load(path)?,
            None => Remembered::default(),
        };
        Ok(Self { path, place, remembered })
    }

    /// How far it came at this place.
    pub fn point(&self) -> ResumePoint {
        self.remembered.places.get(&self.place).copied().unwrap_or_default()
    }

    /// Remembers `point`: the old file stays until the new one is whole.
    pub fn save(&mut self, point: ResumePoint) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        self.remembered.places.insert(self.place.clone(), point);
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let text = serde_json::to_string_pretty(&self.remembered)?;
        let written = std::fs::write(&name, text + "\n").and_then(|()| std::fs::rename(&name, path));
        written.with_context(|| format!("{} cannot be written", path.display()))
    }

    /// What to do after an interruption.
    pub fn advice(&self) -> String {
        match &self.path {
            Some(path) => format!("run the same command again to go on; {} remembers", path.display()),
            None => "nothing is remembered of standard input; with --state PATH it is".to_owned(),
        }
    }

    /// What remembers, for people.
    pub fn shown(&self) -> String {
        self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
    }
}

fn load(path: &Path) -> anyhow::Result<Remembered> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Remembered::default()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    serde_json::from_str(&text).with_context(|| {
        let shown = path.display();
        format!(
            "{shown} does not say how far publishing came, and where; remove it, or publish with --restart"
        )
    })
}

/// Goes to where `point` is in `file`, which must still hold the lines that were answered.
pub(crate) fn go_on(file: &mut TextFile, point: ResumePoint, memory: &Memory) -> anyhow::Result<()> {
    let mut last = None;
    for _ in 0..point.lines {
        last = file.next_line()?;
        if last.is_none() {
            break;
        }
    }
    let is_known = match &last {
        None => point.lines == 0,
        Some(line) => {
            let text = line.text.as_deref().unwrap_or_default().trim();
            // `\n` or `\r\n`.
            let line_break = if point.is_open { 2 } else { 0 };
            (point.bytes..=point.bytes + line_break).contains(&line.end)
                && (point.last_line == 0 || fingerprint(text) == point.last_line)
        }
    };
    if !is_known {
        bail!(
            "{} is not the file of which {} remembers {} lines; remove that file, or publish with --restart",
            file.name(),
            memory.shown(),
            point.lines
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_point() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("f.published");
        let open = |place: &str| Memory::open(Some(path.clone()), place.to_owned()).expect("opened");
        let point = ResumePoint { lines: 2, bytes: 4, ..ResumePoint::default() };
        open("here").save(point).expect("saved");
        assert_eq!((open("here").point(), open("there").point()), (point, ResumePoint::default()));
        open("there").save(ResumePoint { lines: 1, ..point }).expect("saved");
        assert_eq!((open("here").point().lines, open("there").point().lines), (2, 1));
        // What an earlier version wrote does not say where.
        std::fs::write(
            &path,
            r#"{"lines":1,"bytes":2,"accepted":1,"duplicates":0,"rejected":0,"last_line":3}"#,
        )
        .expect("written");
        let error = Memory::open(Some(path), "here".to_owned()).expect_err("no place").to_string();
        assert!(error.contains("--restart"), "{error}");
    }

    #[test]
    fn a_line_without_an_end_may_get_one() {
        let last_line = fingerprint("b");
        let point = ResumePoint { lines: 2, bytes: 3, last_line, is_open: true, ..ResumePoint::default() };
        let memory = Memory::open(None, String::new()).expect("opened");
        for (text, fits) in [
            ("a\nb", true),
            ("a\nb\nc\n", true),
            ("a\nb\r\nc\n", true),
            ("a\nbb\n", false),
            ("aaaa\nb\n", false),
        ] {
            let mut file = TextFile::read_from(text.as_bytes(), "f").expect("opened");
            assert_eq!(go_on(&mut file, point, &memory).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn a_point_fits_its_own_file_alone() {
        let point = ResumePoint { lines: 2, bytes: 4, last_line: fingerprint("b"), ..ResumePoint::default() };
        let memory = Memory::open(None, String::new()).expect("opened");
        for (text, fits) in
            [("a\nb\nc\n", true), ("a\nb\n", true), ("a\nX\nc\n", false), ("a\n", false), ("aa\nb\n", false)]
        {
            let mut file = TextFile::read_from(text.as_bytes(), "f").expect("opened");
            assert_eq!(go_on(&mut file, point, &memory).is_ok(), fits, "{text:?}");
        }
    }
}

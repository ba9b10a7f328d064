//! A port by hand: dead letters as JSON files that any editor opens, instead of rows of the embedded store.
//!
//! An adapter stores, reads and reports; it decides nothing. What it has to promise is written as a suite that
//! every adapter passes ([`nearline_ports::contract`], behind the feature `contract`): here, too.
//!
//! `cargo run --example backend`

use async_trait::async_trait;
use nearline_backends::embedded::{EmbeddedSettings, open};
use nearline_model::Position;
use nearline_ports::contract::{Fixture, dead_letters as promises};
use nearline_ports::{DeadLetter, DeadLetters, PortError, Ports, Redrive};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Dead letters in a directory: `POSITION.letter.json`, and `POSITION.redrive.json` beside it.
#[derive(Clone)]
pub struct LetterFiles {
    directory: Arc<Path>,
}

const LETTER: &str = ".letter.json";
const REDRIVE: &str = ".redrive.json";

impl LetterFiles {
    /// Opens a directory, or makes it.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it cannot be made.
    pub fn open(directory: &Path) -> Result<Self, PortError> {
        std::fs::create_dir_all(directory).map_err(|error| unavailable(directory, error))?;
        Ok(Self { directory: directory.into() })
    }

    /// Positions have as many digits each, so that names are ordered as they are.
    fn path(&self, position: Position, ending: &str) -> PathBuf {
        self.directory.join(format!("{position:020}{ending}"))
    }

    /// Writes a file whole or not at all, whatever ends the process in between.
    fn write(&self, position: Position, ending: &str, what: &impl Serialize) -> Result<(), PortError> {
        let path = self.path(position, ending);
        let bytes = serde_json::to_vec_pretty(what).map_err(|error| damaged(&path, &error))?;
        let written = tempfile::NamedTempFile::new_in(&*self.directory).and_then(|mut file| {
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            std::fs::File::open(&*self.directory)?.sync_all()
        });
        written.map_err(|error| unavailable(&path, error))
    }

    fn read<T: DeserializeOwned>(&self, position: Position, ending: &str) -> Result<Option<T>, PortError> {
        let path = self.path(position, ending);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(&path, &error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(&path, error)),
        }
    }

    /// Positions of all letters, in order.
    fn positions(&self) -> Result<Vec<Position>, PortError> {
        let mut positions = Vec::new();
        for entry in
            std::fs::read_dir(&*self.directory).map_err(|error| unavailable(&self.directory, error))?
        {
            let name = entry.map_err(|error| unavailable(&self.directory, error))?.file_name();
            let position: Option<Position> =
                name.to_str().and_then(|name| name.strip_suffix(LETTER)?.parse().ok());
            positions.extend(position);
        }
        positions.sort_unstable();
        Ok(positions)
    }

    /// Files block: they are none of the event loop's business.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let files = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.unwrap_or_else(|error| Err(unavailable(&self.directory, error)))
    }
}

fn unavailable(path: &Path, error: impl std::fmt::Display) -> PortError {
    PortError::Unavailable { what: path.display().to_string(), detail: error.to_string() }
}

fn damaged(path: &Path, error: &serde_json::Error) -> PortError {
    PortError::Damaged { what: path.display().to_string(), detail: error.to_string() }
}

#[async_trait]
impl DeadLetters for LetterFiles {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), PortError> {
        let write = move |files: &Self| {
            letters.iter().try_for_each(|letter| files.write(letter.position, LETTER, letter))
        };
        self.blocking(write).await
    }

    async fn list(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let read = move |files: &Self| {
            let positions = files.positions()?.into_iter().filter(|position| *position > after).take(limit);
            // One that was removed meanwhile is not there any more.
            positions.filter_map(|position| files.read(position, LETTER).transpose()).collect()
        };
        self.blocking(read).await
    }

    async fn get(&self, position: Position) -> Result<Option<DeadLetter>, PortError> {
        self.blocking(move |files| files.read(position, LETTER)).await
    }

    async fn remove(&self, position: Position) -> Result<(), PortError> {
        let remove = move |files: &Self| {
            for path in [LETTER, REDRIVE].map(|ending| files.path(position, ending)) {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(unavailable(&path, error));
                    }
                    _ => {}
                }
            }
            Ok(())
        };
        self.blocking(remove).await
    }

    async fn redrive(&self, position: Position) -> Result<Option<Redrive>, PortError> {
        self.blocking(move |files| files.read(position, REDRIVE)).await
    }

    async fn put_redrive(&self, position: Position, redrive: Redrive) -> Result<(), PortError> {
        self.blocking(move |files| files.write(position, REDRIVE, &redrive)).await
    }
}

/// A data directory in which the embedded store keeps everything but the dead letters.
pub struct Directory(pub tempfile::TempDir);

/// A fresh one.
pub async fn directory() -> Directory {
    Directory(tempfile::tempdir().expect("a temporary directory"))
}

#[async_trait]
impl Fixture for Directory {
    async fn ports(&self) -> Ports {
        let settings = EmbeddedSettings::in_directory(self.0.path().join("store"));
        let letters = LetterFiles::open(&self.0.path().join("letters")).expect("the directory can be made");
        Ports { dead_letters: Arc::new(letters), ..open(settings).expect("the directory opens") }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    promises::a_letter_put_twice_is_one(&directory().await).await;
    promises::letters_are_listed_by_position_with_a_limit(&directory().await).await;
    promises::letters_survive_reopening(&directory().await).await;
    promises::a_letter_is_found_by_position_and_gone_once_removed(&directory().await).await;
    promises::what_is_known_of_a_redrive_stays_though_the_letter_is_written_again(&directory().await).await;
    println!("letters in files keep all five promises of `DeadLetters`");
}

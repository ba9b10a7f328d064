//! What can be wrong with files, columns and rules.

use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// An error that names the file and the column, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A file or folder cannot be read or written.
    #[error("{} cannot be {verb}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `written`.
        verb: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is no Parquet, or broken, or of a kind that is not built in.
    #[error("{} cannot be read as Parquet: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ParquetError,
    },
    /// A file cannot be written as Parquet.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ParquetError,
    },
    /// A column is missing, of the wrong type, or holds what it must not.
    #[error("{}: column `{column}` {reason}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Rules or arguments that make no sense, alone or with these files.
    #[error("{0}")]
    Refused(String),
}

/// What every function here gives.
pub type Result<T> = std::result::Result<T, FactsError>;

impl FactsError {
    pub(crate) fn reading(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), verb: "read", source }
    }

    pub(crate) fn writing(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), verb: "written", source }
    }

    pub(crate) fn parquet<E: Into<ParquetError>>(path: &Path) -> impl FnOnce(E) -> Self + '_ {
        move |source| Self::Parquet { path: path.to_owned(), source: source.into() }
    }

    pub(crate) fn unwritten(path: &Path) -> impl FnOnce(ParquetError) -> Self + '_ {
        move |source| Self::Unwritten { path: path.to_owned(), source }
    }

    pub(crate) fn column(path: &Path, column: &str, reason: impl Into<String>) -> Self {
        Self::Column { path: path.to_owned(), column: column.to_owned(), reason: reason.into() }
    }
}
